/*
 * The taskpool: threads, serializers and timers (section 3 of the architecture). base knows nothing of SIP: readers,
 * shedding by class of message and the design's names live above.
 *
 * What holds, always:
 *  - tasks pushed on one serializer run one at a time, in push order, whichever thread runs them;
 *  - a task that blocks delays its own serializer only; the monitor adds a thread within 10 ms when every thread is
 *    stuck and work waits, and threads idle for idle_timeout leave again (never below the minimum);
 *  - tasks never nest: a push from a task queues;
 *  - no lock is held while a task, a timer callback or a poll callback runs;
 *  - pushing a task or arming a timer allocates nothing: the nodes are embedded in their owners.
 *
 * Two modes. Threaded: rs_taskpool_start makes the threads. Deterministic: no threads; rs_taskpool_step runs one task
 * at a time on the caller's thread, and the caller moves the clock.
 *
 * One pool a process (like the environment).
 */
#ifndef BASE_TASKPOOL_H
#define BASE_TASKPOOL_H

#include "base/clock.h"
#include "base/str.h"

#include <stdatomic.h>

/* ---- tasks and serializers ---- */

struct rs_task {
	_Atomic(struct rs_task *) next; /* the queue's */
	void (*run)(struct rs_task *task);
	const char *name; /* static; the watchdog and `core show taskpool` print it */
	void *module;     /* whose code run is (an ast_sip_module), or NULL for the core's own; the watchdog names it */
};

struct rs_serializer {
	_Atomic(struct rs_task *)
		top;          /* pushed and not yet taken, newest first; or a mark: idle, or running and empty */
	struct rs_task *head; /* taken by the running thread, oldest first */
	uintptr_t ready_next; /* link of the ready queue */
	_Atomic uint32_t refs;
	uint32_t ran_on; /* slot + 1 of the thread that ran it last; 0: none. Of the running thread */
	void (*release)(struct rs_serializer *s); /* the last reference went; never NULL */
	const char *name;                         /* static */
};

/* Embeds: s starts with one reference. release is called when the last goes (by whichever thread; no lock held). */
void rs_serializer_init(struct rs_serializer *s, const char *name, void (*release)(struct rs_serializer *));
struct rs_serializer *rs_serializer_new(const char *name); /* a heap one; NULL without memory */
struct rs_serializer *rs_serializer_ref(struct rs_serializer *s);
void rs_serializer_unref(struct rs_serializer *s);

/*
 * Queues task on s (NULL: on no serializer, any thread, no order). Cannot fail. task belongs to the queue until run is
 * called, and to run from then on (it may free or push it again). The queue holds a reference on s while it is ready
 * or running, and takes it itself. Any thread. From a pool thread the serializer is made ready on that thread (warm
 * cache, no wake-up unless others idle and it has several); from elsewhere a thread is woken.
 */
void rs_push(struct rs_serializer *s, struct rs_task *task);

/* Like rs_push, but the ready serializers stay hidden from this thread's own run loop and from thieves until
 * rs_push_flush: a reader pushes its whole batch, re-arms its socket, then flushes. Pool threads only. */
void rs_push_batched(struct rs_serializer *s, struct rs_task *task);
void rs_push_flush(void);

/* The serializer whose task runs on this thread now, or NULL. */
struct rs_serializer *rs_serializer_current(void);
/* Whether this thread is one of the pool's (or the stepping thread of the deterministic mode, while it steps). */
bool rs_on_pool_thread(void);

/*
 * Runs fn(data) on s and waits for it; its result in *result (may be NULL). On s already: runs in place. 0, or EDEADLK
 * when the wait would close a cycle of waits between serializers (nothing ran), or ESHUTDOWN when the pool has stopped.
 * In the deterministic mode other tasks are stepped until fn has run.
 */
int rs_call(struct rs_serializer *s, int (*fn)(void *data), void *data, int *result, const char *name, void *module);

