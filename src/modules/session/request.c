/* Requests of ours: their way until nothing of them can come any more. */
#include "session_private.h"

struct session_request *session_request_ref(struct session_request *r)
{
	r->refs++;
	return r;
}

void session_request_unref(struct session_request *r)
{
	struct ast_sip_session *s = r->s;

	if (--r->refs)
		return;
	session_branches_free(r);
	if (r->usage)
		sip_dialog_remove_usage(r->dlg, &session_usage, s);
	ast_sip_request_unref(r->req);
	sip_tx_unref(r->tx);
	if (r->ack)
		sip_tx_unref(r->ack);
	sip_dialog_unref(r->dlg);
	free(r);
	ast_sip_session_unref(s);
}

bool session_request_pending(const struct ast_sip_session *s, enum session_kind kind)
{
	for (const struct session_request *r = s->requests; r; r = r->next) {
		if (r->kind == kind && !r->waiting)
			return true;
	}
	return false;
}

bool session_requests_under_way(const struct ast_sip_session *s)
{
	const struct session_request *r = s->requests;

	while (r && r->waiting)
		r = r->next;
	return r;
}

/* ---- the outcome ---- */

static void unlink_request(struct session_request *r)
{
	struct session_request **at = &r->s->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->next = NULL;
	r->pending = r->waiting = false;
}

static void tell(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	ast_sip_request_cb cb = r->cb;

	r->cb = NULL;
	if (cb)
		cb(r->token, why, rx);
}

void session_request_done(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	if (!r->pending)
		return;
	unlink_request(r);
	tell(r, why, rx);
	session_request_unref(r);
}

void session_requests_end(struct ast_sip_session *s)
{
	struct session_request *r = s->requests;

	while (r) {
		struct session_request *next = r->next;

		if (r->waiting) {
			session_request_done(r, AST_SIP_REQUEST_TRANSPORT_ERROR, NULL);
		} else {
			/* Once it has a provisional answer nothing but a CANCEL sets it a limit. */
			if (r->kind == REQUEST_INVITE)
				ast_sip_request_cancel(r->req, RS_STR_NULL);
			tell(r, AST_SIP_REQUEST_TRANSPORT_ERROR, NULL);
		}
		r = next;
	}
}

static bool is_2xx(enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	return why == AST_SIP_REQUEST_RESPONSE && sip_rx_msg(rx)->status < 300;
}

/* RFC 3261 section 12.2.1.2: the peer does not know the dialog, or is not there. */
static bool means_lost(enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	unsigned status = rx ? sip_rx_msg(rx)->status : 0;

	return why == AST_SIP_REQUEST_TIMEOUT || status == 408 || status == 481;
}

/* What the answer says of offer and answer. */
static void take_sdp(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;

	if (!is_2xx(why, rx)) {
		if (r->offer)
			session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
		return;
	}
	if (ast_sip_rx_has_sdp(rx) && (r->kind == REQUEST_INVITE || r->offer))
		session_oa_received(&s->oa);
	else if (r->offer)
		session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
	if (r->offer)
		session_keep_sdp(s, r->tx);
}

/* Whether r waits to be sent again. */
static bool try_again(struct session_request *r, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;
	unsigned status = rx ? sip_rx_msg(rx)->status : 0;

	if (s->ended || s->closing || (r->kind != REQUEST_INVITE && r->kind != REQUEST_UPDATE))
		return false;
	if (status == 491) {
		session_count(COUNT_GLARES);
		if (!r->retry || r->glares >= SESSION_MAX_GLARES)
			return false;
		r->glares++;
		session_glare_wait(r);
		return true;
	}
	return status == 422 && session_request_longer(r, rx);
}

static void inside_final(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = r->s;
	bool lost = r->kind != REQUEST_BYE && means_lost(why, rx);

	if (r->kind == REQUEST_INVITE)
		session_clock_stop(s, CLOCK_NO_ANSWER);
	if (try_again(r, rx))
		return;
	take_sdp(r, why, rx);
	if (is_2xx(why, rx) && (r->kind == REQUEST_INVITE || r->kind == REQUEST_UPDATE)) {
		session_learn(s, rx);
		session_timer_received(s, rx, r->interval);
		session_trim_sdp(s);
	}
	if (r->kind == REQUEST_INVITE && is_2xx(why, rx)) {
		s->to_ack = session_request_ref(r);
		if (s->ended || !r->cb)
			session_ack_plain(s);
	}
	if (r->refresh && !is_2xx(why, rx) && !lost)
		session_timer_refresh_failed(s);
	session_request_done(r, why, rx);
	if (lost)
		session_give_up(s, AST_SIP_SESSION_END_LOST, rx, 0);
}

/* ---- what the core tells ---- */

