#include "core/loader/wait.h"
#include "base/cond.h"
#include "base/taskpool.h"
#include "core/core.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic unsigned waiters; /* changed with the lock held; read without it to spare the lock when nobody waits */
static unsigned generation;      /* grows with each wake */

static void wait_init(void)
{
	rs_cond_init(&changed);
}

void loader_wait_wake(void)
{
	if (!atomic_load(&waiters))
		return;
	pthread_mutex_lock(&lock);
	generation++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static bool deterministic(void)
{
	const struct ast_sip_core_options *o = ast_sip_core_options();

	return o && o->deterministic;
}

static bool wait_stepping(bool (*ready)(void *token), void *token)
{
	while (!ready(token)) {
		if (!rs_taskpool_step())
			return ready(token);
	}
	return true;
}

/* The deadline of rs_now_us as the condition variable wants it. */
static struct timespec monotonic(int64_t deadline_us)
{
	struct timespec ts;
	int64_t left = deadline_us - rs_now_us();

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (left < 0)
		left = 0;
	ts.tv_sec += (time_t)(left / 1000000);
	ts.tv_nsec += (long)(left % 1000000) * 1000;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_nsec -= 1000000000L;
		ts.tv_sec++;
	}
	return ts;
}

bool loader_wait_until(bool (*ready)(void *token), void *token, int64_t deadline_us)
{
	struct timespec until = monotonic(deadline_us);
	bool ok, late = false;

	if (deterministic())
		return wait_stepping(ready, token);
	pthread_once(&once, wait_init);
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&waiters, 1);
	for (;;) {
		unsigned seen = generation;

		pthread_mutex_unlock(&lock);
		ok = ready(token);
		pthread_mutex_lock(&lock);
		if (ok || late)
			break;
		while (generation == seen && !late)
			late = pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT;
	}
	atomic_fetch_sub(&waiters, 1);
	pthread_mutex_unlock(&lock);
	return ok;
}

/* Outlives a wait that gave up: the quiet point comes nevertheless. */
struct quiet {
	_Atomic int refs;
	_Atomic bool passed;
};

static void quiet_unref(struct quiet *q)
{
	if (atomic_fetch_sub(&q->refs, 1) == 1)
		free(q);
}

static void quiet_passed(void *token)
{
	struct quiet *q = token;

	atomic_store(&q->passed, true);
	loader_wait_wake();
	quiet_unref(q);
}

static bool quiet_is_passed(void *token)
{
	struct quiet *q = token;

	return atomic_load(&q->passed);
}

bool loader_wait_quiet(int64_t deadline_us)
{
	struct quiet *q = calloc(1, sizeof(*q));
	bool ok;

	if (!q)
		return false;
	atomic_init(&q->refs, 2);
	if (rs_quiet(quiet_passed, q) != 0) {
		free(q);
		return false;
	}
	ok = loader_wait_until(quiet_is_passed, q, deadline_us);
	quiet_unref(q);
	return ok;
}
