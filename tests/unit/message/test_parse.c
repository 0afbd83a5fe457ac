/* The index, the routing fields, the getters and the limits. */
#include "message_test.h"

static struct parsed p;

static void the_routing_fields_are_read(void **state)
{
	struct rs_str s =
		RS_STR("INVITE sip:desk@example.net SIP/2.0\r\n"
		       "v: SIP/2.0/TCP a.example.net:5070 ;x=\"a,b;branch=no\" ; BRANCH = z9hG4bKone, SIP/2.0/UDP b\r\n"
		       "Via: SIP/2.0/UDP c;branch=z9hG4bKtwo\r\n"
		       "From: \"a;tag=no\" <sip:lea@example.net;tag=no>;x=\";tag=no\"; Tag = yes \r\n"
		       "t: sip:desk@example.net;tag=to\r\nCall-ID:\r\n  id@host \r\nCSeq: 007 INVITE\r\n"
		       "l: 4\r\n\r\nbodyrest");
	struct sip_via via;

	(void)state;
	assert_int_equal(parse_into(&p, s, false), SIP_PARSE_DONE);
	assert_int_equal(p.msg.flaw, SIP_FLAW_NONE);
	assert_true(p.msg.is_request);
	assert_int_equal(p.msg.method, SIP_METHOD_INVITE);
	assert_str(p.msg.uri_text, "sip:desk@example.net");
	assert_str(p.msg.call_id, "id@host");
	assert_str(p.msg.from_tag, "yes");
	assert_str(p.msg.to_tag, "to");
	assert_int_equal(p.msg.cseq, 7);
	assert_str(p.msg.cseq_method, "INVITE");
	assert_str(p.msg.top_branch, "z9hG4bKone");
	assert_true(p.msg.has_content_length);
	assert_int_equal(p.msg.content_length, 4);
	assert_str(p.msg.body, "body");
	assert_int_equal(p.consumed, s.len - 4);
	assert_int_equal(p.msg.bytes.len, s.len - 4);
	assert_int_equal(sip_msg_top_via(&p.msg, &via), 0);
	assert_str(via.host, "a.example.net");
	assert_int_equal(via.port, 5070);
	assert_int_equal(via.type, SIP_TRANSPORT_TCP);
	assert_str(sip_msg_hdr(&p.msg, SIP_HDR_VIA, 1)->value, "SIP/2.0/UDP c;branch=z9hG4bKtwo");
	assert_null(sip_msg_hdr(&p.msg, SIP_HDR_VIA, 2));
	assert_str(sip_msg_via(&p.msg, 2)->branch, "z9hG4bKtwo");
	assert_null(sip_msg_via(&p.msg, 3));
	assert_ptr_equal(sip_msg_hdr_by_name(&p.msg, RS_STR("VIA"), 0), sip_msg_hdr(&p.msg, SIP_HDR_VIA, 0));
	done(&p);
}

static void a_response_has_its_cseq_method(void **state)
{
	struct rs_str s = RS_STR("SIP/2.0 404 Not  Here\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\n"
				 "To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 SUBSCRIBE\r\n\r\n");

	(void)state;
	assert_int_equal(parse_into(&p, s, false), SIP_PARSE_DONE);
	assert_int_equal(p.msg.flaw, SIP_FLAW_NONE);
	assert_false(p.msg.is_request);
	assert_int_equal(p.msg.status, 404);
	assert_str(p.msg.reason, "Not  Here");
	assert_int_equal(p.msg.method, SIP_METHOD_SUBSCRIBE);
	assert_null(p.msg.from_tag.p);
	assert_null(sip_msg_ruri(&p.msg));
	done(&p);
}

