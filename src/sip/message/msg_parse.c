/* One pass over a message: the index of its headers and the fields that route it. */
#include "sip/msg.h"
#include "sip/message/flaw.h"
#include "sip/message/grammar.h"
#include "sip/message/hdr_table.h"
#include "sip/message/limits.h"
#include "sip/message/lines.h"

struct sip_msg_limits sip_limits = {
	.msg = SIP_MAX_MSG,
	.hdrs = SIP_MAX_HDRS,
	.line = SIP_MAX_LINE,
	.values = SIP_MAX_VALUES,
	.params = SIP_MAX_PARAMS,
	.uri = SIP_MAX_URI,
	.parts = SIP_MAX_PARTS,
};

static void set_limit(uint32_t *limit, uint32_t value, uint32_t most)
{
	if (value)
		*limit = value < most ? value : most;
}

void sip_msg_set_limits(const struct sip_msg_limits *limits)
{
	/* The constants are also the most: arrays on the stack and 16-bit indices are made for them. */
	set_limit(&sip_limits.msg, limits->msg, SIP_MAX_MSG);
	set_limit(&sip_limits.hdrs, limits->hdrs, SIP_MAX_HDRS);
	set_limit(&sip_limits.line, limits->line, SIP_MAX_LINE);
	set_limit(&sip_limits.values, limits->values, SIP_MAX_VALUES);
	set_limit(&sip_limits.params, limits->params, SIP_MAX_PARAMS);
	set_limit(&sip_limits.uri, limits->uri, SIP_MAX_URI);
	set_limit(&sip_limits.parts, limits->parts, SIP_MAX_PARTS);
}

_Static_assert(SIP_MAX_HDRS < UINT16_MAX, "sip_msg.first counts in 16 bits");

/* Lines that there is room for where the arena has none for more. */
#define MORE_HDRS 64

struct index {
	struct sip_msg *msg;
	struct sip_hdr *v;
	uint32_t n, cap;
	bool via_ok;              /* the top Via can be answered to */
	uint16_t last[SIP_HDR_N]; /* where first is set: index + 1 of the last line */

	/* The first flaw of the lines, and how many stood before it; what the values are looked at for comes later. */
	enum sip_msg_flaw flaw;
	enum sip_hdr_id flaw_header;
	uint16_t flaw_status;
	uint32_t flaw_at;
};

/* ---- the start line ---- */

/* "SIP/2.0" in any case. 0; 1: another version; -1: something else. */
static int check_version(struct rs_str s)
{
	struct sip_cur c = cur_of(s);
	uint64_t major, minor;

	if (rs_str_eq(s, RS_STR("SIP/2.0")))
		return 0;
	if (s.len < 7 || !SIP_IS(rs_str_n(s.p, 4), "sip/"))
		return -1;
	c.p += 4;
	if (!cur_number(&c, UINT32_MAX, &major) || !cur_take(&c, '.') || !cur_number(&c, UINT32_MAX, &minor) ||
	    !cur_end(&c))
		return -1;
	return major == 2 && minor == 0 ? 0 : 1;
}

/* Method SP Request-URI SP SIP-Version, one blank each. -1: nothing that could be a request. */
static int parse_request_line(struct sip_msg *msg, struct rs_str s)
{
	struct sip_cur c = cur_of(s);
	const char *space = memrchr(s.p, ' ', s.len);
	int version;

	msg->is_request = true;
	msg->method_text = cur_span(&c, C_TOKEN);
	if (msg->method_text.len == 0 || !cur_take(&c, ' '))
		return -1;
	msg->method = sip_method_from_name(msg->method_text);
	if (space < c.p) {
		msg->uri_text = rs_str_n(c.p, (size_t)(c.end - c.p));
		sip_msg_flaw(msg, SIP_FLAW_START_LINE, SIP_HDR_OTHER, 400);
		return 0;
	}
	msg->uri_text = rs_str_n(c.p, (size_t)(space - c.p));
	version = check_version(rs_str_n(space + 1, (size_t)(c.end - space - 1)));
	if (version > 0)
		sip_msg_flaw(msg, SIP_FLAW_VERSION, SIP_HDR_OTHER, 505);
	else if (version < 0 || msg->uri_text.len == 0 || memchr(msg->uri_text.p, ' ', msg->uri_text.len) ||
		 memchr(msg->uri_text.p, '\t', msg->uri_text.len))
		sip_msg_flaw(msg, SIP_FLAW_START_LINE, SIP_HDR_OTHER, 400);
	else if (msg->uri_text.len > sip_limits.uri)
		sip_msg_flaw(msg, SIP_FLAW_LIMIT, SIP_HDR_OTHER, 414);
	return 0;
}

