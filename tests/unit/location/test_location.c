/* The location store on the virtual clock and the simulated disk. */
#include "core/core.h"
#include "res_sip/location.h"
#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

static struct sim_disk *disk;

/* One update and what became of it. */
struct call {
	struct ast_sip_contact_change changes[4];
	size_t n;
	int verdict; /* what begin gives */
	bool begun, done;
	int error;
	uint32_t seen;  /* contacts that begin saw */
	uint32_t left;  /* contacts after it */
	unsigned place; /* the order in which it was done */
};
static unsigned places;

static int begin(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		 size_t *n)
{
	struct call *c = token;

	c->begun = true;
	c->seen = now ? now->n : 0;
	*changes = c->changes;
	*n = c->n;
	return c->verdict;
}

static void done(void *token, int error, struct ast_sip_contacts *contacts)
{
	struct call *c = token;

	assert_false(c->done);
	c->done = true;
	c->error = error;
	c->left = contacts ? contacts->n : 0;
	c->place = ++places;
	ast_sip_contacts_unref(contacts);
}

static const struct ast_sip_location_update update = {.size = sizeof(update), .begin = begin, .done = done};

static void add(struct call *c, const char *uri, int64_t seconds)
{
	struct ast_sip_contact_change *change = &c->changes[c->n++];

	change->data = (struct ast_sip_contact_data){
		.q_thousandths = 1000, .cseq = 1, .expires_us = rs_wall_us() + seconds * SIM_SECOND};
	change->text[AST_SIP_CONTACT_URI] = rs_str_c(uri);
	change->text[AST_SIP_CONTACT_CALL_ID] = RS_STR("call");
	change->text[AST_SIP_CONTACT_USER_AGENT] = RS_STR("a phone");
}

static void take(struct call *c, const char *uri)
{
	c->changes[c->n].remove = true;
	c->changes[c->n++].text[AST_SIP_CONTACT_URI] = rs_str_c(uri);
}

static void push(struct call *c, const char *aor)
{
	assert_int_equal(ast_sip_location_update(rs_str_c(aor), &update, c), 0);
}

static void run(struct call *c, const char *aor)
{
	push(c, aor);
	while (!c->done)
		assert_true(sim_step_now());
}

static uint32_t count(const char *aor)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	uint32_t n = c ? c->n : 0;

	ast_sip_contacts_unref(c);
	return n;
}

static void start_with(bool durable)
{
	sim_env_start(&(struct sim_config){.seed = 7});
	sim_disk_register(disk);
	places = 0;
	assert_int_equal(ast_sip_location_start("state", durable), 0);
}

static void stop(void)
{
	ast_sip_location_stop();
	sim_env_stop();
	ast_sip_location_free();
	sim_disk_unregister();
}

static int setup(void **state)
{
	(void)state;
	sim_disk_format(disk, 7);
	start_with(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

static void a_binding_is_seen_once_it_is_committed(void **state)
{
	struct call c = {.n = 0};

	(void)state;
	add(&c, "sip:a@10.0.0.9:5060", 60);
	rs_executor_hold(RS_LANE_STORE, true);
	push(&c, "alice");
	while (sim_step_now())
		;
	assert_true(c.begun);
	assert_false(c.done);
	assert_int_equal(count("alice"), 0);
	rs_executor_hold(RS_LANE_STORE, false);
	while (sim_step_now())
		;
	assert_true(c.done);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.left, 1);
	assert_int_equal(count("alice"), 1);
	assert_int_equal(count("ALICE"), 0);
}

static void updates_of_one_aor_follow_one_another(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9", 60);
	add(&b, "sip:b@10.0.0.9", 60);
	push(&a, "alice");
	push(&b, "alice");
	while (sim_step_now())
		;
	assert_int_equal(a.seen, 0);
	assert_int_equal(b.seen, 1);
	assert_true(a.place < b.place);
	assert_int_equal(count("alice"), 2);
}

static void an_equal_uri_is_a_refresh_and_keeps_its_spelling(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};
	struct ast_sip_contacts *c;

	(void)state;
	add(&a, "sip:a@HOST.example:5060", 60);
	run(&a, "alice");
	add(&b, "sip:a@host.EXAMPLE:5060", 600);
	run(&b, "alice");
	c = ast_sip_location_contacts(RS_STR("alice"));
	assert_int_equal(c->n, 1);
	assert_true(rs_str_eqz(ast_sip_contact_text(c->v[0], AST_SIP_CONTACT_URI), "sip:a@HOST.example:5060"));
	assert_true(c->v[0]->data.expires_us > rs_wall_us() + 500 * SIM_SECOND);
	ast_sip_contacts_unref(c);
}

