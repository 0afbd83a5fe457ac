/* Who calls: INVITE and what answers it, RFC 3261 section 13.2, 3262 section 4; see sim_call.h. */
#include "sim_call_private.h"

#include <stdio.h>

static void invite_done(struct call_out *o, const struct sim_call_msg *m);

static void send_invite(struct call *c)
{
	char lines[700], timer[160];

	call_timer_ask(c, timer, sizeof(timer));
	snprintf(lines, sizeof(lines), "Contact: <sip:%s@%s>\r\n" CALL_ALLOW "%s%sSubject: %s\r\n", c->phone->user,
		 c->phone->address, c->rel ? "Supported: 100rel\r\n" : "", timer, c->subject);
	c->invite = call_request(c, "INVITE", lines, c->sdp_offered ? call_sdp(c, false) : "", invite_done);
	c->invite_cseq = c->invite->cseq;
}

static void patience_ends(struct sim_event *e)
{
	call_hangup(rs_container_of(e, struct call, life));
}

/* Most wait long enough; some give up about when they are answered. */
static int64_t patience(const struct call *c)
{
	if (call_shared_draw(c, 100) < 15)
		return call_shared_draw(c, 5 * SIM_SECOND) + call_draw(0, 150 * SIM_MS);
	if (call_chance(15))
		return call_draw(0, 4 * SIM_SECOND);
	return call_chance(80) ? call_draw(10 * SIM_SECOND, 60 * SIM_SECOND) : 230 * SIM_SECOND;
}

void call_somebody(struct sim_call_phone *p)
{
	static const unsigned expires[] = {0, 90, 90, 120, 180};
	struct call *c = call_new(p, true);

	p->plan->whom(p->index, c->uri, sizeof(c->uri), c->hop, sizeof(c->hop));
	snprintf(c->target, sizeof(c->target), "%s", c->uri);
	snprintf(c->remote, sizeof(c->remote), "<%s>", c->uri);
	snprintf(c->local, sizeof(c->local), "<sip:%s@10.0.0.1>", p->user);
	snprintf(c->call_id, sizeof(c->call_id), "c%u-%u-%lu@calls", p->index, p->life, ++p->ids);
	snprintf(c->subject, sizeof(c->subject), "call %u-%u-%lu;", p->index, p->life, p->ids);
	c->cseq = (uint32_t)call_draw(0, 1000);
	c->sdp_offered = call_chance(80);
	c->expires = c->timer ? expires[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(expires))] : 0;
	if (c->expires && c->expires < c->min_se)
		c->expires = c->min_se;
	sim_call_stats.called++;
	send_invite(c);
	sim_queue_add(&c->life, sim_now() + patience(c), patience_ends, NULL);
}

static void each_fork(struct call *base, void (*fn)(struct call *c))
{
	for (struct call *c = base->phone->calls, *next; c; c = next) {
		next = c->next;
		if (c->base == base && c->state == CALL_EARLY)
			fn(c);
	}
}

/* The first INVITE's outcome, when it is no 2xx. */
static void invite_done(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *c = o->call;

	c->invite = NULL;
	if (m && m->status == 422 && !c->leaves && m->min_se > c->expires) {
		c->expires = m->min_se;
		c->remote_tag[0] = '\0';
		c->peer_rseq = 0;
		send_invite(c);
		return;
	}
	sim_call_stats.unanswered += !m;
	sim_call_stats.refused += m && m->status != 487;
	sim_call_stats.cancelled += m && m->status == 487;
	c->leaves = true;
	each_fork(c, call_over);
}

struct call *call_fork(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *base = o->call, *c;

	if (!base->remote_tag[0])
		snprintf(base->remote_tag, sizeof(base->remote_tag), "%s", m->to_tag);
	for (c = base->phone->calls; c; c = c->next) {
		if (c->base == base && strcmp(c->remote_tag, m->to_tag) == 0)
			return c;
	}
	c = call_new(base->phone, true);
	c->base = base;
	c->timer = base->timer;
	c->rel = base->rel;
	c->sdp_offered = base->sdp_offered;
	c->expires = base->expires;
	c->cseq = c->invite_cseq = base->invite_cseq;
	snprintf(c->subject, sizeof(c->subject), "%s", base->subject);
	snprintf(c->call_id, sizeof(c->call_id), "%s", base->call_id);
	snprintf(c->local_tag, sizeof(c->local_tag), "%s", base->local_tag);
	snprintf(c->remote_tag, sizeof(c->remote_tag), "%s", m->to_tag);
	snprintf(c->local, sizeof(c->local), "%s", base->local);
	snprintf(c->remote, sizeof(c->remote), "%s", base->remote);
	snprintf(c->target, sizeof(c->target), "%s", o->uri);
	snprintf(c->hop, sizeof(c->hop), "%s", o->hop);
	sim_call_stats.forks++;
	return c;
}

static void refresh_target(struct call *c, const struct sim_call_msg *m)
{
	if (!m->contact[0])
		return;
	snprintf(c->target, sizeof(c->target), "%s", m->contact);
	call_hop(c->target, c->hop, sizeof(c->hop));
}

static void prack(struct call *c, struct call_out *o, const struct sim_call_msg *m)
{
	bool answers = !o->offered && m->sdp && !c->sdp_done;
	char lines[80];

	if (c->peer_rseq && m->rseq != c->peer_rseq + 1)
		return; /* again, or out of order */
	c->peer_rseq = m->rseq;
	c->sdp_done |= m->sdp;
	snprintf(lines, sizeof(lines), "RAck: %u %u INVITE\r\n", m->rseq, o->cseq);
	call_request(c, "PRACK", lines, answers ? call_sdp(c, false) : "", NULL);
}

void call_1xx(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *c;

	if (m->status == 100 || !m->to_tag[0] || o->cseq != o->call->invite_cseq)
		return;
	c = call_fork(o, m);
	if (c->state != CALL_EARLY)
		return;
	refresh_target(c, m);
	if (m->wants_100rel && m->rseq)
		prack(c, o, m);
}

static void acknowledge(struct call *c, struct call_out *o, const struct sim_call_msg *m, char *ack, size_t *len)
{
	char branch[64];

	if (!*len) {
		refresh_target(c, m);
		call_branch(c->phone, branch, sizeof(branch));
		*len = call_build(c, "ACK", o->cseq, branch, o->auth,
				  !o->offered && m->sdp && !c->sdp_done ? call_sdp(c, false) : "", ack);
		c->sdp_done = false;
	}
	call_send(c->phone, c->hop, ack, *len);
}

static void first_2xx(struct call *c, const struct sim_call_msg *m)
{
	struct call *base = c->base;

	base->invite = NULL;
	if (c->bye_came) {
		each_fork(base, call_over);
		return;
	}
	c->state = CALL_UP;
	call_timer_answered(c, m);
	if (base->winner || base->leaves) {
		call_hangup(c);
		if (!base->winner)
			each_fork(base, call_over);
		return;
	}
	base->winner = c;
	sim_call_stats.connected++;
	call_is_up(c);
	each_fork(base, call_over);
}

void call_2xx(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *c = o->call;
	bool again;

	if (o->cseq != c->invite_cseq) {
		again = o->ack_len > 0;
		acknowledge(c, o, m, o->ack, &o->ack_len);
		if (!again && c->invite == o)
			c->invite = NULL;
		if (!again && c->state == CALL_UP)
			call_timer_answered(c, m);
		return;
	}
	c = call_fork(o, m);
	again = c->ack_len > 0;
	acknowledge(c, o, m, c->ack, &c->ack_len);
	if (!again)
		first_2xx(c, m);
}
