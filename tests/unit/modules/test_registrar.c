/* The registrar in the core over the simulated network: the table of section 7, every limit, every field. */
#include "core_test.h"

#include "base/log.h"
#include "registrar/registrar.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define AOR(name, options) "[" name "]\ntype=aor\nminimum_expiration=1\nmaximum_expiration=7200\n" options "\n"
#define CONFIG                                                                                                         \
	"[phone]\ntype=endpoint\naors=m1,m2,m2e,m2u,m2eu,m3eu,big,perm,path,clamp,none\n"                              \
	"[other]\ntype=endpoint\naors=m2\n" AOR("m1", "max_contacts=1") AOR("m2", "max_contacts=2") AOR(               \
		"m2e", "max_contacts=2\nremove_existing=yes") AOR("m2u", "max_contacts=2\nremove_unavailable=yes")     \
		AOR("m2eu", "max_contacts=2\nremove_existing=yes\nremove_unavailable=yes") AOR(                        \
			"m3eu", "max_contacts=3\nremove_existing=yes\nremove_unavailable=yes")                         \
			AOR("big", "max_contacts=1200\nremove_existing=yes") AOR(                                      \
				"perm", "max_contacts=1\ncontact=sip:p@10.0.0.9")                                      \
				AOR("path",                                                                            \
				    "max_contacts=2\nsupport_path=yes") "[clamp]\ntype=aor\nmax_contacts=4\nminimum_"  \
									"expiration=60\nmaximum_expiration=7200\n"     \
									"default_expiration=1800\n[none]\ntype=aor\n"

static struct ct_phone *phone;
static unsigned cseq;
static const char *endpoint_name;

static struct ast_sip_endpoint *identify(struct sip_rx_data *rx)
{
	return ast_sip_endpoint_find(ast_sip_rx_snapshot(rx), rs_str_c(endpoint_name));
}
static struct ast_sip_endpoint_identifier identifier;

static void start(const char *own)
{
	ct_start(CONFIG, own);
	identifier = (struct ast_sip_endpoint_identifier){.size = sizeof(identifier), .identify_endpoint = identify};
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&identifier, "ip"), 0);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	phone = ct_phone("10.0.0.9:5060");
	endpoint_name = "phone";
	cseq = 0;
}

static int setup(void **state)
{
	(void)state;
	start(NULL);
	return 0;
}

static int teardown(void **state)
{
	ast_sip_module_info.unload();
	return ct_teardown(state);
}

/* Sends a REGISTER; headers with "\n". */
static void send_register(const char *aor, const char *call, unsigned number, const char *headers)
{
	static char text[70000];
	size_t n = (size_t)snprintf(text, sizeof(text),
				    "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK%s%u\r\n"
				    "From: <sip:%s@10.0.0.1>;tag=1\r\nTo: <sip:%s@10.0.0.1>\r\nCall-ID: %s\r\n"
				    "CSeq: %u REGISTER\r\nMax-Forwards: 70\r\n",
				    call, number, aor, aor, call, number);

	for (const char *p = headers; *p; p++) {
		if (*p == '\n')
			text[n++] = '\r';
		text[n++] = *p;
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "Content-Length: 0\r\n\r\n");
	ct_send_bytes(phone, rs_str_n(text, n));
}

static const char *answer;

static int ask(const char *aor, const char *headers)
{
	send_register(aor, "call", ++cseq, headers);
	answer = ct_receive(phone);
	return ct_status(answer);
}

/* The first letter of the user of each contact, sorted. */
static const char *letters(const char *aor)
{
	static char text[2048];
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	size_t n = 0;

	for (uint32_t i = 0; c && i < c->n; i++) {
		char letter = ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI).p[4];
		size_t k = n++;

		for (; k && text[k - 1] > letter; k--)
			text[k] = text[k - 1];
		text[k] = letter;
	}
	text[n] = '\0';
	ast_sip_contacts_unref(c);
	return text;
}

static struct ast_sip_contact *only(const char *aor)
{
	static struct ast_sip_contact *last;
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));

	assert_non_null(c);
	assert_int_equal(c->n, 1);
	last = c->v[0]; /* the index keeps it */
	ast_sip_contacts_unref(c);
	return last;
}

