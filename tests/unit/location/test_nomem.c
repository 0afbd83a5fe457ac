/*
 * The location store with each of its allocations failing in turn: an update either happens whole or not at all, what
 * ends by itself ends a little later, nothing leaks. The store's sources are compiled in with their allocations renamed
 * to those below.
 */
#include "../config/conf_dir.h"
#include "core/core.h"
#include "res_sip/location.h"
#include "sim_run.h"
#include "sip/transaction.h"

#include <errno.h>

static struct sim_disk *disk;

/* ---- allocations ---- */

static long countdown = -1; /* allocations until one fails; negative: none does */
static unsigned failed;     /* how many did */
static bool for_good;       /* and all after it */

static bool fails(void)
{
	if (countdown < 0 || (countdown > 0 && countdown--))
		return false;
	if (!for_good)
		countdown = -1;
	failed++;
	return true;
}

void *nomem_malloc(size_t n);
void *nomem_calloc(size_t n, size_t size);

void *nomem_malloc(size_t n)
{
	return fails() ? (errno = ENOMEM, NULL) : malloc(n);
}

void *nomem_calloc(size_t n, size_t size)
{
	return fails() ? (errno = ENOMEM, NULL) : calloc(n, size);
}

static void fail_at(long n)
{
	countdown = n;
	failed = 0;
}

/* ---- updates ---- */

struct call {
	struct ast_sip_contact_change changes[4];
	size_t n;
	bool done;
	int error;
};

static int begin(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		 size_t *n)
{
	struct call *c = token;

	(void)now;
	*changes = c->changes;
	*n = c->n;
	return 0;
}

static void done(void *token, int error, struct ast_sip_contacts *contacts)
{
	struct call *c = token;

	c->done = true;
	c->error = error;
	ast_sip_contacts_unref(contacts);
}

static const struct ast_sip_location_update update = {.size = sizeof(update), .begin = begin, .done = done};

static struct ast_sip_contact_change *add(struct call *c, const char *uri, int64_t seconds)
{
	struct ast_sip_contact_change *change = &c->changes[c->n++];

	change->data = (struct ast_sip_contact_data){.cseq = 1, .expires_us = rs_wall_us() + seconds * SIM_SECOND};
	change->text[AST_SIP_CONTACT_URI] = rs_str_c(uri);
	return change;
}

static void take(struct call *c, const char *uri)
{
	c->changes[c->n].remove = true;
	c->changes[c->n++].text[AST_SIP_CONTACT_URI] = rs_str_c(uri);
}

/* 0 or an errno. */
static int run(struct call *c)
{
	if (ast_sip_location_update(RS_STR("alice"), &update, c))
		return errno;
	while (!c->done)
		assert_true(sim_step_now());
	return c->error;
}

/* The URIs of alice's contacts, one letter each. */
static const char *letters(void)
{
	static char text[16];
	struct ast_sip_contacts *c = ast_sip_location_contacts(RS_STR("alice"));
	size_t n = 0;

	for (uint32_t i = 0; c && i < c->n; i++)
		text[n++] = ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI).p[4];
	text[n] = '\0';
	ast_sip_contacts_unref(c);
	return text;
}

static uint64_t bindings(void)
{
	struct ast_sip_location_stats s;

	ast_sip_location_stats(&s);
	assert_int_equal(s.pending, 0);
	return s.bindings;
}

static void step(void)
{
	while (sim_step_now())
		;
}

static sip_flow_id flow; /* of the last request over TCP */

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	flow = sip_rx_flow(rx);
	sip_tsx_respond(tsx, sip_tx_response(rx, 200, RS_STR_NULL));
}

static void start(void)
{
	struct sip_listener_config tcp = {.name = RS_STR("tcp"), .type = SIP_TRANSPORT_TCP};

	sim_start(&(struct sim_config){.seed = 7, .stack = {.on_request = on_request}});
	sim_disk_register(disk);
	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.1:5060"), &tcp.sock.bind), 0);
	assert_int_equal(sip_listener_open(&tcp, NULL), 0);
}

static void stop(void)
{
	countdown = -1;
	for_good = false;
	ast_sip_location_stop();
	sim_stop();
	ast_sip_location_free();
	sim_disk_unregister();
}

