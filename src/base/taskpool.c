/* The pool's threads: what each does in a round, and how the pool starts, drains and stops. */
#include "base/cond.h"
#include "base/pool.h"
#include "base/log.h"
#include "base/slab.h"
#include "base/slice.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Tasks of one serializer in a row: a busy one does not keep a thread from the others. */
#define TURN_MAX 32
/* After so many items of its own a thread looks at what others pushed, and after so many whether something can be read.
 */
#define INJECT_EVERY 8
#define LOOK_EVERY   64
/*
 * Events taken, times EVENTS_AT_ONCE, when tasks take so long that the monitor has to remind: what is not read is lost
 * in the kernel, whoever sent it, and nobody can choose what to refuse.
 */
#define LOOKS_WHEN_DUE 16
/* So often a thread that waits for another one's send lets others go first: it takes microseconds, unless that one lost
 * its processor. Then it sleeps for so long, time after time. */
#define SENDING_YIELDS   100
#define SENDING_SLEEP_NS 50000

struct rs_pool rs_pool = {
	.epoll_fd = -1,
	.wake_fd = -1,
	.timer_fd = -1,
	.inject = {.lock = PTHREAD_MUTEX_INITIALIZER},
	.drain_lock = PTHREAD_MUTEX_INITIALIZER,
};
_Thread_local struct rs_worker *rs_self;

struct rs_worker *rs_worker_at(unsigned slot)
{
	return atomic_load_explicit(&rs_pool.workers[slot], memory_order_acquire);
}

void rs_taskpool_set_flush_hook(void (*hook)(void))
{
	atomic_store(&rs_pool.flush_hook, hook);
}

void rs_taskpool_set_rescue_hook(void (*hook)(unsigned))
{
	atomic_store(&rs_pool.rescue_hook, hook);
}

void rs_taskpool_set_park_hook(void (*hook)(void))
{
	atomic_store(&rs_pool.park_hook, hook);
}

unsigned rs_taskpool_slot(void)
{
	return rs_self ? rs_self->index : UINT_MAX;
}

void rs_flush_pending(bool pending)
{
	if (!rs_self)
		return;
	atomic_store(&rs_self->unflushed, pending);
	if (pending)
		rs_monitor_nudge();
}

void rs_flush_sending(bool on)
{
	if (rs_self)
		atomic_store(&rs_self->sending, on);
}

void rs_worker_flushed(unsigned slot)
{
	struct rs_worker *w =
		slot < atomic_load_explicit(&rs_pool.slots, memory_order_acquire) ? rs_worker_at(slot) : NULL;
	void (*hook)(unsigned) = atomic_load_explicit(&rs_pool.rescue_hook, memory_order_acquire);

	if (!w || w == rs_self)
		return;
	if (hook && atomic_load(&w->unflushed) && atomic_exchange(&w->unflushed, false))
		hook(w->index);
	/* Whoever sends waits for nobody. */
	for (unsigned i = 0; atomic_load(&w->sending); i++) {
		if (i < SENDING_YIELDS)
			sched_yield();
		else
			nanosleep(&(struct timespec){.tv_nsec = SENDING_SLEEP_NS}, NULL);
	}
}

void rs_taskpool_set_module_namer(const char *(*namer)(void *module))
{
	atomic_store(&rs_pool.module_namer, namer);
}

void rs_pool_flush(void)
{
	void (*hook)(void) = atomic_load_explicit(&rs_pool.flush_hook, memory_order_acquire);

	if (hook)
		hook();
}

void rs_pool_count_pushed(void)
{
	atomic_fetch_add(&rs_pool.pushed, 1);
}

void rs_pool_count_done(void)
{
	atomic_fetch_add(&rs_pool.done, 1);
	rs_pool_drain_signal();
}

/* A counter that only its own thread writes. */
static void bump(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_release);
}

/* ---- a round ---- */

void rs_worker_begin(struct rs_worker *w, const char *task, const char *serializer, void *module)
{
	/* Stored before the turn is odd, and with release: who sees these has also seen the turn before them end. */
	atomic_store_explicit(&w->task_name, task, memory_order_release);
	atomic_store_explicit(&w->serializer_name, serializer, memory_order_release);
	atomic_store_explicit(&w->module, module, memory_order_release);
	bump(&w->turn);
}

