/* UDP: batches, order, sizes, addresses. */
#include "observer.h"

#include "base/taskpool.h"
#include "sip/rx_data.h"
#include "sip/transport/udp.h"
#include "sip/tx_data.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static int start(void **state)
{
	(void)state;
	observer_start(NULL, (struct observer_options){.answer = true});
	return 0;
}

static int start_silent(void **state)
{
	(void)state;
	observer_start(NULL, (struct observer_options){.threads = 4});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

static void a_datagram_is_handed_up_and_answered_to_its_source(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0"), from, own;
	int fd = peer_udp("127.0.0.1");
	char buf[2000];
	struct sip_rx_data *rx;

	(void)state;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	assert_true(peer_read_from(fd, buf, sizeof(buf), &from) > 0);
	assert_true(strncmp(buf, "SIP/2.0 200 ", 12) == 0);
	assert_true(sip_addr_eq(&from, &bound));
	assert_true(observer_wait(1));
	rx = observer_rx(0);
	own = peer_addr(fd);
	assert_true(sip_addr_eq(sip_rx_source(rx), &own));
	assert_true(sip_addr_eq(sip_rx_local(rx), &bound));
	assert_int_equal(sip_rx_transport(rx), SIP_TRANSPORT_UDP);
	assert_true(rs_str_eqz(sip_rx_listener(rx), "udp"));
	assert_true(sip_rx_time_us(rx) > 0 && sip_rx_time_us(rx) <= rs_now_us());
	observer_quiet();
	assert_int_equal(observer_stats("udp").received, 1);
	assert_int_equal(observer_stats("udp").sent, 1);
	close(fd);
}

static void ipv6_is_served_and_v6_only(void **state)
{
	struct sip_addr bound = observer_listen("udp6", SIP_TRANSPORT_UDP, "[::]:0"), from, to = addr("::1"), v4;
	struct sip_listener_config c = {.name = RS_STR("udp4"), .type = SIP_TRANSPORT_UDP};
	int fd = peer_udp("::1");
	char buf[2000];

	(void)state;
	to.port = bound.port;
	peer_send_to(fd, &to, options_request(buf, sizeof(buf), "UDP [::1]:9;rport", "a", 1, 0));
	assert_true(peer_read_from(fd, buf, sizeof(buf), &from) > 0);
	assert_true(sip_addr_eq(&from, &to));
	/* The same port of IPv4 is free for a listener of its own. */
	c.sock.bind = addr("0.0.0.0:0");
	c.sock.bind.port = bound.port;
	assert_int_equal(sip_listener_open(&c, &v4), 0);
	assert_int_equal(v4.port, bound.port);
	close(fd);
}

static void a_wildcard_listener_answers_from_the_address_that_was_asked(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "0.0.0.0:0"), from;
	static const char *const asked[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4",
					    "127.0.0.5", "127.0.0.6", "127.0.0.2"};
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(asked); i++) {
		struct sip_addr to = addr(asked[i]);

		to.port = bound.port;
		peer_send_to(fd, &to, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", i, 0));
		assert_true(peer_read_from(fd, buf, sizeof(buf), &from) > 0);
		assert_true(sip_addr_eq(&from, &to));
		assert_true(observer_wait(i + 1));
		assert_true(sip_addr_eq(sip_rx_local(observer_rx(i)), &to));
	}
	close(fd);
}

static void big_datagrams_come_whole(void **state)
{
	static const size_t sizes[] = {4096, 4097, 5000, 9000, 65507};
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char *buf = malloc(66000);

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(sizes); i++) {
		size_t head = options_request(buf, 66000, "UDP 127.0.0.1:9;rport", "a", 1, 10000).len - 10000;
		struct rs_str m;

		m = options_request(buf, 66000, "UDP 127.0.0.1:9;rport", "a", 1, sizes[i] - head);
		if (m.len > sizes[i]) /* a digit more in Content-Length */
			m = options_request(buf, 66000, "UDP 127.0.0.1:9;rport", "a", 1, sizes[i] - head - 1);
		peer_send_to(fd, &bound, m);
		assert_true(observer_wait(i + 1));
		assert_true(rs_str_eq(sip_rx_msg(observer_rx(i))->bytes, m));
		assert_int_equal(sip_rx_msg(observer_rx(i))->flaw, SIP_FLAW_NONE);
	}
	free(buf);
	close(fd);
}