static void restart(void)
{
	stop();
	start();
	assert_int_equal(ast_sip_location_start("state", true), 0);
}

static int setup(void **state)
{
	int rc = conf_dir_setup(state);

	sim_disk_format(disk, 7);
	start();
	assert_int_equal(ast_sip_location_start("state", true), 0);
	return rc;
}

static int teardown(void **state)
{
	stop();
	return conf_dir_teardown(state);
}

/* ---- the tests ---- */

static void an_update_happens_whole_or_not_at_all(void **state)
{
	struct call first = {.n = 0};
	long n;

	(void)state;
	add(&first, "sip:a@10.0.0.9", 600);
	add(&first, "sip:b@10.0.0.9", 600);
	assert_int_equal(run(&first), 0);
	for (n = 0;; n++) {
		struct call c = {.n = 0};
		int error;

		take(&c, "sip:a@10.0.0.9");
		add(&c, "sip:b@10.0.0.9", 900);
		add(&c, "sip:c@10.0.0.9", 600);
		fail_at(n);
		error = run(&c);
		countdown = -1;
		if (!failed) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_equal(error, ENOMEM);
		assert_string_equal(letters(), "ab");
		assert_int_equal(bindings(), 2);
	}
	assert_true(n >= 5);
	assert_string_equal(letters(), "bc");
	assert_int_equal(bindings(), 2);
	restart();
	assert_string_equal(letters(), "bc");
}

static void an_expiry_without_memory_takes_nothing_else_and_comes_later(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct call c = {.n = 0};
		unsigned before;

		add(&c, "sip:a@10.0.0.9", 60);
		add(&c, "sip:b@10.0.0.9", 6000);
		assert_int_equal(run(&c), 0);
		sim_run_for(59 * SIM_SECOND);
		fail_at(n);
		sim_run_for(SIM_SECOND + SIM_SECOND / 2);
		before = failed;
		countdown = -1;
		assert_string_equal(letters(), "b");
		sim_run_for(3 * SIM_SECOND);
		assert_string_equal(letters(), "b");
		assert_int_equal(bindings(), 1); /* by now it has gone from the index, too */
		if (!before) {
			assert_true(n >= 3);
			return;
		}
	}
}

static void while_there_is_no_memory_all_bindings_stay(void **state)
{
	struct call c = {.n = 0};

	(void)state;
	add(&c, "sip:a@10.0.0.9", 60);
	add(&c, "sip:b@10.0.0.9", 6000);
	assert_int_equal(run(&c), 0);
	for_good = true;
	fail_at(0);
	sim_run_for(600 * SIM_SECOND);
	assert_true(failed > 100); /* tried every second */
	countdown = -1;
	for_good = false;
	assert_string_equal(letters(), "b");
	assert_int_equal(bindings(), 2);
	sim_run_for(2 * SIM_SECOND);
	assert_int_equal(bindings(), 1);
}

/* A phone that has a connection and registers by it. */
static struct sim_peer *connect_phone(void)
{
	static const struct sim_peer_ops ops = {.receive = NULL};
	struct sim_peer *p = sim_peer_tcp_connect("10.0.0.9:5060", "10.0.0.1:5060", &ops, NULL);

	sim_peer_write(p, RS_STR("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK1\r\n"
				 "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
				 "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
	flow = 0;
	sim_run_for(SIM_SECOND);
	assert_true(flow != 0);
	return p;
}

static void the_end_of_a_connection_without_memory(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct sim_peer *p = connect_phone();
		struct call c = {.n = 0};
		struct ast_sip_contact_change *bound;
		bool at_end, failed_once;

		add(&c, "sip:b@10.0.0.9", 60000);
		bound = add(&c, "sip:a@10.0.0.9", 60000);
		bound->data.bound_to_flow = true;
		bound->data.flow = flow;
		assert_int_equal(run(&c), 0);
		assert_string_equal(letters(), "ba");
		fail_at(n);
		sim_peer_reset(p);
		sim_run_for(SIM_SECOND / 2);
		at_end = countdown >= 0; /* it was not reached */
		failed_once = failed > 0;
		countdown = -1;
		sim_run_for(3 * SIM_SECOND);
		assert_string_equal(letters(), "b");
		assert_int_equal(bindings(), 1);
		if (at_end && !failed_once) {
			assert_true(n >= 2);
			return;
		}
	}
}

static void a_binding_whose_watch_found_no_memory_ends_with_its_connection_all_the_same(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct sim_peer *p = connect_phone();
		struct call c = {.n = 0};
		struct ast_sip_contact_change *bound = add(&c, "sip:a@10.0.0.9", 60000);
		int error;

		bound->data.bound_to_flow = true;
		bound->data.flow = flow;
		fail_at(n);
		error = run(&c);
		countdown = -1;
		if (error) {
			assert_int_equal(error, ENOMEM);
			assert_string_equal(letters(), "");
		} else {
			assert_string_equal(letters(), "a");
			sim_run_for(3 * SIM_SECOND);
			assert_string_equal(letters(), "a");
		}
		sim_peer_reset(p);
		sim_run_for(3 * SIM_SECOND);
		assert_string_equal(letters(), "");
		assert_int_equal(bindings(), 0);
		if (!failed) {
			assert_int_equal(error, 0);
			return;
		}
	}
}

