#include "base_test.h"

#include <errno.h>
#include <pthread.h>

struct job {
	struct rs_job job;
	int number;
};

static struct rs_serializer *s;
static int works, dones, disorder;
static pthread_t lane_thread;
static _Atomic int on_pool, done_elsewhere;

static void work(struct rs_job *rj)
{
	struct job *j = rs_container_of(rj, struct job, job);

	if (rs_on_pool_thread())
		atomic_fetch_add(&on_pool, 1);
	if (works == 0)
		lane_thread = pthread_self();
	if (j->number != works++ || !pthread_equal(lane_thread, pthread_self()))
		disorder++;
}

static void done(struct rs_job *rj)
{
	struct job *j = rs_container_of(rj, struct job, job);

	if (rs_serializer_current() != s)
		atomic_fetch_add(&done_elsewhere, 1);
	if (j->number != dones++)
		disorder++;
	free(j);
}

static void jobs_run_in_order_off_the_pool_and_end_on_their_serializer(void **state)
{
	enum { N = 2000 };

	(void)state;
	s = rs_serializer_new("done");
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < N; i++) {
		struct job *j = calloc(1, sizeof(*j));

		j->job.work = work;
		j->job.done = done;
		j->job.serializer = s;
		j->job.name = "job";
		j->number = i;
		rs_executor_submit(RS_LANE_STORE, &j->job);
	}
	assert_true(rs_taskpool_drain(30000));
	assert_int_equal(works, N);
	assert_int_equal(dones, N);
	assert_int_equal(disorder, 0);
	assert_int_equal(on_pool, 0);
	assert_int_equal(done_elsewhere, 0);
	rs_taskpool_stop();
	rs_serializer_unref(s);
}

struct blocking {
	struct rs_job job;
	sem_t started, go, done;
};

static void block(struct rs_job *rj)
{
	struct blocking *b = rs_container_of(rj, struct blocking, job);

	sem_post(&b->started);
	wait_sem(&b->go);
}

static void blocked_done(struct rs_job *rj)
{
	sem_post(&rs_container_of(rj, struct blocking, job)->done);
}

static void a_job_that_blocks_holds_neither_the_pool_nor_other_lanes(void **state)
{
	struct blocking slow = {.job = {.work = block, .done = blocked_done, .name = "slow"}};
	struct blocking fast = {.job = {.work = block, .done = blocked_done, .name = "fast"}};
	struct rs_taskpool_stats stats;
	sem_t other;

	(void)state;
	sem_init(&other, 0, 0);
	sem_init(&slow.started, 0, 0);
	sem_init(&slow.go, 0, 0);
	sem_init(&slow.done, 0, 0);
	sem_init(&fast.started, 0, 0);
	sem_init(&fast.go, 0, 1);
	sem_init(&fast.done, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 1, .initial = 1, .maximum = 1}), 0);
	rs_executor_submit(RS_LANE_STORE, &slow.job);
	wait_sem(&slow.started);
	push_fn(NULL, post_sem, &other);
	wait_sem(&other);
	rs_executor_submit(RS_LANE_NAMES, &fast.job);
	wait_sem(&fast.done);
	assert_false(rs_taskpool_drain(1));
	rs_taskpool_stats(&stats);
	assert_int_equal(stats.threads, 1);
	sem_post(&slow.go);
	wait_sem(&slow.done);
	rs_taskpool_stop();
}

static void counted(struct rs_job *rj)
{
	works++;
	free(rj);
}

static void stop_runs_what_is_queued(void **state)
{
	(void)state;
	works = 0;
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 100; i++) {
		struct rs_job *j = calloc(1, sizeof(*j));

		j->work = counted;
		j->name = "job";
		rs_executor_submit(RS_LANE_FILES, j);
	}
	rs_taskpool_stop();
	assert_int_equal(works, 100);
}

/* The linker sends the product's calls here. */
static _Atomic bool no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return no_threads ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static void counted_order(struct rs_job *rj)
{
	struct job *j = rs_container_of(rj, struct job, job);

	if (j->number != works++)
		disorder++;
	free(j);
}

/* One job that waits for a thread would hold up everything that waits for the job. */
static void a_lane_that_gets_no_thread_is_served_by_the_pool(void **state)
{
	(void)state;
	works = disorder = 0;
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 200; i++) {
		struct job *j = calloc(1, sizeof(*j));

		no_threads = i < 100;
		j->job.work = counted_order;
		j->job.name = "job";
		j->number = i;
		rs_executor_submit(RS_LANE_NAMES, &j->job);
		if (i % 50 == 0)
			assert_true(rs_taskpool_drain(30000));
	}
	assert_true(rs_taskpool_drain(30000));
	assert_int_equal(works, 200);
	assert_int_equal(disorder, 0);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_in_order_off_the_pool_and_end_on_their_serializer),
		cmocka_unit_test(a_job_that_blocks_holds_neither_the_pool_nor_other_lanes),
		cmocka_unit_test(stop_runs_what_is_queued),
		cmocka_unit_test(a_lane_that_gets_no_thread_is_served_by_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