static void assert_text(const struct ast_sip_contact *c, enum ast_sip_contact_text which, const char *expected)
{
	struct rs_str s = ast_sip_contact_text(c, which);

	if (!rs_str_eqz(s, expected))
		fail_msg("'%.*s' is not '%s'", RS_FMT(s), expected);
}

/* ---- the table of contact limits ---- */

/* "a60 b120u": contact a for 60 s, b for 120 s and unreachable. */
static void contact_lines(const char *contacts, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	while (*contacts) {
		unsigned expires = (unsigned)atoi(contacts + 1);

		n += (size_t)snprintf(out + n, size - n, "Contact: <sip:%c@10.0.0.9>;expires=%u\n", *contacts, expires);
		contacts += strcspn(contacts, " ");
		contacts += strspn(contacts, " ");
	}
}

static void mark_unreachable(const char *aor, const char *contacts)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));

	for (uint32_t i = 0; c && i < c->n; i++) {
		char letter[2] = {ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI).p[4], '\0'};
		const char *at = strstr(contacts, letter);

		if (at && at[1 + strspn(at + 1, "0123456789")] == 'u')
			ast_sip_contact_set_status(c->v[i], AST_SIP_CONTACT_UNREACHABLE, -1);
	}
	ast_sip_contacts_unref(c);
}

static const struct row {
	const char *aor, *there, *request;
	int status;
	const char *left;
} rows[] = {
	/* neither option */
	{"m2", "a60", "b60", 200, "ab"},
	{"m2", "a60 b60", "c60", 403, "ab"},
	{"m2", "a60 b60", "a90", 200, "ab"},
	{"m2", "a60 b60", "a0 c60", 200, "bc"},
	{"m2", "a60 b60", "c60 d0", 403, "ab"},
	{"m2", "a60 b60u", "c60", 403, "ab"},
	{"m2", "", "a60 b60", 200, "ab"},
	{"m2", "", "a60 b60 c60", 403, ""},
	{"m2", "a60 b60", "a0 b0", 200, ""},
	/* remove_unavailable */
	{"m2u", "a60 b120", "c60", 403, "ab"},
	{"m2u", "a60 b120u", "c60", 200, "ac"},
	{"m2u", "a120u b60u", "c60", 200, "ac"},
	{"m2u", "a60u b120u", "c60 d60", 200, "cd"},
	{"m2u", "a60u b120", "c60 d60", 403, "ab"},
	{"m2u", "a60u b120", "a60 c60", 403, "ab"},
	{"m2u", "a60u", "b60", 200, "ab"},
	/* remove_existing */
	{"m2e", "a60 b120", "c60", 200, "bc"},
	{"m2e", "a120 b60", "c60", 200, "ac"},
	{"m2e", "a60 b120u", "c60", 200, "bc"},
	{"m2e", "a60 b120", "c60 d60", 200, "cd"},
	{"m2e", "a60 b120", "c60 d60 e60", 403, "ab"},
	{"m2e", "a60 b120", "a60 c60", 200, "ac"},
	{"m2e", "a60 b120", "a60 b60 c60", 403, "ab"},
	{"m2e", "a60 b120", "a0 c60", 200, "bc"},
	{"m2e", "a60 b120", "a0 b0 c60 d60", 200, "cd"},
	{"m2e", "a60 b120", "a60 b0 c60 d60", 403, "ab"},
	/* both */
	{"m2eu", "a60 b120u", "c60", 200, "ac"},
	{"m2eu", "a60u b120", "c60", 200, "bc"},
	{"m2eu", "a60 b120", "c60", 200, "bc"},
	{"m2eu", "a60 b120u", "c60 d60", 200, "cd"},
	{"m2eu", "a60u b120u", "c60 d60 e60", 403, "ab"},
	{"m3eu", "a60 b180u c120", "d60 e60", 200, "cde"},
	{"m3eu", "a60 b120 c180", "d60 e60", 200, "cde"},
	/* permanent ones do not count */
	{"perm", "", "a60", 200, "ap"},
	{"perm", "a60", "b60", 403, "ap"},
	{"perm", "a60", "a0", 200, "p"},
	{"perm", "", "p60", 200, "p"},
	{"perm", "", "p0", 200, "p"},
	{"perm", "a60", "p60", 200, "ap"},
};

