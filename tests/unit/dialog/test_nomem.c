/* Without memory: each allocation fails in turn, and what could not be done leaves nothing behind. */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static long countdown = -1; /* allocations until one fails; negative: none does */
static unsigned failed;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	failed++;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_realloc(p, n);
}

/* work sets countdown from n where it counts, and says whether all went well. */
static void each_fails(bool (*work)(long n))
{
	for (long n = 0;; n++) {
		unsigned before = failed;
		bool ok = work(n);

		countdown = -1;
		if (failed == before) {
			assert_true(ok);
			return;
		}
		assert_true(n < 60);
	}
}

static unsigned now(void)
{
	struct sip_dialog_stats stats;

	sip_dialog_stats(&stats);
	return (unsigned)stats.now;
}

static char route[900];

static bool client(long n)
{
	struct sip_dialog_uac_params p = {
		.size = sizeof(p), .uri = RS_STR("sip:bob@10.0.0.2"), .from = RS_STR("<sip:us@example.com>")};
	struct sip_dialog *d;
	struct sip_tx_data *tx = NULL;

	p.route = rs_str_c(route);
	countdown = n;
	d = sip_dialog_uac(&p);
	if (!d)
		assert_int_equal(errno, ENOMEM);
	if (d) {
		uint32_t before = sip_dialog_local_cseq(d);

		tx = sip_dialog_request(d, RS_STR("INVITE"));
		if (!tx) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(sip_dialog_local_cseq(d), before);
		}
	}
	countdown = -1;
	sip_tx_unref(tx);
	sip_dialog_unref(d);
	assert_int_equal(now(), 0);
	return tx != NULL;
}

static void a_client_fails_cleanly(void **state)
{
	(void)state;
	/* Longer than what fits on the stack. */
	for (size_t i = 0; i + 40 < sizeof(route); i += strlen(route + i))
		snprintf(route + i, sizeof(route) - i, "%s<sip:p%zu.example;lr>", i ? "," : "", i);
	talk_start(UDP);
	each_fails(client);
	assert_true(failed > 3);
	talk_end();
}

static struct sip_dialog *uas;
static long uas_countdown;

static bool make_uas(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	(void)tsx;
	countdown = uas_countdown;
	uas = sip_dialog_uas(rx, RS_STR_NULL);
	if (!uas)
		assert_int_equal(errno, ENOMEM);
	countdown = -1;
	sip_tsx_respond(sip_rx_tsx(rx), sip_tx_response(rx, uas ? 486 : 503, RS_STR_NULL));
	return true;
}

static bool server(long n)
{
	uas_countdown = n;
	uas = NULL;
	call.on_request = make_uas;
	phone_invites("<sip:alice@10.0.0.2:5060>", "Record-Route: <sip:p1.example;lr>\r\n");
	phone_gets(uas ? "486" : "503");
	phone_sends("ACK");
	sip_dialog_unref(uas);
	assert_int_equal(now(), 0);
	return uas != NULL;
}

static void a_server_fails_cleanly(void **state)
{
	unsigned before = failed;

	(void)state;
	talk_start(UDP);
	each_fails(server);
	assert_true(failed > before);
	talk_end();
}

static long response_countdown;
static struct sip_dialog *fork_of;

static void fail_fork(struct sip_rx_data *rx)
{
	bool made;

	if (rs_str_eqz(sip_rx_msg(rx)->to_tag, "b"))
		return;
	countdown = response_countdown;
	fork_of = sip_dialog_fork(talk.dlg, rx, &made);
	if (!fork_of)
		assert_int_equal(errno, ENOMEM);
	countdown = -1;
}

static bool fork_it(long n)
{
	bool whole;

	response_countdown = n;
	fork_of = NULL;
	phone_replies(180, "c", "Contact: <sip:carol@10.0.0.2>\r\n");
	talk_hears("response INVITE 180 other");
	whole = fork_of && sip_dialog_state(fork_of) == SIP_DIALOG_EARLY;
	sip_dialog_unref(fork_of);
	assert_int_equal(now(), 1);
	return whole;
}

static void a_fork_fails_cleanly(void **state)
{
	unsigned before = failed;

	(void)state;
	talk_start(UDP);
	talk.on_response = fail_fork;
	talk_calls("sip:bob@10.0.0.2:5060", "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(180, "b", "Contact: <sip:bob@10.0.0.2>\r\n");
	talk_hears("response INVITE 180 mine");
	each_fails(fork_it);
	assert_true(failed > before);
	phone_answers_invite(486, "b");
	talk_hears("response INVITE 486 mine");
	talk_end();
}

static int receive_without(void *data)
{
	countdown = 0;
	assert_true(sip_dialog_received(talk.dlg, data));
	countdown = -1;
	return 0;
}

/* The 2xx comes again, and then it counts. */
static void a_response_without_memory_is_as_one_lost(void **state)
{
	struct sip_rx_data *rx =
		sip_rx_new(RS_STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKq\r\n"
				  "From: <sip:us@example.com>;tag=a\r\nTo: <sip:bob@10.0.0.2>;tag=b\r\n"
				  "Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@10.0.0.2>\r\n"
				  "Content-Length: 0\r\n\r\n"));
	struct sip_msg *msg;

	(void)state;
	talk_start(UDP);
	assert_non_null(rx);
	msg = sip_rx_msg(rx);
	assert_int_equal(sip_msg_parse(msg, msg->arena, msg->bytes, false, NULL), SIP_PARSE_DONE);
	talk_calls("sip:bob@10.0.0.2:5060", "");
	talk_on(receive_without, rx);
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_NEW);
	assert_int_equal(sip_dialog_remote_tag(talk.dlg).len, 0);
	assert_true(sip_dialog_received(talk.dlg, rx));
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	sip_rx_unref(rx);
	talk_end();
}

static int add_without(void *data)
{
	int rc;

	(void)data;
	countdown = 0;
	rc = sip_dialog_add_usage_for(&call, talk.dlg, &talk_usage, &call);
	countdown = -1;
	return rc;
}

static void a_usage_fails_cleanly(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls("sip:bob@10.0.0.2:5060", "");
	assert_int_equal(talk_on(add_without, NULL), -1);
	assert_int_equal(call.holds, 1);
	talk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_fails_cleanly), cmocka_unit_test(a_server_fails_cleanly),
		cmocka_unit_test(a_fork_fails_cleanly),   cmocka_unit_test(a_response_without_memory_is_as_one_lost),
		cmocka_unit_test(a_usage_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
