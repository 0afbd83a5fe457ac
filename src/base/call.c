/* Synchronous calls to a serializer. Who waits for whom is kept in one list, so that a cycle of waits is refused. */
#include "base/pool.h"

#include <errno.h>

struct call {
	struct rs_task task;
	int (*fn)(void *data);
	void *data;
	int result;
	bool done; /* under lock, of the waiting thread */
	pthread_mutex_t *lock;
	pthread_cond_t *cond;
};

/* Waiting threads own their lock: it outlives the call, which the answering thread still touches when it unlocks. */
static _Thread_local pthread_mutex_t wait_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local pthread_cond_t wait_cond = PTHREAD_COND_INITIALIZER;

struct wait {
	struct wait *next;
	const struct rs_serializer *from, *to;
};

static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct wait *waits;

/* The serializer that from's task waits for, or NULL. Under waits_lock. */
static const struct rs_serializer *waits_for(const struct rs_serializer *from)
{
	for (const struct wait *w = waits; w; w = w->next) {
		if (w->from == from)
			return w->to;
	}
	return NULL;
}

static int wait_begin(struct wait *w)
{
	int err = 0;

	/* Nobody can wait for a thread that runs no serializer's task. */
	if (!w->from)
		return 0;
	pthread_mutex_lock(&waits_lock);
	for (const struct rs_serializer *s = w->to; s; s = waits_for(s)) {
		if (s == w->from)
			err = EDEADLK;
	}
	if (!err) {
		w->next = waits;
		waits = w;
	}
	pthread_mutex_unlock(&waits_lock);
	return err;
}

static void wait_end(struct wait *w)
{
	if (!w->from)
		return;
	pthread_mutex_lock(&waits_lock);
	for (struct wait **p = &waits; *p; p = &(*p)->next) {
		if (*p == w) {
			*p = w->next;
			break;
		}
	}
	pthread_mutex_unlock(&waits_lock);
}

static void call_run(struct rs_task *task)
{
	struct call *c = rs_container_of(task, struct call, task);
	pthread_mutex_t *lock = c->lock;

	c->result = c->fn(c->data);
	pthread_mutex_lock(lock);
	c->done = true;
	pthread_cond_signal(c->cond);
	pthread_mutex_unlock(lock);
}

static int call_wait(struct rs_serializer *s, struct call *c)
{
	if (rs_pool.config.deterministic)
		return rs_deterministic_wait(s, &c->done);
	/* What this thread kept to itself must not wait with it. */
	if (rs_self) {
		rs_push_flush();
		rs_pool_flush();
		rs_park_blocks(true);
	}
	pthread_mutex_lock(c->lock);
	while (!c->done)
		pthread_cond_wait(c->cond, c->lock);
	pthread_mutex_unlock(c->lock);
	rs_park_blocks(false);
	return 0;
}

int rs_call(struct rs_serializer *s, int (*fn)(void *data), void *data, int *result, const char *name, void *module)
{
	struct call c = {.fn = fn, .data = data, .lock = &wait_lock, .cond = &wait_cond};
	struct wait w = {.from = rs_serializer_current(), .to = s};
	int err;

	if (w.from == s) {
		c.result = fn(data);
		goto out;
	}
	if (atomic_load(&rs_pool.state) != RS_POOL_RUNNING)
		return ESHUTDOWN;
	err = wait_begin(&w);
	if (err)
		return err;
	c.task.run = call_run;
	c.task.name = name;
	c.task.module = module;
	rs_push(s, &c.task);
	err = call_wait(s, &c);
	wait_end(&w);
	if (err)
		return err;
out:
	if (result)
		*result = c.result;
	return 0;
}
