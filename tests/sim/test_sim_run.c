/* The driver itself: order, time, the executor's lanes, children. */
#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static char order[64];
static size_t order_len;

static void note(char c)
{
	assert_true(order_len + 1 < sizeof(order));
	order[order_len++] = c;
	order[order_len] = '\0';
}

static void begin(uint64_t seed)
{
	order_len = 0;
	order[0] = '\0';
	sim_env_start(&(struct sim_config){.seed = seed});
}

struct mark {
	struct sim_event event;
	struct rs_task task;
	struct rs_job job;
	struct rs_timer timer;
	char c;
	int64_t at;
};

static void event_run(struct sim_event *e)
{
	struct mark *m = rs_container_of(e, struct mark, event);

	m->at = sim_now();
	note(m->c);
}

static void events_come_by_time_and_then_in_the_order_of_adding(void **state)
{
	struct mark m[6] = {{.c = 'a'}, {.c = 'b'}, {.c = 'c'}, {.c = 'd'}, {.c = 'e'}, {.c = 'f'}};
	static const int64_t at[6] = {30, 10, 20, 10, -5, 20};

	(void)state;
	begin(1);
	for (int i = 0; i < 6; i++)
		sim_queue_add(&m[i].event, sim_now() + at[i], event_run, NULL);
	sim_queue_remove(&m[2].event);
	assert_true(sim_run_out(SIM_SECOND));
	assert_string_equal(order, "ebdfa");
	assert_int_equal(m[0].at, SIM_CLOCK_START + 30);
	assert_int_equal(m[4].at, SIM_CLOCK_START); /* never in the past */
	sim_env_stop();
}

static void timer_fired(struct rs_timer *t)
{
	struct mark *m = rs_container_of(t, struct mark, timer);

	m->at = sim_now();
	note(m->c);
}

static void the_clock_goes_to_what_is_next_and_no_further(void **state)
{
	struct rs_serializer *s = rs_serializer_new("test");
	struct mark timer = {.c = 't'}, event = {.c = 'e'};

	(void)state;
	begin(2);
	rs_timer_init(&timer.timer, "test", s, timer_fired, NULL, NULL);
	rs_timer_start(&timer.timer, 500 * SIM_MS);
	sim_queue_add(&event.event, sim_now() + SIM_SECOND, event_run, NULL);
	sim_run_for(499 * SIM_MS);
	assert_int_equal(sim_now(), SIM_CLOCK_START + 499 * SIM_MS);
	assert_string_equal(order, "");
	sim_run_for(6 * SIM_MS);
	assert_string_equal(order, "t");
	assert_in_range(timer.at - SIM_CLOCK_START, 500 * SIM_MS, 500 * SIM_MS + RS_TICK_US);
	assert_true(sim_run_out(10 * SIM_SECOND));
	assert_string_equal(order, "te");
	assert_int_equal(event.at, SIM_CLOCK_START + SIM_SECOND);
	assert_int_equal(sim_now(), SIM_CLOCK_START + SIM_SECOND);
	rs_serializer_unref(s);
	sim_env_stop();
}

static void task_run(struct rs_task *t)
{
	note(rs_container_of(t, struct mark, task)->c);
}

static void shuffle(uint64_t seed, char *out)
{
	struct mark m[20];

	begin(seed);
	for (int i = 0; i < 20; i++) {
		m[i] = (struct mark){.c = (char)('a' + i), .task = {.run = task_run, .name = "test"}};
		rs_push(NULL, &m[i].task);
	}
	while (sim_step_now())
		;
	memcpy(out, order, 21);
	sim_env_stop();
}

static void the_seed_decides_which_task_is_next(void **state)
{
	char first[21], again[21], other[21];

	(void)state;
	shuffle(1, first);
	shuffle(1, again);
	shuffle(2, other);
	assert_int_equal(strlen(first), 20);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
}

static void job_work(struct rs_job *job)
{
	rs_container_of(job, struct mark, job)->at = sim_now();
}

static void job_done(struct rs_job *job)
{
	note(rs_container_of(job, struct mark, job)->c);
}

static void a_slow_lane_keeps_its_jobs_waiting(void **state)
{
	struct mark m = {.c = 'j', .job = {.work = job_work, .done = job_done, .name = "test"}};

	(void)state;
	begin(3);
	sim_lane_delay(RS_LANE_STORE, 200 * SIM_MS, 300 * SIM_MS);
	rs_executor_submit(RS_LANE_STORE, &m.job);
	sim_run_for(199 * SIM_MS);
	assert_string_equal(order, "");
	sim_run_for(102 * SIM_MS);
	assert_string_equal(order, "j");
	/* Behind the closed door again. */
	rs_executor_submit(RS_LANE_STORE, &m.job);
	sim_run_for(50 * SIM_MS);
	assert_string_equal(order, "j");
	sim_lane_delay(RS_LANE_STORE, 0, 0);
	sim_run_for(0);
	assert_string_equal(order, "jj");
	sim_env_stop();
}

static void the_environment_is_the_seeds(void **state)
{
	uint64_t a, b;

	(void)state;
	begin(4);
	rs_random(&a, sizeof(a));
	assert_int_equal(rs_now_us(), SIM_CLOCK_START);
	b = (uint64_t)rs_wall_us();
	sim_clock_jump_wall(-3600 * SIM_SECOND);
	assert_int_equal(b - (uint64_t)rs_wall_us(), 3600 * SIM_SECOND);
	assert_int_equal(rs_now_us(), SIM_CLOCK_START);
	sim_env_stop();
	begin(4);
	rs_random(&b, sizeof(b));
	assert_true(a == b);
	sim_env_stop();
	begin(5);
	rs_random(&b, sizeof(b));
	assert_true(a != b);
	sim_env_stop();
}

static void failing(uint64_t seed, void *arg)
{
	/* What it prints is expected, and would look like a failure. */
	if (!freopen("/dev/null", "w", stderr))
		abort();
	sim_flow_note("before");
	if (arg)
		raise(SIGKILL);
	sim_check_int(seed, 0);
}

static void a_failed_check_and_a_signal_are_failures(void **state)
{
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO);
	char text[4000];
	size_t n;

	(void)state;
	assert_non_null(out);
	assert_int_equal(sim_fork_run(7, failing, NULL), SIM_FAILED);
	/* The parent tells of a child that could not. */
	fflush(stderr);
	dup2(fileno(out), STDERR_FILENO);
	n = sim_fork_run(8, failing, text) == SIM_FAILED;
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(n, 1);
	rewind(out);
	n = fread(text, 1, sizeof(text) - 1, out);
	text[n] = '\0';
	fclose(out);
	assert_non_null(strstr(text, "signal 9"));
	assert_non_null(strstr(text, "-- before"));
	assert_non_null(strstr(text, "replay: SEED=8 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_by_time_and_then_in_the_order_of_adding),
		cmocka_unit_test(the_clock_goes_to_what_is_next_and_no_further),
		cmocka_unit_test(the_seed_decides_which_task_is_next),
		cmocka_unit_test(a_slow_lane_keeps_its_jobs_waiting),
		cmocka_unit_test(the_environment_is_the_seeds),
		cmocka_unit_test(a_failed_check_and_a_signal_are_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
