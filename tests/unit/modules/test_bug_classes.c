/*
 * Classes of bugs that SIP peers have had: a challenger that is never content, or wants something weaker. Requests of
 * our own are answered so often and no more, whatever it varies, and never by less than was configured.
 */
#include "core_test.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define MAX_ANSWERS 9
#define MAX_LINES   12 /* credentials in one request */

static struct ct_phone *phone;
static char *request; /* the last one that came */
static int final;

static int setup(void **state)
{
	(void)state;
	ct_start("[e]\ntype=endpoint\noutbound_auth=one,any\n[strong]\ntype=endpoint\noutbound_auth=two\n"
		 "[one]\ntype=auth\nusername=u1\npassword=p1\nrealm=one\n"
		 "[two]\ntype=auth\nusername=u2\npassword=p2\nrealm=two\nsupported_algorithms_uac=SHA-256\n"
		 "[any]\ntype=auth\nusername=ux\npassword=px\nsupported_algorithms_uac=MD5,SHA-256,SHA-512-256\n",
		 NULL);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

static int teardown(void **state)
{
	free(request);
	request = NULL;
	ast_sip_module_info.unload();
	return ct_teardown(state);
}

static void done(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	(void)token;
	final = why == AST_SIP_REQUEST_RESPONSE ? (int)sip_rx_msg(rx)->status : -1;
}

static bool next_request(void)
{
	const char *m = ct_receive(phone);

	free(request);
	request = m ? strdup(m) : NULL;
	return request != NULL;
}

static void ask(const char *endpoint)
{
	struct ast_sip_endpoint *e = ast_sip_endpoint_get(rs_str_c(endpoint));
	struct sip_tx_data *tx = ast_sip_create_request("OPTIONS", NULL, e, "sip:x@10.0.0.2");

	final = 0;
	assert_non_null(tx);
	assert_int_equal(ast_sip_send_request_cb(tx, NULL, e, 0, done, NULL), 0);
	ast_sip_endpoint_unref(e);
	assert_true(next_request());
}

static bool challenge(unsigned status, const char *headers)
{
	ct_answer(phone, request, status, headers);
	return next_request();
}

static unsigned lines(const char *name)
{
	unsigned n = 0;

	while (ct_header(request, name, n))
		n++;
	return n;
}

/* Ways of asking on and on: the nth challenge. */
static unsigned new_nonce(unsigned n, char *out, size_t size)
{
	snprintf(out, size, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n%u\",qop=\"auth\"\n", n);
	return 401;
}

static unsigned stale_for_ever(unsigned n, char *out, size_t size)
{
	snprintf(out, size, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n%u\",stale=true\n", n);
	return 401;
}

static unsigned stale_with_one_nonce(unsigned n, char *out, size_t size)
{
	(void)n;
	snprintf(out, size, "WWW-Authenticate: Digest realm=\"one\",nonce=\"n\",stale=true\n");
	return 401;
}

static unsigned server_and_proxy_in_turn(unsigned n, char *out, size_t size)
{
	snprintf(out, size, "%s-Authenticate: Digest realm=\"one\",nonce=\"n%u\"\n", n & 1 ? "Proxy" : "WWW", n);
	return n & 1 ? 407 : 401;
}

static unsigned another_realm_each_time(unsigned n, char *out, size_t size)
{
	snprintf(out, size, "WWW-Authenticate: Digest realm=\"r%u\",nonce=\"n%u\"\n", n, n);
	return 401;
}

static unsigned many_realms_each_time(unsigned n, char *out, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < 20; i++)
		len += (size_t)snprintf(out + len, size - len,
					"%s-Authenticate: Digest realm=\"r%u-%u\",nonce=\"n%u\"\n",
					n & 1 ? "Proxy" : "WWW", n, i, n);
	return n & 1 ? 407 : 401;
}

static unsigned another_algorithm_each_time(unsigned n, char *out, size_t size)
{
	static const char *const algorithms[] = {"SHA-512-256", "SHA-256", "MD5"};

	snprintf(out, size, "WWW-Authenticate: Digest realm=\"r\",nonce=\"n%u\",algorithm=%s\n", n, algorithms[n % 3]);
	return 401;
}

static void a_challenger_that_is_never_content_is_given_up(void **state)
{
	static unsigned (*const ways[])(unsigned n, char *out, size_t size) = {
		new_nonce,
		stale_for_ever,
		stale_with_one_nonce,
		server_and_proxy_in_turn,
		another_realm_each_time,
		many_realms_each_time,
		another_algorithm_each_time,
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(ways); i++) {
		unsigned answers = 0, status;
		char headers[4096];
		size_t first;

		ask("e");
		first = strlen(request);
		do {
			status = ways[i](answers, headers, sizeof(headers));
			if (!challenge(status, headers))
				break;
			answers++;
			/* No more and no longer with each round. */
			assert_true(lines("Authorization") + lines("Proxy-Authorization") <= MAX_LINES);
			assert_true(strlen(request) < first + MAX_LINES * 400);
		} while (answers < 20);
		if (answers != MAX_ANSWERS)
			fail_msg("way %zu: %u answers", i, answers);
		assert_true(final == 401 || final == 407);
	}
}

static void what_is_weaker_than_configured_is_not_answered(void **state)
{
	static const char *const weak[] = {
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\"\n", /* MD5 by default */
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=MD5\n",
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=MD5-sess\n",
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=SHA-256-sess\n",
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=SHA-256,qop=\"auth-int\"\n",
		"WWW-Authenticate: Basic realm=\"two\"\n",
		"WWW-Authenticate: Digest realm=\"other\",nonce=\"n\",algorithm=SHA-256\n",
		"WWW-Authenticate: Digest nonce=\"n\",algorithm=SHA-256\n",
		"WWW-Authenticate: Digest realm=\"two\",algorithm=SHA-256\n",
		"WWW-Authenticate: Digest realm=\"two\",realm=\"two\",nonce=\"n\",algorithm=SHA-256\n",
		"WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=SHA-256,algorithm=SHA-256\n",
		"",
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(weak); i++) {
		ask("strong");
		if (challenge(401, weak[i]))
			fail_msg("answered: %s", weak[i]);
		assert_int_equal(final, 401);
	}
	/* The weak one first, the right one behind it: the right one is taken. */
	ask("strong");
	assert_true(challenge(401, "WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=MD5\n"
				   "WWW-Authenticate: Digest realm=\"two\",nonce=\"n\",algorithm=SHA-256\n"));
	assert_int_equal(lines("Authorization"), 1);
	assert_non_null(strstr(ct_header(request, "Authorization", 0), "algorithm=SHA-256"));
	assert_null(strstr(request, "p2"));
	assert_false(challenge(200, ""));
	assert_int_equal(final, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(a_challenger_that_is_never_content_is_given_up),
		T(what_is_weaker_than_configured_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
