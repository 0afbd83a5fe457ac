/*
 * Classes of bugs that SIP peers have had, as far as the message layer alone shows them: what a hostile sender writes
 * twice, leaves out, lets overflow or hides, and the verdict it must get.
 */
#include "message_test.h"

static struct parsed p;
static char big[SIP_MAX_MSG + 4096];

#define FINE   200
#define UNREAD 0 /* nothing there that could be answered */

static unsigned verdict_as(struct rs_str s, bool stream)
{
	unsigned status = FINE;

	if (parse_into(&p, s, stream) != SIP_PARSE_DONE)
		status = UNREAD;
	else if (sip_msg_check(&p.msg))
		status = p.msg.flaw_status;
	return status;
}

/* The lines that a request must have; NULL: the usual one. Those of row stand in their place. */
struct row {
	const char *what;
	unsigned status;
	const char *via, *from, *to, *id, *cseq, *more;
};

static struct rs_str text_of(const struct row *r)
{
	int n = snprintf(big, sizeof(big), "OPTIONS sip:desk@example.net SIP/2.0\r\n%s%s%s%s%s%s\r\n",
			 r->via ? r->via : "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKt\r\n",
			 r->from ? r->from : "From: <sip:lea@example.net>;tag=l1\r\n",
			 r->to ? r->to : "To: <sip:desk@example.net>\r\n", r->id ? r->id : "Call-ID: t@192.0.2.7\r\n",
			 r->cseq ? r->cseq : "CSeq: 1 OPTIONS\r\n", r->more ? r->more : "");

	return rs_str_n(big, (size_t)n);
}

static void each_has_its_verdict(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned status = verdict_as(text_of(&rows[i]), false);

		if (status != rows[i].status)
			fail_msg("%s: %u, not %u", rows[i].what, status, rows[i].status);
		done(&p);
	}
}

/* ---- twice, empty, hidden ---- */

#define VIA_OF(params)  "Via: SIP/2.0/UDP 192.0.2.7" params "\r\n"
#define FROM_OF(params) "From: <sip:lea@example.net>" params "\r\n"
#define TO_OF(params)   "To: <sip:desk@example.net>" params "\r\n"

static void what_stands_twice_with_two_meanings_is_400(void **state)
{
	static const struct row rows[] = {
		{"two To", 400, .to = TO_OF("") "t: <sip:other@example.net>\r\n"},
		{"two From", 400, .from = FROM_OF(";tag=1") "From: <sip:eve@example.net>;tag=1\r\n"},
		{"two From by tag", 400, .from = FROM_OF(";tag=1") FROM_OF(";tag=2")},
		{"two Call-ID", 400, .id = "Call-ID: a\r\ni: b\r\n"},
		{"two Call-ID by case", 400, .id = "Call-ID: a\r\nCall-ID: A\r\n"},
		{"two CSeq by number", 400, .cseq = "CSeq: 1 OPTIONS\r\nCSeq: 2 OPTIONS\r\n"},
		{"two CSeq by method", 400, .cseq = "CSeq: 1 OPTIONS\r\nCSeq: 1 BYE\r\n"},
		{"two Max-Forwards", 400, .more = "Max-Forwards: 1\r\nMax-Forwards: 70\r\n"},
		{"two Content-Length", 400, .more = "Content-Length: 0\r\nl: 1\r\n"},
		{"two Content-Type", 400, .more = "Content-Type: text/plain\r\nc: application/sdp\r\n"},
		{"two Expires", 400, .more = "Expires: 0\r\nExpires: 3600\r\n"},
		{"To list", 400, .to = "To: <sip:a@example.net>, <sip:b@example.net>\r\n"},
		{"From list", 400, .from = "From: <sip:a@example.net>;tag=1, <sip:b@example.net>;tag=2\r\n"},
		{"two Call-ID in a line", 400, .id = "Call-ID: a, b\r\n"},
		{"From tag twice", 400, .from = FROM_OF(";tag=1;tag=2")},
		{"From tag twice the same", 400, .from = FROM_OF(";tag=1;TAG=1")},
		{"To tag twice", 400, .to = TO_OF(";tag=1;x=y;Tag=1")},
		{"branch twice", 400, .via = VIA_OF(";branch=z9hG4bKa;branch=z9hG4bKb")},
		{"branch twice the same", 400, .via = VIA_OF(";branch=z9hG4bKa;Branch=z9hG4bKa")},
		{"rport twice", 400, .via = VIA_OF(";rport;branch=z9hG4bKa;rport=7")},
		{"received twice", 400, .via = VIA_OF(";received=192.0.2.8;branch=z9hG4bKa;received=192.0.2.9")},
		{"maddr twice", 400, .via = VIA_OF(";maddr=192.0.2.8;branch=z9hG4bKa;maddr=192.0.2.9")},
		{"the same To twice", FINE, .to = TO_OF("") TO_OF("")},
		{"the same Content-Length twice", FINE, .more = "Content-Length: 0\r\nl: 0\r\n"},
		{"two Via in a line", FINE, .via = VIA_OF(";branch=z9hG4bKa, SIP/2.0/UDP b;branch=z9hG4bKb")},
	};

	(void)state;
	each_has_its_verdict(rows, RS_ARRAY_SIZE(rows));
}

