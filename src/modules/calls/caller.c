/* An INVITE that came: whom it is for, and what the caller is told while they are rung. */
#include "calls.h"
#include "base/log.h"
#include "base/print.h"

#include <errno.h>
#include <stdlib.h>

/* What a caller's dial needs of its INVITE; goes with the dial. */
struct asking {
	struct shared shared;
	struct sip_rx_data *rx; /* referenced */
	struct invite invite;
	bool has_sdp;
};

static void asking_free(struct shared *s)
{
	struct asking *a = rs_container_of(s, struct asking, shared);

	invite_fini(&a->invite);
	sip_rx_unref(a->rx);
	free(a);
}

static struct asking *asking_of(const struct dial *d)
{
	return rs_container_of(d->token, struct asking, shared);
}

/* ---- refusing ---- */

/* The Reason of a failure that no phone has answered. */
static struct rs_str reason_of(enum calls_failure how, unsigned status)
{
	if (how == FAILED_NO_ANSWER)
		return RS_STR("Q.850;cause=19;text=\"No answer\"");
	if (how == FAILED_UNREACHABLE && status == 480)
		return RS_STR("Q.850;cause=20;text=\"Not registered\"");
	if (how == FAILED_UNREACHABLE)
		return RS_STR("Q.850;cause=18;text=\"Not reachable\"");
	return RS_STR_NULL;
}

static void add_contacts(struct sip_tx_data *tx, struct sip_rx_data *rx)
{
	const struct sip_hdr *h;

	sip_tx_remove_hdr(tx, SIP_HDR_CONTACT);
	for (unsigned i = 0; (h = sip_msg_hdr(sip_rx_msg(rx), SIP_HDR_CONTACT, i)); i++)
		sip_tx_add_hdr(tx, SIP_HDR_CONTACT, sip_msg_unfold(sip_rx_msg(rx), h->value));
}

/* Whether what the phone said fits the status that the caller gets. */
static bool tells(const struct outcome *o, unsigned status)
{
	return o->rx && sip_rx_msg(o->rx)->status == status;
}

static void refuse_with(struct leg *leg, const struct outcome *o)
{
	unsigned status = o->rx ? choice_status(o->status) : o->status;
	bool whole = tells(o, status);
	struct rs_str reason = reason_of(o->how, o->status);
	struct sip_tx_data *tx;

	tx = ast_sip_session_create_answer(leg->session, status, whole ? sip_rx_msg(o->rx)->reason : RS_STR_NULL);
	if (tx && o->rx)
		headers_pass(tx, o->rx, whole);
	if (tx && whole && status < 400)
		add_contacts(tx, o->rx);
	if (tx && reason.len)
		sip_tx_add_hdr(tx, SIP_HDR_REASON, reason);
	if (tx && status == 503)
		sip_tx_add_hdr(tx, SIP_HDR_RETRY_AFTER, RS_STR("5"));
	if (!tx || ast_sip_session_send_answer(leg->session, tx))
		leg_hangup(leg, status, reason);
}

static void refuse(struct leg *leg, unsigned status)
{
	refuse_with(leg, &(struct outcome){.status = status});
}

/* ---- what the branches say ---- */

static struct rs_str from(struct dial *d, struct ast_sip_endpoint *endpoint, char *buf, size_t size)
{
	return invite_from(&asking_of(d)->invite, d, endpoint, buf, size);
}

static int add_max_forwards(struct sip_tx_data *tx, struct sip_rx_data *rx)
{
	char text[RS_DECIMAL];
	uint32_t hops;

	if (!sip_msg_number(sip_rx_msg(rx), SIP_HDR_MAX_FORWARDS, &hops, NULL))
		return 0; /* its own is there */
	sip_tx_remove_hdr(tx, SIP_HDR_MAX_FORWARDS);
	return sip_tx_add_hdr(tx, SIP_HDR_MAX_FORWARDS, rs_str_n(text, rs_print_decimal(text, hops ? hops - 1 : 0)));
}

