/* Requests of our own: who they are from, where they go, what becomes of them; headers and bodies. */
#include "core_test.h"

#include "core/target.h"
#include "res_sip/location.h"

#define CONFIG                                                                                                         \
	"[bob]\ntype=endpoint\naors=none,bob\nfrom_user=server\nfrom_domain=home.example\ncontact_user=desk\n"         \
	"[bob]\ntype=aor\ncontact=sip:bob@10.0.0.2:5060\n[none]\ntype=aor\nmax_contacts=1\n"                           \
	"[plain]\ntype=endpoint\n"                                                                                     \
	"[proxied]\ntype=endpoint\noutbound_proxy=sip:10.0.0.3:5060\\;lr\n"                                            \
	"[strict]\ntype=endpoint\noutbound_proxy=sip:10.0.0.3:5060\n"

static struct ast_sip_endpoint *endpoint(const char *id)
{
	static struct ast_sip_endpoint *last;

	ast_sip_endpoint_unref(last);
	last = id ? ast_sip_endpoint_get(rs_str_c(id)) : NULL;
	assert_true(!id || last);
	return last;
}

static int setup(void **state)
{
	(void)state;
	ct_start(CONFIG, NULL);
	return 0;
}

static int teardown(void **state)
{
	endpoint(NULL);
	return ct_teardown(state);
}

/* ---- what a request is made of ---- */

static void header_is(struct sip_tx_data *tx, enum sip_hdr_id id, const char *expected)
{
	struct rs_str value = sip_tx_hdr(tx, id);
	char text[256];

	snprintf(text, sizeof(text), "%.*s", RS_FMT(value));
	if (id == SIP_HDR_FROM && strchr(text, ';'))
		*strchr(text, ';') = '\0'; /* the tag is random */
	assert_string_equal(text, expected);
}

static void a_request_speaks_for_its_endpoint(void **state)
{
	struct sip_tx_data *tx = ast_sip_create_request("OPTIONS", NULL, endpoint("bob"), NULL);

	(void)state;
	assert_non_null(tx);
	assert_true(rs_str_eqz(sip_tx_uri(tx), "sip:bob@10.0.0.2:5060"));
	header_is(tx, SIP_HDR_FROM, "<sip:server@home.example>");
	header_is(tx, SIP_HDR_TO, "<sip:bob@10.0.0.2:5060>");
	header_is(tx, SIP_HDR_CONTACT, "<sip:desk@@>");
	header_is(tx, SIP_HDR_MAX_FORWARDS, "70");
	assert_ptr_equal(sip_tx_owner(tx), endpoint("bob"));
	sip_tx_unref(tx);
	tx = ast_sip_create_request("MESSAGE", NULL, endpoint("plain"), "sip:x@10.0.0.2");
	header_is(tx, SIP_HDR_FROM, "<sip:plain@10.0.0.1:5060>");
	header_is(tx, SIP_HDR_CONTACT, "");
	sip_tx_unref(tx);
	/* Nobody's: the default user. */
	tx = ast_sip_create_request("OPTIONS", NULL, NULL, "sip:x@far.example");
	header_is(tx, SIP_HDR_FROM, "<sip:asterisk@10.0.0.1:5060>");
	sip_tx_unref(tx);
}

