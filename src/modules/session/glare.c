/* Requests that meet: which may not come, which may not leave, and when one that was answered 491 leaves again. */
#include "session_private.h"

/* RFC 3261 section 14.1, in units of 10 ms: whoever made the Call-ID waits 2.1 to 4 s, the other one up to 2 s. */
#define UNIT_US   10000
#define OWNER_MIN 210
#define OWNER_MAX 400
#define OTHER_MAX 200

/* An INVITE of the peer's without final answer. */
static bool peers_invite(const struct ast_sip_session *s)
{
	return (s->setup && s->setup->rx) || session_pending_has(s, SIP_METHOD_INVITE);
}

static bool offers_unconfirmed(const struct ast_sip_session *s)
{
	for (const struct session_confirm *c = s->confirm; c; c = c->next) {
		if (c->offers)
			return true;
	}
	return false;
}

unsigned session_glare(const struct ast_sip_session *s, enum sip_method method, bool sdp)
{
	bool invite = method == SIP_METHOD_INVITE;

	if (invite && (session_request_pending(s, REQUEST_INVITE) || s->to_ack || offers_unconfirmed(s)))
		return 491;
	if (invite ? peers_invite(s) : session_pending_has(s, SIP_METHOD_UPDATE))
		return 500;
	if (!invite && !sdp)
		return 0;
	if (s->oa.turn == AST_SIP_SESSION_OA_LOCAL || (s->oa.turn == AST_SIP_SESSION_OA_REMOTE && s->to_ack))
		return 491;
	return s->oa.turn == AST_SIP_SESSION_OA_REMOTE ? 500 : 0;
}

/* Whether another request of that kind of ours has no outcome yet. */
static bool another(const struct ast_sip_session *s, enum session_kind kind, const struct session_request *than)
{
	for (const struct session_request *r = s->requests; r; r = r->next) {
		if (r != than && r->kind == kind)
			return true;
	}
	return false;
}

static bool may_leave(const struct ast_sip_session *s, enum session_kind kind, bool sdp,
		      const struct session_request *r)
{
	if (s->ended || s->closing || another(s, kind, r))
		return false;
	if (kind == REQUEST_INVITE)
		return s->confirmed && !peers_invite(s) && !s->to_ack && !s->confirm &&
		       s->oa.turn == AST_SIP_SESSION_OA_IDLE;
	return !sdp || (s->oa.turn == AST_SIP_SESSION_OA_IDLE && !session_pending_has(s, SIP_METHOD_UPDATE) &&
			!(s->confirmed && another(s, REQUEST_INVITE, r)));
}

bool session_may_send(const struct ast_sip_session *s, enum sip_method method, bool sdp)
{
	return may_leave(s, method == SIP_METHOD_INVITE ? REQUEST_INVITE : REQUEST_UPDATE, sdp, NULL);
}

int64_t session_glare_delay_us(const struct ast_sip_session *s)
{
	uint32_t units = sip_dialog_is_uac(s->dlg) ? OWNER_MIN + rs_random_below(OWNER_MAX - OWNER_MIN + 1)
						   : rs_random_below(OTHER_MAX + 1);

	return (int64_t)units * UNIT_US;
}

void session_glare_wait(struct session_request *r)
{
	r->waiting = true;
	session_oa_abandon(&r->s->oa, AST_SIP_SESSION_OA_LOCAL);
	session_clock_set(r->s, CLOCK_GLARE, session_glare_delay_us(r->s));
}

void session_glare_fire(struct ast_sip_session *s)
{
	struct session_request *next;
	bool again = false;

	for (struct session_request *r = s->requests; r; r = next) {
		next = r->next;
		if (!r->waiting)
			continue;
		if (!may_leave(s, (enum session_kind)r->kind, r->offer, r)) {
			again = true;
			continue;
		}
		if (session_request_again(r, 0) == 0)
			continue;
		session_request_done(r, AST_SIP_REQUEST_TRANSPORT_ERROR, NULL);
		next = s->requests; /* its caller may have changed the list */
	}
	if (again && !s->ended)
		session_clock_set(s, CLOCK_GLARE, session_glare_delay_us(s));
}
