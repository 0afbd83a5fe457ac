/* Offers that meet: 491 and 500, retries by their times, turns of offer and answer; supplements and handlers. */
#include "session_test.h"

static void bye(void)
{
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	st_end();
}

/* ---- the phone's may not come now ---- */

static void an_invite_that_meets_ours_is_491(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_sends("INVITE", NULL, "v=0");
	phone_gets("491");
	phone_acks_refusal();
	assert_int_equal(st_stats().glares, 1);
	user_hears_nothing();
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("reply 200");
	/* As long as ours is not acknowledged, too. */
	phone_sends("INVITE", NULL, "v=0");
	phone_gets("491");
	phone_acks_refusal();
	user_acks(NULL);
	phone_gets("ACK");
	bye();
}

static void a_second_invite_is_500_with_retry_after(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	phone_sends("INVITE", NULL, "v=0 one");
	user_hears("request INVITE");
	phone_sends("INVITE", NULL, "v=0 two");
	phone_gets("500");
	assert_true(phone_header("Retry-After")[0]);
	assert_in_range(phone_number("Retry-After"), 0, 10);
	user_hears_nothing();
	phone_acks_refusal();
	user_responds(200, "v=0");
	phone_gets("200");
	phone_saw("CSeq: 2 INVITE");
	phone_acks_cseq(2, NULL);
	user_hears("ack");
	bye();
}

static void a_second_invite_before_the_answer_is_500(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0");
	phone_gets("100");
	user_hears("invite");
	user_answers(180, NULL);
	phone_gets("180");
	phone_sends("INVITE", NULL, "v=0 two");
	phone_gets("500");
	phone_saw("Retry-After: ");
	phone_acks_refusal();
	/* And an UPDATE with an offer that finds the first one unanswered. */
	phone_sends("UPDATE", NULL, "v=0 three");
	phone_gets("500");
	phone_saw("Retry-After: ");
	user_hangs_up(486, NULL);
	phone_gets("486");
	user_hears("end local");
	st_end();
}

static void updates_that_meet_are_491_and_500(void **state)
{
	(void)state;
	st_start("");
	st_call_out("Allow: INVITE, ACK, BYE, UPDATE\n");
	user_sends("UPDATE", "v=0 ours", false);
	phone_gets("UPDATE");
	phone_sends("UPDATE", NULL, "v=0 theirs");
	phone_gets("491");
	/* Without an offer nothing is in the way. */
	phone_sends("UPDATE", NULL, NULL);
	user_hears("request UPDATE");
	phone_gets("200");
	phone_answers("UPDATE", 200, NULL, "v=0");
	user_hears("reply 200");
	st.take = true;
	phone_sends("UPDATE", NULL, "v=0 one");
	user_hears("request UPDATE");
	phone_sends("UPDATE", NULL, "v=0 two");
	phone_gets("500");
	phone_saw("Retry-After: ");
	user_responds(200, "v=0");
	phone_gets("200");
	bye();
}

static void an_invite_between_an_offer_of_ours_and_its_answer_is_491(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, NULL);
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0 offer");
	phone_gets("200");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_LOCAL);
	phone_sends("INVITE", NULL, "v=0");
	phone_gets("491");
	phone_acks_refusal();
	phone_acks_cseq(1, "v=0 answer");
	user_hears("ack");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	bye();
}

/* ---- ours ---- */

