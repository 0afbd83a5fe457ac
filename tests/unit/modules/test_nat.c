/* What rewrite_contact makes of a Contact, as later services see it. */
#include "core_test.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define MAX_REWRITTEN 2048

static struct ct_phone *phone;
static char contact[4096], route[512];
static bool rport;

static bool probe(struct sip_rx_data *rx)
{
	const struct sip_name_addr *c = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	const struct sip_name_addr *r = sip_rx_name_addr(rx, SIP_HDR_RECORD_ROUTE, 0);

	snprintf(contact, sizeof(contact), "%.*s", RS_FMT(c ? c->text : RS_STR_NULL));
	snprintf(route, sizeof(route), "%.*s", RS_FMT(r ? r->text : RS_STR_NULL));
	rport = sip_rx_force_rport(rx);
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module service = {
	.size = sizeof(struct sip_module), .name = "probe", .priority = SIP_PRIORITY_NAT + 1, .on_rx_request = probe};

static void start(const char *options)
{
	char text[512];

	snprintf(text, sizeof(text), "[anonymous]\ntype=endpoint\n%s", options);
	ct_start(text, NULL);
	ct_let_all_in();
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	assert_int_equal(ast_sip_register_service(&service), 0);
	phone = ct_phone("10.0.0.9:5070");
}

static int setup(void **state)
{
	(void)state;
	start("rewrite_contact=yes\n");
	return 0;
}

static void ask(const char *method, const char *headers)
{
	static unsigned n;
	char word[16];

	snprintf(word, sizeof(word), "w%u", ++n);
	contact[0] = '\0';
	ct_request(phone, method, "sip:10.0.0.1", word, headers);
	assert_int_equal(ct_status(ct_receive(phone)), 200);
}

static void the_source_takes_the_place_of_the_host(void **state)
{
	static const struct {
		const char *sent, *seen;
	} cases[] = {
		{"<sip:a@192.168.0.2>", "<sip:a@10.0.0.9:5070>"},
		{"sip:a@192.168.0.2:9999", "<sip:a@10.0.0.9:5070>"},
		{"<sip:192.168.0.2>", "<sip:10.0.0.9:5070>"},
		{"<sip:a:pw@h>", "<sip:a:pw@10.0.0.9:5070>"},
		{"<sips:a@h>", "<sips:a@10.0.0.9:5070>"},
		{"<sip:a@[fd00::1]:1>", "<sip:a@10.0.0.9:5070>"},
		/* UDP is the default: no transport parameter */
		{"<sip:a@h;transport=tcp>", "<sip:a@10.0.0.9:5070>"},
		{"<sip:a@h;TRANSPORT=UDP;x>", "<sip:a@10.0.0.9:5070;x>"},
		{"<sip:a@h;x=1;transport=ws;y>", "<sip:a@10.0.0.9:5070;x=1;y>"},
		{"<sip:a@h;user=phone?h=v>", "<sip:a@10.0.0.9:5070;user=phone?h=v>"},
		{"\"A \\\" B\" <sip:a@h>;q=0.5;x=\"y;z\"", "\"A \\\" B\" <sip:a@10.0.0.9:5070>;q=0.5;x=\"y;z\""},
		{"A B <sip:a@h>", "\"A B\" <sip:a@10.0.0.9:5070>"},
		{"sip:a@h;expires=9", "<sip:a@10.0.0.9:5070>;expires=9"},
		/* Nobody makes it believe that it has been here before. */
		{"<sip:a@h;x-ast-orig-host=evil:1>", "<sip:a@10.0.0.9:5070>"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "Contact: %s\n", cases[i].sent);
		ask("OPTIONS", line);
		assert_string_equal(contact, cases[i].seen);
	}
}

static void a_register_remembers_where_the_phone_thinks_it_is(void **state)
{
	(void)state;
	ask("REGISTER", "Contact: <sip:a@h:99;x=1>\n");
	assert_string_equal(contact, "<sip:a@10.0.0.9:5070;x=1;x-ast-orig-host=h:99>");
	ask("REGISTER", "Contact: <sip:a@h>\n");
	assert_string_equal(contact, "<sip:a@10.0.0.9:5070;x-ast-orig-host=h:0>");
	ask("REGISTER", "Contact: <sip:a@[fd00::2]:99>\n");
	assert_string_equal(contact, "<sip:a@10.0.0.9:5070;x-ast-orig-host=[fd00::2]:99>");
	ask("REGISTER", "Contact: <sip:a@10.0.0.9:1>\n"); /* the same host */
	assert_string_equal(contact, "<sip:a@10.0.0.9:5070>");
	ask("REGISTER", "Contact: *\nExpires: 0\n");
	assert_string_equal(contact, "*");
	ask("REGISTER", "");
	assert_string_equal(contact, "");
}

static void a_record_route_is_rewritten_instead_except_in_a_register(void **state)
{
	(void)state;
	ask("OPTIONS", "Record-Route: <sip:p@h;lr>, <sip:q@h;lr>\nContact: <sip:a@h>\n");
	assert_string_equal(route, "<sip:p@10.0.0.9:5070;lr>");
	assert_string_equal(contact, "<sip:a@h>");
	ask("REGISTER", "Record-Route: <sip:p@h;lr>\nContact: <sip:a@10.0.0.9:1>\n");
	assert_string_equal(route, "<sip:p@h;lr>");
	assert_string_equal(contact, "<sip:a@10.0.0.9:5070>");
}

static void a_contact_that_would_be_too_long_stays(void **state)
{
	char line[4096];

	(void)state;
	/* "<sip:a@10.0.0.9:5070;" and ">" are 22 */
	for (int over = 0; over < 2; over++) {
		char filler[MAX_REWRITTEN];
		int n = MAX_REWRITTEN - 22 + over;

		memset(filler, 'x', sizeof(filler));
		snprintf(line, sizeof(line), "Contact: <sip:a@h;%.*s>\n", n, filler);
		ask("OPTIONS", line);
		assert_int_equal(strncmp(contact, "<sip:a@h;", 9) == 0, over);
		assert_int_equal(strlen(contact), over ? (size_t)n + 10 : MAX_REWRITTEN);
	}
}

static void without_the_options_nothing_happens(void **state)
{
	(void)state;
	start("rewrite_contact=no\nforce_rport=no\n");
	ask("OPTIONS", "Contact: <sip:a@h;transport=tcp>\n");
	assert_string_equal(contact, "<sip:a@h;transport=tcp>");
	assert_false(rport);
	ct_stop();
	start("force_rport=yes\n");
	ask("OPTIONS", "Contact: <sip:a@h>\n");
	assert_string_equal(contact, "<sip:a@h>");
	assert_true(rport);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, ct_teardown)
		T(the_source_takes_the_place_of_the_host),
		T(a_register_remembers_where_the_phone_thinks_it_is),
		T(a_record_route_is_rewritten_instead_except_in_a_register),
		T(a_contact_that_would_be_too_long_stays),
		cmocka_unit_test_teardown(without_the_options_nothing_happens, ct_teardown),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
