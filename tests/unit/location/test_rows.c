/*
 * The log of the store's file, with its sources compiled for a short one: what no longer counts leaves it, what counts
 * stays, whenever the power goes; and a file of version 1 is taken over.
 */
#include "core/core.h"
#include "res_sip/location.h"
#include "sim_run.h"
#include "sim_rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>

#define FILE_NAME "state/location.db"
#define FAR       (1000 * 86400 * SIM_SECOND)

static struct sim_disk *disk;

static int64_t at_start; /* the system's time */

static void start(void)
{
	sim_env_start(&(struct sim_config){.seed = 7});
	sim_disk_register(disk);
	at_start = rs_wall_us();
	sim_check_int(ast_sip_location_start("state", true), 0);
}

static void stop(void)
{
	ast_sip_location_stop();
	sim_env_stop();
	ast_sip_location_free();
	sim_disk_unregister();
}

/* ---- the file as SQLite sees it, while no store is open ---- */

static sqlite3 *open_file(void)
{
	sqlite3 *db;

	sim_env_start(&(struct sim_config){.seed = 7});
	sim_disk_register(disk);
	assert_int_equal(sqlite3_open_v2(FILE_NAME, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SIM_DISK_VFS),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void close_file(sqlite3 *db)
{
	sqlite3_close(db);
	sim_env_stop();
	sim_disk_unregister();
}

static int64_t ask_file(const char *sql)
{
	sqlite3 *db = open_file();
	sqlite3_stmt *s;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	close_file(db);
	return n;
}

static void tell_file(const char *sql)
{
	sqlite3 *db = open_file();

	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	close_file(db);
}

/* ---- updates of one AOR ---- */

#define URIS 3

/* The CSeq of each of an AOR's bindings, which tells one refresh from another; 0: none. */
struct bindings {
	uint32_t cseq[URIS];
};

/* What is known of an AOR, in memory that outlives a crash. */
struct model {
	struct bindings known, asked; /* committed, and what the update on its way makes of it */
	bool has_asked;
};

struct call {
	struct model *model;
	struct ast_sip_contact_change changes[URIS];
	size_t n;
	bool done;
	int error;
};

static const char *const uris[URIS] = {"sip:0@192.0.2.1", "sip:1@192.0.2.1", "sip:2@192.0.2.1"};

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
	if (c->model && !error)
		c->model->known = c->model->asked;
	if (c->model)
		c->model->has_asked = false;
	ast_sip_contacts_unref(contacts);
}

static const struct ast_sip_location_update update = {.size = sizeof(update), .begin = begin, .done = done};

static struct ast_sip_contact_change *add(struct call *c, unsigned uri, uint32_t cseq, int64_t us)
{
	struct ast_sip_contact_change *change = &c->changes[c->n++];

	change->data = (struct ast_sip_contact_data){.cseq = cseq, .expires_us = at_start + us};
	change->text[AST_SIP_CONTACT_URI] = rs_str_c(uris[uri]);
	change->text[AST_SIP_CONTACT_USER_AGENT] = RS_STR("a phone");
	return change;
}

static void take(struct call *c, unsigned uri)
{
	c->changes[c->n].remove = true;
	c->changes[c->n++].text[AST_SIP_CONTACT_URI] = rs_str_c(uris[uri]);
}

static void push(struct call *c, const char *aor)
{
	sim_check_int(ast_sip_location_update(rs_str_c(aor), &update, c), 0);
}

static int run(struct call *c, const char *aor)
{
	push(c, aor);
	while (!c->done)
		sim_check(sim_step_now());
	return c->error;
}

static void bind_once(const char *aor, uint32_t cseq, int64_t us)
{
	struct call c = {.n = 0};

	add(&c, 0, cseq, us);
	assert_int_equal(run(&c, aor), 0);
}

static struct bindings there(const char *aor)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	struct bindings b = {{0}};

	for (uint32_t i = 0; c && i < c->n; i++) {
		for (unsigned k = 0; k < URIS; k++) {
			if (!rs_str_eqz(ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI), uris[k]))
				continue;
			sim_check(!b.cseq[k]); /* once */
			b.cseq[k] = c->v[i]->data.cseq;
		}
	}
	ast_sip_contacts_unref(c);
	return b;
}

