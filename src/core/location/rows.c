/*
 * The rows of the log. Each binding that a start would load knows the row that stands for it, and all of these are in
 * one list, oldest row first. So what is left at the log's old end is found without reading it: most of a batch there
 * has been written again since, because phones refresh, and goes as whole pages; the rest is carried to the new end.
 */
#include "store.h"

#include <errno.h>
#include <stdio.h>

/* Tests have a shorter log. */
#ifndef TRIM_ROWS
#define TRIM_ROWS 1024 /* go at once: some milliseconds */
#endif
#ifndef SPARE_ROWS
#define SPARE_ROWS 16384 /* that no longer count are kept in any case: a small log is not worth the work */
#endif
#define TRIM_FACTOR 2 /* rows that may go for each one written, so that carrying never becomes the main work */

static sqlite3 *db;
static sqlite3_stmt *put, *gone, *trim_end, *trim_rows;
static struct { /* bindings with a row, referenced; the oldest row first */
	struct ast_sip_contact *first, *last;
	uint64_t n;
} live;
static uint64_t n_rows;  /* in the table */
static int64_t next_row; /* its id */
static uint64_t credit;  /* rows that may go */

/* Of the transaction that is being written; what is above changes when it is committed. */
static struct {
	int64_t first, next; /* ids */
	int64_t trimmed;     /* up to this row; 0: nothing */
	int64_t now_us;      /* what has expired by then is not carried */
	uint64_t n_trimmed, n_carried;
} work;

/* ---- the list ---- */

static void link_last(struct ast_sip_contact *c, int64_t row)
{
	c->stored = (struct ast_sip_contact_stored){.before = live.last, .row = row};
	*(live.last ? &live.last->stored.after : &live.first) = c;
	live.last = c;
	live.n++;
}

static void take_out(struct ast_sip_contact *c)
{
	struct ast_sip_contact_stored *s = &c->stored;

	*(s->before ? &s->before->stored.after : &live.first) = s->after;
	*(s->after ? &s->after->stored.before : &live.last) = s->before;
	*s = (struct ast_sip_contact_stored){.row = 0};
	live.n--;
}

void rows_forget(struct ast_sip_contact *c)
{
	if (!c || !c->stored.row)
		return;
	take_out(c);
	ast_sip_contact_unref(c);
}

/* ---- statements ---- */

int rows_open(sqlite3 *store)
{
	static const struct {
		sqlite3_stmt **s;
		const char *sql;
	} all[] = {
		{&put, "INSERT INTO change (id, " STORE_COLUMNS ")"
		       " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{&gone, "INSERT INTO change (id, aor, uri) VALUES (?,?,?)"},
		{&trim_end, "SELECT id FROM change ORDER BY id LIMIT 1 OFFSET ?"},
		{&trim_rows, "DELETE FROM change WHERE id <= ?"},
	};

	db = store;
	n_rows = 0;
	credit = TRIM_ROWS;
	next_row = 1;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(all); i++) {
		if (sqlite3_prepare_v3(db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].s, NULL) != SQLITE_OK)
			return store_fail("prepare");
	}
	return 0;
}

void rows_close(void)
{
	while (live.first)
		rows_forget(live.first);
	sqlite3_finalize(put);
	sqlite3_finalize(gone);
	sqlite3_finalize(trim_end);
	sqlite3_finalize(trim_rows);
	put = gone = trim_end = trim_rows = NULL;
	db = NULL;
}

static int step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	if (rc != SQLITE_DONE)
		rc = store_fail("write"); /* before the reset, which may find another error */
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : rc;
}

static int bind_text(sqlite3_stmt *s, int i, struct rs_str text)
{
	return sqlite3_bind_text(s, i, text.p, (int)text.len, SQLITE_STATIC);
}

/* ---- reading ---- */

static struct rs_str column(sqlite3_stmt *s, int i)
{
	const char *text = (const char *)sqlite3_column_text(s, i);

	return rs_str_n(text, text ? (size_t)sqlite3_column_bytes(s, i) : 0);
}

enum { COLUMN_AOR = 1, COLUMN_NUMBERS = COLUMN_AOR + AST_SIP_CONTACT_TEXTS, COLUMN_EXPIRES = COLUMN_NUMBERS + 6 };