void rs_worker_end(struct rs_worker *w)
{
	bump(&w->turn);
}

void rs_worker_run_task(struct rs_worker *w, struct rs_serializer *s, struct rs_task *task)
{
	struct rs_serializer *outer = w->current;

	w->current = s;
	rs_worker_begin(w, task->name, s ? s->name : NULL, task->module);
	task->run(task);
	rs_worker_end(w);
	w->current = outer;
	bump(&w->done);
}

void rs_worker_run_item(struct rs_worker *w, rs_item item, unsigned limit)
{
	struct rs_task *task = rs_item_as_task(item);

	if (task)
		rs_worker_run_task(w, NULL, task);
	else
		rs_serializer_run(w, (struct rs_serializer *)item, limit);
}

static void look_around(struct rs_worker *w)
{
	unsigned looks = atomic_load_explicit(&w->look_due, memory_order_relaxed) ? LOOKS_WHEN_DUE : 1;

	atomic_store_explicit(&w->look_due, false, memory_order_relaxed);
	rs_pool_flush();
	while (looks-- && rs_poll_wait(w, 0))
		;
}

/* The point stands behind the taking: what was pushed after a request never runs under a mark older than that. */
static void run_at_quiet_point(struct rs_worker *w, rs_item item)
{
	rs_quiet_point(&w->mark);
	rs_worker_run_item(w, item, TURN_MAX);
}

/* Runs w's own ready items until there are none. */
static void run_own(struct rs_worker *w)
{
	for (;;) {
		rs_item item = 0;

		if (++w->streak % INJECT_EVERY == 0)
			item = rs_ready_inject_take(w);
		if (!item)
			item = rs_readyq_take(&w->ready);
		if (!item)
			return;
		run_at_quiet_point(w, item);
		if (w->streak % LOOK_EVERY == 0 || atomic_load_explicit(&w->look_due, memory_order_relaxed))
			look_around(w);
	}
}

/* The caller has counted itself idle. True: this thread is no longer one of the pool's. */
static bool leave(struct rs_worker *w)
{
	unsigned n = atomic_load(&rs_pool.threads);

	/* The parked ones leave first: somebody must read. */
	if (rs_parked())
		return false;
	do {
		if (n <= rs_pool.config.minimum)
			return false;
	} while (!atomic_compare_exchange_weak(&rs_pool.threads, &n, n - 1));
	atomic_fetch_sub(&rs_pool.active, 1);
	atomic_fetch_sub(&rs_pool.idle, 1);
	/* Somebody may have counted on this thread as an idle one. */
	if (rs_ready_any()) {
		atomic_fetch_add(&rs_pool.threads, 1);
		atomic_fetch_add(&rs_pool.active, 1);
		atomic_fetch_add(&rs_pool.idle, 1);
		return false;
	}
	rs_monitor_nudge();
	atomic_fetch_add(&rs_pool.shrunk, 1);
	rs_event(RS_LOG_DEBUG, "taskpool.shrunk", RS_FI("threads", n - 1), RS_FI("slot", w->index));
	return true;
}

/* Waits for something to read, a timer or a wake-up. False: the thread has left the pool. */
static bool wait_idle(struct rs_worker *w)
{
	void (*park)(void) = atomic_load_explicit(&rs_pool.park_hook, memory_order_acquire);
	int timeout = -1;
	bool came;

	if (park)
		park();
	/* First, since it may complete quiet requests and so push on this thread's own queue. */
	rs_quiet_leave(&w->mark);
	atomic_fetch_add(&rs_pool.idle, 1);
	if (rs_ready_any() || atomic_load(&rs_pool.state) == RS_POOL_ENDING) {
		rs_quiet_enter(&w->mark);
		if (atomic_fetch_sub(&rs_pool.idle, 1) == 1)
			rs_monitor_nudge();
		return true;
	}
	if (atomic_load(&rs_pool.drainers))
		rs_pool_drain_signal();
	if (atomic_load(&rs_pool.threads) > rs_pool.config.minimum)
		timeout = (int)rs_pool.config.idle_timeout_s * 1000;
	came = rs_poll_wait(w, timeout);
	if (came)
		return true;
	if (atomic_load(&rs_pool.state) == RS_POOL_RUNNING && leave(w))
		return false;
	if (atomic_fetch_sub(&rs_pool.idle, 1) == 1)
		rs_monitor_nudge();
	return true;
}

