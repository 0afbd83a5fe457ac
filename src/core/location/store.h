/*
 * What the files of the store share: its one SQLite file, and what becomes of a damaged one.
 *
 * The table `change` is a log: whatever happens to a binding is a new row behind the others, and the last row of an AOR
 * and a URI counts (expires_us NULL: it is gone). So a commit writes what is new and nothing else, wherever in the
 * alphabet it may lie, and a binding that is refreshed costs a page of the file a thirteenth of the time. Rows that no
 * longer count leave at the log's other end (rows.c), and the few there that do count are written again.
 */
#ifndef CORE_LOCATION_STORE_H
#define CORE_LOCATION_STORE_H

#include "location_private.h"

#include <sqlite3.h>

/* The order of the columns in all statements: the texts first, as enum ast_sip_contact_text has them. */
#define STORE_COLUMNS                                                                                                  \
	"aor, uri, path, instance, call_id, user_agent, endpoint, listener, node, via_host, params,"                   \
	" bound_to_flow, q, via_port, transport, reg_id, cseq, expires_us, flow, received"

/* ---- store.c ---- */

const char *store_path(void);
/* Says what failed. An errno: EUCLEAN for damage. */
int store_fail(const char *what);
int store_begin(void);
int store_end(bool good);
/* What is added to an expiry that is written. */
int64_t store_shift_us(void);

/* ---- rows.c: the rows of the log, and which binding has which. ---- */

/* How much of what no longer counts goes with a commit. */
enum rows_trim { ROWS_TRIM_DUE, ROWS_TRIM_MUCH, ROWS_TRIM_NOTHING };

int rows_open(sqlite3 *store);
void rows_close(void);
int rows_load(store_loaded *each, void *token);
/* Within a transaction; when that is committed, the next follows. */
int rows_write(struct update *first, bool only_one, enum rows_trim trim);
void rows_written(struct update *first, bool only_one);
/* No row stands for c any more. */
void rows_forget(struct ast_sip_contact *c);
/* Writes a row of another file, whose columns are a rowid (or NULL) and STORE_COLUMNS. */
int rows_copy(sqlite3_stmt *row);

/* ---- damage.c ---- */

/* EUCLEAN (logged) when there is something at path that a start would silently take for nothing. */
int store_file_looks_lost(const char *path);

#endif
