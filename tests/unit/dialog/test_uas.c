/* Dialogs as server: how they come, what the peer may do in them (RFC 3261 sections 12.1.1 and 12.2.2). */
#include "talk.h"

#include <errno.h>
#include <stdio.h>

#define CONTACT "<sip:alice@10.0.0.2:5060>"

static void states_follow_the_answers(void **state)
{
	struct sip_dialog_stats stats;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	assert_non_null(talk.dlg);
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_NEW);
	assert_false(sip_dialog_is_uac(talk.dlg));
	talk_answers(100);
	phone_gets("100");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_NEW);
	talk_answers(180);
	phone_gets("180");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_EARLY);
	sip_dialog_stats(&stats);
	assert_int_equal(stats.early_now, 1);
	talk_answers(200);
	phone_gets("200");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	sip_dialog_stats(&stats);
	assert_int_equal(stats.early_now, 0);
	assert_int_equal(stats.now, 1);
	talk_end();
}

static void a_refusal_ends_it_quietly(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(180);
	phone_gets("180");
	talk_answers(486);
	phone_gets("486");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_TERMINATED);
	talk_hears_nothing();
	assert_null(talk_request("BYE"));
	assert_int_equal(talk.error, ENOTCONN);
	talk_end();
}

static void the_answer_has_tag_contact_and_record_route_as_they_came(void **state)
{
	char to[200];

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "Record-Route: <sip:p2.example;lr>;x=1, <sip:p1.example;lr>\r\n"
			       "Record-Route: <sip:p0.example;lr>\r\n");
	talk_answers(200);
	phone_gets("200");
	phone_saw(
		"Record-Route: <sip:p2.example;lr>;x=1, <sip:p1.example;lr>\r\nRecord-Route: <sip:p0.example;lr>\r\n");
	phone_saw("Contact: <sip:us@10.0.0.1:5060>\r\n");
	snprintf(to, sizeof(to), "To: <sip:bob@example.com>;tag=%.*s\r\n", RS_FMT(sip_dialog_local_tag(talk.dlg)));
	phone_saw(to);
	talk_end();
	/* A refusal makes no dialog. */
	talk_start(UDP);
	phone_invites(CONTACT, "Record-Route: <sip:p1.example;lr>\r\n");
	talk_answers(404);
	phone_gets("404");
	phone_did_not_see("Record-Route");
	phone_did_not_see("Contact");
	talk_end();
}

static void requests_inside_mirror_what_came(void **state)
{
	(void)state;
	talk_start(UDP);
	call.cseq = 41;
	phone_invites(CONTACT ";x=1", "Record-Route: <sip:10.0.0.2;lr>\r\nRecord-Route: <sip:p1.example;lr>;y\r\n");
	talk_answers(200);
	phone_gets("200");
	assert_true(str_is(sip_dialog_call_id(talk.dlg), "call-1@10.0.0.2"));
	assert_true(str_is(sip_dialog_remote_tag(talk.dlg), "from1"));
	assert_true(str_is(sip_dialog_remote(talk.dlg), "<sip:alice@example.com>"));
	assert_true(str_is(sip_dialog_local(talk.dlg), "<sip:bob@example.com>"));
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:alice@10.0.0.2:5060"));
	assert_int_equal(sip_dialog_remote_cseq(talk.dlg), 41);
	talk_sends("INFO");
	phone_gets("INFO sip:alice@10.0.0.2:5060 SIP/2.0\r\n");
	phone_saw("To: <sip:alice@example.com>;tag=from1\r\n");
	phone_saw("From: <sip:bob@example.com>;tag=");
	phone_saw("Call-ID: call-1@10.0.0.2\r\n");
	/* As a server: in the order in which they stood. */
	phone_saw("Route: <sip:10.0.0.2;lr>,<sip:p1.example;lr>;y\r\n");
	phone_did_not_see("Contact");
	phone_replies(200, "", "");
	talk_hears("response INFO 200 mine");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_saw("Contact: <sip:us@10.0.0.1:5060>\r\n");
	phone_replies(486, "", "");
	talk_hears("response INVITE 486 mine");
	phone_gets("ACK");
	talk_end();
}

