/* Dialogs on behalf of endpoints: how they are made by the endpoint's options, and what is asked in them. */
#include "core/pipeline.h"
#include "core/plan.h"
#include "res_sip/dialog.h"
#include "sip/stack.h"
#include "sip/writer.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the endpoint ---- */

static void release_endpoint(void *value)
{
	ast_sip_endpoint_unref(value);
}

/* The dialog pins its endpoint, not the snapshot that it began with. */
static void set_endpoint(struct sip_dialog *dlg, struct ast_sip_endpoint *endpoint, struct ast_sip_snapshot *s)
{
	if (endpoint)
		sip_dialog_set_owner(dlg, ast_sip_endpoint_ref(endpoint), release_endpoint);
	sip_dialog_set_max_forwards(dlg, ast_sip_snapshot_global(s)->max_forwards);
}

struct ast_sip_endpoint *ast_sip_dialog_get_endpoint(const struct sip_dialog *dlg)
{
	return sip_dialog_owner_of(dlg, release_endpoint);
}

/* ---- server ---- */

static void set_transport(struct sip_dialog *dlg, struct ast_sip_endpoint *endpoint, struct ast_sip_snapshot *s)
{
	struct rs_str id = ast_sip_endpoint_settings(endpoint)->transport;
	const struct ast_sip_transport *t = id.len ? ast_sip_transport_find(s, id) : NULL;

	if (t)
		sip_dialog_set_way(dlg, t->flow ? SIP_TRANSPORT_NONE : t->protocol, sip_listener_intern(id));
}

static unsigned status_of(int error)
{
	switch (error) {
	case EINVAL:
		return 400;
	case EEXIST:
		return 482;
	default:
		return 503;
	}
}

struct sip_dialog *ast_sip_create_dialog_uas(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
					     unsigned *status)
{
	struct ast_sip_snapshot *s = ast_sip_rx_snapshot(rx);
	struct sip_dialog *dlg = NULL;
	char contact[PLAN_TEXT];
	int n = request_plan_contact(endpoint, contact, sizeof(contact));
	int error;

	if (!s)
		errno = ENOMEM;
	else if (n >= 0)
		dlg = sip_dialog_uas(rx, rs_str_n(contact, (size_t)n));
	if (!dlg) {
		error = errno;
		if (status)
			*status = status_of(error);
		errno = error;
		return NULL;
	}
	set_endpoint(dlg, endpoint, s);
	if (endpoint)
		set_transport(dlg, endpoint, s);
	if (ast_sip_rx_authenticated(rx))
		*sip_dialog_verified(dlg) = *sip_rx_source(rx);
	return dlg;
}

/* ---- client ---- */

/* The proxy, then the Path. NULL when the writer has failed. */
static struct rs_str routes(const struct plan *p, struct sip_writer *w)
{
	struct rs_str proxy = request_plan_proxy(p);
	char text[PLAN_TEXT];
	int n = proxy.len ? request_plan_route(proxy, text, sizeof(text)) : 0;

	if (n < 0)
		return RS_STR_NULL;
	sip_write(w, rs_str_n(text, (size_t)n));
	if (n && p->route.len)
		sip_writez(w, ",");
	sip_write(w, p->route);
	return rs_str_n(w->buf, w->len);
}

static struct sip_dialog *make_uac(const struct plan *p, const struct ast_sip_dialog_uac_params *params)
{
	char from[PLAN_TEXT], contact[PLAN_TEXT], first[512];
	struct sip_dialog_uac_params d = {
		.size = sizeof(d),
		.uri = p->uri,
		.from = params->from,
		.to = params->to,
		.serializer = params->serializer,
	};
	struct sip_dialog *dlg = NULL;
	struct sip_writer w;
	int n = params->from.len ? 0 : request_plan_from(p, true, from, sizeof(from));

	if (n < 0)
		return NULL;
	if (n)
		d.from = rs_str_n(from, (size_t)n);
	n = request_plan_contact(p->endpoint, contact, sizeof(contact));
	if (n < 0)
		return NULL;
	d.contact = rs_str_n(contact, (size_t)n);
	request_plan_target(p, &d.target);
	sip_writer_init(&w, first, sizeof(first));
	d.route = routes(p, &w);
	if (!sip_writer_ok(&w))
		errno = ENOMEM;
	else if (request_plan_proxy(p).len && !d.route.len)
		errno = EINVAL;
	else
		dlg = sip_dialog_uac(&d);
	sip_writer_fini(&w);
	return dlg;
}

struct sip_dialog *ast_sip_create_dialog_uac(struct ast_sip_endpoint *endpoint,
					     const struct ast_sip_dialog_uac_params *params)
{
	struct sip_dialog *dlg = NULL;
	struct plan_aim aim;
	struct plan *p;
	int error;

	if (!params || params->size != sizeof(*params)) {
		errno = EINVAL;
		return NULL;
	}
	aim = (struct plan_aim){
		.uri = params->uri, .contact = params->contact, .user = params->request_user, .phone = true};
	p = request_plan_new();
	if (!p)
		return NULL;
	if (request_plan_make(p, endpoint, &aim) == 0)
		dlg = make_uac(p, params);
	error = errno;
	if (dlg) {
		set_endpoint(dlg, p->endpoint, p->snapshot);
		/* Its REGISTER was authenticated from there. */
		*sip_dialog_verified(dlg) = p->registered;
	}
	request_plan_end(p);
	free(p);
	errno = error;
	return dlg;
}

/* ---- requests inside ---- */

static void answer_options(struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = sip_dialog_response(sip_rx_dialog(rx), rx, 200, RS_STR_NULL);

	if (!tx)
		return;
	ast_sip_add_allow(tx);
	ast_sip_add_supported(tx);
	sip_tx_add_hdr(tx, SIP_HDR_ACCEPT, RS_STR("application/sdp"));
	sip_tx_add_hdr(tx, SIP_HDR_ACCEPT_ENCODING, RS_STR("identity"));
	sip_dialog_respond(sip_rx_dialog(rx), rx, tx);
}

/* No usage took it. */
static void nobody(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tx_data *tx;

	if (msg->method == SIP_METHOD_OPTIONS) {
		answer_options(rx);
		return;
	}
	tx = sip_tx_response(rx, msg->method == SIP_METHOD_OTHER ? 501 : 405, RS_STR_NULL);
	if (!tx)
		return;
	ast_sip_add_allow(tx);
	sip_dialog_respond(sip_rx_dialog(rx), rx, tx);
}

void ast_sip_dialog_request(struct sip_rx_data *rx)
{
	struct sip_dialog *dlg = sip_rx_dialog(rx);

	if (ast_sip_rx_authenticated(rx))
		*sip_dialog_verified(dlg) = *sip_rx_source(rx);
	if (!sip_dialog_process(rx))
		nobody(rx);
}
