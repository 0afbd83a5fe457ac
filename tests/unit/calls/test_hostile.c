/*
 * Header values as nobody should write them, made at random from good ones: whatever is made of them can be read again,
 * has no controls, and stays within its limits.
 */
#include "calls_test.h"

#define ROUNDS 4000

static int start(void **state)
{
	(void)state;
	ct_start("", NULL);
	return 0;
}

static uint64_t seed = 88172645463325252u;

static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static const char *const names[] = {"From",      "P-Asserted-Identity", "Remote-Party-ID", "Privacy",
				    "Diversion", "History-Info",        "Reason"};
static const char *const values[RS_ARRAY_SIZE(names)][3] = {
	{"\"Lea \\\"L\\\"\" <sip:lea%20x@example.net>;tag=1", "<tel:+49-30;phone-context=x>;tag=1", "sip:a@b;tag=1"},
	{"\"B\" <sip:+49;ext=1@x;user=phone>, <tel:+49>", "<sips:b@[::1]:5061>",
	 "\"\" <sip:anonymous@anonymous.invalid>"},
	{"\"R\" <sip:r@x>;party=calling;privacy=full;screen=yes", "<sip:r@x>;privacy=\"off\"", "<sip:x>;party=called"},
	{"id;critical", "none", "header;session;history"},
	{"\"D, E\" <sip:d@x>;reason=\"user-busy\";counter=7;privacy=full", "<tel:+1>, sip:e@x;counter=1", "<sip:x>"},
	{"<sip:h@x?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1.1;mp=1", "<tel:+1>;index=1",
	 "sip:i@x;index=1.2.3"},
	{"SIP;cause=200;text=\"a, \\\"b\\\"\"", "Q.850;cause=16, SIP;cause=1", "SIP"},
};
static const char spice[] = "\"\\<>;,=@:?&%%. \t-+*[]09azAZ'`#|~\x01\x1b\x7f\x80\x9b\xc2\xc3\xe2\xf0\xff";

/* Bytes changed, left out, and put in; neither CR nor LF, which would make other lines of it, but folds. */
static size_t spoil(const char *value, char *out, size_t size)
{
	size_t len = 0;
	unsigned often = 2 + below(30);

	for (; *value && len + 8 < size; value++) {
		unsigned how = below(often);

		if (how == 0 && below(8) == 0) {
			memcpy(out + len, "\r\n ", 3);
			len += 3;
		} else if (how == 0) {
			out[len++] = spice[below(sizeof(spice) - 1)];
		}
		if (how != 1)
			out[len++] = *value;
	}
	return len;
}

static size_t hostile_lines(char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++) {
		unsigned lines = i ? below(3) : 1;

		for (unsigned k = 0; k < lines; k++) {
			len += (size_t)snprintf(out + len, size - len, "%s: ", names[i]);
			len += spoil(values[i][below(3)], out + len, size - len);
			len += (size_t)snprintf(out + len, size - len, "\r\n");
		}
	}
	return len;
}

static bool parse_lines(struct parsed_msg *m)
{
	static const char head[] =
		"INVITE sip:desk@example.net SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKt\r\n" TO_DESK;
	size_t len = sizeof(head) - 1;

	memcpy(m->text, head, len);
	len += hostile_lines(m->text + len, sizeof(m->text) - len - 2);
	memcpy(m->text + len, "\r\n", 2);
	rs_arena_init(&m->arena, m->mem, sizeof(m->mem), SIP_MAX_ARENA);
	return sip_msg_parse(&m->msg, &m->arena, rs_str_n(m->text, len + 2), false, NULL) == SIP_PARSE_DONE;
}

static void can_be_read(enum sip_hdr_id id, struct rs_str value)
{
	char room[2048];
	struct rs_arena arena;
	struct sip_hdr_values v;

	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			fail_msg("a control in \"%.*s\"", RS_FMT(value));
	}
	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (sip_hdr_parse(id, value, &arena, &v))
		fail_msg("%.*s: \"%.*s\" cannot be read", RS_FMT(sip_hdr_name(id)), RS_FMT(value));
	rs_arena_reset(&arena);
}

