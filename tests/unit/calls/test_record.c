/* Records: whatever stands in a message, a record is one line of valid JSON that says the same. */
#include "calls/calls.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_t *print(const struct call_facts *f)
{
	struct sip_writer w;
	json_error_t error;
	json_t *root;

	sip_writer_init(&w, NULL, 0);
	record_print(&w, f);
	assert_true(sip_writer_ok(&w));
	assert_int_equal(w.buf[w.len - 1], '\n');
	assert_null(memchr(w.buf, '\n', w.len - 1));
	root = json_loadb(w.buf, w.len, 0, &error);
	if (!root)
		fail_msg("%s: %.*s", error.text, (int)w.len, w.buf);
	sip_writer_fini(&w);
	return root;
}

static const char *text(json_t *root, const char *key)
{
	json_t *v = json_object_get(root, key);

	assert_non_null(v);
	return json_string_value(v);
}

static void an_answered_call(void **state)
{
	struct call_facts f = {
		.id = 7,
		.start_us = 1700000000123456,
		.ring_us = 1700000001000000,
		.answer_us = 1700000002000000,
		.end_us = 1700000003500000,
		.status = 200,
		.by = CALL_BY_CALLEE,
		.cause = "bye",
		.branches = 2,
		.text = {[CALL_CALLER] = RS_STR_INIT("sip:alice@example.com"),
			 [CALL_CALLER_NAME] = RS_STR_INIT("Alice")},
	};
	json_t *root = print(&f);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(root, "id")), 7);
	assert_string_equal(text(root, "start"), "2023-11-14T22:13:20.123Z");
	assert_string_equal(text(root, "caller"), "sip:alice@example.com");
	assert_string_equal(text(root, "caller_name"), "Alice");
	assert_string_equal(text(root, "ended_by"), "callee");
	assert_string_equal(text(root, "cause"), "bye");
	assert_true(json_real_value(json_object_get(root, "duration")) == 1.5);
	assert_int_equal(json_integer_value(json_object_get(root, "branches")), 2);
	assert_true(json_is_null(json_object_get(root, "callee")));
	json_decref(root);
}

static void what_did_not_happen_is_null(void **state)
{
	struct call_facts f = {.id = 1, .start_us = 1};
	json_t *root = print(&f);

	(void)state;
	assert_true(json_is_null(json_object_get(root, "ring")));
	assert_true(json_is_null(json_object_get(root, "answer")));
	assert_true(json_is_null(json_object_get(root, "ended_by")));
	assert_true(json_is_null(json_object_get(root, "cause")));
	json_decref(root);
}

static void every_byte_stays_inside_its_string(void **state)
{
	char all[512];
	struct call_facts f = {.id = 1};
	size_t n = 0;
	json_t *root;

	(void)state;
	for (unsigned c = 1; c < 256; c++)
		all[n++] = (char)c;
	memcpy(all + n, "\",\"x\":{\r\n\\", 10);
	n += 10;
	f.text[CALL_CALLER_NAME] = rs_str_n(all, n);
	f.text[CALL_CALLER_ID] = rs_str_n("a\0b", 3);
	f.text[CALL_CALLEE] = RS_STR("J\xc3\xbcrgen \xe2\x80\xae\xff\xc3");
	root = print(&f);
	assert_null(json_object_get(root, "x"));
	assert_non_null(strstr(text(root, "callee"), "J\xc3\xbcrgen "));
	assert_null(strstr(text(root, "callee"), "\xe2\x80\xae"));
	json_decref(root);
}

static void a_password_in_a_uri_is_left_out(void **state)
{
	struct call_facts f = {.id = 1, .text = {[CALL_DIALED] = RS_STR_INIT("sip:bob:secret@example.com;user=phone")}};
	json_t *root = print(&f);

	(void)state;
	assert_string_equal(text(root, "dialed"), "sip:bob@example.com;user=phone");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answered_call),
		cmocka_unit_test(what_did_not_happen_is_null),
		cmocka_unit_test(every_byte_stays_inside_its_string),
		cmocka_unit_test(a_password_in_a_uri_is_left_out),
	};

	return cmocka_run_group_tests_name("calls record", tests, NULL, NULL);
}