static void the_limits_of_contacts(void **state)
{
	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		char lines[2048];
		int status;

		assert_int_equal(ask(row->aor, "Contact: *\nExpires: 0\n"), 200);
		contact_lines(row->there, lines, sizeof(lines));
		assert_int_equal(ask(row->aor, lines), 200);
		mark_unreachable(row->aor, row->there);
		contact_lines(row->request, lines, sizeof(lines));
		status = ask(row->aor, lines);
		if (status != row->status || strcmp(letters(row->aor), row->left) != 0)
			fail_msg("%s: %s, then %s: %d with '%s' left, not %d with '%s'", row->aor, row->there,
				 row->request, status, letters(row->aor), row->status, row->left);
	}
	assert_true(ct_logged("registrar_attempt_exceeds_maximum_configured_contacts") >= 5);
}

static void no_contacts_may_be_registered_where_max_contacts_is_0(void **state)
{
	(void)state;
	assert_int_equal(ask("none", "Contact: <sip:a@10.0.0.9>\n"), 403);
	assert_int_equal(ct_logged("registrar_attempt_without_registration_permitted"), 1);
	assert_int_equal(ask("nobody", ""), 404);
	assert_int_equal(ct_logged("registrar_requested_aor_not_found"), 1);
}

static void many_contacts_and_more_that_give_way(void **state)
{
	char lines[8192];
	size_t n;

	(void)state;
	for (unsigned k = 0; k < 1250; k += 50) {
		n = 0;
		for (unsigned i = k; i < k + 50; i++)
			n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s<sip:%u@10.0.0.9>;expires=%u",
					      i == k ? "Contact: " : ",", i, 100 + i);
		snprintf(lines + n, sizeof(lines) - n, "\n");
		ask("big", lines);
		assert_int_equal(strlen(letters("big")), k + 50 < 1200 ? k + 50 : 1200);
	}
	assert_int_equal(ask("big", "Contact: *\nExpires: 0\n"), 200);
	assert_string_equal(letters("big"), "");
}

static void the_log_says_why_a_binding_went(void **state)
{
	(void)state;
	rs_log_set_level(RS_LOG_VERBOSE);
	ask("m2e", "Contact: <sip:a@10.0.0.9>;expires=60, <sip:b@10.0.0.9>;expires=120\n");
	assert_int_equal(ct_logged("Added contact 'sip:b@10.0.0.9' to AOR 'm2e' with expiration of 120 seconds"), 1);
	ask("m2e", "Contact: <sip:c@10.0.0.9>;expires=200\n");
	assert_int_equal(ct_logged("Removed contact 'sip:a@10.0.0.9' from AOR 'm2e' due to remove existing"), 1);
	ask("m2e", "Contact: <sip:c@10.0.0.9>;expires=0\n");
	assert_int_equal(ct_logged("Removed contact 'sip:c@10.0.0.9' from AOR 'm2e' due to request"), 1);
	sim_run_for(130 * SIM_SECOND);
	assert_int_equal(ct_logged("Removed contact 'sip:b@10.0.0.9' from AOR 'm2e' due to expiration"), 1);
	ask("m2u", "Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.9>\n");
	mark_unreachable("m2u", "a1u b1");
	ask("m2u", "Contact: <sip:c@10.0.0.9>\n");
	assert_int_equal(ct_logged("Removed contact 'sip:a@10.0.0.9' from AOR 'm2u' due to remove unavailable"), 1);
}

/* ---- expiry and q ---- */