static void an_instance_that_moved_replaces_its_binding(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9:1000", 60);
	add(&b, "sip:a@10.0.0.9:2000", 60);
	a.changes[0].data.reg_id = b.changes[0].data.reg_id = 1;
	a.changes[0].text[AST_SIP_CONTACT_INSTANCE] = b.changes[0].text[AST_SIP_CONTACT_INSTANCE] =
		RS_STR("<urn:uuid:1>");
	run(&a, "alice");
	run(&b, "alice");
	assert_int_equal(b.left, 1);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 1); /* the old row went with it */
}

static void set_instance(struct call *c, size_t i, const char *instance)
{
	c->changes[i].data.reg_id = 1;
	c->changes[i].text[AST_SIP_CONTACT_INSTANCE] = rs_str_c(instance);
}

static bool has(const char *aor, const char *uri)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	bool found = false;

	for (uint32_t i = 0; c && i < c->n; i++)
		found = found || rs_str_eqz(ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI), uri);
	ast_sip_contacts_unref(c);
	return found;
}

static void an_instance_that_moves_twice_at_once_leaves_no_row_behind(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9:1", 60);
	set_instance(&a, 0, "<urn:uuid:1>");
	run(&a, "alice");
	add(&b, "sip:a@10.0.0.9:2", 60);
	add(&b, "sip:a@10.0.0.9:3", 60);
	set_instance(&b, 0, "<urn:uuid:1>");
	set_instance(&b, 1, "<urn:uuid:1>");
	run(&b, "alice");
	assert_int_equal(b.left, 1);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 1);
	assert_true(has("alice", "sip:a@10.0.0.9:3"));
}

static void an_instance_that_moves_and_goes_at_once_leaves_no_row_behind(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9:1", 60);
	set_instance(&a, 0, "<urn:uuid:1>");
	run(&a, "alice");
	add(&b, "sip:a@10.0.0.9:2", 60);
	set_instance(&b, 0, "<urn:uuid:1>");
	take(&b, "sip:a@10.0.0.9:2");
	run(&b, "alice");
	assert_int_equal(b.left, 0);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 0);
}

static void an_instance_takes_the_uri_of_another_binding(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0}, c = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9:1", 60);
	add(&a, "sip:a@10.0.0.9:2", 60);
	set_instance(&a, 0, "<urn:uuid:1>");
	run(&a, "alice");
	add(&b, "sip:a@10.0.0.9:2", 60);
	set_instance(&b, 0, "<urn:uuid:1>");
	run(&b, "alice");
	assert_int_equal(b.left, 1); /* one binding a URI, in memory as on the disk */
	take(&c, "sip:a@10.0.0.9:2");
	run(&c, "alice");
	assert_int_equal(c.left, 0);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 0);
}

static void instances_may_change_places(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9:1", 60);
	add(&a, "sip:a@10.0.0.9:2", 60);
	set_instance(&a, 0, "<urn:uuid:1>");
	set_instance(&a, 1, "<urn:uuid:2>");
	run(&a, "alice");
	add(&b, "sip:a@10.0.0.9:3", 60); /* out of the way, then each to the other's place */
	add(&b, "sip:a@10.0.0.9:1", 60);
	add(&b, "sip:a@10.0.0.9:2", 60);
	set_instance(&b, 0, "<urn:uuid:1>");
	set_instance(&b, 1, "<urn:uuid:2>");
	set_instance(&b, 2, "<urn:uuid:1>");
	run(&b, "alice");
	assert_int_equal(b.left, 2);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 2);
	assert_true(has("alice", "sip:a@10.0.0.9:1") && has("alice", "sip:a@10.0.0.9:2"));
}

static void what_begin_refuses_changes_nothing(void **state)
{
	struct call c = {.verdict = -1};

	(void)state;
	add(&c, "sip:a@10.0.0.9", 60);
	run(&c, "alice");
	assert_int_equal(c.error, ECANCELED);
	assert_int_equal(count("alice"), 0);
}

