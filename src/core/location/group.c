/*
 * Group commit: while one transaction is being written, the updates that arrive gather for the next. A commit costs
 * much and one more row in it little, so a group leaves behind what is ready to run by then: that joins it, and nobody
 * waits for more. When a group fails as a whole, each of its updates is tried by itself, so that one bad row fails
 * nobody else's.
 */
#include "location_private.h"

#include <errno.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct update *waiting, **last = &waiting;
static struct update *group; /* the job's */
static bool running, closed = true;
static struct rs_job job;
static struct rs_task start;

static void work(struct rs_job *j)
{
	int error;

	(void)j;
	pthread_mutex_lock(&lock);
	group = waiting;
	waiting = NULL;
	last = &waiting;
	pthread_mutex_unlock(&lock);

	error = store_write(group, false);
	for (struct update *u = group; u; u = u->next_group) {
		u->error = error && group->next_group ? store_write(u, true) : error;
		if (u->error && u->kind != UPDATE_CHANGES)
			store_forget(u);
	}
	atomic_fetch_add_explicit(&location_counters.commits, 1, memory_order_relaxed);
}

static void submit(struct rs_task *task);

static void leave_soon(void)
{
	start = (struct rs_task){.run = submit, .name = "location commit"};
	rs_push(NULL, &start);
}

static void done(struct rs_job *j)
{
	bool more;

	(void)j;
	for (struct update *u = group, *next; u; u = next) {
		next = u->next_group;
		update_continue(u);
	}
	group = NULL;
	pthread_mutex_lock(&lock);
	more = waiting != NULL;
	running = more;
	if (!more)
		pthread_cond_broadcast(&idle);
	pthread_mutex_unlock(&lock);
	if (more)
		leave_soon();
}

static void submit(struct rs_task *task)
{
	(void)task;
	job = (struct rs_job){.work = work, .done = done, .name = "location commit"};
	rs_executor_submit(RS_LANE_STORE, &job);
}

void group_commit(struct update *u)
{
	bool first;

	u->next_group = NULL;
	pthread_mutex_lock(&lock);
	if (closed) {
		pthread_mutex_unlock(&lock);
		u->error = ESHUTDOWN;
		update_continue(u);
		return;
	}
	*last = u;
	last = &u->next_group;
	first = !running;
	running = true;
	pthread_mutex_unlock(&lock);
	if (first)
		leave_soon();
}

void group_open(void)
{
	pthread_mutex_lock(&lock);
	closed = false;
	pthread_mutex_unlock(&lock);
}

void group_close(void)
{
	pthread_mutex_lock(&lock);
	closed = true;
	while (running)
		pthread_cond_wait(&idle, &lock);
	pthread_mutex_unlock(&lock);
}
