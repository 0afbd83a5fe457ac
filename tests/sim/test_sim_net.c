/* The simulated network itself: what it promises to the transports and to the tests that are built on it. */
#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <cmocka.h>
#include <stdlib.h>

#define SERVER "10.0.0.1:5060"

/* ---- a server in a few lines: echoes datagrams and streams through sip_net_ops ---- */

struct echo {
	struct sip_sock *sock;
	unsigned got, closed;
	bool stream, connected, ended, stall_reading;
	int error;
	size_t bytes;
	char all[70000];
	char out[70000];
	size_t out_len;
};

static void echo_closed(struct sip_sock *s, void *token)
{
	struct echo *e = token;

	(void)s;
	e->closed++;
	e->sock = NULL;
}

static void udp_ready(struct sip_sock *s, unsigned events)
{
	struct echo *e = s->token;
	char buf[4][2048];
	struct sip_dgram v[4] = {0};
	int n;

	sim_check(events & SIP_SOCK_READ);
	for (int i = 0; i < 4; i++)
		v[i].iov[0] = (struct iovec){buf[i], sizeof(buf[i])};
	n = sim_net_ops.recv(s, v, 4);
	sim_check(n > 0);
	e->got += (unsigned)n;
	for (int i = 0; i < n; i++) {
		v[i].iov[0].iov_len = v[i].len;
		sim_check_int(sim_net_ops.send(s, &v[i], 1), 1);
	}
	sim_net_ops.arm(s, SIP_SOCK_READ);
}

static struct sip_addr addr(const char *text)
{
	struct sip_addr a;

	sim_check(sip_addr_parse(rs_str_c(text), &a) == 0);
	return a;
}

static void echo_udp_open(struct echo *e, const char *bind)
{
	struct sip_sock_opts opts = {.bind = addr(bind)};

	sim_check_int(sim_net_ops.udp_open(NULL, &opts, &e->sock), 0);
	e->sock->token = e;
	e->sock->ready = udp_ready;
	e->sock->closed = echo_closed;
	sim_net_ops.arm(e->sock, SIP_SOCK_READ);
}

static void stream_flush(struct echo *e)
{
	while (e->out_len) {
		struct iovec iov = {e->out, e->out_len};
		ssize_t n = sim_net_ops.write(e->sock, &iov, 1);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			e->error = (int)-n;
			return;
		}
		e->out_len -= (size_t)n;
		memmove(e->out, e->out + n, e->out_len);
	}
	sim_net_ops.arm(e->sock, (e->stall_reading ? 0u : SIP_SOCK_READ) | (e->out_len ? SIP_SOCK_WRITE : 0u));
}

static void stream_ready(struct sip_sock *s, unsigned events)
{
	struct echo *e = s->token;

	if (!e->connected) {
		e->error = sim_net_ops.connect_result(s);
		e->connected = e->error == 0;
		if (e->error)
			return;
	}
	if (events & SIP_SOCK_READ) {
		char buf[100];
		ssize_t n;

		while ((n = sim_net_ops.read(s, buf, sizeof(buf))) > 0) {
			sim_check(e->bytes + (size_t)n <= sizeof(e->all));
			memcpy(e->all + e->bytes, buf, (size_t)n);
			memcpy(e->out + e->out_len, buf, (size_t)n);
			e->bytes += (size_t)n;
			e->out_len += (size_t)n;
		}
		if (n == 0)
			e->ended = true;
		if (n < 0 && n != -EAGAIN)
			e->error = (int)-n;
		if (e->ended || e->error) {
			sim_net_ops.close(s);
			return;
		}
	}
	stream_flush(e);
}

static void listener_ready(struct sip_sock *s, unsigned events)
{
	struct echo *e = s->token;
	struct sip_addr peer;

	(void)events;
	while (sim_net_ops.tcp_accept(s, NULL, &e[1].sock, &peer) == 0) {
		e[1].sock->token = &e[1];
		e[1].sock->ready = stream_ready;
		e[1].sock->closed = echo_closed;
		e[1].connected = true;
		e[0].got++;
		sim_net_ops.arm(e[1].sock, SIP_SOCK_READ);
	}
	sim_net_ops.arm(s, SIP_SOCK_READ);
}

