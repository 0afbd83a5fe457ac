/* TCP: framing, keepalives, what is lost, connections used both ways. */
#include "observer.h"

#include "base/taskpool.h"
#include "sip/transport/flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct sip_addr bound;

static int start(void **state)
{
	(void)state;
	observer_start(NULL, (struct observer_options){.answer = true});
	sip_tp.limits.linger_us = 200000;
	bound = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

static struct rs_str request(char *buf, size_t n, const char *id, unsigned cseq, size_t body)
{
	return options_request(buf, n, "TCP 127.0.0.1:9", id, cseq, body);
}

static void a_request_is_answered_on_its_connection(void **state)
{
	int fd = peer_tcp(&bound);
	struct sip_addr own = peer_addr(fd);
	char buf[2000];
	struct sip_rx_data *rx;

	(void)state;
	peer_write(fd, request(buf, sizeof(buf), "a", 1, 10));
	assert_true(peer_expect(fd, "SIP/2.0 200"));
	assert_true(observer_wait(1));
	rx = observer_rx(0);
	assert_true(sip_addr_eq(sip_rx_source(rx), &own));
	assert_true(sip_addr_eq(sip_rx_local(rx), &bound));
	assert_int_equal(sip_rx_transport(rx), SIP_TRANSPORT_TCP);
	assert_true(rs_str_eqz(sip_rx_listener(rx), "tcp"));
	assert_int_equal(sip_flow_kind(sip_rx_flow(rx)), SIP_FLOW_STREAM);
	assert_int_equal(observer_stats("tcp").connections_now, 1);
	close(fd);
}

static void ipv6_streams_are_served(void **state)
{
	struct sip_addr six = observer_listen("tcp6", SIP_TRANSPORT_TCP, "[::1]:0");
	int fd = peer_tcp(&six);
	char buf[2000];

	(void)state;
	peer_write(fd, options_request(buf, sizeof(buf), "TCP [::1]:9", "a", 1, 0));
	assert_true(peer_expect(fd, "SIP/2.0 200"));
	close(fd);
}

static void a_message_may_be_cut_at_every_byte(void **state)
{
	char buf[2000];
	struct rs_str m = request(buf, sizeof(buf), "a", 1, 30);
	int fd = peer_tcp(&bound);

	(void)state;
	for (size_t cut = 1; cut < m.len; cut++) {
		peer_write(fd, rs_str_n(m.p, cut));
		peer_write(fd, rs_str_n(m.p + cut, m.len - cut));
	}
	assert_true(observer_wait((unsigned)m.len - 1));
	for (unsigned i = 0; i < m.len - 1; i++)
		assert_true(rs_str_eq(sip_rx_msg(observer_rx(i))->bytes, m));
	close(fd);
}

static void a_message_may_come_byte_by_byte(void **state)
{
	char buf[2000];
	struct rs_str m = request(buf, sizeof(buf), "a", 1, 30);
	int fd = peer_tcp(&bound);

	(void)state;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < m.len; i++)
			peer_write(fd, rs_str_n(m.p + i, 1));
	assert_true(observer_wait(2));
	assert_true(rs_str_eq(sip_rx_msg(observer_rx(0))->bytes, m));
	assert_true(rs_str_eq(sip_rx_msg(observer_rx(1))->bytes, m));
	close(fd);
}

static void several_messages_in_one_segment_come_in_order(void **state)
{
	char *all = malloc(400000), one[2000];
	size_t len = 0;
	int fd = peer_tcp(&bound);

	(void)state;
	for (unsigned i = 1; i <= 300; i++) {
		struct rs_str m = request(one, sizeof(one), "a", i, i);

		memcpy(all + len, m.p, m.len);
		len += m.len;
		if (i % 7 == 0) {
			memcpy(all + len, "\r\n", 2); /* tolerated between messages */
			len += 2;
		}
	}
	peer_write(fd, rs_str_n(all, len));
	assert_true(observer_wait(300));
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(sip_rx_msg(observer_rx(i))->cseq, i + 1);
		assert_int_equal(sip_rx_msg(observer_rx(i))->body.len, i + 1);
	}
	free(all);
	close(fd);
}

