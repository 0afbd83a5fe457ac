/* Diversion and History-Info: kept, added to, passed on. */
#include "diversion.h"
#include "identity.h"

#include <errno.h>
#include <stdlib.h>

/* A value parsed again: an entry of ours is short, and so are its parameters. */
#define ARENA_FIRST 2048
#define ARENA_LIMIT 65536

#define MAX_COUNTER 1000 /* of one entry: sums of them stay sums */

static const char nobody[] = "<sip:anonymous@anonymous.invalid>";

struct call_entry {
	uint32_t count; /* Diversion: its counter, 0: none is written */
	uint32_t len;
	char text[]; /* the value; of a Diversion without counter */
};

static struct rs_str text_of(const struct call_entry *e)
{
	return rs_str_n(e->text, e->len);
}

/* ---- reasons ---- */

struct rs_str call_divert_reason_name(enum call_divert_reason r)
{
	static const struct rs_str names[] = {
#define CALL_DIVERT_X(id, word) [CALL_DIVERT_##id] = RS_STR_INIT(word),
		CALL_DIVERT_REASONS(CALL_DIVERT_X)
#undef CALL_DIVERT_X
	};

	return (unsigned)r < CALL_DIVERT_N ? names[r] : names[CALL_DIVERT_UNKNOWN];
}

enum call_divert_reason call_divert_reason_of_status(unsigned status, bool rang)
{
	switch (status) {
	case 486:
	case 600:
		return CALL_DIVERT_USER_BUSY;
	case 408:
	case 487:
		return CALL_DIVERT_NO_ANSWER;
	case 480:
		return rang ? CALL_DIVERT_NO_ANSWER : CALL_DIVERT_UNAVAILABLE;
	case 404:
	case 410:
	case 604:
		return CALL_DIVERT_UNAVAILABLE;
	case 603:
		return rang ? CALL_DIVERT_DEFLECTION : CALL_DIVERT_DO_NOT_DISTURB;
	default:
		break;
	}
	if (status >= 300 && status < 400)
		return rang ? CALL_DIVERT_DEFLECTION : CALL_DIVERT_UNCONDITIONAL;
	return status >= 500 && status < 600 ? CALL_DIVERT_OUT_OF_SERVICE : CALL_DIVERT_UNKNOWN;
}

enum call_divert_reason call_divert_reason_of_response(struct sip_msg *msg, bool rang)
{
	const struct sip_name_addr *a = sip_msg_name_addr(msg, SIP_HDR_DIVERSION, 0);
	const struct sip_param *p = a ? sip_params_get(&a->params, RS_STR("reason")) : NULL;

	for (unsigned r = 0; p && r < CALL_DIVERT_N; r++) {
		if (rs_str_ieq(p->value, call_divert_reason_name((enum call_divert_reason)r)))
			return (enum call_divert_reason)r;
	}
	return call_divert_reason_of_status(msg->status, rang);
}

/* ---- lists of entries ---- */

static void entries_fini(struct call_entries *l)
{
	while (l->n)
		free(l->v[--l->n]);
	free(l->v);
	*l = (struct call_entries){0};
}

static struct call_entry *entry_new(struct rs_str text, uint32_t count)
{
	struct call_entry *e = malloc(sizeof(*e) + text.len);

	if (!e) {
		errno = ENOMEM;
		return NULL;
	}
	e->count = count;
	e->len = (uint32_t)text.len;
	/* Nothing that could end a line or hide on a terminal. */
	for (size_t i = 0; i < text.len; i++)
		e->text[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i];
	return e;
}

/* What an entry says it stands for. */
static uint32_t worth(const struct call_entry *e)
{
	return e->count ? e->count : 1;
}

static void drop(struct call_entries *l, uint32_t i)
{
	free(l->v[i]);
	memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof(l->v[0]));
	l->n--;
}

