/* Nonces and the table of counts that were used: every limit, and one past it. */
#include "authenticator_digest/nonce.h"

#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LIFETIME 32
#define RING     4096 /* entries a shard of the table */
#define WINDOW   64

static struct sip_addr phone;
static const struct rs_str realm = RS_STR_INIT("asterisk");

static int setup(void **state)
{
	(void)state;
	sim_env_start(&(struct sim_config){.seed = 3});
	assert_int_equal(nonce_start(), 0);
	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.9:5060"), &phone), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nonce_stop();
	sim_env_stop();
	return 0;
}

static uint32_t now(void)
{
	return (uint32_t)(rs_now_us() / 1000000);
}

static bool is_valid(struct rs_str text, struct rs_str in, const struct sip_addr *source, uint32_t lifetime)
{
	struct nonce n;

	return nonce_read(text, &n) && nonce_valid(&n, in, source, lifetime, now());
}

static bool take(struct rs_str text, uint32_t nc, uint32_t lifetime)
{
	struct nonce n;

	return nonce_read(text, &n) && nonce_take(&n, nc, lifetime, now());
}

static struct rs_str make(char text[NONCE_TEXT])
{
	assert_int_equal(nonce_make(realm, &phone, now(), text), 0);
	return rs_str_n(text, NONCE_TEXT - 1);
}

