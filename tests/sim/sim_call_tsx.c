/* The transactions of a calling phone, over UDP: RFC 3261 section 17, 6026; and what its calls repeat by themselves. */
#include "sim_call_private.h"

#include <stdio.h>

/* ---- requests ---- */

void call_branch(struct sim_call_phone *p, char *out, size_t size)
{
	snprintf(out, size, "z9hG4bK-c%u-%u-%lu", p->index, p->life, ++p->ids);
}

size_t call_build(const struct call *c, const char *method, uint32_t cseq, const char *branch, const char *lines,
		  const char *body, char *bytes)
{
	int n = snprintf(
		bytes, CALL_BYTES,
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n"
		"From: %s;tag=%s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		method, c->target, c->phone->address, branch, c->local, c->local_tag, c->remote,
		c->remote_tag[0] ? ";tag=" : "", c->remote_tag, c->call_id, cseq, method, lines,
		body[0] ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);

	sim_check(n > 0 && n < CALL_BYTES);
	return (size_t)n;
}

static void out_timer(struct sim_event *e);

static void out_again_at(struct call_out *o, int64_t at)
{
	sim_queue_remove(&o->timer);
	sim_queue_add(&o->timer, at < o->gives_up ? at : o->gives_up, out_timer, NULL);
}

static void finish(struct call_out *o, const struct sim_call_msg *m)
{
	o->over = true;
	sim_queue_remove(&o->timer);
	if (o->done)
		o->done(o, m);
}

/* Timers A and E, B and F; for an INVITE that rings, the end of waiting behind its CANCEL. */
static void out_timer(struct sim_event *e)
{
	struct call_out *o = rs_container_of(e, struct call_out, timer);

	if (sim_now() >= o->gives_up) {
		finish(o, NULL);
		return;
	}
	call_send(o->call->phone, o->hop, o->bytes, o->len);
	o->interval = o->proceeding || (!o->invite && o->interval * 2 > T2) ? T2 : o->interval * 2;
	out_again_at(o, sim_now() + o->interval);
}

static struct call_out *out_new(struct call *c, const char *method, uint32_t cseq)
{
	struct call_out *o = call_alloc(sizeof(*o));

	o->call = c;
	o->invite = strcmp(method, "INVITE") == 0;
	o->cseq = cseq;
	snprintf(o->method, sizeof(o->method), "%s", method);
	o->next = c->phone->outs;
	c->phone->outs = o;
	return o;
}

static void out_start(struct call_out *o)
{
	o->interval = T1;
	o->gives_up = sim_now() + T64;
	call_send(o->call->phone, o->hop, o->bytes, o->len);
	out_again_at(o, sim_now() + T1);
}

struct call_out *call_request(struct call *c, const char *method, const char *lines, const char *body,
			      void (*done)(struct call_out *o, const struct sim_call_msg *m))
{
	struct call_out *o = out_new(c, method, ++c->cseq);
	char all[1300];

	snprintf(o->lines, sizeof(o->lines), "%s", lines);
	snprintf(o->body, sizeof(o->body), "%s", body);
	sim_digest_credentials(&c->phone->digest, c->phone->user, "secret", method, c->target, o->auth,
			       sizeof(o->auth));
	snprintf(all, sizeof(all), "%s%s", o->lines, o->auth);
	call_branch(c->phone, o->branch, sizeof(o->branch));
	o->len = call_build(c, method, o->cseq, o->branch, all, body, o->bytes);
	o->offered = body[0] != '\0';
	o->done = done;
	snprintf(o->uri, sizeof(o->uri), "%s", c->target);
	snprintf(o->hop, sizeof(o->hop), "%s", c->hop);
	snprintf(o->to_tag, sizeof(o->to_tag), "%s", c->remote_tag);
	out_start(o);
	return o;
}

/* CANCEL, or the ACK to a final response of 300 and more: with the branch, the URI and the way of its INVITE. */
static size_t in_passing(const struct call_out *o, const char *method, const char *to, const char *to_tag, char *bytes)
{
	const struct call *c = o->call;
	int n = snprintf(bytes, CALL_BYTES,
			 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n"
			 "From: %s;tag=%s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
			 method, o->uri, c->phone->address, o->branch, c->local, c->local_tag, to,
			 to_tag[0] ? ";tag=" : "", to_tag, c->call_id, o->cseq, method);

	sim_check(n > 0 && n < CALL_BYTES);
	return (size_t)n;
}