static void how_long_a_binding_lasts(void **state)
{
	static const struct {
		const char *headers;
		unsigned seconds; /* 0: no binding */
	} cases[] = {
		{"Contact: <sip:a@b>\n", 1800},
		{"Contact: <sip:a@b>\nExpires: 300\n", 300},
		{"Contact: <sip:a@b>;expires=200\nExpires: 300\n", 200},
		{"Contact: <sip:a@b>;expires=1\n", 60},
		{"Contact: <sip:a@b>;expires=59\n", 60},
		{"Contact: <sip:a@b>;expires=61\n", 61},
		{"Contact: <sip:a@b>;expires=7200\n", 7200},
		{"Contact: <sip:a@b>;expires=7201\n", 7200},
		{"Contact: <sip:a@b>;expires=4294967295\n", 7200},
		{"Contact: <sip:a@b>;expires=4294967296\n", 7200},
		{"Contact: <sip:a@b>;expires=18446744073709551616\n", 7200},
		{"Contact: <sip:a@b>;expires=99999999999999999999999999999999999\n", 7200},
		{"Contact: <sip:a@b>;expires=000000000000000000000000000000120\n", 120},
		{"Contact: <sip:a@b>\nExpires: 1\n", 60},
		{"Contact: <sip:a@b>\nExpires: 99999999999\n", 7200},
		/* RFC 3261 section 20.10: what is no number means 3600 */
		{"Contact: <sip:a@b>;expires=soon\nExpires: 300\n", 3600},
		{"Contact: <sip:a@b>;expires=-1\n", 3600},
		{"Contact: <sip:a@b>;expires\n", 3600},
		{"Contact: <sip:a@b>;expires=\"\"\n", 3600},
		{"Contact: <sip:a@b>;expires=0\n", 0},
		{"Contact: <sip:a@b>;expires=000\n", 0},
		{"Contact: <sip:a@b>\nExpires: 0\n", 0},
		{"Contact: <sip:a@b>;expires=0\nExpires: 300\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		unsigned left = 0;
		struct ast_sip_contacts *c;

		assert_int_equal(ask("clamp", "Contact: *\nExpires: 0\n"), 200);
		assert_int_equal(ask("clamp", cases[i].headers), 200);
		c = ast_sip_location_contacts(RS_STR("clamp"));
		if (c)
			left = (unsigned)((c->v[0]->data.expires_us - rs_wall_us() + 500000) / 1000000);
		ast_sip_contacts_unref(c);
		if (left != cases[i].seconds)
			fail_msg("%s: %u", cases[i].headers, left);
		if (left) {
			char expected[64];
			snprintf(expected, sizeof(expected), ";expires=%u", left);
			assert_non_null(strstr(ct_header(answer, "Contact", 0), expected));
		}
	}
}

static void q_values(void **state)
{
	static const struct {
		const char *q;
		unsigned thousandths;
	} cases[] = {
		{"0", 0},       {"0.0", 0},      {"0.5", 500}, {"0.25", 250},    {"0.125", 125}, {"1", 1000},
		{"1.0", 1000},  {"1.000", 1000}, {"0.", 0},    {"0.1234", 1000}, {"1.5", 1000},  {"2", 1000},
		{"-0.5", 1000}, {".5", 1000},    {"x", 1000},  {"0.5x", 1000},   {"0,5", 1000},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		char lines[128], expected[32];

		assert_int_equal(ask("m1", "Contact: *\nExpires: 0\n"), 200);
		snprintf(lines, sizeof(lines), "Contact: <sip:a@b>;q=\"%s\";expires=60\n", cases[i].q);
		if (!strchr(cases[i].q, ','))
			snprintf(lines, sizeof(lines), "Contact: <sip:a@b>;q=%s;expires=60\n", cases[i].q);
		assert_int_equal(ask("m1", lines), 200);
		if (only("m1")->data.q_thousandths != cases[i].thousandths)
			fail_msg("q=%s: %u", cases[i].q, only("m1")->data.q_thousandths);
		snprintf(expected, sizeof(expected), ";q=0.%03u", cases[i].thousandths);
		assert_int_equal(strstr(ct_header(answer, "Contact", 0), expected) != NULL,
				 cases[i].thousandths != 1000);
	}
}

/* ---- what a Contact says ---- */

static void a_star_stands_alone_with_expires_0(void **state)
{
	(void)state;
	assert_int_equal(ask("m2", "Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.9>\n"), 200);
	assert_int_equal(ask("m2", "Contact: *\n"), 400);
	assert_int_equal(ask("m2", "Contact: *\nExpires: 1\n"), 400);
	assert_int_equal(ask("m2", "Contact: *\nExpires: x\n"), 400);
	assert_int_equal(ask("m2", "Contact: *, <sip:a@10.0.0.9>\nExpires: 0\n"), 400);
	assert_int_equal(ask("m2", "Contact: <sip:a@10.0.0.9>\nContact: *\nExpires: 0\n"), 400);
	assert_int_equal(ask("m2", "Contact: *\nContact: *\nExpires: 0\n"), 400);
	assert_string_equal(letters("m2"), "ab");
	assert_true(ct_logged("registrar_invalid_contacts_provided") >= 5);
	send_register("m2", "call", cseq, "Contact: *\nExpires: 0\nSubject: not newer\n");
	assert_int_equal(ct_status(ct_receive(phone)), 400); /* the same transaction: its answer again */
	send_register("m2", "call", 1, "Contact: *\nExpires: 0\n");
	ct_receive(phone);
	assert_string_equal(letters("m2"), "ab");
	assert_int_equal(ask("m2", "Contact: *\nExpires: 0\n"), 200);
	assert_string_equal(letters("m2"), "");
	assert_null(ct_header(answer, "Contact", 0));
}

static void an_order_that_is_not_newer_is_refused(void **state)
{
	(void)state;
	send_register("m2", "one", 10, "Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.9>\n");
	assert_int_equal(ct_status(ct_receive(phone)), 200);
	send_register("m2", "one", 9, "Contact: <sip:a@10.0.0.9>;expires=0\n");
	assert_int_equal(ct_status(ct_receive(phone)), 500);
	send_register("m2", "one", 8, "Contact: *\nExpires: 0\n");
	assert_int_equal(ct_status(ct_receive(phone)), 500);
	send_register("m2", "one", 7, ""); /* a question changes nothing */
	assert_int_equal(ct_status(ct_receive(phone)), 200);
	assert_string_equal(letters("m2"), "ab");
	send_register("m2", "two", 1, "Contact: <sip:a@10.0.0.9>;expires=0\n");
	assert_int_equal(ct_status(ct_receive(phone)), 200);
	send_register("m2", "one", 11, "Contact: <sip:b@10.0.0.9>;expires=0\n");
	assert_int_equal(ct_status(ct_receive(phone)), 200);
	assert_string_equal(letters("m2"), "");
}

static void equal_uris_in_one_request_are_one_binding(void **state)
{
	(void)state;
	assert_int_equal(ask("m1", "Contact: <sip:a@HOST:5070>;expires=100, <sip:a@host:5070>;expires=200\n"), 200);
	assert_true(only("m1")->data.expires_us > rs_wall_us() + 190 * SIM_SECOND);
	assert_int_equal(ask("m1", "Contact: <sip:%61@host:5070>;expires=50, <sip:a@host:5070>;expires=0\n"), 200);
	assert_string_equal(letters("m1"), "");
	/* Two that differ, and are both equal to the one that is bound, are still one. */
	assert_int_equal(ask("m1", "Contact: <sip:a@host>\n"), 200);
	assert_int_equal(ask("m1", "Contact: <sip:a@host;x=1>;expires=0, <sip:a@host;x=2>;expires=0\n"), 200);
	assert_string_equal(letters("m1"), "");
	assert_int_equal(ask("m1", "Contact: <sip:a@host>\n"), 200);
	assert_int_equal(ask("m1", "Contact: <sip:a@host;x=1>;expires=0, <sip:a@host;x=2>;expires=70\n"), 200);
	assert_string_equal(letters("m1"), "a");
}

#define INSTANCE ";+sip.instance=\"<urn:uuid:1>\""

static void an_instance_that_moves_takes_its_place(void **state)
{
	(void)state;
	assert_int_equal(ask("m1", "Contact: <sip:a@10.0.0.9:1>" INSTANCE ";reg-id=1\n"), 200);
	assert_int_equal(ask("m1", "Contact: <sip:b@10.0.0.9:2>" INSTANCE ";reg-id=1\n"), 200);
	assert_string_equal(letters("m1"), "b");
	assert_string_equal(ct_header(answer, "Contact", 0), "<sip:b@10.0.0.9:2>" INSTANCE ";reg-id=1;expires=3600");
	assert_int_equal(ask("m1", "Contact: <sip:c@10.0.0.9:2>" INSTANCE ";reg-id=2\n"), 403);
	assert_int_equal(ask("m1", "Contact: <sip:c@10.0.0.9:2>" INSTANCE "\n"), 403);
	assert_int_equal(ask("m1", "Contact: <sip:z@10.0.0.9:9>" INSTANCE ";reg-id=1;expires=0\n"), 200);
	assert_string_equal(letters("m1"), "");
}

static void an_instance_may_move_to_a_uri_that_is_bound(void **state)
{
	(void)state;
	assert_int_equal(ask("m2", "Contact: <sip:a@10.0.0.9>" INSTANCE ";reg-id=1, <sip:b@10.0.0.9>\n"), 200);
	assert_int_equal(ask("m2", "Contact: <sip:b@10.0.0.9>" INSTANCE ";reg-id=1, <sip:c@10.0.0.9>\n"), 200);
	assert_string_equal(letters("m2"), "bc");
	assert_int_equal(
		ask("m2", "Contact: <sip:d@10.0.0.9>" INSTANCE ";reg-id=1, <sip:e@10.0.0.9>" INSTANCE ";reg-id=1\n"),
		200);
	assert_string_equal(letters("m2"), "ce");
}

static void all_fields_of_a_binding(void **state)
{
	struct ast_sip_contact *c;

	(void)state;
	assert_int_equal(ask("path", "Contact: \"A\" <sip:a@[2001:db8::1]:5061;x=y?h=v>;q=0.7;reg-id=3;+sip.instance="
				     "\"<urn:uuid:7>\";isfocus;text=\"a \\\" b\";expires=100\n"
				     "User-Agent: thing 1\nVia: SIP/2.0/UDP far.example:5099;branch=z9hG4bKx\n"
				     "Supported: path\nPath: <sip:p1;lr>,\n <sip:p2;lr>\nPath: <sip:p3;lr>\n"),
			 200);
	c = only("path");
	assert_text(c, AST_SIP_CONTACT_URI, "sip:a@[2001:db8::1]:5061;x=y?h=v");
	assert_text(c, AST_SIP_CONTACT_PATH, "<sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>");
	assert_text(c, AST_SIP_CONTACT_INSTANCE, "<urn:uuid:7>");
	assert_text(c, AST_SIP_CONTACT_CALL_ID, "call");
	assert_text(c, AST_SIP_CONTACT_USER_AGENT, "thing 1");
	assert_text(c, AST_SIP_CONTACT_ENDPOINT, "phone");
	assert_text(c, AST_SIP_CONTACT_LISTENER, "udp");
	assert_text(c, AST_SIP_CONTACT_VIA_HOST, "far.example");
	assert_text(c, AST_SIP_CONTACT_PARAMS, ";isfocus;text=\"a \\\" b\"");
	assert_int_equal(c->data.q_thousandths, 700);
	assert_int_equal(c->data.reg_id, 3);
	assert_int_equal(c->data.via_port, 5099);
	assert_int_equal(c->data.cseq, cseq);
	assert_int_equal(c->data.transport, SIP_TRANSPORT_UDP);
	assert_int_equal(c->data.received.port, 5060);
	assert_false(c->data.bound_to_flow);
	assert_string_equal(ct_header(answer, "Contact", 0),
			    "<sip:a@[2001:db8::1]:5061;x=y?h=v>;isfocus;text=\"a \\\" b\";q=0.700;+sip.instance="
			    "\"<urn:uuid:7>\";reg-id=3;expires=100");
	assert_string_equal(ct_header(answer, "Supported", 0), "path");
	assert_string_equal(ct_header(answer, "Path", 0), "<sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>");
	assert_non_null(ct_header(answer, "Date", 0));
	assert_null(ct_header(answer, "Expires", 0));
}

static void a_refresh_keeps_where_it_came_from(void **state)
{
	struct ast_sip_contact *c;

	(void)state;
	assert_int_equal(ask("path", "Contact: <sip:a@host>\nUser-Agent: one\nSupported: path\nPath: <sip:p1;lr>\n"
				     "Via: SIP/2.0/UDP far.example:5099;branch=z9hG4bKx\n"),
			 200);
	assert_int_equal(ask("path", "Contact: <sip:a@HOST>\nUser-Agent: two\nSupported: path\n"), 200);
	c = only("path");
	assert_text(c, AST_SIP_CONTACT_PATH, "<sip:p1;lr>"); /* not sent again, so it stays */
	assert_text(c, AST_SIP_CONTACT_URI, "sip:a@host");
	assert_text(c, AST_SIP_CONTACT_USER_AGENT, "two");
	assert_text(c, AST_SIP_CONTACT_VIA_HOST, "far.example");
	assert_int_equal(c->data.via_port, 5099);
	assert_int_equal(c->data.cseq, cseq);
	assert_int_equal(ask("path", "Contact: <sip:a@host>\nSupported: path\nPath: <sip:p2;lr>\n"), 200);
	assert_text(only("path"), AST_SIP_CONTACT_PATH, "<sip:p2;lr>");
	endpoint_name = "other";
	assert_int_equal(ask("m2", "Contact: <sip:a@host>\n"), 200);
	endpoint_name = "phone";
	assert_int_equal(ask("m2", "Contact: <sip:a@host>\n"), 200);
	assert_text(only("m2"), AST_SIP_CONTACT_ENDPOINT, "other");
}

static void path_needs_the_sender_to_know_it(void **state)
{
	(void)state;
	assert_int_equal(ask("path", "Contact: <sip:a@host>\nPath: <sip:p1;lr>\n"), 420);
	assert_int_equal(ask("path", "Contact: <sip:a@host>\nSupported: path\nPath: <nonsense\n"), 400);
	assert_string_equal(letters("path"), "");
	assert_int_equal(ask("m2", "Contact: <sip:a@host>\nPath: <sip:p1;lr>\n"), 200); /* support_path is off */
	assert_text(only("m2"), AST_SIP_CONTACT_PATH, "");
	assert_null(ct_header(answer, "Path", 0));
}

static void a_question_lists_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(ask("perm", "Contact: <sip:a@host>;expires=100\nExpires: 9\n"), 200);
	assert_string_equal(ct_header(answer, "Expires", 0), "9");
	sim_run_for(40 * SIM_SECOND);
	assert_int_equal(ask("perm", ""), 200);
	assert_string_equal(ct_header(answer, "Contact", 0), "<sip:p@10.0.0.9>");
	assert_string_equal(ct_header(answer, "Contact", 1), "<sip:a@host>;expires=60");
	assert_null(ct_header(answer, "Contact", 2));
}

