/* What is refused before anybody is identified or challenged. */
#include "core_test.h"

static struct ct_phone *phone;

static unsigned reached;

static bool take(struct sip_rx_data *rx)
{
	reached++;
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}

static struct sip_module everything = {.size = sizeof(struct sip_module),
				       .name = "everything",
				       .priority = SIP_PRIORITY_APPLICATION,
				       .on_rx_request = take,
				       .methods = "OPTIONS, REGISTER, MESSAGE, SUBSCRIBE",
				       .supported = "path"};

static int setup(void **state)
{
	(void)state;
	reached = 0;
	ct_start(CT_ANONYMOUS "[example.org]\ntype=domain_alias\ndomain=example.com\n"
			      "[third]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5070\ndomain=ours.example\n",
		 NULL);
	ct_let_all_in();
	assert_int_equal(ast_sip_register_service(&everything), 0);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ct_stop();
	return 0;
}

static const char *ask(const char *method, const char *uri, const char *more)
{
	static unsigned n;
	char word[16];

	snprintf(word, sizeof(word), "w%u", n++);
	ct_request(phone, method, uri, word, more);
	return ct_receive(phone);
}

static void a_proper_request_reaches_its_service(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1", "")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "tel:+123", "")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sips:10.0.0.1", "")), 200);
	assert_int_equal(reached, 3);
}

static void an_unknown_scheme_is_416(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("OPTIONS", "http://10.0.0.1/", "")), 416);
	assert_int_equal(ct_status(ask("SUBSCRIBE", "sip:10.0.0.1", "Contact: <mailto:a@b>\n")), 416);
	assert_int_equal(ct_status(ask("REGISTER", "sip:10.0.0.1", "Contact: <mailto:a@b>\n")), 400);
	assert_int_equal(reached, 0);
}

static void headers_in_the_request_uri_are_400(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1?Subject=x", "")), 400);
}

static void a_request_that_makes_a_dialog_needs_a_contact(void **state)
{
	const char *m = ask("SUBSCRIBE", "sip:a@10.0.0.1", "Event: presence\n");

	(void)state;
	assert_int_equal(ct_status(m), 400);
	assert_non_null(strstr(m, "Missing Contact header"));
	assert_int_equal(ct_status(ask("SUBSCRIBE", "sip:a@10.0.0.1", "Event: presence\nContact: <sip:b@10.0.0.2>\n")),
			 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1", "Contact: *\n")), 400);
	assert_int_equal(ct_status(ask("REGISTER", "sip:10.0.0.1", "Contact: *\nExpires: 0\n")), 200);
}

static void an_unsupported_requirement_is_420_and_named(void **state)
{
	const char *m = ask("OPTIONS", "sip:10.0.0.1", "Require: path, foo\nRequire: Bar\nProxy-Require: baz\n");

	(void)state;
	assert_int_equal(ct_status(m), 420);
	assert_string_equal(ct_header(m, "Unsupported", 0), "foo, Bar, baz");
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1", "Require: PATH\n")), 200);
}

static void a_message_that_is_passed_on_is_not_judged_by_require(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("MESSAGE", "sip:a@10.0.0.1", "Require: foo\n")), 200);
	assert_int_equal(ct_status(ask("MESSAGE", "sip:a@10.0.0.1", "Proxy-Require: foo\n")), 420);
}

static void without_hops_left_only_what_is_ours_is_processed(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("OPTIONS", "sip:a@elsewhere.example", "Max-Forwards: 0\n")), 483);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:a@elsewhere.example", "Max-Forwards: 1\n")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1", "Max-Forwards: 0\n")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:a@example.org", "Max-Forwards: 0\n")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:a@ours.example", "Max-Forwards: 0\n")), 200);
	assert_int_equal(ct_status(ask("REGISTER", "sip:elsewhere.example", "Max-Forwards: 0\n")), 200);
	assert_int_equal(ct_status(ask("OPTIONS", "sip:10.0.0.1", "Max-Forwards: x\n")), 400);
}

