/*
 * What is refused before the sender is identified or challenged: requests that cannot be processed whoever sent them
 * (RFC 3261 sections 8.2.1 to 8.2.3 and 16.3, steps 1 to 3; stage 8 of the reference). 505 and broken start lines are
 * answered by the transaction layer already.
 */
#include "core/pipeline.h"
#include "sip/dialog.h"

/* One request names no more unknown options than this in its 420: the answer must not outgrow the question. */
#define MAX_UNSUPPORTED 512

static bool refuse(struct sip_rx_data *rx, unsigned status, struct rs_str reason)
{
	if (sip_rx_msg(rx)->method != SIP_METHOD_ACK)
		ast_sip_respond_stateless(rx, status, reason);
	return true;
}

static bool refuse_with(struct sip_rx_data *rx, unsigned status, enum sip_hdr_id id, struct rs_str value)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, RS_STR_NULL);

	if (!tx)
		return true;
	sip_tx_add_hdr(tx, id, value);
	sip_tsx_respond_stateless(sip_rx_tsx(rx), tx);
	return true;
}

/* ---- 416 and 400: URIs ---- */

static bool bad_request_uri(struct sip_rx_data *rx)
{
	const struct sip_uri *uri = sip_msg_ruri(sip_rx_msg(rx));

	if (!uri)
		return refuse(rx, 400, RS_STR("Bad Request-URI"));
	if (uri->scheme == SIP_URI_OTHER)
		return refuse(rx, 416, RS_STR_NULL);
	/* RFC 3261 section 19.1.1, table 1: no headers in a Request-URI. */
	if (uri->headers.len)
		return refuse(rx, 400, RS_STR("Headers in Request-URI"));
	return false;
}

/* A REGISTER that names things that are no SIP addresses is a bad one; elsewhere the scheme is what is wrong. */
static bool bad_scheme(struct sip_rx_data *rx)
{
	return sip_rx_msg(rx)->method == SIP_METHOD_REGISTER ? refuse(rx, 400, RS_STR("Unsupported URI Scheme"))
							     : refuse(rx, 416, RS_STR_NULL);
}

static bool bad_party(struct sip_rx_data *rx, enum sip_hdr_id id)
{
	const struct sip_name_addr *na = sip_msg_name_addr(sip_rx_msg(rx), id, 0);

	if (!na)
		return refuse(rx, 400, id == SIP_HDR_FROM ? RS_STR("Bad From header") : RS_STR("Bad To header"));
	return na->uri.scheme == SIP_URI_OTHER && bad_scheme(rx);
}

static bool makes_dialog(enum sip_method m)
{
	return m == SIP_METHOD_INVITE || m == SIP_METHOD_SUBSCRIBE || m == SIP_METHOD_REFER;
}

/* A request of RFC 2543 times: no magic cookie in the branch, no From tag. It may lack a Contact. */
static bool is_rfc2543(const struct sip_msg *msg)
{
	return !msg->from_tag.p && !rs_str_starts(msg->top_branch, RS_STR("z9hG4bK"));
}

static bool bad_contact(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *contacts;
	bool bad = false;

	if (!sip_msg_hdr(msg, SIP_HDR_CONTACT, 0))
		return makes_dialog(msg->method) && !is_rfc2543(msg) &&
		       refuse(rx, 400, RS_STR("Missing Contact header"));
	contacts = sip_msg_values(msg, SIP_HDR_CONTACT, &bad);
	if (!contacts)
		return bad && refuse(rx, 400, RS_STR("Bad Contact header"));
	for (uint32_t i = 0; i < contacts->n; i++) {
		const struct sip_name_addr *c = &contacts->v.name_addr[i];

		if (c->star && msg->method != SIP_METHOD_REGISTER)
			return refuse(rx, 400, RS_STR("Bad Contact header"));
		if (!c->star && !sip_uri_is_sip(&c->uri))
			return bad_scheme(rx);
	}
	return false;
}

/* ---- 483 ---- */

static bool domain_is_ours(struct ast_sip_snapshot *s, struct rs_str host)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(s);

	for (uint32_t i = 0; i < all.n; i++) {
		if (rs_str_ieq(all.v[i]->domain, host) || rs_str_ieq(all.v[i]->external_signaling_address, host))
			return true;
	}
	return ast_sip_domain_alias_find(s, host).len != 0;
}