static void what_is_empty_is_400(void **state)
{
	static const struct row rows[] = {
		{"From tag= ", 400, .from = FROM_OF(";tag=")},
		{"From tag", 400, .from = FROM_OF(";tag")},
		{"From tag=\"\"", 400, .from = FROM_OF(";tag=\"\"")},
		{"To tag=", 400, .to = TO_OF(";tag=")},
		{"To tag", 400, .to = TO_OF(";tag;x=y")},
		{"To tag=;", 400, .to = TO_OF(";tag=;x=y")},
		{"branch=", 400, .via = VIA_OF(";branch=;rport")},
		{"branch", 400, .via = VIA_OF(";branch")},
		{"received=", 400, .via = VIA_OF(";branch=z9hG4bKa;received=")},
		{"the cookie alone", 400, .via = VIA_OF(";branch=z9hG4bK")},
		{"the cookie alone in another case", 400, .via = VIA_OF(";branch=Z9HG4BK")},
		{"a parameter without a name", 400, .from = FROM_OF(";;tag=1")},
		{"Via of nothing", UNREAD, .via = "Via:\r\n"},
		{"Via of a comma", UNREAD, .via = "Via: ,\r\n"},
		{"To of nothing", 400, .to = "To:\r\n"},
		{"From of brackets", 400, .from = "From: <>;tag=1\r\n"},
		{"Call-ID of nothing", 400, .id = "Call-ID:\r\n"},
		{"CSeq of nothing", 400, .cseq = "CSeq:\r\n"},
		{"Max-Forwards of nothing", 400, .more = "Max-Forwards:\r\n"},
		{"Content-Length of nothing", 400, .more = "Content-Length:\r\n"},
		{"Contact of a comma", 400, .more = "Contact: ,\r\n"},
	};

	(void)state;
	each_has_its_verdict(rows, RS_ARRAY_SIZE(rows));
}

static void what_is_hidden_by_control_characters_is_400(void **state)
{
	static const struct row rows[] = {
		{"ESC before the colon", 400, .more = "X-One\x1b: 1\r\n"},
		{"VT before the colon", 400, .more = "Content-Length\v: 7\r\n"},
		{"8 bits before the colon", 400, .more = "Content-Length\xc2\xa0: 7\r\n"},
		{"blank and control before the colon", 400, .more = "Expires \x01: 7\r\n"},
		{"no name", 400, .more = ": 7\r\n"},
		{"bare CR", 400, .more = "X: 1\rContact: <sip:a@b>\r\n"},
		{"bare LF", 400, .more = "X: 1\nContact: <sip:a@b>\r\n"},
		{"blanks before the colon", FINE, .more = "Subject \t : 7\r\n"},
		{"DEL in the Call-ID", 400, .id = "Call-ID: a\x7f@b\r\n"},
		{"ESC in the Call-ID", 400, .id = "Call-ID: a\x1b[2J@b\r\n"},
		{"ESC in the From URI", 400, .from = "From: <sip:a\x1b@example.net>;tag=1\r\n"},
		{"ESC in an unquoted name", 400, .from = "From: a\x1b <sip:a@example.net>;tag=1\r\n"},
		{"ESC in the tag", 400, .from = FROM_OF(";tag=a\x1b")},
		{"ESC in the branch", 400, .via = VIA_OF(";branch=z9hG4bK\x1b")},
		{"NEL in a host", 400, .from = "From: <sip:a@ex\xc2\x85mple.net>;tag=1\r\n"},
	};

	(void)state;
	each_has_its_verdict(rows, RS_ARRAY_SIZE(rows));
}

