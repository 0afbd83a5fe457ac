/*
 * A store that is damaged. Nothing of it is ever lost silently: a copy is kept, and the server starts only when it is
 * told to, with what can still be read. A copy is named by when the file was last written, so that starting again and
 * again makes one.
 */
#include "store.h"

#include "base/env.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAL        "-wal"
#define COPY_BYTES 65536

static bool exists(const char *path, const char *more, struct stat *st)
{
	char name[PATH_MAX];

	return snprintf(name, sizeof(name), "%s%s", path, more) < PATH_MAX && stat(name, st) == 0;
}

int store_file_looks_lost(const char *path)
{
	struct stat db, wal;
	bool has_db, has_wal;

	if (rs_env_get()->storage_vfs)
		return 0; /* no file of the system's */
	has_db = exists(path, "", &db);
	has_wal = exists(path, WAL, &wal) && wal.st_size > 0;
	if (has_db ? db.st_size > 0 : !has_wal)
		return 0;
	rs_event(RS_LOG_ERROR, "location.store", RS_FZ("file", path),
		 RS_FZ("error", !has_db   ? "the database is not there, but its -wal file is"
				: has_wal ? "the database is empty, but its -wal file is not"
					  : "the database is an empty file"));
	return EUCLEAN;
}

/* ---- keeping it ---- */

static int copy_bytes(int from, int to)
{
	static char buf[COPY_BYTES];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, buf + done, (size_t)(n - done));
			if (w < 0)
				return errno;
		}
	}
	return n < 0 ? errno : fsync(to) ? errno : 0;
}

static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, error;

	if (in < 0)
		return errno == ENOENT ? 0 : errno;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (out < 0) {
		error = errno == EEXIST ? 0 : errno;
	} else {
		error = copy_bytes(in, out);
		close(out);
		if (error)
			unlink(to);
	}
	close(in);
	return error;
}

static int move_file(const char *from, const char *to)
{
	return rename(from, to) == 0 || errno == ENOENT ? 0 : errno;
}