static void our_numbers_go_up_by_one(void **state)
{
	uint32_t first;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	for (int i = 0; i < 3; i++) {
		struct sip_tx_data *tx = talk_request("INFO");

		assert_non_null(tx);
		if (i == 0)
			first = sip_tx_cseq(tx);
		assert_int_equal(sip_tx_cseq(tx), first + (unsigned)i);
		assert_int_equal(sip_dialog_local_cseq(talk.dlg), first + (unsigned)i);
		sip_tx_unref(tx);
	}
	/* There was no INVITE of ours, and CANCEL is the transaction's. */
	assert_null(talk_request("ACK"));
	assert_int_equal(talk.error, EINVAL);
	assert_null(talk_request("CANCEL"));
	talk_end();
}

static void what_is_no_start_of_a_dialog_is_refused(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites("", "");
	assert_null(talk.dlg);
	assert_int_equal(talk.error, EINVAL);
	phone_invites("<tel:+123>", "");
	assert_null(talk.dlg);
	phone_invites("*", "");
	assert_null(talk.dlg);
	phone_invites(CONTACT, "Record-Route: p1.example\r\n");
	assert_null(talk.dlg);
	assert_int_equal(talk.error, EINVAL);
	call_stop();
	talk_drop();
}

/* ---- the peer's numbers ---- */

static void numbers_may_have_gaps_and_never_go_back(void **state)
{
	(void)state;
	talk_start(UDP);
	call.cseq = 10;
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.answer = 200;
	phone_asks("INFO", 15);
	talk_hears("INFO 15");
	phone_gets("200");
	phone_asks("INFO", 14);
	phone_gets("500");
	phone_asks("INFO", 15);
	phone_gets("500");
	talk_hears_nothing();
	assert_int_equal(sip_dialog_remote_cseq(talk.dlg), 15);
	phone_asks("INFO", 16);
	talk_hears("INFO 16");
	phone_gets("200");
	talk_end();
}

static void a_retransmission_is_absorbed(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.answer = 200;
	phone_asks("INFO", 2);
	talk_hears("INFO 2");
	phone_gets("200");
	call.branch = "z9hG4bKr2"; /* the same: the second that talk.c made */
	phone_sends("INFO");
	phone_gets_again();
	talk_hears_nothing();
	talk_end();
}

/* ---- the target ---- */

static void only_what_refreshes_moves_the_target(void **state)
{
	static const struct {
		const char *method;
		bool moves;
	} cases[] = {{"INVITE", true}, {"UPDATE", true}, {"SUBSCRIBE", true}, {"NOTIFY", true},
		     {"INFO", false},  {"REFER", false}, {"MESSAGE", false},  {"OPTIONS", false}};
	unsigned cseq = 1;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.answer = 200;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char contact[100], uri[60], heard[40], was[100];

		snprintf(was, sizeof(was), "%.*s", RS_FMT(sip_dialog_remote_target(talk.dlg)));
		snprintf(uri, sizeof(uri), "sip:moved%zu@10.0.0.2", i);
		snprintf(contact, sizeof(contact), "Contact: <%s>\r\n", uri);
		phone_asks_with(cases[i].method, ++cseq, contact);
		snprintf(heard, sizeof(heard), "%s %u", cases[i].method, cseq);
		talk_hears(heard);
		phone_gets("200");
		assert_true(str_is(sip_dialog_remote_target(talk.dlg), cases[i].moves ? uri : was));
	}
	/* The route set never moves (section 12.2). */
	phone_asks_with("UPDATE", ++cseq, "Contact: <sip:x@10.0.0.2>\r\nRecord-Route: <sip:p9.example;lr>\r\n");
	talk_hears("UPDATE 10");
	phone_gets("200");
	talk_sends("BYE");
	phone_gets("BYE sip:x@10.0.0.2 SIP/2.0\r\n");
	phone_did_not_see("Route:");
	phone_replies(200, "", "");
	talk_hears("response BYE 200 mine");
	talk_end();
}