/* Takes e to place i of a list that is not full. 0 or -1 (ENOMEM; e is freed, or was NULL). */
static int insert(struct call_entries *l, uint32_t i, struct call_entry *e)
{
	if (!l->v && e)
		l->v = calloc(CALL_MAX_DIVERSIONS, sizeof(l->v[0]));
	if (!l->v || !e) {
		free(e);
		errno = ENOMEM;
		return -1;
	}
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof(l->v[0]));
	l->v[i] = e;
	l->n++;
	return 0;
}

/* ---- values ---- */

/* One value read again; value is good until parsed_end. */
struct parsed {
	char room[ARENA_FIRST];
	struct rs_arena arena;
	const struct sip_name_addr *a; /* NULL: it cannot be read */
};

static void parse(struct parsed *p, enum sip_hdr_id id, struct rs_str text)
{
	struct sip_hdr_values v;

	rs_arena_init(&p->arena, p->room, sizeof(p->room), ARENA_LIMIT);
	p->a = sip_hdr_parse(id, text, &p->arena, &v) == 0 && v.n ? &v.v.name_addr[0] : NULL;
}

static void parsed_end(struct parsed *p)
{
	rs_arena_reset(&p->arena);
}

/* "name" <uri> of a value, with brackets in any case. */
static void write_head(struct sip_writer *w, const struct sip_name_addr *a)
{
	struct rs_str head = a->text;

	if (!a->brackets) {
		sip_writez(w, "<");
		sip_write(w, a->uri.text);
		sip_writez(w, ">");
		return;
	}
	if (a->params.text.len)
		head.len = (size_t)(a->params.text.p - head.p);
	sip_write(w, rs_str_trim(head));
}

static void write_param(struct sip_writer *w, const struct sip_param *p)
{
	sip_writez(w, ";");
	sip_write(w, p->name);
	if (!p->value.p)
		return;
	sip_writez(w, p->quoted ? "=\"" : "=");
	sip_write(w, p->value);
	if (p->quoted)
		sip_writez(w, "\"");
}

static bool is_hidden(struct rs_str name)
{
	return rs_str_starts(name, RS_STR("x-ast-"));
}

/* A target as others may see it: without headers and what is ours alone. false: it is no URI, or too long. */
static bool write_target(struct sip_writer *w, struct rs_str uri)
{
	char buf[CALL_MAX_DIVERSION_ENTRY];
	struct sip_uri u;
	int n;

	if (sip_uri_parse(uri, &u))
		return false;
	if (!sip_uri_is_sip(&u)) {
		sip_write(w, uri);
		return sip_writer_ok(w);
	}
	n = sip_uri_print_filtered(&u, is_hidden, false, buf, sizeof(buf));
	if (n < 0)
		return false;
	sip_write(w, rs_str_n(buf, (size_t)n));
	return sip_writer_ok(w);
}

/* Whether two URIs name one target; what hi-entries carry as headers does not count. */
static bool same_target(const struct sip_uri *entry, struct rs_str uri)
{
	struct sip_uri a = *entry, b;

	if (sip_uri_parse(uri, &b))
		return false;
	a.headers = b.headers = RS_STR_NULL;
	return sip_uri_equal(&a, &b);
}

/* A writer of one entry: what is longer fails. */
static void entry_writer(struct sip_writer *w, char room[CALL_MAX_DIVERSION_ENTRY])
{
	sip_writer_init(w, room, CALL_MAX_DIVERSION_ENTRY);
	w->max = CALL_MAX_DIVERSION_ENTRY;
}

static struct rs_str written(const struct sip_writer *w)
{
	return rs_str_n(w->buf, w->len);
}

/* ---- Diversion ---- */

/*
 * The list is full: the first diversion stays (whom the call was for) and the latest ones do, the one beside the first
 * gives way, and the counter of its neighbour tells of it.
 */