/* The text with each '~' made a NUL. */
static unsigned with_nul(const char *line)
{
	struct rs_str s = text_of(&(struct row){.more = line});

	for (size_t i = 0; i < s.len; i++)
		big[i] = big[i] == '~' ? '\0' : big[i];
	return verdict_as(s, false);
}

static void a_nul_ends_nothing(void **state)
{
	static const char *const bad[] = {"Contact: <sip:a~b@c>\r\n", "Contact: <sip:a@b~>\r\n",
					  "Route: <sip:a;lr~>\r\n",   "Max-Forwards: 7~0\r\n",
					  "Content-Length: 0~\r\n",   "X~: y\r\n"};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		if (with_nul(bad[i]) != 400)
			fail_msg("%s passes", bad[i]);
		done(&p);
	}
	/* In free text it is a byte like any other: the value goes on behind it. */
	assert_int_equal(with_nul("Subject: a~b\r\n"), FINE);
	assert_int_equal(sip_msg_hdr(&p.msg, SIP_HDR_SUBJECT, 0)->value.len, 3);
	done(&p);
}

static void a_fold_in_a_quoted_string_ends_neither_string_nor_header(void **state)
{
	const struct sip_name_addr *from;

	(void)state;
	assert_int_equal(
		verdict_as(text_of(&(struct row){
				   .from = "From: \"a\r\n b;tag=no\r\n\t<sip:eve@x>\" <sip:lea@example.net>\r\n"
					   " ;tag=yes\r\n"}),
			   false),
		FINE);
	from = sip_msg_name_addr(&p.msg, SIP_HDR_FROM, 0);
	assert_str(from->tag, "yes");
	assert_str(p.msg.from_tag, "yes");
	assert_str(from->uri.user, "lea");
	done(&p);
	/* An open quote does not reach into the next header. */
	assert_int_equal(verdict_as(text_of(&(struct row){.from = "From: \"a\r\n b <sip:lea@example.net>;tag=1\r\n",
							  .to = "To: \"x\" <sip:desk@example.net>\r\n"}),
				    false),
			 400);
	assert_int_equal(p.msg.flaw_header, SIP_HDR_FROM);
	done(&p);
}

/* ---- numbers ---- */