/* SIP-Version SP Status-Code SP Reason-Phrase; the last blank may be missing. */
static int parse_status_line(struct sip_msg *msg, struct rs_str s)
{
	const char *space = rs_str_chr(s, ' ');
	struct sip_cur c = cur_of(s);
	const char *digits;
	uint64_t status;
	int version;

	version = check_version(rs_str_n(s.p, space ? (size_t)(space - s.p) : s.len));
	if (version < 0 || !space)
		return -1;
	if (version > 0)
		sip_msg_flaw(msg, SIP_FLAW_VERSION, SIP_HDR_OTHER, 0);
	digits = c.p = space + 1;
	if (cur_number(&c, UINT16_MAX, &status) != 1 || c.p - digits != 3 || status < 100 || status > 699 ||
	    (!cur_end(&c) && !cur_take(&c, ' '))) {
		sip_msg_flaw(msg, SIP_FLAW_STATUS, SIP_HDR_OTHER, 0);
		return 0;
	}
	msg->status = (uint16_t)status;
	msg->reason = rs_str_n(c.p, (size_t)(c.end - c.p));
	return 0;
}

static int parse_start_line(struct sip_msg *msg, const char *p, const char *after, bool bad)
{
	struct rs_str s = rs_str_n(p, (size_t)(after - p - 2));
	int rc;

	msg->start_line = rs_str_n(p, (size_t)(after - p));
	if (s.len >= 4 && SIP_IS(rs_str_n(s.p, 4), "sip/"))
		rc = parse_status_line(msg, s);
	else
		rc = s.len ? parse_request_line(msg, s) : -1;
	if (rc == 0 && bad)
		sip_msg_flaw(msg, SIP_FLAW_START_LINE, SIP_HDR_OTHER, 400);
	return rc;
}

/* ---- headers ---- */

/* The slot for the next line, or NULL without memory. It counts once n is raised. */
static struct sip_hdr *index_slot(struct index *ix)
{
	if (ix->n == ix->cap) {
		uint32_t cap = 2 * ix->n + MORE_HDRS;
		struct sip_hdr *v = rs_arena_alloc(ix->msg->arena, cap * sizeof(*v));

		if (!v)
			return NULL;
		if (ix->n)
			memcpy(v, ix->v, ix->n * sizeof(*v));
		ix->v = v;
		ix->cap = cap;
	}
	return &ix->v[ix->n];
}

static void line_flaw(struct index *ix, enum sip_msg_flaw flaw, enum sip_hdr_id id, uint16_t status)
{
	if (ix->flaw)
		return;
	ix->flaw = flaw;
	ix->flaw_header = id;
	ix->flaw_status = status;
	ix->flaw_at = ix->n;
}