static void diversion_make_room(struct call_entries *l)
{
	uint32_t sum;

	if (l->n < CALL_MAX_DIVERSIONS)
		return;
	sum = worth(l->v[l->n - 2]) + worth(l->v[l->n - 3]);
	l->v[l->n - 3]->count = sum < MAX_COUNTER ? sum : MAX_COUNTER;
	drop(l, l->n - 2);
}

static uint32_t counter_of(const struct sip_name_addr *a)
{
	const struct sip_param *p = sip_params_get(&a->params, RS_STR("counter"));
	uint64_t v;

	return p && rs_str_to_u64(p->value, MAX_COUNTER, &v) == 0 ? (uint32_t)v : 0;
}

static int diversion_receive(struct call_entries *l, const struct sip_name_addr *a)
{
	char room[CALL_MAX_DIVERSION_ENTRY];
	struct sip_writer w;

	entry_writer(&w, room);
	write_head(&w, a);
	for (uint32_t i = 0; i < a->params.n; i++) {
		if (!rs_str_ieqz(a->params.v[i].name, "counter"))
			write_param(&w, &a->params.v[i]);
	}
	if (!sip_writer_ok(&w))
		return 0;
	diversion_make_room(l);
	return insert(l, l->n, entry_new(written(&w), counter_of(a)));
}

static int diversion_hop(struct call_entries *l, const struct call_hop *hop)
{
	char room[CALL_MAX_DIVERSION_ENTRY];
	struct sip_writer w;

	entry_writer(&w, room);
	if (hop->name.len) {
		sip_write_quoted(&w, hop->name);
		sip_writez(&w, " ");
	}
	sip_writez(&w, "<");
	if (!write_target(&w, hop->from))
		return 0;
	sip_writez(&w, ">;reason=");
	sip_write(&w, call_divert_reason_name(hop->reason));
	sip_writez(&w, hop->prohibited ? ";privacy=full" : ";privacy=off");
	sip_writez(&w, ";screen=no");
	if (!sip_writer_ok(&w))
		return 0;
	diversion_make_room(l);
	return insert(l, 0, entry_new(written(&w), 1));
}

/* ---- History-Info ---- */

/* The first entry and the latest ones stay. */
static void history_make_room(struct call_entries *l)
{
	if (l->n == CALL_MAX_DIVERSIONS)
		drop(l, 1);
}

static int history_push(struct call_entries *l, struct rs_str text)
{
	history_make_room(l);
	return insert(l, l->n, entry_new(text, 0));
}

static int history_receive(struct call_entries *l, const struct sip_name_addr *a)
{
	char room[CALL_MAX_DIVERSION_ENTRY];
	struct sip_writer w;

	entry_writer(&w, room);
	write_head(&w, a);
	sip_write(&w, a->params.text);
	return sip_writer_ok(&w) ? history_push(l, written(&w)) : 0;
}

/* The hi-index of a value, copied to buf: digits and dots. Empty: none that can be used. */
static struct rs_str index_of(const struct sip_name_addr *a, char buf[CALL_MAX_HISTORY_INDEX])
{
	const struct sip_param *p = a ? sip_params_get(&a->params, RS_STR("index")) : NULL;
	struct rs_str s = p ? p->value : RS_STR_NULL;

	if (!s.len || s.len > CALL_MAX_HISTORY_INDEX || s.p[0] == '.' || s.p[s.len - 1] == '.')
		return RS_STR_NULL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
			return RS_STR_NULL;
	}
	memcpy(buf, s.p, s.len);
	return rs_str_n(buf, s.len);
}

/* Where the call is: the last entry's index; *same: its target is uri already. */
static struct rs_str history_at(const struct call_entries *l, struct rs_str uri, bool *same,
				char buf[CALL_MAX_HISTORY_INDEX])
{
	struct rs_str index;
	struct parsed p;

	*same = false;
	if (!l->n)
		return RS_STR_NULL;
	parse(&p, SIP_HDR_HISTORY_INFO, text_of(l->v[l->n - 1]));
	index = index_of(p.a, buf);
	*same = p.a && index.len && same_target(&p.a->uri, uri);
	parsed_end(&p);
	return index;
}

