/* What each shape makes of its text. */
#include "message_test.h"

static char mem[65536];
static struct rs_arena arena;
static struct sip_hdr_values v;

static int parse(enum sip_hdr_id id, const char *text)
{
	rs_arena_init(&arena, mem, sizeof(mem), 0);
	return sip_hdr_parse(id, rs_str_c(text), &arena, &v);
}

static void a_name_addr_has_its_parts(void **state)
{
	(void)state;
	assert_int_equal(parse(SIP_HDR_CONTACT,
			       " \"A \\\"B\\\", C\" <sip:a@b;lr?x=y>;q=0.5;expires=60;+sip.i=\"<urn:x>\" , *x <sip:c>"),
			 0);
	assert_int_equal(v.n, 2);
	assert_str(v.v.name_addr[0].text, "\"A \\\"B\\\", C\" <sip:a@b;lr?x=y>;q=0.5;expires=60;+sip.i=\"<urn:x>\"");
	assert_str(v.v.name_addr[0].display, "A \\\"B\\\", C");
	assert_str(v.v.name_addr[0].uri.text, "sip:a@b;lr?x=y");
	assert_true(v.v.name_addr[0].brackets);
	assert_int_equal(v.v.name_addr[0].params.n, 3);
	assert_str(v.v.name_addr[0].params.text, ";q=0.5;expires=60;+sip.i=\"<urn:x>\"");
	assert_str(sip_params_get(&v.v.name_addr[0].params, RS_STR("+SIP.I"))->value, "<urn:x>");
	assert_true(sip_params_get(&v.v.name_addr[0].params, RS_STR("+sip.i"))->quoted);
	assert_null(sip_params_get(&v.v.name_addr[0].params, RS_STR("lr")));
	assert_str(v.v.name_addr[1].display, "*x");
	assert_null(v.v.name_addr[1].params.text.p);
}

static void an_addr_spec_leaves_its_parameters_to_the_header(void **state)
{
	(void)state;
	assert_int_equal(parse(SIP_HDR_TO, "sip:a@b;tag=x;transport=tcp"), 0);
	assert_str(v.v.name_addr[0].uri.text, "sip:a@b");
	assert_str(v.v.name_addr[0].tag, "x");
	assert_null(v.v.name_addr[0].display.p);
	assert_false(v.v.name_addr[0].brackets);
	assert_int_equal(v.v.name_addr[0].params.n, 2);
	assert_int_equal(parse(SIP_HDR_TO, "sip:a,b@c"), -1);
	assert_int_equal(parse(SIP_HDR_TO, "<sip:a,b@c>"), 0);
	assert_int_equal(parse(SIP_HDR_FROM, "caller<sip:a@b>;tag=323"), 0);
	assert_str(v.v.name_addr[0].display, "caller");
	assert_int_equal(parse(SIP_HDR_FROM, "M\xc3\xbcller <sip:a@b>"), 0);
	assert_int_equal(parse(SIP_HDR_FROM, "a \"b\" <sip:a@b>"), -1);
	assert_int_equal(parse(SIP_HDR_FROM, "<sip:a@b> x"), -1);
	assert_int_equal(parse(SIP_HDR_FROM, "<sip:a@b>;tag=\"x\""), -1);
	assert_int_equal(parse(SIP_HDR_FROM, "<sip:a@b>;tag"), -1);
	assert_int_equal(parse(SIP_HDR_FROM, "\"\x01\" <sip:a@b>"), -1);
	assert_int_equal(parse(SIP_HDR_FROM, "\"\\\x01\" <sip:a@b>"), 0);
}

static void a_star_is_for_contact_only(void **state)
{
	(void)state;
	assert_int_equal(parse(SIP_HDR_CONTACT, "*"), 0);
	assert_true(v.v.name_addr[0].star);
	assert_int_equal(parse(SIP_HDR_CONTACT, " * "), 0);
	assert_int_equal(parse(SIP_HDR_CONTACT, "*;x"), -1);
	assert_int_equal(parse(SIP_HDR_ROUTE, "*"), -1);
}