static void numbers_that_route_do_not_wrap(void **state)
{
	static const struct row rows[] = {
		{"CSeq at most", FINE, .cseq = "CSeq: 4294967295 OPTIONS\r\n"},
		{"CSeq past it", 400, .cseq = "CSeq: 4294967296 OPTIONS\r\n"},
		{"CSeq 1 once 64 bits wrapped", 400, .cseq = "CSeq: 18446744073709551617 OPTIONS\r\n"},
		{"CSeq negative", 400, .cseq = "CSeq: -1 OPTIONS\r\n"},
		{"CSeq signed", 400, .cseq = "CSeq: +1 OPTIONS\r\n"},
		{"CSeq hex", 400, .cseq = "CSeq: 0x1 OPTIONS\r\n"},
		{"Max-Forwards at most", FINE, .more = "Max-Forwards: 255\r\n"},
		{"Max-Forwards past it", FINE, .more = "Max-Forwards: 256\r\n"}, /* as if it were absent */
		{"Max-Forwards huge", FINE, .more = "Max-Forwards: 18446744073709551617\r\n"},
		{"Max-Forwards negative", 400, .more = "Max-Forwards: -1\r\n"},
		{"Content-Length 1 once 32 bits wrapped", 400, .more = "Content-Length: 4294967297\r\n"},
		{"Content-Length 0 once 64 bits wrapped", 400, .more = "Content-Length: 18446744073709551616\r\n"},
		{"Content-Length negative", 400, .more = "Content-Length: -1\r\n"},
		{"Content-Length signed", 400, .more = "Content-Length: +0\r\n"},
		{"Via port past it", UNREAD, .via = "Via: SIP/2.0/UDP a:65536;branch=z9hG4bKa\r\n"},
		{"Via port wrapped", UNREAD, .via = "Via: SIP/2.0/UDP a:70596;branch=z9hG4bKa\r\n"},
		{"Via port 0", UNREAD, .via = "Via: SIP/2.0/UDP a:0;branch=z9hG4bKa\r\n"},
		{"rport past it", 400, .via = VIA_OF(";branch=z9hG4bKa;rport=65536")},
		{"rport 0", 400, .via = VIA_OF(";branch=z9hG4bKa;rport=0")},
		{"ttl is not looked at", FINE, .via = VIA_OF(";branch=z9hG4bKa;ttl=99999999999")},
		{"Contact port past it", 400, .more = "Contact: <sip:a@b:65536>\r\n"},
		{"Contact port 0", 400, .more = "Contact: <sip:a@b:0>\r\n"},
		{"Contact port of many digits", 400, .more = "Contact: <sip:a@b:00000000000000000000005060000>\r\n"},
		{"Route port past it", 400, .more = "Route: <sip:b:99999;lr>\r\n"},
		{"Contact expires and q are the registrar's", FINE,
		 .more = "Contact: <sip:a@b>;expires=99999999999999999999;q=1e999\r\n"},
	};

	(void)state;
	each_has_its_verdict(rows, RS_ARRAY_SIZE(rows));
}

static void numbers_that_last_are_saturated(void **state)
{
	static const enum sip_hdr_id ids[] = {SIP_HDR_EXPIRES, SIP_HDR_MIN_EXPIRES, SIP_HDR_MAX_BREADTH,
					      SIP_HDR_RETRY_AFTER, SIP_HDR_SESSION_EXPIRES};
	const struct sip_hdr_values *v;
	uint32_t n;

	(void)state;
	assert_int_equal(verdict_as(text_of(&(struct row){
					    .more = "Expires: 4294967296\r\nMin-Expires: 18446744073709551616\r\n"
						    "Max-Breadth: 99999999999\r\nRetry-After: 4294967297 (x)\r\n"
						    "Session-Expires: 340282366920938463463374607431768211456\r\n"
						    "Timestamp: 18446744073709551617.9999999999999999999999 99\r\n"}),
				    false),
			 FINE);
	for (size_t i = 0; i < RS_ARRAY_SIZE(ids); i++) {
		assert_true(sip_msg_number(&p.msg, ids[i], &n, NULL));
		assert_true(n == UINT32_MAX);
	}
	v = sip_msg_values(&p.msg, SIP_HDR_TIMESTAMP, NULL);
	assert_non_null(v);
	assert_true(v->v.timestamp[0].us > UINT32_MAX && v->v.timestamp[0].us < UINT64_MAX / 2 + 2000000);
	done(&p);
}

static void a_status_code_has_three_digits_of_a_class(void **state)
{
	static const char *const bad[] = {"0",    "99",    "099",        "700",  "1000",
					  "2000", "65736", "4294967496", "-200", "20 0"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		int n = snprintf(text, sizeof(text),
				 "SIP/2.0 %s OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
				 "To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
				 bad[i]);

		if (parse_into(&p, rs_str_n(text, (size_t)n), false) == SIP_PARSE_DONE && !p.msg.flaw)
			fail_msg("%s is a status", bad[i]);
		assert_int_equal(p.msg.flaw_status, 0); /* a response is never answered */
		done(&p);
	}
}

/* ---- limits: at and one past ---- */

static struct rs_str repeated(const char *first, const char *one, unsigned n, const char *last)
{
	size_t len =
		(size_t)snprintf(big, sizeof(big),
				 "OPTIONS sip:a SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\n"
				 "CSeq: 1 OPTIONS\r\n%s",
				 first);

	while (n--)
		len += (size_t)snprintf(big + len, sizeof(big) - len, "%s", one);
	len += (size_t)snprintf(big + len, sizeof(big) - len, "%s\r\n", last);
	return rs_str_n(big, len);
}