static void a_failed_commit_leaves_nothing(void **state)
{
	struct call good = {.n = 0}, bad = {.n = 0}, later = {.n = 0};

	(void)state;
	add(&good, "sip:a@10.0.0.9", 60);
	run(&good, "alice");
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 1000);
	add(&bad, "sip:b@10.0.0.9", 60);
	run(&bad, "alice");
	assert_int_equal(bad.error, EIO);
	assert_int_equal(bad.left, 1);
	assert_int_equal(count("alice"), 1);
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 0);
	add(&later, "sip:c@10.0.0.9", 60);
	run(&later, "alice");
	assert_int_equal(later.error, 0);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 2);
}

static void crash_behind_a_failed_sync(uint64_t seed, void *arg)
{
	struct call good = {.n = 0}, bad = {.n = 0};

	(void)seed;
	(void)arg;
	start_with(true);
	add(&good, "sip:a@10.0.0.9", 60);
	run(&good, "alice");
	sim_disk_fail(disk, SIM_DISK_SYNC, 0, 1);
	add(&bad, "sip:b@10.0.0.9", 60);
	run(&bad, "alice");
	sim_check_int(bad.error, EIO);
	sim_crash();
}

static void a_commit_whose_sync_failed_does_not_come_back_after_a_crash(void **state)
{
	(void)state;
	stop();
	assert_int_equal(sim_fork_run(7, crash_behind_a_failed_sync, NULL), SIM_CRASHED);
	sim_disk_process_died(disk);
	start_with(true);
	assert_int_equal(count("alice"), 1);
	assert_true(has("alice", "sip:a@10.0.0.9"));
}

static void updates_gather_while_one_is_written(void **state)
{
	struct ast_sip_location_stats s;
	struct call c[20] = {{.n = 0}};
	char uri[20][40], aor[20][8];

	(void)state;
	rs_executor_hold(RS_LANE_STORE, true);
	for (int i = 0; i < 20; i++) {
		snprintf(uri[i], sizeof(uri[i]), "sip:%d@10.0.0.9", i);
		snprintf(aor[i], sizeof(aor[i]), "a%d", i);
		add(&c[i], uri[i], 60);
		push(&c[i], aor[i]);
	}
	while (sim_step_now())
		;
	rs_executor_hold(RS_LANE_STORE, false);
	while (sim_step_now())
		;
	ast_sip_location_stats(&s);
	assert_int_equal(s.bindings, 20);
	assert_int_equal(s.commits, 1);
	assert_int_equal(s.pending, 0);
}

static void bindings_survive_a_restart_with_all_their_fields(void **state)
{
	struct call a = {.n = 0};
	struct ast_sip_contact_data *d = &a.changes[0].data;
	struct ast_sip_contacts *c;
	static const char *const texts[AST_SIP_CONTACT_TEXTS] = {
		"alice",
		"sip:a@10.0.0.9;x=y",
		"<sip:p@10.0.0.1;lr>",
		"<urn:uuid:7>",
		"cid",
		"agent 1",
		"ep",
		"udp",
		"n1",
		"via.example",
		";isfocus",
	};

	(void)state;
	add(&a, "sip:a@10.0.0.9;x=y", 600);
	for (int i = 0; i < AST_SIP_CONTACT_TEXTS; i++)
		a.changes[0].text[i] = rs_str_c(texts[i]);
	d->q_thousandths = 700;
	d->via_port = 5070;
	d->transport = SIP_TRANSPORT_TCP;
	d->reg_id = 3;
	d->cseq = 4000000000u;
	assert_int_equal(sip_addr_parse(RS_STR("[fd00::9]:1234"), &d->received), 0);
	run(&a, "alice");
	stop();
	start_with(true);
	c = ast_sip_location_contacts(RS_STR("alice"));
	assert_non_null(c);
	for (int i = 0; i < AST_SIP_CONTACT_TEXTS; i++)
		assert_true(rs_str_eqz(ast_sip_contact_text(c->v[0], (enum ast_sip_contact_text)i), texts[i]));
	assert_int_equal(c->v[0]->data.q_thousandths, 700);
	assert_int_equal(c->v[0]->data.via_port, 5070);
	assert_int_equal(c->v[0]->data.transport, SIP_TRANSPORT_TCP);
	assert_int_equal(c->v[0]->data.reg_id, 3);
	assert_int_equal(c->v[0]->data.cseq, 4000000000u);
	assert_true(c->v[0]->data.expires_us == d->expires_us);
	assert_true(sip_addr_eq(&c->v[0]->data.received, &d->received));
	ast_sip_contacts_unref(c);
}

