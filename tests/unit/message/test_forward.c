/* Forwarding with edits. */
#include "message_test.h"

#define START  "MESSAGE sip:desk@example.net SIP/2.0\r\n"
#define VIA    "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKt\r\n"
#define DIALOG "From: <sip:lea@example.net>;tag=l1\r\nTo: <sip:desk@example.net>\r\nCall-ID: t\r\nCSeq: 1 MESSAGE\r\n"
#define ROUTES "Route: \"a,b\" <sip:a,b;lr> , <sip:two;lr>\r\nRoute: <sip:three;lr>\r\n"
#define OTHERS "X-Own : 1\r\nSubject: one\r\n more\r\nx-own: 2\r\n"
#define END    "Content-Length: 5\r\n\r\nhello"
#define WHOLE  START VIA DIALOG ROUTES OTHERS END

static struct parsed p;
static struct sip_writer w;

static int edit(const struct sip_edit *edits, size_t n)
{
	assert_int_equal(parse_into(&p, RS_STR(WHOLE), false), SIP_PARSE_DONE);
	assert_int_equal(p.msg.flaw, SIP_FLAW_NONE);
	sip_writer_init(&w, NULL, 0);
	return sip_write_forward(&w, &p.msg, edits, n);
}

#define assert_forwarded(expected, ...)                                                                                \
	do {                                                                                                           \
		const struct sip_edit e_[] = {__VA_ARGS__};                                                            \
		assert_int_equal(edit(e_, RS_ARRAY_SIZE(e_)), 0);                                                      \
		assert_true(sip_writer_ok(&w));                                                                        \
		assert_str(rs_str_n(w.buf, w.len), expected);                                                          \
		sip_writer_fini(&w);                                                                                   \
		done(&p);                                                                                              \
	} while (0)

#define assert_refused(...)                                                                                            \
	do {                                                                                                           \
		const struct sip_edit e_[] = {__VA_ARGS__};                                                            \
		assert_int_equal(edit(e_, RS_ARRAY_SIZE(e_)), -1);                                                     \
		sip_writer_fini(&w);                                                                                   \
		done(&p);                                                                                              \
	} while (0)

static void without_edits_every_byte_stays(void **state)
{
	(void)state;
	assert_int_equal(edit(NULL, 0), 0);
	assert_str(rs_str_n(w.buf, w.len), WHOLE);
	sip_writer_fini(&w);
	done(&p);
}

static void headers_are_added_first_and_last(void **state)
{
	(void)state;
	assert_forwarded(START "Via: SIP/2.0/TCP us\r\nRoute: <sip:zero>\r\n" VIA DIALOG ROUTES OTHERS
			       "Content-Length: 5\r\n"
			       "X-New: 1\r\n\r\nhello",
			 {.op = SIP_EDIT_ADD, .name = RS_STR("X-New"), .value = RS_STR("1")},
			 {.op = SIP_EDIT_ADD_FIRST, .id = SIP_HDR_VIA, .value = RS_STR("SIP/2.0/TCP us")},
			 {.op = SIP_EDIT_ADD_FIRST, .id = SIP_HDR_ROUTE, .value = RS_STR("<sip:zero>")});
}

static void headers_are_removed_whole_or_by_line(void **state)
{
	(void)state;
	assert_forwarded(START VIA DIALOG "X-Own : 1\r\nSubject: one\r\n more\r\n" END,
			 {.op = SIP_EDIT_REMOVE, .id = SIP_HDR_ROUTE},
			 {.op = SIP_EDIT_REMOVE_NTH, .name = RS_STR("X-OWN"), .n = 1});
	assert_forwarded(START VIA DIALOG ROUTES "Subject: one\r\n more\r\n" END,
			 {.op = SIP_EDIT_REMOVE, .name = RS_STR("x-own")},
			 {.op = SIP_EDIT_REMOVE, .id = SIP_HDR_EXPIRES});
	assert_refused({.op = SIP_EDIT_REMOVE_NTH, .id = SIP_HDR_ROUTE, .n = 2});
}

static void the_first_line_is_replaced(void **state)
{
	(void)state;
	assert_forwarded(START VIA DIALOG ROUTES "X-Own: 9\r\nSubject: two\r\nx-own: 2\r\n"
						 "Content-Length: 5\r\nMax-Forwards: 69\r\n\r\nhello",
			 {.op = SIP_EDIT_REPLACE, .id = SIP_HDR_SUBJECT, .value = RS_STR("two")},
			 {.op = SIP_EDIT_REPLACE, .id = SIP_HDR_MAX_FORWARDS, .value = RS_STR("69")},
			 {.op = SIP_EDIT_REPLACE, .name = RS_STR("X-Own"), .value = RS_STR("9")});
}

