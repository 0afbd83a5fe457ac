/* Requests inside the dialog: which may come now, who answers them, and how. */
#include "session_private.h"

#include <stdio.h>

/* In T1: its sender gives a non-INVITE up at 64. */
#define PENDING_T1 40

/* ---- those that wait for the user's answer ---- */

struct session_pending *session_pending_add(struct ast_sip_session *s, struct sip_rx_data *rx, bool offer)
{
	struct session_pending *p, **at = &s->pending;
	unsigned n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	p = n < SESSION_MAX_PENDING ? malloc(sizeof(*p)) : NULL;
	if (!p)
		return NULL;
	*p = (struct session_pending){.rx = sip_rx_ref(rx), .offer = offer};
	*at = p;
	if (sip_rx_msg(rx)->method != SIP_METHOD_INVITE) {
		p->due_us = rs_now_us() + PENDING_T1 * session_t1_us();
		if (!s->due_us[CLOCK_PENDING])
			session_clock_set(s, CLOCK_PENDING, PENDING_T1 * session_t1_us());
	}
	return p;
}

/* false: it is not there (any more). */
static bool pending_take(struct ast_sip_session *s, struct sip_rx_data *rx, bool *offer)
{
	struct session_pending **at = &s->pending, *p;

	while (*at && (*at)->rx != rx)
		at = &(*at)->next;
	p = *at;
	if (!p)
		return false;
	*at = p->next;
	*offer = p->offer;
	sip_rx_unref(p->rx);
	free(p);
	return true;
}

static bool pending_there(const struct ast_sip_session *s, const struct sip_rx_data *rx)
{
	const struct session_pending *p = s->pending;

	while (p && p->rx != rx)
		p = p->next;
	return p;
}

bool session_pending_has(const struct ast_sip_session *s, enum sip_method method)
{
	for (const struct session_pending *p = s->pending; p; p = p->next) {
		if (sip_rx_msg(p->rx)->method == method)
			return true;
	}
	return false;
}

void session_pending_answer(struct ast_sip_session *s, unsigned status)
{
	while (s->pending) {
		struct sip_rx_data *rx = sip_rx_ref(s->pending->rx);
		bool offer;

		pending_take(s, rx, &offer);
		session_answer_inside(s, rx, status, false);
		sip_rx_unref(rx);
	}
}

/* ---- answers ---- */

static void add_retry_after(struct sip_tx_data *tx)
{
	char seconds[16];

	sip_tx_add_hdr(tx, SIP_HDR_RETRY_AFTER, SESSION_TEXT(seconds, "%u", rs_random_below(SESSION_MAX_RETRY_S + 1)));
}

int session_answer_inside(struct ast_sip_session *s, struct sip_rx_data *rx, unsigned status, bool retry_after)
{
	struct sip_tx_data *tx = ast_sip_session_create_response(s, rx, status, RS_STR_NULL);

	if (!tx)
		return -1;
	if (retry_after)
		add_retry_after(tx);
	session_supplements_out(s, tx);
	return sip_dialog_respond(s->dlg, rx, tx);
}

struct sip_tx_data *ast_sip_session_create_response(struct ast_sip_session *s, struct sip_rx_data *rx, unsigned status,
						    struct rs_str reason)
{
	enum sip_method m = sip_rx_msg(rx)->method;
	struct sip_tx_data *tx = sip_dialog_response(s->dlg, rx, status, reason);

	if (!tx || status < 200 || (m != SIP_METHOD_INVITE && m != SIP_METHOD_UPDATE))
		return tx;
	if (status == 422)
		session_timer_min_se(tx, session_settings(s->endpoint)->timers_min_se);
	if (status >= 300)
		return tx;
	session_add_capabilities(s, tx);
	session_timer_add_response(s, rx, tx);
	return tx;
}

/* The SDP of an answer to an INVITE, UPDATE or PRACK; whether it is an offer, which the ACK must answer. */
static bool note_sdp(struct ast_sip_session *s, enum sip_method m, const struct sip_tx_data *tx, bool offer)
{
	bool offers = false;

	if (sip_tx_status(tx) >= 300 || !session_tx_has_sdp(tx)) {
		if (offer && sip_tx_status(tx) >= 200)
			session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_REMOTE);
		return false;
	}
	if (sip_tx_status(tx) < 200)
		return false; /* a preview */
	if (m == SIP_METHOD_INVITE)
		offers = s->oa.turn == AST_SIP_SESSION_OA_IDLE && !s->oa.done;
	if (m == SIP_METHOD_INVITE || offer) {
		session_oa_sent(&s->oa);
		session_keep_sdp(s, tx);
	}
	return offers;
}

