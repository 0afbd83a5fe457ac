/* Server transactions: how they begin, answer and let go; their users' functions. */
#include "sip/transaction/tsx.h"

#include "base/slab.h"

#include <errno.h>
#include <stdlib.h>

/* Blocks that a thread keeps: transactions that begin and are answered in one batch. */
#define SERVER_KEEP 256

static struct rs_slab server_slab = {.name = "tsx_server", .size = sizeof(struct tsx_server), .keep = SERVER_KEEP};

void tsx_server_setup(void)
{
	rs_slab_register(&server_slab);
}

/* ---- life ---- */

static void free_server(struct rs_serializer *s)
{
	struct tsx_server *server = rs_container_of(s, struct tsx_server, own);
	struct sip_tsx *tsx = &server->tsx;

	tsx->magic = 0;
	tsx_server_release_request(tsx);
	sip_tx_unref(tsx->tx);
	if (tsx_in_dialog(tsx))
		rs_serializer_unref(tsx->serializer);
	if (tsx->entry.key != tsx->key_mem)
		free((char *)(uintptr_t)tsx->entry.key);
	rs_slab_free(&server_slab, server);
}

struct making {
	const struct tsx_key *key;
	struct sip_rx_data *rx;
	struct rs_serializer *dialog; /* taken over by what is made; may be NULL */
};

/* Under the shard's lock. */
static struct sip_tsx *make_server(void *token)
{
	struct making *making = token;
	bool invite = sip_rx_msg(making->rx)->method == SIP_METHOD_INVITE;
	struct tsx_server *server;
	struct sip_tsx *tsx;

	if (!tsx_table_take())
		return NULL;
	server = rs_slab_alloc(&server_slab);
	if (!server) {
		tsx_table_give();
		return NULL;
	}
	memset(server, 0, sizeof(*server));
	tsx = &server->tsx;
	if (tsx_table_set_key(tsx, making->key)) {
		rs_slab_free(&server_slab, server);
		tsx_table_give();
		return NULL;
	}
	tsx->entry.kind = TSX_KIND_SERVER;
	tsx->magic = TSX_MAGIC;
	tsx->role = SIP_TSX_UAS;
	tsx->machine = invite ? &tsx_invite_server : &tsx_non_invite_server;
	atomic_init(&tsx->state, invite ? SIP_TSX_PROCEEDING : SIP_TSX_TRYING);
	tsx->reliable = sip_transport_is_reliable(sip_rx_transport(making->rx));
	rs_serializer_init(&server->own, "transaction", free_server);
	tsx->serializer = making->dialog ? making->dialog : &server->own;
	making->dialog = NULL;
	tsx_timer_init(tsx);
	server->rx = sip_rx_ref(making->rx);
	sip_rx_set_tsx(making->rx, tsx);
	return tsx;
}

void tsx_server_release_request(struct sip_tsx *tsx)
{
	struct tsx_server *server = tsx_server(tsx);

	if (server->rx) {
		sip_rx_set_tsx(server->rx, NULL);
		sip_rx_unref(server->rx);
		server->rx = NULL;
	}
	sip_rx_unref(server->cancel);
	server->cancel = NULL;
}

/* ---- what comes in ---- */

void tsx_server_start_trying(struct sip_tsx *tsx, int64_t delay_us)
{
	int64_t past = rs_now_us() - sip_rx_time_us(tsx_server(tsx)->rx);

	tsx_timer_start(tsx, TSX_TIMER_TRYING, past < delay_us ? delay_us - past : 0);
}

/* The first task: the request goes up, and the machine starts. Takes over the reference of rx. */
static void run_request(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct sip_tsx *tsx = sip_rx_tsx(rx);

	if (sip_stack_config()->on_request)
		sip_stack_config()->on_request(tsx, rx);
	/* Most are answered by now and need no timer. */
	if (!tsx->last_status && sip_tsx_state(tsx) != SIP_TSX_TERMINATED)
		tsx_dispatch(tsx, TSX_START, NULL);
	sip_rx_unref(rx);
	tsx_server_ran(tsx);
}

/* Without a branch the To tag has to be that of our answer (RFC 3261 section 17.2.3). */
static bool ack_fits(const struct sip_tsx *tsx, struct sip_msg *ack)
{
	bool cookie_only;

	return tsx_key_is_3261(ack, &cookie_only) || !tsx->tx || rs_str_eq(sip_tx_to_tag(tsx->tx), ack->to_tag);
}

