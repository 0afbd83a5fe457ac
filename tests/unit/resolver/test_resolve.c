/* From URIs to targets, over the simulated network and names. */
#include "sim_run.h"

#include "sip/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <cmocka.h>

static struct sip_uri uri(const char *text)
{
	struct sip_uri u;

	if (sip_uri_parse(rs_str_c(text), &u) != 0)
		fail_msg("%s does not parse", text);
	return u;
}

static struct asked {
	struct sip_targets targets;
	unsigned calls;
	struct rs_serializer *on;
} asked;

static void done(const struct sip_targets *targets, void *token)
{
	struct asked *a = token;

	a->targets = *targets;
	a->calls++;
	a->on = rs_serializer_current();
}

static void ask(const char *text, struct rs_serializer *s)
{
	struct sip_uri u = uri(text);

	memset(&asked, 0, sizeof(asked));
	assert_int_equal(sip_resolve_for(NULL, &u, s, done, &asked), 0);
	assert_int_equal(asked.calls, 0); /* never before it returned */
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(asked.calls, 1);
}

static void expect(unsigned i, enum sip_transport_type type, const char *address)
{
	char text[SIP_ADDR_TEXT];

	assert_true(i < asked.targets.n);
	assert_int_equal(asked.targets.v[i].type, type);
	assert_string_equal(sip_addr_text(&asked.targets.v[i].addr, true, text), address);
	assert_int_equal(asked.targets.v[i].flow, 0);
	assert_false(asked.targets.v[i].flow_only);
}