static void a_full_batch_of_big_datagrams_keeps_each_one_apart(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char buf[6000];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct rs_str m = options_request(buf, sizeof(buf), "UDP 127.0.0.1:9", "a", i, 5000);

		memset(buf + m.len - 5000, (int)('a' + i), 5000);
		peer_send_to(fd, &bound, m);
	}
	assert_true(observer_wait(20));
	for (unsigned i = 0; i < 20; i++) {
		struct sip_msg *m = sip_rx_msg(observer_rx(i));

		assert_int_equal(m->cseq, i);
		assert_int_equal(m->body.len, 5000);
		for (size_t k = 0; k < 5000; k++)
			assert_int_equal(m->body.p[k], 'a' + i);
	}
	close(fd);
}

static void keepalives_and_noise_get_nothing_and_cost_nothing(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	peer_send_to(fd, &bound, RS_STR(""));
	peer_send_to(fd, &bound, RS_STR("\r\n\r\n"));
	peer_send_to(fd, &bound, RS_STR("\r\n"));
	peer_send_to(fd, &bound,
		     rs_str_n("\0\1\0\0\x21\x12\xa4\x42"
			      "0123456789ab",
			      20)); /* STUN */
	peer_send_to(fd, &bound, RS_STR("noise"));
	peer_send_to(fd, &bound, RS_STR("GET / HTTP/1.1 and more\r\n\r\n"));
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	/* The first thing that comes back is the answer to the only request. */
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(strstr(buf, "SIP/2.0 200") == buf);
	assert_true(observer_wait(1));
	assert_int_equal(observer_count(), 1);
	assert_int_equal(observer_stats("udp").parse_errors, 1); /* HTTP */
	close(fd);
}

#define SOURCES 8
#define EACH    200

static void order_of_each_source_is_kept_under_several_threads(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	unsigned last[SOURCES] = {0};
	int fd[SOURCES];
	char buf[1000], id[4];
	unsigned sent = 0;

	(void)state;
	for (unsigned s = 0; s < SOURCES; s++)
		fd[s] = peer_udp("127.0.0.1");
	for (unsigned i = 1; i <= EACH; i++) {
		for (unsigned s = 0; s < SOURCES; s++) {
			snprintf(id, sizeof(id), "%c", 'a' + (int)s);
			peer_send_to(fd[s], &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9", id, i, 0));
			sent++;
		}
		/* Not more in flight than the kernel's buffer takes. */
		if (i % 10 == 0)
			assert_true(observer_wait(sent));
	}
	for (unsigned i = 0; i < sent; i++) {
		struct sip_msg *m = sip_rx_msg(observer_rx(i));
		unsigned s = (unsigned)(m->call_id.p[0] - 'a');

		assert_int_equal(m->cseq, last[s] + 1);
		last[s] = m->cseq;
	}
	for (unsigned s = 0; s < SOURCES; s++)
		close(fd[s]);
}

static void a_request_leaves_by_its_listener_with_its_address_in_via(void **state)
{
	struct sip_addr bound = observer_listen("one", SIP_TRANSPORT_UDP, "127.0.0.1:0"), from, local;
	struct sip_addr any = observer_listen("two", SIP_TRANSPORT_UDP, "0.0.0.0:0");
	int fd = peer_udp("127.0.0.1");
	struct sip_target t = {.type = SIP_TRANSPORT_UDP, .addr = peer_addr(fd)};
	struct sip_tx_data *tx;
	char buf[2000];

	(void)state;
	tx = observer_tx(&t, RS_STR("first"), true);
	assert_int_equal(sip_transport_send(tx, NULL), 0);
	assert_int_equal(sip_transport_resend(tx, NULL), 0);
	sip_tx_unref(tx);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(peer_read_from(fd, buf, sizeof(buf), &from), 5);
		assert_true(sip_addr_eq(&from, &bound));
	}
	local = observer_sealed_local();
	assert_true(sip_addr_eq(&local, &bound));

	t.listener = sip_listener_intern(RS_STR("two"));
	tx = observer_tx(&t, RS_STR("second"), true);
	assert_int_equal(sip_transport_send(tx, NULL), 0);
	sip_tx_unref(tx);
	assert_int_equal(peer_read_from(fd, buf, sizeof(buf), &from), 6);
	assert_int_equal(from.port, any.port);
	local = observer_sealed_local();
	assert_true(sip_addr_eq(&local, &from)); /* not 0.0.0.0 */
	close(fd);
}

