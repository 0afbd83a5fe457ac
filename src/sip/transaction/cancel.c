/* CANCEL at the server (RFC 3261 section 9.2): answered by the layer, on the serializer of what it cancels. */
#include "sip/transaction/tsx.h"

static void resend(struct tsx_found *found, uint64_t hash)
{
	TSX_COUNT(hash, absorbed);
	if (found->answer)
		sip_transport_resend(found->answer, NULL);
	sip_tx_unref(found->answer);
}

/* 200, kept for retransmissions as long as any answer. */
static void answer(struct sip_rx_data *rx, const struct tsx_key *key)
{
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);

	if (!tx)
		return;
	tsx_transmit(tx, NULL);
	if (!sip_transport_is_reliable(sip_rx_transport(rx)))
		tsx_table_add_completed(key, tx, tsx_timer_b());
	sip_tx_unref(tx);
}

static void deliver(struct sip_tsx *tsx)
{
	struct tsx_server *server = tsx_server(tsx);

	if (!server->cancel || server->cancel_told || !tsx->user || !tsx->user->on_cancel)
		return;
	server->cancel_told = true;
	tsx->user->on_cancel(tsx, server->cancel, tsx->token);
}

static void tell_user(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct tsx_server *server = tsx_server(tsx);

	/* A final answer makes a CANCEL pointless; nothing but INVITE can be cancelled. */
	if (sip_tsx_method(tsx) != SIP_METHOD_INVITE || sip_tsx_state(tsx) != SIP_TSX_PROCEEDING || server->cancel)
		return;
	server->cancel = sip_rx_ref(rx);
	deliver(tsx);
}

static void run(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	struct sip_msg *msg = sip_rx_msg(rx);
	struct tsx_found found;
	struct tsx_key key;

	sip_rx_set_tsx(rx, NULL);
	if (tsx_key_server(&key, msg, SIP_METHOD_CANCEL, msg->to_tag))
		goto out;
	if (tsx_table_find(&key, false, &found)) {
		resend(&found, key.hash);
	} else if (sip_tsx_state(tsx) == SIP_TSX_TERMINATED) {
		tsx_stateless_answer(rx, 481);
	} else {
		answer(rx, &key);
		tell_user(tsx, rx);
	}
	tsx_key_fini(&key);
out:
	sip_rx_unref(rx);
	tsx_server_ran(tsx);
}

void tsx_cancel_receive(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct tsx_found found;
	struct tsx_key key;

	if (tsx_key_server(&key, msg, SIP_METHOD_CANCEL, msg->to_tag)) {
		sip_rx_unref(rx);
		return;
	}
	if (tsx_table_find(&key, false, &found)) {
		resend(&found, key.hash);
		sip_rx_unref(rx);
		tsx_key_fini(&key);
		return;
	}
	key.method = TSX_METHOD_ANY;
	if (!tsx_table_find(&key, false, &found)) {
		tsx_stateless_push(rx, 481);
	} else if (found.completed) {
		sip_tx_unref(found.answer);
		tsx_stateless_push(rx, 200);
	} else {
		tsx_server_push(found.tsx, rx, run);
		sip_tsx_unref(found.tsx);
	}
	tsx_key_fini(&key);
}

/* The CANCEL was there before its user; its task is free again. */
static void run_late(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct sip_tsx *tsx = sip_rx_tsx(rx);

	sip_rx_set_tsx(rx, NULL);
	tsx_server(tsx)->cancel_queued = false;
	if (sip_tsx_state(tsx) == SIP_TSX_PROCEEDING)
		deliver(tsx);
	sip_rx_unref(rx);
	tsx_server_ran(tsx);
}

void sip_tsx_set_user_for(void *module, struct sip_tsx *tsx, const struct sip_tsx_user *user, void *token)
{
	struct tsx_server *server;

	if (tsx->role != SIP_TSX_UAS || sip_tsx_state(tsx) == SIP_TSX_TERMINATED)
		return;
	tsx_release_user(tsx);
	tsx_take_user(tsx, module, user, token);
	server = tsx_server(tsx);
	if (!server->cancel || server->cancel_told || server->cancel_queued)
		return;
	server->cancel_queued = true;
	tsx_server_push(tsx, sip_rx_ref(server->cancel), run_late);
}
