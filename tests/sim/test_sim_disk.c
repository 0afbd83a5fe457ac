/* The simulated disk itself: what SQLite may rely on, and what it may not. */
#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>

#define SEEDS   200
#define ROUNDS  4
#define ROWS    5 /* of a transaction: all or none of them */
#define MAX_TRY 64

static struct sim_disk *disk;

/* What the children report. */
struct report {
	int64_t committed; /* the last transaction whose COMMIT returned */
	int64_t tried;     /* the last one that was begun */
	const char *setup;
	bool lossy; /* committed ones may be gone: only their wholeness is checked */
	int64_t lost;
};
static struct report *report;

static void must(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		sim_failed(__FILE_NAME__, __LINE__, "%s: %s", sql, error);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n;

	sim_check_int(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sim_check_int(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static sqlite3 *open_db(void)
{
	sqlite3 *db;

	sim_check_int(
		sqlite3_open_v2("state/test.sqlite", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SIM_DISK_VFS),
		SQLITE_OK);
	return db;
}

static int exec(sqlite3 *db, const char *fmt, ...)
{
	va_list ap;
	char *sql;
	int result;

	va_start(ap, fmt);
	sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	result = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return result;
}

static void verify(sqlite3 *db)
{
	int64_t newest;

	sim_check_int(number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check LIMIT 1"), 1);
	newest = number(db, "SELECT coalesce(max(tx), 0) FROM t");
	sim_check_int(number(db, "SELECT count(*) FROM t"), newest * ROWS);
	sim_check_int(number(db, "SELECT count(*) FROM t WHERE payload <> printf('%0500d', tx)"), 0);
	sim_check_int(number(db, "SELECT count(*) FROM t WHERE tx < 0"), 0);
	sim_check(newest <= report->tried);
	if (newest < report->committed) {
		sim_check(report->lossy);
		report->lost += report->committed - newest;
	}
	report->committed = report->tried = newest;
}

/* Commits until the crash that the parent ordered, or MAX_TRY times. */
static void writer(uint64_t seed, void *arg)
{
	struct sim_rng rng;
	sqlite3 *db = open_db();

	(void)arg;
	sim_rng_init(&rng, seed + (uint64_t)report->tried, SIM_STREAM_TEST);
	must(db, report->setup);
	must(db, "CREATE TABLE IF NOT EXISTS t (tx INTEGER, part INTEGER, payload TEXT, PRIMARY KEY (tx, part))");
	verify(db);
	for (int i = 0; i < MAX_TRY; i++) {
		report->tried = report->committed + 1;
		must(db, "BEGIN IMMEDIATE");
		for (int part = 0; part < ROWS; part++)
			sim_check_int(exec(db, "INSERT INTO t VALUES (%lld, %d, printf('%%0500d', %lld))",
					   (long long)report->tried, part, (long long)report->tried),
				      SQLITE_OK);
		must(db, "COMMIT");
		report->committed = report->tried;
		if (sim_rng_below(&rng, 3) == 0) {
			must(db, "BEGIN IMMEDIATE");
			sim_check_int(exec(db, "INSERT INTO t VALUES (%d, 0, 'rolled back')", -i - 1), SQLITE_OK);
			must(db, "ROLLBACK");
		}
	}
	sqlite3_close(db);
}

static void checker(uint64_t seed, void *arg)
{
	sqlite3 *db = open_db();

	(void)seed;
	(void)arg;
	must(db, report->setup);
	must(db, "CREATE TABLE IF NOT EXISTS t (tx INTEGER, part INTEGER, payload TEXT, PRIMARY KEY (tx, part))");
	verify(db);
	sqlite3_close(db);
}

/* Crashes at random operations (while recovering, too), the power cut after most of them. Returns 1 for a failure. */
static unsigned storm(uint64_t seed, const char *setup, bool lossy)
{
	struct sim_rng rng;

	sim_rng_init(&rng, seed, SIM_STREAM_RUN);
	sim_disk_format(disk, seed);
	memset(report, 0, sizeof(*report));
	report->setup = setup;
	report->lossy = lossy;
	for (int round = 0; round < ROUNDS; round++) {
		enum sim_verdict v;

		sim_disk_crash_after(disk, 1 + sim_rng_below(&rng, round == 2 ? 30 : 600));
		v = sim_fork_run(seed, writer, NULL);
		if (v == SIM_FAILED)
			return 1;
		if (sim_rng_below(&rng, 4))
			sim_disk_power_cut(disk);
		else
			sim_disk_process_died(disk);
	}
	return sim_fork_run(seed, checker, NULL) != SIM_PASSED;
}

static unsigned runs(void)
{
	const char *n = getenv("SIM_RUNS");

	return n ? (unsigned)strtoul(n, NULL, 10) : SEEDS;
}

static unsigned storms(const char *setup, unsigned n)
{
	const char *seed = getenv("SEED");
	unsigned failed = 0;

	if (seed)
		return storm(strtoull(seed, NULL, 10), setup, false);
	for (unsigned i = 1; i <= n && failed < 3; i++)
		failed += storm(i, setup, false);
	return failed;
}

static void what_was_committed_survives_any_power_cut_with_wal(void **state)
{
	(void)state;
	assert_int_equal(
		storms("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=6", runs()), 0);
}

static void what_was_committed_survives_with_wal_and_no_shared_memory(void **state)
{
	(void)state;
	assert_int_equal(storms("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				"PRAGMA wal_autocheckpoint=6",
				runs() / 4),
			 0);
}

static void what_was_committed_survives_with_a_rollback_journal(void **state)
{
	(void)state;
	assert_int_equal(storms("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", runs() / 4), 0);
}

/* Without this one, a disk that never loses anything would pass all of the above. */
static void what_was_not_synced_is_lost_now_and_then(void **state)
{
	unsigned with_loss = 0;

	(void)state;
	for (unsigned i = 1; i <= 40; i++) {
		assert_int_equal(
			storm(i, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=6",
			      true),
			0);
		with_loss += report->lost > 0;
	}
	assert_in_range(with_loss, 10, 40);
}

static void begin(void)
{
	sim_disk_format(disk, 9);
	sim_clock_start(9);
}

static void a_full_disk_fails_the_commit_and_keeps_the_rest(void **state)
{
	sqlite3 *db;
	int failed = SQLITE_OK;

	(void)state;
	begin();
	db = open_db();
	must(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)");
	sim_disk_set_capacity(disk, sim_disk_used(disk) + 100000);
	for (int i = 0; i < 1000 && failed == SQLITE_OK; i++)
		failed = exec(db, "INSERT INTO t VALUES (zeroblob(1000))");
	assert_int_equal(failed, SQLITE_FULL);
	sim_disk_set_capacity(disk, 0);
	assert_int_equal(exec(db, "INSERT INTO t VALUES (1)"), SQLITE_OK);
	sqlite3_close(db);
}

static void a_failed_sync_fails_the_commit(void **state)
{
	sqlite3 *db;
	uint64_t before;

	(void)state;
	begin();
	db = open_db();
	must(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)");
	before = sim_disk_count(disk, SIM_DISK_SYNC);
	sim_disk_fail(disk, SIM_DISK_SYNC, 0, 1);
	assert_int_equal(exec(db, "INSERT INTO t VALUES (1)") & 0xff, SQLITE_IOERR);
	assert_true(sim_disk_count(disk, SIM_DISK_SYNC) > before);
	assert_int_equal(exec(db, "INSERT INTO t VALUES (2)"), SQLITE_OK);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
	sim_disk_fail(disk, SIM_DISK_WRITE, 1, 1);
	assert_int_equal(exec(db, "INSERT INTO t VALUES (3)") & 0xff, SQLITE_IOERR);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
	sqlite3_close(db);
}

static void two_connections_lock_each_other_out(void **state)
{
	sqlite3 *a, *b;

	(void)state;
	for (int wal = 0; wal < 2; wal++) {
		begin();
		a = open_db();
		must(a, wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE");
		must(a, "CREATE TABLE t (x)");
		b = open_db();
		must(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");
		assert_int_equal(exec(b, "BEGIN IMMEDIATE"), SQLITE_BUSY);
		assert_int_equal(number(b, "SELECT count(*) FROM t"), 0);
		must(a, "COMMIT");
		assert_int_equal(number(b, "SELECT count(*) FROM t"), 1);
		must(b, "INSERT INTO t VALUES (2)");
		assert_int_equal(number(a, "SELECT count(*) FROM t"), 2);
		sqlite3_close(a);
		sqlite3_close(b);
	}
}

static int setup(void **state)
{
	(void)state;
	disk = sim_disk_new(1);
	report = sim_shared(sizeof(*report));
	sim_disk_register(disk);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_disk_unregister();
	sim_disk_free(disk);
	sim_clock_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_committed_survives_any_power_cut_with_wal),
		cmocka_unit_test(what_was_committed_survives_with_wal_and_no_shared_memory),
		cmocka_unit_test(what_was_committed_survives_with_a_rollback_journal),
		cmocka_unit_test(what_was_not_synced_is_lost_now_and_then),
		cmocka_unit_test(a_full_disk_fails_the_commit_and_keeps_the_rest),
		cmocka_unit_test(a_failed_sync_fails_the_commit),
		cmocka_unit_test(two_connections_lock_each_other_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
