/* Answers that leave nothing behind: to what cannot be understood, to what is too much, to a CANCEL that matches
 * nothing. */
#include "sip/transaction/tsx.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

void tsx_stateless_answer(struct sip_rx_data *rx, unsigned status)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct rs_str reason = msg->flaw && msg->flaw_text ? rs_str_c(msg->flaw_text) : RS_STR_NULL;
	struct sip_tx_data *tx = sip_tx_response(rx, status, reason);

	if (!tx)
		return;
	if (status == 503) {
		char seconds[16];
		snprintf(seconds, sizeof(seconds), "%u", sip_stack_config()->retry_after_s);
		sip_tx_add_hdr(tx, SIP_HDR_RETRY_AFTER, rs_str_c(seconds));
	}
	if (tsx_transmit(tx, NULL))
		rs_event(RS_LOG_DEBUG, "transaction.stateless", RS_FI("status", status), RS_FI("error", errno));
	sip_tx_unref(tx);
}

static void run(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);

	tsx_stateless_answer(rx, sip_rx_msg(rx)->flaw_status);
	sip_rx_unref(rx);
	tsx_loose_end();
}

void tsx_stateless_push(struct sip_rx_data *rx, unsigned status)
{
	struct rs_task *task = sip_rx_task(rx);

	sip_rx_msg(rx)->flaw_status = (uint16_t)status;
	*task = (struct rs_task){.run = run, .name = "transaction.stateless"};
	tsx_loose_begin();
	tsx_push(NULL, task);
}

bool tsx_stateless_ack(struct sip_msg *ack)
{
	char buf[TX_TAG];

	return ack->to_tag.len && rs_str_eq(ack->to_tag, tx_response_tag(ack, buf));
}

int sip_stack_send(struct sip_tx_data *tx)
{
	int result = -1;

	if (!tx->has_target && (tx->request || tx_target_from_via(tx)))
		errno = EINVAL;
	else
		result = tsx_transmit(tx, NULL);
	if (result) {
		int error = errno;

		sip_tx_unref(tx);
		errno = error;
		return -1;
	}
	sip_tx_unref(tx);
	return 0;
}