static void a_message_of_the_largest_size_comes_whole(void **state)
{
	char *buf = malloc(SIP_MAX_MSG + 1000);
	size_t head = request(buf, SIP_MAX_MSG, "a", 1, 60000).len - 60000;
	struct rs_str m = request(buf, SIP_MAX_MSG, "a", 1, SIP_MAX_MSG - head);
	int fd = peer_tcp(&bound);

	(void)state;
	assert_int_equal(m.len, SIP_MAX_MSG);
	peer_write(fd, m);
	assert_true(observer_wait(1));
	assert_true(rs_str_eq(sip_rx_msg(observer_rx(0))->bytes, m));
	/* One more byte is past the limit. */
	m = request(buf, SIP_MAX_MSG + 1000, "a", 2, SIP_MAX_MSG - head + 1);
	peer_write(fd, rs_str_n(m.p, head));
	assert_true(peer_expect(fd, "CSeq: 2 OPTIONS"));
	assert_true(peer_expect_end(fd));
	free(buf);
	close(fd);
}

static void a_ping_gets_a_pong(void **state)
{
	int fd = peer_tcp(&bound);
	char buf[2000];

	(void)state;
	peer_write(fd, RS_STR("\r\n\r\n"));
	assert_int_equal(peer_read(fd, buf, sizeof(buf)), 2);
	assert_string_equal(buf, "\r\n");
	/* In two segments, and together with a message. */
	peer_write(fd, RS_STR("\r\n\r"));
	peer_write(fd, RS_STR("\n"));
	assert_int_equal(peer_read(fd, buf, sizeof(buf)), 2);
	peer_write(fd, request(buf, sizeof(buf), "a", 1, 0));
	assert_true(peer_expect(fd, "SIP/2.0 200"));
	close(fd);
}

static void a_single_crlf_gets_nothing(void **state)
{
	int fd = peer_tcp(&bound);
	char buf[2000];

	(void)state;
	peer_write(fd, RS_STR("\r\n"));
	peer_write(fd, request(buf, sizeof(buf), "a", 1, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(strstr(buf, "SIP/2.0 200") == buf);
	close(fd);
}

static void lost_framing_is_told_with_400_and_the_end(void **state)
{
	static const char *const bad[] = {"-1", "1x", "99999999999999999999", "5\r\nContent-Length: 6", "70000"};
	char buf[2000];

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		int fd = peer_tcp(&bound);
		int n = snprintf(
			buf, sizeof(buf),
			"OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKq%u\r\n"
			"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: q\r\n"
			"CSeq: 1 OPTIONS\r\nContent-Length: %s\r\n\r\nbody and what follows",
			i, bad[i]);

		peer_write(fd, rs_str_n(buf, (size_t)n));
		assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
		/* 400, or 413 for what is only too long. */
		assert_true(strncmp(buf, "SIP/2.0 4", 9) == 0);
		assert_non_null(strstr(buf, "Call-ID: q"));
		assert_true(peer_expect_end(fd));
		close(fd);
	}
	assert_int_equal(observer_count(), 0);
	assert_int_equal(observer_stats("tcp").connections_now, 0);
}

static void the_400_arrives_although_much_more_was_sent(void **state)
{
	size_t n = 300000;
	char *buf = malloc(n);
	int fd = peer_tcp(&bound), len;

	(void)state;
	memset(buf, 'x', n);
	len = snprintf(buf, n,
		       "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKq\r\n"
		       "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: q\r\n"
		       "CSeq: 1 OPTIONS\r\nContent-Length: -5\r\n\r\n");
	buf[len] = 'x';
	peer_write(fd, rs_str_n(buf, n));
	assert_true(peer_expect(fd, "SIP/2.0 400"));
	assert_true(peer_expect_end(fd));
	free(buf);
	close(fd);
}

static void what_came_before_the_framing_was_lost_is_answered(void **state)
{
	int fd = peer_tcp(&bound);
	char buf[4000];
	struct rs_str m = request(buf, 2000, "a", 1, 10);
	int n = snprintf(buf + m.len, sizeof(buf) - m.len,
			 "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKq\r\n"
			 "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: q\r\n"
			 "CSeq: 2 OPTIONS\r\nContent-Length: x\r\n\r\n");
	size_t got = 0;

	(void)state;
	peer_write(fd, rs_str_n(buf, m.len + (size_t)n));
	for (;;) {
		ssize_t k = peer_read(fd, buf + got, sizeof(buf) - got);

		assert_true(k >= 0);
		if (k == 0)
			break;
		got += (size_t)k;
	}
	assert_non_null(strstr(buf, "SIP/2.0 200"));
	assert_non_null(strstr(buf, "SIP/2.0 400"));
	close(fd);
}

static void what_is_no_sip_ends_the_connection_without_an_answer(void **state)
{
	int fd = peer_tcp(&bound);
	char buf[200];

	(void)state;
	peer_write(fd, RS_STR("\x16\x03\x01\x02\x00\x01 this is a TLS hello"));
	assert_true(peer_read(fd, buf, sizeof(buf)) <= 0);
	close(fd);
	fd = peer_tcp(&bound);
	peer_write(fd, RS_STR("SIP/2.0 200 OK\r\nContent-Length: bad\r\n\r\n"));
	assert_true(peer_read(fd, buf, sizeof(buf)) <= 0);
	close(fd);
}

static void a_reset_in_the_middle_of_a_message_leaves_nothing(void **state)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};
	int fd = peer_tcp(&bound), other;
	char buf[2000];
	struct rs_str m = request(buf, sizeof(buf), "a", 1, 100);

	(void)state;
	peer_write(fd, RS_STR("\r\n\r\n"));
	assert_int_equal(peer_read(fd, buf + 1900, 100), 2); /* it is being read */
	peer_write(fd, rs_str_n(m.p, m.len - 50));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
	other = peer_tcp(&bound);
	peer_write(other, request(buf, sizeof(buf), "b", 2, 0));
	assert_true(peer_expect(other, "SIP/2.0 200"));
	assert_true(observer_wait(1));
	assert_int_equal(observer_count(), 1);
	assert_int_equal(sip_rx_msg(observer_rx(0))->cseq, 2);
	close(other);
}

