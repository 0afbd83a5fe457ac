#include "base_test.h"
#include "base/slab.h"

#include <pthread.h>

static struct rs_slab small = {.name = "small", .size = 3, .keep = 8};
static struct rs_slab large = {.name = "large", .size = 700, .keep = 100};

static void blocks_are_apart_and_as_large_as_asked(void **state)
{
	unsigned char *blocks[200];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++) {
			blocks[i] = rs_slab_alloc(&large);
			assert_non_null(blocks[i]);
			memset(blocks[i], i, 700);
		}
		for (int i = 0; i < 200; i++) {
			for (int k = 0; k < 700; k++)
				assert_int_equal(blocks[i][k], i);
			rs_slab_free(&large, blocks[i]);
		}
	}
	for (int i = 0; i < 200; i++)
		blocks[i] = rs_slab_alloc(&small);
	for (int i = 0; i < 200; i++)
		rs_slab_free(&small, blocks[i]);
	rs_slab_free(&small, NULL);
	rs_slab_thread_fini();
	assert_int_equal(small.live, 0);
	assert_int_equal(large.live, 0);
}

#define EACH 20000

static _Atomic(void *) handed[64];

/* Takes blocks and leaves them for whoever comes next, who frees them. */
static void *take_and_leave(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < EACH; i++) {
		unsigned char *b = rs_slab_alloc(&large);
		unsigned char *old;

		memset(b, 0x5a, 700);
		old = atomic_exchange(&handed[rand_r(&seed) % 64], b);
		rs_slab_free(&large, old);
	}
	rs_slab_thread_fini();
	return NULL;
}

static void a_block_may_be_freed_by_another_thread(void **state)
{
	pthread_t threads[3];

	(void)state;
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_leave, (void *)(i + 1)), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(large.live, 64);
	for (int i = 0; i < 64; i++)
		rs_slab_free(&large, handed[i]);
	rs_slab_thread_fini();
	assert_int_equal(large.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_apart_and_as_large_as_asked),
		cmocka_unit_test(a_block_may_be_freed_by_another_thread),
	};

	rs_slab_register(&small);
	rs_slab_register(&large);
	if (small.index == large.index)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
