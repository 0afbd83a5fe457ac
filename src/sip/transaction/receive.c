/* Where the transports hand over what they received: the one place that decides which way a message takes. */
#include "sip/transaction/tsx.h"

void tsx_push(struct rs_serializer *s, struct rs_task *task)
{
	if (rs_on_pool_thread())
		rs_push_batched(s, task);
	else
		rs_push(s, task);
}

/* A message and what it is looked for by. */
struct arrival {
	struct sip_rx_data *rx;
	bool keyed;
	const struct sip_dialog_ops *dialogs; /* may have it; NULL: it belongs to no dialog */
	uint64_t dialog_hash;
	struct tsx_key key;
};

/* An ACK to an answer that a machine stands for goes there; one to a stateless answer ends here; then dialogs are
 * asked, and the rest is the hooks'. */
static void receive_ack(struct arrival *a)
{
	struct sip_rx_data *rx = a->rx;
	struct sip_tsx *tsx = tsx_find_invite(sip_rx_msg(rx));

	if (tsx) {
		tsx_server_push_again(tsx, rx);
		sip_tsx_unref(tsx);
	} else if (tsx_stateless_ack(sip_rx_msg(rx))) {
		sip_rx_unref(rx);
	} else if (!a->dialogs || !a->dialogs->ack(rx, a->dialog_hash)) {
		tsx_hooks_push(rx);
	}
}

/* It promises a branch and gives none: every request of this sender would be the same transaction. */
static void check_branch(struct sip_msg *msg)
{
	bool cookie_only;

	if (tsx_key_is_3261(msg, &cookie_only) || !cookie_only || msg->flaw)
		return;
	msg->flaw = SIP_FLAW_VALUE;
	msg->flaw_header = SIP_HDR_VIA;
	msg->flaw_status = 400;
	msg->flaw_text = "Bad Via branch";
}

/* All of a batch are prepared before the first is looked for: what the table needs is on its way meanwhile. */
static void prepare(struct arrival *a, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	a->rx = rx;
	a->keyed = false;
	a->dialogs = NULL;
	a->dialog_hash = 0;
	if (msg->is_request)
		check_branch(msg);
	if (msg->flaw)
		return;
	if (msg->is_request && msg->to_tag.len && msg->method != SIP_METHOD_CANCEL) {
		a->dialogs = tsx_dialogs();
		a->dialog_hash = a->dialogs ? a->dialogs->expect(msg) : 0;
	}
	if (!msg->is_request)
		a->keyed = tsx_key_client(&a->key, msg->top_branch, msg->method, msg->cseq_method) == 0;
	else if (msg->method != SIP_METHOD_ACK && msg->method != SIP_METHOD_CANCEL)
		a->keyed = tsx_key_server(&a->key, msg, msg->method, msg->to_tag) == 0;
	if (a->keyed)
		tsx_table_expect(&a->key);
}

static void receive_request(struct arrival *a)
{
	struct sip_rx_data *rx = a->rx;
	struct sip_msg *msg = sip_rx_msg(rx);

	if (msg->flaw && (msg->method == SIP_METHOD_ACK || !msg->flaw_status))
		sip_rx_unref(rx);
	else if (msg->flaw)
		tsx_stateless_push(rx, msg->flaw_status);
	else if (msg->method == SIP_METHOD_ACK)
		receive_ack(a);
	else if (msg->method == SIP_METHOD_CANCEL)
		tsx_cancel_receive(rx);
	else if (a->keyed)
		tsx_server_receive(rx, &a->key, a->dialogs ? a->dialogs->find(rx, a->dialog_hash) : NULL);
	else
		sip_rx_unref(rx);
}

static void receive(struct arrival *a)
{
	if (tsx_stopping())
		sip_rx_unref(a->rx);
	else if (sip_rx_msg(a->rx)->is_request)
		receive_request(a);
	else if (a->keyed)
		tsx_client_receive(a->rx, &a->key);
	else
		sip_rx_unref(a->rx);
	if (a->keyed)
		tsx_key_fini(&a->key);
}

void sip_transaction_receive(struct sip_rx_data *const *v, unsigned n)
{
	struct arrival arrivals[SIP_RECEIVE_MAX];

	for (unsigned i = 0; i < n; i++)
		prepare(&arrivals[i], v[i]);
	for (unsigned i = 0; i < n; i++)
		receive(&arrivals[i]);
}
