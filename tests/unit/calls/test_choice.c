/* Replaces values, and the better of two failures. */
#include "calls/calls.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool better(unsigned status, unsigned than)
{
	struct outcome a = {.status = status}, b = {.status = than};

	return choice_better(&a, &b);
}

static void the_best_answer(void **state)
{
	struct outcome none = {0}, some = {.status = 404}, unreachable = {.status = 408, .how = FAILED_UNREACHABLE};

	(void)state;
	assert_true(choice_better(&some, &none));
	assert_true(better(603, 404));
	assert_false(better(404, 603));
	assert_true(better(404, 500));
	assert_true(better(302, 404));
	assert_true(better(484, 404));
	assert_true(better(404, 401));
	assert_true(better(500, 503));
	assert_true(choice_better(&some, &unreachable));
	assert_false(choice_better(&unreachable, &some));
	assert_int_equal(choice_status(503), 500);
	assert_int_equal(choice_status(407), 403);
	assert_int_equal(choice_status(486), 486);
	assert_int_equal(choice_status(487), 480);
}

static void what_passes_inside_a_call(void **state)
{
	(void)state;
	assert_int_equal(relay_status(200, true), 200);
	assert_int_equal(relay_status(401, true), 403);
	assert_int_equal(relay_status(408, true), 408);
	assert_int_equal(relay_status(408, false), 504);
	assert_int_equal(relay_status(503, false), 500);
	assert_int_equal(relay_status(302, true), 488);
}

static void values_of_replaces(void **state)
{
	struct replaces r;

	(void)state;
	assert_int_equal(replaces_parse(RS_STR("98732@host;from-tag=r33; to-tag=xfe"), &r), 0);
	assert_true(rs_str_eqz(r.call_id, "98732@host"));
	assert_true(rs_str_eqz(r.to_tag, "xfe"));
	assert_true(rs_str_eqz(r.from_tag, "r33"));
	assert_false(r.early_only);
	assert_int_equal(replaces_parse(RS_STR("a;to-tag=1;from-tag=2;early-only;x=y"), &r), 0);
	assert_true(r.early_only);
	assert_int_equal(replaces_parse(RS_STR("a;to-tag=1"), &r), -1);
	assert_int_equal(replaces_parse(RS_STR(";to-tag=1;from-tag=2"), &r), -1);
	assert_int_equal(replaces_parse(RS_STR(""), &r), -1);
	assert_int_equal(replaces_parse(RS_STR("a;to-tag;from-tag=2"), &r), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_best_answer),
					   cmocka_unit_test(what_passes_inside_a_call),
					   cmocka_unit_test(values_of_replaces)};

	return cmocka_run_group_tests_name("calls choices", tests, NULL, NULL);
}
