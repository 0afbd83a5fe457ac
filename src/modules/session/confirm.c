/* Every 2xx to an INVITE of the peer's is repeated until its ACK (RFC 3261 section 13.3.1.4). */
#include "session_private.h"

static void confirm_free(struct session_confirm *c)
{
	sip_tx_unref(c->tx);
	sip_tsx_unref(c->tsx);
	free(c);
}

static void schedule(struct ast_sip_session *s)
{
	int64_t first = INT64_MAX;

	for (const struct session_confirm *c = s->confirm; c; c = c->next)
		first = c->next_us < first ? c->next_us : first;
	if (s->confirm)
		session_clock_set(s, CLOCK_CONFIRM, first - rs_now_us());
	else
		session_clock_stop(s, CLOCK_CONFIRM);
}

int session_confirm_wait(struct ast_sip_session *s, struct sip_tx_data *tx, struct sip_tsx *tsx, uint32_t cseq,
			 bool offers)
{
	struct session_confirm *c = malloc(sizeof(*c));

	if (!c) {
		errno = ENOMEM;
		return -1;
	}
	*c = (struct session_confirm){
		.next = s->confirm,
		.tx = sip_tx_ref(tx),
		.tsx = sip_tsx_ref(tsx),
		.interval_us = session_t1_us(),
		.next_us = rs_now_us() + session_t1_us(),
		.end_us = rs_now_us() + 64 * session_t1_us(),
		.cseq = cseq,
		.offers = offers,
	};
	s->confirm = c;
	schedule(s);
	return 0;
}

void session_confirm_drop(struct ast_sip_session *s)
{
	while (s->confirm) {
		struct session_confirm *c = s->confirm;

		s->confirm = c->next;
		confirm_free(c);
	}
	session_clock_stop(s, CLOCK_CONFIRM);
}

/* Takes the one with that CSeq out; NULL: none. */
static struct session_confirm *take(struct ast_sip_session *s, uint32_t cseq)
{
	struct session_confirm **at = &s->confirm, *c;

	while (*at && (*at)->cseq != cseq)
		at = &(*at)->next;
	c = *at;
	if (c)
		*at = c->next;
	return c;
}

static void confirmed(struct ast_sip_session *s)
{
	s->confirmed = true;
	session_free_setup(s);
	if (s->ended)
		return;
	session_set_state(s, AST_SIP_SESSION_CONFIRMED);
	session_count(COUNT_CONFIRMED);
}

bool session_confirm_ack(struct ast_sip_session *s, struct sip_rx_data *ack)
{
	struct session_confirm *c = take(s, sip_rx_msg(ack)->cseq);
	/* Also when there was no memory to repeat the 2xx. */
	bool initial = !s->outgoing && !s->confirmed && s->setup && s->setup->answered && !s->setup->rx &&
		       sip_rx_msg(ack)->cseq == s->invite_cseq;

	if (!c && !initial)
		return true; /* a repeated one */
	ast_sip_session_ref(s);
	if (c && c->offers) {
		/* The answer is in it, or will never come. */
		if (ast_sip_rx_has_sdp(ack))
			session_oa_received(&s->oa);
		else
			session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
	}
	if (initial)
		confirmed(s);
	if (c)
		confirm_free(c);
	schedule(s);
	session_trim_sdp(s);
	session_supplements_request_in(s, ack);
	if (!s->ended && !s->closing && s->user && s->user->on_ack)
		s->user->on_ack(s, ack, s->token);
	session_bye_may_leave(s);
	session_release(s);
	ast_sip_session_unref(s);
	return true;
}

static void no_ack(struct ast_sip_session *s, struct session_confirm *c)
{
	take(s, c->cseq);
	confirm_free(c);
	session_count(COUNT_NO_ACK);
	if (s->bye || s->ended)
		session_bye_may_leave(s);
	else
		session_give_up(s, AST_SIP_SESSION_END_NO_ACK, NULL, 0);
}

void session_confirm_fire(struct ast_sip_session *s)
{
	int64_t at = rs_now_us();
	struct session_confirm *next;

	for (struct session_confirm *c = s->confirm; c; c = next) {
		next = c->next;
		if (c->next_us > at)
			continue;
		if (at >= c->end_us) {
			no_ack(s, c);
			next = s->confirm; /* the list may have changed */
			continue;
		}
		sip_tsx_respond(c->tsx, sip_tx_ref(c->tx));
		c->interval_us = c->interval_us * 2 < session_t2_us() ? c->interval_us * 2 : session_t2_us();
		c->next_us += c->interval_us;
		if (c->next_us > c->end_us)
			c->next_us = c->end_us;
	}
	schedule(s);
	session_release(s);
}
