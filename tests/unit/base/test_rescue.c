/* What a thread collected for its flush hook goes its way while a task of it blocks. */
#include "base_test.h"

#include <limits.h>

static sem_t rescued, go;
static _Atomic unsigned slot;
static _Atomic unsigned rescues;

static void rescue(unsigned s)
{
	atomic_store(&slot, s);
	atomic_fetch_add(&rescues, 1);
	sem_post(&rescued);
}

struct collector {
	unsigned slot;
	sem_t ended;
};

/* Collects something, and blocks until the test lets it go on. */
static void collect_and_block(void *data)
{
	struct collector *c = data;

	c->slot = rs_taskpool_slot();
	rs_flush_pending(true);
	wait_sem(&go);
	sem_post(&c->ended);
}

static void collect(void *data)
{
	struct collector *c = data;

	c->slot = rs_taskpool_slot();
	rs_flush_pending(true);
	sem_post(&c->ended);
}

static void flush(void)
{
	rs_flush_pending(false);
}

static void start(void)
{
	sem_init(&rescued, 0, 0);
	sem_init(&go, 0, 0);
	atomic_store(&rescues, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 3, .initial = 3, .maximum = 8}), 0);
	rs_taskpool_set_flush_hook(flush);
	rs_taskpool_set_rescue_hook(rescue);
}

static void stop(void)
{
	rs_taskpool_stop();
	rs_taskpool_set_flush_hook(NULL);
	rs_taskpool_set_rescue_hook(NULL);
}

static void a_blocked_task_keeps_nothing_unsent_while_others_idle(void **state)
{
	struct collector c;

	(void)state;
	start();
	sem_init(&c.ended, 0, 0);
	push_fn(NULL, collect_and_block, &c);
	wait_sem(&rescued);
	assert_int_equal(slot, c.slot);
	sem_post(&go);
	wait_sem(&c.ended);
	stop();
	assert_int_equal(rescues, 1);
}

static void what_is_collected_twice_in_one_task_is_rescued_twice(void **state)
{
	struct collector c;

	(void)state;
	start();
	sem_init(&c.ended, 0, 0);
	for (int i = 0; i < 2; i++) {
		push_fn(NULL, collect_and_block, &c);
		wait_sem(&rescued);
		sem_post(&go);
		wait_sem(&c.ended);
	}
	stop();
	assert_int_equal(rescues, 2);
}

static void other_threads_have_no_slot(void **state)
{
	struct collector c;

	(void)state;
	start();
	sem_init(&c.ended, 0, 0);
	assert_int_equal(rs_taskpool_slot(), UINT_MAX);
	rs_flush_pending(true);
	push_fn(NULL, collect, &c);
	wait_sem(&c.ended);
	assert_true(c.slot < 8);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blocked_task_keeps_nothing_unsent_while_others_idle),
		cmocka_unit_test(what_is_collected_twice_in_one_task_is_rescued_twice),
		cmocka_unit_test(other_threads_have_no_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