static int setup(void **state)
{
	(void)state;
	sim_disk_format(disk, 7);
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

/* ---- a log that gets no longer ---- */

#define LONGEST (SPARE_ROWS + 2 * TRIM_ROWS + 16) /* of so few bindings */

static void refresh(const char *aor, uint32_t times)
{
	for (uint32_t i = 1; i <= times; i++)
		bind_once(aor, i, FAR);
}

static void what_no_longer_counts_goes_and_the_rest_stays(void **state)
{
	struct call gone = {.n = 0};

	(void)state;
	bind_once("idle", 5, FAR);
	bind_once("left", 6, FAR);
	take(&gone, 0);
	assert_int_equal(run(&gone, "left"), 0);
	refresh("busy", 10 * SPARE_ROWS);
	assert_int_equal(there("idle").cseq[0], 5);
	stop();
	assert_in_range(ask_file("SELECT count(*) FROM change"), 2, LONGEST);
	assert_int_equal(ask_file("SELECT count(*) FROM change WHERE aor = 'left'"), 0);
	assert_int_equal(ask_file("SELECT count(*) FROM contact"), 2);
	assert_int_equal(ask_file("SELECT cseq FROM contact WHERE aor = 'busy'"), 10 * SPARE_ROWS);
	start();
	assert_int_equal(there("idle").cseq[0], 5);
	assert_int_equal(there("busy").cseq[0], 10 * SPARE_ROWS);
	assert_int_equal(there("left").cseq[0], 0);
	refresh("busy", 2 * SPARE_ROWS); /* it goes on with rows that were read */
	stop();
	assert_in_range(ask_file("SELECT count(*) FROM change"), 2, LONGEST);
	start();
	assert_int_equal(there("idle").cseq[0], 5);
	assert_int_equal(there("busy").cseq[0], 2 * SPARE_ROWS);
}

/* Its end could not be written: nothing must carry it on, least of all behind what was bound since. */
static void a_binding_whose_end_was_not_written_does_not_come_back(void **state)
{
	(void)state;
	bind_once("brief", 1, 60 * SIM_SECOND);
	bind_once("other", 2, 60 * SIM_SECOND);
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 1000);
	sim_run_for(61 * SIM_SECOND);
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 0);
	assert_int_equal(there("brief").cseq[0], 0);
	bind_once("brief", 3, FAR);
	refresh("busy", 2 * SPARE_ROWS);
	stop();
	assert_int_equal(ask_file("SELECT count(*) FROM change WHERE cseq IN (1, 2) AND aor <> 'busy'"), 0);
	start();
	assert_int_equal(there("brief").cseq[0], 3);
	assert_int_equal(there("other").cseq[0], 0);
}

static void end_a_connection_without_a_row(void)
{
	struct call c = {.n = 0};
	struct ast_sip_contact_change *bound = add(&c, 0, 1, FAR);

	bound->data.bound_to_flow = true;
	bound->data.flow = 99; /* which is there no longer: it ends as soon as it is seen */
	push(&c, "alice");
	while (!c.done)
		assert_true(sim_step_now());
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 1000);
	while (sim_step_now())
		;
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 0);
	assert_int_equal(there("alice").cseq[0], 0);
}

static void nor_does_one_whose_connection_ended(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2 * TRIM_ROWS; n++) {
		end_a_connection_without_a_row();
		refresh("busy", TRIM_ROWS);
		bind_once("alice", 2, FAR);
		refresh("busy", SPARE_ROWS + n);
		stop();
		start();
		assert_int_equal(there("alice").cseq[0], 2);
		teardown(NULL);
		setup(NULL);
	}
}