static void worker_loop(struct rs_worker *w)
{
	for (;;) {
		bool left = false;
		rs_item item;

		run_own(w);
		rs_worker_begin(w, "flush", NULL, NULL);
		rs_pool_flush();
		rs_worker_end(w);
		rs_quiet_point(&w->mark);
		if (atomic_load_explicit(&w->ready.n, memory_order_relaxed))
			continue;
		item = rs_ready_inject_take(w);
		if (!item)
			item = rs_ready_steal(w);
		if (item) {
			run_at_quiet_point(w, item);
			continue;
		}
		if (atomic_load(&rs_pool.state) == RS_POOL_ENDING) {
			atomic_fetch_sub(&rs_pool.threads, 1);
			return;
		}
		if (!rs_park(w, &left) && !wait_idle(w))
			return;
		if (left)
			return;
	}
}

static void *worker_main(void *arg)
{
	struct rs_worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "pool-%u", w->index % 10000);
	pthread_setname_np(pthread_self(), name);
	(void)rs_slice_shorten();
	rs_self = w;
	rs_quiet_enter(&w->mark);
	worker_loop(w);
	rs_self = NULL;
	rs_slab_thread_fini();
	rs_quiet_leave(&w->mark);
	rs_pool_drain_signal();
	atomic_store(&w->live, false);
	return NULL;
}

/* ---- threads come ---- */

static struct rs_worker *worker_new(unsigned slot)
{
	struct rs_worker *w = aligned_alloc(alignof(struct rs_worker), sizeof(*w));

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->ready.lock, NULL);
	w->index = slot;
	atomic_store_explicit(&rs_pool.workers[slot], w, memory_order_release);
	if (slot >= atomic_load(&rs_pool.slots))
		atomic_store(&rs_pool.slots, slot + 1);
	return w;
}

static struct rs_worker *worker_free_slot(void)
{
	for (unsigned i = 0; i < rs_pool.config.maximum; i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (!w)
			return worker_new(i);
		if (!atomic_load(&w->live))
			return w;
	}
	return NULL;
}

int rs_worker_spawn(void)
{
	struct rs_worker *w = worker_free_slot();
	sigset_t all, old;
	unsigned n, peak = atomic_load(&rs_pool.peak);
	int err;

	if (!w)
		return ENOMEM;
	if (w->joinable)
		pthread_join(w->thread, NULL);
	atomic_store(&w->live, true);
	n = atomic_fetch_add(&rs_pool.threads, 1) + 1;
	atomic_fetch_add(&rs_pool.active, 1);
	atomic_store(&rs_pool.peak, n > peak ? n : peak);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->joinable = err == 0;
	if (err) {
		atomic_store(&w->live, false);
		atomic_fetch_sub(&rs_pool.active, 1);
		atomic_fetch_sub(&rs_pool.threads, 1);
		atomic_store(&rs_pool.peak, peak);
	}
	return err;
}

/* ---- start ---- */

static int config_complete(struct rs_taskpool_config *c, const struct rs_taskpool_config *from)
{
	*c = from ? *from : (struct rs_taskpool_config){.maximum = 50};
	if (!c->maximum)
		c->maximum = 4096;
	if (!c->minimum)
		c->minimum = c->maximum < 4 ? c->maximum : 4;
	if (c->minimum > c->maximum)
		return EINVAL;
	if (!c->initial)
		c->initial = 4;
	if (c->initial < c->minimum)
		c->initial = c->minimum;
	if (c->initial > c->maximum)
		c->initial = c->maximum;
	if (!c->increment)
		c->increment = 1;
	if (!c->idle_timeout_s)
		c->idle_timeout_s = 60;
	if (c->idle_timeout_s > 1000000)
		c->idle_timeout_s = 1000000;
	if (!c->stuck_ms)
		c->stuck_ms = 1000;
	if (!c->processors)
		c->processors = rs_processors();
	return 0;
}

static void drain_cond_init(void)
{
	rs_cond_init(&rs_pool.drain_cond);
}

