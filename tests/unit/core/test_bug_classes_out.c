/*
 * Classes of bugs that SIP peers have had, by what comes out of the server: answers that make it a mirror, lines in its
 * logs and on its terminal that a peer wrote, answers that a peer sent on its way.
 */
#include "core_test.h"

#include "base/log.h"
#include "core/control/commands.h"
#include "core/control/run.h"
#include "core/loader/loader.h"
#include "res_sip/location.h"

static struct ct_phone *phone, *other, *victim;

static int setup(void **state)
{
	struct ast_sip_modules_conf conf = {.autoload = true};

	(void)state;
	ct_start("[global]\ntype=global\n"
		 "[open]\ntype=endpoint\naors=open\n[open]\ntype=aor\nmax_contacts=20\n"
		 "[both]\ntype=auth\nusername=both\npassword=x\nsupported_algorithms_uas=MD5,SHA-256,SHA-512-256\n"
		 "[both]\ntype=endpoint\nauth=both\naors=both\nallow_unauthenticated_options=yes\n"
		 "[both]\ntype=aor\nmax_contacts=1\n",
		 NULL);
	assert_int_equal(ast_sip_loader_start(getenv("MODULE_DIR"), &conf), 0);
	phone = ct_phone("10.0.0.2:5060");
	other = ct_phone("10.0.0.3:5060");
	victim = ct_phone("10.0.0.66:5060");
	return 0;
}

/* ---- class: answers larger than their question ---- */

struct question {
	const char *what;
	const char *text; /* "%u" in it: a number of its own */
};

/* As short as they can be, and with long parts that an answer must echo. */
static const struct question questions[] = {
	{"the least there is", "FOO sip:a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\n"
			       "i:%u\nCSeq:1 FOO\n\n"},
	{"OPTIONS of nobody", "OPTIONS sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK%u\n"
			      "f:<sip:nobody@a>;tag=1\nt:<sip:a>\ni:%u\nCSeq:1 OPTIONS\n\n"},
	{"200 to OPTIONS", "OPTIONS sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK%u\n"
			   "f:<sip:both@a>;tag=1\nt:<sip:a>\ni:%u\nCSeq:1 OPTIONS\n\n"},
	{"challenges of three algorithms", "REGISTER sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK%u\n"
					   "f:<sip:both@a>;tag=1\nt:<sip:both@a>\ni:%u\nCSeq:1 REGISTER\n\n"},
	{"400 without headers", "OPTIONS sip:a SIP/2.0\nv:SIP/2.0/UDP a\nl:-%u\n\n"},
	{"400 with bad From", "OPTIONS sip:a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:x\nt:<sip:a>\ni:%u\n"
			      "CSeq:1 OPTIONS\n\n"},
	{"416", "OPTIONS foo:a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n"
		"CSeq:1 OPTIONS\n\n"},
	{"420", "OPTIONS sip:a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n"
		"CSeq:1 OPTIONS\nRequire:a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z\n\n"},
	{"481 to CANCEL", "CANCEL sip:a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n"
			  "CSeq:1 CANCEL\n\n"},
	{"483", "OPTIONS sip:z SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n"
		"CSeq:1 OPTIONS\nMax-Forwards:0\n\n"},
	{"505", "OPTIONS sip:a SIP/3.0\nv:SIP/2.0/UDP a;branch=z9hG4bK%u\nf:<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n"
		"CSeq:1 OPTIONS\n\n"},
	{"many Vias",
	 "OPTIONS sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK%u,SIP/2.0/UDP b,SIP/2.0/UDP c,"
	 "SIP/2.0/UDP d,SIP/2.0/UDP e,SIP/2.0/UDP f,SIP/2.0/UDP g\nf:<sip:both@a>;tag=1\nt:<sip:a>\ni:%u\n"
	 "CSeq:1 OPTIONS\n\n"},
};

static size_t wire_len(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n' ? 2 : 1;
	return n;
}

/* All answers to one question; the number of those that came. */
static unsigned weigh(const char *what, const char *text)
{
	unsigned n = 0;
	const char *m;

	ct_send(phone, "%s", text);
	/* Also what comes by itself later. */
	while ((m = ct_receive_within(phone, 40 * SIM_SECOND))) {
		n++;
		assert_true(ct_status(m) > 0);
		if (strlen(m) > 3 * wire_len(text))
			fail_msg("%s: %zu bytes to %zu", what, strlen(m), wire_len(text));
	}
	assert_null(ct_receive_within(victim, SIM_MS));
	return n;
}

