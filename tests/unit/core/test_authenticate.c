/* Inbound authentication: the design's calls, the challenge, the stage of the pipeline. */
#include "core_test.h"

#define PROTECTED                                                                                                      \
	"[bob]\ntype=endpoint\nauth=bob\n[bob]\ntype=auth\nusername=bob\npassword=secret\n"                            \
	"[open]\ntype=endpoint\n"                                                                                      \
	"[lax]\ntype=endpoint\nauth=bob\nallow_unauthenticated_options=yes\n"

static const char *who;
static int required, outcome; /* an errno of authenticate_request; 0: proper */
static size_t challenges;

static struct ast_sip_endpoint *identify(struct sip_rx_data *rx)
{
	return ast_sip_endpoint_find(ast_sip_rx_snapshot(rx), rs_str_c(who));
}
static struct ast_sip_endpoint_identifier identifier = {.size = sizeof(struct ast_sip_endpoint_identifier),
							.identify_endpoint = identify};

static int requires(struct ast_sip_endpoint *e, struct sip_rx_data *rx)
{
	(void)rx;
	return ast_sip_endpoint_is_artificial(e) ? 1 : required;
}

static int authenticate(struct ast_sip_endpoint *e, struct sip_rx_data *rx)
{
	(void)e;
	if (!outcome) {
		ast_sip_rx_set_auth_username(rx, RS_STR("bob"));
		return 0;
	}
	errno = outcome;
	return -1;
}

static int credentials(struct ast_sip_endpoint *e, struct sip_rx_data *rx, struct ast_sip_digest_challenge_data *c,
		       size_t *n)
{
	(void)e;
	(void)rx;
	assert_true(*n >= 1);
	for (size_t i = 0; i < challenges && i < *n; i++) {
		c[i].realm = RS_STR("a \"realm\"");
		c[i].algorithm = i == 0 ? AST_SIP_SHA_256 : AST_SIP_MD5;
	}
	*n = challenges < *n ? challenges : *n;
	return 0;
}

static struct ast_sip_authenticator authenticator = {.size = sizeof(struct ast_sip_authenticator),
						     .name = "test",
						     .requires_authentication = requires,
						     .authenticate_request = authenticate,
						     .get_authentication_credentials = credentials};

static bool authenticated;
static char username[32];

