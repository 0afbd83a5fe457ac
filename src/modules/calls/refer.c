/*
 * REFER inside a call (RFC 3515, 4488, 5589): what the referrer is answered, and the notifications by which it learns
 * what became of it. They are a usage of its dialog of their own, so that they go on when the referrer hangs up.
 */
#include "transfer.h"
#include "base/log.h"

#include <stdlib.h>

#define EXPIRES_S 180 /* of the subscription: no ringing lasts longer */

/* ---- notifications; on the referrer's serializer ---- */

static bool sub_on_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	(void)dlg;
	(void)rx;
	(void)token;
	return false; /* SUBSCRIBE does not prolong it */
}

static void sub_end(struct transfer *t);

static void sub_on_ended(struct sip_dialog *dlg, void *token)
{
	(void)dlg;
	sub_end(token);
}

static const struct sip_dialog_usage usage = {.size = sizeof(struct sip_dialog_usage),
					      .name = "refer",
					      .on_request = sub_on_request,
					      .on_ended = sub_on_ended};

static void sub_begin(struct transfer *t)
{
	struct sip_dialog *dlg = ast_sip_session_dialog(t->referrer->session);

	if (sip_dialog_add_usage(dlg, &usage, t))
		return;
	shared_ref(&t->shared);
	t->dialog = sip_dialog_ref(dlg);
}

static void sub_end(struct transfer *t)
{
	struct sip_dialog *dlg = t->dialog;

	if (!dlg)
		return;
	t->dialog = NULL;
	sip_dialog_remove_usage(dlg, &usage, t);
	sip_dialog_unref(dlg);
	shared_unref(&t->shared);
}

/* Behind the last notification; the session's end may be asked for at any time. */
static void part(struct transfer *t)
{
	if (t->hangup)
		leg_hangup(t->referrer, 0, RS_STR("SIP;cause=200;text=\"Transferred\""));
}

static void notified(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct transfer *t = token;

	(void)why;
	(void)rx;
	shared_unref(&t->shared);
}

/* The answer to the last one, and not to one before it that came late: BYE must not overtake what it ends. */
static void notified_last(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct transfer *t = token;

	sub_end(t);
	part(t);
	notified(token, why, rx);
}

static struct sip_tx_data *make_notify(struct transfer *t, unsigned status)
{
	struct sip_tx_data *tx = sip_dialog_request(t->dialog, RS_STR("NOTIFY"));
	char text[64];
	struct sip_writer w;

