/*
 * The store behind the memory index: one SQLite file, WAL, synchronous=FULL, one connection. It is used by the
 * start-up and then by the executor's store lane alone.
 */
#include "store.h"

#include "base/env.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_VERSION 1
#define TRIES          3       /* of what has to be mended: a disk, or a memory, that fails now and then */
#define STEP_US        1000000 /* the system's time is slewed now and then; a step is more than that */

static sqlite3 *db;
static char path[PATH_MAX]; /* of its file */
static bool opened;         /* what fails from here on fails while the server runs */
static bool no_room;        /* why the last commit failed */
static int64_t shift_us;    /* location_shift_us as the rows have it: they are in the system's time */
static sqlite3_stmt *upsert, *erase;
static struct { /* the last error line: when, and how many errors since */
	int64_t second;
	unsigned since;
} told;

static const char schema[] =
	"CREATE TABLE contact ("
	" aor TEXT NOT NULL, uri TEXT NOT NULL, path TEXT, instance TEXT, call_id TEXT, user_agent TEXT, endpoint TEXT,"
	" listener TEXT, node TEXT, via_host TEXT, params TEXT,"
	" bound_to_flow INTEGER, q INTEGER, via_port INTEGER, transport INTEGER, reg_id INTEGER, cseq INTEGER,"
	" expires_us INTEGER NOT NULL, flow INTEGER, received TEXT,"
	" PRIMARY KEY (aor, uri)) WITHOUT ROWID;"
	"PRAGMA user_version = 1;";

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
static int fail(const char *what)
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
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(sql);
}

static int number(const char *sql, int64_t *out)
{
	sqlite3_stmt *s;
	int rc = EIO;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return fail(sql);
	if (sqlite3_step(s) == SQLITE_ROW) {
		*out = sqlite3_column_int64(s, 0);
		rc = 0;
	}
	sqlite3_finalize(s);
	return rc ? fail(sql) : 0;
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
	if ((error = run("BEGIN IMMEDIATE")) || (error = run(schema)) || (error = run("COMMIT")))
		return error;
	return 0;
}

/* Whether the file hangs together: half a second for a million bindings, whose pages are about to be read anyway. */
static int check(void)
{
	sqlite3_stmt *s;
	int error = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
		return fail("quick_check");
	if (sqlite3_step(s) != SQLITE_ROW) {
		error = fail("quick_check");
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
	if (sqlite3_prepare_v3(db,
			       "INSERT OR REPLACE INTO contact (" STORE_COLUMNS ")"
			       " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			       -1, SQLITE_PREPARE_PERSISTENT, &upsert, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v3(db, "DELETE FROM contact WHERE aor = ? AND uri = ?", -1, SQLITE_PREPARE_PERSISTENT,
			       &erase, NULL) != SQLITE_OK)
		return fail("prepare");
	return 0;
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
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, rs_env_get()->storage_vfs) !=
	    SQLITE_OK) {
		error = fail("open");
		goto failed;
	}
	/* A file that is damaged or not ours stays as it is. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* One process, one connection: no shared memory for the WAL index is needed. */
	if ((error = run("PRAGMA locking_mode = EXCLUSIVE")) || (error = check()) ||
	    (error = run("PRAGMA journal_mode = WAL")) || (error = run("PRAGMA synchronous = FULL")) ||
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
	snprintf(sql, sizeof(sql), "UPDATE contact SET expires_us = expires_us + %lld", (long long)by);
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
	sqlite3_finalize(upsert);
	sqlite3_finalize(erase);
	upsert = erase = NULL;
	sqlite3_close(db);
	db = NULL;
}

bool store_is_open(void)
{
	return db != NULL;
}

static struct rs_str column(sqlite3_stmt *s, int i)
{
	const char *text = (const char *)sqlite3_column_text(s, i);

	return rs_str_n(text, text ? (size_t)sqlite3_column_bytes(s, i) : 0);
}

static struct ast_sip_contact *read_row(sqlite3_stmt *s)
{
	struct rs_str text[AST_SIP_CONTACT_TEXTS];
	struct ast_sip_contact_data d = {0};
	int i = AST_SIP_CONTACT_TEXTS;

	for (int t = 0; t < AST_SIP_CONTACT_TEXTS; t++)
		text[t] = column(s, t);
	d.bound_to_flow = sqlite3_column_int(s, i++) != 0;
	d.q_thousandths = (uint16_t)sqlite3_column_int(s, i++);
	d.via_port = (uint16_t)sqlite3_column_int(s, i++);
	d.transport = (uint8_t)sqlite3_column_int(s, i++);
	d.reg_id = (uint32_t)sqlite3_column_int64(s, i++);
	d.cseq = (uint32_t)sqlite3_column_int64(s, i++);
	d.expires_us = sqlite3_column_int64(s, i++);
	i++; /* the flow of an earlier run means nothing now */
	if (sip_addr_parse(column(s, i), &d.received))
		d.received = (struct sip_addr){0};
	return contact_new(text[AST_SIP_CONTACT_AOR], &d, text);
}