static void no_answer_is_three_times_its_question(void **state)
{
	char text[4096];

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(questions); i++) {
		snprintf(text, sizeof(text), questions[i].text, 1000 + i, 1000 + i);
		if (weigh(questions[i].what, text) > 1)
			fail_msg("%s is answered more than once", questions[i].what);
	}
}

static void what_an_answer_must_echo_makes_it_no_larger(void **state)
{
	static const char *const places[] = {
		"f:\"%0*d\"<sip:a@a>;tag=1\nt:<sip:a>\ni:%u\n", "f:<sip:a@a>;tag=1\nt:\"%0*d\"<sip:a>\ni:%u\n",
		"f:<sip:a@a>;tag=1;x=%0*d\nt:<sip:a>\ni:%u\n", "f:<sip:a@a>;tag=1\nt:<sip:a>\ni:%0*d%u\n"};
	char text[4096];

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(places); i++) {
		int len = snprintf(text, sizeof(text),
				   "OPTIONS sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bKe%u\n", i);

		len += snprintf(text + len, sizeof(text) - (size_t)len, places[i], 900, 0, i);
		snprintf(text + len, sizeof(text) - (size_t)len, "CSeq:1 OPTIONS\n\n");
		assert_int_equal(weigh(places[i], text), 1);
	}
}

/* Where the answer goes is where the packet came from: what the Via says of it is overwritten. */
static void a_via_that_points_elsewhere_leads_nowhere_else(void **state)
{
	static const char *const vias[] = {"10.0.0.66:5060;received=10.0.0.66;rport=5060",
					   "10.0.0.66;received=10.0.0.66", "10.0.0.66:5060;rport",
					   "victim.example;received=10.0.0.66;rport=1"};
	const char *m, *via;

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(vias); i++) {
		ct_send(phone,
			"OPTIONS sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKv%u\nFrom: "
			"<sip:both@a>;tag=1\n"
			"To: <sip:a>\nCall-ID: v%u\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
			vias[i], i, i);
		m = ct_receive(phone);
		assert_int_equal(ct_status(m), 200);
		via = ct_header(m, "Via", 0);
		assert_non_null(strstr(via, ";received=10.0.0.2"));
		assert_null(strstr(via, "received=10.0.0.66"));
		if (strstr(vias[i], "rport"))
			assert_non_null(strstr(via, ";rport=5060"));
		assert_null(ct_receive_within(victim, SIM_MS));
	}
}

/* RFC 3261 section 18.2.2 sends it to maddr: that one is a stranger then, whoever asked. */
static void an_answer_to_maddr_is_weighed_like_any_other(void **state)
{
	const char *m;

	(void)state;
	ct_send(phone,
		"OPTIONS sip:10.0.0.1 SIP/2.0\nv:SIP/2.0/UDP a;maddr=10.0.0.66;branch=z9hG4bKm\nf:<sip:both@a>;tag=1\n"
		"t:<sip:a>\ni:m\nCSeq:1 OPTIONS\n\n");
	assert_null(ct_receive_within(phone, 100 * SIM_MS));
	m = ct_receive_within(victim, 100 * SIM_MS);
	assert_true(!m || strlen(m) <= 3 * 140);
	assert_null(ct_receive_within(victim, 40 * SIM_SECOND));
}

static void count_received(void *token, const struct sip_listener_stats *stats)
{
	*(uint64_t *)token += stats->received;
}

/* One that comes back to this server is a response to nothing, and the last of it. */
static void an_answer_to_ourselves_is_the_end_of_it(void **state)
{
	uint64_t received = 0;

	(void)state;
	ct_send(phone,
		"OPTIONS sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1:5060;maddr=10.0.0.1;branch=z9hG4bKself\n"
		"From: <sip:both@a>;tag=1\nTo: <sip:a>\nCall-ID: self\nCSeq: 1 OPTIONS\nSubject: %0500d\n"
		"Content-Length: 0\n\n",
		0);
	sim_run_for(60 * SIM_SECOND);
	sip_transport_each(count_received, &received);
	assert_int_equal(received, 2);
	assert_null(ct_receive_within(phone, SIM_MS));
}