/* ---- limits ---- */

static char *fill(char *buf, const char *before, size_t n, const char *after)
{
	size_t len = (size_t)sprintf(buf, "%s", before);

	memset(buf + len, 'x', n);
	strcpy(buf + len + n, after);
	return buf;
}

static void limits_of_a_contact(void **state)
{
	char buf[4096];

	(void)state;
	/* "sip:a@" and "host" are 10 */
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a", REGISTRAR_MAX_URI - 10, "@host>\n")), 200);
	assert_int_equal(ask("m1", "Contact: *\nExpires: 0\n"), 200);
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a", REGISTRAR_MAX_URI - 9, "@host>\n")), 400);
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@", REGISTRAR_MAX_HOST, ">\n")), 200);
	assert_int_equal(ask("m1", "Contact: *\nExpires: 0\n"), 200);
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@", REGISTRAR_MAX_HOST + 1, ">\n")), 400);
	assert_string_equal(letters("m1"), "");
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@b>;", REGISTRAR_MAX_PARAMS - 1, "\n")), 200);
	assert_int_equal(ast_sip_contact_text(only("m1"), AST_SIP_CONTACT_PARAMS).len, REGISTRAR_MAX_PARAMS);
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@b>;", REGISTRAR_MAX_PARAMS, "\n")), 200);
	assert_text(only("m1"), AST_SIP_CONTACT_PARAMS, "");
	assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@b>;+sip.instance=\"", REGISTRAR_MAX_INSTANCE, "\"\n")),
			 200);
	assert_int_equal(ast_sip_contact_text(only("m1"), AST_SIP_CONTACT_INSTANCE).len, REGISTRAR_MAX_INSTANCE);
	assert_int_equal(
		ask("m1", fill(buf, "Contact: <sip:a@b>;+sip.instance=\"", REGISTRAR_MAX_INSTANCE + 1, "\"\n")), 200);
	assert_text(only("m1"), AST_SIP_CONTACT_INSTANCE, "");
}

