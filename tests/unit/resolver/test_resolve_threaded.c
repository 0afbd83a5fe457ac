/* From URIs to targets with the real parts: the stack over the kernel's sockets, the pool's threads, libunbound. */
#include "dns_server.h"

#include "base/log.h"
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

#define THREADS 4
#define EACH    100

/* Waits until so many answers of a kind have come. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned resolved, failed, wrong;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void done(const struct sip_targets *targets, void *token)
{
	const char *expected = token;
	char text[SIP_ADDR_TEXT];

	pthread_mutex_lock(&seen.lock);
	if (expected && (targets->n == 0 || strcmp(sip_addr_text(&targets->v[0].addr, true, text), expected) != 0))
		seen.wrong++;
	if (!rs_on_pool_thread())
		seen.wrong++;
	if (targets->n)
		seen.resolved++;
	else
		seen.failed++;
	pthread_cond_broadcast(&seen.cond);
	pthread_mutex_unlock(&seen.lock);
}

static void await(unsigned resolved, unsigned failed)
{
	pthread_mutex_lock(&seen.lock);
	while (seen.resolved < resolved || seen.failed < failed)
		pthread_cond_wait(&seen.cond, &seen.lock);
	assert_int_equal(seen.resolved, resolved);
	assert_int_equal(seen.failed, failed);
	assert_int_equal(seen.wrong, 0);
	seen.resolved = seen.failed = 0;
	pthread_mutex_unlock(&seen.lock);
}

static void ask(const char *text, struct rs_serializer *s, const char *expected)
{
	struct sip_uri u;

	assert_int_equal(sip_uri_parse(rs_str_c(text), &u), 0);
	assert_int_equal(sip_resolve_for(NULL, &u, s, done, (void *)(uintptr_t)expected), 0);
}

static struct sip_names_unbound_config names_config;

static int setup(void **state)
{
	const struct rs_taskpool_config pool = {.minimum = 3, .initial = 3, .increment = 1, .maximum = 4};
	/* The stack keeps no copy of it. */
	static struct sip_stack_config config;
	struct sip_listener_config listener = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};

	(void)state;
	rs_log_set_level(RS_LOG_ERROR);
	dns_server_start();
	names_config = (struct sip_names_unbound_config){.forward = dns_server_forward(), .hosts = "/dev/null"};
	config = (struct sip_stack_config){.names_token = &names_config, .readers = 1};
	assert_int_equal(rs_taskpool_start(&pool), 0);
	assert_int_equal(sip_stack_start(&config), 0);
	assert_int_equal(sip_addr_parse(RS_STR("127.0.0.1"), &listener.sock.bind), 0);
	assert_int_equal(sip_listener_open(&listener, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sip_stack_stop();
	rs_taskpool_stop();
	dns_server_stop();
	return 0;
}

static void names_are_resolved_on_the_askers_serializer(void **state)
{
	struct rs_serializer *s = rs_serializer_new("asker");

	(void)state;
	/* Of "both" only the IPv4 address can be reached: the one listener is on IPv4. */
	ask("sip:a@both.example.com:5080", s, "127.0.0.2:5080");
	ask("sip:a@missing.example.com", s, NULL);
	ask("sip:a@127.0.0.5", s, "127.0.0.5:5060");
	await(2, 1);
	rs_serializer_unref(s);
}

static void *asker(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		char text[64];

		snprintf(text, sizeof(text), "sip:a@h%d.example.com", i);
		ask(text, NULL, "127.0.0.2:5060");
		ask(i % 2 ? "sip:a@127.0.0.9" : "sip:a@missing.example.com", NULL, i % 2 ? "127.0.0.9:5060" : NULL);
	}
	return NULL;
}

static void many_threads_may_ask_at_once(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, asker, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	await(THREADS * (EACH + EACH / 2), THREADS * EACH / 2);
}

static void a_stop_answers_what_is_still_asked(void **state)
{
	for (int i = 0; i < 20; i++) {
		char text[64];

		snprintf(text, sizeof(text), "sip:a@silent.n%d.example.com", i);
		ask(text, NULL, NULL);
	}
	teardown(state);
	assert_int_equal(seen.resolved, 0);
	assert_int_equal(seen.failed, 20);
	seen.failed = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_are_resolved_on_the_askers_serializer, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads_may_ask_at_once, setup, teardown),
		cmocka_unit_test_setup(a_stop_answers_what_is_still_asked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
