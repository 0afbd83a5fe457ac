/* The writer, and what a response takes from its request. */
#include "message_test.h"

static struct sip_writer w;

#define assert_written(lit)                                                                                            \
	do {                                                                                                           \
		assert_true(sip_writer_ok(&w));                                                                        \
		assert_str(rs_str_n(w.buf, w.len), lit);                                                               \
		sip_writer_fini(&w);                                                                                   \
	} while (0)

static void pieces_are_written_in_order(void **state)
{
	char first[8];

	(void)state;
	sip_writer_init(&w, first, sizeof(first));
	sip_write_request_line(&w, RS_STR("MESSAGE"), RS_STR("sip:a@b"));
	sip_write_hdr(&w, SIP_HDR_TO, RS_STR("<sip:a@b>"));
	sip_write_hdr_name(&w, RS_STR("X-Own"), RS_STR("1"));
	sip_write_hdr_start(&w, SIP_HDR_SUBJECT);
	sip_write_quoted(&w, RS_STR("a\"b\\c\r\nd\x01"));
	sip_writef(&w, "%d-%s", 7, "x");
	sip_write_u64(&w, UINT64_MAX);
	sip_write_crlf(&w);
	sip_write_body(&w, RS_STR("text/plain"), RS_STR("hello"));
	assert_written("MESSAGE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\nX-Own: 1\r\nSubject: \"a\\\"b\\\\cd\\\x01\"7-x"
		       "18446744073709551615\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
}

static void compact_names_are_used_where_there_are_some(void **state)
{
	(void)state;
	sip_writer_init(&w, NULL, 0);
	w.compact = true;
	sip_write_hdr(&w, SIP_HDR_TO, RS_STR("a"));
	sip_write_hdr(&w, SIP_HDR_EXPIRES, RS_STR("1"));
	sip_write_body(&w, RS_STR(""), RS_STR(""));
	assert_written("t: a\r\nExpires: 1\r\nl: 0\r\n\r\n");
}

static void no_value_can_inject_a_header(void **state)
{
	(void)state;
	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, 200, RS_STR("O\r\nK"));
	sip_write_hdr(&w, SIP_HDR_SUBJECT, RS_STR("a\r\nX: b\nY: c\rZ: d\r\n\r\n"));
	sip_write_hdr_name(&w, RS_STR("X"), RS_STR("\r\n a"));
	assert_written("SIP/2.0 200 O K\r\nSubject: a X: b Y: c Z: d \r\nX:  a\r\n");
}

static void bad_names_and_words_fail_for_good(void **state)
{
	static const struct rs_str bad[] = {RS_STR_INIT(""), RS_STR_INIT("a b"), RS_STR_INIT("a:"),
					    RS_STR_INIT("a\r\n")};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		sip_writer_init(&w, NULL, 0);
		sip_write_hdr_name(&w, bad[i], RS_STR("x"));
		assert_false(sip_writer_ok(&w));
		sip_write_hdr(&w, SIP_HDR_TO, RS_STR("x"));
		assert_int_equal(w.len, 0);
		sip_writer_fini(&w);
	}
	sip_writer_init(&w, NULL, 0);
	sip_write_request_line(&w, RS_STR("A"), RS_STR("sip:a b"));
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, 99, RS_STR(""));
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
	sip_writer_init(&w, NULL, 0);
	sip_write_hdr(&w, SIP_HDR_OTHER, RS_STR("x"));
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
}

static void the_buffer_grows_to_its_limit_and_no_further(void **state)
{
	char first[4];

	(void)state;
	sip_writer_init(&w, first, sizeof(first));
	w.max = 100;
	for (int i = 0; i < 100; i++)
		sip_writez(&w, "x");
	assert_true(sip_writer_ok(&w));
	assert_int_equal(w.len, 100);
	sip_writez(&w, "y");
	assert_false(sip_writer_ok(&w));
	assert_int_equal(w.len, 100);
	sip_writer_fini(&w);
	sip_writer_init(&w, first, sizeof(first));
	w.max = 3;
	sip_writez(&w, "abcd");
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
	sip_writer_init(&w, NULL, 0);
	for (int i = 0; i < 300; i++)
		sip_writef(&w, "%0300d", i);
	assert_false(sip_writer_ok(&w));
	sip_writer_fini(&w);
}

static void reason_phrases_are_known(void **state)
{
	(void)state;
	assert_str(sip_reason_phrase(100), "Trying");
	assert_str(sip_reason_phrase(608), "Rejected");
	assert_str(sip_reason_phrase(481), "Call/Transaction Does Not Exist");
	assert_str(sip_reason_phrase(299), "");
	assert_str(sip_reason_phrase(0), "");
	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, 299, RS_STR(""));
	assert_written("SIP/2.0 299 \r\n");
}

static void respond(struct rs_str request, unsigned status, const char *tag, const char *source, bool rport)
{
	static struct parsed p;
	struct sip_addr a;

	assert_int_equal(parse_into(&p, request, false), SIP_PARSE_DONE);
	if (source)
		assert_int_equal(sip_addr_parse(rs_str_c(source), &a), 0);
	sip_writer_init(&w, NULL, 0);
	sip_write_response_headers(&w, &p.msg, status, rs_str_c(tag), source ? &a : NULL, rport);
	done(&p);
}

