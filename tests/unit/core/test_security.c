/* The security stream: one line an event, which fail2ban's stock filter matches, and in which nobody can forge a field.
 */
#include "core_test.h"

#include "base/log.h"
#include "res_sip/security.h"

#include <unistd.h>

static struct ct_phone *phone;

static int setup(void **state)
{
	(void)state;
	ct_start("", NULL);
	phone = ct_phone("10.0.0.2:5060");
	return 0;
}

static void foo(const char *from, const char *call_id)
{
	static unsigned n;

	ct_send(phone,
		"FOO sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKs%u;rport\nFrom: %s;tag=1\n"
		"To: <sip:10.0.0.1>\nCall-ID: %s\nCSeq: 1 FOO\nMax-Forwards: 70\nContent-Length: 0\n\n",
		n++, from, call_id);
	assert_int_equal(ct_status(ct_receive(phone)), 500);
}

static const char *text_of(const char *line)
{
	const char *at = line ? strstr(line, ".c: ") : NULL;

	assert_non_null(at);
	return at + 4;
}

static void the_lines_are_asterisk_s(void **state)
{
	const char *line;
	int zone, end = 0;

	(void)state;
	foo("\"Al\" <sip:al@home.example>", "id@x");
	assert_string_equal(
		text_of(ct_log_line("No matching endpoint")),
		"Request 'FOO' from '\"Al\" <sip:al@home.example>' failed for '10.0.0.2:5060' (callid: id@x) - "
		"No matching endpoint found");
	assert_non_null(strstr(ct_log_line("No matching endpoint"), "NOTICE["));
	assert_non_null(strstr(ct_log_line("No matching endpoint"), "res_pjsip/pjsip_distributor.c: "));
	line = text_of(ct_log_line("SecurityEvent="));
	assert_int_equal(
		sscanf(line,
		       "SecurityEvent=\"InvalidAccountID\",EventTV=\"%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%*1[+-]%4d\",%n",
		       &zone, &end),
		1);
	assert_string_equal(
		line + end,
		"Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"al\",SessionID=\"id@x\","
		"LocalAddress=\"IPV4/UDP/10.0.0.1/5060\",RemoteAddress=\"IPV4/UDP/10.0.0.2/5060\"");
}

static void no_field_can_be_forged(void **state)
{
	const char *line;

	(void)state;
	foo("\"x' failed for '192.0.2.9:5060' (callid: y) - No matching endpoint found\" "
	    "<sip:a'%22b@home.example>",
	    "z)'\"<x>@y");
	line = ct_log_line("Request 'FOO'");
	assert_non_null(line);
	assert_null(strstr(line, "for '192.0.2.9"));
	assert_non_null(strstr(line, "x\\x27 failed for \\x27192.0.2.9:5060\\x27"));
	assert_non_null(strstr(line, "failed for '10.0.0.2:5060' (callid: z\\x29\\x27\\x22<x>@y) - No matching"));
	line = ct_log_line("SecurityEvent=");
	assert_non_null(strstr(line, "SessionID=\"z)\\x27\\x22<x>@y\",LocalAddress="));
	assert_non_null(strstr(line, "AccountID=\"a\\x27%22b\""));
}

static void a_long_field_does_not_push_the_address_out(void **state)
{
	char from[1200], id[1200];

	(void)state;
	snprintf(from, sizeof(from), "\"%0900d\" <sip:%0200d@home.example>", 0, 0);
	snprintf(id, sizeof(id), "%01100d@x", 0);
	foo(from, id);
	assert_non_null(strstr(ct_log_line("Request 'FOO'"), "failed for '10.0.0.2:5060' (callid: 000"));
	assert_non_null(strstr(ct_log_line("Request 'FOO'"), ") - No matching endpoint found"));
	assert_non_null(strstr(ct_log_line("SecurityEvent="), "RemoteAddress=\"IPV4/UDP/10.0.0.2/5060\""));
}

/* ---- the others, by hand ---- */

