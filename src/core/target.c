#include "core/target.h"
#include "sip/resolver.h"
#include "sip/tx_private.h"

#include <errno.h>

static bool is_websocket(enum sip_transport_type t)
{
	return t == SIP_TRANSPORT_WS || t == SIP_TRANSPORT_WSS;
}

void ast_sip_target_of_contact(const struct ast_sip_contact *c, struct sip_target *out)
{
	enum sip_transport_type type = (enum sip_transport_type)c->data.transport;
	enum sip_transport_type wanted;
	struct sip_uri uri = {0};
	bool numeric;

	*out = (struct sip_target){0};
	numeric = sip_uri_parse(ast_sip_contact_text(c, AST_SIP_CONTACT_URI), &uri) == 0 &&
		  sip_resolve_numeric(&uri, out);
	out->listener = sip_listener_intern(ast_sip_contact_text(c, AST_SIP_CONTACT_LISTENER));
	out->flow = c->data.flow;
	if (!out->flow && !c->data.bound_to_flow) {
		/* It registered by another protocol than it wants to be reached by: that listener cannot do it. */
		wanted = numeric ? out->type : sip_uri_transport(&uri, NULL);
		if (wanted != SIP_TRANSPORT_NONE && type != SIP_TRANSPORT_NONE && wanted != type)
			out->listener = RS_STR_NULL;
		return;
	}
	/* On its flow it is the flow's protocol that counts, whatever the URI says. */
	if (type != SIP_TRANSPORT_NONE)
		out->type = type;
	out->flow_only = c->data.bound_to_flow || is_websocket(type);
	/* Behind a Path the address of the contact is not the one that is reached from here. */
	if (c->data.received.family && (!numeric || ast_sip_contact_text(c, AST_SIP_CONTACT_PATH).len))
		out->addr = c->data.received;
}

int ast_sip_next_hop(struct sip_tx_data *tx, struct sip_uri *out)
{
	max_align_t room[64];
	struct rs_str route = sip_tx_hdr(tx, SIP_HDR_ROUTE);
	struct sip_hdr_values values;
	struct rs_arena arena;
	int rc = -1;

	if (!route.len || sip_tx_uri_is_hop(tx))
		return sip_uri_parse(sip_tx_uri(tx), out);
	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (sip_hdr_parse(SIP_HDR_ROUTE, route, &arena, &values) == 0 && values.n) {
		*out = values.v.name_addr[0].uri;
		/* A strict router stands in the Request-URI already. */
		rc = sip_uri_has_lr(out) ? 0 : sip_uri_parse(sip_tx_uri(tx), out);
	}
	rs_arena_reset(&arena);
	if (rc)
		errno = EINVAL;
	return rc;
}