#define ONE_VIA "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n"

static unsigned many(const char *first, const char *one, unsigned n, const char *last)
{
	unsigned status = verdict_as(repeated(first, one, n, last), false);

	done(&p);
	return status;
}

static void many_of_everything_is_limited_where_it_costs(void **state)
{
	unsigned most = SIP_MAX_VALUES;

	(void)state;
	assert_int_equal(many("", ONE_VIA, most, ""), FINE);
	assert_int_equal(many("", ONE_VIA, most + 1, ""), 400);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bKx", ",SIP/2.0/UDP b", most - 1, "\r\n"), FINE);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bKx", ",SIP/2.0/UDP b", most, "\r\n"), 400);
	assert_int_equal(many(ONE_VIA, "Route: <sip:a;lr>\r\n", most, ""), FINE);
	assert_int_equal(many(ONE_VIA, "Route: <sip:a;lr>\r\n", most + 1, ""), 400);
	assert_int_equal(many(ONE_VIA, "m: <sip:a@b>\r\n", most, ""), FINE);
	assert_int_equal(many(ONE_VIA, "m: <sip:a@b>\r\n", most + 1, ""), 400);
	assert_int_equal(many(ONE_VIA "m: <sip:a@b>", ",<sip:a@b>", 1000, "\r\n"), 400);
	assert_int_equal(many(ONE_VIA "Record-Route: <sip:a;lr>", ",<sip:a;lr>", most, "\r\n"), 400);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bKx", ";a", SIP_MAX_PARAMS - 1, "\r\n"), FINE);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bKx", ";a", SIP_MAX_PARAMS, "\r\n"), 400);
	assert_int_equal(many(ONE_VIA, "X: y\r\n", SIP_MAX_HDRS - 5, ""), FINE);
	assert_int_equal(many(ONE_VIA, "X: y\r\n", SIP_MAX_HDRS - 4, ""), 513);
}

/* However far behind: up to the limit of lines it counts, past it nothing does. */
static void a_second_from_behind_many_headers_is_seen(void **state)
{
	(void)state;
	assert_int_equal(many(ONE_VIA, "X: y\r\n", SIP_MAX_HDRS - 6, "From: <sip:eve@b>;tag=1\r\n"), 400);
	assert_int_equal(many(ONE_VIA, "X: y\r\n", SIP_MAX_HDRS - 6, "Content-Length: 0\r\n"), FINE);
	assert_int_equal(many(ONE_VIA, "X: y\r\n", SIP_MAX_HDRS + 100, "From: <sip:eve@b>;tag=1\r\n"), 513);
}

static void long_values_pass_up_to_the_line_and_no_further(void **state)
{
	(void)state;
	/* What stands around the repeated byte counts for the line, too. */
	assert_int_equal(many(ONE_VIA "Subject: ", "s", SIP_MAX_LINE - 11, "\r\n"), FINE);
	assert_int_equal(many(ONE_VIA "Subject: ", "s", SIP_MAX_LINE - 10, "\r\n"), 513);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bK", "x", SIP_MAX_LINE - 35, "\r\n"), FINE);
	assert_int_equal(many("Via: SIP/2.0/UDP a;branch=z9hG4bK", "x", SIP_MAX_LINE - 34, "\r\n"), 513);
	assert_int_equal(many(ONE_VIA "Contact: <sip:", "a", SIP_MAX_URI - 4, "@b>\r\n"), 400);
	assert_int_equal(many(ONE_VIA "Contact: <sip:", "a", SIP_MAX_URI - 6, "@b>\r\n"), FINE);
	/* Folds count for their line. */
	assert_int_equal(many(ONE_VIA "Subject: s\r\n", " fold\r\n", SIP_MAX_LINE / 7 + 1, ""), 513);
}

/* ---- URIs ---- */

