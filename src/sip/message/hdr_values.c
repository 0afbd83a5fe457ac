/* From lines to typed values: one driver for every header, one parser for each shape. */
#include "sip/msg.h"
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

#include <errno.h>
#include <stdalign.h>

static const struct {
	size_t size;
	sip_shape_parse *parse;
} shapes[] = {
	[SIP_SHAPE_TEXT] = {sizeof(struct sip_text), sip_parse_text},
	[SIP_SHAPE_NUMBER] = {sizeof(struct sip_number), sip_parse_number},
	[SIP_SHAPE_CSEQ] = {sizeof(struct sip_cseq), sip_parse_cseq},
	[SIP_SHAPE_VIA] = {sizeof(struct sip_via), sip_parse_via},
	[SIP_SHAPE_NAME_ADDR] = {sizeof(struct sip_name_addr), sip_parse_name_addr},
	[SIP_SHAPE_TOKEN] = {sizeof(struct sip_token_params), sip_parse_token},
	[SIP_SHAPE_AUTH] = {sizeof(struct sip_auth), sip_parse_auth},
	[SIP_SHAPE_AUTH_PARAMS] = {sizeof(struct sip_auth), sip_parse_auth_params},
	[SIP_SHAPE_URI_PARAMS] = {sizeof(struct sip_name_addr), sip_parse_uri_params},
	[SIP_SHAPE_DATE] = {sizeof(struct sip_date), sip_parse_date},
	[SIP_SHAPE_WARNING] = {sizeof(struct sip_warning), sip_parse_warning},
	[SIP_SHAPE_TIMESTAMP] = {sizeof(struct sip_timestamp), sip_parse_timestamp},
	[SIP_SHAPE_CALL_ID] = {sizeof(struct sip_text), sip_parse_call_id},
};

struct filling {
	enum sip_hdr_id id;
	struct rs_arena *arena;
	char *at;
	uint32_t n, cap;
};

/* All values of one line. An empty list (Accept, Supported, Allow) is no value at all. */
static int fill_line(struct filling *f, struct rs_str line)
{
	enum sip_hdr_shape shape = sip_hdr_shape(f->id);
	bool list = (sip_hdr_flags(f->id) & SIP_HDR_LIST) != 0;
	bool lenient = shape == SIP_SHAPE_TOKEN && list;
	struct rs_str s = sip_unfold(f->arena, line);
	struct sip_cur c;

	if (!s.p && line.len)
		return -1;
	c = cur_of(s.p ? s : RS_STR(""));
	for (;;) {
		cur_lws(&c);
		if (lenient && (cur_end(&c) || cur_at(&c, ','))) {
			if (cur_end(&c))
				return 0;
			c.p++;
			continue;
		}
		if (f->n == f->cap || shapes[shape].parse(&c, f->id, f->arena, f->at + f->n * shapes[shape].size))
			return -1;
		f->n++;
		cur_lws(&c);
		if (cur_end(&c))
			return 0;
		if (!list || !cur_take(&c, ','))
			return -1;
	}
}

/* No more values can stand in text than this. */
static uint32_t count_at_most(enum sip_hdr_id id, struct rs_str text)
{
	uint32_t n = 1;

	if (!(sip_hdr_flags(id) & SIP_HDR_LIST))
		return n;
	for (const char *p = rs_str_chr(text, ','); p && n <= sip_limits.values;) {
		n++;
		p++;
		p = memchr(p, ',', (size_t)(text.p + text.len - p));
	}
	return n;
}

static size_t round_up(size_t n)
{
	return (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static void finish(struct sip_hdr_values *out, const struct filling *f)
{
	out->shape = sip_hdr_shape(f->id);
	out->n = f->n;
	/* Every member of the union is a pointer to the array's first element. */
	out->v.text = (const struct sip_text *)(const void *)f->at;
}

int sip_hdr_parse(enum sip_hdr_id id, struct rs_str value, struct rs_arena *arena, struct sip_hdr_values *out)
{
	struct filling f = {.id = id, .arena = arena, .cap = count_at_most(id, value)};

	if (id >= SIP_HDR_N || value.len > sip_limits.line)
		return -1;
	if (f.cap > sip_limits.values)
		f.cap = sip_limits.values;
	f.at = rs_arena_alloc(arena, f.cap * shapes[sip_hdr_shape(id)].size);
	if (!f.at || fill_line(&f, value))
		return -1;
	finish(out, &f);
	return 0;
}

/* What typed[id] holds for a header that breaks its grammar, so that it is tried once only. */
static struct sip_hdr_values bad_values;

static struct sip_hdr_values *parse_all(struct sip_msg *msg, enum sip_hdr_id id)
{
	struct filling f = {.id = id, .arena = msg->arena};
	size_t head = round_up(sizeof(struct sip_hdr_values));
	struct sip_hdr_values *out;
	uint32_t first = msg->first[id] - 1u;

	for (uint32_t i = first; i < msg->n_hdrs && f.cap <= sip_limits.values; i++) {
		if (msg->hdrs[i].id == id)
			f.cap += count_at_most(id, msg->hdrs[i].value);
	}
	if (f.cap > sip_limits.values)
		f.cap = sip_limits.values;
	out = rs_arena_alloc(msg->arena, head + f.cap * shapes[sip_hdr_shape(id)].size);
	if (!out)
		return &bad_values;
	f.at = (char *)out + head;
	for (uint32_t i = first; i < msg->n_hdrs; i++) {
		if (msg->hdrs[i].id == id && fill_line(&f, msg->hdrs[i].value))
			return &bad_values;
	}
	finish(out, &f);
	return out;
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
		values = parse_all(msg, id);
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