static void all_can_be_read(struct sip_tx_data *tx)
{
	static const enum sip_hdr_id ids[] = {SIP_HDR_P_ASSERTED_IDENTITY, SIP_HDR_REMOTE_PARTY_ID, SIP_HDR_PRIVACY,
					      SIP_HDR_DIVERSION, SIP_HDR_HISTORY_INFO};

	for (size_t i = 0; i < RS_ARRAY_SIZE(ids); i++) {
		struct rs_str v;

		for (unsigned n = 0; (v = sip_tx_hdr_nth(tx, ids[i], n)).len; n++) {
			assert_true(n < CALL_MAX_DIVERSIONS);
			can_be_read(ids[i], v);
		}
	}
}

static struct ast_sip_endpoint_settings any_settings(void)
{
	return (struct ast_sip_endpoint_settings){.trust_id_inbound = below(2),
						  .trust_id_outbound = below(2),
						  .send_pai = below(2),
						  .send_rpid = below(2),
						  .send_diversion = below(4) > 0,
						  .send_history_info = below(4) > 0,
						  .user_eq_phone = below(2)};
}

static void tell_party(struct sip_msg *msg, const struct ast_sip_endpoint_settings *in,
		       const struct ast_sip_endpoint_settings *out, struct sip_tx_data *tx)
{
	const struct call_told to = {.endpoint = out, .default_user = RS_STR("s"), .local_host = RS_STR("10.0.0.1")};
	char from[CALL_MAX_FROM];
	struct call_party p;
	int n;

	if (call_party_from_request(msg, in, &p))
		return;
	assert_true(p.name.len <= CALL_MAX_NAME && p.number.len <= CALL_MAX_NUMBER && p.host.len <= CALL_MAX_HOST);
	n = call_party_print_from(&p, &to, from, sizeof(from));
	assert_true(n > 0);
	can_be_read(SIP_HDR_FROM, rs_str_n(from, (size_t)n));
	if (p.presentation != CALL_ALLOWED && !out->trust_id_outbound)
		assert_non_null(memmem(from, (size_t)n, "<sip:anonymous@anonymous.invalid>", 33));
	assert_int_equal(call_party_add_headers(&p, &to, CALL_SIDE_CALLING, tx), 0);
	if (p.presentation != CALL_ALLOWED && !out->trust_id_outbound) {
		assert_hdr(tx, SIP_HDR_P_ASSERTED_IDENTITY, 0, "");
		assert_hdr(tx, SIP_HDR_REMOTE_PARTY_ID, 0, "");
	}
	call_party_fini(&p);
}

static void tell_diversion(struct sip_msg *msg, const struct ast_sip_endpoint_settings *in,
			   const struct ast_sip_endpoint_settings *out, struct sip_tx_data *tx)
{
	struct call_diversion d;
	char name[64];
	struct call_hop hop = {.name = rs_str_n(name, spoil("Name", name, sizeof(name))),
			       .from = below(2) ? msg->uri_text : RS_STR("sip:x@y?a=b"),
			       .to = RS_STR("sip:z@y"),
			       .status = below(2) ? 486 : 0,
			       .prohibited = below(2)};

	assert_int_equal(call_diversion_from_request(msg, in, &d), 0);
	for (unsigned i = below(4); i; i--)
		assert_int_equal(call_diversion_add(&d, &hop), 0);
	assert_int_equal(call_diversion_add_headers(&d, out, tx), 0);
	call_diversion_fini(&d);
}

static void whatever_is_made_of_it_can_be_read(void **state)
{
	static struct parsed_msg m;
	unsigned parsed = 0, told = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct ast_sip_endpoint_settings in = any_settings(), out = any_settings();
		char reason[CALL_MAX_REASON];
		struct sip_tx_data *tx;
		struct rs_str r;

		if (parse_lines(&m)) {
			parsed++;
			tx = outgoing("sip:bob@10.0.0.9");
			tell_party(&m.msg, &in, &out, tx);
			tell_diversion(&m.msg, &in, &out, tx);
			all_can_be_read(tx);
			told += sip_tx_hdr(tx, SIP_HDR_DIVERSION).len > 0;
			r = call_reason_from(&m.msg, reason);
			if (r.len)
				can_be_read(SIP_HDR_REASON, r);
			sip_tx_unref(tx);
		}
		msg_end(&m);
	}
	/* Most of it reaches what it is made for. */
	assert_true(parsed > ROUNDS / 2);
	assert_true(told > ROUNDS / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_is_made_of_it_can_be_read)};

	return cmocka_run_group_tests(tests, start, ct_teardown);
}
