/* Our INVITE outside of a dialog: progress, answer, the other branches of its fork; and every ACK of ours. */
#include "session_private.h"

/* ---- branches ---- */

/* The branch that a response belongs to, made when it is new; NULL: without To tag, too many, or no memory. */
static struct session_branch *branch_of(struct session_request *r, struct sip_rx_data *rx)
{
	struct rs_str tag = sip_rx_msg(rx)->to_tag;
	struct session_branch **at = &r->branches, *b;
	unsigned n = 0;
	bool made;

	if (!tag.len)
		return NULL;
	for (; *at; at = &(*at)->next, n++) {
		if (!rs_str_eq(sip_dialog_remote_tag((*at)->dlg), tag))
			continue;
		if ((*at)->dlg != r->dlg)
			sip_dialog_received((*at)->dlg, rx);
		return *at;
	}
	b = n < SESSION_MAX_BRANCHES ? calloc(1, sizeof(*b)) : NULL;
	if (!b)
		return NULL;
	if (rs_str_eq(sip_dialog_remote_tag(r->dlg), tag))
		b->dlg = sip_dialog_ref(r->dlg);
	else
		b->dlg = sip_dialog_fork(r->dlg, rx, &made);
	if (!b->dlg) {
		free(b);
		return NULL;
	}
	/* Every branch begins with what the INVITE said. */
	b->oa = (struct session_oa){.turn = r->offer ? AST_SIP_SESSION_OA_LOCAL : AST_SIP_SESSION_OA_IDLE};
	*at = b;
	return b;
}

void session_branches_free(struct session_request *r)
{
	while (r->branches) {
		struct session_branch *b = r->branches;

		r->branches = b->next;
		if (b->ack)
			sip_tx_unref(b->ack);
		sip_dialog_unref(b->dlg);
		free(b);
	}
}

/* The session goes on in b. The dialog of the INVITE keeps the usage as long as answers may come in it. */
static void adopt(struct session_request *r, struct session_branch *b)
{
	struct ast_sip_session *s = r->s;

	if (b->dlg == s->dlg || sip_dialog_add_usage(b->dlg, &session_usage, s))
		return;
	s->oa = b->oa;
	r->usage = s->dlg == r->dlg;
	session_set_dialog(s, sip_dialog_ref(b->dlg));
}

/* ---- what comes back ---- */

void session_invite_provisional(struct session_request *r, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;
	struct session_branch *b = branch_of(r, rx);
	bool offers = false;

	if (s->ended || s->closing)
		return;
	session_learn(s, rx);
	if (!s->setup->timeout_ms)
		session_clock_set(s, CLOCK_NO_ANSWER, SESSION_TIMER_C_US);
	if (b && ast_sip_session_state(s) == AST_SIP_SESSION_CALLING)
		session_set_state(s, AST_SIP_SESSION_EARLY);
	ast_sip_session_ref(s);
	if (session_reliable_received(r, b, rx, &offers)) {
		if (s->user && s->user->on_progress)
			s->user->on_progress(s, rx, offers, s->token);
		else if (offers)
			ast_sip_session_prack(s, RS_STR_NULL, RS_STR_NULL, NULL, NULL);
	}
	ast_sip_session_unref(s);
}

/* Another branch answered, or the one whose answer nobody wants any more: ACK, then BYE (RFC 3261 section 13.2.2.4). */
static void refuse_answer(struct session_request *r, struct session_branch *b)
{
	struct sip_tx_data *bye;

	if (b->ack) {
		sip_stack_send(sip_tx_ref(b->ack));
		return;
	}
	b->ack = sip_dialog_ack(b->dlg, ast_sip_request_tx(r->req));
	if (!b->ack)
		return; /* the answer will come again */
	ast_sip_send_ack(sip_tx_ref(b->ack), b->dlg);
	if (b->dlg == r->s->dlg) {
		session_bye_now(r->s);
		return;
	}
	bye = sip_dialog_request(b->dlg, RS_STR("BYE"));
	if (bye)
		session_request_send(r->s, b->dlg, bye, REQUEST_BYE, NULL);
}

static void answered(struct session_request *r, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;
	struct session_branch *b = branch_of(r, rx);
	bool wanted = !s->ended && !s->closing;

	if (b)
		adopt(r, b);
	session_learn(s, rx);
	session_timer_received(s, rx, r->interval);
	if (ast_sip_rx_has_sdp(rx))
		session_oa_received(&s->oa);
	else
		session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
	if (r->offer)
		session_keep_sdp(s, r->tx);
	session_request_done(r, AST_SIP_REQUEST_RESPONSE, rx);
	if (!wanted) {
		if (b)
			refuse_answer(r, b);
		else if (!s->ended)
			session_end(s, (enum ast_sip_session_end)s->why, NULL);
		return;
	}
	session_set_state(s, AST_SIP_SESSION_CONNECTING);
	s->to_ack = session_request_ref(r);
	if (s->user && s->user->on_answer)
		s->user->on_answer(s, rx, s->token);
	else
		session_ack_plain(s);
}

static enum ast_sip_session_end end_of(enum ast_sip_request_end why)
{
	return why == AST_SIP_REQUEST_RESPONSE  ? AST_SIP_SESSION_END_REFUSED
	       : why == AST_SIP_REQUEST_TIMEOUT ? AST_SIP_SESSION_END_TIMEOUT
						: AST_SIP_SESSION_END_TRANSPORT;
}

