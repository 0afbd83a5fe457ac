#include "base_test.h"

#include "base/slice.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

/* What this thread has when it has not asked; 0: the kernel knows no slices. */
static uint64_t usual;

static void *shorten(void *nice_to_keep)
{
	int *nice = nice_to_keep;

	assert_int_equal(setpriority(PRIO_PROCESS, 0, *nice), 0);
	assert_int_equal(rs_slice_shorten(), 0);
	errno = 0;
	assert_int_equal(getpriority(PRIO_PROCESS, 0), *nice);
	if (usual)
		assert_int_equal(rs_slice_ns(), RS_SLICE_NS);
	return NULL;
}

static void the_slice_is_short_and_nice_stays(void **state)
{
	pthread_t thread;
	int nice = getpriority(PRIO_PROCESS, 0) + 1;

	(void)state;
	if (nice > 19)
		skip();
	assert_int_equal(pthread_create(&thread, NULL, shorten, &nice), 0);
	pthread_join(thread, NULL);
}

static void *shorten_batch(void *arg)
{
	const struct sched_param zero = {0};

	(void)arg;
	assert_int_equal(pthread_setschedparam(pthread_self(), SCHED_BATCH, &zero), 0);
	assert_int_equal(rs_slice_shorten(), 0);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	assert_int_equal(rs_slice_ns(), 0);
	return NULL;
}

static void another_policy_is_left_alone(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, shorten_batch, NULL), 0);
	pthread_join(thread, NULL);
}

static void look(void *slice)
{
	*(_Atomic uint64_t *)slice = rs_slice_ns() + 1;
}

static void threads_of_the_pool_have_it(void **state)
{
	_Atomic uint64_t slice = 0;

	(void)state;
	assert_int_equal(rs_taskpool_start(NULL), 0);
	push_fn(NULL, look, &slice);
	assert_true(EVENTUALLY(slice != 0));
	rs_taskpool_stop();
	if (usual)
		assert_int_equal(slice - 1, RS_SLICE_NS);
	assert_int_equal(rs_slice_ns(), usual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slice_is_short_and_nice_stays),
		cmocka_unit_test(another_policy_is_left_alone),
		cmocka_unit_test(threads_of_the_pool_have_it),
	};

	usual = rs_slice_ns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
