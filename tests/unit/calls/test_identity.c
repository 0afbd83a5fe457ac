/* Who calls and who is called, by what stands in a message and in the endpoint's options. */
#include "calls_test.h"

static const struct ast_sip_endpoint_settings plain = {.callerid_privacy = RS_STR_INIT("allowed_not_screened")};
static const struct ast_sip_endpoint_settings trusted = {.callerid_privacy = RS_STR_INIT("allowed_not_screened"),
							 .trust_id_inbound = true};

static int start(void **state)
{
	(void)state;
	ct_start(
		"[trunk]\ntype=endpoint\ncallerid=\"Front \\\"Desk\\\"\" <100>\ncallerid_privacy=PROHIB_passed_screen\n"
		"trust_id_inbound=yes\ntrust_id_outbound=yes\nsend_pai=yes\nsend_rpid=yes\nfrom_user=acct\n"
		"from_domain=example.org\nuser_eq_phone=yes\n",
		NULL);
	return 0;
}

/* What is made of some header lines (From among them). */
static struct call_party read_party(const struct ast_sip_endpoint_settings *e, const char *lines)
{
	static struct parsed_msg m;
	struct call_party p;

	assert_int_equal(call_party_from_request(invite(&m, lines), e, &p), 0);
	msg_end(&m);
	return p;
}

static void party_is(const struct ast_sip_endpoint_settings *e, const char *lines, const char *name, const char *number,
		     enum call_presentation presentation)
{
	struct call_party p = read_party(e, lines);

	assert_str(p.name, name);
	assert_str(p.number, number);
	if (p.presentation != presentation)
		fail_msg("presentation %u after:\n%s", p.presentation, lines);
	call_party_fini(&p);
	assert_null(p.block);
}

#define PAI  "P-Asserted-Identity: \"Boss\" <sip:+4930@net.example>\r\n"
#define RPID "Remote-Party-ID: \"Desk\" <sip:77@net.example>;party=calling;privacy=off;screen=yes\r\n"

static void a_caller_is_who_stands_in_from(void **state)
{
	static const struct {
		const char *from, *name, *number;
	} cases[] = {
		{"\"Lea\" <sip:lea@example.net>", "Lea", "lea"},
		{"Lea Low <sip:lea@example.net>", "Lea Low", "lea"},
		{"<sip:lea@example.net>", "", "lea"},
		{"sip:lea@example.net", "", "lea"},
		{"<sips:lea:pw@example.net:5061;x=y>", "", "lea"},
		{"<sip:l%65a%20b@example.net>", "", "lea b"},
		{"<sip:+49-30.1@example.net>", "", "+49-30.1"},
		{"<sip:+4930;phone-context=x@example.net;user=phone>", "", "+4930"},
		{"<sip:a;b@example.net>", "", "a;b"},
		{"<tel:+49-30-(123).4;ext=5>", "", "+49301234"},
		{"<tel:7042;phone-context=example.net>", "", "7042"},
		/* nobody in particular */
		{"<sip:example.net>", "", ""},
		{"\"Lea\" <urn:service:sos>", "Lea", ""},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "From: %s;tag=1\r\n" PAI RPID, cases[i].from);
		party_is(&plain, line, cases[i].name, cases[i].number, CALL_ALLOWED);
	}
}

static void a_host_is_kept_for_the_record_alone(void **state)
{
	struct call_party p = read_party(&plain, "From: <sip:lea@[2001:db8::1]:5070>;tag=1\r\n");
	const struct call_told told = {.endpoint = &plain, .local_host = RS_STR("10.0.0.1:5060")};
	char from[CALL_MAX_FROM];
	int n;

	(void)state;
	assert_str(p.host, "[2001:db8::1]");
	n = call_party_print_from(&p, &told, from, sizeof(from));
	assert_true(n > 0);
	assert_str(rs_str_n(from, (size_t)n), "<sip:lea@10.0.0.1:5060>");
	call_party_fini(&p);
}

