/* Conversations as scripts, see call.h. */
#include "call.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER  "10.0.0.1:5060"
#define PHONE   "10.0.0.2:5060"
#define MAX_GOT 64

struct call call;

static struct {
	struct sim_peer *udp, *listener, *stream;
	char *got[MAX_GOT]; /* NUL-terminated messages */
	int64_t at[MAX_GOT];
	int64_t last_at;
	unsigned n_got, next_got;
	char *heard[MAX_GOT];
	unsigned n_heard, next_heard;
	char *stream_bytes;
	size_t stream_len;
	char *last, *before;
	char *request; /* the last one that the phone got */
	char *invite;
	bool up;
} s;

/* ---- the phone ---- */

static void got(struct rs_str text)
{
	if (s.next_got == s.n_got)
		s.next_got = s.n_got = 0;
	assert_true(s.n_got < MAX_GOT);
	s.got[s.n_got] = rs_str_dup(text);
	assert_non_null(s.got[s.n_got]);
	s.at[s.n_got] = sim_now();
	if (!rs_str_starts(text, RS_STR("SIP/2.0")) && !rs_str_starts(text, RS_STR("ACK"))) {
		free(s.request);
		s.request = rs_str_dup(text);
	}
	if (rs_str_starts(text, RS_STR("INVITE"))) {
		free(s.invite);
		s.invite = rs_str_dup(text);
	}
	s.n_got++;
}

static void receive(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	size_t at = 0, length, need;

	(void)p, (void)token;
	if (from) {
		got(bytes);
		return;
	}
	s.stream_bytes = realloc(s.stream_bytes, s.stream_len + bytes.len);
	assert_non_null(s.stream_bytes);
	memcpy(s.stream_bytes + s.stream_len, bytes.p, bytes.len);
	s.stream_len += bytes.len;
	while (sip_msg_frame(rs_str_n(s.stream_bytes, s.stream_len), &at, &length, &need) == SIP_PARSE_DONE && length) {
		got(rs_str_n(s.stream_bytes, length));
		s.stream_len -= length;
		memmove(s.stream_bytes, s.stream_bytes + length, s.stream_len);
		at = 0;
	}
}

static void accepted(struct sim_peer *listener, void *token, struct sim_peer *stream)
{
	(void)listener, (void)token;
	s.stream = stream;
}

static const struct sim_peer_ops phone_ops = {.receive = receive, .accepted = accepted};

static void transmit(struct rs_str text)
{
	if (call.transport == UDP)
		sim_peer_send_to(s.udp, SERVER, text);
	else
		sim_peer_write(s.stream, text);
	sim_run_for(0);
}

void phone_sends_text(const char *text)
{
	transmit(rs_str_c(text));
}

void phone_sends(const char *method)
{
	char text[4096];
	int n;

	n = snprintf(text, sizeof(text),
		     "%s %s SIP/2.0\r\n"
		     "Via: SIP/2.0/%s %s%s%s%s\r\n"
		     "Max-Forwards: 70\r\n"
		     "From: <sip:alice@example.com>;tag=%s\r\n"
		     "To: <sip:bob@example.com>%s%s\r\n"
		     "Call-ID: %s\r\n"
		     "CSeq: %u %s\r\n"
		     "%s"
		     "Content-Length: %zu\r\n\r\n%s",
		     method, call.uri, call.transport == UDP ? "UDP" : "TCP", call.via, call.no_rport ? "" : ";rport",
		     call.branch[0] ? ";branch=" : "", call.branch, call.from_tag, call.to_tag[0] ? ";tag=" : "",
		     call.to_tag, call.call_id, call.cseq, method, call.more, strlen(call.body), call.body);
	assert_true(n > 0 && n < (int)sizeof(text));
	phone_sends_text(text);
}

static void copy_lines(struct sip_writer *w, const char *message, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(message, "\r\n"); p && strncmp(p, "\r\n\r\n", 4) != 0; p = strstr(p + 2, "\r\n")) {
		const char *end = strstr(p + 2, "\r\n");

		if (end && !strncasecmp(p + 2, name, n) && p[2 + n] == ':')
			sip_write(w, rs_str_n(p + 2, (size_t)(end - p)));
	}
}

