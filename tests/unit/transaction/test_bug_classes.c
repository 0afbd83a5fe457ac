/*
 * Classes of bugs that SIP peers have had, at the transaction layer: a CANCEL that crosses the answer in any order or
 * comes from somebody else, acknowledgements and responses to nothing, one branch of two senders.
 */
#include "call.h"

#include <errno.h>
#include <stdio.h>

#define REQUEST_AS(method, transport, branch, cseq)                                                                    \
	method " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/" transport " 10.0.0.2:5060;branch=" branch "\r\n"        \
	       "Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=from1\r\nTo: <sip:bob@example.com>\r\n"          \
	       "Call-ID: call-1@10.0.0.2\r\nCSeq: " cseq " " method "\r\nContent-Length: 0\r\n\r\n"

#define INVITE_TCP REQUEST_AS("INVITE", "TCP", "z9hG4bKabc", "1")
#define CANCEL_TCP REQUEST_AS("CANCEL", "TCP", "z9hG4bKabc", "1")

/* ---- CANCEL and the final answer, in every order ---- */

static void a_cancel_before_its_invite_is_481_and_the_invite_goes_on(void **state)
{
	(void)state;
	for (int t = UDP; t <= TCP; t++) {
		call_start((enum call_transport)t);
		phone_sends("CANCEL");
		phone_gets("481");
		phone_sends("INVITE");
		user_hears("request INVITE");
		user_hears_nothing();
		user_answers(200);
		phone_gets("200");
		assert_string_equal(phone_header("CSeq"), "1 INVITE");
		call_end();
	}
}

static void a_cancel_just_before_its_invite_in_one_segment_is_481(void **state)
{
	(void)state;
	call_start(TCP);
	phone_sends_text(CANCEL_TCP INVITE_TCP);
	phone_gets("481");
	user_hears("request INVITE");
	user_hears_nothing();
	user_answers(486);
	phone_gets("486");
	call_end();
}

static void cancels_in_one_segment_are_told_once(void **state)
{
	(void)state;
	call_start(TCP);
	phone_sends_text(INVITE_TCP CANCEL_TCP CANCEL_TCP CANCEL_TCP);
	user_hears("request INVITE");
	user_hears("cancel");
	user_hears_nothing();
	for (int i = 0; i < 3; i++) {
		phone_gets("200");
		assert_string_equal(phone_header("CSeq"), "1 CANCEL");
	}
	user_answers(487);
	phone_gets("487");
	phone_sends("ACK");
	call_end();
}

/* The user answers at once, so the CANCEL behind it finds a final answer. */
static void a_cancel_behind_the_final_answer_changes_nothing(void **state)
{
	static const unsigned statuses[] = {200, 486};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(statuses); i++) {
		call.answer_at_once = statuses[i];
		call_start(TCP);
		call.answer_at_once = statuses[i];
		phone_sends_text(INVITE_TCP CANCEL_TCP);
		user_hears("request INVITE");
		phone_gets(statuses[i] == 200 ? "200" : "486");
		assert_string_equal(phone_header("CSeq"), "1 INVITE");
		phone_gets("200");
		assert_string_equal(phone_header("CSeq"), "1 CANCEL");
		user_hears_nothing();
		call_end();
	}
}

static void of_two_final_answers_to_a_cancelled_invite_one_counts(void **state)
{
	(void)state;
	for (int first = 200; first <= 487; first += 287) {
		call_start(UDP);
		phone_sends("INVITE");
		user_hears("request INVITE");
		phone_sends("CANCEL");
		phone_gets("200");
		user_hears("cancel");
		user_answers((unsigned)first);
		phone_gets(first == 200 ? "200" : "487");
		assert_string_equal(phone_header("CSeq"), "1 INVITE");
		user_answers(first == 200 ? 487 : 200);
		assert_int_equal(call.result, -1);
		assert_int_equal(call.error, EALREADY);
		phone_gets_nothing();
		/* The CANCEL again, after both. */
		phone_sends("CANCEL");
		phone_gets("200");
		assert_string_equal(phone_header("CSeq"), "1 CANCEL");
		user_hears_nothing();
		call_end();
	}
}

static void a_cancel_after_the_end_is_481(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_answers(486);
	phone_gets("486");
	phone_sends("ACK");
	call_wait(5100); /* timer I */
	user_hears("terminated");
	phone_sends("CANCEL");
	phone_gets("481");
	call_end();
}

