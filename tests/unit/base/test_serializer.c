#include "base_test.h"

#include <pthread.h>

#define SERIALIZERS 16
#define PRODUCERS   4
#define EACH        4000

struct lane {
	struct rs_serializer s;
	_Atomic int inside;
	_Atomic int overlaps, disorder;
	int last[PRODUCERS];
	_Atomic int ran;
	_Atomic int released;
};

static struct lane lanes[SERIALIZERS];

static void lane_release(struct rs_serializer *s)
{
	atomic_fetch_add(&rs_container_of(s, struct lane, s)->released, 1);
}

struct numbered {
	struct rs_task task;
	struct lane *lane;
	int producer, number;
};

static void numbered_run(struct rs_task *task)
{
	struct numbered *n = rs_container_of(task, struct numbered, task);
	struct lane *l = n->lane;

	if (atomic_fetch_add(&l->inside, 1) != 0 || rs_serializer_current() != &l->s)
		atomic_fetch_add(&l->overlaps, 1);
	if (n->number <= l->last[n->producer])
		atomic_fetch_add(&l->disorder, 1);
	l->last[n->producer] = n->number;
	atomic_fetch_sub(&l->inside, 1);
	atomic_fetch_add(&l->ran, 1);
	free(n);
}

static void push_number(struct lane *l, int producer, int number)
{
	struct numbered *n = calloc(1, sizeof(*n));

	n->task.run = numbered_run;
	n->task.name = "numbered";
	n->lane = l;
	n->producer = producer;
	n->number = number;
	rs_push(&l->s, &n->task);
}

static void lanes_init(void)
{
	memset(lanes, 0, sizeof(lanes));
	for (int i = 0; i < SERIALIZERS; i++)
		rs_serializer_init(&lanes[i].s, "lane", lane_release);
}

static void lanes_check(int each)
{
	for (int i = 0; i < SERIALIZERS; i++) {
		assert_int_equal(lanes[i].overlaps, 0);
		assert_int_equal(lanes[i].disorder, 0);
		assert_int_equal(lanes[i].ran, each);
		assert_int_equal(lanes[i].released, 0);
		rs_serializer_unref(&lanes[i].s);
		assert_int_equal(lanes[i].released, 1);
	}
}

static void *produce(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 1; i <= EACH; i++)
		push_number(&lanes[(i + me) % SERIALIZERS], me, i);
	return NULL;
}

static void tasks_of_one_serializer_run_one_at_a_time_in_push_order(void **state)
{
	pthread_t threads[PRODUCERS];

	(void)state;
	lanes_init();
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.initial = 4}), 0);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, (void *)(intptr_t)i), 0);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(rs_taskpool_drain(60000));
	rs_taskpool_stop();
	lanes_check(PRODUCERS * EACH / SERIALIZERS);
}

/* Each task pushes the next one on the next serializer, and one in a batch to itself: pushes from the pool's threads.
 */
struct hop {
	struct rs_task task;
	int left, at;
};

static _Atomic int hops_done;

static void hop_run(struct rs_task *task)
{
	struct hop *h = rs_container_of(task, struct hop, task);

	push_number(&lanes[h->at], 0, 1000000 - h->left);
	if (h->left-- == 0) {
		free(h);
		atomic_fetch_add(&hops_done, 1);
		return;
	}
	h->at = (h->at + 1) % SERIALIZERS;
	rs_push_batched(&lanes[h->at].s, &h->task);
	rs_push_flush();
}

static void a_task_may_push_itself_on(void **state)
{
	(void)state;
	lanes_init();
	for (int i = 0; i < SERIALIZERS; i++)
		lanes[i].last[0] = -1;
	atomic_store(&hops_done, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	struct hop *h = calloc(1, sizeof(*h));

	h->task.run = hop_run;
	h->task.name = "hop";
	h->left = SERIALIZERS * 500 - 1;
	rs_push(&lanes[0].s, &h->task);
	assert_true(rs_taskpool_drain(60000));
	assert_int_equal(hops_done, 1);
	rs_taskpool_stop();
	lanes_check(500);
}

/* The task carries the last reference: a push must not touch the serializer after the task can run. */
struct carried {
	struct rs_serializer s;
	struct rs_task task;
};
static _Atomic int carried_freed;

static void carried_release(struct rs_serializer *s)
{
	free(rs_container_of(s, struct carried, s));
	atomic_fetch_add(&carried_freed, 1);
}

static void carried_run(struct rs_task *task)
{
	rs_serializer_unref(&rs_container_of(task, struct carried, task)->s);
}

static void the_last_reference_may_go_in_a_task(void **state)
{
	(void)state;
	atomic_store(&carried_freed, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 20000; i++) {
		struct carried *c = calloc(1, sizeof(*c));

		rs_serializer_init(&c->s, "carried", carried_release);
		c->task.run = carried_run;
		c->task.name = "carried";
		rs_push(&c->s, &c->task);
	}
	assert_true(rs_taskpool_drain(60000));
	rs_taskpool_stop();
	assert_int_equal(carried_freed, 20000);
}

static void lone_count(void *data)
{
	if (rs_on_pool_thread() && !rs_serializer_current())
		atomic_fetch_add((_Atomic int *)data, 1);
}

static void tasks_without_serializer_run_on_pool_threads(void **state)
{
	_Atomic int n = 0;

	(void)state;
	assert_false(rs_on_pool_thread());
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < 1000; i++)
		push_fn(NULL, lone_count, &n);
	assert_true(rs_taskpool_drain(60000));
	assert_int_equal(n, 1000);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_of_one_serializer_run_one_at_a_time_in_push_order),
		cmocka_unit_test(a_task_may_push_itself_on),
		cmocka_unit_test(the_last_reference_may_go_in_a_task),
		cmocka_unit_test(tasks_without_serializer_run_on_pool_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
