/* What the files of the sender share: one request on its way, with all its transactions. */
#ifndef CORE_SEND_PRIVATE_H
#define CORE_SEND_PRIVATE_H

#include "base/taskpool.h"
#include "res_sip/dialog.h"

/* All but the count of references belongs to the serializer. */
struct ast_sip_request {
	struct rs_task task;   /* what begins it, or ends it early */
	_Atomic uint32_t refs; /* callers', and one while anything of it lives */
	unsigned live;         /* the outcome that is missing, a resolution, each transaction */
	bool begun, done, cancelled, waiting;
	struct ast_sip_module *owner;
	struct rs_serializer *serializer;
	struct sip_dialog *dlg;
	struct sip_tx_data *tx; /* what is sent next, or was sent last */
	struct sip_tsx *tsx;    /* the last one; referenced */
	struct ast_sip_endpoint *endpoint;
	const struct ast_sip_request_ops *ops;
	void *token;
	ast_sip_request_cb cb;          /* of ast_sip_send_request_cb */
	struct ast_sip_request *behind; /* the next of the dialog, which waits until this one knows its way */
	int64_t deadline_us;            /* 0: the transaction's */
	unsigned challenges;
	unsigned next, n; /* targets tried, and all */
	struct sip_target targets[SIP_MAX_TARGETS];
};

/* ---- send_request.c: life ---- */

void send_live(struct ast_sip_request *r);
void send_dead(struct ast_sip_request *r);
/* The outcome. */
void send_finish(struct ast_sip_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx);
bool send_is_invite(const struct ast_sip_request *r);

/* ---- send_target.c ---- */

/* The task that begins it. */
void send_begin(struct rs_task *task);
/* To the next target; without one the outcome is last_failure. */
void send_next(struct ast_sip_request *r, enum ast_sip_request_end last_failure);

/* ---- send_outcome.c: the user of its transactions ---- */

extern const struct sip_tsx_user send_user;

#endif