static void values_are_popped_across_lines(void **state)
{
	const struct sip_edit pop = {.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_ROUTE};

	(void)state;
	assert_forwarded(START VIA DIALOG "Route: <sip:two;lr>\r\nRoute: <sip:three;lr>\r\n" OTHERS END, pop);
	assert_forwarded(START VIA DIALOG "Route: <sip:three;lr>\r\n" OTHERS END, pop, pop);
	assert_forwarded(START VIA DIALOG OTHERS END, pop, pop, pop);
	assert_refused(pop, pop, pop, pop);
	assert_refused({.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_PATH});
	assert_forwarded(START DIALOG ROUTES OTHERS END, {.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA});
}

static void uri_and_body_are_exchanged(void **state)
{
	(void)state;
	assert_forwarded("MESSAGE sip:new SIP/2.0\r\n" VIA DIALOG ROUTES OTHERS "Content-Length: 2\r\n\r\nhi",
			 {.op = SIP_EDIT_URI, .value = RS_STR("sip:new")},
			 {.op = SIP_EDIT_BODY, .value = RS_STR("hi")});
	assert_forwarded(START VIA DIALOG ROUTES OTHERS "Content-Length: 0\r\n\r\n", {.op = SIP_EDIT_BODY});
	assert_forwarded(START VIA DIALOG ROUTES OTHERS END, {.op = SIP_EDIT_REMOVE, .id = SIP_HDR_CONTENT_LENGTH});
}

static void edits_cannot_break_the_message(void **state)
{
	const struct sip_edit uri = {.op = SIP_EDIT_URI, .value = RS_STR("sip:a b")};

	(void)state;
	assert_int_equal(edit(&uri, 1), 0);
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
	done(&p);
	assert_forwarded(START "Subject: a X: b\r\n" VIA DIALOG ROUTES OTHERS END,
			 {.op = SIP_EDIT_ADD_FIRST, .id = SIP_HDR_SUBJECT, .value = RS_STR("a\r\nX: b")});
	assert_refused({.op = SIP_EDIT_ADD, .name = RS_STR("a b"), .value = RS_STR("c")});
	assert_refused({.op = SIP_EDIT_ADD, .value = RS_STR("c")});
	assert_refused({.op = SIP_EDIT_REPLACE, .id = SIP_HDR_CONTENT_LENGTH, .value = RS_STR("1")});
	assert_refused({.op = SIP_EDIT_ADD, .name = RS_STR("content-LENGTH"), .value = RS_STR("1")});
	assert_refused({.op = SIP_EDIT_ADD_FIRST, .name = RS_STR("l"), .value = RS_STR("1")});
	assert_refused({.op = SIP_EDIT_POP_VALUE, .name = RS_STR("x-own")});
}

static void a_length_is_added_where_none_was(void **state)
{
	(void)state;
	assert_int_equal(parse_into(&p, RS_STR(START VIA DIALOG "\r\nhello"), false), SIP_PARSE_DONE);
	sip_writer_init(&w, NULL, 0);
	assert_int_equal(sip_write_forward(&w, &p.msg, NULL, 0), 0);
	assert_str(rs_str_n(w.buf, w.len), START VIA DIALOG END);
	sip_writer_fini(&w);
	done(&p);
}

static void a_response_has_no_uri_to_edit(void **state)
{
	const struct sip_edit uri = {.op = SIP_EDIT_URI, .value = RS_STR("sip:a")};
	const struct sip_edit pop = {.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA};

	(void)state;
	assert_int_equal(
		parse_into(&p, RS_STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP us,SIP/2.0/UDP a\r\n" DIALOG "l: 0\r\n\r\n"),
			   false),
		SIP_PARSE_DONE);
	sip_writer_init(&w, NULL, 0);
	assert_int_equal(sip_write_forward(&w, &p.msg, &uri, 1), -1);
	assert_int_equal(sip_write_forward(&w, &p.msg, &pop, 1), 0);
	assert_str(rs_str_n(w.buf, w.len), "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n" DIALOG "l: 0\r\n\r\n");
	sip_writer_fini(&w);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_edits_every_byte_stays),
		cmocka_unit_test(headers_are_added_first_and_last),
		cmocka_unit_test(headers_are_removed_whole_or_by_line),
		cmocka_unit_test(the_first_line_is_replaced),
		cmocka_unit_test(values_are_popped_across_lines),
		cmocka_unit_test(uri_and_body_are_exchanged),
		cmocka_unit_test(edits_cannot_break_the_message),
		cmocka_unit_test(a_length_is_added_where_none_was),
		cmocka_unit_test(a_response_has_no_uri_to_edit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
