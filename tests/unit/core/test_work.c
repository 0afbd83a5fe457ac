/* Works, tasks and timers of the design, on a pool of real threads. */
#include "core/core.h"
#include "core/pipeline.h"
#include "core/work.h"
#include "res_sip/res_sip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TASKS 2000

static int setup(void **state)
{
	(void)state;
	ast_sip_work_prepare();
	return rs_taskpool_start(NULL);
}

static int teardown(void **state)
{
	(void)state;
	rs_taskpool_stop();
	return 0;
}

struct count {
	unsigned next; /* unguarded: the work is what guards it */
	bool wrong;
};

struct numbered {
	struct count *count;
	unsigned n;
};

static int in_order(void *data)
{
	struct numbered *t = data;

	if (t->count->next++ != t->n)
		t->count->wrong = true;
	return 0;
}

static int nothing(void *data)
{
	(void)data;
	return 17;
}

static void tasks_of_a_work_run_one_after_another_in_push_order(void **state)
{
	static struct numbered tasks[2][TASKS];
	struct count counts[2] = {{0}, {0}};
	struct ast_sip_work *works[2] = {ast_sip_create_work(), ast_sip_create_work()};

	(void)state;
	for (unsigned n = 0; n < TASKS; n++) {
		for (unsigned w = 0; w < 2; w++) {
			tasks[w][n] = (struct numbered){&counts[w], n};
			assert_int_equal(ast_sip_push_task(works[w], in_order, &tasks[w][n]), 0);
		}
	}
	for (unsigned w = 0; w < 2; w++) {
		assert_int_equal(ast_sip_push_task_wait(works[w], nothing, NULL, NULL), 0);
		assert_int_equal(counts[w].next, TASKS);
		assert_false(counts[w].wrong);
		ast_sip_destroy_work(works[w]);
	}
}

static sem_t gate;
static _Atomic unsigned ran;

static int wait_at_gate(void *data)
{
	(void)data;
	sem_wait(&gate);
	return 0;
}

static int note(void *data)
{
	(void)data;
	atomic_fetch_add(&ran, 1);
	return 0;
}

static void destroying_a_work_runs_what_is_queued_first(void **state)
{
	struct ast_sip_work *work = ast_sip_create_work();

	(void)state;
	sem_init(&gate, 0, 0);
	atomic_store(&ran, 0);
	assert_int_equal(ast_sip_push_task(work, wait_at_gate, NULL), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ast_sip_push_task(work, note, NULL), 0);
	ast_sip_destroy_work(work);
	assert_int_equal(atomic_load(&ran), 0);
	sem_post(&gate);
	assert_true(rs_taskpool_drain(10000));
	assert_int_equal(atomic_load(&ran), 10);
}

static void a_blocked_work_delays_no_other(void **state)
{
	struct ast_sip_work *blocked = ast_sip_create_work(), *other = ast_sip_create_work();

	(void)state;
	sem_init(&gate, 0, 0);
	assert_int_equal(ast_sip_push_task(blocked, wait_at_gate, NULL), 0);
	assert_int_equal(ast_sip_push_task_wait(other, nothing, NULL, NULL), 0);
	sem_post(&gate);
	ast_sip_destroy_work(blocked);
	ast_sip_destroy_work(other);
}

static void without_a_work_a_task_runs_on_any_thread(void **state)
{
	int result = 0;

	(void)state;
	atomic_store(&ran, 0);
	assert_int_equal(ast_sip_push_task(NULL, note, NULL), 0);
	assert_true(rs_taskpool_drain(10000));
	assert_int_equal(atomic_load(&ran), 1);
	assert_int_equal(ast_sip_push_task_wait(NULL, nothing, NULL, &result), 0);
	assert_int_equal(result, 17);
}

struct nest {
	struct ast_sip_work *own, *other;
	int rc, error, result;
};

static int wait_on_own(void *data)
{
	struct nest *n = data;

	assert_ptr_equal(ast_sip_current_work(), n->own);
	n->rc = ast_sip_push_task_wait(n->own, nothing, NULL, &n->result);
	return 5;
}

static void a_wait_on_the_own_work_runs_in_place(void **state)
{
	struct nest n = {.own = ast_sip_create_work(), .rc = -1};
	int result = 0;

	(void)state;
	assert_null(ast_sip_current_work());
	assert_int_equal(ast_sip_push_task_wait(n.own, wait_on_own, &n, &result), 0);
	assert_int_equal(result, 5);
	assert_int_equal(n.rc, 0);
	assert_int_equal(n.result, 17);
	ast_sip_destroy_work(n.own);
}

