/*
 * The store behind the memory index: one SQLite file, WAL, synchronous=FULL, one connection. It is used by the
 * start-up and then by the executor's store lane alone, so it needs no lock of its own.
 */
#include "store.h"

#include "base/env.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_VERSION 2
#define SET_VERSION    "PRAGMA user_version = 2"
#define TRIES          3       /* of what has to be mended: a disk, or a memory, that fails now and then */
#define STEP_US        1000000 /* the system's time is slewed now and then; a step is more than that */

static sqlite3 *db;
static char path[PATH_MAX]; /* of its file */
static bool opened;         /* what fails from here on fails while the server runs */
static bool no_room;        /* why the last commit failed */
static int64_t shift_us;    /* location_shift_us as the rows have it: they are in the system's time */
static sqlite3_stmt *begin, *commit;
static struct { /* the last error line: when, and how many errors since */
	int64_t second;
	unsigned since;
} told;

/* The view is for people. Of a group SQLite gives the columns of the row that has the maximum. */
static const char create[] =
	"CREATE TABLE change ("
	" id INTEGER PRIMARY KEY, aor TEXT NOT NULL, uri TEXT NOT NULL, path TEXT, instance TEXT, call_id TEXT,"
	" user_agent TEXT, endpoint TEXT, listener TEXT, node TEXT, via_host TEXT, params TEXT,"
	" bound_to_flow INTEGER, q INTEGER, via_port INTEGER, transport INTEGER, reg_id INTEGER, cseq INTEGER,"
	" expires_us INTEGER, flow INTEGER, received TEXT);";
/* Version 1 had a table of this name, with one row a binding. */
static const char take_over[] = "INSERT INTO change (" STORE_COLUMNS ") SELECT " STORE_COLUMNS " FROM contact;"
				"DROP TABLE contact;";
static const char create_view[] =
	"CREATE VIEW contact AS SELECT " STORE_COLUMNS " FROM (SELECT max(id), * FROM change GROUP BY aor, uri)"
	" WHERE expires_us IS NOT NULL;" SET_VERSION;

/* What to do about it, for the operator; "": nothing is known. */
static const char *advice(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another process has the file open: end that process";
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return "the server's user must be able to write the folder and the files in it";
	case SQLITE_FULL:
		return "its disk is full: make room; what is stored is kept";
	case SQLITE_IOERR:
		return "its disk does not read or write: see the kernel's log, and limits of file sizes";
	default:
		return "";
	}
}

static bool is_damage(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

/* Storms of changes that fail must not become storms of lines: one a second, with how many it stands for. */
int store_fail(const char *what)
{
	int rc = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	int64_t now = rs_now_us() / 1000000;

	told.since++;
	if (opened && now == told.second)
		goto out;
	rs_event(RS_LOG_ERROR, "location.store", RS_FZ("file", path), RS_FZ("doing", what),
		 RS_FZ("error", db ? sqlite3_errmsg(db) : "no memory"), RS_FZ("do", advice(rc)),
		 RS_FI("count", told.since));
	told.second = now;
	told.since = 0;
out:
	return is_damage(rc) ? EUCLEAN : EIO;
}

static int run(const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_fail(sql);
}

static int number(const char *sql, int64_t *out)
{
	sqlite3_stmt *s;
	int rc = EIO;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return store_fail(sql);
	if (sqlite3_step(s) == SQLITE_ROW) {
		*out = sqlite3_column_int64(s, 0);
		rc = 0;
	}
	sqlite3_finalize(s);
	return rc ? store_fail(sql) : 0;
}

/*
 * A WAL that a crash has left may look whole and not be: when a sync of it failed, the kernel shows what was written,
 * but will not write it again. Whatever came behind that would be lost with it; so what it holds goes to its place
 * first. On a full disk it may stay.
 */
static int empty_wal(void)
{
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);

	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_FULL ? 0 : store_fail("checkpoint");
}

static int prepare_schema(void)
{
	int64_t version = 0;
	int error = number("PRAGMA user_version", &version);

	if (error)
		return error;
	if (version > SCHEMA_VERSION) {
		rs_event(RS_LOG_ERROR, "location.store", RS_FZ("file", path),
			 RS_FZ("error", "the database was written by a newer version of res_sip; upgrade, or use "
					"another state folder"),
			 RS_FI("schema", version), RS_FI("known", SCHEMA_VERSION));
		return EINVAL;
	}
	if (version == SCHEMA_VERSION)
		return 0;
	if ((error = run("BEGIN IMMEDIATE")) || (error = run(create)) || (version == 1 && (error = run(take_over))) ||
	    (error = run(create_view)) || (error = run("COMMIT")))
		return error;
	if (version)
		rs_event(RS_LOG_NOTICE, "location.store", RS_FZ("file", path), RS_FI("migrated_from", version),
			 RS_FI("schema", SCHEMA_VERSION));
	return 0;
}

/* Whether the file hangs together: half a second for a million bindings, whose pages are about to be read anyway. */
static int check(void)
{
	sqlite3_stmt *s;
	int error = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
		return store_fail("quick_check");
	if (sqlite3_step(s) != SQLITE_ROW) {
		error = store_fail("quick_check");
	} else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0) {
		rs_event(RS_LOG_ERROR, "location.store", RS_FZ("file", path), RS_FZ("doing", "quick_check"),
			 RS_FZ("error", (const char *)sqlite3_column_text(s, 0)));
		error = EUCLEAN;
	}
	sqlite3_finalize(s);
	return error;
}