static void display_names_are_taken_out_of_their_quotes(void **state)
{
	static const struct {
		const char *display, *name;
	} cases[] = {
		{"\"A \\\"B\\\" \\\\ C\"", "A \"B\" \\ C"},
		{"\"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80\"", "J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\"  padded  \"", "padded"},
		{"\"\"", ""},
		/* a fold is a blank, and so is what would end a line or move a terminal's cursor */
		{"\"a\r\n b\"", "a b"},
		{"\"a\\\001b\"", "a b"},
		{"\"a\xc2\x9b"
		 "31mb\"",
		 "a 31mb"},
		/* no UTF-8: cut short, overlong, a surrogate, past the end, a lone continuation */
		{"\"a\xc3\"", "a?"},
		{"\"\xc0\xaf\"", "??"},
		{"\"\xed\xa0\x80\"", "???"},
		{"\"\xf5\x80\x80\x80\"", "????"},
		{"\"\x80z\"", "?z"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "From: %s <sip:lea@example.net>;tag=1\r\n", cases[i].display);
		party_is(&plain, line, cases[i].name, "lea", CALL_ALLOWED);
	}
}

static void a_long_name_is_cut_between_characters(void **state)
{
	char line[8300], long_name[8193];
	struct call_party p;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(long_name); i += 2)
		memcpy(long_name + i, "\xc3\xb6", 2);
	long_name[sizeof(long_name) - 1] = '\0';
	snprintf(line, sizeof(line), "From: \"x%s\" <sip:lea@example.net>;tag=1\r\n", long_name);
	p = read_party(&plain, line);
	assert_int_equal(p.name.len, CALL_MAX_NAME - 1);
	assert_int_equal(p.name.p[0], 'x');
	assert_memory_equal(p.name.p + 1, long_name, CALL_MAX_NAME - 2);
	call_party_fini(&p);
	/* As long as may be. */
	snprintf(line, sizeof(line), "From: \"%.*s\" <sip:lea@example.net>;tag=1\r\n", CALL_MAX_NAME, long_name);
	p = read_party(&plain, line);
	assert_int_equal(p.name.len, CALL_MAX_NAME);
	call_party_fini(&p);
}

static void a_number_that_cannot_be_told_whole_is_none(void **state)
{
	char line[400], digits[CALL_MAX_NUMBER + 2];

	(void)state;
	memset(digits, '7', sizeof(digits));
	digits[CALL_MAX_NUMBER] = '\0';
	snprintf(line, sizeof(line), "From: <sip:%s@example.net>;tag=1\r\n", digits);
	party_is(&plain, line, "", digits, CALL_ALLOWED);
	snprintf(line, sizeof(line), "From: <tel:%s>;tag=1\r\n", digits + 1);
	party_is(&plain, line, "", digits + 1, CALL_ALLOWED);
	snprintf(line, sizeof(line), "From: <sip:7%s@example.net>;tag=1\r\n", digits);
	party_is(&plain, line, "", "", CALL_ALLOWED);
	snprintf(line, sizeof(line), "From: <tel:7%s>;tag=1\r\n", digits);
	party_is(&plain, line, "", "", CALL_ALLOWED);
	/* 10 with a NUL behind it is not 100, nor 10. */
	party_is(&plain, "From: <sip:10%00@example.net>;tag=1\r\n", "", "", CALL_ALLOWED);
	party_is(&plain, "From: <sip:10%0d%0aX:y@example.net>;tag=1\r\n", "", "", CALL_ALLOWED);
	party_is(&plain, "From: <sip:10%ff@example.net>;tag=1\r\n", "", "", CALL_ALLOWED);
	party_is(&plain, "From: <sip:%C3%B6@example.net>;tag=1\r\n", "", "\xc3\xb6", CALL_ALLOWED);
}

