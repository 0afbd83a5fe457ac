/*
 * The way to the peer: to the first of the route set, else to the remote target (RFC 3261 section 12.2.1.1). Where that
 * is the place that the peer was heard from, its flow is the way: the only one through a NAT, and the connection that
 * is there already. All else is found by RFC 3263.
 */
#include "sip/dialog/dialog.h"

#include "sip/resolver.h"

static bool is_websocket(enum sip_transport_type t)
{
	return t == SIP_TRANSPORT_WS || t == SIP_TRANSPORT_WSS;
}

/* The protocol that uri asks for is the one that the peer was heard by. */
static bool same_protocol(const struct sip_uri *u, enum sip_transport_type heard)
{
	enum sip_transport_type asked = sip_uri_transport(u, NULL);

	if (u->scheme == SIP_URI_SIPS && !sip_transport_is_secure(heard))
		return false;
	if (asked == SIP_TRANSPORT_NONE || asked == heard)
		return true;
	/* ;transport=tcp of a sips URI, and of one that means the connection below TLS. */
	return asked == SIP_TRANSPORT_TCP && heard == SIP_TRANSPORT_TLS;
}

static bool leads_to_flow(const struct sip_dialog *d, const struct sip_uri *u)
{
	const struct sip_target *heard = &d->heard;
	struct sip_addr host;

	if (!heard->addr.family)
		return false;
	/* What was rewritten says where the peer was heard; a browser listens nowhere. */
	if (d->peer->rewritten || is_websocket(heard->type))
		return true;
	if (!same_protocol(u, heard->type) || sip_uri_param(u, RS_STR("maddr"), NULL) ||
	    sip_addr_parse(u->host, &host) || !sip_addr_same_ip(&host, &heard->addr))
		return false;
	if (sip_transport_is_reliable(heard->type))
		return true;
	return (u->port ? u->port : sip_transport_default_port(heard->type)) == heard->addr.port;
}

static void by_flow(const struct sip_dialog *d, const struct sip_uri *u, struct sip_target *out)
{
	struct sip_target numeric;

	*out = d->heard;
	if (!sip_transport_is_reliable(out->type))
		return;
	/* A source port is nobody's address: when the connection has gone, a new one goes to where the peer listens. */
	out->addr = (struct sip_addr){0};
	out->flow_only = d->peer->rewritten || is_websocket(out->type);
	if (!out->flow_only && sip_resolve_numeric(u, &numeric))
		out->addr = numeric.addr;
}

/* The listener that was asked for, or that the peer came by, where it speaks the protocol. */
static void add_listener(const struct sip_dialog *d, struct sip_target *out)
{
	if (d->first.listener.len && (d->first.type == SIP_TRANSPORT_NONE || d->first.type == out->type))
		out->listener = d->first.listener;
	else if (!d->uac && d->heard.type == out->type)
		out->listener = d->heard.listener;
}

void dialog_way(const struct sip_dialog *d, struct sip_target *out)
{
	struct rs_str hop = d->peer->hop.len ? d->peer->hop : d->peer->target;
	bool named;
	struct sip_uri u;

	if (sip_dialog_state(d) == SIP_DIALOG_NEW && d->uac &&
	    (d->first.flow || d->first.flow_only || d->first.addr.family)) {
		*out = d->first;
		return;
	}
	*out = (struct sip_target){0};
	if (sip_uri_parse(hop, &u) || !sip_uri_is_sip(&u)) {
		*out = (struct sip_target){.type = d->first.type, .listener = d->first.listener};
		return;
	}
	if (leads_to_flow(d, &u)) {
		by_flow(d, &u, out);
		return;
	}
	/* A transport that was chosen for the peer counts where the URI leaves it open. */
	named = sip_uri_transport(&u, NULL) != SIP_TRANSPORT_NONE || u.scheme == SIP_URI_SIPS;
	if (sip_resolve_numeric(&u, out)) {
		if (!named && d->first.type != SIP_TRANSPORT_NONE)
			out->type = d->first.type;
		add_listener(d, out);
	} else if (!named) {
		*out = (struct sip_target){.type = d->first.type, .listener = d->first.listener};
	}
}