static void limits_of_a_request(void **state)
{
	char buf[8192];
	size_t n;

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		assert_int_equal(ask("m1", fill(buf, "Contact: <sip:a@b>\nUser-Agent: ",
						REGISTRAR_MAX_USER_AGENT + extra, "\n")),
				 200);
		assert_int_equal(ast_sip_contact_text(only("m1"), AST_SIP_CONTACT_USER_AGENT).len,
				 REGISTRAR_MAX_USER_AGENT);
	}
	/* "<sip:>" is 6 */
	assert_int_equal(ask("path", fill(buf, "Contact: <sip:a@b>\nSupported: path\nPath: <sip:",
					  REGISTRAR_MAX_PATH - 6, ">\n")),
			 200);
	assert_int_equal(ast_sip_contact_text(only("path"), AST_SIP_CONTACT_PATH).len, REGISTRAR_MAX_PATH);
	assert_int_equal(ask("path", fill(buf, "Contact: <sip:a@b>\nSupported: path\nPath: <sip:",
					  REGISTRAR_MAX_PATH - 5, ">\n")),
			 400);
	for (unsigned count = REGISTRAR_MAX_CONTACTS; count <= REGISTRAR_MAX_CONTACTS + 1; count++) {
		n = 0;
		for (unsigned i = 0; i < count; i++)
			n += (size_t)snprintf(buf + n, sizeof(buf) - n, "Contact: <sip:%u@b>\n", i);
		assert_int_equal(ask("big", buf), count > REGISTRAR_MAX_CONTACTS ? 400 : 200);
		assert_int_equal(strlen(letters("big")), REGISTRAR_MAX_CONTACTS);
	}
}