/* The name that the damaged file at path gets. */
static int kept_name(const char *path, char *out, size_t size)
{
	struct stat st = {0};
	struct tm tm;
	char when[32];
	int n;

	if (!exists(path, "", &st) && !exists(path, WAL, &st))
		return ENOENT;
	gmtime_r(&st.st_mtime, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	n = snprintf(out, size, "%s.corrupt-%s", path, when);
	return n > 0 && (size_t)n + sizeof(WAL) <= size ? 0 : ENAMETOOLONG;
}

static int keep(const char *path, const char *kept, int (*how)(const char *from, const char *to))
{
	char from[PATH_MAX], to[PATH_MAX];
	int error = how(path, kept);

	if (error)
		return error;
	if (snprintf(from, sizeof(from), "%s" WAL, path) >= PATH_MAX ||
	    snprintf(to, sizeof(to), "%s" WAL, kept) >= PATH_MAX)
		return ENAMETOOLONG;
	return how(from, to);
}

/* ---- what can be read of it ---- */

#define LOG         "SELECT id, " STORE_COLUMNS " FROM change WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
#define OLD_ROWS    "SELECT NULL, " STORE_COLUMNS " FROM contact" /* version 1 */
#define LONG_LOG    4096
#define MOST_MISSES 131072 /* ids on end that cannot be read: one damaged inner page stands for some ten thousand */

struct salvage {
	sqlite3 *from;
	int error; /* of the new file */
};

/*
 * All rows that s gives up to the first that cannot be read; true: there was none of these. Gives how many, and the id
 * of the last.
 */
static bool copy_rows(struct salvage *v, sqlite3_stmt *s, uint64_t *n, int64_t *last)
{
	int rc = SQLITE_OK;

	*n = 0;
	while (!v->error && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		*last = sqlite3_column_int64(s, 0);
		++*n;
		v->error = rows_copy(s);
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE;
}

static bool copy_range(struct salvage *v, sqlite3_stmt *s, int64_t first, int64_t last, uint64_t *n, int64_t *at)
{
	sqlite3_bind_int64(s, 1, first);
	sqlite3_bind_int64(s, 2, last);
	return copy_rows(v, s, n, at);
}

/* What lies between two ids, stepping over one after the other where it is damaged. */
static void copy_between(struct salvage *v, sqlite3_stmt *s, bool upwards, int64_t low, int64_t high)
{
	int64_t at;
	uint64_t n;

	for (unsigned misses = 0; misses < MOST_MISSES && high - low > 1 && !v->error; misses++) {
		if (copy_range(v, s, low + 1, high - 1, &n, &at))
			return;
		if (n)
			misses = 0;
		if (upwards)
			low = n ? at : low + 1;
		else
			high = n ? at : high - 1;
	}
}

/* From both ends of the log up to where it is damaged, then what lies between; or from anywhere. */
static void copy_log(struct salvage *v, sqlite3_stmt *up, sqlite3_stmt *down)
{
	int64_t low = 0, high = INT64_MAX, at;
	uint64_t n, m = 0;

	if (copy_range(v, up, 1, INT64_MAX, &n, &low))
		return;
	copy_range(v, down, low + 1, INT64_MAX, &m, &high);
	if (n || m) {
		copy_between(v, n ? up : down, n, low, high);
		return;
	}
	/* A log is longer than LONG_LOG, or begins with 1. */
	for (unsigned misses = 0; misses < MOST_MISSES && !n && !v->error; misses++) {
		at = low = 1 + (int64_t)misses * LONG_LOG;
		copy_range(v, up, low, low + LONG_LOG - 1, &n, &at);
	}
	if (n) {
		copy_between(v, up, true, at, INT64_MAX);
		copy_between(v, down, false, 0, low);
	} else {
		copy_between(v, up, true, 0, LONG_LOG);
	}
}

/* Each name that the configuration has is looked for by itself: that reads the pages on its own way only. */
static void copy_by_name(struct salvage *v, sqlite3_stmt *of_name)
{
	struct ast_sip_snapshot *snapshot = ast_sip_snapshot_get();
	struct ast_sip_aors aors = {0};
	uint64_t n;
	int64_t last;

	if (snapshot)
		aors = ast_sip_snapshot_aors(snapshot);
	for (uint32_t i = 0; i < aors.n && !v->error; i++) {
		struct rs_str id = ast_sip_aor_id(aors.v[i]);

		sqlite3_bind_text(of_name, 1, id.p, (int)id.len, SQLITE_STATIC);
		copy_rows(v, of_name, &n, &last);
	}
	ast_sip_snapshot_unref(snapshot);
}

static void copy_all(struct salvage *v)
{
	sqlite3_stmt *a = NULL, *b = NULL;
	uint64_t n;
	int64_t last;

	if (sqlite3_prepare_v2(v->from, LOG, -1, &a, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(v->from, LOG " DESC", -1, &b, NULL) == SQLITE_OK)
		copy_log(v, a, b);
	else if (sqlite3_prepare_v2(v->from, OLD_ROWS, -1, &a, NULL) == SQLITE_OK &&
		 sqlite3_prepare_v2(v->from, OLD_ROWS " WHERE aor = ?", -1, &b, NULL) == SQLITE_OK &&
		 !copy_rows(v, a, &n, &last))
		copy_by_name(v, b);
	sqlite3_finalize(a);
	sqlite3_finalize(b);
}

static int salvage(const char *kept)
{
	struct salvage v = {0};
	int error = store_begin();

	if (error)
		return error;
	if (sqlite3_open_v2(kept, &v.from, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_db_config(v.from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		/* The second lets a file be read that is shorter than it says. */
		sqlite3_exec(v.from, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA writable_schema = ON", NULL, NULL, NULL);
		copy_all(&v);
	}
	sqlite3_close(v.from);
	error = store_end(!v.error);
	return v.error ? v.error : error;
}

/* ---- the start ---- */

static void refuse(const char *path)
{
	char kept[PATH_MAX] = "";
	int error = rs_env_get()->storage_vfs ? ENOTSUP : kept_name(path, kept, sizeof(kept));

	if (!error)
		error = keep(path, kept, copy_file);
	rs_event(RS_LOG_ERROR, "location.damaged", RS_FZ("file", path), RS_FZ("copy", error ? "none" : kept),
		 RS_FZ("do", "put a good copy in its place, or set salvage_store = yes in [registrar] of res_sip.conf "
			     "to start with what can still be read of it"));
}

int store_open_damaged(const char *state_dir, bool may_salvage)
{
	char path[PATH_MAX], kept[PATH_MAX];
	int error;

	snprintf(path, sizeof(path), "%s", store_path());
	if (!may_salvage || rs_env_get()->storage_vfs) {
		refuse(path);
		return EUCLEAN;
	}
	error = kept_name(path, kept, sizeof(kept));
	if (!error)
		error = keep(path, kept, move_file);
	if (!error)
		error = store_open(state_dir);
	if (!error)
		error = salvage(kept);
	if (error) {
		rs_event(RS_LOG_ERROR, "location.salvage", RS_FZ("file", path), RS_FZ("error", strerror(error)));
		store_close();
	}
	return error;
}