bool ast_sip_host_is_ours(struct sip_rx_data *rx, const struct sip_uri *uri)
{
	struct sip_addr addr;

	if (uri->scheme == SIP_URI_TEL)
		return true; /* a number is ours to look up, wherever it leads */
	if (sip_addr_parse(uri->host, &addr) == 0 && sip_addr_same_ip(&addr, sip_rx_local(rx)))
		return true;
	return uri->host.len && domain_is_ours(ast_sip_rx_snapshot(rx), uri->host);
}

/* No hop is left, and it would have to go on (RFC 3261 section 16.3 step 3). REGISTER is always for the registrar here.
 */
static bool out_of_hops(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	uint32_t hops;
	bool bad = false;

	if (!sip_msg_number(msg, SIP_HDR_MAX_FORWARDS, &hops, &bad))
		return bad && refuse(rx, 400, RS_STR("Bad Max-Forwards header"));
	if (hops > 0 || msg->method == SIP_METHOD_REGISTER || ast_sip_host_is_ours(rx, sip_msg_ruri(msg)))
		return false;
	return refuse(rx, 483, RS_STR_NULL);
}

/* ---- 420 ---- */

/* Appends the options of header id that nobody supports; the new length. */
static size_t unsupported(struct sip_msg *msg, enum sip_hdr_id id, struct rs_str known, char *out, size_t len)
{
	const struct sip_hdr_values *v = sip_msg_hdr(msg, id, 0) ? sip_msg_values(msg, id, NULL) : NULL;

	for (uint32_t i = 0; v && i < v->n; i++) {
		struct rs_str option = v->v.token[i].token;

		if (!option.len || ast_sip_list_has(known, option, true) || len + option.len + 2 > MAX_UNSUPPORTED)
			continue;
		if (len) {
			memcpy(out + len, ", ", 2);
			len += 2;
		}
		memcpy(out + len, option.p, option.len);
		len += option.len;
	}
	return len;
}

/*
 * Require is for who finally processes the request, so a MESSAGE, which is passed on, is not judged by it; what is
 * required of proxies concerns all of them.
 */
static bool bad_option(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	char options[MAX_UNSUPPORTED];
	size_t len = 0;

	if (msg->method != SIP_METHOD_MESSAGE || !ast_sip_registered_handles(r, msg->method, msg->method_text))
		len = unsupported(msg, SIP_HDR_REQUIRE, r->supported, options, len);
	len = unsupported(msg, SIP_HDR_PROXY_REQUIRE, r->supported, options, len);
	return len && refuse_with(rx, 420, SIP_HDR_UNSUPPORTED, rs_str_n(options, len));
}

/* ---- 481 ---- */

/* Requests that make sense inside a dialog only. Whatever else has a To tag may be for a service. */
static bool lacks_dialog(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	switch (msg->method) {
	case SIP_METHOD_BYE:
	case SIP_METHOD_PRACK:
	case SIP_METHOD_UPDATE:
	case SIP_METHOD_INFO:
		return !sip_rx_dialog(rx) && !ast_sip_registered_handles(r, msg->method, msg->method_text) &&
		       refuse(rx, 481, RS_STR_NULL);
	default:
		return false;
	}
}

static bool unacceptable(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	return bad_request_uri(rx) || bad_party(rx, SIP_HDR_FROM) || bad_party(rx, SIP_HDR_TO) || bad_contact(rx) ||
	       out_of_hops(rx) || bad_option(r, rx) || lacks_dialog(r, rx) ||
	       (msg->method == SIP_METHOD_INVITE && !sip_rx_dialog(rx) &&
		!ast_sip_registered_handles(r, msg->method, msg->method_text) && ast_sip_filter_media(rx));
}

bool ast_sip_filter_request(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	if (sip_rx_msg(rx)->method == SIP_METHOD_ACK)
		return false;
	/* The bare cookie names no transaction. */
	if (rs_str_eq(sip_rx_msg(rx)->top_branch, RS_STR("z9hG4bK")))
		return refuse(rx, 400, RS_STR("Bad Via branch"));
	if (unacceptable(r, rx))
		return true;
	ast_sip_strip_own_params(rx);
	return false;
}