/*
 * <uri>;index=…: below parent, at place n of that level (RFC 7044 section 10.3); kind ("rc", "mp", "": none) names
 * what it came from. A parent that cannot be used starts anew at 1. false: too long.
 */
static bool write_history(struct sip_writer *w, struct rs_str uri, struct rs_str parent, uint32_t n, const char *kind)
{
	size_t start;

	sip_writez(w, "<");
	if (!write_target(w, uri))
		return false;
	sip_writez(w, ">;index=");
	start = w->len;
	if (parent.len) {
		sip_write(w, parent);
		sip_writez(w, ".");
	}
	sip_write_u64(w, n);
	if (w->len - start > CALL_MAX_HISTORY_INDEX)
		return false;
	if (kind[0] && parent.len) {
		sip_writez(w, ";");
		sip_writez(w, kind);
		sip_writez(w, "=");
		sip_write(w, parent);
	}
	return sip_writer_ok(w);
}

/* The Request-URI as an entry, when the sender has not written it; what is missing between shows as 0. */
static int history_begin(struct call_entries *l, struct rs_str uri)
{
	char room[CALL_MAX_DIVERSION_ENTRY], buf[CALL_MAX_HISTORY_INDEX], gap[CALL_MAX_HISTORY_INDEX + 2];
	struct rs_str index;
	struct sip_writer w;
	bool same;

	index = history_at(l, uri, &same, buf);
	if (same)
		return 0;
	if (index.len) {
		memcpy(gap, index.p, index.len);
		memcpy(gap + index.len, ".0", 2);
		index = rs_str_n(gap, index.len + 2);
	}
	entry_writer(&w, room);
	return write_history(&w, uri, index, 1, "") ? history_push(l, written(&w)) : 0;
}

/* What may stand in a URI's header value (RFC 3261 section 25.1, hnv-unreserved and unreserved); the rest is escaped.
 */
static void write_escaped(struct sip_writer *w, struct rs_str s)
{
	static const char hex[] = "0123456789ABCDEF", plain[] = "-_.!~*'()[]/?:+$";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (c < 0x80 && (isalnum(c) || memchr(plain, c, sizeof(plain) - 1)))
			sip_write(w, rs_str_n(s.p + i, 1));
		else
			sip_write(w, rs_str_n(escape, 3));
	}
}

static bool has_header(const struct sip_uri *u, const char *name)
{
	struct rs_str n, v;

	for (size_t pos = 0; sip_uri_next_header(u, &pos, &n, &v);) {
		if (rs_str_ieqz(n, name))
			return true;
	}
	return false;
}

/* Why the call left its last target, in the headers of that entry's URI (RFC 7044 sections 10.1 and 10.2). */
static void write_why(struct sip_writer *w, const struct sip_uri *u, const struct call_hop *hop)
{
	const char *sep = u->headers.len ? "&" : "?";
	char text[128];
	struct sip_writer reason;

	if (hop->status && !has_header(u, "Reason")) {
		sip_writer_init(&reason, text, sizeof(text));
		sip_writef(&reason, "SIP;cause=%u;text=", hop->status);
		sip_write_quoted(&reason, sip_reason_phrase(hop->status));
		sip_writez(w, sep);
		sip_writez(w, "Reason=");
		if (sip_writer_ok(&reason))
			write_escaped(w, written(&reason));
		sip_writer_fini(&reason);
		sep = "&";
	}
	if (hop->prohibited && !has_header(u, "Privacy")) {
		sip_writez(w, sep);
		sip_writez(w, "Privacy=history");
	}
}

