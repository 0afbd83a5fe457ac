/*
 * Two legs that are up get each other's media by re-INVITEs (RFC 3725): first is asked for an offer, second answers it,
 * and first's ACK brings the answer. When second's own 2xx has brought an offer (a phone that was just called without
 * one), first answers that one and second's ACK brings the answer.
 */
#include "calls.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_TRIES    20 /* of a re-INVITE that may not leave: another is under way at the phone */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 500

enum step { JOIN_OFFER, JOIN_ANSWER };

struct join {
	struct shared shared;
	struct leg *first, *second; /* referenced */
	struct sip_rx_data *offer;  /* referenced: second's, or first's once it came */
	bool by_second;             /* the offer is second's */
	void (*done)(struct leg *first, bool joined, struct shared *token);
	struct shared *token; /* referenced */
	/* Of the leg whose turn it is. */
	struct ast_sip_timer *timer;
	unsigned tries;
};

static void ask(struct join *j, struct leg *leg);

static void join_free(struct shared *s)
{
	struct join *j = rs_container_of(s, struct join, shared);

	leg_unref(j->first);
	leg_unref(j->second);
	sip_rx_unref(j->offer);
	shared_unref(j->token);
	free(j);
}

/* ---- the end; on first's serializer ---- */

static void finish(struct join *j, bool joined)
{
	if (j->done)
		j->done(j->first, joined, j->token);
	else if (!joined)
		leg_end_call(j->first, 0, RS_STR("SIP;cause=488;text=\"Media could not be agreed upon\""));
}

static void tell(struct join *j, struct leg *to, enum step step, struct sip_rx_data *rx)
{
	leg_tell(to, &(struct leg_event){.type = LEG_JOIN,
					 .status = step,
					 .from = to == j->first ? j->second : j->first,
					 .rx = rx,
					 .about = &j->shared});
}

/* ---- a re-INVITE ---- */

static void first_answered(struct join *j, struct sip_rx_data *rx)
{
	bool has_sdp = rx && ast_sip_rx_has_sdp(rx);

	if (j->by_second) {
		leg_tell(j->second, &(struct leg_event){.type = LEG_ACK, .from = j->first, .rx = rx});
		if (rx)
			ast_sip_session_ack(j->first->session, RS_STR_NULL, RS_STR_NULL);
		finish(j, rx != NULL);
		return;
	}
	j->first->ack_due = rx != NULL;
	if (has_sdp) {
		j->offer = sip_rx_ref(rx);
		tell(j, j->second, JOIN_OFFER, NULL);
		return;
	}
	relay_make_ack(j->first, &(struct leg_event){.type = LEG_ACK});
	finish(j, false);
}

static void second_answered(struct join *j, struct sip_rx_data *rx)
{
	if (rx)
		ast_sip_session_ack(j->second->session, RS_STR_NULL, RS_STR_NULL);
	tell(j, j->first, JOIN_ANSWER, rx);
}

static void outcome(struct join *j, struct leg *leg, struct sip_rx_data *rx)
{
	if (leg == j->first)
		first_answered(j, rx);
	else
		second_answered(j, rx);
}

static void on_outcome(struct join *j, struct leg *leg, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	bool ok = why == AST_SIP_REQUEST_RESPONSE && sip_rx_msg(rx)->status < 300;

	outcome(j, leg, ok ? rx : NULL);
	shared_unref(&j->shared);
}

static void first_done(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct join *j = token;

	on_outcome(j, j->first, why, rx);
}

static void second_done(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct join *j = token;

	on_outcome(j, j->second, why, rx);
}

static void again(struct join *j, struct leg *leg)
{
	ast_sip_timer_free(j->timer);
	j->timer = NULL;
	ask(j, leg);
	shared_unref(&j->shared);
}

static void first_again(void *data)
{
	struct join *j = data;

	again(j, j->first);
}

static void second_again(void *data)
{
	struct join *j = data;

	again(j, j->second);
}

/* Another transaction of that leg is under way: it ends soon. false: it has been tried for too long. */
static bool later(struct join *j, struct leg *leg)
{
	if (errno != EAGAIN || ++j->tries > MAX_TRIES)
		return false;
	j->timer = ast_sip_timer_new(leg->work, leg == j->first ? first_again : second_again, j);
	if (!j->timer)
		return false;
	shared_ref(&j->shared);
	ast_sip_timer_start(j->timer, RETRY_MIN_MS + rs_random_below(RETRY_MAX_MS - RETRY_MIN_MS));
	return true;
}

/* The re-INVITE of leg, on its serializer. */
static void ask(struct join *j, struct leg *leg)
{
	struct sip_tx_data *tx = NULL;
	bool with_offer = leg == j->second || j->by_second;

	errno = ENOTCONN;
	if (!leg->ending)
		tx = ast_sip_session_create_request(leg->session, RS_STR("INVITE"));
	if (!tx) {
		if (!later(j, leg))
			outcome(j, leg, NULL);
		return;
	}
	if (with_offer)
		sip_tx_set_body(tx, headers_content_type(j->offer), sip_rx_msg(j->offer)->body);
	shared_ref(&j->shared);
	if (ast_sip_session_send_request(leg->session, tx, true, leg == j->first ? first_done : second_done, j)) {
		outcome(j, leg, NULL);
		shared_unref(&j->shared);
	}
}

void join_event(struct leg *leg, const struct leg_event *e)
{
	struct join *j = rs_container_of(e->about, struct join, shared);

	switch ((enum step)e->status) {
	case JOIN_OFFER:
		j->tries = 0;
		ask(j, leg);
		break;
	case JOIN_ANSWER:
		relay_make_ack(leg, &(struct leg_event){.type = LEG_ACK, .rx = e->rx});
		finish(j, e->rx != NULL);
		break;
	}
}

int join_start(struct leg *first, struct leg *second, struct sip_rx_data *offer,
	       void (*done)(struct leg *first, bool joined, struct shared *token), struct shared *token)
{
	struct join *j = calloc(1, sizeof(*j));

	if (!j)
		return -1;
	shared_init(&j->shared, join_free);
	j->first = leg_ref(first);
	j->second = leg_ref(second);
	j->offer = offer ? sip_rx_ref(offer) : NULL;
	j->by_second = offer != NULL;
	j->done = done;
	j->token = shared_ref(token);
	ask(j, first);
	shared_unref(&j->shared);
	return 0;
}
