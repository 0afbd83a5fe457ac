/*
 * The transferee of a transfer and whom it gets (RFC 5589). Blind: the target is called without an offer, its own is
 * what the transferee is asked to take. Attended: the referrer has talked to the target on another call; the legs that
 * are left of both are joined, wherever they live, and no phone needs to know Replaces.
 */
#include "transfer.h"
#include "base/log.h"

#include <stdlib.h>

static struct transfer *transfer_of(struct shared *s)
{
	return rs_container_of(s, struct transfer, shared);
}

void transfer_tell(struct transfer *t, struct leg *to, enum transfer_step step, unsigned status, struct leg *from)
{
	leg_tell(to, &(struct leg_event){.type = LEG_TRANSFER,
					 .status = step,
					 .answer = status,
					 .from = from,
					 .leg = t->transferee,
					 .about = &t->shared});
}

static void tell_referrer(struct transfer *t, enum transfer_step step, unsigned status)
{
	transfer_tell(t, t->referrer, step, status, t->transferee);
}

/* ---- the transferee, on its serializer ---- */

static void release(struct leg *leg)
{
	leg->stays = false;
	leg_set_transfer(leg, NULL);
}

/* The call goes on as it was, or ends when the referrer has left it meanwhile. */
static void give_up(struct leg *leg, struct transfer *t, unsigned status)
{
	release(leg);
	tell_referrer(t, TRANSFER_FAILED, status);
	if (!leg->peer)
		leg_hangup(leg, 0, RS_STR("SIP;cause=480;text=\"Transfer failed\""));
}

static bool take_part(struct leg *leg, struct transfer *t)
{
	if (leg->ending || !leg->up || leg->transfer) {
		tell_referrer(t, TRANSFER_FAILED, leg->ending ? 480 : 491);
		return false;
	}
	leg_set_transfer(leg, t);
	leg->stays = true;
	return true;
}

/* The leg has another peer now. */
static void swap(struct leg *leg, struct leg *peer, struct transfer *t)
{
	leg_set_peer(leg, peer);
	release(leg);
	rs_event(RS_LOG_VERBOSE, "call.transferred", RS_FI("call", call_id(leg->call)),
		 RS_FZ("kind", t->replaced ? "attended" : "blind"));
}

/* ---- blind ---- */

static struct transfer *of_dial(const struct dial *d)
{
	return transfer_of(d->token);
}

static struct rs_str from(struct dial *d, struct ast_sip_endpoint *endpoint, char *buf, size_t size)
{
	return invite_from(&of_dial(d)->invite, d, endpoint, buf, size);
}

static int fill(struct dial *d, struct leg *branch, struct sip_tx_data *tx)
{
	struct transfer *t = of_dial(d);
	struct sip_msg *msg = sip_rx_msg(t->rx);
	const struct sip_hdr *by = sip_msg_first(msg, SIP_HDR_REFERRED_BY);

	invite_drop_supported(tx, RS_STR("100rel")); /* its offer could not be answered before it answers */
	if (by && sip_tx_add_hdr(tx, SIP_HDR_REFERRED_BY, sip_msg_unfold(msg, by->value)))
		return -1;
	return invite_fill(&t->invite, d, branch, tx);
}

static void progress(struct dial *d, struct leg *branch, struct sip_rx_data *rx, bool offers)
{
	if (offers) { /* against what was said: it has to take another way */
		branch->prack_due = false;
		leg_hangup(branch, 0, RS_STR("SIP;cause=488;text=\"No early offers\""));
	}
	if (of_dial(d)->tells_progress)
		tell_referrer(of_dial(d), TRANSFER_PROGRESS, sip_rx_msg(rx)->status);
}

static void moved(struct dial *d, struct leg *branch, struct rs_str to, struct sip_rx_data *rx)
{
	invite_moved(&of_dial(d)->invite, branch, to, rx);
	if (of_dial(d)->tells_progress)
		tell_referrer(of_dial(d), TRANSFER_PROGRESS, 181);
}

