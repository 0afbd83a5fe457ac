/*
 * A run in a process of its own for each seed, so that a crash of the server is only a child's end, and the checks of
 * simulations, which print the call flow and the line that replays it.
 */
#ifndef SIM_FORK_H
#define SIM_FORK_H

#include "base/defs.h"

#include <stdio.h>

/* What became of a child. */
enum sim_verdict {
	SIM_PASSED,
	SIM_FAILED,  /* a check, an unexpected exit or a signal */
	SIM_CRASHED, /* it called sim_crash: the crash that the simulation wanted */
};

/* Runs fn(seed, arg) in a child and waits. Failures are printed with the call flow and the line that replays. The
 * seed that sim_failed prints is this one from now on. */
enum sim_verdict sim_fork_run(uint64_t seed, void (*fn)(uint64_t seed, void *arg), void *arg);

/* What the environment says in place of n seeds from first on: SIM_FIRST, SIM_RUNS, or SEED, which is one. */
void sim_seeds(uint64_t *first, unsigned *n);
/*
 * fn for n seeds from first on, or those of the environment, a child each. Returns how many failed; stops after
 * sim_failures_max.
 */
unsigned sim_fork_seeds(uint64_t first, unsigned n, void (*fn)(uint64_t seed, void *arg), void *arg);

/* After how many failed seeds a program stops: three, or SIM_FAILURES in the environment. */
unsigned sim_failures_max(void);

/* Ends the process at once, as kill -9 does: nothing is flushed, closed or freed. In a child only. */
_Noreturn void sim_crash(void);

/* Memory that the parent shares with its children; zeroed, never given back. */
void *sim_shared(size_t size);

/* Prints what failed, the call flow, and the line that replays; ends a child, aborts otherwise. */
_Noreturn void sim_failed(const char *file, int line, const char *fmt, ...) RS_PRINTF(3, 4);
/* For use in simulations in place of cmocka's assertions, whose way out ends in the parent's copy. */
#define sim_check(cond)                                                                                                \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			sim_failed(__FILE_NAME__, __LINE__, "not true: %s", #cond);                                    \
	} while (0)
#define sim_check_int(a, b)                                                                                            \
	do {                                                                                                           \
		const long long sim_a_ = (long long)(a), sim_b_ = (long long)(b);                                      \
		if (sim_a_ != sim_b_)                                                                                  \
			sim_failed(__FILE_NAME__, __LINE__, "%s is %lld, %s is %lld", #a, sim_a_, #b, sim_b_);         \
	} while (0)

#endif
