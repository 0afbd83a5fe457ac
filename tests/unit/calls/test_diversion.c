/* Where a call has been before: Diversion and History-Info kept, added to and told. */
#include "calls_test.h"

static const struct ast_sip_endpoint_settings plain = {.send_diversion = true, .send_history_info = true};
static const struct ast_sip_endpoint_settings trusted = {
	.send_diversion = true, .send_history_info = true, .trust_id_inbound = true, .trust_id_outbound = true};

static int start(void **state)
{
	(void)state;
	ct_start("", NULL);
	return 0;
}

static struct call_diversion received(const struct ast_sip_endpoint_settings *from, const char *lines)
{
	static struct parsed_msg m;
	struct call_diversion d;
	char text[18000];

	snprintf(text, sizeof(text), FROM_LEA "%s", lines);
	assert_int_equal(call_diversion_from_request(invite(&m, text), from, &d), 0);
	msg_end(&m);
	return d;
}

/* What goes out to uri, one value after the other with " | " between. */
static const char *told(struct call_diversion *d, const struct ast_sip_endpoint_settings *to, const char *uri,
			enum sip_hdr_id id)
{
	static char text[32768];
	struct sip_tx_data *tx = outgoing(uri);
	struct rs_str v;
	size_t len = 0;

	assert_int_equal(call_diversion_add_headers(d, to, tx), 0);
	text[0] = '\0';
	for (unsigned i = 0; (v = sip_tx_hdr_nth(tx, id, i)).len; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i ? " | " : "", RS_FMT(v));
		assert_true(len < sizeof(text));
	}
	sip_tx_unref(tx);
	return text;
}

static unsigned count(const char *text)
{
	unsigned n = text[0] != '\0';

	for (; (text = strstr(text, " | ")); text++)
		n++;
	return n;
}

#define OUT "sip:bob@10.0.0.9:5070"

/* ---- Diversion ---- */

static void diversions_are_passed_on_when_the_endpoint_takes_them(void **state)
{
	struct ast_sip_endpoint_settings none = {.send_history_info = true};
	struct call_diversion d = received(
		&plain,
		"Diversion: \"A, \\\"B\\\"\" <sip:a@x>;reason=user-busy;x=\"y;z\";counter=2, <tel:+1>;reason=away\r\n"
		"Diversion: sip:c@x;reason=unknown\r\n");

	(void)state;
	assert_true(call_diversion_any(&d));
	assert_int_equal(call_diversion_count(&d), 4);
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION),
			    "\"A, \\\"B\\\"\" <sip:a@x>;reason=user-busy;x=\"y;z\";counter=2 | <tel:+1>;reason=away | "
			    "<sip:c@x>;reason=unknown");
	assert_string_equal(told(&d, &none, OUT, SIP_HDR_DIVERSION), "");
	call_diversion_fini(&d);
	d = received(&plain, "");
	assert_false(call_diversion_any(&d));
	assert_int_equal(call_diversion_count(&d), 0);
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION), "");
	call_diversion_fini(&d);
}

static void a_hop_stands_before_those_that_came(void **state)
{
	struct call_diversion d = received(&plain, "Diversion: <sip:a@x>;reason=user-busy;counter=3\r\n");
	struct call_hop hop = {.name = RS_STR("The \"Desk\""),
			       .from = RS_STR("sip:desk@example.net;x-ast-orig-host=10.0.0.5:1?Subject=x"),
			       .to = RS_STR("sip:bob@example.net"),
			       .reason = CALL_DIVERT_NO_ANSWER,
			       .status = 408};

	(void)state;
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	hop = (struct call_hop){.from = RS_STR("tel:+7"),
				.to = RS_STR("sip:eve@h"),
				.reason = CALL_DIVERT_UNCONDITIONAL,
				.prohibited = true};
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_int_equal(call_diversion_count(&d), 5);
	assert_string_equal(
		told(&d, &trusted, OUT, SIP_HDR_DIVERSION),
		"<tel:+7>;reason=unconditional;privacy=full;screen=no;counter=1 | "
		"\"The \\\"Desk\\\"\" <sip:desk@example.net>;reason=no-answer;privacy=off;screen=no;counter=1 | "
		"<sip:a@x>;reason=user-busy;counter=3");
	/* Who diverted and may not be presented is not, and what the others know does not change that. */
	assert_string_equal(
		told(&d, &plain, OUT, SIP_HDR_DIVERSION),
		"<sip:anonymous@anonymous.invalid>;reason=unconditional;privacy=full;screen=no;counter=1 | "
		"\"The \\\"Desk\\\"\" <sip:desk@example.net>;reason=no-answer;privacy=off;screen=no;counter=1 | "
		"<sip:a@x>;reason=user-busy;counter=3");
	call_diversion_fini(&d);
}