static void our_2xx_to_a_refresh_moves_the_target_once(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk_sends("UPDATE");
	phone_gets("UPDATE");
	phone_replies(200, "", "Contact: <sip:there@10.0.0.2>\r\n");
	talk_hears("response UPDATE 200 mine");
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:there@10.0.0.2"));
	talk_sends("INFO");
	phone_gets("INFO");
	phone_replies(200, "", "Contact: <sip:elsewhere@10.0.0.2>\r\n");
	talk_hears("response INFO 200 mine");
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:there@10.0.0.2"));
	talk_sends("UPDATE");
	phone_gets("UPDATE");
	phone_replies(488, "", "Contact: <sip:elsewhere@10.0.0.2>\r\n");
	talk_hears("response UPDATE 488 mine");
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:there@10.0.0.2"));
	talk_end();
}

/* ---- strict routers (section 12.2.1.1) ---- */

static void a_strict_router_takes_the_request_uri(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "Record-Route: <sip:10.0.0.2;method=INVITE>\r\nRecord-Route: <sip:p1.example;lr>\r\n");
	talk_answers(200);
	phone_gets("200");
	talk_sends("INFO");
	phone_gets("INFO sip:10.0.0.2 SIP/2.0\r\n");
	phone_saw("Route: <sip:p1.example;lr>,<sip:alice@10.0.0.2:5060>\r\n");
	phone_replies(200, "", "");
	talk_hears("response INFO 200 mine");
	talk_end();
	talk_start(UDP);
	phone_invites(CONTACT, "Record-Route: <sip:10.0.0.2>\r\n");
	talk_answers(200);
	phone_gets("200");
	talk_sends("INFO");
	phone_gets("INFO sip:10.0.0.2 SIP/2.0\r\n");
	phone_saw("Route: <sip:alice@10.0.0.2:5060>\r\n");
	phone_replies(200, "", "");
	talk_hears("response INFO 200 mine");
	talk_end();
}

/* ---- who is found ---- */

static void the_dialog_is_found_by_all_three(void **state)
{
	struct sip_dialog *d;
	struct sip_tsx *first;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(180);
	phone_gets("180");
	first = sip_tsx_ref(talk.tsx);
	d = sip_dialog_find(RS_STR("call-1@10.0.0.2"), sip_dialog_local_tag(talk.dlg), RS_STR("from1"));
	assert_ptr_equal(d, talk.dlg);
	sip_dialog_unref(d);
	assert_null(sip_dialog_find(RS_STR("call-2@10.0.0.2"), sip_dialog_local_tag(talk.dlg), RS_STR("from1")));
	assert_null(sip_dialog_find(RS_STR("call-1@10.0.0.2"), RS_STR("nobody"), RS_STR("from1")));
	assert_null(sip_dialog_find(RS_STR("call-1@10.0.0.2"), sip_dialog_local_tag(talk.dlg), RS_STR("from2")));
	talk.answer = 200;
	/* What is in no dialog goes where it went before. */
	call.from_tag = "from2";
	phone_asks("INFO", 2);
	user_hears("request INFO");
	user_hears("terminated");
	call.from_tag = "from1";
	phone_asks("PRACK", 2); /* an early one is a dialog, too */
	talk_hears("PRACK 2");
	user_hears_nothing();
	phone_gets("481");
	phone_gets("200");
	sip_tsx_terminate(first); /* it was answered 180 only */
	sip_tsx_unref(first);
	talk_lets_go();
	phone_asks("INFO", 3);
	user_hears("request INFO");
	talk_end();
}

static void acks_and_byes_keep_their_order(void **state)
{
	(void)state;
	for (int transport = UDP; transport <= TCP; transport++) {
		talk_start((enum call_transport)transport);
		talk.answer = 200;
		phone_invites(CONTACT, "");
		talk_answers(200);
		phone_gets("200");
		phone_asks("ACK", 1);
		phone_asks("INVITE", 2);
		phone_asks("ACK", 2);
		phone_asks("INFO", 3);
		phone_asks("BYE", 4);
		talk_hears("ack 1");
		talk_hears("INVITE 2");
		talk_hears("ack 2");
		talk_hears("INFO 3");
		talk_hears("BYE 4");
		talk_end();
	}
}

