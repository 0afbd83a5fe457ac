/*
 * Calls through the whole server: phones that call each other (sim_call.h) over a network that loses, doubles, reorders
 * and is cut; phones crash and come back knowing nothing, the server crashes, the configuration is reloaded. All of it
 * from one seed, with the rules of sim_watch.h and sim_call_watch.h held after every step. At the end every call has
 * ended and left one record, and every table is empty.
 */
#include "sim_call.h"
#include "sim_call_watch.h"
#include "sim_server.h"
#include "sim_watch.h"

#include "base/taskpool.h"
#include "core/core.h"
#include "core/loader/loader.h"
#include "res_sip/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PHONES  6
#define EXPIRES 120 /* of the server's own session timers */
#define DOWN    (110 * SIM_SECOND)

static struct sim_disk *disk;
static struct sim_call_phone *phones[PHONES];
static struct sim_call_watch *watch;
static struct sim_event trouble_event, mend_event;
static char cut_host[32];
static uint64_t seed_now;
static uint64_t timers_idle; /* armed when nobody has called yet */
static bool down;            /* the server crashes just now: nobody hears it */

static struct shared {
	struct sim_call_stats did;
	struct sim_call_watch_stats saw;
	unsigned long crashes, server_crashes, records;
} * shared;

/* ---- the server and what it is told ---- */

static void configure(void)
{
	static const char *const rel[] = {"yes", "peer_supported", "no"};
	char conf[4096] = "";
	size_t n = 0;

	for (unsigned i = 0; i < PHONES; i++) {
		char auth[16] = "";

		if (i % 2) {
			snprintf(auth, sizeof(auth), "auth=u%u\n", i);
			n += (size_t)snprintf(conf + n, sizeof(conf) - n,
					      "[u%u]\ntype=auth\nauth_type=userpass\nusername=u%u\npassword=secret\n",
					      i, i);
		}
		n += (size_t)snprintf(conf + n, sizeof(conf) - n,
				      "[u%u]\ntype=endpoint\n%saors=u%u\ntimers=always\ntimers_sess_expires=%d\n"
				      "timers_min_se=100\n100rel=%s\n[u%u]\ntype=aor\ncontact=sip:u%u@10.0.1.%u:5060\n",
				      i, auth, i, EXPIRES, rel[i % 3], i, i, i + 1);
	}
	snprintf(conf + n, sizeof(conf) - n,
		 "[both]\ntype=endpoint\naors=both\ntimers=always\ntimers_sess_expires=%d\n"
		 "[both]\ntype=aor\ncontact=sip:u4@10.0.1.5:5060\ncontact=sip:u5@10.0.1.6:5060\n",
		 EXPIRES);
	sim_server_configure(conf, NULL);
	sim_server_file("calls.conf", "[general]\ntype=general\nrecords=calls.json\nring_timeout=50\n"
				      "[line]\ntype=route\npattern=_9XX\nstrip=1\nendpoint=u2,u3,u1\ntimeout=9\n"
				      "continue_on=busy,no_answer,unreachable,5xx\n");
}

static void whom(unsigned n, char *uri, size_t uri_size, char *hop, size_t hop_size)
{
	unsigned which = (unsigned)sim_rng_below(sim_test_rng(), 20);

	if (which == 0)
		snprintf(uri, uri_size, "sip:nobody@10.0.0.1");
	else if (which < 4)
		snprintf(uri, uri_size, "sip:both@10.0.0.1");
	else if (which < 7)
		snprintf(uri, uri_size, "sip:9%02u@10.0.0.1", n);
	else
		snprintf(uri, uri_size, "sip:u%u@10.0.0.1", (unsigned)sim_rng_below(sim_test_rng(), PHONES));
	snprintf(hop, hop_size, SIM_SERVER);
}

static const struct sim_call_plan plan = {
	.whom = whom, .phones = PHONES, .pause_us = 8 * SIM_SECOND, .length_us = 40 * SIM_SECOND};

/* ---- the watch of calls sees what the other one sees ---- */

static void sent(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes)
{
	(void)server;
	if (!stream && !down)
		sim_call_watch_sent(watch, peer, bytes);
}

static void received(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes)
{
	(void)server;
	if (!stream && !down)
		sim_call_watch_received(watch, peer, bytes);
}

static const struct sim_net_watch passes = {.sent = sent, .received = received};

/* ---- records ---- */

static char *records_now(void)
{
	char path[512], *text;
	size_t n;
	FILE *f;

	sim_server_path(path, sizeof(path), "calls.json");
	text = calloc(1, 1 << 20);
	sim_check(text);
	f = fopen(path, "r");
	if (!f)
		return text;
	n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	sim_check(n < (1 << 20) - 1);
	return text;
}

