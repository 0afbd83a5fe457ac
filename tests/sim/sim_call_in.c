/* Who is called: what answers an INVITE, RFC 3261 section 13.3, 3262 section 3; see sim_call.h. */
#include "sim_call_private.h"

#include <stdio.h>

static void next_step(struct sim_event *e);

static void refuse(struct call *c, unsigned status, const char *lines)
{
	struct call_in *in = c->asked;

	c->asked = NULL;
	call_answer(in, status, c->local_tag, lines, "");
	call_over(c);
}

static void unacknowledged(struct call *c)
{
	if (c->state == CALL_EARLY)
		refuse(c, 504, "");
}

static void accept_call(struct call *c)
{
	struct call_in *in = c->asked;
	struct sim_call_msg m;
	char lines[600];

	sim_check(sim_call_msg_read(&m, rs_str_n(in->request, in->request_len)));
	call_timer_answer(c, &m, lines, sizeof(lines));
	call_answer_2xx(c, in, lines, c->sdp_done ? "" : call_sdp(c, false));
	sim_call_stats.answered++;
	call_is_up(c);
	if (c->twin && c->twin->state == CALL_EARLY)
		sim_queue_add(&c->twin->life, sim_now() + call_draw(0, 2 * SIM_SECOND), next_step, NULL);
}

static void ring(struct call *c)
{
	bool reliably = c->rel && c->reliably > 0, sdp = !c->sdp_done && call_chance(50);
	char lines[300];

	if (reliably) {
		c->reliably--;
		c->rseq++;
		/* The first one of a call without an offer makes it. */
		sdp = !c->sdp_done && (sdp || !c->sdp_offered);
		c->sdp_done |= sdp;
		sim_call_stats.reliable++;
	} else {
		sdp = sdp && c->sdp_offered;
	}
	snprintf(lines, sizeof(lines), "Contact: <sip:%s@%s>\r\n" CALL_ALLOW, c->phone->user, c->phone->address);
	if (reliably)
		snprintf(lines + strlen(lines), 60, "Require: 100rel\r\nRSeq: %u\r\n", c->rseq);
	call_answer(c->asked, sdp || call_chance(30) ? 183 : 180, c->local_tag, lines, sdp ? call_sdp(c, false) : "");
	if (reliably)
		call_repeat_start(&c->provisional, c, c->asked, c->rseq, T64, unacknowledged);
}

static void next_step(struct sim_event *e)
{
	struct call *c = rs_container_of(e, struct call, life);

	if (c->state != CALL_EARLY)
		return;
	if (c->provisional.waits) {
		sim_queue_add(e, sim_now() + 100 * SIM_MS, next_step, NULL);
		return;
	}
	if (c->steps) {
		c->steps--;
		ring(c);
		sim_queue_add(e, sim_now() + c->step_us, next_step, NULL);
	} else if (c->final < 300) {
		accept_call(c);
	} else {
		refuse(c, c->final, "");
	}
}

/* What this phone will do with it. */
static void decide(struct call *c)
{
	static const unsigned no[] = {486, 480, 603, 500};

	c->steps = (unsigned)call_draw(0, 3);
	c->reliably = (unsigned)call_draw(0, 2);
	c->rseq = (uint32_t)call_draw(1, 100000);
	c->step_us = call_chance(70) ? call_draw(0, 2 * SIM_SECOND) : call_draw(0, 20 * SIM_SECOND);
	c->final = call_chance(80) ? 200 : no[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(no))];
	if (call_chance(10)) { /* nobody is at home */
		c->steps = 1;
		c->final = 480;
		c->step_us = 250 * SIM_SECOND;
	}
	if (call_shared_draw(c, 100) < 15) { /* and the caller gives up about then */
		c->steps = 0;
		c->final = 200;
		c->step_us = call_shared_draw(c, 5 * SIM_SECOND);
	}
}

static void from_invite(struct call *c, struct call_in *in, const struct sim_call_msg *m)
{
	c->asked = c->first = in;
	c->invite_cseq = c->remote_cseq = m->cseq;
	c->cseq = (uint32_t)call_draw(0, 1000);
	c->sdp_offered = m->sdp;
	c->rel = (c->rel && m->knows_100rel) || m->wants_100rel;
	snprintf(c->subject, sizeof(c->subject), "%s", m->subject);
	snprintf(c->call_id, sizeof(c->call_id), "%s", m->call_id);
	snprintf(c->remote_tag, sizeof(c->remote_tag), "%s", m->from_tag);
	snprintf(c->local, sizeof(c->local), "%s", m->to);
	snprintf(c->remote, sizeof(c->remote), "%s", m->from);
	snprintf(c->target, sizeof(c->target), "%s", m->contact);
	call_hop(c->target, c->hop, sizeof(c->hop));
}

static void twin(struct call *c, const struct sim_call_msg *m)
{
	struct call *t = call_new(c->phone, false);

	from_invite(t, c->asked, m);
	t->final = 200;
	t->rel = false;
	t->twin = c;
	c->twin = t;
	if (call_chance(70))
		ring(t);
}

/* Refused at once, or not answered at all. */
static bool turned_away(struct call_in *in)
{
	static const unsigned no[] = {486, 486, 480, 603, 404, 500};
	unsigned n;
	char contact[100];

	if (call_chance(5)) {
		in->mute = true;
	} else if (call_chance(12)) {
		call_answer(in, no[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(no))], "away", "", "");
	} else if (call_chance(5)) {
		n = (unsigned)sim_rng_below(sim_test_rng(), in->phone->plan->phones);
		snprintf(contact, sizeof(contact), "Contact: <sip:u%u@10.0.1.%u:5060>\r\n", n, n + 1);
		call_answer(in, 302, "moved", contact, "");
	} else {
		return false;
	}
	return true;
}

void call_offered(struct call_in *in, const struct sim_call_msg *m)
{
	struct call *c;

	sim_check(m->contact[0]);
	if (turned_away(in))
		return;
	c = call_new(in->phone, false);
	in->call = c;
	from_invite(c, in, m);
	if (c->timer && m->knows_timer && m->expires && m->expires < c->min_se) {
		refuse(c, 422, "Min-SE: 120\r\n");
		return;
	}
	decide(c);
	if (call_chance(50))
		call_answer(in, 100, NULL, "", "");
	if (call_chance(8))
		twin(c, m);
	sim_queue_add(&c->life, sim_now() + c->step_us / 4 * (c->steps ? 1 : 4), next_step, NULL);
}

void call_cancelled(struct call_in *in, const struct sim_call_msg *m)
{
	struct call_in *invite = call_in_find(in->phone, m->branch, "INVITE");
	struct call *c = invite ? invite->call : NULL;

	if (!invite || invite->mute) {
		call_answer(in, 481, "none", "", "");
		return;
	}
	call_answer(in, 200, c ? c->local_tag : "none", "", "");
	if (!c || c->asked != invite)
		return; /* it crossed the final answer */
	if (invite == c->first) {
		refuse(c, 487, "");
	} else {
		c->asked = NULL;
		call_answer(invite, 487, NULL, "", "");
	}
}