static void other_headers_are_found_by_name(void **state)
{
	(void)state;
	parse_into(&p, REQUEST("OPTIONS", "X-One: 1\r\nx-ONE : 2\r\nSubject: a\r\n b\r\nExpires: 99999999999\r\n"),
		   false);
	assert_str(sip_msg_hdr_by_name(&p.msg, RS_STR("X-one"), 0)->value, "1");
	assert_str(sip_msg_hdr_by_name(&p.msg, RS_STR("X-one"), 1)->value, "2");
	assert_null(sip_msg_hdr_by_name(&p.msg, RS_STR("X-one"), 2));
	assert_null(sip_msg_hdr_by_name(&p.msg, RS_STR("X-two"), 0));
	assert_str(sip_msg_unfold(&p.msg, sip_msg_hdr_by_name(&p.msg, RS_STR("s"), 0)->value), "a b");
	assert_null(sip_msg_values(&p.msg, SIP_HDR_OTHER, NULL));
	done(&p);
}

static void numbers_are_clamped_and_missing_ones_told_from_bad_ones(void **state)
{
	uint32_t n = 1;
	bool bad;

	(void)state;
	parse_into(&p, REQUEST("OPTIONS", "Expires: 99999999999\r\nMin-SE: x\r\nRetry-After: 7 (soon);duration=1\r\n"),
		   false);
	assert_int_equal(sip_msg_check(&p.msg), 0);
	assert_true(sip_msg_number(&p.msg, SIP_HDR_EXPIRES, &n, &bad));
	assert_true(n == UINT32_MAX);
	assert_true(sip_msg_values(&p.msg, SIP_HDR_EXPIRES, NULL)->v.number[0].overflow);
	assert_false(sip_msg_number(&p.msg, SIP_HDR_MIN_SE, &n, &bad));
	assert_true(bad);
	assert_false(sip_msg_number(&p.msg, SIP_HDR_MIN_EXPIRES, &n, &bad));
	assert_false(bad);
	assert_true(sip_msg_number(&p.msg, SIP_HDR_RETRY_AFTER, &n, NULL));
	assert_int_equal(n, 7);
	assert_false(sip_msg_number(&p.msg, SIP_HDR_TO, &n, &bad));
	done(&p);
}

static void an_empty_list_is_there_but_has_no_value(void **state)
{
	bool bad = true;

	(void)state;
	parse_into(&p, REQUEST("OPTIONS", "Accept:\r\nSupported: path,,gruu\r\nSupported: outbound\r\n"), false);
	assert_non_null(sip_msg_values(&p.msg, SIP_HDR_ACCEPT, &bad));
	assert_int_equal(sip_msg_values(&p.msg, SIP_HDR_ACCEPT, NULL)->n, 0);
	assert_false(bad);
	assert_int_equal(sip_msg_values(&p.msg, SIP_HDR_SUPPORTED, NULL)->n, 3);
	assert_true(sip_msg_has_token(&p.msg, SIP_HDR_SUPPORTED, RS_STR("OUTBOUND")));
	assert_false(sip_msg_has_token(&p.msg, SIP_HDR_SUPPORTED, RS_STR("pat")));
	assert_false(sip_msg_has_token(&p.msg, SIP_HDR_REQUIRE, RS_STR("path")));
	done(&p);
}

static void a_message_is_classified_by_first_line_and_to_tag(void **state)
{
	struct sip_msg_class c = sip_msg_classify(REQUEST("INVITE", ""));

	(void)state;
	assert_true(c.is_request);
	assert_false(c.in_dialog);
	assert_int_equal(c.method, SIP_METHOD_INVITE);
	c = sip_msg_classify(RS_STR("BYE sip:a SIP/2.0\r\nTop: x\r\nt :\r\n <sip:a;tag=1>\r\n ;tag=x\r\n"));
	assert_true(c.in_dialog);
	assert_int_equal(c.method, SIP_METHOD_BYE);
	c = sip_msg_classify(RS_STR("SIP/2.0 200 OK\r\nTo: <sip:a;tag=1>\r\n"));
	assert_false(c.is_request);
	assert_false(c.in_dialog);
}

/* ---- limits: at and one past ---- */

