/* The packet trace: what is traced, what is hidden, what a capture file holds (tshark reads it), how much may wait. */
#include "core_test.h"

#include "core/control/run.h"
#include "sip/transport/tp.h"

#include <unistd.h>

extern const struct ast_sip_module_info ast_sip_module_info;

#define MAX_HOSTS        32
#define MAX_METHODS      16
#define MAX_QUEUED       10000
#define MAX_QUEUED_BYTES (16u << 20)
#define PCAP_HEAD        24
#define PCAP_RECORD      (16 + 28) /* before the payload, IPv4 */

static char pcap[300];

static void start(const char *debug)
{
	char text[256];

	snprintf(text, sizeof(text), "[global]\ntype=global\ndebug=%s\n", debug);
	ct_start(text, NULL);
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	snprintf(pcap, sizeof(pcap), "%s/trace.pcap", ct_dir());
}

static int setup(void **state)
{
	(void)state;
	start("no");
	return 0;
}

/* pjsip set logger …; whether it worked. */
static bool set(const char *a, const char *b)
{
	const char *words[] = {"pjsip", "set", "logger", a, b};
	json_t *reply = cli_run(b ? 5 : 4, words, false);
	bool ok;

	assert_non_null(reply);
	ok = json_integer_value(json_object_get(reply, "exit")) == 0;
	json_decref(reply);
	return ok;
}

static int teardown(void **state)
{
	set("off", NULL);
	ast_sip_module_info.unload();
	unlink(pcap);
	return ct_teardown(state);
}

static struct sip_addr address(const char *text)
{
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(rs_str_c(text), &a), 0);
	return a;
}

static void message(bool received, const char *remote, const char *text)
{
	struct sip_addr l = address(strchr(remote, '[') ? "[fd00::1]:5060" : CT_SERVER), r = address(remote);

	sip_trace_message(received, SIP_TRANSPORT_UDP, &l, &r, rs_str_c(text));
}

static void request(const char *remote, const char *method)
{
	char text[512];

	snprintf(
		text, sizeof(text),
		"%s sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
		"Call-ID: 1\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n\r\n",
		method, method);
	message(true, remote, text);
	ct_run();
}

static unsigned traced(void)
{
	unsigned n = ct_logged("<--- ");

	ct_log_clear();
	return n;
}

static long size_of(const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	return size;
}

/* ---- which ---- */

static void nothing_is_traced_until_it_is_turned_on(void **state)
{
	(void)state;
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(traced(), 0);
	assert_true(set("on", NULL));
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(ct_logged("<--- Received SIP request ("), 1);
	assert_int_equal(ct_logged(" bytes) from UDP:10.0.0.2:5060 --->"), 1);
	assert_int_equal(ct_logged("Call-ID: 1"), 1);
	ct_log_clear();
	message(false, "10.0.0.2:5060", "SIP/2.0 200 OK\r\n\r\n");
	ct_run();
	assert_int_equal(ct_logged("<--- Transmitting SIP response (18 bytes) to UDP:10.0.0.2:5060 --->"), 1);
	ct_log_clear();
	assert_true(set("verbose", "off"));
	request("10.0.0.2:5060", "OPTIONS");
	assert_true(set("verbose", "on"));
	assert_true(set("off", NULL));
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(traced(), 0);
	assert_false(set("nonsense", NULL));
	assert_false(set("host", NULL));
	assert_false(set("host", "not.an.address"));
	assert_false(set("verbose", "maybe"));
	assert_false(set("pcap", "/nowhere/at/all"));
}

static void by_host(void **state)
{
	char text[64];

	(void)state;
	assert_true(set("host", "10.0.0.2"));
	request("10.0.0.2:5060", "OPTIONS");
	request("10.0.0.2:5061", "OPTIONS");
	request("10.0.0.3:5060", "OPTIONS");
	assert_int_equal(traced(), 2);
	assert_true(set("add", "10.0.0.3:5070"));
	assert_true(set("add", "fd00::9"));
	request("10.0.0.3:5060", "OPTIONS");
	assert_int_equal(traced(), 0);
	request("10.0.0.3:5070", "OPTIONS");
	request("[fd00::9]:5060", "OPTIONS");
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(traced(), 3);
	assert_true(set("host", "10.0.0.4"));
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(traced(), 0);
	for (unsigned i = 1; i < MAX_HOSTS; i++) {
		snprintf(text, sizeof(text), "10.1.0.%u", i);
		assert_true(set("add", text));
	}
	assert_false(set("add", "10.2.0.1"));
	request("10.1.0.31:5060", "OPTIONS");
	request("10.2.0.1:5060", "OPTIONS");
	assert_int_equal(traced(), 1);
}

