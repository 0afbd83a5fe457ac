/* Identification by address, header and Request-URI: rules, masks, regular expressions and their limit. */
#include "core_test.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define MAX_REGEX_TEXT       2048
#define SECTION(name, rules) "[" name "]\ntype=endpoint\n[" name "]\ntype=identify\nendpoint=" name "\n" rules "\n"
#define CONFIG                                                                                                         \
	SECTION("a", "match=10.1.0.0/16\nmatch=!10.1.2.0/25\nmatch=10.1.2.7")                                          \
	SECTION("b", "match=10.1.0.0/255.255.255.0")                                                                   \
	SECTION("c", "match=10.2.0.1:5070")                                                                            \
	SECTION("e", "match=10.3.0.0/15")                                                                              \
	SECTION("f", "match=::ffff:10.6.0.1\nmatch=::ffff:10.7.0.0/112")                                               \
	SECTION("h", "match_header=X-Id: exact")                                                                       \
	SECTION("i", "match_header=X-Id: /^re+x$/")                                                                    \
	SECTION("j", "match_header=X-Long: /x$/")                                                                      \
	SECTION("u", "match_request_uri=sip:u@10.0.0.1")                                                               \
	SECTION("v", "match_request_uri=/sip:v[0-9]@/")

static char found[64];

static bool answer(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *e = ast_sip_rx_endpoint(rx);

	snprintf(found, sizeof(found), "%.*s",
		 RS_FMT(ast_sip_endpoint_is_artificial(e) ? RS_STR("-") : ast_sip_endpoint_id(e)));
	ast_sip_respond_stateless(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module sink = {
	.size = sizeof(struct sip_module), .name = "sink", .priority = SIP_PRIORITY_NAT, .on_rx_request = answer};

static int setup(void **state)
{
	(void)state;
	ct_start(CONFIG, NULL);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	assert_int_equal(ast_sip_register_service(&sink), 0);
	return 0;
}

static const char *who(const char *from, const char *uri, const char *headers)
{
	static unsigned n;
	struct ct_phone *p = ct_phone(from);
	char word[16];

	snprintf(word, sizeof(word), "w%u", ++n);
	found[0] = '\0';
	ct_request(p, "OPTIONS", uri, word, headers);
	assert_int_equal(ct_status(ct_receive(p)), 200);
	ct_phone_close(p);
	return found;
}

static const char *from(const char *address)
{
	return who(address, "sip:10.0.0.1", "");
}

static void the_last_rule_that_matches_decides(void **state)
{
	(void)state;
	assert_string_equal(from("10.1.9.1:5060"), "a");
	assert_string_equal(from("10.1.2.127:5060"), "-");
	assert_string_equal(from("10.1.2.128:5060"), "a");
	assert_string_equal(from("10.1.2.7:5060"), "a");
	assert_string_equal(from("10.1.0.1:5060"), "a"); /* b matches, too, and comes later */
	assert_string_equal(from("10.0.255.255:5060"), "-");
}

static void masks_and_ports(void **state)
{
	(void)state;
	assert_string_equal(from("10.2.0.1:5070"), "c");
	assert_string_equal(from("10.2.0.1:5071"), "e");     /* the port is another */
	assert_string_equal(from("10.2.255.255:5060"), "e"); /* 10.2.0.0/15 is what 10.3.0.0/15 means */
	assert_string_equal(from("10.3.255.255:5060"), "e");
	assert_string_equal(from("10.4.0.0:5060"), "-");
	assert_string_equal(from("10.6.0.1:5060"), "f"); /* an IPv4 address written as a mapped one */
	assert_string_equal(from("10.6.0.2:5060"), "-");
	assert_string_equal(from("10.7.255.1:5060"), "f");
}

static void headers_and_request_uris(void **state)
{
	(void)state;
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id:   exact  \n"), "h");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "x-id: exact\n"), "h");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id: Exact\n"), "-");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id: exactly\n"), "-");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id: no\nX-Id: exact\n"), "h");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id: reeex\n"), "i");
	assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", "X-Id: a reeex\n"), "-");
	assert_string_equal(who("10.9.0.1:5060", "sip:u@10.0.0.1", ""), "u");
	assert_string_equal(who("10.9.0.1:5060", "sip:u@10.0.0.1;x", ""), "-");
	assert_string_equal(who("10.9.0.1:5060", "sip:v7@10.0.0.1", ""), "v");
	assert_string_equal(who("10.9.0.1:5060", "sip:v77@10.0.0.1", ""), "-");
}

static void a_regular_expression_is_run_over_so_much(void **state)
{
	char line[4096];

	(void)state;
	for (int over = 0; over < 2; over++) {
		int n = snprintf(line, sizeof(line), "X-Long: ");

		memset(line + n, 'x', MAX_REGEX_TEXT + (size_t)over);
		snprintf(line + n + MAX_REGEX_TEXT + over, 4, "\n");
		assert_string_equal(who("10.9.0.1:5060", "sip:10.0.0.1", line), over ? "-" : "j");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, ct_teardown)
		T(the_last_rule_that_matches_decides),
		T(masks_and_ports),
		T(headers_and_request_uris),
		T(a_regular_expression_is_run_over_so_much),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
