/* Threads beyond one for each processor are parked until they are wanted. */
#include "base_test.h"

#include <pthread.h>
#include <time.h>

#define THREADS 4

static struct rs_taskpool_stats stats_now(void)
{
	struct rs_taskpool_stats st;

	rs_taskpool_stats(&st);
	return st;
}

static int start(void **state)
{
	(void)state;
	return rs_taskpool_start(&(struct rs_taskpool_config){
		.minimum = THREADS, .initial = THREADS, .maximum = THREADS, .processors = 1});
}

static int stop(void **state)
{
	(void)state;
	rs_taskpool_stop();
	return 0;
}

static void no_more_threads_wait_for_input_than_there_are_processors(void **state)
{
	(void)state;
	assert_true(EVENTUALLY(stats_now().parked == THREADS - 1));
	assert_int_equal(stats_now().threads, THREADS);
	assert_true(EVENTUALLY(stats_now().idle == THREADS));
}

struct block {
	sem_t started, go;
};

static void block(void *data)
{
	struct block *b = data;

	sem_post(&b->started);
	wait_sem(&b->go);
}

static void a_parked_thread_gets_up_for_each_that_is_stuck_and_parks_again(void **state)
{
	struct block b;
	sem_t other;

	(void)state;
	sem_init(&b.started, 0, 0);
	sem_init(&b.go, 0, 0);
	sem_init(&other, 0, 0);
	for (int i = 0; i < THREADS - 1; i++)
		push_fn(NULL, block, &b);
	for (int i = 0; i < THREADS - 1; i++)
		wait_sem(&b.started);
	/* All three block, and the fourth is there. */
	push_fn(NULL, post_sem, &other);
	wait_sem(&other);
	assert_int_equal(stats_now().grown, 0);
	for (int i = 0; i < THREADS - 1; i++)
		sem_post(&b.go);
	assert_true(EVENTUALLY(stats_now().idle == THREADS));
	/* A thread that waits for input parks when it has something to do the next time. */
	for (int i = 0; i < 1000 && stats_now().parked < THREADS - 1; i++) {
		push_fn(NULL, post_sem, &other);
		wait_sem(&other);
		assert_true(EVENTUALLY(stats_now().idle == THREADS));
	}
	assert_int_equal(stats_now().parked, THREADS - 1);
}

static int count_parked(void *data)
{
	*(unsigned *)data = stats_now().parked;
	return 0;
}

struct caller {
	struct rs_serializer *to;
	unsigned parked;
	sem_t done;
};

static void call(void *data)
{
	struct caller *c = data;

	rs_call(c->to, count_parked, &c->parked, NULL, "count", NULL);
	sem_post(&c->done);
}

static void who_waits_for_another_serializer_lends_its_processor(void **state)
{
	struct caller c = {.to = rs_serializer_new("other"), .parked = 99};

	(void)state;
	sem_init(&c.done, 0, 0);
	assert_true(EVENTUALLY(stats_now().parked == THREADS - 1));
	push_fn(NULL, call, &c);
	wait_sem(&c.done);
	assert_in_range(c.parked, 0, THREADS - 2);
	rs_serializer_unref(c.to);
}

struct lookups {
	_Atomic bool enough;
	_Atomic int running;
};

/* Blocks shortly, as a lookup in somebody's database may: never long enough to be called stuck. */
static void look_up(void *data)
{
	struct lookups *l = data;

	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	if (atomic_load(&l->enough))
		atomic_fetch_sub(&l->running, 1);
	else
		push_fn(NULL, look_up, l);
}

static void tasks_that_block_shortly_do_not_leave_the_processors_idle(void **state)
{
	struct lookups l = {.running = 8};

	(void)state;
	for (int i = 0; i < 8; i++)
		push_fn(NULL, look_up, &l);
	assert_true(EVENTUALLY(stats_now().parked == 0));
	assert_int_equal(stats_now().stuck, 0);
	atomic_store(&l.enough, true);
	assert_true(EVENTUALLY(atomic_load(&l.running) == 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_more_threads_wait_for_input_than_there_are_processors, start, stop),
		cmocka_unit_test_setup_teardown(a_parked_thread_gets_up_for_each_that_is_stuck_and_parks_again, start,
						stop),
		cmocka_unit_test_setup_teardown(who_waits_for_another_serializer_lends_its_processor, start, stop),
		cmocka_unit_test_setup_teardown(tasks_that_block_shortly_do_not_leave_the_processors_idle, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
