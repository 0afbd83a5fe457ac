#include "base_test.h"

struct snapshot {
	_Atomic int alive;
	int value;
};

static _Atomic(struct snapshot *) current;
static _Atomic int wrong, freed, readers_left;

static void snapshot_free(void *token)
{
	struct snapshot *s = token;

	atomic_fetch_add(&freed, 1);
	free(s);
}

/* Reads through a pointer that nobody keeps for it, as the hot path does. */
static void read_snapshot(struct rs_task *task)
{
	struct snapshot *s = atomic_load_explicit(&current, memory_order_acquire);

	if (s->value != 4711)
		atomic_fetch_add(&wrong, 1);
	if (atomic_fetch_sub(&readers_left, 1) > 0)
		rs_push(NULL, task);
	else
		free(task);
}

static struct snapshot *snapshot_new(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	s->value = 4711;
	return s;
}

static void nothing_is_freed_under_a_running_task(void **state)
{
	enum { SWAPS = 300 };

	(void)state;
	atomic_store(&current, snapshot_new());
	atomic_store(&readers_left, 50000);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 8; i++) {
		struct rs_task *t = calloc(1, sizeof(*t));

		t->run = read_snapshot;
		t->name = "read";
		rs_push(NULL, t);
	}
	for (int i = 0; i < SWAPS; i++)
		assert_int_equal(rs_quiet(snapshot_free, atomic_exchange(&current, snapshot_new())), 0);
	assert_true(EVENTUALLY(freed == SWAPS));
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stop();
	assert_int_equal(wrong, 0);
	free(atomic_load(&current));
}

struct blocker {
	sem_t started, go;
};

static void block(void *data)
{
	struct blocker *b = data;

	sem_post(&b->started);
	wait_sem(&b->go);
}

static void block_job(struct rs_job *job);

struct blocking_job {
	struct rs_job job;
	struct blocker b;
};

static void block_job(struct rs_job *job)
{
	block(&rs_container_of(job, struct blocking_job, job)->b);
}

static void it_waits_for_a_task_that_runs_and_not_for_one_that_came_later(void **state)
{
	struct blocker before, after;
	sem_t quiet, quiet_too;

	(void)state;
	sem_init(&before.started, 0, 0);
	sem_init(&before.go, 0, 0);
	sem_init(&after.started, 0, 0);
	sem_init(&after.go, 0, 0);
	sem_init(&quiet, 0, 0);
	sem_init(&quiet_too, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	push_fn(NULL, block, &before);
	wait_sem(&before.started);
	assert_int_equal(rs_quiet(post_sem, &quiet), 0);
	push_fn(NULL, block, &after);
	wait_sem(&after.started);
	/* Whatever is pushed now runs, the quiet point's task does not. */
	push_fn(NULL, post_sem, &quiet_too);
	wait_sem(&quiet_too);
	assert_int_equal(sem_trywait(&quiet), -1);
	sem_post(&before.go);
	wait_sem(&quiet);
	sem_post(&after.go);
	rs_taskpool_stop();
}

static void idle_threads_need_not_wake(void **state)
{
	sem_t quiet;

	(void)state;
	sem_init(&quiet, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 8, .initial = 8}), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rs_quiet(post_sem, &quiet), 0);
		wait_sem(&quiet);
	}
	rs_taskpool_stop();
}

static void it_waits_for_executor_jobs(void **state)
{
	struct blocking_job j = {.job = {.work = block_job, .name = "job"}};
	sem_t quiet, other;

	(void)state;
	sem_init(&quiet, 0, 0);
	sem_init(&other, 0, 0);
	sem_init(&j.b.started, 0, 0);
	sem_init(&j.b.go, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	rs_executor_submit(RS_LANE_FILES, &j.job);
	wait_sem(&j.b.started);
	assert_int_equal(rs_quiet(post_sem, &quiet), 0);
	push_fn(NULL, post_sem, &other);
	wait_sem(&other);
	assert_int_equal(sem_trywait(&quiet), -1);
	sem_post(&j.b.go);
	wait_sem(&quiet);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_freed_under_a_running_task),
		cmocka_unit_test(it_waits_for_a_task_that_runs_and_not_for_one_that_came_later),
		cmocka_unit_test(idle_threads_need_not_wake),
		cmocka_unit_test(it_waits_for_executor_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
