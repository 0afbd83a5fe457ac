/* The server's INVITE transaction, as a phone sees it. */
#include "call.h"

#include <errno.h>

static void invite(void)
{
	phone_sends("INVITE");
	user_hears("request INVITE");
}

static void ack(void)
{
	const char *tag = call.to_tag;

	call.to_tag = strstr(phone_header("To"), "tag=") + 4;
	phone_sends("ACK");
	call.to_tag = tag;
}

static void invite_gets_100_after_200_ms(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	call_wait(199);
	phone_gets_nothing();
	call_wait(10);
	phone_gets("100 Trying");
	phone_did_not_see(";tag=from1;tag");
	phone_saw("To: <sip:bob@example.com>\r\n");
	user_answers(486);
	call_end();
}

static void no_100_when_the_user_was_quicker(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(180);
	phone_gets("180");
	call_wait(1000);
	phone_gets_nothing();
	user_answers(486);
	call_end();
}

static void retransmitted_invite_gets_the_last_provisional(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	phone_sends("INVITE");
	phone_gets_nothing();
	user_answers(180);
	phone_gets("180");
	phone_sends("INVITE");
	phone_gets_again();
	user_answers(183);
	phone_gets("183");
	phone_sends("INVITE");
	phone_gets_again();
	user_hears_nothing();
	user_answers(486);
	call_end();
}

static void final_failure_is_repeated_by_timer_g_up_to_t2_until_timer_h(void **state)
{
	static const int64_t gaps[] = {500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000};

	(void)state;
	call_start(UDP);
	invite();
	user_answers(486);
	phone_gets("486");
	for (size_t i = 0; i < RS_ARRAY_SIZE(gaps); i++)
		phone_gets_again_after(gaps[i]);
	user_hears_nothing();
	call_wait(500);
	user_hears("terminated");
	phone_gets_nothing();
	assert_int_equal(call_stats().server_now, 0);
	assert_int_equal(call_stats().timeouts, 1);
	call_end();
}

static void ack_stops_the_repetition_and_is_absorbed_until_timer_i(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(486);
	phone_gets("486");
	ack();
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_CONFIRMED);
	call_wait(4000);
	phone_gets_nothing();
	ack();
	phone_sends("INVITE");
	phone_gets_nothing();
	assert_int_equal(call_stats().server_now, 1);
	call_wait(1010);
	assert_int_equal(call_stats().server_now, 0);
	user_hears("terminated");
	user_hears_nothing();
	call_end();
}

static void retransmitted_invite_gets_the_final_failure_again(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(404);
	phone_gets("404");
	phone_sends("INVITE");
	phone_gets_again();
	user_hears_nothing();
	ack();
	call_end();
}

