#include "support.h"

#include <stdlib.h>

static int start(struct ast_sip_modules_conf c)
{
	int result;

	notes_reset();
	result = ast_sip_loader_start(module_folder(), &c);
	conf_done(&c);
	return result;
}

static int teardown(void **state)
{
	(void)state;
	ast_sip_loader_stop(1000);
	return 0;
}

static void lower_priority_starts_first_and_stops_last(void **state)
{
	(void)state;
	assert_int_equal(start(CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"}, {AST_SIP_MODULE_LOAD, "test_early"})),
			 0);
	assert_string_equal(notes(), "load test_early, load test_plain");
	notes_reset();
	ast_sip_loader_stop(1000);
	assert_string_equal(notes(), "unload test_plain, unload test_early");
}

static void preloaded_ones_go_before_all_others(void **state)
{
	(void)state;
	assert_int_equal(
		start(CONF(false, {AST_SIP_MODULE_LOAD, "test_early"}, {AST_SIP_MODULE_PRELOAD, "test_plain"})), 0);
	assert_string_equal(notes(), "load test_plain, load test_early");
}

static void dependencies_start_before_their_dependents(void **state)
{
	(void)state;
	assert_int_equal(start(CONF(false, {AST_SIP_MODULE_LOAD, "test_needs_plain"})), 0);
	assert_string_equal(notes(), "load test_plain, load test_needs_plain");
}

static void a_missing_dependency_declines_and_others_go_on(void **state)
{
	(void)state;
	assert_int_equal(
		start(CONF(false, {AST_SIP_MODULE_LOAD, "test_needs_missing"}, {AST_SIP_MODULE_LOAD, "test_plain"})),
		0);
	assert_string_equal(notes(), "load test_plain");
	assert_false(ast_sip_module_loaded("test_needs_missing"));
}

static void a_ring_of_dependencies_declines(void **state)
{
	(void)state;
	assert_int_equal(start(CONF(false, {AST_SIP_MODULE_LOAD, "test_ring_a"}, {AST_SIP_MODULE_LOAD, "test_plain"})),
			 0);
	assert_string_equal(notes(), "load test_plain");
}

static void a_required_module_that_declines_is_fatal(void **state)
{
	(void)state;
	assert_int_equal(start(CONF(false, {AST_SIP_MODULE_LOAD, "test_declines"})), 0);
	ast_sip_loader_stop(1000);
	assert_int_equal(start(CONF(false, {AST_SIP_MODULE_REQUIRE, "test_declines"})), -1);
}

static void expect_refused(const char *name, const char *reason)
{
	char *why = NULL;

	assert_int_equal(ast_sip_loader_load(name, &why), -1);
	assert_string_equal(why, reason);
	free(why);
}

static void another_abi_is_refused_naming_both(void **state)
{
	(void)state;
	start(CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"}));
	expect_refused("test_wrong_abi",
		       "test_wrong_abi was built for module ABI 43, this server has 2: build it again");
}

static void another_descriptor_is_refused(void **state)
{
	char *why = NULL;

	(void)state;
	start(CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"}));
	assert_int_equal(ast_sip_loader_load("test_wrong_size", &why), -1);
	assert_non_null(strstr(why, "bytes"));
	free(why);
	expect_refused("test_no_descriptor", "test_no_descriptor is no module of res_sip: it has no descriptor");
	expect_refused("test_missing", "there is no module test_missing");
	expect_refused("TEST_PLAIN.so", "test_plain is loaded already");
	expect_refused("res_pjsip.so", "res_pjsip.so is part of the server");
}

static void a_module_reloads_when_it_can(void **state)
{
	char *why = NULL;

	(void)state;
	start(CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"}, {AST_SIP_MODULE_LOAD, "test_worker"}));
	notes_reset();
	assert_int_equal(ast_sip_loader_reload("test_plain", &why), 0);
	assert_null(why);
	assert_string_equal(notes(), "reload test_plain");
	assert_int_equal(ast_sip_loader_reload_all(), 0);
	assert_string_equal(notes(), "reload test_plain, reload test_plain");
	assert_int_equal(ast_sip_loader_reload("test_worker", &why), -1);
	assert_string_equal(why, "test_worker has nothing of its own to reload");
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lower_priority_starts_first_and_stops_last, teardown),
		cmocka_unit_test_teardown(preloaded_ones_go_before_all_others, teardown),
		cmocka_unit_test_teardown(dependencies_start_before_their_dependents, teardown),
		cmocka_unit_test_teardown(a_missing_dependency_declines_and_others_go_on, teardown),
		cmocka_unit_test_teardown(a_ring_of_dependencies_declines, teardown),
		cmocka_unit_test_teardown(a_required_module_that_declines_is_fatal, teardown),
		cmocka_unit_test_teardown(another_abi_is_refused_naming_both, teardown),
		cmocka_unit_test_teardown(another_descriptor_is_refused, teardown),
		cmocka_unit_test_teardown(a_module_reloads_when_it_can, teardown),
	};

	return cmocka_run_group_tests(tests, core_up, core_down);
}