static void what_may_not_leave_now_is_eagain(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 one", false);
	assert_int_equal(st.result, 0);
	user_sends("INVITE", "v=0 two", false);
	assert_int_equal(st.error, EAGAIN);
	user_sends("UPDATE", "v=0 two", false);
	assert_int_equal(st.error, EAGAIN);
	phone_gets("INVITE");
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("reply 200");
	user_sends("INVITE", "v=0 two", false);
	assert_int_equal(st.error, EAGAIN);
	user_acks(NULL);
	phone_gets("ACK");
	st.take = true;
	phone_sends("INVITE", NULL, "v=0");
	user_hears("request INVITE");
	user_sends("INVITE", "v=0 three", false);
	assert_int_equal(st.error, EAGAIN);
	user_responds(200, "v=0");
	phone_gets("200");
	/* Not before its ACK. */
	user_sends("INVITE", "v=0 three", false);
	assert_int_equal(st.error, EAGAIN);
	phone_acks(NULL);
	user_hears("ack");
	user_sends("INVITE", "v=0 three", false);
	assert_int_equal(st.result, 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("reply 200");
	user_acks(NULL);
	phone_gets("ACK");
	user_hangs_up(0, NULL);
	user_sends("INFO", NULL, false);
	assert_int_equal(st.error, ENOTCONN);
	phone_gets("BYE");
	phone_answers("BYE", 200, NULL, NULL);
	user_hears("end local");
	st_end();
}

/* The INVITE leaves again between min and max after its 491. */
static void assert_retried(int64_t min_ms, int64_t max_ms)
{
	int64_t from, after;
	unsigned cseq;

	user_sends("INVITE", "v=0 hold", true);
	phone_gets("INVITE");
	cseq = phone_number("CSeq");
	from = sim_now();
	phone_answers("INVITE", 491, NULL, NULL);
	phone_gets("ACK");
	user_hears_nothing();
	/* Meanwhile it is as if it were on its way. */
	user_sends("INVITE", "v=0 other", false);
	assert_int_equal(st.error, EAGAIN);
	phone_gets_within("INVITE", max_ms + 100);
	after = sim_now() - from;
	assert_in_range(after, min_ms * SIM_MS, max_ms * SIM_MS + 15 * SIM_MS);
	phone_saw("v=0 hold");
	assert_true(phone_number("CSeq") > cseq);
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("reply 200");
	user_acks(NULL);
	phone_gets("ACK");
}

static void the_owner_of_the_call_id_waits_longer(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	for (unsigned i = 0; i < 20; i++)
		assert_retried(2100, 4000);
	bye();
	st_start("");
	st_call_in(NULL);
	for (unsigned i = 0; i < 20; i++)
		assert_retried(0, 2000);
	bye();
}

static void without_retry_491_is_an_outcome(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	user_sends("INVITE", "v=0 hold", false);
	phone_gets("INVITE");
	phone_answers("INVITE", 491, NULL, NULL);
	phone_gets("ACK");
	user_hears("reply 491");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	phone_gets_nothing(5000);
	bye();
}

static void the_peers_invite_goes_first_meanwhile(void **state)
{
	(void)state;
	st_start("");
	st_call_out(NULL);
	st.take = true;
	user_sends("INVITE", "v=0 hold", true);
	phone_gets("INVITE");
	phone_answers("INVITE", 491, NULL, NULL);
	phone_gets("ACK");
	phone_sends("INVITE", NULL, "v=0 theirs");
	user_hears("request INVITE");
	phone_gets("100");
	phone_gets_nothing(5000);
	user_responds(200, "v=0");
	phone_gets("200");
	phone_acks(NULL);
	user_hears("ack");
	phone_gets_within("INVITE", 4100);
	phone_saw("v=0 hold");
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("reply 200");
	user_acks(NULL);
	phone_gets("ACK");
	bye();
}

/* ---- turns ---- */

static void turns_follow_the_messages(void **state)
{
	(void)state;
	st_start("");
	phone_invites(NULL, "v=0 offer");
	phone_gets("100");
	user_hears("invite");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	/* Not reliable: a preview. */
	user_answers(183, "v=0 answer");
	phone_gets("183");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	user_answers(200, "v=0 answer");
	phone_gets("200");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	phone_acks(NULL);
	user_hears("ack");
	st.take = true;
	phone_sends("UPDATE", NULL, "v=0 offer");
	user_hears("request UPDATE");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	user_responds(488, NULL);
	phone_gets("488");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	/* Without offer we are asked for one. */
	phone_sends("INVITE", NULL, NULL);
	user_hears("request INVITE");
	user_responds(200, "v=0 offer");
	phone_gets("200");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_LOCAL);
	phone_acks("v=0 answer");
	user_hears("ack");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	/* The same from us. */
	user_sends("INVITE", NULL, false);
	phone_gets("INVITE");
	phone_answers("INVITE", 200, NULL, "v=0 offer");
	user_hears("reply 200");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_REMOTE);
	user_acks("v=0 answer");
	phone_gets("ACK");
	phone_saw("v=0 answer");
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	bye();
}

static void a_reinvite_can_be_cancelled(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	phone_sends("INVITE", NULL, "v=0");
	user_hears("request INVITE");
	phone_cancels();
	phone_gets("200");
	phone_saw("CANCEL");
	phone_gets("487");
	phone_acks_refusal();
	user_responds(200, "v=0");
	assert_int_equal(st.error, EALREADY);
	assert_int_equal(ast_sip_session_oa(st.s), AST_SIP_SESSION_OA_IDLE);
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
	bye();
}

static void the_2xx_of_a_reinvite_is_repeated_and_missed(void **state)
{
	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	phone_sends("INVITE", NULL, "v=0");
	user_hears("request INVITE");
	user_responds(200, "v=0");
	phone_gets("200");
	phone_gets_after("200", 500);
	phone_gets_after("200", 1000);
	phone_gets_after("200", 2000);
	for (unsigned i = 0; i < 7; i++)
		phone_gets_after("200", 4000);
	phone_gets("BYE");
	user_hears("end no ack");
	phone_answers("BYE", 200, NULL, NULL);
	st_end();
}

