/* Answers to a request, and the headers that say what this server can do. */
#include "core/pipeline.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdlib.h>

/* ---- an answer made on another serializer than its request's, on its way there ---- */

/* The first travels in the request's own task: handing it over cannot fail. */
static void late_answer_run(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);
	struct sip_tsx *tsx = state->late_tsx;

	sip_tsx_respond(tsx, atomic_exchange_explicit(&state->late, NULL, memory_order_acq_rel));
	sip_tsx_unref(tsx);
	sip_rx_unref(rx);
}

static bool push_first(struct sip_rx_data *rx, struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);
	struct sip_tx_data *none = NULL;
	struct rs_task *task = sip_rx_task(rx);

	if (!state || !atomic_compare_exchange_strong_explicit(&state->late, &none, tx, memory_order_acq_rel,
							       memory_order_acquire))
		return false;
	*task = (struct rs_task){.run = late_answer_run, .name = "answer"};
	sip_rx_ref(rx);
	state->late_tsx = sip_tsx_ref(tsx);
	rs_push(sip_tsx_serializer(tsx), task);
	return true;
}

/* One that follows before the first has arrived: a 200 right behind a 180. */
struct second_answer {
	struct rs_task task;
	struct sip_tsx *tsx;
	struct sip_tx_data *tx;
};

static void second_answer_run(struct rs_task *task)
{
	struct second_answer *a = rs_container_of(task, struct second_answer, task);

	sip_tsx_respond(a->tsx, a->tx);
	sip_tsx_unref(a->tsx);
	free(a);
}

static int push_second(struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	struct second_answer *a = malloc(sizeof(*a));

	if (!a) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return -1;
	}
	*a = (struct second_answer){
		.task = {.run = second_answer_run, .name = "answer"}, .tsx = sip_tsx_ref(tsx), .tx = tx};
	rs_push(sip_tsx_serializer(tsx), &a->task);
	return 0;
}

int ast_sip_send_response(struct sip_rx_data *rx, struct sip_tx_data *tx)
{
	struct sip_tsx *tsx = sip_rx_tsx(rx);

	if (!tx || !tsx) {
		if (tx)
			sip_tx_unref(tx);
		errno = EINVAL;
		return -1;
	}
	if (rs_serializer_current() != sip_tsx_serializer(tsx))
		return push_first(rx, tsx, tx) ? 0 : push_second(tsx, tx);
	return sip_tsx_respond(tsx, tx);
}

int ast_sip_respond(struct sip_rx_data *rx, unsigned status, struct rs_str reason)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, reason);

	if (!tx) {
		errno = ENOMEM;
		return -1;
	}
	return ast_sip_send_response(rx, tx);
}

int ast_sip_respond_stateless(struct sip_rx_data *rx, unsigned status, struct rs_str reason)
{
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	struct sip_tx_data *tx;

	if (!tsx) {
		errno = EINVAL;
		return -1;
	}
	tx = sip_tx_response(rx, status, reason);
	if (!tx) {
		errno = ENOMEM;
		return -1;
	}
	return sip_tsx_respond_stateless(tsx, tx);
}

void ast_sip_add_allow(struct sip_tx_data *tx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	if (r && r->allow.len)
		sip_tx_add_hdr(tx, SIP_HDR_ALLOW, r->allow);
	ast_sip_registered_leave(r);
}

void ast_sip_add_supported(struct sip_tx_data *tx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	if (r && r->supported.len)
		sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, r->supported);
	ast_sip_registered_leave(r);
}
