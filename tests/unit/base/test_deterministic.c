#include "base_test.h"

#define SERIALIZERS 6
#define LOG_MAX     400

static struct rs_serializer *s[SERIALIZERS];
static int seen[LOG_MAX];
static size_t seen_n;

struct step {
	int serializer, value, again;
};
static struct step steps[LOG_MAX];
static size_t steps_n;

static void note(void *data)
{
	struct step *st = data;

	seen[seen_n++] = st->value;
	assert_ptr_equal(rs_serializer_current(), s[st->serializer]);
	assert_true(rs_on_pool_thread());
	if (st->again > 0) {
		struct step *next = &steps[steps_n++];

		*next = (struct step){(st->serializer + 1) % SERIALIZERS, st->value + 1000, st->again - 1};
		push_fn(s[next->serializer], note, next);
	}
}

static void job_work(struct rs_job *job)
{
	(void)job;
}

static void job_done(struct rs_job *job)
{
	seen[seen_n++] = -1;
	free(job);
}

static void submit_job(enum rs_executor_lane lane)
{
	struct rs_job *job = calloc(1, sizeof(*job));

	job->work = job_work;
	job->done = job_done;
	job->serializer = s[0];
	job->name = "job";
	rs_executor_submit(lane, job);
}

static void run_with(uint64_t seed)
{
	steps_n = seen_n = 0;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true, .seed = seed}), 0);
	for (int i = 0; i < SERIALIZERS; i++)
		s[i] = rs_serializer_new("test");
	for (int i = 0; i < 40; i++) {
		struct step *st = &steps[steps_n++];

		*st = (struct step){i % SERIALIZERS, i, i % 3};
		push_fn(s[st->serializer], note, st);
		if (i % 10 == 0)
			submit_job(i % RS_LANE_N);
	}
	assert_int_equal(seen_n, 0);
	while (rs_taskpool_step())
		;
	assert_true(rs_taskpool_drain(0));
	rs_taskpool_stop();
	for (int i = 0; i < SERIALIZERS; i++)
		rs_serializer_unref(s[i]);
}

static void the_same_seed_gives_the_same_order(void **state)
{
	static int before[LOG_MAX];
	size_t n;
	void *hole;

	(void)state;
	run_with(7);
	n = seen_n;
	assert_int_equal(n, 40 + 13 * 1 + 13 * 2 + 4);
	memcpy(before, seen, sizeof(seen));
	hole = malloc(100000); /* addresses change, the order must not */
	run_with(7);
	free(hole);
	assert_int_equal(seen_n, n);
	assert_memory_equal(seen, before, n * sizeof(*seen));
}

static void another_seed_gives_another_order(void **state)
{
	static int before[LOG_MAX];
	size_t n;

	(void)state;
	run_with(7);
	n = seen_n;
	memcpy(before, seen, sizeof(seen));
	run_with(8);
	assert_int_equal(seen_n, n);
	assert_memory_not_equal(seen, before, n * sizeof(*seen));
}

static uint32_t chosen; /* what the chooser answers */

static uint32_t choose(uint32_t n)
{
	assert_true(n > 0);
	return chosen;
}

static void a_chooser_decides_in_place_of_the_seed(void **state)
{
	static int before[LOG_MAX];
	size_t n;

	(void)state;
	rs_taskpool_set_chooser(choose);
	chosen = 0;
	run_with(7);
	n = seen_n;
	memcpy(before, seen, sizeof(seen));
	run_with(8);
	assert_int_equal(seen_n, n);
	assert_memory_equal(seen, before, n * sizeof(*seen));
	chosen = UINT32_MAX; /* counts modulo what there is */
	run_with(7);
	assert_int_equal(seen_n, n);
	assert_memory_not_equal(seen, before, n * sizeof(*seen));
	rs_taskpool_set_chooser(NULL);
	run_with(7);
	memcpy(before, seen, sizeof(seen));
	run_with(8);
	assert_memory_not_equal(seen, before, n * sizeof(*seen));
}

