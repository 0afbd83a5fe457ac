/* Load shedding at the door, the answers' budget, the trace. */
#include "observer.h"

#include "base/taskpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static _Atomic int verdict;
static _Atomic bool allowed;
static _Atomic unsigned asked;

static enum sip_admission admit(struct sip_msg_class cls, enum sip_transport_type type, const struct sip_addr *peer)
{
	(void)type;
	(void)peer;
	/* What the core does: only new requests are shed. */
	return cls.is_request && !cls.in_dialog ? (enum sip_admission)verdict : SIP_ADMIT;
}

static _Atomic bool all;

static bool admits_all(void)
{
	return all;
}

static bool answer_allowed(const struct sip_addr *peer, size_t question, size_t answer)
{
	(void)peer;
	asked++;
	return question && answer ? allowed : false;
}

static int start(void **state)
{
	struct sip_stack_config c = {.admit = admit, .admits_all = admits_all, .answer_allowed = answer_allowed};

	(void)state;
	verdict = SIP_ADMIT;
	all = false;
	allowed = true;
	asked = 0;
	observer_start(&c, (struct observer_options){.answer = true});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

static void a_shed_request_gets_503_with_retry_after(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0"),
			tcp = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1"), s;
	char buf[2000], first[2000];

	(void)state;
	verdict = SIP_REFUSE_503;
	for (int i = 0; i < 2; i++) {
		peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
		assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
		assert_true(strncmp(buf, "SIP/2.0 503 ", 12) == 0);
		assert_non_null(strstr(buf, "Retry-After: "));
		assert_non_null(strstr(buf, "received=127.0.0.1"));
		assert_non_null(strstr(buf, "\r\nContent-Length: 0\r\n\r\n"));
		/* A retransmission gets the same To tag. */
		*strstr(buf, "Retry-After: ") = '\0';
		if (i)
			assert_string_equal(buf, first);
		memcpy(first, buf, sizeof(first));
	}
	s = peer_tcp(&tcp);
	peer_write(s, options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", "a", 1, 0));
	assert_true(peer_expect(s, "SIP/2.0 503 "));
	/* ACKs are never answered; in-dialog requests and responses pass. */
	peer_send_to(fd, &bound,
		     RS_STR("ACK sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKk\r\n"
			    "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: k\r\nCSeq: 1 ACK\r\n\r\n"));
	peer_send_to(fd, &bound,
		     RS_STR("BYE sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKl\r\n"
			    "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: l\r\nCSeq: 2 BYE\r\n\r\n"));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(strncmp(buf, "SIP/2.0 200 ", 12) == 0);
	assert_true(observer_wait(1));
	assert_int_equal(observer_count(), 1);
	close(s);
	close(fd);
}

static void nobody_is_asked_while_all_is_admitted(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	verdict = SIP_REFUSE_503;
	all = true;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_true(strncmp(buf, "SIP/2.0 200 ", 12) == 0);
	close(fd);
}

static void a_dropped_request_gets_nothing(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	verdict = SIP_REFUSE_DROP;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	do {
		/* until it has been dropped */
	} while (observer_stats("udp").dropped == 0);
	verdict = SIP_ADMIT;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 2, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "CSeq: 2 OPTIONS"));
	close(fd);
}

static void an_answer_past_the_budget_is_dropped_and_counted(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	allowed = false;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	assert_true(observer_wait(1));
	observer_quiet();
	assert_int_equal(observer_stats("udp").dropped, 1);
	assert_int_equal(observer_stats("udp").sent, 0);
	allowed = true;
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 2, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "CSeq: 2 OPTIONS"));
	assert_int_equal(asked, 2);
	close(fd);
}

/* ---- the trace ---- */

static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned traced_in, traced_out;
static struct sip_addr traced_remote;

static void traced(const struct sip_trace_event *e)
{
	pthread_mutex_lock(&trace_lock);
	if (e->received)
		traced_in++;
	else
		traced_out++;
	assert_true(e->bytes.len > 10);
	traced_remote = e->remote;
	pthread_mutex_unlock(&trace_lock);
}

static void the_trace_sees_every_message_both_ways(void **state)
{
	struct sip_addr bound = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0"), own;
	struct sip_trace one = {.message = traced}, two = {.message = traced};
	int fd = peer_udp("127.0.0.1");
	char buf[2000];

	(void)state;
	sip_trace_register(&one);
	sip_trace_register(&two);
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 1, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	sip_trace_unregister(&one);
	peer_send_to(fd, &bound, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9;rport", "a", 2, 0));
	assert_true(peer_read(fd, buf, sizeof(buf)) > 0);
	sip_trace_unregister(&two);
	observer_quiet();
	own = peer_addr(fd);
	assert_int_equal(traced_in, 3);
	assert_int_equal(traced_out, 3);
	assert_true(sip_addr_eq(&traced_remote, &own));
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(a_shed_request_gets_503_with_retry_after), T(nobody_is_asked_while_all_is_admitted),
		T(a_dropped_request_gets_nothing),           T(an_answer_past_the_budget_is_dropped_and_counted),
		T(the_trace_sees_every_message_both_ways),
	};

	return cmocka_run_group_tests_name("transport admission", tests, NULL, NULL);
}
