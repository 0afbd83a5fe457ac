/* See with_core.h. */
#include "with_core.h"

#define MAX_HEARD 64

struct dc dc;

static struct {
	char *heard[MAX_HEARD];
	unsigned n, next, branch;
	struct ast_sip_endpoint *endpoint;
} s;

void dc_note(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(s.n < MAX_HEARD);
	s.heard[s.n++] = strdup(text);
}

void dc_hears(const char *what)
{
	ct_run();
	for (int i = 0; s.next == s.n && i < 100; i++)
		sim_run_for(5 * SIM_MS);
	if (s.next == s.n)
		fail_msg("nothing was heard instead of %s", what);
	if (strcmp(s.heard[s.next], what) != 0)
		fail_msg("%s was heard instead of %s", s.heard[s.next], what);
	free(s.heard[s.next++]);
	if (s.next == s.n)
		s.next = s.n = 0;
}

void dc_hears_nothing(void)
{
	sim_run_for(50 * SIM_MS);
	if (s.next != s.n)
		fail_msg("%s was heard", s.heard[s.next]);
}

struct ast_sip_endpoint *dc_endpoint(const char *id)
{
	ast_sip_endpoint_unref(s.endpoint);
	s.endpoint = id ? ast_sip_endpoint_get(rs_str_c(id)) : NULL;
	assert_true(!id || s.endpoint);
	return s.endpoint;
}

/* ---- the usage ---- */

static bool on_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	(void)token;
	if (!dc.answer)
		return false;
	dc_note("%.*s %u", RS_FMT(msg->method_text), msg->cseq);
	sip_rx_unref(dc.rx);
	dc.rx = sip_rx_ref(rx);
	assert_int_equal(sip_dialog_respond(dlg, rx, sip_dialog_response(dlg, rx, dc.answer, RS_STR_NULL)), 0);
	return true;
}

static bool on_ack(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	(void)dlg, (void)token;
	dc_note("ack %u", sip_rx_msg(rx)->cseq);
	return true;
}

static void on_ended(struct sip_dialog *dlg, void *token)
{
	dc_note("ended");
	sip_dialog_remove_usage(dlg, &dc_usage, token);
}

const struct sip_dialog_usage dc_usage = {
	.size = sizeof(dc_usage), .name = "dc", .on_request = on_request, .on_ack = on_ack, .on_ended = on_ended};

/* ---- the sender ---- */

static void on_provisional(struct ast_sip_request *req, struct sip_rx_data *rx, void *token)
{
	assert_ptr_equal(token, &dc);
	dc_note("1xx %u", sip_rx_msg(rx)->status);
	if (dc.on_provisional)
		dc.on_provisional(req);
}

static void on_final(struct ast_sip_request *req, enum ast_sip_request_end why, struct sip_rx_data *rx, void *token)
{
	(void)req, (void)token;
	assert_true((why == AST_SIP_REQUEST_RESPONSE) == (rx != NULL));
	if (rx)
		dc_note("final %u", sip_rx_msg(rx)->status);
	else
		dc_note("final %s", why == AST_SIP_REQUEST_TIMEOUT ? "timeout" : "error");
}

static void on_more(struct ast_sip_request *req, struct sip_rx_data *rx, void *token)
{
	(void)req, (void)token;
	dc_note("more %u", sip_rx_msg(rx)->status);
}

static void on_gone(struct ast_sip_request *req, void *token)
{
	(void)req, (void)token;
	dc_note("gone");
}

static const struct ast_sip_request_ops ops = {
	.size = sizeof(ops),
	.name = "dc",
	.on_provisional = on_provisional,
	.on_final = on_final,
	.on_more = on_more,
	.on_gone = on_gone,
};

int dc_on(int (*fn)(void *data), void *data)
{
	int result = -1;

	assert_int_equal(rs_call(sip_dialog_serializer(dc.dlg), fn, data, &result, "test", NULL), 0);
	return result;
}

