/* Requests of our own: outside of dialogs by section 19 of the reference, inside by the dialog. */
#include "core/plan.h"
#include "res_sip/dialog.h"
#include "sip/stack.h"
#include "sip/tx_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 3428 section 4: none in a MESSAGE; a REGISTER's and a PUBLISH's are for who makes them. */
static bool wants_contact(enum sip_method m)
{
	return m != SIP_METHOD_MESSAGE && m != SIP_METHOD_REGISTER && m != SIP_METHOD_PUBLISH &&
	       m != SIP_METHOD_CANCEL && m != SIP_METHOD_BYE;
}

static bool no_lr(struct rs_str uri)
{
	struct sip_uri u;

	return sip_uri_parse(uri, &u) == 0 && !sip_uri_has_lr(&u);
}

/* ---- routes ---- */

static int add_route(struct sip_tx_data *tx, struct rs_str uri)
{
	char text[PLAN_TEXT];
	int n = request_plan_route(uri, text, sizeof(text));

	return n < 0 ? -1 : sip_tx_add_hdr(tx, SIP_HDR_ROUTE, rs_str_n(text, (size_t)n));
}

/*
 * The proxy first, then the Path of the binding. A proxy without ;lr is a strict router (RFC 3261 section 12.2.1.1): it
 * is the Request-URI, and what was that goes to the end of the Route.
 */
static int add_routes(struct sip_tx_data *tx, const struct plan *p, struct rs_str proxy, bool strict)
{
	if (proxy.len && !strict && add_route(tx, proxy))
		return -1;
	if (p->route.len &&
	    (sip_tx_add_hdr(tx, SIP_HDR_ROUTE, p->route) || sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, RS_STR("path"))))
		return -1;
	if (!strict)
		return 0;
	sip_tx_set_uri_is_hop(tx);
	return add_route(tx, p->uri);
}

static void release_endpoint(void *value)
{
	ast_sip_endpoint_unref(value);
}

/* ---- the request ---- */

static struct sip_tx_data *build(struct plan *p, const char *method)
{
	struct rs_str proxy = request_plan_proxy(p);
	bool strict = proxy.len && no_lr(proxy);
	char from[PLAN_TEXT], to[SIP_MAX_URI + 2], contact[PLAN_TEXT];
	struct sip_tx_request_params params = {
		.method = rs_str_c(method),
		.uri = strict ? proxy : p->uri,
		.max_forwards = (int)ast_sip_snapshot_global(p->snapshot)->max_forwards,
	};
	struct sip_target target;
	struct sip_tx_data *tx;
	int n = request_plan_from(p, false, from, sizeof(from));

	if (n < 0)
		return NULL;
	params.from = rs_str_n(from, (size_t)n);
	n = snprintf(to, sizeof(to), "<%.*s>", RS_FMT(p->uri));
	params.to = rs_str_n(to, (size_t)n);
	if (wants_contact(sip_method_from_name(params.method))) {
		n = request_plan_contact(p->endpoint, contact, sizeof(contact));
		if (n < 0)
			return NULL;
		params.contact = rs_str_n(contact, (size_t)n);
	}
	tx = sip_tx_request(&params);
	if (!tx)
		return NULL;
	if (add_routes(tx, p, proxy, strict)) {
		sip_tx_unref(tx);
		return NULL;
	}
	if (request_plan_target(p, &target))
		sip_tx_set_target(tx, &target);
	if (p->endpoint)
		sip_tx_set_owner(tx, ast_sip_endpoint_ref(p->endpoint), release_endpoint);
	return tx;
}

/* ---- inside a dialog ---- */

struct inside {
	struct sip_dialog *dlg;
	struct rs_str method;
	struct sip_tx_data *tx;
	int error;
};

static int make_inside(void *data)
{
	struct inside *i = data;

	i->tx = sip_dialog_request(i->dlg, i->method);
	i->error = errno;
	return 0;
}

/* The dialog's number is counted on its serializer. */
static struct sip_tx_data *create_inside(struct sip_dialog *dlg, const char *method)
{
	struct inside i = {.dlg = dlg, .method = rs_str_c(method)};
	struct ast_sip_endpoint *endpoint = ast_sip_dialog_get_endpoint(dlg);
	int error = rs_call(sip_dialog_serializer(dlg), make_inside, &i, NULL, "request", NULL);

	if (error || !i.tx) {
		errno = error ? error : i.error;
		return NULL;
	}
	if (endpoint)
		sip_tx_set_owner(i.tx, ast_sip_endpoint_ref(endpoint), release_endpoint);
	return i.tx;
}

struct sip_tx_data *ast_sip_create_request(const char *method, struct sip_dialog *dlg,
					   struct ast_sip_endpoint *endpoint, const char *uri)
{
	const struct plan_aim aim = {.uri = rs_str_c(uri)};
	struct sip_tx_data *tx = NULL;
	struct plan *p;

	if (!method || !method[0]) {
		errno = EINVAL;
		return NULL;
	}
	if (dlg)
		return create_inside(dlg, method);
	p = request_plan_new();
	if (!p)
		return NULL;
	if (request_plan_make(p, endpoint, &aim) == 0)
		tx = build(p, method);
	request_plan_end(p);
	free(p);
	return tx;
}
