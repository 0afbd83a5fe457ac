/*
 * INVITE with Replaces (RFC 3891): whoever sends it takes the place of the leg that it names. Of a leg that is up the
 * peer is asked to take the new one's media; a phone that still rings is answered for by the new one.
 */
#include "calls.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum step {
	REPLACE_OFFER,   /* the named leg's peer: take the media of leg */
	REPLACE_PICKUP,  /* the caller's leg: leg answers for those that ring */
	REPLACE_DONE,    /* the new one: from is your peer, rx has its answer */
	REPLACE_REFUSED, /* the new one: answer says why */
};

/* Its members never change after it was made, but for what is said. */
struct replacement {
	struct shared shared;
	struct leg *by;                  /* referenced: the new one */
	struct sip_rx_data *rx;          /* referenced: its INVITE */
	struct ast_sip_session *session; /* referenced: the one that is named */
	bool early_only;
	struct leg *replaced; /* referenced; set on its serializer before others hear of it */
	struct leg *peer;     /* referenced; the same of its peer */
};

static struct replacement *replacement_of(struct shared *s)
{
	return rs_container_of(s, struct replacement, shared);
}

static void replacement_free(struct shared *s)
{
	struct replacement *r = replacement_of(s);

	leg_unref(r->by);
	leg_unref(r->replaced);
	leg_unref(r->peer);
	ast_sip_session_unref(r->session);
	sip_rx_unref(r->rx);
	free(r);
}

static void tell(struct replacement *r, struct leg *to, enum step step, unsigned answer, struct leg *from,
		 struct sip_rx_data *rx)
{
	leg_tell(to, &(struct leg_event){.type = LEG_REPLACE,
					 .status = step,
					 .answer = answer,
					 .from = from,
					 .leg = r->by,
					 .rx = rx,
					 .about = &r->shared});
}

static void refuse(struct replacement *r, unsigned status)
{
	tell(r, r->by, REPLACE_REFUSED, status, NULL, NULL);
}

/* ---- the peer of the named leg, on its serializer ---- */

static void peer_answered(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct replacement *r = token;
	struct leg *leg = r->peer;
	bool ok = why == AST_SIP_REQUEST_RESPONSE && sip_rx_msg(rx)->status < 300;

	if (!ok) {
		refuse(r, why == AST_SIP_REQUEST_RESPONSE ? relay_status(sip_rx_msg(rx)->status, true) : 480);
	} else {
		leg->ack_due = true;
		leg_set_peer(leg, r->by);
		leg_tell(r->replaced, &(struct leg_event){.type = LEG_PARTED,
							  .from = leg,
							  .text = RS_STR("SIP;cause=200;text=\"Replaced\"")});
		tell(r, r->by, REPLACE_DONE, 200, leg, rx);
	}
	shared_unref(&r->shared);
}

static void offer(struct leg *leg, struct replacement *r)
{
	struct sip_tx_data *tx = NULL;

	errno = ENOTCONN;
	if (!leg->ending && leg->up && leg->peer == r->replaced)
		tx = ast_sip_session_create_request(leg->session, RS_STR("INVITE"));
	if (!tx) {
		refuse(r, errno == EAGAIN ? 491 : 481);
		return;
	}
	headers_pass(tx, r->rx, true);
	r->peer = leg_ref(leg);
	shared_ref(&r->shared);
	if (!ast_sip_session_send_request(leg->session, tx, false, peer_answered, r))
		return;
	refuse(r, 500);
	shared_unref(&r->shared);
}

/* ---- a phone that rings is answered for; on the caller's serializer ---- */

static void pick_up(struct leg *leg, struct replacement *r)
{
	struct sip_rx_data *asked = caller_request(leg);
	struct sip_tx_data *tx = NULL;

	if (!asked || leg->ending || !ast_sip_rx_has_sdp(asked) || !ast_sip_rx_has_sdp(r->rx)) {
		refuse(r, asked && !leg->ending ? 488 : 481);
		return;
	}
	sip_rx_ref(asked);
	tx = ast_sip_session_create_answer(leg->session, 200, RS_STR_NULL);
	if (tx)
		sip_tx_set_body(tx, headers_content_type(r->rx), sip_rx_msg(r->rx)->body);
	if (!tx || ast_sip_session_send_answer(leg->session, tx)) {
		refuse(r, 500);
	} else {
		/* Each gets the other's offer for an answer; what fits both is found out behind the ACK. */
		dial_abort(leg->dial, RS_STR("SIP;cause=200;text=\"Call completed elsewhere\""));
		leg->resync = true;
		leg_set_peer(leg, r->by);
		leg_goes_up(leg);
		call_answered(leg->call, NULL, RS_STR_NULL);
		tell(r, r->by, REPLACE_DONE, 200, leg, asked);
	}
	sip_rx_unref(asked);
}

