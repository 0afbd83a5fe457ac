/* What a thread collected for its flush hook goes its way while a task of it blocks. */
#include "base_test.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

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

/* ---- the order of what a serializer's tasks collect ---- */

#define ORDERED 4000
#define SLOTS   8

static struct {
	pthread_mutex_t lock;
	unsigned n, v[ORDERED];
} lists[SLOTS], left = {.lock = PTHREAD_MUTEX_INITIALIZER};
static sem_t one_ran;

/* Takes out, loses the processor, sends: as a thread's flush may. */
static void send_list(unsigned s)
{
	unsigned v[ORDERED], n;

	pthread_mutex_lock(&lists[s].lock);
	n = lists[s].n;
	memcpy(v, lists[s].v, n * sizeof(*v));
	lists[s].n = 0;
	pthread_mutex_unlock(&lists[s].lock);
	sched_yield();
	pthread_mutex_lock(&left.lock);
	memcpy(left.v + left.n, v, n * sizeof(*v));
	left.n += n;
	pthread_mutex_unlock(&left.lock);
}

static void flush_list(void)
{
	rs_flush_sending(true);
	rs_flush_pending(false);
	send_list(rs_taskpool_slot());
	rs_flush_sending(false);
}

static void collect_number(void *number)
{
	unsigned s = rs_taskpool_slot();

	pthread_mutex_lock(&lists[s].lock);
	lists[s].v[lists[s].n++] = (unsigned)(uintptr_t)number;
	pthread_mutex_unlock(&lists[s].lock);
	rs_flush_pending(true);
	sem_post(&one_ran);
}

static void take_a_while(void *data)
{
	(void)data;
	for (int i = 0; i < 3; i++)
		sched_yield();
}

static void what_a_serializer_collects_leaves_in_order(void **state)
{
	struct rs_serializer *s = rs_serializer_new("ordered");

	(void)state;
	for (unsigned i = 0; i < SLOTS; i++)
		pthread_mutex_init(&lists[i].lock, NULL);
	sem_init(&one_ran, 0, 0);
	left.n = 0;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){
				 .minimum = 4, .initial = 4, .maximum = SLOTS, .processors = 4}),
			 0);
	rs_taskpool_set_flush_hook(flush_list);
	rs_taskpool_set_rescue_hook(send_list);
	/* Each task runs on whichever thread is free, while the one before is still on its way to its flush. */
	for (unsigned i = 0; i < ORDERED; i++) {
		push_fn(s, collect_number, (void *)(uintptr_t)i);
		push_fn(NULL, take_a_while, NULL);
		wait_sem(&one_ran);
	}
	rs_serializer_unref(s);
	stop();
	assert_int_equal(left.n, ORDERED);
	for (unsigned i = 0; i < ORDERED; i++)
		assert_int_equal(left.v[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blocked_task_keeps_nothing_unsent_while_others_idle),
		cmocka_unit_test(what_is_collected_twice_in_one_task_is_rescued_twice),
		cmocka_unit_test(other_threads_have_no_slot),
		cmocka_unit_test(what_a_serializer_collects_leaves_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
