/* A call of a phone from its 2xx on: what is sent and answered in its dialog, session timers, its end; see sim_call.h.
 */
#include "sim_call_private.h"

#include <stdio.h>

/* ---- session timers (RFC 4028) ---- */

static int64_t session_limit(const struct call *c)
{
	unsigned before = c->expires / 3 < 32 ? c->expires / 3 : 32;

	return c->refreshed_at + (c->expires - before) * SIM_SECOND;
}

static bool may_offer(const struct call *c)
{
	return c->state == CALL_UP && !c->invite && !c->update && !c->asked && !c->answer.waits && !c->leaves;
}

static void offer(struct call *c, const char *method, const char *body);

static void session_due(struct sim_event *e)
{
	struct call *c = rs_container_of(e, struct call, session);
	int64_t next = session_limit(c);

	if (sim_now() >= next) {
		sim_call_stats.expired++;
		call_hangup(c);
		return;
	}
	if (may_offer(c))
		offer(c, call_chance(50) ? "UPDATE" : "INVITE", call_chance(50) ? call_sdp(c, false) : "");
	else if (sim_now() + SIM_SECOND < next)
		next = sim_now() + SIM_SECOND;
	sim_queue_add(e, next, session_due, NULL);
}

static void session_arm(struct call *c)
{
	sim_queue_remove(&c->session);
	c->refreshed_at = sim_now();
	if (c->expires && c->state == CALL_UP)
		sim_queue_add(&c->session, c->refresher ? sim_now() + c->expires * SIM_SECOND / 2 : session_limit(c),
			      session_due, NULL);
}

/* The refresh failed, and may be tried again. */
static void session_again(struct call *c)
{
	int64_t next = sim_now() + call_draw(500 * SIM_MS, 4 * SIM_SECOND);

	if (c->state != CALL_UP || !c->session.queued || !c->refresher ||
	    sim_now() < c->refreshed_at + c->expires * SIM_SECOND / 2)
		return;
	sim_queue_remove(&c->session);
	sim_queue_add(&c->session, next < session_limit(c) ? next : session_limit(c), session_due, NULL);
}

void call_timer_ask(const struct call *c, char *lines, size_t size)
{
	lines[0] = '\0';
	if (!c->timer)
		return;
	snprintf(lines, size, "Supported: timer\r\n");
	if (!c->expires)
		return;
	snprintf(lines + strlen(lines), size - strlen(lines), "Session-Expires: %u", c->expires);
	if (c->state == CALL_UP)
		snprintf(lines + strlen(lines), size - strlen(lines), ";refresher=%s", c->refresher ? "uac" : "uas");
	snprintf(lines + strlen(lines), size - strlen(lines), "\r\n");
	if (c->min_se > 90)
		snprintf(lines + strlen(lines), size - strlen(lines), "Min-SE: %u\r\n",
			 c->min_se < c->expires ? c->min_se : c->expires);
}

void call_timer_answered(struct call *c, const struct sim_call_msg *m)
{
	if (!c->timer)
		return;
	c->expires = m->expires;
	c->refresher = m->refresher != 's';
	session_arm(c);
}

void call_timer_answer(struct call *c, const struct sim_call_msg *m, char *lines, size_t size)
{
	snprintf(lines, size, "Contact: <sip:%s@%s>\r\n" CALL_ALLOW "Supported: 100rel\r\n", c->phone->user,
		 c->phone->address);
	if (!c->timer)
		return;
	snprintf(lines + strlen(lines), size - strlen(lines), "Supported: timer\r\n");
	if (m->expires && m->knows_timer) {
		c->expires = m->expires;
		c->refresher = m->refresher ? m->refresher == 's' : call_chance(50);
	} else if (c->state == CALL_EARLY) {
		/* The peer proposed none. */
		c->expires = call_chance(50) ? 0 : m->min_se > 120 ? m->min_se : 120;
		c->refresher = !m->knows_timer || call_chance(50);
	} else {
		c->expires = 0;
	}
	if (c->expires)
		snprintf(lines + strlen(lines), size - strlen(lines), "Session-Expires: %u;refresher=%s\r\n%s",
			 c->expires, c->refresher ? "uas" : "uac", c->refresher ? "" : "Require: timer\r\n");
	if (c->state == CALL_UP)
		session_arm(c);
}

/* ---- what it sends ---- */

