/* A calling phone: its life, and what comes to it; see sim_call.h. */
#include "sim_call_private.h"
#include "sim_call_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define CALLS_AT_ONCE 3

struct sim_call_stats sim_call_stats;

void *call_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

bool call_chance(unsigned percent)
{
	return sim_rng_below(sim_test_rng(), 100) < percent;
}

int64_t call_draw(int64_t low, int64_t high)
{
	return sim_rng_range(sim_test_rng(), low, high);
}

int64_t call_shared_draw(const struct call *c, int64_t bound)
{
	return (int64_t)(XXH64(c->subject, strlen(c->subject), 7) % (uint64_t)bound);
}

const char *call_sdp(const struct call *c, bool hold)
{
	static char sdp[400];

	snprintf(sdp, sizeof(sdp),
		 "v=0\r\no=- %u %u IN IP4 192.0.2.%u\r\ns=-\r\nc=IN IP4 192.0.2.%u\r\nt=0 0\r\n"
		 "m=audio 4000 RTP/AVP 0\r\na=%s\r\n",
		 c->phone->index + 1, c->cseq + 1, c->phone->index + 1, c->phone->index + 1,
		 hold ? "sendonly" : "sendrecv");
	return sdp;
}

void call_hop(const char *uri, char *out, size_t size)
{
	const char *at = strchr(uri, '@');
	size_t len;

	at = at ? at + 1 : strchr(uri, ':') + 1;
	len = strcspn(at, ";>?");
	snprintf(out, size, "%.*s%s", (int)len, at, memchr(at, ':', len) ? "" : ":5060");
}

void call_send(struct sim_call_phone *p, const char *hop, const char *bytes, size_t len)
{
	struct sip_addr to;

	if (!p->peer)
		return;
	sim_check_int(sip_addr_parse(rs_str_c(hop), &to), 0);
	if (p->watch)
		sim_call_watch_sent(p->watch, &to, rs_str_n(bytes, len));
	sim_peer_send(p->peer, &to, rs_str_n(bytes, len));
}

struct call *call_new(struct sim_call_phone *p, bool caller)
{
	struct call *c = call_alloc(sizeof(*c));

	c->phone = p;
	c->caller = caller;
	c->timer = call_chance(75);
	c->rel = call_chance(75);
	c->min_se = call_chance(20) ? 120 : 90;
	c->base = c;
	snprintf(c->local_tag, sizeof(c->local_tag), "t%u-%u-%lux", p->index, p->life, ++p->ids);
	c->next = p->calls;
	p->calls = c;
	return c;
}

/* ---- what comes ---- */

static struct call *find_call(struct sim_call_phone *p, const struct sim_call_msg *m)
{
	struct call *c = p->calls;

	while (c && (strcmp(c->local_tag, m->to_tag) != 0 || strcmp(c->remote_tag, m->from_tag) != 0 ||
		     strcmp(c->call_id, m->call_id) != 0))
		c = c->next;
	return c;
}

static void ack_came(struct sim_call_phone *p, const struct sim_call_msg *m)
{
	struct call_in *invite = call_in_find(p, m->branch, "INVITE");
	struct call *c;

	if (invite) {
		call_in_acked(invite);
		return;
	}
	c = find_call(p, m);
	if (c)
		call_acked(c, m);
}

static void outside(struct call_in *in, const struct sim_call_msg *m)
{
	if (in->invite)
		call_offered(in, m);
	else if (strcmp(m->method, "CANCEL") == 0)
		call_cancelled(in, m);
	else
		call_answer(in, strcmp(m->method, "OPTIONS") == 0 ? 200 : 405, "none", "", "");
}

static void request_came(struct sim_call_phone *p, const struct sim_call_msg *m, const struct sip_addr *from)
{
	struct call_in *in;
	struct call *c;

	if (strcmp(m->method, "ACK") == 0) {
		ack_came(p, m);
		return;
	}
	in = call_in_find(p, m->branch, m->method);
	if (in) {
		call_in_again(in);
		return;
	}
	if (strstr(m->uri, "@10.0.1.") && !strstr(m->uri, p->address))
		sim_failed(__FILE_NAME__, __LINE__, "%s %s came to %s", m->method, m->uri, p->address);
	in = call_in_new(p, m, from);
	if (!m->to_tag[0] || strcmp(m->method, "CANCEL") == 0) {
		outside(in, m);
		return;
	}
	c = find_call(p, m);
	if (c)
		call_asked(c, in, m);
	else
		call_answer(in, 481, NULL, "", "");
}

