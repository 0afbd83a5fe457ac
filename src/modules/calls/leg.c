/* Legs: their life, what their sessions tell them, and how they tell each other. */
#include "calls.h"
#include "base/log.h"

#include <stdlib.h>

/* What stands in BYE and CANCEL of one leg when the other ended by itself. */
static struct rs_str reason_of(enum ast_sip_session_end why)
{
	switch (why) {
	case AST_SIP_SESSION_END_CANCEL:
		return RS_STR("SIP;cause=487;text=\"Caller has gone\"");
	case AST_SIP_SESSION_END_TIMEOUT:
		return RS_STR("SIP;cause=408;text=\"Request timeout\"");
	case AST_SIP_SESSION_END_NO_ACK:
		return RS_STR("SIP;cause=408;text=\"No ACK\"");
	case AST_SIP_SESSION_END_NO_PRACK:
		return RS_STR("SIP;cause=504;text=\"No PRACK\"");
	case AST_SIP_SESSION_END_EXPIRED:
		return RS_STR("SIP;cause=408;text=\"Session timer expired\"");
	case AST_SIP_SESSION_END_LOST:
	case AST_SIP_SESSION_END_TRANSPORT:
		return RS_STR("SIP;cause=481;text=\"Other party lost\"");
	case AST_SIP_SESSION_END_SHUTDOWN:
		return RS_STR("SIP;cause=503;text=\"Server stops\"");
	case AST_SIP_SESSION_END_LOCAL:
	case AST_SIP_SESSION_END_BYE:
	case AST_SIP_SESSION_END_REFUSED:
		break;
	}
	return RS_STR_NULL;
}

/* ---- life ---- */

struct leg *leg_new(enum leg_role role, struct call *call)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (!leg)
		return NULL;
	atomic_init(&leg->refs, 1);
	leg->role = (uint8_t)role;
	leg->work = ast_sip_current_work();
	leg->call = call ? call_ref(call) : NULL;
	return leg;
}

struct leg *leg_ref(struct leg *leg)
{
	atomic_fetch_add_explicit(&leg->refs, 1, memory_order_relaxed);
	return leg;
}

void leg_unref(struct leg *leg)
{
	if (!leg || atomic_fetch_sub_explicit(&leg->refs, 1, memory_order_acq_rel) != 1)
		return;
	call_unref(leg->call);
	limits_give(leg->use);
	if (leg->session)
		ast_sip_session_unref(leg->session);
	free(leg);
}

struct leg *leg_of(const struct ast_sip_session *s)
{
	return ast_sip_session_token(s, &leg_user);
}

struct ast_sip_endpoint *leg_endpoint(const struct leg *leg)
{
	return ast_sip_session_endpoint(leg->session);
}

struct rs_str leg_endpoint_id(const struct leg *leg)
{
	struct ast_sip_endpoint *e = leg_endpoint(leg);

	return e ? ast_sip_endpoint_id(e) : RS_STR_NULL;
}

const struct ast_sip_endpoint_settings *leg_settings(const struct leg *leg)
{
	/* What matters here of the defaults (section 4.4 of the reference). */
	static const struct ast_sip_endpoint_settings defaults = {.allow_transfer = true,
								  .refer_blind_progress = true,
								  .send_diversion = true,
								  .rel100 = AST_SIP_100REL_YES};
	struct ast_sip_endpoint *e = leg_endpoint(leg);

	return e ? ast_sip_endpoint_settings(e) : &defaults;
}

void leg_set_peer(struct leg *leg, struct leg *peer)
{
	struct leg *before = leg->peer;

	leg->peer = peer ? leg_ref(peer) : NULL;
	leg_unref(before);
}

void leg_pair(struct leg *a, struct leg *b)
{
	leg_set_peer(a, b);
	leg_set_peer(b, a);
}

void leg_set_transfer(struct leg *leg, struct transfer *t)
{
	struct transfer *before = leg->transfer;

	shared_ref((struct shared *)(void *)t);
	leg->transfer = t;
	shared_unref((struct shared *)(void *)before);
}

/* ---- the longest that a call may last ---- */

static void too_long(void *data)
{
	struct leg *leg = data;

	leg->cause = "max_duration";
	leg_end_call(leg, 0, RS_STR("Q.850;cause=102;text=\"Longest duration reached\""));
}

void leg_goes_up(struct leg *leg)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	uint32_t seconds = s ? calls_general_uint(s, GENERAL_MAX_DURATION) : 0;

	ast_sip_snapshot_unref(s);
	leg->up = true;
	if (!seconds || leg->limit)
		return;
	leg->limit = ast_sip_timer_new(leg->work, too_long, leg);
	if (leg->limit)
		ast_sip_timer_start(leg->limit, (int64_t)seconds * 1000);
	else
		rs_event(RS_LOG_WARNING, "call.no_limit", RS_FI("call", call_id(leg->call)));
}