static bool valid(struct rs_str nonce)
{
	return is_valid(nonce, realm, &phone, LIFETIME);
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A new nonce that lies in shard 0 of the table, which the last six bits of its random number choose. */
static struct rs_str make_in_shard(char text[NONCE_TEXT])
{
	struct rs_str n;

	do
		n = make(text);
	while ((digit(text[22]) << 4 | digit(text[23])) & 63);
	return n;
}

static void a_nonce_belongs_to_its_realm_and_address(void **state)
{
	struct sip_addr other;
	char text[NONCE_TEXT];
	struct rs_str n = make(text);

	(void)state;
	assert_true(valid(n));
	phone.port = 1;
	assert_true(valid(n)); /* a phone behind NAT changes its port */
	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.8:5060"), &other), 0);
	assert_false(is_valid(n, realm, &other, LIFETIME));
	assert_false(is_valid(n, RS_STR("Asterisk"), &phone, LIFETIME));
	assert_false(is_valid(n, RS_STR(""), &phone, LIFETIME));
}

static void any_other_text_is_no_nonce(void **state)
{
	char text[NONCE_TEXT + 1];
	struct rs_str n = make(text);

	(void)state;
	for (size_t i = 0; i < n.len; i++) {
		char was = text[i];
		static const char instead[] = {'0', 'f', 'A', 'g', '/', ':', '\0', '"'};

		for (size_t k = 0; k < sizeof(instead); k++) {
			text[i] = instead[k];
			assert_int_equal(valid(n), instead[k] == was);
		}
		text[i] = was;
	}
	assert_false(valid(rs_str_n(text, n.len - 1)));
	text[n.len] = '0';
	assert_false(valid(rs_str_n(text, n.len + 1)));
	assert_false(valid(RS_STR_NULL));
	assert_false(take(rs_str_n(text, n.len + 1), 1, LIFETIME));
	assert_true(valid(n));
}

static void it_serves_until_its_lifetime_is_over(void **state)
{
	char text[NONCE_TEXT];
	struct rs_str n = make(text);

	(void)state;
	sim_run_for(LIFETIME * SIM_SECOND);
	assert_true(valid(n));
	assert_true(is_valid(n, realm, &phone, UINT32_MAX));
	sim_run_for(SIM_SECOND);
	assert_false(valid(n));
	assert_true(is_valid(n, realm, &phone, LIFETIME + 1));
	assert_true(is_valid(n, realm, &phone, UINT32_MAX));
}

static void one_from_the_future_is_none(void **state)
{
	char text[NONCE_TEXT];
	struct rs_str n;

	(void)state;
	sim_run_for(10 * SIM_SECOND);
	n = make(text);
	sim_env_stop();
	sim_env_start(&(struct sim_config){.seed = 3}); /* the clock is back at its start */
	assert_false(valid(n));
}

static void the_secret_follows_from_the_key(void **state)
{
	static const uint8_t nothing[NONCE_SECRET / 2];
	uint8_t a[NONCE_SECRET], b[NONCE_SECRET];

	(void)state;
	assert_int_equal(nonce_secret(a), 0);
	assert_int_equal(nonce_start(), 0);
	assert_int_equal(nonce_secret(b), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, a + sizeof(a) / 2, sizeof(a) / 2);
	assert_memory_not_equal(a, nothing, sizeof(nothing));
}

static void a_count_is_taken_once(void **state)
{
	char a[NONCE_TEXT], b[NONCE_TEXT];
	struct rs_str n = make(a), other = make(b);

	(void)state;
	assert_false(take(n, 0, LIFETIME));
	assert_true(take(n, 1, LIFETIME));
	assert_false(take(n, 1, LIFETIME));
	assert_true(take(n, 2, LIFETIME));
	assert_false(take(n, 1, LIFETIME));
	assert_true(take(other, 1, LIFETIME));
}

static void counts_may_come_late_inside_the_window_only(void **state)
{
	char text[NONCE_TEXT];
	struct rs_str n = make(text);

	(void)state;
	assert_true(take(n, 100, LIFETIME));
	assert_false(take(n, 100 - WINDOW, LIFETIME));
	assert_true(take(n, 100 - WINDOW + 1, LIFETIME));
	assert_false(take(n, 100 - WINDOW + 1, LIFETIME));
	/* One step on: the last one leaves the window, and what was taken stays taken. */
	assert_true(take(n, 101, LIFETIME));
	assert_false(take(n, 100 - WINDOW + 1, LIFETIME));
	assert_false(take(n, 100, LIFETIME));
	assert_true(take(n, 99, LIFETIME));
	/* A jump by the whole window, by one less, and to the end. */
	assert_true(take(n, 101 + WINDOW - 1, LIFETIME));
	assert_false(take(n, 101, LIFETIME));
	assert_true(take(n, 101 + 2 * WINDOW - 1, LIFETIME));
	assert_true(take(n, 101 + WINDOW, LIFETIME));
	assert_true(take(n, UINT32_MAX, LIFETIME));
	assert_false(take(n, UINT32_MAX, LIFETIME));
	assert_true(take(n, UINT32_MAX - WINDOW + 1, LIFETIME));
	assert_false(take(n, UINT32_MAX - WINDOW, LIFETIME));
}

static void a_full_table_makes_the_oldest_nonces_stale(void **state)
{
	char first[NONCE_TEXT], unused[NONCE_TEXT], text[NONCE_TEXT], late[NONCE_TEXT];

	(void)state;
	make_in_shard(first);
	make_in_shard(unused);
	assert_true(take(rs_str_c(first), 1, LIFETIME));
	sim_run_for(SIM_SECOND);
	for (unsigned i = 1; i < RING; i++)
		assert_true(take(make_in_shard(text), 1, LIFETIME));
	assert_true(take(rs_str_c(first), 2, LIFETIME)); /* all of them are still known */
	make_in_shard(late);
	assert_true(take(rs_str_c(late), 1, LIFETIME)); /* one more: the first is forgotten */
	assert_false(take(rs_str_c(first), 2, LIFETIME));
	assert_false(take(rs_str_c(first), 3, LIFETIME));
	/* One that was issued when the forgotten one was could be its replay, too. */
	assert_false(take(rs_str_c(unused), 1, LIFETIME));
	assert_true(take(rs_str_c(text), 2, LIFETIME));
	assert_false(take(rs_str_c(late), 1, LIFETIME));
}

static void old_entries_make_room_without_harm(void **state)
{
	char text[NONCE_TEXT], unused[NONCE_TEXT];

	(void)state;
	for (unsigned i = 0; i < RING; i++)
		assert_true(take(make_in_shard(text), 1, LIFETIME));
	make_in_shard(unused);
	sim_run_for((LIFETIME + 1) * SIM_SECOND);
	assert_true(take(make_in_shard(text), 1, LIFETIME));
	assert_true(take(rs_str_c(unused), 1, 3600)); /* nothing was forgotten before its time */
}

static void a_ring_that_widens_while_it_wraps_forgets_nothing(void **state)
{
	static char text[200][NONCE_TEXT];

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		assert_true(take(make_in_shard(text[0]), 1, LIFETIME));
	sim_run_for((LIFETIME + 1) * SIM_SECOND);
	for (unsigned i = 0; i < 200; i++) /* the oldest lies in the middle of the ring when it gets full */
		assert_true(take(make_in_shard(text[i]), 1, LIFETIME));
	for (unsigned i = 0; i < 200; i++) {
		assert_false(take(rs_str_c(text[i]), 1, LIFETIME));
		assert_true(take(rs_str_c(text[i]), 2, LIFETIME));
	}
}

/* One of shard 0 that leads to a place in the index, whatever else. */
static struct nonce made_up(uint64_t i, uint32_t seconds)
{
	/* Odd: each i has a number of its own. */
	return (struct nonce){.seconds = seconds, .number = i * 0x9e3779b97f4a7c15ull << 6};
}

static void entries_are_known_however_many_came_before(void **state)
{
	const uint32_t seconds = now() + 1, many = 3 * (1u << 20) + 12345;

	(void)state;
	for (uint32_t i = 0; i < many; i++) {
		/* Time goes on, or the first one that is forgotten makes all others stale. */
		struct nonce n = made_up(i, seconds + i / RING * 2), old = made_up(i - RING + 1, 0);

		assert_true(nonce_take(&n, 1, UINT32_MAX, seconds));
		assert_false(nonce_take(&n, 1, UINT32_MAX, seconds));
		if (i < RING)
			continue;
		old.seconds = seconds + (i - RING + 1) / RING * 2;
		assert_false(nonce_take(&old, 1, UINT32_MAX, seconds));
		if (i % 1000 == 0)
			assert_true(nonce_take(&old, 2, UINT32_MAX, seconds));
	}
}

static void a_full_bucket_lets_no_replay_through(void **state)
{
	const uint32_t seconds = now() + 1;
	const uint64_t one_bucket = 1ull << 54; /* above what chooses it, and in the tag */
	unsigned known = 0;

	(void)state;
	/* Each was issued a second after the one before it. */
	for (uint32_t i = 0; i < 1000; i++) {
		struct nonce n = {.seconds = seconds + i, .number = i * one_bucket + ((uint64_t)i << 6)};

		assert_true(nonce_take(&n, 1, UINT32_MAX, seconds));
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct nonce n = {.seconds = seconds + i, .number = i * one_bucket + ((uint64_t)i << 6)};

		assert_false(nonce_take(&n, 1, UINT32_MAX, seconds));
		known += nonce_take(&n, 2, UINT32_MAX, seconds);
	}
	assert_int_equal(known, 16); /* what a bucket holds */
}

static void a_short_lifetime_forgets_no_nonce_of_a_longer_one(void **state)
{
	char text[NONCE_TEXT], other[NONCE_TEXT];
	struct rs_str n = make_in_shard(text);

	(void)state;
	assert_true(take(n, 1, 3600));
	sim_run_for(100 * SIM_SECOND);
	assert_true(take(make_in_shard(other), 1, LIFETIME));
	assert_true(is_valid(n, realm, &phone, 3600));
	assert_false(take(n, 1, 3600));
	assert_true(take(n, 2, UINT32_MAX));
	sim_run_for(3600 * SIM_SECOND);
	assert_true(take(make_in_shard(other), 1, LIFETIME));
	assert_false(take(n, 2, UINT32_MAX));
}

static void a_thread_that_fell_asleep_replays_nothing(void **state)
{
	char text[NONCE_TEXT], other[NONCE_TEXT];
	struct rs_str t = make_in_shard(text);
	uint32_t then = now() + LIFETIME;
	struct nonce n;

	(void)state;
	assert_true(nonce_read(t, &n));
	assert_true(nonce_take(&n, 1, LIFETIME, now()));
	sim_run_for((LIFETIME + 1) * SIM_SECOND);
	/* Another one lets the entry go, which is over. */
	assert_true(take(make_in_shard(other), 1, LIFETIME));
	assert_true(nonce_valid(&n, realm, &phone, LIFETIME, then));
	assert_false(nonce_take(&n, 1, LIFETIME, then));
	assert_false(nonce_take(&n, 2, LIFETIME, then));
}

static void starting_again_forgets_nothing(void **state)
{
	char text[NONCE_TEXT];
	struct rs_str n = make(text);

	(void)state;
	assert_true(take(n, 1, LIFETIME));
	assert_int_equal(nonce_start(), 0);
	assert_true(valid(n));
	assert_false(take(n, 1, LIFETIME));
}

static void a_realm_of_any_length_is_covered(void **state)
{
	char text[NONCE_TEXT], name[300];

	(void)state;
	memset(name, 'r', sizeof(name));
	for (size_t len = 254; len <= 258; len++) {
		assert_int_equal(nonce_make(rs_str_n(name, len), &phone, now(), text), 0);
		assert_true(is_valid(rs_str_c(text), rs_str_n(name, len), &phone, LIFETIME));
	}
	assert_int_equal(nonce_make(rs_str_n(name, 256), &phone, now(), text), 0);
	assert_false(is_valid(rs_str_c(text), rs_str_n(name, 255), &phone, LIFETIME));
}

/* ---- several threads ---- */

#define THREADS 4
#define COUNTS  2000

static char shared[8][NONCE_TEXT];
static _Atomic unsigned taken;

static void *take_all(void *arg)
{
	(void)arg;
	for (uint32_t nc = 1; nc <= COUNTS; nc++) {
		for (unsigned i = 0; i < 8; i++)
			taken += take(rs_str_n(shared[i], NONCE_TEXT - 1), nc, LIFETIME);
	}
	return NULL;
}

static void each_count_is_given_to_one_thread(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		make(shared[i]);
	taken = 0;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(taken <= 8 * COUNTS); /* a thread that fell behind the window lost some */
	assert_true(taken >= COUNTS);
	for (unsigned i = 0; i < 8; i++)
		assert_false(take(rs_str_n(shared[i], NONCE_TEXT - 1), COUNTS, LIFETIME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_nonce_belongs_to_its_realm_and_address),
		T(any_other_text_is_no_nonce),
		T(it_serves_until_its_lifetime_is_over),
		T(one_from_the_future_is_none),
		T(the_secret_follows_from_the_key),
		T(a_count_is_taken_once),
		T(counts_may_come_late_inside_the_window_only),
		T(a_full_table_makes_the_oldest_nonces_stale),
		T(old_entries_make_room_without_harm),
		T(a_ring_that_widens_while_it_wraps_forgets_nothing),
		T(entries_are_known_however_many_came_before),
		T(a_full_bucket_lets_no_replay_through),
		T(a_short_lifetime_forgets_no_nonce_of_a_longer_one),
		T(a_thread_that_fell_asleep_replays_nothing),
		T(starting_again_forgets_nothing),
		T(a_realm_of_any_length_is_covered),
		T(each_count_is_given_to_one_thread),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
