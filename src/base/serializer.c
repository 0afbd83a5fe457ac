/*
 * Serializers. Pushed tasks form a lock-free stack, newest first; the running thread takes the whole stack at once and
 * turns it round, so tasks run in the order in which their pushes took effect. The stack's top is also the state: NULL
 * is idle (the next pusher makes the serializer ready), RUNNING is ready or running with nothing new. Once its task is
 * on the stack of a serializer that is not idle, a pusher never touches the serializer again: the task may already have
 * run and given back the last reference.
 */
#include "base/pool.h"

#include <stdlib.h>

static struct rs_task running_mark;
#define RUNNING (&running_mark)

void rs_serializer_init(struct rs_serializer *s, const char *name, void (*release)(struct rs_serializer *))
{
	atomic_init(&s->top, NULL);
	s->head = NULL;
	s->ready_next = 0;
	s->ran_on = 0;
	atomic_init(&s->refs, 1);
	s->release = release;
	s->name = name;
}

static void heap_release(struct rs_serializer *s)
{
	free(s);
}

struct rs_serializer *rs_serializer_new(const char *name)
{
	struct rs_serializer *s = malloc(sizeof(*s));

	if (s)
		rs_serializer_init(s, name, heap_release);
	return s;
}

struct rs_serializer *rs_serializer_ref(struct rs_serializer *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void rs_serializer_unref(struct rs_serializer *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->release(s);
}

/* Puts task on s; true: s was idle and is the caller's to make ready, with a reference taken for the queue. */
static bool enqueue(struct rs_serializer *s, struct rs_task *task)
{
	struct rs_task *old = atomic_load_explicit(&s->top, memory_order_relaxed);

	do {
		atomic_store_explicit(&task->next, old == RUNNING ? NULL : old, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&s->top, &old, task, memory_order_acq_rel,
							memory_order_relaxed));
	if (old)
		return false;
	rs_serializer_ref(s);
	return true;
}

static void count_pushed(void)
{
	struct rs_worker *w = rs_self;

	if (w)
		atomic_store_explicit(&w->pushed, atomic_load_explicit(&w->pushed, memory_order_relaxed) + 1,
				      memory_order_release);
	else
		rs_pool_count_pushed();
}

void rs_push(struct rs_serializer *s, struct rs_task *task)
{
	count_pushed();
	if (!s)
		rs_ready_push(rs_item_task(task));
	else if (enqueue(s, task))
		rs_ready_push(rs_item_serializer(s));
}

void rs_push_batched(struct rs_serializer *s, struct rs_task *task)
{
	struct rs_worker *w = rs_self;

	if (!w || rs_pool.config.deterministic) {
		rs_push(s, task);
		return;
	}
	count_pushed();
	if (!s)
		rs_item_list_add(&w->batch, rs_item_task(task));
	else if (enqueue(s, task))
		rs_item_list_add(&w->batch, rs_item_serializer(s));
}

void rs_push_flush(void)
{
	struct rs_worker *w = rs_self;

	if (w && w->batch.n)
		rs_ready_push_list(&w->batch);
}

struct rs_serializer *rs_serializer_current(void)
{
	return rs_self ? rs_self->current : NULL;
}

bool rs_on_pool_thread(void)
{
	return rs_self != NULL;
}

/* The oldest task of s, or NULL when the stack is empty. By the running thread. */
static struct rs_task *next_task(struct rs_serializer *s)
{
	struct rs_task *t, *oldest = s->head;

	if (!oldest) {
		if (atomic_load_explicit(&s->top, memory_order_relaxed) == RUNNING)
			return NULL;
		t = atomic_exchange_explicit(&s->top, RUNNING, memory_order_acq_rel);
		while (t) {
			struct rs_task *older = atomic_load_explicit(&t->next, memory_order_relaxed);

			atomic_store_explicit(&t->next, oldest, memory_order_relaxed);
			oldest = t;
			t = older;
		}
	}
	s->head = atomic_load_explicit(&oldest->next, memory_order_relaxed);
	return oldest;
}

/* True: s is idle now, and whoever pushes next makes it ready. */
static bool settle(struct rs_serializer *s)
{
	struct rs_task *expected = RUNNING;

	return !s->head && atomic_compare_exchange_strong_explicit(&s->top, &expected, NULL, memory_order_acq_rel,
								   memory_order_relaxed);
}

void rs_serializer_run(struct rs_worker *w, struct rs_serializer *s, unsigned limit)
{
	/* What the other thread collected for its flush hook may be of this serializer, and must leave first. */
	if (s->ran_on != w->index + 1) {
		if (s->ran_on)
			rs_worker_flushed(s->ran_on - 1);
		s->ran_on = w->index + 1;
	}
	for (unsigned n = 0; n < limit; n++) {
		struct rs_task *task = next_task(s);

		if (!task)
			break;
		rs_worker_run_task(w, s, task);
	}
	if (settle(s))
		rs_serializer_unref(s);
	else
		rs_ready_push(rs_item_serializer(s));
}
