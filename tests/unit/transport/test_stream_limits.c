/* What a stream peer may not do: too many connections, silence, half messages, not reading. */
#include "observer.h"

#include "base/taskpool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static struct sip_addr bound;
static bool trust;

static bool trusted(const struct sip_addr *peer)
{
	(void)peer;
	return trust;
}

static int start(void **state)
{
	struct sip_stack_config c = {.max_connections = 6, .max_connections_per_peer = 3, .peer_trusted = trusted};

	(void)state;
	trust = false;
	observer_start(&c, (struct observer_options){.answer = true});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

/* After the limits are set: no thread looks at them before. */
static int connect_first(void)
{
	bound = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	return peer_tcp(&bound);
}

static void serves(int fd)
{
	char buf[2000];

	peer_write(fd, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0));
	assert_true(peer_expect(fd, "SIP/2.0 200"));
}

/* From another loopback address: another peer. */
static int peer_tcp_from(const char *source)
{
	struct sip_addr a = addr(source);
	struct timeval wait = {.tv_sec = 5};
	struct sockaddr_storage ss;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sip_addr_to_sockaddr(&a, &ss);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	len = sip_addr_to_sockaddr(&bound, &ss);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void one_peer_may_have_so_many_connections_and_no_more(void **state)
{
	int fd[4], other;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fd[i] = i ? peer_tcp(&bound) : connect_first();
		serves(fd[i]);
	}
	fd[3] = peer_tcp(&bound);
	assert_true(peer_expect_end(fd[3]));
	assert_int_equal(observer_stats("tcp").connections_refused, 1);
	assert_int_equal(observer_stats("tcp").connections_now, 3);
	other = peer_tcp_from("127.0.0.2");
	serves(other);
	/* One that ends makes room for another. */
	close(fd[3]);
	close(fd[0]);
	do {
		fd[0] = peer_tcp(&bound);
		char buf[2000];

		(void)!send(fd[0], buf, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0).len,
			    MSG_NOSIGNAL);
		if (peer_expect(fd[0], "SIP/2.0 200"))
			break;
		close(fd[0]);
	} while (true);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(other);
}

static void trusted_peers_are_exempt_from_the_cap_of_a_peer(void **state)
{
	int fd[7];

	(void)state;
	trust = true;
	for (int i = 0; i < 6; i++) {
		fd[i] = i ? peer_tcp(&bound) : connect_first();
		serves(fd[i]);
	}
	/* But not from that of all. */
	fd[6] = peer_tcp(&bound);
	assert_true(peer_expect_end(fd[6]));
	for (int i = 0; i < 7; i++)
		close(fd[i]);
}

static void an_ipv6_peer_is_its_64(void **state)
{
	struct sip_addr six = observer_listen("tcp6", SIP_TRANSPORT_TCP, "[::1]:0");
	int fd[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		fd[i] = peer_tcp(&six);
	assert_true(peer_expect_end(fd[3]));
	assert_int_equal(observer_stats("tcp6").connections_refused, 1);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

static void a_silent_connection_is_closed(void **state)
{
	int fd;

	(void)state;
	sip_tp.limits.half_open_us = 30000;
	fd = connect_first();
	assert_true(peer_expect_end(fd));
	close(fd);
}

static void pings_alone_do_not_make_it_more_than_half_open(void **state)
{
	int64_t begin = rs_now_us();
	char buf[100];
	int fd;

	(void)state;
	sip_tp.limits.half_open_us = 50000;
	fd = connect_first();
	do {
		if (send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL) != 4)
			break;
	} while (peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(rs_now_us() - begin >= 45000);
	close(fd);
}

static void half_a_message_is_not_waited_for_long(void **state)
{
	char buf[2000];
	struct rs_str m = options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 20);
	int64_t begin;
	int fd;

	(void)state;
	sip_tp.limits.half_open_us = 100000;
	fd = connect_first();
	peer_write(fd, m);
	assert_true(observer_wait(1));
	begin = rs_now_us();
	peer_write(fd, rs_str_n(m.p, m.len - 1));
	assert_true(peer_expect_end(fd));
	assert_true(rs_now_us() - begin >= 95000);
	assert_int_equal(observer_count(), 1);
	close(fd);
}

static void a_served_connection_outlives_the_half_open_deadline_and_ends_when_idle(void **state)
{
	int64_t begin;
	int fd;

	(void)state;
	sip_tp.limits.half_open_us = 40000;
	sip_tp.limits.idle_us = 250000;
	fd = connect_first();
	serves(fd);
	begin = rs_now_us();
	assert_true(peer_expect_end(fd));
	assert_true(rs_now_us() - begin >= 200000);
	close(fd);
}

static void pings_of_ours_keep_connections_open(void **state)
{
	char buf[100];
	int fd;

	(void)state;
	sip_tp.limits.keep_alive_us = 20000;
	fd = connect_first();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(peer_read(fd, buf, sizeof(buf)), 4);
		assert_string_equal(buf, "\r\n\r\n");
		peer_write(fd, RS_STR("\r\n")); /* the pong is answered by nothing */
	}
	close(fd);
}