static void received(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct sim_call_phone *p = token;
	struct sim_call_msg m;

	(void)peer;
	if (p->watch)
		sim_call_watch_received(p->watch, from, bytes);
	sim_check(sim_call_msg_read(&m, bytes));
	if (m.request)
		request_came(p, &m, from);
	else
		call_response_came(p, &m);
}

static const struct sim_peer_ops ops = {.receive = received};

/* ---- its life ---- */

static void act(struct sim_event *e)
{
	struct sim_call_phone *p = rs_container_of(e, struct sim_call_phone, next);
	unsigned n = 0;

	for (const struct call *c = p->calls; c; c = c->next)
		n += c->caller && c->base == c && c->state != CALL_OVER;
	if (n < CALLS_AT_ONCE)
		call_somebody(p);
	sim_queue_add(e, sim_now() + call_draw(0, p->plan->pause_us), act, NULL);
}

static void start(struct sim_call_phone *p)
{
	p->life++;
	p->peer = sim_peer_udp_open(p->address, &ops, p);
	if (!p->calm)
		sim_queue_add(&p->next, sim_now() + call_draw(0, p->plan->pause_us), act, NULL);
}

struct sim_call_phone *sim_call_phone_new(unsigned n, const struct sim_call_plan *plan)
{
	struct sim_call_phone *p = call_alloc(sizeof(*p));

	p->index = n;
	p->plan = plan;
	snprintf(p->address, sizeof(p->address), "10.0.1.%u:5060", n + 1);
	snprintf(p->user, sizeof(p->user), "u%u", n);
	start(p);
	return p;
}

static void forget_call(struct call *c)
{
	call_repeat_stop(&c->answer);
	call_repeat_stop(&c->provisional);
	sim_queue_remove(&c->session);
	sim_queue_remove(&c->life);
	free(c);
}

/* All that it knew is gone. */
static void forget(struct sim_call_phone *p)
{
	sim_queue_remove(&p->next);
	while (p->calls) {
		struct call *c = p->calls;
		p->calls = c->next;
		forget_call(c);
	}
	while (p->outs) {
		struct call_out *o = p->outs;
		p->outs = o->next;
		sim_queue_remove(&o->timer);
		free(o);
	}
	while (p->ins) {
		struct call_in *in = p->ins;
		p->ins = in->next;
		sim_queue_remove(&in->timer);
		free(in);
	}
}

void sim_call_phone_crash(struct sim_call_phone *p)
{
	sim_flow_note("%s crashes", p->address);
	forget(p);
	if (p->watch)
		sim_call_watch_forget(p->watch);
	if (p->peer)
		sim_peer_close(p->peer);
	p->peer = NULL;
}

void sim_call_phone_restart(struct sim_call_phone *p)
{
	if (p->peer)
		return;
	sim_flow_note("%s is back", p->address);
	start(p);
}

void sim_call_phone_watch(struct sim_call_phone *p, struct sim_call_watch *w)
{
	p->watch = w;
}

void sim_call_phone_calm(struct sim_call_phone *p)
{
	p->calm = true;
	sim_queue_remove(&p->next);
}

bool sim_call_phone_idle(const struct sim_call_phone *p)
{
	for (const struct call *c = p->calls; c; c = c->next) {
		if (c->state != CALL_OVER || c->answer.waits)
			return false;
	}
	for (const struct call_out *o = p->outs; o; o = o->next) {
		if (!o->over)
			return false;
	}
	for (const struct call_in *in = p->ins; in; in = in->next) {
		if (in->timer.queued)
			return false;
	}
	return true;
}

void sim_call_phone_free(struct sim_call_phone *p)
{
	forget(p);
	if (p->peer)
		sim_peer_close(p->peer);
	free(p);
}