static void what_a_start_refuses_is_refused_for_good(void **state)
{
	struct call c = {.n = 0};

	(void)state;
	add(&c, 0, 1, FAR)->data.bound_to_flow = true;
	assert_int_equal(run(&c, "alice"), 0);
	stop();
	start();
	assert_int_equal(there("alice").cseq[0], 0);
	stop();
	assert_int_equal(ask_file("SELECT count(*) FROM contact"), 0);
	start();
}

/* ---- power cuts ---- */

#define AORS  6 /* the first two have one binding, which moves from URI to URI */
#define MOVES 2
#define RUNS  4
#define STORM 400

static struct shared {
	struct model aors[AORS];
	uint32_t cseq;
	uint64_t n_done, n_failed;
} * shared;

static const char *const names[AORS] = {"a0", "a1", "a2", "a3", "a4", "a5"};

static void change(struct call *c, unsigned aor, struct sim_rng *rng)
{
	struct model *m = c->model = &shared->aors[aor];
	unsigned first = (unsigned)sim_rng_below(rng, URIS);
	unsigned n = aor < MOVES ? 1 : 1 + (unsigned)sim_rng_below(rng, URIS);

	m->asked = m->known;
	for (unsigned i = 0; i < n; i++) {
		unsigned uri = (first + i) % URIS;

		if (m->asked.cseq[uri] && sim_rng_below(rng, 4) == 0) {
			take(c, uri);
			m->asked.cseq[uri] = 0;
		} else if (aor < MOVES) {
			struct ast_sip_contact_change *to = add(c, uri, ++shared->cseq, FAR);

			to->data.reg_id = 1;
			to->text[AST_SIP_CONTACT_INSTANCE] = RS_STR("<urn:uuid:1>");
			m->asked = (struct bindings){{0}};
			m->asked.cseq[uri] = shared->cseq;
		} else {
			add(c, uri, ++shared->cseq, FAR);
			m->asked.cseq[uri] = shared->cseq;
		}
	}
	m->has_asked = true;
	push(c, names[aor]);
}

static void check_all(void)
{
	for (unsigned i = 0; i < AORS; i++) {
		struct model *m = &shared->aors[i];
		struct bindings b = there(names[i]);

		if (memcmp(&b, &m->known, sizeof(b)) != 0 && !(m->has_asked && memcmp(&b, &m->asked, sizeof(b)) == 0))
			sim_failed(__FILE_NAME__, __LINE__, "%s: there %u %u %u, known %u %u %u", names[i], b.cseq[0],
				   b.cseq[1], b.cseq[2], m->known.cseq[0], m->known.cseq[1], m->known.cseq[2]);
		m->known = b;
		m->has_asked = false;
	}
}

static bool all_done(const struct call *calls)
{
	for (unsigned i = 0; i < AORS; i++) {
		if (calls[i].n && !calls[i].done)
			return false;
	}
	return true;
}

static void storm(uint64_t seed, void *arg)
{
	struct sim_rng *rng = arg;

	(void)seed;
	start();
	check_all();
	for (unsigned i = 0; i < STORM; i++) {
		struct call calls[AORS] = {{.n = 0}};

		if (sim_rng_below(rng, 20) == 0)
			sim_disk_fail(disk, sim_rng_below(rng, 2) ? SIM_DISK_WRITE : SIM_DISK_SYNC,
				      (unsigned)sim_rng_below(rng, 6), 1 + (unsigned)sim_rng_below(rng, 2));
		for (unsigned a = 0; a < AORS; a++) {
			if (sim_rng_below(rng, 3) == 0)
				change(&calls[a], a, rng);
		}
		while (!all_done(calls))
			sim_check(sim_step_now());
		for (unsigned a = 0; a < AORS; a++)
			*(calls[a].error ? &shared->n_failed : &shared->n_done) += calls[a].n;
	}
	sim_crash();
}

static void look(uint64_t seed, void *arg)
{
	(void)seed;
	(void)arg;
	start();
	check_all();
	stop();
}