static void the_most_bindings_of_all_aors_holds(void **state)
{
	(void)state;
	start("max_bindings=4\n"); /* perm's own is one of them */
	assert_int_equal(ask("m2", "Contact: <sip:a@b>, <sip:b@b>\n"), 200);
	assert_int_equal(ask("big", "Contact: <sip:a@b>, <sip:b@b>\n"), 503);
	assert_string_equal(letters("big"), "");
	assert_int_equal(ask("big", "Contact: <sip:a@b>\n"), 200);
	assert_int_equal(ask("m1", "Contact: <sip:a@b>\n"), 503);
	assert_int_equal(ask("m2", "Contact: <sip:a@b>\n"), 200); /* no more than before */
	assert_int_equal(ask("m2", "Contact: <sip:a@b>;expires=0\n"), 200);
	assert_int_equal(ask("m1", "Contact: <sip:a@b>\n"), 200);
}

static void a_jump_of_the_wall_clock_moves_no_expiry(void **state)
{
	(void)state;
	assert_int_equal(ask("m1", "Contact: <sip:a@b>;expires=100\n"), 200);
	for (int i = 0; i < 2; i++) {
		sim_clock_jump_wall(i ? -7200 * SIM_SECOND : 3600 * SIM_SECOND);
		assert_int_equal(ask("m1", ""), 200);
		assert_non_null(strstr(ct_header(answer, "Contact", 0), ";expires=100"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_limits_of_contacts),
		T(no_contacts_may_be_registered_where_max_contacts_is_0),
		T(many_contacts_and_more_that_give_way),
		T(the_log_says_why_a_binding_went),
		T(how_long_a_binding_lasts),
		T(q_values),
		T(a_star_stands_alone_with_expires_0),
		T(an_order_that_is_not_newer_is_refused),
		T(equal_uris_in_one_request_are_one_binding),
		T(an_instance_that_moves_takes_its_place),
		T(an_instance_may_move_to_a_uri_that_is_bound),
		T(all_fields_of_a_binding),
		T(a_refresh_keeps_where_it_came_from),
		T(path_needs_the_sender_to_know_it),
		T(a_question_lists_and_changes_nothing),
		T(limits_of_a_contact),
		T(limits_of_a_request),
		cmocka_unit_test_teardown(the_most_bindings_of_all_aors_holds, teardown),
		T(a_jump_of_the_wall_clock_moves_no_expiry),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
