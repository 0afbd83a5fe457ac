/*
 * A small world around the whole server: phones that register, send messages, call and are called, over a network that
 * loses, doubles, reorders and is cut now and then; a hostile peer; a disk that is slow and fails; a slow machine; and
 * in some runs a power cut. All of it from one seed, for a minute or two, with the rules of sim_watch.h and
 * sim_probe.h held after every step. At the end everything is answered, every table is empty, and each phone's binding
 * is what it was told.
 */
#include "sim_agent.h"
#include "sim_hostile.h"
#include "sim_probe.h"
#include "sim_watch.h"

#include "core/core.h"
#include "core/loader/loader.h"
#include "res_sip/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct sim_disk *disk;
static struct sim_agent agents[SIM_AGENTS];

/* What the children leave behind. */
static struct shared {
	struct sim_agent_memory agents[SIM_AGENTS];
	int64_t elapsed_us, wall_us; /* that had gone by at the crash, the second by the system's time */
	int64_t stepped_us;          /* steps of the system's time, added up */
	struct sim_agent_stats did;
	struct sim_watch_stats saw;
	unsigned long crashes;
} * shared;

/* ---- what goes wrong ---- */

static struct sim_event trouble_event, mend_event, crash_event;
static char cut_host[32];

static void mend(struct sim_event *e)
{
	(void)e;
	sim_net_cut(cut_host, NULL, false);
}

static void step_clock(int64_t us)
{
	sim_clock_jump_wall(us);
	shared->wall_us += us;
	shared->stepped_us += us < 0 ? -us : us;
}

/* One that can go while its requests are under way, and one that cannot. */
static void reload_module(void)
{
	static const char *const names[] = {"res_sip_options", "res_sip_nat", "res_sip_logger"};
	const char *name = names[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(names))];
	char *why = NULL;

	if (ast_sip_loader_unload(name, &why) == 0) {
		sim_flow_note("%s unloaded", name);
		sim_check_int(ast_sip_loader_load(name, &why), 0);
	}
	free(why);
}

static void trouble(struct sim_event *e)
{
	static const enum sim_disk_op ops[] = {SIM_DISK_WRITE, SIM_DISK_SYNC, SIM_DISK_READ};
	struct sim_rng *rng = sim_test_rng();
	struct ast_sip_conf_errors errors = {0};

	switch (sim_rng_below(rng, 7)) {
	case 0:
		if (mend_event.queued)
			break;
		snprintf(cut_host, sizeof(cut_host), "10.0.1.%u", 1 + (unsigned)sim_rng_below(rng, SIM_AGENTS));
		sim_net_cut(cut_host, NULL, true);
		sim_queue_add(&mend_event, sim_now() + sim_rng_range(rng, SIM_SECOND, 20 * SIM_SECOND), mend, NULL);
		break;
	case 1:
		sim_disk_fail(disk, ops[sim_rng_below(rng, 3)], (unsigned)sim_rng_below(rng, 4),
			      1 + (unsigned)sim_rng_below(rng, 2));
		break;
	case 2:
		sim_lane_delay(RS_LANE_STORE, 0, sim_rng_range(rng, 0, 900 * SIM_MS));
		break;
	case 3:
		sim_check_int(ast_sip_core_reload(&errors), 0);
		ast_sip_conf_errors_free(&errors);
		break;
	case 4:
		reload_module();
		break;
	case 5:
		sim_names_delay(0, sim_rng_range(rng, 0, 5 * SIM_SECOND));
		sim_names_mute(SIM_AGENT_NAME, sim_rng_below(rng, 3) == 0);
		sim_names_fail(SIM_AGENT_NAME, sim_rng_below(rng, 3) ? 0 : ETIMEDOUT);
		break;
	default:
		step_clock(sim_rng_range(rng, -SIM_SECOND, SIM_SECOND));
		break;
	}
	sim_queue_add(e, sim_now() + sim_rng_range(rng, 0, 12 * SIM_SECOND), trouble, NULL);
}

static void bad_network(void)
{
	struct sim_link *link = sim_net_link(NULL, NULL);
	struct sim_rng *rng = sim_test_rng();

	link->loss = (unsigned)sim_rng_below(rng, 200);
	link->duplicate = (unsigned)sim_rng_below(rng, 200);
	link->reorder = (unsigned)sim_rng_below(rng, 200);
	link->reorder_us = 2 * SIM_SECOND;
	link->segment = 1 + (unsigned)sim_rng_below(rng, 1400);
}

static void good_network(void)
{
	struct sim_link *link = sim_net_link(NULL, NULL);
	char host[32];

	sim_queue_remove(&trouble_event);
	if (mend_event.queued) {
		sim_queue_remove(&mend_event);
		mend(&mend_event);
	}
	link->loss = link->duplicate = link->reorder = 0;
	/* A link that was cut has settings of its own. */
	for (unsigned i = 0; i < SIM_AGENTS; i++) {
		snprintf(host, sizeof(host), "10.0.1.%u", i + 1);
		*sim_net_link(host, NULL) = *link;
	}
	sim_names_mute(SIM_AGENT_NAME, false);
	sim_names_fail(SIM_AGENT_NAME, 0);
	for (int op = 0; op < SIM_DISK_OPS; op++)
		sim_disk_fail(disk, (enum sim_disk_op)op, 0, 0);
	sim_lane_delay(RS_LANE_STORE, 0, 0);
}

