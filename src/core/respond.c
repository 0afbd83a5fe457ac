/* Answers to a request, and the headers that say what this server can do. */
#include "base/taskpool.h"
#include "core/registered.h"

#include <errno.h>
#include <stdlib.h>

/* An answer made on another serializer than its request's, on its way there. */
struct late_answer {
	struct rs_task task;
	struct sip_tsx *tsx;
	struct sip_tx_data *tx;
};

static void late_answer_run(struct rs_task *task)
{
	struct late_answer *late = rs_container_of(task, struct late_answer, task);

	sip_tsx_respond(late->tsx, late->tx);
	sip_tsx_unref(late->tsx);
	free(late);
}

static int respond_later(struct sip_tsx *tsx, struct sip_tx_data *tx)
{
	struct late_answer *late = malloc(sizeof(*late));

	if (!late) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return -1;
	}
	late->task = (struct rs_task){.run = late_answer_run, .name = "answer"};
	late->tsx = sip_tsx_ref(tsx);
	late->tx = tx;
	rs_push(sip_tsx_serializer(tsx), &late->task);
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
		return respond_later(tsx, tx);
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
