/* Who sent a request: order of identifiers, the lookup sequence, access rules, strangers. */
#include "core_test.h"

static char asked[128];
static struct rs_str user;
static struct rs_str domain;
static char found[64];

static struct ast_sip_endpoint *nobody(const char *name)
{
	strncat(asked, name, sizeof(asked) - strlen(asked) - 2);
	strcat(asked, " ");
	return NULL;
}

#define IDENTIFIER(name)                                                                                               \
	static struct ast_sip_endpoint *name##_identify(struct sip_rx_data *rx)                                        \
	{                                                                                                              \
		(void)rx;                                                                                              \
		return nobody(#name);                                                                                  \
	}                                                                                                              \
	static struct ast_sip_endpoint_identifier name = {.size = sizeof(struct ast_sip_endpoint_identifier),          \
							  .identify_endpoint = name##_identify}
IDENTIFIER(unnamed);
IDENTIFIER(ip);
IDENTIFIER(username);
IDENTIFIER(anonymous);
IDENTIFIER(auth_username);
IDENTIFIER(header);

static struct ast_sip_endpoint *looking_up(struct sip_rx_data *rx)
{
	return ast_sip_lookup_endpoint(rx, user, domain);
}
static struct ast_sip_endpoint_identifier lookup = {.size = sizeof(struct ast_sip_endpoint_identifier),
						    .identify_endpoint = looking_up};

static bool answer(struct sip_rx_data *rx)
{
	struct rs_str id = ast_sip_endpoint_id(ast_sip_rx_endpoint(rx));

	snprintf(found, sizeof(found), "%.*s",
		 RS_FMT(ast_sip_endpoint_is_artificial(ast_sip_rx_endpoint(rx)) ? RS_STR("artificial") : id));
	ast_sip_respond_stateless(rx, 200, RS_STR_NULL);
	return true;
}

/* Behind identification, before authentication: this test is about the first only. */
static struct sip_module sink = {
	.size = sizeof(struct sip_module), .name = "sink", .priority = SIP_PRIORITY_NAT, .on_rx_request = answer};

static void start(const char *pjsip, const char *own)
{
	asked[0] = found[0] = '\0';
	ct_start(pjsip, own);
	assert_int_equal(ast_sip_register_service(&sink), 0);
}

static void ask(const char *from_phone, const char *word, const char *more)
{
	struct ct_phone *p = ct_phone(from_phone);

	asked[0] = found[0] = '\0';
	ct_request(p, "OPTIONS", "sip:10.0.0.1", word, more);
	assert_int_equal(ct_status(ct_receive(p)), 200);
	ct_phone_close(p);
}

static void register_identifiers(void)
{
	/* Registered in an order that is none of those expected. */
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&header, "header"), 0);
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&anonymous, "anonymous"), 0);
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&auth_username, "auth_username"), 0);
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&username, "username"), 0);
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&ip, "ip"), 0);
	assert_int_equal(ast_sip_register_endpoint_identifier(&unnamed), 0);
}

static void the_order_is_ip_username_anonymous_then_the_rest(void **state)
{
	(void)state;
	start("", NULL);
	register_identifiers();
	ask("10.0.0.2:5060", "1", "");
	assert_string_equal(asked, "unnamed ip username anonymous header auth_username ");
	ct_stop();
}

static void load_lines_give_the_order_with_anonymous_last(void **state)
{
	const char *const lines[] = {"anonymous", "username", "auth_username", "ip"};

	(void)state;
	start("", NULL);
	ast_sip_identifiers_set_load_order(lines, RS_ARRAY_SIZE(lines));
	register_identifiers();
	ask("10.0.0.2:5060", "1", "");
	assert_string_equal(asked, "unnamed username auth_username ip header anonymous ");
	ct_stop();
}

static void the_option_overrides_load_lines(void **state)
{
	const char *const lines[] = {"username", "ip"};

	(void)state;
	start("[global]\ntype=global\nendpoint_identifier_order=auth_username,ip\n", NULL);
	register_identifiers();
	ast_sip_identifiers_set_load_order(lines, RS_ARRAY_SIZE(lines));
	ask("10.0.0.2:5060", "1", "");
	assert_string_equal(asked, "unnamed auth_username ip header anonymous username ");
	ct_stop();
}