void session_invite_final(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;
	bool response = why == AST_SIP_REQUEST_RESPONSE, live = !s->ended && !s->closing;

	if (response && sip_rx_msg(rx)->status < 300) {
		session_clock_stop(s, CLOCK_NO_ANSWER);
		answered(r, rx);
		return;
	}
	if (live && response && sip_rx_msg(rx)->status == 422 && session_request_longer(r, rx))
		return;
	session_request_done(r, why, rx);
	if (s->ended)
		return;
	if (s->closing)
		session_end(s, (enum ast_sip_session_end)s->why, NULL);
	else
		session_end(s, end_of(why), rx);
}

void session_invite_more(struct session_request *r, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = ast_sip_session_ref(r->s);
	struct session_branch *b;

	if (!r->initial || rs_str_eq(sip_rx_msg(rx)->to_tag, sip_dialog_remote_tag(s->dlg))) {
		/* Until the user has acknowledged it there is nothing to repeat. */
		if (r->ack)
			sip_stack_send(sip_tx_ref(r->ack));
		else if (r->branches && s->to_ack != r && (b = branch_of(r, rx)))
			refuse_answer(r, b);
	} else {
		b = branch_of(r, rx);
		if (b)
			refuse_answer(r, b);
	}
	ast_sip_session_unref(s);
}

void session_invite_timeout(struct ast_sip_session *s)
{
	/* A re-INVITE: its outcome will say that the peer is not there. */
	for (struct session_request *r = s->requests; s->confirmed && r; r = r->next) {
		if (r->kind == REQUEST_INVITE && !r->waiting)
			ast_sip_request_cancel(r->req, RS_STR_NULL);
	}
	if (ast_sip_session_state(s) == AST_SIP_SESSION_CALLING || ast_sip_session_state(s) == AST_SIP_SESSION_EARLY)
		session_give_up(s, AST_SIP_SESSION_END_TIMEOUT, NULL, 0);
}

/* ---- ACK ---- */

int ast_sip_session_ack(struct ast_sip_session *s, struct rs_str content_type, struct rs_str body)
{
	struct session_request *r = s->to_ack;
	struct sip_tx_data *ack;

	if (!r) {
		errno = EALREADY;
		return -1;
	}
	ack = sip_dialog_ack(s->dlg, ast_sip_request_tx(r->req));
	if (ack && body.len && sip_tx_set_body(ack, content_type, body)) {
		sip_tx_unref(ack);
		ack = NULL;
	}
	if (!ack) {
		errno = ENOMEM;
		return -1;
	}
	s->to_ack = NULL;
	r->ack = sip_tx_ref(ack);
	session_supplements_out(s, ack);
	if (s->oa.turn == AST_SIP_SESSION_OA_REMOTE) {
		session_oa_sent(&s->oa);
		session_keep_sdp(s, ack);
	}
	ast_sip_send_ack(ack, s->dlg);
	if (r->initial && !s->confirmed && !s->ended) {
		s->confirmed = true;
		session_set_state(s, AST_SIP_SESSION_CONFIRMED);
		session_count(COUNT_CONFIRMED);
		session_free_setup(s);
	}
	session_trim_sdp(s);
	session_request_unref(r);
	return 0;
}

void session_ack_plain(struct ast_sip_session *s)
{
	struct session_request *r;

	if (ast_sip_session_ack(s, RS_STR_NULL, RS_STR_NULL) == 0 || errno == EALREADY)
		return;
	/* Without memory: the 2xx will come again, to a request that nobody waits for. */
	r = s->to_ack;
	s->to_ack = NULL;
	session_request_unref(r);
}

/* ---- the INVITE ---- */

struct sip_tx_data *ast_sip_session_create_invite(struct ast_sip_session *s)
{
	struct sip_tx_data *tx;

	if (!s->outgoing || ast_sip_session_state(s) != AST_SIP_SESSION_NEW || s->closing) {
		errno = EALREADY;
		return NULL;
	}
	tx = sip_dialog_request(s->dlg, RS_STR("INVITE"));
	if (!tx)
		return NULL;
	session_add_capabilities(s, tx);
	if (session_settings(s->endpoint)->timers != AST_SIP_TIMERS_NO)
		session_timer_add_request(s, tx, 0);
	return tx;
}

static uint32_t configured_interval(const struct ast_sip_session *s)
{
	const struct ast_sip_endpoint_settings *set = session_settings(s->endpoint);

	return set->timers == AST_SIP_TIMERS_NO ? 0 : set->timers_sess_expires;
}

int ast_sip_session_send_invite(struct ast_sip_session *s, struct sip_tx_data *tx, int timeout_ms)
{
	struct session_request how = {.initial = true, .interval = configured_interval(s)};
	int error = 0;

	if (!s->outgoing || ast_sip_session_state(s) != AST_SIP_SESSION_NEW || s->closing)
		error = EALREADY;
	else if (session_settle(s, NULL))
		error = errno;
	if (error) {
		sip_tx_unref(tx);
		errno = error;
		return -1;
	}
	session_supplements_begin(s);
	session_oa_begin(&s->oa);
	if (session_tx_has_sdp(tx))
		session_oa_sent(&s->oa);
	s->setup->timeout_ms = timeout_ms;
	session_set_state(s, AST_SIP_SESSION_CALLING);
	if (session_request_send(s, s->dlg, tx, REQUEST_INVITE, &how)) {
		session_clock_set(s, CLOCK_NO_ANSWER, timeout_ms ? (int64_t)timeout_ms * 1000 : SESSION_TIMER_C_US);
		return 0;
	}
	error = errno;
	/* The user is told by the result alone. */
	ast_sip_session_set_user_for(NULL, s, NULL, NULL);
	session_end(s, AST_SIP_SESSION_END_TRANSPORT, NULL);
	errno = error;
	return -1;
}
