/* The options of [limits] in res_sip.conf as the whole server keeps them: at the limit, and one past it. */
#define AST_SIP_CORE /* there is no module in this program */
#include "core_test.h"

static struct ct_phone *phone;
static bool swallow; /* no answer is given */

static bool sink_request(struct sip_rx_data *rx)
{
	if (!swallow)
		ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}
static struct sip_module sink = {.size = sizeof(struct sip_module),
				 .name = "sink",
				 .priority = SIP_PRIORITY_APPLICATION,
				 .on_rx_request = sink_request,
				 .methods = "MESSAGE"};

static void start(const char *own)
{
	swallow = false;
	ct_start(CT_ANONYMOUS, own);
	ct_let_all_in();
	assert_int_equal(ast_sip_register_service(&sink), 0);
	phone = ct_phone("10.0.0.9:5060");
}

/* Limits of messages stay set for the process. */
static void put_back(void)
{
	ct_stop();
	ct_start("", "[limits]\nmessage_size=65535\nheaders=512\nheader_size=16384\nheader_values=128\nparams=64\nuri="
		     "4096\n");
	ct_stop();
}

static unsigned serial;

static int status_of(const char *uri, const char *more)
{
	char word[16];

	snprintf(word, sizeof(word), "l%u", ++serial);
	ct_request(phone, "MESSAGE", uri, word, more);
	return ct_status(ct_receive(phone));
}

/* headers with n times item between before and after. */
static const char *repeat(const char *before, const char *item, size_t n, const char *after)
{
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", before);

	while (n--)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", item);
	snprintf(text + len, sizeof(text) - len, "%s", after);
	return text;
}

static void bytes_of_a_message(void **state)
{
	static char text[2048];

	(void)state;
	start("[limits]\nmessage_size=1024\n");
	for (unsigned size = 1024; size <= 1025; size++) {
		int n = snprintf(text, sizeof(text),
				 "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKsize%u\r\n"
				 "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: size%u\r\nCSeq: 1 MESSAGE\r\n"
				 "Max-Forwards: 70\r\nSubject: ",
				 size, size);

		memset(text + n, 'x', sizeof(text) - (size_t)n);
		memcpy(text + size - 4, "\r\n\r\n", 4);
		ct_send_bytes(phone, rs_str_n(text, size));
		assert_int_equal(ct_status(ct_receive(phone)) == 200, size == 1024);
	}
	put_back();
}

static void header_lines(void **state)
{
	(void)state;
	start("[limits]\nheaders=16\n");
	/* A request has Via, From, To, Call-ID, CSeq, Max-Forwards and Content-Length already. */
	assert_int_equal(status_of("sip:a@b", repeat("", "X: y\n", 16 - 7, "")), 200);
	assert_int_not_equal(status_of("sip:a@b", repeat("", "X: y\n", 16 - 6, "")), 200);
	put_back();
}

static void bytes_of_a_header_line(void **state)
{
	(void)state;
	start("[limits]\nheader_size=256\n");
	/* Its CRLF counts. */
	assert_int_equal(status_of("sip:a@b", repeat("X: ", "y", 256 - 5, "\n")), 200);
	assert_int_not_equal(status_of("sip:a@b", repeat("X: ", "y", 256 - 4, "\n")), 200);
	put_back();
}

static void values_of_a_header(void **state)
{
	(void)state;
	start("[limits]\nheader_values=8\n");
	assert_int_equal(status_of("sip:a@b", repeat("Contact: <sip:a@b>", ",<sip:a@b>", 7, "\n")), 200);
	assert_int_equal(status_of("sip:a@b", repeat("Contact: <sip:a@b>", ",<sip:a@b>", 8, "\n")), 400);
	put_back();
}

static void parameters_of_a_value(void **state)
{
	(void)state;
	start("[limits]\nparams=8\n");
	assert_int_equal(status_of("sip:a@b", repeat("Contact: <sip:a@b>", ";x", 8, "\n")), 200);
	assert_int_equal(status_of("sip:a@b", repeat("Contact: <sip:a@b>", ";x", 9, "\n")), 400);
	put_back();
}

static void bytes_of_a_uri(void **state)
{
	(void)state;
	start("[limits]\nuri=256\n");
	assert_int_equal(status_of(repeat("sip:", "a", 256 - 6, "@b"), ""), 200);
	assert_int_not_equal(status_of(repeat("sip:", "a", 256 - 5, "@b"), ""), 200);
	put_back();
}