static void what_cannot_be_made_says_why(void **state)
{
	(void)state;
	assert_null(ast_sip_create_request("OPTIONS", NULL, endpoint("plain"), NULL));
	assert_int_equal(errno, ENOENT);
	assert_null(ast_sip_create_request("OPTIONS", NULL, NULL, ""));
	assert_int_equal(errno, ENOENT);
	assert_null(ast_sip_create_request("OPTIONS", NULL, endpoint("plain"), "not a uri"));
	assert_int_equal(errno, EINVAL);
	assert_null(ast_sip_create_request("", NULL, endpoint("plain"), "sip:x@y"));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_send_request("OPTIONS", NULL, NULL, endpoint("plain"), NULL), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_proxy_is_a_route_and_a_strict_one_takes_the_uri(void **state)
{
	struct sip_tx_data *tx =
		ast_sip_create_request("MESSAGE", NULL, endpoint("proxied"), "sip:x@far.example;x-ast-txp=1;a=b");

	(void)state;
	assert_true(rs_str_eqz(sip_tx_uri(tx), "sip:x@far.example;a=b"));
	header_is(tx, SIP_HDR_ROUTE, "<sip:10.0.0.3:5060;lr>");
	sip_tx_unref(tx);
	tx = ast_sip_create_request("MESSAGE", NULL, endpoint("strict"), "sip:x@far.example");
	assert_true(rs_str_eqz(sip_tx_uri(tx), "sip:10.0.0.3:5060"));
	header_is(tx, SIP_HDR_ROUTE, "<sip:x@far.example>");
	header_is(tx, SIP_HDR_TO, "<sip:x@far.example>");
	sip_tx_unref(tx);
}

/* A Path behind a strict router is not where the request goes first. */
static void a_strict_router_is_the_first_hop(void **state)
{
	struct sip_tx_data *tx = ast_sip_create_request("MESSAGE", NULL, endpoint("strict"), "sip:x@far.example;lr");
	struct sip_uri hop;

	(void)state;
	assert_int_equal(ast_sip_next_hop(tx, &hop), 0);
	assert_true(rs_str_eqz(hop.host, "10.0.0.3"));
	sip_tx_unref(tx);
}

/* ---- headers and bodies ---- */

static void headers_and_bodies(void **state)
{
	const struct ast_sip_body text = {.type = "text", .subtype = "plain", .body_text = "one"};
	const struct ast_sip_body bytes = {.type = "application", .subtype = "x", .body_text = "a\0b", .body_len = 3};
	const struct ast_sip_body parts[] = {text, bytes}, untyped = {.body_text = "x"};
	struct sip_tx_data *tx = ast_sip_create_request("MESSAGE", NULL, endpoint("bob"), NULL);
	char type[128];
	struct rs_str body;

	(void)state;
	assert_int_equal(ast_sip_add_header(tx, "X-Mine", "v"), 0);
	assert_int_equal(ast_sip_add_header(tx, "bad name", "v"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_add_body(tx, &text), 0);
	assert_true(rs_str_eqz(sip_tx_body(tx), "one"));
	assert_int_equal(ast_sip_append_body(tx, " two"), 0);
	assert_true(rs_str_eqz(sip_tx_body(tx), "one two"));
	assert_int_equal(ast_sip_add_body(tx, &bytes), 0);
	assert_true(rs_str_eq(sip_tx_body(tx), RS_STR("a\0b")));
	assert_true(rs_str_eqz(sip_tx_content_type(tx), "application/x"));
	assert_int_equal(ast_sip_add_body(tx, &untyped), -1);
	assert_int_equal(ast_sip_add_body_multipart(tx, parts, 2), 0);
	snprintf(type, sizeof(type), "%.*s", RS_FMT(sip_tx_content_type(tx)));
	assert_memory_equal(type, "multipart/mixed;boundary=", 25);
	body = sip_tx_body(tx);
	assert_non_null(memmem(body.p, body.len, "Content-Type: text/plain\r\n\r\none\r\n--", 35));
	assert_non_null(memmem(body.p, body.len, "Content-Type: application/x\r\n\r\na\0b\r\n--", 38));
	sip_tx_unref(tx);
}

/* ---- outcomes ---- */

struct outcome {
	unsigned calls;
	enum ast_sip_request_end why;
	unsigned status;
	struct ast_sip_work *work;
};

static void done(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct outcome *o = token;

	o->calls++;
	o->why = why;
	o->status = rx ? sip_rx_msg(rx)->status : 0;
	o->work = ast_sip_current_work();
	assert_true((why == AST_SIP_REQUEST_RESPONSE) == (rx != NULL));
}

static struct sip_tx_data *send_to(const char *uri, int timeout_ms, struct outcome *o)
{
	struct sip_tx_data *tx = ast_sip_create_request("MESSAGE", NULL, endpoint("plain"), uri);

	*o = (struct outcome){0};
	assert_non_null(tx);
	assert_int_equal(ast_sip_send_request_cb(tx, NULL, endpoint("plain"), timeout_ms, done, o), 0);
	assert_int_equal(o->calls, 0);
	return tx;
}

static void a_response_is_the_outcome(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	struct outcome o;

	(void)state;
	send_to("sip:x@10.0.0.2", 0, &o);
	ct_answer(p, ct_receive(p), 202, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.status, 202);
	assert_non_null(o.work);
}

static struct outcome on_work;

static int send_on_work(void *data)
{
	(void)data;
	send_to("sip:x@10.0.0.2", 0, &on_work);
	return 0;
}

static void the_callback_runs_on_the_caller_s_work(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	struct ast_sip_work *work = ast_sip_create_work();

	(void)state;
	assert_int_equal(ast_sip_push_task(work, send_on_work, NULL), 0);
	ct_answer(p, ct_receive(p), 200, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(on_work.calls, 1);
	assert_ptr_equal(on_work.work, work);
	ast_sip_destroy_work(work);
}

static void silence_is_a_timeout_when_the_caller_says_so(void **state)
{
	struct outcome o;

	(void)state;
	ct_phone("10.0.0.2:5060");
	send_to("sip:x@10.0.0.2", 1500, &o);
	sim_run_for(1400 * SIM_MS);
	assert_int_equal(o.calls, 0);
	sim_run_for(200 * SIM_MS);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.why, AST_SIP_REQUEST_TIMEOUT);
	send_to("sip:x@10.0.0.2", 0, &o);
	sim_run_for(31 * SIM_SECOND);
	assert_int_equal(o.calls, 0);
	sim_run_for(2 * SIM_SECOND);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.why, AST_SIP_REQUEST_TIMEOUT);
}

static void the_next_target_is_tried_on_503_and_silence(void **state)
{
	struct ct_phone *a = ct_phone("10.0.0.2:5060"), *b = ct_phone("10.0.0.3:5060"), *c = ct_phone("10.0.0.4:5060");
	char first[128], second[128];
	struct outcome o;
	const char *m;

	(void)state;
	sim_names_add("three.example", "10.0.0.2");
	sim_names_add("three.example", "10.0.0.3");
	sim_names_add("three.example", "10.0.0.4");
	send_to("sip:x@three.example", 0, &o);
	m = ct_receive(a);
	assert_non_null(m);
	snprintf(first, sizeof(first), "%s", ct_header(m, "Via", 0));
	ct_answer(a, m, 503, "");
	m = ct_receive(b);
	assert_non_null(m);
	snprintf(second, sizeof(second), "%s", ct_header(m, "Via", 0));
	assert_string_not_equal(first, second);
	/* b says nothing: the transaction's time is over, then c is asked. */
	m = ct_receive_within(c, 40 * SIM_SECOND);
	assert_non_null(m);
	assert_int_equal(o.calls, 0);
	ct_answer(c, m, 200, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.status, 200);
}

static void the_last_503_is_the_outcome(void **state)
{
	struct ct_phone *a = ct_phone("10.0.0.2:5060");
	struct outcome o;

	(void)state;
	send_to("sip:x@10.0.0.2", 0, &o);
	ct_answer(a, ct_receive(a), 503, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.status, 503);
}

static void a_name_that_does_not_exist_is_a_transport_error(void **state)
{
	struct outcome o;

	(void)state;
	sim_names_fail("nowhere.example", ENOENT);
	send_to("sip:x@nowhere.example", 0, &o);
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.why, AST_SIP_REQUEST_TRANSPORT_ERROR);
}