static int prepare_statements(void)
{
	if (sqlite3_prepare_v3(db, "BEGIN IMMEDIATE", -1, SQLITE_PREPARE_PERSISTENT, &begin, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v3(db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &commit, NULL) != SQLITE_OK)
		return store_fail("prepare");
	return rows_open(db);
}

const char *store_path(void)
{
	return path;
}

int store_open(const char *state_dir)
{
	int error, n = snprintf(path, sizeof(path), "%s/location.db", state_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return ENAMETOOLONG;
	opened = false;
	shift_us = 0;
	memset(&told, 0, sizeof(told));
	error = store_file_looks_lost(path);
	if (error)
		return error;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    rs_env_get()->storage_vfs) != SQLITE_OK) {
		error = store_fail("open");
		goto failed;
	}
	/* A file that is damaged or not ours stays as it is. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* One process, one connection: no shared memory for the WAL index is needed. */
	if ((error = run("PRAGMA locking_mode = EXCLUSIVE")) || (error = check()) ||
	    (error = run("PRAGMA journal_mode = WAL")) || (error = run("PRAGMA synchronous = FULL")) ||
	    (error = run("PRAGMA journal_size_limit = 16777216")) || (error = empty_wal()) ||
	    (error = prepare_schema()) || (error = prepare_statements()))
		goto failed;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
failed:
	store_close();
	return error;
}

/* The system's time was set: within the transaction all rows follow, so that a restart finds what is left of each. */
static int follow_clock(void)
{
	int64_t by = location_shift_us() - shift_us;
	char sql[96];
	int error;

	if (by > -STEP_US && by < STEP_US)
		return 0;
	snprintf(sql, sizeof(sql), "UPDATE change SET expires_us = expires_us + %lld", (long long)by);
	error = run(sql);
	if (!error)
		shift_us += by;
	return error;
}

void store_close(void)
{
	if (opened)
		follow_clock();
	opened = false;
	rows_close();
	sqlite3_finalize(begin);
	sqlite3_finalize(commit);
	begin = commit = NULL;
	sqlite3_close(db);
	db = NULL;
}

bool store_is_open(void)
{
	return db != NULL;
}

int64_t store_shift_us(void)
{
	return shift_us;
}

uint64_t store_rows(void)
{
	int64_t n = 0;

	/* Their ids follow one another. */
	return number("SELECT max(id) - min(id) + 1 FROM change", &n) || n < 0 ? 0 : (uint64_t)n;
}

int store_load(store_loaded *each, void *token)
{
	int error = rows_load(each, token);

	opened = !error;
	return error;
}

int store_begin(void)
{
	return run("BEGIN IMMEDIATE");
}

int store_end(bool good)
{
	return run(good ? "COMMIT" : "ROLLBACK");
}

/*
 * Ends a transaction that failed. Without memory even that may fail, and no other could begin while this one is open:
 * whoever writes next tries again.
 */
static int undo(void)
{
	for (int i = 0; i < TRIES && !sqlite3_get_autocommit(db); i++)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return sqlite3_get_autocommit(db) ? 0 : store_fail("ROLLBACK");
}

/*
 * A commit that failed may lie in the WAL all the same, whole, when only its sync failed: a crash now would bring it
 * back. The next commit is written over it, so one is made at once.
 */
static void bury_failed_commit(void)
{
	for (int i = 0; i < TRIES; i++) {
		if (undo() == 0 && sqlite3_exec(db, SET_VERSION, NULL, NULL, NULL) == SQLITE_OK)
			return;
	}
	rs_event(RS_LOG_ERROR, "location.store", RS_FZ("error", "changes that failed may come back after a crash"));
}

static int step(sqlite3_stmt *s, const char *what)
{
	int rc = sqlite3_step(s);

	if (rc != SQLITE_DONE)
		rc = store_fail(what);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : rc;
}

static bool is_full(void)
{
	return (sqlite3_extended_errcode(db) & 0xff) == SQLITE_FULL;
}

static int write_group(struct update *first, bool only_one, enum rows_trim trim)
{
	int64_t shift_before = shift_us;
	int error = undo();

	no_room = false;
	if (!error)
		error = step(begin, "BEGIN");
	if (error)
		return error;
	error = follow_clock();
	if (!error)
		error = rows_write(first, only_one, trim);
	if (error) {
		no_room = is_full();
		(void)undo();
		shift_us = shift_before;
		return error;
	}
	error = step(commit, "COMMIT");
	if (error) {
		shift_us = shift_before;
		no_room = is_full();
		bury_failed_commit();
		return error;
	}
	rows_written(first, only_one);
	return 0;
}

/*
 * On a full disk the WAL cannot grow, but what it holds can go to its place in the database, most of which is there
 * already, and the WAL be written from its beginning again; and rows that no longer count make room for new ones. So
 * refreshes need no room then. The last try is for a WAL that is too short for that much work.
 */
int store_write(struct update *first, bool only_one)
{
	static const enum rows_trim tries[] = {ROWS_TRIM_DUE, ROWS_TRIM_MUCH, ROWS_TRIM_NOTHING};
	int error = 0;

	for (unsigned i = 0; i < RS_ARRAY_SIZE(tries); i++) {
		if (i > 0 && sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) != SQLITE_OK)
			break;
		error = write_group(first, only_one, tries[i]);
		if (!error || !no_room)
			break;
	}
	return error;
}

void store_forget(const struct update *u)
{
	for (size_t i = 0; i < u->n_rows; i++)
		rows_forget(u->rows[i].contact);
}
