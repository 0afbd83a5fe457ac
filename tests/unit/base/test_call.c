#include "base_test.h"

static struct rs_serializer *a, *b, *c;

static int start(void **state)
{
	(void)state;
	a = rs_serializer_new("a");
	b = rs_serializer_new("b");
	c = rs_serializer_new("c");
	return rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 1, .initial = 1, .maximum = 10});
}

static int stop(void **state)
{
	(void)state;
	rs_taskpool_stop();
	rs_serializer_unref(a);
	rs_serializer_unref(b);
	rs_serializer_unref(c);
	return 0;
}

static int current_is_b(void *data)
{
	(void)data;
	return rs_serializer_current() == b ? 17 : -1;
}

static void a_call_from_outside_runs_on_the_serializer(void **state)
{
	int result = 0;

	(void)state;
	assert_int_equal(rs_call(b, current_is_b, NULL, &result, "test", NULL), 0);
	assert_int_equal(result, 17);
	assert_int_equal(rs_call(b, current_is_b, NULL, NULL, "test", NULL), 0);
}

struct seen {
	int err, result, inner;
	sem_t done;
};

static int in_place(void *data)
{
	struct seen *s = data;

	s->inner = 1;
	return 5;
}

static void call_own(void *data)
{
	struct seen *s = data;

	/* Were it queued, it would wait for this very task. */
	s->err = rs_call(a, in_place, s, &s->result, "test", NULL);
	sem_post(&s->done);
}

static void a_call_to_the_own_serializer_runs_in_place(void **state)
{
	struct seen s = {.err = -1};

	(void)state;
	sem_init(&s.done, 0, 0);
	push_fn(a, call_own, &s);
	wait_sem(&s.done);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.result, 5);
	assert_int_equal(s.inner, 1);
}

static int never(void *data)
{
	*(int *)data = 1;
	return 0;
}

static int ran_anyway;

static int back_to_a(void *data)
{
	(void)data;
	return rs_call(a, never, &ran_anyway, NULL, "test", NULL);
}

static int over_to_c(void *data)
{
	int result = -1;
	int err = rs_call(c, back_to_a, data, &result, "test", NULL);

	return err ? -err : result;
}

static void call_round(void *data)
{
	struct seen *s = data;

	s->err = rs_call(b, over_to_c, NULL, &s->result, "test", NULL);
	sem_post(&s->done);
}

static void a_cycle_of_waits_is_refused_where_it_would_close(void **state)
{
	struct seen s = {.err = -1};

	(void)state;
	sem_init(&s.done, 0, 0);
	ran_anyway = 0;
	push_fn(a, call_round, &s);
	wait_sem(&s.done);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.result, EDEADLK);
	assert_true(rs_taskpool_drain(30000));
	assert_int_equal(ran_anyway, 0);
}

struct cross {
	struct rs_serializer *to;
	sem_t *arrived, *go;
	int err;
	sem_t *done;
};

static int nothing(void *data)
{
	(void)data;
	return 0;
}

static void call_cross(void *data)
{
	struct cross *x = data;

	sem_post(x->arrived);
	wait_sem(x->go);
	x->err = rs_call(x->to, nothing, NULL, NULL, "test", NULL);
	sem_post(x->done);
}

/* a calls b while b calls a: one of them is refused, the other gets through. */
static void of_two_that_call_each_other_one_is_refused(void **state)
{
	sem_t arrived, go, done;
	struct cross x = {b, &arrived, &go, -1, &done}, y = {a, &arrived, &go, -1, &done};

	(void)state;
	sem_init(&arrived, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&done, 0, 0);
	for (int i = 0; i < 50; i++) {
		push_fn(a, call_cross, &x);
		push_fn(b, call_cross, &y);
		wait_sem(&arrived);
		wait_sem(&arrived);
		sem_post(&go);
		sem_post(&go);
		wait_sem(&done);
		wait_sem(&done);
		assert_true(x.err == 0 || x.err == EDEADLK);
		assert_true(y.err == 0 || y.err == EDEADLK);
		assert_true(x.err == 0 || y.err == 0);
	}
}

static void a_call_to_a_stopped_pool_is_refused(void **state)
{
	int ran = 0;

	(void)state;
	rs_taskpool_stop();
	assert_int_equal(rs_call(b, never, &ran, NULL, "test", NULL), ESHUTDOWN);
	assert_int_equal(ran, 0);
}

#define call_test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		call_test(a_call_from_outside_runs_on_the_serializer),
		call_test(a_call_to_the_own_serializer_runs_in_place),
		call_test(a_cycle_of_waits_is_refused_where_it_would_close),
		call_test(of_two_that_call_each_other_one_is_refused),
		call_test(a_call_to_a_stopped_pool_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
