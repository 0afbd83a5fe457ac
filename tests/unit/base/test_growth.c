#include "base_test.h"
#include "base/log.h"

#include <pthread.h>

static struct rs_taskpool_stats stats_now(void)
{
	struct rs_taskpool_stats st;

	rs_taskpool_stats(&st);
	return st;
}

struct blocker {
	sem_t started, go;
	_Atomic int ended;
};

static void block(void *data)
{
	struct blocker *b = data;

	sem_post(&b->started);
	wait_sem(&b->go);
	atomic_fetch_add(&b->ended, 1);
}

static void blocker_init(struct blocker *b)
{
	sem_init(&b->started, 0, 0);
	sem_init(&b->go, 0, 0);
	atomic_store(&b->ended, 0);
}

static void blocked_threads_are_joined_by_new_ones(void **state)
{
	enum { N = 12 };
	struct blocker b;
	struct rs_serializer *s[N];
	sem_t other;

	(void)state;
	blocker_init(&b);
	sem_init(&other, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 2, .initial = 2, .maximum = 20}), 0);
	for (int i = 0; i < N; i++) {
		s[i] = rs_serializer_new("blocked");
		push_fn(s[i], block, &b);
	}
	/* All of them run at once, each on a thread of its own, and still somebody is there for another task. */
	for (int i = 0; i < N; i++)
		wait_sem(&b.started);
	push_fn(NULL, post_sem, &other);
	wait_sem(&other);
	assert_int_equal(b.ended, 0);
	assert_true(stats_now().threads > N);
	assert_true(stats_now().grown >= N - 1);
	for (int i = 0; i < N; i++)
		sem_post(&b.go);
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stop();
	for (int i = 0; i < N; i++)
		rs_serializer_unref(s[i]);
}

static void the_pool_never_grows_past_its_maximum(void **state)
{
	struct blocker b;
	sem_t other;
	int done = 0;

	(void)state;
	blocker_init(&b);
	sem_init(&other, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){
				 .minimum = 1, .initial = 1, .increment = 2, .maximum = 4}),
			 0);
	for (int i = 0; i < 8; i++)
		push_fn(NULL, block, &b);
	for (int i = 0; i < 4; i++)
		wait_sem(&b.started);
	assert_true(EVENTUALLY(stats_now().queued == 4));
	assert_int_equal(stats_now().threads, 4);
	assert_int_equal(sem_trywait(&b.started), -1);
	for (int i = 0; i < 8; i++)
		sem_post(&b.go);
	assert_true(rs_taskpool_drain(30000));
	done = b.ended;
	assert_int_equal(done, 8);
	assert_int_equal(stats_now().peak_threads, 4);
	rs_taskpool_stop();
}

struct behind {
	struct blocker b;
	sem_t other;
};

/* Runs on a pool thread: pushes work to that thread's own queue, then blocks. */
static void push_then_block(void *data)
{
	struct behind *x = data;

	push_fn(NULL, post_sem, &x->other);
	block(&x->b);
}

static void work_pushed_by_a_task_that_then_blocks_is_not_delayed(void **state)
{
	struct behind x;

	(void)state;
	blocker_init(&x.b);
	sem_init(&x.other, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 2, .initial = 2}), 0);
	for (int i = 0; i < 20; i++) {
		push_fn(NULL, push_then_block, &x);
		wait_sem(&x.b.started);
		wait_sem(&x.other); /* while the other still blocks */
		sem_post(&x.b.go);
		assert_true(EVENTUALLY(x.b.ended == i + 1));
	}
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stop();
}

static void idle_threads_leave_down_to_the_minimum(void **state)
{
	enum { N = 6 };
	struct blocker b;
	sem_t other;

	(void)state;
	blocker_init(&b);
	sem_init(&other, 0, 0);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){
				 .minimum = 2, .initial = 2, .maximum = 20, .idle_timeout_s = 1}),
			 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++)
			push_fn(NULL, block, &b);
		for (int i = 0; i < N; i++)
			wait_sem(&b.started);
		assert_true(stats_now().threads >= N);
		for (int i = 0; i < N; i++)
			sem_post(&b.go);
		assert_true(EVENTUALLY(stats_now().threads == 2));
		assert_true(EVENTUALLY(stats_now().shrunk >= N - 2));
		/* Those that stayed still work. */
		push_fn(NULL, post_sem, &other);
		wait_sem(&other);
	}
	rs_taskpool_stop();
}

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static int stuck_lines, unstuck_lines;
static char stuck_line[512];

static void catch_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	pthread_mutex_lock(&lines_lock);
	if (level == RS_LOG_WARNING && memmem(line.p, line.len, "taskpool.stuck", 14)) {
		stuck_lines++;
		snprintf(stuck_line, sizeof(stuck_line), "%.*s", RS_FMT(line));
	}
	if (level == RS_LOG_WARNING && memmem(line.p, line.len, "taskpool.unstuck", 16))
		unstuck_lines++;
	pthread_mutex_unlock(&lines_lock);
}

static int lines(const int *counter)
{
	int n;

	pthread_mutex_lock(&lines_lock);
	n = *counter;
	pthread_mutex_unlock(&lines_lock);
	return n;
}

static const char *module_name(void *module)
{
	return module ? "the-module" : "none";
}

static void the_watchdog_names_a_stuck_task_once(void **state)
{
	struct blocker b;
	struct rs_serializer *s = rs_serializer_new("the-serializer");
	struct job_task *j;

	(void)state;
	blocker_init(&b);
	rs_log_set_sink(catch_line, NULL);
	rs_taskpool_set_module_namer(module_name);
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.stuck_ms = 20}), 0);
	j = calloc(1, sizeof(*j));
	*j = (struct job_task){.task = {.run = job_task_run, .name = "test", .module = &b}, .fn = block, .data = &b};
	rs_push(s, &j->task);
	assert_true(EVENTUALLY(lines(&stuck_lines) == 1));
	assert_non_null(strstr(stuck_line, " task=test serializer=the-serializer module=the-module ms="));
	assert_int_equal(lines(&unstuck_lines), 0);
	assert_int_equal(stats_now().stuck, 1);
	/* The same task again would be a second line while it blocks: give the monitor work to look at. */
	push_fn(NULL, block, &b);
	assert_true(EVENTUALLY(lines(&stuck_lines) == 2));
	assert_int_equal(stats_now().stuck, 2);
	sem_post(&b.go);
	sem_post(&b.go);
	assert_true(EVENTUALLY(lines(&unstuck_lines) == 2));
	rs_taskpool_stop();
	rs_log_set_sink(NULL, NULL);
	rs_serializer_unref(s);
}

static void a_maximum_below_the_minimum_is_refused(void **state)
{
	(void)state;
	assert_int_equal(rs_taskpool_start(&(struct rs_taskpool_config){.minimum = 5, .maximum = 4}), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_threads_are_joined_by_new_ones),
		cmocka_unit_test(the_pool_never_grows_past_its_maximum),
		cmocka_unit_test(work_pushed_by_a_task_that_then_blocks_is_not_delayed),
		cmocka_unit_test(idle_threads_leave_down_to_the_minimum),
		cmocka_unit_test(the_watchdog_names_a_stuck_task_once),
		cmocka_unit_test(a_maximum_below_the_minimum_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
