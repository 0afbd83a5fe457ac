/* Flows, watches, and where responses go. */
#include "observer.h"

#include "base/taskpool.h"
#include "sip/transport/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static int start(void **state)
{
	(void)state;
	observer_start(NULL, (struct observer_options){.answer = true});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

/* One request from fd, handed up. */
static struct sip_rx_data *received_udp(int fd, const struct sip_addr *to, const char *via)
{
	unsigned n = observer_count();
	char buf[2000];

	peer_send_to(fd, to, options_request(buf, sizeof(buf), via, "a", n + 1, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(observer_wait(n + 1));
	return observer_rx(n);
}

static void a_udp_flow_leads_back_by_the_same_listener_and_address(void **state)
{
	static const char *const binds[] = {"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"};
	static const char *const asked[] = {"127.0.0.1", "127.0.0.7", "::1", "::1"};

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(binds); i++) {
		char name[8], buf[100];
		struct sip_target t = {0};
		struct sip_addr bound, to = addr(asked[i]), from, own;
		struct sip_flow_info info;
		struct sip_tx_data *tx;
		struct sip_rx_data *rx;
		int fd = peer_udp(to.family == 6 ? "::1" : "127.0.0.1");

		snprintf(name, sizeof(name), "udp%u", i);
		bound = observer_listen(name, SIP_TRANSPORT_UDP, binds[i]);
		to.port = bound.port;
		own = peer_addr(fd);
		rx = received_udp(fd, &to, to.family == 6 ? "UDP [::1]:9;rport" : "UDP 127.0.0.1:9;rport");
		t.flow = sip_rx_flow(rx);
		assert_true(t.flow != 0);
		assert_int_equal(sip_rx_flow(rx), t.flow);
		assert_true(sip_flow_info(t.flow, &info));
		assert_int_equal(info.type, SIP_TRANSPORT_UDP);
		assert_true(sip_addr_eq(&info.remote, &own));
		assert_true(sip_addr_eq(&info.local, &to));
		assert_true(rs_str_eqz(info.listener, name));
		/* The flow alone is enough. */
		tx = observer_tx(&t, RS_STR("by flow"), true);
		assert_int_equal(sip_transport_send(tx, NULL), 0);
		sip_tx_unref(tx);
		assert_int_equal(peer_read_from(fd, buf, sizeof(buf), &from), 7);
		assert_true(sip_addr_eq(&from, &to));
		close(fd);
	}
}

static void a_made_up_flow_is_gone(void **state)
{
	static const sip_flow_id made_up[] = {
		1,          UINT64_C(5) << 32 | 7, UINT64_C(1) << 62 | 4095,
		UINT64_MAX, UINT64_C(3) << 62,     UINT64_C(2) << 62 | UINT64_C(4000) << 48};
	struct sip_flow_info info;

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(made_up); i++) {
		struct sip_target t = {.type = SIP_TRANSPORT_UDP, .flow = made_up[i], .flow_only = true};
		struct sip_tx_data *tx = observer_tx(&t, RS_STR("x"), true);

		assert_false(sip_flow_info(made_up[i], &info));
		assert_int_equal(sip_flow_watch(made_up[i], NULL, NULL), 0);
		assert_int_equal(sip_transport_send(tx, NULL), -1);
		sip_tx_unref(tx);
	}
	assert_false(sip_flow_info(0, &info));
}

/* ---- watches ---- */

static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended_changed = PTHREAD_COND_INITIALIZER;
static sip_flow_id ended[4];
static unsigned n_ended;

static void on_end(sip_flow_id flow, void *token)
{
	pthread_mutex_lock(&ended_lock);
	ended[n_ended++] = flow;
	++*(unsigned *)token;
	pthread_cond_broadcast(&ended_changed);
	pthread_mutex_unlock(&ended_lock);
}

static void wait_ended(unsigned n)
{
	pthread_mutex_lock(&ended_lock);
	while (n_ended < n)
		pthread_cond_wait(&ended_changed, &ended_lock);
	pthread_mutex_unlock(&ended_lock);
}

static void who_watches_a_connection_hears_of_its_end_once(void **state)
{
	struct sip_addr bound = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	int fd = peer_tcp(&bound);
	unsigned first = 0, second = 0, third = 0;
	uint64_t a, b;
	sip_flow_id flow;
	char buf[2000];

	(void)state;
	n_ended = 0;
	peer_write(fd, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0));
	assert_true(observer_wait(1));
	flow = sip_rx_flow(observer_rx(0));
	a = sip_flow_watch(flow, on_end, &first);
	b = sip_flow_watch(flow, on_end, &second);
	assert_true(a && b && a != b);
	assert_true(sip_flow_watch(flow, on_end, &third) != 0);
	assert_true(sip_flow_unwatch(b));
	assert_false(sip_flow_unwatch(b));
	close(fd);
	wait_ended(2);
	assert_true(rs_taskpool_drain(5000));
	assert_int_equal(n_ended, 2);
	assert_int_equal(first, 1);
	assert_int_equal(second, 0);
	assert_int_equal(third, 1);
	assert_int_equal(ended[0], flow);
	assert_false(sip_flow_unwatch(a));
	assert_int_equal(sip_flow_watch(flow, on_end, &first), 0);
}

