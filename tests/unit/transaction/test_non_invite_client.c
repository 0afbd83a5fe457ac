/* The client's transaction of all requests but INVITE. */
#include "call.h"

#include <errno.h>
#include <stdio.h>

static void request_leaves_with_via_and_contact_of_the_route(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	assert_int_equal(call.result, 0);
	phone_gets("OPTIONS sip:phone@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK");
	phone_saw("Max-Forwards: 70\r\n");
	phone_saw("Contact: <sip:10.0.0.1:5060>\r\n");
	phone_saw("\r\nContent-Length: 0\r\n\r\n");
	phone_answers(200, "phone");
	user_hears("response 200 phone");
	user_hears("terminated");
	user_hears_nothing();
	call_end();
}

static void over_tcp_the_contact_names_tcp(void **state)
{
	(void)state;
	call_start(TCP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	phone_saw("Via: SIP/2.0/TCP 10.0.0.1");
	phone_saw(";transport=tcp>");
	phone_answers(200, "phone");
	user_hears("response 200 phone");
	call_end();
}

static void timer_e_doubles_up_to_t2_until_timer_f(void **state)
{
	static const int64_t gaps[] = {500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000};

	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	for (size_t i = 0; i < RS_ARRAY_SIZE(gaps); i++)
		phone_gets_again_after(gaps[i]);
	user_hears_nothing();
	call_wait(510);
	user_hears("end TIMEOUT");
	user_hears("terminated");
	phone_gets_nothing();
	assert_int_equal(call_stats().timeouts, 1);
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void over_tcp_nothing_is_repeated_but_timer_f_runs(void **state)
{
	(void)state;
	call_start(TCP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	call_wait(31990);
	phone_gets_nothing();
	user_hears_nothing();
	call_wait(20);
	user_hears("end TIMEOUT");
	call_end();
}

static void in_proceeding_timer_e_is_t2_and_timer_f_goes_on(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	phone_answers(100, "");
	user_hears("response 100");
	phone_gets_again_after(500);
	for (int i = 0; i < 7; i++)
		phone_gets_again_after(4000);
	call_wait(3300);
	user_hears_nothing();
	call_wait(210);
	user_hears("end TIMEOUT");
	call_end();
}

static void provisional_then_final_are_reported_in_order(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("MESSAGE");
	phone_gets("MESSAGE");
	phone_answers(183, "a");
	phone_answers(183, "a");
	phone_answers(404, "a");
	user_hears("response 183 a");
	user_hears("response 183 a");
	user_hears("response 404 a");
	user_hears("terminated");
	call_end();
}

static void repeated_final_response_is_absorbed_until_timer_k(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("MESSAGE");
	phone_gets("MESSAGE");
	phone_answers(200, "a");
	user_hears("response 200 a");
	user_hears("terminated");
	call_wait(4900);
	phone_answers(200, "a");
	phone_answers(100, "");
	phone_answers(404, "a");
	user_hears_nothing();
	assert_int_equal(call_stats().absorbed, 3);
	call_wait(110);
	assert_int_equal(call_stats().client_now, 0);
	phone_answers(200, "a");
	user_hears("stray 200");
	call_end();
}

static void over_tcp_timer_k_is_zero(void **state)
{
	(void)state;
	call_start(TCP);
	user_sends("MESSAGE");
	phone_gets("MESSAGE");
	phone_answers(200, "a");
	user_hears("response 200 a");
	user_hears("terminated");
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void deadline_ends_it_before_timer_f(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends_for("OPTIONS", 3000);
	call_wait(2999);
	user_hears_nothing();
	call_wait(10);
	user_hears("end TIMEOUT");
	user_hears("terminated");
	call_end();
}

static void failed_send_is_reported_as_a_transport_error(void **state)
{
	(void)state;
	call_start(UDP);
	sip_listener_close(RS_STR("UDP"), true);
	user_sends("OPTIONS");
	assert_int_equal(call.result, 0);
	user_hears("end TRANSPORT_ERROR");
	user_hears("terminated");
	user_hears_nothing();
	call_end();
}

static void refused_connection_is_reported_as_a_transport_error(void **state)
{
	(void)state;
	call_start(TCP);
	sim_net_link("10.0.0.1", "10.0.0.2")->connect_error = ECONNREFUSED;
	user_sends("OPTIONS");
	call_wait(1000);
	user_hears("end TRANSPORT_ERROR");
	user_hears("terminated");
	call_end();
}

static void terminate_reports_the_end_once(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	user_terminates(call.client);
	user_hears("end LOCAL");
	user_hears("terminated");
	user_terminates(call.client);
	user_hears_nothing();
	phone_answers(200, "a");
	user_hears("stray 200");
	call_end();
}

static void stop_reports_the_end(void **state)
{
	(void)state;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	assert_int_equal(call.holds, 1);
	call_stop();
}

static void end_in_response(struct sip_tsx *tsx, unsigned status)
{
	(void)status;
	sip_tsx_terminate(tsx);
}

static void user_may_terminate_while_it_hears_a_response(void **state)
{
	(void)state;
	call_start(UDP);
	call.on_response = end_in_response;
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	phone_answers(183, "a");
	user_hears("response 183 a");
	user_hears("end LOCAL");
	user_hears("terminated");
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	phone_answers(200, "a");
	user_hears("response 200 a");
	user_hears("terminated");
	user_hears_nothing();
	assert_int_equal(call_stats().client_now, 0);
	call_end();
}

static void what_cannot_be_a_transaction_is_refused(void **state)
{
	struct sip_tx_data *tx;

	(void)state;
	call_start(UDP);
	user_sends("ACK");
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, EINVAL);
	phone_sends("OPTIONS");
	assert_non_null(call.request);
	tx = sip_tx_response(call.request, 200, RS_STR_NULL);
	assert_int_equal(sip_tsx_send_for(NULL, tx, NULL, NULL, NULL, 0, NULL), -1);
	assert_int_equal(errno, EINVAL);
	user_answers(200);
	call_end();
}

static void request_without_user_needs_none(void **state)
{
	(void)state;
	call_start(UDP);
	assert_int_equal(sip_tsx_send_for(NULL, call_request_to_phone("MESSAGE"), NULL, NULL, NULL, 0, NULL), 0);
	phone_gets("MESSAGE");
	phone_answers(200, "a");
	user_hears_nothing();
	call_end();
}

static int refuse(struct sip_tx_data *tx)
{
	(void)tx;
	return -1;
}

static void a_service_may_stop_a_message(void **state)
{
	(void)state;
	call.config.on_tx = refuse;
	call_start(UDP);
	user_sends("OPTIONS");
	user_hears("end TRANSPORT_ERROR");
	user_hears("terminated");
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	user_answers(200);
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, ECANCELED);
	phone_gets_nothing();
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_TRYING);
	user_terminates(call.server);
	call_end();
}

static unsigned seen;

static int see(struct sip_tx_data *tx)
{
	seen++;
	return sip_tx_add_header(tx, RS_STR("X-Seen"), RS_STR("yes"));
}

static void services_see_a_message_once(void **state)
{
	(void)state;
	seen = 0;
	call.config.on_tx = see;
	call_start(UDP);
	user_sends("OPTIONS");
	phone_gets("OPTIONS");
	phone_saw("X-Seen: yes\r\n");
	call_wait(510);
	phone_gets_again();
	phone_answers(200, "a");
	assert_int_equal(seen, 1);
	call_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_leaves_with_via_and_contact_of_the_route),
		cmocka_unit_test(over_tcp_the_contact_names_tcp),
		cmocka_unit_test(timer_e_doubles_up_to_t2_until_timer_f),
		cmocka_unit_test(over_tcp_nothing_is_repeated_but_timer_f_runs),
		cmocka_unit_test(in_proceeding_timer_e_is_t2_and_timer_f_goes_on),
		cmocka_unit_test(provisional_then_final_are_reported_in_order),
		cmocka_unit_test(repeated_final_response_is_absorbed_until_timer_k),
		cmocka_unit_test(over_tcp_timer_k_is_zero),
		cmocka_unit_test(deadline_ends_it_before_timer_f),
		cmocka_unit_test(failed_send_is_reported_as_a_transport_error),
		cmocka_unit_test(refused_connection_is_reported_as_a_transport_error),
		cmocka_unit_test(terminate_reports_the_end_once),
		cmocka_unit_test(stop_reports_the_end),
		cmocka_unit_test(user_may_terminate_while_it_hears_a_response),
		cmocka_unit_test(what_cannot_be_a_transaction_is_refused),
		cmocka_unit_test(request_without_user_needs_none),
		cmocka_unit_test(a_service_may_stop_a_message),
		cmocka_unit_test(services_see_a_message_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