/* ---- the named leg; on its serializer, data has a reference ---- */

static int ask_replaced(void *data)
{
	struct replacement *r = data;
	bool gone = ast_sip_session_state(r->session) == AST_SIP_SESSION_DISCONNECTED;
	struct leg *leg = gone ? NULL : leg_of(r->session);

	if (gone || (leg && leg->ending)) {
		refuse(r, 603);
	} else if (!leg || leg == r->by) {
		refuse(r, 481);
	} else if (!leg->up) {
		/* Only one that this side has begun may be replaced early (section 3). */
		if (leg->role == LEG_CALLED && leg->branch_of && !leg->branch_of->owner->up)
			tell(r, leg->branch_of->owner, REPLACE_PICKUP, 0, leg, NULL);
		else
			refuse(r, 481);
	} else if (r->early_only) {
		refuse(r, 486);
	} else if (!leg->peer || leg->transfer || leg->stays) {
		refuse(r, 491);
	} else {
		r->replaced = leg_ref(leg);
		tell(r, leg->peer, REPLACE_OFFER, 0, leg, NULL);
	}
	shared_unref(&r->shared);
	return 0;
}

/* ---- the new one ---- */

static void answer(struct leg *leg, unsigned status, struct sip_rx_data *content)
{
	struct sip_tx_data *tx = ast_sip_session_create_answer(leg->session, status, RS_STR_NULL);

	if (status >= 300)
		call_refused(leg->call, status, CALL_BY_SERVER, "not replaced");
	if (tx && content)
		sip_tx_set_body(tx, headers_content_type(content), sip_rx_msg(content)->body);
	if (!tx || ast_sip_session_send_answer(leg->session, tx))
		leg_hangup(leg, status < 300 ? 500 : status, RS_STR_NULL);
}

static void done(struct leg *leg, const struct leg_event *e)
{
	if (leg->ending) {
		leg_tell(e->from, &(struct leg_event){.type = LEG_END, .from = leg});
		return;
	}
	leg_set_peer(leg, e->from);
	leg->up = true;
	answer(leg, 200, e->rx);
	if (leg->ending)
		return;
	call_answered(leg->call, NULL, RS_STR_NULL);
	leg_goes_up(leg);
	leg->ack_to = leg_ref(e->from);
}

void replaces_event(struct leg *leg, const struct leg_event *e)
{
	struct replacement *r = replacement_of(e->about);

	switch ((enum step)e->status) {
	case REPLACE_OFFER:
		offer(leg, r);
		break;
	case REPLACE_PICKUP:
		pick_up(leg, r);
		break;
	case REPLACE_DONE:
		done(leg, e);
		break;
	case REPLACE_REFUSED:
		if (!leg->ending)
			answer(leg, e->answer, NULL);
		break;
	}
}

static unsigned begin(struct leg *leg, struct sip_rx_data *rx)
{
	const struct sip_hdr *h = sip_msg_first(sip_rx_msg(rx), SIP_HDR_REPLACES);
	struct ast_sip_session *session;
	struct replacement *r;
	struct replaces names;

	if (replaces_parse(sip_msg_unfold(sip_rx_msg(rx), h->value), &names))
		return 400;
	if (!leg_settings(leg)->allow_transfer)
		return 603;
	session = ast_sip_session_find_replaced(names.call_id, names.to_tag, names.from_tag);
	if (!session)
		return 481;
	r = calloc(1, sizeof(*r));
	if (!r) {
		ast_sip_session_unref(session);
		return 500;
	}
	shared_init(&r->shared, replacement_free);
	r->by = leg_ref(leg);
	r->rx = sip_rx_ref(rx);
	r->session = session;
	r->early_only = names.early_only;
	if (!ast_sip_push_task(ast_sip_serializer_work(ast_sip_session_serializer(session)), ask_replaced, r))
		return 0;
	shared_unref(&r->shared);
	return 500;
}

bool replaces_invite(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct leg *leg = caller_leg(s, rx);
	unsigned status = leg ? begin(leg, rx) : 0;

	if (status)
		answer(leg, status, NULL);
	return true;
}
