#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char reports[2048];

static void report(void *token, bool fatal, const char *file, unsigned line, const char *text)
{
	size_t n = strlen(reports);

	(void)token;
	snprintf(reports + n, sizeof(reports) - n, "%s%s:%u: %s\n", fatal ? "fatal " : "", file ? file : "", line,
		 text);
}

static int plan(struct plan *p, struct ast_sip_modules_conf c)
{
	int result;

	reports[0] = '\0';
	result = plan_make(p, module_folder(), &c, report, NULL);
	for (size_t i = 0; i < p->n; i++)
		p->v[i].file = p->v[i].file ? "modules.conf" : NULL; /* c goes; its texts with it */
	conf_done(&c);
	return result;
}

static bool has(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->v[i].name, name) == 0)
			return true;
	}
	return false;
}

static void without_a_file_everything_is_loaded(void **state)
{
	struct ast_sip_modules_conf none = {.autoload = true};
	struct plan p;

	(void)state;
	reports[0] = '\0';
	assert_int_equal(plan_make(&p, module_folder(), &none, report, NULL), 0);
	assert_true(has(&p, "test_plain"));
	assert_true(has(&p, "test_early"));
	assert_string_equal(reports, "");
	plan_free(&p);
}

static void only_what_is_named_is_loaded_without_autoload(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(plan(&p, CONF(false, {AST_SIP_MODULE_LOAD, "Test_Plain.so"})), 0);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.v[0].name, "test_plain");
	plan_free(&p);
}

static void noload_wins(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(
		plan(&p, CONF(true, {AST_SIP_MODULE_LOAD, "test_plain"}, {AST_SIP_MODULE_NOLOAD, "test_plain.so"})), 0);
	assert_false(has(&p, "test_plain"));
	assert_true(has(&p, "test_early"));
	plan_free(&p);
}