static void echo_tcp_open(struct echo *e, const char *bind)
{
	struct sip_sock_opts opts = {.bind = addr(bind)};

	sim_check_int(sim_net_ops.tcp_listen(NULL, &opts, &e->sock), 0);
	e->sock->token = e;
	e->sock->ready = listener_ready;
	e->sock->closed = echo_closed;
	sim_net_ops.arm(e->sock, SIP_SOCK_READ);
}

static void echo_dial(struct echo *e, const char *to)
{
	struct sip_sock_opts opts = {
		.keepalive = true, .keepalive_idle = 30, .keepalive_interval = 5, .keepalive_count = 2};
	struct sip_addr peer = addr(to);

	memset(e, 0, sizeof(*e));
	sim_check_int(sim_net_ops.tcp_connect(NULL, &opts, &peer, &e->sock), 0);
	e->sock->token = e;
	e->sock->ready = stream_ready;
	e->sock->closed = echo_closed;
	sim_net_ops.arm(e->sock, SIP_SOCK_WRITE);
}

static void echo_close(struct echo *e)
{
	if (e->sock)
		sim_net_ops.close(e->sock);
	sim_run_for(10 * SIM_SECOND);
	sim_check(!e->sock);
}

/* ---- a phone ---- */

struct phone {
	struct sim_peer *peer;
	unsigned got;
	size_t bytes;
	char all[70000];
	int connected, ended; /* -1: not yet */
	struct sip_addr from;
};

static void phone_receive(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct phone *ph = token;

	(void)p;
	ph->got++;
	if (from)
		ph->from = *from;
	sim_check(ph->bytes + bytes.len <= sizeof(ph->all));
	memcpy(ph->all + ph->bytes, bytes.p, bytes.len);
	ph->bytes += bytes.len;
}

static void phone_connected(struct sim_peer *p, void *token, int error)
{
	(void)p;
	((struct phone *)token)->connected = error;
}

static void phone_ended(struct sim_peer *p, void *token, int error)
{
	(void)p;
	((struct phone *)token)->ended = error;
}

static void phone_accepted(struct sim_peer *listener, void *token, struct sim_peer *stream)
{
	(void)listener;
	((struct phone *)token)->peer = stream;
}

static const struct sim_peer_ops phone_ops = {
	.receive = phone_receive,
	.connected = phone_connected,
	.accepted = phone_accepted,
	.ended = phone_ended,
};

static struct echo echo[2];
static struct phone phone;

static void begin(uint64_t seed)
{
	memset(echo, 0, sizeof(echo));
	memset(&phone, 0, sizeof(phone));
	phone.connected = phone.ended = -1;
	sim_env_start(&(struct sim_config){.seed = seed});
}

static void end(void)
{
	echo_close(&echo[0]);
	echo_close(&echo[1]);
	sim_check_int(sim_net_open_sockets(), 0);
	sim_env_stop();
}

/* ---- datagrams ---- */

static void a_datagram_comes_back_from_the_address_it_was_sent_to(void **state)
{
	(void)state;
	begin(1);
	echo_udp_open(&echo[0], "0.0.0.0:5060");
	sim_net_add_address("10.0.0.7");
	phone.peer = sim_peer_udp_open("10.0.0.2:5062", &phone_ops, &phone);
	sim_peer_send_to(phone.peer, "10.0.0.7:5060", RS_STR("hello"));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.got, 1);
	assert_int_equal(phone.bytes, 5);
	assert_memory_equal(phone.all, "hello", 5);
	assert_true(sip_addr_eq(&phone.from, &(struct sip_addr){.family = 4, .port = 5060, .ip = {10, 0, 0, 7}}));
	/* An address taken away is reached no more. */
	sim_net_remove_address("10.0.0.7");
	sim_peer_send_to(phone.peer, "10.0.0.7:5060", RS_STR("hello"));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.got, 1);
	end();
}

static void loss_and_duplication_are_as_often_as_the_link_says(void **state)
{
	unsigned lost, doubled;

	(void)state;
	begin(7);
	echo_udp_open(&echo[0], SERVER);
	phone.peer = sim_peer_udp_open("10.0.0.2:5062", &phone_ops, &phone);
	sim_net_link("10.0.0.2", NULL)->loss = 200;
	for (int i = 0; i < 5000; i++)
		sim_peer_send_to(phone.peer, SERVER, RS_STR("x"));
	sim_net_link("10.0.0.2", NULL)->loss = 1000; /* the way back */
	sim_run_for(SIM_SECOND);
	lost = 5000 - echo[0].got;
	assert_in_range(lost, 850, 1150); /* 1000, five standard deviations */
	echo[0].got = 0;
	sim_net_link("10.0.0.2", NULL)->loss = 0;
	sim_net_link("10.0.0.2", NULL)->duplicate = 100;
	for (int i = 0; i < 5000; i++)
		sim_peer_send_to(phone.peer, SERVER, RS_STR("x"));
	sim_net_link("10.0.0.2", NULL)->loss = 1000;
	sim_run_for(SIM_SECOND);
	doubled = echo[0].got - 5000;
	assert_in_range(doubled, 390, 610); /* 500 */
	end();
}

