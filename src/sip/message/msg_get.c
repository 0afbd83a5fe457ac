/* Reading a parsed message: lines, typed shortcuts, the Request-URI. */
#include "sip/msg.h"
#include "sip/message/extra.h"
#include "sip/message/grammar.h"
#include "sip/message/lines.h"

const struct sip_hdr *sip_msg_hdr(const struct sip_msg *msg, enum sip_hdr_id id, unsigned n)
{
	const struct sip_hdr *h = id < SIP_HDR_N ? sip_msg_first(msg, id) : NULL;

	while (h && n--)
		h = sip_msg_next(msg, h);
	return h;
}

const struct sip_hdr *sip_msg_hdr_by_name(const struct sip_msg *msg, struct rs_str name, unsigned n)
{
	enum sip_hdr_id id = sip_hdr_from_name(name);

	if (id != SIP_HDR_OTHER)
		return sip_msg_hdr(msg, id, n);
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		const struct sip_hdr *h = &msg->hdrs[i];

		if (h->id == SIP_HDR_OTHER && rs_str_ieq(h->name, name) && n-- == 0)
			return h;
	}
	return NULL;
}

struct rs_str sip_msg_unfold(struct sip_msg *msg, struct rs_str value)
{
	struct sip_store store = {.arena = msg->arena};

	return sip_unfold(&store, value);
}

static const struct sip_hdr_values *values_of(struct sip_msg *msg, enum sip_hdr_id id, enum sip_hdr_shape shape,
					      unsigned n)
{
	const struct sip_hdr_values *v = sip_hdr_shape(id) == shape ? sip_msg_values(msg, id, NULL) : NULL;

	return v && n < v->n ? v : NULL;
}

const struct sip_name_addr *sip_msg_name_addr(struct sip_msg *msg, enum sip_hdr_id id, unsigned n)
{
	const struct sip_hdr_values *v = values_of(msg, id, SIP_SHAPE_NAME_ADDR, n);

	if (!v)
		v = values_of(msg, id, SIP_SHAPE_URI_PARAMS, n);
	return v ? &v->v.name_addr[n] : NULL;
}

const struct sip_via *sip_msg_via(struct sip_msg *msg, unsigned n)
{
	const struct sip_hdr_values *v = values_of(msg, SIP_HDR_VIA, SIP_SHAPE_VIA, n);

	return v ? &v->v.via[n] : NULL;
}

int sip_msg_top_via(const struct sip_msg *msg, struct sip_via *out)
{
	const struct sip_hdr *h = sip_msg_hdr(msg, SIP_HDR_VIA, 0);

	return h ? sip_via_scan(h->value, out) : -1;
}

const struct sip_auth *sip_msg_auth(struct sip_msg *msg, enum sip_hdr_id id, unsigned n)
{
	const struct sip_hdr_values *v = values_of(msg, id, SIP_SHAPE_AUTH, n);

	if (!v)
		v = values_of(msg, id, SIP_SHAPE_AUTH_PARAMS, n);
	return v ? &v->v.auth[n] : NULL;
}

const struct sip_token_params *sip_msg_token(struct sip_msg *msg, enum sip_hdr_id id, unsigned n)
{
	const struct sip_hdr_values *v = values_of(msg, id, SIP_SHAPE_TOKEN, n);

	return v ? &v->v.token[n] : NULL;
}

bool sip_msg_number(struct sip_msg *msg, enum sip_hdr_id id, uint32_t *out, bool *bad)
{
	const struct sip_hdr_values *v = NULL;

	if (bad)
		*bad = false;
	if (sip_hdr_shape(id) == SIP_SHAPE_NUMBER)
		v = sip_msg_values(msg, id, bad);
	if (!v)
		return false;
	*out = v->v.number[0].value;
	return true;
}

bool sip_msg_has_token(struct sip_msg *msg, enum sip_hdr_id id, struct rs_str token)
{
	const struct sip_hdr_values *v = values_of(msg, id, SIP_SHAPE_TOKEN, 0);

	for (uint32_t i = 0; v && i < v->n; i++) {
		if (rs_str_ieq(v->v.token[i].token, token))
			return true;
	}
	return false;
}

static struct sip_msg_extra *extra_init(struct sip_msg_extra *e, const struct sip_msg *msg)
{
	if (!e)
		return NULL;
	atomic_init(&e->parts, NULL);
	/* The Request-URI is wanted of nearly every message that wants anything of this. */
	e->uri_ok = msg->is_request && sip_uri_parse_in(msg->uri_text, msg->bytes.p + msg->bytes.len, &e->uri) == 0;
	return e;
}

struct sip_msg_extra *sip_msg_extra(struct sip_msg *msg)
{
	void *seen = atomic_load_explicit(&msg->typed_extra, memory_order_acquire);
	struct sip_msg_extra *e;

	if (seen)
		return seen;
	e = extra_init(rs_arena_alloc(msg->arena, sizeof(*e)), msg);
	if (!e || atomic_compare_exchange_strong_explicit(&msg->typed_extra, &seen, e, memory_order_acq_rel,
							  memory_order_acquire))
		return e;
	return seen;
}

struct sip_msg_extra *sip_msg_extra_own(struct sip_msg *msg, struct sip_store *store)
{
	struct sip_msg_extra *e = atomic_load_explicit(&msg->typed_extra, memory_order_relaxed);

	if (!e) {
		e = extra_init(sip_store_alloc(store, sizeof(*e)), msg);
		atomic_store_explicit(&msg->typed_extra, e, memory_order_relaxed);
	}
	return e;
}

const struct sip_uri *sip_msg_ruri(struct sip_msg *msg)
{
	struct sip_msg_extra *e = sip_msg_extra(msg);

	return e && e->uri_ok ? &e->uri : NULL;
}

struct sip_msg_class sip_msg_classify(struct rs_str bytes)
{
	struct sip_msg_class class = {0};
	const char *p = bytes.p ? bytes.p : "", *end = p + bytes.len, *after;
	struct sip_hdr line;
	struct sip_cur c;
	bool bad = false;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	after = sip_line_find_end(p, end, &bad);
	if (!after)
		return class;
	class.is_request = end - p < 4 || !SIP_IS(rs_str_n(p, 4), "sip/");
	c = cur_between(p, after);
	if (class.is_request)
		class.method = sip_method_from_name(cur_span(&c, C_TOKEN));
	for (p = after; sip_line_next(&p, end, &line) <= SIP_LINE_BAD;) {
		if (sip_hdr_from_name(line.name) == SIP_HDR_TO) {
			class.in_dialog = sip_tag_scan(line.value).len > 0;
			break;
		}
	}
	return class;
}
