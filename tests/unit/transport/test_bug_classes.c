/*
 * Classes of bugs that SIP peers have had, on real sockets: streams whose framing and Content-Length disagree, flows
 * that ended and whose place another one takes, listeners that go while their messages wait.
 */
#include "observer.h"

#include "base/clock.h"
#include "base/taskpool.h"
#include "sip/rx_data.h"
#include "sip/transport/flow.h"
#include "sip/tx_data.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct sip_addr tcp, udp;

static void begin(bool answer)
{
	observer_start(NULL, (struct observer_options){.answer = answer});
	sip_tp.limits.linger_us = 200000;
	tcp = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	udp = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
}

static int start(void **state)
{
	(void)state;
	begin(true);
	return 0;
}

static int start_silent(void **state)
{
	(void)state;
	begin(false);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

/* ---- class: framing that disagrees with Content-Length ---- */

#define HEAD(id)                                                                                                       \
	"OPTIONS sip:a@example.net SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK" id "\r\n"                   \
	"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: " id "\r\nCSeq: 1 OPTIONS\r\n"
#define SMUGGLED HEAD("smuggled") "Content-Length: 0\r\n\r\n"

static void where_the_frame_is_lost_nothing_behind_it_is_read(void **state)
{
	static const char *const lengths[] = {
		"Content-Length: 10\r\nContent-Length: 0\r\n",
		"l: 0\r\nContent-Length: 180\r\n",
		"Content-Length: -1\r\n",
		"Content-Length: 0, 0\r\n",
		"Content-Length: 18446744073709551616\r\n",
		"Content-Length: 4294967296\r\n",
		"Content-Length: 65535\r\n",
		"Content-Length: 0 0\r\n",
		"Content-Length:\r\n",
		"Content-Length\x01: 180\r\nContent-Length: 0\r\n",
		"Subject: x\nContent-Length: 180\r\nContent-Length: 0\r\n",
		"Subject: x\rContent-Length: 180\r\n",
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(lengths); i++) {
		char text[2048];
		int n = snprintf(text, sizeof(text), HEAD("outer") "%s\r\n" SMUGGLED, lengths[i]);
		int fd = peer_tcp(&tcp);
		char got[4096];
		size_t len = 0;
		ssize_t more;

		peer_write(fd, rs_str_n(text, (size_t)n));
		while ((more = peer_read(fd, got + len, sizeof(got) - 1 - len)) > 0)
			len += (size_t)more;
		assert_int_equal(more, 0); /* it ends */
		got[len] = '\0';
		if (len && (strncmp(got, "SIP/2.0 4", 9) != 0 && strncmp(got, "SIP/2.0 5", 9) != 0))
			fail_msg("%s: %s", lengths[i], got);
		if (strstr(got, "smuggled"))
			fail_msg("%s: the smuggled one is answered", lengths[i]);
		close(fd);
	}
	assert_int_equal(observer_count(), 0);
}

static void a_message_in_a_body_is_a_body(void **state)
{
	char text[2048];
	int fd = peer_tcp(&tcp);
	int n = snprintf(text, sizeof(text),
			 HEAD("outer") "Content-Length: %zu\r\n\r\n" SMUGGLED HEAD("next") "l:0\r\n\r\n",
			 strlen(SMUGGLED));

	(void)state;
	peer_write(fd, rs_str_n(text, (size_t)n));
	assert_true(observer_wait(2));
	observer_quiet();
	assert_int_equal(observer_count(), 2);
	for (unsigned i = 0; i < 2; i++) {
		struct sip_msg *m = sip_rx_msg(observer_rx(i));

		assert_false(rs_str_eqz(m->call_id, "smuggled"));
		if (rs_str_eqz(m->call_id, "outer"))
			assert_true(rs_str_eqz(m->body, SMUGGLED));
	}
	close(fd);
}

/* What a length that is too short leaves over is a message of the same sender, or the end: never part of both. */
static void what_a_short_length_leaves_over_is_no_part_of_the_message(void **state)
{
	char text[2048];
	int fd = peer_tcp(&tcp);
	int n = snprintf(text, sizeof(text), HEAD("first") "Content-Length: 3\r\n\r\nabcdefgh\r\n" SMUGGLED);

	(void)state;
	peer_write(fd, rs_str_n(text, (size_t)n));
	assert_true(observer_wait(1));
	assert_true(peer_expect_end(fd));
	observer_quiet();
	assert_int_equal(observer_count(), 1);
	assert_true(rs_str_eqz(sip_rx_msg(observer_rx(0))->body, "abc"));
	close(fd);
}

/* A length that is too long takes what follows for the body; a missing one is none. */
static void a_long_length_swallows_and_a_missing_one_is_zero(void **state)
{
	char text[2048];
	int fd = peer_tcp(&tcp);
	int n = snprintf(text, sizeof(text), HEAD("long") "Content-Length: %zu\r\n\r\nab" SMUGGLED HEAD("none") "\r\n",
			 strlen("ab" SMUGGLED));

	(void)state;
	peer_write(fd, rs_str_n(text, (size_t)n));
	assert_true(observer_wait(2));
	observer_quiet();
	assert_int_equal(observer_count(), 2);
	for (unsigned i = 0; i < 2; i++) {
		struct sip_msg *m = sip_rx_msg(observer_rx(i));

		assert_int_equal(m->body.len, rs_str_eqz(m->call_id, "none") ? 0 : strlen("ab" SMUGGLED));
	}
	close(fd);
}

/* ---- class: a flow that ended, and another one in its place ---- */

#define FLOWS 200

/* Waits until the server has noticed. */
static void assert_flow_ends(sip_flow_id flow)
{
	int64_t until = rs_now_us() + OBSERVER_WAIT_MS * 1000;
	struct sip_flow_info info;

	while (sip_flow_info(flow, &info)) {
		assert_true(rs_now_us() < until);
		poll(NULL, 0, 1);
	}
}

static void a_flow_id_is_never_anothers(void **state)
{
	sip_flow_id seen[FLOWS];

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		char buf[2000];
		int fd = peer_tcp(&tcp);

		peer_write(fd, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", i, 0));
		assert_true(observer_wait(i + 1));
		seen[i] = sip_rx_flow(observer_rx(i));
		for (unsigned k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
		close(fd);
	}
	for (unsigned i = 0; i < FLOWS; i++)
		assert_flow_ends(seen[i]);
}

static int send_on(sip_flow_id flow, bool flow_only, const char *text)
{
	struct sip_target target = {.type = SIP_TRANSPORT_TCP, .flow = flow, .flow_only = flow_only};
	struct sip_tx_data *tx = observer_tx(&target, rs_str_c(text), true);
	int rc = sip_transport_send(tx, NULL);

	sip_tx_unref(tx);
	return rc;
}

static void what_is_for_a_flow_that_ended_reaches_no_other(void **state)
{
	struct sip_target target;
	struct sip_tx_data *tx;
	char buf[2000], got[64];
	int first = peer_tcp(&tcp), second;
	sip_flow_id flow;

	(void)state;
	peer_write(first, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0));
	assert_true(observer_wait(1));
	flow = sip_rx_flow(observer_rx(0));
	close(first);
	assert_flow_ends(flow);
	/* Somebody else behind the same address takes its place. */
	second = peer_tcp(&tcp);
	peer_write(second, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "b", 1, 0));
	assert_true(observer_wait(2));
	assert_int_equal(send_on(flow, true, "a request for the first one"), -1);
	/* The answer to the first one is dialled to its sent-by, where nobody is. */
	sip_transport_response_target(observer_rx(0), &target);
	tx = observer_tx(&target, RS_STR("an answer for the first one"), false);
	(void)sip_transport_send(tx, NULL);
	sip_tx_unref(tx);
	observer_quiet();
	/* What the second one gets is its own. */
	assert_int_equal(send_on(sip_rx_flow(observer_rx(1)), true, "its own"), 0);
	assert_int_equal(peer_read(second, got, sizeof(got)), 7);
	assert_memory_equal(got, "its own", 7);
	close(second);
}