/* ---- timers ---- */

struct rs_timer {
	struct rs_timer *next, **prev; /* the wheel's slot */
	int64_t due_us;
	_Atomic uint32_t state; /* private */
	uint16_t shard, slot;
	struct rs_serializer *serializer; /* not owned: ref/unref below keep the owner, the owner keeps this */
	void (*fire)(struct rs_timer *t);
	void (*hold)(struct rs_timer *t, bool on); /* takes / gives back a reference on the owner; may be NULL */
	struct rs_task task;
};

/*
 * fire runs as a task on serializer. While armed or on its way to fire, one reference taken by hold(t, true) is kept.
 * start, restart and stop may be called on that serializer only (or before anyone else can see the owner). After stop
 * or a restart no earlier arming fires: a late one finds its generation gone.
 */
void rs_timer_init(struct rs_timer *t, const char *name, struct rs_serializer *serializer,
		   void (*fire)(struct rs_timer *), void (*hold)(struct rs_timer *, bool), void *module);
/* Fires once, not before delay_us from now and within a tick (RS_TICK_US) after it when a thread is free; delay_us < 0
 * counts as 0. Armed already: re-armed. */
void rs_timer_start(struct rs_timer *t, int64_t delay_us);
/* The same for a caller who has just asked for the time. */
void rs_timer_start_from(struct rs_timer *t, int64_t now_us, int64_t delay_us);
void rs_timer_stop(struct rs_timer *t);
bool rs_timer_active(const struct rs_timer *t);
#define RS_TICK_US 5000

/* ---- reading: the pool's threads wait in one epoll ---- */

struct rs_poll {
	int fd;
	/* Called on a pool thread when fd is ready (EPOLL* bits). The fd is disarmed (one-shot) until rs_poll_arm. */
	void (*ready)(struct rs_poll *p, uint32_t events);
	uint32_t slot; /* private */
};
/* Both: 0 or an errno; ENOTSUP in the deterministic mode. Any thread; p stays where it is until done of its removal. */
int rs_poll_add(struct rs_poll *p, int fd, void (*ready)(struct rs_poll *, uint32_t), uint32_t events);
int rs_poll_arm(struct rs_poll *p, uint32_t events);
/*
 * Takes the fd out and calls done(p) on a pool thread once no thread can be in, or on its way into, ready(p). The fd
 * is still the caller's to close, in done.
 */
void rs_poll_remove(struct rs_poll *p, void (*done)(struct rs_poll *p));

/*
 * What a pool thread collects to do at once when it has run what it had ready (the transport's batches of datagrams):
 * the flush hook is called then. A task that blocks must not keep it lying there, so whoever collects says so
 * with rs_flush_pending(true), and the monitor calls the rescue hook with the slot of a thread that has been in one
 * task for about 10 ms; it runs on the monitor's thread, beside the task. A thread that goes on with a serializer which
 * another one ran before calls it, too: what tasks of one serializer collect leaves in their order. One hook of each
 * kind.
 */
void rs_taskpool_set_flush_hook(void (*hook)(void));
void rs_taskpool_set_rescue_hook(void (*hook)(unsigned slot));
void rs_flush_pending(bool pending); /* of the calling pool thread; elsewhere nothing happens */
/* Around a send of what had been collected, from before it is taken out: until then it is neither here nor gone. */
void rs_flush_sending(bool on);
/* The calling pool thread's slot, below the pool's maximum: one thread at a time has it. UINT_MAX elsewhere. */
unsigned rs_taskpool_slot(void);

/* Called by each pool thread before it waits, on that thread: caches that must not grow old while it sleeps are given
 * back there. One hook. */
void rs_taskpool_set_park_hook(void (*hook)(void));

/*
 * How the watchdog finds the name of a task's module (not NULL). Called on the monitor's thread while the task runs,
 * and must neither block nor log. Before the start; NULL: modules are not named.
 */
