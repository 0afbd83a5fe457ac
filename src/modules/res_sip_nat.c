/*
 * Peers behind NAT (section 7 of the reference): force_rport answers to the source port; rewrite_contact puts the
 * packet's source into the Contact (or into the Record-Route of the proxy that is nearest), as an overlay that later
 * services and dialogs see; of requests, and of responses to what is sent for such an endpoint.
 */
#include "res_sip/res_sip.h"
#include "sip/writer.h"

#define MAX_REWRITTEN 2048 /* bytes of a Contact with its parameters: a longer one is left alone */

static bool is_transport(struct rs_str name)
{
	return rs_str_ieq(name, RS_STR("transport"));
}

/* The URI's parameters without transport, and with the arrival's (none for UDP, which is the default). */
static void write_params(struct sip_writer *w, const struct sip_uri *uri, enum sip_transport_type type)
{
	struct rs_str name, value;
	size_t pos = 0;

	while (sip_uri_next_param(uri, &pos, &name, &value)) {
		if (is_transport(name) && type != SIP_TRANSPORT_WSS)
			continue;
		sip_writez(w, ";");
		sip_write(w, name);
		if (value.len) {
			sip_writez(w, "=");
			sip_write(w, value);
		}
	}
	if (type == SIP_TRANSPORT_TCP)
		sip_writez(w, ";transport=tcp");
	else if (type == SIP_TRANSPORT_TLS)
		sip_writez(w, ";transport=tls");
	else if (type == SIP_TRANSPORT_WS)
		sip_writez(w, ";transport=ws");
}

/* The header value na with the source of rx, whose text host is, as its host and port; orig: the old host is remembered
 * in the URI. */
static void write_rewritten(struct sip_writer *w, const struct sip_name_addr *na, struct sip_rx_data *rx,
			    const char *host, bool orig)
{
	const struct sip_addr *source = sip_rx_source(rx);

	if (na->display.p && na->display.len) {
		sip_writez(w, "\"");
		sip_write(w, na->display); /* its escapes stand as they were written */
		sip_writez(w, "\" ");
	}
	sip_writez(w, "<");
	sip_write(w, na->uri.scheme_text);
	sip_writez(w, ":");
	if (na->uri.has_user) {
		sip_write(w, na->uri.user);
		if (na->uri.has_password) {
			sip_writez(w, ":");
			sip_write(w, na->uri.password);
		}
		sip_writez(w, "@");
	}
	sip_writez(w, host);
	sip_writez(w, ":");
	sip_write_u64(w, source->port);
	write_params(w, &na->uri, sip_rx_transport(rx));
	if (orig) {
		sip_writez(w, ";x-ast-orig-host=");
		sip_write(w, na->uri.host);
		sip_writez(w, ":");
		sip_write_u64(w, na->uri.port);
	}
	if (na->uri.headers.len) {
		sip_writez(w, "?");
		sip_write(w, na->uri.headers);
	}
	sip_writez(w, ">");
	sip_write(w, na->params.text);
}

static void rewrite(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n)
{
	const struct sip_name_addr *na = sip_rx_name_addr(rx, id, n); /* another service may have been at it */
	char buf[MAX_REWRITTEN], host[SIP_ADDR_TEXT];
	struct sip_writer w;
	bool moved;

	if (!na || na->star || !sip_uri_is_sip(&na->uri))
		return;
	moved = !rs_str_ieqz(na->uri.host, sip_addr_host(sip_rx_source(rx), host));
	sip_writer_init(&w, buf, sizeof(buf));
	w.max = sizeof(buf);
	write_rewritten(&w, na, rx, host, moved && sip_rx_msg(rx)->method == SIP_METHOD_REGISTER);
	if (sip_writer_ok(&w))
		sip_rx_override(rx, id, n, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	const struct ast_sip_endpoint_settings *s = ast_sip_endpoint_settings(ast_sip_rx_endpoint(rx));
	bool is_register = sip_rx_msg(rx)->method == SIP_METHOD_REGISTER;

	if (s->force_rport)
		sip_rx_set_force_rport(rx);
	if (s->rewrite_contact) {
		if (!is_register && sip_msg_hdr(sip_rx_msg(rx), SIP_HDR_RECORD_ROUTE, 0))
			rewrite(rx, SIP_HDR_RECORD_ROUTE, 0);
		else
			rewrite(rx, SIP_HDR_CONTACT, 0);
	}
	return false;
}

/* In a response the nearest proxy has written the last Record-Route (RFC 3261 section 12.1.2). */
static void on_rx_answer(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *routes;

	if (!ast_sip_endpoint_settings(ast_sip_rx_endpoint(rx))->rewrite_contact || msg->status <= 100 ||
	    msg->status >= 300 || msg->method == SIP_METHOD_REGISTER)
		return;
	if (!sip_msg_first(msg, SIP_HDR_RECORD_ROUTE)) {
		rewrite(rx, SIP_HDR_CONTACT, 0);
		return;
	}
	routes = sip_msg_values(msg, SIP_HDR_RECORD_ROUTE, NULL);
	if (routes && routes->n)
		rewrite(rx, SIP_HDR_RECORD_ROUTE, routes->n - 1);
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_nat",
	.priority = SIP_PRIORITY_NAT,
	.on_rx_request = on_rx_request,
	.on_rx_answer = on_rx_answer,
};

static int load(void)
{
	return ast_sip_register_service(&service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
}

AST_SIP_MODULE(.name = "res_sip_nat", .description = "force_rport and rewrite_contact", .load = load, .unload = unload);
