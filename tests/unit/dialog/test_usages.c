/* Usages: a dialog lives as long as one of them, and each hears in its turn (RFC 5057). */
#include "talk.h"

#include <errno.h>
#include <stdio.h>

#define CONTACT "<sip:alice@10.0.0.2:5060>"

static bool second_takes;

static bool second_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	(void)token;
	talk_note("second %.*s", RS_FMT(sip_rx_msg(rx)->method_text));
	if (second_takes)
		sip_dialog_respond(dlg, rx, sip_dialog_response(dlg, rx, 200, RS_STR_NULL));
	return second_takes;
}

static void second_ended(struct sip_dialog *dlg, void *token)
{
	(void)dlg, (void)token;
	talk_note("second ended");
}

static const struct sip_dialog_usage second = {
	.size = sizeof(second), .name = "call", .on_request = second_request, .on_ended = second_ended};

static int add_second(void *data)
{
	(void)data;
	return sip_dialog_add_usage_for(&call, talk.dlg, &second, NULL);
}

static int remove_second(void *data)
{
	(void)data;
	sip_dialog_remove_usage(talk.dlg, &second, NULL);
	return 0;
}

static int terminate(void *data)
{
	(void)data;
	sip_dialog_terminate(talk.dlg);
	return 0;
}

static void begin(void)
{
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
}

static void the_last_usage_ends_the_dialog(void **state)
{
	(void)state;
	begin();
	assert_int_equal(talk_on(add_second, NULL), 0);
	assert_int_equal(call.holds, 2);
	talk_lets_go();
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_CONFIRMED);
	talk_on(remove_second, NULL);
	assert_int_equal(call.holds, 0);
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_TERMINATED);
	phone_asks("INFO", 2);
	user_hears("request INFO");
	assert_int_equal(talk_on(add_second, NULL), -1);
	assert_int_equal(errno, ESHUTDOWN);
	talk_on(remove_second, NULL); /* it is not in */
	talk_end();
}

static void usages_are_asked_in_the_order_in_which_they_came(void **state)
{
	(void)state;
	begin();
	talk_on(add_second, NULL);
	talk.answer = 200;
	phone_asks("INFO", 2);
	talk_hears("INFO 2");
	talk_hears_nothing();
	talk.refuse = true;
	second_takes = true;
	phone_asks("INFO", 3);
	talk_hears("second INFO");
	second_takes = false;
	phone_asks("INFO", 4);
	talk_hears("second INFO");
	talk_hears("nobody INFO");
	talk_on(remove_second, NULL);
	talk_end();
}

static void a_usage_may_leave_while_it_is_asked(void **state)
{
	(void)state;
	begin();
	talk.answer = 200;
	talk.let_go_at_bye = true;
	phone_asks("BYE", 2);
	talk_hears("BYE 2");
	phone_gets("200");
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_TERMINATED);
	call.branch = "z9hG4bKr2";
	phone_sends("BYE"); /* its retransmission is the transaction's */
	phone_gets_again();
	talk_end();
}

static void what_was_received_before_the_end_is_481(void **state)
{
	struct sip_dialog *d;

	(void)state;
	begin();
	d = sip_dialog_ref(talk.dlg);
	talk_on(terminate, NULL);
	talk_hears("ended");
	assert_int_equal(sip_dialog_state(d), SIP_DIALOG_TERMINATED);
	talk_on(terminate, NULL); /* once */
	talk_hears_nothing();
	sip_dialog_unref(d);
	talk_end();
}

/* Both are on the serializer before the first runs, which ends the dialog. */
static void a_request_behind_the_bye_is_481(void **state)
{
	char text[3000];
	size_t len = 0;

	(void)state;
	talk_start(TCP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	talk.answer = 200;
	talk.let_go_at_bye = true;
	for (unsigned i = 2; i <= 3; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len,
			"%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKy%u\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=from1\r\n"
			"To: <sip:bob@example.com>;tag=%.*s\r\nCall-ID: call-1@10.0.0.2\r\n"
			"CSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
			i == 2 ? "BYE" : "INFO", i, RS_FMT(sip_dialog_local_tag(talk.dlg)), i, i == 2 ? "BYE" : "INFO");
	phone_sends_text(text);
	talk_hears("BYE 2");
	phone_gets("200");
	phone_gets("481");
	talk_end();
}

static void all_usages_hear_of_the_end(void **state)
{
	(void)state;
	begin();
	talk_on(add_second, NULL);
	talk_on(terminate, NULL);
	talk_hears("ended");
	talk_hears("second ended");
	talk_on(remove_second, NULL);
	talk_end();
}

static void a_stop_of_the_stack_ends_all(void **state)
{
	(void)state;
	begin();
	call_stop(); /* which checks that no usage is left */
	assert_int_equal(sip_dialog_state(talk.dlg), SIP_DIALOG_TERMINATED);
	talk_drop();
}

static unsigned released;

static void release(void *value)
{
	assert_ptr_equal(value, &released);
	released++;
}

static void the_owner_lives_as_long_as_the_dialog(void **state)
{
	(void)state;
	begin();
	sip_dialog_set_owner(talk.dlg, &released, release);
	assert_ptr_equal(sip_dialog_owner(talk.dlg), &released);
	assert_ptr_equal(sip_dialog_owner_of(talk.dlg, release), &released);
	assert_null(sip_dialog_owner_of(talk.dlg, NULL));
	assert_int_equal(released, 0);
	talk_end();
	assert_int_equal(released, 1);
}

static void effects_are_those_of_rfc_5057(void **state)
{
	static const unsigned ends[] = {404, 410, 416, 482, 483, 484, 485, 502, 604};
	static const unsigned usage[] = {405, 480, 481, 489, 501};
	static const unsigned keeps[] = {200, 400, 401, 403, 407, 408, 420, 486,
					 487, 488, 491, 500, 503, 600, 603, 606};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(ends); i++)
		assert_int_equal(sip_dialog_effect(ends[i]), SIP_DIALOG_ENDS);
	for (size_t i = 0; i < RS_ARRAY_SIZE(usage); i++)
		assert_int_equal(sip_dialog_effect(usage[i]), SIP_DIALOG_USAGE_ENDS);
	for (size_t i = 0; i < RS_ARRAY_SIZE(keeps); i++)
		assert_int_equal(sip_dialog_effect(keeps[i]), SIP_DIALOG_KEEPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_usage_ends_the_dialog),
		cmocka_unit_test(usages_are_asked_in_the_order_in_which_they_came),
		cmocka_unit_test(a_usage_may_leave_while_it_is_asked),
		cmocka_unit_test(what_was_received_before_the_end_is_481),
		cmocka_unit_test(a_request_behind_the_bye_is_481),
		cmocka_unit_test(all_usages_hear_of_the_end),
		cmocka_unit_test(a_stop_of_the_stack_ends_all),
		cmocka_unit_test(the_owner_lives_as_long_as_the_dialog),
		cmocka_unit_test(effects_are_those_of_rfc_5057),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
