/*
 * What an INVITE may carry and must accept: the body of an offer is SDP (RFC 3261 sections 8.2.3 and 20.1). A service
 * that handles INVITE asks for itself, when it knows that the INVITE is its own.
 */
#include "core/pipeline.h"

static bool is_type(struct rs_str type, struct rs_str want)
{
	const char *slash = rs_str_chr(want, '/');

	if (rs_str_ieq(type, want))
		return true;
	/* "type/ *" without the blank, and everything. */
	return rs_str_eq(type, RS_STR("*/*")) ||
	       (slash && type.len == (size_t)(slash - want.p) + 2 && type.p[type.len - 1] == '*' &&
		rs_str_ieq(rs_str_n(type.p, type.len - 1), rs_str_n(want.p, type.len - 1)));
}

static bool body_optional(struct sip_msg *msg)
{
	const struct sip_token_params *d = sip_msg_token(msg, SIP_HDR_CONTENT_DISPOSITION, 0);
	const struct sip_param *handling = d ? sip_params_get(&d->params, RS_STR("handling")) : NULL;

	return handling && rs_str_ieq(handling->value, RS_STR("optional"));
}

static bool body_acceptable(struct sip_msg *msg)
{
	const struct sip_token_params *type = sip_msg_token(msg, SIP_HDR_CONTENT_TYPE, 0);

	if (!msg->body.len || body_optional(msg))
		return true;
	return type && (rs_str_ieq(type->token, RS_STR("application/sdp")) ||
			(type->token.len > 10 && rs_str_ieq(rs_str_n(type->token.p, 10), RS_STR("multipart/"))));
}

/* Without Accept it is SDP that is accepted. */
static bool accepts_sdp(struct sip_msg *msg)
{
	const struct sip_hdr_values *v;

	if (!sip_msg_hdr(msg, SIP_HDR_ACCEPT, 0))
		return true;
	v = sip_msg_values(msg, SIP_HDR_ACCEPT, NULL);
	for (uint32_t i = 0; v && i < v->n; i++) {
		if (is_type(v->v.token[i].token, RS_STR("application/sdp")))
			return true;
	}
	return false;
}

bool ast_sip_filter_media(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tx_data *tx;

	if (body_acceptable(msg)) {
		if (accepts_sdp(msg))
			return false;
		ast_sip_respond_stateless(rx, 406, RS_STR_NULL);
		return true;
	}
	tx = sip_tx_response(rx, 415, RS_STR_NULL);
	if (tx) {
		sip_tx_add_hdr(tx, SIP_HDR_ACCEPT, RS_STR("application/sdp"));
		sip_tsx_respond_stateless(sip_rx_tsx(rx), tx);
	}
	return true;
}