static void forget_records(void)
{
	char path[512];

	sim_server_path(path, sizeof(path), "calls.json");
	unlink(path);
}

/* Each call that was passed on, or rang, has left one line; one that was refused before, one at most. */
static void one_record(void *token, const char *call_id, unsigned status, bool sure)
{
	char what[200];
	unsigned n = 0;

	snprintf(what, sizeof(what), "\"caller_call_id\":\"%s\"", call_id);
	for (const char *at = token; (at = strstr(at, what)); at++)
		n++;
	if (n > 1 || (sure && n == 0))
		sim_failed(__FILE_NAME__, __LINE__, "%u records of the call %s (%u)", n, call_id, status);
	shared->records += n;
}

/* ---- what goes wrong ---- */

static void mend(struct sim_event *e)
{
	(void)e;
	sim_net_cut("10.0.0.1", cut_host, down);
}

static void trouble(struct sim_event *e)
{
	struct sim_rng *rng = sim_test_rng();
	struct ast_sip_conf_errors errors = {0};
	unsigned n = (unsigned)sim_rng_below(rng, PHONES);

	switch (sim_rng_below(rng, 6)) {
	case 0:
	case 1:
		if (mend_event.queued)
			break;
		snprintf(cut_host, sizeof(cut_host), "10.0.1.%u", n + 1);
		sim_net_cut("10.0.0.1", cut_host, true);
		sim_queue_add(&mend_event, sim_now() + sim_rng_range(rng, SIM_SECOND, 40 * SIM_SECOND), mend, NULL);
		break;
	case 2:
		sim_check_int(ast_sip_core_reload(&errors), 0);
		ast_sip_conf_errors_free(&errors);
		break;
	case 3:
		sim_call_phone_crash(phones[n]);
		shared->crashes++;
		break;
	default:
		sim_call_phone_restart(phones[n]);
		break;
	}
	sim_queue_add(e, sim_now() + sim_rng_range(rng, 0, 20 * SIM_SECOND), trouble, NULL);
}

static uint64_t timers_armed(void)
{
	struct rs_taskpool_stats pool;

	rs_taskpool_stats(&pool);
	return pool.timers;
}

static void cut_server(bool cut)
{
	char host[32];

	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(host, sizeof(host), "10.0.1.%u", i + 1);
		sim_net_cut("10.0.0.1", host, cut || (mend_event.queued && strcmp(host, cut_host) == 0));
	}
}

/*
 * Nobody hears of it any more, and when it is there again it knows nothing. What it does for itself meanwhile, so that
 * its modules can be unloaded, is of no importance to anybody.
 */
static void server_crashes(void)
{
	sim_flow_note("the server crashes");
	shared->server_crashes++;
	down = true;
	sim_watch_forget();
	sim_call_watch_forget(watch);
	cut_server(true);
	ast_sip_loader_stopping(0);
	sim_run_for(DOWN);
	sim_server_halt();
	forget_records();
	sim_server_boot(seed_now + 1);
	sim_check_int(timers_armed(), timers_idle);
	cut_server(false);
	sim_watch_again();
	down = false;
	sim_flow_note("the server is back");
}

static void bad_network(void)
{
	struct sim_link *link = sim_net_link(NULL, NULL);
	struct sim_rng *rng = sim_test_rng();

	link->loss = (unsigned)sim_rng_below(rng, 150);
	link->duplicate = (unsigned)sim_rng_below(rng, 150);
	link->reorder = (unsigned)sim_rng_below(rng, 150);
	link->reorder_us = 2 * SIM_SECOND;
}

static void note(void)
{
	const unsigned long *from = (const unsigned long *)&sim_call_stats;
	unsigned long *to = (unsigned long *)&shared->did;

	for (unsigned i = 0; i < sizeof(sim_call_stats) / sizeof(*from); i++)
		to[i] += from[i];
	from = (const unsigned long *)&sim_call_watch_stats;
	to = (unsigned long *)&shared->saw;
	for (unsigned i = 0; i < sizeof(sim_call_watch_stats) / sizeof(*from); i++)
		to[i] += from[i];
}

/* ---- a run ---- */

static bool all_idle(void *token)
{
	(void)token;
	for (unsigned i = 0; i < PHONES; i++) {
		if (!sim_call_phone_idle(phones[i]))
			return false;
	}
	return true;
}

