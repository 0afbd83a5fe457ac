/* Challenges to requests of our own: which credentials, for which realms, how often. */
#include "core_test.h"

#include "res_sip/digest.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define CONFIG                                                                                                         \
	"[e]\ntype=endpoint\noutbound_auth=one,two,any,hash,quoted\n[few]\ntype=endpoint\noutbound_auth=one\n"         \
	"[bare]\ntype=endpoint\n"                                                                                      \
	"[one]\ntype=auth\nusername=u1\npassword=p1\nrealm=One\n"                                                      \
	"[two]\ntype=auth\nusername=u2\npassword=p2\nrealm=two\nsupported_algorithms_uac=SHA-256,SHA-512-256\n"        \
	"[any]\ntype=auth\nusername=ux\npassword=px\n"                                                                 \
	"[hash]\ntype=auth\nusername=u3\nrealm=three\n"                                                                \
	"password_digest=MD5:939e7578ed9e3c518a452acee763bce9\n"                                                       \
	"[quoted]\ntype=auth\nusername=a\"b\npassword=p\nrealm=four\n"

static struct ct_phone *phone;
static const char *request; /* the last one that came */
static int final;

static int setup(void **state)
{
	(void)state;
	ct_start(CONFIG, NULL);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

static int teardown(void **state)
{
	ast_sip_module_info.unload();
	return ct_teardown(state);
}

static void done(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	(void)token;
	final = why == AST_SIP_REQUEST_RESPONSE ? (int)sip_rx_msg(rx)->status : -1;
}

static void ask(const char *endpoint)
{
	struct ast_sip_endpoint *e = ast_sip_endpoint_get(rs_str_c(endpoint));
	struct sip_tx_data *tx = ast_sip_create_request("OPTIONS", NULL, e, "sip:x@10.0.0.2");

	final = 0;
	assert_non_null(tx);
	assert_int_equal(ast_sip_send_request_cb(tx, NULL, e, 0, done, NULL), 0);
	ast_sip_endpoint_unref(e);
	request = ct_receive(phone);
	assert_non_null(request);
}

/* Answers the last request; true: another one came. */
static bool challenge(unsigned status, const char *headers)
{
	ct_answer(phone, request, status, headers);
	request = ct_receive(phone);
	return request != NULL;
}

/* A parameter of line n of a credentials header, in a static buffer; NULL: there is none. */
static const char *param(const char *header, unsigned n, const char *name)
{
	static char buf[8][256];
	static unsigned turn;
	const char *line = ct_header(request, header, n), *at;
	char key[32], *out = buf[turn++ % 8];
	size_t len;

	if (!line)
		return NULL;
	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(line, key);
	if (!at)
		return NULL;
	at += strlen(key);
	if (*at == '"') {
		for (len = 1; at[len] != '"'; len += at[len] == '\\' ? 2 : 1)
			;
		at++;
		len--;
	} else {
		len = strcspn(at, ",");
	}
	snprintf(out, 256, "%.*s", (int)len, at);
	return out;
}

static struct rs_str str(const char *z)
{
	return z ? rs_str_c(z) : RS_STR_NULL;
}

/* Line n is right for that user and password. */
static void assert_right(const char *header, unsigned n, const char *user, const char *password, const char *realm,
			 const char *nonce, const char *nc)
{
	struct ast_sip_digest d = {.algorithm = AST_SIP_MD5};
	char ha1[AST_SIP_DIGEST_HEX], expected[AST_SIP_DIGEST_HEX];
	const char *algorithm = param(header, n, "algorithm");

	if (!algorithm)
		fail_msg("no line %u of %s in\n%s", n, header, request);
	assert_int_equal(ast_sip_algorithm_from_name(rs_str_c(algorithm), &d.algorithm), 0);
	assert_string_equal(param(header, n, "realm"), realm);
	assert_string_equal(param(header, n, "nonce"), nonce);
	assert_string_equal(param(header, n, "uri"), "sip:x@10.0.0.2");
	d.nonce = str(nonce);
	d.uri = RS_STR("sip:x@10.0.0.2");
	d.qop = str(param(header, n, "qop"));
	d.nc = str(param(header, n, "nc"));
	d.cnonce = str(param(header, n, "cnonce"));
	if (nc) {
		assert_string_equal(d.nc.p, nc);
		assert_string_equal(d.qop.p, "auth");
	} else {
		assert_null(d.nc.p);
		assert_null(d.qop.p);
	}
	ast_sip_digest_join(d.algorithm, (struct rs_str[]){str(user), str(realm), str(password)}, 3, ha1);
	assert_int_equal(ast_sip_digest_response(&d, rs_str_c(ha1), RS_STR("OPTIONS"), expected), 0);
	assert_string_equal(param(header, n, "response"), expected);
}

#define AUTH  "Authorization"
#define PROXY "Proxy-Authorization"

static void the_realm_chooses_the_auth_object(void **state)
{
	(void)state;
	ask("e");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n1\",qop=\"auth\",opaque=\"o\"\n"));
	assert_right(AUTH, 0, "u1", "p1", "one", "n1", "00000001");
	assert_string_equal(param(AUTH, 0, "opaque"), "o");
	assert_int_equal(strlen(param(AUTH, 0, "cnonce")), 32);
	assert_null(ct_header(request, AUTH, 1));
	assert_false(challenge(200, ""));
	assert_int_equal(final, 200);

	ask("e");
	assert_true(challenge(407, "Proxy-Authenticate: Digest realm=\"elsewhere\",nonce=\"n\"\n"));
	assert_right(PROXY, 0, "ux", "px", "elsewhere", "n", NULL);
	assert_null(param(PROXY, 0, "opaque"));
	assert_null(ct_header(request, AUTH, 0));
	assert_false(challenge(403, ""));
	assert_int_equal(final, 403);
}

