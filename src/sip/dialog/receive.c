/*
 * What arrives in a dialog. It is found when it is received, so that all of it runs on the dialog's serializer in the
 * order of arrival: requests by their transactions, ACKs by themselves.
 */
#include "sip/dialog/dialog.h"

#include "sip/transaction/tsx.h"

#include <errno.h>

static int slot = -1; /* of a received message: its dialog, referenced */

static void release(void *value)
{
	sip_dialog_unref(value);
}

struct sip_dialog *sip_rx_dialog(const struct sip_rx_data *rx)
{
	return slot < 0 ? NULL : sip_rx_get(rx, slot);
}

/* ---- on the thread that received it ---- */

static uint64_t expect(const struct sip_msg *request)
{
	uint64_t hash = dialog_hash(request->call_id, request->to_tag);

	dialog_table_expect(hash);
	return hash;
}

/* As our side sees them: the To tag of what comes is ours. */
static struct sip_dialog *find(struct sip_rx_data *rx, uint64_t hash)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_dialog *d = sip_rx_dialog(rx);

	if (d)
		return d;
	d = dialog_table_find(hash, msg->call_id, msg->to_tag, msg->from_tag);
	if (d)
		sip_rx_set(rx, slot, d);
	return d;
}

static struct rs_serializer *find_serializer(struct sip_rx_data *rx, uint64_t hash)
{
	struct sip_dialog *d = find(rx, hash);

	return d ? rs_serializer_ref(d->serializer) : NULL;
}

/* ---- ACK: on the serializer ---- */

static void take_ack(struct sip_dialog *d, struct sip_rx_data *rx)
{
	bool taken = false;

	sip_dialog_ref(d);
	d->asking++;
	for (struct dialog_usage *u = d->usages; u && !taken; u = u->next)
		taken = !u->gone && u->usage->on_ack && u->usage->on_ack(d, rx, u->token);
	d->asking--;
	dialog_usages_tidy(d);
	if (!taken)
		dialog_count(&dialog_counters.stray_acks, 1);
	sip_dialog_unref(d);
}

static void run_ack(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);

	take_ack(sip_rx_dialog(rx), rx);
	sip_rx_unref(rx);
	tsx_loose_end();
}

static bool push_ack(struct sip_rx_data *rx, uint64_t hash)
{
	struct rs_task *task = sip_rx_task(rx);
	struct sip_dialog *d = find(rx, hash);

	if (!d)
		return false;
	*task = (struct rs_task){.run = run_ack, .name = "dialog.ack"};
	tsx_loose_begin();
	tsx_push(d->serializer, task);
	return true;
}

static bool ack_here(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_dialog *d = msg->to_tag.len ? find(rx, dialog_hash(msg->call_id, msg->to_tag)) : NULL;

	if (!d || d->serializer != rs_serializer_current())
		return false;
	take_ack(d, rx);
	return true;
}

/* ---- requests: on the serializer ---- */

static void respond(struct sip_dialog *d, struct sip_rx_data *rx, unsigned status)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, RS_STR_NULL);

	if (tx)
		sip_dialog_respond(d, rx, tx);
}

static bool ask_usages(struct sip_dialog *d, struct sip_rx_data *rx)
{
	bool taken = false;

	d->asking++;
	for (struct dialog_usage *u = d->usages; u && !taken; u = u->next)
		taken = !u->gone && u->usage->on_request && u->usage->on_request(d, rx, u->token);
	d->asking--;
	dialog_usages_tidy(d);
	return taken;
}

/* RFC 3261 section 12.2.2. 0, or the status that refuses it. */
static unsigned check(const struct sip_dialog *d, const struct sip_msg *msg)
{
	if (sip_dialog_state(d) == SIP_DIALOG_TERMINATED)
		return 481;
	/* A retransmission does not come as far as this; what has the same number is none. */
	if (d->remote_cseq && msg->cseq <= d->remote_cseq)
		return 500;
	return 0;
}

bool sip_dialog_process(struct sip_rx_data *rx)
{
	struct sip_dialog *d = sip_rx_dialog(rx);
	struct sip_msg *msg = sip_rx_msg(rx);
	unsigned status = check(d, msg);
	bool taken;

	if (status) {
		respond(d, rx, status);
		return true;
	}
	d->remote_cseq = msg->cseq;
	dialog_heard(d, rx);
	if (dialog_refreshes(msg->method) && dialog_learn(d, rx, false)) {
		respond(d, rx, 500);
		return true;
	}
	/* The usage that answers may be the last one. */
	sip_dialog_ref(d);
	taken = ask_usages(d, rx);
	sip_dialog_unref(d);
	return taken;
}

/* ---- life ---- */

static const struct sip_dialog_ops ops = {
	.expect = expect, .find = find_serializer, .ack = push_ack, .ack_here = ack_here};

int dialog_receive_start(void)
{
	if (slot < 0)
		slot = sip_rx_slot_new(release);
	if (slot < 0)
		return ENOMEM;
	sip_transaction_set_dialogs(&ops);
	return 0;
}

/* The slot stays: a message that is still held somewhere gives its dialog back. */
void dialog_receive_stop(void)
{
	sip_transaction_set_dialogs(NULL);
}
