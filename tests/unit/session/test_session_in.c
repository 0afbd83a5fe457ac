/* The called side: answers, the 2xx and its ACK, CANCEL, BYE, requests that may not come. */
#include "session_test.h"

#include "session/session_private.h"

#include <malloc.h>

#define IDLE_SESSION 1024 /* bytes */

static void a_call_is_answered_and_ended_by_the_phone(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	assert_int_equal(user_state(), AST_SIP_SESSION_INCOMING);
	user_answers(180, NULL);
	phone_gets("180");
	assert_int_equal(user_state(), AST_SIP_SESSION_EARLY);
	user_answers(200, "v=0");
	phone_gets("200");
	phone_saw("Allow: ");
	phone_saw("UPDATE");
	phone_saw("Supported: 100rel");
	phone_saw("Contact: ");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONNECTING);
	phone_acks(NULL);
	user_hears("ack");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
	assert_int_equal(st_stats().confirmed, 1);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	user_hears_nothing();
	st_end();
}

static void the_user_ends_it(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	user_hangs_up(0, "Q.850;cause=16");
	phone_gets("BYE");
	phone_saw("Reason: Q.850;cause=16\r\n");
	user_hears_nothing();
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void a_bye_may_have_headers_of_the_user(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	user_says_bye("because");
	phone_gets("BYE");
	phone_saw("X-Why: because\r\n");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void an_invite_is_refused(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_hangs_up(486, NULL);
	phone_gets("486");
	phone_acks_refusal();
	user_hears("end local");
	user_answers(200, "v=0");
	assert_int_equal(st.error, EALREADY);
	/* Without a status: 603. */
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_hangs_up(0, "SIP;cause=1");
	phone_gets("603");
	phone_saw("Reason: SIP;cause=1\r\n");
	user_hears("end local");
	st_end();
}

static void only_sdp_is_taken(void **state)
{
	(void)state;
	st_start("");
	phone_invites("Content-Type: text/plain\n", "v=0");
	phone_gets("400"); /* two types */
	phone_invites("Accept: text/plain\n", "v=0");
	phone_gets("406");
	user_hears_nothing();
	st_end();
}

static void what_no_handler_takes_is_404(void **state)
{
	(void)state;
	st_start("");
	st.no_handler = true;
	phone_invites(NULL, "v=0");
	phone_gets("100");
	phone_gets("404");
	user_hears_nothing();
	st_end();
}

static void a_2xx_is_repeated_until_its_ack(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	for (unsigned ms = 500; ms <= 2000; ms *= 2)
		phone_gets_after("200", ms);
	phone_gets_after("200", 4000);
	phone_gets_after("200", 4000); /* T2 is the most */
	phone_acks(NULL);
	user_hears("ack");
	phone_gets_nothing(10000);
	/* A repeated ACK is nobody's. */
	phone_acks(NULL);
	user_hears_nothing();
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void without_ack_it_ends_with_a_bye(void **state)
{
	int64_t begin;

	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	begin = sim_now();
	for (unsigned ms = 500; ms <= 2000; ms *= 2)
		phone_gets_after("200", ms);
	/* 0.5 + 1 + 2 + 7 * 4 = 31.5 s; the end is at 64 * T1. */
	for (unsigned i = 0; i < 7; i++)
		phone_gets_after("200", 4000);
	phone_gets("BYE");
	assert_in_range(sim_now() - begin, 32 * SIM_SECOND - 5 * SIM_MS, 32 * SIM_SECOND + 20 * SIM_MS);
	user_hears("end no ack");
	assert_int_equal(st_stats().no_ack, 1);
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void the_bye_of_the_called_side_waits_for_the_ack(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	user_hangs_up(0, NULL);
	phone_gets_after("200", 500);
	user_hears_nothing();
	phone_acks(NULL);
	phone_gets("BYE");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

static void a_cancel_ends_it_with_487(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(180, NULL);
	phone_gets("180");
	phone_cancels();
	phone_gets("200");
	phone_gets("487");
	user_hears("end cancel");
	user_answers(200, "v=0");
	assert_int_equal(st.error, EALREADY);
	phone_acks_refusal();
	st_end();
}

static void a_cancel_behind_the_200_changes_nothing(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	phone_cancels();
	phone_gets("200");
	phone_saw("CSeq: 1 CANCEL");
	user_hears_nothing();
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void the_same_invite_by_another_way_is_482(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	phone_invites_merged();
	phone_gets("482");
	user_hears_nothing();
	/* A retransmission is no other way. */
	phone_invites_again();
	phone_gets("100");
	user_hears_nothing();
	user_hangs_up(480, NULL);
	phone_gets("480");
	user_hears("end local");
	st_end();
}

static void a_bye_before_the_answer_ends_it_with_487(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(180, NULL);
	phone_gets("180");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	phone_saw("BYE");
	phone_gets("487");
	user_hears("end bye");
	st_end();
}

static void requests_inside_go_to_the_user(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	phone_sends("INFO", NULL, NULL);
	user_hears("request INFO");
	phone_gets_nothing(100);
	user_responds(200, NULL);
	phone_gets("200");
	user_responds(200, NULL);
	assert_int_equal(st.error, EALREADY);
	/* Nobody wants them. */
	st.take = false;
	phone_sends("INFO", NULL, NULL);
	user_hears("request INFO");
	phone_gets("200");
	phone_sends("REFER", "Refer-To: <sip:x@10.0.0.9>\n", NULL);
	user_hears("request REFER");
	phone_gets("405");
	phone_saw("Allow: ");
	phone_sends("INVITE", NULL, "v=0");
	user_hears("request INVITE");
	phone_gets("488");
	phone_acks_refusal();
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void so_many_requests_wait_for_the_user(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	for (unsigned i = 0; i < SESSION_MAX_PENDING; i++) {
		phone_sends("INFO", NULL, NULL);
		user_hears("request INFO");
	}
	phone_sends("INFO", NULL, NULL);
	user_hears_nothing();
	phone_gets("500");
	phone_saw("Retry-After: ");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	for (unsigned i = 0; i < SESSION_MAX_PENDING; i++)
		phone_gets("487");
	user_hears("end bye");
	st_end();
}

static void a_bye_answers_what_is_pending_with_487(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	phone_sends("INVITE", NULL, "v=0");
	user_hears("request INVITE");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	phone_saw("BYE");
	phone_gets("487");
	phone_saw("INVITE");
	phone_acks_refusal();
	user_hears("end bye");
	user_responds(200, "v=0");
	assert_int_equal(st.error, EALREADY);
	st_end();
}

static void what_knows_no_dialog_is_481(void **state)
{
	static const char *const methods[] = {"BYE", "PRACK", "UPDATE", "INFO"};

	(void)state;
	st_start("");
	st_call_in(NULL);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	for (unsigned i = 0; i < RS_ARRAY_SIZE(methods); i++) {
		phone_sends(methods[i], strcmp(methods[i], "PRACK") == 0 ? "RAck: 1 1 INVITE\n" : NULL, NULL);
		phone_gets("481");
	}
	phone_sends("INVITE", NULL, "v=0");
	phone_gets("481");
	st_end();
}

static void an_idle_session_is_small(void **state)
{
	struct ast_sip_session *s;
	size_t size;

	(void)state;
	st_start("");
	st_call_in("Supported: timer\nAllow: INVITE, ACK, BYE\n");
	st_wait(40000);
	s = st.s;
	assert_null(s->setup);
	assert_null(s->requests);
	assert_null(s->pending);
	assert_null(s->confirm);
	assert_non_null(s->sdp); /* a refresh by re-INVITE needs it */
	size = malloc_usable_size(s) + malloc_usable_size(s->timer) + malloc_usable_size(s->sdp);
	print_message("an idle session: %zu bytes\n", size);
	assert_in_range(size, 1, IDLE_SESSION);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	/* One that needs no SDP keeps none. */
	st_call_in("Supported: timer\nAllow: INVITE, ACK, BYE, UPDATE\n");
	assert_null(st.s->sdp);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

/* A session in some state, and the server stops: by the module's unload first, or without it. */
static void assert_stops(void (*make)(void), const char *with_unload, const char *without)
{
	for (unsigned unload = 0; unload < 2; unload++) {
		st_start("");
		make();
		if (unload)
			st_teardown(NULL);
		else
			st_stop();
		user_heard(unload ? with_unload : without);
	}
}

static void rings_in(void)
{
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(180, NULL);
}

static void waits_for_ack(void)
{
	rings_in();
	user_answers(200, "v=0");
}

static void hangs_up_without_ack(void)
{
	waits_for_ack();
	user_hangs_up(0, NULL);
}

static void stands(void)
{
	st_call_in(NULL);
}

static void ends(void)
{
	st_call_in(NULL);
	user_hangs_up(0, NULL);
}

static void a_stop_ends_what_is_left(void **state)
{
	(void)state;
	assert_stops(rings_in, "end shutdown", "end lost");
	assert_stops(waits_for_ack, "end shutdown", "end lost");
	assert_stops(hangs_up_without_ack, "end", "end local");
	assert_stops(stands, "end shutdown", "end lost");
	assert_stops(ends, "end", "end local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_is_answered_and_ended_by_the_phone),
		T(the_user_ends_it),
		T(a_bye_may_have_headers_of_the_user),
		T(an_invite_is_refused),
		T(only_sdp_is_taken),
		T(what_no_handler_takes_is_404),
		T(a_2xx_is_repeated_until_its_ack),
		T(without_ack_it_ends_with_a_bye),
		T(the_bye_of_the_called_side_waits_for_the_ack),
		T(a_cancel_ends_it_with_487),
		T(a_cancel_behind_the_200_changes_nothing),
		T(the_same_invite_by_another_way_is_482),
		T(a_bye_before_the_answer_ends_it_with_487),
		T(requests_inside_go_to_the_user),
		T(so_many_requests_wait_for_the_user),
		T(a_bye_answers_what_is_pending_with_487),
		T(what_knows_no_dialog_is_481),
		T(an_idle_session_is_small),
		T(a_stop_ends_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
