/* From lines to typed values: one driver for every header, one parser for each shape. */
#include "sip/msg.h"
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/* params: room taken for parameters beside a value; what has more takes more. */
static const struct {
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

/* The values of a header as they are written one after the other. */
struct filling {
	enum sip_hdr_id id;
	uint8_t shape;
	bool list;
	struct sip_store store;
	char *at;
	uint32_t n, cap;
};

/* No more values can stand in text than this. */
static uint32_t count_at_most(struct rs_str text)
{
	uint32_t n = 1;

	for (const char *p = rs_str_chr(text, ','); p; n++)
		p = memchr(p + 1, ',', (size_t)(text.p + text.len - p - 1));
	return n;
}

static inline void filling_init(struct filling *f, enum sip_hdr_id id)
{
	f->id = id;
	f->shape = sip_hdr_kinds[id].shape;
	f->list = (sip_hdr_kinds[id].flags & SIP_HDR_LIST) != 0;
	f->n = f->cap = 0;
}

/* The bytes of the values, for which cap is known. */
static inline size_t values_size(struct filling *f)
{
	if (f->cap > sip_limits.values)
		f->cap = sip_limits.values;
	return (size_t)f->cap * shapes[f->shape].size;
}

/* All values of one line. An empty list (Accept, Supported, Allow) is no value at all. */
static int fill_line(struct filling *f, struct sip_cur c)
{
	bool lenient = f->list && f->shape == SIP_SHAPE_TOKEN;
	size_t size = shapes[f->shape].size;

	for (;;) {
		cur_lws(&c);
		if (lenient && (cur_end(&c) || cur_at(&c, ','))) {
			if (cur_end(&c))
				return 0;
			c.p++;
			continue;
		}
		if (f->n == f->cap || shapes[f->shape].parse(&c, f->id, &f->store, f->at + f->n * size))
			return -1;
		f->n++;
		cur_lws(&c);
		if (cur_end(&c))
			return 0;
		if (!f->list || !cur_take(&c, ','))
			return -1;
	}
}

/* The cursor over one line without its folds. -1: no memory. */
static inline int line_cur(struct filling *f, struct rs_str line, struct sip_cur *c)
{
	struct rs_str s = sip_unfold(&f->store, line);

	*c = cur_of(s);
	return !s.p && line.len ? -1 : 0;
}

static void finish(struct sip_hdr_values *out, const struct filling *f)
{
	out->shape = (enum sip_hdr_shape)f->shape;
	out->n = f->n;
	/* Every member of the union is a pointer to the array's first element. */
	out->v.text = (const struct sip_text *)(const void *)f->at;
}

int sip_hdr_parse(enum sip_hdr_id id, struct rs_str value, struct rs_arena *arena, struct sip_hdr_values *out)
{
	struct filling f;
	struct sip_cur c;
	size_t size;

	if (id >= SIP_HDR_N || value.len > sip_limits.line)
		return -1;
	filling_init(&f, id);
	f.cap = f.list ? count_at_most(value) : 1;
	size = values_size(&f);
	sip_store_open(&f.store, arena, size + shapes[f.shape].params * sizeof(struct sip_param));
	f.at = sip_store_alloc(&f.store, size);
	if (!f.at || line_cur(&f, value, &c) || fill_line(&f, c))
		return -1;
	finish(out, &f);
	return 0;
}

/* What typed[id] holds for a header that breaks its grammar, so that it is tried once only. */
static struct sip_hdr_values bad_values;

/* The values of all lines from h on. */
static int fill_lines(struct filling *f, const struct sip_msg *msg, const struct sip_hdr *h)
{
	for (; h; h = sip_msg_next(msg, h)) {
		struct sip_cur c = cur_of(h->value);

		if (!h->folded)
			c.safe = msg->bytes.p + msg->bytes.len;
		else if (line_cur(f, h->value, &c))
			return -1;
		if (fill_line(f, c))
			return -1;
	}
	return 0;
}

/* out, with its values behind it. NULL: no memory. */
static struct sip_hdr_values *make_room(struct filling *f)
{
	size_t head = sip_store_round(sizeof(struct sip_hdr_values));
	struct sip_hdr_values *out = sip_store_alloc(&f->store, head + values_size(f));

	f->at = out ? (char *)out + head : NULL;
	return out;
}

/* The one value that most headers have. NULL: bad, or not the only one. */
static inline struct sip_hdr_values *parse_single(struct filling *f, const struct sip_msg *msg, struct rs_str value)
{
	struct sip_cur c = {value.p, value.p + value.len, msg->bytes.p + msg->bytes.len};
	struct sip_hdr_values *out;

	f->n = f->cap = 1;
	out = make_room(f);
	if (!out || shapes[f->shape].parse(&c, f->id, &f->store, f->at))
		return NULL;
	cur_lws(&c);
	return cur_end(&c) ? out : NULL;
}

static struct sip_hdr_values *parse_all(struct filling *f, const struct sip_msg *msg, const struct sip_hdr *first)
{
	struct sip_hdr_values *out;

	f->n = f->cap = 0;
	for (const struct sip_hdr *h = first; h && f->cap <= sip_limits.values; h = sip_msg_next(msg, h))
		f->cap += f->list ? count_at_most(h->value) : 1;
	out = make_room(f);
	return out && fill_lines(f, msg, first) == 0 ? out : NULL;
}

static struct sip_hdr_values *parse(struct sip_msg *msg, enum sip_hdr_id id, bool own)
{
	const struct sip_hdr *h = sip_msg_first(msg, id);
	struct sip_hdr_values *out = NULL;
	bool tokens, single;
	struct filling f;
	char *start;

	filling_init(&f, id);
	tokens = f.list && f.shape == SIP_SHAPE_TOKEN;
	single = !h->next && !h->folded && !tokens;
	if (own) {
		sip_store_open_rest(&f.store, msg->arena);
	} else {
		uint32_t n = tokens ? 4 : 1;

		sip_store_open(&f.store, msg->arena,
			       sip_store_round(sizeof(*out)) + (size_t)n * shapes[f.shape].size +
				       shapes[f.shape].params * sizeof(struct sip_param));
	}
	start = f.store.at;
	if (single)
		out = parse_single(&f, msg, h->value);
	if (!out) {
		f.store.at = start;
		/* A value that cannot be read is bad wherever it stands. */
		out = single && !f.list ? NULL : parse_all(&f, msg, h);
	}
	sip_store_close(&f.store);
	if (!out)
		return &bad_values;
	finish(out, &f);
	return out;
}

const struct sip_hdr_values *sip_msg_type_own(struct sip_msg *msg, enum sip_hdr_id id)
{
	struct sip_hdr_values *values = atomic_load_explicit(&msg->typed[id], memory_order_relaxed);

	if (!values) {
		values = parse(msg, id, true);
		atomic_store_explicit(&msg->typed[id], values, memory_order_relaxed);
	}
	return values == &bad_values ? NULL : values;
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
		values = parse(msg, id, false);
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