/* ---- ending ---- */

/* A 2xx of the other side is acknowledged before anything else, even when nobody wants it any more. */
static void acknowledge(struct leg *leg)
{
	if (leg->ack_due)
		ast_sip_session_ack(leg->session, RS_STR_NULL, RS_STR_NULL);
	leg->ack_due = false;
}

void leg_hangup(struct leg *leg, unsigned status, struct rs_str reason)
{
	if (leg->ended || leg->ending)
		return;
	leg->ending = true;
	acknowledge(leg);
	if (leg->counted && !leg->up)
		call_refused(leg->call, status ? status : 603, CALL_BY_NOBODY, NULL);
	if (leg->dial)
		dial_abort(leg->dial, reason);
	ast_sip_session_hangup(leg->session, status, reason);
}

void leg_end_call(struct leg *leg, unsigned status, struct rs_str reason)
{
	struct leg *peer = leg->peer ? leg_ref(leg->peer) : NULL;

	leg_hangup(leg, status, reason);
	if (peer)
		leg_tell(peer, &(struct leg_event){.type = LEG_END, .from = leg, .text = reason});
	leg_unref(peer);
}

void leg_hangup_like(struct leg *leg, struct sip_rx_data *rx, struct rs_str reason)
{
	struct sip_tx_data *bye;

	if (leg->ended || leg->ending)
		return;
	if (!rx || !leg->up || sip_rx_msg(rx)->method != SIP_METHOD_BYE ||
	    !sip_msg_hdr_by_name(sip_rx_msg(rx), RS_STR("User-to-User"), 0)) {
		leg_hangup(leg, 0, reason);
		return;
	}
	acknowledge(leg);
	bye = ast_sip_session_create_request(leg->session, RS_STR("BYE"));
	if (!bye) {
		leg_hangup(leg, 0, reason);
		return;
	}
	leg->ending = true;
	headers_pass(bye, rx, true);
	ast_sip_session_hangup_with(leg->session, bye);
}

/* Who ended the call, when this leg did. */
static enum call_by ended_by(const struct leg *leg, enum ast_sip_session_end why)
{
	if (leg->parted)
		return CALL_BY_NOBODY;
	switch (why) {
	case AST_SIP_SESSION_END_BYE:
	case AST_SIP_SESSION_END_CANCEL:
	case AST_SIP_SESSION_END_REFUSED:
		return leg->role == LEG_CALLER ? CALL_BY_CALLER : CALL_BY_CALLEE;
	case AST_SIP_SESSION_END_LOCAL:
		/* Told to by the other leg: that one has said who it was. */
		return leg->cause ? CALL_BY_SERVER : CALL_BY_NOBODY;
	default:
		return CALL_BY_SERVER;
	}
}

static void leave(struct leg *leg, enum ast_sip_session_end why, struct rs_str reason, struct sip_rx_data *rx)
{
	struct leg *peer = leg->peer, *ack_to = leg->ack_to;

	leg->peer = leg->ack_to = NULL;
	if (ack_to && ack_to != peer)
		leg_tell(ack_to, &(struct leg_event){.type = LEG_ACK, .from = leg});
	leg_unref(ack_to);
	if (leg->transfer)
		transfer_leg_gone(leg);
	if (peer)
		leg_tell(peer,
			 &(struct leg_event){.type = LEG_END, .status = why, .from = leg, .rx = rx, .text = reason});
	leg_unref(peer);
}

static void on_end(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx, void *token)
{
	struct leg *leg = token;
	char buf[CALLS_MAX_REASON];
	struct rs_str reason = headers_reason(rx, buf);

	(void)s;
	leg->ended = leg->ending = true;
	leg->ack_due = false;
	if (leg->limit)
		ast_sip_timer_free(leg->limit);
	leg->limit = NULL;
	if (!reason.len)
		reason = reason_of(why);
	if (leg->counted && !leg->up && why == AST_SIP_SESSION_END_CANCEL)
		call_refused(leg->call, 487, CALL_BY_CALLER, ast_sip_session_end_name(why));
	if (leg->dial)
		dial_abort(leg->dial, reason);
	if (leg->branch_of)
		dial_ended(leg->branch_of, leg, why, rx);
	leave(leg, why, reason, rx);
	limits_give(leg->use);
	leg->use = NULL;
	if (leg->counted)
		call_remove_leg(leg->call, leg, ended_by(leg, why),
				leg->cause ? leg->cause : ast_sip_session_end_name(why));
	leg_unref(leg); /* the session's */
}