#define REST        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
#define WITH(via)   RS_STR("OPTIONS sip:a SIP/2.0\r\n" via REST "Timestamp: 5\r\nSubject: no\r\n\r\n")
#define REST_TAGGED "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=t\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"

static void a_response_takes_what_it_must(void **state)
{
	(void)state;
	respond(WITH("Via: SIP/2.0/UDP 192.0.2.7;branch=z\r\nv: SIP/2.0/TCP b\r\n"), 200, "t", "192.0.2.7:5060", false);
	assert_written("Via: SIP/2.0/UDP 192.0.2.7;branch=z\r\nv: SIP/2.0/TCP b\r\n" REST_TAGGED);
	respond(WITH("Via: SIP/2.0/UDP a\r\n"), 100, "", NULL, false);
	assert_written("Via: SIP/2.0/UDP a\r\n" REST "Timestamp: 5\r\n");
}

static void received_is_added_where_the_host_differs(void **state)
{
	(void)state;
	respond(WITH("Via: SIP/2.0/UDP a.example.net;branch=z , SIP/2.0/TCP b;received=1.2.3.4\r\n"), 200, "t",
		"192.0.2.7:5060", false);
	assert_written("Via: SIP/2.0/UDP a.example.net;branch=z;received=192.0.2.7, SIP/2.0/TCP "
		       "b;received=1.2.3.4\r\n" REST_TAGGED);
	respond(WITH("Via: SIP/2.0/UDP [2001:db8:0::1]:5060;branch=z\r\n"), 200, "t", "[2001:db8::1]:5060", false);
	assert_written("Via: SIP/2.0/UDP [2001:db8:0::1]:5060;branch=z\r\n" REST_TAGGED);
	respond(WITH("Via: SIP/2.0/UDP a;branch=z\r\n"), 200, "t", "[2001:db8::1]:5060", false);
	assert_written("Via: SIP/2.0/UDP a;branch=z;received=2001:db8::1\r\n" REST_TAGGED);
}

static void rport_is_filled_in_where_it_is_asked_for(void **state)
{
	(void)state;
	respond(WITH("Via: SIP/2.0/UDP 192.0.2.7 ; rport ; branch=z\r\n"), 200, "t", "192.0.2.7:4711", false);
	assert_written("Via: SIP/2.0/UDP 192.0.2.7;branch=z;received=192.0.2.7;rport=4711\r\n" REST_TAGGED);
	respond(WITH("Via: SIP/2.0/UDP 192.0.2.7;branch=z\r\n"), 200, "t", "192.0.2.7:4711", true);
	assert_written("Via: SIP/2.0/UDP 192.0.2.7;branch=z;received=192.0.2.7;rport=4711\r\n" REST_TAGGED);
	/* What the sender claimed about itself is not believed. */
	respond(WITH("Via: SIP/2.0/UDP 192.0.2.7;rport=9;received=6.6.6.6;x=\";rport\"\r\n"), 200, "t",
		"192.0.2.7:4711", false);
	assert_written("Via: SIP/2.0/UDP 192.0.2.7;x=\";rport\";received=192.0.2.7;rport=4711\r\n" REST_TAGGED);
	respond(WITH("Via: SIP/2.0/UDP 192.0.2.7;received=6.6.6.6\r\n"), 200, "t", "192.0.2.7:4711", false);
	assert_written("Via: SIP/2.0/UDP 192.0.2.7\r\n" REST_TAGGED);
}

static void folds_and_stray_line_ends_are_undone(void **state)
{
	(void)state;
	respond(RS_STR("OPTIONS sip:a SIP/2.0\r\nVia:\r\n SIP/2.0/UDP a\r\n ;branch=z,\r\n SIP/2.0/UDP b\r\nFrom : "
		       "<sip:a@b>\r\n ;tag=1\r\n"
		       "To: \"a\nX: y\" <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1\r\n OPTIONS\r\n\r\n"),
		400, "t", "192.0.2.7:5060", false);
	assert_written("Via: SIP/2.0/UDP a;branch=z;received=192.0.2.7, SIP/2.0/UDP b\r\nFrom: <sip:a@b> ;tag=1\r\n"
		       "To: \"a X: y\" <sip:c@d>;tag=t\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n");
}

static void a_tag_that_is_there_stays(void **state)
{
	(void)state;
	respond(RS_STR("BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\nTo: sip:c@d;tag=old\r\n"
		       "Call-ID: x\r\nCSeq: 1 BYE\r\n\r\n"),
		200, "new", NULL, false);
	assert_written(
		"Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\nTo: sip:c@d;tag=old\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_written_in_order),
		cmocka_unit_test(compact_names_are_used_where_there_are_some),
		cmocka_unit_test(no_value_can_inject_a_header),
		cmocka_unit_test(bad_names_and_words_fail_for_good),
		cmocka_unit_test(the_buffer_grows_to_its_limit_and_no_further),
		cmocka_unit_test(reason_phrases_are_known),
		cmocka_unit_test(a_response_takes_what_it_must),
		cmocka_unit_test(received_is_added_where_the_host_differs),
		cmocka_unit_test(rport_is_filled_in_where_it_is_asked_for),
		cmocka_unit_test(folds_and_stray_line_ends_are_undone),
		cmocka_unit_test(a_tag_that_is_there_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
