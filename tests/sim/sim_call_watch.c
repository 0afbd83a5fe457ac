/* The watch of calls: what passes, by legs and dialogs; see sim_call_watch.h. */
#include "sim_call_watch_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

struct sim_call_watch_stats sim_call_watch_stats;

void watch_broken(const struct sim_call_watch *w, const struct leg *leg, int line, const char *file, const char *fmt,
		  ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_failed(file, line, "%s, %s %s (Call-ID %s, %s): %s", w->name, leg->out ? "call to" : "call from", leg->peer,
		   leg->call_id, leg->subject, text);
}

static void *entry(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static uint64_t hash(struct rs_str s)
{
	return XXH64(s.p, s.len, 0);
}

/* ---- who is meant ---- */

static struct leg *find_leg(struct sim_call_watch *w, const struct sim_call_msg *m)
{
	struct leg *leg = w->legs;

	while (leg && strcmp(leg->call_id, m->call_id) != 0)
		leg = leg->next;
	return leg;
}

static struct leg *new_leg(struct sim_call_watch *w, const struct sim_call_msg *m, bool out,
			   const struct sip_addr *peer)
{
	struct leg *leg = entry(sizeof(*leg));

	leg->out = out;
	snprintf(leg->call_id, sizeof(leg->call_id), "%s", m->call_id);
	snprintf(leg->subject, sizeof(leg->subject), "%s", m->subject);
	snprintf(out ? leg->own_tag : leg->caller_tag, sizeof(leg->own_tag), "%s", m->from_tag);
	leg->offered = m->sdp;
	sip_addr_text(peer, false, leg->peer);
	leg->next = w->legs;
	w->legs = leg;
	sim_call_watch_stats.legs++;
	return leg;
}

static struct dialog *find_dialog(struct leg *leg, const char *own_tag, const char *peer_tag)
{
	struct dialog *d = leg->dialogs;

	while (d && (strcmp(d->own_tag, own_tag) != 0 || strcmp(d->peer_tag, peer_tag) != 0))
		d = d->next;
	return d;
}

/* The one that a message is in; made by a response to an INVITE with both tags. */
static struct dialog *dialog_of(struct leg *leg, const struct sim_call_msg *m, bool sent)
{
	bool from_is_own = m->request == sent;
	const char *own = from_is_own ? m->from_tag : m->to_tag, *peer = from_is_own ? m->to_tag : m->from_tag;
	struct dialog *d = find_dialog(leg, own, peer);

	if (d || m->request || !own[0] || !peer[0] || strcmp(m->method, "INVITE") != 0)
		return d;
	d = entry(sizeof(*d));
	snprintf(d->own_tag, sizeof(d->own_tag), "%s", own);
	snprintf(d->peer_tag, sizeof(d->peer_tag), "%s", peer);
	d->cseq = leg->out ? leg->cseq : 0;
	d->next = leg->dialogs;
	leg->dialogs = d;
	sim_call_watch_stats.dialogs++;
	return d;
}

static struct accepted *find_accepted(const struct dialog *d, uint32_t cseq, bool ours)
{
	struct accepted *a = d->accepted;

	while (a && (a->cseq != cseq || a->ours != ours))
		a = a->next;
	return a;
}

static struct accepted *new_accepted(struct dialog *d, const struct sim_call_msg *m, bool ours)
{
	struct accepted *a = entry(sizeof(*a));

	a->cseq = m->cseq;
	a->ours = ours;
	a->bytes = hash(m->bytes);
	a->first_at = a->last_at = sim_now();
	a->interval = T1;
	a->next = d->accepted;
	d->accepted = a;
	sim_call_watch_stats.accepted++;
	return a;
}

/* ---- requests ---- */

static void ack_sent(struct sim_call_watch *w, struct leg *leg, const struct sim_call_msg *m)
{
	struct dialog *d = dialog_of(leg, m, true);
	struct accepted *a = d ? find_accepted(d, m->cseq, false) : NULL;

	/* That of a final response of 300 and more goes with its INVITE's transaction. */
	if (!a) {
		if (d && d->confirmed_at && m->cseq > leg->cseq)
			return;
		if (leg->vague || leg->refused_at || !leg->out || m->cseq != leg->cseq)
			return;
		broken(w, leg, "ACK %u without a final response", m->cseq);
	}
	if (a->acks && a->ack_bytes != hash(m->bytes))
		broken(w, leg, "the ACK of INVITE %u came a second time, and is another", m->cseq);
	if (++a->acks > a->finals)
		broken(w, leg, "%u ACKs for %u 2xx to INVITE %u", a->acks, a->finals, a->cseq);
	a->ack_bytes = hash(m->bytes);
	if (a->acks == 1) {
		a->acked_at = sim_now();
		a->owed = 0;
	} else if (a->owed) {
		a->owed--;
	}
	sim_call_watch_stats.acks++;
}

static void prack_sent(struct sim_call_watch *w, struct leg *leg, struct dialog *d, const struct sim_call_msg *m)
{
	for (struct reliable *r = d->reliable; r; r = r->next) {
		if (r->rseq == m->rack_rseq && r->cseq == m->rack_cseq) {
			if (!r->pracked_at)
				r->pracked_at = sim_now();
			sim_call_watch_stats.pracks++;
			return;
		}
	}
	broken(w, leg, "PRACK for %u %u, and no such response came", m->rack_rseq, m->rack_cseq);
}

static void bye_sent(struct sim_call_watch *w, struct leg *leg, struct dialog *d)
{
	for (const struct accepted *a = d->accepted; a; a = a->next) {
		if (!leg->out && a->ours && !a->acked_at && a->cseq == leg->cseq &&
		    sim_now() < a->first_at + T64 - EARLY)
			broken(w, leg, "BYE before the ACK");
	}
	d->bye_sent_at = sim_now();
}

static void inside_sent(struct sim_call_watch *w, struct leg *leg, const struct sim_call_msg *m)
{
	struct dialog *d = dialog_of(leg, m, true);
	uint64_t branch = XXH64(m->method, strlen(m->method), hash(rs_str_c(m->branch)));
	struct told *t;
	bool crossed;

	if (!d && leg->vague)
		return;
	if (!d)
		broken(w, leg, "%s in a dialog that does not exist", m->method);
	for (t = d->told; t && t->branch != branch; t = t->next)
		;
	if (t) {
		if (t->bytes != hash(m->bytes))
			broken(w, leg, "%s %u was sent again with other bytes", m->method, m->cseq);
		return;
	}
	if (m->cseq <= d->cseq)
		broken(w, leg, "%s with CSeq %u, and %u was before it", m->method, m->cseq, d->cseq);
	/* A 2xx that comes when the peer has said BYE is ended like any that nobody wants. */
	crossed = strcmp(m->method, "BYE") == 0 && d->confirmed_at >= d->bye_came_at;
	if (d->bye_sent_at || (d->bye_came_at && !crossed && sim_now() > d->bye_came_at + SLACK / 3))
		broken(w, leg, "%s %u behind a BYE", m->method, m->cseq);
	d->cseq = m->cseq;
	t = entry(sizeof(*t));
	t->branch = branch;
	t->bytes = hash(m->bytes);
	t->next = d->told;
	d->told = t;
	if (strcmp(m->method, "BYE") == 0)
		bye_sent(w, leg, d);
	else if (strcmp(m->method, "PRACK") == 0)
		prack_sent(w, leg, d, m);
}

static void request_sent(struct sim_call_watch *w, const struct sip_addr *peer, const struct sim_call_msg *m)
{
	struct leg *leg = find_leg(w, m);

	if (!leg) {
		if (m->to_tag[0] && w->rules.between && strcmp(m->method, "ACK") != 0 &&
		    strcmp(m->method, "NOTIFY") != 0)
			sim_failed(__FILE_NAME__, __LINE__, "%s: %s in a call that does not exist, Call-ID %s", w->name,
				   m->method, m->call_id);
		if (strcmp(m->method, "INVITE") != 0 || m->to_tag[0])
			return;
		leg = new_leg(w, m, true, peer);
		leg->invited_at = sim_now();
		leg->cseq = m->cseq;
	}
	leg->timer |= m->knows_timer;
	rules_of_privacy(w, leg, m);
	if (strcmp(m->method, "ACK") == 0) {
		ack_sent(w, leg, m);
	} else if (strcmp(m->method, "CANCEL") == 0) {
		if (!leg->out || m->cseq != leg->cseq)
			return; /* of an INVITE inside */
		if (!leg->provisional_at && !leg->vague)
			broken(w, leg, "CANCEL before a provisional response");
		if (!leg->cancelled_at)
			leg->cancelled_at = sim_now();
	} else if (m->to_tag[0]) {
		inside_sent(w, leg, m);
	} else if (strcmp(m->method, "INVITE") == 0) {
		if (m->cseq < leg->cseq)
			broken(w, leg, "INVITE with CSeq %u, and %u was before it", m->cseq, leg->cseq);
		if (m->cseq > leg->cseq) { /* with credentials, or another session interval */
			leg->cseq = m->cseq;
			leg->invited_at = sim_now();
			leg->provisional_at = leg->refused_at = 0;
		}
	}
}

static void request_came(struct sim_call_watch *w, const struct sip_addr *peer, const struct sim_call_msg *m)
{
	struct leg *leg = find_leg(w, m);
	struct dialog *d;
	struct accepted *a;

	if (!leg) {
		if (strcmp(m->method, "INVITE") != 0 || m->to_tag[0])
			return;
		leg = new_leg(w, m, false, peer);
	}
	if (strcmp(m->method, "INVITE") == 0 && !m->to_tag[0] && m->cseq > leg->cseq) {
		leg->cseq = m->cseq;
		leg->invited_at = sim_now();
		leg->provisional_at = leg->refused_at = 0;
	}
	d = dialog_of(leg, m, false);
	if (!d)
		return;
	a = strcmp(m->method, "ACK") == 0 ? find_accepted(d, m->cseq, true) : NULL;
	if (a && !a->acked_at)
		a->acked_at = sim_now();
}

/* ---- responses ---- */

static void refreshed(struct sim_call_watch *w, struct leg *leg, struct dialog *d, const struct sim_call_msg *m)
{
	check_session(w, leg, d);
	d->refreshed_at = sim_now();
	d->expires = m->expires && leg->timer ? m->expires : w->rules.expires;
}

static void confirmed(struct sim_call_watch *w, struct leg *leg, struct dialog *d, const struct sim_call_msg *m)
{
	if (!d->confirmed_at)
		d->confirmed_at = sim_now();
	leg->dialogs_confirmed = true;
	refreshed(w, leg, d, m);
}

static void ours_again(struct sim_call_watch *w, struct leg *leg, struct accepted *a, const struct sim_call_msg *m)
{
	int64_t gap = sim_now() - a->last_at;

	if (a->bytes != hash(m->bytes))
		broken(w, leg, "the 2xx to INVITE %u was sent again with other bytes", m->cseq);
	if (gap < a->interval - EARLY || gap > a->interval + SLACK)
		broken(w, leg, "the 2xx to INVITE %u was sent again after %lld ms, not %lld", m->cseq,
		       (long long)(gap / SIM_MS), (long long)(a->interval / SIM_MS));
	if (a->acked_at && sim_now() > a->acked_at + SLACK)
		broken(w, leg, "the 2xx to INVITE %u was sent again behind its ACK", m->cseq);
	if (sim_now() > a->first_at + T64 + SLACK)
		broken(w, leg, "the 2xx to INVITE %u was sent again after 64*T1", m->cseq);
	a->interval = a->interval * 2 < T2 ? a->interval * 2 : T2;
	a->last_at = sim_now();
	a->finals++;
}

static void invite_answered(struct sim_call_watch *w, struct leg *leg, const struct sim_call_msg *m)
{
	struct dialog *d = dialog_of(leg, m, true);
	struct accepted *a;

	if (!leg->out && m->cseq == leg->cseq) {
		if (m->status > 100 && m->status < 300 && w->rules.between) {
			if (leg->own_tag[0] && strcmp(leg->own_tag, m->to_tag) != 0)
				broken(w, leg, "a second To tag");
			snprintf(leg->own_tag, sizeof(leg->own_tag), "%s", m->to_tag);
		}
		if (m->status > 100 && m->status < 300 && !leg->provisional_at)
			leg->provisional_at = sim_now();
		if (m->status >= 300 && !leg->refused_at) {
			leg->refused_at = sim_now();
			leg->status = m->status;
		}
	}
	if (m->status < 200 || m->status >= 300)
		return;
	if (!d)
		broken(w, leg, "%u without a tag", m->status);
	if (!leg->out && leg->refused_at && m->cseq == leg->cseq)
		broken(w, leg, "%u behind %u", m->status, leg->status);
	a = find_accepted(d, m->cseq, true);
	if (a) {
		ours_again(w, leg, a, m);
		return;
	}
	new_accepted(d, m, true)->finals = 1;
	confirmed(w, leg, d, m);
}

static void response_sent(struct sim_call_watch *w, const struct sim_call_msg *m)
{
	struct leg *leg = find_leg(w, m);
	struct dialog *d;

	if (!leg)
		return;
	leg->timer |= m->knows_timer;
	rules_of_privacy(w, leg, m);
	if (strcmp(m->method, "INVITE") == 0) {
		invite_answered(w, leg, m);
		return;
	}
	d = m->to_tag[0] ? dialog_of(leg, m, true) : NULL;
	/* One that was challenged will come again. */
	if (d && strcmp(m->method, "BYE") == 0 && m->status < 300 && !d->bye_came_at)
		d->bye_came_at = sim_now();
	if (d && d->confirmed_at && strcmp(m->method, "UPDATE") == 0 && m->status >= 200 && m->status < 300)
		refreshed(w, leg, d, m);
}

static void reliable_came(struct dialog *d, const struct sim_call_msg *m)
{
	struct reliable *r;

	if (d->last_rseq && m->rseq != d->last_rseq + 1)
		return;
	d->last_rseq = m->rseq;
	r = entry(sizeof(*r));
	r->rseq = m->rseq;
	r->cseq = m->cseq;
	r->came_at = sim_now();
	r->offers = m->sdp;
	r->next = d->reliable;
	d->reliable = r;
}

/* More than 64*T1 behind the first 2xx to that INVITE, of whichever branch. */
static bool is_forgotten(const struct leg *leg, const struct sim_call_msg *m)
{
	for (const struct dialog *d = leg->dialogs; d; d = d->next) {
		const struct accepted *a = find_accepted(d, m->cseq, false);
		if (a && sim_now() > a->first_at + T64 - EARLY)
			return true;
	}
	return false;
}

static void accepted_came(struct sim_call_watch *w, struct leg *leg, struct dialog *d, const struct sim_call_msg *m)
{
	struct accepted *a = find_accepted(d, m->cseq, false);

	if (!a && w->rules.between && is_forgotten(leg, m)) {
		leg->vague = true; /* a fork's, for which nothing need be there any more */
		return;
	}
	if (!a) {
		a = new_accepted(d, m, false);
		confirmed(w, leg, d, m);
	} else {
		sim_call_watch_stats.repeated++;
	}
	a->finals++;
	/* Nobody is there any more to acknowledge it, or Timer M of RFC 6026 has ended. */
	if (watched_end(d) != NEVER || is_forgotten(leg, m))
		return;
	a->owed_at = sim_now();
	a->owed++;
}

/* The INVITE was given up, by Timer B or 64*T1 behind its CANCEL. About then nobody can tell whether it was. */
static bool comes_too_late(struct leg *leg)
{
	int64_t end = leg->cancelled_at ? leg->cancelled_at + T64 : leg->provisional_at ? NEVER : leg->invited_at + T64;

	if (leg->refused_at || leg->dialogs_confirmed)
		return false;
	leg->late |= sim_now() > end + SLACK;
	leg->vague |= sim_now() > end - EARLY;
	return leg->late;
}

static void invite_answer_came(struct sim_call_watch *w, struct leg *leg, const struct sim_call_msg *m)
{
	bool first = leg->out && m->cseq == leg->cseq;
	struct dialog *d;

	if (first && comes_too_late(leg))
		return;
	if (first && m->status < 200 && !leg->provisional_at)
		leg->provisional_at = sim_now();
	if (first && m->status >= 300 && !leg->refused_at) {
		leg->refused_at = sim_now();
		leg->status = m->status;
	}
	if (m->status == 100 || !m->to_tag[0] || m->status >= 300 || (leg->out && m->cseq < leg->cseq))
		return;
	d = dialog_of(leg, m, false);
	if (m->status < 200 && m->wants_100rel && m->rseq && first)
		reliable_came(d, m);
	if (m->status >= 200)
		accepted_came(w, leg, d, m);
}

static void response_came(struct sim_call_watch *w, const struct sim_call_msg *m)
{
	struct leg *leg = find_leg(w, m);
	bool invite = strcmp(m->method, "INVITE") == 0;
	struct dialog *d;

	if (!leg)
		return;
	if (invite)
		invite_answer_came(w, leg, m);
	d = find_dialog(leg, m->from_tag, m->to_tag);
	if (!d || !d->confirmed_at || m->status < 200)
		return;
	if (!invite && strcmp(m->method, "UPDATE") == 0 && m->status < 300)
		refreshed(w, leg, d, m);
	if ((m->status == 481 || m->status == 408) && !d->gone_at && strcmp(m->method, "CANCEL") != 0 &&
	    strcmp(m->method, "PRACK") != 0)
		d->gone_at = sim_now();
}

/* ---- the watch itself ---- */

void sim_call_watch_sent(struct sim_call_watch *w, const struct sip_addr *peer, struct rs_str bytes)
{
	struct sim_call_msg m;

	if (!sim_call_msg_read(&m, bytes))
		return;
	if (m.request)
		request_sent(w, peer, &m);
	else
		response_sent(w, &m);
}

void sim_call_watch_received(struct sim_call_watch *w, const struct sip_addr *peer, struct rs_str bytes)
{
	struct sim_call_msg m;

	if (!sim_call_msg_read(&m, bytes))
		return;
	if (m.request)
		request_came(w, peer, &m);
	else
		response_came(w, &m);
}

struct sim_call_watch *sim_call_watch_new(const char *name, const struct sim_call_rules *rules)
{
	struct sim_call_watch *w = entry(sizeof(*w));

	w->name = name;
	w->rules = *rules;
	return w;
}

static void forget_dialog(struct dialog *d)
{
	while (d->accepted) {
		struct accepted *a = d->accepted;
		d->accepted = a->next;
		free(a);
	}
	while (d->reliable) {
		struct reliable *r = d->reliable;
		d->reliable = r->next;
		free(r);
	}
	while (d->told) {
		struct told *t = d->told;
		d->told = t->next;
		free(t);
	}
	free(d);
}

void sim_call_watch_forget(struct sim_call_watch *w)
{
	while (w->legs) {
		struct leg *leg = w->legs;
		w->legs = leg->next;
		while (leg->dialogs) {
			struct dialog *d = leg->dialogs;
			leg->dialogs = d->next;
			forget_dialog(d);
		}
		free(leg);
	}
}

void sim_call_watch_end(struct sim_call_watch *w)
{
	rules_of_the_end(w);
	sim_call_watch_forget(w);
	free(w);
}

void sim_call_watch_each(const struct sim_call_watch *w,
			 void (*each)(void *token, const char *call_id, unsigned status, bool sure), void *token)
{
	for (const struct leg *leg = w->legs; leg; leg = leg->next) {
		bool sure = leg->provisional_at != 0;
		if (leg->out)
			continue;
		for (const struct leg *other = w->legs; other; other = other->next)
			sure |= other->out && leg->subject[0] && strcmp(other->subject, leg->subject) == 0;
		each(token, leg->call_id, leg->status, sure);
	}
}