static void the_first_challenge_that_can_be_answered_counts_once_a_realm(void **state)
{
	(void)state;
	ask("e");
	assert_true(challenge(
		401, "WWW-Authenticate: Basic realm=\"two\"\n"
		     "WWW-Authenticate: Digest realm=\"two\",nonce=\"n0\",algorithm=rot13\n"
		     "WWW-Authenticate: Digest realm=\"two\"\n"
		     "WWW-Authenticate: Digest realm=\"two\",nonce=\"n1\",algorithm=SHA-512-256,qop=\"auth-int\"\n"
		     "WWW-Authenticate: Digest realm=\"two\",nonce=\"n2\",algorithm=sha-256,"
		     "qop=\"auth-int, AUTH\"\n"
		     "WWW-Authenticate: Digest realm=\"TWO\",nonce=\"n3\",algorithm=MD5\n"
		     "WWW-Authenticate: Digest realm=\"three\",nonce=\"n4\"\n"));
	assert_right(AUTH, 0, "u2", "p2", "two", "n2", "00000001");
	assert_string_equal(param(AUTH, 0, "algorithm"), "SHA-256");
	assert_string_equal(param(AUTH, 1, "username"), "u3");
	assert_string_equal(param(AUTH, 1, "nonce"), "n4");
	assert_null(ct_header(request, AUTH, 2));
}

static void a_realm_whose_algorithm_its_object_lacks_goes_to_the_object_for_any(void **state)
{
	(void)state;
	ask("e");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=MD5\n"));
	assert_right(AUTH, 0, "ux", "px", "two", "n", NULL);
}

static void integrity_alone_is_not_answered(void **state)
{
	(void)state;
	ask("few");
	assert_false(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n\",qop=\"auth-int\"\n"));
	assert_int_equal(final, 401);
}

static void without_an_object_the_challenge_is_the_outcome(void **state)
{
	(void)state;
	ask("few");
	assert_false(challenge(401, "WWW-Authenticate: Digest realm=\"x'y\",nonce=\"n\"\n"
				    "WWW-Authenticate: Digest realm=\"z\",nonce=\"n\",algorithm=SHA-256\n"));
	assert_int_equal(final, 401);
	assert_int_equal(ct_logged("few:10.0.0.2:5060: No auth objects matching realm/algorithm(s) '"), 1);
	assert_int_equal(ct_logged("y/MD5, z/SHA-256' from challenge found."), 1);
	ask("bare");
	assert_false(challenge(407, "Proxy-Authenticate: Digest realm=\"one\",nonce=\"n\"\n"));
	assert_int_equal(final, 407);
	ask("few");
	assert_false(challenge(401, ""));
	assert_false(challenge(401, "WWW-Authenticate: Digest realm=\"one\n") && request);
}

static void the_same_nonce_again_means_refused_unless_stale(void **state)
{
	(void)state;
	ask("e");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n1\"\n"));
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n1\",stale=TRUE\n"));
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n2\"\n"));
	assert_false(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n2\",stale=false\n"));
	assert_int_equal(final, 401);
	assert_int_equal(ct_logged("credentials refused"), 1);
	/* Of several realms each is looked at. */
	ask("e");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n1\"\n"
				   "WWW-Authenticate: Digest realm=\"x\",nonce=\"n2\"\n"));
	assert_false(challenge(401, "WWW-Authenticate: Digest realm=\"x\",nonce=\"n2\"\n"));
	assert_int_equal(ct_logged("credentials refused"), 2);
}

