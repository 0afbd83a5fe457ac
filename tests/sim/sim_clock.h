/*
 * The virtual clock and the environment (base/env.h) made of it: time stands still until the driver (sim_run.h) moves
 * it, and every random byte comes from the seed. One thread.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "sim_rng.h"

/* Sets the environment: the clock at its start, the random bytes of seed. */
void sim_clock_start(uint64_t seed);
/* The kernel's environment again. */
void sim_clock_stop(void);

/* rs_now_us of the simulation; starts at SIM_CLOCK_START. */
int64_t sim_now(void);
#define SIM_CLOCK_START 1000000000ll

/* Never backwards. Only the driver moves the clock of a running simulation. */
void sim_clock_set(int64_t now_us);
/* The wall clock jumps, forwards or backwards; the other clock does not. */
void sim_clock_jump_wall(int64_t delta_us);
/* The SQLite VFS that rs_env names from now on; NULL: the default one. */
void sim_clock_set_vfs(const char *vfs);

#endif
