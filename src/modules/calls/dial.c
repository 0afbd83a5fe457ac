/*
 * Ringing: the stages of a plan one after another, in a stage the contacts by q, those of equal q at once. The first
 * that answers is taken, the others are given up.
 */
#include "calls.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_FROM 1280

/* ---- life ---- */

struct dial *dial_new(struct leg *owner, const struct dial_user *user, struct shared *token, struct ast_sip_snapshot *s,
		      struct plan *plan)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->user = user;
	d->token = shared_ref(token);
	d->owner = owner;
	d->snapshot = ast_sip_snapshot_ref(s);
	d->plan = *plan;
	plan->n = 0;
	d->stage = d->plan.n;
	owner->dial = d;
	return d;
}

static void drop_contacts(struct dial *d)
{
	for (unsigned i = 0; i < d->n_contacts; i++)
		ast_sip_contact_unref(d->contacts[i]);
	free(d->contacts);
	d->contacts = NULL;
	d->n_contacts = d->next_contact = 0;
}

static void outcome_fini(struct outcome *o)
{
	sip_rx_unref(o->rx);
	*o = (struct outcome){0};
}

static void set_early(struct dial *d, struct leg *leg)
{
	leg_unref(d->early);
	d->early = leg ? leg_ref(leg) : NULL;
}

static void dial_free(struct dial *d)
{
	drop_contacts(d);
	set_early(d, NULL);
	outcome_fini(&d->best);
	outcome_fini(&d->stage_best);
	for (unsigned i = 0; i < d->n_visited; i++)
		free(d->visited[i]);
	stages_fini(&d->plan);
	ast_sip_snapshot_unref(d->snapshot);
	shared_unref(d->token);
	free(d);
}

static void remove_branch(struct dial *d, struct leg *leg)
{
	for (unsigned i = 0; i < d->n_branches; i++) {
		if (d->branches[i] == leg) {
			d->branches[i] = d->branches[--d->n_branches];
			break;
		}
	}
	leg->branch_of = NULL;
}

static void give_up_branches(struct dial *d, struct rs_str reason)
{
	while (d->n_branches) {
		struct leg *leg = d->branches[0];

		remove_branch(d, leg);
		leg_hangup(leg, 0, reason);
		leg_unref(leg);
	}
}

void dial_abort(struct dial *d, struct rs_str reason)
{
	d->owner->dial = NULL;
	give_up_branches(d, reason.len ? reason : RS_STR("SIP;cause=487;text=\"Caller has gone\""));
	dial_free(d);
}

/* ---- what came of it ---- */

static void note(struct outcome *best, const struct outcome *o)
{
	if (!choice_better(o, best))
		return;
	outcome_fini(best);
	*best = *o;
	if (best->rx)
		sip_rx_ref(best->rx);
}

static void failed(struct dial *d, enum calls_failure how, unsigned status, struct sip_rx_data *rx)
{
	struct outcome o = {.how = how, .status = status, .rx = rx};

	note(&d->stage_best, &o);
	note(&d->best, &o);
}

/* ---- one branch ---- */

static struct ast_sip_endpoint *endpoint_of(struct dial *d, const struct plan_stage *stage,
					    const struct ast_sip_contact *contact)
{
	if (stage->endpoint || !contact)
		return stage->endpoint;
	return ast_sip_snapshot_endpoint(d->snapshot, ast_sip_contact_text(contact, AST_SIP_CONTACT_ENDPOINT));
}

static int create_session(struct dial *d, struct leg *leg, const struct plan_stage *stage,
			  const struct ast_sip_contact *contact)
{
	struct ast_sip_endpoint *endpoint = endpoint_of(d, stage, contact);
	struct ast_sip_dialog_uac_params p = {
		.size = sizeof(p),
		.contact = contact,
		.uri = rs_str_c(stage->uri),
		.request_user = rs_str_c(stage->user),
	};
	char from[MAX_FROM];

	p.from = d->user->from(d, endpoint, from, sizeof(from));
	leg_ref(leg);
	leg->session = ast_sip_session_create_outgoing(endpoint, &p, &leg_user, leg);
	if (!leg->session) {
		leg_unref(leg);
		return -1;
	}
	leg->use = limits_take(leg_endpoint_id(leg));
	return 0;
}

static int send_invite(struct dial *d, struct leg *leg, unsigned timeout_s)
{
	struct sip_tx_data *tx = ast_sip_session_create_invite(leg->session);

	if (!tx)
		return -1;
	if (d->user->fill(d, leg, tx)) {
		sip_tx_unref(tx);
		return -1;
	}
	return ast_sip_session_send_invite(leg->session, tx, (int)timeout_s * 1000);
}

static int ring(struct dial *d, const struct ast_sip_contact *contact)
{
	const struct plan_stage *stage = &d->plan.v[d->stage];
	struct leg *leg = leg_new(LEG_CALLED, d->owner->call);

	if (!leg)
		return -1;
	if (create_session(d, leg, stage, contact)) {
		leg_unref(leg);
		return -1;
	}
	call_tries(d->owner->call, leg->session, leg_endpoint_id(leg));
	if (send_invite(d, leg, stage->timeout_s)) {
		leg_unref(leg); /* the session's: it will tell nothing */
		leg_unref(leg);
		return -1;
	}
	leg->branch_of = d;
	d->branches[d->n_branches++] = leg;
	d->n_rung++;
	return 0;
}

/* ---- stages ---- */

static int by_q(const void *x, const void *y)
{
	const struct ast_sip_contact *a = *(struct ast_sip_contact *const *)x, *b = *(struct ast_sip_contact *const *)y;

	if (a->data.q_thousandths != b->data.q_thousandths)
		return a->data.q_thousandths > b->data.q_thousandths ? -1 : 1;
	return 0;
}