/* The entry with why it was left, or, when it may not be shown and cannot say so (tel, too long), with nobody in it. */
static void write_left(struct sip_writer *w, const struct sip_name_addr *a, const struct call_hop *hop)
{
	const char *uri_end = a->uri.text.p + a->uri.text.len;

	w->failed = !sip_uri_is_sip(&a->uri);
	sip_write(w, rs_str_n(a->text.p, (size_t)(uri_end - a->text.p)));
	write_why(w, &a->uri, hop);
	sip_write(w, rs_str_n(uri_end, (size_t)(a->text.p + a->text.len - uri_end)));
	if (sip_writer_ok(w) || !hop->prohibited)
		return;
	w->len = 0;
	w->failed = false;
	sip_writez(w, nobody);
	sip_write(w, a->params.text);
}

/* The last entry is left. What cannot be written into it leaves it as it is. */
static int history_leave(struct call_entries *l, const struct call_hop *hop)
{
	struct call_entry **last = &l->v[l->n - 1], *e;
	char room[CALL_MAX_DIVERSION_ENTRY];
	struct sip_writer w;
	struct parsed p;
	bool changed;

	parse(&p, SIP_HDR_HISTORY_INFO, text_of(*last));
	entry_writer(&w, room);
	if (p.a)
		write_left(&w, p.a, hop);
	changed = p.a && sip_writer_ok(&w) && !rs_str_eq(written(&w), text_of(*last));
	parsed_end(&p);
	if (!changed)
		return 0;
	e = entry_new(written(&w), 0);
	if (!e)
		return -1;
	free(*last);
	*last = e;
	return 0;
}

/* The next target below the last entry. */
static int history_next(struct call_diversion *d, struct rs_str uri, const char *kind)
{
	char room[CALL_MAX_DIVERSION_ENTRY], buf[CALL_MAX_HISTORY_INDEX];
	struct rs_str index;
	struct sip_writer w;
	bool same;

	index = history_at(&d->history, uri, &same, buf);
	entry_writer(&w, room);
	if (!write_history(&w, uri, index, index.len ? d->branches + 1 : 1, kind))
		return 0;
	d->branches = 0;
	return history_push(&d->history, written(&w));
}

static int history_hop(struct call_diversion *d, const struct call_hop *hop)
{
	char buf[CALL_MAX_HISTORY_INDEX];
	bool same;

	history_at(&d->history, hop->from, &same, buf);
	if (!same) {
		if (history_next(d, hop->from, "rc"))
			return -1;
		history_at(&d->history, hop->from, &same, buf);
	}
	if (same && history_leave(&d->history, hop))
		return -1;
	return history_next(d, hop->to, "mp");
}

/* ---- the object ---- */

int call_diversion_from_request(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
				struct call_diversion *d)
{
	const struct sip_hdr_values *v = sip_msg_values(msg, SIP_HDR_DIVERSION, NULL);
	unsigned privacy = call_privacy_from(msg);
	int rc = 0;

	*d = (struct call_diversion){
		.is_private = (privacy & (CALL_PRIVACY_HISTORY | CALL_PRIVACY_HEADER | CALL_PRIVACY_SESSION)) != 0,
		.is_trusted = endpoint->trust_id_inbound,
	};
	for (uint32_t i = 0; v && i < v->n && !rc; i++)
		rc = diversion_receive(&d->diversion, &v->v.name_addr[i]);
	v = sip_msg_values(msg, SIP_HDR_HISTORY_INFO, NULL);
	for (uint32_t i = 0; v && i < v->n && !rc; i++)
		rc = history_receive(&d->history, &v->v.name_addr[i]);
	if (!rc)
		rc = history_begin(&d->history, msg->uri_text);
	if (rc)
		call_diversion_fini(d);
	return rc;
}

void call_diversion_fini(struct call_diversion *d)
{
	entries_fini(&d->diversion);
	entries_fini(&d->history);
	*d = (struct call_diversion){0};
}

bool call_diversion_any(const struct call_diversion *d)
{
	return d->diversion.n > 0 || d->history.n > 1;
}

uint32_t call_diversion_count(const struct call_diversion *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->diversion.n; i++)
		n += worth(d->diversion.v[i]);
	return n;
}

