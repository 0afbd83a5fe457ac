/*
 * Classes of bugs that SIP peers have had: requests that come round. The whole server with the modules that ship; its
 * own packets to itself travel over the simulated network like any other's.
 */
#include "core_test.h"

#include "core/loader/loader.h"
#include "res_sip/proxy.h"

#define ENDPOINT(name, contacts)                                                                                       \
	"[" name "]\ntype=endpoint\naors=" name "\n[" name "]\ntype=aor\nmax_contacts=10\n" contacts

static struct ct_phone *phone, *callee, *victim;
static unsigned sent; /* MESSAGEs that left the server */

static int count_messages(struct sip_tx_data *tx)
{
	sent += sip_tx_is_request(tx);
	return 0;
}
static struct sip_module counter = {.size = sizeof(struct sip_module),
				    .name = "counter",
				    .priority = SIP_PRIORITY_APPLICATION,
				    .on_tx_request = count_messages};

static void start(const char *pjsip)
{
	struct ast_sip_modules_conf conf = {.autoload = true};

	ct_start(pjsip, NULL);
	assert_int_equal(ast_sip_loader_start(getenv("MODULE_DIR"), &conf), 0);
	assert_int_equal(ast_sip_register_service(&counter), 0);
	phone = ct_phone("10.0.0.2:5060");
	callee = ct_phone("10.0.0.3:5060");
	victim = ct_phone("10.0.0.66:5060");
	sent = 0;
}

static int send_message(const char *to, const char *more)
{
	static unsigned n;
	char word[16], uri[64];
	const char *m;

	snprintf(word, sizeof(word), "l%u", n++);
	snprintf(uri, sizeof(uri), "sip:%s@10.0.0.1", to);
	ct_request(phone, "MESSAGE", uri, word, more);
	do
		m = ct_receive_within(phone, 40 * SIM_SECOND);
	while (ct_status(m) == 100);
	return ct_status(m);
}

/* ---- loops ---- */

static void a_contact_that_is_the_server_itself_is_482(void **state)
{
	(void)state;
	start(ENDPOINT("alice", "contact=sip:alice@10.0.0.1:5060\n"));
	assert_int_equal(send_message("alice", ""), 482);
	assert_int_equal(sent, 2); /* the Request-URI changed once: with the port */
}

static void two_aors_that_point_at_one_another_are_482(void **state)
{
	(void)state;
	start(ENDPOINT("alice", "contact=sip:bob@10.0.0.1\n") ENDPOINT("bob", "contact=sip:alice@10.0.0.1\n"));
	assert_int_equal(send_message("alice", ""), 482);
	assert_int_equal(sent, 2);
}

/* RFC 5393 section 3: each of two AORs forks to both, which doubles at every hop where nothing ends it. */
static void two_aors_that_fork_to_one_another_do_not_grow(void **state)
{
	static char text[4000];
	size_t len = 0;

	(void)state;
	len += (size_t)snprintf(text, sizeof(text), "%s", ENDPOINT("alice", ""));
	for (unsigned i = 0; i < 10; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "contact=sip:bob@10.0.0.1;n=%u\n", i);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", ENDPOINT("bob", ""));
	for (unsigned i = 0; i < 10; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "contact=sip:alice@10.0.0.1;n=%u\n", i);
	start(text);
	assert_true(send_message("alice", "") >= 400);
	/* 60 at once, shared on every level: 10 and their 6 each, whose forks would be of breadth 1. */
	assert_in_range(sent, 10, 70);
}

static void a_spiral_is_no_loop(void **state)
{
	const char *m;
	char text[4096];

	(void)state;
	start(ENDPOINT("alice", "contact=sip:bob@10.0.0.1\n") ENDPOINT("bob", "contact=sip:carol@10.0.0.1\n")
		      ENDPOINT("carol", "contact=sip:carol@10.0.0.3:5060\n"));
	ct_request(phone, "MESSAGE", "sip:alice@10.0.0.1", "spiral", "");
	m = ct_receive(callee);
	assert_non_null(m);
	snprintf(text, sizeof(text), "%s", m);
	assert_string_equal(ct_header(text, "Max-Forwards", 0), "67");
	assert_non_null(ct_header(text, "Via", 3));
	assert_null(ct_header(text, "Via", 4));
	ct_answer(callee, text, 200, "");
	m = ct_receive(phone);
	assert_int_equal(ct_status(m), 200);
	assert_null(ct_header(m, "Via", 1));
}

