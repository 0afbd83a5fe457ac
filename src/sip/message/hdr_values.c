/* From lines to typed values: one driver for every header, one parser for each shape. */
#include "sip/msg.h"
#include "sip/message/grammar.h"
#include "sip/message/hdr_table.h"
#include "sip/message/limits.h"

/* params: room taken for parameters beside a value; what has more takes more. */
static const struct shape {
	uint16_t size, params;
	sip_shape_parse *parse;
} shapes[] = {
	[SIP_SHAPE_TEXT] = {sizeof(struct sip_text), 0, sip_parse_text},
	[SIP_SHAPE_NUMBER] = {sizeof(struct sip_number), 0, sip_parse_number},
	[SIP_SHAPE_CSEQ] = {sizeof(struct sip_cseq), 0, sip_parse_cseq},
	[SIP_SHAPE_VIA] = {sizeof(struct sip_via), 4, sip_parse_via},
	[SIP_SHAPE_NAME_ADDR] = {sizeof(struct sip_name_addr), 4, sip_parse_name_addr},
	[SIP_SHAPE_TOKEN] = {sizeof(struct sip_token_params), 0, sip_parse_token},
	[SIP_SHAPE_AUTH] = {sizeof(struct sip_auth), 12, sip_parse_auth},
	[SIP_SHAPE_AUTH_PARAMS] = {sizeof(struct sip_auth), 6, sip_parse_auth_params},
	[SIP_SHAPE_URI_PARAMS] = {sizeof(struct sip_name_addr), 1, sip_parse_uri_params},
	[SIP_SHAPE_DATE] = {sizeof(struct sip_date), 0, sip_parse_date},
	[SIP_SHAPE_WARNING] = {sizeof(struct sip_warning), 0, sip_parse_warning},
	[SIP_SHAPE_TIMESTAMP] = {sizeof(struct sip_timestamp), 0, sip_parse_timestamp},
	[SIP_SHAPE_CALL_ID] = {sizeof(struct sip_text), 0, sip_parse_call_id},
};

/* No more values can stand in text than this. */
static uint32_t count_at_most(struct rs_str text)
{
	const char *end = text.len ? text.p + text.len : text.p;
	uint32_t n = 1;

	for (const char *p = text.p; (p = sip_find(p, end, end, ',')) != end; p++)
		n++;
	return n;
}

/* The values of a header as they are written one after the other. */
struct filling {
	enum sip_hdr_id id;
	const struct shape *shape;
	bool list, tokens;
	struct sip_store *store;
	char *at;
	uint32_t n, cap;
};

static inline void filling_init(struct filling *f, enum sip_hdr_id id, struct sip_store *store)
{
	struct sip_hdr_kind kind = sip_hdr_kinds[id];

	f->id = id;
	f->shape = &shapes[kind.shape];
	f->list = (kind.flags & SIP_HDR_LIST) != 0;
	f->tokens = f->list && kind.shape == SIP_SHAPE_TOKEN;
	f->store = store;
	f->n = f->cap = 0;
}

/* The bytes of the values, for which cap is known. */
static inline size_t values_size(struct filling *f)
{
	if (f->cap > sip_limits.values)
		f->cap = sip_limits.values;
	return (size_t)f->cap * f->shape->size;
}

/* All values of one line. An empty list (Accept, Supported, Allow) is no value at all. */
static int fill_line(struct filling *f, struct sip_cur *c)
{
	for (;;) {
		cur_lws(c);
		if (f->tokens && (cur_end(c) || cur_at(c, ','))) {
			if (cur_end(c))
				return 0;
			c->p++;
			continue;
		}
		if (f->n == f->cap || f->shape->parse(c, f->id, f->store, f->at + (size_t)f->n * f->shape->size))
			return -1;
		f->n++;
		cur_lws(c);
		if (cur_end(c))
			return 0;
		if (!f->list || !cur_take(c, ','))
			return -1;
	}
}

/* The cursor over one line without its folds. -1: no memory. */
static int line_cur(struct filling *f, struct rs_str line, struct sip_cur *c)
{
	struct rs_str s = sip_unfold(f->store, line);

	*c = cur_of(s);
	return !s.p && line.len ? -1 : 0;
}

static inline void finish(struct sip_hdr_values *out, enum sip_hdr_id id, uint32_t n, const void *values)
{
	out->shape = (enum sip_hdr_shape)sip_hdr_kinds[id].shape;
	out->n = n;
	/* Every member of the union is a pointer to the array's first element. */
	out->v.text = values;
}

int sip_hdr_parse(enum sip_hdr_id id, struct rs_str value, struct rs_arena *arena, struct sip_hdr_values *out)
{
	struct sip_store store;
	struct filling f;
	struct sip_cur c;
	size_t size;

	if (id >= SIP_HDR_N || value.len > sip_limits.line)
		return -1;
	filling_init(&f, id, &store);
	f.cap = f.list ? count_at_most(value) : 1;
	size = values_size(&f);
	sip_store_open(&store, arena, size + f.shape->params * sizeof(struct sip_param));
	f.at = sip_store_alloc(&store, size);
	if (!f.at || line_cur(&f, value, &c) || fill_line(&f, &c))
		return -1;
	finish(out, id, f.n, f.at);
	return 0;
}