	if (!tx)
		return NULL;
	sip_tx_add_hdr(tx, SIP_HDR_EVENT, rs_str_c(t->event));
	sip_writer_init(&w, text, sizeof(text));
	if (t->over)
		sip_writez(&w, "terminated;reason=noresource");
	else
		sip_writef(&w, "active;expires=%d", EXPIRES_S);
	sip_tx_add_hdr(tx, SIP_HDR_SUBSCRIPTION_STATE, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	sip_writer_init(&w, text, sizeof(text));
	sip_writef(&w, "SIP/2.0 %u ", status);
	sip_write(&w, sip_reason_phrase(status));
	sip_writez(&w, "\r\n");
	sip_tx_set_body(tx, RS_STR("message/sipfrag;version=2.0"), rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	return tx;
}

static void notify(struct transfer *t, unsigned status, bool last)
{
	struct sip_tx_data *tx;

	if (t->over)
		return;
	t->over = last;
	tx = t->dialog ? make_notify(t, status) : NULL;
	if (tx) {
		shared_ref(&t->shared);
		if (!ast_sip_send_request_cb(tx, t->dialog, leg_endpoint(t->referrer), 0,
					     last ? notified_last : notified, t))
			return;
		shared_unref(&t->shared);
	}
	if (last)
		sub_end(t);
}

void refer_event(struct leg *leg, struct transfer *t, const struct leg_event *e)
{
	bool told_last = t->over;

	switch ((enum transfer_step)e->status) {
	case TRANSFER_PROGRESS:
		notify(t, e->answer, false);
		return;
	case TRANSFER_FAILED:
		notify(t, e->answer, true);
		break;
	case TRANSFER_DONE:
		leg->parted = true;
		leg_set_peer(leg, NULL);
		t->hangup = true;
		notify(t, 200, true);
		if (told_last || !t->dialog)
			part(t); /* no notification will be answered */
		break;
	default:
		return;
	}
	if (leg->transfer == t)
		leg_set_transfer(leg, NULL);
}

/* ---- the request ---- */

/* The URI of Refer-To without its headers, malloc'd, and its Replaces, unescaped into buf (empty: none). */
static char *read_target(const struct sip_uri *uri, char *buf, size_t size, struct rs_str *replaces)
{
	struct rs_str name, value, text = uri->text;
	size_t pos = 0;
	int n;

	*replaces = RS_STR_NULL;
	while (sip_uri_next_header(uri, &pos, &name, &value)) {
		if (!rs_str_ieqz(name, "Replaces"))
			continue;
		n = sip_unescape(value, buf, size);
		if (n <= 0)
			return NULL;
		*replaces = rs_str_n(buf, (size_t)n);
	}
	if (uri->headers.p)
		text.len = (size_t)(uri->headers.p - text.p) - 1;
	return rs_str_dup(text);
}

static void transfer_free(struct shared *s)
{
	struct transfer *t = rs_container_of(s, struct transfer, shared);

	leg_unref(t->referrer);
	leg_unref(t->transferee);
	leg_unref(t->callee);
	leg_unref(t->second);
	if (t->replaced)
		ast_sip_session_unref(t->replaced);
	call_unref(t->call);
	invite_fini(&t->invite);
	sip_rx_unref(t->rx);
	free(t->target);
	free(t);
}

/* 0 and *out, or the status to refuse the REFER with. */
static unsigned make(struct leg *leg, struct sip_rx_data *rx, struct transfer **out)
{
	const struct sip_name_addr *to = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_REFER_TO, 0);
	struct rs_str value, method;
	struct replaces replaces;
	struct transfer *t;
	char buf[1024];

	if (!to || sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_REFER_TO, 1))
		return 400;
	if (!sip_uri_is_sip(&to->uri) && to->uri.scheme != SIP_URI_TEL)
		return 416;
	if (sip_uri_param(&to->uri, RS_STR("method"), &method) && !rs_str_eqz(method, "INVITE"))
		return 501;
	t = calloc(1, sizeof(*t));
	if (!t)
		return 500;
	shared_init(&t->shared, transfer_free);
	t->referrer = leg_ref(leg);
	t->transferee = leg_ref(leg->peer);
	t->rx = sip_rx_ref(rx);
	t->tells_progress = leg_settings(leg)->refer_blind_progress;
	t->target = read_target(&to->uri, buf, sizeof(buf), &value);
	*out = t;
	if (!t->target)
		return 400;
	if (!value.len)
		return 0;
	if (replaces_parse(value, &replaces))
		return 400;
	t->replaced = ast_sip_session_find_replaced(replaces.call_id, replaces.to_tag, replaces.from_tag);
	return t->replaced ? 0 : 481;
}

/* Whether the referrer wants no subscription (RFC 4488). */
static bool no_subscription(struct sip_rx_data *rx)
{
	const struct sip_token_params *sub = sip_msg_token(sip_rx_msg(rx), SIP_HDR_REFER_SUB, 0);

	return sub && rs_str_ieqz(sub->token, "false");
}

static int agree(struct transfer *t, struct sip_rx_data *rx)
{
	struct ast_sip_session *s = t->referrer->session;
	struct sip_tx_data *tx = ast_sip_session_create_response(s, rx, 202, RS_STR_NULL);

	if (!tx)
		return -1;
	if (no_subscription(rx))
		sip_tx_add_hdr(tx, SIP_HDR_REFER_SUB, RS_STR("false"));
	return ast_sip_session_respond(s, rx, tx);
}

static void begin(struct leg *leg, struct transfer *t)
{
	if (leg->referred)
		snprintf(t->event, sizeof(t->event), "refer;id=%u", sip_rx_msg(t->rx)->cseq);
	else
		snprintf(t->event, sizeof(t->event), "refer");
	leg->referred = true;
	leg_set_transfer(leg, t);
	if (!no_subscription(t->rx))
		sub_begin(t);
	if (t->tells_progress || t->replaced)
		notify(t, 100, false);
	else
		notify(t, 200, true); /* it is not interested in more */
	transfer_tell(t, t->transferee, t->replaced ? TRANSFER_ATTENDED : TRANSFER_BLIND, 0, leg);
}

bool refer_request(struct leg *leg, struct sip_rx_data *rx)
{
	struct transfer *t = NULL;
	unsigned status = 0;

	if (!leg_settings(leg)->allow_transfer)
		status = 603;
	else if (leg->ending)
		status = 481;
	else if (!leg->up || !leg->peer || leg->transfer)
		status = 491;
	if (!status)
		status = make(leg, rx, &t);
	if (status)
		relay_respond(leg, rx, status, RS_STR_NULL, NULL);
	else if (!agree(t, rx))
		begin(leg, t);
	if (t)
		shared_unref(&t->shared);
	return true;
}
