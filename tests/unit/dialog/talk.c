/* Dialogs as scripts, see talk.h. */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_HEARD 64

struct talk talk;

static struct {
	char *heard[MAX_HEARD];
	unsigned n, next, branch;
	char to[128];
} t;

bool str_is(struct rs_str s, const char *z)
{
	if (!rs_str_eqz(s, z))
		print_error("it is %.*s\n", RS_FMT(s));
	return rs_str_eqz(s, z);
}

/* ---- what is heard ---- */

void talk_note(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(t.n < MAX_HEARD);
	t.heard[t.n++] = strdup(text);
}

void talk_hears(const char *what)
{
	sim_run_for(0);
	if (t.next == t.n)
		fail_msg("nothing was heard instead of %s", what);
	if (strcmp(t.heard[t.next], what) != 0)
		fail_msg("%s was heard instead of %s", t.heard[t.next], what);
	free(t.heard[t.next++]);
	if (t.next == t.n)
		t.next = t.n = 0;
}

void talk_hears_nothing(void)
{
	sim_run_for(0);
	if (t.next != t.n)
		fail_msg("%s was heard", t.heard[t.next]);
}

/* ---- the usage ---- */

static void keep(struct sip_rx_data *rx)
{
	sip_rx_unref(talk.invite);
	sip_tsx_unref(talk.tsx);
	talk.invite = sip_rx_ref(rx);
	talk.tsx = sip_rx_tsx(rx) ? sip_tsx_ref(sip_rx_tsx(rx)) : NULL;
}

static bool on_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	assert_ptr_equal(token, &talk);
	assert_ptr_equal(sip_rx_dialog(rx), dlg);
	assert_ptr_equal(rs_serializer_current(), sip_dialog_serializer(dlg));
	if (talk.refuse)
		return false;
	talk_note("%.*s %u", RS_FMT(msg->method_text), msg->cseq);
	keep(rx);
	if (talk.answer)
		assert_int_equal(sip_dialog_respond(dlg, rx, sip_dialog_response(dlg, rx, talk.answer, RS_STR_NULL)),
				 0);
	if (talk.let_go_at_bye && msg->method == SIP_METHOD_BYE)
		sip_dialog_remove_usage(dlg, &talk_usage, &talk);
	return true;
}

static bool on_ack(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	(void)token;
	assert_ptr_equal(rs_serializer_current(), sip_dialog_serializer(dlg));
	if (talk.refuse)
		return false;
	talk_note("ack %u", sip_rx_msg(rx)->cseq);
	return true;
}

static void on_ended(struct sip_dialog *dlg, void *token)
{
	assert_int_equal(sip_dialog_state(dlg), SIP_DIALOG_TERMINATED);
	talk_note("ended");
	sip_dialog_remove_usage(dlg, &talk_usage, token);
}

const struct sip_dialog_usage talk_usage = {
	.size = sizeof(talk_usage), .name = "call", .on_request = on_request, .on_ack = on_ack, .on_ended = on_ended};

/* ---- requests that come ---- */

static bool take(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	if (talk.rewrite)
		assert_int_equal(sip_rx_override(rx, SIP_HDR_CONTACT, 0, rs_str_c(talk.rewrite)), 0);
	if (sip_rx_dialog(rx)) {
		if (!sip_dialog_process(rx)) {
			talk_note("nobody %.*s", RS_FMT(msg->method_text));
			sip_tsx_respond(tsx, sip_tx_response(rx, 501, RS_STR_NULL));
		}
		return true;
	}
	if (msg->method != SIP_METHOD_INVITE || msg->to_tag.len)
		return false;
	sip_dialog_unref(talk.dlg);
	keep(rx);
	talk.dlg = sip_dialog_uas(rx, RS_STR("<sip:us@@>"));
	talk.error = talk.dlg ? 0 : errno;
	if (talk.dlg && !talk.no_usage)
		assert_int_equal(sip_dialog_add_usage_for(&call, talk.dlg, &talk_usage, &talk), 0);
	return true;
}

/* ---- the phone ---- */

void phone_invites(const char *contact, const char *more)
{
	static char branch[40];
	char lines[1024];

	snprintf(lines, sizeof(lines), "%s%s%s%s", contact[0] ? "Contact: " : "", contact, contact[0] ? "\r\n" : "",
		 more);
	snprintf(branch, sizeof(branch), "z9hG4bKi%u", ++t.branch);
	call.branch = branch;
	call.more = lines;
	call.to_tag = "";
	phone_sends("INVITE");
	call.more = "";
}

void phone_asks_with(const char *method, unsigned cseq, const char *more)
{
	static char branch[40];

	snprintf(branch, sizeof(branch), "z9hG4bKr%u", ++t.branch);
	snprintf(t.to, sizeof(t.to), "%.*s", RS_FMT(sip_dialog_local_tag(talk.dlg)));
	call.branch = branch;
	call.to_tag = t.to;
	call.more = more;
	call.cseq = cseq;
	phone_sends(method);
	call.more = "";
}

void phone_asks(const char *method, unsigned cseq)
{
	phone_asks_with(method, cseq, "");
}

static void add_line(char *text, size_t size, const char *name)
{
	char value[1024];
	size_t len = strlen(text);

	snprintf(value, sizeof(value), "%s", phone_header(name));
	snprintf(text + len, size - len, "%s: %s\r\n", name, value);
}