static void a_via_has_its_parts(void **state)
{
	(void)state;
	assert_int_equal(
		parse(SIP_HDR_VIA,
		      "SIP/2.0/TLS h.example.net:5061;branch=z9hG4bKa;received=2001:db8::1;rport=99;maddr=1.2.3.4;"
		      "ttl=1;x,\r\n sip / 2.0 / foo [::1] : 7 ; rport"),
		0);
	assert_int_equal(v.n, 2);
	assert_str(v.v.via[0].protocol, "SIP/2.0");
	assert_str(v.v.via[0].transport, "TLS");
	assert_int_equal(v.v.via[0].type, SIP_TRANSPORT_TLS);
	assert_str(v.v.via[0].host, "h.example.net");
	assert_int_equal(v.v.via[0].port, 5061);
	assert_str(v.v.via[0].branch, "z9hG4bKa");
	assert_str(v.v.via[0].received, "2001:db8::1");
	assert_str(v.v.via[0].maddr, "1.2.3.4");
	assert_true(v.v.via[0].has_rport);
	assert_int_equal(v.v.via[0].rport, 99);
	assert_int_equal(v.v.via[0].params.n, 6);
	assert_str(v.v.via[1].protocol, "SIP/2.0");
	assert_int_equal(v.v.via[1].type, SIP_TRANSPORT_NONE);
	assert_str(v.v.via[1].host, "[::1]");
	assert_int_equal(v.v.via[1].port, 7);
	assert_true(v.v.via[1].has_rport);
	assert_int_equal(v.v.via[1].rport, 0);
	assert_null(v.v.via[1].branch.p);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/7.0/UDP a"), 0);
	assert_str(v.v.via[0].protocol, "SIP/7.0");
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDPa"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a;rport=x"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a;rport=0"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a;branch"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a;received=a;received=b"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a:"), -1);
	assert_int_equal(parse(SIP_HDR_VIA, "SIP/2.0/UDP a,"), -1);
}

