/*
 * Sending a request of our own until it has an outcome: targets one after another (RFC 3263 section 4.3), challenges
 * answered, every step told to whoever wants to know. Everything after the start runs on one serializer, the dialog's
 * or the caller's.
 */
#include "core/send_private.h"
#include "core/work.h"
#include "base/log.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdlib.h>

/* ---- life ---- */

struct ast_sip_request *ast_sip_request_ref(struct ast_sip_request *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void ast_sip_request_unref(struct ast_sip_request *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	sip_tx_unref(r->tx);
	sip_tsx_unref(r->tsx);
	ast_sip_endpoint_unref(r->endpoint);
	sip_dialog_unref(r->dlg);
	rs_serializer_unref(r->serializer);
	free(r);
}

void send_live(struct ast_sip_request *r)
{
	r->live++;
}

void send_dead(struct ast_sip_request *r)
{
	struct ast_sip_module *owner = r->owner;

	if (--r->live)
		return;
	if (r->ops->on_gone)
		r->ops->on_gone(r, r->token);
	if (owner)
		ast_sip_module_hold_for(owner, -1, "request");
	ast_sip_request_unref(r);
}

bool send_is_invite(const struct ast_sip_request *r)
{
	return sip_tx_method(r->tx) == SIP_METHOD_INVITE;
}

void send_finish(struct ast_sip_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	if (r->done)
		return;
	r->done = true;
	if (r->ops->on_final)
		r->ops->on_final(r, why, rx, r->token);
	send_dead(r);
}

/* ---- the calls ---- */

static const struct ast_sip_request_ops nobody = {.size = sizeof(nobody), .name = "request"};

static struct ast_sip_request *request_new(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
					   struct ast_sip_endpoint *endpoint)
{
	struct ast_sip_request *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	/* n of the targets, which are copied there, count. */
	memset(r, 0, offsetof(struct ast_sip_request, targets));
	r->serializer = dlg ? rs_serializer_ref(sip_dialog_serializer(dlg)) : ast_sip_callers_serializer();
	if (!r->serializer) {
		free(r);
		return NULL;
	}
	if (!endpoint)
		endpoint = dlg ? ast_sip_dialog_get_endpoint(dlg) : sip_tx_owner(tx);
	r->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint) : NULL;
	r->dlg = dlg ? sip_dialog_ref(dlg) : NULL;
	atomic_init(&r->refs, 1);
	r->live = 1;
	r->owner = owner;
	r->tx = tx;
	r->ops = &nobody;
	r->task = (struct rs_task){.run = send_begin, .name = "request", .module = owner};
	return r;
}

/* An errno, or 0. */
static int check(struct sip_tx_data *tx, struct sip_dialog *dlg, int timeout_ms)
{
	if (!tx || !sip_tx_is_request(tx) || timeout_ms < 0)
		return EINVAL;
	/* An ACK and the answer of a fork that nobody wants are sent all the same. */
	if (dlg && sip_dialog_state(dlg) == SIP_DIALOG_TERMINATED && sip_tx_method(tx) != SIP_METHOD_ACK)
		return ENOTCONN;
	return 0;
}

/* NULL with errno; tx has gone then. */
static struct ast_sip_request *make(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
				    struct ast_sip_endpoint *endpoint, int timeout_ms)
{
	struct ast_sip_request *r = NULL;
	int error = check(tx, dlg, timeout_ms);

	if (!error) {
		r = request_new(owner, tx, dlg, endpoint);
		error = r ? 0 : ENOMEM;
	}
	if (error) {
		sip_tx_unref(tx);
		errno = error;
		return NULL;
	}
	if (timeout_ms)
		r->deadline_us = rs_now_us() + (int64_t)timeout_ms * 1000;
	return r;
}

static void start(struct ast_sip_request *r)
{
	if (r->owner)
		ast_sip_module_hold_for(r->owner, 1, "request");
	rs_push(r->serializer, &r->task);
}