static void an_asserted_identity_counts_from_a_trusted_endpoint(void **state)
{
	struct call_party p;

	(void)state;
	party_is(&trusted, FROM_LEA PAI RPID, "Boss", "+4930", CALL_ALLOWED);
	party_is(&plain, FROM_LEA PAI RPID, "Lea", "lea", CALL_ALLOWED);
	party_is(&trusted, FROM_LEA RPID, "Desk", "77", CALL_ALLOWED);
	party_is(&plain, FROM_LEA RPID, "Lea", "lea", CALL_ALLOWED);
	party_is(&trusted, FROM_LEA, "Lea", "lea", CALL_ALLOWED);
	p = read_party(&trusted, FROM_LEA PAI);
	assert_int_equal(p.screening, CALL_PASSED_SCREEN);
	assert_str(p.host, "net.example");
	call_party_fini(&p);
	p = read_party(&plain, FROM_LEA PAI);
	assert_int_equal(p.screening, CALL_NOT_SCREENED);
	call_party_fini(&p);
}

static void of_two_asserted_identities_the_sip_uri_is_taken(void **state)
{
	(void)state;
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <tel:+1>, \"B\" <sip:b@x>\r\n", "B", "b", CALL_ALLOWED);
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <tel:+1>\r\nP-Asserted-Identity: <sip:b@x>\r\n", "", "b",
		 CALL_ALLOWED);
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <sip:x>, <tel:+1-2>\r\n", "", "+12", CALL_ALLOWED);
	/* One that names nobody, or that cannot be read, says nothing. */
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <sip:x>\r\n" RPID, "Desk", "77", CALL_ALLOWED);
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <sip:b@>\r\n" RPID, "Desk", "77", CALL_ALLOWED);
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: \"x <sip:b@x>\r\n", "Lea", "lea", CALL_ALLOWED);
}

static void a_remote_party_id_says_whose_it_is_and_who_may_see_it(void **state)
{
	static const struct {
		const char *value, *name, *number;
		enum call_presentation presentation;
	} cases[] = {
		{"\"D\" <sip:7@x>", "D", "7", CALL_ALLOWED},
		{"\"D\" <sip:7@x>;privacy=off", "D", "7", CALL_ALLOWED},
		{"\"D\" <sip:7@x>;privacy=full", "D", "7", CALL_PROHIBITED},
		{"\"D\" <sip:7@x>;privacy=\"FULL\"", "D", "7", CALL_PROHIBITED},
		{"\"D\" <sip:7@x>;privacy=uri", "D", "7", CALL_PROHIBITED},
		{"\"D\" <sip:7@x>;privacy=name", "", "7", CALL_ALLOWED},
		{"\"D\" <sip:7@x>;privacy=what", "D", "7", CALL_PROHIBITED},
		{"\"C\" <sip:9@x>;party=called, \"D\" <sip:7@x>;party=CALLING", "D", "7", CALL_ALLOWED},
		{"\"C\" <sip:9@x>;party=called", "Lea", "lea", CALL_ALLOWED},
		{"<sip:anonymous@anonymous.invalid>;party=calling", "", "", CALL_PROHIBITED},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char lines[256];

		snprintf(lines, sizeof(lines), FROM_LEA "Remote-Party-ID: %s\r\n", cases[i].value);
		party_is(&trusted, lines, cases[i].name, cases[i].number, cases[i].presentation);
	}
}