/* The ACK of a 2xx with its INVITE's branch: it is the dialog's like any other, and keeps its place in the order. */
static bool dialog_takes_ack(const struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	const struct sip_dialog_ops *dialogs = tsx_dialogs();

	return sip_tsx_state(tsx) == SIP_TSX_ACCEPTED && dialogs && dialogs->ack_here(rx);
}

static void take_ack(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct tsx_arg arg = {.rx = rx};

	if (dialog_takes_ack(tsx, rx))
		return;
	if (ack_fits(tsx, sip_rx_msg(rx)))
		tsx_dispatch(tsx, TSX_ACK, &arg);
	else
		tsx_hooks_push(sip_rx_ref(rx));
}

static void run_again(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	struct tsx_arg arg = {.rx = rx};

	sip_rx_set_tsx(rx, NULL);
	if (sip_rx_msg(rx)->method != SIP_METHOD_ACK)
		tsx_dispatch(tsx, TSX_REQUEST, &arg);
	else
		take_ack(tsx, rx);
	sip_rx_unref(rx);
	tsx_server_ran(tsx);
}

void tsx_server_push(struct sip_tsx *tsx, struct sip_rx_data *rx, void (*run)(struct rs_task *))
{
	struct rs_task *task = sip_rx_task(rx);

	*task = (struct rs_task){.run = run, .name = "transaction.receive"};
	sip_rx_set_tsx(rx, tsx);
	/* The queue of its own serializer keeps it; that of a dialog does not. */
	if (tsx_in_dialog(tsx))
		sip_tsx_ref(tsx);
	tsx_push(tsx->serializer, task);
}

void tsx_server_ran(struct sip_tsx *tsx)
{
	if (tsx_in_dialog(tsx))
		sip_tsx_unref(tsx);
}

void tsx_server_push_again(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	tsx_server_push(tsx, rx, run_again);
}

void tsx_server_receive(struct sip_rx_data *rx, const struct tsx_key *key, struct rs_serializer *dialog)
{
	struct making making = {key, rx, dialog};
	struct tsx_found found;
	bool made, any;

	any = tsx_table_find_or_insert(key, &found, &made, make_server, &making);
	if (making.dialog)
		rs_serializer_unref(making.dialog);
	if (!any) {
		TSX_COUNT(key->hash, refused);
		tsx_stateless_push(rx, 503);
	} else if (found.completed) {
		/* Counted and answered here: the machine has nothing else to do any more. */
		TSX_COUNT(key->hash, absorbed);
		if (found.answer)
			sip_transport_resend(found.answer, NULL);
		sip_tx_unref(found.answer);
		sip_rx_unref(rx);
	} else {
		tsx_server_push(found.tsx, rx, made ? run_request : run_again);
		sip_tsx_unref(found.tsx);
	}
}

/* ---- what goes out ---- */

void tsx_server_send(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	if (tsx->tx != arg->tx) {
		sip_tx_unref(tsx->tx);
		tsx->tx = sip_tx_ref(arg->tx);
	}
	tsx->last_status = arg->tx->status;
	if (tsx_transmit(arg->tx, NULL))
		arg->result = errno;
}

void tsx_server_resend(struct sip_tsx *tsx)
{
	if (!tsx->tx)
		return;
	if (sip_tx_sealed(tsx->tx))
		sip_transport_resend(tsx->tx, NULL);
	else
		sip_transport_send(tsx->tx, NULL); /* the first send failed before the seal */
}

void tsx_server_keep_answer(struct sip_tsx *tsx)
{
	struct sip_tx_data *reduced = tsx->tx && tsx->tx->sealed && tsx->tx->b ? tx_reduce(tsx->tx) : NULL;

	if (!reduced)
		return; /* nothing to win, or no memory: the whole one serves too */
	sip_tx_unref(tsx->tx);
	tsx->tx = reduced;
}

void tsx_server_trying(struct sip_tsx *tsx)
{
	struct tsx_arg arg = {0};
	struct sip_rx_data *rx = tsx_server(tsx)->rx;

	arg.tx = rx ? sip_tx_response(rx, 100, RS_STR_NULL) : NULL;
	if (!arg.tx)
		return;
	tsx_server_send(tsx, &arg);
	sip_tx_unref(arg.tx);
}

