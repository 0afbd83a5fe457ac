/* Reliable provisional answers (RFC 3262), both sides. */
#include "session_private.h"

#include <stdio.h>

/* Section 3: the first RSeq lies between 1 and 2**31 - 1. */
#define FIRST_RSEQ_MAX 0x7fffffffu

/* ---- sent: one at a time until its PRACK ---- */

static void schedule(struct ast_sip_session *s)
{
	int64_t left = s->setup->reliable_end_us - rs_now_us(), interval = s->setup->reliable_interval_us;

	session_clock_set(s, CLOCK_PROVISIONAL, interval < left ? interval : left);
}

static int transmit(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct session_setup *u = s->setup;
	char rseq[16];
	int result;

	u->rseq = u->rseq ? u->rseq + 1 : 1 + rs_random_below(FIRST_RSEQ_MAX);
	if (sip_tx_add_hdr(tx, SIP_HDR_REQUIRE, RS_STR("100rel")) ||
	    sip_tx_add_hdr(tx, SIP_HDR_RSEQ, SESSION_TEXT(rseq, "%u", u->rseq))) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return -1;
	}
	u->reliable_sdp = session_tx_has_sdp(tx);
	if (u->reliable_sdp) {
		session_oa_sent(&s->oa);
		session_keep_sdp(s, tx);
	}
	u->reliable = sip_tx_ref(tx);
	u->reliable_interval_us = session_t1_us();
	u->reliable_end_us = rs_now_us() + 64 * session_t1_us();
	schedule(s);
	session_supplements_out(s, tx);
	result = sip_dialog_respond(s->dlg, u->rx, tx);
	session_set_state(s, AST_SIP_SESSION_EARLY);
	return result;
}

static int enqueue(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct session_queued *q = malloc(sizeof(*q)), **at = &s->setup->queue;
	unsigned n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	if (!q || n >= SESSION_MAX_QUEUED) {
		free(q);
		sip_tx_unref(tx);
		errno = n >= SESSION_MAX_QUEUED ? EAGAIN : ENOMEM;
		return -1;
	}
	*q = (struct session_queued){.tx = tx};
	*at = q;
	return 0;
}

int session_reliable_send(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	return s->setup->reliable ? enqueue(s, tx) : transmit(s, tx);
}

static void drop_queue(struct session_setup *u)
{
	while (u->queue) {
		struct session_queued *q = u->queue;

		u->queue = q->next;
		sip_tx_unref(q->tx);
		free(q);
	}
}

/* Section 3: no 2xx before the PRACK of a reliable answer with SDP; others need not be waited for. */
bool session_reliable_holds(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct session_setup *u = s->setup;
	bool waits = u->reliable && u->reliable_sdp;

	for (const struct session_queued *q = u->queue; q && !waits; q = q->next)
		waits = session_tx_has_sdp(q->tx);
	if (!waits) {
		drop_queue(u);
		return false;
	}
	/* Without memory it leaves at once: better early than never. */
	if (enqueue(s, sip_tx_ref(tx)))
		return false;
	sip_tx_unref(tx);
	return true;
}

/* What waited behind the acknowledged one. */
static void next_queued(struct ast_sip_session *s)
{
	struct session_setup *u = s->setup;

	while (u && u->queue && !u->reliable && u->rx) {
		struct session_queued *q = u->queue;
		struct sip_tx_data *tx = q->tx;

		u->queue = q->next;
		free(q);
		if (sip_tx_status(tx) < 200)
			transmit(s, tx);
		else
			session_answer_final(s, tx);
		u = s->setup;
	}
}

void session_reliable_stop(struct ast_sip_session *s)
{
	session_clock_stop(s, CLOCK_PROVISIONAL);
	if (s->setup)
		drop_queue(s->setup);
}

void session_reliable_fire(struct ast_sip_session *s)
{
	struct session_setup *u = s->setup;

	if (!u || !u->reliable || !u->rx)
		return;
	if (rs_now_us() >= u->reliable_end_us) {
		session_refuse(s, 504, RS_STR_NULL);
		session_end(s, AST_SIP_SESSION_END_NO_PRACK, NULL);
		return;
	}
	sip_tsx_respond(u->tsx, sip_tx_ref(u->reliable));
	u->reliable_interval_us *= 2;
	schedule(s);
}

static bool rack_fits(const struct ast_sip_session *s, struct sip_rx_data *rx)
{
	const struct sip_hdr_values *v = sip_msg_values(sip_rx_msg(rx), SIP_HDR_RACK, NULL);
	const struct session_setup *u = s->setup;

	return v && v->n && u && u->reliable && v->v.cseq[0].num == u->rseq && v->v.cseq[0].num2 == s->invite_cseq &&
	       rs_str_eqz(v->v.cseq[0].method, "INVITE");
}