static void by_method(void **state)
{
	char text[64];

	(void)state;
	assert_true(set("method", "options"));
	request("10.0.0.2:5060", "OPTIONS");
	request("10.0.0.2:5060", "MESSAGE");
	assert_int_equal(traced(), 1);
	message(false, "10.0.0.2:5060",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
		"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n");
	message(true, "10.0.0.2:5060", "\r\n\r\n");
	ct_run();
	assert_int_equal(traced(), 1);
	assert_true(set("methodadd", "MESSAGE"));
	request("10.0.0.2:5060", "OPTIONS");
	request("10.0.0.2:5060", "MESSAGE");
	assert_int_equal(traced(), 2);
	for (unsigned i = 2; i < MAX_METHODS; i++) {
		snprintf(text, sizeof(text), "M%u", i);
		assert_true(set("methodadd", text));
	}
	assert_false(set("methodadd", "ONEMORE"));
	assert_true(set("method", "0123456789012345678901234567890"));
	assert_false(set("method", "01234567890123456789012345678901"));
}

static void the_option_of_the_configuration(void **state)
{
	static const char no_debug[] = CT_TRANSPORTS "[global]\ntype=global\ndebug=no\n";
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	start("10.0.0.2");
	request("10.0.0.2:5060", "OPTIONS");
	request("10.0.0.3:5060", "OPTIONS");
	assert_int_equal(traced(), 1);
	ct_write("pjsip.conf", no_debug);
	assert_int_equal(ast_sip_core_reload(&errors), 0);
	assert_int_equal(ast_sip_module_info.reload(), 0);
	request("10.0.0.2:5060", "OPTIONS");
	assert_int_equal(traced(), 0);
	assert_true(set("on", NULL)); /* what a command has set stays over a reload that does not speak of it */
	assert_int_equal(ast_sip_module_info.reload(), 0);
	request("10.0.0.3:5060", "OPTIONS");
	assert_int_equal(traced(), 1);
	ast_sip_conf_errors_free(&errors);
}

/* ---- what is hidden ---- */

static void credentials_are_masked_however_they_are_written(void **state)
{
	static const char *const forms[] = {
		"Authorization: Digest username=\"u\", response=\"SECRET\", uri=\"x\"\r\n",
		"authorization:Digest response=SECRET,uri=\"x\"\r\n",
		"Proxy-Authorization : Digest RESPONSE = \"SECRET\"\r\n",
		"Authorization: Digest username=\"u\",\r\n response=\"SECRET\"\r\n",
		"Authorization: Digest username=\"u\",\r\n\tresponse =\t\"SECRET\"\r\n",
		"Authorization:\r\n Digest username=\"u\",\r\n  uri=\"x\",\r\n response=\"SECRET\r\n",
		"Authorization: Basic SECRET\r\n",
		"Authorization: Basic\r\n SECRET\r\n",
		"Authorization\t:\tBearer SECRET, SECRET\r\n",
		"Authorization: Digest response=\"x\", response=\"SECRET\"\r\n",
		"Authorization: Digest response=\"SECRET",
	};

	(void)state;
	assert_true(set("on", NULL));
	for (size_t i = 0; i < RS_ARRAY_SIZE(forms); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "OPTIONS sip:a@b SIP/2.0\r\n%sSubject: response=\"shown\"\r\n\r\n",
			 forms[i]);
		ct_log_clear();
		message(true, "10.0.0.2:5060", text);
		ct_run();
		if (ct_logged("SECRET"))
			fail_msg("%s: %s", forms[i], ct_log_line("SECRET"));
		assert_int_equal(ct_logged("Subject: response=\"shown\""), forms[i][strlen(forms[i]) - 1] == '\n');
	}
}

static void no_byte_of_a_message_forges_a_line(void **state)
{
	(void)state;
	assert_true(set("on", NULL));
	message(true, "10.0.0.2:5060", "OPTIONS sip:a@b SIP/2.0\r\nX: a\rb\033[2J\x7f\r\n\r\n");
	ct_run();
	assert_int_equal(ct_logged("X: a.b.[2J."), 1);
}

static void long_lines_are_cut(void **state)
{
	char text[1100];

	(void)state;
	assert_true(set("on", NULL));
	memset(text, 'x', sizeof(text));
	text[1024] = '\0';
	message(true, "10.0.0.2:5060", text);
	ct_run();
	assert_int_equal(ct_logged(text), 1);
	text[1024] = 'x';
	text[1025] = '\0';
	ct_log_clear();
	message(true, "10.0.0.2:5060", text);
	ct_run();
	assert_int_equal(ct_logged(text), 0);
	text[1024] = '\0';
	assert_int_equal(ct_logged(text), 1);
}

/* ---- capture files ---- */