static void datagrams_overtake_each_other_only_when_delays_differ(void **state)
{
	bool swapped = false;

	(void)state;
	begin(3);
	echo_udp_open(&echo[0], SERVER);
	phone.peer = sim_peer_udp_open("10.0.0.2:5062", &phone_ops, &phone);
	sim_net_link(NULL, NULL)->delay_min = sim_net_link(NULL, NULL)->delay_max = 1000;
	for (char c = 'a'; c <= 'z'; c++)
		sim_peer_send_to(phone.peer, SERVER, rs_str_n(&c, 1));
	sim_run_for(SIM_SECOND);
	assert_memory_equal(phone.all, "abcdefghijklmnopqrstuvwxyz", 26);
	phone.bytes = 0;
	sim_net_link(NULL, NULL)->reorder = 500;
	for (char c = 'a'; c <= 'z'; c++)
		sim_peer_send_to(phone.peer, SERVER, rs_str_n(&c, 1));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.bytes, 26);
	for (int i = 1; i < 26; i++)
		swapped = swapped || phone.all[i] < phone.all[i - 1];
	assert_true(swapped);
	end();
}

static void a_cut_link_passes_nothing_until_it_is_mended(void **state)
{
	(void)state;
	begin(4);
	echo_udp_open(&echo[0], SERVER);
	phone.peer = sim_peer_udp_open("10.0.0.2:5062", &phone_ops, &phone);
	sim_net_cut("10.0.0.2", "10.0.0.1", true);
	sim_peer_send_to(phone.peer, SERVER, RS_STR("x"));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.got, 0);
	sim_net_cut("10.0.0.2", "10.0.0.1", false);
	sim_peer_send_to(phone.peer, SERVER, RS_STR("x"));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.got, 1);
	end();
}

static void binds_are_checked_and_reuse_port_spreads_senders(void **state)
{
	struct sip_sock_opts opts = {.bind = addr(SERVER), .reuse_port = true};
	struct sip_sock *a, *b, *c;

	(void)state;
	begin(5);
	assert_int_equal(sim_net_ops.udp_open(NULL, &opts, &a), 0);
	assert_int_equal(sim_net_ops.udp_open(NULL, &opts, &b), 0);
	opts.reuse_port = false;
	assert_int_equal(sim_net_ops.udp_open(NULL, &opts, &c), EADDRINUSE);
	opts.bind = addr("10.9.9.9:5060");
	assert_int_equal(sim_net_ops.udp_open(NULL, &opts, &c), EADDRNOTAVAIL);
	for (uint16_t port = 6000; port < 6050; port++) {
		char text[32];
		struct sim_peer *p;

		snprintf(text, sizeof(text), "10.0.0.2:%u", port);
		p = sim_peer_udp_open(text, NULL, NULL);
		sim_peer_send_to(p, SERVER, RS_STR("x"));
		sim_peer_close(p);
	}
	sim_run_for(SIM_SECOND);
	for (int i = 0; i < 2; i++) {
		char buf[10];
		struct sip_dgram d = {.iov = {{buf, sizeof(buf)}}};
		int n = 0;

		while (sim_net_ops.recv(i ? b : a, &d, 1) == 1)
			n++;
		assert_in_range(n, 5, 45);
	}
	sim_net_ops.close(a);
	sim_net_ops.close(b);
	end();
}

/* ---- streams ---- */

static void fill(char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(i * 31 + i / 251);
}

