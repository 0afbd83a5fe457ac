/* What a leg is told of the party at the other end: From, P-Asserted-Identity, Remote-Party-ID, Privacy. */
#include "calls_test.h"

static int start(void **state)
{
	(void)state;
	ct_start("", NULL);
	return 0;
}

static struct call_party party(const char *name, const char *number, enum call_presentation presentation)
{
	struct call_party p;

	assert_int_equal(call_party_set(&p, rs_str_c(name), rs_str_c(number), RS_STR("far.example")), 0);
	p.presentation = (uint8_t)presentation;
	return p;
}

static void from_is(const struct call_party *p, const struct ast_sip_endpoint_settings *e, const char *expected)
{
	const struct call_told told = {
		.endpoint = e, .default_user = RS_STR("server"), .local_host = RS_STR("10.0.0.1:5060")};
	char from[CALL_MAX_FROM];
	int n = call_party_print_from(p, &told, from, sizeof(from));
	char room[512];
	struct rs_arena arena;
	struct sip_hdr_values v;

	assert_true(n > 0);
	assert_str(rs_str_n(from, (size_t)n), expected);
	/* Whoever reads it finds no parameter of a caller's making. */
	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	assert_int_equal(sip_hdr_parse(SIP_HDR_FROM, rs_str_n(from, (size_t)n), &arena, &v), 0);
	assert_int_equal(v.v.name_addr[0].params.n, 0);
	rs_arena_reset(&arena);
}

static void from_is_the_caller_at_our_address(void **state)
{
	static const struct {
		const char *name, *number, *from;
	} cases[] = {
		{"Lea", "lea", "\"Lea\" <sip:lea@10.0.0.1:5060>"},
		{"", "lea", "<sip:lea@10.0.0.1:5060>"},
		{"Lea", "", "\"Lea\" <sip:server@10.0.0.1:5060>"},
		{"", "", "<sip:server@10.0.0.1:5060>"},
		{"A \"B\" \\ C", "1", "\"A \\\"B\\\" \\\\ C\" <sip:1@10.0.0.1:5060>"},
		{"J\xc3\xb6rg", "1", "\"J\xc3\xb6rg\" <sip:1@10.0.0.1:5060>"},
		{"a\r\nVia: x", "1", "\"a  Via: x\" <sip:1@10.0.0.1:5060>"},
		{"a\" <sip:evil@x>;tag=1", "1", "\"a\\\" <sip:evil@x>;tag=1\" <sip:1@10.0.0.1:5060>"},
		{"\x01", "1", "<sip:1@10.0.0.1:5060>"},
		{"", "a b@c>:#\xc3\xb6", "<sip:a%20b%40c%3E%3A%23%C3%B6@10.0.0.1:5060>"},
	};
	struct ast_sip_endpoint_settings e = {0};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		struct call_party p = party(cases[i].name, cases[i].number, CALL_ALLOWED);

		from_is(&p, &e, cases[i].from);
		call_party_fini(&p);
	}
}

static void from_user_and_from_domain_stand_in_its_place(void **state)
{
	struct call_party p = party("Lea", "lea", CALL_ALLOWED);
	struct ast_sip_endpoint_settings e = {.from_domain = RS_STR("example.org")};

	(void)state;
	from_is(&p, &e, "\"Lea\" <sip:lea@example.org>");
	e.from_user = RS_STR("acct");
	from_is(&p, &e, "<sip:acct@example.org>"); /* whose name it is does not stand there */
	e.from_domain = RS_STR_NULL;
	from_is(&p, &e, "<sip:acct@10.0.0.1:5060>");
	e.from_user = RS_STR("a:b");
	from_is(&p, &e, "<sip:a%3Ab@10.0.0.1:5060>");
	call_party_fini(&p);
}