/* ---- class: the transport goes while its messages are at work ---- */

/* Answers and requests on the flows of a listener that went fail cleanly, its unread messages are no ones. */
static void what_a_closed_listener_received_can_still_be_looked_at(void **state)
{
	int fd = peer_udp("127.0.0.1:0"), stream = peer_tcp(&tcp);
	char buf[2000];

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		peer_send_to(fd, &udp, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "u", i + 1, 100));
	for (unsigned i = 0; i < 20; i++)
		peer_write(stream, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "t", i + 1, 100));
	assert_true(observer_wait(40));
	assert_int_equal(sip_listener_close(RS_STR("udp"), true), 0);
	assert_int_equal(sip_listener_close(RS_STR("tcp"), true), 0);
	assert_int_equal(sip_listener_close(RS_STR("tcp"), true), ENOENT);
	assert_true(peer_expect_end(stream));
	for (unsigned i = 0; i < 40; i++) {
		struct sip_rx_data *rx = observer_rx(i);
		struct sip_target target;
		struct sip_tx_data *tx;

		assert_int_equal(sip_rx_msg(rx)->body.len, 100);
		assert_true(sip_rx_listener(rx).len == 3);
		sip_transport_response_target(rx, &target);
		target.flow_only = true; /* else it would be dialled */
		tx = observer_tx(&target, RS_STR("late"), false);
		assert_int_equal(sip_transport_send(tx, NULL), -1);
		sip_tx_unref(tx);
	}
	close(fd);
	close(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, start, stop)
		T(where_the_frame_is_lost_nothing_behind_it_is_read),
		T(a_message_in_a_body_is_a_body),
		T(what_a_short_length_leaves_over_is_no_part_of_the_message),
		T(a_long_length_swallows_and_a_missing_one_is_zero),
		cmocka_unit_test_setup_teardown(a_flow_id_is_never_anothers, start_silent, stop),
		cmocka_unit_test_setup_teardown(what_is_for_a_flow_that_ended_reaches_no_other, start_silent, stop),
		cmocka_unit_test_setup_teardown(what_a_closed_listener_received_can_still_be_looked_at, start_silent,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