static void privacy_prohibits_the_presentation(void **state)
{
	static const struct {
		const char *lines;
		enum call_presentation presentation;
		unsigned bits;
	} cases[] = {
		{"Privacy: id\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID},
		{"Privacy: user\r\n", CALL_PROHIBITED, CALL_PRIVACY_USER},
		{"Privacy: ID ; Critical\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_CRITICAL},
		{"Privacy: header\r\n", CALL_ALLOWED, CALL_PRIVACY_HEADER},
		{"Privacy: header;user;critical\r\n", CALL_PROHIBITED,
		 CALL_PRIVACY_HEADER | CALL_PRIVACY_USER | CALL_PRIVACY_CRITICAL},
		{"Privacy: session\r\n", CALL_ALLOWED, CALL_PRIVACY_SESSION},
		{"Privacy: history\r\n", CALL_ALLOWED, CALL_PRIVACY_HISTORY},
		{"Privacy: none\r\n", CALL_ALLOWED, CALL_PRIVACY_NONE},
		{"Privacy: critical\r\n", CALL_ALLOWED, CALL_PRIVACY_CRITICAL},
		{"Privacy: what;id\r\n", CALL_PROHIBITED, CALL_PRIVACY_OTHER | CALL_PRIVACY_ID},
		/* as it is not written, but meant */
		{"Privacy: id, header\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_HEADER},
		{"Privacy: header\r\nPrivacy: id\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_HEADER},
		{"Privacy: header;\r\n id\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_HEADER},
		{"Privacy: none;id\r\n", CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_NONE},
		{"Privacy: ;;\r\n", CALL_ALLOWED, 0},
		{"Privacy:\r\n", CALL_ALLOWED, 0},
		{"", CALL_ALLOWED, 0},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char lines[256];
		struct call_party p;

		snprintf(lines, sizeof(lines), FROM_LEA "%s", cases[i].lines);
		party_is(&plain, lines, "Lea", "lea", cases[i].presentation);
		p = read_party(&plain, lines);
		assert_int_equal(p.privacy, cases[i].bits);
		call_party_fini(&p);
	}
}

static void a_critical_privacy_that_cannot_be_kept_refuses_the_call(void **state)
{
	static const char *const refused[] = {"session;critical", "critical;id;session", "what;critical"};
	static struct parsed_msg m;
	struct call_party p;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(refused); i++) {
		char lines[256];

		snprintf(lines, sizeof(lines), FROM_LEA "Privacy: %s\r\n", refused[i]);
		assert_int_equal(call_party_from_request(invite(&m, lines), &plain, &p), 500);
		assert_null(p.block);
		assert_int_equal(p.number.len, 0);
		msg_end(&m);
	}
}

static void an_anonymous_from_tells_nobody(void **state)
{
	(void)state;
	party_is(&plain, "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\r\n", "", "", CALL_PROHIBITED);
	party_is(&plain, "From: Anonymous <sip:thisis@Anonymous.Invalid>;tag=1\r\n", "", "", CALL_PROHIBITED);
	party_is(&plain, "From: \"Who\" <sip:Anonymous@example.net>;tag=1\r\n", "", "", CALL_PROHIBITED);
	party_is(&plain, "From: \"anonymous\" <sip:lea@example.net>;tag=1\r\n", "", "lea", CALL_PROHIBITED);
	/* A network that knows who it is does not make him known, unless he said that he may be. */
	party_is(&trusted, "From: <sip:anonymous@anonymous.invalid>;tag=1\r\n" PAI, "Boss", "+4930", CALL_PROHIBITED);
	party_is(&trusted, "From: <sip:anonymous@anonymous.invalid>;tag=1\r\nPrivacy: none\r\n" PAI, "Boss", "+4930",
		 CALL_ALLOWED);
	party_is(&trusted, "From: <sip:anonymous@anonymous.invalid>;tag=1\r\nPrivacy: none\r\n", "", "",
		 CALL_PROHIBITED);
	party_is(&trusted, FROM_LEA "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>\r\n", "", "",
		 CALL_PROHIBITED);
	party_is(&trusted, FROM_LEA "Privacy: id\r\n" PAI, "Boss", "+4930", CALL_PROHIBITED);
}

static void a_static_callerid_counts_more_than_any_header(void **state)
{
	static const struct {
		const char *callerid, *name, *number;
	} cases[] = {
		{"\"Front\" <100>", "Front", "100"},
		{"Front Desk <100>", "Front Desk", "100"},
		{"\"F \\\"D\\\"\" < 100 >", "F \"D\"", "100"},
		{"<100>", "", "100"},
		{"+49 30 1", "", "+49 30 1"},
		{"alice", "alice", "+4930"}, /* a name alone: the number stays what was said */
		{"Front <", "Front <", "+4930"},
		{"Front <>", "Front", "+4930"},
		{"\"", "\"", "+4930"},
		{"", "Boss", "+4930"},
	};
	struct ast_sip_endpoint_settings e = trusted;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		e.callerid = rs_str_c(cases[i].callerid);
		party_is(&e, FROM_LEA PAI, cases[i].name, cases[i].number, CALL_ALLOWED);
	}
	e.callerid = RS_STR("\"Front\" <100>");
	party_is(&e, FROM_LEA PAI "Privacy: id\r\n", "Front", "100", CALL_PROHIBITED);
	party_is(&e, "From: <sip:anonymous@anonymous.invalid>;tag=1\r\n", "Front", "100", CALL_PROHIBITED);
}

static void callerid_privacy_is_read_in_words_and_numbers(void **state)
{
	static const struct {
		const char *word;
		enum call_presentation presentation;
		enum call_screening screening;
	} cases[] = {
		{"allowed", CALL_ALLOWED, CALL_NOT_SCREENED},
		{"allowed_not_screened", CALL_ALLOWED, CALL_NOT_SCREENED},
		{"allowed_passed_screen", CALL_ALLOWED, CALL_PASSED_SCREEN},
		{"allowed_failed_screen", CALL_ALLOWED, CALL_FAILED_SCREEN},
		{"prohib", CALL_PROHIBITED, CALL_NOT_SCREENED},
		{"prohib_not_screened", CALL_PROHIBITED, CALL_NOT_SCREENED},
		{"prohib_passed_screen", CALL_PROHIBITED, CALL_PASSED_SCREEN},
		{"prohib_failed_screen", CALL_PROHIBITED, CALL_FAILED_SCREEN},
		{"unavailable", CALL_UNAVAILABLE, CALL_NOT_SCREENED},
		{"0", CALL_ALLOWED, CALL_NOT_SCREENED},
		{"3", CALL_ALLOWED, CALL_NETWORK_NUMBER},
		{"33", CALL_PROHIBITED, CALL_PASSED_SCREEN},
		{"0x22", CALL_PROHIBITED, CALL_FAILED_SCREEN},
		{"67", CALL_UNAVAILABLE, CALL_NETWORK_NUMBER},
		{"", CALL_ALLOWED, CALL_NOT_SCREENED},
	};
	struct ast_sip_endpoint_settings e = {.callerid = RS_STR("<100>")};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		struct call_party p;

		e.callerid_privacy = rs_str_c(cases[i].word);
		p = read_party(&e, FROM_LEA);
		assert_int_equal(p.presentation, cases[i].presentation);
		assert_int_equal(p.screening, cases[i].screening);
		call_party_fini(&p);
	}
	/* Without a callerid it hides what From says, and vouches for nothing. */
	e = (struct ast_sip_endpoint_settings){.callerid_privacy = RS_STR("prohib_passed_screen")};
	party_is(&e, FROM_LEA, "Lea", "lea", CALL_PROHIBITED);
	party_is(&e, FROM_LEA "Privacy: none\r\n", "Lea", "lea", CALL_PROHIBITED);
}

static void the_options_of_pjsip_conf_arrive(void **state)
{
	struct ast_sip_endpoint *e = ast_sip_endpoint_get(RS_STR("trunk"));
	const struct call_told told = {.endpoint = ast_sip_endpoint_settings(e)};
	struct sip_tx_data *tx = outgoing("sip:b@10.0.0.2");
	char from[CALL_MAX_FROM];
	struct call_party p;
	int n;

	(void)state;
	assert_non_null(e);
	p = read_party(told.endpoint, FROM_LEA PAI);
	assert_str(p.name, "Front \"Desk\"");
	assert_str(p.number, "100");
	assert_int_equal(p.presentation, CALL_PROHIBITED);
	assert_int_equal(p.screening, CALL_PASSED_SCREEN);
	n = call_party_print_from(&p, &told, from, sizeof(from));
	assert_true(n > 0);
	assert_str(rs_str_n(from, (size_t)n), "\"Anonymous\" <sip:acct@example.org>");
	assert_int_equal(call_party_add_headers(&p, &told, CALL_SIDE_CALLING, tx), 0);
	assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 0, "\"Front \\\"Desk\\\"\" <sip:100@example.org;user=phone>");
	assert_hdr(tx, SIP_HDR_REMOTE_PARTY_ID, 0,
		   "\"Front \\\"Desk\\\"\" <sip:100@example.org;user=phone>;party=calling;privacy=full;screen=yes");
	assert_hdr(tx, SIP_HDR_PRIVACY, 0, "id");
	call_party_fini(&p);
	sip_tx_unref(tx);
	ast_sip_endpoint_unref(e);
}

static void an_answer_tells_who_it_was(void **state)
{
	static struct parsed_msg m;
	struct ast_sip_endpoint_settings e = trusted;
	struct call_party p;

	(void)state;
	parse_msg(&m, "SIP/2.0 180 Ringing", FROM_LEA PAI "Privacy: id\r\n");
	assert_int_equal(call_party_from_response(&m.msg, &plain, RS_STR("200"), &p), 0);
	assert_str(p.name, "");
	assert_str(p.number, "200"); /* not lea: she calls */
	assert_int_equal(p.presentation, CALL_PROHIBITED);
	call_party_fini(&p);
	assert_int_equal(call_party_from_response(&m.msg, &trusted, RS_STR("200"), &p), 0);
	assert_str(p.name, "Boss");
	assert_str(p.number, "+4930");
	call_party_fini(&p);
	e.callerid = RS_STR("Desk <20>");
	assert_int_equal(call_party_from_response(&m.msg, &e, RS_STR("200"), &p), 0);
	assert_str(p.name, "Desk");
	assert_str(p.number, "20");
	call_party_fini(&p);
	msg_end(&m);
	parse_msg(&m, "SIP/2.0 200 OK",
		  FROM_LEA "Remote-Party-ID: <sip:1@x>;party=calling, \"D\" <sip:2@x>;party=called\r\n");
	assert_int_equal(call_party_from_response(&m.msg, &trusted, RS_STR("200"), &p), 0);
	assert_str(p.name, "D");
	assert_str(p.number, "2");
	call_party_fini(&p);
	msg_end(&m);
}

static void a_party_is_copied_whole(void **state)
{
	struct call_party p = read_party(&trusted, FROM_LEA RPID "Privacy: id;session\r\n"), q;
	char text[CALL_MAX_HOST + 1];

	(void)state;
	assert_int_equal(call_party_copy(&q, &p), 0);
	call_party_fini(&p);
	assert_str(q.name, "Desk");
	assert_str(q.number, "77");
	assert_str(q.host, "net.example");
	assert_int_equal(q.presentation, CALL_PROHIBITED);
	assert_int_equal(q.screening, CALL_PASSED_SCREEN);
	assert_int_equal(q.privacy, CALL_PRIVACY_ID | CALL_PRIVACY_SESSION);
	call_party_fini(&q);
	assert_int_equal(call_party_set(&p, RS_STR_NULL, RS_STR_NULL, RS_STR_NULL), 0);
	assert_null(p.block);
	assert_int_equal(call_party_copy(&q, &p), 0);
	call_party_fini(&q);
	memset(text, '1', sizeof(text));
	assert_int_equal(
		call_party_set(&p, RS_STR_NULL, rs_str_n(text, CALL_MAX_NUMBER + 1), rs_str_n(text, CALL_MAX_HOST + 1)),
		0);
	assert_int_equal(p.number.len + p.host.len, 0);
	call_party_fini(&p);
	/* A backslash in a name that comes from elsewhere is one. */
	assert_int_equal(call_party_set(&p, RS_STR(" a\\b\t"), RS_STR("1"), RS_STR_NULL), 0);
	assert_str(p.name, "a\\b");
	call_party_fini(&p);
}

static void reasons_are_passed_on_whole(void **state)
{
	static const struct {
		const char *lines, *reason;
	} cases[] = {
		{"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n",
		 "SIP;cause=200;text=\"Call completed elsewhere\""},
		{"Reason: Q.850;cause=16\r\nReason: SIP ;cause=600 ;text=\"a, \\\"b\\\"\"\r\n",
		 "Q.850;cause=16, SIP ;cause=600 ;text=\"a, \\\"b\\\"\""},
		{"Reason: Q.850;cause=16, SIP;cause=487\r\n", "Q.850;cause=16, SIP;cause=487"},
		{"Reason: SIP;text=\"\xc3\xb6\x80\"\r\n", "SIP;text=\"\xc3\xb6\x80\""},
		{"Reason: SIP;text=\"a\r\n b\"\r\n", "SIP;text=\"a b\""},
		{"Reason: SIP;text=\"a\\\001b\"\r\n", "SIP;text=\"a\\ b\""},
		{"Reason: ;cause=1\r\n", ""},
		{"", ""},
	};
	static struct parsed_msg m;
	char buf[CALL_MAX_REASON];

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char lines[512];

		snprintf(lines, sizeof(lines), FROM_LEA "%s", cases[i].lines);
		assert_str(call_reason_from(invite(&m, lines), buf), cases[i].reason);
		msg_end(&m);
	}
}

