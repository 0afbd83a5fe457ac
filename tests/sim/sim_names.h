/*
 * Names of the simulation: sip_names_ops that answer from a table, late, wrongly or not at all. One thread.
 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "sim_rng.h"

#include "sip/stack.h"

void sim_names_start(uint64_t seed);
/* Forgets the table; queries that were not answered are dropped. */
void sim_names_stop(void);

/* One more address of a name. */
void sim_names_add(const char *host, const char *ip);
void sim_names_remove(const char *host);
/* The name's queries fail with error (ENOENT, ETIMEDOUT, EIO); 0: they succeed again. */
void sim_names_fail(const char *host, int error);
/* The name's queries are not answered before the stack stops, not even with an error. */
void sim_names_mute(const char *host, bool mute);
/* Answers take this long (0, 0: within query itself). Default 1 … 50 ms. */
void sim_names_delay(int64_t min_us, int64_t max_us);
/* Queries asked so far. */
unsigned sim_names_asked(void);

/* The token is NULL. */
extern const struct sip_names_ops sim_names_ops;

#endif