/* Takes the line in the next slot into the index. */
static inline void note_line(struct index *ix, struct sip_hdr *h)
{
	struct sip_msg *msg = ix->msg;
	enum sip_hdr_id id;
	uint16_t *first;

	if (ix->n == sip_limits.hdrs || h->line.len > sip_limits.line) {
		line_flaw(ix, SIP_FLAW_LIMIT, SIP_HDR_OTHER, 513);
		return;
	}
	id = sip_hdr_lookup(h->name);
	h->id = id;
	h->next = 0;
	ix->n++;
	if (id == SIP_HDR_OTHER)
		return;
	first = &msg->first[id];
	if (!*first) {
		*first = (uint16_t)ix->n;
		atomic_init(&msg->typed[id], NULL);
	} else {
		ix->v[ix->last[id] - 1].next = (uint16_t)ix->n;
		if ((sip_hdr_flags(id) & SIP_HDR_ONCE) && !rs_str_eq(h->value, ix->v[*first - 1].value))
			line_flaw(ix, id == SIP_HDR_CONTENT_LENGTH ? SIP_FLAW_LENGTH : SIP_FLAW_DUPLICATE, id, 400);
	}
	ix->last[id] = (uint16_t)ix->n;
}

/* The header section. *body is behind it, NULL when its end is missing. -1: no memory. */
static int parse_headers(struct index *ix, const char *p, const char *end, const char **body)
{
	for (;;) {
		struct sip_hdr *slot = index_slot(ix);
		enum sip_line_end how;

		if (!slot)
			return -1;
		if (sip_line_take_usual(&p, end, slot)) {
			note_line(ix, slot);
			continue;
		}
		how = sip_line_next(&p, end, slot);
		if (how == SIP_LINE_BAD)
			line_flaw(ix, SIP_FLAW_HEADER, SIP_HDR_OTHER, 400);
		if (how == SIP_LINE_OK || (how == SIP_LINE_BAD && slot->name.len)) {
			note_line(ix, slot);
		} else if (how != SIP_LINE_BAD) {
			*body = how == SIP_LINE_EMPTY ? p : NULL;
			return 0;
		}
	}
}

/* The index is written where it stays: at the start of what the arena has left, as long as that lasts. */
static void index_start(struct index *ix, struct sip_msg *msg, const struct sip_store *store)
{
	ix->msg = msg;
	ix->v = (struct sip_hdr *)(void *)store->at;
	ix->n = 0;
	ix->cap = (uint32_t)((size_t)(store->end - store->at) / sizeof(*ix->v));
	ix->via_ok = false;
	ix->flaw = SIP_FLAW_NONE;
	ix->flaw_header = SIP_HDR_OTHER;
	ix->flaw_status = 0;
	ix->flaw_at = 0;
}

static void index_keep(const struct index *ix, struct sip_store *store)
{
	ix->msg->n_hdrs = ix->n;
	ix->msg->hdrs = ix->v;
	if ((char *)ix->v == store->at)
		sip_store_taken(store, ix->n * sizeof(*ix->v));
}

/* ---- the fields that route a message ---- */

/* In the message itself, not in a copy without folds. */
static bool as_received(const struct sip_msg *msg, struct rs_str s)
{
	return !s.p || (s.p >= msg->bytes.p && s.p < msg->bytes.p + msg->bytes.len);
}

/*
 * The top Via, From, To and CSeq are typed here for everybody who asks later. What their grammars refuse is still read
 * as far as it goes: it tells where an answer goes and which transaction is meant.
 */
static bool route_via(struct sip_msg *msg, struct rs_str value, struct sip_store *store)
{
	const struct sip_hdr_values *v = sip_msg_type_own(msg, SIP_HDR_VIA, store);
	struct sip_via via;

	if (v && as_received(msg, v->v.via[0].branch)) {
		msg->top_branch = v->v.via[0].branch;
		return true;
	}
	if (sip_via_scan(value, &via))
		return false;
	msg->top_branch = via.branch;
	return true;
}

static struct rs_str route_tag(struct sip_msg *msg, enum sip_hdr_id id, struct rs_str value, struct sip_store *store)
{
	const struct sip_hdr_values *v = sip_msg_type_own(msg, id, store);

	return v && as_received(msg, v->v.name_addr[0].tag) ? v->v.name_addr[0].tag : sip_tag_scan(value);
}

