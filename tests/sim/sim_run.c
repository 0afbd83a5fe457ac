/* The driver, see sim_run.h. */
#include "sim_run.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

struct lane {
	struct sim_event event;
	enum rs_executor_lane lane;
	int64_t min, max;
	bool open;
};

static struct {
	struct sim_config config;
	struct sim_rng rng, test_rng;
	struct lane lanes[RS_LANE_N];
} sim;

void sim_env_start(const struct sim_config *config)
{
	struct rs_taskpool_config pool = {.deterministic = true, .seed = config->seed};
	int error;

	memset(&sim, 0, sizeof(sim));
	sim.config = *config;
	rs_log_set_level(getenv("SIM_LOG") ? RS_LOG_DEBUG : RS_LOG_ERROR);
	sim_rng_init(&sim.rng, config->seed, SIM_STREAM_RUN);
	sim_rng_init(&sim.test_rng, config->seed, SIM_STREAM_TEST);
	sim_flow_reset();
	sim_clock_start(config->seed);
	sim_net_start(config->seed);
	sim_names_start(config->seed);
	if (!config->addresses[0]) {
		sim_net_add_address("10.0.0.1");
		sim_net_add_address("fd00::1");
	}
	for (size_t i = 0; i < RS_ARRAY_SIZE(config->addresses) && config->addresses[i]; i++)
		sim_net_add_address(config->addresses[i]);
	error = config->no_pool ? 0 : rs_taskpool_start(&pool);
	if (error)
		sim_failed(__FILE__, __LINE__, "rs_taskpool_start: %s", strerror(error));
}

void sim_env_stop(void)
{
	for (int i = 0; i < RS_LANE_N; i++)
		rs_executor_hold((enum rs_executor_lane)i, false);
	if (!sim.config.no_pool)
		rs_taskpool_stop();
	sim_queue_clear();
	sim_net_stop();
	sim_names_stop();
	sim_clock_stop();
}

struct sim_rng *sim_test_rng(void)
{
	return &sim.test_rng;
}

/* ---- what happens next ---- */

/* Time goes by while a slow machine works, but never past what a fast one would have seen first by more than stall_us.
 */
static void maybe_stall(void)
{
	if (!sim_rng_chance(&sim.rng, sim.config.stall))
		return;
	sim_clock_set(sim_now() + sim_rng_range(&sim.rng, 1, sim.config.stall_us));
	rs_taskpool_advance();
}

bool sim_step_now(void)
{
	bool due = sim_queue_next() <= sim_now();

	if (due && sim_rng_below(&sim.rng, 2))
		return sim_queue_run_due();
	if (rs_taskpool_step()) {
		maybe_stall();
		return true;
	}
	return sim_queue_run_due();
}

static int64_t next_time(void)
{
	int64_t event = sim_queue_next(), timer = rs_taskpool_next_timer();

	return event < timer ? event : timer;
}

static void move_clock(int64_t to)
{
	if (to > sim_now())
		sim_clock_set(to);
	rs_taskpool_advance();
}

bool sim_step(void)
{
	int64_t next;

	if (sim_step_now())
		return true;
	next = next_time();
	if (next == INT64_MAX)
		return false;
	move_clock(next);
	return true;
}

bool sim_run_until(bool (*done)(void *token), void *token, int64_t timeout_us)
{
	int64_t end = sim_now() + timeout_us;

	for (;;) {
		if (done && done(token))
			return true;
		if (sim_step_now())
			continue;
		if (next_time() > end || sim_now() >= end) {
			if (end > sim_now())
				move_clock(end);
			return done && done(token);
		}
		move_clock(next_time());
	}
}

void sim_run_for(int64_t us)
{
	sim_run_until(NULL, NULL, us);
}

bool sim_run_out(int64_t timeout_us)
{
	int64_t end = sim_now() + timeout_us;

	while (sim_now() <= end) {
		if (!sim_step())
			return true;
	}
	return false;
}

/* ---- lanes of the executor ---- */

static void lane_turn(struct sim_event *e)
{
	struct lane *l = rs_container_of(e, struct lane, event);

	l->open = !l->open;
	rs_executor_hold(l->lane, !l->open);
	/* Open for as long as this instant lasts: the closing comes behind everything that is due now. */
	sim_queue_add(&l->event, l->open ? sim_now() + 1 : sim_now() + sim_rng_range(&sim.rng, l->min, l->max),
		      lane_turn, NULL);
}

void sim_lane_delay(enum rs_executor_lane lane, int64_t min_us, int64_t max_us)
{
	struct lane *l = &sim.lanes[lane];

	sim_queue_remove(&l->event);
	*l = (struct lane){.lane = lane, .min = min_us, .max = max_us, .open = true};
	rs_executor_hold(lane, max_us > 0);
	if (max_us > 0) {
		l->open = false;
		sim_queue_add(&l->event, sim_now() + sim_rng_range(&sim.rng, min_us, max_us), lane_turn, NULL);
	}
}