/* Whether the caller's provisional answers are reliable ones: option 100rel of its endpoint, and what it asks for. */
static bool answers_reliably(struct leg *leg, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	bool requires = sip_msg_has_token(msg, SIP_HDR_REQUIRE, RS_STR("100rel"));

	switch (leg_settings(leg)->rel100) {
	case AST_SIP_100REL_NO:
		return false;
	case AST_SIP_100REL_YES:
		return requires
		;
	default:
		return requires
		|| sip_msg_has_token(msg, SIP_HDR_SUPPORTED, RS_STR("100rel"));
	}
}

static int fill(struct dial *d, struct leg *branch, struct sip_tx_data *tx)
{
	struct asking *a = asking_of(d);

	/*
	 * Without an offer of the caller's, a reliable provisional answer is one, and its PRACK must answer it: the
	 * caller must be told reliably, and there must be only one such offer.
	 */
	if (!a->has_sdp && (d->group > 1 || !answers_reliably(d->owner, a->rx)))
		invite_drop_supported(tx, RS_STR("100rel"));
	if (add_max_forwards(tx, a->rx))
		return -1;
	headers_pass(tx, a->rx, true);
	return invite_fill(&a->invite, d, branch, tx);
}

static void progress(struct dial *d, struct leg *branch, struct sip_rx_data *rx, bool offers)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct leg *leg = d->owner;
	struct sip_tx_data *tx;

	if (msg->status == 199)
		return; /* one of a fork's branches behind the phone is gone: nothing of ours ends */
	call_rings(leg->call);
	tx = ast_sip_session_create_answer(leg->session, msg->status, msg->reason);
	if (!tx)
		return;
	headers_pass(tx, rx, d->early == branch || !ast_sip_rx_has_sdp(rx));
	invite_answer(&asking_of(d)->invite, leg, branch, rx, tx);
	if (!ast_sip_session_send_answer(leg->session, tx) || !offers)
		return;
	/* The offer reached nobody who could answer it. */
	branch->prack_due = false;
	leg_hangup(branch, 0, RS_STR_NULL);
}

static void moved(struct dial *d, struct leg *branch, struct rs_str to, struct sip_rx_data *rx)
{
	struct sip_tx_data *tx;

	invite_moved(&asking_of(d)->invite, branch, to, rx);
	tx = ast_sip_session_create_answer(d->owner->session, 181, RS_STR_NULL);
	if (tx)
		ast_sip_session_send_answer(d->owner->session, tx);
}

/*
 * The caller has agreed upon media with another branch by a reliable answer: its 200 may say nothing new about it (RFC
 * 3262 section 5), so both are brought together behind the ACK.
 */
static bool needs_resync(const struct dial *d)
{
	return d->early_moved && asking_of(d)->has_sdp &&
	       ast_sip_session_oa(d->owner->session) == AST_SIP_SESSION_OA_IDLE;
}

static void answered(struct dial *d, struct leg *branch, struct sip_rx_data *rx)
{
	struct leg *leg = d->owner;
	struct sip_tx_data *tx =
		ast_sip_session_create_answer(leg->session, sip_rx_msg(rx)->status, sip_rx_msg(rx)->reason);

	leg->resync = needs_resync(d);
	if (tx) {
		headers_pass(tx, rx, !leg->resync);
		invite_answer(&asking_of(d)->invite, leg, branch, rx, tx);
	}
	if (!tx || ast_sip_session_send_answer(leg->session, tx)) {
		leg_hangup(branch, 0, RS_STR("SIP;cause=487;text=\"Caller has gone\""));
		leg_hangup(leg, 500, RS_STR_NULL);
		return;
	}
	leg_pair(leg, branch);
	call_answered(leg->call, branch->session, leg_endpoint_id(branch));
	call_add_leg(leg->call, branch);
	leg_goes_up(leg);
	leg_goes_up(branch);
	if (leg->resync)
		leg_tell(branch, &(struct leg_event){.type = LEG_ACK, .from = leg});
	else
		leg->ack_to = leg_ref(branch);
}

void caller_resync(struct leg *leg)
{
	leg->resync = false;
	if (leg->peer && !leg->ending)
		join_start(leg, leg->peer, NULL, NULL, NULL);
}

static const char *cause_of(const struct outcome *o)
{
	switch (o->how) {
	case FAILED_NO_ANSWER:
		return "no answer";
	case FAILED_UNREACHABLE:
		return "unreachable";
	case FAILED_ANSWER:
		break;
	}
	return o->status == 486 || o->status == 600 ? "busy" : "refused";
}

