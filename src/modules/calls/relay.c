/*
 * Requests inside, from one leg to the other: what a leg received is told to its peer, which makes a request of its own
 * of it, and what that one is answered is told back. ACKs go to the leg whose 2xx they are for.
 */
#include "calls.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A request under way. Its members never change after it was made. One that is no INVITE is answered 504 by the
 * origin's session when the other leg has been silent for too long; what comes later finds it answered.
 */
struct relay {
	struct shared shared;
	struct leg *origin, *target; /* referenced */
	struct sip_rx_data *rx;      /* referenced */
};

static void relay_free(struct shared *s)
{
	struct relay *r = rs_container_of(s, struct relay, shared);

	leg_unref(r->origin);
	leg_unref(r->target);
	sip_rx_unref(r->rx);
	free(r);
}

static struct relay *relay_of(const struct leg_event *e)
{
	return rs_container_of(e->about, struct relay, shared);
}

/* ---- answers ---- */

int relay_respond(struct leg *leg, struct sip_rx_data *rx, unsigned status, struct rs_str reason,
		  struct sip_rx_data *content)
{
	struct sip_tx_data *tx;

	if (leg->ended)
		return -1;
	tx = ast_sip_session_create_response(leg->session, rx, status, reason);
	if (!tx)
		return -1;
	if (content)
		headers_pass(tx, content, true);
	return ast_sip_session_respond(leg->session, rx, tx);
}

/* ---- at the leg that received it ---- */

/* Whom leg may talk to: while it rings others the one whose early media it has, or the only one. */
static struct leg *other(struct leg *leg)
{
	struct dial *d = leg->dial;

	if (leg->branch_of)
		return leg->branch_of->owner->up ? NULL : leg->branch_of->owner;
	return d && !leg->up ? dial_partner(d) : leg->peer;
}

static bool is_relayed(enum sip_method method)
{
	switch (method) {
	case SIP_METHOD_INVITE:
	case SIP_METHOD_UPDATE:
	case SIP_METHOD_INFO:
	case SIP_METHOD_MESSAGE:
	case SIP_METHOD_NOTIFY:
	case SIP_METHOD_PRACK:
		return true;
	default:
		return false;
	}
}

bool relay_request(struct leg *leg, struct sip_rx_data *rx)
{
	struct leg *to = leg->ending ? NULL : other(leg);
	struct relay *r;

	if (!is_relayed(sip_rx_msg(rx)->method))
		return false;
	if (!to) {
		/* Nobody to tell it to now: a call that is being moved, or rings several. */
		relay_respond(leg, rx, leg->ending ? 481 : 491, RS_STR_NULL, NULL);
		return true;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		relay_respond(leg, rx, 500, RS_STR_NULL, NULL);
		return true;
	}
	shared_init(&r->shared, relay_free);
	r->origin = leg_ref(leg);
	r->target = leg_ref(to);
	r->rx = sip_rx_ref(rx);
	leg_tell(to, &(struct leg_event){.type = LEG_REQUEST, .from = leg, .about = &r->shared});
	shared_unref(&r->shared);
	return true;
}

/* It may have been cancelled or its leg be gone meanwhile: then the other side's 2xx still gets its ACK. */
void relay_answer(struct leg *leg, const struct leg_event *e)
{
	struct relay *r = relay_of(e);
	bool invite = sip_rx_msg(r->rx)->method == SIP_METHOD_INVITE;
	struct rs_str reason =
		e->rx && sip_rx_msg(e->rx)->status == e->status ? sip_rx_msg(e->rx)->reason : RS_STR_NULL;
	int rc = relay_respond(leg, r->rx, e->status, reason, e->rx);

	if (!invite || e->status >= 300)
		return;
	if (rc) {
		leg_tell(r->target, &(struct leg_event){.type = LEG_ACK, .from = leg});
		return;
	}
	leg_unref(leg->ack_to);
	leg->ack_to = leg_ref(r->target);
}

void relay_ack(struct leg *leg, struct sip_rx_data *rx)
{
	struct leg *to = leg->ack_to;

	leg->ack_to = NULL;
	if (to)
		leg_tell(to, &(struct leg_event){.type = LEG_ACK, .from = leg, .rx = rx});
	leg_unref(to);
	if (leg->resync)
		caller_resync(leg);
}

/* ---- at the other leg ---- */

void relay_make_ack(struct leg *leg, const struct leg_event *e)
{
	if (!leg->ack_due || leg->ended)
		return;
	leg->ack_due = false;
	if (e->rx && sip_rx_msg(e->rx)->body.len)
		ast_sip_session_ack(leg->session, headers_content_type(e->rx), sip_rx_msg(e->rx)->body);
	else
		ast_sip_session_ack(leg->session, RS_STR_NULL, RS_STR_NULL);
}

static void tell_back(struct relay *r, unsigned status, struct sip_rx_data *rx)
{
	leg_tell(r->origin,
		 &(struct leg_event){
			 .type = LEG_ANSWER, .status = status, .from = r->target, .rx = rx, .about = &r->shared});
}

/* On the target's serializer, once; token has a reference. */
static void answered(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct relay *r = token;
	bool invite = sip_rx_msg(r->rx)->method == SIP_METHOD_INVITE;
	unsigned status;

	if (why == AST_SIP_REQUEST_RESPONSE)
		status = sip_rx_msg(rx)->status;
	else if (why == AST_SIP_REQUEST_TIMEOUT)
		status = 408;
	else /* RFC 3261 section 15.1.2: a BYE came instead of the answer */
		status = ast_sip_session_state(r->target->session) == AST_SIP_SESSION_DISCONNECTED ? 487 : 500;
	if (invite && status < 300)
		r->target->ack_due = true;
	tell_back(r, relay_status(status, invite), rx);
	shared_unref(&r->shared);
}

static int make(struct leg *leg, struct relay *r, struct rs_str method)
{
	struct sip_tx_data *tx = ast_sip_session_create_request(leg->session, method);

	if (!tx)
		return -1;
	headers_pass(tx, r->rx, true);
	shared_ref(&r->shared);
	if (!ast_sip_session_send_request(leg->session, tx, false, answered, r))
		return 0;
	shared_unref(&r->shared);
	return -1;
}

/* The answer to the offer of a reliable provisional response; an offer of its own goes on in an UPDATE. */
static int send_prack(struct leg *leg, struct relay *r)
{
	struct sip_msg *msg = sip_rx_msg(r->rx);

	if (!leg->prack_due)
		return make(leg, r, RS_STR("UPDATE"));
	leg->prack_due = false;
	shared_ref(&r->shared);
	if (!ast_sip_session_prack(leg->session, headers_content_type(r->rx), msg->body, answered, r))
		return 0;
	shared_unref(&r->shared);
	return -1;
}

void relay_make(struct leg *leg, const struct leg_event *e)
{
	struct relay *r = relay_of(e);
	struct sip_msg *msg = sip_rx_msg(r->rx);
	int rc;

	if (leg->ending) {
		tell_back(r, 481, NULL);
		return;
	}
	errno = 0;
	rc = msg->method == SIP_METHOD_PRACK ? send_prack(leg, r) : make(leg, r, msg->method_text);
	if (rc)
		tell_back(r, errno == EAGAIN ? 491 : 500, NULL);
}
