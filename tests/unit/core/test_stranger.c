/*
 * With the modules that ship: whether a user exists does not show. A wrong password of somebody who exists and any of
 * somebody who does not get the same answers, byte for byte but for what is random.
 */
#include "core_test.h"

#include "core/loader/loader.h"

#include <ctype.h>

static struct ct_phone *phone;

static int setup(void **state)
{
	struct ast_sip_modules_conf conf = {.autoload = true};

	(void)state;
	ct_start("[bob]\ntype=endpoint\nauth=bob\naors=bob\n[bob]\ntype=auth\nusername=bob\npassword=secret\n"
		 "[bob]\ntype=aor\nmax_contacts=1\n",
		 NULL);
	assert_int_equal(ast_sip_loader_start(getenv("MODULE_DIR"), &conf), 0);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

/* Takes the value of a parameter out: name="…" or name=token. */
static void blank(char *text, const char *name)
{
	char *at = text;

	while ((at = strstr(at, name))) {
		at += strlen(name);
		for (char *p = at; *p && *p != '"' && *p != ';' && *p != '\r'; p++)
			*p = isxdigit((unsigned char)*p) ? 'x' : *p;
	}
}

/* The answer to a REGISTER as user, without what differs each time. */
static void register_as(const char *user, const char *credentials, char *answer, size_t size)
{
	static unsigned n;
	const char *m;

	ct_send(phone,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK%05u;rport\n"
		"From: <sip:%s@10.0.0.1>;tag=1\nTo: <sip:%s@10.0.0.1>\nCall-ID: c%05u\nCSeq: 1 REGISTER\n"
		"Contact: <sip:x@10.0.0.2>\nMax-Forwards: 70\n%sContent-Length: 0\n\n",
		n, user, user, n, credentials);
	n++;
	m = ct_receive(phone);
	assert_int_equal(ct_status(m), 401);
	snprintf(answer, size, "%s", m);
	blank(answer, "nonce=\"");
	blank(answer, "opaque=\"");
	blank(answer, ";tag=");
	blank(answer, "branch=z9hG4bK");
	blank(answer, "Call-ID: c");
	for (char *at = answer; (at = strstr(at, user)); at += strlen(user))
		memset(at, '?', strlen(user));
}

static void without_credentials_all_get_the_same_challenge(void **state)
{
	char known[4096], unknown[4096];

	(void)state;
	register_as("bob", "", known, sizeof(known));
	register_as("eve", "", unknown, sizeof(unknown));
	assert_string_equal(known, unknown);
	assert_non_null(strstr(known, "realm=\"asterisk\",nonce=\""));
}

static void credentials(const char *user, char *out, size_t size)
{
	char answer[4096], nonce[256];
	const char *m;

	register_as(user, "", answer, sizeof(answer));
	/* register_as blanks: ask once more for the nonce itself. */
	ct_request(phone, "REGISTER", "sip:10.0.0.1", user, "Contact: <sip:x@10.0.0.2>\n");
	m = ct_receive(phone);
	assert_int_equal(ct_status(m), 401);
	assert_int_equal(sscanf(strstr(ct_header(m, "WWW-Authenticate", 0), "nonce=\""), "nonce=\"%255[^\"]", nonce),
			 1);
	snprintf(out, size,
		 "Authorization: Digest username=\"%s\",realm=\"asterisk\",nonce=\"%s\",uri=\"sip:10.0.0.1\","
		 "response=\"00000000000000000000000000000000\",algorithm=MD5,cnonce=\"c\",nc=00000001,qop=auth\n",
		 user, nonce);
}

static void wrong_credentials_get_the_same_answer_as_unknown_users(void **state)
{
	char known[4096], unknown[4096], bob[1024], eve[1024];

	(void)state;
	credentials("bob", bob, sizeof(bob));
	credentials("eve", eve, sizeof(eve));
	ct_log_clear();
	register_as("bob", bob, known, sizeof(known));
	register_as("eve", eve, unknown, sizeof(unknown));
	assert_string_equal(known, unknown);
	assert_int_equal(ct_logged("- Failed to authenticate"), 2);
	assert_non_null(ct_log_line("SecurityEvent=\"ChallengeResponseFailed\""));
	assert_int_equal(ct_logged("AccountID=\"<unknown>\""), 1);
	assert_int_equal(ct_logged("AccountID=\"bob\""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(without_credentials_all_get_the_same_challenge),
		T(wrong_credentials_get_the_same_answer_as_unknown_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
