/* Dialogs as client: what responses make of them, and the branches of a fork (RFC 3261 sections 12.1.2 and 13.2.2.4).
 */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BOB      "sip:bob@10.0.0.2:5060"
#define FROM_BOB "Contact: <sip:bob@10.0.0.2:5060>\r\n"

/* The phone speaks in our dialog now. */
static void phone_is(const char *tag)
{
	static char call_id[64];

	snprintf(call_id, sizeof(call_id), "%.*s", RS_FMT(sip_dialog_call_id(talk.dlg)));
	call.call_id = call_id;
	call.from_tag = tag;
}

static void the_invite_is_made_of_what_was_given(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "<sip:10.0.0.2;lr>");
	assert_true(sip_dialog_is_uac(talk.dlg));
	assert_int_equal(sip_dialog_remote_tag(talk.dlg).len, 0);
	talk_sends("INVITE");
	phone_gets("INVITE sip:bob@10.0.0.2:5060 SIP/2.0\r\n");
	phone_saw("From: \"Us\" <sip:us@example.com>;tag=");
	phone_saw("To: <sip:bob@10.0.0.2:5060>\r\n");
	phone_saw("Route: <sip:10.0.0.2;lr>\r\n");
	phone_saw("Contact: <sip:us@10.0.0.1:5060>\r\n");
	assert_int_equal(atoi(phone_header("CSeq")), (int)sip_dialog_local_cseq(talk.dlg));
	phone_replies(486, "b", "");
	talk_hears("response INVITE 486 mine");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_NEW);
	phone_gets("ACK");
	talk_end();
}

static void responses_make_it_early_and_confirmed(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(100, "", "");
	phone_replies(180, "", ""); /* no tag: no dialog */
	talk_hears("response INVITE 100 mine");
	talk_hears("response INVITE 180 mine");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_NEW);
	phone_replies(180, "b", FROM_BOB "Record-Route: <sip:p1.example;lr>, <sip:10.0.0.2;lr>\r\n");
	talk_hears("response INVITE 180 mine");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_EARLY);
	assert_true(str_is(sip_dialog_remote_tag(talk.dlg), "b"));
	talk_sends("PRACK");
	phone_gets("PRACK sip:bob@10.0.0.2:5060 SIP/2.0\r\n");
	phone_saw("To: <sip:bob@10.0.0.2:5060>;tag=b\r\n");
	/* As a client: the other way round, and instead of what was there before. */
	phone_saw("Route: <sip:10.0.0.2;lr>,<sip:p1.example;lr>\r\n");
	phone_replies(200, "", "");
	talk_hears("response PRACK 200 mine");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_EARLY);
	phone_answers_invite(486, "b");
	talk_hears("response INVITE 486 mine");
	talk_end();
}

static void the_2xx_has_the_last_word_on_the_route(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "<sip:10.0.0.2;lr>");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(180, "b", FROM_BOB "Record-Route: <sip:10.0.0.2;lr>\r\n");
	phone_replies(200, "b", "Contact: <sip:robert@10.0.0.2>\r\n");
	talk_hears("response INVITE 180 mine");
	talk_hears("response INVITE 200 mine");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	talk_sends("BYE");
	phone_gets("BYE sip:robert@10.0.0.2 SIP/2.0\r\n");
	phone_did_not_see("Route:");
	phone_replies(200, "", "");
	talk_hears("response BYE 200 mine");
	talk_end();
}

static void a_repeated_2xx_does_not_move_the_target_back(void **state)
{
	char invite[2000];

	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(200, "b", FROM_BOB);
	talk_hears("response INVITE 200 mine");
	snprintf(invite, sizeof(invite), "SIP/2.0 200 OK\r\nVia: %s\r\n", phone_header("Via"));
	snprintf(invite + strlen(invite), sizeof(invite) - strlen(invite), "From: %s\r\n", phone_header("From"));
	snprintf(invite + strlen(invite), sizeof(invite) - strlen(invite), "To: %s;tag=b\r\n", phone_header("To"));
	snprintf(invite + strlen(invite), sizeof(invite) - strlen(invite), "Call-ID: %s\r\n", phone_header("Call-ID"));
	snprintf(invite + strlen(invite), sizeof(invite) - strlen(invite),
		 "CSeq: %s\r\n" FROM_BOB "Content-Length: 0\r\n\r\n", phone_header("CSeq"));
	talk_sends("UPDATE");
	phone_gets("UPDATE");
	phone_replies(200, "", "Contact: <sip:moved@10.0.0.2>\r\n");
	talk_hears("response UPDATE 200 mine");
	phone_sends_text(invite);
	talk_hears("response INVITE 200 mine");
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:moved@10.0.0.2"));
	talk_end();
}

