/* A module's configuration file: read before its load, with each reload, and gone with the module. */
#include "support.h"
#include "res_sip/conf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int setup(void **state)
{
	(void)state;
	conf_put("files.conf", "[general]\nlevel=7\n");
	notes_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ast_sip_loader_stop(1000);
	return test_prepared;
}

static int start(int what)
{
	struct ast_sip_modules_conf c = CONF(false, {what, "test_files"}, {AST_SIP_MODULE_LOAD, "test_plain"});
	int result = ast_sip_loader_start(module_folder(), &c);

	conf_done(&c);
	return result;
}

static bool known(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	bool there = ast_sip_conf_single(s, "files.conf", "general") != NULL;

	ast_sip_snapshot_unref(s);
	return there;
}

static void a_module_finds_its_file_read(void **state)
{
	(void)state;
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	assert_string_equal(notes(), "load 7, load test_plain");
	assert_true(known());
	assert_int_equal(test_prepared, 1);
}

static void a_module_with_a_bad_file_declines(void **state)
{
	char *why = NULL;

	(void)state;
	conf_put("files.conf", "[general]\nlevle=7\n");
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	assert_string_equal(notes(), "load test_plain");
	assert_false(known());
	assert_int_equal(ast_sip_loader_load("test_files", &why), -1);
	assert_string_equal(why,
			    "test_files has declined to load: files.conf:2: general 'general': unknown option 'levle' "
			    "(did you mean 'level'?)");
	free(why);
	conf_put("files.conf", "[general]\nlevel=8\nlevel=10\n");
	assert_int_equal(ast_sip_loader_load("test_files", &why), -1);
	assert_non_null(strstr(why, "files.conf:3: general 'general': level: '10' is no number from 0 to 9"));
	free(why);
	conf_put("files.conf", "[general]\nlevel=6\n");
	assert_int_equal(ast_sip_loader_load("test_files", NULL), 0);
	assert_string_equal(notes(), "load test_plain, load 6");
}

static void a_bad_file_of_a_required_module_stops_the_start(void **state)
{
	(void)state;
	conf_put("files.conf", "[general]\nlevel=8\n");
	assert_int_equal(start(AST_SIP_MODULE_REQUIRE), -1);
	assert_string_equal(notes(), "");
	assert_false(known());
}

static void a_module_that_declines_leaves_no_file_behind(void **state)
{
	(void)state;
	conf_put("files.conf", "[general]\ndecline=yes\n");
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	assert_string_equal(notes(), "load 1, load test_plain");
	assert_false(known());
	assert_int_equal(test_prepared, 0);
}

static void a_reload_reads_it_again_or_changes_nothing(void **state)
{
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	conf_put("files.conf", "[general]\nlevel=8\n");
	assert_int_equal(ast_sip_core_reload(&errors), -1);
	assert_int_equal(errors.n_fatal, 1);
	assert_string_equal(errors.v[0].file, "files.conf");
	assert_int_equal(errors.v[0].line, 2);
	assert_string_equal(errors.v[0].text, "general 'general': 8 is no level");
	ast_sip_conf_errors_free(&errors);
	assert_int_equal(ast_sip_loader_reload("test_files", NULL), 0);
	conf_put("files.conf", "[general]\nlevel=5\n");
	assert_int_equal(ast_sip_core_reload(&errors), 0);
	ast_sip_conf_errors_free(&errors);
	assert_string_equal(notes(), "load 7, load test_plain, reload 7, reload test_plain, reload 5");
}

static void a_snapshot_that_is_held_does_not_hold_the_module(void **state)
{
	struct ast_sip_snapshot *s;
	struct ast_sip_conf_object *o;

	(void)state;
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	s = ast_sip_snapshot_get();
	o = ast_sip_conf_object_ref(ast_sip_conf_single(s, "files.conf", "general"));
	assert_int_equal(ast_sip_loader_unload("test_files", NULL), 0);
	assert_string_equal(notes(), "load 7, load test_plain, unload 7");
	assert_int_equal(test_prepared, 0);
	assert_false(known());
	/* its code is unmapped: what is left may only be read and freed */
	assert_int_equal(ast_sip_conf_uint(o, 0), 7);
	assert_int_equal(ast_sip_conf_row(o, "decline"), 1);
	assert_null(ast_sip_conf_prepared(o));
	ast_sip_snapshot_unref(s);
	ast_sip_conf_object_unref(o);
	assert_int_equal(ast_sip_loader_load("test_files", NULL), 0);
	assert_true(known());
}