/* ---- class: lines that a peer wrote ---- */

/* ESC, C1, a direction override, a line separator, a joiner; quotes and what looks like the end of a field. */
#define NASTY                                                                                                          \
	"\\\x1b[31m\xc2\x9b"                                                                                           \
	"1m\xe2\x80\xae\xe2\x80\xa8\xe2\x80\x8d\xef\xbb\xbf' \\\" failed for '192.0.2.9:5060'"

static void assert_plain(const char *text, const char *what)
{
	static const char *const worst[] = {"\x1b", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x81\xa6"};

	for (size_t i = 0; i < RS_ARRAY_SIZE(worst); i++)
		assert_null(strstr(text, worst[i]));
	for (size_t i = 0, len = strlen(text); i < len;) {
		size_t n = rs_log_printable(rs_str_n(text + i, len - i));

		if (!n && (strcmp(what, "log") == 0 || (text[i] != '\n' && text[i] != '\t')))
			fail_msg("byte %02x in the %s: %s", (unsigned char)text[i], what, text);
		i += n ? n : 1;
	}
}

static char *command(int argc, const char *const *argv, bool json)
{
	json_t *reply = cli_run(argc, argv, json);
	char *out;

	assert_non_null(reply);
	if (json_integer_value(json_object_get(reply, "exit")))
		fail_msg("%s %s: %s", argv[1], argv[2], json_string_value(json_object_get(reply, "err")));
	out = strdup(json_string_value(json_object_get(reply, "out")));
	json_decref(reply);
	return out;
}

static void register_nastily(const char *call_id)
{
	ct_send(phone,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKn%s;rport\n"
		"From: \"" NASTY
		"\" <sip:open@10.0.0.1>;tag=1\nTo: <sip:open@10.0.0.1>\nCall-ID: %s\nCSeq: 1 REGISTER\n"
		"Contact: \"" NASTY "\" <sip:x@10.0.0.2>;note=\"" NASTY "\";+sip.instance=\"<" NASTY ">\";reg-id=1\n"
		"User-Agent: " NASTY "\n Request 'X' from \xe2\x81\xa6\nMax-Forwards: 70\nContent-Length: 0\n\n",
		call_id, call_id);
}

static void nothing_that_a_peer_sends_reaches_a_terminal_raw(void **state)
{
	const char *const logger[] = {"pjsip", "set", "logger", "on"};
	const char *const shown[][4] = {{"pjsip", "show", "contacts"},
					{"pjsip", "show", "contact", "open/sip:x@10.0.0.2"},
					{"pjsip", "show", "endpoints"},
					{"pjsip", "show", "endpoint", "open"},
					{"pjsip", "show", "aor", "open"}};
	const char *line;

	(void)state;
	control_commands_register();
	free(command(4, logger, false));
	rs_log_set_level(RS_LOG_DEBUG);
	register_nastily("n1");
	assert_int_equal(ct_status(ct_receive(phone)), 200);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(shown); i++) {
		for (int json = 0; json < 2; json++) {
			char *out = command(shown[i][3] ? 4 : 3, shown[i], json);

			assert_plain(out, "output");
			if (json)
				for (const char *c = out; *c; c++)
					assert_true((unsigned char)*c < 0x80);
			free(out);
		}
	}
	ct_send(phone,
		"FOO sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKn2;rport\n"
		"From: \"" NASTY "\" <sip:eve@10.0.0.1>;tag=1\nTo: \"" NASTY "\" <sip:open@10.0.0.1>\nCall-ID: n2\n"
		"CSeq: 1 FOO\nAuthorization: Digest username=\"" NASTY "\",realm=\"asterisk\",nonce=\"" NASTY "\","
		"uri=\"sip:x\",response=\"" NASTY "\"\nContent-Length: 0\n\n");
	assert_int_equal(ct_status(ct_receive(phone)), 401);
	for (unsigned i = 0; (line = ct_log_line_nth("", i)); i++) {
		assert_plain(line, "log");
		/* Each notice has one address, the true one. */
		if (strstr(line, "NOTICE[") && strstr(line, "pjsip_distributor.c"))
			assert_null(strstr(line, "for '192.0.2.9"));
	}
	assert_non_null(ct_log_line("failed for '10.0.0.2:5060' (callid: n2) - Failed to authenticate"));
	assert_true(ct_logged("res_pjsip_logger.c") > 10);
	control_commands_unregister();
}

