/* Client transactions: how they begin, report and let go; their users' functions. */
#include "sip/transaction/tsx.h"

#include "base/slab.h"

#include <errno.h>
#include <stdlib.h>

/* Blocks that a thread keeps: transactions that begin and are answered in one batch. */
#define CLIENT_KEEP 128

static struct rs_slab client_slab = {.name = "tsx_client", .size = sizeof(struct tsx_client), .keep = CLIENT_KEEP};

void tsx_client_setup(void)
{
	rs_slab_register(&client_slab);
}

/* ---- life ---- */

void tsx_client_unref(struct tsx_client *c)
{
	if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	c->tsx.magic = 0;
	tsx_client_release_request(&c->tsx);
	sip_tx_unref(c->ack);
	rs_serializer_unref(c->tsx.serializer);
	if (c->tsx.entry.key != c->tsx.key_mem)
		free((char *)(uintptr_t)c->tsx.entry.key);
	rs_slab_free(&client_slab, c);
}

void tsx_client_release_request(struct sip_tsx *tsx)
{
	sip_tx_unref(tsx->tx);
	tsx->tx = NULL;
	free(tsx_client(tsx)->reason);
	tsx_client(tsx)->reason = NULL;
}

static void send_failed(struct sip_send_result *r)
{
	tsx_dispatch(&rs_container_of(r, struct tsx_client, result)->tsx, TSX_TRANSPORT_ERROR, NULL);
}

static void send_hold(struct sip_send_result *r, bool on)
{
	struct sip_tsx *tsx = &rs_container_of(r, struct tsx_client, result)->tsx;

	if (on)
		sip_tsx_ref(tsx);
	else
		sip_tsx_unref(tsx);
}

static void run_start(struct rs_task *task)
{
	struct sip_tsx *tsx = &rs_container_of(task, struct tsx_client, start)->tsx;

	tsx_dispatch(tsx, TSX_START, NULL);
	sip_tsx_unref(tsx);
}

static void init_client(struct tsx_client *c, struct sip_tx_data *tx, struct rs_serializer *serializer)
{
	bool invite = tx->method == SIP_METHOD_INVITE;
	struct sip_tsx *tsx = &c->tsx;

	tsx->entry.kind = TSX_KIND_CLIENT;
	tsx->magic = TSX_MAGIC;
	tsx->role = SIP_TSX_UAC;
	tsx->machine = invite ? &tsx_invite_client : &tsx_non_invite_client;
	atomic_init(&tsx->state, invite ? SIP_TSX_CALLING : SIP_TSX_TRYING);
	tsx->serializer = serializer;
	tsx->tx = sip_tx_ref(tx);
	atomic_init(&c->refs, 1);
	c->start.run = run_start;
	c->start.name = "transaction.start";
	c->result.serializer = serializer;
	c->result.failed = send_failed;
	c->result.hold = send_hold;
	tsx_timer_init(tsx);
}

static struct rs_serializer *serializer_for(struct rs_serializer *wanted)
{
	if (!wanted)
		wanted = rs_serializer_current();
	return wanted ? rs_serializer_ref(wanted) : rs_serializer_new("transaction.client");
}

static struct tsx_client *make_client(struct sip_tx_data *tx, struct rs_serializer *wanted)
{
	struct tsx_client *c = rs_slab_alloc(&client_slab);
	struct rs_serializer *serializer = serializer_for(wanted);
	struct tsx_key key;

	if (!c || !serializer || tsx_key_client(&key, tx->b->branch, sip_tx_method(tx), sip_tx_method_text(tx)))
		goto fail;
	memset(c, 0, sizeof(*c));
	if (tsx_table_set_key(&c->tsx, &key)) {
		tsx_key_fini(&key);
		goto fail;
	}
	tsx_key_fini(&key);
	init_client(c, tx, serializer);
	return c;
fail:
	if (serializer)
		rs_serializer_unref(serializer);
	rs_slab_free(&client_slab, c);
	errno = ENOMEM;
	return NULL;
}

/* With its branch set. 0 or -1; tx stays the caller's. */
static int begin(struct sip_tx_data *tx, void *module, struct rs_serializer *serializer,
		 const struct sip_tsx_user *user, void *token, int64_t timeout_us, struct sip_tsx **out)
{
	struct tsx_client *c;

	if (tsx_stopping() || !tsx_table_take()) {
		errno = EAGAIN;
		return -1;
	}
	c = make_client(tx, serializer);
	if (!c) {
		tsx_table_give();
		return -1;
	}
	c->timeout_us = timeout_us;
	sip_tsx_ref(&c->tsx);             /* the start's */
	if (!tsx_table_insert(&c->tsx)) { /* a branch that is there already: only a second CANCEL has it */
		tsx_table_give();
		sip_tsx_unref(&c->tsx);
		sip_tsx_unref(&c->tsx);
		errno = EINVAL;
		return -1;
	}
	tsx_take_user(&c->tsx, module, user, token);
	if (out)
		*out = sip_tsx_ref(&c->tsx);
	rs_push(c->tsx.serializer, &c->start);
	return 0;
}

