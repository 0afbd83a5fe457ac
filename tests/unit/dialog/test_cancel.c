/* An INVITE is given up at each moment of its way (RFC 3261 section 9.1). */
#include "with_core.h"

#define CONFIG    "[plain]\ntype=endpoint\n"
#define CHALLENGE "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\n"

static struct sip_tx_data *with_auth(struct ast_sip_endpoint *e, struct sip_rx_data *challenge, struct sip_tx_data *old,
				     unsigned attempt)
{
	(void)e, (void)challenge, (void)attempt;
	return sip_tx_clone(old, sip_tx_cseq(old) + 1);
}
static struct ast_sip_outbound_authenticator outbound = {
	.size = sizeof(struct ast_sip_outbound_authenticator), .name = "test", .create_request_with_auth = with_auth};

static void start(const char *uri)
{
	dc_start(CONFIG, NULL);
	assert_int_equal(ast_sip_register_outbound_authenticator(&outbound), 0);
	sim_names_add("two.example", "10.0.0.2");
	sim_names_add("two.example", "10.0.0.3");
	dc_calls("plain", uri);
	dc_sends("INVITE");
}

/* The phone gets CANCEL and answers both. */
static void is_cancelled(struct ct_phone *p, const char *invite)
{
	const char *m = dc_got(p, "CANCEL");

	assert_string_equal(ct_header(m, "Reason", 0), "SIP;cause=200");
	ct_answer(p, m, 200, "");
	ct_answer(p, invite, 487, "");
	dc_hears("final 487");
	dc_got(p, "ACK");
	dc_hears("gone");
}

static int send_and_cancel(void *data)
{
	(void)data;
	dc_sends("INVITE");
	return ast_sip_request_cancel(dc.req, RS_STR_NULL);
}

static void in_the_same_task_nothing_leaves(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_calls("plain", "sip:bob@10.0.0.2");
	assert_int_equal(dc_on(send_and_cancel, NULL), 0);
	dc_hears("final timeout");
	dc_hears("gone");
	assert_null(ct_receive(dc.phone));
	dc_stop();
}

static void while_the_name_is_looked_up(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	sim_names_add("late.example", "10.0.0.2");
	sim_names_delay(300 * SIM_MS, 300 * SIM_MS);
	dc_calls("plain", "sip:bob@late.example");
	dc_sends("INVITE");
	ct_run();
	assert_int_equal(dc_cancels(), 0);
	dc_hears("final timeout"); /* at once, not with the name */
	assert_int_equal(dc_cancels(), EALREADY);
	assert_null(ct_receive(dc.phone));
	dc_hears("gone");
	dc_stop();
}

static void while_it_waits_behind_another(void **state)
{
	const char *m;

	(void)state;
	dc_start(CONFIG, NULL);
	sim_names_add("late.example", "10.0.0.2");
	sim_names_delay(300 * SIM_MS, 300 * SIM_MS);
	dc_calls("plain", "sip:bob@late.example");
	dc_sends("OPTIONS");
	dc_sends("INVITE");
	ct_run();
	assert_int_equal(dc_cancels(), 0);
	dc_hears("final timeout");
	m = dc_got(dc.phone, "OPTIONS");
	ct_answer(dc.phone, m, 200, "");
	dc_hears("gone");
	dc_hears("final 200");
	dc_hears("gone");
	assert_null(ct_receive(dc.phone));
	dc_stop();
}

static void before_a_provisional_response_the_cancel_waits_for_it(void **state)
{
	char *invite;

	(void)state;
	start("sip:bob@10.0.0.2");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	assert_int_equal(dc_cancels(), 0);
	assert_int_equal(dc_cancels(), EALREADY);
	dc_hears_nothing();
	ct_answer(dc.phone, invite, 180, BOB_CONTACT);
	dc_hears("1xx 180");
	is_cancelled(dc.phone, invite);
	free(invite);
	dc_stop();
}

static void nobody_ever_answered(void **state)
{
	(void)state;
	start("sip:bob@two.example");
	dc_got(dc.phone, "INVITE");
	assert_int_equal(dc_cancels(), 0);
	sim_run_for(33 * SIM_SECOND);
	dc_hears("final timeout"); /* and no other target was asked */
	dc_hears("gone");
	dc_stop();
}

static void while_it_rings(void **state)
{
	char *invite;

	(void)state;
	start("sip:bob@10.0.0.2");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	ct_answer(dc.phone, invite, 180, BOB_CONTACT);
	dc_hears("1xx 180");
	assert_int_equal(dc_cancels(), 0);
	is_cancelled(dc.phone, invite);
	free(invite);
	dc_stop();
}