static void a_udp_flow_ends_with_its_listener(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	unsigned told = 0, other = 0;
	sip_flow_id flow;
	uint64_t w;

	(void)state;
	n_ended = 0;
	flow = sip_rx_flow(received_udp(fd, &bound, "UDP 127.0.0.1:9;rport"));
	assert_true(sip_flow_watch(flow, on_end, &told) != 0);
	w = sip_flow_watch(flow, on_end, &other);
	assert_true(sip_flow_unwatch(w));
	assert_false(sip_flow_unwatch(w));
	assert_int_equal(sip_listener_close(RS_STR("udp"), true), 0);
	wait_ended(1);
	assert_int_equal(told, 1);
	assert_int_equal(other, 0);
	assert_int_equal(sip_flow_watch(flow, on_end, &told), 0);
	close(fd);
}

static void connections_end_with_their_listener_when_asked_and_outlive_it_when_not(void **state)
{
	struct sip_addr one = observer_listen("one", SIP_TRANSPORT_TCP, "127.0.0.1:0"),
			two = observer_listen("two", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	int a = peer_tcp(&one), b = peer_tcp(&two);
	char buf[2000];

	(void)state;
	peer_write(a, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0));
	peer_write(b, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 2, 0));
	assert_true(peer_expect(a, "SIP/2.0 200"));
	assert_true(peer_expect(b, "SIP/2.0 200"));
	assert_int_equal(sip_listener_close(RS_STR("one"), true), 0);
	assert_int_equal(sip_listener_close(RS_STR("two"), false), 0);
	assert_true(peer_expect_end(a));
	peer_write(b, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 3, 0));
	assert_true(peer_expect(b, "SIP/2.0 200"));
	close(a);
	close(b);
}

/* Another program of the same user, as far as the kernel can tell: it shares its port with whoever asks. */
static void an_address_that_another_program_holds_is_refused(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	struct sip_listener_config l = {.name = RS_STR("taken"), .type = SIP_TRANSPORT_UDP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	sip_addr_from_sockaddr((struct sockaddr *)&in, &l.sock.bind);
	assert_int_equal(sip_listener_open(&l, NULL), EADDRINUSE);
	close(fd);
	assert_int_equal(sip_listener_open(&l, NULL), 0);
	assert_int_equal(sip_listener_close(RS_STR("taken"), true), 0);
}

static void a_listener_is_opened_anew_on_its_port_at_once(void **state)
{
	static const enum sip_transport_type types[] = {SIP_TRANSPORT_UDP, SIP_TRANSPORT_TCP};

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(types); i++) {
		struct sip_addr bound = observer_listen("again", types[i], "127.0.0.1:0"), again;
		struct sip_listener_config c = {.name = RS_STR("again"), .type = types[i]};

		c.sock.bind = bound;
		for (unsigned n = 0; n < 20; n++) {
			assert_int_equal(sip_listener_close(c.name, false), 0);
			assert_int_equal(sip_listener_open(&c, &again), 0);
			assert_true(sip_addr_eq(&again, &bound));
		}
		assert_int_equal(sip_listener_close(c.name, false), 0);
	}
}

/* ---- response targets ---- */

struct target_case {
	const char *via; /* what follows SIP/2.0/ */
	bool force_rport;
	const char *expected;
};