/* ---- challenges ---- */

static unsigned answered;

static struct sip_tx_data *with_auth(struct ast_sip_endpoint *e, struct sip_rx_data *challenge, struct sip_tx_data *old,
				     unsigned attempt)
{
	struct sip_tx_data *tx;

	assert_true(rs_str_eqz(ast_sip_endpoint_id(e), "plain"));
	assert_int_equal(sip_rx_msg(challenge)->status, 401);
	assert_int_equal(attempt, ++answered);
	tx = sip_tx_clone(old, sip_tx_cseq(old) + 1);
	assert_non_null(tx);
	sip_tx_remove_hdr(tx, SIP_HDR_AUTHORIZATION);
	sip_tx_add_hdr(tx, SIP_HDR_AUTHORIZATION, RS_STR("Digest username=\"x\""));
	return tx;
}
static struct ast_sip_outbound_authenticator outbound = {
	.size = sizeof(struct ast_sip_outbound_authenticator), .name = "test", .create_request_with_auth = with_auth};

static void a_challenge_is_answered_with_the_next_cseq(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	char call_id[128];
	struct outcome o;
	const char *m;
	int cseq;

	(void)state;
	answered = 0;
	assert_int_equal(ast_sip_register_outbound_authenticator(&outbound), 0);
	send_to("sip:x@10.0.0.2", 0, &o);
	m = ct_receive(p);
	snprintf(call_id, sizeof(call_id), "%s", ct_header(m, "Call-ID", 0));
	cseq = atoi(ct_header(m, "CSeq", 0));
	assert_null(ct_header(m, "Authorization", 0));
	ct_answer(p, m, 401, "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\n");
	m = ct_receive(p);
	assert_string_equal(ct_header(m, "Call-ID", 0), call_id);
	assert_int_equal(atoi(ct_header(m, "CSeq", 0)), cseq + 1);
	assert_string_equal(ct_header(m, "Authorization", 0), "Digest username=\"x\"");
	ct_answer(p, m, 200, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.status, 200);
}

