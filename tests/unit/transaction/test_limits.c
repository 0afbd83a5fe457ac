/* How many transactions there may be, what a completed one costs, and what is left at the end. */
#include "call.h"

#include "sip/transaction/tsx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void request(int i)
{
	char branch[50];

	snprintf(branch, sizeof(branch), "z9hG4bK-%d", i);
	call.branch = branch;
	phone_sends("OPTIONS");
}

static void request_at_the_limit_is_taken_and_the_next_is_503(void **state)
{
	(void)state;
	call.config.max_transactions = 3;
	call_start(UDP);
	for (int i = 0; i < 3; i++) {
		request(i);
		user_hears("request OPTIONS");
	}
	request(3);
	phone_gets("503");
	phone_saw("Retry-After: ");
	user_hears_nothing();
	assert_int_equal(call_stats().refused, 1);
	assert_int_equal(call_stats().server_now, 3);
	request(2); /* a retransmission needs no room */
	phone_gets_nothing();
	user_terminates(call.server);
	user_hears("terminated");
	request(3);
	user_hears("request OPTIONS");
	call_stop();
}

static void completed_ones_count_for_the_limit(void **state)
{
	(void)state;
	call.config.max_transactions = 2;
	call_start(UDP);
	call.answer_at_once = 200;
	request(0);
	phone_gets("200");
	request(1);
	phone_gets("200");
	request(2);
	phone_gets("503");
	call_wait(33000);
	request(2);
	phone_gets("200");
	call_end();
}

static void client_at_the_limit_is_refused(void **state)
{
	(void)state;
	call.config.max_transactions = 1;
	call_start(UDP);
	user_sends("INVITE");
	assert_int_equal(call.result, 0);
	phone_gets("INVITE");
	struct sip_tsx *first = sip_tsx_ref(call.client);

	user_sends("OPTIONS");
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, EAGAIN);
	assert_null(call.client);
	phone_gets_nothing();
	user_hears_nothing();
	assert_int_equal(call.holds, 1);
	call.client = first;
	phone_answers(180, "a");
	user_cancels(""); /* must not fail for want of room: it leaves once */
	phone_gets("CANCEL");
	phone_answers_invite(487, "a");
	phone_gets("ACK");
	call_end();
}

static void completed_transaction_takes_at_most_768_bytes(void **state)
{
	struct tsx_key key;
	struct sip_msg *msg;
	size_t size;

	(void)state;
	call_start(UDP);
	call.branch = "z9hG4bK-524287-1---7a5ef8b9c1d2e3f4";
	call.via = "192.168.100.200:15060";
	call.call_id = "84ce2d1b5f7a4f0a9d3e6c8b7a615243@192.168.100.200";
	call.answer_at_once = 200;
	phone_sends("REGISTER");
	phone_gets("200");
	msg = sip_rx_msg(call.request);
	assert_int_equal(tsx_key_server(&key, msg, SIP_METHOD_REGISTER, msg->to_tag), 0);
	size = tsx_table_completed_size(&key);
	tsx_key_fini(&key);
	/* Contact and Server of a registrar's 200, and what malloc adds to two blocks. */
	size += strlen(
		"Contact: <sip:alice@192.168.100.200:15060;transport=udp>;expires=3600\r\nServer: res_sip 0.1.0\r\n");
	size += 2 * 16;
	print_message("completed: %zu bytes\n", size);
	assert_true(size > 300 && size <= 768);
	call_end();
}

static void ten_thousand_transactions_come_and_go(void **state)
{
	(void)state;
	call_start(UDP);
	call.answer_at_once = 200;
	for (int i = 0; i < 10000; i++) {
		request(i);
		phone_gets("200");
		user_hears("request OPTIONS");
		user_hears("terminated");
	}
	assert_int_equal(call_stats().completed_now, 10000);
	request(5000);
	phone_gets("200");
	assert_int_equal(call_stats().absorbed, 1);
	call_end();
}

static void stopped_layer_takes_nothing_and_can_start_again(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		call_start(UDP);
		call.answer_at_once = i ? 0 : 200;
		phone_sends("OPTIONS");
		user_sends("INVITE");
		user_sends("MESSAGE");
		call_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_at_the_limit_is_taken_and_the_next_is_503),
		cmocka_unit_test(completed_ones_count_for_the_limit),
		cmocka_unit_test(client_at_the_limit_is_refused),
		cmocka_unit_test(completed_transaction_takes_at_most_768_bytes),
		cmocka_unit_test(ten_thousand_transactions_come_and_go),
		cmocka_unit_test(stopped_layer_takes_nothing_and_can_start_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