static void inside_done(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *c = o->call;

	if (c->invite == o)
		c->invite = NULL;
	if (c->update == o)
		c->update = NULL;
	if (c->state != CALL_UP)
		return;
	if (!m || m->status == 408) {
		sim_call_stats.lost++;
		call_hangup(c);
	} else if (m->status == 481) {
		sim_call_stats.lost++;
		call_over(c);
	} else if (m->status < 300 && strcmp(o->method, "UPDATE") == 0) {
		call_timer_answered(c, m);
	} else if (m->status >= 300 && (o->invite || strcmp(o->method, "UPDATE") == 0)) {
		session_again(c);
	}
}

static void offer(struct call *c, const char *method, const char *body)
{
	char lines[500], timer[160], copy[400];
	struct call_out *o;

	snprintf(copy, sizeof(copy), "%s", body);
	call_timer_ask(c, timer, sizeof(timer));
	snprintf(lines, sizeof(lines), "Contact: <sip:%s@%s>\r\n" CALL_ALLOW "%s", c->phone->user, c->phone->address,
		 timer);
	o = call_request(c, method, lines, copy, inside_done);
	if (o->invite) {
		c->invite = o;
		sim_call_stats.reinvites++;
	} else {
		c->update = o;
		sim_call_stats.updates++;
	}
}

static void something(struct call *c)
{
	static const char *const small[] = {"INFO", "MESSAGE", "OPTIONS"};

	switch (sim_rng_below(sim_test_rng(), 8)) {
	case 0:
	case 1:
	case 2:
		if (may_offer(c))
			offer(c, "INVITE", call_chance(80) ? call_sdp(c, call_chance(50)) : "");
		break;
	case 3:
	case 4:
		if (may_offer(c))
			offer(c, "UPDATE", call_chance(50) ? call_sdp(c, call_chance(50)) : "");
		break;
	case 5: /* it thinks better of it */
		if (c->invite && c->state == CALL_UP)
			call_cancel(c->invite);
		break;
	default:
		sim_call_stats.inside++;
		call_request(c, small[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(small))], "", "", inside_done);
		break;
	}
}

static void live(struct sim_event *e)
{
	struct call *c = rs_container_of(e, struct call, life);
	int64_t next;

	if (sim_now() >= c->ends_at) {
		call_hangup(c);
		return;
	}
	if (!c->quiet)
		something(c);
	next = sim_now() + call_draw(0, 15 * SIM_SECOND);
	if (c->state == CALL_UP)
		sim_queue_add(e, next < c->ends_at ? next : c->ends_at, live, NULL);
}

void call_is_up(struct call *c)
{
	int64_t next = sim_now() + call_draw(0, 10 * SIM_SECOND);

	c->state = CALL_UP;
	if (!c->caller)
		session_arm(c);
	c->ends_at = sim_now() + call_draw(0, c->phone->plan->length_us);
	if (call_chance(15)) { /* long enough for session timers */
		c->ends_at = sim_now() + call_draw(100 * SIM_SECOND, 400 * SIM_SECOND);
		c->quiet = call_chance(70);
	}
	if (call_shared_draw(c, 100) >= 80) /* the other hangs up about then, too */
		c->ends_at = sim_now() + call_shared_draw(c, 30 * SIM_SECOND) + call_draw(0, 20 * SIM_MS);
	sim_queue_remove(&c->life);
	sim_queue_add(&c->life, next < c->ends_at ? next : c->ends_at, live, NULL);
}

/* ---- what it is asked ---- */

static void no_ack(struct call *c)
{
	sim_call_stats.no_ack++;
	call_hangup(c);
}

void call_answer_2xx(struct call *c, struct call_in *in, const char *lines, const char *body)
{
	char copy[400];

	snprintf(copy, sizeof(copy), "%s", body);
	call_answer(in, 200, c->local_tag, lines, copy);
	c->asked = NULL;
	call_repeat_start(&c->answer, c, in, in->cseq, T2, no_ack);
}

static void accept_invite(struct call *c, struct call_in *in)
{
	struct sim_call_msg m;
	char lines[600];

	sim_check(sim_call_msg_read(&m, rs_str_n(in->request, in->request_len)));
	call_timer_answer(c, &m, lines, sizeof(lines));
	call_answer_2xx(c, in, lines, call_sdp(c, false));
}

static void accept_late(struct sim_event *e)
{
	struct call_in *in = rs_container_of(e, struct call_in, timer);

	if (in->call->state == CALL_UP && in->call->asked == in)
		accept_invite(in->call, in);
}

static bool too_short(const struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	if (!c->timer || !m->knows_timer || !m->expires || m->expires >= c->min_se)
		return false;
	call_answer(in, 422, NULL, "Min-SE: 120\r\n", "");
	return true;
}