static void over_tcp_there_is_no_timer_g_and_i_is_zero(void **state)
{
	(void)state;
	call_start(TCP);
	invite();
	user_answers(486);
	phone_gets("486");
	call_wait(31900);
	phone_gets_nothing();
	assert_int_equal(call_stats().server_now, 1);
	ack();
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void over_tcp_timer_h_runs(void **state)
{
	(void)state;
	call_start(TCP);
	invite();
	user_answers(486);
	user_hears_nothing();
	call_wait(32010);
	user_hears("terminated");
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void accepted_absorbs_invites_until_timer_l(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(200);
	phone_gets("200");
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_ACCEPTED);
	phone_sends("INVITE");
	phone_gets_nothing();
	call_wait(31900);
	phone_gets_nothing();
	phone_sends("INVITE");
	user_hears_nothing();
	call_wait(110);
	user_hears("terminated");
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void accepted_stays_over_tcp_too(void **state)
{
	(void)state;
	call_start(TCP);
	invite();
	user_answers(200);
	call_wait(31900);
	assert_int_equal(call_stats().server_now, 1);
	call_wait(110);
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void user_repeats_its_2xx_in_accepted(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(200);
	phone_gets("200");
	user_answers(200);
	assert_int_equal(call.result, 0);
	phone_gets_again();
	user_answers(486);
	assert_int_equal(call.error, EALREADY);
	user_answers(180);
	assert_int_equal(call.error, EALREADY);
	phone_gets_nothing();
	call_end();
}

static void ack_with_the_branch_of_an_accepted_invite_reaches_its_user(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(200);
	phone_gets("200");
	ack();
	user_hears("ack");
	ack();
	user_hears("ack");
	phone_gets_nothing();
	call_end();
}

static int give(void *data)
{
	sip_tsx_give_ack(call.server, data);
	return 0;
}

static bool take_ack(struct sip_rx_data *rx)
{
	sip_tsx_ref(call.server);
	call_on(call.server, give, rx);
	sip_tsx_unref(call.server);
	return true;
}

static void ack_given_by_a_hook_reaches_the_user(void **state)
{
	struct sip_tsx_hooks hooks = {.size = sizeof(hooks), .name = "call", .ack = take_ack};

	(void)state;
	call_start(UDP);
	sip_tsx_hooks_register_for(NULL, &hooks);
	invite();
	user_answers(200);
	phone_gets("200");
	call.branch = "z9hG4bKack";
	ack();
	user_hears("ack");
	call_wait(33000);
	user_hears("terminated");
	ack(); /* nobody is there to be given it to */
	user_hears_nothing();
	sip_tsx_hooks_unregister(&hooks);
	call_end();
}

static void second_final_failure_is_refused(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(486);
	phone_gets("486");
	user_answers(603);
	assert_int_equal(call.error, EALREADY);
	user_answers(200);
	assert_int_equal(call.error, EALREADY);
	ack();
	user_answers(603);
	assert_int_equal(call.error, EALREADY);
	phone_gets_nothing();
	call_end();
}

static void answer_that_cannot_be_sent_moves_the_machine_and_is_tried_again(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	sip_listener_close(RS_STR("UDP"), true);
	user_answers(486);
	assert_int_equal(call.result, -1);
	assert_int_not_equal(call.error, 0);
	assert_int_equal(sip_tsx_state(call.server), SIP_TSX_COMPLETED);
	phone_gets_nothing();
	call_wait(33000);
	user_hears("terminated");
	call_end();
}

static void terminate_ends_every_state(void **state)
{
	static const unsigned answers[] = {180, 486, 200};

	(void)state;
	call_start(UDP);
	for (size_t i = 0; i < RS_ARRAY_SIZE(answers); i++) {
		invite();
		user_answers(answers[i]);
		phone_gets("");
		user_terminates(call.server);
		user_hears("terminated");
		assert_int_equal(call_stats().server_now, 0);
		user_terminates(call.server);
		user_hears_nothing();
	}
	invite();
	user_answers(486);
	phone_gets("486");
	ack();
	user_terminates(call.server);
	user_hears("terminated");
	assert_int_equal(call_stats().server_now, 0);
	call_end();
}

static void stop_in_the_middle_tells_the_user(void **state)
{
	(void)state;
	call_start(UDP);
	invite();
	user_answers(180);
	call.branch = "z9hG4bKsecond";
	invite();
	user_answers(486);
	call.branch = "z9hG4bKthird";
	invite();
	user_answers(200);
	assert_int_equal(call.holds, 3);
	call_stop(); /* checks that nothing holds the module any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invite_gets_100_after_200_ms),
		cmocka_unit_test(no_100_when_the_user_was_quicker),
		cmocka_unit_test(retransmitted_invite_gets_the_last_provisional),
		cmocka_unit_test(final_failure_is_repeated_by_timer_g_up_to_t2_until_timer_h),
		cmocka_unit_test(ack_stops_the_repetition_and_is_absorbed_until_timer_i),
		cmocka_unit_test(retransmitted_invite_gets_the_final_failure_again),
		cmocka_unit_test(over_tcp_there_is_no_timer_g_and_i_is_zero),
		cmocka_unit_test(over_tcp_timer_h_runs),
		cmocka_unit_test(accepted_absorbs_invites_until_timer_l),
		cmocka_unit_test(accepted_stays_over_tcp_too),
		cmocka_unit_test(user_repeats_its_2xx_in_accepted),
		cmocka_unit_test(ack_with_the_branch_of_an_accepted_invite_reaches_its_user),
		cmocka_unit_test(ack_given_by_a_hook_reaches_the_user),
		cmocka_unit_test(second_final_failure_is_refused),
		cmocka_unit_test(answer_that_cannot_be_sent_moves_the_machine_and_is_tried_again),
		cmocka_unit_test(terminate_ends_every_state),
		cmocka_unit_test(stop_in_the_middle_tells_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