static void bindings_of_a_connection_do_not_come_back(void **state)
{
	struct call a = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9", 600);
	a.changes[0].data.bound_to_flow = true;
	run(&a, "alice");
	assert_int_equal(a.left, 1);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 0);
}

static void a_removed_binding_stays_away(void **state)
{
	struct call a = {.n = 0}, b = {.n = 0};

	(void)state;
	add(&a, "sip:a@10.0.0.9", 600);
	run(&a, "alice");
	take(&b, "sip:a@10.0.0.9");
	run(&b, "alice");
	assert_int_equal(b.left, 0);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 0);
}

static struct {
	unsigned n[AST_SIP_CONTACT_FLOW_ENDED + 1];
} told;

static void count_event(const struct ast_sip_contact *contact, enum ast_sip_contact_event event)
{
	(void)contact;
	told.n[event]++;
}

static void an_expired_binding_goes_by_itself(void **state)
{
	struct ast_sip_contact_observer o = {.size = sizeof(o), .changed = count_event};
	struct ast_sip_location_stats s;
	struct call a = {.n = 0};

	(void)state;
	told.n[AST_SIP_CONTACT_EXPIRED] = told.n[AST_SIP_CONTACT_ADDED] = 0;
	assert_int_equal(ast_sip_contact_observer_register(&o), 0);
	add(&a, "sip:a@10.0.0.9", 60);
	add(&a, "sip:b@10.0.0.9", 120);
	run(&a, "alice");
	assert_int_equal(told.n[AST_SIP_CONTACT_ADDED], 2);
	sim_run_for(61 * SIM_SECOND);
	assert_int_equal(count("alice"), 1);
	assert_int_equal(told.n[AST_SIP_CONTACT_EXPIRED], 1);
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(count("alice"), 0);
	assert_int_equal(told.n[AST_SIP_CONTACT_EXPIRED], 2);
	ast_sip_location_stats(&s);
	assert_int_equal(s.bindings, 0);
	assert_int_equal(s.aors, 0); /* the index is empty again */
	ast_sip_contact_observer_unregister(&o);
}

static void without_durability_nothing_is_stored(void **state)
{
	struct call a = {.n = 0};

	(void)state;
	stop();
	start_with(false);
	add(&a, "sip:a@10.0.0.9", 600);
	run(&a, "alice");
	assert_int_equal(count("alice"), 1);
	stop();
	start_with(true);
	assert_int_equal(count("alice"), 0);
}

static void a_newer_schema_is_refused(void **state)
{
	sqlite3 *db;

	(void)state;
	stop();
	sim_env_start(&(struct sim_config){.seed = 7});
	sim_disk_register(disk);
	assert_int_equal(sqlite3_open_v2("state/location.db", &db, SQLITE_OPEN_READWRITE, SIM_DISK_VFS), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA user_version = 99", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(ast_sip_location_start("state", true), EINVAL);
	ast_sip_location_free();
	sim_env_stop();
	sim_disk_unregister();
	sim_disk_format(disk, 7);
	start_with(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_binding_is_seen_once_it_is_committed),
		T(updates_of_one_aor_follow_one_another),
		T(an_equal_uri_is_a_refresh_and_keeps_its_spelling),
		T(an_instance_that_moved_replaces_its_binding),
		T(an_instance_that_moves_twice_at_once_leaves_no_row_behind),
		T(an_instance_that_moves_and_goes_at_once_leaves_no_row_behind),
		T(an_instance_takes_the_uri_of_another_binding),
		T(instances_may_change_places),
		T(what_begin_refuses_changes_nothing),
		T(a_failed_commit_leaves_nothing),
		T(a_commit_whose_sync_failed_does_not_come_back_after_a_crash),
		T(updates_gather_while_one_is_written),
		T(bindings_survive_a_restart_with_all_their_fields),
		T(bindings_of_a_connection_do_not_come_back),
		T(a_removed_binding_stays_away),
		T(an_expired_binding_goes_by_itself),
		T(without_durability_nothing_is_stored),
		T(a_newer_schema_is_refused),
#undef T
	};

	disk = sim_disk_new(7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