void rs_taskpool_set_module_namer(const char *(*namer)(void *module));

/* ---- the executor: blocking work of ours, apart from the pool ---- */

struct rs_job {
	struct rs_job *next;
	void (*work)(struct rs_job *job); /* on an executor thread; may block */
	struct rs_serializer *serializer; /* where done runs; not owned; NULL: any pool thread */
	void (*done)(struct rs_job *job); /* as a task */
	const char *name;
	struct rs_task task;
};
enum rs_executor_lane { RS_LANE_STORE, RS_LANE_NAMES, RS_LANE_FILES, RS_LANE_N }; /* each one thread, in order */
void rs_executor_submit(enum rs_executor_lane lane, struct rs_job *job);

/* ---- life ---- */

struct rs_taskpool_config {
	unsigned minimum, initial, increment, maximum; /* threads; maximum 0: 4096. Defaults 4, 4, 1, 50 */
	unsigned idle_timeout_s;                       /* default 60 */
	unsigned stuck_ms;                             /* the watchdog's limit; default 1000 */
	unsigned processors; /* that many threads work at once, and one more for each that is stuck; default
				rs_processors() */
	bool deterministic;
	uint64_t seed; /* deterministic: which ready serializer or executor job goes next */
};

/* Processors that this process may run on, as found by the first call; at least 1. Any thread. */
unsigned rs_processors(void);

/* 0, or an errno (EALREADY, EINVAL for a maximum below the minimum). NULL and fields that are 0: the defaults. */
int rs_taskpool_start(const struct rs_taskpool_config *config);
/*
 * Waits until nothing is queued or running, jobs of the executor included (no new tasks are refused; timers that are
 * not due do not count). false: timeout, or in the deterministic mode only held jobs are left. Not from a task.
 */
bool rs_taskpool_drain(unsigned timeout_ms);
/*
 * Ends the threads; what is queued on serializers and lanes is run first, armed timers are dropped (their hold given
 * back). Not from a task. What is pushed after it waits for the next start.
 */
void rs_taskpool_stop(void);

/*
 * Every pool and executor thread passes a point where it runs no task and holds no unreferenced pointer (one that waits
 * is at such a point); then done(token) runs as a task on no serializer. For unloading code and freeing snapshots. A
 * task on no serializer that is pushed behind the call never delays it. 0, or ENOMEM: done will not be called. Any
 * thread.
 */
int rs_quiet(void (*done)(void *token), void *token);

struct rs_taskpool_stats {
	unsigned threads, idle, peak_threads; /* idle: parked ones, too */
	unsigned parked;                      /* beyond one for each processor that is not stuck */
	uint64_t grown, shrunk;               /* threads added by the monitor / left */
	uint64_t tasks_run, steals;           /* tasks_run may lag */
	uint64_t queued;                      /* tasks waiting now */
	uint64_t queued_max;
	uint64_t stuck;         /* times the watchdog named a task */
	uint64_t timers;        /* armed now */
	int64_t oldest_wait_us; /* how long the oldest ready serializer has waited, sampled by the monitor */
};
void rs_taskpool_stats(struct rs_taskpool_stats *out);

/* ---- deterministic mode only ---- */

/* Runs one task (or one executor job), chosen by the seed among the (first 64) ready ones; false: nothing to run. */
bool rs_taskpool_step(void);
/* Somebody else than the seed chooses, among n (never 0) that can run; what is not below n counts modulo n. NULL: the
 * seed again. */
void rs_taskpool_set_chooser(uint32_t (*choose)(uint32_t n));
/* When the next timer is due (rs_now_us scale), or INT64_MAX. The caller moves its clock there and calls _advance,
 * which makes the due timers' tasks ready. */
int64_t rs_taskpool_next_timer(void);
void rs_taskpool_advance(void);
/* The executor's jobs are held back (a slow disk) until released. */
void rs_executor_hold(enum rs_executor_lane lane, bool hold);

#endif