/* All of a batch wait on the serializer before the first of them runs. */
static void a_batch_runs_in_the_order_of_arrival(void **state)
{
	char text[4000];
	size_t len = 0;
	static const char *const methods[] = {"ACK", "INFO", "INVITE", "ACK", "BYE"};
	static const unsigned cseqs[] = {1, 2, 3, 3, 4};

	(void)state;
	talk_start(TCP);
	talk.answer = 200;
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	for (size_t i = 0; i < RS_ARRAY_SIZE(methods); i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len,
			"%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx%zu\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=from1\r\n"
			"To: <sip:bob@example.com>;tag=%.*s\r\nCall-ID: call-1@10.0.0.2\r\n"
			"CSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
			methods[i], i, RS_FMT(sip_dialog_local_tag(talk.dlg)), cseqs[i], methods[i]);
	phone_sends_text(text);
	talk_hears("ack 1");
	talk_hears("INFO 2");
	talk_hears("INVITE 3");
	talk_hears("ack 3");
	talk_hears("BYE 4");
	talk_end();
}

static void an_ack_with_the_invite_s_branch_is_the_dialog_s(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	call.branch = "z9hG4bKi1";
	call.to_tag = "x";
	phone_sends("ACK");
	talk_hears_nothing();
	talk.answer = 200;
	phone_asks("INFO", 2); /* fills in the right tag */
	talk_hears("INFO 2");
	call.branch = "z9hG4bKi1";
	call.cseq = 1;
	phone_sends("ACK");
	talk_hears("ack 1");
	talk_end();
}

static void an_ack_is_never_answered(void **state)
{
	struct sip_dialog_stats stats;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.refuse = true;
	phone_asks("ACK", 1);
	phone_gets_nothing();
	sip_dialog_stats(&stats);
	assert_int_equal(stats.stray_acks, 1);
	talk.refuse = false;
	talk_lets_go();
	phone_asks("ACK", 1);
	phone_gets_nothing();
	talk_end();
}

static void the_ack_of_a_refusal_is_the_transaction_s(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.answer = 488;
	phone_asks("INVITE", 2);
	talk_hears("INVITE 2");
	phone_gets("488");
	phone_sends("ACK"); /* the same branch */
	talk_hears_nothing();
	talk_end();
}

static void a_cancel_inside_ends_the_second_invite(void **state)
{
	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	phone_asks("INVITE", 2);
	talk_hears("INVITE 2");
	phone_sends("CANCEL");
	phone_gets("200");
	talk_answers(487);
	phone_gets("487");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	phone_sends("ACK");
	talk_end();
}

static void secure_takes_both(void **state)
{
	(void)state;
	talk_start(UDP);
	call.uri = "sips:bob@example.com";
	phone_invites("<sips:alice@10.0.0.2>", "");
	assert_non_null(talk.dlg);
	assert_false(sip_dialog_secure(talk.dlg)); /* it came by UDP */
	talk_answers(486);
	phone_gets("486");
	talk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_follow_the_answers),
		cmocka_unit_test(a_refusal_ends_it_quietly),
		cmocka_unit_test(the_answer_has_tag_contact_and_record_route_as_they_came),
		cmocka_unit_test(requests_inside_mirror_what_came),
		cmocka_unit_test(our_numbers_go_up_by_one),
		cmocka_unit_test(what_is_no_start_of_a_dialog_is_refused),
		cmocka_unit_test(numbers_may_have_gaps_and_never_go_back),
		cmocka_unit_test(a_retransmission_is_absorbed),
		cmocka_unit_test(only_what_refreshes_moves_the_target),
		cmocka_unit_test(our_2xx_to_a_refresh_moves_the_target_once),
		cmocka_unit_test(a_strict_router_takes_the_request_uri),
		cmocka_unit_test(the_dialog_is_found_by_all_three),
		cmocka_unit_test(acks_and_byes_keep_their_order),
		cmocka_unit_test(a_batch_runs_in_the_order_of_arrival),
		cmocka_unit_test(an_ack_with_the_invite_s_branch_is_the_dialog_s),
		cmocka_unit_test(an_ack_is_never_answered),
		cmocka_unit_test(the_ack_of_a_refusal_is_the_transaction_s),
		cmocka_unit_test(a_cancel_inside_ends_the_second_invite),
		cmocka_unit_test(secure_takes_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
