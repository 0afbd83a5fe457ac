/* The header table: names, and for each header a value that its grammar takes and one that it does not. */
#include "message_test.h"

static enum sip_hdr_id lookup(struct rs_str name, bool upper)
{
	char buf[64];

	for (size_t i = 0; i < name.len; i++) {
		int c = (unsigned char)name.p[i];

		buf[i] = (char)(upper ? toupper(c) : tolower(c));
	}
	return sip_hdr_from_name(rs_str_n(buf, name.len));
}

static void every_name_is_found_in_any_case(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SIP_HDR_N; i++) {
		enum sip_hdr_id id = (enum sip_hdr_id)i;
		struct rs_str name = sip_hdr_name(id), compact = sip_hdr_compact(id);

		assert_true(name.len > 1);
		assert_int_equal(sip_hdr_from_name(name), id);
		assert_int_equal(lookup(name, true), id);
		assert_int_equal(lookup(name, false), id);
		if (compact.len) {
			assert_int_equal(compact.len, 1);
			assert_int_equal(lookup(compact, true), id);
			assert_int_equal(lookup(compact, false), id);
		}
	}
}

static void a_name_that_only_resembles_one_is_not_it(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SIP_HDR_N; i++) {
		struct rs_str name = sip_hdr_name((enum sip_hdr_id)i);
		char buf[64];

		memcpy(buf, name.p, name.len);
		/* Each byte changed in turn; a name one longer and one shorter. */
		for (size_t k = 0; k < name.len; k++) {
			buf[k] = '!';
			assert_int_equal(sip_hdr_from_name(rs_str_n(buf, name.len)), SIP_HDR_OTHER);
			/* A hyphen without the bit that makes letters lower case is a CR. */
			if (name.p[k] == '-') {
				buf[k] = '\r';
				assert_int_equal(sip_hdr_from_name(rs_str_n(buf, name.len)), SIP_HDR_OTHER);
			}
			buf[k] = name.p[k];
		}
		buf[name.len] = 's';
		assert_int_equal(sip_hdr_from_name(rs_str_n(buf, name.len + 1)), SIP_HDR_OTHER);
		/* "T" is To's compact form. */
		if (name.len > 2)
			assert_int_not_equal(sip_hdr_from_name(rs_str_n(buf, name.len - 1)), i);
	}
	assert_int_equal(sip_hdr_from_name(RS_STR("")), SIP_HDR_OTHER);
	assert_int_equal(sip_hdr_from_name(RS_STR("z")), SIP_HDR_OTHER);
	assert_int_equal(sip_hdr_from_name(RS_STR("1")), SIP_HDR_OTHER);
	assert_str(sip_hdr_name(SIP_HDR_OTHER), "");
}