static void reinvite_came(struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	if (c->invite || (c->update && c->update->offered)) {
		sim_call_stats.glares++;
		call_answer(in, 491, NULL, "", "");
	} else if (c->state != CALL_UP || c->asked || c->answer.waits) {
		call_answer(in, 500, NULL, "Retry-After: 2\r\n", "");
	} else if (too_short(c, in, m)) {
		return;
	} else if (call_chance(5)) {
		call_answer(in, 488, NULL, "", "");
	} else if (call_chance(25)) {
		c->asked = in;
		if (call_chance(50))
			call_answer(in, 100, NULL, "", "");
		sim_queue_add(&in->timer, sim_now() + call_draw(0, 5 * SIM_SECOND), accept_late, NULL);
	} else {
		accept_invite(c, in);
	}
}

static void update_came(struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	char lines[600];

	if (m->sdp && (c->invite || (c->update && c->update->offered))) {
		sim_call_stats.glares++;
		call_answer(in, 491, NULL, "", "");
	} else if (m->sdp && (c->asked || c->answer.waits) && !c->sdp_done) {
		call_answer(in, 500, NULL, "Retry-After: 2\r\n", "");
	} else if (!too_short(c, in, m)) {
		call_timer_answer(c, m, lines, sizeof(lines));
		call_answer(in, 200, NULL, lines, m->sdp ? call_sdp(c, false) : "");
	}
}

static void prack_came(struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	bool right = c->provisional.waits && m->rack_rseq == c->provisional.number && m->rack_cseq == c->invite_cseq;

	if (right)
		call_repeat_stop(&c->provisional);
	call_answer(in, right ? 200 : 481, NULL, "", "");
}

static void bye_came(struct call *c)
{
	bool early = c->state == CALL_EARLY;

	c->bye_came = true;
	call_over(c);
	if (!early || !c->caller)
		return;
	/* The 2xx before it was lost. */
	c->base->leaves = true;
	if (c->base->invite)
		call_cancel(c->base->invite);
}

void call_asked(struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	bool bye = strcmp(m->method, "BYE") == 0;

	in->call = c;
	if (c->state == CALL_OVER) {
		call_answer(in, bye && c->bye_sent ? 200 : 481, NULL, "", "");
		return;
	}
	if (c->remote_cseq && m->cseq <= c->remote_cseq) {
		call_answer(in, 500, NULL, "", "");
		return;
	}
	c->remote_cseq = m->cseq;
	if (m->contact[0] && (in->invite || strcmp(m->method, "UPDATE") == 0)) {
		snprintf(c->target, sizeof(c->target), "%s", m->contact);
		call_hop(c->target, c->hop, sizeof(c->hop));
	}
	if (bye) {
		call_answer(in, 200, NULL, "", "");
		bye_came(c);
	} else if (in->invite) {
		reinvite_came(c, in, m);
	} else if (strcmp(m->method, "UPDATE") == 0) {
		update_came(c, in, m);
	} else if (strcmp(m->method, "PRACK") == 0) {
		prack_came(c, in, m);
	} else {
		bool known = strcmp(m->method, "INFO") == 0 || strcmp(m->method, "MESSAGE") == 0 ||
			     strcmp(m->method, "OPTIONS") == 0;
		call_answer(in, known ? 200 : 405, NULL, known ? "" : CALL_ALLOW, "");
	}
}

void call_acked(struct call *c, const struct sim_call_msg *m)
{
	if (!c->answer.waits || m->cseq != c->answer.number)
		return;
	call_repeat_stop(&c->answer);
	if (c->leaves)
		call_hangup(c);
}

/* ---- its end ---- */

void call_over(struct call *c)
{
	struct call_in *in = c->asked;
	bool early = c->state == CALL_EARLY;

	c->state = CALL_OVER;
	c->asked = NULL;
	if (early && c->twin && c->twin->state == CALL_EARLY) {
		c->twin->asked = NULL;
		call_over(c->twin);
	}
	call_repeat_stop(&c->answer);
	call_repeat_stop(&c->provisional);
	sim_queue_remove(&c->session);
	sim_queue_remove(&c->life);
	if (in && in->status < 200)
		call_answer(in, 487, c->local_tag, "", "");
}

void call_hangup(struct call *c)
{
	if (c->state == CALL_OVER)
		return;
	c->leaves = true;
	if (c->state == CALL_EARLY) {
		if (c->base->invite)
			call_cancel(c->base->invite);
		return;
	}
	if (!c->caller && c->answer.waits && c->answer.number == c->invite_cseq)
		return; /* RFC 3261 section 15: once its ACK is there */
	c->bye_sent = true;
	sim_call_stats.byes++;
	call_over(c);
	call_request(c, "BYE", "", "", NULL);
}