static void note(void)
{
	struct sim_agent_stats *did = &shared->did;
	struct sim_watch_stats *saw = &shared->saw;

	did->registered += sim_agent_stats.registered;
	did->refused += sim_agent_stats.refused;
	did->unanswered += sim_agent_stats.unanswered;
	did->messages += sim_agent_stats.messages;
	did->calls += sim_agent_stats.calls;
	did->answered += sim_agent_stats.answered;
	saw->requests += sim_watch_stats()->requests;
	saw->answers += sim_watch_stats()->answers;
	saw->again += sim_watch_stats()->again;
	saw->sent += sim_watch_stats()->sent;
	saw->responses += sim_watch_stats()->responses;
}

static void crash(struct sim_event *e)
{
	(void)e;
	shared->elapsed_us = sim_now() - SIM_CLOCK_START;
	shared->wall_us += shared->elapsed_us;
	shared->crashes++;
	note();
	sim_crash();
}

/* ---- a run ---- */

static void start_agents(void)
{
	for (unsigned i = 0; i < SIM_AGENTS; i++)
		sim_agent_start(&agents[i], i, &shared->agents[i]);
}

static bool all_idle(void *token)
{
	(void)token;
	for (unsigned i = 0; i < SIM_AGENTS; i++) {
		if (!sim_agent_idle(&agents[i]))
			return false;
	}
	return true;
}

/* Everybody finishes what is under way; then each phone's binding is looked at, and nothing is left. */
static void calm_down(bool probed)
{
	struct ast_sip_location_stats location;

	for (unsigned i = 0; i < SIM_AGENTS; i++)
		sim_agent_calm(&agents[i]);
	if (probed)
		sim_probe_calm();
	good_network();
	sim_check(sim_run_until(all_idle, NULL, 80 * SIM_SECOND));
	for (unsigned i = 0; i < SIM_AGENTS; i++)
		sim_agent_check(&agents[i]);
	if (probed)
		sim_hostile_stop();
	/* INVITE with its timeout, CANCEL, Timers D and M; and until the last binding has ended. */
	sim_run_for(300 * SIM_SECOND);
	ast_sip_location_stats(&location);
	sim_check_int(location.bindings, 0);
	if (probed)
		sim_probe_stop();
	for (unsigned i = 0; i < SIM_AGENTS; i++)
		sim_agent_stop(&agents[i]);
	note();
	sim_server_stop();
}

static void storm(uint64_t seed, void *arg)
{
	bool crashes = *(const bool *)arg;
	int64_t length;

	sim_server_start(seed, disk, 0);
	bad_network();
	sim_probe_start(SIM_AGENTS);
	start_agents();
	sim_hostile_start(SIM_AGENTS);
	sim_queue_add(&trouble_event, sim_now() + 3 * SIM_SECOND, trouble, NULL);
	length = sim_rng_range(sim_test_rng(), 20 * SIM_SECOND, 90 * SIM_SECOND);
	if (crashes)
		sim_queue_add(&crash_event, sim_now() + length / 2, crash, NULL);
	sim_run_for(length);
	calm_down(true);
}

static void after_crash(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed, disk, shared->wall_us);
	sim_agent_clock = (struct sim_agent_clock){shared->elapsed_us, shared->stepped_us};
	start_agents();
	calm_down(false);
}

static unsigned one_seed(uint64_t seed)
{
	struct sim_rng rng;
	bool crashes;

	sim_rng_init(&rng, seed, SIM_STREAM_TEST);
	sim_disk_format(disk, seed);
	memset(shared->agents, 0, sizeof(shared->agents));
	shared->elapsed_us = shared->wall_us = shared->stepped_us = 0;
	crashes = sim_rng_below(&rng, 3) == 0;
	if (crashes && sim_rng_below(&rng, 2))
		sim_disk_crash_after(disk, 1 + sim_rng_below(&rng, 400));
	switch (sim_fork_run(seed, storm, &crashes)) {
	case SIM_PASSED:
		return 0;
	case SIM_FAILED:
		return 1;
	case SIM_CRASHED:
		break;
	}
	sim_disk_comes_back(disk, &rng);
	return sim_fork_run(seed, after_crash, NULL) != SIM_PASSED;
}

static void every_rule_holds_whatever_happens(void **state)
{
	unsigned n = WORLD_SEEDS, failed = 0;
	uint64_t from = 1;

	(void)state;
	sim_seeds(&from, &n);
	for (unsigned i = 0; i < n && failed < sim_failures_max(); i++)
		failed += one_seed(from + i);
	print_message(
		"%u seeds, %lu crashes: REGISTER 200 %lu, refused %lu; no answer %lu; MESSAGE 200 %lu; calls %lu; "
		"phones answered %lu\n",
		n, shared->crashes, shared->did.registered, shared->did.refused, shared->did.unanswered,
		shared->did.messages, shared->did.calls, shared->did.answered);
	print_message("requests %lu, absorbed %lu, answers %lu; sent %lu, responses %lu\n", shared->saw.requests,
		      shared->saw.again, shared->saw.answers, shared->saw.sent, shared->saw.responses);
	assert_int_equal(failed, 0);
	assert_true(n < 10 ||
		    (shared->did.registered > 5ul * n && shared->did.messages > n / 2 && shared->saw.again > n));
}

static void the_same_seed_is_the_same_world(void **state)
{
	uint64_t first;

	(void)state;
	for (uint64_t seed = 1; seed < 4; seed++) {
		assert_int_equal(one_seed(seed), 0);
		first = sim_flow_digest();
		assert_int_equal(one_seed(seed), 0);
		assert_true(sim_flow_digest() == first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_holds_whatever_happens),
		cmocka_unit_test(the_same_seed_is_the_same_world),
	};
	char conf[8192] = "";
	int rc;

	sim_agents_configure(conf, sizeof(conf), SIM_AGENTS);
	disk = sim_disk_new(1);
	shared = sim_shared(sizeof(*shared));
	sim_server_configure(conf, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	sim_server_forget();
	return rc;
}
