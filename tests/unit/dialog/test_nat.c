/* rewrite_contact inside dialogs: of the answers to what is sent for an endpoint, and of requests. */
#include "with_core.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define CONFIG "[nat]\ntype=endpoint\nrewrite_contact=yes\n[open]\ntype=endpoint\nrewrite_contact=no\n"

static void start(void)
{
	dc_start(CONFIG, NULL);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
}

static void answered_with(const char *endpoint, const char *lines)
{
	dc_calls(endpoint, "sip:bob@10.0.0.2");
	dc_sends("INVITE");
	ct_answer(dc.phone, dc_got(dc.phone, "INVITE"), 200, lines);
	dc_hears("final 200");
}

static void target_is(const char *uri)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", RS_FMT(sip_dialog_remote_target(dc.dlg)));
	assert_string_equal(text, uri);
}

static struct sip_target way(struct rs_str *route)
{
	struct sip_tx_data *tx = ast_sip_create_request("INFO", dc.dlg, NULL, NULL);
	static char text[256];
	struct sip_target t;

	assert_non_null(tx);
	t = *sip_tx_target(tx);
	snprintf(text, sizeof(text), "%.*s", RS_FMT(sip_tx_hdr(tx, SIP_HDR_ROUTE)));
	*route = rs_str_c(text);
	sip_tx_unref(tx);
	return t;
}

static void the_contact_of_an_answer_is_rewritten(void **state)
{
	struct rs_str route;

	(void)state;
	start();
	answered_with("nat", "Contact: <sip:bob@192.168.0.2:7000>\n");
	target_is("sip:bob@10.0.0.2:5060");
	assert_true(way(&route).flow != 0);
	dc_stop();
	start();
	answered_with("open", "Contact: <sip:bob@192.168.0.2:7000>\n");
	target_is("sip:bob@192.168.0.2:7000");
	assert_int_equal(way(&route).flow, 0);
	dc_stop();
}

static void the_nearest_proxy_is_rewritten_instead(void **state)
{
	struct rs_str route;

	(void)state;
	start();
	answered_with("nat", "Contact: <sip:bob@192.168.0.2:7000>\n"
			     "Record-Route: <sip:far.example;lr>, <sip:192.168.0.9:7001;lr>\n");
	target_is("sip:bob@192.168.0.2:7000");
	assert_true(way(&route).flow != 0);
	assert_string_equal(route.p, "<sip:10.0.0.2:5060;lr>,<sip:far.example;lr>");
	dc_stop();
}

static void requests_inside_are_rewritten_too(void **state)
{
	struct ct_phone *moved;
	struct rs_str route;

	(void)state;
	start();
	answered_with("nat", "Contact: <sip:bob@192.168.0.2:7000>\n");
	moved = ct_phone("10.0.0.2:6000");
	dc.answer = 200;
	dc_asked(moved, "UPDATE", 1, "Contact: <sip:bob@192.168.0.2:7000>\n");
	dc_hears("UPDATE 1");
	target_is("sip:bob@10.0.0.2:6000");
	assert_int_equal(ct_status(ct_receive(moved)), 200);
	assert_true(way(&route).flow != 0);
	dc_sends("BYE");
	ct_answer(moved, dc_got(moved, "BYE"), 200, "");
	dc_hears("final 200");
	dc_stop();
}

int main(void)
{
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
	const struct CMUnitTest tests[] = {
		T(the_contact_of_an_answer_is_rewritten),
		T(the_nearest_proxy_is_rewritten_instead),
		T(requests_inside_are_rewritten_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