static void the_ack_has_the_invite_s_number_and_credentials(void **state)
{
	struct sip_tx_data *invite, *ack;
	unsigned cseq;

	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "");
	invite = talk_request("INVITE");
	assert_int_equal(sip_tx_add_hdr(invite, SIP_HDR_PROXY_AUTHORIZATION, RS_STR("Digest username=\"a\"")), 0);
	assert_int_equal(sip_tx_add_hdr(invite, SIP_HDR_AUTHORIZATION, RS_STR("Digest username=\"b\"")), 0);
	cseq = sip_tx_cseq(invite);
	sip_tx_unref(talk_request("INFO"));
	ack = sip_dialog_ack(talk.dlg, invite);
	assert_non_null(ack);
	assert_int_equal(sip_tx_method(ack), SIP_METHOD_ACK);
	assert_int_equal(sip_tx_cseq(ack), cseq);
	assert_true(str_is(sip_tx_hdr(ack, SIP_HDR_PROXY_AUTHORIZATION), "Digest username=\"a\""));
	assert_true(str_is(sip_tx_hdr(ack, SIP_HDR_AUTHORIZATION), "Digest username=\"b\""));
	sip_tx_unref(ack);
	ack = talk_request("ACK");
	assert_int_equal(sip_tx_cseq(ack), cseq);
	sip_tx_unref(ack);
	sip_tx_unref(invite);
	talk_end();
}

/* ---- forks ---- */

static struct sip_dialog *fork_of_last;
static bool made;
static unsigned forks;

static void fork_it(struct sip_rx_data *rx)
{
	struct sip_dialog *d;

	if (rs_str_eqz(sip_rx_msg(rx)->to_tag, "b") || sip_rx_msg(rx)->status >= 300)
		return;
	d = sip_dialog_fork(talk.dlg, rx, &made);
	sip_dialog_unref(fork_of_last);
	fork_of_last = d;
	forks += made;
}

static void two_2xx_of_a_fork_are_two_dialogs(void **state)
{
	struct sip_tx_data *bye;

	(void)state;
	forks = 0;
	talk_start(UDP);
	talk.on_response = fork_it;
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(180, "b", FROM_BOB);
	phone_replies(180, "c", "Contact: <sip:carol@10.0.0.2>\r\nRecord-Route: <sip:10.0.0.2;lr>\r\n");
	talk_hears("response INVITE 180 mine");
	talk_hears("response INVITE 180 other");
	assert_true(made);
	assert_int_equal(sip_dialog_state(fork_of_last), SIP_DIALOG_EARLY);
	phone_replies(200, "b", FROM_BOB);
	phone_replies(200, "c", "Contact: <sip:carol@10.0.0.2>\r\nRecord-Route: <sip:10.0.0.2;lr>\r\n");
	talk_hears("response INVITE 200 mine");
	talk_hears("response INVITE 200 other");
	assert_false(made); /* the one of its 180 */
	assert_int_equal(forks, 1);
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	assert_int_equal(sip_dialog_state(fork_of_last), SIP_DIALOG_CONFIRMED);
	assert_ptr_equal(sip_dialog_serializer(fork_of_last), sip_dialog_serializer(talk.dlg));
	assert_true(str_is(sip_dialog_remote_tag(fork_of_last), "c"));
	assert_true(rs_str_eq(sip_dialog_local_tag(fork_of_last), sip_dialog_local_tag(talk.dlg)));
	bye = sip_dialog_request(fork_of_last, RS_STR("BYE"));
	assert_non_null(bye);
	assert_true(str_is(sip_tx_uri(bye), "sip:carol@10.0.0.2"));
	assert_true(str_is(sip_tx_hdr(bye, SIP_HDR_ROUTE), "<sip:10.0.0.2;lr>"));
	assert_int_equal(sip_tx_cseq(bye), sip_dialog_local_cseq(talk.dlg) + 1);
	sip_tx_unref(bye);
	sip_dialog_unref(fork_of_last);
	fork_of_last = NULL;
	talk_end();
}