static void reasons_have_an_end(void **state)
{
	static struct parsed_msg m;
	char buf[CALL_MAX_REASON], lines[2048], text[CALL_MAX_REASON + 1];
	struct rs_str r;
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	/* One that does not fit is left out, not cut; those behind it are not lost. */
	snprintf(lines, sizeof(lines), FROM_LEA "Reason: Q.850;text=%s, SIP;cause=1\r\n", text);
	assert_str(call_reason_from(invite(&m, lines), buf), "SIP;cause=1");
	msg_end(&m);
	/* Exactly full. */
	snprintf(lines, sizeof(lines), FROM_LEA "Reason: S;t=%.*s\r\n", CALL_MAX_REASON - 4, text);
	r = call_reason_from(invite(&m, lines), buf);
	assert_int_equal(r.len, CALL_MAX_REASON);
	msg_end(&m);
	snprintf(lines, sizeof(lines), FROM_LEA "Reason: S;t=%.*s, Q.850\r\n", CALL_MAX_REASON - 4 - 7, text);
	r = call_reason_from(invite(&m, lines), buf);
	assert_int_equal(r.len, CALL_MAX_REASON);
	msg_end(&m);
	/* No room for the comma. */
	snprintf(lines, sizeof(lines), FROM_LEA "Reason: S;t=%.*s, Q.850\r\n", CALL_MAX_REASON - 4 - 6, text);
	r = call_reason_from(invite(&m, lines), buf);
	assert_int_equal(r.len, CALL_MAX_REASON - 6);
	msg_end(&m);
	n = (size_t)snprintf(lines, sizeof(lines), FROM_LEA);
	for (int i = 0; i < 2 * CALL_MAX_REASONS; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "Reason: P%d\r\n", i);
	assert_str(call_reason_from(invite(&m, lines), buf), "P0, P1, P2, P3, P4, P5, P6, P7");
	msg_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_is_who_stands_in_from),
		cmocka_unit_test(a_host_is_kept_for_the_record_alone),
		cmocka_unit_test(display_names_are_taken_out_of_their_quotes),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
		cmocka_unit_test(a_number_that_cannot_be_told_whole_is_none),
		cmocka_unit_test(an_asserted_identity_counts_from_a_trusted_endpoint),
		cmocka_unit_test(of_two_asserted_identities_the_sip_uri_is_taken),
		cmocka_unit_test(a_remote_party_id_says_whose_it_is_and_who_may_see_it),
		cmocka_unit_test(privacy_prohibits_the_presentation),
		cmocka_unit_test(a_critical_privacy_that_cannot_be_kept_refuses_the_call),
		cmocka_unit_test(an_anonymous_from_tells_nobody),
		cmocka_unit_test(a_static_callerid_counts_more_than_any_header),
		cmocka_unit_test(callerid_privacy_is_read_in_words_and_numbers),
		cmocka_unit_test(the_options_of_pjsip_conf_arrive),
		cmocka_unit_test(an_answer_tells_who_it_was),
		cmocka_unit_test(a_party_is_copied_whole),
		cmocka_unit_test(reasons_are_passed_on_whole),
		cmocka_unit_test(reasons_have_an_end),
	};

	return cmocka_run_group_tests(tests, start, ct_teardown);
}