static unsigned one_seed(uint64_t seed)
{
	struct sim_rng rng;

	sim_rng_init(&rng, seed, SIM_STREAM_TEST);
	sim_disk_format(disk, seed);
	memset(shared->aors, 0, sizeof(shared->aors));
	for (unsigned i = 0; i < RUNS; i++) {
		struct sim_rng of_run;

		sim_rng_init(&of_run, sim_rng_next(&rng), SIM_STREAM_TEST);
		sim_disk_crash_after(disk, 1 + sim_rng_below(&rng, 3000));
		if (sim_fork_run(seed, storm, &of_run) != SIM_CRASHED)
			return 1;
		sim_disk_comes_back(disk, &rng);
	}
	return sim_fork_run(seed, look, NULL) != SIM_PASSED;
}

static void nothing_is_lost_when_the_power_goes_while_old_rows_leave(void **state)
{
	unsigned n = 60, failed = 0;
	uint64_t first = 1;

	(void)state;
	stop();
	sim_seeds(&first, &n);
	for (unsigned i = 0; i < n && failed < sim_failures_max(); i++) {
		failed += one_seed(first + i);
		if (!failed)
			assert_in_range(ask_file("SELECT count(*) FROM change"), 0, LONGEST + AORS * URIS * 2);
	}
	print_message("%llu changes committed, %llu failed\n", (unsigned long long)shared->n_done,
		      (unsigned long long)shared->n_failed);
	assert_int_equal(failed, 0);
	assert_true(n < 60 || (shared->n_done > 100 * n && shared->n_failed > 0));
	start();
}

/* ---- a sync that failed, as Linux does it: what was written is there until the power goes, and then is not ---- */

static void crash_about_a_failed_sync(uint64_t n, void *arg)
{
	struct call c = {.n = 0};

	(void)arg;
	start();
	bind_once("first", 1, FAR);
	sim_disk_fail(disk, SIM_DISK_SYNC, 0, 1);
	sim_disk_crash_after(disk, n);
	add(&c, 0, 1, FAR);
	(void)run(&c, "failed");
	sim_crash();
}

static void bind_more(uint64_t n, void *arg)
{
	(void)n;
	(void)arg;
	start();
	sim_check_int(there("first").cseq[0], 1);
	bind_once("later", 1, FAR);
	bind_once("last", 1, FAR);
	sim_crash();
}

static void find_all(uint64_t n, void *arg)
{
	(void)n;
	(void)arg;
	start();
	sim_check_int(there("first").cseq[0], 1);
	sim_check_int(there("later").cseq[0], 1);
	sim_check_int(there("last").cseq[0], 1);
	stop();
}

static void what_follows_a_failed_sync_is_not_lost_with_it(void **state)
{
	(void)state;
	stop();
	for (uint64_t n = 1; n < 20; n++) {
		sim_disk_format(disk, n);
		assert_int_equal(sim_fork_run(n, crash_about_a_failed_sync, NULL), SIM_CRASHED);
		sim_disk_crash_after(disk, 0);
		sim_disk_fail(disk, SIM_DISK_SYNC, 0, 0);
		sim_disk_process_died(disk);
		assert_int_equal(sim_fork_run(n, bind_more, NULL), SIM_CRASHED);
		sim_disk_power_cut(disk);
		assert_int_equal(sim_fork_run(n, find_all, NULL), SIM_PASSED);
	}
	sim_disk_format(disk, 7);
	start();
}

/* ---- a file of version 1 ---- */