/* ---- both ways ---- */

static struct sip_tx_data *tx_to(const struct sip_addr *to, const char *text)
{
	struct sip_target t = {.type = SIP_TRANSPORT_TCP, .addr = *to};

	return observer_tx(&t, rs_str_c(text), true);
}

static void a_request_out_uses_the_connection_that_came_in(void **state)
{
	int fd = peer_tcp(&bound);
	struct sip_addr own = peer_addr(fd), local;
	char buf[2000];
	struct sip_tx_data *tx;

	(void)state;
	peer_write(fd, request(buf, sizeof(buf), "a", 1, 0));
	assert_true(peer_expect(fd, "\r\n\r\n"));
	tx = tx_to(&own, "outbound");
	assert_int_equal(sip_transport_send(tx, NULL), 0);
	sip_tx_unref(tx);
	assert_int_equal(peer_read(fd, buf, sizeof(buf)), 8);
	assert_string_equal(buf, "outbound");
	local = observer_sealed_local();
	assert_true(sip_addr_eq(&local, &bound));
	assert_int_equal(observer_stats("tcp").connections_now, 1);
	close(fd);
}

static void a_dialled_connection_is_used_again_and_read_from(void **state)
{
	struct sip_addr peer, from, local;
	int l = peer_listen("127.0.0.1", &peer), fd;
	char buf[2000];
	struct sip_tx_data *tx = tx_to(&peer, "hello "), *second = tx_to(&peer, "again");
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	(void)state;
	assert_int_equal(sip_transport_send(tx, NULL), 0);
	assert_int_equal(sip_transport_send(second, NULL), 0);
	fd = accept(l, (struct sockaddr *)&ss, &len);
	assert_true(fd >= 0);
	sip_addr_from_sockaddr((struct sockaddr *)&ss, &from);
	assert_true(peer_expect(fd, "hello again"));
	assert_true(from.port != bound.port);
	local = observer_sealed_local();
	assert_true(sip_addr_eq(&local, &bound)); /* Via names the listener, not the connection's port */
	assert_int_equal(observer_stats("tcp").connections_now, 1);
	/* The peer's request comes back over it, from no listener. */
	peer_write(fd, request(buf, sizeof(buf), "a", 1, 0));
	assert_true(peer_expect(fd, "SIP/2.0 200"));
	assert_true(observer_wait(1));
	assert_int_equal(sip_rx_listener(observer_rx(0)).len, 0);
	sip_tx_unref(tx);
	sip_tx_unref(second);
	close(fd);
	close(l);
}

static void a_refused_connection_is_told(void **state)
{
	struct sip_addr peer;
	int l = peer_listen("127.0.0.1", &peer);
	struct observer_result r;
	struct sip_tx_data *tx = tx_to(&peer, "nobody");

	(void)state;
	close(l); /* its port is free again, and nobody listens */
	observer_result_init(&r);
	if (sip_transport_send(tx, &r.r) == 0)
		assert_int_equal(observer_result_wait(&r), ECONNREFUSED);
	else
		assert_int_equal(errno, ECONNREFUSED);
	sip_tx_unref(tx);
	assert_int_equal(observer_stats("tcp").connections_now, 0);
}

