/* What a REGISTER asks for (RFC 3261 section 10.3, RFC 3327, RFC 5626; section 7 of the reference). */
#include "registrar.h"
#include "sip/writer.h"

#define MALFORMED_EXPIRES 3600 /* what a value that is no number means (RFC 3261 section 20.10) */

static uint32_t clamp(const struct ast_sip_aor_settings *s, uint64_t seconds)
{
	if (!seconds)
		return 0;
	if (seconds > s->maximum_expiration)
		seconds = s->maximum_expiration;
	if (seconds < s->minimum_expiration)
		seconds = s->minimum_expiration;
	return (uint32_t)seconds;
}

static bool all_digits(struct rs_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.len != 0;
}

/* The expiry of a Contact: its parameter, else the Expires header, else the default; clamped, but 0 stays 0. */
static uint32_t expiry_of(const struct registration *r, const struct sip_name_addr *na)
{
	const struct ast_sip_aor_settings *s = ast_sip_aor_settings(r->aor);
	const struct sip_param *p = sip_params_get(&na->params, RS_STR("expires"));
	uint64_t v;

	if (!p)
		return r->has_expires ? r->expires : clamp(s, s->default_expiration);
	if (!all_digits(p->value))
		return clamp(s, MALFORMED_EXPIRES);
	return rs_str_to_u64(p->value, UINT64_MAX, &v) ? s->maximum_expiration : clamp(s, v);
}

/* q in thousandths; 1000 when there is none or it is no qvalue. */
static uint16_t q_of(const struct sip_name_addr *na)
{
	const struct sip_param *p = sip_params_get(&na->params, RS_STR("q"));
	struct rs_str v = p ? p->value : RS_STR_NULL;
	unsigned q;

	if (!v.len || v.len > 5 || (v.p[0] != '0' && v.p[0] != '1') || (v.len > 1 && v.p[1] != '.'))
		return 1000;
	q = v.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2, weight = 100; i < v.len; i++, weight /= 10) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 1000;
		q += (unsigned)((size_t)(v.p[i] - '0') * weight);
	}
	return (uint16_t)(q > 1000 ? 1000 : q);
}

static bool kept_elsewhere(struct rs_str name)
{
	return rs_str_ieqz(name, "expires") || rs_str_ieqz(name, "q") || rs_str_ieqz(name, "+sip.instance") ||
	       rs_str_ieqz(name, "reg-id");
}

/* The other parameters as text, for the answer. */
static struct rs_str other_params(struct registration *r, const struct sip_name_addr *na)
{
	struct sip_writer w;
	char buf[REGISTRAR_MAX_PARAMS];
	struct rs_str kept = RS_STR("");