static void a_hop_needs_two_uris(void **state)
{
	struct call_diversion d = received(&plain, "");
	static const struct {
		const char *from, *to;
	} bad[] = {{"", "sip:b@h"},
		   {"sip:a@h", ""},
		   {"sip:a@h>;x=\"", "sip:b@h"},
		   {"sip:a@h", "sip:b@h\r\nVia: x"},
		   {"a", "b"}};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		struct call_hop hop = {.from = rs_str_c(bad[i].from), .to = rs_str_c(bad[i].to)};

		errno = 0;
		assert_int_equal(call_diversion_add(&d, &hop), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_false(call_diversion_any(&d));
	call_diversion_fini(&d);
}

static void reasons_have_their_words(void **state)
{
	static const struct {
		unsigned status;
		bool rang;
		enum call_divert_reason reason;
	} cases[] = {
		{302, false, CALL_DIVERT_UNCONDITIONAL},  {302, true, CALL_DIVERT_DEFLECTION},
		{486, false, CALL_DIVERT_USER_BUSY},      {600, true, CALL_DIVERT_USER_BUSY},
		{408, true, CALL_DIVERT_NO_ANSWER},       {487, true, CALL_DIVERT_NO_ANSWER},
		{480, false, CALL_DIVERT_UNAVAILABLE},    {480, true, CALL_DIVERT_NO_ANSWER},
		{404, false, CALL_DIVERT_UNAVAILABLE},    {503, false, CALL_DIVERT_OUT_OF_SERVICE},
		{603, false, CALL_DIVERT_DO_NOT_DISTURB}, {603, true, CALL_DIVERT_DEFLECTION},
		{401, false, CALL_DIVERT_UNKNOWN},        {0, false, CALL_DIVERT_UNKNOWN},
		{606, false, CALL_DIVERT_UNKNOWN},
	};
	static struct parsed_msg m;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++)
		assert_int_equal(call_divert_reason_of_status(cases[i].status, cases[i].rang), cases[i].reason);
	assert_str(call_divert_reason_name(CALL_DIVERT_TIME_OF_DAY), "time-of-day");
	assert_str(call_divert_reason_name(CALL_DIVERT_FOLLOW_ME), "follow-me");
	assert_str(call_divert_reason_name(CALL_DIVERT_N), "unknown");
	/* A phone that redirects may say why. */
	parse_msg(&m, "SIP/2.0 302 Moved Temporarily", FROM_LEA "Diversion: <sip:a@x>;reason=\"Do-Not-Disturb\"\r\n");
	assert_int_equal(call_divert_reason_of_response(&m.msg, false), CALL_DIVERT_DO_NOT_DISTURB);
	msg_end(&m);
	parse_msg(&m, "SIP/2.0 302 Moved Temporarily", FROM_LEA "Diversion: <sip:a@x>;reason=whim\r\n");
	assert_int_equal(call_divert_reason_of_response(&m.msg, true), CALL_DIVERT_DEFLECTION);
	msg_end(&m);
	parse_msg(&m, "SIP/2.0 486 Busy Here", FROM_LEA);
	assert_int_equal(call_divert_reason_of_response(&m.msg, false), CALL_DIVERT_USER_BUSY);
	msg_end(&m);
}

