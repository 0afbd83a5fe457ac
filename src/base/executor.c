/* The executor: one thread a lane, made at the lane's first job. */
#include "base/pool.h"
#include "base/log.h"
#include "base/slab.h"

#include <signal.h>

struct lane {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct rs_job *first, *last;
	bool started, ending;
	bool held;     /* deterministic mode */
	bool borrowed; /* no thread could be made: a task of the pool does what is queued */
	struct rs_task task;
	pthread_t thread;
	struct rs_quiet_mark mark;
};

#define LANE_INIT                                                                                                      \
	{                                                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER                                    \
	}
static struct lane lanes[RS_LANE_N] = {LANE_INIT, LANE_INIT, LANE_INIT};
static const char *const lane_names[RS_LANE_N] = {"lane-store", "lane-names", "lane-files"};

struct rs_quiet_mark *rs_executor_mark(unsigned lane)
{
	return &lanes[lane].mark;
}

/* Under the lock. */
static struct rs_job *lane_take(struct lane *l)
{
	struct rs_job *job = l->first;

	if (job) {
		l->first = job->next;
		if (!l->first)
			l->last = NULL;
	}
	return job;
}

static void done_run(struct rs_task *task)
{
	struct rs_job *job = rs_container_of(task, struct rs_job, task);

	job->done(job);
}

static void job_run(struct rs_job *job)
{
	/* Read first: without done, the job may be gone after its work. */
	bool has_done = job->done != NULL;

	job->work(job);
	if (has_done)
		rs_push(job->serializer, &job->task);
	rs_pool_count_done();
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;

	pthread_setname_np(pthread_self(), lane_names[l - lanes]);
	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct rs_job *job = lane_take(l);

		if (job) {
			pthread_mutex_unlock(&l->lock);
			rs_quiet_enter(&l->mark);
			job_run(job);
			rs_quiet_leave(&l->mark);
			pthread_mutex_lock(&l->lock);
		} else if (l->ending) {
			break;
		} else {
			pthread_cond_wait(&l->cond, &l->lock);
		}
	}
	pthread_mutex_unlock(&l->lock);
	rs_slab_thread_fini();
	return NULL;
}

/* What is queued must not wait for the next job, which may never come. */
static void lane_borrow(struct rs_task *task)
{
	struct lane *l = rs_container_of(task, struct lane, task);
	struct rs_job *job;

	pthread_mutex_lock(&l->lock);
	while ((job = lane_take(l)) != NULL) {
		pthread_mutex_unlock(&l->lock);
		job_run(job);
		pthread_mutex_lock(&l->lock);
	}
	l->borrowed = false;
	pthread_mutex_unlock(&l->lock);
}

/* Under the lock. A thread that cannot be made now is tried again later. */
static int lane_start(struct lane *l)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&l->thread, NULL, lane_main, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	l->started = err == 0;
	return err;
}

void rs_executor_submit(enum rs_executor_lane lane, struct rs_job *job)
{
	struct lane *l = &lanes[lane];
	bool wake = !rs_pool.config.deterministic;
	int err = 0;

	job->next = NULL;
	job->task.run = done_run;
	job->task.name = job->name;
	rs_pool_count_pushed();
	pthread_mutex_lock(&l->lock);
	if (l->last)
		l->last->next = job;
	else
		l->first = job;
	l->last = job;
	if (wake && !l->started && !l->ending && !l->borrowed) {
		err = lane_start(l);
		l->borrowed |= err != 0;
	}
	pthread_mutex_unlock(&l->lock);
	/* Not under the lock, at which the woken thread would have to wait. */
	if (wake)
		pthread_cond_signal(&l->cond);
	if (!err)
		return;
	rs_event(RS_LOG_WARNING, "executor.no_thread", RS_FZ("lane", lane_names[lane]), RS_FZ("error", strerror(err)));
	l->task.run = lane_borrow;
	l->task.name = lane_names[lane];
	rs_push(NULL, &l->task);
}

void rs_executor_stop(void)
{
	for (unsigned i = 0; i < RS_LANE_N; i++) {
		struct lane *l = &lanes[i];
		struct rs_job *job;
		bool started;

		pthread_mutex_lock(&l->lock);
		started = l->started;
		l->ending = started;
		l->held = false;
		pthread_cond_signal(&l->cond);
		pthread_mutex_unlock(&l->lock);
		if (started)
			pthread_join(l->thread, NULL);
		pthread_mutex_lock(&l->lock);
		l->started = l->ending = false;
		while ((job = lane_take(l)) != NULL) {
			pthread_mutex_unlock(&l->lock);
			job_run(job);
			pthread_mutex_lock(&l->lock);
		}
		pthread_mutex_unlock(&l->lock);
	}
}

/* ---- deterministic mode ---- */

static bool runnable(const struct lane *l)
{
	return l->first && !l->held;
}

void rs_executor_hold(enum rs_executor_lane lane, bool hold)
{
	lanes[lane].held = hold;
}

unsigned rs_executor_runnable(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RS_LANE_N; i++)
		n += runnable(&lanes[i]);
	return n;
}

void rs_executor_run(unsigned k)
{
	for (unsigned i = 0; i < RS_LANE_N; i++) {
		if (runnable(&lanes[i]) && k-- == 0) {
			job_run(lane_take(&lanes[i]));
			return;
		}
	}
}