/* ---- hops ---- */

static void hops_are_counted_down_and_bounded(void **state)
{
	static const struct {
		const char *hops, *left; /* left NULL: 483 */
	} cases[] = {{"0", NULL},    {"00", NULL},  {"1", "0"},           {"70", "69"},
		     {"255", "254"}, {"256", "70"}, {"4294967295", "70"}, {"18446744073709551617", "70"}};
	char more[64];
	const char *m;

	(void)state;
	start(ENDPOINT("alice", "contact=sip:alice@10.0.0.3:5060\n"));
	for (unsigned i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char word[16];

		snprintf(word, sizeof(word), "h%u", i);
		snprintf(more, sizeof(more), "Max-Forwards: %s\n", cases[i].hops);
		ct_request(phone, "MESSAGE", "sip:alice@10.0.0.1", word, more);
		m = ct_receive_within(callee, 100 * SIM_MS);
		if (!cases[i].left) {
			assert_null(m);
			assert_int_equal(ct_status(ct_receive(phone)), 483);
			continue;
		}
		assert_non_null(m);
		assert_string_equal(ct_header(m, "Max-Forwards", 0), cases[i].left);
		ct_answer(callee, m, 200, "");
		assert_int_equal(ct_status(ct_receive(phone)), 200);
	}
}

/* A peer that changes the URI each time is found by no loop detection: the hops end it. */
static bool change_and_return(struct sip_rx_data *rx)
{
	static unsigned n;
	char uri[64];
	struct ast_sip_proxy_branch branch = {.q_thousandths = 1000};
	struct ast_sip_proxy_params p = {
		.size = sizeof(p), .branches = &branch, .n = 1, .timeout_ms = 20000, .no_answer_status = 480};

	if (sip_rx_msg(rx)->method != SIP_METHOD_MESSAGE)
		return false;
	snprintf(uri, sizeof(uri), "sip:alice@10.0.0.1;n=%u", n++);
	branch.uri = rs_str_c(uri);
	ast_sip_proxy_forward(rx, &p);
	return true;
}
static struct sip_module changer = {.size = sizeof(struct sip_module),
				    .name = "changer",
				    .priority = SIP_PRIORITY_APPLICATION - 1,
				    .on_rx_request = change_and_return};

static void a_request_that_changes_each_time_ends_with_its_hops(void **state)
{
	(void)state;
	start(ENDPOINT("alice", ""));
	assert_int_equal(ast_sip_register_service(&changer), 0);
	assert_int_equal(send_message("alice", "Max-Forwards: 3\n"), 483);
	assert_int_equal(sent, 3);
	sent = 0;
	assert_int_equal(send_message("alice", "Max-Forwards: 4000000000\n"), 483);
	assert_in_range(sent, 60, 71);
}

/* ---- routes ---- */

/* A Route that leads through this server again and again is taken off, or ends; it is no way to other hosts. */
static void routes_to_ourselves_end(void **state)
{
	static char more[4000];
	size_t len = 0;
	const char *m;

	(void)state;
	start(ENDPOINT("alice", "contact=sip:alice@10.0.0.3:5060\n"));
	for (unsigned i = 0; i < 40; i++)
		len += (size_t)snprintf(more + len, sizeof(more) - len, "Route: <sip:10.0.0.1:5060;lr;n=%u>\n", i);
	ct_request(phone, "MESSAGE", "sip:alice@10.0.0.1", "routes", more);
	m = ct_receive(callee);
	if (m) {
		ct_answer(callee, m, 200, "");
		assert_int_equal(ct_status(ct_receive(phone)), 200);
	} else {
		assert_true(ct_status(ct_receive(phone)) >= 400);
	}
	assert_true(sent <= 1);
}

