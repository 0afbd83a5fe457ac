/* URIs: grammar, parameters, comparison, escapes, printing. */
#include "message_test.h"

static struct sip_uri uri(const char *text)
{
	struct sip_uri u;

	if (sip_uri_parse(rs_str_c(text), &u))
		fail_msg("%s does not parse", text);
	return u;
}

static void the_parts_of_a_sip_uri_are_found(void **state)
{
	struct sip_uri u = uri("sips:al%20ice:p&w@[2001:db8::1]:5071;transport=TLS;lr;maddr=1.2.3.4?subject=a%20b&to=");
	struct rs_str name, value;
	size_t pos = 0;

	(void)state;
	assert_int_equal(u.scheme, SIP_URI_SIPS);
	assert_str(u.user, "al%20ice");
	assert_str(u.password, "p&w");
	assert_str(u.host, "[2001:db8::1]");
	assert_int_equal(u.port, 5071);
	assert_str(u.params, "transport=TLS;lr;maddr=1.2.3.4");
	assert_str(u.headers, "subject=a%20b&to=");
	assert_true(sip_uri_has_lr(&u));
	assert_int_equal(sip_uri_transport(&u, NULL), SIP_TRANSPORT_TLS);
	assert_true(sip_uri_param(&u, RS_STR("MADDR"), &value));
	assert_str(value, "1.2.3.4");
	assert_true(sip_uri_param(&u, RS_STR("lr"), &value));
	assert_int_equal(value.len, 0);
	assert_false(sip_uri_param(&u, RS_STR("ttl"), &value));
	assert_true(sip_uri_next_header(&u, &pos, &name, &value));
	assert_str(name, "subject");
	assert_str(value, "a%20b");
	assert_true(sip_uri_next_header(&u, &pos, &name, &value));
	assert_str(name, "to");
	assert_false(sip_uri_next_header(&u, &pos, &name, &value));
}

static void absent_parts_are_empty(void **state)
{
	struct sip_uri u = uri("SIP:example.com");
	bool unknown = true;

	(void)state;
	assert_int_equal(u.scheme, SIP_URI_SIP);
	assert_false(u.has_user);
	assert_false(u.has_password);
	assert_int_equal(u.port, 0);
	assert_int_equal(sip_uri_transport(&u, &unknown), SIP_TRANSPORT_NONE);
	assert_false(unknown);
	u = uri("sip:a@b;transport=sctp");
	assert_int_equal(sip_uri_transport(&u, &unknown), SIP_TRANSPORT_NONE);
	assert_true(unknown);
	u = uri("sip:a:@b");
	assert_true(u.has_password);
}

static void other_schemes_parse(void **state)
{
	struct sip_uri u = uri("tel:+1-201-555-0123;phone-context=example.net");

	(void)state;
	assert_int_equal(u.scheme, SIP_URI_TEL);
	assert_str(u.user, "+1-201-555-0123");
	assert_str(u.params, "phone-context=example.net");
	u = uri("http://www.example.com/a?b=c&d");
	assert_int_equal(u.scheme, SIP_URI_OTHER);
	assert_str(u.user, "//www.example.com/a?b=c&d");
	assert_int_equal(uri("urn:service:sos").scheme, SIP_URI_OTHER);
	assert_int_equal(uri("soap.beep://192.0.2.1:3002").scheme, SIP_URI_OTHER);
}

static void what_is_no_uri_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sip",
		"sip:",
		":a",
		"1sip:a",
		"<sip:a@b>",
		" sip:a@b",
		"sip:a@b ",
		"sip:a b@c",
		"sip:@b",
		"sip:a@",
		"sip:a@b:",
		"sip:a@b:0",
		"sip:a@b:65536",
		"sip:a@b:5060x",
		"sip:a@b;",
		"sip:a@b;;c",
		"sip:a@b;c=",
		"sip:a@b;=c",
		"sip:a@b?",
		"sip:a@b?x",
		"sip:a@b?x=1&",
		"sip:a@b@c",
		"sip:a%4@b",
		"sip:a%zz@b",
		"sip:a@[::1",
		"sip:a@[::1]x",
		"sip:a@[1::2::3]",
		"sip:a@[]",
		"sip:a@b..c",
		"sip:a@.b",
		"sip:a@-b",
		"sip:a\"@b",
		"sip:a@b;c=\"d\"",
		"tel:",
		"tel:+",
		"tel:-",
		"tel:+12x",
		"tel:12;",
		"urn:",
		"http://a b",
		"http://<a>",
		"sip:a@b;x=%",
		"sip:a@ex\xc3\xa4mple.com",
		"sip:a@b:-5",
		"sip:a@b;lr?x=%0",
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		struct sip_uri u;

		if (sip_uri_parse(rs_str_c(bad[i]), &u) == 0)
			fail_msg("%s parses", bad[i]);
	}
	assert_int_equal(sip_uri_parse(rs_str_n("sip:a\0@b", 8), &(struct sip_uri){0}), -1);
	assert_int_equal(sip_uri_parse(RS_STR_NULL, &(struct sip_uri){0}), -1);
}

