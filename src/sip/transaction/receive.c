/* Where the transports hand over what they received: the one place that decides which way a message takes. */
#include "sip/transaction/tsx.h"

void tsx_push(struct rs_serializer *s, struct rs_task *task)
{
	if (rs_on_pool_thread())
		rs_push_batched(s, task);
	else
		rs_push(s, task);
}

/* An ACK to an answer that a machine stands for goes there; one to a stateless answer ends here; the rest is the
 * hooks'. */
static void receive_ack(struct sip_rx_data *rx)
{
	struct sip_tsx *tsx = tsx_find_invite(sip_rx_msg(rx));

	if (tsx) {
		tsx_server_push_again(tsx, rx);
		sip_tsx_unref(tsx);
	} else if (tsx_stateless_ack(sip_rx_msg(rx))) {
		sip_rx_unref(rx);
	} else {
		tsx_hooks_push(rx);
	}
}

static void receive_request(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	bool cookie_only;

	if (!tsx_key_is_3261(msg, &cookie_only) && cookie_only && !msg->flaw) {
		/* It promises a branch and gives none: every request of this sender would be the same transaction. */
		msg->flaw = SIP_FLAW_VALUE;
		msg->flaw_header = SIP_HDR_VIA;
		msg->flaw_status = 400;
		msg->flaw_text = "Bad Via branch";
	}
	if (msg->flaw && (msg->method == SIP_METHOD_ACK || !msg->flaw_status))
		sip_rx_unref(rx);
	else if (msg->flaw)
		tsx_stateless_push(rx, msg->flaw_status);
	else if (msg->method == SIP_METHOD_ACK)
		receive_ack(rx);
	else if (msg->method == SIP_METHOD_CANCEL)
		tsx_cancel_receive(rx);
	else
		tsx_server_receive(rx);
}

void sip_transaction_receive(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	if (tsx_stopping() || (!msg->is_request && msg->flaw))
		sip_rx_unref(rx);
	else if (msg->is_request)
		receive_request(rx);
	else
		tsx_client_receive(rx);
}
