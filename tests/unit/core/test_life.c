/* Start, listeners, reload, stop. */
#include "core_test.h"

#include <unistd.h>

static bool answer(struct sip_rx_data *rx)
{
	ast_sip_respond_stateless(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module sink = {
	.size = sizeof(struct sip_module), .name = "sink", .priority = SIP_PRIORITY_ACL, .on_rx_request = answer};

static int setup(void **state)
{
	(void)state;
	ct_start("[bob]\ntype=endpoint\n", NULL);
	assert_int_equal(ast_sip_register_service(&sink), 0);
	return 0;
}

static char listeners[256];

static void list(void *token, const struct sip_listener_stats *stats)
{
	char one[128], addr[SIP_ADDR_TEXT];

	(void)token;
	snprintf(one, sizeof(one), "%.*s=%s:%s ", RS_FMT(stats->name), sip_transport_name(stats->type),
		 sip_addr_text(&stats->bound, true, addr));
	strcat(listeners, one);
}

static void listeners_are(const char *const *expected, unsigned n)
{
	size_t len = 0;

	listeners[0] = '\0';
	sip_transport_each(list, NULL);
	for (unsigned i = 0; i < n; i++) {
		len += strlen(expected[i]) + 1;
		if (!strstr(listeners, expected[i]))
			fail_msg("%s is not among %s", expected[i], listeners);
	}
	assert_int_equal(strlen(listeners), len);
}

static int reload(const char *pjsip, char *first_error, size_t size)
{
	struct ast_sip_conf_errors errors = {0};
	int rc;

	ct_write("pjsip.conf", pjsip);
	rc = ast_sip_core_reload(&errors);
	first_error[0] = '\0';
	for (size_t i = errors.n; i-- > 0;) {
		if (!errors.v[i].warning)
			snprintf(first_error, size, "%s", errors.v[i].text);
	}
	ast_sip_conf_errors_free(&errors);
	ct_run();
	return rc;
}

static bool alive(const char *word)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	int status;

	ct_request(p, "OPTIONS", "sip:10.0.0.1", word, "");
	status = ct_status(ct_receive(p));
	ct_phone_close(p);
	return status == 200;
}

static void a_broken_file_changes_nothing(void **state)
{
	struct ast_sip_snapshot *before = ast_sip_snapshot_get(), *after;
	struct ast_sip_endpoint *e;
	char error[256];

	(void)state;
	assert_int_equal(
		reload(CT_TRANSPORTS "[carol]\ntype=endpoint\nallow_subscribe=perhaps\n", error, sizeof(error)), -1);
	assert_true(error[0]);
	after = ast_sip_snapshot_get();
	assert_ptr_equal(before, after);
	ast_sip_snapshot_unref(before);
	ast_sip_snapshot_unref(after);
	e = ast_sip_endpoint_get(RS_STR("bob"));
	assert_non_null(e);
	ast_sip_endpoint_unref(e);
	assert_null(ast_sip_endpoint_get(RS_STR("carol")));
	assert_true(alive("1"));
	assert_non_null(ct_log_line("core.reload_refused"));
}

static void a_good_file_comes_into_force(void **state)
{
	struct ast_sip_endpoint *e;
	char error[256];

	(void)state;
	assert_int_equal(reload(CT_TRANSPORTS "[carol]\ntype=endpoint\n", error, sizeof(error)), 0);
	e = ast_sip_endpoint_get(RS_STR("carol"));
	assert_non_null(e);
	ast_sip_endpoint_unref(e);
	assert_null(ast_sip_endpoint_get(RS_STR("bob")));
	assert_true(alive("1"));
}

static void listeners_that_did_not_change_are_not_touched(void **state)
{
	char error[256];

	(void)state;
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5060"}, 2);
	ct_log_clear();
	assert_int_equal(reload(CT_TRANSPORTS "[more]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5070\n", error,
				sizeof(error)),
			 0);
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5060", "more=UDP:10.0.0.1:5070"}, 3);
	assert_int_equal(ct_logged("listener.open"), 1);
	assert_int_equal(ct_logged("listener.closed"), 0);
	assert_true(alive("1"));
}

static void a_listener_that_changed_is_opened_anew(void **state)
{
	char error[256];

	(void)state;
	assert_int_equal(reload("[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\n"
				"[tcp]\ntype=transport\nprotocol=tcp\nbind=10.0.0.1:5061\nallow_reload=yes\n",
				error, sizeof(error)),
			 0);
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5061"}, 2);
	assert_int_equal(reload("[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\n", error, sizeof(error)), 0);
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060"}, 1);
	assert_true(alive("1"));
}

static void without_allow_reload_a_change_waits_for_a_restart(void **state)
{
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	ct_write("pjsip.conf", "[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\n"
			       "[tcp]\ntype=transport\nprotocol=tcp\nbind=10.0.0.1:5061\n");
	assert_int_equal(ast_sip_core_reload(&errors), 0);
	assert_int_equal(errors.n, 1);
	assert_non_null(strstr(errors.v[0].text, "allow_reload"));
	ast_sip_conf_errors_free(&errors);
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5060"}, 2);
}

static void a_listener_that_cannot_be_opened_leaves_all_as_it_was(void **state)
{
	char error[256];

	(void)state;
	assert_int_equal(reload("[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5062\n"
				"allow_reload=yes\n[zelse]\ntype=transport\nprotocol=udp\nbind=192.0.2.7:5060\n[carol]"
				"\ntype=endpoint\n",
				error, sizeof(error)),
			 -1);
	assert_non_null(strstr(error, "zelse"));
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5060"}, 2);
	assert_null(ast_sip_endpoint_get(RS_STR("carol")));
	assert_true(alive("1"));
}

static void protocols_that_are_not_there_yet_are_skipped_with_one_warning(void **state)
{
	(void)state;
	ct_stop();
	ct_start("[secure]\ntype=transport\nprotocol=tls\nbind=10.0.0.1:5061\n", NULL);
	listeners_are((const char *[]){"udp=UDP:10.0.0.1:5060", "tcp=TCP:10.0.0.1:5060"}, 2);
	assert_int_equal(ct_logged("listener.protocol_not_available"), 1);
}

static void a_wrong_configuration_does_not_start(void **state)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_core_options options = {.deterministic = true,
					       .conf_dir = "/nonexistent",
					       .state_dir = "/nonexistent",
					       .module_dir = "/nonexistent"};

	(void)state;
	ct_stop();
	assert_int_equal(ast_sip_core_start(&options, &errors), EINVAL);
	assert_true(errors.n_fatal > 0);
	ast_sip_conf_errors_free(&errors);
}