int ast_sip_session_respond(struct ast_sip_session *s, struct sip_rx_data *rx, struct sip_tx_data *tx)
{
	enum sip_method m = sip_rx_msg(rx)->method;
	unsigned status = sip_tx_status(tx);
	bool timed = m == SIP_METHOD_INVITE || m == SIP_METHOD_UPDATE, offer = false, offers;
	struct sip_tsx *tsx;
	int result;

	if (s->ended || !pending_there(s, rx) || !sip_rx_tsx(rx)) {
		sip_tx_unref(tx);
		errno = EALREADY;
		return -1;
	}
	tsx = sip_tsx_ref(sip_rx_tsx(rx));
	sip_rx_ref(rx);
	if (status >= 200)
		pending_take(s, rx, &offer);
	/* The timer first: it says whether the SDP is kept. */
	if (timed && status >= 200 && status < 300)
		session_timer_sent(s, tx);
	offers = timed || m == SIP_METHOD_PRACK ? note_sdp(s, m, tx, offer) : false;
	session_supplements_out(s, tx);
	result = sip_dialog_respond(s->dlg, rx, sip_tx_ref(tx));
	if (m == SIP_METHOD_INVITE && status >= 200 && status < 300)
		session_confirm_wait(s, tx, tsx, sip_rx_msg(rx)->cseq, offers);
	session_trim_sdp(s);
	sip_tsx_unref(tsx);
	sip_tx_unref(tx);
	sip_rx_unref(rx);
	return result && errno == EALREADY ? -1 : 0;
}

/* Nobody cares: what a user agent without ambition answers. */
static void answer_default(struct ast_sip_session *s, struct sip_rx_data *rx, bool sdp)
{
	enum sip_method m = sip_rx_msg(rx)->method;
	struct sip_tx_data *tx;
	unsigned status;

	if (m == SIP_METHOD_INVITE || m == SIP_METHOD_UPDATE || m == SIP_METHOD_PRACK)
		status = sdp ? 488 : 200;
	else if (m == SIP_METHOD_INFO && !sip_rx_msg(rx)->body.len)
		status = 200;
	else
		status = m == SIP_METHOD_OTHER ? 501 : 405;
	tx = ast_sip_session_create_response(s, rx, status, RS_STR_NULL);
	if (!tx)
		return;
	if (status == 405)
		ast_sip_add_allow(tx);
	/* A re-INVITE without offer asks for one: the session as it stands. */
	if (m == SIP_METHOD_INVITE && status == 200 && s->sdp)
		sip_tx_set_body(tx, rs_str_c(s->sdp), rs_str_n(s->sdp + strlen(s->sdp) + 1, s->sdp_len));
	ast_sip_session_respond(s, rx, tx);
}

void session_tell_request(struct ast_sip_session *s, struct sip_rx_data *rx, bool sdp)
{
	bool mine;

	if (!session_pending_add(s, rx, sdp)) {
		session_answer_inside(s, rx, 500, true);
		return;
	}
	if (session_supplements_request_in(s, rx)) {
		/* It has been answered, by the session or behind its back. */
		if (pending_there(s, rx) && (!sip_rx_tsx(rx) || sip_tsx_last_status(sip_rx_tsx(rx)) >= 200))
			pending_take(s, rx, &mine);
		return;
	}
	mine = !s->closing && s->user && s->user->on_request && s->user->on_request(s, rx, s->token);
	if (!mine && !s->ended && pending_there(s, rx))
		answer_default(s, rx, sdp);
}

static struct session_pending *overdue(const struct ast_sip_session *s)
{
	struct session_pending *p = s->pending;

	while (p && (!p->due_us || p->due_us > rs_now_us()))
		p = p->next;
	return p;
}

void session_pending_fire(struct ast_sip_session *s)
{
	struct session_pending *p;
	int64_t first = 0;

	while ((p = overdue(s))) {
		struct sip_tx_data *tx = ast_sip_session_create_response(s, p->rx, 504, RS_STR_NULL);
		struct sip_rx_data *rx = p->rx;
		bool offer;

		if (!tx || ast_sip_session_respond(s, rx, tx))
			pending_take(s, rx, &offer);
	}
	for (p = s->pending; p; p = p->next) {
		if (p->due_us && (!first || p->due_us < first))
			first = p->due_us;
	}
	if (first)
		session_clock_set(s, CLOCK_PENDING, first - rs_now_us());
}

/* ---- INVITE and UPDATE ---- */