static void a_refused_unload_leaves_the_file_in_force(void **state)
{
	struct ast_sip_module *m;

	(void)state;
	assert_int_equal(start(AST_SIP_MODULE_LOAD), 0);
	m = loader_find("test_files");
	ast_sip_module_hold_for(m, 1, "call");
	assert_int_equal(ast_sip_loader_unload("test_files", NULL), -1);
	/* its unload was called, and then its load */
	assert_string_equal(notes(), "load 7, load test_plain, unload 7, load 7");
	assert_true(known());
	ast_sip_module_hold_for(m, -1, "call");
	assert_int_equal(ast_sip_loader_unload("test_files", NULL), 0);
	assert_false(known());
}

/* ---- --check: nothing is started ---- */

static void a_check_reads_the_files_of_the_modules_it_would_load(void **state)
{
	struct ast_sip_modules_conf c = CONF(false, {AST_SIP_MODULE_LOAD, "test_files"});
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_snapshot *s;

	(void)state;
	assert_int_equal(core_folder(), 0);
	conf_put("pjsip.conf", "");
	conf_put("files.conf", "[general]\nlevel=8\n");
	notes_reset();
	assert_int_equal(ast_sip_loader_check(module_folder(), &c, &errors), 0);
	s = ast_sip_snapshot_load(conf_folder(), NULL, &errors);
	assert_null(s);
	assert_int_equal(errors.n_fatal, 1);
	assert_string_equal(errors.v[0].text, "general 'general': 8 is no level");
	ast_sip_conf_errors_free(&errors);
	conf_put("files.conf", "[general]\nlevel=4\n");
	s = ast_sip_snapshot_load(conf_folder(), NULL, &errors);
	assert_non_null(s);
	assert_int_equal(test_prepared, 1);
	ast_sip_snapshot_unref(s);
	ast_sip_loader_stop(0);
	assert_int_equal(test_prepared, 0);
	assert_string_equal(notes(), "");
	ast_sip_conf_errors_free(&errors);
	conf_done(&c);
	assert_int_equal(core_folder_remove(), 0);
}

static void a_check_tells_what_cannot_be_mapped(void **state)
{
	struct ast_sip_modules_conf c =
		CONF(false, {AST_SIP_MODULE_LOAD, "test_wrong_abi"}, {AST_SIP_MODULE_REQUIRE, "test_no_descriptor"});
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	assert_int_equal(ast_sip_loader_check(module_folder(), &c, &errors), -1);
	assert_int_equal(errors.n, 2);
	assert_int_equal(errors.n_fatal, 1);
	assert_true(errors.v[0].warning);
	assert_int_equal(errors.v[1].line, 2);
	assert_string_equal(errors.v[1].file, "modules.conf");
	ast_sip_conf_errors_free(&errors);
	ast_sip_loader_stop(0);
	conf_done(&c);
}

int main(void)
{
	const struct CMUnitTest checks[] = {
		cmocka_unit_test(a_check_reads_the_files_of_the_modules_it_would_load),
		cmocka_unit_test(a_check_tells_what_cannot_be_mapped),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_module_finds_its_file_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_with_a_bad_file_declines, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_of_a_required_module_stops_the_start, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_that_declines_leaves_no_file_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_reads_it_again_or_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_snapshot_that_is_held_does_not_hold_the_module, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refused_unload_leaves_the_file_in_force, setup, teardown),
	};
	int failed = cmocka_run_group_tests(checks, NULL, NULL);

	return failed + cmocka_run_group_tests(tests, core_up, core_down);
}