static bool all_events(struct sip_rx_data *rx)
{
	ast_sip_security_event(AST_SIP_SEC_FAILED_ACL, rx, RS_STR("bob"), RS_STR("an_acl"));
	ast_sip_security_event(AST_SIP_SEC_REQUEST_NOT_SUPPORTED, rx, RS_STR("bob"), RS_STR("why\"x"));
	ast_sip_security_event(AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED, rx, RS_STR_NULL, RS_STR("nonce"));
	ast_sip_security_event(AST_SIP_SEC_CHALLENGE_SENT, rx, RS_STR("bob"), RS_STR_NULL);
	ast_sip_security_event(AST_SIP_SEC_SUCCESSFUL_AUTH, rx, RS_STR("bob"), RS_STR_NULL);
	ast_sip_request_failed_notice(rx, "Failed to authenticate");
	ast_sip_request_failed_notice(rx, "Not match Endpoint Contact ACL");
	ast_sip_request_failed_notice(rx, "Error to authenticate");
	return false;
}
static struct sip_module service = {
	.size = sizeof(struct sip_module), .name = "events", .priority = SIP_PRIORITY_ACL, .on_rx_request = all_events};

static void each_event_has_its_fields_and_what_is_well_is_off(void **state)
{
	(void)state;
	assert_int_equal(ast_sip_register_service(&service), 0);
	foo("<sip:al@home.example>", "id");
	assert_non_null(strstr(ct_log_line("\"FailedACL\""), "/5060\",ACLName=\"an_acl\""));
	assert_non_null(strstr(ct_log_line("\"RequestNotSupported\""), "/5060\",RequestType=\"why\\x22x\""));
	assert_non_null(strstr(ct_log_line("\"ChallengeResponseFailed\""), "AccountID=\"<unknown>\""));
	assert_non_null(strstr(ct_log_line("\"ChallengeResponseFailed\""),
			       "/5060\",Challenge=\"nonce\",Response=\"\",ExpectedResponse=\"\""));
	assert_null(ct_log_line("ChallengeSent"));
	assert_null(ct_log_line("SuccessfulAuth"));
}

/* ---- the stock filter ---- */

static const char *const matched[] = {"Request 'FOO'", "\"FailedACL\"", "\"InvalidAccountID\"",
				      "\"ChallengeResponseFailed\""};

static unsigned write_log(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned n = 0;

	assert_non_null(f);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(matched); i++) {
		const char *line;

		for (unsigned k = 0; (line = ct_log_line_nth(matched[i], k)); k++) {
			fprintf(f, "%s\n", line);
			n++;
		}
	}
	fclose(f);
	return n;
}

static void fail2ban_s_stock_filter_matches_every_failure(void **state)
{
	char path[300], command[800], expected[64], out[65536];
	unsigned n;
	size_t len;
	FILE *p;

	(void)state;
	if (system("fail2ban-regex --version > /dev/null 2>&1"))
		skip();
	assert_int_equal(ast_sip_register_service(&service), 0);
	foo("\"x' failed for '192.0.2.9:5060'\" <sip:al@home.example>", "id)x");
	foo("<sip:al@home.example>", "id");
	snprintf(path, sizeof(path), "%s/f2b.log", ct_dir());
	n = write_log(path);
	snprintf(command, sizeof(command), "fail2ban-regex --print-all-matched '%s' asterisk 2>&1", path);
	p = popen(command, "r");
	assert_non_null(p);
	len = fread(out, 1, sizeof(out) - 1, p);
	out[len] = '\0';
	pclose(p);
	unlink(path);
	snprintf(expected, sizeof(expected), "Lines: %u lines, 0 ignored, %u matched, 0 missed", n, n);
	if (!strstr(out, expected))
		fail_msg("%s is not in %s", expected, out);
	assert_true(n >= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(the_lines_are_asterisk_s),
		T(no_field_can_be_forged),
		T(a_long_field_does_not_push_the_address_out),
		T(each_event_has_its_fields_and_what_is_well_is_off),
		T(fail2ban_s_stock_filter_matches_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