static bool equal(const char *a, const char *b)
{
	struct sip_uri x = uri(a), y = uri(b);
	bool eq = sip_uri_equal(&x, &y);

	assert_int_equal(eq, sip_uri_equal(&y, &x));
	if (eq)
		assert_true(sip_uri_hash(&x) == sip_uri_hash(&y));
	return eq;
}

/* RFC 3261 section 19.1.4, its examples. */
static void the_equal_uris_of_rfc_3261_are_equal(void **state)
{
	(void)state;
	assert_true(equal("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
	assert_true(equal("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
	assert_true(equal("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"));
	assert_true(equal("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
	assert_true(equal("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
			  "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
	assert_true(equal("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
			  "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
}

static void the_different_uris_of_rfc_3261_differ(void **state)
{
	(void)state;
	assert_false(equal("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
	assert_false(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
	assert_false(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
	assert_false(equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
	assert_false(equal("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
	assert_false(equal("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
	assert_false(equal("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
}

static void the_finer_rules_of_comparison_hold(void **state)
{
	static const char *const both[] = {"user=phone", "ttl=1", "method=INVITE", "maddr=192.0.2.1", "transport=udp"};

	(void)state;
	assert_false(equal("sip:a@b", "sips:a@b"));
	assert_false(equal("sip:a@b", "sip:b"));
	assert_false(equal("sip:a@b", "sip:a:@b"));
	assert_false(equal("sip:a:x@b", "sip:a:y@b"));
	for (size_t i = 0; i < RS_ARRAY_SIZE(both); i++) {
		char with[64];

		snprintf(with, sizeof(with), "sip:a@b;%s", both[i]);
		assert_false(equal("sip:a@b", with));
		assert_true(equal(with, with));
	}
	/* An escape of a reserved character is not that character. */
	assert_false(equal("sip:a%3Bb@c", "sip:a;b@c"));
	assert_true(equal("sip:a%3bb@c", "sip:a%3Bb@c"));
	assert_true(equal("sip:a%2Db@c", "sip:a-b@c"));
	/* Decoded once: %2541 is the text "%41". */
	assert_false(equal("sip:%2541@c", "sip:A@c"));
	assert_false(equal("sip:%00@c", "sip:%00%00@c"));
	assert_true(equal("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0::1]"));
	assert_false(equal("sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]"));
	assert_true(equal("sip:a@b;p=%41", "sip:a@b;P=a"));
	assert_false(equal("sip:a@b;lr", "sip:a@b;lr=on"));
	assert_false(equal("sip:a@b?x=1&x=1", "sip:a@b?x=1"));
	assert_false(equal("sip:a@b?x=1&x=1&x=2", "sip:a@b?x=1&x=2&x=2"));
	assert_true(equal("sip:a@b?X=1", "sip:a@b?x=1"));
}

/* RFC 3261 section 19.1.1 forbids it, phones do it, and a binding must be found again by the contact that made it. */
static void of_a_parameter_that_stands_twice_the_first_counts(void **state)
{
	(void)state;
	assert_true(equal("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=2"));
	assert_true(equal("sip:a@b;maddr=c;maddr=d", "sip:a@b;maddr=c"));
	assert_false(equal("sip:a@b;maddr=c;maddr=d", "sip:a@b;maddr=d"));
	assert_false(equal("sip:a@b;x=1;x=2", "sip:a@b;x=2;x=1"));
	assert_true(equal("tel:+1;ext=1;ext=2", "tel:+1;ext=1;ext=2"));
	assert_false(equal("tel:+1;ext=1;ext=2", "tel:+1;ext=2;ext=1"));
}

static void telephone_numbers_compare_without_separators(void **state)
{
	(void)state;
	assert_true(equal("tel:+1-201-555-0123", "tel:+1(201)555.0123"));
	assert_false(equal("tel:+12015550123", "tel:12015550123"));
	assert_true(equal("tel:7042;phone-context=example.com", "TEL:70-42;PHONE-CONTEXT=EXAMPLE.com"));
	assert_true(equal("tel:7042;phone-context=+1-2", "tel:7042;phone-context=+12"));
	assert_false(equal("tel:7042;phone-context=a-b", "tel:7042;phone-context=ab"));
	assert_false(equal("tel:+1;ext=1", "tel:+1"));
	assert_true(equal("tel:+1;ext=1-2;isub=a", "tel:+1;isub=a;ext=12"));
}

static void other_schemes_compare_as_bytes(void **state)
{
	(void)state;
	assert_true(equal("urn:service:sos", "urn:service:sos"));
	assert_false(equal("urn:service:sos", "urn:service:SOS"));
}

static void escapes_go_and_come(void **state)
{
	char buf[32];

	(void)state;
	assert_int_equal(sip_unescape(RS_STR("a%20b%4"), buf, sizeof(buf)), 5);
	assert_string_equal(buf, "a b%4");
	assert_int_equal(sip_unescape(RS_STR("%zz%00x"), buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "%zz\0x", 6);
	assert_int_equal(sip_unescape(RS_STR("abcd"), buf, 4), -1);
	assert_int_equal(sip_unescape(RS_STR("abcd"), buf, 5), 4);
	assert_int_equal(sip_unescape(RS_STR(""), buf, 0), -1);
	assert_int_equal(sip_escape_user(RS_STR("a b@c:%;\xff"), buf, sizeof(buf)), 19);
	assert_string_equal(buf, "a%20b%40c%3A%25;%FF");
	assert_int_equal(sip_escape_user(RS_STR("@"), buf, 3), -1);
}

static bool drop_x(struct rs_str name)
{
	return name.len && (name.p[0] == 'x' || name.p[0] == 'X');
}

static void printing_leaves_out_what_a_request_uri_may_not_have(void **state)
{
	struct sip_uri u = uri("sip:a:b@[::1]:5070;X-drop=1;lr;method=INVITE;xy;transport=tcp?Route=%3Ca%3E");
	char buf[128];

	(void)state;
	assert_true(sip_uri_print_filtered(&u, drop_x, false, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "sip:a:b@[::1]:5070;lr;transport=tcp");
	assert_int_equal(sip_uri_print_filtered(&u, NULL, true, buf, sizeof(buf)), (int)u.text.len);
	assert_memory_equal(buf, u.text.p, u.text.len);
	assert_int_equal(sip_uri_print_filtered(&u, drop_x, false, buf, 35), -1);
	assert_int_equal(sip_uri_print_filtered(&u, drop_x, false, buf, 36), 35);
	u = uri("tel:+12;ext=3");
	assert_true(sip_uri_print_filtered(&u, NULL, false, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "tel:+12;ext=3");
	u = uri("urn:a:b");
	assert_true(sip_uri_print_filtered(&u, NULL, false, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "urn:a:b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_of_a_sip_uri_are_found),
		cmocka_unit_test(absent_parts_are_empty),
		cmocka_unit_test(other_schemes_parse),
		cmocka_unit_test(what_is_no_uri_is_refused),
		cmocka_unit_test(the_equal_uris_of_rfc_3261_are_equal),
		cmocka_unit_test(the_different_uris_of_rfc_3261_differ),
		cmocka_unit_test(the_finer_rules_of_comparison_hold),
		cmocka_unit_test(of_a_parameter_that_stands_twice_the_first_counts),
		cmocka_unit_test(telephone_numbers_compare_without_separators),
		cmocka_unit_test(other_schemes_compare_as_bytes),
		cmocka_unit_test(escapes_go_and_come),
		cmocka_unit_test(printing_leaves_out_what_a_request_uri_may_not_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
