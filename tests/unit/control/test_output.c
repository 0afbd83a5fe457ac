#include "control_test.h"

#include <stdlib.h>
#include <string.h>

static int nested(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "text %d\n", 1);
	ast_sip_cli_json_list(cli, "things");
	for (int i = 0; i < 2; i++) {
		ast_sip_cli_json_object(cli, NULL);
		ast_sip_cli_json_str(cli, "id", RS_STR("a\"b"));
		ast_sip_cli_json_int(cli, "n", i);
		ast_sip_cli_json_list(cli, "inner");
		ast_sip_cli_json_bool(cli, NULL, true);
		ast_sip_cli_json_end(cli);
		ast_sip_cli_json_end(cli);
	}
	ast_sip_cli_json_end(cli);
	ast_sip_cli_json_real(cli, "half", 0.5);
	return 0;
}

static int quiet(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)cli;
	(void)argv;
	return argc ? -1 : 0;
}

static int foreign_bytes(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "caf\xe9\n");
	ast_sip_cli_json_str(cli, "name", RS_STR("caf\xe9"));
	return 0;
}

static int deep(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 2 * CLI_MAX_DEPTH; i++)
		ast_sip_cli_json_list(cli, NULL);
	for (int i = 0; i < 2 * CLI_MAX_DEPTH; i++)
		ast_sip_cli_json_end(cli);
	return 0;
}

static int big(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < 100000; i++)
		ast_sip_cli_print(cli, "%09d\n", i);
	return 0;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "nested", .handler = nested),
	COMMAND(.path = "quiet", .handler = quiet),
	COMMAND(.path = "foreign", .handler = foreign_bytes),
	COMMAND(.path = "deep", .handler = deep),
	COMMAND(.path = "big", .handler = big),
};

static int setup(void **state)
{
	(void)state;
	return ast_sip_cli_register(commands, RS_ARRAY_SIZE(commands));
}

static int teardown(void **state)
{
	(void)state;
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
	return 0;
}

static const char *out(json_t *reply)
{
	return json_string_value(json_object_get(reply, "out"));
}

static void expect_json(json_t *reply, const char *expected)
{
	json_t *tree = json_loads(out(reply), JSON_DECODE_ANY, NULL);
	char *text = tree ? json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(tree);
	json_decref(reply);
}

static void text_and_json_come_from_one_handler(void **state)
{
	json_t *reply = cli_run(WORDS("nested"), false);

	(void)state;
	assert_string_equal(out(reply), "text 1\n");
	json_decref(reply);
	expect_json(cli_run(WORDS("nested"), true),
		    "{\"half\":0.5,\"things\":[{\"id\":\"a\\\"b\",\"inner\":[true],\"n\":0},"
		    "{\"id\":\"a\\\"b\",\"inner\":[true],\"n\":1}]}");
}

static void a_handler_without_json_tells_how_it_went(void **state)
{
	(void)state;
	expect_json(cli_run(WORDS("quiet"), true), "{\"ok\":true}");
	expect_json(cli_run(WORDS("quiet", "x"), true), "{\"ok\":false}");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	json_t *reply = cli_run(WORDS("foreign"), false);

	(void)state;
	assert_string_equal(out(reply), "caf?\n");
	json_decref(reply);
	expect_json(cli_run(WORDS("foreign"), true), "{\"name\":\"caf?\"}");
}

static void too_deep_a_tree_is_no_answer(void **state)
{
	json_t *reply = cli_run(WORDS("deep"), true);

	(void)state;
	assert_null(reply);
}

static void long_output_is_whole(void **state)
{
	json_t *reply = cli_run(WORDS("big"), false);

	(void)state;
	assert_int_equal(strlen(out(reply)), 1000000);
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_json_come_from_one_handler),
		cmocka_unit_test(a_handler_without_json_tells_how_it_went),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
		cmocka_unit_test(too_deep_a_tree_is_no_answer),
		cmocka_unit_test(long_output_is_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