int ast_sip_send_request_ops_for(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
				 struct ast_sip_endpoint *endpoint, int timeout_ms,
				 const struct ast_sip_request_ops *ops, void *token, struct ast_sip_request **out)
{
	struct ast_sip_request *r;

	if (!ops || ops->size != sizeof(*ops)) {
		sip_tx_unref(tx);
		errno = EINVAL;
		return -1;
	}
	r = make(owner, tx, dlg, endpoint, timeout_ms);
	if (!r)
		return -1;
	r->ops = ops;
	r->token = token;
	if (out)
		*out = ast_sip_request_ref(r);
	start(r);
	return 0;
}

static void call_back(struct ast_sip_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx, void *token)
{
	r->cb(token, why, rx);
}

static const struct ast_sip_request_ops with_callback = {
	.size = sizeof(with_callback), .name = "request", .on_final = call_back};

int ast_sip_send_request_cb_for(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
				struct ast_sip_endpoint *endpoint, int timeout_ms, ast_sip_request_cb cb, void *token)
{
	struct ast_sip_request *r;

	if (!cb || (tx && sip_tx_method(tx) == SIP_METHOD_ACK)) {
		sip_tx_unref(tx);
		errno = EINVAL;
		return -1;
	}
	r = make(owner, tx, dlg, endpoint, timeout_ms);
	if (!r)
		return -1;
	r->ops = &with_callback;
	r->cb = cb;
	r->token = token;
	start(r);
	return 0;
}

int ast_sip_send_ack(struct sip_tx_data *tx, struct sip_dialog *dlg)
{
	struct ast_sip_request *r;

	if (!dlg || !tx || sip_tx_method(tx) != SIP_METHOD_ACK) {
		sip_tx_unref(tx);
		errno = EINVAL;
		return -1;
	}
	r = make(NULL, tx, dlg, NULL, 0);
	if (!r)
		return -1;
	start(r);
	return 0;
}

struct sip_tx_data *ast_sip_request_tx(struct ast_sip_request *r)
{
	return r->tx;
}

/* ---- cancel ---- */

static void end_early(struct rs_task *task)
{
	struct ast_sip_request *r = rs_container_of(task, struct ast_sip_request, task);

	send_finish(r, AST_SIP_REQUEST_TIMEOUT, NULL);
	send_dead(r);
}

int ast_sip_request_cancel(struct ast_sip_request *r, struct rs_str reason)
{
	if (!send_is_invite(r) || r->done || r->cancelled) {
		errno = EALREADY;
		return -1;
	}
	r->cancelled = true;
	if (!r->begun)
		return 0; /* its task is on its way, and will find it */
	if (r->tsx)
		return sip_tsx_cancel(r->tsx, reason);
	/* Nothing has left yet: it waits for a name, or behind another. */
	send_live(r);
	r->task = (struct rs_task){.run = end_early, .name = "request.cancel", .module = r->owner};
	rs_push(r->serializer, &r->task);
	return 0;
}

/* ---- fire and forget ---- */

static void log_outcome(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = token;

	rs_event(rx && sip_rx_msg(rx)->status < 300 ? RS_LOG_DEBUG : RS_LOG_NOTICE, "request.done",
		 RS_FS("method", sip_tx_method_text(tx)), RS_FS("uri", sip_tx_uri(tx)),
		 RS_FZ("outcome", why == AST_SIP_REQUEST_RESPONSE  ? "response"
				  : why == AST_SIP_REQUEST_TIMEOUT ? "timeout"
								   : "transport error"),
		 RS_FI("status", rx ? sip_rx_msg(rx)->status : 0));
	sip_tx_unref(tx);
}

int ast_sip_send_request(const char *method, const char *body, struct sip_dialog *dlg,
			 struct ast_sip_endpoint *endpoint, const char *uri)
{
	const struct ast_sip_body text = {.type = "text", .subtype = "plain", .body_text = body};
	struct sip_tx_data *tx = ast_sip_create_request(method, dlg, endpoint, uri);

	if (!tx)
		return -1;
	if (body && ast_sip_add_body(tx, &text)) {
		sip_tx_unref(tx);
		return -1;
	}
	if (ast_sip_send_request_cb_for(NULL, sip_tx_ref(tx), dlg, endpoint, 0, log_outcome, tx)) {
		sip_tx_unref(tx);
		return -1;
	}
	return 0;
}
