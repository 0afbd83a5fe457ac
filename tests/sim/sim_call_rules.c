/* The rules that speak of ends, and of what a leg may know of another; see sim_call_watch.h. */
#include "sim_call_watch_private.h"

#include <ctype.h>
#include <stdio.h>

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t or_never(int64_t at)
{
	return at ? at : NEVER;
}

int64_t watched_end(const struct dialog *d)
{
	return sooner(or_never(d->gone_at), sooner(or_never(d->bye_sent_at), or_never(d->bye_came_at)));
}

static bool is_confirmed(const struct leg *leg)
{
	for (const struct dialog *d = leg->dialogs; d; d = d->next) {
		if (d->confirmed_at)
			return true;
	}
	return false;
}

/* When the party began to end a leg, or it ended by itself. */
static int64_t leg_end(const struct leg *leg)
{
	int64_t end = 0, early = NEVER;

	for (const struct dialog *d = leg->dialogs; d; d = d->next) {
		if (d->confirmed_at)
			end = later(end, watched_end(d));
		early = sooner(early, or_never(d->bye_came_at)); /* the 2xx before it was lost */
	}
	if (end)
		return end;
	early = sooner(early, sooner(or_never(leg->cancelled_at), or_never(leg->refused_at)));
	if (early != NEVER)
		return early;
	if (!leg->out)
		return NEVER;
	return leg->provisional_at ? NEVER : leg->invited_at + T64;
}

/* ---- what a leg may know ---- */

static bool has(struct rs_str where, const char *what)
{
	return what[0] && memmem(where.p, where.len, what, strlen(what));
}

/* Addresses of phones other than the one that is told. */
static bool has_address(struct rs_str line, const char *own)
{
	const char *at = line.p, *end = line.p + line.len;
	size_t len = strlen(own);

	while ((at = memmem(at, (size_t)(end - at), "10.0.1.", 7))) {
		if ((size_t)(end - at) < len || memcmp(at, own, len) != 0 ||
		    (at + len < end && isdigit((unsigned char)at[len])))
			return true;
		at += 7;
	}
	return false;
}

/* Who was called before says so, and where else to call is meant to be told. */
static bool may_tell(struct rs_str line, const struct sim_call_msg *m)
{
	return rs_str_starts(line, RS_STR("Diversion:")) || rs_str_starts(line, RS_STR("History-Info:")) ||
	       (!m->request && m->status / 100 == 3 && rs_str_starts(line, RS_STR("Contact:")));
}

static bool tells_of(struct rs_str head, const struct leg *other)
{
	if (has(head, other->call_id) || has(head, other->own_tag) || has(head, other->caller_tag))
		return true;
	for (const struct dialog *d = other->dialogs; d; d = d->next) {
		if (has(head, d->own_tag) || has(head, d->peer_tag))
			return true;
	}
	return false;
}

void rules_of_privacy(const struct sim_call_watch *w, const struct leg *leg, const struct sim_call_msg *m)
{
	struct rs_str rest = m->head;

	if (!w->rules.between)
		return;
	while (rest.len) {
		const char *end = rs_str_chr(rest, '\n');
		struct rs_str line = rs_str_n(rest.p, end ? (size_t)(end - rest.p) : rest.len);
		rest = rs_str_n(rest.p + line.len + (end != NULL), rest.len - line.len - (end != NULL));
		if (has_address(line, leg->peer) && !may_tell(line, m))
			broken(w, leg, "an address of another leg is shown: %.*s", RS_FMT(line));
	}
	if (m->request && has(m->head, "z9hG4bK-c"))
		broken(w, leg, "a Via of another leg is shown in %s", m->method);
	for (const struct leg *other = w->legs; other; other = other->next) {
		if (other != leg && strcmp(other->subject, leg->subject) == 0 && tells_of(m->head, other))
			broken(w, leg, "Call-ID or a tag of %s is shown in %s", other->call_id, m->method);
	}
}

/* ---- of one leg ---- */

void check_session(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d)
{
	int64_t deadline = d->refreshed_at + d->expires * SIM_SECOND + SLACK;

	if (d->refreshed_at && d->expires && sooner(watched_end(d), sim_now()) > deadline)
		broken(w, leg, "the session was not refreshed for %u s, and has not ended", d->expires);
}

static void check_ours(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d,
		       const struct accepted *a)
{
	int64_t end = watched_end(d), stop = sooner(sooner(or_never(a->acked_at), end), a->first_at + T64);

	if (a->last_at + a->interval + SLACK < stop)
		broken(w, leg, "the 2xx to INVITE %u went %u times only, and no ACK had come", a->cseq, a->finals);
	if (!a->acked_at && end > a->first_at + T64 + SLACK)
		broken(w, leg, "no ACK came for the 2xx to INVITE %u, and no BYE followed", a->cseq);
}

static void check_theirs(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d,
			 const struct accepted *a)
{
	int64_t end = watched_end(d);

	if (!a->acks && a->first_at < end)
		broken(w, leg, "the 2xx to INVITE %u was not acknowledged", a->cseq);
	if (a->acks && a->acked_at > a->first_at + T64 + SLACK)
		broken(w, leg, "the 2xx to INVITE %u was acknowledged late", a->cseq);
	if (a->owed && end > a->owed_at + SLACK)
		broken(w, leg, "%u 2xx to INVITE %u came again and were not acknowledged", a->owed, a->cseq);
}

