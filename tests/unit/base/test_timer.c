/* Timers on a virtual clock, in the deterministic mode. */
#include "base_test.h"
#include "base/env.h"

static int64_t clock_us;

static int64_t virtual_now(void *token)
{
	(void)token;
	return clock_us;
}

static const struct rs_env virtual_env = {.now_us = virtual_now};

struct owner {
	struct rs_timer t;
	int fired, holds;
	int64_t fired_at;
	int64_t again_us; /* fire arms it again */
	bool stop_in_fire;
	int order;
};

static struct rs_serializer *serializer;
static int order;

static void fire(struct rs_timer *t)
{
	struct owner *o = rs_container_of(t, struct owner, t);

	assert_ptr_equal(rs_serializer_current(), serializer);
	assert_false(rs_timer_active(t));
	assert_int_equal(o->holds, 1);
	o->fired++;
	o->fired_at = clock_us;
	o->order = order++;
	if (o->again_us)
		rs_timer_start(t, o->again_us);
	if (o->stop_in_fire)
		rs_timer_stop(t);
}

static void hold(struct rs_timer *t, bool on)
{
	struct owner *o = rs_container_of(t, struct owner, t);

	o->holds += on ? 1 : -1;
	assert_true(o->holds == 0 || o->holds == 1);
}

static void owner_init(struct owner *o)
{
	*o = (struct owner){.fired = 0};
	rs_timer_init(&o->t, "test", serializer, fire, hold, NULL);
}

static int start(void **state)
{
	(void)state;
	clock_us = 1234567;
	order = 0;
	rs_env_set(&virtual_env);
	serializer = rs_serializer_new("timers");
	return rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true, .seed = 1});
}

static int stop(void **state)
{
	(void)state;
	rs_taskpool_stop();
	rs_serializer_unref(serializer);
	rs_env_set(NULL);
	return 0;
}

static void run_ready(void)
{
	while (rs_taskpool_step())
		;
}

/* Moves the clock on to until, by way of every timer in between. */
static void run_until(int64_t until)
{
	run_ready();
	while (rs_taskpool_next_timer() <= until) {
		assert_true(rs_taskpool_next_timer() > clock_us - RS_TICK_US);
		clock_us = rs_taskpool_next_timer();
		rs_taskpool_advance();
		run_ready();
	}
	clock_us = until;
	rs_taskpool_advance();
	run_ready();
}

static void fires_once_not_early_and_within_a_tick(void **state)
{
	static const int64_t delays[] = {-5,     0,        1,         4999,        5000,      5001,
					 500000, 32000000, 64 * 5000, 4096 * 5000, 3600000000};
	int64_t begin;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(delays); i++) {
		int64_t delay = delays[i] < 0 ? 0 : delays[i];
		struct owner o;

		owner_init(&o);
		begin = clock_us;
		rs_timer_start(&o.t, delays[i]);
		assert_true(rs_timer_active(&o.t));
		assert_int_equal(o.holds, 1);
		run_until(begin + delay - (delay > 0));
		if (delay)
			assert_int_equal(o.fired, 0);
		run_until(begin + delay + RS_TICK_US);
		assert_int_equal(o.fired, 1);
		assert_true(o.fired_at >= begin + delay);
		assert_int_equal(o.holds, 0);
		run_until(clock_us + 10000000);
		assert_int_equal(o.fired, 1);
		clock_us += 777;
	}
	assert_int_equal(rs_taskpool_next_timer(), INT64_MAX);
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	rs_timer_stop(&o.t);
	assert_int_equal(o.holds, 0);
	rs_timer_start(&o.t, 100000);
	rs_timer_stop(&o.t);
	assert_int_equal(o.holds, 0);
	assert_false(rs_timer_active(&o.t));
	run_until(clock_us + 1000000);
	assert_int_equal(o.fired, 0);
}

static void a_timer_stopped_on_its_way_does_not_fire(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	rs_timer_start(&o.t, 10000);
	clock_us += 20000;
	rs_taskpool_advance();
	assert_true(rs_timer_active(&o.t));
	rs_timer_stop(&o.t);
	assert_false(rs_timer_active(&o.t));
	/* The task still is in the queue, and needs its owner. */
	assert_int_equal(o.holds, 1);
	run_ready();
	assert_int_equal(o.fired, 0);
	assert_int_equal(o.holds, 0);
}

static void a_timer_restarted_on_its_way_fires_for_the_new_arming_only(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	rs_timer_start(&o.t, 10000);
	clock_us += 20000;
	rs_taskpool_advance();
	rs_timer_start(&o.t, 1000000);
	run_ready();
	assert_int_equal(o.fired, 0);
	assert_int_equal(o.holds, 1);
	assert_true(rs_timer_active(&o.t));
	run_until(clock_us + 1000000 + RS_TICK_US);
	assert_int_equal(o.fired, 1);
	assert_int_equal(o.holds, 0);
}