static void nine_answers_are_given_at_most(void **state)
{
	unsigned answers = 0;
	char headers[128];

	(void)state;
	ask("e");
	do
		snprintf(headers, sizeof(headers), "WWW-Authenticate: Digest realm=\"one\",nonce=\"n%u\"\n", answers);
	while (challenge(401, headers) && ++answers < 20);
	assert_int_equal(answers, 9);
	assert_int_equal(final, 401);
}

static void credentials_for_proxies_passed_go_along_with_the_next_count(void **state)
{
	(void)state;
	ask("e");
	assert_true(challenge(407, "Proxy-Authenticate: Digest realm=\"one\",nonce=\"n1\",qop=\"auth\"\n"));
	assert_true(challenge(
		407, "Proxy-Authenticate: Digest realm=\"two\",nonce=\"n2\",qop=\"auth\",algorithm=SHA-256\n"));
	assert_right(PROXY, 0, "u2", "p2", "two", "n2", "00000001");
	assert_right(PROXY, 1, "u1", "p1", "one", "n1", "00000002");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n3\",qop=\"auth\",opaque=\"q\"\n"));
	assert_right(AUTH, 0, "u1", "p1", "one", "n3", "00000001");
	assert_right(PROXY, 0, "u2", "p2", "two", "n2", "00000002");
	assert_right(PROXY, 1, "u1", "p1", "one", "n1", "00000003");
	assert_true(challenge(407, "Proxy-Authenticate: Digest realm=\"one\",nonce=\"n4\"\n"));
	assert_right(PROXY, 0, "u1", "p1", "one", "n4", NULL);
	assert_right(PROXY, 1, "u2", "p2", "two", "n2", "00000003");
	assert_null(ct_header(request, PROXY, 2));
	assert_right(AUTH, 0, "u1", "p1", "one", "n3", "00000002");
	assert_string_equal(param(AUTH, 0, "opaque"), "q");
	assert_false(challenge(200, ""));
	assert_int_equal(final, 200);
}

static void limits_of_one_response(void **state)
{
	char headers[4096];
	size_t n = 0;

	(void)state;
	/* Credentials for four realms at most. */
	for (unsigned i = 0; i < 5; i++)
		n += (size_t)snprintf(headers + n, sizeof(headers) - n,
				      "WWW-Authenticate: Digest realm=\"r%u\",nonce=\"n\"\n", i);
	ask("e");
	assert_true(challenge(401, headers));
	assert_non_null(ct_header(request, AUTH, 3));
	assert_null(ct_header(request, AUTH, 4));
	assert_false(challenge(200, ""));
	/* Sixteen headers are looked at. */
	for (unsigned before = 15; before <= 16; before++) {
		n = 0;
		for (unsigned i = 0; i < before; i++)
			n += (size_t)snprintf(headers + n, sizeof(headers) - n,
					      "WWW-Authenticate: Basic realm=\"r\"\n");
		snprintf(headers + n, sizeof(headers) - n, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n\"\n");
		ask("e");
		assert_int_equal(challenge(401, headers), before == 15);
		assert_false(request && challenge(200, ""));
	}
}

static void quotes_are_kept_as_they_came(void **state)
{
	(void)state;
	ask("e");
	assert_true(
		challenge(401, "WWW-Authenticate: Digest realm=\"four\",nonce=\"a\\\"b\",opaque=\"\\\\\",qop=auth\n"));
	assert_non_null(strstr(ct_header(request, AUTH, 0), "username=\"a\\\"b\""));
	assert_string_equal(param(AUTH, 0, "nonce"), "a\\\"b");
	assert_string_equal(param(AUTH, 0, "opaque"), "\\\\");
	assert_right(AUTH, 0, "a\"b", "p", "four", "a\\\"b", "00000001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_realm_chooses_the_auth_object),
		T(the_first_challenge_that_can_be_answered_counts_once_a_realm),
		T(a_realm_whose_algorithm_its_object_lacks_goes_to_the_object_for_any),
		T(integrity_alone_is_not_answered),
		T(without_an_object_the_challenge_is_the_outcome),
		T(the_same_nonce_again_means_refused_unless_stale),
		T(nine_answers_are_given_at_most),
		T(credentials_for_proxies_passed_go_along_with_the_next_count),
		T(limits_of_one_response),
		T(quotes_are_kept_as_they_came),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