static void send_cancel(struct call_out *invite)
{
	struct call_out *o = out_new(invite->call, "CANCEL", invite->cseq);

	invite->cancelled = true;
	invite->gives_up = sim_now() + T64;
	out_again_at(invite, invite->gives_up);
	snprintf(o->branch, sizeof(o->branch), "%s", invite->branch);
	snprintf(o->hop, sizeof(o->hop), "%s", invite->hop);
	o->len = in_passing(invite, "CANCEL", invite->call->remote, invite->to_tag, o->bytes);
	out_start(o);
}

void call_cancel(struct call_out *o)
{
	o->cancel = true;
	if (o->proceeding && !o->cancelled && !o->over)
		send_cancel(o);
}

static void acknowledge(struct call_out *o, const struct sim_call_msg *m)
{
	if (!o->ack_len)
		o->ack_len = in_passing(o, "ACK", m->to, m->to_tag, o->ack);
	call_send(o->call->phone, o->hop, o->ack, o->ack_len);
}

static void provisional(struct call_out *o, const struct sim_call_msg *m)
{
	if (o->over)
		return;
	if (o->invite && !o->cancelled) { /* longer than anybody waits: who answered may have crashed since */
		o->gives_up = sim_now() + 240 * SIM_SECOND;
		out_again_at(o, o->gives_up);
	}
	o->proceeding = true;
	if (o->invite)
		call_1xx(o, m);
	if (o->cancel && !o->cancelled)
		send_cancel(o);
}

/* Challenged: the same once more with credentials, in the place of the first. */
static bool again_with_credentials(struct call_out *o, const struct sim_call_msg *m)
{
	struct call *c = o->call;
	bool initial = o->invite && o->cseq == c->invite_cseq;
	struct call_out *more;

	if (m->status != 401 || o->over || o->cancel || o->tries >= 3 || strcmp(o->method, "CANCEL") == 0)
		return false;
	/* Nothing new behind a BYE. */
	if (c->state == CALL_OVER && strcmp(o->method, "BYE") != 0)
		return false;
	o->over = true;
	sim_queue_remove(&o->timer);
	sim_digest_challenged(&c->phone->digest, m->challenge);
	if (initial)
		c->remote_tag[0] = '\0';
	more = call_request(c, o->method, o->lines, o->body, o->done);
	more->tries = o->tries + 1;
	if (c->invite == o)
		c->invite = more;
	if (c->update == o)
		c->update = more;
	if (initial)
		c->invite_cseq = more->cseq;
	return true;
}

void call_response_came(struct sim_call_phone *p, const struct sim_call_msg *m)
{
	struct call_out *o = p->outs;

	while (o && (strcmp(o->branch, m->branch) != 0 || strcmp(o->method, m->method) != 0))
		o = o->next;
	if (!o || o->cseq != m->cseq) {
		sim_call_stats.strays++;
		return;
	}
	if (m->status < 200) {
		provisional(o, m);
		return;
	}
	if (o->invite && m->status < 300) {
		bool first = !o->over;
		o->over = true;
		sim_queue_remove(&o->timer);
		sim_call_stats.late_2xx += first && o->cancel;
		call_2xx(o, m);
		return;
	}
	if (o->invite)
		acknowledge(o, m);
	if (!again_with_credentials(o, m) && !o->over)
		finish(o, m);
}

/* ---- answers ---- */

struct call_in *call_in_find(struct sim_call_phone *p, const char *branch, const char *method)
{
	struct call_in *in = p->ins;

	while (in && (strcmp(in->branch, branch) != 0 || strcmp(in->method, method) != 0))
		in = in->next;
	return in;
}

struct call_in *call_in_new(struct sim_call_phone *p, const struct sim_call_msg *m, const struct sip_addr *from)
{
	struct call_in *in = call_alloc(sizeof(*in));

	sim_check(m->bytes.len < sizeof(in->request));
	in->phone = p;
	in->cseq = m->cseq;
	in->invite = strcmp(m->method, "INVITE") == 0;
	in->request_len = m->bytes.len;
	memcpy(in->request, m->bytes.p, m->bytes.len);
	snprintf(in->method, sizeof(in->method), "%s", m->method);
	snprintf(in->branch, sizeof(in->branch), "%s", m->branch);
	sip_addr_text(from, true, in->from);
	in->next = p->ins;
	p->ins = in;
	return in;
}