static void cancel_it(struct ast_sip_request *req)
{
	assert_int_equal(ast_sip_request_cancel(req, RS_STR("SIP;cause=200")), 0);
	dc.on_provisional = NULL;
}

static void within_the_provisional_response(void **state)
{
	char *invite;

	(void)state;
	start("sip:bob@10.0.0.2");
	dc.on_provisional = cancel_it;
	invite = strdup(dc_got(dc.phone, "INVITE"));
	ct_answer(dc.phone, invite, 183, BOB_CONTACT);
	dc_hears("1xx 183");
	is_cancelled(dc.phone, invite);
	free(invite);
	dc_stop();
}

static void a_2xx_that_crosses_is_the_outcome(void **state)
{
	char *invite;

	(void)state;
	start("sip:bob@10.0.0.2");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	ct_answer(dc.phone, invite, 180, BOB_CONTACT);
	dc_hears("1xx 180");
	assert_int_equal(dc_cancels(), 0);
	ct_answer(dc.phone, invite, 200, BOB_CONTACT);
	dc_got(dc.phone, "CANCEL");
	dc_hears("final 200");
	assert_int_equal(sip_dialog_state(dc.dlg), SIP_DIALOG_CONFIRMED);
	assert_int_equal(dc_cancels(), EALREADY);
	free(invite);
	dc_stop();
}

static void between_two_targets(void **state)
{
	struct ct_phone *b;
	char *invite;

	(void)state;
	start("sip:bob@two.example");
	b = ct_phone("10.0.0.3:5060");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	/* Given up while the first is still silent: its 503 leads nowhere. */
	assert_int_equal(dc_cancels(), 0);
	ct_answer(dc.phone, invite, 503, "");
	dc_hears("final 503");
	dc_got(dc.phone, "ACK");
	assert_null(ct_receive(b));
	free(invite);
	dc_hears("gone");
	dc_stop();
	/* After the second was asked it is that one's. */
	start("sip:bob@two.example");
	b = ct_phone("10.0.0.3:5060");
	ct_answer(dc.phone, dc_got(dc.phone, "INVITE"), 503, "");
	invite = strdup(dc_got(b, "INVITE"));
	assert_int_equal(dc_cancels(), 0);
	ct_answer(b, invite, 180, "Contact: <sip:bob@10.0.0.3>\n");
	dc_hears("1xx 180");
	is_cancelled(b, invite);
	free(invite);
	dc_stop();
}

static void between_challenge_and_answer(void **state)
{
	char *invite;

	(void)state;
	start("sip:bob@10.0.0.2");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	assert_int_equal(dc_cancels(), 0);
	ct_answer(dc.phone, invite, 401, CHALLENGE);
	dc_hears("final 401"); /* it is not answered */
	dc_got(dc.phone, "ACK");
	dc_hears("gone");
	assert_null(ct_receive(dc.phone));
	free(invite);
	dc_stop();
	/* Behind the answer: the second INVITE is cancelled. */
	start("sip:bob@10.0.0.2");
	ct_answer(dc.phone, dc_got(dc.phone, "INVITE"), 401, CHALLENGE);
	dc_got(dc.phone, "ACK");
	invite = strdup(dc_got(dc.phone, "INVITE"));
	assert_int_equal(dc_cancels(), 0);
	ct_answer(dc.phone, invite, 180, BOB_CONTACT);
	dc_hears("1xx 180");
	is_cancelled(dc.phone, invite);
	free(invite);
	dc_stop();
}

static void only_an_invite_can_be_given_up(void **state)
{
	(void)state;
	dc_start(CONFIG, NULL);
	dc_calls("plain", "sip:bob@10.0.0.2");
	dc_sends("OPTIONS");
	assert_int_equal(dc_cancels(), EALREADY);
	ct_answer(dc.phone, dc_got(dc.phone, "OPTIONS"), 200, "");
	dc_hears("final 200");
	dc_hears("gone");
	dc_stop();
}

int main(void)
{
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
	const struct CMUnitTest tests[] = {
		T(in_the_same_task_nothing_leaves),
		T(while_the_name_is_looked_up),
		T(while_it_waits_behind_another),
		T(before_a_provisional_response_the_cancel_waits_for_it),
		T(nobody_ever_answered),
		T(while_it_rings),
		T(within_the_provisional_response),
		T(a_2xx_that_crosses_is_the_outcome),
		T(between_two_targets),
		T(between_challenge_and_answer),
		T(only_an_invite_can_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
