/* INVITEs outside of dialogs: what is refused before anybody hears of them, the new session, its answers. */
#include "session_private.h"

/* ---- refused before there is a session ---- */

static void refuse(struct sip_rx_data *rx, unsigned status, enum sip_hdr_id id, const char *value)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, RS_STR_NULL);

	if (!tx)
		return;
	if (value)
		sip_tx_add_hdr(tx, id, rs_str_c(value));
	ast_sip_send_response(rx, tx);
}

/* The endpoint's 100rel (section 4.4 of the reference). */
static bool refused_by_100rel(enum ast_sip_100rel rel100, struct sip_rx_data *rx)
{
	if (rel100 == AST_SIP_100REL_NO && session_requires(rx, "100rel"))
		refuse(rx, 420, SIP_HDR_UNSUPPORTED, "100rel");
	else if (rel100 == AST_SIP_100REL_REQUIRED && !session_supports(rx, "100rel"))
		refuse(rx, 421, SIP_HDR_REQUIRE, "100rel");
	else
		return false;
	return true;
}

static bool refused_by_timers(const struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	unsigned status = session_timer_check(endpoint, rx);
	struct sip_tx_data *tx;

	if (status != 422) {
		if (status)
			refuse(rx, status, status == 420 ? SIP_HDR_UNSUPPORTED : SIP_HDR_REQUIRE, "timer");
		return status;
	}
	tx = sip_tx_response(rx, 422, RS_STR_NULL);
	if (tx) {
		session_timer_min_se(tx, session_settings(endpoint)->timers_min_se);
		ast_sip_send_response(rx, tx);
	}
	return true;
}

/* RFC 2543 knew INVITEs without Contact: what is sent back goes to the From. */
static void fill_contact(struct sip_rx_data *rx)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);
	struct sip_writer w;
	char text[512];

	if (sip_msg_first(sip_rx_msg(rx), SIP_HDR_CONTACT) || !from)
		return;
	sip_writer_init(&w, text, sizeof(text));
	sip_writez(&w, "<");
	sip_write(&w, from->uri.text);
	sip_writez(&w, ">");
	if (sip_writer_ok(&w))
		sip_rx_override(rx, SIP_HDR_CONTACT, 0, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

static bool wants_reliable(enum ast_sip_100rel rel100, struct sip_rx_data *rx)
{
	switch (rel100) {
	case AST_SIP_100REL_NO:
		return false;
	case AST_SIP_100REL_YES:
		return session_requires(rx, "100rel");
	default:
		return session_supports(rx, "100rel");
	}
}

/* ---- its transaction ---- */

static void on_cancel(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	struct ast_sip_session *s = ast_sip_session_ref(token);

	(void)tsx;
	if (s->setup && s->setup->rx && !s->ended) {
		session_refuse(s, 487, RS_STR_NULL);
		session_end(s, AST_SIP_SESSION_END_CANCEL, cancel);
	}
	ast_sip_session_unref(s);
}

/* The ACK of a peer that uses the INVITE's branch. */
static void on_ack(struct sip_tsx *tsx, struct sip_rx_data *ack, void *token)
{
	(void)tsx;
	session_confirm_ack(token, ack);
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	ast_sip_session_unref(token);
}

const struct sip_tsx_user session_invite_user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "session",
	.on_cancel = on_cancel,
	.on_ack = on_ack,
	.on_terminated = on_terminated,
};

/* ---- a session begins ---- */

static struct ast_sip_session *make(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);
	struct ast_sip_session *s;
	struct sip_dialog *dlg;
	unsigned status = 500;

	dlg = ast_sip_create_dialog_uas(endpoint, rx, &status);
	if (!dlg) {
		refuse(rx, status, SIP_HDR_OTHER, NULL);
		return NULL;
	}
	s = session_new(dlg, endpoint, false);
	if (!s) {
		refuse(rx, 500, SIP_HDR_OTHER, NULL);
		return NULL;
	}
	s->invite_cseq = sip_rx_msg(rx)->cseq;
	s->reliable = wants_reliable(session_settings(endpoint)->rel100, rx);
	if (session_settle(s, rx)) {
		refuse(rx, errno == EEXIST ? 482 : 500, SIP_HDR_OTHER, NULL);
		ast_sip_session_unref(s);
		return NULL;
	}
	s->setup->rx = sip_rx_ref(rx);
	s->setup->tsx = sip_tsx_ref(sip_rx_tsx(rx));
	return s;
}

