/* The calling side: progress, answer, CANCEL and its races, forks, repeated and late 2xx, ends. */
#include "session_test.h"

static void a_call_is_made_and_ended_by_the_user(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_saw("Allow: ");
	phone_saw("Supported: 100rel, timer\r\n");
	assert_int_equal(user_state(), AST_SIP_SESSION_CALLING);
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	assert_int_equal(user_state(), AST_SIP_SESSION_EARLY);
	st.manual_ack = true;
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("answer 200");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONNECTING);
	phone_gets_nothing(100);
	user_acks(NULL);
	phone_gets("ACK");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
	user_acks(NULL);
	assert_int_equal(st.error, EALREADY);
	user_hangs_up(0, NULL);
	phone_gets("BYE");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	user_hears_nothing();
	st_end();
}

static void the_phone_ends_it(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void the_phone_refuses(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void a_hangup_before_the_answer_cancels(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	user_hangs_up(0, "SIP;cause=487");
	phone_gets("CANCEL");
	phone_saw("Reason: SIP;cause=487\r\n");
	phone_answers("CANCEL", 200, NULL, NULL);
	user_hears_nothing();
	phone_answers("INVITE", 487, NULL, NULL);
	phone_gets("ACK");
	user_hears("end local");
	st_end();
}

static void without_a_provisional_answer_the_cancel_waits(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	user_hangs_up(0, NULL);
	phone_gets_nothing(100);
	phone_answers("INVITE", 100, NULL, NULL);
	phone_gets("CANCEL");
	phone_answers("CANCEL", 200, NULL, NULL);
	phone_answers("INVITE", 487, NULL, NULL);
	phone_gets("ACK");
	user_hears("end local");
	st_end();
}

static void a_2xx_that_crosses_the_cancel_gets_ack_and_bye(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	user_hangs_up(0, NULL);
	phone_gets("CANCEL");
	phone_answers("INVITE", 200, NULL, "v=0");
	phone_gets("ACK");
	phone_gets("BYE");
	phone_answers("CANCEL", 200, NULL, NULL);
	user_hears_nothing();
	/* The ACK was lost. */
	phone_answers("INVITE", 200, NULL, "v=0");
	phone_gets("ACK");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void a_repeated_2xx_gets_its_ack_again(void **state)
{
	char first[4096];

	(void)state;
	st_start("");
	user_calls(NULL, 0);
	phone_gets("INVITE");
	st.manual_ack = true;
	phone_answers("INVITE", 200, NULL, "v=0 offer");
	user_hears("answer 200");
	phone_answers("INVITE", 200, NULL, "v=0 offer");
	phone_gets_nothing(100); /* the user has the word */
	user_acks("v=0 answer");
	phone_gets("ACK");
	phone_saw("v=0 answer");
	snprintf(first, sizeof(first), "%s", phone_header("CSeq"));
	st_wait(5000);
	phone_answers("INVITE", 200, NULL, "v=0 offer");
	phone_gets("ACK");
	phone_saw("v=0 answer");
	assert_string_equal(phone_header("CSeq"), first);
	user_hears_nothing();
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void the_second_2xx_of_a_fork_gets_ack_and_bye(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	phone_answers_as("other", "INVITE", 200, NULL, "v=0 other");
	phone_gets("ACK");
	phone_saw(";tag=other");
	phone_gets("BYE");
	phone_saw(";tag=other");
	phone_answers("BYE", 200, NULL, NULL);
	/* It is repeated: ACK again, no second BYE. */
	phone_answers_as("other", "INVITE", 200, NULL, "v=0 other");
	phone_gets("ACK");
	phone_gets_nothing(1000);
	user_hears_nothing();
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void another_branch_than_the_first_may_answer(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers_as("one", "INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	st.tag = "two";
	phone_answers("INVITE", 183, NULL, NULL);
	user_hears("progress 183");
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("answer 200");
	phone_gets("ACK");
	phone_saw(";tag=two");
	assert_true(rs_str_eqz(sip_dialog_remote_tag(ast_sip_session_dialog(st.s)), "two"));
	st.take = true;
	user_sends("INFO", NULL, false);
	phone_gets("INFO");
	phone_saw(";tag=two");
	phone_answers("INFO", 200, NULL, NULL);
	user_hears("reply 200");
	user_hangs_up(0, NULL);
	phone_gets("BYE");
	phone_saw(";tag=two");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void it_rings_no_longer_than_the_user_wants(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 5000);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	phone_gets_after("CANCEL", 5000);
	user_hears("end timeout");
	phone_answers("CANCEL", 200, NULL, NULL);
	/* Too late. */
	phone_answers("INVITE", 200, NULL, "v=0");
	phone_gets("ACK");
	phone_gets("BYE");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears_nothing();
	st_end();
}

static void timer_c_ends_it_unless_it_is_renewed(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	st_wait(170000);
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	phone_gets_nothing(179000);
	user_hears_nothing();
	phone_gets_after("CANCEL", 350000);
	user_hears("end timeout");
	phone_answers("CANCEL", 200, NULL, NULL);
	phone_answers("INVITE", 487, NULL, NULL);
	phone_gets("ACK");
	st_end();
}

static void nobody_there_is_a_timeout(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	st_wait(33000);
	user_hears("end timeout");
	st_end();
}

static void a_request_that_gets_481_ends_it(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INFO", NULL, false);
	phone_gets("INFO");
	phone_answers("INFO", 481, NULL, NULL);
	user_hears("reply 481");
	user_hears("end lost");
	phone_gets("BYE");
	phone_answers("BYE", 481, NULL, NULL);
	st_end();
}

static void a_request_without_answer_ends_it(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INFO", NULL, false);
	phone_gets("INFO");
	st_wait(33000);
	user_hears("reply timeout");
	user_hears("end lost");
	st_end();
}

static void another_refusal_does_not(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INFO", NULL, false);
	phone_gets("INFO");
	phone_answers("INFO", 415, NULL, NULL);
	user_hears("reply 415");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void byes_that_cross_are_both_answered(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_hangs_up(0, NULL);
	phone_gets("BYE");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears_nothing();
	phone_answers("BYE", 481, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void callers_hear_of_their_requests_before_the_end(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("reply error");
	user_hears("end bye");
	/* A 2xx for it that crossed is acknowledged all the same. */
	phone_answers("INVITE", 200, NULL, "v=0");
	phone_gets("ACK");
	user_hears_nothing();
	st_end();
}

static void a_reinvite_that_rings_on_is_given_up(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_answers("INVITE", 100, NULL, NULL);
	phone_answers("INVITE", 180, NULL, NULL);
	st.last_at = sim_now();
	phone_gets_after("CANCEL", 180000);
	/* The phone has crashed. */
	st_wait(33000);
	user_hears("reply timeout");
	user_hears("end lost");
	st_end();
	/* The end of the session gives it up at once. */
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("reply error");
	user_hears("end bye");
	phone_gets("CANCEL");
	st_end();
}

static void an_answer_that_ends_the_dialog_ends_the_session(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INFO", NULL, false);
	phone_gets("INFO");
	phone_answers("INFO", 404, NULL, NULL);
	user_hears("reply 404");
	user_hears("end lost");
	phone_gets_nothing(1000);
	st_end();
}

static void a_stop_ends_what_is_left(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	st_stop();
	user_heard("end");
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, NULL, NULL);
	user_hears("progress 180");
	st_stop();
	user_heard("end");
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	st_stop();
	user_heard("reply error");
	user_heard("end lost");
	st_start("");
	st_call_out(NULL);
	user_hangs_up(0, NULL);
	phone_gets("BYE");
	st_stop();
	user_heard("end local");
}

static void one_that_was_never_sent_just_ends(void **state)
{
	struct ast_sip_session_user none = {.size = sizeof(none), .name = "none"};
	struct ast_sip_dialog_uac_params p = {.size = sizeof(p), .uri = RS_STR("sip:bob@10.0.0.2:5060")};
	struct ast_sip_endpoint *e;

	(void)state;
	st_start("");
	e = ast_sip_endpoint_get(RS_STR("anonymous"));
	st.s = ast_sip_session_create_outgoing(e, &p, &none, NULL);
	ast_sip_endpoint_unref(e);
	assert_non_null(st.s);
	user_hangs_up(0, NULL);
	ct_run();
	st_wait(10);
	assert_int_equal(user_state(), AST_SIP_SESSION_DISCONNECTED);
	phone_gets_nothing(100);
	st_end();
}

static void a_replaces_finds_the_session(void **state)
{
	struct sip_dialog *dlg;
	struct ast_sip_session *s;

	(void)state;
	st_start("");
	st_call_out(NULL);
	dlg = ast_sip_session_dialog(st.s);
	s = ast_sip_session_find_replaced(sip_dialog_call_id(dlg), sip_dialog_local_tag(dlg), RS_STR("phone"));
	assert_ptr_equal(s, st.s);
	ast_sip_session_unref(s);
	assert_null(ast_sip_session_find_replaced(sip_dialog_call_id(dlg), sip_dialog_local_tag(dlg), RS_STR("x")));
	assert_null(ast_sip_session_find_replaced(sip_dialog_call_id(dlg), RS_STR("phone"), sip_dialog_local_tag(dlg)));
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_is_made_and_ended_by_the_user),
		T(the_phone_ends_it),
		T(the_phone_refuses),
		T(a_hangup_before_the_answer_cancels),
		T(without_a_provisional_answer_the_cancel_waits),
		T(a_2xx_that_crosses_the_cancel_gets_ack_and_bye),
		T(a_repeated_2xx_gets_its_ack_again),
		T(the_second_2xx_of_a_fork_gets_ack_and_bye),
		T(another_branch_than_the_first_may_answer),
		T(it_rings_no_longer_than_the_user_wants),
		T(timer_c_ends_it_unless_it_is_renewed),
		T(nobody_there_is_a_timeout),
		T(a_request_that_gets_481_ends_it),
		T(a_request_without_answer_ends_it),
		T(another_refusal_does_not),
		T(byes_that_cross_are_both_answered),
		T(callers_hear_of_their_requests_before_the_end),
		T(a_reinvite_that_rings_on_is_given_up),
		T(an_answer_that_ends_the_dialog_ends_the_session),
		T(a_stop_ends_what_is_left),
		T(one_that_was_never_sent_just_ends),
		T(a_replaces_finds_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
