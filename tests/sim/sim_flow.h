/*
 * The call flow of a simulation: the last events, kept in memory that a parent shares with the child that runs the
 * simulation, so that they can be printed even when the child crashed; and a digest over all of them, by which two
 * runs are compared.
 */
#ifndef SIM_FLOW_H
#define SIM_FLOW_H

#include "sip/addr.h"

#include <stdio.h>

#define SIM_FLOW_LINES 200
#define SIM_FLOW_WIDTH 200

/* Forgets all. The shared memory is made at the first call, which must come before a fork. */
void sim_flow_reset(void);
/* One packet: what (up to 8 characters: "sent", "lost", …), how ("UDP"), the bytes (their first line is shown). */
void sim_flow_packet(const char *what, const char *how, const struct sip_addr *from, const struct sip_addr *to,
		     struct rs_str bytes);
/* A remark of a test. */
void sim_flow_note(const char *fmt, ...) RS_PRINTF(1, 2);
/* What counts for the digest only: pieces of streams. */
void sim_flow_mix(uint64_t value);
void sim_flow_print(FILE *out);
/* Of everything since the reset, times and whole packets included. */
uint64_t sim_flow_digest(void);
uint64_t sim_flow_count(void);

#endif
