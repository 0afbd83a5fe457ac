/* Patterns of dial plans, and what is refused as one. */
#include "calls/pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool match(const char *pattern, const char *number)
{
	assert_null(pattern_check(rs_str_c(pattern)));
	return pattern_matches(rs_str_c(pattern), rs_str_c(number));
}

static void plain_numbers_are_equal(void **state)
{
	(void)state;
	assert_true(match("110", "110"));
	assert_false(match("110", "1100"));
	assert_false(match("110", "11"));
	assert_true(match("X", "X"));
	assert_false(match("X", "1"));
	assert_true(match("al.ice", "al.ice"));
}

static void classes_of_digits(void **state)
{
	(void)state;
	assert_true(match("_XZN", "012"));
	assert_false(match("_XZN", "002"));
	assert_false(match("_XZN", "011"));
	assert_true(match("_xzn", "999"));
	assert_false(match("_XXX", "12"));
	assert_false(match("_XXX", "1234"));
	assert_false(match("_X", "a"));
	assert_true(match("_+49X.", "+4930"));
	assert_true(match("_1-2-X", "123"));
	assert_false(match("_1-2-X", "1-2-3"));
}

static void sets(void **state)
{
	(void)state;
	assert_true(match("_[15-7a]", "1"));
	assert_true(match("_[15-7a]", "6"));
	assert_true(match("_[15-7a]", "a"));
	assert_false(match("_[15-7a]", "4"));
	assert_false(match("_[15-7a]", "-"));
	assert_true(match("_[5-]", "-"));
	assert_true(match("_[A-C]X", "B7"));
	assert_false(match("_[A-C]X", "B"));
}

static void ends_of_any_length(void **state)
{
	(void)state;
	assert_true(match("_0.", "01"));
	assert_true(match("_0.", "0123456"));
	assert_false(match("_0.", "0"));
	assert_true(match("_0!", "0"));
	assert_true(match("_0!", "0x"));
	assert_false(match("_0!", "1"));
	assert_true(match("_.", "anything"));
	assert_false(match("_.", ""));
	assert_true(match("_!", ""));
}

static void what_is_no_pattern(void **state)
{
	static const char *const bad[] = {"", "_", "_-", "_[12", "_[]", "_1]", "_[9-0]", "_1.2", "_!X", "_.."};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_non_null(pattern_check(rs_str_c(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_numbers_are_equal), cmocka_unit_test(classes_of_digits),  cmocka_unit_test(sets),
		cmocka_unit_test(ends_of_any_length),      cmocka_unit_test(what_is_no_pattern),
	};

	return cmocka_run_group_tests_name("calls pattern", tests, NULL, NULL);
}
