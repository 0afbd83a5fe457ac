/* The index of a shard against a list, and the queue of completed records. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sip/transaction/completed.h"
#include "sip/transaction/index.h"

#include <stdlib.h>

#define ENTRIES 600

static uint64_t state = 88172645463325252;

static uint64_t random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static bool holds(const struct tsx_index *index, const struct tsx_entry *entry)
{
	uint32_t at = 0;
	const struct tsx_entry *e;
	unsigned n = 0;

	while ((e = tsx_index_next(index, entry->hash, &at))) {
		assert_true(e->hash == entry->hash);
		n += e == entry;
	}
	assert_in_range(n, 0, 1);
	return n;
}

/* hashes: how many different ones, so that few make long runs and equal hashes. */
static void add_and_remove(uint64_t hashes)
{
	static struct tsx_entry entries[ENTRIES];
	bool in[ENTRIES] = {false};
	struct tsx_index index;
	unsigned n = 0;

	assert_int_equal(tsx_index_start(&index), 0);
	for (unsigned i = 0; i < ENTRIES; i++)
		entries[i] = (struct tsx_entry){.hash = random_number() % hashes};
	for (int turn = 0; turn < 20000; turn++) {
		/* It fills, and gets nearly empty again. */
		unsigned i = (unsigned)(random_number() % ENTRIES);
		bool fill = turn / 4000 % 2 == 0 || random_number() % 4 == 0;

		if (!in[i] && fill) {
			assert_true(tsx_index_reserve(&index));
			tsx_index_add(&index, &entries[i]);
			in[i] = true;
			n++;
		} else if (in[i] && !fill) {
			assert_true(tsx_index_remove(&index, &entries[i]));
			in[i] = false;
			n--;
		} else if (!in[i]) {
			assert_false(tsx_index_remove(&index, &entries[i]));
		}
		assert_int_equal(index.n, n);
		if (turn % 97 == 0) {
			for (unsigned e = 0; e < ENTRIES; e++)
				assert_int_equal(holds(&index, &entries[e]), in[e]);
		}
	}
	tsx_index_stop(&index);
}

static void what_was_added_is_found_until_it_is_removed(void **unused)
{
	(void)unused;
	add_and_remove(UINT64_MAX);
}

static void entries_of_one_hash_and_of_neighbours_are_told_apart(void **unused)
{
	(void)unused;
	add_and_remove(40);
}

static void a_run_that_wraps_round_the_end_stays_whole(void **unused)
{
	struct tsx_entry e[6];
	struct tsx_index index;

	(void)unused;
	assert_int_equal(tsx_index_start(&index), 0);
	for (int i = 0; i < 6; i++) {
		e[i] = (struct tsx_entry){.hash = index.size - 2};
		tsx_index_add(&index, &e[i]);
	}
	assert_true(tsx_index_remove(&index, &e[0]));
	for (int i = 1; i < 6; i++)
		assert_true(holds(&index, &e[i]));
	tsx_index_stop(&index);
}

static void an_index_gives_back_what_a_burst_took(void **unused)
{
	static struct tsx_entry e[5000];
	struct tsx_index index;
	uint32_t at_rest;

	(void)unused;
	assert_int_equal(tsx_index_start(&index), 0);
	at_rest = index.size;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(e); i++) {
		e[i].hash = random_number();
		assert_true(tsx_index_reserve(&index));
		tsx_index_add(&index, &e[i]);
	}
	assert_true(index.size >= RS_ARRAY_SIZE(e));
	for (unsigned i = 0; i < RS_ARRAY_SIZE(e); i++)
		assert_true(tsx_index_remove(&index, &e[i]));
	assert_int_equal(index.size, at_rest);
	tsx_index_stop(&index);
}

static void a_stopped_index_holds_nothing(void **unused)
{
	struct tsx_index index = {0};
	struct tsx_entry e = {.hash = 1};

	(void)unused;
	assert_false(tsx_index_reserve(&index));
	assert_false(tsx_index_remove(&index, &e));
	assert_false(holds(&index, &e));
}

static void records_leave_in_the_order_in_which_they_came(void **unused)
{
	struct tsx_waiting w = {0};
	static struct tsx_completed c[3000];
	unsigned added = 0, taken = 0;

	(void)unused;
	assert_null(tsx_waiting_at(&w, 0));
	while (taken < RS_ARRAY_SIZE(c)) {
		unsigned more = (unsigned)(random_number() % 7), less = (unsigned)(random_number() % 6);

		for (; more && added < RS_ARRAY_SIZE(c); more--) {
			assert_true(tsx_waiting_reserve(&w));
			tsx_waiting_add(&w, &c[added++]);
		}
		for (; less && taken < added; less--) {
			assert_ptr_equal(tsx_waiting_at(&w, 0), &c[taken++]);
			tsx_waiting_take(&w);
		}
		assert_int_equal(w.n, added - taken);
		if (added > taken)
			assert_ptr_equal(tsx_waiting_at(&w, added - taken - 1), &c[added - 1]);
		assert_null(tsx_waiting_at(&w, added - taken));
	}
	assert_in_range(w.size, 0, 16);
	tsx_waiting_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
		cmocka_unit_test(entries_of_one_hash_and_of_neighbours_are_told_apart),
		cmocka_unit_test(a_run_that_wraps_round_the_end_stays_whole),
		cmocka_unit_test(an_index_gives_back_what_a_burst_took),
		cmocka_unit_test(a_stopped_index_holds_nothing),
		cmocka_unit_test(records_leave_in_the_order_in_which_they_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