static void who_may_not_be_presented_is_anonymous(void **state)
{
	static const enum call_presentation restricted[] = {CALL_PROHIBITED, CALL_UNAVAILABLE};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(restricted); i++) {
		struct call_party p = party("Lea", "lea", restricted[i]);
		struct ast_sip_endpoint_settings e = {.user_eq_phone = true};

		from_is(&p, &e, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
		e.send_pai = true;
		from_is(&p, &e, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
		/* A trusted one is told elsewhere, when it can be. */
		e.trust_id_outbound = true;
		from_is(&p, &e, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
		e.send_pai = false;
		e.send_rpid = true;
		from_is(&p, &e, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
		e.send_rpid = false;
		from_is(&p, &e, "\"Lea\" <sip:lea@10.0.0.1:5060>");
		e.from_user = RS_STR("acct"); /* nor does the party stand in this one */
		from_is(&p, &e, "\"Anonymous\" <sip:acct@anonymous.invalid>");
		e.trust_id_outbound = false;
		from_is(&p, &e, "\"Anonymous\" <sip:acct@anonymous.invalid>");
		e.from_domain = RS_STR("example.org");
		from_is(&p, &e, "\"Anonymous\" <sip:acct@example.org>");
		call_party_fini(&p);
	}
}

static void user_phone_marks_numbers_alone(void **state)
{
	static const struct {
		const char *number;
		bool phone;
	} cases[] = {{"123", true},  {"+123", true}, {"+", false},   {"", false},
		     {"12a", false}, {"1+2", false}, {"*72", false}, {"1 2", false}};
	struct ast_sip_endpoint_settings e = {.user_eq_phone = true, .send_pai = true};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		const struct call_told told = {.endpoint = &e, .local_host = RS_STR("h")};
		struct call_party p = party("", cases[i].number, CALL_ALLOWED);
		char from[CALL_MAX_FROM];
		int n = call_party_print_from(&p, &told, from, sizeof(from));

		assert_true(n > 0);
		assert_int_equal(memmem(from, (size_t)n, ";user=phone>", 12) != NULL, cases[i].phone);
		call_party_fini(&p);
	}
}

static void a_from_that_does_not_fit_is_none(void **state)
{
	static char domain[2000];
	struct call_party p = party("Lea", "lea", CALL_ALLOWED);
	struct ast_sip_endpoint_settings e = {0};
	struct call_told told = {.endpoint = &e, .local_host = RS_STR("10.0.0.1")};
	char from[CALL_MAX_FROM];
	int n = call_party_print_from(&p, &told, from, sizeof(from));

	(void)state;
	assert_true(n > 0);
	assert_int_equal(call_party_print_from(&p, &told, from, (size_t)n), n);
	assert_int_equal(call_party_print_from(&p, &told, from, (size_t)n - 1), -1);
	assert_int_equal(call_party_print_from(&p, &told, from, 0), -1);
	memset(domain, 'd', sizeof(domain));
	e.from_domain = rs_str_n(domain, sizeof(domain));
	assert_int_equal(call_party_print_from(&p, &told, from, sizeof(from)), -1);
	e.from_domain = RS_STR_NULL;
	e.from_user = rs_str_n(domain, sizeof(domain));
	assert_int_equal(call_party_print_from(&p, &told, from, sizeof(from)), -1);
	call_party_fini(&p);
}

static void the_longest_party_fits(void **state)
{
	char name[CALL_MAX_NAME], number[CALL_MAX_NUMBER], host[CALL_MAX_HOST], from[CALL_MAX_FROM];
	struct ast_sip_endpoint_settings e = {.user_eq_phone = true, .send_pai = true, .send_rpid = true};
	struct call_told told = {.endpoint = &e, .local_host = rs_str_n(host, sizeof(host))};
	struct sip_tx_data *tx = outgoing("sip:b@h");
	struct call_party p;

	(void)state;
	memset(name, '"', sizeof(name));
	memset(number, ' ', sizeof(number));
	memset(host, 'h', sizeof(host));
	assert_int_equal(
		call_party_set(&p, rs_str_n(name, sizeof(name)), rs_str_n(number, sizeof(number)), told.local_host), 0);
	assert_int_equal(p.name.len, CALL_MAX_NAME);
	assert_int_equal(p.number.len, CALL_MAX_NUMBER);
	assert_int_equal(p.host.len, CALL_MAX_HOST);
	assert_true(call_party_print_from(&p, &told, from, sizeof(from)) > 2 * CALL_MAX_NAME + 3 * CALL_MAX_NUMBER);
	assert_int_equal(call_party_add_headers(&p, &told, CALL_SIDE_CALLED, tx), 0);
	assert_true(sip_tx_hdr(tx, SIP_HDR_REMOTE_PARTY_ID).len > 2 * CALL_MAX_NAME + 3 * CALL_MAX_NUMBER);
	call_party_fini(&p);
	sip_tx_unref(tx);
}

struct headers {
	bool pai, rpid, trust;
	enum call_presentation presentation;
	unsigned privacy;
	const char *asserted, *remote, *priv; /* "": none */
};

static void headers_are(const struct headers *h, enum call_side side)
{
	struct ast_sip_endpoint_settings e = {.send_pai = h->pai, .send_rpid = h->rpid, .trust_id_outbound = h->trust};
	const struct call_told told = {.endpoint = &e, .local_host = RS_STR("10.0.0.1")};
	struct call_party p = party("Lea", "lea", h->presentation);
	struct sip_tx_data *tx = outgoing("sip:b@h");

	p.privacy = (uint8_t)h->privacy;
	assert_int_equal(call_party_add_headers(&p, &told, side, tx), 0);
	assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 0, h->asserted);
	assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 1, "");
	assert_hdr(tx, SIP_HDR_REMOTE_PARTY_ID, 0, h->remote);
	assert_hdr(tx, SIP_HDR_PRIVACY, 0, h->priv);
	assert_hdr(tx, SIP_HDR_PRIVACY, 1, "");
	call_party_fini(&p);
	sip_tx_unref(tx);
}

