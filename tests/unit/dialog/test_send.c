/* A request whose whole way is followed, in a dialog: responses, challenges, targets, the order in which they leave. */
#include "with_core.h"

#define CONFIG "[plain]\ntype=endpoint\n"

static void every_step_is_told(void **state)
{
	const char *m;

	(void)state;
	dc_start(CONFIG, NULL);
	dc_calls("plain", "sip:bob@10.0.0.2");
	dc_sends("INVITE");
	m = strdup(dc_got(dc.phone, "INVITE"));
	ct_answer(dc.phone, m, 100, "");
	ct_answer(dc.phone, m, 180, BOB_CONTACT);
	dc_hears("1xx 180");
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_EARLY);
	ct_answer(dc.phone, m, 200, BOB_CONTACT);
	dc_hears("final 200");
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_CONFIRMED);
	ct_answer(dc.phone, m, 200, BOB_CONTACT);
	dc_hears("more 200");
	dc_hears_nothing();
	sim_run_for(33 * SIM_SECOND); /* Timer M */
	dc_hears("gone");
	free((void *)(uintptr_t)m);
	dc_stop();
}

static void silence_is_a_timeout(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	dc_sends_for("INFO", 1500);
	dc_got(dc.phone, "INFO");
	sim_run_for(1600 * SIM_MS);
	dc_hears("final timeout");
	dc_hears("gone");
	/* It is no end of the dialog by itself. */
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_CONFIRMED);
	sim_run_for(40 * SIM_SECOND);
	dc_hears("gone"); /* that of the INVITE */
	dc_stop();
}

/* ---- challenges ---- */

static struct sip_tx_data *with_auth(struct ast_sip_endpoint *e, struct sip_rx_data *challenge, struct sip_tx_data *old,
				     unsigned attempt)
{
	struct sip_tx_data *tx = sip_tx_clone(old, sip_tx_cseq(old) + 1);

	(void)challenge, (void)attempt;
	assert_true(rs_str_eqz(ast_sip_endpoint_id(e), "plain"));
	assert_non_null(tx);
	sip_tx_remove_hdr(tx, SIP_HDR_AUTHORIZATION);
	sip_tx_add_hdr(tx, SIP_HDR_AUTHORIZATION, RS_STR("Digest username=\"x\""));
	return tx;
}
static struct ast_sip_outbound_authenticator outbound = {
	.size = sizeof(struct ast_sip_outbound_authenticator), .name = "test", .create_request_with_auth = with_auth};

#define CHALLENGE "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\n"

static int cseq_of(const char *m)
{
	return atoi(ct_header(m, "CSeq", 0));
}

static void a_challenge_takes_the_dialog_s_next_number(void **state)
{
	char *info;
	const char *m;
	int first;

	(void)state;
	dc_start(CONFIG, NULL);
	assert_int_equal(ast_sip_register_outbound_authenticator(&outbound), 0);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	dc_sends("INFO");
	info = strdup(dc_got(dc.phone, "INFO"));
	first = cseq_of(info);
	/* Another one has the next number before the challenge comes. */
	dc_sends("MESSAGE");
	m = dc_got(dc.phone, "MESSAGE");
	assert_int_equal(cseq_of(m), first + 1);
	ct_answer(dc.phone, m, 200, "");
	dc_hears("final 200");
	dc_hears("gone");
	ct_answer(dc.phone, info, 401, CHALLENGE);
	m = dc_got(dc.phone, "INFO");
	assert_int_equal(cseq_of(m), first + 2);
	assert_string_equal(ct_header(m, "Authorization", 0), "Digest username=\"x\"");
	ct_answer(dc.phone, m, 200, "");
	dc_hears("final 200");
	dc_hears("gone");
	free(info);
	dc_sends("BYE");
	m = dc_got(dc.phone, "BYE");
	assert_int_equal(cseq_of(m), first + 3);
	ct_answer(dc.phone, m, 200, "");
	dc_hears("final 200");
	dc_hears("gone");
	dc_stop();
}

static int ack_it(void *data)
{
	(void)data;
	return ast_sip_send_ack(sip_dialog_ack(dc.dlg, ast_sip_request_tx(dc.req)), dc.dlg);
}