static void a_slow_reader_loses_the_connection_and_the_senders_hear_of_it(void **state)
{
	struct sip_target t = {.type = SIP_TRANSPORT_TCP, .flow_only = true};
	int fd, sent = 0;
	struct observer_result r;
	struct sip_tx_data *tx;
	char *big = calloc(1, 60000);

	(void)state;
	sip_tp.limits.send_queue = 200000;
	fd = connect_first();
	serves(fd);
	assert_true(observer_wait(1));
	t.flow = sip_rx_flow(observer_rx(0));
	tx = observer_tx(&t, rs_str_n(big, 60000), true);
	observer_result_init(&r);
	while (sip_transport_send(tx, &r.r) == 0)
		assert_true(++sent < 1000);
	assert_int_equal(errno, ENOBUFS);
	/* What waited failed; all holds are given back. */
	assert_int_equal(observer_result_wait(&r), ENOBUFS);
	assert_int_equal(sip_transport_send(tx, &r.r), -1);
	assert_int_equal(errno, ENOTCONN);
	sip_tx_unref(tx);
	free(big);
	close(fd);
}

static void who_takes_nothing_loses_the_connection_in_time(void **state)
{
	struct sip_target t = {.type = SIP_TRANSPORT_TCP, .flow_only = true};
	struct observer_result r;
	struct sip_tx_data *tx;
	char *big = calloc(1, 60000);
	int fd;

	(void)state;
	sip_tp.limits.send_queue = 64 << 20;
	sip_tp.limits.send_us = 100000;
	fd = connect_first();
	serves(fd);
	assert_true(observer_wait(1));
	t.flow = sip_rx_flow(observer_rx(0));
	tx = observer_tx(&t, rs_str_n(big, 60000), true);
	observer_result_init(&r);
	/* More than the kernel keeps for both ends. */
	for (int i = 0; i < 500; i++)
		sip_transport_send(tx, &r.r);
	assert_int_equal(observer_result_wait(&r), ETIMEDOUT);
	assert_int_equal(sip_transport_send(tx, &r.r), -1);
	assert_int_equal(errno, ENOTCONN);
	sip_tx_unref(tx);
	free(big);
	close(fd);
}