static void reinvite_cancelled(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	struct ast_sip_session *s = ast_sip_session_ref(token);
	struct session_pending *p = s->pending;

	(void)cancel;
	while (p && sip_rx_tsx(p->rx) != tsx)
		p = p->next;
	if (p && !s->ended) {
		struct sip_tx_data *tx = ast_sip_session_create_response(s, p->rx, 487, RS_STR_NULL);

		if (tx)
			ast_sip_session_respond(s, p->rx, tx);
	}
	ast_sip_session_unref(s);
}

static void reinvite_ack(struct sip_tsx *tsx, struct sip_rx_data *ack, void *token)
{
	session_invite_user.on_ack(tsx, ack, token);
}

static void reinvite_terminated(struct sip_tsx *tsx, void *token)
{
	session_invite_user.on_terminated(tsx, token);
}

static const struct sip_tsx_user reinvite_user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "session",
	.on_cancel = reinvite_cancelled,
	.on_ack = reinvite_ack,
	.on_terminated = reinvite_terminated,
};

static void offer_request(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	enum sip_method m = sip_rx_msg(rx)->method;
	bool sdp = ast_sip_rx_has_sdp(rx);
	unsigned status = session_glare(s, m, sdp);

	if (status) {
		if (status == 491)
			session_count(COUNT_GLARES);
		session_answer_inside(s, rx, status, status == 500);
		return;
	}
	status = session_timer_check(s->endpoint, rx);
	if (status == 422) {
		session_answer_inside(s, rx, 422, false);
		return;
	}
	session_learn(s, rx);
	session_timer_heard(s, rx);
	if (m == SIP_METHOD_INVITE || sdp)
		session_oa_begin(&s->oa);
	if (sdp)
		session_oa_received(&s->oa);
	if (m == SIP_METHOD_INVITE)
		sip_tsx_set_user(sip_rx_tsx(rx), &reinvite_user, ast_sip_session_ref(s));
	session_tell_request(s, rx, sdp);
}

/* ---- BYE ---- */

static void incoming_bye(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	bool waited = s->bye;

	session_supplements_request_in(s, rx);
	session_answer_inside(s, rx, 200, false);
	/* It crossed ours, which gets its own answer. */
	if (s->bye_sent)
		return;
	/* Behind it nobody acknowledges a 2xx, and ours need not wait for that any more. */
	session_confirm_drop(s);
	if (waited)
		sip_tx_unref(s->bye);
	s->bye = NULL;
	if (s->ended)
		return;
	session_refuse(s, 487, RS_STR_NULL);
	if (waited)
		session_end(s, (enum ast_sip_session_end)s->why, NULL);
	else
		session_give_up(s, AST_SIP_SESSION_END_BYE, rx, 0);
}

/* ---- the usage ---- */

static bool on_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct ast_sip_session *s = ast_sip_session_ref(token);
	enum sip_method m = sip_rx_msg(rx)->method;

	if (dlg != s->dlg) {
		/* A branch of the fork that has been left. */
		ast_sip_respond(rx, m == SIP_METHOD_BYE ? 200 : 481, RS_STR_NULL);
	} else if (m == SIP_METHOD_BYE) {
		incoming_bye(s, rx);
	} else if (s->ended || s->bye_sent) {
		session_answer_inside(s, rx, 481, false);
	} else if (m == SIP_METHOD_PRACK) {
		session_prack_received(s, rx);
	} else if (m == SIP_METHOD_INVITE || m == SIP_METHOD_UPDATE) {
		offer_request(s, rx);
	} else if (m == SIP_METHOD_OPTIONS) {
		ast_sip_session_unref(s);
		return false; /* the core knows what it can do */
	} else {
		session_tell_request(s, rx, false);
	}
	session_release(s);
	ast_sip_session_unref(s);
	return true;
}

static bool on_ack(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct ast_sip_session *s = token;

	return dlg == s->dlg && session_confirm_ack(s, rx);
}

/* By the answer to a request of ours, whose outcome comes behind this; or because the server stops. */
static void on_ended(struct sip_dialog *dlg, void *token)
{
	struct ast_sip_session *s = ast_sip_session_ref(token);

	if (dlg == s->dlg) {
		s->dialog_gone = true;
		session_confirm_drop(s);
		if (s->bye)
			sip_tx_unref(s->bye);
		s->bye = NULL;
		/* The outcome of a request tells it; without any nothing else will. */
		if (!session_requests_under_way(s))
			session_end(s, (enum ast_sip_session_end)(s->closing ? s->why : AST_SIP_SESSION_END_LOST),
				    NULL);
		session_release(s);
	}
	ast_sip_session_unref(s);
}

const struct sip_dialog_usage session_usage = {
	.size = sizeof(struct sip_dialog_usage),
	.name = "session",
	.on_request = on_request,
	.on_ack = on_ack,
	.on_ended = on_ended,
};