/* ---- the user's functions ---- */

static int fail(struct sip_tx_data *tx, int error)
{
	sip_tx_unref(tx);
	errno = error;
	return -1;
}

/* Whether tx may answer: its target is set then, and the services have seen it. 0 or an errno. */
static int ready_to_answer(struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	struct tsx_server *server = tsx_server(tsx);

	if (tsx->role != SIP_TSX_UAS || tx->request || tx->status < 100 || tx->status > 699)
		return EINVAL;
	if (!tx->has_target) {
		struct sip_target target = {0};

		if (!server->rx) {
			if (tx_target_from_via(tx))
				return EINVAL;
			return tsx_ask_services(tx) ? ECANCELED : 0;
		}
		sip_transport_response_target(server->rx, &target);
		sip_tx_set_target(tx, &target);
	}
	if (server->rx)
		tx->question = (uint32_t)sip_rx_msg(server->rx)->bytes.len;
	return tsx_ask_services(tx) ? ECANCELED : 0;
}

int sip_tsx_respond(struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	enum tsx_event event = tx->status < 200 ? TSX_SEND_1XX : TSX_SEND_FINAL;
	bool invite = sip_tsx_method(tsx) == SIP_METHOD_INVITE;
	struct tsx_arg arg = {.tx = tx};
	int error;

	if (invite && tx->status >= 200 && tx->status < 300)
		event = TSX_SEND_2XX;
	/* RFC 4320 section 4.1: the machine says 100 by itself when it is time, nobody says anything else. */
	if (!invite && event == TSX_SEND_1XX)
		return fail(tx, EINVAL);
	if (tsx->role == SIP_TSX_UAS && !tsx->machine->cell[sip_tsx_state(tsx)][event].handle)
		return fail(tx, EALREADY);
	error = ready_to_answer(tsx, tx);
	if (error)
		return fail(tx, error);
	tsx_dispatch(tsx, event, &arg);
	return arg.result ? fail(tx, arg.result) : (sip_tx_unref(tx), 0);
}

int sip_tsx_respond_stateless(struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	struct tsx_arg arg = {.tx = tx};
	enum sip_tsx_state state = sip_tsx_state(tsx);
	int error;

	if (tsx->role == SIP_TSX_UAS && (tsx->last_status >= 200 || state == SIP_TSX_TERMINATED))
		return fail(tx, EALREADY);
	error = ready_to_answer(tsx, tx);
	if (error)
		return fail(tx, error);
	/* What waits on the serializer already gets the same bytes (state TERMINATED); what comes later is new. */
	tsx_server_send(tsx, &arg);
	tsx_end(tsx);
	return arg.result ? fail(tx, arg.result) : (sip_tx_unref(tx), 0);
}

void sip_tsx_give_ack(struct sip_tsx *tsx, struct sip_rx_data *ack)
{
	struct tsx_arg arg = {.rx = ack};

	if (sip_tsx_state(tsx) == SIP_TSX_ACCEPTED)
		tsx_dispatch(tsx, TSX_ACK, &arg);
}

static struct sip_tsx *find_as(struct sip_msg *request, enum sip_method method, struct rs_str to_tag)
{
	struct tsx_key key;
	struct tsx_found found;

	if (tsx_key_server(&key, request, method, to_tag))
		return NULL;
	tsx_table_find(&key, false, &found);
	tsx_key_fini(&key);
	sip_tx_unref(found.answer);
	return found.tsx;
}

struct sip_tsx *sip_tsx_find_server(struct sip_msg *request, enum sip_method method)
{
	return find_as(request, method, request->to_tag);
}

struct sip_tsx *tsx_find_invite(struct sip_msg *ack)
{
	struct sip_tsx *tsx = find_as(ack, SIP_METHOD_INVITE, ack->to_tag);
	bool cookie_only;

	/* Matched the way of RFC 2543, the first INVITE of a dialog had no To tag, its ACK has that of the answer. */
	if (!tsx && ack->to_tag.len && !tsx_key_is_3261(ack, &cookie_only))
		tsx = find_as(ack, SIP_METHOD_INVITE, RS_STR_NULL);
	return tsx;
}