static void one_diversion_too_many_takes_the_place_of_a_middle_one(void **state)
{
	struct call_diversion d;
	char lines[8192];
	size_t len = 0;
	const char *out;

	(void)state;
	for (int i = 0; i < CALL_MAX_DIVERSIONS + 5; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "Diversion: <sip:d%d@x>\r\n", i);
	d = received(&plain, lines);
	assert_int_equal(call_diversion_count(&d), CALL_MAX_DIVERSIONS + 5);
	out = told(&d, &plain, OUT, SIP_HDR_DIVERSION);
	assert_int_equal(count(out), CALL_MAX_DIVERSIONS);
	assert_ptr_equal(strstr(out, "<sip:d0@x> | <sip:d1@x> | "), out);
	assert_non_null(strstr(out, " | <sip:d17@x>;counter=6 | <sip:d23@x> | <sip:d24@x>"));
	for (int i = 0; i < 30; i++) {
		struct call_hop hop = {.from = RS_STR("sip:h@x"), .to = RS_STR("sip:i@x")};

		assert_int_equal(call_diversion_add(&d, &hop), 0);
	}
	assert_int_equal(call_diversion_count(&d), CALL_MAX_DIVERSIONS + 35);
	out = told(&d, &plain, OUT, SIP_HDR_DIVERSION);
	assert_int_equal(count(out), CALL_MAX_DIVERSIONS);
	assert_ptr_equal(strstr(out, "<sip:h@x>;reason=unknown;"), out);
	assert_non_null(strstr(out, "counter=36 | <sip:d24@x>"));
	assert_int_equal(count(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO)), CALL_MAX_DIVERSIONS);
	call_diversion_fini(&d);
}

static void counters_do_not_overflow(void **state)
{
	struct call_diversion d;
	char lines[8192];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < CALL_MAX_DIVERSIONS + 5; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "Diversion: <sip:d@x>;counter=1000\r\n");
	d = received(&plain, lines);
	assert_int_equal(call_diversion_count(&d), CALL_MAX_DIVERSIONS * 1000);
	call_diversion_fini(&d);
	d = received(&plain, "Diversion: <sip:a@x>;counter=4294967297, <sip:b@x>;counter=-1, <sip:c@x>;counter\r\n");
	assert_int_equal(call_diversion_count(&d), 3);
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION), "<sip:a@x> | <sip:b@x> | <sip:c@x>");
	call_diversion_fini(&d);
}

static void what_is_too_long_or_bad_is_left_out(void **state)
{
	char lines[4096], user[1000];
	struct call_diversion d;

	(void)state;
	memset(user, 'u', sizeof(user));
	snprintf(lines, sizeof(lines), "Diversion: <sip:%.*s@x>, <sip:b@x>\r\nHistory-Info: <sip:%.*s@x>;index=1\r\n",
		 (int)sizeof(user), user, (int)sizeof(user), user);
	d = received(&plain, lines);
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net>;index=1 | <" OUT ">;index=1.1;rc=1");
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION), "<sip:b@x>");
	call_diversion_fini(&d);
	/* Exactly as long as may be. */
	snprintf(lines, sizeof(lines), "Diversion: <sip:%.*s@x>\r\n", CALL_MAX_DIVERSION_ENTRY - 8, user);
	d = received(&plain, lines);
	assert_int_equal(strlen(told(&d, &plain, OUT, SIP_HDR_DIVERSION)), CALL_MAX_DIVERSION_ENTRY);
	call_diversion_fini(&d);
	d = received(&plain, "Diversion: \"x <sip:a@x>\r\nHistory-Info: <sip:a@x;index=1\r\n");
	assert_false(call_diversion_any(&d));
	call_diversion_fini(&d);
	/* No line of somebody else's making, and no way out of the quotes. */
	d = received(&plain, "Diversion: \"a\\\001\r\n b\" <sip:a@x>;reason=\"\\\r\n \"\r\n");
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION), "\"a\\  b\" <sip:a@x>;reason=\"\\ \"");
	call_diversion_fini(&d);
}

/* ---- History-Info ---- */

