/* CANCEL at the server (RFC 3261 section 9.2). */
#include "call.h"

#include <errno.h>

static void cancel_is_answered_200_and_told_to_the_user(void **state)
{
	char tag[200];

	(void)state;
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_answers(180);
	phone_gets("180");
	strcpy(tag, phone_header("To"));
	phone_sends("CANCEL");
	phone_gets("200");
	assert_string_equal(phone_header("CSeq"), "1 CANCEL");
	assert_string_equal(phone_header("To"), tag);
	user_hears("cancel");
	user_answers(487);
	phone_gets("487");
	assert_string_equal(phone_header("To"), tag);
	phone_sends("ACK");
	call_end();
}

static void retransmitted_cancel_gets_the_same_bytes_and_is_told_once(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears("cancel");
	phone_sends("CANCEL");
	phone_gets_again();
	user_hears_nothing();
	assert_int_equal(call_stats().absorbed, 1);
	user_answers(487);
	call_end();
}

static void over_tcp_the_answered_cancel_leaves_nothing(void **state)
{
	(void)state;
	call_start(TCP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears("cancel");
	assert_int_equal(call_stats().server_now, 1);
	user_answers(487);
	phone_gets("487");
	phone_sends("ACK");
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void cancel_that_matches_nothing_is_481_and_leaves_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("CANCEL");
	phone_gets("481");
	phone_sends("CANCEL");
	phone_gets_again();
	user_hears_nothing();
	assert_int_equal(call_stats().server_now, 0);
	phone_sends("INVITE");
	user_hears("request INVITE");
	call.branch = "z9hG4bKother";
	phone_sends("CANCEL");
	phone_gets("481");
	call.branch = "z9hG4bKabc";
	call.via = "10.0.0.3:5060";
	phone_sends("CANCEL");
	phone_gets("481");
	user_answers(486);
	call_end();
}

static void cancel_after_a_final_response_changes_nothing(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_answers(200);
	phone_gets("200");
	phone_sends("CANCEL");
	phone_gets("200");
	assert_string_equal(phone_header("CSeq"), "1 CANCEL");
	user_hears_nothing();
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_ACCEPTED);
	call.branch = "z9hG4bKother";
	phone_sends("INVITE");
	user_hears("request INVITE");
	user_answers(486);
	phone_gets("486");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears_nothing();
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_COMPLETED);
	call_end();
}

static void only_an_invite_is_cancelled(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears_nothing();
	user_answers(200);
	phone_gets("200");
	user_hears("terminated");
	call_wait(33000);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_answers(200);
	phone_gets("200");
	phone_sends("CANCEL");
	phone_gets("200");
	call_end();
}

static int set_user(void *data)
{
	sip_tsx_set_user_for(&call, data, &call_user, &call);
	return 0;
}

static int set_user_twice(void *data)
{
	return set_user(data) + set_user(data);
}

static void user_that_comes_after_the_cancel_is_told(void **state)
{
	(void)state;
	call_start(UDP);
	call.no_user = true;
	phone_sends("INVITE");
	user_hears("request INVITE");
	phone_sends("CANCEL");
	phone_gets("200");
	user_hears_nothing();
	call_on(call.server, set_user_twice, call.server);
	user_hears("terminated"); /* the first one gave way */
	user_hears("cancel");
	call_on(call.server, set_user, call.server);
	user_hears("terminated");
	user_hears_nothing(); /* one user hears of it */
	user_answers(487);
	call_end();
}

static void invite_and_cancel_that_arrive_together_keep_their_order(void **state)
{
	(void)state;
	call_start(TCP);
	phone_sends_text(
		"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n"
		"CANCEL sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 CANCEL\r\n"
		"Content-Length: 0\r\n\r\n");
	user_hears("request INVITE");
	user_hears("cancel");
	phone_gets("200");
	user_answers(487);
	phone_gets("487");
	call_end();
}

static void cancel_of_a_stateless_answer_is_481(void **state)
{
	(void)state;
	call_start(UDP);
	call.stateless = true;
	call.answer_at_once = 401;
	phone_sends("INVITE");
	phone_gets("401");
	phone_sends("CANCEL");
	phone_gets("481");
	call_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancel_is_answered_200_and_told_to_the_user),
		cmocka_unit_test(retransmitted_cancel_gets_the_same_bytes_and_is_told_once),
		cmocka_unit_test(over_tcp_the_answered_cancel_leaves_nothing),
		cmocka_unit_test(cancel_that_matches_nothing_is_481_and_leaves_nothing),
		cmocka_unit_test(cancel_after_a_final_response_changes_nothing),
		cmocka_unit_test(only_an_invite_is_cancelled),
		cmocka_unit_test(user_that_comes_after_the_cancel_is_told),
		cmocka_unit_test(invite_and_cancel_that_arrive_together_keep_their_order),
		cmocka_unit_test(cancel_of_a_stateless_answer_is_481),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
