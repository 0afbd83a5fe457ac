/*
 * Parking. Threads that have nothing to do beyond one for each processor wait here and not in epoll: there each of them
 * would wake for a few messages of every batch that another one is about to read. The monitor gets one up for each
 * thread that is stuck in a task, and more while all of them block so often that the processors have nothing to do.
 */
#include "base/cond.h"
#include "base/pool.h"
#include "base/log.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static unsigned parked, calls; /* under lock; calls: of parked threads to get up */
static _Atomic unsigned blocked, base;

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;

	return n > 0 ? (unsigned)n : 1;
}

unsigned rs_processors(void)
{
	static _Atomic unsigned known;
	unsigned n = atomic_load_explicit(&known, memory_order_relaxed);

	if (!n) {
		n = processors();
		atomic_store_explicit(&known, n, memory_order_relaxed);
	}
	return n;
}

static void make_cond(void)
{
	rs_cond_init(&cond);
}

void rs_park_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_cond);
	pthread_mutex_lock(&lock);
	parked = calls = 0;
	pthread_mutex_unlock(&lock);
	atomic_store(&blocked, 0);
	atomic_store(&base, rs_pool.cores);
	atomic_store(&rs_pool.active, 0);
	atomic_store(&rs_pool.wanted, rs_pool.cores);
}

void rs_park_stop(void)
{
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

unsigned rs_parked(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = parked;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Under the lock. */
static void get_up(void)
{
	unsigned wanted = atomic_load(&base) + atomic_load(&blocked);
	unsigned active = atomic_load(&rs_pool.active);

	atomic_store(&rs_pool.wanted, wanted);
	for (; active + calls < wanted && calls < parked; calls++)
		pthread_cond_signal(&cond);
}

void rs_park_want(unsigned active)
{
	pthread_mutex_lock(&lock);
	atomic_store(&base, active);
	get_up();
	pthread_mutex_unlock(&lock);
}

void rs_park_blocks(bool blocks)
{
	struct rs_worker *w = rs_self;

	if (!w || rs_pool.config.deterministic)
		return;
	/* Its queue first: whoever gets up must find it. */
	if (blocks && atomic_load_explicit(&w->ready.n, memory_order_relaxed))
		rs_ready_rescue(w);
	pthread_mutex_lock(&lock);
	if (blocks)
		atomic_fetch_add(&blocked, 1);
	else
		atomic_fetch_sub(&blocked, 1);
	get_up();
	pthread_mutex_unlock(&lock);
}

static struct timespec idle_end(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += rs_pool.config.idle_timeout_s;
	return ts;
}

/* Under the lock. True: this thread is no longer one of the pool's. */
static bool leave(struct rs_worker *w)
{
	unsigned n = atomic_load(&rs_pool.threads);

	do {
		if (n <= rs_pool.config.minimum)
			return false;
	} while (!atomic_compare_exchange_weak(&rs_pool.threads, &n, n - 1));
	parked--;
	atomic_fetch_add(&rs_pool.shrunk, 1);
	rs_event(RS_LOG_DEBUG, "taskpool.shrunk", RS_FI("threads", n - 1), RS_FI("slot", w->index));
	return true;
}

/* Under the lock: until somebody calls, or the pool ends. True: the thread has left. */
static bool sleep_parked(struct rs_worker *w)
{
	struct timespec until = idle_end();

	while (!calls && atomic_load(&rs_pool.state) == RS_POOL_RUNNING) {
		if (pthread_cond_timedwait(&cond, &lock, &until) != ETIMEDOUT || calls)
			continue;
		if (leave(w))
			return true;
		until = idle_end();
	}
	calls -= calls > 0;
	parked--;
	atomic_fetch_add(&rs_pool.active, 1);
	return false;
}

bool rs_park(struct rs_worker *w, bool *left)
{
	void (*park)(void) = atomic_load_explicit(&rs_pool.park_hook, memory_order_acquire);

	*left = false;
	if (atomic_load(&rs_pool.active) <= atomic_load(&rs_pool.wanted) ||
	    atomic_load(&rs_pool.state) != RS_POOL_RUNNING)
		return false;
	if (park)
		park();
	/* It may complete quiet requests and so push on this thread's own queue. */
	rs_quiet_leave(&w->mark);
	pthread_mutex_lock(&lock);
	if (!atomic_load(&w->ready.n) && atomic_load(&rs_pool.active) > atomic_load(&rs_pool.wanted)) {
		atomic_fetch_sub(&rs_pool.active, 1);
		parked++;
		*left = sleep_parked(w);
	}
	pthread_mutex_unlock(&lock);
	if (!*left)
		rs_quiet_enter(&w->mark);
	/* The monitor may sleep as long as all active threads are idle. */
	rs_monitor_awake();
	return true;
}
