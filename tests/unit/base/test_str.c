#include "base_test.h"

#include "base/print.h"

#include <inttypes.h>

static void only_plain_digits_within_the_limit_are_a_number(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(rs_str_to_u64(RS_STR("0"), 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(rs_str_to_u64(RS_STR("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_int_equal(rs_str_to_u64(RS_STR("18446744073709551616"), UINT64_MAX, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR("99999999999999999999999"), UINT64_MAX, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR("256"), 255, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR("9"), 5, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR(""), 255, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR_NULL, 255, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR("+1"), 255, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR(" 1"), 255, &v), -1);
	assert_int_equal(rs_str_to_u64(RS_STR("1a"), 255, &v), -1);
	assert_int_equal(v, 7);
	assert_int_equal(rs_str_to_u64(RS_STR("255"), 255, &v), 0);
	assert_int_equal(v, 255);
}

static void a_copy_is_terminated_and_independent(void **state)
{
	char src[] = "alice@example";
	char *z = rs_str_dup(rs_str_n(src, 5));

	(void)state;
	src[0] = 'X';
	assert_string_equal(z, "alice");
	free(z);
	z = rs_str_dup(RS_STR_NULL);
	assert_string_equal(z, "");
	free(z);
}

static void the_nearest_name_is_what_was_meant(void **state)
{
	static const char *const names[] = {"max_contacts", "minimum_expiration", "maximum_expiration", "contact",
					    "auth"};
	size_t n = RS_ARRAY_SIZE(names);

	(void)state;
	assert_string_equal(rs_str_nearest(RS_STR("max_contcats"), names, n), "max_contacts");
	assert_string_equal(rs_str_nearest(RS_STR("MAX_CONTACT"), names, n), "max_contacts");
	assert_string_equal(rs_str_nearest(RS_STR("maximun_expiration"), names, n), "maximum_expiration");
	assert_string_equal(rs_str_nearest(RS_STR("atuh"), names, n), "auth");
	assert_string_equal(rs_str_nearest(RS_STR("auth"), names, n), "auth");
}

static void a_word_near_to_nothing_has_no_suggestion(void **state)
{
	static const char *const names[] = {"auth", "contact"};
	char longword[300];

	(void)state;
	memset(longword, 'a', sizeof(longword));
	assert_null(rs_str_nearest(RS_STR("transport"), names, 2));
	assert_null(rs_str_nearest(RS_STR("xyth"), names, 2));
	assert_null(rs_str_nearest(RS_STR(""), names, 2));
	assert_null(rs_str_nearest(rs_str_n(longword, sizeof(longword)), names, 2));
	assert_null(rs_str_nearest(RS_STR("auth"), names, 0));
}

static void trimming_takes_both_ends_only(void **state)
{
	(void)state;
	assert_true(rs_str_eqz(rs_str_trim(RS_STR(" \ta b\r\n")), "a b"));
	assert_int_equal(rs_str_trim(RS_STR(" \r\n")).len, 0);
	assert_true(rs_str_ieq(RS_STR("Via"), RS_STR("VIA")));
	assert_false(rs_str_eq(RS_STR("Via"), RS_STR("VIA")));
	assert_true(rs_str_starts(RS_STR("sips:x"), RS_STR("sip")));
	assert_false(rs_str_starts(RS_STR("si"), RS_STR("sip")));
	assert_true(rs_str_eq(RS_STR_NULL, RS_STR("")));
}

static void numbers_are_printed_as_printf_does(void **state)
{
	static const uint64_t values[] = {0, 7, 10, 99, 100, 65535, UINT32_MAX, 1234567890123456789u, UINT64_MAX};
	char ours[RS_DECIMAL + 1], theirs[32];

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(values); i++) {
		snprintf(theirs, sizeof(theirs), "%" PRIu64, values[i]);
		ours[rs_print_decimal(ours, values[i])] = '\0';
		assert_string_equal(ours, theirs);
		snprintf(theirs, sizeof(theirs), "%016" PRIx64, values[i]);
		rs_print_hex(ours, values[i], 16);
		ours[16] = '\0';
		assert_string_equal(ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_plain_digits_within_the_limit_are_a_number),
		cmocka_unit_test(a_copy_is_terminated_and_independent),
		cmocka_unit_test(the_nearest_name_is_what_was_meant),
		cmocka_unit_test(a_word_near_to_nothing_has_no_suggestion),
		cmocka_unit_test(trimming_takes_both_ends_only),
		cmocka_unit_test(numbers_are_printed_as_printf_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
