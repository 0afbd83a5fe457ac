/* What the files of the taskpool share. Nobody else includes this. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/taskpool.h"

#include <pthread.h>
#include <stdalign.h>

/* ---- ready items: a serializer, or a lone task (tagged in the lowest bit) ---- */

typedef uintptr_t rs_item; /* 0: none */

static inline rs_item rs_item_serializer(struct rs_serializer *s)
{
	return (rs_item)s;
}
static inline rs_item rs_item_task(struct rs_task *t)
{
	return (rs_item)t | 1;
}
static inline struct rs_task *rs_item_as_task(rs_item i)
{
	return i & 1 ? (struct rs_task *)(i & ~(rs_item)1) : NULL;
}

struct rs_readyq {
	pthread_mutex_t lock;
	rs_item head, tail;
	_Atomic uint32_t n;     /* changed under lock, read without */
	_Atomic uint64_t taken; /* items that ever left */
};

struct rs_item_list {
	rs_item head, tail;
	uint32_t n;
};

void rs_item_list_add(struct rs_item_list *list, rs_item item);
rs_item rs_item_list_take(struct rs_item_list *list);
/* n behind the addition */
uint32_t rs_readyq_add(struct rs_readyq *q, const struct rs_item_list *list);
rs_item rs_readyq_take(struct rs_readyq *q);
/* Up to max of the oldest items. */
struct rs_item_list rs_readyq_take_some(struct rs_readyq *q, uint32_t max);
/* The item at place k (from 0), or the given one wherever it is; 0 when it is not there. */
rs_item rs_readyq_take_at(struct rs_readyq *q, uint32_t k);
bool rs_readyq_take_item(struct rs_readyq *q, rs_item item);

/* ---- quiet points (quiet.c) ---- */

/* Lowest bit: the thread is at work. Above it: the newest epoch that it has acknowledged. Written by its thread only.
 */
struct rs_quiet_mark {
	_Atomic uint64_t word;
};

struct rs_quiet_request {
	struct rs_quiet_request *next;
	uint64_t target;
	struct rs_task task; /* pushed on no serializer when the point has passed */
};

void rs_quiet_enter(struct rs_quiet_mark *mark); /* begins to work */
void rs_quiet_leave(struct rs_quiet_mark *mark); /* waits from now on */
void rs_quiet_point(struct rs_quiet_mark *mark); /* between two pieces of work */
void rs_quiet_ask(struct rs_quiet_request *request);
/* While it is held no quiet request completes: code that a running task names stays mapped. */
void rs_quiet_lock(void);
void rs_quiet_unlock(void);

/* ---- threads ---- */

struct rs_worker {
	alignas(64) struct rs_readyq ready;
	struct rs_item_list batch; /* rs_push_batched's, not yet flushed */
	struct rs_serializer *current;
	unsigned index;
	unsigned streak; /* items run since the last look at epoll */
	unsigned depth;  /* steps within steps, in the deterministic mode */
	_Atomic bool live;
	bool joinable;
	pthread_t thread;
	struct rs_quiet_mark mark;
	_Atomic uint64_t pushed, done, steals; /* written by this thread only */
	/* For the monitor: turn is odd while a task or a callback runs; the names belong to that turn. */
	_Atomic uint64_t turn;
	_Atomic(const char *) task_name;
	_Atomic(const char *) serializer_name;
	_Atomic(void *) module;
	_Atomic bool unflushed; /* written by this thread, and by others after a rescue */
	_Atomic bool sending;   /* this thread has taken out what it had collected, and sends it */
	_Atomic bool look_due;  /* set by the monitor: this thread has worked for a while without looking at epoll */
};

enum rs_pool_state { RS_POOL_STOPPED, RS_POOL_RUNNING, RS_POOL_ENDING };

struct rs_pool {
	struct rs_taskpool_config config;
	_Atomic int state;
	int epoll_fd, wake_fd, timer_fd; /* -1: none */
	struct rs_readyq inject; /* pushed by threads that are not the pool's; all there is when deterministic */
	_Atomic(struct rs_worker *) *workers;
	_Atomic unsigned slots; /* of workers, ever used */
	_Atomic unsigned threads, idle, peak;
	unsigned cores;                  /* processors that the threads may run on */
	_Atomic unsigned active, wanted; /* threads that are not parked, and how many of these there should be */
	_Atomic bool wake_pending;
	_Atomic uint64_t pushed, done; /* by other threads than workers */
	_Atomic uint64_t grown, shrunk, stuck, queued_max;
	_Atomic int64_t oldest_wait_us;
	_Atomic(void (*)(void)) flush_hook;
	_Atomic(void (*)(unsigned)) rescue_hook;
	_Atomic(void (*)(void)) park_hook;
	_Atomic(const char *(*)(void *)) module_namer;
	_Atomic unsigned drainers;
	pthread_mutex_t drain_lock;
	pthread_cond_t drain_cond;
};