void phone_replies(unsigned status, const char *to_tag, const char *more)
{
	char text[4096];
	size_t len;

	snprintf(text, sizeof(text), "SIP/2.0 %u Reply\r\n", status);
	add_line(text, sizeof(text), "Via");
	add_line(text, sizeof(text), "From");
	add_line(text, sizeof(text), "To");
	if (to_tag[0] && !strstr(phone_header("To"), ";tag=")) {
		len = strlen(text) - 2;
		snprintf(text + len, sizeof(text) - len, ";tag=%s\r\n", to_tag);
	}
	add_line(text, sizeof(text), "Call-ID");
	add_line(text, sizeof(text), "CSeq");
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%sContent-Length: 0\r\n\r\n", more);
	phone_sends_text(text);
}

/* ---- ours ---- */

int talk_on(int (*fn)(void *data), void *data)
{
	int result = -1;

	assert_non_null(talk.dlg);
	assert_int_equal(rs_call(sip_dialog_serializer(talk.dlg), fn, data, &result, "test", NULL), 0);
	sim_run_for(0);
	return result;
}

static int do_answer(void *data)
{
	struct sip_tx_data *tx = sip_dialog_response(talk.dlg, talk.invite, *(unsigned *)data, RS_STR_NULL);

	assert_non_null(tx);
	talk.result = sip_dialog_respond(talk.dlg, talk.invite, tx);
	talk.error = talk.result ? errno : 0;
	return 0;
}

void talk_answers(unsigned status)
{
	talk_on(do_answer, &status);
}

void talk_calls(const char *uri, const char *route)
{
	const struct sip_dialog_uac_params p = {
		.size = sizeof(p),
		.uri = rs_str_c(uri),
		.from = RS_STR("\"Us\" <sip:us@example.com>"),
		.contact = RS_STR("<sip:us@@>"),
		.route = rs_str_c(route),
	};

	sip_dialog_unref(talk.dlg);
	talk.dlg = sip_dialog_uac(&p);
	talk.error = talk.dlg ? 0 : errno;
	if (talk.dlg && !talk.no_usage)
		assert_int_equal(sip_dialog_add_usage_for(&call, talk.dlg, &talk_usage, &talk), 0);
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	bool mine = sip_dialog_received(token, rx);

	(void)tsx;
	talk_note("response %.*s %u %s", RS_FMT(msg->cseq_method), msg->status, mine ? "mine" : "other");
	if (talk.on_response)
		talk.on_response(rx);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	(void)tsx, (void)token, (void)why;
	talk_note("failed");
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	sip_dialog_unref(token);
}

static const struct sip_tsx_user user = {.size = sizeof(user),
					 .name = "call",
					 .on_response = on_response,
					 .on_end = on_end,
					 .on_terminated = on_terminated};

static int do_request(void *data)
{
	struct sip_tx_data **tx = data;
	const char *method = (void *)*tx;

	*tx = sip_dialog_request(talk.dlg, rs_str_c(method));
	talk.error = *tx ? 0 : errno;
	return 0;
}

struct sip_tx_data *talk_request(const char *method)
{
	struct sip_tx_data *tx = (void *)(uintptr_t)method;

	talk_on(do_request, &tx);
	return tx;
}

static void to_the_phone(struct sip_tx_data *tx)
{
	struct sip_target target = {.type = call.transport == UDP ? SIP_TRANSPORT_UDP : SIP_TRANSPORT_TCP};

	/* What would be resolved goes to the phone all the same. */
	if (sip_tx_target(tx)->flow || sip_tx_target(tx)->addr.family)
		return;
	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.2:5060"), &target.addr), 0);
	sip_tx_set_target(tx, &target);
}

void talk_sends(const char *method)
{
	struct sip_tx_data *tx = talk_request(method);

	assert_non_null(tx);
	to_the_phone(tx);
	assert_int_equal(
		sip_tsx_send_for(&call, tx, sip_dialog_serializer(talk.dlg), &user, sip_dialog_ref(talk.dlg), 0, NULL),
		0);
	sim_run_for(0);
}

static int do_let_go(void *data)
{
	sip_dialog_remove_usage(talk.dlg, &talk_usage, data);
	return 0;
}

void talk_lets_go(void)
{
	talk_on(do_let_go, &talk);
}

/* ---- the talk ---- */

void talk_start(enum call_transport transport)
{
	memset(&talk, 0, sizeof(talk));
	memset(&t, 0, sizeof(t));
	call.on_request = take;
	call.answer_at_once = 481;
	call_start(transport);
}

void talk_drop(void)
{
	sip_dialog_unref(talk.dlg);
	sip_rx_unref(talk.invite);
	sip_tsx_unref(talk.tsx);
	memset(&talk, 0, sizeof(talk));
	while (t.next < t.n)
		free(t.heard[t.next++]);
	t.next = t.n = 0;
}

void talk_end(void)
{
	struct sip_dialog_stats stats;

	talk_hears_nothing();
	if (talk.dlg)
		talk_lets_go();
	talk_drop();
	sim_run_for(200 * SIM_SECOND);
	sip_dialog_stats(&stats);
	assert_int_equal(stats.now, 0);
	assert_int_equal(stats.early_now, 0);
	call_end();
}