	sip_writer_init(&w, buf, sizeof(buf));
	w.max = sizeof(buf);
	for (uint32_t i = 0; i < na->params.n; i++) {
		const struct sip_param *p = &na->params.v[i];
		if (kept_elsewhere(p->name))
			continue;
		sip_writez(&w, ";");
		sip_write(&w, p->name);
		if (!p->value.p)
			continue;
		sip_writez(&w, p->quoted ? "=\"" : "=");
		sip_write(&w, p->value);
		if (p->quoted)
			sip_writez(&w, "\"");
	}
	if (sip_writer_ok(&w) && w.len)
		kept = rs_arena_str(sip_rx_msg(r->rx)->arena, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	return kept;
}

/* Whether rewrite_contact has put the packet's source into the Contact: it does so with the first one. */
static bool is_rewritten(const struct registration *r, const struct sip_name_addr *na, unsigned n)
{
	const struct sip_addr *source = sip_rx_source(r->rx);
	struct sip_addr host;

	return n == 0 && ast_sip_endpoint_settings(ast_sip_rx_endpoint(r->rx))->rewrite_contact &&
	       !sip_addr_parse(na->uri.host, &host) && sip_addr_same_ip(&host, source) && na->uri.port == source->port;
}

static unsigned read_contact(struct registration *r, const struct sip_name_addr *na, unsigned n)
{
	struct registrar_contact *c = &r->contacts[r->n];
	const struct sip_param *p;
	uint64_t v;

	if (!sip_uri_is_sip(&na->uri) || na->uri.text.len > REGISTRAR_MAX_URI || na->uri.host.len > REGISTRAR_MAX_HOST)
		return 400;
	*c = (struct registrar_contact){
		.parsed = &na->uri, .uri = na->uri.text, .expires = expiry_of(r, na), .q = q_of(na)};
	c->rewritten = is_rewritten(r, na, n);
	c->params = other_params(r, na);
	p = sip_params_get(&na->params, RS_STR("+sip.instance"));
	if (p && p->value.len <= REGISTRAR_MAX_INSTANCE)
		c->instance = p->value;
	p = sip_params_get(&na->params, RS_STR("reg-id"));
	if (p && !rs_str_to_u64(p->value, UINT32_MAX, &v))
		c->reg_id = (uint32_t)v;
	r->n++;
	return 0;
}

static unsigned read_contacts(struct registration *r)
{
	struct sip_msg *msg = sip_rx_msg(r->rx);
	const struct sip_hdr_values *values;
	bool bad = false;

	values = sip_msg_values(msg, SIP_HDR_CONTACT, &bad);
	if (bad)
		return 400;
	if (!values)
		return 0;
	if (values->n > REGISTRAR_MAX_CONTACTS)
		return 400;
	r->contacts = rs_arena_zalloc(msg->arena, values->n * sizeof(*r->contacts));
	if (!r->contacts)
		return 500;
	for (unsigned i = 0; i < values->n; i++) {
		const struct sip_name_addr *na = sip_rx_name_addr(r->rx, SIP_HDR_CONTACT, i);
		unsigned status;

		if (!na)
			return 400;
		if (na->star) {
			r->star = true;
			continue;
		}
		status = read_contact(r, na, i);
		if (status)
			return status;
	}
	/* `*` stands alone, and only to remove everything (RFC 3261 section 10.2.2). */
	if (r->star && (values->n != 1 || !r->has_expires || r->expires))
		return 400;
	return 0;
}

/* The Path values of the request, comma-joined; RFC 3327 section 5.3. */
static unsigned read_path(struct registration *r)
{
	struct sip_msg *msg = sip_rx_msg(r->rx);
	const struct sip_hdr *h;
	struct sip_writer w;
	char buf[REGISTRAR_MAX_PATH];
	unsigned status = 0;
	bool bad = false;

	if (!ast_sip_aor_settings(r->aor)->support_path || !sip_msg_hdr(msg, SIP_HDR_PATH, 0))
		return 0;
	if (!sip_msg_has_token(msg, SIP_HDR_SUPPORTED, RS_STR("path")))
		return 420;
	sip_msg_values(msg, SIP_HDR_PATH, &bad);
	if (bad)
		return 400;
	sip_writer_init(&w, buf, sizeof(buf));
	w.max = sizeof(buf);
	for (unsigned i = 0; (h = sip_msg_hdr(msg, SIP_HDR_PATH, i)); i++) {
		if (i)
			sip_writez(&w, ", ");
		sip_write(&w, sip_msg_unfold(msg, h->value));
	}
	if (!sip_writer_ok(&w))
		status = 400;
	else
		r->path = rs_arena_str(msg->arena, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	return status;
}

unsigned registrar_parse(struct registration *r)
{
	uint32_t expires;
	bool bad = false;
	unsigned status;

	r->has_expires = sip_msg_number(sip_rx_msg(r->rx), SIP_HDR_EXPIRES, &expires, &bad);
	if (r->has_expires)
		r->expires = clamp(ast_sip_aor_settings(r->aor), expires);
	status = read_contacts(r);
	return status ? status : read_path(r);
}