static void on_provisional(struct ast_sip_request *req, struct sip_rx_data *rx, void *token)
{
	struct session_request *r = token;

	if (req != r->req || !r->pending)
		return;
	session_supplements_response_in(r->s, rx);
	if (r->initial)
		session_invite_provisional(r, rx);
	else if (r->kind == REQUEST_INVITE && !r->s->ended)
		session_clock_set(r->s, CLOCK_NO_ANSWER, SESSION_TIMER_C_US);
}

static void on_final(struct ast_sip_request *req, enum ast_sip_request_end why, struct sip_rx_data *rx, void *token)
{
	struct session_request *r = token;
	struct ast_sip_session *s = ast_sip_session_ref(r->s);

	if (req != r->req || !r->pending) {
		ast_sip_session_unref(s);
		return;
	}
	session_request_ref(r);
	if (rx)
		session_supplements_response_in(s, rx);
	if (r->initial)
		session_invite_final(r, why, rx);
	else
		inside_final(r, why, rx);
	if (r->kind == REQUEST_BYE && r->dlg == s->dlg && !s->ended)
		session_end(s, (enum ast_sip_session_end)s->why, NULL);
	else if (s->dialog_gone && !s->ended)
		session_end(s, (enum ast_sip_session_end)(s->closing ? s->why : AST_SIP_SESSION_END_LOST), rx);
	session_request_unref(r);
	session_release(s);
	ast_sip_session_unref(s);
}

static void on_more(struct ast_sip_request *req, struct sip_rx_data *rx, void *token)
{
	struct session_request *r = token;

	if (req == r->req)
		session_invite_more(r, rx);
}

static void on_gone(struct ast_sip_request *req, void *token)
{
	(void)req;
	session_request_unref(token);
}

static const struct ast_sip_request_ops ops = {
	.size = sizeof(struct ast_sip_request_ops),
	.name = "session",
	.on_provisional = on_provisional,
	.on_final = on_final,
	.on_more = on_more,
	.on_gone = on_gone,
};

/* ---- sending ---- */

/* r->tx goes out. 0 or -1. */
static int transmit(struct session_request *r)
{
	struct ast_sip_request *req = NULL;

	if (ast_sip_send_request_ops(sip_tx_ref(r->tx), r->dlg, r->s->endpoint, 0, &ops, r, &req))
		return -1;
	session_request_ref(r);
	ast_sip_request_unref(r->req);
	r->req = req;
	return 0;
}

struct session_request *session_request_send(struct ast_sip_session *s, struct sip_dialog *dlg, struct sip_tx_data *tx,
					     enum session_kind kind, const struct session_request *how)
{
	struct session_request *r = calloc(1, sizeof(*r)), **at;

	if (!r) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return NULL;
	}
	if (how)
		*r = *how;
	r->kind = (uint8_t)kind;
	r->s = ast_sip_session_ref(s);
	r->dlg = sip_dialog_ref(dlg);
	r->tx = tx;
	r->offer = kind != REQUEST_PRACK && session_tx_has_sdp(tx);
	r->pending = true;
	r->refs = 1;
	for (at = &s->requests; *at; at = &(*at)->next)
		;
	*at = r;
	session_supplements_out(s, tx);
	if (transmit(r) == 0)
		return r;
	r->cb = NULL;
	session_request_done(r, AST_SIP_REQUEST_TRANSPORT_ERROR, NULL);
	errno = errno ? errno : ENOTCONN;
	return NULL;
}

/* The same headers in a request to where the peer is now: it may have moved while this one waited. */
static struct sip_tx_data *rebuild(struct session_request *r)
{
	struct sip_tx_data *tx = sip_dialog_request(r->dlg, sip_tx_method_text(r->tx)), *old = r->tx;

	if (!tx)
		return NULL;
	for (unsigned id = SIP_HDR_OTHER + 1; id < SIP_HDR_N; id++) {
		struct rs_str value;

		if (id == SIP_HDR_VIA || id == SIP_HDR_ROUTE || id == SIP_HDR_CONTENT_LENGTH ||
		    id == SIP_HDR_CONTENT_TYPE || sip_tx_hdr(tx, (enum sip_hdr_id)id).len)
			continue;
		for (unsigned n = 0; (value = sip_tx_hdr_nth(old, (enum sip_hdr_id)id, n)).len; n++)
			sip_tx_add_hdr(tx, (enum sip_hdr_id)id, value);
	}
	if (sip_tx_body(old).len)
		sip_tx_set_body(tx, sip_tx_content_type(old), sip_tx_body(old));
	return tx;
}

static struct sip_tx_data *copy_request(struct session_request *r)
{
	if (!r->initial && !rs_str_eq(sip_tx_uri(r->tx), sip_dialog_remote_target(r->dlg)))
		return rebuild(r);
	return sip_tx_clone(r->tx, sip_dialog_next_cseq(r->dlg));
}

