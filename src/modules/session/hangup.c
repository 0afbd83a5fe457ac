/* Ends: what each state asks for. */
#include "session_private.h"

static struct sip_tx_data *bye_new(struct ast_sip_session *s, struct rs_str reason)
{
	struct sip_tx_data *tx = sip_dialog_request(s->dlg, RS_STR("BYE"));

	if (tx && reason.len)
		sip_tx_add_hdr(tx, SIP_HDR_REASON, reason);
	return tx;
}

static void leave(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	s->bye_sent = true;
	session_pending_answer(s, 487);
	if (!tx || !session_request_send(s, s->dlg, tx, REQUEST_BYE, NULL))
		session_end_later(s, (enum ast_sip_session_end)s->why);
}

/* RFC 3261 section 15: the called side does not end what the caller has not confirmed. */
void session_bye(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	if (s->bye_sent || s->bye) {
		if (tx)
			sip_tx_unref(tx);
		return;
	}
	if (s->to_ack)
		session_ack_plain(s);
	if (tx && !s->outgoing && !s->confirmed && s->confirm)
		s->bye = tx;
	else
		leave(s, tx);
}

void session_bye_now(struct ast_sip_session *s)
{
	if (!s->bye_sent)
		leave(s, bye_new(s, RS_STR_NULL));
}

void session_bye_may_leave(struct ast_sip_session *s)
{
	struct sip_tx_data *tx = s->bye;

	if (!tx)
		return;
	s->bye = NULL;
	leave(s, tx);
}

static bool is_ringing(const struct ast_sip_session *s)
{
	enum ast_sip_session_state state = ast_sip_session_state(s);

	return s->outgoing && (state == AST_SIP_SESSION_CALLING || state == AST_SIP_SESSION_EARLY);
}

static void cancel(struct ast_sip_session *s, struct rs_str reason)
{
	struct session_request *r = s->requests;

	session_clock_stop(s, CLOCK_NO_ANSWER);
	while (r && !r->initial)
		r = r->next;
	if (!r || s->cancelled)
		return;
	s->cancelled = true;
	ast_sip_request_cancel(r->req, reason);
}

void session_give_up(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx, unsigned status)
{
	struct sip_tx_data *bye = NULL;

	if (s->ended)
		return;
	ast_sip_session_ref(s);
	if (is_ringing(s))
		cancel(s, RS_STR_NULL);
	else if (s->setup && s->setup->rx)
		session_refuse(s, status ? status : 487, RS_STR_NULL);
	else if (why != AST_SIP_SESSION_END_BYE && ast_sip_session_state(s) >= AST_SIP_SESSION_CONNECTING &&
		 sip_dialog_state(s->dlg) != SIP_DIALOG_TERMINATED && !s->bye_sent && !s->bye)
		bye = bye_new(s, RS_STR_NULL);
	s->why = (uint8_t)why;
	if (bye) {
		/* What is not acknowledged yet is not waited for: the user hears of the end at once. */
		if (why == AST_SIP_SESSION_END_NO_ACK)
			session_confirm_drop(s);
		session_bye(s, bye);
	}
	session_end(s, why, rx);
	ast_sip_session_unref(s);
}

static void hangup_unanswered(struct ast_sip_session *s, unsigned status, struct rs_str reason)
{
	session_refuse(s, status >= 300 && status <= 699 ? status : 603, reason);
	session_end_later(s, AST_SIP_SESSION_END_LOCAL);
}

static void hangup(struct ast_sip_session *s, unsigned status, struct rs_str reason, struct sip_tx_data *bye)
{
	if (s->ended || s->closing) {
		if (bye)
			sip_tx_unref(bye);
		return;
	}
	ast_sip_session_ref(s);
	s->why = AST_SIP_SESSION_END_LOCAL;
	if (ast_sip_session_state(s) >= AST_SIP_SESSION_CONNECTING) {
		if (!bye)
			bye = bye_new(s, reason);
		s->closing = true;
		session_bye(s, bye);
		bye = NULL;
	} else if (s->setup && s->setup->rx) {
		s->closing = true;
		hangup_unanswered(s, status, reason);
	} else if (is_ringing(s)) {
		s->closing = true;
		cancel(s, reason);
	} else {
		session_end_later(s, AST_SIP_SESSION_END_LOCAL);
	}
	if (bye)
		sip_tx_unref(bye);
	ast_sip_session_unref(s);
}

void ast_sip_session_hangup(struct ast_sip_session *s, unsigned status, struct rs_str reason)
{
	hangup(s, status, reason, NULL);
}

void ast_sip_session_hangup_with(struct ast_sip_session *s, struct sip_tx_data *bye)
{
	hangup(s, 0, RS_STR_NULL, bye);
}