static bool answer(struct sip_rx_data *rx)
{
	authenticated = ast_sip_rx_authenticated(rx);
	snprintf(username, sizeof(username), "%.*s", RS_FMT(ast_sip_rx_auth_username(rx)));
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module sink = {.size = sizeof(struct sip_module),
				 .name = "sink",
				 .priority = SIP_PRIORITY_APPLICATION,
				 .on_rx_request = answer};

static struct ct_phone *phone;

static void start(const char *own)
{
	who = "bob";
	required = 1;
	outcome = 0;
	challenges = 1;
	ct_start(PROTECTED, own);
	assert_int_equal(ast_sip_register_endpoint_identifier(&identifier), 0);
	assert_int_equal(ast_sip_register_service(&sink), 0);
	phone = ct_phone("10.0.0.2:5060");
}

static const char *ask(const char *method, const char *more)
{
	static unsigned n;
	char word[16];

	authenticated = false;
	username[0] = '\0';
	snprintf(word, sizeof(word), "w%u", n++);
	ct_request(phone, method, "sip:10.0.0.1", word, more);
	return ct_receive(phone);
}

static void proper_credentials_let_in(void **state)
{
	(void)state;
	start("[security]\ninformational=yes\n");
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(ct_status(ask("MESSAGE", "")), 200);
	assert_true(authenticated);
	assert_string_equal(username, "bob");
	assert_non_null(ct_log_line("SecurityEvent=\"SuccessfulAuth\""));
	assert_non_null(ct_log_line("UsingPassword=\"1\""));
}

static void what_need_not_be_authenticated_passes(void **state)
{
	(void)state;
	start(NULL);
	required = 0;
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(ct_status(ask("MESSAGE", "")), 200);
	assert_false(authenticated);
}

static void a_challenge_has_its_parameters_in_order(void **state)
{
	const char *c;
	char nonce[64], opaque[32];

	(void)state;
	start("[security]\ninformational=yes\n");
	outcome = ENOENT;
	challenges = 2;
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	c = ask("MESSAGE", "");
	assert_int_equal(ct_status(c), 401);
	assert_int_equal(sscanf(ct_header(c, "WWW-Authenticate", 0),
				"Digest realm=\"a "
				"\\\"realm\\\"\",nonce=\"%63[0-9a-f/]\",opaque=\"%31[0-9a-f]\",algorithm=SHA-256,",
				nonce, opaque),
			 2);
	assert_non_null(strstr(ct_header(c, "WWW-Authenticate", 0), ",algorithm=SHA-256,qop=\"auth\""));
	assert_non_null(strstr(ct_header(c, "WWW-Authenticate", 1), ",algorithm=MD5,qop=\"auth\""));
	assert_null(ct_header(c, "WWW-Authenticate", 2));
	assert_null(strstr(c, "stale"));
	assert_int_equal(ct_logged("SecurityEvent=\"ChallengeSent\""), 1);
	assert_int_equal(ct_logged("Failed to authenticate"), 0);
}

static void a_stale_nonce_is_challenged_as_such(void **state)
{
	const char *c;

	(void)state;
	start(NULL);
	outcome = ESTALE;
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	c = ask("MESSAGE", "");
	assert_int_equal(ct_status(c), 401);
	assert_non_null(strstr(ct_header(c, "WWW-Authenticate", 0), ",stale=true,algorithm=SHA-256,qop=\"auth\""));
	assert_int_equal(ct_logged("Failed to authenticate"), 0);
}

static void wrong_credentials_are_challenged_and_reported(void **state)
{
	const char *line;

	(void)state;
	start(NULL);
	outcome = EACCES;
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(
		ct_status(ask("MESSAGE", "Authorization: Digest username=\"bob\",nonce=\"n\\\"x\",response=\"r\"\n")),
		401);
	assert_int_equal(ct_logged("- Failed to authenticate"), 1);
	line = ct_log_line("SecurityEvent=\"ChallengeResponseFailed\"");
	assert_non_null(line);
	assert_non_null(strstr(line, "AccountID=\"bob\""));
	assert_non_null(strstr(line, ",Challenge=\"n\\x5c\\x22x\",Response=\"\",ExpectedResponse=\"\""));
	assert_null(ct_log_line("SuccessfulAuth"));
}

static void a_misconfiguration_is_500(void **state)
{
	(void)state;
	start(NULL);
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	outcome = EINVAL;
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
	assert_int_equal(ct_logged("- Error to authenticate"), 1);
	required = -1;
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
	assert_int_equal(ct_logged("- Error to authenticate"), 2);
}

static void without_an_authenticator_a_protected_endpoint_gets_500(void **state)
{
	(void)state;
	start(NULL);
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
	who = "open";
	assert_int_equal(ct_status(ask("MESSAGE", "")), 200);
	who = "lax";
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
	assert_int_equal(ct_status(ask("OPTIONS", "")), 200);
	who = "nobody";
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
}

static void an_option_lets_protected_endpoints_in_without_authenticator(void **state)
{
	(void)state;
	start("[identify]\nallow_without_authenticator=yes\n");
	assert_int_equal(ct_status(ask("MESSAGE", "")), 200);
	who = "nobody";
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
}

static void one_authenticator_at_a_time_and_a_reload_replaces_it(void **state)
{
	static struct ast_sip_authenticator next, other;

	(void)state;
	start(NULL);
	next = other = authenticator;
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(ast_sip_register_authenticator(&next), 0);
	assert_int_equal(ast_sip_unregister_authenticator(&authenticator), 0);
	assert_int_equal(ct_status(ask("MESSAGE", "")), 200);
	assert_int_equal(ast_sip_unregister_authenticator(&next), 0);
	assert_int_equal(ast_sip_unregister_authenticator(&next), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(ct_status(ask("MESSAGE", "")), 500);
	other.requires_authentication = NULL;
	assert_int_equal(ast_sip_register_authenticator(&other), -1);
	assert_int_equal(errno, EINVAL);
}

/* ---- the calls by themselves, from a service ---- */

static enum ast_sip_check_auth_result checked;
static int requires_rc, authenticate_rc, credentials_rc, challenge_rc;
static struct ast_sip_digest_challenge_data got;

static bool call_all(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *e = ast_sip_identify_endpoint(rx);
	struct ast_sip_digest_challenge_data c = {.size = sizeof(c),
						  .realm = RS_STR("mine"),
						  .nonce = RS_STR("my-nonce"),
						  .opaque = RS_STR("my-opaque"),
						  .domain = RS_STR("sip:mine"),
						  .stale = true};

	got = (struct ast_sip_digest_challenge_data){.size = sizeof(got)};
	requires_rc = ast_sip_requires_authentication(e, rx);
	authenticate_rc = ast_sip_authenticate_request(e, rx);
	credentials_rc = ast_sip_get_authentication_credentials(e, rx, &got);
	if (sip_rx_msg(rx)->method == SIP_METHOD_INFO || sip_rx_msg(rx)->method == SIP_METHOD_MESSAGE)
		challenge_rc = ast_sip_challenge_request(rx, &c, 1);
	else
		checked = ast_sip_check_authentication(e, rx);
	ast_sip_endpoint_unref(e);
	if (checked == AST_SIP_AUTHENTICATION_SUCCESS || checked == AST_SIP_AUTHENTICATION_NOT_REQUIRED)
		ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module caller = {
	.size = sizeof(struct sip_module), .name = "caller", .priority = SIP_PRIORITY_ACL, .on_rx_request = call_all};

static void the_calls_answer_not_required_and_passed_without_authenticator(void **state)
{
	(void)state;
	start(NULL);
	assert_int_equal(ast_sip_register_service(&caller), 0);
	assert_int_equal(ct_status(ask("OPTIONS", "")), 200);
	assert_int_equal(requires_rc, 0);
	assert_int_equal(authenticate_rc, 0);
	assert_int_equal(credentials_rc, -1);
	assert_int_equal(checked, AST_SIP_AUTHENTICATION_NOT_REQUIRED);
}

static void the_calls_ask_the_authenticator(void **state)
{
	const char *m;

	(void)state;
	start(NULL);
	assert_int_equal(ast_sip_register_authenticator(&authenticator), 0);
	assert_int_equal(ast_sip_register_service(&caller), 0);
	assert_int_equal(ct_status(ask("OPTIONS", "")), 200);
	assert_int_equal(requires_rc, 1);
	assert_int_equal(authenticate_rc, 0);
	assert_int_equal(credentials_rc, 0);
	assert_true(rs_str_eqz(got.realm, "a \"realm\""));
	assert_int_equal(checked, AST_SIP_AUTHENTICATION_SUCCESS);
	outcome = EACCES;
	assert_int_equal(ct_status(ask("OPTIONS", "")), 401);
	assert_int_equal(authenticate_rc, -1);
	assert_int_equal(checked, AST_SIP_AUTHENTICATION_FAILED);
	outcome = ENOENT;
	assert_int_equal(ct_status(ask("OPTIONS", "")), 401);
	assert_int_equal(checked, AST_SIP_AUTHENTICATION_CHALLENGE);
	/* What the caller gives is what is sent. */
	m = ask("MESSAGE", "");
	assert_int_equal(ct_status(m), 401);
	assert_int_equal(challenge_rc, 0);
	assert_string_equal(
		ct_header(m, "WWW-Authenticate", 0),
		"Digest realm=\"mine\",domain=\"sip:mine\",nonce=\"my-nonce\",opaque=\"my-opaque\",stale=true,"
		"algorithm=MD5,qop=\"auth\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
		T(proper_credentials_let_in),
		T(what_need_not_be_authenticated_passes),
		T(a_challenge_has_its_parameters_in_order),
		T(a_stale_nonce_is_challenged_as_such),
		T(wrong_credentials_are_challenged_and_reported),
		T(a_misconfiguration_is_500),
		T(without_an_authenticator_a_protected_endpoint_gets_500),
		T(an_option_lets_protected_endpoints_in_without_authenticator),
		T(one_authenticator_at_a_time_and_a_reload_replaces_it),
		T(the_calls_answer_not_required_and_passed_without_authenticator),
		T(the_calls_ask_the_authenticator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