static void a_missing_module_is_a_warning_with_its_line(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(
		plan(&p, CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"}, {AST_SIP_MODULE_LOAD, "chan_dahdi"})), 0);
	assert_string_equal(reports, "modules.conf:2: there is no module chan_dahdi\n");
	assert_int_equal(p.n, 1);
	plan_free(&p);
}

static void a_missing_required_module_is_fatal(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(plan(&p, CONF(false, {AST_SIP_MODULE_REQUIRE, "res_pjsip_nonsense"})), -1);
	assert_string_equal(reports, "fatal modules.conf:1: there is no module res_sip_nonsense, and it is required\n");
	plan_free(&p);
}

static void require_and_noload_contradict_each_other(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(plan(&p, CONF(false, {AST_SIP_MODULE_NOLOAD, "test_plain"},
				       {AST_SIP_MODULE_PRELOAD_REQUIRE, "test_plain"})),
			 -1);
	assert_string_equal(reports,
			    "fatal modules.conf:2: test_plain is required here and excluded by noload in line 1\n");
	plan_free(&p);
}

static void lines_for_one_module_are_one(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(plan(&p, CONF(false, {AST_SIP_MODULE_LOAD, "test_plain"},
				       {AST_SIP_MODULE_REQUIRE, "test_plain"}, {AST_SIP_MODULE_PRELOAD, "test_plain"})),
			 0);
	assert_int_equal(p.n, 1);
	assert_true(p.v[0].required);
	assert_true(p.v[0].preload);
	assert_int_equal(p.v[0].line, 1);
	plan_free(&p);
}

static void what_the_server_does_itself_needs_no_module(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(
		plan(&p, CONF(false, {AST_SIP_MODULE_REQUIRE, "res_pjsip.so"},
			      {AST_SIP_MODULE_LOAD, "res_sorcery_config.so"}, {AST_SIP_MODULE_LOAD, "res_pjproject"})),
		0);
	assert_string_equal(reports, "");
	plan_free(&p);
}

static void nothing_outside_of_the_folder_is_loaded(void **state)
{
	struct plan p;

	(void)state;
	assert_int_equal(plan(&p, CONF(false, {AST_SIP_MODULE_LOAD, "../loader/test_plain"})), 0);
	assert_int_equal(p.n, 0);
	assert_string_equal(reports, "modules.conf:1: there is no module ../loader/test_plain\n");
	plan_free(&p);
}

/* ---- the order of identifiers: a plan only looks whether files are there ---- */

static const char *const identifier_files[] = {"res_sip_endpoint_identifier_user", "res_sip_endpoint_identifier_ip",
					       "res_sip_endpoint_identifier_anonymous", "res_sip_options"};

static void expect_order(struct ast_sip_modules_conf c, const char *expected)
{
	char dir[] = "/tmp/res_sip-plan-XXXXXX", path[128], order[128] = "";
	struct plan p;

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < RS_ARRAY_SIZE(identifier_files); i++) {
		snprintf(path, sizeof(path), "%s/%s.so", dir, identifier_files[i]);
		fclose(fopen(path, "w"));
	}
	assert_int_equal(plan_make(&p, dir, &c, report, NULL), 0);
	for (size_t i = 0; i < p.n_identifiers; i++)
		snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s%s", i ? "," : "", p.identifiers[i]);
	assert_string_equal(order, expected);
	plan_free(&p);
	conf_done(&c);
	for (size_t i = 0; i < RS_ARRAY_SIZE(identifier_files); i++) {
		snprintf(path, sizeof(path), "%s/%s.so", dir, identifier_files[i]);
		unlink(path);
	}
	rmdir(dir);
}

#define USER      "res_pjsip_endpoint_identifier_user.so"
#define IP        "res_pjsip_endpoint_identifier_ip.so"
#define ANONYMOUS "res_pjsip_endpoint_identifier_anonymous.so"

static void load_lines_order_the_identifiers(void **state)
{
	(void)state;
	expect_order(
		CONF(true, {AST_SIP_MODULE_LOAD, ANONYMOUS}, {AST_SIP_MODULE_LOAD, USER}, {AST_SIP_MODULE_LOAD, IP}),
		"username,auth_username,ip,header,request_uri,anonymous");
	expect_order(CONF(false, {AST_SIP_MODULE_LOAD, IP}, {AST_SIP_MODULE_REQUIRE, USER}),
		     "ip,header,request_uri,username,auth_username,anonymous");
	expect_order(CONF(true, {AST_SIP_MODULE_LOAD, USER}), "username,auth_username,ip,header,request_uri,anonymous");
}

static void without_load_lines_no_order_is_given(void **state)
{
	struct ast_sip_modules_conf none = {.autoload = true};

	(void)state;
	expect_order(none, "");
	expect_order(CONF(true, {AST_SIP_MODULE_LOAD, ANONYMOUS}), "");
}

/* An existing modules.conf of Asterisk names res_pjsip, which answers OPTIONS by itself there. */
static void asterisks_core_brings_options(void **state)
{
	char dir[] = "/tmp/res_sip-plan-XXXXXX", path[128];
	struct ast_sip_modules_conf c = CONF(false, {AST_SIP_MODULE_LOAD, "res_pjsip.so"});
	struct plan p;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/res_sip_options.so", dir);
	fclose(fopen(path, "w"));
	assert_int_equal(plan_make(&p, dir, &c, report, NULL), 0);
	assert_true(has(&p, "res_sip_options"));
	plan_free(&p);
	conf_done(&c);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_everything_is_loaded),
		cmocka_unit_test(only_what_is_named_is_loaded_without_autoload),
		cmocka_unit_test(noload_wins),
		cmocka_unit_test(a_missing_module_is_a_warning_with_its_line),
		cmocka_unit_test(a_missing_required_module_is_fatal),
		cmocka_unit_test(require_and_noload_contradict_each_other),
		cmocka_unit_test(lines_for_one_module_are_one),
		cmocka_unit_test(what_the_server_does_itself_needs_no_module),
		cmocka_unit_test(nothing_outside_of_the_folder_is_loaded),
		cmocka_unit_test(load_lines_order_the_identifiers),
		cmocka_unit_test(without_load_lines_no_order_is_given),
		cmocka_unit_test(asterisks_core_brings_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