static struct sip_rx_data *kept;

static bool keep(struct sip_rx_data *rx)
{
	kept = sip_rx_ref(rx);
	return true;
}

static void a_request_keeps_the_snapshot_that_it_began_with(void **state)
{
	static struct sip_module keeper = {.size = sizeof(struct sip_module),
					   .name = "keeper",
					   .priority = SIP_PRIORITY_LOGGER,
					   .on_rx_request = keep};
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	struct ast_sip_endpoint *e;
	char error[256];

	(void)state;
	assert_int_equal(ast_sip_register_service(&keeper), 0);
	ct_request(p, "OPTIONS", "sip:10.0.0.1", "kept", "");
	sim_run_for(SIM_MS * 100);
	assert_non_null(kept);
	assert_int_equal(reload(CT_TRANSPORTS, error, sizeof(error)), 0);
	assert_null(ast_sip_endpoint_get(RS_STR("bob")));
	e = ast_sip_endpoint_find(ast_sip_rx_snapshot(kept), RS_STR("bob"));
	assert_non_null(e);
	ast_sip_endpoint_unref(e);
	assert_int_equal(ast_sip_respond(kept, 200, RS_STR_NULL), 0);
	assert_int_equal(ct_status(ct_receive(p)), 200);
	sip_rx_unref(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(a_broken_file_changes_nothing),
		T(a_good_file_comes_into_force),
		T(listeners_that_did_not_change_are_not_touched),
		T(a_listener_that_changed_is_opened_anew),
		T(without_allow_reload_a_change_waits_for_a_restart),
		T(a_listener_that_cannot_be_opened_leaves_all_as_it_was),
		T(protocols_that_are_not_there_yet_are_skipped_with_one_warning),
		T(a_wrong_configuration_does_not_start),
		T(a_request_keeps_the_snapshot_that_it_began_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