static void failed(struct dial *d, const struct outcome *best)
{
	struct transfer *t = of_dial(d);

	give_up(d->owner, t, choice_status(best->status));
}

/* Both have media: the referrer can go. */
static void joined(struct leg *leg, bool ok, struct shared *token)
{
	struct transfer *t = transfer_of(token);
	struct leg *callee = t->callee;

	if (leg->ending || callee->ending || !ok) {
		leg_hangup(callee, 0, RS_STR("SIP;cause=488;text=\"Transfer failed\""));
		if (!leg->ending)
			give_up(leg, t, 488);
		return;
	}
	call_transferred(leg->call, callee->session);
	swap(leg, callee, t);
	tell_referrer(t, TRANSFER_DONE, 200);
}

static void answered(struct dial *d, struct leg *branch, struct sip_rx_data *rx)
{
	struct transfer *t = of_dial(d);
	struct leg *leg = d->owner;

	t->callee = leg_ref(branch);
	leg_set_peer(branch, leg); /* ends it with the transferee; the other way round only once they are joined */
	call_add_leg(leg->call, branch);
	leg_goes_up(branch);
	if (!ast_sip_rx_has_sdp(rx) || join_start(leg, branch, rx, joined, &t->shared)) {
		leg_hangup(branch, 0, RS_STR("SIP;cause=488;text=\"Transfer failed\""));
		give_up(leg, t, 488);
	}
}

static const struct dial_user user = {
	.progress = progress, .answered = answered, .failed = failed, .fill = fill, .from = from, .moved = moved};

/* Who the transferee is to the target: what its dialog calls it. */
static int set_caller(struct transfer *t, struct leg *leg)
{
	struct rs_str remote = sip_dialog_remote(ast_sip_session_dialog(leg->session));
	struct rs_str name = RS_STR_NULL, number = leg_endpoint_id(leg), host = RS_STR_NULL;
	max_align_t room[64];
	struct sip_hdr_values v;
	struct rs_arena arena;
	char user_text[CALLS_MAX_NUMBER + 1];
	int n, rc;

	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (!sip_hdr_parse(SIP_HDR_FROM, remote, &arena, &v) && v.n == 1) {
		const struct sip_name_addr *who = &v.v.name_addr[0];

		n = sip_unescape(who->uri.user, user_text, sizeof(user_text));
		name = who->display;
		host = who->uri.host;
		if (n > 0)
			number = rs_str_n(user_text, (size_t)n);
	}
	rc = call_party_set(&t->invite.caller, name, number, host);
	rs_arena_reset(&arena);
	return rc ? rc : invite_set_target(&t->invite, rs_str_c(t->target), t->rx);
}

static void blind(struct leg *leg, struct transfer *t)
{
	struct ast_sip_snapshot *s;
	struct plan plan = {.n = 0};
	struct sip_uri uri;
	unsigned status = 500;
	struct dial *d = NULL;

	if (!take_part(leg, t))
		return;
	s = ast_sip_snapshot_get();
	if (!sip_uri_parse(rs_str_c(t->target), &uri) && !set_caller(t, leg)) {
		status = stages_make(&plan, s, &uri);
		d = status ? NULL : dial_new(leg, &user, &t->shared, s, &plan);
	}
	stages_fini(&plan);
	ast_sip_snapshot_unref(s);
	if (d)
		dial_start(d);
	else
		give_up(leg, t, status ? status : 500);
}

/* ---- attended ---- */

/* The referrer's other leg gives its peer away. On its serializer; data has a reference. */
static int ask_replaced(void *data)
{
	struct transfer *t = data;
	bool gone = ast_sip_session_state(t->replaced) == AST_SIP_SESSION_DISCONNECTED;
	struct leg *second = gone ? NULL : leg_of(t->replaced), *peer;

	if (!second || second->ending || second == t->referrer || second == t->transferee || second->transfer ||
	    !leg_endpoint_id(second).len || !rs_str_eq(leg_endpoint_id(second), leg_endpoint_id(t->referrer))) {
		transfer_tell(t, t->transferee, TRANSFER_REFUSED, 481, NULL);
	} else if (!second->up || !second->peer) {
		/* It still rings there: rung anew, for the transferee. */
		leg_hangup(second, 487, RS_STR("SIP;cause=487;text=\"Transferred\""));
		transfer_tell(t, t->transferee, TRANSFER_REFUSED, 0, NULL);
	} else {
		t->second = leg_ref(second);
		peer = leg_ref(second->peer);
		leg_set_peer(second, NULL);
		second->parted = true;
		transfer_tell(t, peer, TRANSFER_TAKE, 0, second);
		leg_unref(peer);
	}
	shared_unref(&t->shared);
	return 0;
}