/* good may hold several values where n says so; bad NULL: every text is good. */
static const struct sample {
	const char *good;
	uint32_t n;
	const char *bad;
} samples[SIP_HDR_N] = {
	[SIP_HDR_ACCEPT] = {"application/sdp;level=1, */*;q=0.1, text / html", 3, "text/"},
	[SIP_HDR_ACCEPT_CONTACT] = {"*;audio;require;+sip.x=\"<a,b>\"", 1, ";audio"},
	[SIP_HDR_ACCEPT_ENCODING] = {"gzip;q=1.0, identity", 2, "gz ip"},
	[SIP_HDR_ACCEPT_LANGUAGE] = {"da, en-gb;q=0.8, *", 3, "da;;"},
	[SIP_HDR_ALERT_INFO] = {"<http://example.com/ring.wav>;x=y, <urn:alert:tone>", 2, "http://example.com/r"},
	[SIP_HDR_ALLOW] = {"INVITE, ACK,BYE", 3, "INVITE ACK"},
	[SIP_HDR_ALLOW_EVENTS] = {"presence.winfo, reg", 2, "presence="},
	[SIP_HDR_AUTHENTICATION_INFO] = {"nextnonce=\"a,b\", qop=auth, nc=00000001", 1, "nextnonce"},
	[SIP_HDR_AUTHORIZATION] = {"Digest username=\"a\", realm=\"b\", uri=\"sip:c\"", 1, "Digest username"},
	[SIP_HDR_CALL_ID] = {"f81d4fae-7dec@foo.bar", 1, "a b"},
	[SIP_HDR_CALL_INFO] = {"<http://a/b>;purpose=icon,<http://a/c>;purpose=info", 2, "<http://a/b"},
	[SIP_HDR_CONTACT] = {"\"M\" <sip:m@a>;q=0.7;expires=3600, <mailto:w@b>", 2, "\"M <sip:m@a>"},
	[SIP_HDR_CONTENT_DISPOSITION] = {"session;handling=optional", 1, "session, render"},
	[SIP_HDR_CONTENT_ENCODING] = {"gzip, tar", 2, "\"gzip\""},
	[SIP_HDR_CONTENT_LANGUAGE] = {"fr, en", 2, "fr en"},
	[SIP_HDR_CONTENT_LENGTH] = {"0349", 1, "349;x=1"},
	[SIP_HDR_CONTENT_TYPE] = {"multipart/mixed;boundary=\"a b\"", 1, "text/html, a/b"},
	[SIP_HDR_CSEQ] = {"4711 INVITE", 1, "INVITE 4711"},
	[SIP_HDR_DATE] = {"Sat, 13 Nov 2010 23:29:00 GMT", 1, "Sat, 13 Nov 2010 23:29:00 EST"},
	[SIP_HDR_DIVERSION] = {"<sip:a@b>;reason=\"no answer\";counter=1", 1, "<sip:a@b>;reason=\"no"},
	[SIP_HDR_ERROR_INFO] = {"<sip:not-in-service@a>", 1, "sip:a"},
	[SIP_HDR_EVENT] = {"presence;id=1", 1, "presence, reg"},
	[SIP_HDR_EXPIRES] = {"5", 1, "Thu, 01 Dec 1994 16:00:00 GMT"},
	[SIP_HDR_FLOW_TIMER] = {"120", 1, "-1"},
	[SIP_HDR_FROM] = {"\"A. G. Bell\" <sip:agb@a>;tag=a48s", 1, "A, Bell <sip:a@b>;tag=1"},
	[SIP_HDR_HISTORY_INFO] = {"<sip:a@b?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@d>;index=1.1;rc=1", 2,
				  "sip:a@b?x=y"},
	[SIP_HDR_IN_REPLY_TO] = {"70710@a, 17320@b", 2, "a,,"},
	[SIP_HDR_JOIN] = {"12adf2f34456gs5;to-tag=12345;from-tag=54321", 1, ";to-tag=1"},
	[SIP_HDR_MAX_BREADTH] = {"60", 1, "a"},
	[SIP_HDR_MAX_FORWARDS] = {"70", 1, "70 hops"},
	[SIP_HDR_MIME_VERSION] = {"1.0", 1, NULL},
	[SIP_HDR_MIN_EXPIRES] = {"60", 1, ""},
	[SIP_HDR_MIN_SE] = {"90;x=y", 1, "90;"},
	[SIP_HDR_ORGANIZATION] = {"Boxes by Bob, Inc.", 1, NULL},
	[SIP_HDR_PATH] = {"<sip:p1@a;lr>,<sip:p2@b;lr>;ob", 2, "<sip:p1@a;lr>,"},
	[SIP_HDR_PRIORITY] = {"emergency", 1, "very urgent"},
	[SIP_HDR_PRIVACY] = {"header;user;critical", 1, "a b"},
	[SIP_HDR_PROXY_AUTHENTICATE] = {"Digest realm=\"a\", nonce=\"b\", qop=\"auth,auth-int\"", 1,
					"Digest realm=\"a"},
	[SIP_HDR_PROXY_AUTHORIZATION] = {"Digest username=\"a\", nc=00000001", 1, "="},
	[SIP_HDR_PROXY_REQUIRE] = {"foo, bar", 2, "<foo>"},
	[SIP_HDR_P_ASSERTED_IDENTITY] = {"\"C\" <sip:c@d>, tel:+14085264000", 2, "<c>"},
	[SIP_HDR_P_PREFERRED_IDENTITY] = {"<sip:c@d>", 1, "sip:"},
	[SIP_HDR_RACK] = {"776656 1 INVITE", 1, "1 INVITE"},
	[SIP_HDR_REASON] = {"SIP ;cause=200 ;text=\"Call, completed\", Q.850;cause=16", 2, "SIP;cause="},
	[SIP_HDR_RECORD_ROUTE] = {"<sip:a;lr>, <sip:b;lr>", 2, "<sip:a;lr"},
	[SIP_HDR_REFERRED_BY] = {"<sip:a@b>;cid=\"1@2\"", 1, "<a@b>"},
	[SIP_HDR_REFER_SUB] = {"false", 1, ""},
	[SIP_HDR_REFER_TO] = {"<sip:a@b?Replaces=1%3Bto-tag%3D2>", 1, "sip:a@b?Replaces=1"},
	[SIP_HDR_REMOTE_PARTY_ID] = {"\"A\" <sip:a@b>;party=calling;privacy=off", 1, "\"A\""},
	[SIP_HDR_REPLACES] = {"98732@sip.a;from-tag=r33;to-tag=f;early-only", 1, "a b"},
	[SIP_HDR_REPLY_TO] = {"Bob <sip:bob@biloxi.com>", 1, "Bob"},
	[SIP_HDR_REQUEST_DISPOSITION] = {"proxy, recurse, parallel", 3, "proxy recurse"},
	[SIP_HDR_REQUIRE] = {"100rel", 1, "100 rel"},
	[SIP_HDR_RETRY_AFTER] = {"18000 (in a (long\\)) meeting);duration=3600", 1, "18000 (in"},
	[SIP_HDR_ROUTE] = {"<sip:a;lr>,<sip:b>", 2, "<>"},
	[SIP_HDR_RSEQ] = {"988789", 1, "x"},
	[SIP_HDR_SERVER] = {"HomeServer v2", 1, NULL},
	[SIP_HDR_SERVICE_ROUTE] = {"<sip:a;lr>", 1, "<sip:a;lr>>"},
	[SIP_HDR_SESSION_EXPIRES] = {"4000;refresher=uac", 1, "4000,5000"},
	[SIP_HDR_SIP_ETAG] = {"dx200xyz", 1, ""},
	[SIP_HDR_SIP_IF_MATCH] = {"dx200xyz", 1, "a,b"},
	[SIP_HDR_SUBJECT] = {"Tech, support <now>", 1, NULL},
	[SIP_HDR_SUBSCRIPTION_STATE] = {"active;expires=60", 1, "active 60"},
	[SIP_HDR_SUPPORTED] = {"replaces , path", 2, "@"},
	[SIP_HDR_TIMESTAMP] = {"54.5 0.25", 1, "x"},
	[SIP_HDR_TO] = {"The Operator <sip:operator@a>;tag=287447", 1, "<sip:o@a>;tag=1;tag=2"},
	[SIP_HDR_UNSUPPORTED] = {"foo", 1, "foo;"},
	[SIP_HDR_USER_AGENT] = {"Softphone Beta1.5 (x)", 1, NULL},
	[SIP_HDR_VIA] = {"SIP/2.0/UDP a.b:4000;branch=z9hG4bKx, SIP / 2.0 / TCP [::1] ;rport", 2, "SIP/2.0/UDP"},
	[SIP_HDR_WARNING] = {"307 isi.edu \"a, b\", 301 x:5060 \"c\"", 2, "1812 x \"y\""},
	[SIP_HDR_WWW_AUTHENTICATE] = {"Digest realm=\"a\", algorithm=SHA-256", 1, "Digest ,realm=\"a\""},
};

