/* What the files of the store share: its one SQLite file, and what becomes of a damaged one. */
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
int store_begin(void);
int store_end(bool commit);
/* Writes a row of another file, whose columns are STORE_COLUMNS. */
int store_copy_row(sqlite3_stmt *row);

/* ---- damage.c ---- */

/* EUCLEAN (logged) when there is something at path that a start would silently take for nothing. */
int store_file_looks_lost(const char *path);

#endif
