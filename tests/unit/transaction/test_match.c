/* Which message belongs to which transaction, and what becomes of those that belong to none. */
#include "call.h"

#include <errno.h>

static void branch_sent_by_and_method_tell_transactions_apart(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	phone_sends("MESSAGE");
	user_hears("request MESSAGE");
	call.branch = "z9hG4bKother";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.branch = "z9hG4bKabc";
	call.via = "10.0.0.2:5070";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.via = "phone.example.com";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	assert_int_equal(call_stats().server_now, 5);
	call_stop();
}

static void with_a_branch_nothing_else_counts(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.branch = "Z9HG4BKABC"; /* tokens have no case */
	call.call_id = "another";
	call.cseq = 7;
	call.from_tag = "other";
	call.uri = "sip:carol@example.com";
	phone_sends("OPTIONS");
	user_hears_nothing();
	user_answers(200);
	call_end();
}

/* ---- RFC 2543 ---- */

static void without_branch_a_retransmission_is_absorbed(void **state)
{
	(void)state;
	call_start(UDP);
	call.branch = "";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	phone_sends("OPTIONS");
	user_hears_nothing();
	user_answers(200);
	phone_gets("200");
	phone_sends("OPTIONS");
	phone_gets_again();
	call.branch = "1"; /* no cookie: the branch is only a part of the Via */
	phone_sends("OPTIONS");
	user_hears("terminated");
	user_hears("request OPTIONS");
	user_answers(200);
	call_end();
}

static void without_branch_each_part_of_the_match_counts(void **state)
{
	(void)state;
	call_start(UDP);
	call.branch = "";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.cseq = 2;
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.call_id = "call-2";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.call_id = "CALL-2"; /* a Call-ID has case */
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.from_tag = "from2";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.to_tag = "to1";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.uri = "sip:carol@example.com";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	call.via = "10.0.0.9";
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	assert_int_equal(call_stats().server_now, 8);
	call_stop();
}

static void without_branch_ack_and_cancel_find_their_invite(void **state)
{
	char tag[100];

	(void)state;
	call_start(UDP);
	call.branch = "";
	phone_sends("INVITE");
	user_hears("request INVITE");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears("cancel");
	user_answers(487);
	phone_gets("487");
	strcpy(tag, strstr(phone_header("To"), "tag=") + 4);
	call.to_tag = "another";
	phone_sends("ACK");
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_COMPLETED);
	call.to_tag = tag;
	phone_sends("ACK");
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_CONFIRMED);
	call_end();
}

static void without_branch_the_ack_of_a_2xx_reaches_the_user(void **state)
{
	char tag[100];

	(void)state;
	call_start(UDP);
	call.branch = "";
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_answers(200);
	phone_gets("200");
	strcpy(tag, strstr(phone_header("To"), "tag=") + 4);
	call.to_tag = tag;
	phone_sends("ACK");
	user_hears("ack");
	call_end();
}

/* ---- what has a flaw ---- */

static void bare_cookie_is_400_and_leaves_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	call.branch = "z9hG4bK";
	phone_sends("OPTIONS");
	phone_gets("400");
	phone_saw("To: <sip:bob@example.com>;tag=");
	user_hears_nothing();
	assert_int_equal(call_stats().server_now, 0);
	phone_sends("ACK");
	phone_gets_nothing();
	call_end();
}

static void flaw_is_answered_with_its_status(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends_text(
		"FROB sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n");
	phone_gets("501");
	phone_sends_text(
		"OPTIONS sip:bob@example.com SIP/7.0\r\nVia: SIP/7.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
		"Content-Length: 0\r\n\r\n");
	phone_gets("505");
	phone_sends_text(
		"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n");
	phone_gets("400");
	user_hears_nothing();
	assert_int_equal(call_stats().created, 0);
	call_end();
}

static void flawed_ack_and_response_are_dropped(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends_text(
		"ACK sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n");
	phone_sends_text("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCSeq: 1 INVITE\r\n\r\n");
	user_hears_nothing();
	phone_gets_nothing();
	call_end();
}

/* ---- hooks that write down what they are asked ---- */

static char taken[200];
static bool first_takes;

static bool first_stray(struct sip_rx_data *rx)
{
	assert_non_null(rs_serializer_current());
	assert_null(sip_rx_tsx(rx));
	strcat(taken, "1");
	return first_takes;
}

static bool second_stray(struct sip_rx_data *rx)
{
	(void)rx;
	strcat(taken, "2");
	return true;
}

/* ---- stateless answers ---- */

static void stateless_answer_leaves_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	call.stateless = true;
	call.answer_at_once = 401;
	phone_sends("REGISTER");
	user_hears("request REGISTER");
	user_hears("terminated");
	phone_gets("401");
	assert_int_equal(call_stats().server_now, 0);
	phone_sends("REGISTER");
	user_hears("request REGISTER");
	phone_gets_again();
	call_end();
}