int sip_tsx_send_for(void *module, struct sip_tx_data *tx, struct rs_serializer *serializer,
		     const struct sip_tsx_user *user, void *token, int64_t timeout_us, struct sip_tsx **out)
{
	int result = -1, error = EINVAL;

	if (tx->request && tx->b && tx->has_target && tx->method != SIP_METHOD_ACK && (!user || user->size)) {
		tx_new_branch(tx);
		result = begin(tx, module, serializer, user, token, timeout_us, out);
		error = errno;
	}
	sip_tx_unref(tx);
	errno = error;
	return result;
}

void tsx_client_send_cancel(struct sip_tsx *invite)
{
	struct tsx_client *c = tsx_client(invite);
	struct sip_tx_data *tx = invite->tx ? tx_follow(invite->tx, SIP_METHOD_CANCEL, NULL) : NULL;

	c->cancel_wanted = false;
	c->cancel_sent = true;
	if (!tx)
		return;
	if (c->reason)
		sip_tx_add_hdr(tx, SIP_HDR_REASON, rs_str_c(c->reason));
	/* Where no transaction can be had, the CANCEL leaves once. */
	if (begin(tx, NULL, invite->serializer, NULL, NULL, 0, NULL))
		tsx_transmit(tx, NULL);
	sip_tx_unref(tx);
}

/* ---- what comes in ---- */

static void run_response(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	unsigned status = sip_rx_msg(rx)->status;
	struct tsx_arg arg = {.rx = rx};

	tsx_dispatch(tsx, status < 200 ? TSX_RECV_1XX : status < 300 ? TSX_RECV_2XX : TSX_RECV_FINAL, &arg);
	sip_rx_set_tsx(rx, NULL);
	if (arg.stray)
		tsx_hooks_push(rx);
	else
		sip_rx_unref(rx);
	sip_tsx_unref(tsx);
}

void tsx_client_receive(struct sip_rx_data *rx, const struct tsx_key *key)
{
	struct rs_task *task = sip_rx_task(rx);
	struct tsx_found found = {0};

	if (!tsx_table_find(key, true, &found)) {
		TSX_COUNT(key->hash, strays);
		tsx_hooks_push(rx);
	} else if (found.completed) {
		TSX_COUNT(key->hash, absorbed);
		sip_rx_unref(rx);
	} else {
		*task = (struct rs_task){.run = run_response, .name = "transaction.response"};
		sip_rx_set_tsx(rx, found.tsx); /* with the reference */
		tsx_push(found.tsx->serializer, task);
	}
}

/* ---- what goes out, and the user ---- */

int tsx_client_transmit(struct sip_tsx *tsx)
{
	if (tsx_transmit(tsx->tx, &tsx_client(tsx)->result)) {
		tsx_client_fail(tsx, SIP_TSX_TRANSPORT_ERROR);
		return -1;
	}
	/* The transport may have chosen another protocol than was asked for. */
	tsx->reliable = sip_transport_is_reliable((enum sip_transport_type)tsx->tx->protocol);
	return 0;
}

void tsx_client_resend(struct sip_tsx *tsx)
{
	if (sip_transport_resend(tsx->tx, &tsx_client(tsx)->result))
		tsx_client_fail(tsx, SIP_TSX_TRANSPORT_ERROR);
}

void tsx_client_report(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	tsx->last_status = sip_rx_msg(rx)->status;
	if (tsx->last_status >= 200)
		tsx_client(tsx)->reported = true;
	if (tsx->user && tsx->user->on_response)
		tsx->user->on_response(tsx, rx, tsx->token);
}

void tsx_client_report_end(struct sip_tsx *tsx, enum sip_tsx_end why)
{
	struct tsx_client *c = tsx_client(tsx);

	if (why == SIP_TSX_TIMEOUT)
		TSX_COUNT(tsx->entry.hash, timeouts);
	if (!c->reported) {
		c->reported = true;
		if (tsx->user && tsx->user->on_end)
			tsx->user->on_end(tsx, why, tsx->token);
	}
}

void tsx_client_fail(struct sip_tsx *tsx, enum sip_tsx_end why)
{
	tsx_client_report_end(tsx, why);
	tsx_end(tsx);
}

int sip_tsx_cancel(struct sip_tsx *tsx, struct rs_str reason)
{
	struct tsx_client *c = tsx_client(tsx);

	if (tsx->role != SIP_TSX_UAC || sip_tsx_method(tsx) != SIP_METHOD_INVITE || c->cancel_wanted ||
	    c->cancel_sent || !tsx->machine->cell[sip_tsx_state(tsx)][TSX_CANCEL].handle) {
		errno = EALREADY;
		return -1;
	}
	if (reason.len)
		c->reason = rs_str_dup(reason); /* without memory the CANCEL gives no reason */
	tsx_dispatch(tsx, TSX_CANCEL, NULL);
	return 0;
}