static void what_belongs_to_no_dialog_is_481(void **state)
{
	(void)state;
	assert_int_equal(ct_status(ask("BYE", "sip:10.0.0.1", "")), 481);
	assert_int_equal(ct_status(ask("PRACK", "sip:10.0.0.1", "RAck: 1 1 INVITE\n")), 481);
	assert_int_equal(reached, 0);
}

static void sdp(char *out, size_t size, const char *headers, const char *type)
{
	snprintf(out, size, "Contact: <sip:b@10.0.0.2>\n%sContent-Type: %s\nContent-Length: 4\n\nv=0\n", headers, type);
}

static void an_invite_that_no_service_handles_is_judged_by_its_body(void **state)
{
	char more[512];
	const char *m;

	(void)state;
	assert_int_equal(ast_sip_unregister_service(&everything), 0);
	sdp(more, sizeof(more), "", "application/unknown");
	m = ask("INVITE", "sip:10.0.0.1", more);
	assert_int_equal(ct_status(m), 415);
	assert_string_equal(ct_header(m, "Accept", 0), "application/sdp");
	sdp(more, sizeof(more), "Content-Disposition: session;handling=optional\n", "application/unknown");
	assert_int_equal(ct_status(ask("INVITE", "sip:10.0.0.1", more)), 501);
	sdp(more, sizeof(more), "Accept: text/plain\n", "application/sdp");
	assert_int_equal(ct_status(ask("INVITE", "sip:10.0.0.1", more)), 406);
	sdp(more, sizeof(more), "Accept: text/plain, application/*;q=0.1\n", "application/sdp");
	assert_int_equal(ct_status(ask("INVITE", "sip:10.0.0.1", more)), 501);
}

static void an_ack_is_never_answered(void **state)
{
	(void)state;
	assert_null(ask("ACK", "http://nowhere/", "Require: foo\n"));
	assert_int_equal(reached, 0);
}

static char contact[3][256];

static bool see_contacts(struct sip_rx_data *rx)
{
	for (unsigned i = 0; i < 3; i++) {
		const struct sip_name_addr *c = sip_rx_name_addr(rx, SIP_HDR_CONTACT, i);

		snprintf(contact[i], sizeof(contact[i]), "%.*s", RS_FMT(c ? c->text : RS_STR_NULL));
	}
	return false;
}

static void parameters_of_this_server_s_own_are_taken_out_of_contacts(void **state)
{
	static struct sip_module seer = {.size = sizeof(struct sip_module),
					 .name = "seer",
					 .priority = SIP_PRIORITY_NAT,
					 .on_rx_request = see_contacts};

	(void)state;
	assert_int_equal(ast_sip_register_service(&seer), 0);
	assert_int_equal(ct_status(ask("REGISTER", "sip:10.0.0.1",
				       "Contact: \"A, B\" <sip:a@b;x=1;X-Ast-Orig-Host=h:1;y?h=v>;q=0.5, <sip:c@d;z>\n"
				       "Contact: sip:e@f;x-ast-txp=1\n")),
			 200);
	assert_string_equal(contact[0], "\"A, B\" <sip:a@b;x=1;y?h=v>;q=0.5");
	assert_string_equal(contact[1], "<sip:c@d;z>");
	assert_string_equal(contact[2], "sip:e@f;x-ast-txp=1"); /* without <> it is the header's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(a_proper_request_reaches_its_service),
		T(an_unknown_scheme_is_416),
		T(headers_in_the_request_uri_are_400),
		T(a_request_that_makes_a_dialog_needs_a_contact),
		T(an_unsupported_requirement_is_420_and_named),
		T(a_message_that_is_passed_on_is_not_judged_by_require),
		T(without_hops_left_only_what_is_ours_is_processed),
		T(what_belongs_to_no_dialog_is_481),
		T(an_invite_that_no_service_handles_is_judged_by_its_body),
		T(an_ack_is_never_answered),
		T(parameters_of_this_server_s_own_are_taken_out_of_contacts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