void session_prack_received(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	bool sdp = ast_sip_rx_has_sdp(rx), offer = sdp && s->oa.turn != AST_SIP_SESSION_OA_LOCAL;

	if (!rack_fits(s, rx)) {
		session_answer_inside(s, rx, 481, false);
		return;
	}
	if (offer && s->oa.turn == AST_SIP_SESSION_OA_REMOTE) {
		session_answer_inside(s, rx, 500, true);
		return;
	}
	session_clock_stop(s, CLOCK_PROVISIONAL);
	sip_tx_unref(s->setup->reliable);
	s->setup->reliable = NULL;
	if (offer)
		session_oa_begin(&s->oa);
	if (sdp)
		session_oa_received(&s->oa);
	else
		session_oa_abandon(&s->oa,
				   AST_SIP_SESSION_OA_LOCAL); /* an offer of ours that it should have answered */
	if (sdp)
		session_tell_request(s, rx, offer);
	else
		session_answer_inside(s, rx, 200, false);
	if (!s->ended)
		next_queued(s);
}

/* ---- received ---- */

/* NULL: ENOMEM. */
static struct sip_tx_data *prack_new(const struct session_branch *b, uint32_t rseq, uint32_t cseq)
{
	struct sip_tx_data *tx = sip_dialog_request(b->dlg, RS_STR("PRACK"));
	char rack[48];

	if (!tx || sip_tx_add_hdr(tx, SIP_HDR_RACK, SESSION_TEXT(rack, "%u %u INVITE", rseq, cseq)) == 0)
		return tx;
	sip_tx_unref(tx);
	errno = ENOMEM;
	return NULL;
}

static void prack_plain(struct ast_sip_session *s, const struct session_branch *b)
{
	struct sip_tx_data *tx = prack_new(b, b->rseq, b->cseq);

	if (tx)
		session_request_send(s, b->dlg, tx, REQUEST_PRACK, NULL);
}

/* Section 4: in order, each once. What is neither the first nor the next one will come again. */
static bool is_next(struct session_branch *b, uint32_t cseq, uint32_t rseq)
{
	if (b->cseq != cseq)
		b->rseq = 0; /* another INVITE, with credentials or a longer interval */
	if (b->rseq && rseq != b->rseq + 1)
		return false;
	b->cseq = cseq;
	b->rseq = rseq;
	return true;
}

bool session_reliable_received(struct session_request *r, struct session_branch *b, struct sip_rx_data *rx,
			       bool *offers)
{
	struct ast_sip_session *s = r->s;
	struct sip_msg *msg = sip_rx_msg(rx);
	struct session_oa *oa = b && b->dlg != s->dlg ? &b->oa : &s->oa;
	struct session_branch before;
	uint32_t rseq;

	if (!b || !session_requires(rx, "100rel") || !sip_msg_number(msg, SIP_HDR_RSEQ, &rseq, NULL) || !rseq)
		return true;
	before = *b;
	if (!is_next(b, msg->cseq, rseq))
		return false;
	*offers = ast_sip_rx_has_sdp(rx) && !oa->done && oa->turn == AST_SIP_SESSION_OA_IDLE;
	if (*offers && s->setup->prack) {
		/* One offer at a time. */
		b->cseq = before.cseq;
		b->rseq = before.rseq;
		return false;
	}
	if (ast_sip_rx_has_sdp(rx))
		session_oa_received(oa);
	if (!*offers) {
		prack_plain(s, b);
		return true;
	}
	s->setup->prack = b;
	s->setup->prack_rseq = rseq;
	s->setup->prack_cseq = msg->cseq;
	return true;
}

/* The INVITE whose progress is acknowledged. */
static struct session_request *ringing(const struct ast_sip_session *s)
{
	for (struct session_request *r = s->requests; r; r = r->next) {
		if (r->initial)
			return r;
	}
	return NULL;
}

int ast_sip_session_prack(struct ast_sip_session *s, struct rs_str content_type, struct rs_str body,
			  ast_sip_request_cb cb, void *token)
{
	struct session_request how = {.cb = cb, .token = token}, *r = ringing(s);
	struct session_branch *b = s->setup ? s->setup->prack : NULL;
	struct session_oa *oa;
	struct sip_tx_data *tx;

	if (!r || !b || s->ended) {
		errno = EALREADY;
		return -1;
	}
	tx = prack_new(b, s->setup->prack_rseq, s->setup->prack_cseq);
	if (!tx)
		return -1;
	if (body.len && sip_tx_set_body(tx, content_type, body)) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return -1;
	}
	s->setup->prack = NULL;
	oa = b->dlg != s->dlg ? &b->oa : &s->oa;
	session_oa_sent(oa); /* without a body there will be no answer: the offer is over either way */
	session_keep_sdp(s, tx);
	return session_request_send(s, b->dlg, tx, REQUEST_PRACK, &how) ? 0 : -1;
}
