/* Multipart bodies. */
#include "message_test.h"

static struct parsed p;
static const struct sip_body_part *parts;

static int split(const char *type, const char *body)
{
	static char text[8192];
	int n = snprintf(
		text, sizeof(text),
		"MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
		"Call-ID: x\r\nCSeq: 1 MESSAGE\r\n%s%s%s\r\n%s",
		*type ? "Content-Type: " : "", type, *type ? "\r\n" : "", body);

	assert_int_equal(parse_into(&p, rs_str_n(text, (size_t)n), false), SIP_PARSE_DONE);
	return sip_msg_parts(&p.msg, &parts);
}

static void parts_have_headers_and_bodies(void **state)
{
	(void)state;
	assert_int_equal(
		split("Multipart/Mixed;Boundary=\"b 1\"",
		      "--not this\r\npre\r\n--b 1 \t\r\nContent-Type: text/plain\r\ncontent-id: <x>\r\n\r\none\r\n\r\n"
		      "--b 1\r\n\r\ntwo --b 1\r\n--b 12\r\n--b 1\r\nContent-Disposition: a;\r\n b=c\r\n\r\n--b 1--"),
		3);
	assert_str(parts[0].content_type, "text/plain");
	assert_str(parts[0].content_id, "<x>");
	assert_str(parts[0].headers, "Content-Type: text/plain\r\ncontent-id: <x>\r\n");
	assert_str(parts[0].body, "one\r\n");
	assert_str(parts[1].headers, "");
	assert_str(parts[1].body, "two --b 1\r\n--b 12");
	assert_str(parts[2].content_disposition, "a;\r\n b=c");
	assert_int_equal(parts[2].body.len, 0);
	done(&p);
}

static void a_body_of_another_type_is_one_part(void **state)
{
	(void)state;
	assert_int_equal(split("text/plain", "hello"), 1);
	assert_str(parts[0].body, "hello");
	assert_str(parts[0].content_type, "text/plain");
	done(&p);
	assert_int_equal(split("", ""), 1);
	assert_str(parts[0].body, "");
	done(&p);
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"--b",
		"--b--",
		"--b\r\n\r\nx",
		"--b\r\n\r\nx\r\n--b\r\n",
		"x--b\r\n\r\n--b--",
		"--b\r\nno colon\r\n\r\n\r\n--b--",
		"--b x\r\n\r\n\r\n--b--",
		"--b\r\n--b--",
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		if (split("multipart/mixed;boundary=b", bad[i]) != -1)
			fail_msg("%s has parts", bad[i]);
		assert_int_equal(sip_msg_parts(&p.msg, &parts), -1);
		done(&p);
	}
	assert_int_equal(split("multipart/mixed", "--b\r\n\r\n\r\n--b--"), -1);
	done(&p);
	assert_int_equal(split("multipart/mixed;boundary=\"\"", "--\r\n\r\n\r\n----"), -1);
	done(&p);
	assert_int_equal(split("multipart/"
			       "mixed;boundary=0123456789012345678901234567890123456789012345678901234567890123456789x",
			       "--0123456789012345678901234567890123456789012345678901234567890123456789x\r\n\r\n"),
			 -1);
	done(&p);
}

static void the_number_of_parts_is_limited(void **state)
{
	char body[4096] = "";

	(void)state;
	for (unsigned i = 0; i < SIP_MAX_PARTS; i++)
		strcat(body, "--b\r\n\r\nx\r\n");
	strcat(body, "--b--");
	assert_int_equal(split("multipart/mixed;boundary=b", body), SIP_MAX_PARTS);
	done(&p);
	memcpy(body + strlen(body) - 2, "\r\n\r\nx\r\n--b--", 13);
	assert_int_equal(split("multipart/mixed;boundary=b", body), -1);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_have_headers_and_bodies),
		cmocka_unit_test(a_body_of_another_type_is_one_part),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(the_number_of_parts_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