static void segmentation_preserves_every_byte(void **state)
{
	static char data[50000];

	(void)state;
	fill(data, sizeof(data));
	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(seed);
		sim_net_link(NULL, NULL)->segment = seed % 4 == 0 ? 1 : (unsigned)seed * 7;
		sim_net_link(NULL, NULL)->loss = seed % 3 == 0 ? 20 : 0;
		echo_tcp_open(echo, SERVER);
		phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
		sim_peer_write(phone.peer, rs_str_n(data, 20000));
		sim_run_for(SIM_SECOND);
		sim_peer_write(phone.peer, rs_str_n(data + 20000, 30000));
		sim_run_for(4000 * SIM_SECOND);
		assert_int_equal(phone.connected, 0);
		assert_int_equal(echo[1].bytes, sizeof(data));
		assert_memory_equal(echo[1].all, data, sizeof(data));
		assert_int_equal(phone.bytes, sizeof(data));
		assert_memory_equal(phone.all, data, sizeof(data));
		if (seed % 4 == 0)
			assert_true(phone.got > 40000);
		/* Half-close: the server sees the end and closes; the phone sees the server's. */
		sim_peer_shutdown(phone.peer);
		sim_run_for(4000 * SIM_SECOND);
		assert_true(echo[1].ended);
		assert_int_equal(phone.ended, 0);
		sim_peer_close(phone.peer);
		end();
	}
}

static void a_reset_is_seen_by_the_other_end(void **state)
{
	(void)state;
	begin(1);
	echo_tcp_open(echo, SERVER);
	phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
	sim_run_for(SIM_SECOND);
	assert_int_equal(echo[0].got, 1);
	sim_peer_reset(phone.peer);
	sim_run_for(SIM_SECOND);
	assert_int_equal(echo[1].error, ECONNRESET);
	assert_int_equal(echo[1].closed, 1);
	end();
}

static void bytes_for_a_closed_socket_are_answered_by_a_reset(void **state)
{
	(void)state;
	begin(2);
	echo_tcp_open(echo, SERVER);
	phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
	sim_run_for(SIM_SECOND);
	sim_net_ops.close(echo[1].sock);
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.ended, 0);
	phone.ended = -1;
	sim_peer_write(phone.peer, RS_STR("late"));
	sim_run_for(SIM_SECOND);
	sim_peer_close(phone.peer);
	end();
}

static void a_connect_is_answered_refused_or_times_out(void **state)
{
	(void)state;
	begin(3);
	phone.peer = sim_peer_udp_open("10.0.0.2:5060", &phone_ops, &phone);
	echo_dial(&echo[0], "10.0.0.2:5060"); /* there, but nobody listens for streams */
	sim_run_for(SIM_SECOND);
	assert_int_equal(echo[0].error, ECONNREFUSED);
	echo_close(&echo[0]);
	echo_dial(&echo[0], "10.0.0.9:5060"); /* nobody there */
	sim_run_for(100 * SIM_SECOND);
	assert_int_equal(echo[0].error, 0);
	sim_run_for(40 * SIM_SECOND);
	assert_int_equal(echo[0].error, ETIMEDOUT);
	echo_close(&echo[0]);
	sim_net_link("10.0.0.2", NULL)->connect_error = EHOSTUNREACH;
	echo_dial(&echo[0], "10.0.0.2:5060");
	sim_run_for(SIM_SECOND);
	assert_int_equal(echo[0].error, EHOSTUNREACH);
	sim_net_link("10.0.0.2", NULL)->connect_error = 0;
	echo_close(&echo[0]);
	phone.peer = NULL;
	sim_peer_tcp_listen("10.0.0.2:5060", &phone_ops, &phone);
	echo_dial(&echo[0], "10.0.0.2:5060");
	sim_run_for(SIM_SECOND);
	assert_true(echo[0].connected);
	assert_non_null(phone.peer);
	sim_peer_write(phone.peer, RS_STR("hi"));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.bytes, 2);
	end();
}

static void a_slow_reader_fills_the_window(void **state)
{
	static char data[60000];

	(void)state;
	begin(4);
	echo_tcp_open(echo, SERVER);
	phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
	sim_peer_pause(phone.peer, true);
	fill(data, sizeof(data));
	sim_run_for(SIM_SECOND);
	sim_peer_write(phone.peer, rs_str_n(data, sizeof(data)));
	sim_run_for(SIM_SECOND);
	echo[1].bytes = 0; /* the room of the test's own buffer */
	sim_peer_write(phone.peer, rs_str_n(data, 8000));
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.bytes, 0);
	assert_int_equal(echo[1].out_len, sizeof(data) + 8000 - 65536); /* what the window did not take */
	sim_peer_pause(phone.peer, false);
	sim_run_for(SIM_SECOND);
	assert_int_equal(phone.bytes, sizeof(data) + 8000);
	assert_int_equal(echo[1].out_len, 0);
	end();
}