static void the_ack_is_that_of_the_invite_that_was_answered(void **state)
{
	const char *m;
	int first;

	(void)state;
	dc_start(CONFIG, NULL);
	assert_int_equal(ast_sip_register_outbound_authenticator(&outbound), 0);
	dc_calls("plain", "sip:bob@10.0.0.2");
	dc_sends("INVITE");
	m = dc_got(dc.phone, "INVITE");
	first = cseq_of(m);
	ct_answer(dc.phone, m, 401, CHALLENGE);
	dc_got(dc.phone, "ACK"); /* the transaction's, to the 401 */
	m = dc_got(dc.phone, "INVITE");
	assert_int_equal(cseq_of(m), first + 1);
	ct_answer(dc.phone, m, 200, BOB_CONTACT);
	dc_hears("final 200");
	assert_int_equal(dc_on(ack_it, NULL), 0);
	m = dc_got(dc.phone, "ACK sip:bob@10.0.0.2:5060 SIP/2.0\r\n");
	assert_int_equal(cseq_of(m), first + 1);
	assert_string_equal(ct_header(m, "Authorization", 0), "Digest username=\"x\"");
	dc_stop();
}

/* ---- targets ---- */

static void the_next_target_gets_a_number_of_its_own(void **state)
{
	struct ct_phone *b;
	char via[128];
	const char *m;
	int first;

	(void)state;
	dc_start(CONFIG, NULL);
	b = ct_phone("10.0.0.3:5060");
	sim_names_add("two.example", "10.0.0.2");
	sim_names_add("two.example", "10.0.0.3");
	dc_calls("plain", "sip:bob@two.example");
	dc_sends("INVITE");
	m = dc_got(dc.phone, "INVITE");
	first = cseq_of(m);
	snprintf(via, sizeof(via), "%s", ct_header(m, "Via", 0));
	ct_answer(dc.phone, m, 503, "");
	m = dc_got(b, "INVITE");
	assert_int_equal(cseq_of(m), first + 1);
	assert_string_not_equal(ct_header(m, "Via", 0), via);
	ct_answer(b, m, 200, "Contact: <sip:bob@10.0.0.3>\n");
	dc_hears("final 200");
	assert_int_equal(dc_on(ack_it, NULL), 0);
	m = dc_got(b, "ACK");
	assert_int_equal(cseq_of(m), first + 1);
	dc_stop();
}

/* While the first waits for a name the others wait behind it, also the ACK; then they leave as they came. */
static void requests_leave_in_the_order_in_which_they_were_sent(void **state)
{
	const char *m;
	int before = 0;

	(void)state;
	dc_start(CONFIG, NULL);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	sim_names_add("late.example", "10.0.0.2");
	sim_names_delay(300 * SIM_MS, 300 * SIM_MS);
	dc.answer = 200;
	dc_asked(dc.phone, "UPDATE", 1, "Contact: <sip:bob@late.example>\n");
	dc_hears("UPDATE 1");
	assert_int_equal(ct_status(ct_receive(dc.phone)), 200);
	for (int i = 0; i < 4; i++)
		dc_sends("INFO");
	/* This one needs no name, and waits all the same. */
	dc_asked(dc.phone, "UPDATE", 2, BOB_CONTACT);
	dc_hears("UPDATE 2");
	assert_int_equal(ct_status(ct_receive(dc.phone)), 200);
	dc_sends("BYE");
	for (int i = 0; i < 5; i++) {
		m = dc_got(dc.phone, i < 4 ? "INFO" : "BYE");
		assert_true(cseq_of(m) > before);
		before = cseq_of(m);
		ct_answer(dc.phone, m, 200, "");
	}
	for (int i = 0; i < 5; i++) {
		dc_hears("final 200");
		dc_hears("gone");
	}
	dc_stop();
}

static void a_name_that_is_not_there_is_an_outcome_and_the_next_leaves(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	sim_names_fail("nowhere.example", ENOENT);
	dc.answer = 200;
	dc_asked(dc.phone, "UPDATE", 1, "Contact: <sip:bob@nowhere.example>\n");
	dc_hears("UPDATE 1");
	assert_int_equal(ct_status(ct_receive(dc.phone)), 200);
	dc_sends("INFO");
	dc_sends("MESSAGE");
	dc_hears("final error");
	dc_hears("gone");
	dc_hears("final error");
	dc_hears("gone");
	assert_null(*sip_dialog_waiting(dc.dlg));
	dc_stop();
}