int store_load(int (*each)(void *token, struct ast_sip_contact *contact), void *token)
{
	char sql[160];
	sqlite3_stmt *s;
	int rc, error = 0;

	snprintf(sql, sizeof(sql), "DELETE FROM contact WHERE bound_to_flow OR expires_us <= %lld",
		 (long long)rs_wall_us());
	if (run(sql) || sqlite3_prepare_v2(db, "SELECT " STORE_COLUMNS " FROM contact ORDER BY aor, uri", -1, &s,
					   NULL) != SQLITE_OK)
		return fail("read");
	while (!error && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ast_sip_contact *c = read_row(s);
		error = c ? each(token, c) : ENOMEM;
	}
	if (!error && rc != SQLITE_DONE)
		error = fail("read");
	sqlite3_finalize(s);
	opened = !error;
	return error;
}

static int bind_text(sqlite3_stmt *s, int i, struct rs_str text)
{
	return sqlite3_bind_text(s, i, text.p, (int)text.len, SQLITE_STATIC);
}

static int step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? 0 : fail("write");
}

int store_begin(void)
{
	return run("BEGIN IMMEDIATE");
}

int store_end(bool commit)
{
	return run(commit ? "COMMIT" : "ROLLBACK");
}

int store_copy_row(sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		sqlite3_bind_value(upsert, i + 1, sqlite3_column_value(row, i));
	return step(upsert);
}

static int write_contact(const struct ast_sip_contact *c)
{
	const struct ast_sip_contact_data *d = &c->data;
	char received[SIP_ADDR_TEXT];
	int i = 1;

	for (int t = 0; t < AST_SIP_CONTACT_TEXTS; t++)
		bind_text(upsert, i++, ast_sip_contact_text(c, (enum ast_sip_contact_text)t));
	sqlite3_bind_int(upsert, i++, d->bound_to_flow);
	sqlite3_bind_int(upsert, i++, d->q_thousandths);
	sqlite3_bind_int(upsert, i++, d->via_port);
	sqlite3_bind_int(upsert, i++, d->transport);
	sqlite3_bind_int64(upsert, i++, d->reg_id);
	sqlite3_bind_int64(upsert, i++, d->cseq);
	sqlite3_bind_int64(upsert, i++, d->expires_us + shift_us);
	sqlite3_bind_int64(upsert, i++, (sqlite3_int64)d->flow);
	bind_text(upsert, i, d->received.family ? rs_str_c(sip_addr_text(&d->received, true, received)) : RS_STR(""));
	return step(upsert);
}

static int erase_contact(const struct ast_sip_contact *c)
{
	bind_text(erase, 1, ast_sip_contact_text(c, AST_SIP_CONTACT_AOR));
	bind_text(erase, 2, ast_sip_contact_text(c, AST_SIP_CONTACT_URI));
	return step(erase);
}

/* What goes is erased before anything is written: a binding may have moved to a URI that another one left. */
static int write_update(const struct update *u)
{
	int error = 0;

	for (size_t i = 0; i < u->n_rows && !error; i++) {
		const struct row *r = &u->rows[i];
		const struct ast_sip_contact *gone = r->event > AST_SIP_CONTACT_REFRESHED ? r->contact : r->old;

		if (gone)
			error = erase_contact(gone);
	}
	for (size_t i = 0; i < u->n_rows && !error; i++) {
		if (u->rows[i].event <= AST_SIP_CONTACT_REFRESHED)
			error = write_contact(u->rows[i].contact);
	}
	return error;
}

/*
 * Ends a transaction that failed. Without memory even that may fail, and no other could begin while this one is open:
 * whoever writes next tries again.
 */
static int undo(void)
{
	for (int i = 0; i < TRIES && !sqlite3_get_autocommit(db); i++)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return sqlite3_get_autocommit(db) ? 0 : fail("ROLLBACK");
}

/*
 * A commit that failed may lie in the WAL all the same, whole, when only its sync failed: a crash now would bring it
 * back. The next commit is written over it, so one is made at once.
 */
static void bury_failed_commit(void)
{
	for (int i = 0; i < TRIES; i++) {
		if (undo() == 0 && sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL) == SQLITE_OK)
			return;
	}
	rs_event(RS_LOG_ERROR, "location.store", RS_FZ("error", "changes that failed may come back after a crash"));
}

static int write_group(struct update *first, bool only_one)
{
	int64_t shift_before = shift_us;
	int error = undo();

	if (!error)
		error = run("BEGIN IMMEDIATE");
	if (error)
		return error;
	error = follow_clock();
	for (struct update *u = first; u && !error; u = only_one ? NULL : u->next_group)
		error = write_update(u);
	if (error) {
		(void)undo();
		shift_us = shift_before;
		return error;
	}
	error = run("COMMIT");
	if (error) {
		shift_us = shift_before;
		no_room = (sqlite3_extended_errcode(db) & 0xff) == SQLITE_FULL;
		bury_failed_commit();
	}
	return error;
}

/*
 * On a full disk the WAL cannot grow, but what it holds can go to its place in the database, most of which is there
 * already, and the WAL be written from its beginning again: refreshes need no room then.
 */
int store_write(struct update *first, bool only_one)
{
	int error;

	no_room = false;
	error = write_group(first, only_one);
	if (error && no_room && sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) == SQLITE_OK)
		error = write_group(first, only_one);
	return error;
}