static void hosts_and_users_of_other_kinds(void **state)
{
	static const struct row rows[] = {
		{"a zone id", 400, .more = "Contact: <sip:a@[fe80::1%eth0]>\r\n"},
		{"a zone id, escaped", 400, .more = "Contact: <sip:a@[fe80::1%25eth0]>\r\n"},
		{"an open bracket", 400, .more = "Contact: <sip:a@[fe80::1>\r\n"},
		{"IPv6 without brackets", 400, .more = "Contact: <sip:a@fe80::1>\r\n"},
		{"IPv6 of nine groups", 400, .more = "Contact: <sip:a@[1:2:3:4:5:6:7:8:9]>\r\n"},
		{"no host", 400, .more = "Contact: <sip:a@>\r\n"},
		{"no user", 400, .more = "Contact: <sip:@b>\r\n"},
		{"two at signs", 400, .more = "Contact: <sip:a@b@c>\r\n"},
		{"tel URIs where they may stand", FINE,
		 .more = "Diversion: <tel:+1>;reason=x\r\nHistory-Info: <tel:+1>;index=1\r\nP-Asserted-Identity: "
			 "<tel:+1>\r\n"},
		{"an escape at the very end", 400, .more = "Contact: <sip:a@b;x=%>\r\n"},
		{"half an escape at the very end of the From", 400, .from = "From: sip:a%4\r\n"},
		{"half an escape", 400, .more = "Contact: <sip:a%4@b>\r\n"},
		{"a slash", 400, .more = "Contact: <sip:a@b/../c>\r\n"},
		{"a percent sign in the host", 400, .more = "Contact: <sip:a@b%00.example>\r\n"},
		{"a star among others", 400, .more = "Contact: *, <sip:a@b>\r\n"},
		{"a star with parameters", 400, .more = "Contact: *;expires=0\r\n"},
		{"an escaped NUL in the user", FINE, .more = "Contact: <sip:a%00b@c>\r\n"},
		{"a zone id in the Via", UNREAD, .via = "Via: SIP/2.0/UDP [fe80::1%eth0];branch=z9hG4bKa\r\n"},
	};
	char user[16];

	(void)state;
	each_has_its_verdict(rows, RS_ARRAY_SIZE(rows));
	/* Unescaped it is longer than what C takes for it. */
	assert_int_equal(sip_unescape(RS_STR("a%00b"), user, sizeof(user)), 3);
}

/* ---- multipart ---- */

static int parts_of(const char *type, struct rs_str body)
{
	const struct sip_body_part *parts;
	int n = snprintf(big, sizeof(big),
			 "MESSAGE sip:a SIP/2.0\r\n" ONE_VIA "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\n"
			 "CSeq: 1 MESSAGE\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
			 type, body.len);

	memcpy(big + n, body.p, body.len);
	assert_int_equal(verdict_as(rs_str_n(big, (size_t)n + body.len), false), FINE);
	n = sip_msg_parts(&p.msg, &parts);
	done(&p);
	return n;
}

static void a_multipart_that_lies_has_no_parts(void **state)
{
	static const char *const bodies[] = {
		"--b\r\n\r\nnever ended",
		"never begun\r\n",
		"\r\n--c\r\n\r\nanother boundary\r\n--c--\r\n",
		"--b--\r\nended before it began",
		"--b\r\n\r\n--b",
		"--b\r\n\r\nlonger boundary\r\n--bb--",
		"--",
		"-",
		"--b\r\nContent-Type: text/plain\r\n",
		"--b\r\nContent-Length: 4294967295\r\n\r\n--b",
	};
	char type[256];

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bodies); i++) {
		if (parts_of("multipart/mixed;boundary=b", rs_str_c(bodies[i])) != -1)
			fail_msg("%s has parts", bodies[i]);
	}
	assert_int_equal(parts_of("multipart/mixed", RS_STR("--\r\n\r\nx\r\n----")), -1);
	assert_int_equal(parts_of("multipart/mixed;boundary", RS_STR("--\r\n\r\nx\r\n----")), -1);
	assert_int_equal(parts_of("multipart/mixed;boundary=\"\"", RS_STR("--\r\n\r\nx\r\n----")), -1);
	for (int n = 70; n <= 71; n++) {
		char body[512];

		snprintf(type, sizeof(type), "multipart/mixed;boundary=%0*d", n, 0);
		snprintf(body, sizeof(body), "--%0*d\r\n\r\nx\r\n--%0*d--", n, 0, n, 0);
		assert_int_equal(parts_of(type, rs_str_c(body)), n == 70 ? 1 : -1);
	}
}

