/* Dialogs on behalf of endpoints: their options, and the pipeline of what arrives inside. */
#include "with_core.h"

#include "res_sip/location.h"

#define CONFIG                                                                                                         \
	"[bob]\ntype=endpoint\naors=bob\nfrom_user=server\nfrom_domain=home.example\ncontact_user=desk\n"              \
	"[bob]\ntype=aor\ncontact=sip:bob@10.0.0.2:5060\n"                                                             \
	"[plain]\ntype=endpoint\n"                                                                                     \
	"[phone]\ntype=endpoint\nuser_eq_phone=yes\n"                                                                  \
	"[proxied]\ntype=endpoint\noutbound_proxy=sip:10.0.0.2:5060\\;lr\n"                                            \
	"[strict]\ntype=endpoint\noutbound_proxy=sip:10.0.0.2:5060\n"                                                  \
	"[tcp_only]\ntype=endpoint\ntransport=tcp\n"                                                                   \
	"[guarded]\ntype=endpoint\nauth=guarded\n[guarded]\ntype=auth\nusername=g\npassword=p\n"                       \
	"[walled]\ntype=endpoint\nauth=guarded\ndeny=10.0.0.2\n"

static const char *endpoint_of_invites;
static unsigned status_of_uas;

static struct ast_sip_endpoint *identify(struct sip_rx_data *rx)
{
	return ast_sip_endpoint_find(ast_sip_rx_snapshot(rx), rs_str_c(endpoint_of_invites));
}
static struct ast_sip_endpoint_identifier identifier;

/* The calls of this test: each INVITE gets a dialog and 200. */
static bool take_invite(struct sip_rx_data *rx)
{
	if (sip_rx_msg(rx)->method != SIP_METHOD_INVITE)
		return false;
	sip_dialog_unref(dc.dlg);
	dc.dlg = ast_sip_create_dialog_uas(ast_sip_rx_endpoint(rx), rx, &status_of_uas);
	if (!dc.dlg) {
		ast_sip_respond(rx, status_of_uas, RS_STR_NULL);
		return true;
	}
	assert_int_equal(sip_dialog_add_usage(dc.dlg, &dc_usage, &dc), 0);
	assert_int_equal(sip_dialog_respond(dc.dlg, rx, sip_dialog_response(dc.dlg, rx, 200, RS_STR_NULL)), 0);
	return true;
}
static struct sip_module calls = {.size = sizeof(calls),
				  .name = "calls",
				  .priority = SIP_PRIORITY_APPLICATION,
				  .on_rx_request = take_invite,
				  .methods = "INVITE,BYE,INFO"};

/* Whoever has an Authorization is believed. */
static int requires(struct ast_sip_endpoint *e, struct sip_rx_data *rx)
{
	(void)rx;
	return ast_sip_endpoint_is_artificial(e) || ast_sip_endpoint_auths(e).n;
}

static int authenticate(struct ast_sip_endpoint *e, struct sip_rx_data *rx)
{
	if (!ast_sip_endpoint_is_artificial(e) && sip_msg_hdr(sip_rx_msg(rx), SIP_HDR_AUTHORIZATION, 0))
		return 0;
	errno = ENOENT;
	return -1;
}

static int credentials(struct ast_sip_endpoint *e, struct sip_rx_data *rx, struct ast_sip_digest_challenge_data *c,
		       size_t *n)
{
	(void)e, (void)rx;
	c[0].realm = RS_STR("r");
	c[0].algorithm = AST_SIP_MD5;
	*n = 1;
	return 0;
}

static struct ast_sip_authenticator authenticator;

static void start(const char *own)
{
	dc_start(CONFIG, own);
	endpoint_of_invites = "plain";
	identifier = (struct ast_sip_endpoint_identifier){.size = sizeof(identifier), .identify_endpoint = identify};
	authenticator = (struct ast_sip_authenticator){.size = sizeof(authenticator),
						       .name = "test",
						       .requires_authentication = requires,
						       .authenticate_request = authenticate,
						       .get_authentication_credentials = credentials};
	assert_int_equal(ast_sip_register_endpoint_identifier(&identifier), 0);
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(ast_sip_register_service(&calls), 0);
}