/* Every request comes from 192.0.2.1:1234. */
static void check_target(const struct target_case *c, enum sip_transport_type type)
{
	char buf[2000];
	struct sip_rx_data *rx = sip_rx_new(options_request(buf, sizeof(buf), c->via, "a", 1, 0));
	struct sip_addr expected = addr(c->expected);
	struct sip_target t;

	assert_int_equal(sip_rx_parse(rx, rx->msg.bytes), SIP_PARSE_DONE);
	rx->type = (uint8_t)type;
	rx->source = addr("192.0.2.1:1234");
	rx->flow = UINT64_C(7) << 32;
	if (c->force_rport)
		sip_rx_set_force_rport(rx);
	sip_transport_response_target(rx, &t);
	if (!sip_addr_eq(&t.addr, &expected))
		fail_msg("%s: %s", c->via, sip_addr_text(&t.addr, true, buf));
	assert_int_equal(t.type, type);
	if (type == SIP_TRANSPORT_UDP)
		assert_int_equal(sip_flow_kind(t.flow), SIP_FLOW_PATH);
	else
		assert_int_equal(t.flow, rx->flow);
	assert_int_equal(t.flow_only, type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS);
	sip_rx_unref(rx);
}

static void responses_go_where_rfc_3261_18_2_2_says(void **state)
{
	static const struct target_case udp[] = {
		{"UDP 10.0.0.1:5062;rport", false, "192.0.2.1:1234"},
		{"UDP 10.0.0.1:5062;rport=9", false, "192.0.2.1:1234"},
		{"UDP 10.0.0.1:5062", false, "192.0.2.1:5062"},
		{"UDP 10.0.0.1", false, "192.0.2.1:5060"},
		{"UDP 10.0.0.1:5062", true, "192.0.2.1:1234"},
		{"UDP phone.example.com:5070", false, "192.0.2.1:5070"},
		{"UDP 10.0.0.1:5062;received=10.9.9.9", false, "192.0.2.1:5062"}, /* the sender's word is not taken */
		{"UDP 10.0.0.1:5062;maddr=198.51.100.7", false, "198.51.100.7:5062"},
		{"UDP 10.0.0.1;maddr=198.51.100.7;rport", false, "198.51.100.7:5060"},
		{"UDP 10.0.0.1:5062;maddr=name.example.com", false, "192.0.2.1:5062"},
	};
	static const struct target_case tcp[] = {
		{"TCP 10.0.0.1:5062", false, "192.0.2.1:5062"},
		{"TCP 10.0.0.1", false, "192.0.2.1:5060"},
		{"TCP 10.0.0.1:5062;rport", false, "192.0.2.1:5062"},
	};
	static const struct target_case tls[] = {{"TLS 10.0.0.1", false, "192.0.2.1:5061"}};
	static const struct target_case ws[] = {{"WS df7jal23ls0d.invalid", false, "192.0.2.1:80"}};

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(udp); i++)
		check_target(&udp[i], SIP_TRANSPORT_UDP);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(tcp); i++)
		check_target(&tcp[i], SIP_TRANSPORT_TCP);
	check_target(&tls[0], SIP_TRANSPORT_TLS);
	check_target(&ws[0], SIP_TRANSPORT_WS);
}

static void the_local_address_is_the_one_that_the_route_uses(void **state)
{
	struct sip_addr any = observer_listen("any", SIP_TRANSPORT_UDP, "0.0.0.0:0"), local, expected;
	struct sip_addr one = observer_listen("one", SIP_TRANSPORT_TCP, "127.0.0.3:0");
	struct sip_target t = {.type = SIP_TRANSPORT_UDP, .addr = addr("127.0.0.9:5060")};

	(void)state;
	assert_int_equal(sip_transport_local(&t, &local), 0);
	expected = addr("127.0.0.1");
	expected.port = any.port;
	assert_true(sip_addr_eq(&local, &expected));
	t.type = SIP_TRANSPORT_TCP;
	assert_int_equal(sip_transport_local(&t, &local), 0);
	assert_true(sip_addr_eq(&local, &one));
	t.type = SIP_TRANSPORT_TLS;
	assert_int_equal(sip_transport_local(&t, &local), -1);
	assert_int_equal(errno, ENETUNREACH);
	/* A name that no listener ever had. */
	assert_int_equal(sip_listener_intern(RS_STR("never")).len, 0);
	assert_true(rs_str_eqz(sip_listener_intern(RS_STR("one")), "one"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(a_udp_flow_leads_back_by_the_same_listener_and_address),
		T(a_made_up_flow_is_gone),
		T(who_watches_a_connection_hears_of_its_end_once),
		T(a_udp_flow_ends_with_its_listener),
		T(connections_end_with_their_listener_when_asked_and_outlive_it_when_not),
		T(an_address_that_another_program_holds_is_refused),
		T(a_listener_is_opened_anew_on_its_port_at_once),
		T(responses_go_where_rfc_3261_18_2_2_says),
		T(the_local_address_is_the_one_that_the_route_uses),
	};

	return cmocka_run_group_tests_name("transport flow", tests, NULL, NULL);
}