static char big[SIP_MAX_MSG + 4096];

/* A request with n lines of text in it, in big. */
static struct rs_str request_with(unsigned n, const char *line, const char *first, const char *last)
{
	size_t len =
		(size_t)snprintf(big, sizeof(big),
				 "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\n"
				 "To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n%s",
				 first);

	for (unsigned i = 0; i < n; i++) {
		memcpy(big + len, line, strlen(line));
		len += strlen(line);
	}
	memcpy(big + len, last, strlen(last));
	return rs_str_n(big, len + strlen(last));
}

static enum sip_msg_flaw flaw_of(struct rs_str s)
{
	enum sip_msg_flaw flaw;

	assert_int_equal(parse_into(&p, s, false), SIP_PARSE_DONE);
	flaw = p.msg.flaw;
	done(&p);
	return flaw;
}

static void header_lines_are_limited(void **state)
{
	(void)state;
	assert_int_equal(flaw_of(request_with(SIP_MAX_HDRS - 5, "X: y\r\n", "", "\r\n")), SIP_FLAW_NONE);
	assert_int_equal(flaw_of(request_with(SIP_MAX_HDRS - 4, "X: y\r\n", "", "\r\n")), SIP_FLAW_LIMIT);
	/* "X: " and its CRLF are 5 of the bytes. */
	assert_int_equal(flaw_of(request_with(SIP_MAX_LINE - 5, "y", "X: ", "\r\n\r\n")), SIP_FLAW_NONE);
	assert_int_equal(flaw_of(request_with(SIP_MAX_LINE - 4, "y", "X: ", "\r\n\r\n")), SIP_FLAW_LIMIT);
	assert_int_equal(p.msg.flaw_status, 513);
}

static bool typed(enum sip_hdr_id id, struct rs_str s)
{
	bool ok;

	assert_int_equal(parse_into(&p, s, false), SIP_PARSE_DONE);
	ok = sip_msg_values(&p.msg, id, NULL) != NULL;
	done(&p);
	return ok;
}

static void values_and_parameters_are_limited(void **state)
{
	(void)state;
	assert_true(typed(SIP_HDR_SUPPORTED, request_with(SIP_MAX_VALUES - 1, "a,", "Supported: ", "a\r\n\r\n")));
	assert_false(typed(SIP_HDR_SUPPORTED, request_with(SIP_MAX_VALUES, "a,", "Supported: ", "a\r\n\r\n")));
	assert_true(typed(SIP_HDR_SUPPORTED, request_with(SIP_MAX_VALUES, "Supported: a\r\n", "", "\r\n")));
	assert_false(typed(SIP_HDR_SUPPORTED, request_with(SIP_MAX_VALUES + 1, "Supported: a\r\n", "", "\r\n")));
	assert_true(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_PARAMS, ";a", "Contact: <sip:a>", "\r\n\r\n")));
	assert_false(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_PARAMS + 1, ";a", "Contact: <sip:a>", "\r\n\r\n")));
	assert_true(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_PARAMS, ";a", "Contact: <sip:a", ">\r\n\r\n")));
	assert_false(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_PARAMS + 1, ";a", "Contact: <sip:a", ">\r\n\r\n")));
	assert_true(typed(SIP_HDR_AUTHORIZATION,
			  request_with(SIP_MAX_PARAMS - 1, "a=b,", "Authorization: Digest ", "a=b\r\n\r\n")));
	assert_false(typed(SIP_HDR_AUTHORIZATION,
			   request_with(SIP_MAX_PARAMS, "a=b,", "Authorization: Digest ", "a=b\r\n\r\n")));
	assert_true(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_URI - 4, "a", "Contact: <sip:", ">\r\n\r\n")));
	assert_false(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_URI - 3, "a", "Contact: <sip:", ">\r\n\r\n")));
}