static void timer_g(struct sim_event *e)
{
	struct call_in *in = rs_container_of(e, struct call_in, timer);

	if (sim_now() >= in->until)
		return;
	call_send(in->phone, in->from, in->bytes, in->len);
	in->interval = in->interval * 2 < T2 ? in->interval * 2 : T2;
	sim_queue_add(e, sim_now() + in->interval, timer_g, NULL);
}

void call_in_again(struct call_in *in)
{
	if (in->len && !(in->invite && in->status >= 200 && in->status < 300))
		call_send(in->phone, in->from, in->bytes, in->len);
}

void call_in_acked(struct call_in *in)
{
	in->acked = true;
	sim_queue_remove(&in->timer);
}

static size_t copy_headers(const struct call_in *in, const char *tag, char *out, size_t size)
{
	static const char *const copied[] = {"Via:", "From:", "To:", "Call-ID:", "CSeq:", "v:", "f:", "t:", "i:"};
	const char *end = in->request + in->request_len, *at = memchr(in->request, '\n', in->request_len);
	size_t n = 0;

	for (at = at ? at + 1 : end; at < end && *at != '\r';) {
		const char *line_end = memchr(at, '\r', (size_t)(end - at));
		size_t len = (size_t)(line_end - at);
		for (unsigned i = 0; i < RS_ARRAY_SIZE(copied); i++) {
			if (strncasecmp(at, copied[i], strlen(copied[i])) != 0)
				continue;
			n += (size_t)snprintf(out + n, size - n, "%.*s", (int)len, at);
			if ((*at | 0x20) == 't' && tag && !memmem(at, len, ";tag=", 5))
				n += (size_t)snprintf(out + n, size - n, ";tag=%s", tag);
			n += (size_t)snprintf(out + n, size - n, "\r\n");
			sim_check(n < size);
		}
		at = line_end + 2;
	}
	return n;
}

void call_answer(struct call_in *in, unsigned status, const char *tag, const char *lines, const char *body)
{
	size_t n = (size_t)snprintf(in->bytes, sizeof(in->bytes), "SIP/2.0 %u Said So\r\n", status);

	sim_check(in->status < 200 || (in->invite && in->status < 300));
	n += copy_headers(in, status > 100 ? tag : NULL, in->bytes + n, sizeof(in->bytes) - n);
	n += (size_t)snprintf(in->bytes + n, sizeof(in->bytes) - n, "%s%sContent-Length: %zu\r\n\r\n%s", lines,
			      body[0] ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	sim_check(n < sizeof(in->bytes));
	in->len = n;
	in->status = status;
	sim_queue_remove(&in->timer);
	call_send(in->phone, in->from, in->bytes, in->len);
	if (!in->invite || status < 300)
		return;
	in->interval = T1;
	in->until = sim_now() + T64;
	sim_queue_add(&in->timer, sim_now() + T1, timer_g, NULL);
}

static void repeat(struct sim_event *e)
{
	struct call_repeat *r = rs_container_of(e, struct call_repeat, event);

	if (sim_now() >= r->until) {
		r->waits = false;
		r->over(r->call);
		return;
	}
	call_send(r->call->phone, r->call->hop, r->bytes, r->len);
	r->interval = r->interval * 2 < r->most ? r->interval * 2 : r->most;
	sim_queue_add(e, sim_now() + r->interval < r->until ? sim_now() + r->interval : r->until, repeat, NULL);
}

void call_repeat_start(struct call_repeat *r, struct call *c, const struct call_in *in, uint32_t number, int64_t most,
		       void (*over)(struct call *c))
{
	sim_check(!r->waits);
	r->call = c;
	r->number = number;
	r->most = most;
	r->over = over;
	r->interval = T1;
	r->until = sim_now() + T64;
	r->waits = true;
	r->len = in->len;
	memcpy(r->bytes, in->bytes, in->len);
	sim_queue_add(&r->event, sim_now() + T1, repeat, NULL);
}

void call_repeat_stop(struct call_repeat *r)
{
	r->waits = false;
	sim_queue_remove(&r->event);
}