/* ---- client ---- */

static void str_is(struct rs_str s, const char *z)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", RS_FMT(s));
	assert_string_equal(text, z);
}

static void a_dialog_speaks_for_its_endpoint(void **state)
{
	const char *m;

	(void)state;
	start(NULL);
	dc_calls("bob", "");
	assert_ptr_equal(ast_sip_dialog_get_endpoint(dc.dlg), dc_endpoint("bob"));
	str_is(sip_dialog_local(dc.dlg), "<sip:server@home.example>");
	str_is(sip_dialog_remote(dc.dlg), "<sip:bob@10.0.0.2:5060>");
	str_is(sip_dialog_contact(dc.dlg), "<sip:desk@@>");
	dc_sends("INVITE");
	m = dc_got(dc.phone, "INVITE sip:bob@10.0.0.2:5060 SIP/2.0\r\n");
	assert_string_equal(ct_header(m, "Contact", 0), "<sip:desk@10.0.0.1:5060>");
	assert_string_equal(ct_header(m, "Max-Forwards", 0), "70");
	ct_answer(dc.phone, m, 486, "");
	dc_hears("final 486");
	dc_hears("gone");
	dc_stop();
	/* Without from_user it is nobody's name. */
	start(NULL);
	dc_calls("plain", "sip:x@10.0.0.2");
	str_is(sip_dialog_local(dc.dlg), "<sip:asterisk@10.0.0.1:5060>");
	dc_stop();
}

static void what_is_asked_for_goes_before_what_is_configured(void **state)
{
	struct ast_sip_dialog_uac_params p = {
		.size = sizeof(p),
		.uri = RS_STR("sip:12345@10.0.0.2;x=1;x-ast-txp=udp"),
		.request_user = RS_STR("+49 30"),
		.from = RS_STR("\"A\" <sip:a@b>"),
		.to = RS_STR("<sip:t@b>"),
	};
	struct sip_dialog *d;

	(void)state;
	start(NULL);
	d = ast_sip_create_dialog_uac(dc_endpoint("bob"), &p);
	assert_non_null(d);
	str_is(sip_dialog_remote_target(d), "sip:+49%2030@10.0.0.2;x=1");
	str_is(sip_dialog_local(d), "\"A\" <sip:a@b>");
	str_is(sip_dialog_remote(d), "<sip:t@b>");
	sip_dialog_unref(d);
	p.request_user = RS_STR_NULL;
	d = ast_sip_create_dialog_uac(dc_endpoint("phone"), &p);
	str_is(sip_dialog_remote_target(d), "sip:12345@10.0.0.2;x=1;user=phone");
	sip_dialog_unref(d);
	p.uri = RS_STR("sip:alice@10.0.0.2");
	d = ast_sip_create_dialog_uac(dc_endpoint("phone"), &p);
	str_is(sip_dialog_remote_target(d), "sip:alice@10.0.0.2");
	sip_dialog_unref(d);
	p.uri = RS_STR("no uri");
	assert_null(ast_sip_create_dialog_uac(dc_endpoint("bob"), &p));
	assert_int_equal(errno, EINVAL);
	p.uri = RS_STR_NULL;
	assert_null(ast_sip_create_dialog_uac(dc_endpoint("plain"), &p));
	assert_int_equal(errno, ENOENT);
	assert_null(ast_sip_create_dialog_uac(NULL, &p));
	assert_int_equal(errno, ENOENT);
	dc_stop();
}