static void in_message(enum sip_hdr_id id, const char *value, uint32_t n, bool good)
{
	static struct parsed p;
	const struct sip_hdr_values *v;
	struct sip_writer w;
	bool bad;

	sip_writer_init(&w, NULL, 0);
	sip_writez(&w, "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKz\r\nCall-ID: a\r\n");
	sip_write_hdr(&w, id, rs_str_c(value));
	sip_writez(&w, "From: sip:a@b\r\nTo: sip:a@b\r\nCSeq: 1 OPTIONS\r\n\r\n");
	assert_int_equal(parse_into(&p, rs_str_n(w.buf, w.len), false), SIP_PARSE_DONE);
	v = sip_msg_values(&p.msg, id, &bad);
	/* The headers that stand above already have a value of their own. */
	if (good) {
		assert_non_null(v);
		assert_true(v->n >= n);
		assert_int_equal(v->shape, sip_hdr_shape(id));
		assert_true(v == sip_msg_values(&p.msg, id, NULL));
	} else {
		assert_null(v);
		assert_true(bad);
		assert_null(sip_msg_values(&p.msg, id, NULL));
	}
	assert_int_equal(sip_msg_name_addr(&p.msg, id, 0) != NULL,
			 good && (v->shape == SIP_SHAPE_NAME_ADDR || v->shape == SIP_SHAPE_URI_PARAMS));
	assert_int_equal(sip_msg_token(&p.msg, id, 0) != NULL, good && v->shape == SIP_SHAPE_TOKEN);
	assert_int_equal(sip_msg_auth(&p.msg, id, 0) != NULL,
			 good && (v->shape == SIP_SHAPE_AUTH || v->shape == SIP_SHAPE_AUTH_PARAMS));
	done(&p);
	sip_writer_fini(&w);
}