static void counters_reset(void)
{
	atomic_store(&rs_pool.threads, 0);
	atomic_store(&rs_pool.idle, 0);
	atomic_store(&rs_pool.peak, 0);
	atomic_store(&rs_pool.wake_pending, false);
	atomic_store(&rs_pool.grown, 0);
	atomic_store(&rs_pool.shrunk, 0);
	atomic_store(&rs_pool.stuck, 0);
	atomic_store(&rs_pool.queued_max, 0);
	atomic_store(&rs_pool.oldest_wait_us, 0);
}

static void workers_free(void)
{
	for (unsigned i = 0; i < atomic_load(&rs_pool.slots); i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (!w)
			continue;
		/* What a thread counted stays counted: pushed and done of all times must balance. */
		atomic_fetch_add(&rs_pool.pushed, atomic_load(&w->pushed));
		atomic_fetch_add(&rs_pool.done, atomic_load(&w->done));
		pthread_mutex_destroy(&w->ready.lock);
		free(w);
	}
	atomic_store(&rs_pool.slots, 0);
	free(rs_pool.workers);
	rs_pool.workers = NULL;
}

static void threads_end(void);

static int threads_start(void)
{
	int err = rs_poll_open();

	for (unsigned i = 0; !err && i < rs_pool.config.initial; i++)
		err = rs_worker_spawn();
	if (!err)
		err = rs_monitor_start();
	if (!err)
		rs_timers_start();
	return err;
}

int rs_taskpool_start(const struct rs_taskpool_config *config)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct rs_taskpool_config complete;
	int err = config_complete(&complete, config);

	if (err)
		return err;
	if (atomic_load(&rs_pool.state) != RS_POOL_STOPPED)
		return EALREADY;
	pthread_once(&once, drain_cond_init);
	rs_pool.config = complete;
	rs_pool.cores = complete.processors;
	counters_reset();
	rs_park_start();
	rs_pool.workers = calloc(complete.deterministic ? 1 : complete.maximum, sizeof(*rs_pool.workers));
	if (!rs_pool.workers)
		return ENOMEM;
	atomic_store(&rs_pool.state, RS_POOL_RUNNING);
	if (complete.deterministic) {
		if (worker_new(0))
			return rs_deterministic_start();
		err = ENOMEM;
	} else {
		err = threads_start();
	}
	if (err)
		threads_end();
	return err;
}

/* ---- drain and stop ---- */

uint64_t rs_pool_unfinished(void)
{
	unsigned slots = atomic_load(&rs_pool.slots);
	uint64_t done, pushed;

	/*
	 * What is done is read first: a task counts as pushed before anybody can run it, so when the sums are equal,
	 * nothing was left at the moment between the two.
	 */
	done = atomic_load(&rs_pool.done);
	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);

		done += w ? atomic_load_explicit(&w->done, memory_order_acquire) : 0;
	}
	slots = atomic_load(&rs_pool.slots);
	pushed = atomic_load(&rs_pool.pushed);
	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);

		pushed += w ? atomic_load_explicit(&w->pushed, memory_order_acquire) : 0;
	}
	return pushed - done;
}

void rs_pool_drain_signal(void)
{
	if (atomic_load(&rs_pool.drainers) == 0)
		return;
	pthread_mutex_lock(&rs_pool.drain_lock);
	pthread_cond_broadcast(&rs_pool.drain_cond);
	pthread_mutex_unlock(&rs_pool.drain_lock);
}

static void timespec_after(struct timespec *ts, unsigned ms)
{
	clock_gettime(CLOCK_MONOTONIC, ts);
	ts->tv_sec += ms / 1000;
	ts->tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_sec++;
		ts->tv_nsec -= 1000000000;
	}
}

/* Waits a bounded while for a signal: a count of another thread may become visible a moment after its signal. */
static void drain_pause(unsigned ms)
{
	struct timespec until;

	timespec_after(&until, ms < 20 ? ms : 20);
	pthread_mutex_lock(&rs_pool.drain_lock);
	pthread_cond_timedwait(&rs_pool.drain_cond, &rs_pool.drain_lock, &until);
	pthread_mutex_unlock(&rs_pool.drain_lock);
}

