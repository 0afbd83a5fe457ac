/* Timers by the kernel's clock, on the pool's threads. */
#include "base_test.h"

struct owner {
	struct rs_serializer s;
	struct rs_timer t;
	int64_t due, early;
	int fired, left;
	_Atomic int refs;
	sem_t *done;
};

static void owner_release(struct rs_serializer *s)
{
	(void)s;
}

static void hold(struct rs_timer *t, bool on)
{
	struct owner *o = rs_container_of(t, struct owner, t);

	if (atomic_fetch_add(&o->refs, on ? 1 : -1) == 1 && !on)
		sem_post(o->done);
}

static void start_timer(struct owner *o, int64_t delay)
{
	o->due = rs_now_us() + delay;
	rs_timer_start(&o->t, delay);
}

static void fire(struct rs_timer *t)
{
	struct owner *o = rs_container_of(t, struct owner, t);

	if (rs_now_us() < o->due)
		o->early++;
	o->fired++;
	if (o->left-- > 0) {
		/* Armed, stopped and armed again, as a retransmission is: only the last counts. */
		start_timer(o, 1000);
		rs_timer_stop(&o->t);
		start_timer(o, 20000);
		start_timer(o, 7000);
	}
}

static void owner_init(struct owner *o, sem_t *done)
{
	memset(o, 0, sizeof(*o));
	rs_serializer_init(&o->s, "owner", owner_release);
	rs_timer_init(&o->t, "timer", &o->s, fire, hold, NULL);
	o->done = done;
}

static void start_on_serializer(void *data)
{
	struct owner *o = data;

	start_timer(o, (int64_t)(((uintptr_t)o >> 4) % 30) * 1000);
}

static void timers_fire_on_their_serializers_never_early(void **state)
{
	enum { N = 500 };
	struct owner *owners = calloc(N, sizeof(*owners));
	sem_t done;

	(void)state;
	sem_init(&done, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < N; i++) {
		owner_init(&owners[i], &done);
		owners[i].left = 10;
		push_fn(&owners[i].s, start_on_serializer, &owners[i]);
	}
	for (int i = 0; i < N; i++)
		wait_sem(&done);
	assert_true(rs_taskpool_drain(30000));
	for (int i = 0; i < N; i++) {
		assert_int_equal(owners[i].fired, 11);
		assert_int_equal(owners[i].early, 0);
		assert_int_equal(owners[i].refs, 0);
	}
	rs_taskpool_stop();
	free(owners);
}

static void a_sooner_timer_is_not_kept_waiting_by_a_later_one(void **state)
{
	struct owner later, sooner;
	sem_t done, never;

	(void)state;
	sem_init(&done, 0, 0);
	sem_init(&never, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	owner_init(&later, &never);
	owner_init(&sooner, &done);
	start_timer(&later, (int64_t)3600 * 1000000);
	start_timer(&sooner, 10000);
	wait_sem(&done);
	assert_int_equal(sooner.fired, 1);
	rs_taskpool_stop();
	assert_int_equal(later.fired, 0);
	assert_int_equal(later.refs, 0);
}

/* The wheel takes the timer out while its owner stops or restarts it. */
struct race {
	struct owner o;
	struct rs_task task;
	int rounds;
};

static void race_run(struct rs_task *task)
{
	struct race *r = rs_container_of(task, struct race, task);

	if (r->rounds-- == 0) {
		rs_timer_stop(&r->o.t);
		return;
	}
	if (r->rounds % 3)
		start_timer(&r->o, r->rounds % 5 * 1000);
	else
		rs_timer_stop(&r->o.t);
	rs_push(&r->o.s, &r->task);
}

static void stop_and_restart_race_with_the_wheel(void **state)
{
	enum { N = 8, ROUNDS = 20000 };
	static struct race races[N];
	sem_t ended;

	(void)state;
	sem_init(&ended, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	for (int i = 0; i < N; i++) {
		owner_init(&races[i].o, &ended);
		races[i].rounds = ROUNDS;
		races[i].task.run = race_run;
		races[i].task.name = "race";
		rs_push(&races[i].o.s, &races[i].task);
	}
	assert_true(rs_taskpool_drain(60000));
	for (int i = 0; i < N; i++) {
		assert_int_equal(races[i].o.refs, 0);
		assert_false(rs_timer_active(&races[i].o.t));
		assert_int_equal(races[i].o.early, 0);
	}
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_on_their_serializers_never_early),
		cmocka_unit_test(a_sooner_timer_is_not_kept_waiting_by_a_later_one),
		cmocka_unit_test(stop_and_restart_race_with_the_wheel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
