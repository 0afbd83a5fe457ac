/* The server's transaction of all requests but INVITE, as a phone sees it. */
#include "call.h"

#include <errno.h>

static void request_is_answered(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	phone_gets_nothing();
	user_answers(200);
	assert_int_equal(call.result, 0);
	phone_gets("200 OK");
	phone_saw("Content-Length: 0\r\n\r\n");
	assert_string_equal(phone_header("Call-ID"), "call-1@10.0.0.2");
	assert_string_equal(phone_header("CSeq"), "1 OPTIONS");
	assert_string_equal(phone_header("From"), "<sip:alice@example.com>;tag=from1");
	phone_saw("branch=z9hG4bKabc");
	phone_saw("received=10.0.0.2");
	phone_saw("rport=5060");
	phone_saw("To: <sip:bob@example.com>;tag=");
	user_hears("terminated");
	call_end();
}

static void retransmission_before_the_answer_is_absorbed(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	phone_sends("OPTIONS");
	user_hears_nothing();
	phone_gets_nothing();
	assert_int_equal(call_stats().absorbed, 1);
	user_answers(200);
	phone_gets("200");
	call_end();
}

static void retransmission_after_the_answer_gets_the_same_bytes(void **state)
{
	(void)state;
	call_start(UDP);
	call.answer_at_once = 200;
	phone_sends("REGISTER");
	user_hears("request REGISTER");
	user_hears("terminated");
	phone_gets("200");
	phone_sends("REGISTER");
	phone_gets_again();
	call_wait(31999);
	phone_sends("REGISTER");
	phone_gets_again();
	user_hears_nothing();
	assert_int_equal(call_stats().absorbed, 2);
	assert_int_equal(call_stats().completed_now, 1);
	call_end();
}

static void after_timer_j_a_request_is_new(void **state)
{
	(void)state;
	call_start(UDP);
	call.answer_at_once = 200;
	phone_sends("REGISTER");
	user_hears("request REGISTER");
	user_hears("terminated");
	phone_gets("200");
	call_wait(32010);
	assert_int_equal(call_stats().server_now, 0);
	phone_sends("REGISTER");
	user_hears("request REGISTER");
	call_end();
}

static void timer_j_follows_timer_b(void **state)
{
	(void)state;
	call.config.t1_us = 100 * SIM_MS;
	call_start(UDP);
	call.answer_at_once = 200;
	phone_sends("REGISTER");
	phone_gets("200");
	call_wait(6390);
	assert_int_equal(call_stats().completed_now, 1);
	call_wait(20);
	assert_int_equal(call_stats().completed_now, 0);
	call_end();
}

static void over_tcp_nothing_is_kept_after_the_answer(void **state)
{
	(void)state;
	call_start(TCP);
	call.answer_at_once = 200;
	phone_sends("REGISTER");
	phone_gets("200");
	user_hears("request REGISTER");
	user_hears("terminated");
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void second_final_answer_is_refused(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_answers(200);
	phone_gets("200");
	user_answers(404);
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, EALREADY);
	phone_gets_nothing();
	call_end();
}

static void late_answer_is_preceded_by_100_when_timer_e_reaches_t2(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	call_wait(3499);
	phone_gets_nothing();
	call_wait(10);
	phone_gets("100");
	phone_saw("To: <sip:bob@example.com>\r\n");
	phone_sends("OPTIONS");
	phone_gets_again();
	user_answers(200);
	phone_gets("200");
	phone_sends("OPTIONS");
	phone_gets_again();
	call_end();
}

static void user_must_not_say_1xx_by_itself(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_answers(180);
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, EINVAL);
	user_answers(100);
	assert_int_equal(call.error, EINVAL);
	phone_gets_nothing();
	user_answers(200);
	phone_gets("200");
	call_end();
}

static void a_408_is_never_said_and_retransmissions_stay_absorbed(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_answers(408);
	assert_int_equal(call.result, 0);
	user_hears("terminated");
	phone_gets_nothing();
	phone_sends("OPTIONS");
	phone_gets_nothing();
	user_hears_nothing();
	call_end();
}

static void every_answer_of_a_transaction_has_the_same_to_tag(void **state)
{
	char tag[200];

	(void)state;
	call_start(UDP);
	call.stateless = true;
	phone_sends("OPTIONS");
	user_answers(401);
	phone_gets("401");
	strcpy(tag, phone_header("To"));
	phone_sends("OPTIONS");
	user_answers(404);
	phone_gets("404");
	assert_string_equal(phone_header("To"), tag);
	call.branch = "z9hG4bKother";
	phone_sends("OPTIONS");
	user_answers(404);
	phone_gets("404");
	assert_string_not_equal(phone_header("To"), tag);
	call_end();
}

static void terminated_transaction_forgets_its_request(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_terminates(call.server);
	user_hears("terminated");
	assert_int_equal(call_stats().server_now, 0);
	user_answers(200);
	assert_int_equal(call.error, EALREADY);
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_terminates(call.server);
	call_end();
}

static void user_that_comes_and_goes_is_counted(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("OPTIONS");
	assert_int_equal(call.holds, 1);
	user_answers(200);
	assert_int_equal(call.holds, 0);
	call_end();
}

static void extension_methods_are_told_apart(void **state)
{
	(void)state;
	call_start(UDP);
	phone_sends("FROB");
	user_hears("request FROB");
	phone_sends("NICATE");
	user_hears("request NICATE");
	phone_sends("FROB");
	user_hears_nothing();
	user_answers(501);
	phone_gets("501");
	phone_saw("CSeq: 1 NICATE");
	call_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_answered),
		cmocka_unit_test(retransmission_before_the_answer_is_absorbed),
		cmocka_unit_test(retransmission_after_the_answer_gets_the_same_bytes),
		cmocka_unit_test(after_timer_j_a_request_is_new),
		cmocka_unit_test(timer_j_follows_timer_b),
		cmocka_unit_test(over_tcp_nothing_is_kept_after_the_answer),
		cmocka_unit_test(second_final_answer_is_refused),
		cmocka_unit_test(late_answer_is_preceded_by_100_when_timer_e_reaches_t2),
		cmocka_unit_test(user_must_not_say_1xx_by_itself),
		cmocka_unit_test(a_408_is_never_said_and_retransmissions_stay_absorbed),
		cmocka_unit_test(every_answer_of_a_transaction_has_the_same_to_tag),
		cmocka_unit_test(terminated_transaction_forgets_its_request),
		cmocka_unit_test(user_that_comes_and_goes_is_counted),
		cmocka_unit_test(extension_methods_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
