/* The way of an update: queued on its AOR's serializer, begun when the earlier ones are done, committed, seen, told. */
#include "location_private.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdlib.h>

#define RETRY_US 1000000 /* what could not be done for want of memory is tried again after so long */

static void begin_next(struct aor *a);

struct update *update_new(enum update_kind kind, struct aor *a)
{
	struct update *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->kind = kind;
	u->aor = a;
	rs_serializer_ref(&a->serializer);
	return u;
}

void update_free(struct update *u)
{
	change_fini(u);
	ast_sip_aor_unref(u->permanent);
	aor_unref(u->aor);
	free(u);
}

static void arm_expiry(struct aor *a)
{
	int64_t earliest = contacts_earliest(a->contacts); /* only this serializer swaps them */

	if (a->again)
		rs_timer_start(&a->expiry, RETRY_US);
	else if (earliest)
		rs_timer_start(&a->expiry, earliest - ast_sip_location_now_us());
	else
		rs_timer_stop(&a->expiry);
}

/* Puts the result in sight, and tells who asked to be told. */
static void make_visible(struct update *u)
{
	struct aor *a = u->aor;
	struct ast_sip_contacts *result = u->result && u->result->n ? contacts_ref(u->result) : NULL;
	int64_t more = (result ? result->n : 0) - (int64_t)(u->before ? u->before->n : 0);

	for (size_t i = 0; i < u->n_rows; i++) {
		if (u->rows[i].old)
			watch_stop(u->rows[i].old);
		if (u->rows[i].event > AST_SIP_CONTACT_REFRESHED)
			watch_stop(u->rows[i].contact);
	}
	ast_sip_contacts_unref(aor_swap(a, result));
	atomic_fetch_add_explicit(&location_counters.bindings, (uint64_t)(more - (int64_t)u->reserved),
				  memory_order_relaxed);
	u->reserved = 0;
	atomic_fetch_add_explicit(&location_counters.changes, u->n_rows, memory_order_relaxed);
	a->again = false;
	for (uint32_t i = 0; result && i < result->n; i++)
		watch_start(result->v[i], a); /* those that are watched stay so */
	arm_expiry(a);
	for (size_t i = 0; i < u->n_rows; i++)
		observers_tell(u->rows[i].contact, u->rows[i].event);
}

/* Bindings that have ended by themselves could not be taken out for want of memory: again, soon. */
static void try_again(struct update *u)
{
	struct ast_sip_contacts *c = u->aor->contacts;

	for (uint32_t i = 0; c && i < c->n; i++) {
		if (c->v[i]->watch == u)
			c->v[i]->watch = NULL; /* the next one finds at once that the connection is gone */
	}
	u->aor->again = true;
	arm_expiry(u->aor);
}

/* The update at the head is through, committed or not. */
static void finish(struct update *u)
{
	struct aor *a = u->aor;

	a->first = u->next;
	if (!a->first)
		a->last = &a->first;
	a->busy = false;
	/* What ended by itself has ended, written or not: its row is refused at the next start anyway. */
	if (u->kind == UPDATE_CHANGES ? !u->error && u->n_rows : u->result != NULL)
		make_visible(u);
	else if (u->kind == UPDATE_EXPIRED || u->kind == UPDATE_FLOW_ENDED)
		try_again(u);
	if (u->error && u->error != ECANCELED)
		atomic_fetch_add_explicit(&location_counters.failed, 1, memory_order_relaxed);
	if (u->kind == UPDATE_CHANGES) {
		struct ast_sip_contacts *all = aor_contacts(a);
		u->ops->done(u->token, u->error, contacts_current(all, ast_sip_location_now_us()));
		ast_sip_contacts_unref(all);
		sip_module_hold(u->owner, -1, "location update", "registrar");
	}
	atomic_fetch_sub_explicit(&location_counters.pending, 1, memory_order_relaxed);
	update_free(u);
}

static int work_out(struct update *u)
{
	const struct ast_sip_contact_change *changes = NULL;
	struct ast_sip_contacts *now;
	int64_t now_us = ast_sip_location_now_us();
	size_t n = 0;
	int rc;

	u->before = aor_contacts(u->aor);
	switch (u->kind) {
	case UPDATE_EXPIRED:
	case UPDATE_FLOW_ENDED:
		return change_drop(u, now_us);
	case UPDATE_PERMANENT:
		return change_permanent(u);
	case UPDATE_CHANGES:
		break;
	}
	now = contacts_current(u->before, now_us);
	rc = u->ops->begin(u->token, now, &changes, &n);
	ast_sip_contacts_unref(now);
	return rc ? ECANCELED : change_apply(u, changes, n);
}

static void begin_next(struct aor *a)
{
	while (a->first && !a->busy) {
		struct update *u = a->first;

		a->busy = true;
		u->error = work_out(u);
		if (u->error)
			change_clear(u); /* half a result is none */
		if (!u->error && u->n_rows && location_durable) {
			group_commit(u);
			return;
		}
		finish(u);
	}
}

static void start_task(struct rs_task *task)
{
	struct update *u = rs_container_of(task, struct update, task);
	struct aor *a = u->aor;

	rs_serializer_ref(&a->serializer); /* finish may give the last one back */
	u->next = NULL;
	*a->last = u;
	a->last = &u->next;
	begin_next(a);
	aor_unref(a);
}

static void continue_task(struct rs_task *task)
{
	struct update *u = rs_container_of(task, struct update, task);
	struct aor *a = u->aor;

	rs_serializer_ref(&a->serializer);
	finish(u);
	begin_next(a);
	aor_unref(a);
}

void update_push(struct update *u)
{
	atomic_fetch_add_explicit(&location_counters.pending, 1, memory_order_relaxed);
	u->task = (struct rs_task){.run = start_task, .name = "location update"};
	rs_push(&u->aor->serializer, &u->task);
}

void update_continue(struct update *u)
{
	u->task = (struct rs_task){.run = continue_task, .name = "location commit"};
	rs_push(&u->aor->serializer, &u->task);
}

void expiry_hold(struct rs_timer *t, bool on)
{
	struct aor *a = rs_container_of(t, struct aor, expiry);

	if (on)
		rs_serializer_ref(&a->serializer);
	else
		aor_unref(a);
}

void expiry_fire(struct rs_timer *t)
{
	struct aor *a = rs_container_of(t, struct aor, expiry);
	struct update *u = update_new(UPDATE_EXPIRED, a);

	if (u)
		update_push(u);
	else
		rs_timer_start(t, RETRY_US);
}

int ast_sip_location_update_for(struct ast_sip_module *owner, struct rs_str aor,
				const struct ast_sip_location_update *update, void *token)
{
	struct aor *a;
	struct update *u;

	if (update->size < sizeof(*update) || !update->begin || !update->done) {
		errno = EINVAL;
		return -1;
	}
	a = aor_get(aor, true);
	u = a ? update_new(UPDATE_CHANGES, a) : NULL;
	aor_unref(a);
	if (!u) {
		errno = ENOMEM;
		return -1;
	}
	u->owner = owner;
	u->ops = update;
	u->token = token;
	sip_module_hold(owner, 1, "location update", "registrar");
	update_push(u);
	return 0;
}