static void a_call_begins_its_history_with_its_target(void **state)
{
	struct ast_sip_endpoint_settings none = {.send_diversion = true};
	struct call_diversion d = received(&plain, "");

	(void)state;
	assert_string_equal(told(&d, &none, OUT, SIP_HDR_HISTORY_INFO), "");
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net>;index=1 | <" OUT ">;index=1.1;rc=1");
	/* Each branch has an index of its own. */
	assert_string_equal(told(&d, &plain, "sip:eve@h;x-ast-orig-host=a:1", SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net>;index=1 | <sip:eve@h>;index=1.2;rc=1");
	/* The same target is no step. */
	assert_string_equal(told(&d, &plain, "sip:desk@example.net", SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net>;index=1");
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net>;index=1 | <" OUT ">;index=1.3;rc=1");
	call_diversion_fini(&d);
}

static void the_index_grows_by_what_came(void **state)
{
	static const struct {
		const char *came, *told;
	} cases[] = {
		{"<sip:a@x>;index=1, <sip:desk@example.net>;index=1.1;mp=1",
		 "<sip:a@x>;index=1 | <sip:desk@example.net>;index=1.1;mp=1 | <" OUT ">;index=1.1.1;rc=1.1"},
		/* Its headers do not make it another target. */
		{"<sip:desk@example.net?Reason=SIP%3Bcause%3D302>;index=1.4",
		 "<sip:desk@example.net?Reason=SIP%3Bcause%3D302>;index=1.4 | <" OUT ">;index=1.4.1;rc=1.4"},
		/* Somebody did not write what he made of it. */
		{"<sip:a@x>;index=1.2",
		 "<sip:a@x>;index=1.2 | <sip:desk@example.net>;index=1.2.0.1 | <" OUT ">;index=1.2.0.1.1;rc=1.2.0.1"},
		/* An index that is none. */
		{"<sip:desk@example.net>;index=1.a",
		 "<sip:desk@example.net>;index=1.a | <sip:desk@example.net>;index=1 | "
		 "<" OUT ">;index=1.1;rc=1"},
		{"<sip:desk@example.net>",
		 "<sip:desk@example.net> | <sip:desk@example.net>;index=1 | <" OUT ">;index=1.1;rc=1"},
		{"sip:desk@example.net;index=1", "<sip:desk@example.net>;index=1 | <" OUT ">;index=1.1;rc=1"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char lines[512];
		struct call_diversion d;

		snprintf(lines, sizeof(lines), "History-Info: %s\r\n", cases[i].came);
		d = received(&plain, lines);
		assert_string_equal(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO), cases[i].told);
		call_diversion_fini(&d);
	}
}

static void a_hop_says_why_the_call_left(void **state)
{
	struct call_diversion d = received(&plain, "");
	struct call_hop hop = {.from = RS_STR("sip:desk@example.net"),
			       .to = RS_STR("sip:bob@example.net?Replaces=x"),
			       .reason = CALL_DIVERT_USER_BUSY,
			       .status = 486};

	(void)state;
	told(&d, &plain, "sip:desk@10.0.0.7", SIP_HDR_HISTORY_INFO); /* index 1.1 is taken */
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_true(call_diversion_any(&d));
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22>;index=1 | "
			    "<sip:bob@example.net>;index=1.2;mp=1 | <" OUT ">;index=1.2.1;rc=1.2");
	/* From bob to eve by a transfer: no answer made it so, and no phone's address of before shows. */
	hop = (struct call_hop){.from = RS_STR("sip:bob@example.net"), .to = RS_STR("sip:eve@example.net")};
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_string_equal(told(&d, &plain, "sip:eve@example.net", SIP_HDR_HISTORY_INFO),
			    "<sip:desk@example.net?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22>;index=1 | "
			    "<sip:bob@example.net>;index=1.2;mp=1 | <sip:eve@example.net>;index=1.2.2;mp=1.2");
	call_diversion_fini(&d);
}

static void a_hop_from_another_target_is_a_step_of_its_own(void **state)
{
	struct call_diversion d = received(&plain, "");
	struct call_hop hop = {.from = RS_STR("sip:bob@example.net"), .to = RS_STR("tel:+1"), .status = 302};

	(void)state;
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_string_equal(
		told(&d, &plain, "tel:+1", SIP_HDR_HISTORY_INFO),
		"<sip:desk@example.net>;index=1 | "
		"<sip:bob@example.net?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%20Temporarily%22>;index=1.1;rc=1 | "
		"<tel:+1>;index=1.1.1;mp=1.1");
	/* A tel URI has no headers that could say that it is private. */
	hop = (struct call_hop){.from = RS_STR("tel:+1"), .to = RS_STR("sip:eve@h"), .status = 302, .prohibited = true};
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_string_equal(
		told(&d, &trusted, "sip:eve@h", SIP_HDR_HISTORY_INFO),
		"<sip:desk@example.net>;index=1 | "
		"<sip:bob@example.net?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%20Temporarily%22>;index=1.1;rc=1 | "
		"<sip:anonymous@anonymous.invalid>;index=1.1.1;mp=1.1 | <sip:eve@h>;index=1.1.1.1;mp=1.1.1");
	call_diversion_fini(&d);
}

static void a_private_entry_is_made_anonymous(void **state)
{
	struct call_diversion d =
		received(&trusted, "History-Info: <sip:a@x?Privacy=none>;index=1, "
				   "\"B\" <sip:b@x?x=y&Privacy=history&Reason=SIP>;index=1.1;mp=1\r\n"
				   "Diversion: \"N\" <sip:n@x>;privacy=name, <sip:o@x>;privacy=off\r\n");
	struct call_hop hop = {
		.from = RS_STR("sip:desk@example.net"), .to = RS_STR("sip:c@x"), .status = 302, .prohibited = true};

	(void)state;
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_string_equal(
		told(&d, &trusted, "sip:c@x", SIP_HDR_HISTORY_INFO),
		"<sip:a@x?Privacy=none>;index=1 | \"B\" <sip:b@x?x=y&Privacy=history&Reason=SIP>;index=1.1;mp=1 | "
		"<sip:desk@example.net?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%20Temporarily%22&Privacy=history>"
		";index=1.1.0.1 | <sip:c@x>;index=1.1.0.1.1;mp=1.1.0.1");
	assert_string_equal(told(&d, &plain, "sip:c@x", SIP_HDR_HISTORY_INFO),
			    "<sip:a@x?Privacy=none>;index=1 | <sip:anonymous@anonymous.invalid>;index=1.1;mp=1 | "
			    "<sip:anonymous@anonymous.invalid>;index=1.1.0.1 | <sip:c@x>;index=1.1.0.1.1;mp=1.1.0.1");
	assert_string_equal(told(&d, &plain, "sip:c@x", SIP_HDR_DIVERSION),
			    "<sip:anonymous@anonymous.invalid>;reason=unknown;privacy=full;screen=no;counter=1 | "
			    "<sip:anonymous@anonymous.invalid>;privacy=name | <sip:o@x>;privacy=off");
	call_diversion_fini(&d);
}

static void a_history_too_long_keeps_its_first_and_latest_entries(void **state)
{
	char lines[8192];
	struct call_diversion d;
	const char *out;
	size_t len = 0;

	(void)state;
	for (int i = 1; i <= CALL_MAX_DIVERSIONS + 5; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "History-Info: <sip:h%d@x>;index=%d\r\n", i,
					i);
	d = received(&plain, lines);
	out = told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO);
	assert_int_equal(count(out), CALL_MAX_DIVERSIONS);
	assert_ptr_equal(strstr(out, "<sip:h1@x>;index=1 | <sip:h9@x>;index=9 | "), out);
	assert_non_null(strstr(out, " | <sip:h25@x>;index=25 | <sip:desk@example.net>;index=25.0.1 | <" OUT
				    ">;index=25.0.1.1;rc=25.0.1"));
	call_diversion_fini(&d);
}

static void an_index_has_an_end(void **state)
{
	char lines[1024], index[CALL_MAX_HISTORY_INDEX + 8];
	struct call_hop hop = {
		.from = RS_STR("sip:desk@example.net"), .to = RS_STR("sip:bob@example.net"), .status = 486};
	struct call_diversion d;
	const char *out;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(index); i += 2)
		memcpy(index + i, "1.", 2);
	index[CALL_MAX_HISTORY_INDEX - 1] = '\0'; /* ends with a 1: room for one byte, not for a level */
	snprintf(lines, sizeof(lines), "History-Info: <sip:desk@example.net>;index=%s\r\n", index);
	d = received(&plain, lines);
	out = told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO);
	assert_int_equal(count(out), 1);
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_int_equal(count(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO)), 1);
	assert_int_equal(call_diversion_count(&d), 1); /* the other header knows of it */
	call_diversion_fini(&d);
	snprintf(lines, sizeof(lines), "History-Info: <sip:other@example.net>;index=%s\r\n", index);
	d = received(&plain, lines);
	assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_int_equal(count(told(&d, &plain, OUT, SIP_HDR_HISTORY_INFO)), 1);
	call_diversion_fini(&d);
}

