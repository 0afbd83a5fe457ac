/* Snapshots read by threads while others are put in force. Run under a thread sanitizer this shows the absence of
 * races. */
#include "conf_dir.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define READERS  3
#define INSTALLS 200

static struct {
	_Atomic bool stop;
	_Atomic unsigned seen;
	pthread_mutex_t lock;
	struct ast_sip_snapshot *handed[64]; /* pinned by one thread, given back by another */
	unsigned n;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void hand_over(struct ast_sip_snapshot *s)
{
	struct ast_sip_snapshot *mine = NULL;

	pthread_mutex_lock(&shared.lock);
	if (shared.n < RS_ARRAY_SIZE(shared.handed))
		shared.handed[shared.n++] = s;
	else
		mine = s;
	pthread_mutex_unlock(&shared.lock);
	ast_sip_snapshot_unref(mine);
}

static struct ast_sip_snapshot *take_over(void)
{
	struct ast_sip_snapshot *s = NULL;

	pthread_mutex_lock(&shared.lock);
	if (shared.n)
		s = shared.handed[--shared.n];
	pthread_mutex_unlock(&shared.lock);
	return s;
}

static void *reader(void *unused)
{
	struct ast_sip_endpoint *kept = NULL;

	(void)unused;
	for (unsigned i = 0; !atomic_load(&shared.stop); i++) {
		struct ast_sip_snapshot *s = ast_sip_snapshot_get(), *other = take_over();
		struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, RS_STR("e"));

		if (!e || ast_sip_endpoint_settings(e)->callerid.len == 0)
			abort();
		ast_sip_endpoint_unref(kept);
		kept = e;
		hand_over(ast_sip_snapshot_ref(s));
		ast_sip_snapshot_unref(s);
		if (other && ast_sip_snapshot_endpoints(other).n != 1)
			abort();
		ast_sip_snapshot_unref(other);
		ast_sip_endpoint_unref(ast_sip_artificial_endpoint());
		if (i % 64 == 0)
			ast_sip_snapshot_thread_release();
		atomic_fetch_add(&shared.seen, 1);
	}
	ast_sip_endpoint_unref(kept);
	return NULL;
}

static _Atomic unsigned freed;

static void count_free(void (*run)(void *), void *arg)
{
	atomic_fetch_add(&freed, 1);
	run(arg);
}

static void readers_always_see_a_whole_snapshot_and_none_leaks(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s = conf_good(d, "[e]\ntype=endpoint\ncallerid=0\n");
	pthread_t threads[READERS];
	char text[64];

	ast_sip_snapshot_set_reclaim(count_free);
	ast_sip_snapshot_install(s);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (unsigned i = 1; i <= INSTALLS; i++) {
		struct ast_sip_snapshot *now = ast_sip_snapshot_get();

		/* every second load leaves the endpoint as it was, so that it is shared */
		snprintf(text, sizeof(text), "[e]\ntype=endpoint\ncallerid=%u\n", i / 2);
		conf_write(d, "pjsip.conf", text);
		s = conf_load_again(d, now);
		assert_non_null(s);
		ast_sip_snapshot_unref(now);
		ast_sip_snapshot_install(s);
	}
	while (atomic_load(&shared.seen) < 1000)
		sched_yield();
	atomic_store(&shared.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	while ((s = take_over()))
		ast_sip_snapshot_unref(s);
	ast_sip_snapshot_install(NULL);
	assert_int_equal(atomic_load(&freed), INSTALLS + 1);
	ast_sip_snapshot_set_reclaim(NULL);
}

static void *one_get(void *out)
{
	*(struct ast_sip_snapshot **)out = ast_sip_snapshot_get();
	return NULL;
}

static void a_thread_that_ends_keeps_no_snapshot(void **state)
{
	struct ast_sip_snapshot *got = NULL;
	pthread_t t;

	atomic_store(&freed, 0);
	ast_sip_snapshot_set_reclaim(count_free);
	ast_sip_snapshot_install(conf_good(*state, ""));
	assert_int_equal(pthread_create(&t, NULL, one_get, &got), 0);
	pthread_join(t, NULL);
	ast_sip_snapshot_install(NULL);
	assert_int_equal(atomic_load(&freed), 0); /* the thread's own reference is still there */
	ast_sip_snapshot_unref(got);
	assert_int_equal(atomic_load(&freed), 1);
	ast_sip_snapshot_set_reclaim(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(readers_always_see_a_whole_snapshot_and_none_leaks),
		conf_test(a_thread_that_ends_keeps_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
