/* Via (RFC 3261 section 20.42, RFC 3581). */
#include "sip/message/grammar.h"

/* name LWS / LWS version LWS /, nearly always "SIP/2.0/". */
static inline int sent_protocol(struct sip_cur *c, struct rs_str *protocol)
{
	static const char usual[] = "SIP/2.0/";
	struct rs_str name, version;

	if (c->end - c->p > 8 && sip_load8(c->p) == sip_load8(usual)) {
		c->p += 8;
		*protocol = RS_STR("SIP/2.0");
		return 0;
	}
	name = cur_span(c, C_TOKEN);
	cur_lws(c);
	if (!name.len || !cur_take(c, '/'))
		return -1;
	cur_lws(c);
	version = cur_span(c, C_TOKEN);
	*protocol = rs_str_n(name.p, (size_t)(c->p - name.p));
	if (SIP_IS(name, "sip") && rs_str_eq(version, RS_STR("2.0")))
		*protocol = RS_STR("SIP/2.0");
	cur_lws(c);
	return version.len && cur_take(c, '/') ? 0 : -1;
}

/* sent-protocol and sent-by. */
__attribute__((always_inline)) static inline int via_head(struct sip_cur *c, struct sip_via *v)
{
	/* Member by member: clearing the whole at once costs more than reading a short Via. */
	v->text = v->branch = v->received = v->maddr = RS_STR_NULL;
	v->params.v = NULL;
	v->params.n = 0;
	v->params.text = RS_STR_NULL;
	v->rport = 0;
	v->has_rport = false;
	cur_lws(c);
	if (sent_protocol(c, &v->protocol))
		return -1;
	cur_lws(c);
	v->transport = cur_span(c, C_TOKEN);
	v->type = sip_transport_from_name(v->transport);
	if (!v->transport.len || cur_end(c) || !is_lws(*c->p))
		return -1;
	cur_lws(c);
	v->port = 0;
	if (cur_host(c, &v->host))
		return -1;
	cur_lws(c);
	if (cur_take(c, ':')) {
		cur_lws(c);
		if (cur_port(c, &v->port))
			return -1;
		cur_lws(c);
	}
	return 0;
}

static int note(struct rs_str *field, const struct sip_param *p)
{
	if (field->p || !p->value.len || p->quoted)
		return -1;
	*field = p->value;
	return 0;
}

/* Sets the fields of v that p names. -1: a bad or repeated one. */
static inline int note_param(struct sip_via *v, const struct sip_param *p)
{
	switch (p->name.len) {
	case 5:
		if (SIP_IS(p->name, "maddr"))
			return note(&v->maddr, p);
		if (SIP_IS(p->name, "rport")) {
			struct sip_cur c = cur_of(p->value);

			if (v->has_rport)
				return -1;
			v->has_rport = true;
			return p->value.p && (cur_port(&c, &v->rport) || !cur_end(&c)) ? -1 : 0;
		}
		return 0;
	case 6:
		return SIP_IS(p->name, "branch") ? note(&v->branch, p) : 0;
	case 8:
		return SIP_IS(p->name, "received") ? note(&v->received, p) : 0;
	default:
		return 0;
	}
}

int sip_via_scan(struct rs_str value, struct sip_via *out)
{
	struct sip_cur c = cur_of(value);
	struct sip_param p;

	if (value.len == 0 || via_head(&c, out))
		return -1;
	while (sip_cur_param(&c, &p) > 0) {
		if (note_param(out, &p))
			break;
	}
	out->text = sip_trim(value.p, c.p);
	return 0;
}

int sip_parse_via(struct sip_cur *at, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_cur c = *at;
	struct sip_via *v = out;
	const char *start;

	(void)id;
	cur_lws(&c);
	start = c.p;
	if (via_head(&c, v))
		return -1;
	at->p = c.p;
	if (sip_cur_params(at, store, &v->params))
		return -1;
	for (uint32_t i = 0, n = v->params.n; i < n; i++) {
		if (note_param(v, &v->params.v[i]))
			return -1;
	}
	v->text = sip_trim(start, at->p);
	return 0;
}
