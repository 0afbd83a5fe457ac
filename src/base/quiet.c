/*
 * Quiet points. Each thread has a mark: at work or not, and the newest epoch that it acknowledged between two pieces of
 * work. A request opens an epoch; it is complete when no thread is at work under an older one. Threads look at the
 * epoch only while requests are pending, so the way from task to task costs one load.
 */
#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t epoch;
static struct rs_quiet_request *first, **last = &first;
static _Atomic unsigned pending;

void rs_quiet_lock(void)
{
	pthread_mutex_lock(&lock);
}

void rs_quiet_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static uint64_t oldest_of(struct rs_quiet_mark *mark, uint64_t oldest)
{
	/*
	 * A read that writes: a thread that begins to work later has this behind it, and sees what was unpublished
	 * before the request.
	 */
	uint64_t word = atomic_fetch_add_explicit(&mark->word, 0, memory_order_acq_rel);

	return (word & 1) && word >> 1 < oldest ? word >> 1 : oldest;
}

/* Under the lock, which it gives back. */
static void complete_and_unlock(void)
{
	unsigned slots = atomic_load_explicit(&rs_pool.slots, memory_order_acquire);
	uint64_t oldest = UINT64_MAX;
	struct rs_quiet_request *done = NULL, **tail = &done;

	for (unsigned i = 0; i < slots; i++) {
		struct rs_worker *w = rs_worker_at(i);

		if (w)
			oldest = oldest_of(&w->mark, oldest);
	}
	for (unsigned i = 0; i < RS_LANE_N; i++)
		oldest = oldest_of(rs_executor_mark(i), oldest);
	while (first && first->target <= oldest) {
		*tail = first;
		tail = &first->next;
		first = first->next;
		atomic_fetch_sub_explicit(&pending, 1, memory_order_relaxed);
	}
	*tail = NULL;
	if (!first)
		last = &first;
	pthread_mutex_unlock(&lock);
	while (done) {
		struct rs_quiet_request *r = done;

		done = r->next;
		rs_push(NULL, &r->task);
	}
}

void rs_quiet_point(struct rs_quiet_mark *mark)
{
	if (atomic_load_explicit(&pending, memory_order_acquire) == 0)
		return;
	pthread_mutex_lock(&lock);
	atomic_store_explicit(&mark->word, epoch << 1 | 1, memory_order_release);
	complete_and_unlock();
}

void rs_quiet_enter(struct rs_quiet_mark *mark)
{
	atomic_fetch_or_explicit(&mark->word, 1, memory_order_acq_rel);
	rs_quiet_point(mark);
}

void rs_quiet_leave(struct rs_quiet_mark *mark)
{
	atomic_fetch_and_explicit(&mark->word, ~(uint64_t)1, memory_order_acq_rel);
	if (atomic_load_explicit(&pending, memory_order_acquire) == 0)
		return;
	pthread_mutex_lock(&lock);
	complete_and_unlock();
}

void rs_quiet_ask(struct rs_quiet_request *request)
{
	pthread_mutex_lock(&lock);
	request->target = ++epoch;
	request->next = NULL;
	*last = request;
	last = &request->next;
	atomic_fetch_add_explicit(&pending, 1, memory_order_release);
	complete_and_unlock();
}

struct quiet_call {
	struct rs_quiet_request request;
	void (*done)(void *token);
	void *token;
};

static void quiet_call_run(struct rs_task *task)
{
	struct quiet_call *q = rs_container_of(task, struct quiet_call, request.task);
	void (*done)(void *token) = q->done;
	void *token = q->token;

	free(q);
	done(token);
}

int rs_quiet(void (*done)(void *token), void *token)
{
	struct quiet_call *q = calloc(1, sizeof(*q));

	if (!q)
		return ENOMEM;
	q->done = done;
	q->token = token;
	q->request.task.run = quiet_call_run;
	q->request.task.name = "quiet";
	rs_quiet_ask(&q->request);
	return 0;
}