static void proxies_are_routes_in_dialogs_too(void **state)
{
	const char *m;

	(void)state;
	start(NULL);
	dc_calls("proxied", "sip:x@far.example");
	dc_sends("INVITE");
	m = dc_got(dc.phone, "INVITE sip:x@far.example SIP/2.0\r\n");
	assert_string_equal(ct_header(m, "Route", 0), "<sip:10.0.0.2:5060;lr>");
	ct_answer(dc.phone, m, 486, "");
	dc_hears("final 486");
	dc_hears("gone");
	dc_stop();
	start(NULL);
	dc_calls("strict", "sip:x@far.example");
	dc_sends("INVITE");
	m = dc_got(dc.phone, "INVITE sip:10.0.0.2:5060 SIP/2.0\r\n");
	assert_string_equal(ct_header(m, "Route", 0), "<sip:x@far.example>");
	assert_string_equal(ct_header(m, "To", 0), "<sip:x@far.example>");
	ct_answer(dc.phone, m, 486, "");
	dc_hears("final 486");
	dc_hears("gone");
	dc_stop();
}

static void the_endpoint_s_transport_is_taken(void **state)
{
	struct sip_tx_data *tx;

	(void)state;
	start(NULL);
	dc_calls("tcp_only", "sip:x@10.0.0.2");
	tx = ast_sip_create_request("INVITE", dc.dlg, NULL, NULL);
	assert_int_equal(sip_tx_target(tx)->type, SIP_TRANSPORT_TCP);
	str_is(sip_tx_target(tx)->listener, "tcp");
	sip_tx_unref(tx);
	dc_stop();
}

/* A binding with these texts, which was registered over UDP. */
static struct ast_sip_contact *binding(const char *uri)
{
	struct ast_sip_contact *c = calloc(1, sizeof(*c) + 200);
	char *at = c->text;

	assert_non_null(c);
	c->data.transport = SIP_TRANSPORT_UDP;
	for (int i = 0; i < AST_SIP_CONTACT_TEXTS; i++) {
		const char *text = i == AST_SIP_CONTACT_URI ? uri : i == AST_SIP_CONTACT_LISTENER ? "udp" : "";

		c->text_len[i] = (uint16_t)strlen(text);
		at = stpcpy(at, text) + 1;
	}
	return c;
}

static void a_binding_is_reached_by_the_protocol_of_its_uri(void **state)
{
	struct ast_sip_contact *udp = binding("sip:b@10.0.0.2"), *tcp = binding("sip:b@10.0.0.2;transport=tcp");
	struct ast_sip_dialog_uac_params p = {.size = sizeof(p), .contact = udp};
	struct sip_tx_data *tx;

	(void)state;
	start(NULL);
	dc.dlg = ast_sip_create_dialog_uac(dc_endpoint("plain"), &p);
	assert_non_null(dc.dlg);
	tx = ast_sip_create_request("INVITE", dc.dlg, NULL, NULL);
	str_is(sip_tx_target(tx)->listener, "udp");
	sip_tx_unref(tx);
	sip_dialog_unref(dc.dlg);
	p.contact = tcp;
	dc.dlg = ast_sip_create_dialog_uac(dc_endpoint("plain"), &p);
	assert_non_null(dc.dlg);
	tx = ast_sip_create_request("INVITE", dc.dlg, NULL, NULL);
	assert_int_equal(sip_tx_target(tx)->type, SIP_TRANSPORT_TCP);
	str_is(sip_tx_target(tx)->listener, "");
	sip_tx_unref(tx);
	dc_stop();
	free(udp);
	free(tcp);
}

/* ---- server and what arrives inside ---- */

static void invite(const char *more)
{
	static unsigned n;
	char word[16], lines[512];

	snprintf(word, sizeof(word), "i%u", ++n);
	snprintf(lines, sizeof(lines), "Contact: <sip:alice@10.0.0.2:5060>\n%s", more);
	ct_request(dc.phone, "INVITE", "sip:us@10.0.0.1", word, lines);
}

static int receive(void)
{
	return ct_status(ct_receive(dc.phone));
}

