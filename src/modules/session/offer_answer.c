/* Whose turn it is (RFC 3264, RFC 6337), and the local SDP that a refresh by re-INVITE repeats. */
#include "session_private.h"

static bool is_type(struct rs_str type, const char *prefix)
{
	struct rs_str p = rs_str_c(prefix);

	return type.len >= p.len && rs_str_ieq(rs_str_n(type.p, p.len), p);
}

bool ast_sip_rx_has_sdp(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr *type = sip_msg_first(msg, SIP_HDR_CONTENT_TYPE);
	const struct sip_body_part *parts;
	int n;

	if (!msg->body.len || !type)
		return false;
	if (is_type(type->value, "application/sdp"))
		return true;
	if (!is_type(type->value, "multipart/"))
		return false;
	n = sip_msg_parts(msg, &parts);
	for (int i = 0; i < n; i++) {
		if (is_type(parts[i].content_type, "application/sdp"))
			return true;
	}
	return false;
}

bool session_tx_has_sdp(const struct sip_tx_data *tx)
{
	static const char sdp[] = "application/sdp";
	struct rs_str body = sip_tx_body(tx), type;

	if (!body.len)
		return false;
	type = sip_tx_content_type(tx);
	if (is_type(type, sdp))
		return true;
	for (size_t i = 0; is_type(type, "multipart/") && i + sizeof(sdp) < body.len; i++) {
		if (is_type(rs_str_n(body.p + i, body.len - i), sdp))
			return true;
	}
	return false;
}

/* ---- turns ---- */

void session_oa_begin(struct session_oa *oa)
{
	oa->done = false;
}

void session_oa_sent(struct session_oa *oa)
{
	if (oa->done || oa->turn == AST_SIP_SESSION_OA_LOCAL)
		return;
	oa->done = oa->turn == AST_SIP_SESSION_OA_REMOTE;
	oa->turn = oa->done ? AST_SIP_SESSION_OA_IDLE : AST_SIP_SESSION_OA_LOCAL;
}

void session_oa_received(struct session_oa *oa)
{
	if (oa->done || oa->turn == AST_SIP_SESSION_OA_REMOTE)
		return;
	oa->done = oa->turn == AST_SIP_SESSION_OA_LOCAL;
	oa->turn = oa->done ? AST_SIP_SESSION_OA_IDLE : AST_SIP_SESSION_OA_REMOTE;
}

void session_oa_abandon(struct session_oa *oa, enum ast_sip_session_oa turn)
{
	if (oa->turn != turn)
		return;
	oa->turn = AST_SIP_SESSION_OA_IDLE;
	oa->done = true;
}

/* ---- the local SDP ---- */

void session_drop_sdp(struct ast_sip_session *s)
{
	free(s->sdp);
	s->sdp = NULL;
	s->sdp_len = 0;
}

/* An UPDATE refreshes without SDP, and without a timer nothing is refreshed. */
static bool needs_sdp(const struct ast_sip_session *s)
{
	return !s->confirmed || (s->interval && !ast_sip_session_peer_allows(s, SIP_METHOD_UPDATE));
}

void session_keep_sdp(struct ast_sip_session *s, const struct sip_tx_data *tx)
{
	struct rs_str type, body;
	char *copy;

	if (!session_tx_has_sdp(tx) || !needs_sdp(s))
		return;
	type = sip_tx_content_type(tx);
	body = sip_tx_body(tx);
	copy = malloc(type.len + 1 + body.len);
	session_drop_sdp(s); /* an older one is wrong from now on */
	if (!copy)
		return;
	memcpy(copy, type.p, type.len);
	copy[type.len] = '\0';
	memcpy(copy + type.len + 1, body.p, body.len);
	s->sdp = copy;
	s->sdp_len = (uint32_t)body.len;
}

void session_trim_sdp(struct ast_sip_session *s)
{
	if (!needs_sdp(s))
		session_drop_sdp(s);
}
