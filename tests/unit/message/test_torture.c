/* The torture messages of RFC 4475, when they stand beside the source tree: what the parser makes possible. */
#include "message_test.h"

#define TORTURE "../shared/torture/rfc4475/"

/* The preferred reaction that a parser alone decides: its status, 0 for drop, -1 for "goes on to the core". */
static int expected(struct rs_str reactions, bool request)
{
	const char *bar = rs_str_chr(reactions, '|');
	struct rs_str first = rs_str_n(reactions.p, bar ? (size_t)(bar - reactions.p) : reactions.len);

	if (rs_str_eqz(first, "400"))
		return 400;
	if (rs_str_eqz(first, "501"))
		return 501;
	if (rs_str_eqz(first, "505"))
		return 505;
	if (rs_str_eqz(first, "drop") && !request)
		return 0;
	return -1;
}

static void one(struct rs_str name, struct rs_str rest, void *data)
{
	static char bytes[MAX_FILE];
	static struct parsed p;
	struct rs_str class = next_column(&rest);
	char path[256];
	int n, want;

	(void)data;
	snprintf(path, sizeof(path), TORTURE "%.*s.dat", RS_FMT(name));
	n = load_file(path, bytes, sizeof(bytes));
	assert_true(n > 0);
	print_message("%.*s\n", RS_FMT(name));
	assert_int_equal(parse_into(&p, rs_str_n(bytes, (size_t)n), false), SIP_PARSE_DONE);
	sip_msg_check(&p.msg);
	want = expected(next_column(&rest), p.msg.is_request);
	/* What a valid message must be refused for, the core knows. */
	if (rs_str_eqz(class, "valid") || want < 0) {
		assert_int_equal(p.msg.flaw, SIP_FLAW_NONE);
	} else {
		assert_int_not_equal(p.msg.flaw, SIP_FLAW_NONE);
		assert_int_equal(p.msg.flaw_status, want);
	}
	done(&p);
}

static void each_torture_message_gets_its_preferred_verdict(void **state)
{
	int n = for_each_row(TORTURE "expect.tsv", one, NULL);

	(void)state;
	if (n < 0)
		skip();
	assert_true(n >= 50);
}

static int load(struct parsed *p, char *bytes, const char *name)
{
	char path[256];
	int n;

	snprintf(path, sizeof(path), TORTURE "%s.dat", name);
	n = load_file(path, bytes, MAX_FILE);
	if (n < 0)
		return -1;
	assert_int_equal(parse_into(p, rs_str_n(bytes, (size_t)n), false), SIP_PARSE_DONE);
	assert_int_equal(sip_msg_check(&p->msg), 0);
	return 0;
}

static void folded_values_are_read_as_written(void **state)
{
	static char bytes[MAX_FILE];
	static struct parsed p;
	const struct sip_name_addr *contact;

	(void)state;
	if (load(&p, bytes, "wsinv"))
		skip();
	assert_str(p.msg.from_tag, "98asjd8");
	assert_str(p.msg.to_tag, "1918181833n");
	assert_int_equal(p.msg.cseq, 9);
	assert_str(p.msg.top_branch, "390skdjuw");
	assert_int_equal(sip_msg_values(&p.msg, SIP_HDR_VIA, NULL)->n, 3);
	assert_str(sip_msg_via(&p.msg, 0)->protocol, "SIP/2.0");
	assert_int_equal(sip_msg_via(&p.msg, 1)->type, SIP_TRANSPORT_TCP);
	assert_str(sip_msg_via(&p.msg, 1)->host, "spindle.example.com");
	assert_str(sip_msg_via(&p.msg, 1)->branch, "z9hG4bK9ikj8");
	assert_str(sip_msg_via(&p.msg, 2)->branch, "z9hG4bK30239");
	contact = sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0);
	assert_str(contact->display, "Quoted string \\\"\\\"");
	assert_int_equal(contact->params.n, 3);
	assert_str(sip_params_get(&contact->params, RS_STR("q"))->value, "0.33");
	assert_true(sip_uri_has_lr(&sip_msg_name_addr(&p.msg, SIP_HDR_ROUTE, 0)->uri));
	done(&p);
}

static void escapes_and_places_of_parameters_are_kept(void **state)
{
	static char bytes[MAX_FILE];
	static struct parsed p;
	char user[64];
	struct sip_uri plain;

	(void)state;
	if (load(&p, bytes, "escnull"))
		skip();
	assert_int_equal(sip_unescape(sip_msg_name_addr(&p.msg, SIP_HDR_TO, 0)->uri.user, user, sizeof(user)), 11);
	assert_false(sip_uri_equal(&sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0)->uri,
				   &sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 1)->uri));
	done(&p);
	assert_int_equal(load(&p, bytes, "esc01"), 0);
	assert_int_equal(sip_uri_parse(RS_STR("sip:user@example.com"), &plain), 0);
	assert_true(sip_uri_equal(&plain, &sip_msg_name_addr(&p.msg, SIP_HDR_TO, 0)->uri));
	assert_true(sip_uri_has_lr(&sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0)->uri));
	done(&p);
	assert_int_equal(load(&p, bytes, "semiuri"), 0);
	assert_str(sip_msg_ruri(&p.msg)->user, "user;par=u%40example.net");
	assert_str(sip_msg_ruri(&p.msg)->params, "");
	done(&p);
	assert_int_equal(load(&p, bytes, "cparam01"), 0);
	assert_int_equal(sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0)->params.n, 1);
	done(&p);
	assert_int_equal(load(&p, bytes, "cparam02"), 0);
	assert_int_equal(sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0)->params.n, 0);
	assert_true(sip_uri_param(&sip_msg_name_addr(&p.msg, SIP_HDR_CONTACT, 0)->uri, RS_STR("unknownparam"), NULL));
	done(&p);
	assert_int_equal(load(&p, bytes, "esc02"), 0);
	assert_int_equal(p.msg.method, SIP_METHOD_OTHER);
	assert_int_equal(sip_msg_values(&p.msg, SIP_HDR_CONTACT, NULL)->n, 2);
	done(&p);
	assert_int_equal(load(&p, bytes, "longreq"), 0);
	assert_int_equal(sip_msg_values(&p.msg, SIP_HDR_VIA, NULL)->n, 34);
	done(&p);
	assert_int_equal(load(&p, bytes, "bext01"), 0);
	assert_true(sip_msg_has_token(&p.msg, SIP_HDR_REQUIRE, RS_STR("nothingSupportsThisEither")));
	done(&p);
}

static void the_binary_multipart_has_two_parts(void **state)
{
	static char bytes[MAX_FILE];
	static struct parsed p;
	const struct sip_body_part *parts;

	(void)state;
	if (load(&p, bytes, "mpart01"))
		skip();
	assert_int_equal(sip_msg_parts(&p.msg, &parts), 2);
	assert_str(parts[0].body, "Hello");
	assert_str(parts[1].content_type, "application/octet-stream");
	assert_true(parts[1].body.len > 300);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_torture_message_gets_its_preferred_verdict),
		cmocka_unit_test(folded_values_are_read_as_written),
		cmocka_unit_test(escapes_and_places_of_parameters_are_kept),
		cmocka_unit_test(the_binary_multipart_has_two_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
