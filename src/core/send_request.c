/*
 * Sending a request of our own until it has an outcome: targets one after another (RFC 3263 section 4.3), challenges
 * answered, one callback at the end. Everything after the start runs on the caller's serializer.
 */
#include "core/registered.h"
#include "core/target.h"
#include "core/work.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* A challenger that goes on asking is answered no longer (section 9 of the reference). */
#define MAX_CHALLENGES_ANSWERED 9

struct request {
	struct rs_task task; /* what begins it */
	unsigned refs;       /* one until the callback, one for each transaction; on the serializer */
	bool done;
	struct ast_sip_module *owner;
	struct rs_serializer *serializer;
	struct sip_tx_data *tx; /* what is sent next, or was sent last */
	struct ast_sip_endpoint *endpoint;
	ast_sip_request_cb cb;
	void *token;
	int64_t deadline_us; /* 0: the transaction's */
	unsigned challenges;
	unsigned next, n; /* targets tried, and all */
	struct sip_target targets[SIP_MAX_TARGETS];
};

static void request_unref(struct request *r)
{
	if (--r->refs)
		return;
	sip_tx_unref(r->tx);
	ast_sip_endpoint_unref(r->endpoint);
	rs_serializer_unref(r->serializer);
	free(r);
}

static void finish(struct request *r, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	r->done = true;
	r->cb(r->token, why, rx);
	/* What is left, a transaction that keeps its last timer, runs none of the owner's code. */
	if (r->owner)
		ast_sip_module_hold_for(r->owner, -1, "request");
	request_unref(r);
}

static void send_next(struct request *r, enum ast_sip_request_end last_failure);

/* ---- outcomes of one transaction ---- */

static bool answer_challenge(struct request *r, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *reg = ast_sip_registered_enter();
	struct sip_tx_data *tx = NULL;

	if (reg->outbound_authenticator && r->endpoint && r->challenges < MAX_CHALLENGES_ANSWERED)
		tx = reg->outbound_authenticator->create_request_with_auth(r->endpoint, rx, r->tx, ++r->challenges);
	ast_sip_registered_leave(reg);
	if (!tx)
		return false;
	sip_tx_unref(r->tx);
	r->tx = tx;
	r->next--; /* to the same target */
	send_next(r, AST_SIP_REQUEST_TRANSPORT_ERROR);
	return true;
}

/* Another target gets a copy with another branch: the last transaction may still need its own. */
static bool renew(struct request *r)
{
	struct sip_tx_data *tx = sip_tx_clone(r->tx, sip_tx_cseq(r->tx));

	if (!tx)
		return false;
	sip_tx_unref(r->tx);
	r->tx = tx;
	return true;
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct request *r = token;
	unsigned status = sip_rx_msg(rx)->status;

	(void)tsx;
	/* An INVITE may be answered by several 2xx: the first is the outcome. */
	if (status < 200 || r->done)
		return;
	if ((status == 401 || status == 407) && answer_challenge(r, rx))
		return;
	if (status == 503 && r->next < r->n && renew(r)) {
		send_next(r, AST_SIP_REQUEST_TRANSPORT_ERROR);
		return;
	}
	finish(r, AST_SIP_REQUEST_RESPONSE, rx);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct request *r = token;
	enum ast_sip_request_end end =
		why == SIP_TSX_TIMEOUT ? AST_SIP_REQUEST_TIMEOUT : AST_SIP_REQUEST_TRANSPORT_ERROR;

	(void)tsx;
	if (r->next < r->n && renew(r))
		send_next(r, end);
	else
		finish(r, end, NULL);
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	request_unref(token);
}

static const struct sip_tsx_user user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "request",
	.on_response = on_response,
	.on_end = on_end,
	.on_terminated = on_terminated,
};

/* ---- sending ---- */

static void send_next(struct request *r, enum ast_sip_request_end last_failure)
{
	while (r->next < r->n) {
		int64_t left = r->deadline_us ? r->deadline_us - rs_now_us() : 0;

		if (r->deadline_us && left <= 0) {
			finish(r, AST_SIP_REQUEST_TIMEOUT, NULL);
			return;
		}
		sip_tx_set_target(r->tx, &r->targets[r->next++]);
		if (sip_tsx_send_for(r->owner, sip_tx_ref(r->tx), r->serializer, &user, r, left, NULL) == 0) {
			r->refs++;
			return;
		}
		last_failure = AST_SIP_REQUEST_TRANSPORT_ERROR;
	}
	finish(r, last_failure, NULL);
}

/* The target that the sender chose counts for protocol and listener, also when the address had to be found. */
static void add_target(struct request *r, const struct sip_target *found)
{
	const struct sip_target *wanted = sip_tx_target(r->tx);
	struct sip_target *t = &r->targets[r->n++];

	*t = *found;
	if (wanted->type != SIP_TRANSPORT_NONE)
		t->type = wanted->type;
	if (wanted->listener.len)
		t->listener = wanted->listener;
}

static void resolved(const struct sip_targets *targets, void *token)
{
	struct request *r = token;

	for (unsigned i = 0; i < targets->n; i++)
		add_target(r, &targets->v[i]);
	send_next(r, targets->error == ETIMEDOUT ? AST_SIP_REQUEST_TIMEOUT : AST_SIP_REQUEST_TRANSPORT_ERROR);
}

static void begin(struct rs_task *task)
{
	struct request *r = rs_container_of(task, struct request, task);
	const struct sip_target *t = sip_tx_target(r->tx);
	struct sip_uri uri;

	if (t->flow || t->flow_only || t->addr.family) {
		r->targets[r->n++] = *t;
		send_next(r, AST_SIP_REQUEST_TRANSPORT_ERROR);
	} else if (ast_sip_next_hop(r->tx, &uri) || sip_resolve_for(r->owner, &uri, r->serializer, resolved, r)) {
		finish(r, AST_SIP_REQUEST_TRANSPORT_ERROR, NULL);
	}
}

static struct request *request_new(struct ast_sip_module *owner, struct sip_tx_data *tx,
				   struct ast_sip_endpoint *endpoint)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->serializer = ast_sip_callers_serializer();
	if (!r->serializer) {
		free(r);
		return NULL;
	}
	if (!endpoint)
		endpoint = sip_tx_owner(tx);
	r->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint) : NULL;
	r->refs = 1;
	r->owner = owner;
	r->tx = tx;
	r->task = (struct rs_task){.run = begin, .name = "request", .module = owner};
	return r;
}

int ast_sip_send_request_cb_for(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
				struct ast_sip_endpoint *endpoint, int timeout_ms, ast_sip_request_cb cb, void *token)
{
	struct request *r;

	if (!tx || dlg || !cb || !sip_tx_is_request(tx) || timeout_ms < 0) {
		sip_tx_unref(tx);
		errno = dlg ? EOPNOTSUPP : EINVAL;
		return -1;
	}
	r = request_new(owner, tx, endpoint);
	if (!r) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return -1;
	}
	r->cb = cb;
	r->token = token;
	if (timeout_ms)
		r->deadline_us = rs_now_us() + (int64_t)timeout_ms * 1000;
	if (owner)
		ast_sip_module_hold_for(owner, 1, "request");
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