static void an_answer_whose_connection_is_gone_is_dialled_to_the_sent_by(void **state)
{
	struct sip_addr peer;
	int l = peer_listen("127.0.0.1", &peer), fd = peer_tcp(&bound), back;
	struct sip_target t;
	struct sip_tx_data *tx;
	char buf[2000], via[64];
	sip_flow_id flow;
	struct sip_flow_info info;

	(void)state;
	snprintf(via, sizeof(via), "TCP phone.example.com:%u", peer.port);
	peer_write(fd, options_request(buf, sizeof(buf), via, "a", 1, 0));
	assert_true(peer_expect(fd, "\r\n\r\n"));
	assert_true(observer_wait(1));
	flow = sip_rx_flow(observer_rx(0));
	assert_true(sip_flow_info(flow, &info));
	close(fd);
	/* Until the end of it has been read here. */
	fd = peer_tcp(&bound);
	while (sip_flow_info(flow, &info)) {
		peer_write(fd, RS_STR("\r\n\r\n"));
		assert_int_equal(peer_read(fd, buf, sizeof(buf)), 2);
	}
	sip_transport_response_target(observer_rx(0), &t);
	tx = observer_tx(&t, RS_STR("late answer"), false);
	assert_int_equal(sip_transport_send(tx, NULL), 0);
	sip_tx_unref(tx);
	back = accept(l, NULL, NULL);
	assert_true(peer_expect(back, "late answer"));
	/* Never dialled when only the flow will do. */
	t.flow_only = true;
	tx = observer_tx(&t, RS_STR("late answer"), false);
	assert_int_equal(sip_transport_send(tx, NULL), -1);
	assert_int_equal(errno, ENOTCONN);
	sip_tx_unref(tx);
	close(back);
	close(fd);
	close(l);
}

struct sender {
	struct rs_task task;
	struct sip_tx_data *tx;
	unsigned n;
};

static void run_sender(struct rs_task *t)
{
	struct sender *s = rs_container_of(t, struct sender, task);

	for (unsigned i = 0; i < s->n; i++)
		assert_int_equal(sip_transport_send(s->tx, NULL), 0);
}

static void threads_that_dial_at_once_share_one_connection(void **state)
{
	struct sip_addr peer;
	int l = peer_listen("127.0.0.1", &peer), fd;
	struct sender senders[8];
	char buf[400];
	size_t got = 0;

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(senders); i++) {
		senders[i] = (struct sender){
			.task = {.run = run_sender, .name = "sender"}, .tx = tx_to(&peer, "x"), .n = 50};
		rs_push(NULL, &senders[i].task);
	}
	fd = accept(l, NULL, NULL);
	while (got < 400) {
		ssize_t n = peer_read(fd, buf, sizeof(buf));

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, 400);
	observer_quiet();
	assert_int_equal(observer_stats("tcp").connections_now, 1);
	assert_int_equal(observer_stats("tcp").sent, 400);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(senders); i++)
		sip_tx_unref(senders[i].tx);
	close(fd);
	close(l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(a_request_is_answered_on_its_connection),
		T(ipv6_streams_are_served),
		T(a_message_may_be_cut_at_every_byte),
		T(a_message_may_come_byte_by_byte),
		T(several_messages_in_one_segment_come_in_order),
		T(a_message_of_the_largest_size_comes_whole),
		T(a_ping_gets_a_pong),
		T(a_single_crlf_gets_nothing),
		T(lost_framing_is_told_with_400_and_the_end),
		T(the_400_arrives_although_much_more_was_sent),
		T(what_came_before_the_framing_was_lost_is_answered),
		T(what_is_no_sip_ends_the_connection_without_an_answer),
		T(a_reset_in_the_middle_of_a_message_leaves_nothing),
		T(a_request_out_uses_the_connection_that_came_in),
		T(a_dialled_connection_is_used_again_and_read_from),
		T(a_refused_connection_is_told),
		T(an_answer_whose_connection_is_gone_is_dialled_to_the_sent_by),
		T(threads_that_dial_at_once_share_one_connection),
	};

	return cmocka_run_group_tests_name("transport tcp", tests, NULL, NULL);
}