static void what_the_user_leaves_lying_is_504(void **state)
{
	int64_t begin;

	(void)state;
	st_start("");
	st_call_in(NULL);
	st.take = true;
	begin = sim_now();
	phone_sends("INFO", NULL, NULL);
	user_hears("request INFO");
	phone_gets_within("100", 5000); /* RFC 4320 */
	phone_gets_within("504", 20000);
	assert_in_range(sim_now() - begin, 20 * SIM_SECOND, 20 * SIM_SECOND + 20 * SIM_MS);
	user_responds(200, NULL);
	assert_int_equal(st.error, EALREADY);
	bye();
}

/* ---- supplements ---- */

static char seen[512];

static void see(const char *what, struct rs_str method, unsigned status)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%s %.*s %u, ", what, RS_FMT(method), status);
}

static void began(struct ast_sip_session *s)
{
	(void)s;
	strcat(seen, "begin, ");
}

static void ended(struct ast_sip_session *s)
{
	(void)s;
	strcat(seen, "end");
}

static int request_in(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	(void)s;
	see("in", sip_rx_msg(rx)->method_text, 0);
	return 0;
}

static void response_in(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	(void)s;
	see("in", sip_rx_msg(rx)->cseq_method, sip_rx_msg(rx)->status);
}

static void request_out(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	(void)s;
	see("out", sip_tx_method_text(tx), 0);
	ast_sip_add_header(tx, "X-Supplement", "yes");
}

static void response_out(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	(void)s;
	see("out", sip_method_name(sip_tx_method(tx)), sip_tx_status(tx));
}

static int answers_info(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = ast_sip_session_create_response(s, rx, 299, RS_STR_NULL);

	strcat(seen, "first, ");
	ast_sip_session_respond(s, rx, tx);
	return 1;
}

static void supplements_see_all_of_a_session(void **state)
{
	struct ast_sip_session_supplement all = {.size = sizeof(all),
						 .name = "all",
						 .priority = 5,
						 .session_begin = began,
						 .session_end = ended,
						 .incoming_request = request_in,
						 .incoming_response = response_in,
						 .outgoing_request = request_out,
						 .outgoing_response = response_out};
	struct ast_sip_session_supplement info = {.size = sizeof(info),
						  .name = "info",
						  .method = "REFER, INFO",
						  .priority = 1,
						  .incoming_request = answers_info};

	(void)state;
	st_start("");
	seen[0] = '\0';
	assert_int_equal(ast_sip_session_register_supplement(&all), 0);
	assert_int_equal(ast_sip_session_register_supplement(&info), 0);
	user_calls("v=0", 0);
	phone_gets("INVITE");
	phone_saw("X-Supplement: yes");
	phone_answers("INVITE", 200, NULL, "v=0");
	user_hears("answer 200");
	phone_gets("ACK");
	phone_saw("X-Supplement: yes");
	phone_sends("INFO", NULL, NULL);
	phone_gets("299");
	user_hears_nothing();
	phone_sends("BYE", NULL, NULL);
	phone_gets("200");
	user_hears("end bye");
	assert_string_equal(seen, "begin, out INVITE 0, in INVITE 200, out ACK 0, first, out INFO 299, in BYE 0, "
				  "out BYE 200, end");
	ast_sip_session_unregister_supplement(&all);
	ast_sip_session_unregister_supplement(&info);
	st_call_in(NULL);
	bye();
}

static bool never(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	(void)s, (void)rx;
	strcat(seen, "asked, ");
	return false;
}

static void handlers_are_asked_in_order(void **state)
{
	struct ast_sip_session_handler first = {
		.size = sizeof(first), .name = "first", .priority = -1, .on_invite = never};
	struct ast_sip_session_handler last = {.size = sizeof(last), .name = "last", .priority = 1, .on_invite = never};

	(void)state;
	st_start("");
	seen[0] = '\0';
	assert_int_equal(ast_sip_session_register_handler(&last), 0);
	assert_int_equal(ast_sip_session_register_handler(&first), 0);
	st_call_in(NULL);
	assert_string_equal(seen, "asked, ");
	ast_sip_session_unregister_handler(&first);
	ast_sip_session_unregister_handler(&last);
	bye();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_invite_that_meets_ours_is_491),
		T(a_second_invite_is_500_with_retry_after),
		T(a_second_invite_before_the_answer_is_500),
		T(updates_that_meet_are_491_and_500),
		T(an_invite_between_an_offer_of_ours_and_its_answer_is_491),
		T(what_may_not_leave_now_is_eagain),
		T(the_owner_of_the_call_id_waits_longer),
		T(without_retry_491_is_an_outcome),
		T(the_peers_invite_goes_first_meanwhile),
		T(turns_follow_the_messages),
		T(a_reinvite_can_be_cancelled),
		T(the_2xx_of_a_reinvite_is_repeated_and_missed),
		T(what_the_user_leaves_lying_is_504),
		T(supplements_see_all_of_a_session),
		T(handlers_are_asked_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