/* ---- privacy ---- */

static void nothing_is_told_when_privacy_is_asked_for(void **state)
{
	static const char *const asked[] = {"history", "header", "session", "id;history"};
	static const struct {
		bool in, out, told;
	} trust[] = {{false, false, false}, {true, false, false}, {false, true, false}, {true, true, true}};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(asked) * RS_ARRAY_SIZE(trust); i++) {
		size_t t = i % RS_ARRAY_SIZE(trust);
		struct ast_sip_endpoint_settings in = plain, out = plain;
		struct call_hop hop = {.from = RS_STR("sip:desk@example.net"), .to = RS_STR("sip:bob@example.net")};
		struct call_diversion d;
		char lines[256];

		in.trust_id_inbound = trust[t].in;
		out.trust_id_outbound = trust[t].out;
		snprintf(lines, sizeof(lines),
			 "Privacy: %s\r\nDiversion: <sip:a@x>\r\nHistory-Info: <sip:a@x>;index=1\r\n",
			 asked[i / RS_ARRAY_SIZE(trust)]);
		d = received(&in, lines);
		assert_int_equal(call_diversion_add(&d, &hop), 0);
		assert_int_equal(told(&d, &out, OUT, SIP_HDR_DIVERSION)[0] != '\0', trust[t].told);
		assert_int_equal(told(&d, &out, OUT, SIP_HDR_HISTORY_INFO)[0] != '\0', trust[t].told);
		call_diversion_fini(&d);
	}
}