static void attended(struct leg *leg, struct transfer *t)
{
	if (!take_part(leg, t))
		return;
	t->call = call_ref(leg->call);
	shared_ref(&t->shared);
	if (!ast_sip_push_task(ast_sip_serializer_work(ast_sip_session_serializer(t->replaced)), ask_replaced, t))
		return;
	shared_unref(&t->shared);
	give_up(leg, t, 500);
}

/* The peer of the referrer's other leg moves into the transferee's call. On its serializer. */
static void take(struct leg *leg, struct transfer *t, struct leg *second)
{
	struct call *before = leg->call;

	if (leg->peer == second)
		leg_set_peer(leg, NULL);
	if (leg->ending) {
		transfer_tell(t, t->transferee, TRANSFER_REFUSED, 480, leg);
		return;
	}
	leg_set_peer(leg, t->transferee);
	leg->call = call_ref(t->call);
	call_remove_leg(before, leg, CALL_BY_CALLER, "transfer");
	call_add_leg(leg->call, leg);
	call_transferred(leg->call, leg->session);
	call_unref(before);
	transfer_tell(t, t->transferee, TRANSFER_TAKEN, 0, leg);
}

static void attended_joined(struct leg *leg, bool ok, struct shared *token)
{
	struct transfer *t = transfer_of(token);

	tell_referrer(t, ok ? TRANSFER_DONE : TRANSFER_FAILED, ok ? 200 : 488);
	leg_tell(t->second,
		 &(struct leg_event){.type = LEG_PARTED, .text = RS_STR("SIP;cause=200;text=\"Transferred\"")});
	if (!ok)
		leg_end_call(leg, 0, RS_STR("SIP;cause=488;text=\"Transfer failed\""));
}

/* On the transferee's serializer. */
static void taken(struct leg *leg, struct transfer *t, struct leg *by)
{
	if (leg->ending) {
		leg_tell(by, &(struct leg_event){.type = LEG_END, .from = leg});
		leg_tell(t->second, &(struct leg_event){.type = LEG_PARTED});
		return;
	}
	swap(leg, by, t);
	if (join_start(leg, by, NULL, attended_joined, &t->shared))
		attended_joined(leg, false, &t->shared);
}

static void refused(struct leg *leg, struct transfer *t, unsigned status)
{
	if (t->second)
		leg_tell(t->second, &(struct leg_event){.type = LEG_PARTED});
	if (leg->ending || leg->transfer != t)
		return;
	if (status) {
		give_up(leg, t, status);
		return;
	}
	release(leg);
	blind(leg, t);
}

/* ---- events ---- */

void transfer_event(struct leg *leg, const struct leg_event *e)
{
	struct transfer *t = transfer_of(e->about);

	switch ((enum transfer_step)e->status) {
	case TRANSFER_BLIND:
		blind(leg, t);
		break;
	case TRANSFER_ATTENDED:
		attended(leg, t);
		break;
	case TRANSFER_TAKE:
		take(leg, t, e->from);
		break;
	case TRANSFER_TAKEN:
		taken(leg, t, e->from);
		break;
	case TRANSFER_REFUSED:
		refused(leg, t, e->answer);
		break;
	default:
		refer_event(leg, t, e);
		break;
	}
}

void transfer_leg_gone(struct leg *leg)
{
	struct transfer *t = leg->transfer;

	if (leg == t->transferee)
		tell_referrer(t, TRANSFER_FAILED, 480);
	leg_set_transfer(leg, NULL);
}