static void answer_to(const char *request, unsigned status, const char *to_tag)
{
	struct sip_writer w;
	char text[4096];

	assert_non_null(request);
	sip_writer_init(&w, text, sizeof(text));
	sip_write_status_line(&w, status, RS_STR_NULL);
	copy_lines(&w, request, "Via");
	copy_lines(&w, request, "From");
	copy_lines(&w, request, "To");
	if (to_tag[0]) {
		w.len -= 2;
		sip_writef(&w, ";tag=%s\r\n", to_tag);
	}
	copy_lines(&w, request, "Call-ID");
	copy_lines(&w, request, "CSeq");
	sip_writez(&w, "Content-Length: 0\r\n\r\n");
	assert_true(sip_writer_ok(&w));
	transmit(rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

void phone_answers(unsigned status, const char *to_tag)
{
	answer_to(s.request, status, to_tag);
}

void phone_answers_invite(unsigned status, const char *to_tag)
{
	answer_to(s.invite, status, to_tag);
}

void phone_gets(const char *what)
{
	char start[128];

	sim_run_for(0);
	if (s.next_got == s.n_got)
		fail_msg("the phone got nothing instead of %s", what);
	snprintf(start, sizeof(start), what[0] >= '0' && what[0] <= '9' ? "SIP/2.0 %s" : "%s", what);
	free(s.before);
	s.before = s.last;
	s.last_at = s.at[s.next_got];
	s.last = s.got[s.next_got++];
	call.last = rs_str_c(s.last);
	if (strncmp(s.last, start, strlen(start)) != 0)
		fail_msg("the phone got %.40s instead of %s", s.last, what);
}

void phone_gets_again(void)
{
	phone_gets("");
	assert_string_equal(s.last, s.before);
}

static bool something(void *token)
{
	(void)token;
	return s.next_got < s.n_got;
}

void phone_gets_again_after(int64_t ms)
{
	int64_t before = s.last_at, late;

	sim_run_until(something, NULL, 2 * ms * SIM_MS);
	phone_gets_again();
	late = s.last_at - before - ms * SIM_MS;
	if (late < 0 || late > 2 * RS_TICK_US)
		fail_msg("it came %lld us late", (long long)late);
}

void phone_gets_nothing(void)
{
	sim_run_for(0);
	if (s.next_got != s.n_got)
		fail_msg("the phone got %.40s", s.got[s.next_got]);
}

void phone_saw(const char *text)
{
	if (!strstr(s.last, text))
		fail_msg("no %s in\n%s", text, s.last);
}

void phone_did_not_see(const char *text)
{
	if (strstr(s.last, text))
		fail_msg("%s in\n%s", text, s.last);
}

const char *phone_header(const char *name)
{
	static char value[1024];
	struct sip_writer w;
	char line[1024];

	sip_writer_init(&w, line, sizeof(line) - 1);
	copy_lines(&w, s.last, name);
	line[w.len < 2 ? 0 : w.len - 2] = '\0';
	snprintf(value, sizeof(value), "%s", line[0] ? line + strlen(name) + 2 : "");
	return value;
}

/* ---- the user ---- */

static void hear(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s.next_heard == s.n_heard) {
		while (s.n_heard)
			free(s.heard[--s.n_heard]);
		s.next_heard = 0;
	}
	assert_true(s.n_heard < MAX_GOT);
	s.heard[s.n_heard++] = strdup(text);
}

void user_hears(const char *what)
{
	sim_run_for(0);
	if (s.next_heard == s.n_heard)
		fail_msg("the user heard nothing instead of %s", what);
	if (strcmp(s.heard[s.next_heard], what) != 0)
		fail_msg("the user heard %s instead of %s", s.heard[s.next_heard], what);
	s.next_heard++;
}

void user_hears_nothing(void)
{
	sim_run_for(0);
	if (s.next_heard != s.n_heard)
		fail_msg("the user heard %s", s.heard[s.next_heard]);
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	assert_ptr_equal(token, &call);
	assert_ptr_equal(sip_rx_tsx(rx), tsx);
	assert_ptr_equal(rs_serializer_current(), sip_tsx_serializer(tsx));
	hear("response %u%s%.*s", msg->status, msg->to_tag.len ? " " : "", RS_FMT(msg->to_tag));
	if (call.on_response)
		call.on_response(tsx, msg->status);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	(void)tsx, (void)token;
	hear("end %s", why == SIP_TSX_TIMEOUT           ? "TIMEOUT"
		       : why == SIP_TSX_TRANSPORT_ERROR ? "TRANSPORT_ERROR"
							: "LOCAL");
}

static void on_cancel(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	(void)token;
	assert_ptr_equal(rs_serializer_current(), sip_tsx_serializer(tsx));
	assert_int_equal(sip_rx_msg(cancel)->method, SIP_METHOD_CANCEL);
	hear("cancel");
}

static void on_ack(struct sip_tsx *tsx, struct sip_rx_data *ack, void *token)
{
	(void)tsx, (void)token;
	assert_int_equal(sip_rx_msg(ack)->method, SIP_METHOD_ACK);
	hear("ack");
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx, (void)token;
	hear("terminated");
}

const struct sip_tsx_user call_user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "call",
	.on_response = on_response,
	.on_end = on_end,
	.on_cancel = on_cancel,
	.on_ack = on_ack,
	.on_terminated = on_terminated,
};

