/* The client's INVITE transaction, and CANCEL at the client. */
#include "call.h"

#include <errno.h>
#include <stdio.h>

static void timer_a_doubles_without_bound_until_timer_b(void **state)
{
	static const int64_t gaps[] = {500, 1000, 2000, 4000, 8000, 16000};

	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	for (size_t i = 0; i < RS_ARRAY_SIZE(gaps); i++)
		phone_gets_again_after(gaps[i]);
	user_hears_nothing();
	call_wait(600);
	user_hears("end TIMEOUT");
	user_hears("terminated");
	phone_gets_nothing();
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void over_tcp_nothing_is_repeated_but_timer_b_runs(void **state)
{
	(void)state;
	call_start(TCP);
	user_sends("INVITE");
	phone_gets("INVITE");
	call_wait(31990);
	user_hears_nothing();
	phone_gets_nothing();
	call_wait(20);
	user_hears("end TIMEOUT");
	call_end();
}

static void provisional_stops_timers_a_and_b(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(100, "");
	phone_answers(180, "a");
	user_hears("response 100");
	user_hears("response 180 a");
	call_wait(100000);
	phone_gets_nothing();
	user_hears_nothing();
	assert_int_equal(sip_tsx_state(call.client), SIP_TSX_PROCEEDING);
	phone_answers(486, "a");
	user_hears("response 486 a");
	call_end();
}

static void final_failure_is_acknowledged_by_the_layer(void **state)
{
	char via[200], from[200], call_id[200], cseq[50];

	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	snprintf(via, sizeof(via), "%s", phone_header("Via"));
	snprintf(from, sizeof(from), "%s", phone_header("From"));
	snprintf(call_id, sizeof(call_id), "%s", phone_header("Call-ID"));
	snprintf(cseq, sizeof(cseq), "%.*s ACK", (int)strcspn(phone_header("CSeq"), " "), phone_header("CSeq"));
	phone_answers(486, "a");
	user_hears("response 486 a");
	user_hears("terminated");
	phone_gets("ACK sip:phone@10.0.0.2 SIP/2.0\r\n");
	assert_string_equal(phone_header("Via"), via);
	assert_string_equal(phone_header("From"), from);
	assert_string_equal(phone_header("Call-ID"), call_id);
	assert_string_equal(phone_header("CSeq"), cseq);
	assert_string_equal(phone_header("To"), "<sip:phone@10.0.0.2>;tag=a");
	assert_string_equal(phone_header("Contact"), "");
	phone_saw("Content-Length: 0\r\n\r\n");
	call_end();
}

static void repeated_failure_is_acknowledged_again_until_timer_d(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(404, "a");
	user_hears("response 404 a");
	user_hears("terminated");
	phone_gets("ACK");
	phone_answers(404, "a");
	phone_gets_again();
	call_wait(31900);
	phone_answers(404, "a");
	phone_gets_again();
	phone_answers(200, "b"); /* too late to be anything */
	phone_answers(180, "b");
	user_hears_nothing();
	call_wait(110);
	assert_int_equal(call_stats().client_now, 0);
	phone_answers(404, "a");
	phone_gets_nothing();
	user_hears("stray 404");
	call_end();
}

static void over_tcp_timer_d_is_zero(void **state)
{
	(void)state;
	call_start(TCP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(404, "a");
	phone_gets("ACK");
	user_hears("response 404 a");
	user_hears("terminated");
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void timer_d_is_never_below_32_s(void **state)
{
	(void)state;
	call.config.t1_us = 100 * SIM_MS;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(404, "a");
	phone_gets("ACK");
	call_wait(31900);
	assert_int_equal(call_stats().client_now, 1);
	call_end();
}

static void every_2xx_is_reported_with_its_tag_until_timer_m(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(200, "a");
	user_hears("response 200 a");
	assert_int_equal(sip_tsx_state(call.client), SIP_TSX_ACCEPTED);
	phone_answers(200, "a");
	user_hears("response 200 a");
	phone_answers(200, "b");
	user_hears("response 200 b");
	phone_answers(180, "c");
	phone_answers(486, "c");
	user_hears_nothing();
	phone_gets_nothing(); /* the ACK is the user's */
	call_wait(31900);
	phone_answers(202, "d");
	user_hears("response 202 d");
	call_wait(110);
	user_hears("terminated");
	assert_int_equal(call_stats().client_now, 0);
	phone_answers(200, "a");
	user_hears("stray 200");
	call_end();
}

static void failed_send_is_reported_as_a_transport_error(void **state)
{
	(void)state;
	call_start(UDP);
	sip_listener_close(RS_STR("UDP"), true);
	user_sends("INVITE");
	user_hears("end TRANSPORT_ERROR");
	user_hears("terminated");
	call_end();
}

static void rings_past_its_deadline(void)
{
	call_start(UDP);
	user_sends_for("INVITE", 5000);
	phone_gets("INVITE");
	phone_answers(180, "a");
	user_hears("response 180 a");
	call_wait(5010);
	user_hears("end TIMEOUT");
	user_hears("terminated");
	phone_gets("CANCEL");
}

static void deadline_cancels_what_rings(void **state)
{
	(void)state;
	rings_past_its_deadline();
	phone_answers(200, "a");
	call_end();
}

static void what_answers_the_cancel_of_a_deadline_is_acknowledged(void **state)
{
	(void)state;
	rings_past_its_deadline();
	phone_answers(200, "a");
	phone_answers_invite(487, "a");
	phone_gets("ACK");
	phone_answers_invite(487, "a");
	phone_gets_again();
	user_hears_nothing();
	call_wait(70000);
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void a_2xx_that_crosses_the_cancel_of_a_deadline_is_a_stray(void **state)
{
	(void)state;
	rings_past_its_deadline();
	phone_answers_invite(200, "a");
	user_hears("stray 200");
	call_wait(70000);
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void a_phone_that_ignores_the_cancel_of_a_deadline_is_forgotten(void **state)
{
	(void)state;
	rings_past_its_deadline();
	call_wait(31900);
	assert_int_not_equal(call_stats().client_now, 0);
	call_wait(200);
	assert_int_equal(call_stats().client_now, 0);
	user_hears_nothing();
	call_end();
}

static void deadline_before_any_response_sends_no_cancel(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends_for("INVITE", 400);
	phone_gets("INVITE");
	call_wait(410);
	user_hears("end TIMEOUT");
	phone_gets_nothing();
	call_end();
}

/* ---- CANCEL ---- */

static void cancel_has_the_branch_of_its_invite_and_a_transaction_of_its_own(void **state)
{
	char via[200], cseq[50], to[200];

	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	snprintf(via, sizeof(via), "%s", phone_header("Via"));
	snprintf(to, sizeof(to), "%s", phone_header("To"));
	snprintf(cseq, sizeof(cseq), "%.*s CANCEL", (int)strcspn(phone_header("CSeq"), " "), phone_header("CSeq"));
	phone_answers(180, "a");
	user_hears("response 180 a");
	user_cancels("SIP;cause=200;text=\"Call completed elsewhere\"");
	assert_int_equal(call.result, 0);
	phone_gets("CANCEL sip:phone@10.0.0.2 SIP/2.0");
	assert_string_equal(phone_header("Via"), via);
	assert_string_equal(phone_header("To"), to);
	assert_string_equal(phone_header("CSeq"), cseq);
	assert_string_equal(phone_header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
	assert_int_equal(call_stats().client_now, 2);
	call_wait(510);
	phone_gets_again(); /* the CANCEL is retransmitted */
	phone_answers(200, "a");
	user_hears_nothing();
	call_end();
}

static void cancelled_invite_ends_with_487(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(180, "a");
	user_cancels("");
	phone_gets("CANCEL");
	phone_answers(200, "a");
	user_hears("response 180 a");
	user_hears_nothing();
	phone_answers_invite(487, "a");
	user_hears("response 487 a");
	user_hears("terminated");
	phone_gets("ACK");
	call_wait(32010);
	user_hears_nothing();
	call_end();
}

static void cancel_waits_for_a_provisional_response(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	user_cancels("");
	assert_int_equal(call.result, 0);
	phone_gets_nothing();
	phone_answers(100, "");
	phone_gets("CANCEL");
	user_hears("response 100");
	phone_answers(200, "a");
	user_terminates(call.client);
	call_end();
}

static void second_cancel_and_cancel_after_the_final_response_are_refused(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	user_cancels("");
	user_cancels("");
	assert_int_equal(call.error, EALREADY);
	phone_answers(486, "a");
	phone_gets("ACK");
	user_cancels("");
	assert_int_equal(call.error, EALREADY);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(200, "a");
	user_cancels("");
	assert_int_equal(call.error, EALREADY);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	user_cancels("");
	assert_int_equal(call.error, EALREADY);
	phone_gets_nothing();
	call_end();
}

static void cancelled_invite_without_final_response_times_out_after_64_t1(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(180, "a");
	user_hears("response 180 a");
	user_cancels("");
	phone_gets("CANCEL");
	phone_answers(200, "a");
	call_wait(31900);
	user_hears_nothing();
	call_wait(110);
	user_hears("end TIMEOUT");
	user_hears("terminated");
	call_end();
}

static void a_2xx_that_crosses_the_cancel_is_reported(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	phone_gets("INVITE");
	user_cancels("");
	phone_answers(200, "a");
	user_hears("response 200 a");
	phone_gets_nothing();
	call_end();
}

static void terminate_ends_every_state(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("INVITE");
	user_terminates(call.client);
	user_hears("end LOCAL");
	user_hears("terminated");
	phone_gets("INVITE");
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(180, "a");
	user_hears("response 180 a");
	user_terminates(call.client);
	user_hears("end LOCAL");
	user_hears("terminated");
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(200, "a");
	user_hears("response 200 a");
	user_terminates(call.client);
	user_hears("terminated");
	user_sends("INVITE");
	phone_gets("INVITE");
	phone_answers(486, "a");
	user_hears("response 486 a");
	user_hears("terminated");
	user_terminates(call.client);
	user_hears_nothing();
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_a_doubles_without_bound_until_timer_b),
		cmocka_unit_test(over_tcp_nothing_is_repeated_but_timer_b_runs),
		cmocka_unit_test(provisional_stops_timers_a_and_b),
		cmocka_unit_test(final_failure_is_acknowledged_by_the_layer),
		cmocka_unit_test(repeated_failure_is_acknowledged_again_until_timer_d),
		cmocka_unit_test(over_tcp_timer_d_is_zero),
		cmocka_unit_test(timer_d_is_never_below_32_s),
		cmocka_unit_test(every_2xx_is_reported_with_its_tag_until_timer_m),
		cmocka_unit_test(failed_send_is_reported_as_a_transport_error),
		cmocka_unit_test(deadline_cancels_what_rings),
		cmocka_unit_test(what_answers_the_cancel_of_a_deadline_is_acknowledged),
		cmocka_unit_test(a_2xx_that_crosses_the_cancel_of_a_deadline_is_a_stray),
		cmocka_unit_test(a_phone_that_ignores_the_cancel_of_a_deadline_is_forgotten),
		cmocka_unit_test(deadline_before_any_response_sends_no_cancel),
		cmocka_unit_test(cancel_has_the_branch_of_its_invite_and_a_transaction_of_its_own),
		cmocka_unit_test(cancelled_invite_ends_with_487),
		cmocka_unit_test(cancel_waits_for_a_provisional_response),
		cmocka_unit_test(second_cancel_and_cancel_after_the_final_response_are_refused),
		cmocka_unit_test(cancelled_invite_without_final_response_times_out_after_64_t1),
		cmocka_unit_test(a_2xx_that_crosses_the_cancel_is_reported),
		cmocka_unit_test(terminate_ends_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
