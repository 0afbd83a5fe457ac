#include "base_test.h"
#include "base/env.h"
#include "base/hash.h"

#include <sys/wait.h>
#include <unistd.h>

static int64_t given_now(void *token)
{
	return *(int64_t *)token;
}

static int64_t given_wall(void *token)
{
	return *(int64_t *)token + 1;
}

static void given_random(void *token, void *out, size_t n)
{
	(void)token;
	memset(out, 0x42, n);
}

static void the_environment_gives_time_and_randomness(void **state)
{
	int64_t token = 99;
	struct rs_env env = {.now_us = given_now, .wall_us = given_wall, .random = given_random, .token = &token};
	unsigned char bytes[5000];

	(void)state;
	rs_env_set(&env);
	assert_ptr_equal(rs_env_get(), &env);
	assert_int_equal(rs_now_us(), 99);
	assert_int_equal(rs_wall_us(), 100);
	rs_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0x42);
	rs_env_set(NULL);
	assert_true(rs_now_us() != 99);
	assert_null(rs_env_get()->storage_vfs);
}

static void the_kernel_clock_never_goes_back(void **state)
{
	int64_t last = rs_now_us();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		int64_t now = rs_now_us();

		assert_true(now >= last);
		last = now;
	}
	assert_true(llabs(rs_wall_us() / 1000000 - (int64_t)time(NULL)) <= 1);
}

static void no_random_bytes_come_twice(void **state)
{
	enum { N = 2000 };
	static unsigned char drawn[N][16];
	unsigned char big[3000], big2[3000];

	(void)state;
	for (int i = 0; i < N; i++)
		rs_random(drawn[i], 16);
	for (int i = 0; i < N; i++) {
		for (int k = i + 1; k < N; k++)
			assert_true(memcmp(drawn[i], drawn[k], 16) != 0);
	}
	rs_random(big, sizeof(big));
	rs_random(big2, sizeof(big2));
	assert_true(memcmp(big, big2, sizeof(big)) != 0);
	rs_random(big, 0);
}

static void a_child_draws_other_bytes_than_its_parent(void **state)
{
	unsigned char mine[32], childs[32];
	int fds[2], status;
	pid_t pid;

	(void)state;
	rs_random(mine, 1);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		rs_random(childs, sizeof(childs));
		_exit(write(fds[1], childs, sizeof(childs)) == sizeof(childs) ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(fds[0], childs, sizeof(childs)), sizeof(childs));
	rs_random(mine, sizeof(mine));
	assert_true(memcmp(mine, childs, sizeof(mine)) != 0);
	close(fds[0]);
	close(fds[1]);
}

static void a_random_number_is_below_its_bound_and_even(void **state)
{
	unsigned counts[6] = {0};

	(void)state;
	for (int i = 0; i < 60000; i++) {
		uint32_t r = rs_random_below(6);

		assert_true(r < 6);
		counts[r]++;
	}
	/* 10,000 each; a deviation of 1,000 is eleven sigma. */
	for (int i = 0; i < 6; i++)
		assert_in_range(counts[i], 9000, 11000);
	assert_int_equal(rs_random_below(1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(rs_random_below(0x80000001u) <= 0x80000000u);
}

static void hashes_depend_on_every_byte_and_case_only_when_asked(void **state)
{
	char text[600];

	(void)state;
	for (size_t n = 0; n <= sizeof(text); n += n < 300 ? 1 : 50) {
		uint64_t h, hn;

		memset(text, 'a', sizeof(text));
		h = rs_hash(rs_str_n(text, n));
		hn = rs_hash_nocase(rs_str_n(text, n));
		assert_true(h == rs_hash(rs_str_n(text, n)));
		if (n == 0)
			continue;
		text[n - 1] = 'A';
		assert_true(h != rs_hash(rs_str_n(text, n)));
		assert_true(hn == rs_hash_nocase(rs_str_n(text, n)));
		text[n - 1] = 'b';
		assert_true(hn != rs_hash_nocase(rs_str_n(text, n)));
	}
	/* Letters only: '@' and '`' differ by the same bit. */
	assert_true(rs_hash_nocase(RS_STR("@")) != rs_hash_nocase(RS_STR("`")));
	assert_true(rs_hash_nocase(RS_STR("[")) != rs_hash_nocase(RS_STR("{")));
	assert_true(rs_hash(RS_STR_NULL) == rs_hash(RS_STR("")));
	/* Each byte, at each place of a word and behind it. */
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 13; at++) {
			char one[13], two[13];

			memset(one, 'x', sizeof(one));
			memset(two, 'x', sizeof(two));
			one[at] = (char)c;
			two[at] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
			assert_true(rs_hash_nocase(rs_str_n(one, sizeof(one))) == rs_hash(rs_str_n(two, sizeof(two))));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_gives_time_and_randomness),
		cmocka_unit_test(the_kernel_clock_never_goes_back),
		cmocka_unit_test(no_random_bytes_come_twice),
		cmocka_unit_test(a_child_draws_other_bytes_than_its_parent),
		cmocka_unit_test(a_random_number_is_below_its_bound_and_even),
		cmocka_unit_test(hashes_depend_on_every_byte_and_case_only_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