static void a_send_that_cannot_be_is_told(void **state)
{
	struct sip_target t = {.type = SIP_TRANSPORT_UDP, .addr = addr("127.0.0.1:9")};
	struct observer_result r;
	struct sip_tx_data *tx;
	char *big = calloc(1, 65600);

	(void)state;
	observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	observer_result_init(&r);
	tx = observer_tx(&t, rs_str_n(big, 65530), true); /* past the longest datagram of IPv4 */
	assert_int_equal(sip_transport_send(tx, &r.r), 0);
	assert_int_equal(observer_result_wait(&r), EMSGSIZE);
	sip_tx_unref(tx);
	/* No listener of that family: known at once. */
	t.addr = addr("[::1]:9");
	tx = observer_tx(&t, RS_STR("x"), true);
	assert_int_equal(sip_transport_send(tx, &r.r), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(sip_transport_local(&t, &t.addr), -1);
	sip_tx_unref(tx);
	assert_int_equal(observer_stats("udp").dropped, 1);
	free(big);
}

struct burst {
	struct rs_task task;
	struct sip_tx_data *tx;
	unsigned n;
};

static void run_burst(struct rs_task *t)
{
	struct burst *b = rs_container_of(t, struct burst, task);

	for (unsigned i = 0; i < b->n; i++)
		assert_int_equal(sip_transport_send(b->tx, NULL), 0);
}

static void what_a_task_sends_leaves_when_the_thread_has_run_it(void **state)
{
	int fd = peer_udp("127.0.0.1");
	struct sip_target t = {.type = SIP_TRANSPORT_UDP, .addr = peer_addr(fd)};
	struct burst b = {.n = 3 * SIP_UDP_BATCH + 5};
	char buf[100];

	(void)state;
	observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	b.tx = observer_tx(&t, RS_STR("burst"), true);
	b.task.run = run_burst;
	b.task.name = "burst";
	rs_push(NULL, &b.task);
	for (unsigned i = 0; i < b.n; i++)
		assert_int_equal(peer_read(fd, buf, sizeof(buf)), 5);
	observer_quiet();
	sip_tx_unref(b.tx);
	assert_int_equal(observer_stats("udp").sent, b.n);
	close(fd);
}

static void a_closed_listener_takes_nothing_and_its_name_may_come_again(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0"), again;
	struct sip_listener_config c = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};
	int fd = peer_udp("127.0.0.1");
	struct sip_flow_info info;
	sip_flow_id flow;
	char buf[2000];

	(void)state;
	c.sock.bind = bound;
	assert_int_equal(sip_listener_open(&c, NULL), EEXIST);
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	assert_true(observer_wait(1));
	flow = sip_rx_flow(observer_rx(0));
	assert_true(sip_flow_info(flow, &info));
	assert_int_equal(sip_listener_close(RS_STR("udp"), true), 0);
	assert_int_equal(sip_listener_close(RS_STR("udp"), true), ENOENT);
	assert_false(sip_flow_info(flow, &info));
	/* The same name on the same port: the flow lives again. */
	assert_true(rs_taskpool_drain(5000));
	assert_int_equal(sip_listener_open(&c, &again), 0);
	assert_true(sip_addr_eq(&bound, &again));
	assert_true(sip_flow_info(flow, &info));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_datagram_is_handed_up_and_answered_to_its_source, start, stop),
		cmocka_unit_test_setup_teardown(ipv6_is_served_and_v6_only, start, stop),
		cmocka_unit_test_setup_teardown(a_wildcard_listener_answers_from_the_address_that_was_asked, start,
						stop),
		cmocka_unit_test_setup_teardown(big_datagrams_come_whole, start_silent, stop),
		cmocka_unit_test_setup_teardown(a_full_batch_of_big_datagrams_keeps_each_one_apart, start_silent, stop),
		cmocka_unit_test_setup_teardown(keepalives_and_noise_get_nothing_and_cost_nothing, start, stop),
		cmocka_unit_test_setup_teardown(order_of_each_source_is_kept_under_several_threads, start_silent, stop),
		cmocka_unit_test_setup_teardown(a_request_leaves_by_its_listener_with_its_address_in_via, start, stop),
		cmocka_unit_test_setup_teardown(a_send_that_cannot_be_is_told, start, stop),
		cmocka_unit_test_setup_teardown(what_a_task_sends_leaves_when_the_thread_has_run_it, start, stop),
		cmocka_unit_test_setup_teardown(a_closed_listener_takes_nothing_and_its_name_may_come_again, start,
						stop),
	};

	return cmocka_run_group_tests_name("transport udp", tests, NULL, NULL);
}
