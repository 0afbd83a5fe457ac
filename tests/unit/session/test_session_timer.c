/* Session timers (RFC 4028): both roles, 422 both ways, refreshes, the end. */
#include "session_test.h"

#define TIMER     "Supported: timer\n"
#define UPDATE    "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\n"
#define NO_UPDATE "Allow: INVITE, ACK, CANCEL, BYE\n"

static void bye(void)
{
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

/* ---- the option ---- */

static void no_knows_nothing_of_it(void **state)
{
	(void)state;
	st_start("timers=no\n");
	phone_invites("Require: timer\n", "v=0");
	phone_gets("420");
	assert_string_equal(phone_header("Unsupported"), "timer");
	phone_acks_refusal();
	phone_invites(TIMER "Session-Expires: 90\n", "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	phone_did_not_see("Session-Expires");
	phone_did_not_see("timer");
	phone_acks(NULL);
	user_hears("ack");
	phone_gets_nothing(120000);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_did_not_see("Session-Expires");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void required_refuses_who_cannot(void **state)
{
	(void)state;
	st_start("timers=required\n");
	phone_invites(NULL, "v=0");
	phone_gets("421");
	assert_string_equal(phone_header("Require"), "timer");
	phone_acks_refusal();
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_saw("Require: timer\r\n");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void always_asks_a_peer_without_it_whether_it_is_there(void **state)
{
	(void)state;
	st_start("timers=always\ntimers_sess_expires=200\n");
	phone_invites(UPDATE, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	phone_saw("Session-Expires: 200;refresher=uas\r\n");
	phone_did_not_see("Require");
	phone_acks(NULL);
	user_hears("ack");
	phone_gets_after("UPDATE", 100000);
	phone_answers("UPDATE", 200, NULL, NULL);
	bye();
}

/* ---- the phone calls ---- */

/* What a 200 says to an INVITE with those lines. */
static void expect(const char *more, const char *session_expires, bool require)
{
	phone_invites(more, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0");
	phone_gets("200");
	assert_string_equal(phone_header("Session-Expires"), session_expires);
	assert_int_equal(strcmp(phone_header("Require"), "timer") == 0, require);
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
}

static void who_refreshes_follows_from_the_table(void **state)
{
	(void)state;
	st_start("timers_sess_expires=600\n");
	expect(TIMER "Session-Expires: 300\n", "300;refresher=uac", true);
	expect(TIMER "Session-Expires: 300;refresher=uac\n", "300;refresher=uac", true);
	expect(TIMER "Session-Expires: 300;refresher=uas\n", "300;refresher=uas", false);
	/* A proxy asks for a caller that knows nothing of it. */
	expect("Session-Expires: 300\n", "300;refresher=uas", false);
	expect("Session-Expires: 300;refresher=uac\n", "300;refresher=uas", false);
	/* Nobody asks. */
	expect(TIMER, "600;refresher=uac", true);
	expect("", "", false);
	/* It is made shorter, but not shorter than anybody can bear. */
	expect(TIMER "Session-Expires: 7200\n", "600;refresher=uac", true);
	expect(TIMER "Session-Expires: 7200\nMin-SE: 900\n", "900;refresher=uac", true);
	expect("x: 300\nk: timer\n", "300;refresher=uac", true);
	st_end();
}

static void too_short_an_interval_is_422(void **state)
{
	(void)state;
	st_start("timers_min_se=120\n");
	phone_invites(TIMER "Session-Expires: 119\n", "v=0");
	phone_gets("422");
	assert_string_equal(phone_header("Min-SE"), "120");
	phone_acks_refusal();
	user_hears_nothing();
	expect(TIMER "Session-Expires: 120\n", "120;refresher=uac", true);
	/* Who does not know it cannot do better. */
	expect("Session-Expires: 100\n", "100;refresher=uas", false);
	/* Inside, too. */
	st_call_in(TIMER "Session-Expires: 120\n");
	phone_sends("UPDATE", TIMER "Session-Expires: 90\n", NULL);
	phone_gets("422");
	assert_string_equal(phone_header("Min-SE"), "120");
	bye();
}

static void a_refresher_that_is_silent_gets_a_bye(void **state)
{
	(void)state;
	st_start("");
	st_call_in(TIMER "Session-Expires: 90\n");
	st.last_at = sim_now();
	phone_gets_after("BYE", 60000); /* min(32 s, a third) before the end */
	user_hears("end expired");
	assert_int_equal(st_stats().expired, 1);
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
	st_start("");
	st_call_in(TIMER "Session-Expires: 300\n");
	st.last_at = sim_now();
	phone_gets_after("BYE", 268000);
	user_hears("end expired");
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void each_refresh_begins_it_anew(void **state)
{
	(void)state;
	st_start("");
	st_call_in(TIMER "Session-Expires: 90\n");
	for (unsigned i = 0; i < 3; i++) {
		st_wait(45000);
		phone_sends("UPDATE", TIMER "Session-Expires: 90;refresher=uac\n", NULL);
		user_hears("request UPDATE");
		phone_gets("200");
		assert_string_equal(phone_header("Session-Expires"), "90;refresher=uac");
	}
	st_wait(45000);
	phone_sends("INVITE", TIMER "Session-Expires: 120;refresher=uac\n", NULL);
	user_hears("request INVITE");
	phone_gets("200");
	assert_string_equal(phone_header("Session-Expires"), "120;refresher=uac");
	phone_acks(NULL);
	user_hears("ack");
	st.last_at = sim_now();
	phone_gets_after("BYE", 88000);
	user_hears("end expired");
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void a_refresh_without_the_header_ends_the_timer(void **state)
{
	(void)state;
	st_start("");
	st_call_in(TIMER "Session-Expires: 90\n");
	phone_sends("UPDATE", NULL, NULL);
	user_hears("request UPDATE");
	phone_gets("200");
	phone_did_not_see("Session-Expires");
	phone_gets_nothing(200000);
	bye();
}

/* ---- we call ---- */

static void our_invite_asks_for_it(void **state)
{
	(void)state;
	st_start("timers_min_se=100\ntimers_sess_expires=500\n");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	assert_string_equal(phone_header("Session-Expires"), "500");
	assert_string_equal(phone_header("Min-SE"), "100");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void a_422_is_answered_with_a_longer_one(void **state)
{
	unsigned cseq;

	(void)state;
	st_start("timers_sess_expires=100\n");
	user_calls("v=0 offer", 0);
	phone_gets("INVITE");
	cseq = phone_number("CSeq");
	phone_answers("INVITE", 422, "Min-SE: 200\n", NULL);
	phone_gets("ACK");
	phone_gets("INVITE");
	assert_int_equal(phone_number("CSeq"), cseq + 1);
	assert_string_equal(phone_header("Session-Expires"), "200");
	assert_string_equal(phone_header("Min-SE"), "200");
	phone_saw("v=0 offer");
	phone_answers("INVITE", 422, "Min-SE: 400\n", NULL);
	phone_gets("ACK");
	phone_gets("INVITE");
	assert_string_equal(phone_header("Session-Expires"), "400");
	/* One that asks for no more than that is a refusal. */
	phone_answers("INVITE", 422, "Min-SE: 400\n", NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void we_refresh_by_update_where_it_is_allowed(void **state)
{
	(void)state;
	st_start("");
	st_call_out(UPDATE "Session-Expires: 100;refresher=uac\nRequire: timer\n");
	for (unsigned i = 0; i < 3; i++) {
		phone_gets_after("UPDATE", 50000);
		assert_string_equal(phone_header("Session-Expires"), "100;refresher=uac");
		assert_int_equal(phone_number("Content-Length"), 0);
		phone_answers("UPDATE", 200, "Session-Expires: 100;refresher=uac\n", NULL);
	}
	user_hears_nothing();
	/* The peer takes it over. */
	phone_gets_after("UPDATE", 50000);
	phone_answers("UPDATE", 200, "Session-Expires: 100;refresher=uas\n", NULL);
	phone_gets_after("BYE", 68000);
	user_hears("end expired");
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void else_by_invite_with_the_last_sdp(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NO_UPDATE "Session-Expires: 100;refresher=uac\nRequire: timer\n");
	phone_gets_after("INVITE", 50000);
	phone_saw("v=0 user");
	phone_answers("INVITE", 200, NO_UPDATE "Session-Expires: 100;refresher=uac\n", "v=0 phone");
	phone_gets("ACK");
	/* The user changes it. */
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_saw("Session-Expires: 100;refresher=uac\r\n");
	phone_answers("INVITE", 200, NO_UPDATE "Session-Expires: 100;refresher=uac\n", "v=0 phone");
	user_hears("reply 200");
	user_acks(NULL);
	phone_gets("ACK");
	phone_gets_after("INVITE", 50000);
	phone_saw("v=0 hold");
	/* A refused offer is not in force. */
	phone_answers("INVITE", 200, NO_UPDATE "Session-Expires: 100;refresher=uac\n", "v=0 phone");
	phone_gets("ACK");
	user_sends("INVITE", "v=0 refused", false);
	phone_gets("INVITE");
	phone_answers("INVITE", 488, NULL, NULL);
	phone_gets("ACK");
	user_hears("reply 488");
	st_wait(49900);
	phone_gets("INVITE");
	phone_saw("v=0 hold");
	phone_answers("INVITE", 200, NO_UPDATE "Session-Expires: 100;refresher=uac\n", "v=0 phone");
	phone_gets("ACK");
	bye();
}

static void a_refresh_that_gets_no_answer_ends_it(void **state)
{
	(void)state;
	st_start("");
	st_call_out(UPDATE "Session-Expires: 200;refresher=uac\nRequire: timer\n");
	phone_gets_after("UPDATE", 100000);
	st_wait(33000);
	user_hears("end lost");
	st_end();
	st_start("");
	st_call_out(UPDATE "Session-Expires: 200;refresher=uac\nRequire: timer\n");
	phone_gets_after("UPDATE", 100000);
	phone_answers("UPDATE", 481, NULL, NULL);
	user_hears("end lost");
	phone_gets("BYE");
	phone_answers("BYE", 481, NULL, NULL);
	st_end();
}

static void a_refresh_that_is_refused_is_tried_again_until_the_end(void **state)
{
	int64_t begin;

	(void)state;
	st_start("");
	st_call_out(UPDATE "Session-Expires: 96;refresher=uac\nRequire: timer\n");
	begin = sim_now();
	phone_gets_after("UPDATE", 48000);
	phone_answers("UPDATE", 500, NULL, NULL);
	phone_gets_after("UPDATE", 8000); /* half of what is left */
	phone_answers("UPDATE", 500, NULL, NULL);
	phone_gets_after("UPDATE", 4000);
	phone_answers("UPDATE", 500, NULL, NULL);
	phone_gets_after("UPDATE", 2000);
	phone_answers("UPDATE", 500, NULL, NULL);
	phone_gets_after("UPDATE", 1000);
	phone_answers("UPDATE", 500, NULL, NULL);
	phone_gets_within("BYE", 1100);
	assert_in_range(sim_now() - begin, 64 * SIM_SECOND - 5 * SIM_MS, 64 * SIM_SECOND + 20 * SIM_MS);
	user_hears("end expired");
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void a_refresh_that_gets_422_asks_for_more(void **state)
{
	(void)state;
	st_start("");
	st_call_out(UPDATE "Session-Expires: 100;refresher=uac\nRequire: timer\n");
	phone_gets_after("UPDATE", 50000);
	phone_answers("UPDATE", 422, "Min-SE: 300\n", NULL);
	phone_gets("UPDATE");
	assert_string_equal(phone_header("Session-Expires"), "300;refresher=uac");
	assert_string_equal(phone_header("Min-SE"), "300");
	phone_answers("UPDATE", 200, "Session-Expires: 300;refresher=uac\n", NULL);
	phone_gets_after("UPDATE", 150000);
	phone_answers("UPDATE", 200, "Session-Expires: 300;refresher=uac\n", NULL);
	bye();
}

static void a_peer_without_it_has_no_timer(void **state)
{
	(void)state;
	st_start("");
	st_call_out(UPDATE);
	phone_gets_nothing(2000000);
	bye();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_knows_nothing_of_it),
		T(required_refuses_who_cannot),
		T(always_asks_a_peer_without_it_whether_it_is_there),
		T(who_refreshes_follows_from_the_table),
		T(too_short_an_interval_is_422),
		T(a_refresher_that_is_silent_gets_a_bye),
		T(each_refresh_begins_it_anew),
		T(a_refresh_without_the_header_ends_the_timer),
		T(our_invite_asks_for_it),
		T(a_422_is_answered_with_a_longer_one),
		T(we_refresh_by_update_where_it_is_allowed),
		T(else_by_invite_with_the_last_sdp),
		T(a_refresh_that_gets_no_answer_ends_it),
		T(a_refresh_that_is_refused_is_tried_again_until_the_end),
		T(a_refresh_that_gets_422_asks_for_more),
		T(a_peer_without_it_has_no_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