static int back_to_own(void *data)
{
	struct nest *n = data;

	n->rc = ast_sip_push_task_wait(n->own, nothing, NULL, NULL);
	n->error = errno;
	return 0;
}

static int over_to_other(void *data)
{
	struct nest *n = data;

	return ast_sip_push_task_wait(n->other, back_to_own, n, NULL);
}

static void a_cycle_of_waits_is_refused(void **state)
{
	struct nest n = {.own = ast_sip_create_work(), .other = ast_sip_create_work()};
	int result = -1;

	(void)state;
	assert_int_equal(ast_sip_push_task_wait(n.own, over_to_other, &n, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(n.rc, -1);
	assert_int_equal(n.error, EDEADLK);
	ast_sip_destroy_work(n.own);
	ast_sip_destroy_work(n.other);
}

static void after_the_end_tasks_are_refused(void **state)
{
	struct ast_sip_work *work = ast_sip_create_work();

	(void)state;
	ast_sip_work_open(false);
	assert_int_equal(ast_sip_push_task(work, nothing, NULL), -1);
	assert_int_equal(errno, ESHUTDOWN);
	assert_int_equal(ast_sip_push_task_wait(work, nothing, NULL, NULL), -1);
	assert_int_equal(errno, ESHUTDOWN);
	ast_sip_work_open(true);
	ast_sip_destroy_work(work);
}

static void asterisk_s_names_mean_the_same(void **state)
{
	struct ast_sip_work *work = ast_sip_create_serializer();

	(void)state;
	assert_non_null(work);
	assert_int_equal(ast_sip_push_task_synchronous(work, nothing, NULL), 0);
	assert_non_null(ast_sip_work_serializer(work));
	ast_sip_destroy_work(work);
}

/* ---- timers ---- */

struct ticking {
	struct ast_sip_work *work;
	struct ast_sip_timer *timer;
	_Atomic unsigned fired;
	sem_t done;
};

static void tick(void *data)
{
	struct ticking *t = data;

	assert_ptr_equal(ast_sip_current_work(), t->work);
	if (atomic_fetch_add(&t->fired, 1) + 1 == 3)
		sem_post(&t->done);
	else
		ast_sip_timer_start(t->timer, 1);
}

static void a_timer_fires_on_its_work_and_may_start_again(void **state)
{
	struct ticking t = {.work = ast_sip_create_work()};

	(void)state;
	sem_init(&t.done, 0, 0);
	t.timer = ast_sip_timer_new(t.work, tick, &t);
	assert_non_null(t.timer);
	ast_sip_timer_start(t.timer, 1);
	sem_wait(&t.done);
	assert_int_equal(atomic_load(&t.fired), 3);
	ast_sip_timer_free(t.timer);
	ast_sip_destroy_work(t.work);
}

static void a_timer_stopped_or_freed_does_not_fire(void **state)
{
	struct ticking t = {.work = ast_sip_create_work()};

	(void)state;
	t.timer = ast_sip_timer_new(t.work, tick, &t);
	ast_sip_timer_start(t.timer, 60000);
	ast_sip_timer_stop(t.timer);
	ast_sip_timer_start(t.timer, 60000);
	ast_sip_timer_free(t.timer);
	assert_true(rs_taskpool_drain(10000));
	assert_int_equal(atomic_load(&t.fired), 0);
	ast_sip_destroy_work(t.work);
}

static void *hammer(void *data)
{
	struct ticking *t = data;

	for (unsigned i = 0; i < 500; i++) {
		ast_sip_timer_start(t->timer, 60000);
		ast_sip_timer_stop(t->timer);
	}
	return NULL;
}

static void any_thread_may_start_and_stop_a_timer(void **state)
{
	struct ticking t = {.work = ast_sip_create_work()};
	pthread_t threads[3];

	(void)state;
	t.timer = ast_sip_timer_new(t.work, tick, &t);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &t), 0);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ast_sip_timer_free(t.timer);
	assert_true(rs_taskpool_drain(10000));
	assert_int_equal(atomic_load(&t.fired), 0);
	ast_sip_destroy_work(t.work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(tasks_of_a_work_run_one_after_another_in_push_order),
		T(destroying_a_work_runs_what_is_queued_first),
		T(a_blocked_work_delays_no_other),
		T(without_a_work_a_task_runs_on_any_thread),
		T(a_wait_on_the_own_work_runs_in_place),
		T(a_cycle_of_waits_is_refused),
		T(after_the_end_tasks_are_refused),
		T(asterisk_s_names_mean_the_same),
		T(a_timer_fires_on_its_work_and_may_start_again),
		T(a_timer_stopped_or_freed_does_not_fire),
		T(any_thread_may_start_and_stop_a_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