static void a_late_task_serves_the_new_arming_when_that_is_due_too(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	rs_timer_start(&o.t, 10000);
	clock_us += 20000;
	rs_taskpool_advance();
	rs_timer_start(&o.t, 10000);
	clock_us += 20000;
	rs_taskpool_advance();
	run_ready();
	assert_int_equal(o.fired, 1);
	assert_int_equal(o.holds, 0);
	run_until(clock_us + 1000000);
	assert_int_equal(o.fired, 1);
}

static void stop_after_restart_on_its_way_leaves_nothing(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	rs_timer_start(&o.t, 10000);
	clock_us += 20000;
	rs_taskpool_advance();
	rs_timer_start(&o.t, 10000);
	rs_timer_stop(&o.t);
	run_until(clock_us + 1000000);
	assert_int_equal(o.fired, 0);
	assert_int_equal(o.holds, 0);
}

static void a_restart_moves_the_time_either_way(void **state)
{
	struct owner o;
	int64_t begin = clock_us;

	(void)state;
	owner_init(&o);
	rs_timer_start(&o.t, 1000000);
	rs_timer_start(&o.t, 5000000);
	assert_int_equal(o.holds, 1);
	run_until(begin + 4999999);
	assert_int_equal(o.fired, 0);
	rs_timer_start(&o.t, 10000);
	run_until(begin + 5100000);
	assert_int_equal(o.fired, 1);
	assert_true(o.fired_at < begin + 4999999 + 10000 + 2 * RS_TICK_US);
	assert_int_equal(o.holds, 0);
}

static void fire_may_start_and_stop_its_own_timer(void **state)
{
	struct owner o;

	(void)state;
	owner_init(&o);
	o.again_us = 500000;
	rs_timer_start(&o.t, 500000);
	run_until(clock_us + 10 * 500000 + 10 * RS_TICK_US);
	assert_in_range(o.fired, 9, 10);
	assert_int_equal(o.holds, 1);
	o.stop_in_fire = true;
	o.fired = 0;
	run_until(clock_us + 5000000);
	assert_int_equal(o.fired, 1);
	assert_int_equal(o.holds, 0);
}

static void equal_times_fire_in_arming_order(void **state)
{
	enum { N = 300 };
	static struct owner owners[N];
	int64_t due = clock_us + 40000000;

	(void)state;
	/* Armed over 39 s for one instant: they lie in different wheels until they meet. */
	for (int i = 0; i < N; i++) {
		owner_init(&owners[i]);
		rs_timer_start(&owners[i].t, due - clock_us);
		run_until(clock_us + 130000);
	}
	run_until(due + RS_TICK_US);
	for (int i = 0; i < N; i++) {
		assert_int_equal(owners[i].fired, 1);
		assert_int_equal(owners[i].order, i);
	}
}

static void thirty_days_are_counted_right(void **state)
{
	struct owner o, other;
	int64_t begin = clock_us, month = (int64_t)30 * 86400 * 1000000;

	(void)state;
	owner_init(&o);
	owner_init(&other);
	rs_timer_start(&o.t, month);
	rs_timer_start(&other.t, month / 2);
	assert_true(rs_taskpool_next_timer() >= begin + month / 2);
	assert_true(rs_taskpool_next_timer() <= begin + month / 2 + RS_TICK_US);
	run_until(begin + month - 1);
	assert_int_equal(other.fired, 1);
	assert_int_equal(o.fired, 0);
	run_until(begin + month + RS_TICK_US);
	assert_int_equal(o.fired, 1);
	/* In one leap, too. */
	rs_timer_start(&o.t, month);
	clock_us += 2 * month;
	rs_taskpool_advance();
	run_ready();
	assert_int_equal(o.fired, 2);
}

static void no_boundary_of_the_wheels_is_special(void **state)
{
	struct owner o;

	(void)state;
	for (int bits = 6; bits <= 36; bits += 6) {
		for (int64_t before = 1; before <= 3; before++) {
			int64_t boundary = ((int64_t)1 << bits) * RS_TICK_US;
			int64_t begin = clock_us = (clock_us / boundary + 1) * boundary - before * RS_TICK_US + 17;

			owner_init(&o);
			rs_timer_start(&o.t, 2 * RS_TICK_US);
			run_until(begin + 3 * RS_TICK_US);
			assert_int_equal(o.fired, 1);
			assert_true(o.fired_at >= begin + 2 * RS_TICK_US);
		}
	}
}