static int route_cseq(struct sip_msg *msg, struct rs_str value, struct sip_store *store)
{
	const struct sip_hdr_values *v = sip_msg_type_own(msg, SIP_HDR_CSEQ, store);

	if (!v || !as_received(msg, v->v.cseq[0].method))
		return sip_cseq_scan(value, &msg->cseq, &msg->cseq_method);
	msg->cseq = v->v.cseq[0].num;
	msg->cseq_method = v->v.cseq[0].method;
	return 0;
}

/* Reads the header from its first line. false: its value is bad. */
static bool route_by(struct index *ix, enum sip_hdr_id id, struct rs_str value, struct sip_store *store)
{
	struct sip_msg *msg = ix->msg;
	uint32_t n;

	switch (id) {
	case SIP_HDR_CALL_ID:
		msg->call_id = value;
		return sip_call_id_ok(value);
	case SIP_HDR_FROM:
		msg->from_tag = route_tag(msg, id, value, store);
		return true;
	case SIP_HDR_TO:
		msg->to_tag = route_tag(msg, id, value, store);
		return true;
	case SIP_HDR_CSEQ:
		return route_cseq(msg, value, store) == 0;
	case SIP_HDR_VIA:
		ix->via_ok = route_via(msg, value, store);
		return ix->via_ok;
	case SIP_HDR_MAX_FORWARDS:
		return sip_msg_type_own(msg, id, store) || sip_content_length(value, &n) != 0;
	default:
		msg->has_content_length = sip_content_length(value, &msg->content_length) != 0;
		return msg->has_content_length;
	}
}

/* All of them, and the flaws so far in the order of the lines. */
static void read_routing(struct index *ix, struct sip_store *store)
{
	static const enum sip_hdr_id routing[] = {SIP_HDR_VIA,           SIP_HDR_FROM, SIP_HDR_TO,
						  SIP_HDR_CALL_ID,       SIP_HDR_CSEQ, SIP_HDR_MAX_FORWARDS,
						  SIP_HDR_CONTENT_LENGTH};
	struct sip_msg *msg = ix->msg;
	uint32_t before = ix->flaw ? ix->flaw_at : UINT32_MAX;
	enum sip_hdr_id bad = SIP_HDR_OTHER;

	for (size_t i = 0; i < RS_ARRAY_SIZE(routing); i++) {
		enum sip_hdr_id id = routing[i];
		uint32_t line = msg->first[id];

		if (line && !route_by(ix, id, msg->hdrs[line - 1].value, store) && line <= before) {
			bad = id;
			before = line - 1;
		}
	}
	if (bad)
		sip_msg_flaw(msg, bad == SIP_HDR_CONTENT_LENGTH ? SIP_FLAW_LENGTH : SIP_FLAW_VALUE, bad, 400);
	else if (ix->flaw)
		sip_msg_flaw(msg, ix->flaw, ix->flaw_header, ix->flaw_status);
}

/* ---- what only the whole can tell ---- */

static void check_mandatory(struct sip_msg *msg)
{
	static const enum sip_hdr_id needed[] = {SIP_HDR_VIA, SIP_HDR_FROM, SIP_HDR_TO, SIP_HDR_CALL_ID, SIP_HDR_CSEQ};

	for (size_t i = 0; i < RS_ARRAY_SIZE(needed); i++) {
		if (!msg->first[needed[i]])
			sip_msg_flaw(msg, SIP_FLAW_MISSING, needed[i], 400);
	}
	if (!msg->is_request)
		msg->method = sip_method_from_name(msg->cseq_method);
	else if (msg->first[SIP_HDR_CSEQ] && !rs_str_eq(msg->method_text, msg->cseq_method))
		sip_msg_flaw(msg, SIP_FLAW_CSEQ_METHOD, SIP_HDR_CSEQ, msg->method == SIP_METHOD_OTHER ? 501 : 400);
}

/* The body, once its start is known. PARTIAL only for a stream. */
static enum sip_parse_result take_body(struct sip_msg *msg, const char *body, const char *end, bool stream)
{
	size_t rest = (size_t)(end - body), head = (size_t)(body - msg->start_line.p);
	size_t length = msg->has_content_length ? msg->content_length : stream ? 0 : rest;