static void check_reliable(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d,
			   const struct reliable *r)
{
	/* The answer to an offer is the caller's to make. */
	int64_t deadline = r->came_at + SLACK + (r->offers && !leg->offered ? T64 : 0);
	int64_t over = sooner(leg_end(leg), or_never(d->confirmed_at));

	if (sooner(or_never(r->pracked_at), over) > deadline)
		broken(w, leg, "reliable response %u got no PRACK", r->rseq);
}

static void check_dialog(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d)
{
	for (const struct reliable *r = d->reliable; r; r = r->next)
		check_reliable(w, leg, d, r);
	if (!d->confirmed_at)
		return;
	if (watched_end(d) == NEVER)
		broken(w, leg, "a dialog that was confirmed has not ended");
	check_session(w, leg, d);
	for (const struct accepted *a = d->accepted; a; a = a->next) {
		if (a->ours)
			check_ours(w, leg, d, a);
		else
			check_theirs(w, leg, d, a);
	}
	for (const struct dialog *first = leg->dialogs; first && leg->out; first = first->next) {
		if (first->confirmed_at && first->confirmed_at < d->confirmed_at &&
		    watched_end(d) > d->confirmed_at + SLACK)
			broken(w, leg, "the second 2xx of a fork was kept");
	}
	if (!w->rules.between && leg->cancelled_at && d->confirmed_at > leg->cancelled_at &&
	    watched_end(d) > d->confirmed_at + SLACK)
		broken(w, leg, "a 2xx behind the CANCEL was kept");
}

static void check_leg(const struct sim_call_watch *w, const struct leg *leg)
{
	/* A phone may be mute. */
	bool owes = w->rules.between || leg->out || leg->provisional_at;

	if (leg->vague)
		return;
	for (const struct dialog *d = leg->dialogs; d; d = d->next)
		check_dialog(w, leg, d);
	if (owes && leg_end(leg) == NEVER)
		broken(w, leg, "it has not ended");
}

/* ---- between the legs of a call ---- */

/* The caller's leg ended at that time. */
static void check_called(const struct sim_call_watch *w, const struct leg *leg, int64_t ended)
{
	int64_t allowed = leg->invited_at + T64;

	if (leg->invited_at > ended + SLACK)
		broken(w, leg, "it was begun behind the end of its call");
	for (const struct dialog *d = leg->dialogs; d; d = d->next) {
		if (d->confirmed_at && watched_end(d) > later(ended, d->confirmed_at) + SLACK)
			broken(w, leg, "it outlived its caller by %lld ms",
			       (long long)((watched_end(d) - ended) / SIM_MS));
	}
	if (leg->provisional_at)
		allowed = later(ended, leg->provisional_at);
	if (!is_confirmed(leg) && leg_end(leg) > allowed + SLACK)
		broken(w, leg, "it was tried longer than its caller waited");
}

/* Until when the caller's leg may last by itself: RFC 3261 section 15 lets no BYE pass before the ACK. */
static int64_t waits_until(const struct leg *leg)
{
	int64_t until = 0;

	for (const struct dialog *d = leg->dialogs; d; d = d->next) {
		for (const struct accepted *a = d->accepted; a; a = a->next) {
			if (a->ours && a->cseq == leg->cseq)
				until = later(until, sooner(or_never(a->acked_at), a->first_at + T64));
		}
	}
	return until;
}

static void check_call(const struct sim_call_watch *w, const struct leg *caller)
{
	int64_t allowed = waits_until(caller), ended = leg_end(caller);
	bool any = false;

	for (const struct leg *leg = w->legs; leg; leg = leg->next) {
		if (!leg->out || strcmp(leg->subject, caller->subject) != 0)
			continue;
		any = true;
		check_called(w, leg, ended);
		allowed = later(allowed, leg_end(leg));
		/* The answer to a CANCEL is waited for. */
		if (leg->cancelled_at && !is_confirmed(leg))
			allowed = later(allowed, sooner(or_never(leg->refused_at), leg->cancelled_at + T64));
	}
	if (any && ended > allowed + SLACK)
		broken(w, caller, "it outlived who was called by %lld ms", (long long)((ended - allowed) / SIM_MS));
}

static bool is_vague(const struct sim_call_watch *w, const struct leg *caller)
{
	for (const struct leg *leg = w->legs; leg; leg = leg->next) {
		if (leg->vague && strcmp(leg->subject, caller->subject) == 0)
			return true;
	}
	return false;
}

void rules_of_the_end(const struct sim_call_watch *w)
{
	for (const struct leg *leg = w->legs; leg; leg = leg->next)
		check_leg(w, leg);
	for (const struct leg *leg = w->legs; leg && w->rules.between; leg = leg->next) {
		if (!leg->out && leg->subject[0] && !is_vague(w, leg))
			check_call(w, leg);
	}
}