static void collect(void *token, const char *name)
{
	strcat(token, name ? name : "-");
	strcat(token, " ");
}

static void identifiers_are_listed_in_effective_order(void **state)
{
	char names[128] = "";

	(void)state;
	start("", NULL);
	register_identifiers();
	assert_int_equal(ast_sip_register_endpoint_identifier(&unnamed), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(ast_sip_unregister_endpoint_identifier(&username), 0);
	ast_sip_identifiers_each(collect, names);
	assert_string_equal(names, "- ip anonymous header auth_username ");
	ct_stop();
}

/* ---- the lookup sequence ---- */

#define ENDPOINT(name) "[" name "]\ntype=endpoint\n"

static void lookup_is(const char *u, const char *d, const char *expected)
{
	static unsigned n;
	char word[16];

	user = rs_str_c(u);
	domain = rs_str_c(d);
	snprintf(word, sizeof(word), "l%u", n++);
	ask("10.0.0.2:5060", word, "");
	assert_string_equal(found, expected);
}

static void lookup_tries_domain_alias_transport_then_the_user(void **state)
{
	(void)state;
	start(ENDPOINT("bob@a.example") ENDPOINT("bob@real.example") ENDPOINT("bob@transport.example") ENDPOINT("bob")
		      ENDPOINT("carol@transport.example") ENDPOINT("carol")
			      ENDPOINT("dave") "[alias.example]\ntype=domain_alias\ndomain=real.example\n[udp](+)"
					       "\ndomain=transport.example\n",
	      NULL);
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	lookup_is("bob", "a.example", "bob@a.example");
	lookup_is("bob", "alias.example", "bob@real.example");
	lookup_is("bob", "other.example", "bob@transport.example");
	lookup_is("carol", "other.example", "carol@transport.example");
	lookup_is("dave", "other.example", "dave");
	lookup_is("Dave", "other.example", "artificial");
	lookup_is("", "a.example", "artificial");
	ct_stop();
}

static void disable_multi_domain_leaves_the_user_alone(void **state)
{
	(void)state;
	start(ENDPOINT("bob@a.example") ENDPOINT("bob") "[global]\ntype=global\ndisable_multi_domain=yes\n", NULL);
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	lookup_is("bob", "a.example", "bob");
	ct_stop();
}

/* ---- access rules ---- */

static void a_refused_source_becomes_a_stranger(void **state)
{
	const char *line;

	(void)state;
	start("[bob]\ntype=endpoint\ndeny=0.0.0.0/0\npermit=10.0.0.3\n", NULL);
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	user = RS_STR("bob");
	ask("10.0.0.3:5060", "1", "");
	assert_string_equal(found, "bob");
	ask("10.0.0.2:5060", "2", "");
	assert_string_equal(found, "artificial");
	assert_non_null(ct_log_line("SIP ACL: Rejecting '10.0.0.2' due to a failure to pass ACL '(BASELINE)'"));
	line = ct_log_line("failed for '10.0.0.2:5060' (callid: 2@phone) - Not match Endpoint ACL");
	assert_non_null(line);
	line = ct_log_line("SecurityEvent=\"FailedACL\"");
	assert_non_null(line);
	assert_non_null(strstr(line, "AccountID=\"bob\""));
	assert_non_null(strstr(line, "ACLName=\"not_match_endpoint_acl\""));
	ct_stop();
}

static void a_refused_contact_becomes_a_stranger(void **state)
{
	(void)state;
	start("[bob]\ntype=endpoint\ncontact_deny=0.0.0.0/0\ncontact_permit=10.0.0.0/24\n", NULL);
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	user = RS_STR("bob");
	ask("10.0.0.2:5060", "1", "Contact: <sip:x@10.0.0.77>\n");
	assert_string_equal(found, "bob");
	ask("10.0.0.2:5060", "2", "Contact: <sip:x@10.0.0.77>, <sip:x@192.0.2.1>\n");
	assert_string_equal(found, "artificial");
	assert_non_null(ct_log_line("SIP Contact ACL: Rejecting '192.0.2.1'"));
	assert_non_null(ct_log_line("ACLName=\"not_match_endpoint_contact_acl\""));
	ct_stop();
}

/* ---- strangers ---- */

static void a_stranger_is_reported_at_once(void **state)
{
	(void)state;
	start("", NULL);
	ask("10.0.0.2:5060", "1", "");
	assert_string_equal(found, "artificial");
	assert_int_equal(ct_logged("failed for '10.0.0.2:5060' (callid: 1@phone) - No matching endpoint found"), 1);
	assert_int_equal(ct_logged("SecurityEvent=\"InvalidAccountID\""), 1);
	assert_non_null(ct_log_line("AccountID=\"alice\""));
	ct_stop();
}

static unsigned count;
static void look(void *token, const struct sip_addr *address, unsigned n, int64_t age_s)
{
	char text[SIP_ADDR_TEXT];

	(void)token;
	(void)age_s;
	assert_string_equal(sip_addr_text(address, false, text), "10.0.0.2");
	count = n;
}

static unsigned counted(void)
{
	count = 0;
	ast_sip_unidentified_each(look, NULL);
	return count;
}

static void strangers_are_counted_when_auth_username_may_identify(void **state)
{
	char word[16];

	(void)state;
	start(ENDPOINT("bob") "[global]\ntype=global\nendpoint_identifier_order=auth_username\nunidentified_request_"
			      "count=3\n",
	      NULL);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(word, sizeof(word), "s%u", i);
		ask("10.0.0.2:5060", word, "");
	}
	assert_int_equal(counted(), 2);
	assert_int_equal(ct_logged("No matching endpoint found"), 0);
	ask("10.0.0.2:5061", "s2", "");
	assert_int_equal(ct_logged("No matching endpoint found after 3 tries in "), 1);
	assert_int_equal(ct_logged("InvalidAccountID"), 1);
	/* After the period the source is silent until its entry is gone. */
	sim_run_for(6 * SIM_SECOND);
	ask("10.0.0.2:5060", "s3", "");
	assert_int_equal(ct_logged("InvalidAccountID"), 1);
	assert_int_equal(counted(), 4);
	/* Who is identified is forgotten. */
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	user = RS_STR("bob");
	ask("10.0.0.2:5060", "s4", "");
	assert_string_equal(found, "bob");
	assert_int_equal(counted(), 0);
	ct_stop();
}