static void a_fork_is_found_by_its_own_tag(void **state)
{
	(void)state;
	talk_start(UDP);
	talk.on_response = fork_it;
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(180, "b", FROM_BOB);
	phone_replies(200, "c", "Contact: <sip:carol@10.0.0.2>\r\n");
	talk_hears("response INVITE 180 mine");
	talk_hears("response INVITE 200 other");
	assert_int_equal(sip_dialog_state(fork_of_last), SIP_DIALOG_CONFIRMED);
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_EARLY);
	phone_is("c");
	phone_asks("INFO", 1);
	talk_hears("nobody INFO"); /* it has no usages */
	phone_is("b");
	talk.answer = 200;
	phone_asks("INFO", 1);
	talk_hears("INFO 1");
	sip_dialog_unref(fork_of_last);
	fork_of_last = NULL;
	phone_is("c");
	phone_asks("INFO", 2);
	user_hears("request INFO");
	talk_end();
}

static void a_refusal_speaks_for_all_branches(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(180, "b", FROM_BOB);
	phone_replies(603, "x", "");
	talk_hears("response INVITE 180 mine");
	talk_hears("response INVITE 603 mine");
	phone_gets("ACK");
	talk_end();
}

static void a_tag_may_be_long(void **state)
{
	char tag[200];

	(void)state;
	memset(tag, 't', sizeof(tag));
	tag[sizeof(tag) - 1] = '\0';
	talk_start(UDP);
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(200, tag, FROM_BOB);
	talk_hears("response INVITE 200 mine");
	assert_true(str_is(sip_dialog_remote_tag(talk.dlg), tag));
	phone_is(tag);
	talk.answer = 200;
	phone_asks("INFO", 1);
	talk_hears("INFO 1");
	talk_end();
}

static void the_peer_s_first_number_is_taken_as_it_is(void **state)
{
	(void)state;
	talk_start(UDP);
	talk_calls(BOB, "");
	talk_sends("INVITE");
	phone_gets("INVITE");
	phone_replies(200, "b", FROM_BOB);
	talk_hears("response INVITE 200 mine");
	assert_int_equal(sip_dialog_remote_cseq(talk.dlg), 0);
	phone_is("b");
	talk.answer = 200;
	phone_asks("INFO", 700);
	talk_hears("INFO 700");
	phone_gets("200");
	phone_asks("INFO", 699);
	phone_gets("500");
	talk_end();
}

static void without_what_it_needs_none_is_made(void **state)
{
	struct sip_dialog_uac_params p = {.size = sizeof(p), .uri = RS_STR(BOB), .from = RS_STR("<sip:a@b>")};

	(void)state;
	talk_start(UDP);
	p.uri = RS_STR_NULL;
	assert_null(sip_dialog_uac(&p));
	assert_int_equal(errno, EINVAL);
	p.uri = RS_STR("not a uri");
	assert_null(sip_dialog_uac(&p));
	assert_int_equal(errno, EINVAL);
	p.uri = RS_STR(BOB);
	p.route = RS_STR("not a route");
	assert_null(sip_dialog_uac(&p));
	assert_int_equal(errno, EINVAL);
	p.route = RS_STR_NULL;
	p.from = RS_STR("<sip:a@b>\r\nEvil: yes");
	assert_null(sip_dialog_uac(&p));
	assert_int_equal(errno, EINVAL);
	p.from = RS_STR("<sip:a@b>");
	p.size--;
	assert_null(sip_dialog_uac(&p));
	talk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_invite_is_made_of_what_was_given),
		cmocka_unit_test(responses_make_it_early_and_confirmed),
		cmocka_unit_test(the_2xx_has_the_last_word_on_the_route),
		cmocka_unit_test(a_repeated_2xx_does_not_move_the_target_back),
		cmocka_unit_test(the_ack_has_the_invite_s_number_and_credentials),
		cmocka_unit_test(two_2xx_of_a_fork_are_two_dialogs),
		cmocka_unit_test(a_fork_is_found_by_its_own_tag),
		cmocka_unit_test(a_refusal_speaks_for_all_branches),
		cmocka_unit_test(a_tag_may_be_long),
		cmocka_unit_test(the_peer_s_first_number_is_taken_as_it_is),
		cmocka_unit_test(without_what_it_needs_none_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
