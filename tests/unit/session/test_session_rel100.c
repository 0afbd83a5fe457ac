/* Reliable provisional answers (RFC 3262), both sides, and the endpoint's 100rel. */
#include "session_test.h"

#define REL "Supported: 100rel\n"

/* ---- the option ---- */

static void no_refuses_what_requires_it(void **state)
{
	(void)state;
	st_start("100rel=no\n");
	phone_invites("Require: 100rel\n", "v=0");
	phone_gets("420");
	assert_string_equal(phone_header("Unsupported"), "100rel");
	phone_acks_refusal();
	user_hears_nothing();
	/* And offers nothing of it. */
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_saw("Supported: timer\r\n");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void required_refuses_who_cannot(void **state)
{
	(void)state;
	st_start("100rel=required\n");
	phone_invites(NULL, "v=0");
	phone_gets("421");
	assert_string_equal(phone_header("Require"), "100rel");
	phone_acks_refusal();
	user_hears_nothing();
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_saw("Require: 100rel\r\n");
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

/* Whether a 180 goes reliably. */
static void expect(const char *options, const char *more, bool reliable)
{
	char rack[64];

	st_start(options);
	phone_invites(more, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(180, NULL);
	phone_gets("180");
	assert_int_equal(phone_number("RSeq") != 0, reliable);
	assert_int_equal(strcmp(phone_header("Require"), "100rel") == 0, reliable);
	if (reliable) {
		snprintf(rack, sizeof(rack), "RAck: %u 1 INVITE\n", phone_number("RSeq"));
		phone_sends("PRACK", rack, NULL);
		phone_gets("200");
	}
	phone_gets_nothing(5000);
	user_hangs_up(486, NULL);
	phone_gets("486");
	phone_acks_refusal();
	user_hears("end local");
	st_end();
}

static void the_option_and_the_peer_decide(void **state)
{
	(void)state;
	expect("100rel=no\n", REL, false);
	expect("100rel=yes\n", REL, false);
	expect("100rel=yes\n", "Require: 100rel\n", true);
	expect("100rel=peer_supported\n", "", false);
	expect("100rel=peer_supported\n", REL, true);
	expect("100rel=required\n", REL, true);
}

/* ---- sent ---- */

static void start_ringing(const char *sdp)
{
	st_start("100rel=peer_supported\n");
	phone_invites(REL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(183, sdp);
	phone_gets("183");
}

static unsigned prack(unsigned rseq)
{
	char rack[64];

	snprintf(rack, sizeof(rack), "RAck: %u 1 INVITE\n", rseq);
	phone_sends("PRACK", rack, NULL);
	return rseq;
}

static void it_is_repeated_until_the_prack(void **state)
{
	unsigned rseq;

	(void)state;
	start_ringing("v=0");
	rseq = phone_number("RSeq");
	for (unsigned ms = 500; ms <= 8000; ms *= 2) {
		phone_gets_after("183", ms);
		assert_int_equal(phone_number("RSeq"), rseq);
	}
	prack(rseq);
	phone_gets("200");
	phone_saw("PRACK");
	phone_gets_nothing(20000);
	user_hangs_up(486, NULL);
	phone_gets("486");
	phone_acks_refusal();
	user_hears("end local");
	st_end();
}

static void without_prack_it_ends_with_504(void **state)
{
	int64_t begin;

	(void)state;
	start_ringing("v=0");
	begin = sim_now();
	for (unsigned ms = 500; ms <= 16000; ms *= 2)
		phone_gets_after("183", ms);
	assert_in_range(sim_now() - begin, 31 * SIM_SECOND, 32 * SIM_SECOND);
	phone_gets_within("504", 600);
	assert_in_range(sim_now() - begin, 32 * SIM_SECOND - 5 * SIM_MS, 32 * SIM_SECOND + 20 * SIM_MS);
	user_hears("end no prack");
	phone_acks_refusal();
	st_end();
}

static void a_prack_must_name_the_answer(void **state)
{
	char rack[64];
	unsigned rseq;

	(void)state;
	start_ringing("v=0");
	rseq = phone_number("RSeq");
	prack(rseq + 1);
	phone_gets("481");
	snprintf(rack, sizeof(rack), "RAck: %u 7 INVITE\n", rseq);
	phone_sends("PRACK", rack, NULL);
	phone_gets("481");
	snprintf(rack, sizeof(rack), "RAck: %u 1 UPDATE\n", rseq);
	phone_sends("PRACK", rack, NULL);
	phone_gets("481");
	phone_sends("PRACK", NULL, NULL);
	phone_gets("481");
	phone_gets_after("183", 500);
	prack(rseq);
	phone_gets("200");
	/* Once. */
	prack(rseq);
	phone_gets("481");
	user_hangs_up(486, NULL);
	phone_gets("486");
	phone_acks_refusal();
	user_hears("end local");
	st_end();
}

static void the_next_one_waits_for_the_prack_of_the_last(void **state)
{
	unsigned rseq;

	(void)state;
	start_ringing(NULL);
	rseq = phone_number("RSeq");
	user_answers(180, NULL);
	user_answers(182, NULL);
	phone_gets_nothing(400);
	prack(rseq);
	phone_gets("200");
	phone_gets("180");
	assert_int_equal(phone_number("RSeq"), rseq + 1);
	prack(rseq + 1);
	phone_gets("200");
	phone_gets("182");
	assert_int_equal(phone_number("RSeq"), rseq + 2);
	prack(rseq + 2);
	phone_gets("200");
	user_answers(200, "v=0");
	phone_gets("200");
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void a_2xx_waits_for_the_prack_of_an_answer_with_sdp(void **state)
{
	unsigned rseq;

	(void)state;
	start_ringing("v=0");
	rseq = phone_number("RSeq");
	user_answers(200, NULL);
	assert_int_equal(st.result, 0);
	phone_gets_after("183", 500);
	user_answers(486, NULL);
	assert_int_equal(st.error, EALREADY);
	prack(rseq);
	phone_gets("200");
	phone_saw("PRACK");
	phone_gets("200");
	phone_saw("CSeq: 1 INVITE");
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void a_2xx_does_not_wait_for_one_without(void **state)
{
	unsigned rseq;

	(void)state;
	start_ringing(NULL);
	rseq = phone_number("RSeq");
	user_answers(200, "v=0");
	phone_gets("200");
	/* The PRACK that was on its way is still good. */
	prack(rseq);
	phone_gets("200");
	phone_saw("PRACK");
	phone_acks(NULL);
	user_hears("ack");
	phone_gets_nothing(5000);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void a_refusal_waits_for_nothing(void **state)
{
	(void)state;
	start_ringing("v=0");
	user_answers(486, NULL);
	phone_gets("486");
	phone_acks_refusal();
	user_hears("end local");
	phone_gets_nothing(5000);
	st_end();
}

static void an_offer_in_a_prack_goes_to_the_user(void **state)
{
	unsigned rseq;
	char rack[64];

	(void)state;
	start_ringing("v=0 answer");
	rseq = phone_number("RSeq");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	st.take = true;
	snprintf(rack, sizeof(rack), "RAck: %u 1 INVITE\n", rseq);
	phone_sends("PRACK", rack, "v=0 offer");
	user_hears("request PRACK");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	user_responds(200, "v=0 answer");
	phone_gets("200");
	phone_saw("v=0 answer");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	user_answers(200, NULL);
	phone_gets("200");
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void an_offer_of_ours_is_answered_by_the_prack(void **state)
{
	char rack[64];

	(void)state;
	st_start("100rel=peer_supported\n");
	phone_invites(REL, NULL);
	phone_gets("100");
	user_hears("invite");
	user_answers(183, "v=0 offer");
	phone_gets("183");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_LOCAL);
	st.take = true;
	snprintf(rack, sizeof(rack), "RAck: %u 1 INVITE\n", phone_number("RSeq"));
	phone_sends("PRACK", rack, "v=0 answer");
	user_hears("request PRACK");
	user_responds(200, NULL);
	phone_gets("200");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	user_answers(200, NULL);
	phone_gets("200");
	phone_acks(NULL);
	user_hears("ack");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

/* ---- received ---- */

#define RELIABLE(n) "Require: 100rel\nRSeq: " #n "\n"

static void they_are_acknowledged_in_order_and_once(void **state)
{
	unsigned invite;

	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	invite = phone_number("CSeq");
	phone_answers("INVITE", 180, RELIABLE(77), NULL);
	user_hears("progress 180");
	phone_gets("PRACK");
	assert_int_equal(phone_number("RAck"), 77);
	assert_int_equal(strtoul(phone_header("RAck") + 3, NULL, 10), invite);
	assert_non_null(strstr(phone_header("RAck"), " INVITE"));
	phone_answers("PRACK", 200, NULL, NULL);
	/* Repeated: its PRACK was lost, and is repeated by itself. */
	phone_answers("INVITE", 180, RELIABLE(77), NULL);
	/* Out of order: it will come again. */
	phone_answers("INVITE", 183, RELIABLE(79), NULL);
	phone_gets_nothing(400);
	user_hears_nothing();
	phone_answers("INVITE", 183, RELIABLE(78), "v=0");
	user_hears("progress 183");
	phone_gets("PRACK");
	assert_int_equal(phone_number("RAck"), 78);
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	phone_answers("PRACK", 200, NULL, NULL);
	phone_answers("INVITE", 200, NULL, NULL);
	user_hears("answer 200");
	phone_gets("ACK");
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void branches_count_for_themselves(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers_as("one", "INVITE", 180, RELIABLE(5), NULL);
	user_hears("progress 180");
	phone_gets("PRACK");
	phone_saw(";tag=one");
	phone_answers("PRACK", 200, NULL, NULL);
	phone_answers_as("two", "INVITE", 180, RELIABLE(900), NULL);
	user_hears("progress 180");
	phone_gets("PRACK");
	phone_saw(";tag=two");
	phone_answers("PRACK", 200, NULL, NULL);
	phone_answers("INVITE", 486, NULL, NULL);
	phone_gets("ACK");
	user_hears("end refused");
	st_end();
}

static void one_that_offers_waits_for_the_user(void **state)
{
	(void)state;
	st_start("");
	st.manual_prack = true;
	user_calls(NULL, 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 183, RELIABLE(1), "v=0 offer");
	user_hears("offer 183");
	phone_gets_nothing(400);
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	user_pracks("v=0 answer");
	phone_gets("PRACK");
	phone_saw("v=0 answer");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	phone_answers("PRACK", 200, NULL, NULL);
	user_hears("reply 200");
	user_pracks("v=0 answer");
	assert_int_equal(st.error, EALREADY);
	/* The offer has been answered: this one repeats it. */
	phone_answers("INVITE", 200, NULL, "v=0 offer");
	user_hears("answer 200");
	phone_gets("ACK");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

static void a_prack_that_gets_481_ends_it(void **state)
{
	(void)state;
	st_start("");
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 180, RELIABLE(1), NULL);
	user_hears("progress 180");
	phone_gets("PRACK");
	phone_answers("PRACK", 481, NULL, NULL);
	user_hears("end lost");
	phone_gets("CANCEL");
	phone_answers("CANCEL", 200, NULL, NULL);
	phone_answers("INVITE", 487, NULL, NULL);
	phone_gets("ACK");
	st_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_refuses_what_requires_it),
		T(required_refuses_who_cannot),
		T(the_option_and_the_peer_decide),
		T(it_is_repeated_until_the_prack),
		T(without_prack_it_ends_with_504),
		T(a_prack_must_name_the_answer),
		T(the_next_one_waits_for_the_prack_of_the_last),
		T(a_2xx_waits_for_the_prack_of_an_answer_with_sdp),
		T(a_2xx_does_not_wait_for_one_without),
		T(a_refusal_waits_for_nothing),
		T(an_offer_in_a_prack_goes_to_the_user),
		T(an_offer_of_ours_is_answered_by_the_prack),
		T(they_are_acknowledged_in_order_and_once),
		T(branches_count_for_themselves),
		T(one_that_offers_waits_for_the_user),
		T(a_prack_that_gets_481_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
