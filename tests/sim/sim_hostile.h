/*
 * A hostile peer: garbage, requests in other people's names, what it has overheard sent again from its own
 * address and from theirs, forged responses, stray ACKs and CANCELs, streams that say half of something. Whatever it
 * does, the server answers it with at most three times the bytes that it sent, and nothing of what it asks for happens.
 */
#ifndef SIM_HOSTILE_H
#define SIM_HOSTILE_H

#include "sim_agent.h"

#define SIM_HOSTILE       "10.0.66.6"
#define SIM_HOSTILE_SMALL "10.0.66.7" /* asks short questions only */

/* Does something again and again until the stop. agents of the first n are those in whose name it speaks. */
void sim_hostile_start(unsigned n);
void sim_hostile_stop(void);

#endif
