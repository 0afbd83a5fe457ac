/*
 * Timers for modules. The wheel's timer may be touched on its serializer only, so orders from elsewhere are left in the
 * timer and carried out by a task there; the last order wins.
 */
#include "core/work.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ORDER_NONE = INT64_MIN, ORDER_STOP = INT64_MIN + 1, ORDER_FREE = INT64_MIN + 2 };

struct ast_sip_timer {
	struct rs_timer timer;
	struct rs_task order_task;
	_Atomic int64_t order; /* ORDER_*, or when it shall fire (rs_now_us scale) */
	_Atomic bool order_queued;
	_Atomic uint32_t refs;
	_Atomic bool dead;
	struct rs_serializer *serializer;
	void (*fire)(void *data);
	void *data;
	struct ast_sip_module *owner;
};

static void timer_unref(struct ast_sip_timer *t)
{
	struct ast_sip_module *owner = t->owner;

	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	rs_serializer_unref(t->serializer);
	free(t);
	if (owner)
		ast_sip_module_hold_for(owner, -1, "timer");
}

static void hold_timer(struct rs_timer *timer, bool on)
{
	struct ast_sip_timer *t = rs_container_of(timer, struct ast_sip_timer, timer);

	if (on)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	else
		timer_unref(t);
}

static void fired(struct rs_timer *timer)
{
	struct ast_sip_timer *t = rs_container_of(timer, struct ast_sip_timer, timer);

	if (!atomic_load_explicit(&t->dead, memory_order_acquire))
		t->fire(t->data);
}

/* On the serializer. */
static void carry_out(struct ast_sip_timer *t, int64_t order)
{
	if (order == ORDER_NONE)
		return;
	if (order == ORDER_STOP || order == ORDER_FREE || atomic_load_explicit(&t->dead, memory_order_acquire)) {
		rs_timer_stop(&t->timer);
		return;
	}
	order -= rs_now_us();
	rs_timer_start(&t->timer, order > 0 ? order : 0);
}

static void run_order(struct rs_task *task)
{
	struct ast_sip_timer *t = rs_container_of(task, struct ast_sip_timer, order_task);

	atomic_store_explicit(&t->order_queued, false, memory_order_release);
	carry_out(t, atomic_exchange_explicit(&t->order, ORDER_NONE, memory_order_acq_rel));
	timer_unref(t);
}

static void give_order(struct ast_sip_timer *t, int64_t order)
{
	if (rs_serializer_current() == t->serializer) {
		/* An earlier order from elsewhere is overtaken by this one. */
		atomic_store_explicit(&t->order, ORDER_NONE, memory_order_release);
		carry_out(t, order);
		return;
	}
	atomic_store_explicit(&t->order, order, memory_order_release);
	if (atomic_exchange_explicit(&t->order_queued, true, memory_order_acq_rel))
		return;
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	rs_push(t->serializer, &t->order_task);
}

struct ast_sip_timer *ast_sip_timer_new_for(struct ast_sip_module *owner, const char *name, struct ast_sip_work *work,
					    void (*fire)(void *data), void *data)
{
	struct ast_sip_timer *t = calloc(1, sizeof(*t));
	struct rs_serializer *s = work ? rs_serializer_ref(&work->serializer) : rs_serializer_new("timer");

	if (!t || !s) {
		free(t);
		if (s)
			rs_serializer_unref(s);
		return NULL;
	}
	t->serializer = s;
	t->fire = fire;
	t->data = data;
	t->owner = owner;
	atomic_init(&t->refs, 1);
	atomic_init(&t->order, ORDER_NONE);
	t->order_task = (struct rs_task){.run = run_order, .name = name, .module = owner};
	rs_timer_init(&t->timer, name, s, fired, hold_timer, owner);
	if (owner)
		ast_sip_module_hold_for(owner, 1, "timer");
	return t;
}

void ast_sip_timer_start(struct ast_sip_timer *t, int64_t delay_ms)
{
	give_order(t, rs_now_us() + (delay_ms > 0 ? delay_ms : 0) * 1000);
}

void ast_sip_timer_stop(struct ast_sip_timer *t)
{
	give_order(t, ORDER_STOP);
}

void ast_sip_timer_free(struct ast_sip_timer *t)
{
	if (!t)
		return;
	atomic_store_explicit(&t->dead, true, memory_order_release);
	give_order(t, ORDER_FREE);
	timer_unref(t);
}