	if (head > sip_limits.msg || length > sip_limits.msg - head) {
		bool cut = !stream && head <= sip_limits.msg && msg->has_content_length && rest <= sip_limits.msg;

		/* A datagram that promises more than there can be is short, not long. */
		sip_msg_flaw(msg, cut ? SIP_FLAW_LENGTH : SIP_FLAW_LIMIT, SIP_HDR_CONTENT_LENGTH, cut ? 400 : 513);
		rest = stream ? 0 : rest;
	} else if (msg->flaw == SIP_FLAW_LENGTH) {
		rest = stream ? 0 : rest;
	} else if (msg->has_content_length && msg->content_length > rest) {
		if (stream)
			return SIP_PARSE_PARTIAL;
		sip_msg_flaw(msg, SIP_FLAW_LENGTH, SIP_HDR_CONTENT_LENGTH, 400);
	} else if (msg->has_content_length) {
		rest = msg->content_length;
	} else if (stream) {
		rest = 0;
	}
	if (!msg->has_content_length)
		msg->content_length = (uint32_t)rest;
	msg->body = rs_str_n(body, rest);
	msg->bytes = rs_str_n(msg->start_line.p, (size_t)(body + rest - msg->start_line.p));
	return SIP_PARSE_DONE;
}

/*
 * A request with a flaw is answered when its Via tells how; and when it has none at all but all that a response must
 * echo, so that the sender of something close to SIP learns of it. Anything else is noise.
 */
static bool answerable(const struct index *ix)
{
	const struct sip_msg *msg = ix->msg;

	if (!msg->is_request || ix->via_ok)
		return true;
	return !msg->first[SIP_HDR_VIA] && msg->first[SIP_HDR_FROM] && msg->first[SIP_HDR_TO] &&
	       msg->first[SIP_HDR_CALL_ID];
}

enum sip_parse_result sip_msg_parse(struct sip_msg *msg, struct rs_arena *arena, struct rs_str bytes, bool stream,
				    size_t *consumed)
{
	const char *p = bytes.p ? bytes.p : "", *end = p + bytes.len, *after, *body;
	enum sip_parse_result rc;
	bool bad_line = false, lost;
	struct sip_store store;
	struct index ix;

	/* typed[id] is cleared when first[id] is set. */
	memset(msg, 0, offsetof(struct sip_msg, typed));
	atomic_init(&msg->typed_extra, NULL);
	msg->arena = arena;
	msg->bytes = bytes;
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	after = sip_line_find_end(p, end, &bad_line);
	if (!after)
		return stream && bytes.len <= sip_limits.msg ? SIP_PARSE_PARTIAL : SIP_PARSE_BAD;
	if (parse_start_line(msg, p, after, bad_line))
		return SIP_PARSE_BAD;
	sip_store_open_rest(&store, arena);
	index_start(&ix, msg, &store);
	lost = parse_headers(&ix, after, end, &body) != 0;
	if (!lost) {
		index_keep(&ix, &store);
		read_routing(&ix, &store);
	}
	sip_store_close(&store);
	if (lost)
		return SIP_PARSE_BAD;
	if (!body) {
		if (stream)
			return bytes.len <= sip_limits.msg ? SIP_PARSE_PARTIAL : SIP_PARSE_BAD;
		sip_msg_flaw(msg, SIP_FLAW_HEADER, SIP_HDR_OTHER, 400);
		body = end;
	}
	check_mandatory(msg);
	rc = take_body(msg, body, end, stream);
	if (rc != SIP_PARSE_DONE)
		return rc;
	if (msg->flaw && !answerable(&ix))
		return SIP_PARSE_BAD;
	if (consumed)
		*consumed = (size_t)(msg->bytes.p + msg->bytes.len - (end - bytes.len));
	return SIP_PARSE_DONE;
}
