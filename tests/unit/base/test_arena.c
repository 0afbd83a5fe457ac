#include "base_test.h"
#include "base/arena.h"

#include <pthread.h>

static void blocks_are_aligned_and_apart(void **state)
{
	char base[512 + 1];
	struct rs_arena a;
	char *last = NULL;

	(void)state;
	rs_arena_init(&a, base + 1, 512, 4096);
	for (size_t i = 1; i < 60; i++) {
		char *p = rs_arena_alloc(&a, i);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(p, last);
		memset(p, (int)i, i);
		assert_true(!last || last[0] == (char)(i - 1));
		last = p;
	}
	rs_arena_reset(&a);
}

static void past_the_limit_there_is_nothing(void **state)
{
	char base[64];
	struct rs_arena a;

	(void)state;
	rs_arena_init(&a, base, sizeof(base), 0);
	assert_non_null(rs_arena_alloc(&a, 16));
	errno = 0;
	assert_null(rs_arena_alloc(&a, 65));
	assert_int_equal(errno, ENOMEM);
	rs_arena_reset(&a);
	rs_arena_init(&a, NULL, 0, 100);
	assert_non_null(rs_arena_alloc(&a, 60));
	assert_null(rs_arena_alloc(&a, 41));
	assert_non_null(rs_arena_alloc(&a, 40));
	assert_null(rs_arena_alloc(&a, SIZE_MAX));
	assert_null(rs_arena_alloc(&a, SIZE_MAX - 8));
	rs_arena_reset(&a);
	assert_non_null(rs_arena_alloc(&a, 100));
	rs_arena_reset(&a);
}

static void a_reset_arena_begins_anew(void **state)
{
	char base[128];
	struct rs_arena a;
	struct rs_str s;
	char *first, *zeroed;

	(void)state;
	rs_arena_init(&a, base, sizeof(base), 0);
	first = rs_arena_alloc(&a, 100);
	memset(first, 0xff, 100);
	assert_null(rs_arena_alloc(&a, 100));
	rs_arena_reset(&a);
	zeroed = rs_arena_zalloc(&a, 100);
	assert_ptr_equal(zeroed, first);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeroed[i], 0);
	rs_arena_reset(&a);
	s = rs_arena_str(&a, RS_STR("alice"));
	assert_int_equal(s.len, 5);
	assert_string_equal(s.p, "alice");
	assert_string_equal(rs_arena_str(&a, RS_STR_NULL).p, "");
	assert_null(rs_arena_str(&a, rs_str_n(base, 128)).p);
}

#define THREADS 2
#define ROUNDS  2000

struct filler {
	struct rs_arena *arena;
	unsigned char *blocks[ROUNDS];
	unsigned char value;
};

static void *fill(void *arg)
{
	struct filler *f = arg;

	for (size_t i = 0; i < ROUNDS; i++) {
		size_t n = 1 + i % 40;

		f->blocks[i] = rs_arena_alloc(f->arena, n);
		if (f->blocks[i])
			memset(f->blocks[i], f->value, n);
	}
	return NULL;
}

static void two_threads_never_get_the_same_bytes(void **state)
{
	static char base[16384];
	static struct filler fillers[THREADS];
	pthread_t threads[THREADS];
	struct rs_arena a;

	(void)state;
	rs_arena_init(&a, base, sizeof(base), 1 << 20);
	for (unsigned t = 0; t < THREADS; t++) {
		fillers[t].arena = &a;
		fillers[t].value = (unsigned char)(t + 1);
		assert_int_equal(pthread_create(&threads[t], NULL, fill, &fillers[t]), 0);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (unsigned t = 0; t < THREADS; t++) {
		for (size_t i = 0; i < ROUNDS; i++) {
			assert_non_null(fillers[t].blocks[i]);
			for (size_t k = 0; k < 1 + i % 40; k++)
				assert_int_equal(fillers[t].blocks[i][k], t + 1);
		}
	}
	rs_arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_and_apart),
		cmocka_unit_test(past_the_limit_there_is_nothing),
		cmocka_unit_test(a_reset_arena_begins_anew),
		cmocka_unit_test(two_threads_never_get_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
