/*
 * The monitor: one thread that watches the others. It sleeps while all of them wait; it looks now and then while some
 * work (the watchdog); and it looks every few milliseconds while none waits for input, or work waits behind a task.
 */
#include "base/cond.h"
#include "base/pool.h"
#include "base/log.h"
#include "base/slice.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK_US 5000
/* A thread in the same task for so long is stuck: a little under a tick, since the ticks are not exact. */
#define STUCK_US 4500
/* Between two looks of the watchdog while nothing is short. */
#define WATCH_US 250000
/* Over so long the processors must have been idle before more threads are tried. */
#define CPU_LOOK_US 20000
/* Ticks without need before it leaves the fast rhythm: a busy server does not wake it up time and again. */
#define CALM_TICKS 4

enum mode { PARKED, WATCHING, TICKING };

/* What is known about the thread in a slot. */
struct seen {
	uint64_t turn;
	int64_t since_us;
	bool reported;
	char task[64], serializer[64], module[64];
	uint64_t mark; /* place in its ready queue */
	int64_t mark_us;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool nudged, ending, started; /* under lock */
static _Atomic int mode;
static pthread_t thread;

static struct seen *seen; /* one a slot; the last is the injection queue's */
static unsigned ticks_without_idle;
static struct {
	unsigned more;    /* threads, because all block shortly */
	int64_t since_us; /* nobody has been idle, and what the process had used by then; 0: somebody is */
	int64_t cpu_us;
} short_blocks;
static int spawn_error;

void rs_monitor_nudge(void)
{
	if (atomic_load(&mode) == TICKING)
		return;
	pthread_mutex_lock(&lock);
	if (started) {
		nudged = true;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&lock);
}

void rs_monitor_awake(void)
{
	if (atomic_load(&mode) == PARKED)
		rs_monitor_nudge();
}

static int64_t kernel_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool any_unflushed(void)
{
	unsigned slots = atomic_load(&rs_pool.slots);

	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);
		if (w && atomic_load(&w->unflushed))
			return true;
	}
	return false;
}

/* How often it must look at this moment. */
static enum mode mode_needed(void)
{
	unsigned idle = atomic_load(&rs_pool.idle);

	if (idle == 0 || rs_ready_any() || any_unflushed())
		return TICKING;
	return idle < atomic_load(&rs_pool.active) ? WATCHING : PARKED;
}

static void name_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "-");
}

/* Copies the names of the task that w runs, if it is still the one that was seen. */
static bool copy_names(struct rs_worker *w, struct seen *s)
{
	const char *(*namer)(void *) = atomic_load(&rs_pool.module_namer);
	const char *task, *serializer;
	void *module;

	task = atomic_load_explicit(&w->task_name, memory_order_acquire);
	serializer = atomic_load_explicit(&w->serializer_name, memory_order_acquire);
	module = atomic_load_explicit(&w->module, memory_order_acquire);
	if (atomic_load(&w->turn) != s->turn)
		return false;
	name_copy(s->task, sizeof(s->task), task);
	name_copy(s->serializer, sizeof(s->serializer), serializer);
	name_copy(s->module, sizeof(s->module), module && namer ? namer(module) : NULL);
	return true;
}

static void report_stuck(struct rs_worker *w, struct seen *s, int64_t ms)
{
	bool still;

	/* The names are those of a running task, which no quiet point can pass: their code stays mapped. */
	rs_quiet_lock();
	still = copy_names(w, s);
	rs_quiet_unlock();
	if (!still)
		return;
	s->reported = true;
	atomic_fetch_add(&rs_pool.stuck, 1);
	rs_event(RS_LOG_WARNING, "taskpool.stuck", RS_FZ("task", s->task), RS_FZ("serializer", s->serializer),
		 RS_FZ("module", s->module), RS_FI("ms", ms), RS_FI("slot", w->index));
}

static void report_unstuck(struct rs_worker *w, struct seen *s, int64_t ms)
{
	s->reported = false;
	rs_event(RS_LOG_WARNING, "taskpool.unstuck", RS_FZ("task", s->task), RS_FZ("serializer", s->serializer),
		 RS_FI("ms", ms), RS_FI("slot", w->index));
}

/* How long the oldest item of q has waited, told from when its last look's newest item was taken. */
static int64_t queue_wait(struct rs_readyq *q, struct seen *s, int64_t now)
{
	uint64_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&q->n, memory_order_relaxed);

	if (n == 0 || taken >= s->mark) {
		s->mark = taken + n;
		s->mark_us = now;
		return 0;
	}
	return now - s->mark_us;
}

/* What the thread collected goes its way while the task blocks. */
static void rescue_unflushed(struct rs_worker *w)
{
	void (*hook)(unsigned) = atomic_load(&rs_pool.rescue_hook);

	if (hook && atomic_exchange(&w->unflushed, false))
		hook(w->index);
}

/* True: the thread has been in one task since the last look. */
static bool look_at(struct rs_worker *w, struct seen *s, int64_t now)
{
	uint64_t turn = atomic_load(&w->turn);
	int64_t stuck_us = now - s->since_us;

	if (turn != s->turn) {
		if (s->reported)
			report_unstuck(w, s, stuck_us / 1000);
		s->turn = turn;
		s->since_us = now;
		return false;
	}
	if (stuck_us < STUCK_US)
		return false;
	if (atomic_load_explicit(&w->ready.n, memory_order_relaxed))
		rs_ready_rescue(w);
	rescue_unflushed(w);
	if (!(turn & 1))
		return false;
	if (!s->reported && stuck_us >= (int64_t)rs_pool.config.stuck_ms * 1000)
		report_stuck(w, s, stuck_us / 1000);
	return true;
}

