#include "base_test.h"

static _Atomic int ran;

static void count(void *data)
{
	(void)data;
	atomic_fetch_add(&ran, 1);
}

static void the_pool_starts_and_stops_many_times(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		unsigned threads = 1 + (unsigned)i % 8;

		atomic_store(&ran, 0);
		assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){
					 .minimum = threads, .initial = threads, .deterministic = i % 5 == 0}),
				 0);
		assert_int_equal(rs_taskpool_start(NULL), EALREADY);
		for (int k = 0; k < 50; k++)
			push_fn(NULL, count, NULL);
		rs_taskpool_stop();
		assert_int_equal(ran, 50);
		rs_taskpool_stop();
	}
}

static void stop_runs_what_is_queued_first(void **state)
{
	struct rs_serializer *s[10];

	(void)state;
	atomic_store(&ran, 0);
	for (int i = 0; i < 10; i++)
		s[i] = rs_serializer_new("queued");
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 20000; i++)
		push_fn(s[i % 10], count, NULL);
	rs_taskpool_stop();
	assert_int_equal(ran, 20000);
	for (int i = 0; i < 10; i++)
		rs_serializer_unref(s[i]);
}

static void push_more(void *data)
{
	int *left = data;

	atomic_fetch_add(&ran, 1);
	if ((*left)-- > 0)
		push_fn(rs_serializer_current(), push_more, left);
}

static void stop_runs_what_the_last_tasks_push(void **state)
{
	struct rs_serializer *s = rs_serializer_new("more");
	int left = 1000;

	(void)state;
	atomic_store(&ran, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	push_fn(s, push_more, &left);
	rs_taskpool_stop();
	assert_int_equal(ran, 1001);
	rs_serializer_unref(s);
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

static void drain_waits_for_what_runs(void **state)
{
	struct blocker b;

	(void)state;
	sem_init(&b.started, 0, 0);
	sem_init(&b.go, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	assert_true(rs_taskpool_drain(0));
	push_fn(NULL, block, &b);
	wait_sem(&b.started);
	assert_false(rs_taskpool_drain(5));
	sem_post(&b.go);
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stop();
}

static void what_is_pushed_before_the_start_waits_for_it(void **state)
{
	(void)state;
	atomic_store(&ran, 0);
	push_fn(NULL, count, NULL);
	assert_int_equal(ran, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	assert_true(rs_taskpool_drain(30000));
	assert_int_equal(ran, 1);
	rs_taskpool_stop();
}

static _Atomic int flushed, flushed_off_pool;

static void flush(void)
{
	if (!rs_on_pool_thread())
		atomic_fetch_add(&flushed_off_pool, 1);
	atomic_fetch_add(&flushed, 1);
}

static void the_hook_runs_after_the_work_and_before_the_wait(void **state)
{
	(void)state;
	rs_taskpool_set_flush_hook(flush);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 1, .initial = 1}), 0);
	for (int i = 0; i < 20; i++) {
		int before = flushed;

		push_fn(NULL, count, NULL);
		assert_true(rs_taskpool_drain(30000));
		assert_true(EVENTUALLY(flushed > before));
	}
	rs_taskpool_stop();
	rs_taskpool_set_flush_hook(NULL);
	assert_int_equal(flushed_off_pool, 0);
}

static void the_figures_add_up(void **state)
{
	struct rs_taskpool_stats stats;
	struct blocker b;

	(void)state;
	sem_init(&b.started, 0, 0);
	sem_init(&b.go, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 1, .initial = 1, .maximum = 1}), 0);
	rs_taskpool_stats(&stats);
	uint64_t before = stats.tasks_run;

	push_fn(NULL, block, &b);
	wait_sem(&b.started);
	for (int i = 0; i < 10; i++)
		push_fn(NULL, count, NULL);
	rs_taskpool_stats(&stats);
	assert_int_equal(stats.threads, 1);
	assert_int_equal(stats.idle, 0);
	assert_int_equal(stats.queued, 10);
	assert_true(stats.queued_max >= 10);
	/* The monitor samples how long the oldest has waited. */
	do
		rs_taskpool_stats(&stats);
	while (stats.oldest_wait_us == 0 && poll(NULL, 0, 1) == 0);
	assert_true(stats.oldest_wait_us > 0);
	sem_post(&b.go);
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stats(&stats);
	assert_int_equal(stats.tasks_run - before, 11);
	assert_int_equal(stats.queued, 0);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pool_starts_and_stops_many_times),
		cmocka_unit_test(stop_runs_what_is_queued_first),
		cmocka_unit_test(stop_runs_what_the_last_tasks_push),
		cmocka_unit_test(drain_waits_for_what_runs),
		cmocka_unit_test(what_is_pushed_before_the_start_waits_for_it),
		cmocka_unit_test(the_hook_runs_after_the_work_and_before_the_wait),
		cmocka_unit_test(the_figures_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