/* ---- class: answers that a callee made up ---- */

static const char *message_to_callee(const char *word)
{
	const char *m;

	ct_request(other, "REGISTER", "sip:10.0.0.1", word,
		   "From: <sip:open@10.0.0.1>;tag=1\n"); /* a second From: refused */
	assert_int_equal(ct_status(ct_receive(other)), 400);
	ct_send(other,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKr%s;rport\n"
		"From: <sip:open@10.0.0.1>;tag=1\nTo: <sip:open@10.0.0.1>\nCall-ID: r%s\nCSeq: 1 REGISTER\n"
		"Contact: <sip:callee@10.0.0.3:5060>\nMax-Forwards: 70\nContent-Length: 0\n\n",
		word, word);
	assert_int_equal(ct_status(ct_receive(other)), 200);
	ct_send(phone,
		"MESSAGE sip:open@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKm%s;rport\n"
		"From: <sip:open@10.0.0.1>;tag=1\nTo: <sip:open@10.0.0.1>\nCall-ID: m%s\nCSeq: 1 MESSAGE\n"
		"Max-Forwards: 70\nContent-Length: 0\n\n",
		word, word);
	m = ct_receive(other);
	assert_non_null(m);
	assert_memory_equal(m, "MESSAGE sip:callee@10.0.0.3", 27);
	return m;
}

/* An answer of the callee whose second Via is what vias says: lines, or "" for none. */
static void answer_with_vias(const char *m, const char *vias)
{
	char top[512], from[512], call_id[128];

	snprintf(top, sizeof(top), "%s", ct_header(m, "Via", 0));
	snprintf(from, sizeof(from), "%s", ct_header(m, "From", 0));
	snprintf(call_id, sizeof(call_id), "%s", ct_header(m, "Call-ID", 0));
	ct_send(other,
		"SIP/2.0 200 OK\nVia: %s\n%sFrom: %s\nTo: <sip:open@10.0.0.1>;tag=callee\nCall-ID: %s\n"
		"CSeq: 1 MESSAGE\nContent-Length: 0\n\n",
		top, vias, from, call_id);
}

static void an_answer_goes_back_to_who_asked_whatever_its_vias_say(void **state)
{
	static char vias[8000];
	size_t len = 0;
	const char *m;

	(void)state;
	m = message_to_callee("a");
	answer_with_vias(m, "Via: SIP/2.0/UDP 10.0.0.66:5060;branch=z9hG4bKma\n");
	assert_null(ct_receive_within(victim, 100 * SIM_MS));
	while ((m = ct_receive_within(phone, SIM_MS)) && ct_status(m) == 100)
		;
	if (m)
		assert_int_equal(ct_status(m), 200);
	/* A hundred of them are passed on, or not; nobody else gets anything. */
	m = message_to_callee("b");
	for (unsigned i = 0; i < 100; i++)
		len += (size_t)snprintf(vias + len, sizeof(vias) - len, "Via: SIP/2.0/UDP 10.0.0.66;branch=z9hG4bK%u\n",
					i);
	answer_with_vias(m, vias);
	assert_null(ct_receive_within(victim, 100 * SIM_MS));
}

/* RFC 3261 section 16.7 step 3: with no Via left it was for this server, and goes no further. */
static void an_answer_without_a_via_of_the_caller_is_not_passed_on(void **state)
{
	const char *m;

	(void)state;
	m = message_to_callee("c");
	answer_with_vias(m, "");
	while ((m = ct_receive_within(phone, 45 * SIM_SECOND))) {
		if (ct_status(m) == 100)
			continue;
		assert_non_null(ct_header(m, "Via", 0));
		assert_non_null(strstr(ct_header(m, "Via", 0), "z9hG4bKmc"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(no_answer_is_three_times_its_question),
		T(what_an_answer_must_echo_makes_it_no_larger),
		T(a_via_that_points_elsewhere_leads_nowhere_else),
		T(an_answer_to_maddr_is_weighed_like_any_other),
		T(an_answer_to_ourselves_is_the_end_of_it),
		T(nothing_that_a_peer_sends_reaches_a_terminal_raw),
		T(an_answer_goes_back_to_who_asked_whatever_its_vias_say),
		T(an_answer_without_a_via_of_the_caller_is_not_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