static void nine_challenges_are_answered_the_tenth_is_the_outcome(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	struct outcome o;
	const char *m;
	unsigned n = 0;

	(void)state;
	answered = 0;
	assert_int_equal(ast_sip_register_outbound_authenticator(&outbound), 0);
	send_to("sip:x@10.0.0.2", 0, &o);
	while ((m = ct_receive(p))) {
		n++;
		ct_answer(p, m, 401, "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\n");
	}
	assert_int_equal(n, 10);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.status, 401);
}

static void without_an_outbound_authenticator_the_challenge_is_the_outcome(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	struct outcome o;

	(void)state;
	send_to("sip:x@10.0.0.2", 0, &o);
	ct_answer(p, ct_receive(p), 407, "Proxy-Authenticate: Digest realm=\"r\",nonce=\"n\"\n");
	sim_run_for(SIM_SECOND);
	assert_int_equal(o.status, 407);
}

/* ---- the design's short form ---- */

static void a_request_by_method_name_goes_to_the_endpoint_s_contact(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	const char *m;

	(void)state;
	assert_int_equal(ast_sip_send_request("MESSAGE", "hello", NULL, endpoint("bob"), NULL), 0);
	m = ct_receive(p);
	assert_non_null(m);
	assert_memory_equal(m, "MESSAGE sip:bob@10.0.0.2:5060 SIP/2.0\r\n", 39);
	assert_string_equal(ct_header(m, "Content-Type", 0), "text/plain");
	assert_non_null(strstr(m, "\r\n\r\nhello"));
	ct_answer(p, m, 486, "");
	sim_run_for(SIM_SECOND);
	assert_non_null(ct_log_line("request.done"));
}

static void a_proxied_request_goes_to_the_proxy(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.3:5060");
	const char *m;

	(void)state;
	assert_int_equal(ast_sip_send_request("OPTIONS", NULL, NULL, endpoint("proxied"), "sip:x@far.example"), 0);
	m = ct_receive(p);
	assert_non_null(m);
	assert_string_equal(ct_header(m, "Route", 0), "<sip:10.0.0.3:5060;lr>");
	ct_answer(p, m, 200, "");
	assert_int_equal(ast_sip_send_request("OPTIONS", NULL, NULL, endpoint("strict"), "sip:x@far.example"), 0);
	m = ct_receive(p);
	assert_non_null(m);
	assert_memory_equal(m, "OPTIONS sip:10.0.0.3:5060 SIP/2.0\r\n", 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(a_request_speaks_for_its_endpoint),
		T(what_cannot_be_made_says_why),
		T(a_proxy_is_a_route_and_a_strict_one_takes_the_uri),
		T(a_strict_router_is_the_first_hop),
		T(headers_and_bodies),
		T(a_response_is_the_outcome),
		T(the_callback_runs_on_the_caller_s_work),
		T(silence_is_a_timeout_when_the_caller_says_so),
		T(the_next_target_is_tried_on_503_and_silence),
		T(the_last_503_is_the_outcome),
		T(a_name_that_does_not_exist_is_a_transport_error),
		T(a_challenge_is_answered_with_the_next_cseq),
		T(nine_challenges_are_answered_the_tenth_is_the_outcome),
		T(without_an_outbound_authenticator_the_challenge_is_the_outcome),
		T(a_request_by_method_name_goes_to_the_endpoint_s_contact),
		T(a_proxied_request_goes_to_the_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