/* What typed[id] holds for a header that breaks its grammar, so that it is tried once only. */
static struct sip_hdr_values bad_values;

/* Bytes before the values; the struct is a multiple of what they are aligned to. */
#define HEAD sizeof(struct sip_hdr_values)
_Static_assert(HEAD % SIP_STORE_ALIGN == 0, "values stand right behind");

static inline const char *message_end(const struct sip_msg *msg)
{
	return msg->bytes.p + msg->bytes.len;
}

/* The values of all lines from h on. */
static struct sip_hdr_values *parse_lines(const struct sip_msg *msg, enum sip_hdr_id id, const struct sip_hdr *first,
					  struct sip_store *store)
{
	struct sip_hdr_values *out;
	struct filling f;

	filling_init(&f, id, store);
	for (const struct sip_hdr *h = first; h && f.cap <= sip_limits.values; h = sip_msg_next(msg, h))
		f.cap += f.list ? count_at_most(h->value) : 1;
	out = sip_store_alloc(store, HEAD + values_size(&f));
	if (!out)
		return NULL;
	f.at = (char *)out + HEAD;
	for (const struct sip_hdr *h = first; h; h = sip_msg_next(msg, h)) {
		struct sip_cur c = cur_of(h->value);

		if (!h->folded)
			c.safe = message_end(msg);
		else if (line_cur(&f, h->value, &c))
			return NULL;
		if (fill_line(&f, &c))
			return NULL;
	}
	finish(out, id, f.n, f.at);
	return out;
}

/* NULL: bad, or no memory. */
static struct sip_hdr_values *parse(const struct sip_msg *msg, enum sip_hdr_id id, struct sip_store *store)
{
	const struct sip_hdr *h = sip_msg_first(msg, id);
	struct sip_hdr_kind kind = sip_hdr_kinds[id];
	const struct shape *shape = &shapes[kind.shape];
	struct sip_hdr_values *out;
	char *start = store->at;
	struct sip_cur c;

	/* Lists of tokens nearly always have several values, and others one. */
	if (h->next || h->folded || (kind.shape == SIP_SHAPE_TOKEN && (kind.flags & SIP_HDR_LIST)))
		return parse_lines(msg, id, h, store);
	c = (struct sip_cur){h->value.p, h->value.p + h->value.len, message_end(msg)};
	out = sip_store_alloc(store, HEAD + shape->size);
	if (!out || shape->parse(&c, id, store, (char *)out + HEAD))
		return NULL;
	cur_lws(&c);
	if (cur_end(&c)) {
		finish(out, id, 1, (char *)out + HEAD);
		return out;
	}
	if (!cur_at(&c, ',') || !(kind.flags & SIP_HDR_LIST))
		return NULL;
	store->at = start;
	return parse_lines(msg, id, h, store);
}

const struct sip_hdr_values *sip_msg_type_own(struct sip_msg *msg, enum sip_hdr_id id, struct sip_store *store)
{
	struct sip_hdr_values *values = atomic_load_explicit(&msg->typed[id], memory_order_relaxed);

	if (!values) {
		values = parse(msg, id, store);
		atomic_store_explicit(&msg->typed[id], values ? values : &bad_values, memory_order_relaxed);
	}
	return values == &bad_values ? NULL : values;
}

const struct sip_hdr_values *sip_msg_typed(const struct sip_msg *msg, enum sip_hdr_id id)
{
	void *seen = msg->first[id] ? atomic_load_explicit(&msg->typed[id], memory_order_acquire) : NULL;

	return seen == &bad_values ? NULL : seen;
}

static struct sip_hdr_values *parse_shared(struct sip_msg *msg, enum sip_hdr_id id)
{
	const struct shape *shape = &shapes[sip_hdr_kinds[id].shape];
	unsigned n = sip_hdr_kinds[id].shape == SIP_SHAPE_TOKEN ? 4 : 1;
	struct sip_hdr_values *out;
	struct sip_store store;

	sip_store_open(&store, msg->arena, HEAD + n * shape->size + shape->params * sizeof(struct sip_param));
	out = parse(msg, id, &store);
	return out ? out : &bad_values;
}

const struct sip_hdr_values *sip_msg_values(struct sip_msg *msg, enum sip_hdr_id id, bool *bad)
{
	struct sip_hdr_values *values;
	void *seen;

	if (bad)
		*bad = false;
	if (id == SIP_HDR_OTHER || id >= SIP_HDR_N || !msg->first[id])
		return NULL;
	seen = atomic_load_explicit(&msg->typed[id], memory_order_acquire);
	if (!seen) {
		values = parse_shared(msg, id);
		/* Another thread may have been faster; then its result is everybody's. */
		if (atomic_compare_exchange_strong_explicit(&msg->typed[id], &seen, values, memory_order_acq_rel,
							    memory_order_acquire))
			seen = values;
	}
	if (seen == &bad_values) {
		if (bad)
			*bad = true;
		return NULL;
	}
	return seen;
}
