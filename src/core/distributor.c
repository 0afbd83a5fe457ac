/*
 * The transaction user of the stack: one pass of a request through the chain of services, with the core's own stages
 * (filter, identify, authenticate) at their priorities. A request in a dialog takes the same way, with the dialog in
 * the place of identification and of the applications. Runs on the transaction's serializer.
 */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/log.h"
#include "res_sip/dialog.h"

static bool run(const struct ast_sip_registered *r, unsigned from, unsigned to, struct sip_rx_data *rx)
{
	for (unsigned i = from; i < to; i++) {
		if (r->rx_request[i]->on_rx_request(rx))
			return true;
	}
	return false;
}

/* No service took it. */
static void nobody(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tx_data *tx;

	if (msg->method == SIP_METHOD_ACK)
		return;
	if (msg->to_tag.p) {
		/* It may have passed digest: its retransmission must not come there again. */
		ast_sip_respond(rx, 481, RS_STR_NULL);
		return;
	}
	tx = sip_tx_response(rx, 501, RS_STR_NULL);
	if (!tx)
		return;
	ast_sip_add_allow(tx);
	sip_tsx_respond_stateless(sip_rx_tsx(rx), tx);
}

static int identify(struct sip_rx_data *rx)
{
	struct sip_dialog *dlg = sip_rx_dialog(rx);
	struct ast_sip_endpoint *endpoint = dlg ? ast_sip_dialog_get_endpoint(dlg) : NULL;

	return endpoint ? ast_sip_identify_in_dialog(rx, endpoint) : ast_sip_identify_request(rx);
}

static void dispatch(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	if (run(r, 0, r->before_filter, rx) || ast_sip_filter_request(r, rx) ||
	    run(r, r->before_filter, r->before_identify, rx))
		return;
	if (identify(rx)) {
		ast_sip_respond_stateless(rx, 503, RS_STR_NULL);
		return;
	}
	if (run(r, r->before_identify, r->before_authenticate, rx) || ast_sip_authenticate_stage(r, rx))
		return;
	if (sip_rx_dialog(rx))
		ast_sip_dialog_request(rx);
	else if (!run(r, r->before_authenticate, r->n_rx_request, rx))
		nobody(rx);
}

/* Most are identified by From; in a dialog nobody is looked for. */
static void expect_endpoint(struct ast_sip_snapshot *s, struct sip_rx_data *rx)
{
	const struct sip_name_addr *from =
		sip_rx_dialog(rx) ? NULL : sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);

	if (from && from->uri.user.len)
		ast_sip_snapshot_expect(s, from->uri.user);
}

void ast_sip_distributor_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r;
	struct ast_sip_snapshot *s;

	if (ast_sip_overload_late(tsx, rx))
		return;
	s = ast_sip_rx_snapshot(rx);
	if (!s) {
		rs_event(RS_LOG_ERROR, "core.no_memory", RS_FZ("for", "request"));
		if (sip_rx_msg(rx)->method != SIP_METHOD_ACK)
			ast_sip_respond_stateless(rx, 503, RS_STR_NULL);
		return;
	}
	expect_endpoint(s, rx);
	r = ast_sip_registered_enter();
	dispatch(r, rx);
	ast_sip_registered_leave(r);
}

void ast_sip_distributor_stray_response(struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	for (unsigned i = 0; i < r->n_rx_response; i++) {
		if (r->rx_response[i]->on_rx_response(rx))
			break;
	}
	ast_sip_registered_leave(r);
}

int ast_sip_distributor_tx(struct sip_tx_data *tx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	bool request = sip_tx_is_request(tx);
	unsigned n = request ? r->n_tx_request : r->n_tx_response;
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++)
		rc = request ? r->tx_request[i]->on_tx_request(tx) : r->tx_response[i]->on_tx_response(tx);
	ast_sip_registered_leave(r);
	return rc;
}
