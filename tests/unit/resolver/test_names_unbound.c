/* libunbound behind the resolver, asking a small DNS server of the test's own on the loopback. */
#include "dns_server.h"

#include "base/taskpool.h"
#include "sip/resolver/names_unbound.h"
#include "sip/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- asking and waiting ---- */

struct asked {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	int error;
	unsigned n;
	struct sip_addr addrs[32];
};

static void done(void *token, int error, const struct sip_addr *addrs, unsigned n)
{
	struct asked *a = token;

	pthread_mutex_lock(&a->lock);
	assert_false(a->done);
	a->done = true;
	a->error = error;
	a->n = n;
	for (unsigned i = 0; i < n && i < RS_ARRAY_SIZE(a->addrs); i++)
		a->addrs[i] = addrs[i];
	pthread_cond_signal(&a->cond);
	pthread_mutex_unlock(&a->lock);
}

static void asked_init(struct asked *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->cond, NULL);
}

static void await(struct asked *a)
{
	pthread_mutex_lock(&a->lock);
	while (!a->done)
		pthread_cond_wait(&a->cond, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

static void ask(struct asked *a, const char *host, bool want4, bool want6)
{
	asked_init(a);
	sip_names_unbound.query(NULL, host, want4, want6, done, a);
	await(a);
}

static void expect(const struct asked *a, unsigned i, const char *ip)
{
	char text[SIP_ADDR_TEXT];

	assert_true(i < a->n);
	assert_string_equal(sip_addr_host(&a->addrs[i], text), ip);
	assert_int_equal(a->addrs[i].port, 0);
}

static char hosts_file[] = "/tmp/test_names_XXXXXX";

static int setup(void **state)
{
	static struct sip_names_unbound_config config;
	const struct rs_taskpool_config pool = {.minimum = 2, .initial = 2, .increment = 1, .maximum = 4};
	int fd = mkstemp(hosts_file);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "127.0.0.9 fromfile.example.com\n") > 0, 1);
	close(fd);
	dns_server_start();
	config = (struct sip_names_unbound_config){.forward = dns_server_forward(), .hosts = hosts_file};
	assert_int_equal(rs_taskpool_start(&pool), 0);
	return sip_names_unbound.start(&config);
}

static int teardown(void **state)
{
	(void)state;
	sip_names_unbound.stop(NULL);
	rs_taskpool_stop();
	dns_server_stop();
	unlink(hosts_file);
	return 0;
}

static void both_families_are_asked_when_wanted(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "both.example.com", true, true);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.n, 2);
	ask(&a, "both.example.com", false, true);
	assert_int_equal(a.n, 1);
	expect(&a, 0, "[2001:db8::7]");
	ask(&a, "four.example.com", true, true);
	assert_int_equal(a.n, 1);
	expect(&a, 0, "127.0.0.2");
	ask(&a, "four.example.com", false, true);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.error, ENOENT);
}

static void the_hosts_file_is_read(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "fromfile.example.com", true, false);
	assert_int_equal(a.n, 1);
	expect(&a, 0, "127.0.0.9");
}

static void a_missing_name_and_a_failing_server_differ(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "missing.example.com", true, true);
	assert_int_equal(a.error, ENOENT);
	ask(&a, "broken.example.com", true, true);
	assert_int_equal(a.error, EIO);
}

static void many_names_are_asked_at_once_and_each_is_answered(void **state)
{
	static struct asked many[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		char host[40];

		asked_init(&many[i]);
		snprintf(host, sizeof(host), "host%d.example.com", i);
		sip_names_unbound.query(NULL, host, true, false, done, &many[i]);
	}
	for (int i = 0; i < 100; i++) {
		await(&many[i]);
		assert_int_equal(many[i].error, 0);
		assert_int_equal(many[i].n, 1);
	}
}

static void past_the_limit_a_query_fails_at_once(void **state)
{
	static struct asked many[1001];

	(void)state;
	for (int i = 0; i < 1001; i++) {
		char host[40];

		asked_init(&many[i]);
		snprintf(host, sizeof(host), "silent.n%d.example.com", i);
		sip_names_unbound.query(NULL, host, true, false, done, &many[i]);
	}
	assert_true(many[1000].done);
	assert_int_equal(many[1000].error, EIO);
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&many[i].lock);
		assert_false(many[i].done);
		pthread_mutex_unlock(&many[i].lock);
	}
	/* A stop answers them all. */
	teardown(NULL);
	for (int i = 0; i < 1000; i++) {
		assert_true(many[i].done);
		assert_int_equal(many[i].error, EIO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_are_asked_when_wanted),
		cmocka_unit_test(the_hosts_file_is_read),
		cmocka_unit_test(a_missing_name_and_a_failing_server_differ),
		cmocka_unit_test(many_names_are_asked_at_once_and_each_is_answered),
		cmocka_unit_test(past_the_limit_a_query_fails_at_once), /* the last one: it stops all */
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