/* ---- effects (RFC 5057) ---- */

static void a_response_may_end_the_dialog(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	dc_sends("INFO");
	ct_answer(dc.phone, dc_got(dc.phone, "INFO"), 481, "");
	dc_hears("final 481"); /* the usage's business */
	dc_hears("gone");
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_CONFIRMED);
	dc_sends("INFO");
	ct_answer(dc.phone, dc_got(dc.phone, "INFO"), 404, "");
	dc_hears("ended");
	dc_hears("final 404");
	dc_hears("gone");
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_TERMINATED);
	assert_null(ast_sip_create_request("INFO", dc.dlg, NULL, NULL));
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(ast_sip_send_request("INFO", NULL, dc.dlg, NULL, NULL), -1);
	dc_stop();
}

static void a_refused_invite_ends_nothing_by_itself(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_calls("plain", "sip:bob@10.0.0.2");
	dc_sends("INVITE");
	ct_answer(dc.phone, dc_got(dc.phone, "INVITE"), 404, "");
	dc_hears("final 404");
	dc_hears("gone");
	dc_hears_nothing();
	dc_stop();
}

/* ---- the other forms ---- */

static void cb(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	assert_ptr_equal(token, &dc);
	assert_int_equal(why, AST_SIP_REQUEST_RESPONSE);
	assert_ptr_equal(ast_sip_work_serializer(ast_sip_current_work()), sip_dialog_serializer(dc.dlg));
	dc_note("cb %u", sip_rx_msg(rx)->status);
}

static void the_design_s_calls_know_dialogs(void **state)
{
	struct sip_tx_data *tx;
	const char *m;

	(void)state;
	dc_start(CONFIG, NULL);
	dc_establishes("plain", "sip:bob@10.0.0.2");
	assert_int_equal(ast_sip_send_request("MESSAGE", "hello", dc.dlg, NULL, NULL), 0);
	m = dc_got(dc.phone, "MESSAGE sip:bob@10.0.0.2:5060 SIP/2.0\r\n");
	assert_non_null(strstr(ct_header(m, "To", 0), ";tag=callee"));
	assert_non_null(strstr(m, "\r\n\r\nhello"));
	ct_answer(dc.phone, m, 200, "");
	tx = ast_sip_create_request("INFO", dc.dlg, NULL, NULL);
	assert_ptr_equal(sip_tx_owner(tx), dc_endpoint("plain"));
	assert_int_equal(ast_sip_send_request_cb(tx, dc.dlg, NULL, 0, cb, &dc), 0);
	ct_answer(dc.phone, dc_got(dc.phone, "INFO"), 200, "");
	dc_hears("cb 200");
	dc_stop();
}

static void what_cannot_be_sent_says_why(void **state)
{
	static const struct ast_sip_request_ops old = {.size = 1};
	struct sip_tx_data *tx;

	(void)state;
	dc_start(CONFIG, NULL);
	dc_calls("plain", "sip:bob@10.0.0.2");
	tx = ast_sip_create_request("INFO", dc.dlg, NULL, NULL);
	assert_int_equal(ast_sip_send_request_ops(sip_tx_ref(tx), dc.dlg, NULL, 0, NULL, NULL, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_send_request_ops(sip_tx_ref(tx), dc.dlg, NULL, 0, &old, NULL, NULL), -1);
	assert_int_equal(ast_sip_send_ack(sip_tx_ref(tx), dc.dlg), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_send_request_cb(sip_tx_ref(tx), dc.dlg, NULL, -1, cb, NULL), -1);
	assert_int_equal(errno, EINVAL);
	sip_tx_unref(tx);
	dc_stop();
}

int main(void)
{
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
	const struct CMUnitTest tests[] = {
		T(every_step_is_told),
		T(silence_is_a_timeout),
		T(a_challenge_takes_the_dialog_s_next_number),
		T(the_ack_is_that_of_the_invite_that_was_answered),
		T(the_next_target_gets_a_number_of_its_own),
		T(requests_leave_in_the_order_in_which_they_were_sent),
		T(a_name_that_is_not_there_is_an_outcome_and_the_next_leaves),
		T(a_response_may_end_the_dialog),
		T(a_refused_invite_ends_nothing_by_itself),
		T(the_design_s_calls_know_dialogs),
		T(what_cannot_be_sent_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