#define MANY 100000

static uint64_t seed = 42;

static uint32_t pseudo(uint32_t bound)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % bound;
}

struct expected {
	int64_t tick;
	int armed_as; /* the order of arming */
	struct owner *owner;
};

static int by_tick_then_arming(const void *a, const void *b)
{
	const struct expected *x = a, *y = b;

	if (x->tick != y->tick)
		return x->tick < y->tick ? -1 : 1;
	return x->armed_as - y->armed_as;
}

static void a_hundred_thousand_agree_with_a_sorted_list(void **state)
{
	struct owner *owners = calloc(MANY, sizeof(*owners));
	struct expected *list = calloc(MANY, sizeof(*list));
	size_t n = 0;
	int armed = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		owner_init(&owners[i]);
		list[i].owner = &owners[i];
		list[i].tick = -1;
	}
	/* Each is armed, many stopped or armed again, while the clock moves by less than the shortest delay. */
	for (int i = 0; i < 3 * MANY; i++) {
		struct expected *e = &list[i < MANY ? (uint32_t)i : pseudo(MANY)];
		int64_t delay = 10000000 + (int64_t)pseudo(1u << 10) * pseudo(1u << (pseudo(20) + 1)) * 100;

		if (i >= MANY && pseudo(3) == 0) {
			rs_timer_stop(&e->owner->t);
			e->tick = -1;
			continue;
		}
		rs_timer_start(&e->owner->t, delay);
		e->tick = (clock_us + delay + RS_TICK_US - 1) / RS_TICK_US;
		e->armed_as = armed++;
		clock_us += 20;
	}
	for (size_t i = 0; i < MANY; i++) {
		if (list[i].tick >= 0)
			list[n++] = list[i];
	}
	assert_true(n > MANY / 2 && n < MANY);
	qsort(list, n, sizeof(*list), by_tick_then_arming);
	run_until(list[n - 1].tick * RS_TICK_US);
	assert_int_equal(order, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].owner->fired, 1);
		assert_int_equal(list[i].owner->order, i);
		assert_int_equal(list[i].owner->fired_at, list[i].tick * RS_TICK_US);
		assert_int_equal(list[i].owner->holds, 0);
	}
	free(list);
	free(owners);
}

static void a_million_may_be_armed(void **state)
{
	enum { MILLION = 1000000 };
	struct owner *owners = calloc(MILLION, sizeof(*owners));
	struct rs_taskpool_stats stats;

	(void)state;
	for (int i = 0; i < MILLION; i++) {
		owner_init(&owners[i]);
		rs_timer_start(&owners[i].t, 32000000 + i % 1000);
	}
	rs_taskpool_stats(&stats);
	assert_int_equal(stats.timers, MILLION);
	for (int i = 0; i < MILLION; i++)
		rs_timer_stop(&owners[i].t);
	assert_int_equal(rs_taskpool_next_timer(), INT64_MAX);
	free(owners);
}

static void stopping_the_pool_gives_armed_timers_back(void **state)
{
	struct owner armed, queued, both;

	(void)state;
	owner_init(&armed);
	owner_init(&queued);
	owner_init(&both);
	rs_timer_start(&queued.t, 0);
	rs_timer_start(&both.t, 0);
	clock_us += 2 * RS_TICK_US;
	rs_taskpool_advance();
	rs_timer_start(&armed.t, 1000000);
	rs_timer_start(&both.t, 1000000);
	rs_taskpool_stop();
	assert_int_equal(armed.fired, 0);
	assert_int_equal(queued.fired, 1);
	assert_int_equal(both.fired, 0);
	assert_int_equal(armed.holds, 0);
	assert_int_equal(queued.holds, 0);
	assert_int_equal(both.holds, 0);
}

#define timer_test(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		timer_test(fires_once_not_early_and_within_a_tick),
		timer_test(a_stopped_timer_does_not_fire),
		timer_test(a_timer_stopped_on_its_way_does_not_fire),
		timer_test(a_timer_restarted_on_its_way_fires_for_the_new_arming_only),
		timer_test(a_late_task_serves_the_new_arming_when_that_is_due_too),
		timer_test(stop_after_restart_on_its_way_leaves_nothing),
		timer_test(a_restart_moves_the_time_either_way),
		timer_test(fire_may_start_and_stop_its_own_timer),
		timer_test(equal_times_fire_in_arming_order),
		timer_test(thirty_days_are_counted_right),
		timer_test(no_boundary_of_the_wheels_is_special),
		timer_test(a_hundred_thousand_agree_with_a_sorted_list),
		timer_test(a_million_may_be_armed),
		timer_test(stopping_the_pool_gives_armed_timers_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