static void every_header_has_typed_values(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SIP_HDR_N; i++) {
		const struct sample *s = &samples[i];
		enum sip_hdr_id id = (enum sip_hdr_id)i;
		char mem[8192], loose[256];
		struct sip_hdr_values v;
		struct rs_arena arena;

		print_message("%s\n", sip_hdr_name(id).p);
		assert_non_null(s->good);
		rs_arena_init(&arena, mem, sizeof(mem), 0);
		assert_int_equal(sip_hdr_parse(id, rs_str_c(s->good), &arena, &v), 0);
		assert_int_equal(v.n, s->n);
		assert_int_equal(v.shape, sip_hdr_shape(id));
		snprintf(loose, sizeof(loose), " \t%s\r\n ", s->good);
		assert_int_equal(sip_hdr_parse(id, rs_str_c(loose), &arena, &v), 0);
		assert_int_equal(v.n, s->n);
		in_message(id, s->good, s->n, true);
		if (!s->bad)
			continue;
		assert_int_equal(sip_hdr_parse(id, rs_str_c(s->bad), &arena, &v), -1);
		in_message(id, s->bad, 0, false);
	}
}

static void methods_are_known_by_their_exact_name(void **state)
{
	(void)state;
	for (unsigned m = SIP_METHOD_ACK; m < SIP_METHOD_N; m++)
		assert_int_equal(sip_method_from_name(sip_method_name((enum sip_method)m)), m);
	assert_int_equal(sip_method_from_name(RS_STR("invite")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_from_name(RS_STR("INVITEX")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_from_name(RS_STR("")), SIP_METHOD_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found_in_any_case),
		cmocka_unit_test(a_name_that_only_resembles_one_is_not_it),
		cmocka_unit_test(every_header_has_typed_values),
		cmocka_unit_test(methods_are_known_by_their_exact_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
