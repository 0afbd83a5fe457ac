/*
 * Ready queues: one for each thread and one that other threads push to. A queue is first in, first out for its owner;
 * thieves take the older half, which has waited longest. Items link through themselves, so nothing is allocated.
 */
#include "base/pool.h"

#include <sys/eventfd.h>

/* Most items taken from another queue at once. */
#define STEAL_MAX 32

static rs_item item_next(rs_item i)
{
	struct rs_task *t = rs_item_as_task(i);

	return t ? (rs_item)atomic_load_explicit(&t->next, memory_order_relaxed)
		 : ((struct rs_serializer *)i)->ready_next;
}

static void item_set_next(rs_item i, rs_item next)
{
	struct rs_task *t = rs_item_as_task(i);

	if (t)
		atomic_store_explicit(&t->next, (struct rs_task *)next, memory_order_relaxed);
	else
		((struct rs_serializer *)i)->ready_next = next;
}

void rs_item_list_add(struct rs_item_list *list, rs_item item)
{
	item_set_next(item, 0);
	if (list->tail)
		item_set_next(list->tail, item);
	else
		list->head = item;
	list->tail = item;
	list->n++;
}

rs_item rs_item_list_take(struct rs_item_list *list)
{
	rs_item item = list->head;

	if (item) {
		list->head = item_next(item);
		if (!list->head)
			list->tail = 0;
		list->n--;
	}
	return item;
}

uint32_t rs_readyq_add(struct rs_readyq *q, const struct rs_item_list *list)
{
	uint32_t n;

	pthread_mutex_lock(&q->lock);
	if (q->tail)
		item_set_next(q->tail, list->head);
	else
		q->head = list->head;
	q->tail = list->tail;
	/* Sequentially consistent, as is the count of idle threads: either this sees the idler, or it sees this. */
	n = atomic_fetch_add(&q->n, list->n) + list->n;
	pthread_mutex_unlock(&q->lock);
	return n;
}

/* Under the lock: the item behind prev (0: the first). */
static rs_item unlink_after(struct rs_readyq *q, rs_item prev)
{
	rs_item item = prev ? item_next(prev) : q->head;
	rs_item next;

	if (!item)
		return 0;
	next = item_next(item);
	if (prev)
		item_set_next(prev, next);
	else
		q->head = next;
	if (!next)
		q->tail = prev;
	atomic_fetch_sub_explicit(&q->n, 1, memory_order_relaxed);
	atomic_store_explicit(&q->taken, atomic_load_explicit(&q->taken, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return item;
}

rs_item rs_readyq_take(struct rs_readyq *q)
{
	rs_item item;

	if (atomic_load_explicit(&q->n, memory_order_relaxed) == 0)
		return 0;
	pthread_mutex_lock(&q->lock);
	item = unlink_after(q, 0);
	pthread_mutex_unlock(&q->lock);
	return item;
}

struct rs_item_list rs_readyq_take_some(struct rs_readyq *q, uint32_t max)
{
	struct rs_item_list list = {0, 0, 0};

	pthread_mutex_lock(&q->lock);
	while (list.n < max) {
		rs_item item = unlink_after(q, 0);

		if (!item)
			break;
		rs_item_list_add(&list, item);
	}
	pthread_mutex_unlock(&q->lock);
	return list;
}

rs_item rs_readyq_take_at(struct rs_readyq *q, uint32_t k)
{
	rs_item prev = 0, item;

	pthread_mutex_lock(&q->lock);
	while (k-- > 0)
		prev = prev ? item_next(prev) : q->head;
	item = unlink_after(q, prev);
	pthread_mutex_unlock(&q->lock);
	return item;
}

bool rs_readyq_take_item(struct rs_readyq *q, rs_item item)
{
	rs_item prev = 0, at;

	pthread_mutex_lock(&q->lock);
	for (at = q->head; at && at != item; at = item_next(at))
		prev = at;
	if (at)
		unlink_after(q, prev);
	pthread_mutex_unlock(&q->lock);
	return at != 0;
}

void rs_ready_wake(void)
{
	if (atomic_load(&rs_pool.wake_pending) || atomic_exchange(&rs_pool.wake_pending, true))
		return;
	if (rs_pool.wake_fd >= 0)
		eventfd_write(rs_pool.wake_fd, 1);
}

void rs_ready_push_list(struct rs_item_list *list)
{
	struct rs_worker *w = rs_self;
	bool own = w && !rs_pool.config.deterministic;
	uint32_t n = rs_readyq_add(own ? &w->ready : &rs_pool.inject, list);

	*list = (struct rs_item_list){0, 0, 0};
	if (atomic_load(&rs_pool.idle) == 0)
		return;
	/* A single item is soon run by this thread; should the task that runs now block, the monitor sees it wait. */
	if (!own || n > 1)
		rs_ready_wake();
	else
		rs_monitor_nudge();
}

void rs_ready_push(rs_item item)
{
	struct rs_item_list list = {0, 0, 0};

	rs_item_list_add(&list, item);
	rs_ready_push_list(&list);
}

/* The first of some to run now, the others to w's own queue, where they can be stolen again. */
static rs_item keep_rest(struct rs_worker *w, struct rs_item_list *some)
{
	rs_item first = rs_item_list_take(some);

	if (some->n) {
		rs_readyq_add(&w->ready, some);
		if (atomic_load(&rs_pool.idle))
			rs_ready_wake();
	}
	return first;
}

rs_item rs_ready_inject_take(struct rs_worker *w)
{
	uint32_t n = atomic_load_explicit(&rs_pool.inject.n, memory_order_relaxed);
	unsigned threads = atomic_load_explicit(&rs_pool.threads, memory_order_relaxed);
	struct rs_item_list some;

	if (n == 0)
		return 0;
	n = n / (threads + 1) + 1;
	some = rs_readyq_take_some(&rs_pool.inject, n < STEAL_MAX ? n : STEAL_MAX);
	if (atomic_load(&rs_pool.inject.n) && atomic_load(&rs_pool.idle))
		rs_ready_wake();
	return keep_rest(w, &some);
}

rs_item rs_ready_steal(struct rs_worker *w)
{
	unsigned slots = atomic_load_explicit(&rs_pool.slots, memory_order_acquire);

	for (unsigned i = 1; i <= slots; i++) {
		struct rs_worker *victim = rs_worker_at((w->index + i) % slots);
		struct rs_item_list some;
		uint32_t n;

		if (!victim || victim == w)
			continue;
		n = atomic_load_explicit(&victim->ready.n, memory_order_relaxed);
		if (n == 0)
			continue;
		n = (n + 1) / 2;
		some = rs_readyq_take_some(&victim->ready, n < STEAL_MAX ? n : STEAL_MAX);
		if (some.n == 0)
			continue;
		atomic_store_explicit(&w->steals, atomic_load_explicit(&w->steals, memory_order_relaxed) + 1,
				      memory_order_relaxed);
		return keep_rest(w, &some);
	}
	return 0;
}

bool rs_ready_any(void)
{
	unsigned slots = atomic_load(&rs_pool.slots);

	if (atomic_load(&rs_pool.inject.n))
		return true;
	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (w && atomic_load(&w->ready.n))
			return true;
	}
	return false;
}

void rs_ready_rescue(struct rs_worker *w)
{
	struct rs_item_list all = rs_readyq_take_some(&w->ready, UINT32_MAX);

	if (all.n)
		rs_readyq_add(&rs_pool.inject, &all);
	if (atomic_load(&rs_pool.idle))
		rs_ready_wake();
}