static void transactions_at_once(void **state)
{
	const char *m;

	(void)state;
	start("[limits]\ntransactions=100\nretry_after_s=7\n");
	swallow = true;
	for (unsigned i = 0; i < 100; i++) {
		char word[16];

		snprintf(word, sizeof(word), "t%u", i);
		ct_request(phone, "MESSAGE", "sip:a@b", word, "");
		ct_run();
	}
	assert_null(ct_receive(phone));
	ct_request(phone, "MESSAGE", "sip:a@b", "more", "");
	m = ct_receive(phone);
	assert_int_equal(ct_status(m), 503);
	assert_true(atoi(ct_header(m, "Retry-After", 0)) >= 7);
	put_back();
}

/* ---- connections ---- */

static unsigned ended;

static void on_ended(struct sim_peer *p, void *token, int error)
{
	(void)p;
	(void)token;
	(void)error;
	ended++;
}

static void on_receive(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	(void)p;
	(void)from;
	if (rs_str_starts(bytes, RS_STR("SIP/2.0 200")))
		++*(unsigned *)token;
}

/* Connects and asks; whether it was served. */
static bool serves(const char *from, struct sim_peer **p)
{
	static const struct sim_peer_ops ops = {.receive = on_receive, .ended = on_ended};
	static unsigned served;
	char text[512];

	served = 0;
	serial++;
	snprintf(text, sizeof(text),
		 "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKc%u\r\nFrom: <sip:a@b>;tag=1\r\n"
		 "To: <sip:a@b>\r\nCall-ID: c%u\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		 serial, serial);
	*p = sim_peer_tcp_connect(from, CT_SERVER, &ops, &served);
	sim_peer_write(*p, rs_str_c(text));
	sim_run_for(SIM_SECOND / 2);
	return served == 1;
}

static void connections_at_once(void **state)
{
	struct sim_peer *p[4];

	(void)state;
	start("[limits]\nconnections=3\n");
	for (unsigned i = 0; i < 4; i++) {
		char from[32];

		snprintf(from, sizeof(from), "10.0.1.%u:5060", i + 1);
		assert_int_equal(serves(from, &p[i]), i < 3);
	}
	for (unsigned i = 0; i < 4; i++)
		sim_peer_close(p[i]);
	sim_run_for(SIM_SECOND);
	put_back();
}

static void connections_of_one_peer(void **state)
{
	struct sim_peer *p[4];

	(void)state;
	start("[limits]\nconnections_per_peer=2\n");
	assert_true(serves("10.0.1.1:1001", &p[0]));
	assert_true(serves("10.0.1.1:1002", &p[1]));
	assert_false(serves("10.0.1.1:1003", &p[2]));
	assert_true(serves("10.0.1.2:1001", &p[3]));
	for (unsigned i = 0; i < 4; i++)
		sim_peer_close(p[i]);
	sim_run_for(SIM_SECOND);
	put_back();
}

static void idle_connections(void **state)
{
	static const struct sim_peer_ops ops = {.ended = on_ended};
	struct sim_peer *served, *half;

	(void)state;
	start("[limits]\ntcp_idle_s=60\ntcp_half_open_s=10\n");
	ended = 0;
	assert_true(serves("10.0.1.1:1001", &served));
	half = sim_peer_tcp_connect("10.0.1.1:1002", CT_SERVER, &ops, NULL);
	sim_peer_write(half, RS_STR("MESSAGE"));
	sim_run_for(9 * SIM_SECOND);
	assert_int_equal(ended, 0);
	sim_run_for(2 * SIM_SECOND);
	assert_int_equal(ended, 1);
	sim_run_for(46 * SIM_SECOND);
	assert_int_equal(ended, 1);
	sim_run_for(6 * SIM_SECOND);
	assert_int_equal(ended, 2);
	sim_peer_close(served);
	sim_peer_close(half);
	put_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_teardown(f, ct_teardown)
		T(bytes_of_a_message),      T(header_lines),     T(bytes_of_a_header_line), T(values_of_a_header),
		T(parameters_of_a_value),   T(bytes_of_a_uri),   T(transactions_at_once),   T(connections_at_once),
		T(connections_of_one_peer), T(idle_connections),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