static void each_serializer_keeps_push_order_under_any_seed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		int last[SERIALIZERS];

		run_with(seed);
		for (int i = 0; i < SERIALIZERS; i++)
			last[i] = -1;
		for (size_t i = 0; i < seen_n; i++) {
			if (seen[i] < 0 || seen[i] >= 1000)
				continue;
			assert_true(seen[i] > last[seen[i] % SERIALIZERS]);
			last[seen[i] % SERIALIZERS] = seen[i];
		}
	}
}

static void count(void *data)
{
	++*(int *)data;
}

static void a_step_runs_one_task(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true}), 0);
	s[0] = rs_serializer_new("test");
	for (int i = 0; i < 5; i++)
		push_fn(s[0], count, &n);
	for (int i = 1; i <= 5; i++) {
		assert_true(rs_taskpool_step());
		assert_int_equal(n, i);
	}
	assert_false(rs_taskpool_step());
	assert_false(rs_on_pool_thread());
	rs_taskpool_stop();
	rs_serializer_unref(s[0]);
}

static void a_held_lane_waits_and_the_others_go_on(void **state)
{
	(void)state;
	seen_n = 0;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true}), 0);
	s[0] = rs_serializer_new("test");
	rs_executor_hold(RS_LANE_STORE, true);
	submit_job(RS_LANE_STORE);
	assert_false(rs_taskpool_step());
	submit_job(RS_LANE_FILES);
	assert_false(rs_taskpool_drain(10));
	assert_int_equal(seen_n, 1);
	rs_executor_hold(RS_LANE_STORE, false);
	assert_true(rs_taskpool_drain(10));
	assert_int_equal(seen_n, 2);
	rs_taskpool_stop();
	rs_serializer_unref(s[0]);
}

static int add_one(void *data)
{
	return ++*(int *)data;
}

struct caller {
	struct rs_serializer *target;
	int n, result, err;
};

static void call_across(void *data)
{
	struct caller *c = data;

	c->err = rs_call(c->target, add_one, &c->n, &c->result, "add", NULL);
}

static void a_call_steps_what_it_waits_for(void **state)
{
	struct caller c = {.n = 10};
	int other = 0;

	(void)state;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true}), 0);
	s[0] = rs_serializer_new("a");
	s[1] = rs_serializer_new("b");
	c.target = s[1];
	push_fn(s[1], count, &c.n);
	push_fn(s[0], call_across, &c);
	while (rs_taskpool_step())
		;
	assert_int_equal(c.err, 0);
	assert_int_equal(c.result, 12);
	assert_int_equal(rs_call(s[1], add_one, &other, &c.result, "add", NULL), 0);
	assert_int_equal(c.result, 1);
	rs_taskpool_stop();
	rs_serializer_unref(s[0]);
	rs_serializer_unref(s[1]);
}

static void quiet_is_between_steps(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true}), 0);
	assert_int_equal(rs_quiet(count, &n), 0);
	assert_int_equal(n, 0);
	assert_true(rs_taskpool_step());
	assert_int_equal(n, 1);
	rs_taskpool_stop();
}

static void there_is_nothing_to_read(void **state)
{
	struct rs_poll p = {0};

	(void)state;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.deterministic = true}), 0);
	assert_int_equal(rs_poll_add(&p, 0, NULL, 0), ENOTSUP);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_order),
		cmocka_unit_test(another_seed_gives_another_order),
		cmocka_unit_test(a_chooser_decides_in_place_of_the_seed),
		cmocka_unit_test(each_serializer_keeps_push_order_under_any_seed),
		cmocka_unit_test(a_step_runs_one_task),
		cmocka_unit_test(a_held_lane_waits_and_the_others_go_on),
		cmocka_unit_test(a_call_steps_what_it_waits_for),
		cmocka_unit_test(quiet_is_between_steps),
		cmocka_unit_test(there_is_nothing_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
