/* With the modules that ship: which password is right after a reload that changed it, or the realm. */
#include "core_test.h"

#include "core/loader/loader.h"
#include "res_sip/digest.h"

#define BOB         "[bob]\ntype=endpoint\nauth=bob\naors=bob\n[bob]\ntype=aor\nmax_contacts=1\n"
#define LOGIN(more) BOB "[bob]\ntype=auth\nusername=bob\n" more

static struct ct_phone *phone;

static int setup(void **state)
{
	struct ast_sip_modules_conf conf = {.autoload = true};

	(void)state;
	ct_start(LOGIN("password=secret\n"), NULL);
	assert_int_equal(ast_sip_loader_start(getenv("MODULE_DIR"), &conf), 0);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

static void reload(const char *pjsip)
{
	struct ast_sip_conf_errors errors = {0};
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", CT_TRANSPORTS, pjsip);
	ct_write("pjsip.conf", text);
	assert_int_equal(ast_sip_core_reload(&errors), 0);
	ast_sip_conf_errors_free(&errors);
	ct_run();
}

/* The status that a REGISTER with that password gets, by the realm of the challenge, which must be this. */
static int log_in(const char *password, const char *realm)
{
	static unsigned n;
	char word[16], nonce[160], got[64], ha1[AST_SIP_DIGEST_HEX], response[AST_SIP_DIGEST_HEX], more[1024];
	struct ast_sip_digest d = {.algorithm = AST_SIP_MD5,
				   .uri = RS_STR("sip:10.0.0.1"),
				   .cnonce = RS_STR("c"),
				   .nc = RS_STR("00000001"),
				   .qop = RS_STR("auth")};
	const char *challenge;

	snprintf(word, sizeof(word), "r%u", n++);
	ct_send(phone,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK%s\n"
		"From: <sip:bob@10.0.0.1>;tag=1\nTo: <sip:bob@10.0.0.1>\nCall-ID: %s\nCSeq: 1 REGISTER\n"
		"Contact: <sip:x@10.0.0.2>\nMax-Forwards: 70\nContent-Length: 0\n\n",
		word, word);
	challenge = ct_header(ct_receive(phone), "WWW-Authenticate", 0);
	assert_non_null(challenge);
	assert_int_equal(sscanf(challenge, "Digest realm=\"%63[^\"]\",nonce=\"%159[^\"]", got, nonce), 2);
	assert_string_equal(got, realm);
	d.nonce = rs_str_c(nonce);
	assert_int_equal(ast_sip_digest_join(AST_SIP_MD5,
					     (struct rs_str[]){RS_STR("bob"), rs_str_c(realm), rs_str_c(password)}, 3,
					     ha1),
			 0);
	assert_int_equal(ast_sip_digest_response(&d, rs_str_c(ha1), RS_STR("REGISTER"), response), 0);
	snprintf(more, sizeof(more),
		 "Authorization: Digest username=\"bob\",realm=\"%s\",nonce=\"%s\",uri=\"sip:10.0.0.1\","
		 "response=\"%s\",algorithm=MD5,cnonce=\"c\",nc=00000001,qop=auth\n",
		 realm, nonce, response);
	ct_send(phone,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK%sb\n"
		"From: <sip:bob@10.0.0.1>;tag=1\nTo: <sip:bob@10.0.0.1>\nCall-ID: %s\nCSeq: 2 REGISTER\n"
		"Contact: <sip:x@10.0.0.2>\nMax-Forwards: 70\n%sContent-Length: 0\n\n",
		word, word, more);
	return ct_status(ct_receive(phone));
}

static void a_new_password_comes_into_force(void **state)
{
	(void)state;
	assert_int_equal(log_in("secret", "asterisk"), 200);
	assert_int_equal(log_in("other", "asterisk"), 401);
	reload(LOGIN("password=other\n"));
	assert_int_equal(log_in("secret", "asterisk"), 401);
	assert_int_equal(log_in("other", "asterisk"), 200);
	reload(LOGIN("password=other\n"));
	assert_int_equal(log_in("other", "asterisk"), 200);
}

static void so_does_a_new_default_realm(void **state)
{
	(void)state;
	assert_int_equal(log_in("secret", "asterisk"), 200);
	reload("[global]\ndefault_realm=example.org\n" LOGIN("password=secret\n"));
	assert_int_equal(log_in("secret", "example.org"), 200);
	assert_int_equal(log_in("other", "example.org"), 401);
	reload(LOGIN("password=secret\n"));
	assert_int_equal(log_in("secret", "asterisk"), 200);
}

static void and_a_realm_of_its_own(void **state)
{
	(void)state;
	reload("[global]\ndefault_realm=example.org\n" LOGIN("password=secret\nrealm=bobs\n"));
	assert_int_equal(log_in("secret", "bobs"), 200);
	reload("[global]\ndefault_realm=example.net\n" LOGIN("password=secret\nrealm=bobs\n"));
	assert_int_equal(log_in("secret", "bobs"), 200);
	assert_int_equal(log_in("other", "bobs"), 401);
	reload("[global]\ndefault_realm=example.net\n" LOGIN("password=secret\n"));
	assert_int_equal(log_in("secret", "example.net"), 200);
}

static void a_stored_digest_takes_the_password_s_place(void **state)
{
	char ha1[AST_SIP_DIGEST_HEX], text[1024];

	(void)state;
	assert_int_equal(ast_sip_digest_join(AST_SIP_MD5,
					     (struct rs_str[]){RS_STR("bob"), RS_STR("asterisk"), RS_STR("stored")}, 3,
					     ha1),
			 0);
	snprintf(text, sizeof(text), LOGIN("password=secret\npassword_digest=MD5:%s\n"), ha1);
	reload(text);
	assert_int_equal(log_in("stored", "asterisk"), 200);
	assert_int_equal(log_in("secret", "asterisk"), 401);
	reload(LOGIN("password=secret\n"));
	assert_int_equal(log_in("stored", "asterisk"), 401);
	assert_int_equal(log_in("secret", "asterisk"), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(a_new_password_comes_into_force),
		T(so_does_a_new_default_realm),
		T(and_a_realm_of_its_own),
		T(a_stored_digest_takes_the_password_s_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
