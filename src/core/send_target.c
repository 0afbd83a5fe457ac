/*
 * The way of a request of our own: its targets, found by RFC 3263 when nobody knows one, and tried one after another.
 * In a dialog requests leave in the order in which they were sent: while one waits for a name, those behind it wait,
 * too.
 */
#include "core/send_private.h"
#include "core/target.h"
#include "sip/stack.h"

#include <errno.h>

static void take_tsx(struct ast_sip_request *r, struct sip_tsx *tsx)
{
	sip_tsx_unref(r->tsx);
	r->tsx = tsx;
}

void send_next(struct ast_sip_request *r, enum ast_sip_request_end last_failure)
{
	while (r->next < r->n) {
		int64_t left = r->deadline_us ? r->deadline_us - rs_now_us() : 0;
		struct sip_tsx *tsx;

		if (r->deadline_us && left <= 0) {
			send_finish(r, AST_SIP_REQUEST_TIMEOUT, NULL);
			return;
		}
		sip_tx_set_target(r->tx, &r->targets[r->next++]);
		if (sip_tsx_send_for(r->owner, sip_tx_ref(r->tx), r->serializer, &send_user, r, left, &tsx) == 0) {
			take_tsx(r, tsx);
			send_live(r);
			return;
		}
		last_failure = AST_SIP_REQUEST_TRANSPORT_ERROR;
	}
	send_finish(r, last_failure, NULL);
}

/* An ACK has no transaction, and nobody hears what becomes of it. */
static void send_ack(struct ast_sip_request *r)
{
	if (r->n) {
		sip_tx_set_target(r->tx, &r->targets[0]);
		sip_stack_send(sip_tx_ref(r->tx));
	}
	r->done = true;
	send_dead(r);
}

static void go(struct ast_sip_request *r, enum ast_sip_request_end failure)
{
	if (r->done)
		return;
	if (sip_tx_method(r->tx) == SIP_METHOD_ACK)
		send_ack(r);
	else if (r->cancelled)
		send_finish(r, AST_SIP_REQUEST_TIMEOUT, NULL);
	else
		send_next(r, failure);
}

/* ---- what waits behind a name ---- */

static struct ast_sip_request **first_waiting(struct ast_sip_request *r)
{
	return r->dlg ? (struct ast_sip_request **)(void *)sip_dialog_waiting(r->dlg) : NULL;
}

/* r resolves now, or waits behind the one that does; it lives until it left the line. */
static void wait_in_line(struct ast_sip_request *r)
{
	struct ast_sip_request **at = first_waiting(r);

	send_live(r);
	r->waiting = true;
	while (at && *at)
		at = &(*at)->behind;
	if (at)
		*at = r;
}

/* r was the first; gives the one behind it. */
static struct ast_sip_request *leave_line(struct ast_sip_request *r)
{
	struct ast_sip_request **first = first_waiting(r), *next = r->behind;

	r->waiting = false;
	r->behind = NULL;
	if (first)
		*first = next;
	return next;
}

/* ---- where to ---- */

/* The target that the sender chose counts for protocol and listener, also when the address had to be found. */
static void add_target(struct ast_sip_request *r, const struct sip_target *found)
{
	const struct sip_target *wanted = sip_tx_target(r->tx);
	struct sip_target *t = &r->targets[r->n++];

	*t = *found;
	if (wanted->type != SIP_TRANSPORT_NONE)
		t->type = wanted->type;
	if (wanted->listener.len)
		t->listener = wanted->listener;
}

static void go_on(struct ast_sip_request *r);

static void resolved(const struct sip_targets *targets, void *token)
{
	struct ast_sip_request *r = token;

	for (unsigned i = 0; i < targets->n; i++)
		add_target(r, &targets->v[i]);
	go(r, targets->error == ETIMEDOUT ? AST_SIP_REQUEST_TIMEOUT : AST_SIP_REQUEST_TRANSPORT_ERROR);
	go_on(r);
}

/* false: it is found later, or never. */
static bool target_is_known(struct ast_sip_request *r)
{
	const struct sip_target *t = sip_tx_target(r->tx);

	if (!t->flow && !t->flow_only && !t->addr.family)
		return false;
	r->targets[r->n++] = *t;
	return true;
}

/* true: it is on its way, or over; false: it waits for a name. */
static bool set_out(struct ast_sip_request *r)
{
	struct sip_uri uri;

	if (!r->done && !r->cancelled && !target_is_known(r) && ast_sip_next_hop(r->tx, &uri) == 0) {
		if (!r->waiting)
			wait_in_line(r);
		if (sip_resolve_for(r->owner, &uri, r->serializer, resolved, r) == 0)
			return false;
	}
	go(r, AST_SIP_REQUEST_TRANSPORT_ERROR);
	return true;
}

/* The first in the line is off: those behind it follow, until one has to wait for a name, too. */
static void go_on(struct ast_sip_request *r)
{
	while (r) {
		struct ast_sip_request *next = leave_line(r);

		send_dead(r);
		if (next && !set_out(next))
			return;
		r = next;
	}
}

void send_begin(struct rs_task *task)
{
	struct ast_sip_request *r = rs_container_of(task, struct ast_sip_request, task);
	struct ast_sip_request **first = first_waiting(r);

	send_live(r);
	r->begun = true;
	if (first && *first)
		wait_in_line(r);
	else if (set_out(r) && r->waiting)
		go_on(r);
	send_dead(r);
}