static void failed(struct dial *d, const struct outcome *best)
{
	call_refused(d->owner->call, choice_status(best->status), best->rx ? CALL_BY_CALLEE : CALL_BY_SERVER,
		     cause_of(best));
	refuse_with(d->owner, best);
}

static const struct dial_user user = {
	.progress = progress, .answered = answered, .failed = failed, .fill = fill, .from = from, .moved = moved};

struct sip_rx_data *caller_request(const struct leg *leg)
{
	return leg->dial && leg->dial->user == &user ? asking_of(leg->dial)->rx : NULL;
}

/* ---- the call ---- */

static void reject(struct leg *leg, unsigned status, const char *cause)
{
	call_refused(leg->call, status, CALL_BY_SERVER, cause);
	refuse(leg, status);
}

static unsigned make_plan(struct plan *plan, struct ast_sip_snapshot *s, struct sip_rx_data *rx)
{
	const struct sip_uri *uri = sip_msg_ruri(sip_rx_msg(rx));

	if (!uri)
		return 400;
	if (!sip_uri_is_sip(uri) && uri->scheme != SIP_URI_TEL)
		return 416;
	return stages_make(plan, s, uri);
}

static bool no_hop_left(struct sip_rx_data *rx)
{
	uint32_t hops;

	return sip_msg_number(sip_rx_msg(rx), SIP_HDR_MAX_FORWARDS, &hops, NULL) && hops == 0;
}

static struct asking *asking_new(struct leg *leg, struct sip_rx_data *rx, unsigned *status)
{
	struct asking *a = calloc(1, sizeof(*a));

	*status = a ? invite_init(&a->invite, rx, leg_endpoint(leg)) : 500;
	if (*status) {
		free(a);
		return NULL;
	}
	shared_init(&a->shared, asking_free);
	a->rx = sip_rx_ref(rx);
	a->has_sdp = ast_sip_rx_has_sdp(rx);
	return a;
}

static void begin(struct leg *leg, struct sip_rx_data *rx, struct ast_sip_snapshot *s)
{
	struct plan plan = {.n = 0};
	struct asking *a;
	struct dial *d;
	unsigned status;

	if (no_hop_left(rx)) {
		reject(leg, 483, "loop");
		return;
	}
	if (!limits_allow(s, leg_endpoint(leg), false)) {
		reject(leg, 480, "too many calls");
		return;
	}
	leg->use = limits_take(leg_endpoint_id(leg));
	status = make_plan(&plan, s, rx);
	if (status) {
		stages_fini(&plan);
		reject(leg, status, status == 404 ? "unknown number" : "bad number");
		return;
	}
	a = asking_new(leg, rx, &status);
	d = a ? dial_new(leg, &user, &a->shared, s, &plan) : NULL;
	stages_fini(&plan);
	if (a)
		shared_unref(&a->shared);
	if (d)
		dial_start(d);
	else
		reject(leg, status ? status : 500, "failed");
}

/* A session becomes a leg of a new call; NULL: it was refused. */
struct leg *caller_leg(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct leg *leg = leg_new(LEG_CALLER, NULL);

	if (!leg) {
		ast_sip_session_hangup(s, 500, RS_STR_NULL);
		return NULL;
	}
	leg->session = ast_sip_session_ref(s);
	ast_sip_session_set_user(s, &leg_user, leg); /* keeps the reference */
	leg->call = call_new(ast_sip_rx_snapshot(rx), s, rx);
	if (leg->call) {
		call_add_leg(leg->call, leg);
		return leg;
	}
	if (errno == EAGAIN)
		rs_event(RS_LOG_WARNING, "call.too_many", RS_FI("calls", call_count()),
			 RS_FS("endpoint", leg_endpoint_id(leg)));
	refuse(leg, 503);
	return NULL;
}

bool caller_invite(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct leg *leg;

	if (sip_msg_first(sip_rx_msg(rx), SIP_HDR_REPLACES))
		return replaces_invite(s, rx);
	leg = caller_leg(s, rx);
	if (leg)
		begin(leg, rx, ast_sip_rx_snapshot(rx));
	return true;
}