static void what_waits_for_a_slow_reader_arrives_in_order(void **state)
{
	struct sip_target t = {.type = SIP_TRANSPORT_TCP};
	int fd;
	char *big = malloc(50000), *got = malloc(50000);
	struct observer_result r;
	unsigned n = 0;

	(void)state;
	sip_tp.limits.send_queue = 2000000;
	fd = connect_first();
	t.addr = peer_addr(fd);
	serves(fd);
	observer_result_init(&r);
	do {
		struct sip_tx_data *tx;

		memset(big, (int)('a' + n % 26), 50000);
		tx = observer_tx(&t, rs_str_n(big, 50000), true);
		assert_int_equal(sip_transport_send(tx, &r.r), 0);
		sip_tx_unref(tx);
		n++;
	} while (observer_result_held(&r) < 5);
	for (unsigned i = 0; i < n; i++) {
		for (size_t len = 0; len < 50000;) {
			ssize_t k = recv(fd, got + len, 50000 - len, 0);

			assert_true(k > 0);
			len += (size_t)k;
		}
		for (size_t k = 0; k < 50000; k++)
			assert_int_equal(got[k], 'a' + i % 26);
	}
	observer_quiet();
	assert_int_equal(observer_result_held(&r), 0);
	assert_int_equal(r.failed, 0);
	free(big);
	free(got);
	close(fd);
}

static void a_dial_that_is_never_answered_fails_in_time(void **state)
{
	struct sip_addr peer;
	struct sockaddr_storage ss;
	int l, filler[8];
	struct observer_result r;
	struct sip_target t = {.type = SIP_TRANSPORT_TCP};
	struct sip_tx_data *tx;

	(void)state;
	sip_tp.limits.connect_us = 60000;
	close(connect_first());
	l = peer_listen("127.0.0.1", &peer);
	/* A full backlog: the kernel lets connects hang. */
	assert_int_equal(listen(l, 0), 0);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(filler); i++) {
		socklen_t len = sip_addr_to_sockaddr(&peer, &ss);

		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(filler[i], (struct sockaddr *)&ss, len);
	}
	t.addr = peer;
	observer_result_init(&r);
	tx = observer_tx(&t, RS_STR("x"), true);
	assert_int_equal(sip_transport_send(tx, &r.r), 0);
	assert_int_equal(observer_result_wait(&r), ETIMEDOUT);
	sip_tx_unref(tx);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(filler); i++)
		close(filler[i]);
	close(l);
}

static void without_descriptors_nothing_is_accepted_until_there_are_some(void **state)
{
	struct rlimit old, tight;
	int fd, waiting, spare, filler[256], n = 0;

	(void)state;
	sip_tp.limits.accept_pause_us = 20000;
	fd = connect_first();
	serves(fd);
	waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	spare = dup(waiting);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	close(spare);
	tight.rlim_cur = (rlim_t)spare;
	/* Everything below is taken: descriptors are given from the lowest on. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (n < 256 && (filler[n] = dup(fd)) >= 0)
		n++;
	assert_true(n < 256);
	{
		struct sockaddr_storage ss;
		socklen_t len = sip_addr_to_sockaddr(&bound, &ss);
		struct timeval wait = {.tv_sec = 5};

		assert_int_equal(setsockopt(waiting, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
		assert_int_equal(connect(waiting, (struct sockaddr *)&ss, len), 0);
	}
	/* The other connection is served meanwhile. */
	serves(fd);
	serves(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (n)
		close(filler[--n]);
	serves(waiting);
	close(waiting);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(one_peer_may_have_so_many_connections_and_no_more),
		T(trusted_peers_are_exempt_from_the_cap_of_a_peer),
		T(an_ipv6_peer_is_its_64),
		T(a_silent_connection_is_closed),
		T(pings_alone_do_not_make_it_more_than_half_open),
		T(half_a_message_is_not_waited_for_long),
		T(a_served_connection_outlives_the_half_open_deadline_and_ends_when_idle),
		T(pings_of_ours_keep_connections_open),
		T(a_slow_reader_loses_the_connection_and_the_senders_hear_of_it),
		T(who_takes_nothing_loses_the_connection_in_time),
		T(what_waits_for_a_slow_reader_arrives_in_order),
		T(a_dial_that_is_never_answered_fails_in_time),
		T(without_descriptors_nothing_is_accepted_until_there_are_some),
	};

	return cmocka_run_group_tests_name("transport stream limits", tests, NULL, NULL);
}