static void a_cut_connection_goes_on_when_mended_and_dies_when_not(void **state)
{
	(void)state;
	begin(5);
	echo_tcp_open(echo, SERVER);
	phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
	sim_run_for(SIM_SECOND);
	sim_net_cut("10.0.0.2", "10.0.0.1", true);
	sim_peer_write(phone.peer, RS_STR("through"));
	sim_run_for(20 * SIM_SECOND);
	assert_int_equal(echo[1].bytes, 0);
	sim_net_cut("10.0.0.2", "10.0.0.1", false);
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(phone.bytes, 7);
	sim_net_cut("10.0.0.2", "10.0.0.1", true);
	memcpy(echo[1].out, "lost", 4);
	echo[1].out_len = 4;
	stream_flush(&echo[1]);
	sim_run_for(1000 * SIM_SECOND);
	assert_int_equal(echo[1].error, ETIMEDOUT);
	end();
}

static void keepalive_finds_a_peer_that_vanished(void **state)
{
	(void)state;
	begin(6);
	sim_peer_tcp_listen("10.0.0.2:5060", &phone_ops, &phone);
	echo_dial(&echo[0], "10.0.0.2:5060");
	sim_run_for(SIM_SECOND);
	sim_peer_vanish(phone.peer);
	sim_run_for(39 * SIM_SECOND);
	assert_int_equal(echo[0].error, 0);
	sim_run_for(2 * SIM_SECOND);
	assert_int_equal(echo[0].error, ETIMEDOUT);
	end();
}

/* ---- the whole ---- */

static uint64_t noisy_run(uint64_t seed)
{
	uint64_t digest;
	struct sim_link *link;

	begin(seed);
	link = sim_net_link(NULL, NULL);
	link->loss = link->duplicate = link->reorder = 100;
	link->segment = 9;
	echo_tcp_open(echo, SERVER);
	phone.peer = sim_peer_tcp_connect("10.0.0.2", SERVER, &phone_ops, &phone);
	for (int i = 0; i < 50; i++) {
		struct sim_peer *p = sim_peer_udp_open("10.0.0.3", NULL, NULL);

		sim_peer_send_to(p, SERVER, RS_STR("datagram"));
		sim_peer_write(phone.peer, RS_STR("a line of a stream\r\n"));
		sim_run_for(sim_rng_range(sim_test_rng(), 0, 10000));
		sim_peer_close(p);
	}
	sim_run_for(1000 * SIM_SECOND);
	digest = sim_flow_digest();
	end();
	return digest;
}

static void the_same_seed_gives_the_same_trace(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		uint64_t first = noisy_run(seed);

		assert_true(noisy_run(seed) == first);
		assert_true(noisy_run(seed + 100) != first);
	}
}

static void crash(uint64_t seed, void *arg)
{
	(void)seed;
	*(int *)arg += 1;
	if (*(int *)arg == 1)
		sim_crash();
}

static void a_child_may_crash_and_another_goes_on(void **state)
{
	int *runs = sim_shared(sizeof(*runs));

	(void)state;
	assert_int_equal(sim_fork_run(1, crash, runs), SIM_CRASHED);
	assert_int_equal(sim_fork_run(1, crash, runs), SIM_PASSED);
	assert_int_equal(*runs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_comes_back_from_the_address_it_was_sent_to),
		cmocka_unit_test(loss_and_duplication_are_as_often_as_the_link_says),
		cmocka_unit_test(datagrams_overtake_each_other_only_when_delays_differ),
		cmocka_unit_test(a_cut_link_passes_nothing_until_it_is_mended),
		cmocka_unit_test(binds_are_checked_and_reuse_port_spreads_senders),
		cmocka_unit_test(segmentation_preserves_every_byte),
		cmocka_unit_test(a_reset_is_seen_by_the_other_end),
		cmocka_unit_test(bytes_for_a_closed_socket_are_answered_by_a_reset),
		cmocka_unit_test(a_connect_is_answered_refused_or_times_out),
		cmocka_unit_test(a_slow_reader_fills_the_window),
		cmocka_unit_test(a_cut_connection_goes_on_when_mended_and_dies_when_not),
		cmocka_unit_test(keepalive_finds_a_peer_that_vanished),
		cmocka_unit_test(the_same_seed_gives_the_same_trace),
		cmocka_unit_test(a_child_may_crash_and_another_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