static void answer(struct sip_tsx *tsx, struct sip_rx_data *rx, unsigned status)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, RS_STR_NULL);

	assert_non_null(tx);
	call.result = call.stateless ? sip_tsx_respond_stateless(tsx, tx) : sip_tsx_respond(tsx, tx);
	call.error = call.result ? errno : 0;
}

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	assert_ptr_equal(sip_rx_tsx(rx), tsx);
	assert_ptr_equal(rs_serializer_current(), sip_tsx_serializer(tsx));
	if (call.on_request && call.on_request(tsx, rx))
		return;
	hear("request %.*s", RS_FMT(sip_rx_msg(rx)->method_text));
	if (call.server)
		sip_tsx_unref(call.server);
	sip_rx_unref(call.request);
	call.server = sip_tsx_ref(tsx);
	call.request = sip_rx_ref(rx);
	if (!call.no_user)
		sip_tsx_set_user_for(&call, tsx, &call_user, &call);
	if (call.answer_at_once)
		answer(tsx, rx, call.answer_at_once);
}

static void on_stray(struct sip_rx_data *rx)
{
	hear("stray %u", sip_rx_msg(rx)->status);
}

struct on_call {
	int (*fn)(void *);
	void *data;
};

int call_on(struct sip_tsx *tsx, int (*fn)(void *data), void *data)
{
	int result = -1;

	assert_int_equal(rs_call(sip_tsx_serializer(tsx), fn, data, &result, "test", NULL), 0);
	sim_run_for(0);
	return result;
}

static int do_answer(void *data)
{
	answer(call.server, call.request, *(unsigned *)data);
	return 0;
}

void user_answers(unsigned status)
{
	assert_non_null(call.server);
	call_on(call.server, do_answer, &status);
}

struct sip_tx_data *call_request_to_phone(const char *method)
{
	const struct sip_tx_request_params params = {
		.method = rs_str_c(method),
		.uri = RS_STR("sip:phone@10.0.0.2"),
		.from = RS_STR("<sip:server@example.com>"),
		.contact = RS_STR("<sip:@>"),
		.max_forwards = -1,
	};
	struct sip_target target = {.type = call.transport == UDP ? SIP_TRANSPORT_UDP : SIP_TRANSPORT_TCP};
	struct sip_tx_data *tx = sip_tx_request(&params);

	assert_non_null(tx);
	assert_int_equal(sip_addr_parse(RS_STR(PHONE), &target.addr), 0);
	sip_tx_set_target(tx, &target);
	return tx;
}

void user_sends_for(const char *method, int64_t timeout_ms)
{
	struct sip_tx_data *tx = call_request_to_phone(method);

	if (call.client)
		sip_tsx_unref(call.client);
	call.client = NULL;
	call.result = sip_tsx_send_for(&call, tx, NULL, &call_user, &call, timeout_ms * SIM_MS, &call.client);
	call.error = call.result ? errno : 0;
	sim_run_for(0);
}

