#include "control_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int last_argc, last_alternative;
static char last[64];

static int note(const char *which, struct ast_sip_cli *cli, int argc)
{
	snprintf(last, sizeof(last), "%s", which);
	last_argc = argc;
	last_alternative = ast_sip_cli_alternative(cli);
	return 0;
}

static int things(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argv;
	return note("things", cli, argc);
}

static int thing(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argv;
	return note("thing", cli, argc);
}

static int fails(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	ast_sip_cli_print(cli, "half done\n");
	ast_sip_cli_error(cli, "%s is too hot", argv[0]);
	return -1;
}

static char *thing_complete(int arg, const char *prefix, int n)
{
	static const char *const ids[] = {"alice", "albert", "bob"};

	for (size_t i = 0; arg == 0 && i < RS_ARRAY_SIZE(ids); i++) {
		if (strncmp(ids[i], prefix, strlen(prefix)) == 0 && n-- == 0)
			return strdup(ids[i]);
	}
	return NULL;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "test list|show things", .usage = "[like <regex>]", .help = "All things", .handler = things),
	COMMAND(.path = "test show thing", .usage = "<id>", .help = "One thing", .handler = thing,
		.complete = thing_complete),
	COMMAND(.path = "test heat", .handler = fails),
};

static int setup(void **state)
{
	(void)state;
	last[0] = '\0';
	return ast_sip_cli_register(commands, RS_ARRAY_SIZE(commands));
}

static int teardown(void **state)
{
	(void)state;
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
	return 0;
}

static int exit_of(json_t *reply)
{
	int status = (int)json_integer_value(json_object_get(reply, "exit"));

	json_decref(reply);
	return status;
}

static void the_longest_path_wins_and_the_rest_are_arguments(void **state)
{
	(void)state;
	assert_int_equal(exit_of(cli_run(WORDS("test", "show", "thing", "alice"), false)), 0);
	assert_string_equal(last, "thing");
	assert_int_equal(last_argc, 1);
	assert_int_equal(exit_of(cli_run(WORDS("TEST", "Show", "things", "like", "x"), false)), 0);
	assert_string_equal(last, "things");
	assert_int_equal(last_argc, 2);
}

static void the_alternative_that_was_typed_is_told(void **state)
{
	(void)state;
	json_decref(cli_run(WORDS("test", "list", "things"), false));
	assert_int_equal(last_alternative, 0);
	json_decref(cli_run(WORDS("test", "show", "things"), false));
	assert_int_equal(last_alternative, 1);
}

static void expect_error(json_t *reply, const char *text)
{
	assert_int_equal(json_integer_value(json_object_get(reply, "exit")), 1);
	assert_string_equal(json_string_value(json_object_get(reply, "err")), text);
	json_decref(reply);
}

static void a_failure_keeps_what_was_printed_and_says_why(void **state)
{
	json_t *reply = cli_run(WORDS("test", "heat", "the pan"), false);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(reply, "out")), "half done\n");
	expect_error(reply, "the pan is too hot\n");
}

static void a_misspelt_word_gets_the_nearest(void **state)
{
	(void)state;
	expect_error(cli_run(WORDS("test", "shwo", "things"), false),
		     "No such command 'test shwo things'.\nDid you mean 'show'?\n");
	expect_error(cli_run(WORDS("test", "show", "tihngs"), false),
		     "No such command 'test show tihngs'.\nDid you mean 'things'?\n");
}

static void a_command_cut_short_lists_what_may_follow(void **state)
{
	(void)state;
	expect_error(cli_run(WORDS("test", "show"), false), "What may follow: thing things\n");
}

static void expect_words(json_t *words, const char *expected)
{
	char *text = json_dumps(words, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(words);
}

static void words_and_arguments_are_completed(void **state)
{
	(void)state;
	expect_words(cli_complete(WORDS("test"), ""), "[\"heat\",\"list\",\"show\"]");
	expect_words(cli_complete(WORDS("test", "show"), "thing"), "[\"thing\",\"things\"]");
	expect_words(cli_complete(WORDS("test", "list"), ""), "[\"things\"]");
	expect_words(cli_complete(WORDS("test", "show", "thing"), "al"), "[\"albert\",\"alice\"]");
	expect_words(cli_complete(WORDS("test", "show", "thing", "alice"), ""), "[]");
	expect_words(cli_complete(WORDS("nonsense"), ""), "[]");
}

static void what_was_unregistered_is_unknown(void **state)
{
	(void)state;
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
	expect_error(cli_run(WORDS("test", "list", "things"), false), "No such command 'test list things'.\n");
}

/* A module's handle is a pointer that is only compared here. */
#define OWNER ((struct ast_sip_module *)(void *)&last)

static void commands_of_a_module_are_taken_out_and_put_back(void **state)
{
	(void)state;
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
	ast_sip_cli_register_for(OWNER, commands, RS_ARRAY_SIZE(commands));
	ast_sip_cli_remove_owned(OWNER);
	assert_int_equal(exit_of(cli_run(WORDS("test", "list", "things"), false)), 1);
	ast_sip_cli_restore_owned(OWNER);
	assert_int_equal(exit_of(cli_run(WORDS("test", "list", "things"), false)), 0);
	ast_sip_cli_remove_owned(OWNER);
	ast_sip_cli_forget_owned(OWNER);
	ast_sip_cli_restore_owned(OWNER);
	assert_int_equal(exit_of(cli_run(WORDS("test", "list", "things"), false)), 1);
}

static void a_command_without_path_or_handler_is_refused(void **state)
{
	struct ast_sip_cli_command bad[] = {COMMAND(.path = "test bad")};

	(void)state;
	assert_int_equal(ast_sip_cli_register(bad, 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_longest_path_wins_and_the_rest_are_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(the_alternative_that_was_typed_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_keeps_what_was_printed_and_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(a_misspelt_word_gets_the_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_cut_short_lists_what_may_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(words_and_arguments_are_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_unregistered_is_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_of_a_module_are_taken_out_and_put_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_without_path_or_handler_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