/* ---- what else the session tells ---- */

static void on_progress(struct ast_sip_session *s, struct sip_rx_data *rx, bool offers, void *token)
{
	struct leg *leg = token;

	(void)s;
	leg->rang = true;
	leg->prack_due |= offers;
	if (leg->branch_of)
		dial_progress(leg->branch_of, leg, rx, offers);
}

static void on_answer(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	struct leg *leg = token;

	(void)s;
	leg->ack_due = true;
	if (leg->branch_of && !leg->ending) {
		dial_answered(leg->branch_of, leg, rx);
		return;
	}
	/* It crossed our CANCEL: nobody is there for it. */
	acknowledge(leg);
	ast_sip_session_hangup(leg->session, 0, RS_STR("SIP;cause=487;text=\"Caller has gone\""));
}

static void on_ack(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	(void)s;
	relay_ack(token, rx);
}

static bool on_request(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	struct leg *leg = token;

	(void)s;
	return sip_rx_msg(rx)->method == SIP_METHOD_REFER ? refer_request(leg, rx) : relay_request(leg, rx);
}

const struct ast_sip_session_user leg_user = {
	.size = sizeof(struct ast_sip_session_user),
	.name = "res_sip_calls",
	.on_progress = on_progress,
	.on_answer = on_answer,
	.on_ack = on_ack,
	.on_request = on_request,
	.on_end = on_end,
};

/* ---- events ---- */

/* The peer ended: so does this one, unless somebody else comes in its place. */
static void peer_ended(struct leg *leg, const struct leg_event *e)
{
	if (leg->peer != e->from)
		return; /* it was parted from it before */
	leg_set_peer(leg, NULL);
	if (leg->stays) {
		acknowledge(leg); /* whose ACK will not come any more */
		return;
	}
	if (e->rx)
		leg_hangup_like(leg, e->rx, e->text);
	else
		leg_hangup(leg, 0, e->text);
}

static void handle(struct leg *leg, const struct leg_event *e)
{
	switch (e->type) {
	case LEG_REQUEST:
		relay_make(leg, e);
		break;
	case LEG_ANSWER:
		relay_answer(leg, e);
		break;
	case LEG_ACK:
		relay_make_ack(leg, e);
		break;
	case LEG_END:
		peer_ended(leg, e);
		break;
	case LEG_HANGUP:
		leg->cause = e->cause;
		leg->stays = false;
		leg_end_call(leg, leg->up ? 0 : 480, e->text);
		break;
	case LEG_PARTED:
		leg->parted = true;
		leg_hangup(leg, 0, e->text);
		break;
	case LEG_TRANSFER:
		transfer_event(leg, e);
		break;
	case LEG_JOIN:
		join_event(leg, e);
		break;
	case LEG_REPLACE:
		replaces_event(leg, e);
		break;
	}
}

/* An event on its way to another serializer. */
struct told {
	struct leg *to;
	struct leg_event e;
	char text[];
};

static void told_free(struct told *t)
{
	leg_unref(t->e.from);
	leg_unref(t->e.leg);
	sip_rx_unref(t->e.rx);
	shared_unref(t->e.about);
	leg_unref(t->to);
	free(t);
}

static int run_told(void *data)
{
	struct told *t = data;

	handle(t->to, &t->e);
	told_free(t);
	return 0;
}

static void push(struct leg *to, const struct leg_event *e)
{
	struct told *t = malloc(sizeof(*t) + e->text.len);

	if (!t) {
		rs_event(RS_LOG_ERROR, "call.event_lost", RS_FI("event", e->type));
		return;
	}
	t->to = leg_ref(to);
	t->e = *e;
	t->e.from = e->from ? leg_ref(e->from) : NULL;
	t->e.leg = e->leg ? leg_ref(e->leg) : NULL;
	t->e.rx = e->rx ? sip_rx_ref(e->rx) : NULL;
	t->e.about = shared_ref(e->about);
	memcpy(t->text, e->text.p ? e->text.p : "", e->text.len);
	t->e.text = rs_str_n(t->text, e->text.len);
	if (ast_sip_push_task(to->work, run_told, t))
		told_free(t); /* the server stops: the sessions end by themselves */
}

void leg_tell(struct leg *to, const struct leg_event *e)
{
	if (to->work != ast_sip_current_work()) {
		push(to, e);
		return;
	}
	leg_ref(to);
	handle(to, e);
	leg_unref(to);
}