/* Parts are found, not entered: a nest of any depth is one part, and its own reader's business. */
static void a_nest_of_multiparts_is_not_descended_into(void **state)
{
	static char body[60000];
	size_t len = 0;

	(void)state;
	len += (size_t)snprintf(body, sizeof(body), "--b\r\n");
	for (unsigned i = 0; i < 1000; i++)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
					"Content-Type: multipart/mixed;boundary=n%u\r\n\r\n--n%u\r\n", i, i);
	len += (size_t)snprintf(body + len, sizeof(body) - len, "\r\nx\r\n--b--");
	assert_int_equal(parts_of("multipart/mixed;boundary=b", rs_str_n(body, len)), 1);
}

/* Almost-delimiters cost no more than a look each. */
static void a_body_of_dashes_is_read_once(void **state)
{
	static char body[60000];

	(void)state;
	memset(body, '-', sizeof(body));
	assert_int_equal(parts_of("multipart/mixed;boundary=----------------------------------------------------------",
				  rs_str_n(body, sizeof(body))),
			 -1);
}

/* ---- streams ---- */

/* Where the first message of the stream ends; 0: the frame is lost. */
static size_t frame_of(struct rs_str s)
{
	size_t from = 0, length = 0, need;

	return sip_msg_frame(s, &from, &length, &need) == SIP_PARSE_DONE ? length : 0;
}

static void no_message_is_smuggled_in_a_body(void **state)
{
	static const char inner[] = "OPTIONS sip:evil SIP/2.0\r\n\r\n";
	static const char *const lost[] = {
		"Content-Length: 5\r\nContent-Length: 0\r\n",
		"Content-Length: 0\r\nl: 28\r\n",
		"Content-Length: 28, 0\r\n",
		"Content-Length: 28;x=y\r\n",
		"Content-Length: 0x1c\r\n",
		"Content-Length: 2 8\r\n",
		"Content-Length: \"28\"\r\n",
		"Content-Length: 4294967324\r\n",
		"Content-Length: -28\r\n",
		"X: 1\nContent-Length: 28\r\n",
		"X: 1\r\rContent-Length: 28\r\n",
		"Content-Length\v: 28\r\n",
		"Content-Length : 28\r\nContent-Length\x01: 0\r\n",
		"Content-Length: 65536\r\n",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(lost); i++) {
		int n = snprintf(text, sizeof(text), "OPTIONS sip:a SIP/2.0\r\n" ONE_VIA "%s\r\n%s", lost[i], inner);

		if (frame_of(rs_str_n(text, (size_t)n)))
			fail_msg("framed by %s", lost[i]);
	}
	/* Sound ones: the inner message is body, or the next message, never both. */
	for (unsigned length = 0; length <= sizeof(inner) - 1; length += sizeof(inner) - 1) {
		int n = snprintf(text, sizeof(text), "OPTIONS sip:a SIP/2.0\r\nl :\r\n %u\r\n\r\n%s", length, inner);

		assert_int_equal(frame_of(rs_str_n(text, (size_t)n)), (size_t)n - (sizeof(inner) - 1) + length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_twice_with_two_meanings_is_400),
		cmocka_unit_test(what_is_empty_is_400),
		cmocka_unit_test(what_is_hidden_by_control_characters_is_400),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(a_fold_in_a_quoted_string_ends_neither_string_nor_header),
		cmocka_unit_test(numbers_that_route_do_not_wrap),
		cmocka_unit_test(numbers_that_last_are_saturated),
		cmocka_unit_test(a_status_code_has_three_digits_of_a_class),
		cmocka_unit_test(many_of_everything_is_limited_where_it_costs),
		cmocka_unit_test(a_second_from_behind_many_headers_is_seen),
		cmocka_unit_test(long_values_pass_up_to_the_line_and_no_further),
		cmocka_unit_test(hosts_and_users_of_other_kinds),
		cmocka_unit_test(a_multipart_that_lies_has_no_parts),
		cmocka_unit_test(a_nest_of_multiparts_is_not_descended_into),
		cmocka_unit_test(a_body_of_dashes_is_read_once),
		cmocka_unit_test(no_message_is_smuggled_in_a_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