static void a_start_without_memory_fails_cleanly(void **state)
{
	struct call c = {.n = 0};
	long n;

	(void)state;
	add(&c, "sip:a@10.0.0.9", 600);
	add(&c, "sip:b@10.0.0.9", 600);
	assert_int_equal(run(&c), 0);
	for (n = 0;; n++) {
		int error;

		stop();
		start();
		fail_at(n);
		error = ast_sip_location_start("state", true);
		countdown = -1;
		if (!failed) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_equal(error, ENOMEM);
	}
	assert_true(n > 4);
	assert_string_equal(letters(), "ab");
}

static void a_reload_without_memory_keeps_the_bindings(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *with =
		conf_good(d, "[alice]\ntype=aor\nmax_contacts=2\ncontact=sip:p@10.0.0.7\ncontact=sip:q@10.0.0.7\n");
	struct ast_sip_snapshot *without = conf_good(d, "[alice]\ntype=aor\nmax_contacts=2\n");
	struct call c = {.n = 0};
	long n;

	add(&c, "sip:a@10.0.0.9", 600);
	assert_int_equal(run(&c), 0);
	for (n = 0;; n++) {
		fail_at(n);
		ast_sip_location_configured(with);
		step();
		countdown = -1;
		if (!failed)
			break;
		/* The walk that looks for contacts to take out comes last, and may have failed alone. */
		assert_int_equal(letters()[strlen(letters()) - 1], 'a');
		assert_int_equal(bindings(), strlen(letters()));
	}
	assert_true(n >= 3);
	assert_string_equal(letters(), "pqa");
	assert_int_equal(bindings(), 3);
	for (n = 0;; n++) {
		fail_at(n);
		ast_sip_location_configured(without);
		step();
		countdown = -1;
		if (!failed)
			break;
		assert_int_equal(letters()[strlen(letters()) - 1], 'a');
	}
	assert_string_equal(letters(), "a");
	assert_int_equal(bindings(), 1);
	ast_sip_snapshot_unref(with);
	ast_sip_snapshot_unref(without);
}

static void the_contacts_are_there_when_there_is_no_memory_to_leave_out_the_expired(void **state)
{
	struct call c = {.n = 0};

	(void)state;
	add(&c, "sip:a@10.0.0.9", 1);
	add(&c, "sip:b@10.0.0.9", 600);
	assert_int_equal(run(&c), 0);
	for_good = true;
	fail_at(0);
	sim_run_for(2 * SIM_SECOND);
	assert_string_equal(letters(), "ab");
	for_good = false;
	countdown = -1;
	assert_string_equal(letters(), "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_update_happens_whole_or_not_at_all),
		T(an_expiry_without_memory_takes_nothing_else_and_comes_later),
		T(while_there_is_no_memory_all_bindings_stay),
		T(the_end_of_a_connection_without_memory),
		T(a_binding_whose_watch_found_no_memory_ends_with_its_connection_all_the_same),
		T(a_start_without_memory_fails_cleanly),
		T(a_reload_without_memory_keeps_the_bindings),
		T(the_contacts_are_there_when_there_is_no_memory_to_leave_out_the_expired),
#undef T
	};

	disk = sim_disk_new(7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