static void listen_on(const char *name, const char *address, enum sip_transport_type type)
{
	struct sip_listener_config config = {.name = rs_str_c(name), .type = type};

	assert_int_equal(sip_addr_parse(rs_str_c(address), &config.sock.bind), 0);
	assert_int_equal(sip_listener_open(&config, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	sim_start(&(struct sim_config){.seed = 5});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_stop();
	return 0;
}

static void expect_numeric(const char *text, enum sip_transport_type type, const char *address)
{
	struct sip_uri u = uri(text);
	struct sip_target t;
	char buf[SIP_ADDR_TEXT];

	if (!sip_resolve_numeric(&u, &t))
		fail_msg("%s is numeric", text);
	assert_int_equal(t.type, type);
	assert_string_equal(sip_addr_text(&t.addr, true, buf), address);
	ask(text, NULL);
	assert_int_equal(asked.targets.n, 1);
	expect(0, type, address);
}

static void numeric_hosts_need_no_name(void **state)
{
	(void)state;
	expect_numeric("sip:alice@192.0.2.1", SIP_TRANSPORT_UDP, "192.0.2.1:5060");
	expect_numeric("sip:192.0.2.1:5070", SIP_TRANSPORT_UDP, "192.0.2.1:5070");
	expect_numeric("sip:a@[2001:db8::1]", SIP_TRANSPORT_UDP, "[2001:db8::1]:5060");
	expect_numeric("sip:a@[2001:db8::1]:6000;transport=TCP", SIP_TRANSPORT_TCP, "[2001:db8::1]:6000");
	expect_numeric("sip:a@192.0.2.1;transport=tls", SIP_TRANSPORT_TLS, "192.0.2.1:5061");
	expect_numeric("sip:a@192.0.2.1;transport=ws", SIP_TRANSPORT_WS, "192.0.2.1:80");
	expect_numeric("sips:a@192.0.2.1", SIP_TRANSPORT_TLS, "192.0.2.1:5061");
	expect_numeric("sips:a@192.0.2.1;transport=tcp", SIP_TRANSPORT_TLS, "192.0.2.1:5061");
	expect_numeric("sips:a@192.0.2.1;transport=ws", SIP_TRANSPORT_WSS, "192.0.2.1:443");
	expect_numeric("sip:a@[::ffff:192.0.2.1]", SIP_TRANSPORT_UDP, "192.0.2.1:5060");
	assert_int_equal(sim_names_asked(), 0);
}

static void maddr_stands_for_the_host(void **state)
{
	(void)state;
	expect_numeric("sip:a@example.com:5070;maddr=192.0.2.9", SIP_TRANSPORT_UDP, "192.0.2.9:5070");
	expect_numeric("sip:a@example.com;maddr=[2001:db8::9]", SIP_TRANSPORT_UDP, "[2001:db8::9]:5060");
	sim_names_add("other.example.com", "192.0.2.10");
	ask("sip:a@192.0.2.1;maddr=other.example.com", NULL);
	assert_int_equal(asked.targets.n, 1);
	expect(0, SIP_TRANSPORT_UDP, "192.0.2.10:5060");
}

static void what_is_no_target_is_said_so(void **state)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{"tel:+4930123", EINVAL},
		{"mailto:a@example.com", EINVAL},
		{"sip:a@192.0.2.1;transport=carrier-pigeon", EPROTONOSUPPORT},
		{"sips:a@192.0.2.1;transport=udp", EPROTONOSUPPORT},
		{"sip:a@example.com;maddr=1.2.3.4!", EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		struct sip_uri u = uri(bad[i].text);
		struct sip_target t;

		assert_false(sip_resolve_numeric(&u, &t));
		ask(bad[i].text, NULL);
		assert_int_equal(asked.targets.n, 0);
		assert_int_equal(asked.targets.error, bad[i].error);
	}
	assert_int_equal(sim_names_asked(), 0);
}

static void names_become_all_their_addresses_on_the_askers_serializer(void **state)
{
	struct rs_serializer *s = rs_serializer_new("asker");

	(void)state;
	sim_names_add("sip.example.com", "192.0.2.1");
	sim_names_add("sip.example.com", "192.0.2.2");
	ask("sip:a@sip.example.com:5080;transport=tcp", s);
	assert_ptr_equal(asked.on, s);
	assert_int_equal(asked.targets.error, 0);
	assert_int_equal(asked.targets.n, 2);
	expect(0, SIP_TRANSPORT_TCP, "192.0.2.1:5080");
	expect(1, SIP_TRANSPORT_TCP, "192.0.2.2:5080");
	rs_serializer_unref(s);
}

static void addresses_that_no_listener_reaches_come_only_when_there_are_no_others(void **state)
{
	(void)state;
	sim_names_add("both.example.com", "192.0.2.1");
	sim_names_add("both.example.com", "2001:db8::1");
	ask("sip:both.example.com", NULL); /* no listener at all */
	assert_int_equal(asked.targets.n, 2);
	listen_on("udp4", "10.0.0.1:5060", SIP_TRANSPORT_UDP);
	ask("sip:both.example.com", NULL);
	assert_int_equal(asked.targets.n, 1);
	expect(0, SIP_TRANSPORT_UDP, "192.0.2.1:5060");
	listen_on("udp6", "[fd00::1]:5060", SIP_TRANSPORT_UDP);
	ask("sip:both.example.com", NULL);
	assert_int_equal(asked.targets.n, 2);
	expect(0, SIP_TRANSPORT_UDP, "[2001:db8::1]:5060");
	expect(1, SIP_TRANSPORT_UDP, "192.0.2.1:5060");
}

static void more_addresses_than_fit_are_cut_off(void **state)
{
	(void)state;
	for (int i = 1; i <= SIP_MAX_TARGETS; i++) {
		char ip[20];

		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		sim_names_add("many.example.com", ip);
	}
	ask("sip:many.example.com", NULL);
	assert_int_equal(asked.targets.n, SIP_MAX_TARGETS);
}

static void failures_keep_their_reason(void **state)
{
	(void)state;
	ask("sip:nobody.example.com", NULL);
	assert_int_equal(asked.targets.n, 0);
	assert_int_equal(asked.targets.error, ENOENT);
	sim_names_fail("broken.example.com", EIO);
	ask("sip:broken.example.com", NULL);
	assert_int_equal(asked.targets.error, EIO);
}

static void a_name_that_is_never_answered_times_out(void **state)
{
	struct sip_uri u = uri("sip:silent.example.com");

	(void)state;
	sim_names_mute("silent.example.com", true);
	memset(&asked, 0, sizeof(asked));
	assert_int_equal(sip_resolve_for(NULL, &u, NULL, done, &asked), 0);
	sim_run_for(9 * SIM_SECOND);
	assert_int_equal(asked.calls, 0);
	sim_run_for(2 * SIM_SECOND);
	assert_int_equal(asked.calls, 1);
	assert_int_equal(asked.targets.error, ETIMEDOUT);
}

static void an_answer_after_the_timeout_is_not_delivered_twice(void **state)
{
	(void)state;
	sim_names_add("late.example.com", "192.0.2.1");
	sim_names_delay(12 * SIM_SECOND, 12 * SIM_SECOND);
	ask("sip:late.example.com", NULL);
	assert_int_equal(asked.targets.error, ETIMEDOUT);
	/* And one within the same instant as the timeout is one answer, whichever wins. */
	sim_names_delay(10 * SIM_SECOND, 10 * SIM_SECOND);
	ask("sip:late.example.com", NULL);
}

static void an_immediate_answer_still_comes_after_the_call(void **state)
{
	(void)state;
	sim_names_add("now.example.com", "192.0.2.1");
	sim_names_delay(0, 0);
	ask("sip:now.example.com", NULL);
	assert_int_equal(asked.targets.n, 1);
}

static int held;

static void count_hold(void *module, int delta, const char *what, const char *name)
{
	assert_non_null(module);
	assert_non_null(what);
	assert_non_null(name);
	held += delta;
}

static void the_module_is_held_until_it_has_its_answer(void **state)
{
	void (*before)(void *, int, const char *, const char *) = sip_module_hold;
	struct sip_uri u = uri("sip:held.example.com");
	int module;

	(void)state;
	held = 0;
	sip_module_hold = count_hold;
	sim_names_add("held.example.com", "192.0.2.1");
	memset(&asked, 0, sizeof(asked));
	assert_int_equal(sip_resolve_for(&module, &u, NULL, done, &asked), 0);
	assert_int_equal(held, 1);
	sim_run_for(SIM_SECOND);
	assert_int_equal(asked.calls, 1);
	assert_int_equal(held, 0);
	sip_module_hold = before;
}

static void stopping_answers_what_is_still_asked(void **state)
{
	struct sip_uri u = uri("sip:silent.example.com");

	(void)state;
	setup(NULL);
	sim_names_mute("silent.example.com", true);
	memset(&asked, 0, sizeof(asked));
	assert_int_equal(sip_resolve_for(NULL, &u, NULL, done, &asked), 0);
	teardown(NULL);
	assert_int_equal(asked.calls, 1);
	assert_int_equal(asked.targets.error, EIO);
}

/* ---- a limit: at it, and one past it ---- */

static unsigned answers;

static void count_answer(const struct sip_targets *targets, void *token)
{
	(void)token;
	answers += targets->n == 1;
}

static void resolutions_under_way_are_limited(void **state)
{
	struct sip_uri u = uri("sip:crowd.example.com");

	(void)state;
	answers = 0;
	sim_names_add("crowd.example.com", "192.0.2.1");
	for (int i = 0; i < 10000; i++)
		assert_int_equal(sip_resolve_for(NULL, &u, NULL, count_answer, NULL), 0);
	assert_int_equal(sip_resolve_for(NULL, &u, NULL, count_answer, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(answers, 10000);
	assert_int_equal(sip_resolve_for(NULL, &u, NULL, count_answer, NULL), 0);
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(answers, 10001);
}

#define RESOLVER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVER_TEST(numeric_hosts_need_no_name),
		RESOLVER_TEST(maddr_stands_for_the_host),
		RESOLVER_TEST(what_is_no_target_is_said_so),
		RESOLVER_TEST(names_become_all_their_addresses_on_the_askers_serializer),
		RESOLVER_TEST(addresses_that_no_listener_reaches_come_only_when_there_are_no_others),
		RESOLVER_TEST(more_addresses_than_fit_are_cut_off),
		RESOLVER_TEST(failures_keep_their_reason),
		RESOLVER_TEST(a_name_that_is_never_answered_times_out),
		RESOLVER_TEST(an_answer_after_the_timeout_is_not_delivered_twice),
		RESOLVER_TEST(an_immediate_answer_still_comes_after_the_call),
		RESOLVER_TEST(the_module_is_held_until_it_has_its_answer),
		RESOLVER_TEST(resolutions_under_way_are_limited),
		cmocka_unit_test(stopping_answers_what_is_still_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