void dc_sends_for(const char *method, int timeout_ms)
{
	struct sip_tx_data *tx = ast_sip_create_request(method, dc.dlg, NULL, NULL);

	assert_non_null(tx);
	ast_sip_request_unref(dc.req);
	dc.req = NULL;
	assert_int_equal(ast_sip_send_request_ops(tx, dc.dlg, NULL, timeout_ms, &ops, &dc, &dc.req), 0);
	assert_non_null(dc.req);
}

void dc_sends(const char *method)
{
	dc_sends_for(method, 0);
}

static int do_cancel(void *data)
{
	(void)data;
	return ast_sip_request_cancel(dc.req, RS_STR("SIP;cause=200")) ? errno : 0;
}

int dc_cancels(void)
{
	return dc_on(do_cancel, NULL);
}

static int add_usage(void *data)
{
	return sip_dialog_add_usage(dc.dlg, &dc_usage, data);
}

void dc_calls(const char *endpoint, const char *uri)
{
	const struct ast_sip_dialog_uac_params p = {.size = sizeof(p), .uri = rs_str_c(uri)};

	sip_dialog_unref(dc.dlg);
	dc.dlg = ast_sip_create_dialog_uac(endpoint ? dc_endpoint(endpoint) : NULL, &p);
	assert_non_null(dc.dlg);
	assert_int_equal(dc_on(add_usage, &dc), 0);
}

static int acknowledge(void *data)
{
	(void)data;
	return ast_sip_send_ack(sip_dialog_ack(dc.dlg, ast_sip_request_tx(dc.req)), dc.dlg);
}

void dc_establishes(const char *endpoint, const char *uri)
{
	dc_calls(endpoint, uri);
	dc_sends("INVITE");
	ct_answer(dc.phone, dc_got(dc.phone, "INVITE"), 200, BOB_CONTACT);
	dc_hears("final 200");
	assert_int_equal(dc_on(acknowledge, NULL), 0);
	dc_got(dc.phone, "ACK");
}

/* ---- the phone ---- */

const char *dc_got(struct ct_phone *p, const char *what)
{
	const char *m = ct_receive(p);

	if (!m || strncmp(m, what, strlen(what)) != 0)
		fail_msg("the phone got %.60s instead of %s", m ? m : "nothing", what);
	return m;
}

void dc_asked(struct ct_phone *p, const char *method, unsigned cseq, const char *more)
{
	char addr[SIP_ADDR_TEXT];

	/* The phone's address is known by its name only in the messages; rport leads the answer back. */
	snprintf(addr, sizeof(addr), "10.0.0.2:5060");
	ct_send(p,
		"%s sip:us@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKdc%u;rport\nMax-Forwards: 70\n"
		"From: <sip:bob@10.0.0.2>;tag=%.*s\nTo: <sip:us@10.0.0.1>;tag=%.*s\nCall-ID: %.*s\nCSeq: %u %s\n%s"
		"Content-Length: 0\n\n",
		method, addr, ++s.branch, RS_FMT(sip_dialog_remote_tag(dc.dlg)), RS_FMT(sip_dialog_local_tag(dc.dlg)),
		RS_FMT(sip_dialog_call_id(dc.dlg)), cseq, method, more);
}

/* ---- life ---- */

void dc_start(const char *pjsip, const char *own)
{
	struct sim_link *link;

	memset(&dc, 0, sizeof(dc));
	memset(&s, 0, sizeof(s));
	ct_start(pjsip, own);
	/* What is sent in order comes in order. */
	link = sim_net_link(NULL, NULL);
	link->delay_min = link->delay_max = SIM_MS;
	dc.phone = ct_phone("10.0.0.2:5060");
}

static int let_go(void *data)
{
	sip_dialog_remove_usage(dc.dlg, &dc_usage, data);
	return 0;
}

void dc_stop(void)
{
	struct sip_dialog_stats stats;

	if (dc.dlg)
		dc_on(let_go, &dc);
	sip_dialog_unref(dc.dlg);
	ast_sip_request_unref(dc.req);
	sip_rx_unref(dc.rx);
	dc_endpoint(NULL);
	sim_run_for(100 * SIM_SECOND);
	sip_dialog_stats(&stats);
	assert_int_equal(stats.now, 0);
	while (s.next < s.n)
		free(s.heard[s.next++]);
	ct_stop();
}