/* ---- what a CANCEL is matched by ---- */

static void only_branch_and_sent_by_make_a_cancel_the_invites(void **state)
{
	(void)state;
	/* Another CSeq number, Call-ID, tags, URI: the branch counts (RFC 3261 section 9.2). */
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	call.cseq = 4711;
	call.call_id = "other";
	call.from_tag = "other";
	call.to_tag = "other";
	call.uri = "sip:other@example.com";
	phone_sends("CANCEL");
	phone_gets("200");
	assert_string_equal(phone_header("CSeq"), "4711 CANCEL");
	user_hears("cancel");
	user_answers(487);
	call_end();
	/* Another branch, port or method in it is another's. */
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	call.branch = "z9hG4bKabcd";
	phone_sends("CANCEL");
	phone_gets("481");
	call.branch = "z9hG4bKab";
	phone_sends("CANCEL");
	phone_gets("481");
	call.branch = "z9hG4bKabc";
	call.via = "10.0.0.2:5061";
	phone_sends("CANCEL");
	phone_gets("481");
	phone_sends_text("CANCEL sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKabc\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n");
	phone_gets("400");
	user_hears_nothing();
	user_answers(486);
	call_end();
}

/* Somebody else, who knows neither branch nor the address in front of it. */
static struct {
	struct sim_peer *peer;
	unsigned n;
	char last[4096];
} forger;

static void forger_receives(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	(void)p, (void)token, (void)from;
	forger.n++;
	snprintf(forger.last, sizeof(forger.last), "%.*s", RS_FMT(bytes));
}

static void forger_opens(void)
{
	static const struct sim_peer_ops ops = {.receive = forger_receives};

	memset(&forger, 0, sizeof(forger));
	forger.peer = sim_peer_udp_open("10.0.0.66:5060", &ops, NULL);
}

static void forger_sends(const char *method, const char *sent_by)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
			 "%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bKabc\r\n"
			 "Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=from1\r\nTo: <sip:bob@example.com>\r\n"
			 "Call-ID: call-1@10.0.0.2\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
			 method, sent_by, method);

	sim_peer_send_to(forger.peer, "10.0.0.1:5060", rs_str_n(text, (size_t)n));
	sim_run_for(0);
}

static void a_forger_with_an_address_of_its_own_cancels_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	forger_opens();
	phone_sends("INVITE");
	user_hears("request INVITE");
	forger_sends("CANCEL", "10.0.0.66:5060");
	assert_int_equal(forger.n, 1);
	assert_memory_equal(forger.last, "SIP/2.0 481", 11);
	user_hears_nothing();
	user_answers(486);
	phone_gets("486");
	call_end();
}

/* One that saw the INVITE may end it, as on the same wire it could anyhow: it learns nothing of the call. */
static void answers_of_a_transaction_go_to_who_began_it(void **state)
{
	static const char *const methods[] = {"INVITE", "OPTIONS"};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(methods); i++) {
		call_start(UDP);
		forger_opens();
		phone_sends(methods[i]);
		user_hears(i ? "request OPTIONS" : "request INVITE");
		forger_sends(methods[i], "10.0.0.2:5060"); /* absorbed: a retransmission */
		user_hears_nothing();
		user_answers(i ? 200 : 486);
		phone_gets(i ? "200" : "486");
		forger_sends(methods[i], "10.0.0.2:5060");
		phone_gets_again();
		assert_int_equal(forger.n, 0);
		call_end();
	}
}

/* ---- to nothing ---- */

static void acks_and_responses_to_nothing_get_nothing_and_leave_nothing(void **state)
{
	char text[1024];

	(void)state;
	call_start(UDP);
	for (unsigned i = 0; i < 2000; i++) {
		int n = snprintf(text, sizeof(text),
				 "%s\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKn%u\r\n"
				 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=%u\r\nCall-ID: %u\r\nCSeq: 1 %s\r\n\r\n",
				 i & 1 ? "ACK sip:b SIP/2.0" : "SIP/2.0 200 OK", i, i, i, i & 1 ? "ACK" : "INVITE");

		assert_true(n > 0);
		phone_sends_text(text);
		if (!(i & 1))
			user_hears("stray 200");
	}
	user_hears_nothing();
	phone_gets_nothing();
	assert_int_equal(call_stats().server_now, 0);
	assert_int_equal(call_stats().completed_now, 0);
	call_end();
}

