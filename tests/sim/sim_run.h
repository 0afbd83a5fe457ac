/*
 * The driver of a simulation: environment, pool in its deterministic mode, the stack over the simulated network, and
 * the loop that chooses by the seed what happens next. One thread, one simulation a process at a time.
 *
 *   sim_start(&(struct sim_config){ .seed = seed, .stack = { .on_request = answer } });
 *   …open listeners, make peers, let them send…
 *   sim_check(sim_run_until(all_answered, &state, 40 * SIM_SECOND));
 *   sim_stop();
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim_clock.h"
#include "sim_disk.h"
#include "sim_flow.h"
#include "sim_fork.h"
#include "sim_names.h"
#include "sim_net.h"
#include "sim_queue.h"

#include "sip/stack.h"

/* Log lines are written only when the environment variable SIM_LOG is set, or they are errors. */

#define SIM_SECOND 1000000ll
#define SIM_MS     1000ll

struct sim_config {
	uint64_t seed;
	const char *addresses[8]; /* the server's; none: 10.0.0.1 and fd00::1 */
	/*
	 * The machine is slow: between two tasks up to stall_us go by, in stall of 1000 cases; what is due meanwhile
	 * happens late. 0: work takes no time.
	 */
	unsigned stall;
	int64_t stall_us;
	bool no_pool; /* somebody else starts the pool (the core does, with deterministic and the seed), and stops it */
	struct sip_stack_config stack; /* net and names are set to the simulated ones */
};

/* Clock, network, names and the pool: for tests that start no stack, or one by way of the core, which is told of
 * sim_net_ops and sim_names_ops. */
void sim_env_start(const struct sim_config *config);
/* What is still queued is run and dropped. */
void sim_env_stop(void);
/* The same with the stack. */
void sim_start(const struct sim_config *config);
void sim_stop(void);

/* One task, executor job or event; when nothing can run, the clock goes to what is next. false: nothing is left. */
bool sim_step(void);
/* Like sim_step, but the clock stays; false: nothing can run now. */
bool sim_step_now(void);
/* Until done(token) is true (asked after each step); false: time is up, or nothing is left to happen. */
bool sim_run_until(bool (*done)(void *token), void *token, int64_t timeout_us);
/* Everything that happens within so much time. */
void sim_run_for(int64_t us);
/* Until nothing is left to happen; false: time was up first. */
bool sim_run_out(int64_t timeout_us);

/*
 * Jobs of an executor lane wait: each time that none was let through for a while between min and max, those queued are
 * run. 0, 0: at once again. Until the simulation ends.
 */
void sim_lane_delay(enum rs_executor_lane lane, int64_t min_us, int64_t max_us);

/* A number stream for the test itself, from the seed. */
struct sim_rng *sim_test_rng(void);

#endif