static void grow(void)
{
	unsigned room = rs_pool.config.maximum - atomic_load(&rs_pool.threads);
	unsigned n = rs_pool.config.increment < room ? rs_pool.config.increment : room;
	unsigned added = 0;
	int err = 0;

	while (added < n && !err) {
		/* Counted first: who meets the new thread finds it counted. */
		atomic_fetch_add(&rs_pool.grown, 1);
		err = rs_worker_spawn();
		if (err)
			atomic_fetch_sub(&rs_pool.grown, 1);
		else
			added++;
	}
	if (err && err != spawn_error)
		rs_event(RS_LOG_ERROR, "taskpool.no_thread", RS_FZ("error", strerror(err)));
	spawn_error = err;
	if (added)
		rs_event(RS_LOG_DEBUG, "taskpool.grown", RS_FI("threads", atomic_load(&rs_pool.threads)));
}

/*
 * How many threads beyond one for each processor are wanted because those there are block too shortly to be called
 * stuck: nobody is idle, and still the processors are.
 */
static unsigned beyond(int64_t now)
{
	int64_t wall_us = (now - short_blocks.since_us) * rs_pool.cores, cpu_us;
	bool short_of_threads = ticks_without_idle && short_blocks.since_us;
	struct timespec ts;

	if (!ticks_without_idle)
		short_blocks.more -= short_blocks.more > 0;
	if (short_of_threads && now - short_blocks.since_us < CPU_LOOK_US)
		return short_blocks.more;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	cpu_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	if (short_of_threads && (cpu_us - short_blocks.cpu_us) * 2 < wall_us)
		short_blocks.more += rs_parked() > 0;
	else if (short_of_threads && (cpu_us - short_blocks.cpu_us) * 5 > wall_us * 4)
		short_blocks.more /= 2;
	short_blocks.since_us = ticks_without_idle ? now : 0;
	short_blocks.cpu_us = cpu_us;
	return short_blocks.more;
}

static void look(void)
{
	unsigned slots = atomic_load(&rs_pool.slots), stuck = 0;
	struct seen *inject = &seen[rs_pool.config.maximum];
	int64_t now = kernel_us(), oldest;
	struct rs_taskpool_stats stats;

	oldest = queue_wait(&rs_pool.inject, inject, now);
	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);
		int64_t wait;

		if (!w || !atomic_load(&w->live))
			continue;
		atomic_store_explicit(&w->look_due, true, memory_order_relaxed);
		wait = queue_wait(&w->ready, &seen[i], now);
		if (wait > oldest)
			oldest = wait;
		stuck += look_at(w, &seen[i], now);
	}
	atomic_store(&rs_pool.oldest_wait_us, oldest);
	rs_taskpool_stats(&stats); /* keeps queued_max */

	ticks_without_idle = atomic_load(&rs_pool.idle) == 0 ? ticks_without_idle + 1 : 0;
	rs_park_want(rs_pool.cores + stuck + beyond(now));
	/*
	 * All stuck: nobody reads. Some stuck and work waits: the others may be busy for long. A pool that is merely
	 * busy does not grow: more threads than cores would not help it.
	 */
	if (ticks_without_idle >= 2 && stuck && !rs_parked() &&
	    (stuck >= atomic_load(&rs_pool.threads) || atomic_load(&rs_pool.inject.n) || rs_ready_any()))
		grow();
}

/* Under the lock. */
static void rest(enum mode m)
{
	int64_t until_us = kernel_us() + (m == TICKING ? TICK_US : WATCH_US);
	struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = (until_us % 1000000) * 1000};

	while (!nudged && !ending) {
		if (m == PARKED)
			pthread_cond_wait(&cond, &lock);
		else if (pthread_cond_timedwait(&cond, &lock, &until) == ETIMEDOUT)
			break;
	}
}

static void *monitor_main(void *arg)
{
	unsigned calm = 0;

	(void)arg;
	pthread_setname_np(pthread_self(), "pool-monitor");
	(void)rs_slice_shorten();
	pthread_mutex_lock(&lock);
	while (!ending) {
		enum mode need;

		nudged = false;
		pthread_mutex_unlock(&lock);
		look();
		need = mode_needed();
		calm = need == TICKING ? 0 : calm + 1;
		if (atomic_load(&mode) == TICKING && calm < CALM_TICKS)
			need = TICKING;
		atomic_store(&mode, need);
		/* A thread that saw the old mode did not nudge: what it knew is looked at once more. */
		if (need != TICKING && mode_needed() > need) {
			atomic_store(&mode, TICKING);
			need = TICKING;
		}
		pthread_mutex_lock(&lock);
		rest(need);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

int rs_monitor_start(void)
{
	sigset_t all, old;
	int err;

	seen = calloc((size_t)rs_pool.config.maximum + 1, sizeof(*seen));
	if (!seen)
		return ENOMEM;
	rs_cond_init(&cond);
	ticks_without_idle = 0;
	memset(&short_blocks, 0, sizeof(short_blocks));
	spawn_error = 0;
	atomic_store(&mode, WATCHING);
	pthread_mutex_lock(&lock);
	nudged = ending = false;
	started = true;
	pthread_mutex_unlock(&lock);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, monitor_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		started = false;
		free(seen);
		seen = NULL;
	}
	return err;
}

void rs_monitor_stop(void)
{
	if (!seen)
		return;
	pthread_mutex_lock(&lock);
	ending = true;
	started = false;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	pthread_cond_destroy(&cond);
	free(seen);
	seen = NULL;
	/* As if it looked: threads that still run need not nudge it. */
	atomic_store(&mode, TICKING);
}