int call_diversion_add(struct call_diversion *d, const struct call_hop *hop)
{
	struct sip_uri u;

	if (sip_uri_parse(hop->from, &u) || sip_uri_parse(hop->to, &u)) {
		errno = EINVAL;
		return -1;
	}
	return diversion_hop(&d->diversion, hop) || history_hop(d, hop) ? -1 : 0;
}

/* ---- telling ---- */

/* An entry that says of itself that its target is nobody's business (RFC 5806 privacy, RFC 7044 section 10.1). */
static bool is_private(enum sip_hdr_id id, const struct sip_name_addr *a)
{
	const struct sip_param *p;
	struct rs_str name, value;

	if (id == SIP_HDR_DIVERSION) {
		p = sip_params_get(&a->params, RS_STR("privacy"));
		return p && !rs_str_ieqz(p->value, "off");
	}
	for (size_t pos = 0; sip_uri_next_header(&a->uri, &pos, &name, &value);) {
		if (rs_str_ieqz(name, "Privacy") && !rs_str_ieqz(value, "none"))
			return true;
	}
	return false;
}

static int add_entry(struct sip_tx_data *tx, enum sip_hdr_id id, const struct call_entry *e, bool trusted)
{
	char room[CALL_MAX_DIVERSION_ENTRY + 64];
	struct sip_writer w;
	int rc;

	sip_writer_init(&w, room, sizeof(room));
	if (trusted) {
		sip_write(&w, text_of(e));
	} else {
		struct parsed p;

		parse(&p, id, text_of(e));
		if (p.a && is_private(id, p.a)) {
			sip_writez(&w, nobody);
			sip_write(&w, p.a->params.text);
		} else if (p.a) {
			sip_write(&w, text_of(e));
		}
		parsed_end(&p);
	}
	if (id == SIP_HDR_DIVERSION && w.len && e->count)
		sip_writef(&w, ";counter=%u", e->count);
	rc = !w.len || !sip_writer_ok(&w) ? 0 : sip_tx_add_hdr(tx, id, written(&w));
	sip_writer_fini(&w);
	return rc;
}

static int add_diversions(const struct call_diversion *d, bool trusted, struct sip_tx_data *tx)
{
	for (uint32_t i = 0; i < d->diversion.n; i++) {
		if (add_entry(tx, SIP_HDR_DIVERSION, d->diversion.v[i], trusted))
			return -1;
	}
	return 0;
}

static int add_history(struct call_diversion *d, bool trusted, struct sip_tx_data *tx)
{
	char room[CALL_MAX_DIVERSION_ENTRY], buf[CALL_MAX_HISTORY_INDEX];
	struct rs_str index;
	struct sip_writer w;
	bool same, more;

	index = history_at(&d->history, sip_tx_uri(tx), &same, buf);
	entry_writer(&w, room);
	more = !same && write_history(&w, sip_tx_uri(tx), index, index.len ? d->branches + 1 : 1, "rc");
	if (more)
		d->branches++;
	for (uint32_t i = 0; i < d->history.n; i++) {
		if (i == 1 && more && d->history.n == CALL_MAX_DIVERSIONS)
			continue;
		if (add_entry(tx, SIP_HDR_HISTORY_INFO, d->history.v[i], trusted))
			return -1;
	}
	return more ? sip_tx_add_hdr(tx, SIP_HDR_HISTORY_INFO, written(&w)) : 0;
}

int call_diversion_add_headers(struct call_diversion *d, const struct ast_sip_endpoint_settings *endpoint,
			       struct sip_tx_data *tx)
{
	bool trusted = endpoint->trust_id_outbound;

	if (d->is_private && !(trusted && d->is_trusted))
		return 0;
	if (endpoint->send_diversion && add_diversions(d, trusted, tx))
		return -1;
	return endpoint->send_history_info ? add_history(d, trusted, tx) : 0;
}