static void a_server_s_dialog_belongs_to_the_endpoint_that_was_identified(void **state)
{
	(void)state;
	start(NULL);
	endpoint_of_invites = "bob";
	invite("");
	assert_int_equal(receive(), 200);
	assert_ptr_equal(ast_sip_dialog_get_endpoint(dc.dlg), dc_endpoint("bob"));
	str_is(sip_dialog_contact(dc.dlg), "<sip:desk@@>");
	/* Later nobody is asked who it is. */
	endpoint_of_invites = "nobody";
	dc.answer = 200;
	dc_asked(dc.phone, "INFO", 2, "");
	dc_hears("INFO 2");
	assert_int_equal(receive(), 200);
	assert_ptr_equal(ast_sip_rx_endpoint(dc.rx), dc_endpoint("bob"));
	dc_asked(dc.phone, "ACK", 1, "");
	dc_hears("ack 1");
	dc_stop();
}

static void what_no_usage_takes_is_answered_by_the_core(void **state)
{
	const char *m;

	(void)state;
	start(NULL);
	invite("");
	assert_int_equal(receive(), 200);
	dc_asked(dc.phone, "OPTIONS", 2, "");
	m = ct_receive(dc.phone);
	assert_int_equal(ct_status(m), 200);
	assert_string_equal(ct_header(m, "Allow", 0), "INVITE, BYE, INFO");
	assert_non_null(ct_header(m, "Accept", 0));
	dc_asked(dc.phone, "INFO", 3, "");
	m = ct_receive(dc.phone);
	assert_int_equal(ct_status(m), 405);
	assert_non_null(ct_header(m, "Allow", 0));
	dc_asked(dc.phone, "FROBNICATE", 4, "");
	assert_int_equal(receive(), 501);
	/* The filter stands before: a bad request is no dialog's business. */
	dc_asked(dc.phone, "INFO", 5, "Require: what-nobody-has\n");
	assert_int_equal(receive(), 420);
	dc_asked(dc.phone, "INFO", 2, "");
	assert_int_equal(receive(), 500);
	dc_stop();
}

#define BYE_OF_NOBODY                                                                                                  \
	"BYE sip:us@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKno;rport\nMax-Forwards: 70\n"            \
	"From: <sip:x@y>;tag=a\nTo: <sip:y@y>;tag=b\nCall-ID: no\nCSeq: 2 BYE\nContent-Length: 0\n\n"

static void outside_of_all_dialogs_it_is_481(void **state)
{
	struct sip_tsx_stats before, after;

	(void)state;
	start(NULL);
	invite("");
	assert_int_equal(receive(), 200);
	ct_send(dc.phone, BYE_OF_NOBODY);
	assert_int_equal(receive(), 481);
	/* What comes again is absorbed: credentials serve once. */
	sip_tsx_stats(&before);
	ct_send(dc.phone, BYE_OF_NOBODY);
	assert_int_equal(receive(), 481);
	sip_tsx_stats(&after);
	assert_int_equal(after.absorbed, before.absorbed + 1);
	dc_stop();
}

static void why_none_was_made_is_told(void **state)
{
	(void)state;
	start("[limits]\ndialogs=2\n");
	invite("Record-Route: no-route\n");
	assert_int_equal(receive(), 400);
	invite("");
	assert_int_equal(receive(), 200);
	assert_non_null(dc.dlg);
	dc_stop();
	start("[limits]\ndialogs=2\n");
	{
		const struct ast_sip_dialog_uac_params p = {.size = sizeof(p), .uri = RS_STR("sip:x@10.0.0.2")};
		struct sip_dialog *d[2];

		for (int i = 0; i < 2; i++)
			assert_non_null(d[i] = ast_sip_create_dialog_uac(dc_endpoint("plain"), &p));
		assert_null(ast_sip_create_dialog_uac(dc_endpoint("plain"), &p));
		assert_int_equal(errno, EAGAIN);
		invite("");
		assert_int_equal(receive(), 503);
		for (int i = 0; i < 2; i++)
			sip_dialog_unref(d[i]);
	}
	dc_stop();
}

/* ---- authentication inside ---- */

#define CREDENTIALS "Authorization: Digest username=\"g\"\n"