static const char version_1[] =
	"PRAGMA journal_mode = WAL;"
	"CREATE TABLE contact ("
	" aor TEXT NOT NULL, uri TEXT NOT NULL, path TEXT, instance TEXT, call_id TEXT, user_agent TEXT, endpoint TEXT,"
	" listener TEXT, node TEXT, via_host TEXT, params TEXT,"
	" bound_to_flow INTEGER, q INTEGER, via_port INTEGER, transport INTEGER, reg_id INTEGER, cseq INTEGER,"
	" expires_us INTEGER NOT NULL, flow INTEGER, received TEXT,"
	" PRIMARY KEY (aor, uri)) WITHOUT ROWID;"
	"PRAGMA user_version = 1;"
	"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299)"
	" INSERT INTO contact SELECT 'a' || i, 'sip:0@192.0.2.1', '<sip:p;lr>', '<urn:1>', 'call', 'agent', 'ep', "
	"'udp',"
	" 'n1', 'via.example', ';isfocus', 0, 700, 5070, 1, 3, 1000 + i, 4000000000000000, 9, '[fd00::9]:1234' FROM n;";

static void check_taken_over(void)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(RS_STR("a7"));
	struct ast_sip_location_stats stats;
	char text[SIP_ADDR_TEXT];

	ast_sip_location_stats(&stats);
	sim_check_int(stats.bindings, 300);
	sim_check(c && c->n == 1);
	sim_check(rs_str_eqz(ast_sip_contact_text(c->v[0], AST_SIP_CONTACT_PARAMS), ";isfocus"));
	sim_check(rs_str_eqz(ast_sip_contact_text(c->v[0], AST_SIP_CONTACT_PATH), "<sip:p;lr>"));
	sim_check_int(c->v[0]->data.cseq, 1007);
	sim_check_int(c->v[0]->data.q_thousandths, 700);
	sim_check_int(c->v[0]->data.reg_id, 3);
	sim_check_int(c->v[0]->data.expires_us, 4000000000000000);
	sim_check(strcmp(sip_addr_text(&c->v[0]->data.received, true, text), "[fd00::9]:1234") == 0);
	ast_sip_contacts_unref(c);
}

static void a_file_of_version_1_is_taken_over(void **state)
{
	(void)state;
	stop();
	sim_disk_format(disk, 7);
	tell_file(version_1);
	start();
	check_taken_over();
	bind_once("new", 1, FAR);
	stop();
	assert_int_equal(ask_file("SELECT count(*) FROM contact"), 301);
	assert_int_equal(ask_file("PRAGMA user_version"), 2);
	start();
	assert_int_equal(there("new").cseq[0], 1);
	assert_int_equal(there("a7").cseq[0], 1007);
}

static void take_over(uint64_t seed, void *arg)
{
	(void)seed;
	(void)arg;
	start();
	check_taken_over();
	stop();
}

static void a_file_of_version_1_survives_a_power_cut_while_it_is_taken_over(void **state)
{
	struct sim_rng rng;
	unsigned crashes = 0;

	(void)state;
	stop();
	sim_rng_init(&rng, 7, SIM_STREAM_TEST);
	for (uint64_t n = 1; n < 1000; n++) {
		enum sim_verdict verdict;

		sim_disk_format(disk, n);
		tell_file(version_1);
		sim_disk_crash_after(disk, n);
		verdict = sim_fork_run(n, take_over, NULL);
		if (verdict == SIM_PASSED)
			break;
		assert_int_equal(verdict, SIM_CRASHED);
		crashes++;
		sim_disk_comes_back(disk, &rng);
		assert_int_equal(sim_fork_run(n, take_over, NULL), SIM_PASSED);
	}
	assert_in_range(crashes, 40, 998);
	sim_disk_format(disk, 7);
	start();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(what_no_longer_counts_goes_and_the_rest_stays),
		T(a_binding_whose_end_was_not_written_does_not_come_back),
		T(nor_does_one_whose_connection_ended),
		T(what_a_start_refuses_is_refused_for_good),
		T(nothing_is_lost_when_the_power_goes_while_old_rows_leave),
		T(what_follows_a_failed_sync_is_not_lost_with_it),
		T(a_file_of_version_1_is_taken_over),
		T(a_file_of_version_1_survives_a_power_cut_while_it_is_taken_over),
#undef T
	};

	disk = sim_disk_new(7);
	shared = sim_shared(sizeof(*shared));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