#define WHO     "\"Lea\" <sip:lea@10.0.0.1>"
#define CALLING WHO ";party=calling"

static void a_request_tells_what_the_endpoint_may_know(void **state)
{
	static const struct headers cases[] = {
		{false, false, false, CALL_ALLOWED, 0, "", "", ""},
		{true, false, false, CALL_ALLOWED, 0, WHO, "", ""},
		{false, true, false, CALL_ALLOWED, 0, "", CALLING ";privacy=off;screen=no", ""},
		{true, true, true, CALL_ALLOWED, 0, WHO, CALLING ";privacy=off;screen=no", ""},
		/* The identity stays here; that it was asked for is told. */
		{true, true, false, CALL_PROHIBITED, CALL_PRIVACY_ID, "", "", "id"},
		{true, true, false, CALL_UNAVAILABLE, 0, "", "", "id"},
		{false, false, false, CALL_PROHIBITED, CALL_PRIVACY_USER, "", "", "id"},
		{true, true, true, CALL_PROHIBITED, CALL_PRIVACY_ID | CALL_PRIVACY_CRITICAL, WHO,
		 CALLING ";privacy=full;screen=no", "id;critical"},
		/* It stands in From: who gets it has to take it out of there. */
		{false, false, true, CALL_PROHIBITED, CALL_PRIVACY_ID, "", "", "user;id"},
		/* Headers are hidden here; media and history are left to others. */
		{true, false, false, CALL_ALLOWED, CALL_PRIVACY_HEADER | CALL_PRIVACY_CRITICAL, WHO, "", ""},
		{true, false, false, CALL_ALLOWED, CALL_PRIVACY_SESSION | CALL_PRIVACY_HISTORY, WHO, "", "session"},
		{true, false, true, CALL_PROHIBITED, CALL_PRIVACY_HISTORY | CALL_PRIVACY_HEADER, WHO, "", "id;history"},
		{true, false, false, CALL_ALLOWED, CALL_PRIVACY_NONE, WHO, "", "none"},
		{true, false, false, CALL_PROHIBITED, CALL_PRIVACY_NONE, "", "", "id"},
		{true, false, false, CALL_ALLOWED, CALL_PRIVACY_OTHER, WHO, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++)
		headers_are(&cases[i], CALL_SIDE_CALLING);
}

static void an_answer_tells_the_called_party(void **state)
{
	static const struct headers cases[] = {
		{true, true, false, CALL_ALLOWED, 0, WHO, WHO ";party=called;privacy=off;screen=no", ""},
		{true, true, false, CALL_PROHIBITED, 0, "", "", "id"},
		{true, true, true, CALL_PROHIBITED, 0, WHO, WHO ";party=called;privacy=full;screen=no", "id"},
		{false, false, true, CALL_PROHIBITED, 0, "", "", "id"}, /* no From of its own */
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++)
		headers_are(&cases[i], CALL_SIDE_CALLED);
}

static void a_number_is_what_is_asserted(void **state)
{
	struct ast_sip_endpoint_settings e = {.send_pai = true, .send_rpid = true};
	const struct call_told told = {.endpoint = &e, .default_user = RS_STR("server"), .local_host = RS_STR("h")};
	struct call_party p = party("Lea", "", CALL_ALLOWED);
	struct sip_tx_data *tx = outgoing("sip:b@h");

	(void)state;
	assert_int_equal(call_party_add_headers(&p, &told, CALL_SIDE_CALLING, tx), 0);
	assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 0, "");
	assert_hdr(tx, SIP_HDR_REMOTE_PARTY_ID, 0, "");
	call_party_fini(&p);
	p = party("", "1", CALL_ALLOWED);
	p.screening = CALL_PASSED_SCREEN;
	assert_int_equal(call_party_add_headers(&p, &told, CALL_SIDE_CALLING, tx), 0);
	assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 0, "<sip:1@h>");
	assert_hdr(tx, SIP_HDR_REMOTE_PARTY_ID, 0, "<sip:1@h>;party=calling;privacy=off;screen=yes");
	call_party_fini(&p);
	sip_tx_unref(tx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_is_the_caller_at_our_address),
		cmocka_unit_test(from_user_and_from_domain_stand_in_its_place),
		cmocka_unit_test(who_may_not_be_presented_is_anonymous),
		cmocka_unit_test(user_phone_marks_numbers_alone),
		cmocka_unit_test(a_from_that_does_not_fit_is_none),
		cmocka_unit_test(the_longest_party_fits),
		cmocka_unit_test(a_request_tells_what_the_endpoint_may_know),
		cmocka_unit_test(an_answer_tells_the_called_party),
		cmocka_unit_test(a_number_is_what_is_asserted),
	};

	return cmocka_run_group_tests(tests, start, ct_teardown);
}