/* A module's functions are its own: they are asked for by name. */
static void tables_are_empty(void)
{
	void (*session_stats)(struct ast_sip_session_stats * out);
	struct ast_sip_session_stats sessions;
	struct sip_dialog_stats dialogs;
	char path[512];
	void *module;

	sim_server_settle();
	sip_dialog_stats(&dialogs);
	sim_check_int(dialogs.now, 0);
	sim_check_int(dialogs.early_now, 0);
	snprintf(path, sizeof(path), "%s/res_sip_session.so", getenv("MODULE_DIR"));
	module = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	sim_check(module);
	session_stats = (void (*)(struct ast_sip_session_stats *))dlsym(module, "ast_sip_session_stats");
	sim_check(session_stats);
	session_stats(&sessions);
	dlclose(module);
	sim_check_int(sessions.now, 0);
	sim_check_int(timers_armed(), timers_idle);
}

static void calm_down(void)
{
	char *records;

	for (unsigned i = 0; i < PHONES; i++)
		sim_call_phone_calm(phones[i]);
	sim_queue_remove(&trouble_event);
	sim_check(sim_run_until(all_idle, NULL, 1200 * SIM_SECOND));
	/* What rang at a phone that is gone, and the session timers of those that talked to one. */
	sim_run_for(400 * SIM_SECOND);
	tables_are_empty();
	records = records_now();
	sim_call_watch_each(watch, one_record, records);
	free(records);
	sim_call_watch_end(watch);
	sim_watch_pass_on(NULL);
	for (unsigned i = 0; i < PHONES; i++)
		sim_call_phone_free(phones[i]);
	note();
	sim_server_stop();
}

static void storm(uint64_t seed, void *arg)
{
	int64_t length;

	(void)arg;
	seed_now = seed;
	forget_records();
	sim_server_start(seed, disk, 0);
	watch = sim_call_watch_new("server", &(struct sim_call_rules){.between = true, .expires = EXPIRES});
	sim_watch_pass_on(&passes);
	sim_server_settle();
	timers_idle = timers_armed();
	bad_network();
	for (unsigned i = 0; i < PHONES; i++)
		phones[i] = sim_call_phone_new(i, &plan);
	sim_queue_add(&trouble_event, sim_now() + 3 * SIM_SECOND, trouble, NULL);
	length = sim_rng_range(sim_test_rng(), 20 * SIM_SECOND, 90 * SIM_SECOND);
	if (sim_rng_below(sim_test_rng(), 5) == 0) {
		sim_run_for(length / 2);
		server_crashes();
	}
	sim_run_for(length);
	calm_down();
}

static void say(unsigned n)
{
	const struct sim_call_stats *d = &shared->did;
	const struct sim_call_watch_stats *s = &shared->saw;

	print_message(
		"%u seeds, %lu phones and %lu servers crashed: called %lu, connected %lu, refused %lu, unanswered "
		"%lu, cancelled %lu, 2xx behind CANCEL %lu; answered %lu, no ACK %lu, reliable %lu; inside %lu, "
		"re-INVITE %lu, UPDATE %lu, glares %lu; BYE %lu, expired %lu, lost %lu; records %lu\n",
		n, shared->crashes, shared->server_crashes, d->called, d->connected, d->refused, d->unanswered,
		d->cancelled, d->late_2xx, d->answered, d->no_ack, d->reliable, d->inside, d->reinvites, d->updates,
		d->glares, d->byes, d->expired, d->lost, shared->records);
	print_message("watched: legs %lu, dialogs %lu, accepted %lu, ACKs %lu, PRACKs %lu, 2xx again %lu\n", s->legs,
		      s->dialogs, s->accepted, s->acks, s->pracks, s->repeated);
}

static unsigned one_seed(uint64_t seed)
{
	sim_disk_format(disk, seed);
	return sim_fork_run(seed, storm, NULL) != SIM_PASSED;
}

static void every_call_ends_by_the_rules(void **state)
{
	unsigned n = CALL_SEEDS, failed = 0;
	uint64_t from = 1;

	(void)state;
	sim_seeds(&from, &n);
	for (unsigned i = 0; i < n && failed < sim_failures_max(); i++)
		failed += one_seed(from + i);
	say(n);
	assert_int_equal(failed, 0);
	assert_true(n < 10 || (shared->did.connected > 2ul * n && shared->records > 4ul * n && shared->did.late_2xx &&
			       shared->saw.repeated > n && shared->saw.pracks > n / 2));
}

static void the_same_seed_is_the_same_calls(void **state)
{
	uint64_t first;

	(void)state;
	for (uint64_t seed = 1; seed < 3; seed++) {
		assert_int_equal(one_seed(seed), 0);
		first = sim_flow_digest();
		assert_int_equal(one_seed(seed), 0);
		assert_true(sim_flow_digest() == first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_ends_by_the_rules),
		cmocka_unit_test(the_same_seed_is_the_same_calls),
	};
	int rc;

	disk = sim_disk_new(1);
	shared = sim_shared(sizeof(*shared));
	configure();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	forget_records();
	sim_server_forget();
	return rc;
}
