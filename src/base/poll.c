/*
 * Reading. Every thread waits in one epoll. An event names a slot and the slot's generation, never a pointer: between
 * the kernel's answer and the callback the fd may have been removed. A removal first changes the generation, then waits
 * for a quiet point, so whoever still found the old one is out of the callback before done is called.
 */
#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHUNK_SLOTS 1024
/* A million fds, the most that Linux gives a process by default. */
#define CHUNKS 1024
/* Events taken by one thread at once: few, so that a callback that takes long holds few others back. */
#define EVENTS_AT_ONCE 8

enum { EVENT_WAKE, EVENT_TIMER, EVENT_FIRST_SLOT };

struct poll_slot {
	_Atomic uint32_t gen;
	uint32_t next_free; /* index + 1 */
	_Atomic(struct rs_poll *) poll;
	void (*done)(struct rs_poll *p);
	struct rs_quiet_request removal;
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct poll_slot *) chunks[CHUNKS]; /* never given back */
static uint32_t slots_made, slots_free;            /* slots_free: index + 1 */

static struct poll_slot *slot_at(uint32_t index)
{
	struct poll_slot *chunk = atomic_load_explicit(&chunks[index / CHUNK_SLOTS], memory_order_acquire);

	return &chunk[index % CHUNK_SLOTS];
}

/* Index of a free slot + 1, or 0. */
static uint32_t slot_take(void)
{
	uint32_t slot = 0;

	pthread_mutex_lock(&slots_lock);
	if (slots_free) {
		slot = slots_free;
		slots_free = slot_at(slot - 1)->next_free;
		goto out;
	}
	if (slots_made == CHUNKS * CHUNK_SLOTS)
		goto out;
	if (slots_made % CHUNK_SLOTS == 0) {
		struct poll_slot *chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));

		if (!chunk)
			goto out;
		atomic_store_explicit(&chunks[slots_made / CHUNK_SLOTS], chunk, memory_order_release);
	}
	slot = ++slots_made;
out:
	pthread_mutex_unlock(&slots_lock);
	return slot;
}

static void slot_give(uint32_t slot)
{
	pthread_mutex_lock(&slots_lock);
	slot_at(slot - 1)->next_free = slots_free;
	slots_free = slot;
	pthread_mutex_unlock(&slots_lock);
}

static int control(struct rs_poll *p, int op, uint32_t events)
{
	struct poll_slot *slot = slot_at(p->slot - 1);
	struct epoll_event ev = {.events = events | EPOLLONESHOT};

	ev.data.u64 = (uint64_t)atomic_load(&slot->gen) << 32 | (p->slot - 1 + EVENT_FIRST_SLOT);
	return epoll_ctl(rs_pool.epoll_fd, op, p->fd, &ev) < 0 ? errno : 0;
}

int rs_poll_add(struct rs_poll *p, int fd, void (*ready)(struct rs_poll *, uint32_t), uint32_t events)
{
	int err;

	if (rs_pool.config.deterministic || rs_pool.epoll_fd < 0)
		return ENOTSUP;
	p->fd = fd;
	p->ready = ready;
	p->slot = slot_take();
	if (!p->slot)
		return ENOMEM;
	atomic_store_explicit(&slot_at(p->slot - 1)->poll, p, memory_order_release);
	err = control(p, EPOLL_CTL_ADD, events);
	if (err) {
		slot_give(p->slot);
		p->slot = 0;
	}
	return err;
}

int rs_poll_arm(struct rs_poll *p, uint32_t events)
{
	if (rs_pool.config.deterministic || rs_pool.epoll_fd < 0)
		return ENOTSUP;
	return control(p, EPOLL_CTL_MOD, events);
}

static void removal_run(struct rs_task *task)
{
	struct poll_slot *slot = rs_container_of(task, struct poll_slot, removal.task);
	struct rs_poll *p = atomic_load_explicit(&slot->poll, memory_order_relaxed);
	void (*done)(struct rs_poll *) = slot->done;

	slot_give(p->slot);
	p->slot = 0;
	done(p);
}

void rs_poll_remove(struct rs_poll *p, void (*done)(struct rs_poll *p))
{
	struct poll_slot *slot = slot_at(p->slot - 1);

	slot->done = done;
	slot->removal.task.run = removal_run;
	slot->removal.task.name = "poll.removed";
	atomic_fetch_add_explicit(&slot->gen, 1, memory_order_acq_rel);
	if (rs_pool.epoll_fd >= 0)
		epoll_ctl(rs_pool.epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
	if (atomic_load(&rs_pool.state) == RS_POOL_STOPPED)
		removal_run(&slot->removal.task);
	else
		rs_quiet_ask(&slot->removal);
}

static void dispatch(struct rs_worker *w, const struct epoll_event *ev)
{
	uint32_t index = (uint32_t)ev->data.u64;
	struct poll_slot *slot;

	if (index == EVENT_WAKE) {
		/* Read and written at once: what was pushed before somebody found this set is visible from here on. */
		atomic_exchange(&rs_pool.wake_pending, false);
		return;
	}
	if (index == EVENT_TIMER) {
		rs_timers_expire();
		return;
	}
	slot = slot_at(index - EVENT_FIRST_SLOT);
	if (atomic_load_explicit(&slot->gen, memory_order_acquire) == (uint32_t)(ev->data.u64 >> 32)) {
		struct rs_poll *p = atomic_load_explicit(&slot->poll, memory_order_acquire);

		rs_worker_begin(w, "poll", NULL, NULL);
		p->ready(p, ev->events);
		rs_worker_end(w);
		rs_push_flush();
	}
}

bool rs_poll_wait(struct rs_worker *w, int timeout_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n;

	if (timeout_ms == 0) {
		n = epoll_wait(rs_pool.epoll_fd, events, EVENTS_AT_ONCE, 0);
	} else {
		n = epoll_wait(rs_pool.epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
		rs_quiet_enter(&w->mark);
		if (n == 0)
			return false; /* the caller still counts as idle */
		if (atomic_fetch_sub(&rs_pool.idle, 1) == 1)
			rs_monitor_nudge();
		else
			rs_monitor_awake();
	}
	for (int i = 0; i < n; i++)
		dispatch(w, &events[i]);
	return n > 0 || timeout_ms != 0;
}

static int watch(int fd, uint32_t id)
{
	/* Edge-triggered and never read: each write, each expiry wakes one thread. */
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = id};

	return epoll_ctl(rs_pool.epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? errno : 0;
}

int rs_poll_open(void)
{
	int err;

	rs_pool.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rs_pool.epoll_fd < 0)
		return errno;
	rs_pool.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rs_pool.wake_fd < 0)
		return errno;
	rs_pool.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (rs_pool.timer_fd < 0)
		return errno;
	err = watch(rs_pool.wake_fd, EVENT_WAKE);
	return err ? err : watch(rs_pool.timer_fd, EVENT_TIMER);
}

void rs_poll_wake_all(void)
{
	/* Level-triggered from here on, and never read: every thread that waits sees it, and goes on seeing it. */
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = EVENT_WAKE};

	if (rs_pool.epoll_fd < 0 || rs_pool.wake_fd < 0)
		return;
	eventfd_write(rs_pool.wake_fd, 1);
	epoll_ctl(rs_pool.epoll_fd, EPOLL_CTL_MOD, rs_pool.wake_fd, &ev);
}

void rs_poll_close(void)
{
	int *fds[] = {&rs_pool.timer_fd, &rs_pool.wake_fd, &rs_pool.epoll_fd};

	for (size_t i = 0; i < RS_ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