static void begin(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct sip_tx_data *trying = sip_tx_response(rx, 100, RS_STR_NULL);

	session_learn(s, rx);
	session_timer_heard(s, rx);
	session_oa_begin(&s->oa);
	if (ast_sip_rx_has_sdp(rx))
		session_oa_received(&s->oa);
	sip_tsx_set_user(s->setup->tsx, &session_invite_user, ast_sip_session_ref(s));
	if (trying)
		sip_tsx_respond(s->setup->tsx, trying);
	session_supplements_begin(s);
	if (session_supplements_request_in(s, rx)) {
		/* It may have answered behind the session's back. */
		if (s->setup && s->setup->rx && sip_tsx_last_status(s->setup->tsx) >= 200) {
			sip_rx_unref(s->setup->rx);
			s->setup->rx = NULL;
			session_end_later(s, AST_SIP_SESSION_END_LOCAL);
		}
		return;
	}
	if (!session_offer_to_handlers(s, rx) && !s->ended && !s->closing)
		ast_sip_session_hangup(s, 404, RS_STR_NULL);
}

bool session_on_invite(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);
	struct ast_sip_session *s;

	if (ast_sip_filter_media(rx) || refused_by_100rel(session_settings(endpoint)->rel100, rx) ||
	    refused_by_timers(endpoint, rx))
		return true;
	fill_contact(rx);
	s = make(rx);
	if (!s)
		return true;
	begin(s, rx);
	ast_sip_session_unref(s);
	return true;
}

/* ---- answers ---- */

struct sip_tx_data *ast_sip_session_create_answer(struct ast_sip_session *s, unsigned status, struct rs_str reason)
{
	struct sip_tx_data *tx;

	if (!s->setup || !s->setup->rx || s->setup->answered || status < 101 || status > 699) {
		errno = EALREADY;
		return NULL;
	}
	tx = sip_dialog_response(s->dlg, s->setup->rx, status, reason);
	if (!tx || status >= 300)
		return tx;
	session_add_capabilities(s, tx);
	if (status >= 200)
		session_timer_add_response(s, s->setup->rx, tx);
	return tx;
}

static bool note_sdp(struct ast_sip_session *s, const struct sip_tx_data *tx)
{
	bool offers = false;

	if (sip_tx_status(tx) < 300 && session_tx_has_sdp(tx)) {
		offers = s->oa.turn == AST_SIP_SESSION_OA_IDLE && !s->oa.done;
		session_oa_sent(&s->oa);
		session_keep_sdp(s, tx);
	} else {
		session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_REMOTE);
	}
	return offers;
}

/* Sends the final answer; a refusal's end is the caller's to tell. */
int session_answer_final(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct session_setup *u = s->setup;
	struct sip_rx_data *rx = u->rx;
	unsigned status = sip_tx_status(tx);
	bool offers = note_sdp(s, tx);
	int result;

	session_reliable_stop(s);
	session_supplements_out(s, tx);
	u->rx = NULL;
	u->answered = true;
	result = sip_dialog_respond(s->dlg, rx, sip_tx_ref(tx));
	if (status < 300) {
		session_set_state(s, AST_SIP_SESSION_CONNECTING);
		session_timer_sent(s, tx);
		session_confirm_wait(s, tx, u->tsx, s->invite_cseq, offers);
	}
	sip_tx_unref(tx);
	sip_rx_unref(rx);
	/* What was not sent will be, when the INVITE or the timer comes. */
	return result && (errno == EALREADY || errno == EINVAL || errno == ECANCELED) ? -1 : 0;
}

void session_refuse(struct ast_sip_session *s, unsigned status, struct rs_str reason)
{
	struct sip_tx_data *tx;

	if (!s->setup || !s->setup->rx)
		return;
	tx = sip_dialog_response(s->dlg, s->setup->rx, status, RS_STR_NULL);
	if (tx && reason.len)
		sip_tx_add_hdr(tx, SIP_HDR_REASON, reason);
	if (tx)
		session_answer_final(s, tx);
}

static int send_provisional(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	int result;

	if (s->reliable && sip_tx_status(tx) > 100)
		return session_reliable_send(s, tx);
	if (session_tx_has_sdp(tx))
		session_keep_sdp(s, tx);
	session_supplements_out(s, tx);
	result = sip_dialog_respond(s->dlg, s->setup->rx, tx);
	session_set_state(s, AST_SIP_SESSION_EARLY);
	return result;
}

int ast_sip_session_send_answer(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	unsigned status = sip_tx_status(tx);

	if (s->ended || s->closing || !s->setup || !s->setup->rx || s->setup->answered) {
		sip_tx_unref(tx);
		errno = EALREADY;
		return -1;
	}
	if (status < 200)
		return send_provisional(s, tx);
	if (status < 300 && session_reliable_holds(s, tx)) {
		s->setup->answered = true;
		return 0;
	}
	if (session_answer_final(s, tx))
		return -1;
	if (status >= 300)
		session_end_later(s, AST_SIP_SESSION_END_LOCAL);
	return 0;
}