static void a_route_without_lr_is_no_relay(void **state)
{
	static const char *const routes[] = {"Route: <sip:10.0.0.66:5060>\n", "Route: <sip:10.0.0.66:5060;lr>\n",
					     "Route: <sip:10.0.0.1>, <sip:10.0.0.66:5060>\n",
					     "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.66:5060;lr>\n"};
	const char *m;

	(void)state;
	start(ENDPOINT("alice", "contact=sip:alice@10.0.0.3:5060\n"));
	for (unsigned i = 0; i < RS_ARRAY_SIZE(routes); i++) {
		char word[16];

		snprintf(word, sizeof(word), "r%u", i);
		ct_request(phone, "MESSAGE", "sip:alice@10.0.0.1", word, routes[i]);
		m = ct_receive(callee);
		if (m)
			ct_answer(callee, m, 200, "");
		assert_null(ct_receive_within(victim, 100 * SIM_MS));
		assert_true(ct_status(ct_receive(phone)) >= 200);
	}
	/* Nor is a Request-URI of another's domain. */
	ct_request(phone, "MESSAGE", "sip:nobody@10.0.0.66:5060", "relay", "");
	assert_int_equal(ct_status(ct_receive(phone)), 404);
	assert_null(ct_receive_within(victim, 100 * SIM_MS));
}

/* ---- answers to INVITE that a callee made up ---- */

static bool forward_invite(struct sip_rx_data *rx)
{
	struct ast_sip_proxy_branch branch = {.uri = RS_STR("sip:callee@10.0.0.3:5060"), .q_thousandths = 1000};
	struct ast_sip_proxy_params p = {
		.size = sizeof(p), .branches = &branch, .n = 1, .timeout_ms = 20000, .no_answer_status = 480};

	if (sip_rx_msg(rx)->method != SIP_METHOD_INVITE)
		return false;
	ast_sip_proxy_forward(rx, &p);
	return true;
}
static struct sip_module inviter = {.size = sizeof(struct sip_module),
				    .name = "inviter",
				    .priority = SIP_PRIORITY_APPLICATION - 1,
				    .on_rx_request = forward_invite,
				    .methods = "INVITE"};

/* Each 2xx to an INVITE is passed on, as long as 64*T1, to the caller and nobody else. */
static void a_second_2xx_goes_to_the_caller_whatever_its_vias_say(void **state)
{
	static const char *const vias[] = {"SIP/2.0/UDP 10.0.0.66:5060;branch=z9hG4bKi",
					   "SIP/2.0/UDP 10.0.0.2:5060;received=10.0.0.66;rport=5060;branch=z9hG4bKi",
					   "SIP/2.0/UDP 10.0.0.2:5060;maddr=10.0.0.66;branch=z9hG4bKi"};
	char invite[4096], top[512], text[4096];
	const char *m;

	(void)state;
	start(ENDPOINT("alice", ""));
	assert_int_equal(ast_sip_register_service(&inviter), 0);
	ct_request(phone, "INVITE", "sip:alice@10.0.0.1", "i", "Contact: <sip:alice@10.0.0.2>\n");
	m = ct_receive(callee);
	assert_non_null(m);
	snprintf(invite, sizeof(invite), "%s", m);
	snprintf(top, sizeof(top), "%s", ct_header(invite, "Via", 0));
	ct_answer(callee, invite, 200, "Contact: <sip:callee@10.0.0.3>\n");
	do
		m = ct_receive(phone);
	while (ct_status(m) == 100);
	assert_int_equal(ct_status(m), 200);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(vias); i++) {
		snprintf(text, sizeof(text),
			 "SIP/2.0 200 OK\nVia: %s\nVia: %s\nFrom: %s\nTo: <sip:alice@10.0.0.1>;tag=other%u\n"
			 "Call-ID: i@phone\nCSeq: 1 INVITE\nContact: <sip:callee@10.0.0.3>\nContent-Length: 0\n\n",
			 top, vias[i], "<sip:alice@10.0.0.1>;tag=fi", i);
		ct_send(callee, "%s", text);
		m = ct_receive(phone);
		assert_int_equal(ct_status(m), 200);
		assert_non_null(strstr(ct_header(m, "To", 0), "tag=other"));
		assert_null(ct_receive_within(victim, 100 * SIM_MS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
		T(a_contact_that_is_the_server_itself_is_482),
		T(two_aors_that_point_at_one_another_are_482),
		T(two_aors_that_fork_to_one_another_do_not_grow),
		T(a_spiral_is_no_loop),
		T(hops_are_counted_down_and_bounded),
		T(a_request_that_changes_each_time_ends_with_its_hops),
		T(routes_to_ourselves_end),
		T(a_route_without_lr_is_no_relay),
		T(a_second_2xx_goes_to_the_caller_whatever_its_vias_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