static void add_contacts(struct dial *d, struct rs_str aor)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(aor);
	struct ast_sip_contact **v;

	if (!c)
		return;
	v = realloc(d->contacts, (d->n_contacts + c->n) * sizeof(struct ast_sip_contact *));
	if (v) {
		d->contacts = v;
		for (uint32_t i = 0; i < c->n; i++)
			v[d->n_contacts++] = ast_sip_contact_ref(c->v[i]);
	}
	ast_sip_contacts_unref(c);
}

static void open_stage(struct dial *d)
{
	const struct plan_stage *stage = &d->plan.v[d->stage];
	struct ast_sip_strings aors = {0};

	outcome_fini(&d->stage_best);
	drop_contacts(d);
	if (stage->endpoint && !limits_allow(d->snapshot, stage->endpoint, true)) {
		failed(d, FAILED_ANSWER, 486, NULL);
		return;
	}
	if (stage->uri) {
		d->group = 1;
		if (ring(d, NULL))
			failed(d, FAILED_UNREACHABLE, 408, NULL);
		return;
	}
	if (stage->aor)
		add_contacts(d, ast_sip_aor_id(stage->aor));
	else
		aors = ast_sip_endpoint_aors(stage->endpoint);
	for (uint32_t i = 0; i < aors.n; i++)
		add_contacts(d, aors.v[i]);
	if (d->n_contacts)
		qsort(d->contacts, d->n_contacts, sizeof(struct ast_sip_contact *), by_q);
	else
		failed(d, FAILED_UNREACHABLE, 480, NULL);
}

/* The next contacts of equal q, as many as may ring at once. */
static void ring_group(struct dial *d)
{
	unsigned first = d->next_contact, n = 0;

	while (first + n < d->n_contacts && n < CALLS_MAX_BRANCHES &&
	       d->contacts[first + n]->data.q_thousandths == d->contacts[first]->data.q_thousandths)
		n++;
	d->next_contact = first + n;
	d->group = n;
	for (unsigned i = 0; i < n; i++) {
		if (ring(d, d->contacts[first + i]))
			failed(d, FAILED_UNREACHABLE, 408, NULL);
	}
}

/* Whether the present stage's failure leads to the next. */
static bool goes_on(const struct dial *d)
{
	const struct plan_stage *stage = &d->plan.v[d->stage];

	if (d->stage + 1 >= d->plan.n)
		return false;
	return d->plan.v[d->stage + 1].moved ||
	       (stage->route && calls_route_continues(stage->route, d->stage_best.how, d->stage_best.status));
}

static void end(struct dial *d)
{
	d->owner->dial = NULL;
	if (!d->best.status)
		d->best = (struct outcome){.how = FAILED_UNREACHABLE, .status = 480};
	d->user->failed(d, &d->best);
	dial_free(d);
}

/* Nobody rings: rings whoever is next. */
static void go(struct dial *d)
{
	while (!d->n_branches) {
		if (d->next_contact < d->n_contacts && d->stage_best.status < 600) {
			ring_group(d);
		} else if (goes_on(d)) {
			d->stage++;
			open_stage(d);
		} else {
			end(d);
			return;
		}
	}
}

void dial_start(struct dial *d)
{
	d->stage = 0;
	open_stage(d);
	go(d);
}

/* ---- what the branches tell ---- */

struct leg *dial_partner(const struct dial *d)
{
	if (d->early && d->early->branch_of)
		return d->early;
	return d->n_branches == 1 && d->branches[0]->rang ? d->branches[0] : NULL;
}

void dial_progress(struct dial *d, struct leg *branch, struct sip_rx_data *rx, bool offers)
{
	if (ast_sip_rx_has_sdp(rx) && d->early != branch && (!d->early || !d->early->branch_of)) {
		d->early_moved |= d->early != NULL;
		set_early(d, branch);
	}
	d->user->progress(d, branch, rx, offers);
}

void dial_answered(struct dial *d, struct leg *branch, struct sip_rx_data *rx)
{
	remove_branch(d, branch);
	give_up_branches(d, RS_STR("SIP;cause=200;text=\"Call completed elsewhere\""));
	d->owner->dial = NULL;
	d->early_moved |= d->early && d->early != branch;
	d->user->answered(d, branch, rx);
	leg_unref(branch);
	dial_free(d);
}

static void refused(struct dial *d, struct leg *branch, struct sip_rx_data *rx)
{
	unsigned status = sip_rx_msg(rx)->status;

	if (status < 400) {
		unsigned instead = redirect_follow(d, branch, rx);

		if (instead == status)
			failed(d, FAILED_ANSWER, status, rx);
		else if (instead)
			failed(d, FAILED_ANSWER, instead, NULL);
		return;
	}
	failed(d, FAILED_ANSWER, status, rx);
	if (status >= 600)
		give_up_branches(d, RS_STR("SIP;cause=603;text=\"Declined elsewhere\""));
}

void dial_ended(struct dial *d, struct leg *branch, enum ast_sip_session_end why, struct sip_rx_data *rx)
{
	remove_branch(d, branch);
	if (why == AST_SIP_SESSION_END_REFUSED && rx)
		refused(d, branch, rx);
	else if (why == AST_SIP_SESSION_END_TIMEOUT && branch->rang)
		failed(d, FAILED_NO_ANSWER, 480, NULL);
	else if (why == AST_SIP_SESSION_END_TIMEOUT || why == AST_SIP_SESSION_END_TRANSPORT)
		failed(d, FAILED_UNREACHABLE, 408, NULL);
	else
		failed(d, FAILED_ANSWER, 500, NULL);
	leg_unref(branch);
	go(d);
}