static void ack_of_a_stateless_answer_is_dropped(void **state)
{
	char tag[100];
	struct sip_tsx_hooks hooks = {.size = sizeof(hooks), .name = "call", .ack = second_stray};

	(void)state;
	taken[0] = '\0';
	call_start(UDP);
	sip_tsx_hooks_register_for(NULL, &hooks);
	call.stateless = true;
	call.answer_at_once = 401;
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_hears("terminated");
	phone_gets("401");
	strcpy(tag, strstr(phone_header("To"), "tag=") + 4);
	call.to_tag = tag;
	phone_sends("ACK");
	user_hears_nothing();
	phone_gets_nothing();
	assert_string_equal(taken, "");
	call.to_tag = "another";
	phone_sends("ACK");
	assert_string_equal(taken, "2");
	assert_int_equal(call_stats().created, 1);
	sip_tsx_hooks_unregister(&hooks);
	call_end();
}

static void stateless_after_a_final_answer_is_refused(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_answers(200);
	phone_gets("200");
	call.stateless = true;
	user_answers(401);
	assert_int_equal(call.error, EALREADY);
	phone_gets_nothing();
	call_end();
}

static const char twice[] = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx\r\n"
			    "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\n"
			    "CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";

static void retransmission_queued_behind_a_stateless_answer_gets_the_same_bytes(void **state)
{
	char text[2 * sizeof(twice)];

	(void)state;
	call_start(TCP);
	call.stateless = true;
	call.answer_at_once = 401;
	/* In one segment: the second is queued on the transaction before the first has run. */
	strcpy(text, twice);
	strcat(text, twice);
	phone_sends_text(text);
	user_hears("request REGISTER");
	user_hears("terminated");
	user_hears_nothing();
	phone_gets("401");
	phone_gets_again();
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void hooks_are_asked_in_order_until_one_takes_it(void **state)
{
	struct sip_tsx_hooks first = {
		.size = sizeof(first), .name = "call", .stray_response = first_stray, .ack = first_stray};
	struct sip_tsx_hooks second = {
		.size = sizeof(second), .name = "call", .stray_response = second_stray, .ack = second_stray};

	(void)state;
	taken[0] = '\0';
	first_takes = false;
	call_start(UDP);
	sip_tsx_hooks_register_for(&call, &first);
	sip_tsx_hooks_register_for(&call, &second);
	assert_int_equal(call.holds, 2);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(200, "a");
	user_hears("response 200 a");
	call_wait(33000);
	user_hears("terminated");
	phone_answers(200, "a");
	user_hears_nothing();
	assert_string_equal(taken, "12");
	first_takes = true;
	phone_answers(200, "a");
	assert_string_equal(taken, "121");
	call.to_tag = "somebody";
	phone_sends("ACK");
	assert_string_equal(taken, "1211");
	sip_tsx_hooks_unregister(&first);
	phone_sends("ACK");
	assert_string_equal(taken, "12112");
	sip_tsx_hooks_unregister(&second);
	phone_sends("ACK");
	phone_answers(200, "a");
	user_hears("stray 200");
	assert_string_equal(taken, "12112");
	assert_int_equal(call.holds, 0);
	phone_gets_nothing();
	assert_int_equal(call_stats().created, 1);
	call_end();
}

static void stray_responses_are_counted(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends_text("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n");
	user_hears("stray 200");
	assert_int_equal(call_stats().stray_responses, 1);
	call_end();
}

static void response_with_another_method_is_stray(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(180, "a");
	user_hears("response 180 a");
	user_cancels("");
	phone_gets("CANCEL");
	phone_answers(200, "a"); /* has the branch of the INVITE and the method of the CANCEL */
	user_hears_nothing();
	phone_answers_invite(487, "a");
	user_hears("response 487 a");
	call_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branch_sent_by_and_method_tell_transactions_apart),
		cmocka_unit_test(with_a_branch_nothing_else_counts),
		cmocka_unit_test(without_branch_a_retransmission_is_absorbed),
		cmocka_unit_test(without_branch_each_part_of_the_match_counts),
		cmocka_unit_test(without_branch_ack_and_cancel_find_their_invite),
		cmocka_unit_test(without_branch_the_ack_of_a_2xx_reaches_the_user),
		cmocka_unit_test(bare_cookie_is_400_and_leaves_nothing),
		cmocka_unit_test(flaw_is_answered_with_its_status),
		cmocka_unit_test(flawed_ack_and_response_are_dropped),
		cmocka_unit_test(stateless_answer_leaves_nothing),
		cmocka_unit_test(ack_of_a_stateless_answer_is_dropped),
		cmocka_unit_test(stateless_after_a_final_answer_is_refused),
		cmocka_unit_test(retransmission_queued_behind_a_stateless_answer_gets_the_same_bytes),
		cmocka_unit_test(hooks_are_asked_in_order_until_one_takes_it),
		cmocka_unit_test(stray_responses_are_counted),
		cmocka_unit_test(response_with_another_method_is_stray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