void user_sends(const char *method)
{
	user_sends_for(method, 0);
}

static int do_cancel(void *data)
{
	call.result = sip_tsx_cancel(call.client, rs_str_c(data));
	call.error = call.result ? errno : 0;
	return 0;
}

void user_cancels(const char *reason)
{
	call_on(call.client, do_cancel, (void *)(uintptr_t)reason);
}

static int do_terminate(void *data)
{
	sip_tsx_terminate(data);
	return 0;
}

void user_terminates(struct sip_tsx *tsx)
{
	call_on(tsx, do_terminate, tsx);
}

/* ---- the call ---- */

static void hold(void *module, int delta, const char *what, const char *name)
{
	assert_ptr_equal(module, &call);
	assert_non_null(what);
	assert_string_equal(name, "call");
	call.holds += delta;
}

static void open_listener(enum sip_transport_type type)
{
	struct sip_listener_config config = {.name = rs_str_c(sip_transport_name(type)), .type = type};

	assert_int_equal(sip_addr_parse(RS_STR(SERVER), &config.sock.bind), 0);
	assert_int_equal(sip_listener_open(&config, NULL), 0);
}

void call_start(enum call_transport transport)
{
	struct sim_config config = {.seed = 1, .stack = call.config};
	struct sim_link *link;

	memset(&s, 0, sizeof(s));
	call.transport = transport;
	call.branch = "z9hG4bKabc";
	call.via = "10.0.0.2:5060";
	call.call_id = "call-1@10.0.0.2";
	call.to_tag = call.more = call.body = "";
	call.from_tag = "from1";
	call.uri = "sip:bob@example.com";
	call.cseq = 1;
	config.stack.on_request = on_request;
	if (!config.stack.on_stray_response)
		config.stack.on_stray_response = on_stray;
	config.stack.readers = 1;
	rs_log_set_level(RS_LOG_WARNING);
	sip_module_hold = hold;
	sim_start(&config);
	link = sim_net_link(NULL, NULL);
	link->delay_min = link->delay_max = 0;
	open_listener(SIP_TRANSPORT_UDP);
	open_listener(SIP_TRANSPORT_TCP);
	s.udp = sim_peer_udp_open(PHONE, &phone_ops, NULL);
	s.listener = sim_peer_tcp_listen(PHONE, &phone_ops, NULL);
	if (transport == TCP)
		s.stream = sim_peer_tcp_connect("10.0.0.2:0", SERVER, &phone_ops, NULL);
	sim_run_for(0);
	s.up = true;
}

struct sip_tsx_stats call_stats(void)
{
	struct sip_tsx_stats stats;

	sip_tsx_stats(&stats);
	return stats;
}

static void let_go(void)
{
	if (call.server)
		sip_tsx_unref(call.server);
	sip_rx_unref(call.request);
	if (call.client)
		sip_tsx_unref(call.client);
	call.server = call.client = NULL;
	call.request = NULL;
}

static void clear(void)
{
	for (unsigned i = s.next_got; i < s.n_got; i++)
		free(s.got[i]);
	for (unsigned i = 0; i < s.n_heard; i++)
		free(s.heard[i]);
	free(s.stream_bytes);
	free(s.last);
	free(s.before);
	free(s.request);
	free(s.invite);
	memset(&s, 0, sizeof(s));
	memset(&call, 0, sizeof(call));
}

void call_stop(void)
{
	sim_stop();
	assert_int_equal(call.holds, 0);
	let_go();
	clear();
}

void call_end(void)
{
	struct sip_tsx_stats stats;

	let_go();
	sim_run_for(200 * SIM_SECOND);
	stats = call_stats();
	assert_int_equal(stats.server_now, 0);
	assert_int_equal(stats.client_now, 0);
	assert_int_equal(stats.completed_now, 0);
	call_stop();
}

void call_wait(int64_t ms)
{
	sim_run_for(ms * SIM_MS);
}