static void tshark_reads_the_capture(void **state)
{
	char command[1024], line[512], all[4096] = "";
	FILE *f;

	(void)state;
	if (system("tshark --version > /dev/null 2>&1") != 0)
		skip();
	assert_true(set("pcap", pcap));
	request("10.0.0.2:5070", "OPTIONS");
	request("[fd00::9]:5080", "MESSAGE");
	request("[fd00::9]:5080", "REGISTER"); /* of another length: odd and even */
	message(false, "10.0.0.2:5070", "SIP/2.0 404 Not Found\r\nCSeq: 1 OPTIONS\r\n\r\n");
	ct_run();
	assert_int_equal(traced(), 0); /* to the file only */
	assert_true(set("off", NULL));
	snprintf(command, sizeof(command),
		 "tshark -r '%s' -o udp.check_checksum:TRUE -d udp.port==5060,sip -T fields -E separator=' ' -e ip.src "
		 "-e ipv6.src -e udp.srcport -e ip.dst -e ipv6.dst -e udp.dstport -e sip.Method -e sip.Status-Code "
		 "-e udp.checksum.status -e ip.checksum.status 2> /dev/null",
		 pcap);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	assert_int_equal(pclose(f), 0);
	/* Checksum status 1: good, 3: not there (IPv4 may leave it out). */
	assert_string_equal(all, "10.0.0.2  5070 10.0.0.1  5060 OPTIONS  3 2\n"
				 " fd00::9 5080  fd00::1 5060 MESSAGE  1 \n"
				 " fd00::9 5080  fd00::1 5060 REGISTER  1 \n"
				 "10.0.0.1  5060 10.0.0.2  5070  404 3 2\n");
}

static void a_capture_goes_with_the_filters(void **state)
{
	long before;

	(void)state;
	assert_true(set("pcap", pcap));
	assert_true(set("host", "10.0.0.2"));
	assert_true(set("method", "OPTIONS"));
	before = size_of(pcap);
	assert_int_equal(before, PCAP_HEAD);
	request("10.0.0.3:5060", "OPTIONS");
	request("10.0.0.2:5060", "MESSAGE");
	assert_int_equal(size_of(pcap), before);
	request("10.0.0.2:5060", "OPTIONS");
	assert_true(size_of(pcap) > before);
	assert_int_equal(traced(), 0);
}

static void a_message_longer_than_a_packet_is_cut(void **state)
{
	static char text[65536];
	struct sip_addr l = address(CT_SERVER), r = address("10.0.0.2:5060");

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_true(set("pcap", pcap));
	sip_trace_message(true, SIP_TRANSPORT_TCP, &l, &r, rs_str_n(text, 65000));
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + PCAP_RECORD + 65000);
	sip_trace_message(true, SIP_TRANSPORT_TCP, &l, &r, rs_str_n(text, 65001));
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + 2 * (PCAP_RECORD + 65000));
}

/* ---- how much may wait ---- */

static void so_many_messages_may_wait(void **state)
{
	(void)state;
	assert_true(set("pcap", pcap));
	for (unsigned i = 0; i < MAX_QUEUED; i++)
		message(true, "10.0.0.2:5060", "0123456789");
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + MAX_QUEUED * (PCAP_RECORD + 10));
	assert_int_equal(ct_logged("logger.left_out"), 0);
	for (unsigned i = 0; i < MAX_QUEUED + 2; i++)
		message(true, "10.0.0.2:5060", "0123456789");
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + 2 * MAX_QUEUED * (PCAP_RECORD + 10));
	assert_int_equal(ct_logged("logger.left_out messages=2"), 1);
}

static void so_many_bytes_may_wait(void **state)
{
	static char text[1 << 16];
	struct sip_addr l = address(CT_SERVER), r = address("10.0.0.2:5060");
	size_t part = 1 << 15, n = MAX_QUEUED_BYTES / part;

	(void)state;
	assert_true(set("pcap", pcap));
	for (size_t i = 0; i < n; i++)
		sip_trace_message(true, SIP_TRANSPORT_TCP, &l, &r, rs_str_n(text, part));
	sip_trace_message(true, SIP_TRANSPORT_TCP, &l, &r, rs_str_n(text, 1));
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + n * (PCAP_RECORD + part));
	assert_int_equal(ct_logged("logger.left_out messages=1"), 1);
	message(true, "10.0.0.2:5060", "x"); /* there is room again */
	ct_run();
	assert_int_equal(size_of(pcap), PCAP_HEAD + n * (PCAP_RECORD + part) + PCAP_RECORD + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(nothing_is_traced_until_it_is_turned_on),
		T(by_host),
		T(by_method),
		cmocka_unit_test_teardown(the_option_of_the_configuration, teardown),
		T(credentials_are_masked_however_they_are_written),
		T(no_byte_of_a_message_forges_a_line),
		T(long_lines_are_cut),
		T(tshark_reads_the_capture),
		T(a_capture_goes_with_the_filters),
		T(a_message_longer_than_a_packet_is_cut),
		T(so_many_messages_may_wait),
		T(so_many_bytes_may_wait),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