static void credentials_have_their_parameters(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(parse(SIP_HDR_AUTHORIZATION,
			       "digest  username=\"a\\\"b\" , nc = 00000001,\r\n qop=auth, response=\"\""),
			 0);
	assert_str(v.v.auth[0].scheme, "digest");
	assert_int_equal(v.v.auth[0].n, 4);
	assert_str(sip_auth_get(v.v.auth, RS_STR("USERNAME"))->value, "a\\\"b");
	assert_int_equal(sip_unquote(sip_auth_get(v.v.auth, RS_STR("username"))->value, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "a\"b");
	assert_int_equal(sip_unquote(RS_STR("abc"), buf, 3), -1);
	assert_false(sip_auth_get(v.v.auth, RS_STR("nc"))->quoted);
	assert_true(sip_auth_get(v.v.auth, RS_STR("response"))->value.p != NULL);
	assert_null(sip_auth_get(v.v.auth, RS_STR("opaque")));
	/* A scheme that is not ours may look as it likes. */
	assert_int_equal(parse(SIP_HDR_AUTHORIZATION, "Bearer abc/def=="), 0);
	assert_str(v.v.auth[0].scheme, "Bearer");
	assert_int_equal(v.v.auth[0].n, 0);
	assert_int_equal(parse(SIP_HDR_AUTHORIZATION, "NoOneKnows opaque-data=here"), 0);
	assert_int_equal(v.v.auth[0].n, 1);
	assert_int_equal(parse(SIP_HDR_AUTHORIZATION, "Digest"), -1);
	assert_int_equal(parse(SIP_HDR_AUTHORIZATION, "Digest a=b,"), -1);
	assert_int_equal(parse(SIP_HDR_AUTHENTICATION_INFO, "nextnonce=\"x\", qop=auth"), 0);
	assert_str(v.v.auth[0].scheme, "");
	assert_int_equal(v.v.auth[0].n, 2);
}

static void tokens_media_types_and_call_ids(void **state)
{
	(void)state;
	assert_int_equal(parse(SIP_HDR_CONTENT_TYPE, "application / sdp ; charset=\"utf-8\""), 0);
	assert_str(v.v.token[0].token, "application/sdp");
	assert_int_equal(v.v.token[0].params.n, 1);
	assert_int_equal(parse(SIP_HDR_CONTENT_TYPE, "multipart/mixed;boundary==_x/y=:"), 0);
	assert_str(sip_params_get(&v.v.token[0].params, RS_STR("boundary"))->value, "=_x/y=:");
	assert_int_equal(parse(SIP_HDR_REPLACES, "a<b>@c:d;to-tag=1;from-tag=2"), 0);
	assert_str(v.v.token[0].token, "a<b>@c:d");
	assert_int_equal(parse(SIP_HDR_IN_REPLY_TO, "a@b,c"), 0);
	assert_str(v.v.text[1].text, "c");
	assert_int_equal(parse(SIP_HDR_CALL_ID, "a@b,c"), -1);
	assert_int_equal(parse(SIP_HDR_SUBJECT, "  a,\r\n  b;\"  "), 0);
	assert_str(v.v.text[0].text, "a, b;\"");
	assert_int_equal(parse(SIP_HDR_SUBJECT, ""), 0);
	assert_int_equal(v.n, 1);
}

static void numbers_sequences_and_times(void **state)
{
	(void)state;
	assert_int_equal(parse(SIP_HDR_SESSION_EXPIRES, "4000 ; refresher=uac"), 0);
	assert_int_equal(v.v.number[0].value, 4000);
	assert_str(sip_params_get(&v.v.number[0].params, RS_STR("refresher"))->value, "uac");
	assert_int_equal(parse(SIP_HDR_EXPIRES, "4294967295"), 0);
	assert_false(v.v.number[0].overflow);
	assert_int_equal(parse(SIP_HDR_EXPIRES, "4294967296"), 0);
	assert_true(v.v.number[0].overflow);
	assert_int_equal(parse(SIP_HDR_EXPIRES, "99999999999999999999999999999999999999999999"), 0);
	assert_true(v.v.number[0].overflow && v.v.number[0].value == UINT32_MAX);
	assert_int_equal(parse(SIP_HDR_RACK, "1  2 \t INVITE"), 0);
	assert_int_equal(v.v.cseq[0].num, 1);
	assert_int_equal(v.v.cseq[0].num2, 2);
	assert_str(v.v.cseq[0].method, "INVITE");
	assert_int_equal(parse(SIP_HDR_CSEQ, "4294967296 INVITE"), -1);
	assert_int_equal(parse(SIP_HDR_CSEQ, "1INVITE"), -1);
	assert_int_equal(parse(SIP_HDR_CSEQ, "1 INVITE x"), -1);
	assert_int_equal(parse(SIP_HDR_DATE, "Sat, 13 Nov 2010 23:29:00 GMT"), 0);
	assert_true(v.v.date[0].unix_time == 1289690940);
	assert_int_equal(parse(SIP_HDR_DATE, "Thu, 01 Jan 1970 00:00:00 GMT"), 0);
	assert_true(v.v.date[0].unix_time == 0);
	assert_int_equal(parse(SIP_HDR_DATE, "Sat, 32 Nov 2010 23:29:00 GMT"), -1);
	assert_int_equal(parse(SIP_HDR_DATE, "Sat, 13 Nov 2010 24:29:00 GMT"), -1);
	assert_int_equal(parse(SIP_HDR_DATE, "Sat, 13 Now 2010 23:29:00 GMT"), -1);
	assert_int_equal(parse(SIP_HDR_WARNING, "307 a:5060 \"x, \\\"y\\\"\" , 399 b \"\""), 0);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.v.warning[0].code, 307);
	assert_str(v.v.warning[0].agent, "a:5060");
	assert_str(v.v.warning[0].text, "x, \\\"y\\\"");
	assert_int_equal(parse(SIP_HDR_TIMESTAMP, "54.25  1.5"), 0);
	assert_true(v.v.timestamp[0].us == 54250000 && v.v.timestamp[0].delay_us == 1500000);
	assert_int_equal(parse(SIP_HDR_TIMESTAMP, "99999999999999999999999"), 0);
	assert_int_equal(parse(SIP_HDR_TIMESTAMP, "1.1234567890"), 0);
	assert_true(v.v.timestamp[0].us == 1123456);
}

static void without_memory_nothing_is_half_there(void **state)
{
	static const char *const texts[] = {"\"a\r\n b\" <sip:a>;x;y=\"z\", sip:b;c", "<sip:a>"};
	bool worked = false;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(texts); i++) {
		for (size_t cap = 0; cap < 4096; cap += 16) {
			int rc;

			rs_arena_init(&arena, mem, cap, 0);
			rc = sip_hdr_parse(SIP_HDR_CONTACT, rs_str_c(texts[i]), &arena, &v);
			/* Once there is enough, there is enough. */
			assert_true(rc == 0 || !worked);
			worked = rc == 0;
		}
		assert_true(worked);
		worked = false;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_addr_has_its_parts),
		cmocka_unit_test(an_addr_spec_leaves_its_parameters_to_the_header),
		cmocka_unit_test(a_star_is_for_contact_only),
		cmocka_unit_test(a_via_has_its_parts),
		cmocka_unit_test(credentials_have_their_parameters),
		cmocka_unit_test(tokens_media_types_and_call_ids),
		cmocka_unit_test(numbers_sequences_and_times),
		cmocka_unit_test(without_memory_nothing_is_half_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