static int64_t kernel_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool rs_taskpool_drain(unsigned timeout_ms)
{
	int64_t end = kernel_ms() + timeout_ms;
	bool empty;

	if (atomic_load(&rs_pool.state) == RS_POOL_STOPPED)
		return true;
	if (rs_pool.config.deterministic)
		return rs_deterministic_drain();
	atomic_fetch_add(&rs_pool.drainers, 1);
	for (;;) {
		int64_t left = end - kernel_ms();

		empty = rs_pool_unfinished() == 0;
		if (empty || left <= 0)
			break;
		drain_pause((unsigned)left);
	}
	atomic_fetch_sub(&rs_pool.drainers, 1);
	return empty;
}

/* Runs, on the caller's thread, what no thread of the pool will run any more. */
static void run_leftover(struct rs_worker *w)
{
	rs_item item;

	rs_self = w;
	do {
		item = rs_ready_inject_take(w);
		if (!item)
			item = rs_readyq_take(&w->ready);
		if (!item)
			item = rs_ready_steal(w);
		if (item)
			rs_worker_run_item(w, item, TURN_MAX);
	} while (item);
	rs_pool_flush();
	rs_self = NULL;
}

static void threads_end(void)
{
	struct rs_worker last = {.ready.lock = PTHREAD_MUTEX_INITIALIZER};

	rs_monitor_stop();
	atomic_store(&rs_pool.state, RS_POOL_ENDING);
	rs_park_stop();
	rs_poll_wake_all();
	atomic_fetch_add(&rs_pool.drainers, 1);
	/* This thread helps: a thread that waits in rs_call for a serializer may be the last one. */
	while (atomic_load(&rs_pool.threads)) {
		run_leftover(&last);
		drain_pause(5);
	}
	atomic_fetch_sub(&rs_pool.drainers, 1);
	for (unsigned i = 0; i < atomic_load(&rs_pool.slots); i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (w && w->joinable)
			pthread_join(w->thread, NULL);
	}
	do {
		rs_timers_drop();
		rs_executor_stop();
		run_leftover(&last);
	} while (rs_timers_armed() || rs_pool_unfinished() + atomic_load(&last.pushed) != atomic_load(&last.done));
	atomic_fetch_add(&rs_pool.pushed, atomic_load(&last.pushed));
	atomic_fetch_add(&rs_pool.done, atomic_load(&last.done));
	rs_poll_close();
	workers_free();
	atomic_store(&rs_pool.state, RS_POOL_STOPPED);
}

void rs_taskpool_stop(void)
{
	if (atomic_load(&rs_pool.state) != RS_POOL_RUNNING)
		return;
	while (!rs_taskpool_drain(1000) && !rs_pool.config.deterministic)
		;
	threads_end();
}

void rs_taskpool_stats(struct rs_taskpool_stats *out)
{
	uint64_t unfinished = rs_pool_unfinished();
	unsigned slots = atomic_load(&rs_pool.slots);
	uint64_t running = 0;

	*out = (struct rs_taskpool_stats){
		.threads = atomic_load(&rs_pool.threads),
		.idle = atomic_load(&rs_pool.idle),
		.parked = rs_parked(),
		.peak_threads = atomic_load(&rs_pool.peak),
		.grown = atomic_load(&rs_pool.grown),
		.shrunk = atomic_load(&rs_pool.shrunk),
		.tasks_run = atomic_load(&rs_pool.done),
		.stuck = atomic_load(&rs_pool.stuck),
		.timers = rs_timers_armed(),
		.oldest_wait_us = atomic_load(&rs_pool.oldest_wait_us),
	};
	out->idle += out->parked;
	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (!w)
			continue;
		out->tasks_run += atomic_load_explicit(&w->done, memory_order_relaxed);
		out->steals += atomic_load_explicit(&w->steals, memory_order_relaxed);
		running += atomic_load_explicit(&w->turn, memory_order_relaxed) & 1;
	}
	out->queued = unfinished > running ? unfinished - running : 0;
	if (out->queued > atomic_load(&rs_pool.queued_max))
		atomic_store(&rs_pool.queued_max, out->queued);
	out->queued_max = atomic_load(&rs_pool.queued_max);
}