static void typed_memory_is_limited(void **state)
{
	static const char value[] =
		"<sip:a>;a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t;u;v;w;x;y;z;aa;ab;ac;ad;ae;af;ag;ah;ai;"
		"aj;ak;al;am;an;ao;ap;aq;ar;as;at;au;av;aw;ax;ay,";

	(void)state;
	assert_false(typed(SIP_HDR_CONTACT, request_with(SIP_MAX_VALUES - 1, value, "Contact: ", "<sip:a>\r\n\r\n")));
}

static void the_message_is_limited(void **state)
{
	struct rs_str s = request_with(0, "", "Content-Length: 65000\r\n", "\r\n");

	(void)state;
	assert_int_equal(parse_into(&p, s, true), SIP_PARSE_PARTIAL);
	done(&p);
	s = request_with(0, "", "Content-Length: 65500\r\n", "\r\n");
	assert_int_equal(parse_into(&p, s, true), SIP_PARSE_DONE);
	assert_int_equal(p.msg.flaw, SIP_FLAW_LIMIT);
	assert_int_equal(p.msg.flaw_status, 513);
	done(&p);
}

static void limits_can_be_lowered(void **state)
{
	struct sip_msg_limits low = {.hdrs = 6, .uri = 20}, back = {.hdrs = SIP_MAX_HDRS, .uri = SIP_MAX_URI};

	(void)state;
	sip_msg_set_limits(&low);
	assert_int_equal(flaw_of(request_with(1, "X: y\r\n", "", "\r\n")), SIP_FLAW_NONE);
	assert_int_equal(flaw_of(request_with(2, "X: y\r\n", "", "\r\n")), SIP_FLAW_LIMIT);
	assert_int_equal(sip_uri_parse(RS_STR("sip:01234567890123456"), &(struct sip_uri){0}), -1);
	sip_msg_set_limits(&back);
	assert_int_equal(sip_uri_parse(RS_STR("sip:01234567890123456"), &(struct sip_uri){0}), 0);
}

/* Whether or not it says its length. */
static void a_datagram_is_limited_as_the_configuration_says(void **state)
{
	struct sip_msg_limits low = {.msg = 600}, back = {.msg = SIP_MAX_MSG};
	static const char body[] = "0123456789012345678901234567890123456789012345678901234567890123456789";

	(void)state;
	sip_msg_set_limits(&low);
	assert_int_equal(flaw_of(request_with(0, "", "", "\r\n")), SIP_FLAW_NONE);
	assert_int_equal(flaw_of(request_with(1, body, "\r\n", "")), SIP_FLAW_NONE);
	assert_int_equal(flaw_of(request_with(10, body, "\r\n", "")), SIP_FLAW_LIMIT);
	assert_int_equal(
		flaw_of(request_with(12, "X: 012345678901234567890123456789012345678901234567890\r\n", "", "\r\n")),
		SIP_FLAW_LIMIT);
	assert_int_equal(p.msg.flaw_status, 513);
	/* One that promises more than it can hold was cut on its way. */
	assert_int_equal(flaw_of(request_with(1, body, "Content-Length: 65000\r\n\r\n", "")), SIP_FLAW_LENGTH);
	sip_msg_set_limits(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_routing_fields_are_read),
		cmocka_unit_test(a_response_has_its_cseq_method),
		cmocka_unit_test(other_headers_are_found_by_name),
		cmocka_unit_test(numbers_are_clamped_and_missing_ones_told_from_bad_ones),
		cmocka_unit_test(an_empty_list_is_there_but_has_no_value),
		cmocka_unit_test(a_message_is_classified_by_first_line_and_to_tag),
		cmocka_unit_test(header_lines_are_limited),
		cmocka_unit_test(values_and_parameters_are_limited),
		cmocka_unit_test(typed_memory_is_limited),
		cmocka_unit_test(the_message_is_limited),
		cmocka_unit_test(limits_can_be_lowered),
		cmocka_unit_test(a_datagram_is_limited_as_the_configuration_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