extern struct rs_pool rs_pool;
extern _Thread_local struct rs_worker *rs_self; /* this thread's, when it is the pool's */

struct rs_worker *rs_worker_at(unsigned slot); /* NULL: never used */
/* Starts one thread; an errno. By start and the monitor only. */
int rs_worker_spawn(void);
void rs_worker_run_item(struct rs_worker *w, rs_item item, unsigned limit);
void rs_worker_run_task(struct rs_worker *w, struct rs_serializer *s, struct rs_task *task);
/* Marks the begin / the end of a task or callback for the monitor. */
void rs_worker_begin(struct rs_worker *w, const char *task, const char *serializer, void *module);
void rs_worker_end(struct rs_worker *w);
void rs_pool_flush(void);
/* What the thread of that slot has collected has left when this returns. The slot may be of an earlier pool. */
void rs_worker_flushed(unsigned slot);
void rs_pool_drain_signal(void);
/* Counts work that a task will follow (an executor's job), so that a drain waits for it. */
void rs_pool_count_pushed(void);
void rs_pool_count_done(void);
/* Tasks and jobs that are queued or running, summed over all threads. */
uint64_t rs_pool_unfinished(void);

/* ---- ready.c ---- */

void rs_ready_push(rs_item item); /* where this thread's work goes; wakes another when that helps */
void rs_ready_push_list(struct rs_item_list *list);
rs_item rs_ready_inject_take(struct rs_worker *w);
rs_item rs_ready_steal(struct rs_worker *w);
bool rs_ready_any(void);
void rs_ready_wake(void);
void rs_ready_rescue(struct rs_worker *w); /* its ready items go where every thread looks */

/* ---- serializer.c ---- */

/* Runs up to limit tasks of s; then s is idle and the queue's reference given back, or it is ready again. */
void rs_serializer_run(struct rs_worker *w, struct rs_serializer *s, unsigned limit);

/* ---- poll.c ---- */

int rs_poll_open(void);
void rs_poll_close(void);
/*
 * Handles what can be read. timeout_ms 0: only looks, true: there was something. Else (-1: no limit) the caller has
 * left work (rs_quiet_leave) and counted itself idle; it is at work again on return, and when something came (true) no
 * longer idle.
 */
bool rs_poll_wait(struct rs_worker *w, int timeout_ms);
void rs_poll_wake_all(void);

/* ---- park.c ---- */

/*
 * No more threads work than there are processors, and one more for each that is stuck: more would only share them out,
 * each waking the next for a few messages of every batch. The others are parked until they are wanted.
 */
void rs_park_start(void);
void rs_park_stop(void);
/* The thread has no work. True: it was parked for a while, and looks for work again. *left: it leaves the pool. */
bool rs_park(struct rs_worker *w, bool *left);
unsigned rs_parked(void);
/* So many threads should be active: parked ones get up. By the monitor. */
void rs_park_want(unsigned active);
/* This thread waits for another one (true), and goes on (false). Nothing for threads that are not the pool's. */
void rs_park_blocks(bool blocks);

/* ---- monitor.c ---- */

int rs_monitor_start(void);
void rs_monitor_stop(void);
/* Something waits or the last idle thread went to work: the monitor looks now. Nearly free while it looks anyway. */
void rs_monitor_nudge(void);
/* A thread woke up: the monitor must not sleep through it. */
void rs_monitor_awake(void);

/* ---- timer.c ---- */

void rs_timers_start(void);
void rs_timers_expire(void); /* makes the due ones ready */
void rs_timers_drop(void);
int64_t rs_timers_next(void);
uint64_t rs_timers_armed(void);

/* ---- executor.c ---- */

void rs_executor_stop(void); /* runs what is queued, ends the threads */
struct rs_quiet_mark *rs_executor_mark(unsigned lane);
/* Deterministic: how many lanes have a job that may run, and running the k-th one's. */
unsigned rs_executor_runnable(void);
void rs_executor_run(unsigned k);

/* ---- deterministic.c ---- */

int rs_deterministic_start(void);
bool rs_deterministic_drain(void);
/* Runs tasks of s until *done; EDEADLK when it has none. */
int rs_deterministic_wait(struct rs_serializer *s, const bool *done);

#endif