static void an_ack_in_the_wrong_state_ends_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	phone_sends("ACK"); /* before any answer */
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_PROCEEDING);
	user_answers(180);
	phone_gets("180");
	phone_sends("ACK");
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_PROCEEDING);
	user_answers(486);
	phone_gets("486");
	call.branch = "z9hG4bKother";
	phone_sends("ACK"); /* another's */
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_COMPLETED);
	phone_gets_again_after(500);
	call.branch = "z9hG4bKabc";
	phone_sends("ACK");
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_CONFIRMED);
	call_end();
}

/* ---- responses of other kinds ---- */

static void respond_with(const char *branch, const char *more_vias, const char *cseq, unsigned status)
{
	static char text[16384];

	snprintf(
		text, sizeof(text),
		"SIP/2.0 %u X\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%s\r\n%sFrom: <sip:server@example.com>;tag=1\r\n"
		"To: <sip:phone@10.0.0.2>;tag=2\r\nCall-ID: x\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		status, branch, more_vias, cseq);
	phone_sends_text(text);
}

static void responses_of_other_branches_and_methods_are_strays(void **state)
{
	char branch[256], cut[256], longer[300];
	const char *at;

	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	at = strstr(phone_header("Via"), "branch=");
	assert_non_null(at);
	snprintf(branch, sizeof(branch), "%s", at + 7);
	branch[strcspn(branch, ";")] = '\0';
	snprintf(cut, sizeof(cut), "%.*s", (int)strlen(branch) - 1, branch);
	snprintf(longer, sizeof(longer), "%sx", branch);
	respond_with(cut, "", "1 OPTIONS", 200);
	user_hears("stray 200");
	respond_with(longer, "", "1 OPTIONS", 200);
	user_hears("stray 200");
	respond_with(branch, "", "1 INVITE", 200);
	user_hears("stray 200");
	respond_with(branch, "", "1 options", 200);
	user_hears("stray 200");
	respond_with("z9hG4bK", "", "1 OPTIONS", 200); /* the bare cookie: no branch at all */
	user_hears_nothing();
	respond_with(branch, "", "1 OPTIONS", 200);
	user_hears("response 200 2");
	call_end();
}

static void a_response_has_as_many_vias_as_a_header_may_have(void **state)
{
	static char vias[12000];
	char branch[256];

	(void)state;
	for (unsigned n = 99; n <= 128; n += n == 99 ? 28 : 1) {
		size_t len = 0;

		for (unsigned i = 0; i < n; i++)
			len += (size_t)snprintf(vias + len, sizeof(vias) - len,
						"Via: SIP/2.0/UDP a;branch=z9hG4bK%u\r\n", i);
		call_start(UDP);
		user_sends("OPTIONS");
		phone_gets("OPTIONS");
		snprintf(branch, sizeof(branch), "%s", strstr(phone_header("Via"), "branch=") + 7);
		branch[strcspn(branch, ";")] = '\0';
		respond_with(branch, vias, "1 OPTIONS", 200);
		if (n + 1 <= SIP_MAX_VALUES)
			user_hears("response 200 2");
		else
			user_hears_nothing();
		call_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancel_before_its_invite_is_481_and_the_invite_goes_on),
		cmocka_unit_test(a_cancel_just_before_its_invite_in_one_segment_is_481),
		cmocka_unit_test(cancels_in_one_segment_are_told_once),
		cmocka_unit_test(a_cancel_behind_the_final_answer_changes_nothing),
		cmocka_unit_test(of_two_final_answers_to_a_cancelled_invite_one_counts),
		cmocka_unit_test(a_cancel_after_the_end_is_481),
		cmocka_unit_test(only_branch_and_sent_by_make_a_cancel_the_invites),
		cmocka_unit_test(a_forger_with_an_address_of_its_own_cancels_nothing),
		cmocka_unit_test(answers_of_a_transaction_go_to_who_began_it),
		cmocka_unit_test(acks_and_responses_to_nothing_get_nothing_and_leave_nothing),
		cmocka_unit_test(an_ack_in_the_wrong_state_ends_nothing),
		cmocka_unit_test(responses_of_other_branches_and_methods_are_strays),
		cmocka_unit_test(a_response_has_as_many_vias_as_a_header_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