static void the_callers_own_privacy_does_not_hide_who_diverted(void **state)
{
	struct call_diversion d = received(&plain, "Privacy: id;user;critical\r\nDiversion: <sip:a@x>\r\n");

	(void)state;
	assert_string_equal(told(&d, &plain, OUT, SIP_HDR_DIVERSION), "<sip:a@x>");
	call_diversion_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diversions_are_passed_on_when_the_endpoint_takes_them),
		cmocka_unit_test(a_hop_stands_before_those_that_came),
		cmocka_unit_test(a_hop_needs_two_uris),
		cmocka_unit_test(reasons_have_their_words),
		cmocka_unit_test(one_diversion_too_many_takes_the_place_of_a_middle_one),
		cmocka_unit_test(counters_do_not_overflow),
		cmocka_unit_test(what_is_too_long_or_bad_is_left_out),
		cmocka_unit_test(a_call_begins_its_history_with_its_target),
		cmocka_unit_test(the_index_grows_by_what_came),
		cmocka_unit_test(a_hop_says_why_the_call_left),
		cmocka_unit_test(a_hop_from_another_target_is_a_step_of_its_own),
		cmocka_unit_test(a_private_entry_is_made_anonymous),
		cmocka_unit_test(a_history_too_long_keeps_its_first_and_latest_entries),
		cmocka_unit_test(an_index_has_an_end),
		cmocka_unit_test(nothing_is_told_when_privacy_is_asked_for),
		cmocka_unit_test(the_callers_own_privacy_does_not_hide_who_diverted),
	};

	return cmocka_run_group_tests(tests, start, ct_teardown);
}