static void old_strangers_are_pruned(void **state)
{
	(void)state;
	start("[global]\ntype=global\nendpoint_identifier_order=auth_username\n", NULL);
	ask("10.0.0.2:5060", "1", "");
	assert_int_equal(counted(), 1);
	sim_run_for(60 * SIM_SECOND);
	assert_int_equal(counted(), 0);
	ct_stop();
}

static void a_design_call_identifies(void **state)
{
	(void)state;
	start(ENDPOINT("bob"), NULL);
	assert_int_equal(ast_sip_register_endpoint_identifier(&lookup), 0);
	lookup_is("bob", "", "bob");
	ct_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_order_is_ip_username_anonymous_then_the_rest, ct_teardown),
		cmocka_unit_test_teardown(load_lines_give_the_order_with_anonymous_last, ct_teardown),
		cmocka_unit_test_teardown(the_option_overrides_load_lines, ct_teardown),
		cmocka_unit_test_teardown(identifiers_are_listed_in_effective_order, ct_teardown),
		cmocka_unit_test_teardown(lookup_tries_domain_alias_transport_then_the_user, ct_teardown),
		cmocka_unit_test_teardown(disable_multi_domain_leaves_the_user_alone, ct_teardown),
		cmocka_unit_test_teardown(a_refused_source_becomes_a_stranger, ct_teardown),
		cmocka_unit_test_teardown(a_refused_contact_becomes_a_stranger, ct_teardown),
		cmocka_unit_test_teardown(a_stranger_is_reported_at_once, ct_teardown),
		cmocka_unit_test_teardown(strangers_are_counted_when_auth_username_may_identify, ct_teardown),
		cmocka_unit_test_teardown(old_strangers_are_pruned, ct_teardown),
		cmocka_unit_test_teardown(a_design_call_identifies, ct_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