static void guarded_call(const char *own)
{
	start(own);
	endpoint_of_invites = "guarded";
	dc.answer = 200;
	invite("");
	assert_int_equal(receive(), 401);
	invite(CREDENTIALS);
	assert_int_equal(receive(), 200);
}

static void who_has_not_moved_is_not_asked_again(void **state)
{
	struct ct_phone *other;

	(void)state;
	guarded_call(NULL);
	other = ct_phone("10.0.0.2:5062");
	dc_asked(dc.phone, "INFO", 2, "");
	dc_hears("INFO 2");
	assert_int_equal(receive(), 200);
	/* From elsewhere he has to show who he is; then that is where he is. */
	dc_asked(other, "INFO", 3, "");
	assert_int_equal(ct_status(ct_receive(other)), 401);
	dc_hears_nothing();
	dc_asked(other, "INFO", 4, CREDENTIALS);
	dc_hears("INFO 4");
	assert_int_equal(ct_status(ct_receive(other)), 200);
	dc_asked(other, "INFO", 5, "");
	dc_hears("INFO 5");
	assert_int_equal(ct_status(ct_receive(other)), 200);
	dc_asked(dc.phone, "INFO", 6, "");
	assert_int_equal(receive(), 401);
	/* What was challenged has moved nothing. */
	assert_int_equal(sip_dialog_remote_cseq(dc.dlg), 5);
	/* An ACK is never challenged. */
	dc_asked(dc.phone, "ACK", 1, "");
	dc_hears("ack 1");
	dc_stop();
}

static void always_and_never(void **state)
{
	struct ct_phone *other;

	(void)state;
	guarded_call("[session]\nauthenticate_in_dialog=always\n");
	dc_asked(dc.phone, "INFO", 2, "");
	assert_int_equal(receive(), 401);
	dc_asked(dc.phone, "INFO", 3, CREDENTIALS);
	dc_hears("INFO 3");
	assert_int_equal(receive(), 200);
	dc_stop();
	guarded_call("[session]\nauthenticate_in_dialog=never\n");
	other = ct_phone("10.0.0.2:5062");
	dc_asked(other, "INFO", 2, "");
	dc_hears("INFO 2");
	assert_int_equal(ct_status(ct_receive(other)), 200);
	dc_stop();
}

static void a_called_peer_is_authenticated_when_it_asks(void **state)
{
	(void)state;
	start(NULL);
	dc.answer = 200;
	dc_establishes("guarded", "sip:bob@10.0.0.2");
	dc_asked(dc.phone, "INFO", 1, "");
	assert_int_equal(receive(), 401);
	dc_asked(dc.phone, "INFO", 2, CREDENTIALS);
	dc_hears("INFO 2");
	assert_int_equal(receive(), 200);
	dc_asked(dc.phone, "INFO", 3, "");
	dc_hears("INFO 3");
	assert_int_equal(receive(), 200);
	dc_stop();
}

static void access_rules_hold_inside(void **state)
{
	(void)state;
	start(NULL);
	dc.answer = 200;
	dc_establishes("walled", "sip:bob@10.0.0.2");
	dc_asked(dc.phone, "INFO", 1, CREDENTIALS);
	assert_int_equal(receive(), 401); /* as a stranger, whatever he shows */
	dc_hears_nothing();
	dc_stop();
}

int main(void)
{
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
	const struct CMUnitTest tests[] = {
		T(a_dialog_speaks_for_its_endpoint),
		T(what_is_asked_for_goes_before_what_is_configured),
		T(proxies_are_routes_in_dialogs_too),
		T(the_endpoint_s_transport_is_taken),
		T(a_binding_is_reached_by_the_protocol_of_its_uri),
		T(a_server_s_dialog_belongs_to_the_endpoint_that_was_identified),
		T(what_no_usage_takes_is_answered_by_the_core),
		T(outside_of_all_dialogs_it_is_481),
		T(why_none_was_made_is_told),
		T(who_has_not_moved_is_not_asked_again),
		T(always_and_never),
		T(a_called_peer_is_authenticated_when_it_asks),
		T(access_rules_hold_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
