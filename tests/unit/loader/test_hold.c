#include "support.h"
#include "base/clock.h"
#include "core/loader/hold.h"
#include "core/loader/wait.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define THREADS 4
#define ROUNDS  20000

static struct hold_table *table_new(void)
{
	struct hold_table *t = aligned_alloc(_Alignof(struct hold_table), sizeof(*t));

	assert_non_null(t);
	memset(t, 0, sizeof(*t));
	return t;
}

static void kinds_are_counted_apart(void **state)
{
	struct hold_table *t = table_new();
	char task[] = "task"; /* an equal word in another place is the same kind */

	(void)state;
	hold_change(t, 1, "task");
	hold_change(t, 1, task);
	hold_change(t, 1, "timer");
	assert_string_equal(atomic_load(&t->what[0]), "task");
	assert_int_equal(hold_count(t, 0), 2);
	assert_int_equal(hold_count(t, 1), 1);
	assert_false(hold_none(t, NULL));
	hold_change(t, -1, "task");
	hold_change(t, -1, "task");
	hold_change(t, -1, "timer");
	assert_true(hold_none(t, NULL));
	free(t);
}

static bool is_task(const char *what)
{
	return strcmp(what, "task") == 0;
}

/* The words lie in objects that are unmapped. */
static void a_reset_forgets_the_words(void **state)
{
	struct hold_table *t = table_new();
	char *word = strdup("session");

	(void)state;
	hold_change(t, 1, word);
	hold_change(t, -1, word);
	hold_reset(t);
	memset(word, 'x', strlen(word) + 1);
	free(word);
	hold_change(t, 1, "handler");
	assert_string_equal(atomic_load(&t->what[0]), "handler");
	assert_null(atomic_load(&t->what[1]));
	assert_int_equal(hold_count(t, 0), 1);
	hold_change(t, -1, "handler");
	assert_true(hold_none(t, NULL));
	free(t);
}

static void other_kinds_can_be_left_out(void **state)
{
	struct hold_table *t = table_new();

	(void)state;
	hold_change(t, 1, "work");
	assert_true(hold_none(t, is_task));
	hold_change(t, 1, "task");
	assert_false(hold_none(t, is_task));
	free(t);
}

static void more_kinds_than_fit_are_counted_together(void **state)
{
	static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
					    "j", "k", "l", "m", "n", "o", "p", "q", "r"};
	struct hold_table *t = table_new();

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(words); i++)
		hold_change(t, 1, words[i]);
	assert_int_equal(hold_count(t, HOLD_KINDS - 1), RS_ARRAY_SIZE(words) - (HOLD_KINDS - 1));
	for (size_t i = 0; i < RS_ARRAY_SIZE(words); i++)
		hold_change(t, -1, words[i]);
	assert_true(hold_none(t, NULL));
	free(t);
}

/* Each thread gives back what its neighbour took, so the two sums are never taken in one place. */
struct ring {
	struct hold_table *t;
	_Atomic unsigned taken[THREADS];
	_Atomic bool wrong;
	_Atomic unsigned running;
};
struct ring_thread {
	struct ring *ring;
	unsigned index;
};

static void *ring_run(void *arg)
{
	struct ring_thread *self = arg;
	struct ring *r = self->ring;
	unsigned next = (self->index + 1) % THREADS;

	for (unsigned i = 0; i < ROUNDS; i++) {
		hold_change(r->t, 1, "task");
		atomic_fetch_add(&r->taken[self->index], 1);
		while (!atomic_load(&r->taken[next]))
			sched_yield();
		/* One hold of the neighbour's is this thread's to give back: until then the table is never empty. */
		if (hold_none(r->t, NULL))
			atomic_store(&r->wrong, true);
		atomic_fetch_sub(&r->taken[next], 1);
		hold_change(r->t, -1, "task");
	}
	return NULL;
}

static void holds_that_move_between_threads_are_never_missed(void **state)
{
	struct ring r = {.t = table_new()};
	struct ring_thread selves[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		selves[i] = (struct ring_thread){.ring = &r, .index = i};
		assert_int_equal(pthread_create(&threads[i], NULL, ring_run, &selves[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_false(atomic_load(&r.wrong));
	assert_true(hold_none(r.t, NULL));
	free(r.t);
}

static void *give_back(void *arg)
{
	hold_change(arg, -1, "task");
	return NULL;
}

static void a_waiter_is_woken_by_the_last_hold(void **state)
{
	struct hold_table *t = table_new();
	pthread_t thread;

	(void)state;
	hold_change(t, 1, "task");
	assert_int_equal(pthread_create(&thread, NULL, give_back, t), 0);
	assert_true(hold_wait_none(t, NULL, rs_now_us() + 20000000));
	pthread_join(thread, NULL);
	free(t);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct hold_table *t = table_new();

	(void)state;
	hold_change(t, 1, "task");
	assert_false(hold_wait_none(t, NULL, rs_now_us() + 1000));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_counted_apart),
		cmocka_unit_test(a_reset_forgets_the_words),
		cmocka_unit_test(other_kinds_can_be_left_out),
		cmocka_unit_test(more_kinds_than_fit_are_counted_together),
		cmocka_unit_test(holds_that_move_between_threads_are_never_missed),
		cmocka_unit_test(a_waiter_is_woken_by_the_last_hold),
		cmocka_unit_test(a_wait_ends_at_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
