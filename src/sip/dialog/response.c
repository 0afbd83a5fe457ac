/* Responses: ours to what the peer asks, and what the peer's say of the dialog (RFC 3261 sections 12.1 and 12.2.1.2).
 */
#include "sip/dialog/dialog.h"

#include "base/log.h"

#include <errno.h>

/* ---- ours ---- */

static bool makes_or_refreshes(enum sip_method m, unsigned status)
{
	if (status <= 100 || status >= 300)
		return false;
	return m == SIP_METHOD_INVITE || (status >= 200 && (dialog_refreshes(m) || dialog_creates(m)));
}

/* As they came: it is the next proxies' business what they wrote (section 12.1.1). */
static int copy_record_route(struct sip_tx_data *tx, struct sip_msg *msg)
{
	const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_RECORD_ROUTE);

	for (; h; h = sip_msg_next(msg, h)) {
		if (sip_tx_add_hdr(tx, SIP_HDR_RECORD_ROUTE, sip_msg_unfold(msg, h->value)))
			return -1;
	}
	return 0;
}

struct sip_tx_data *sip_dialog_response(struct sip_dialog *d, struct sip_rx_data *rx, unsigned status,
					struct rs_str reason)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tx_data *tx = sip_tx_response(rx, status, reason);

	if (!tx || !makes_or_refreshes(msg->method, status))
		return tx;
	if (!copy_record_route(tx, msg) && !sip_tx_add_hdr(tx, SIP_HDR_CONTACT, d->contact))
		return tx;
	sip_tx_unref(tx);
	errno = ENOMEM;
	return NULL;
}

/* The answer to the request that the dialog grew from moves it on. */
static void answered(struct sip_dialog *d, unsigned status)
{
	enum sip_dialog_state state = sip_dialog_state(d);

	if (state != SIP_DIALOG_NEW && state != SIP_DIALOG_EARLY)
		return;
	if (status >= 300)
		dialog_end(d);
	else if (status >= 200)
		dialog_set_state(d, SIP_DIALOG_CONFIRMED);
	else if (status > 100)
		dialog_set_state(d, SIP_DIALOG_EARLY);
}

int sip_dialog_respond(struct sip_dialog *d, struct sip_rx_data *rx, struct sip_tx_data *tx)
{
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	bool first = !d->uac && !sip_rx_msg(rx)->to_tag.len;
	unsigned status = sip_tx_status(tx);
	int result, error;

	if (!tsx) {
		sip_tx_unref(tx);
		errno = EALREADY;
		return -1;
	}
	result = sip_tsx_respond(tsx, tx);
	error = errno;
	/* What could not leave now leaves with the request's retransmission. */
	if (first && (!result || (error != EALREADY && error != EINVAL && error != ECANCELED)))
		answered(d, status);
	errno = error;
	return result;
}

/* ---- the peer's ---- */

static bool no_memory(const struct sip_dialog *d)
{
	rs_event(RS_LOG_ERROR, "dialog.no_memory", RS_FS("call_id", d->call_id), RS_FZ("for", "response"));
	return true;
}

/* The first response with a tag, and the 2xx, whose route set counts in the end (sections 12.1.2 and 13.2.2.4). */
static bool establish(struct sip_dialog *d, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	bool final = msg->status >= 200;

	if (final || sip_dialog_state(d) == SIP_DIALOG_NEW) {
		/* Without memory it stays as it is: the response comes again. */
		if (dialog_learn(d, rx, true) ||
		    (!sip_dialog_remote_tag(d).len && dialog_set_remote_tag(d, msg->to_tag)))
			return no_memory(d);
	}
	dialog_heard(d, rx);
	if (msg->method == SIP_METHOD_INVITE)
		d->invite_cseq = msg->cseq;
	if (final && msg->cseq > d->answered_cseq)
		d->answered_cseq = msg->cseq;
	dialog_set_state(d, final ? SIP_DIALOG_CONFIRMED : SIP_DIALOG_EARLY);
	return true;
}

static bool inside(struct sip_dialog *d, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	dialog_heard(d, rx);
	if (msg->method == SIP_METHOD_INVITE && msg->cseq > d->invite_cseq)
		d->invite_cseq = msg->cseq;
	if (msg->status < 200 || msg->status >= 300 || !dialog_refreshes(msg->method) || msg->cseq <= d->answered_cseq)
		return true;
	if (dialog_learn(d, rx, false))
		return no_memory(d);
	d->answered_cseq = msg->cseq;
	return true;
}

bool sip_dialog_received(struct sip_dialog *d, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	enum sip_dialog_state state = sip_dialog_state(d);
	struct rs_str tag = sip_dialog_remote_tag(d);
	bool open = d->uac && (state == SIP_DIALOG_NEW || state == SIP_DIALOG_EARLY) && dialog_creates(msg->method);

	if (msg->is_request || msg->status == 100 || state == SIP_DIALOG_TERMINATED)
		return true;
	/* A refusal speaks for all branches. */
	if (msg->status >= 300) {
		if (state != SIP_DIALOG_NEW && rs_str_eq(tag, msg->to_tag))
			dialog_heard(d, rx);
		return true;
	}
	if (state == SIP_DIALOG_NEW && !tag.len) {
		/* RFC 2543: a 2xx may have none. */
		if (!open || (msg->status < 200 && !msg->to_tag.len))
			return true;
	} else if (!rs_str_eq(tag, msg->to_tag)) {
		return false;
	}
	return open ? establish(d, rx) : inside(d, rx);
}