int session_request_again(struct session_request *r, uint32_t interval)
{
	struct sip_tx_data *tx = copy_request(r);

	if (!tx)
		return -1;
	if (interval) {
		sip_tx_remove_hdr(tx, SIP_HDR_SESSION_EXPIRES);
		sip_tx_remove_hdr(tx, SIP_HDR_MIN_SE);
		r->interval = session_timer_add_request(r->s, tx, interval);
	}
	sip_tx_unref(r->tx);
	r->tx = tx;
	r->waiting = false;
	if (r->kind == REQUEST_INVITE || r->offer)
		session_oa_begin(&r->s->oa);
	if (r->offer)
		session_oa_sent(&r->s->oa);
	if (transmit(r) == 0)
		return 0;
	if (r->offer)
		session_oa_abandon(&r->s->oa, AST_SIP_SESSION_OA_LOCAL);
	return -1;
}

bool session_request_longer(struct session_request *r, struct sip_rx_data *rx)
{
	uint32_t min_se;

	if (!sip_msg_number(sip_rx_msg(rx), SIP_HDR_MIN_SE, &min_se, NULL) || min_se <= r->interval ||
	    r->intervals >= SESSION_MAX_INTERVALS)
		return false;
	/* A dialog that has come about by a provisional answer is over with this one. */
	if (r->initial && sip_dialog_remote_tag(r->dlg).len)
		return false;
	r->intervals++;
	session_timer_heard(r->s, rx);
	if (r->offer)
		session_oa_abandon(&r->s->oa, AST_SIP_SESSION_OA_LOCAL);
	return session_request_again(r, min_se) == 0;
}

/* ---- the user's ---- */

struct sip_tx_data *ast_sip_session_create_request(struct ast_sip_session *s, struct rs_str method)
{
	enum sip_method m = sip_method_from_name(method);
	bool timed = m == SIP_METHOD_INVITE || m == SIP_METHOD_UPDATE;
	struct sip_tx_data *tx;

	if (s->ended || s->closing) {
		errno = ENOTCONN;
		return NULL;
	}
	if (timed && !session_may_send(s, m, false)) {
		errno = EAGAIN;
		return NULL;
	}
	tx = sip_dialog_request(s->dlg, method);
	if (!tx || !timed)
		return tx;
	session_add_capabilities(s, tx);
	if (s->interval)
		session_timer_add_request(s, tx, s->interval);
	return tx;
}

static enum session_kind kind_of(enum sip_method m)
{
	switch (m) {
	case SIP_METHOD_INVITE:
		return REQUEST_INVITE;
	case SIP_METHOD_UPDATE:
		return REQUEST_UPDATE;
	case SIP_METHOD_PRACK:
		return REQUEST_PRACK;
	default:
		return REQUEST_OTHER;
	}
}

/* What the request says that it asks for. */
static uint32_t asked_interval(const struct sip_tx_data *tx)
{
	struct rs_str v = sip_tx_hdr(tx, SIP_HDR_SESSION_EXPIRES);
	uint64_t seconds = 0;
	size_t n = 0;

	while (n < v.len && v.p[n] >= '0' && v.p[n] <= '9')
		n++;
	return rs_str_to_u64(rs_str_n(v.p, n), UINT32_MAX, &seconds) ? 0 : (uint32_t)seconds;
}

int ast_sip_session_send_request(struct ast_sip_session *s, struct sip_tx_data *tx, bool retry, ast_sip_request_cb cb,
				 void *token)
{
	enum sip_method m = sip_tx_method(tx);
	enum session_kind kind = kind_of(m);
	bool sdp = session_tx_has_sdp(tx), exchange = kind == REQUEST_INVITE || (kind == REQUEST_UPDATE && sdp);
	struct session_request how = {.cb = cb, .token = token, .retry = retry};
	int error = s->ended || s->closing ? ENOTCONN : m == SIP_METHOD_BYE || m == SIP_METHOD_ACK ? EINVAL : 0;

	if (!error && (kind == REQUEST_INVITE || kind == REQUEST_UPDATE) && !session_may_send(s, m, sdp))
		error = EAGAIN;
	if (error) {
		sip_tx_unref(tx);
		errno = error;
		return -1;
	}
	if (kind == REQUEST_INVITE || kind == REQUEST_UPDATE)
		how.interval = asked_interval(tx);
	if (exchange)
		session_oa_begin(&s->oa);
	if (exchange && sdp)
		session_oa_sent(&s->oa);
	if (session_request_send(s, s->dlg, tx, kind, &how))
		return 0;
	if (exchange)
		session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
	return -1;
}