static struct ast_sip_contact *read_row(sqlite3_stmt *s)
{
	struct rs_str text[AST_SIP_CONTACT_TEXTS];
	struct ast_sip_contact_data d = {0};
	int i = COLUMN_NUMBERS;

	for (int t = 0; t < AST_SIP_CONTACT_TEXTS; t++)
		text[t] = column(s, COLUMN_AOR + t);
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

static int load_row(sqlite3_stmt *s, int64_t now_us, bool *refused, store_loaded *each, void *token)
{
	struct ast_sip_contact *c = NULL, *before = NULL;
	int64_t row = sqlite3_column_int64(s, 0);
	int error;

	if (sqlite3_column_int64(s, COLUMN_EXPIRES) > now_us && !sqlite3_column_int(s, COLUMN_NUMBERS)) {
		c = read_row(s);
		if (!c)
			return errno;
	} else if (sqlite3_column_type(s, COLUMN_EXPIRES) != SQLITE_NULL) {
		*refused = true;
	}
	if (c)
		ast_sip_contact_ref(c);
	error = each(token, column(s, COLUMN_AOR), column(s, COLUMN_AOR + 1), c, &before);
	if (!error) {
		rows_forget(before);
		ast_sip_contact_unref(before);
		if (c)
			link_last(c, row);
	} else {
		ast_sip_contact_unref(c);
	}
	n_rows++;
	next_row = row + 1;
	return error;
}

int rows_load(store_loaded *each, void *token)
{
	char sql[128];
	sqlite3_stmt *s;
	bool refused = false;
	int64_t now_us = rs_wall_us();
	int rc = SQLITE_DONE, error = 0;

	if (sqlite3_prepare_v2(db, "SELECT id, " STORE_COLUMNS " FROM change ORDER BY id", -1, &s, NULL) != SQLITE_OK)
		return store_fail("read");
	while (!error && (rc = sqlite3_step(s)) == SQLITE_ROW)
		error = load_row(s, now_us, &refused, each, token);
	if (!error && rc != SQLITE_DONE)
		error = store_fail("read");
	sqlite3_finalize(s);
	if (error || !refused)
		return error;
	/* What this start has refused, none will take, whatever becomes of the clock. */
	snprintf(sql, sizeof(sql), "UPDATE change SET expires_us = NULL WHERE bound_to_flow OR expires_us <= %lld",
		 (long long)now_us);
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_fail("refuse");
}

/* ---- writing ---- */

static int write_contact(const struct ast_sip_contact *c)
{
	const struct ast_sip_contact_data *d = &c->data;
	const char *text = c->text;
	char received[SIP_ADDR_TEXT];
	int i = 1;

	sqlite3_bind_int64(put, i++, work.next++);
	for (int t = 0; t < AST_SIP_CONTACT_TEXTS; t++) {
		sqlite3_bind_text(put, i++, text, c->text_len[t], SQLITE_STATIC);
		text += c->text_len[t] + 1;
	}
	sqlite3_bind_int(put, i++, d->bound_to_flow);
	sqlite3_bind_int(put, i++, d->q_thousandths);
	sqlite3_bind_int(put, i++, d->via_port);
	sqlite3_bind_int(put, i++, d->transport);
	sqlite3_bind_int64(put, i++, d->reg_id);
	sqlite3_bind_int64(put, i++, d->cseq);
	sqlite3_bind_int64(put, i++, d->expires_us + store_shift_us());
	sqlite3_bind_int64(put, i++, (sqlite3_int64)d->flow);
	bind_text(put, i, d->received.family ? rs_str_c(sip_addr_text(&d->received, true, received)) : RS_STR(""));
	return step(put);
}

static int write_gone(const struct ast_sip_contact *c)
{
	sqlite3_bind_int64(gone, 1, work.next++);
	bind_text(gone, 2, ast_sip_contact_text(c, AST_SIP_CONTACT_AOR));
	bind_text(gone, 3, ast_sip_contact_text(c, AST_SIP_CONTACT_URI));
	return step(gone);
}

static bool is_written(const struct row *r)
{
	return r->event <= AST_SIP_CONTACT_REFRESHED;
}

static struct ast_sip_contact *what_goes(const struct row *r)
{
	return is_written(r) ? r->old : r->contact;
}

/* A row behind its own one says the same of a binding that keeps its URI. */
static bool needs_gone(const struct row *r)
{
	const struct ast_sip_contact *c = what_goes(r);

	return c && c->stored.row &&
	       !(is_written(r) && rs_str_eq(ast_sip_contact_text(c, AST_SIP_CONTACT_URI),
					    ast_sip_contact_text(r->contact, AST_SIP_CONTACT_URI)));
}

/* What goes is said before anything is written: a binding may have moved to a URI that another one left. */
static int write_update(struct update *u)
{
	int error = 0;

	for (size_t i = 0; i < u->n_rows && !error; i++) {
		if (needs_gone(&u->rows[i]))
			error = write_gone(what_goes(&u->rows[i]));
	}
	for (size_t i = 0; i < u->n_rows && !error; i++) {
		u->rows[i].stored = work.next;
		if (is_written(&u->rows[i]))
			error = write_contact(u->rows[i].contact);
	}
	return error;
}

static void update_written(struct update *u)
{
	for (size_t i = 0; i < u->n_rows; i++)
		rows_forget(what_goes(&u->rows[i]));
	for (size_t i = 0; i < u->n_rows; i++) {
		if (is_written(&u->rows[i]))
			link_last(ast_sip_contact_ref(u->rows[i].contact), u->rows[i].stored);
	}
}

/* ---- the old end ---- */

static bool has_expired(const struct ast_sip_contact *c)
{
	return c->data.expires_us <= work.now_us;
}

/* The id of the last row of those that go; 0: none. */
static int find_trim_end(enum rows_trim trim, int64_t *id)
{
	uint64_t n = n_rows < TRIM_ROWS ? n_rows : TRIM_ROWS;
	int error = 0;

	*id = 0;
	if (trim == ROWS_TRIM_NOTHING || !n ||
	    (trim == ROWS_TRIM_MUCH ? n_rows <= live.n + live.n / 8
				    : credit < TRIM_ROWS || n_rows <= live.n + live.n / 2 + SPARE_ROWS))
		return 0;
	sqlite3_bind_int64(trim_end, 1, (sqlite3_int64)n - 1);
	if (sqlite3_step(trim_end) == SQLITE_ROW)
		*id = sqlite3_column_int64(trim_end, 0);
	else
		error = store_fail("trim");
	sqlite3_reset(trim_end);
	return error;
}

/*
 * Before anything else is written: what is carried must not come behind what the same transaction says of it. Of a
 * binding that is gone nothing is carried: what was older is gone already.
 */
static int write_trim(enum rows_trim trim)
{
	int64_t end;
	int error = find_trim_end(trim, &end);

	if (error || !end)
		return error;
	for (const struct ast_sip_contact *c = live.first; c && c->stored.row <= end && !error; c = c->stored.after) {
		if (!has_expired(c))
			error = write_contact(c);
	}
	if (error)
		return error;
	work.n_carried = (uint64_t)(work.next - work.first);
	sqlite3_bind_int64(trim_rows, 1, end);
	error = step(trim_rows);
	work.trimmed = end;
	work.n_trimmed = (uint64_t)sqlite3_changes(db);
	return error;
}

static void trim_written(void)
{
	int64_t row = work.first;

	if (!work.trimmed)
		return;
	while (live.first && live.first->stored.row <= work.trimmed) {
		struct ast_sip_contact *c = live.first;

		take_out(c);
		if (has_expired(c))
			ast_sip_contact_unref(c);
		else
			link_last(c, row++);
	}
	n_rows -= work.n_trimmed;
	credit = credit > work.n_trimmed ? credit - work.n_trimmed : 0;
}

/* ---- a transaction ---- */

int rows_write(struct update *first, bool only_one, enum rows_trim trim)
{
	int error;

	work.first = work.next = next_row;
	work.trimmed = 0;
	work.n_carried = 0;
	work.now_us = ast_sip_location_now_us();
	error = write_trim(trim);
	for (struct update *u = first; u && !error; u = only_one ? NULL : u->next_group)
		error = write_update(u);
	return error;
}

void rows_written(struct update *first, bool only_one)
{
	uint64_t n = (uint64_t)(work.next - work.first);

	trim_written();
	for (struct update *u = first; u; u = only_one ? NULL : u->next_group)
		update_written(u);
	n_rows += n;
	next_row = work.next;
	if (credit < TRIM_ROWS)
		credit += TRIM_FACTOR * (n - work.n_carried);
}

int rows_copy(sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		sqlite3_bind_value(put, i + 1, sqlite3_column_value(row, i));
	return step(put);
}
