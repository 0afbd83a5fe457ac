/* Where a response goes: RFC 3261 section 18.2.2 and RFC 3581 section 4. */
#include "sip/transport/flow.h"
#include "sip/transport/rx_private.h"
#include "sip/stack.h"

static uint16_t sent_by_port(const struct sip_via *via, enum sip_transport_type type)
{
	return via && via->port ? via->port : sip_transport_default_port(type);
}

void sip_transport_response_target(struct sip_rx_data *rx, struct sip_target *out)
{
	enum sip_transport_type type = (enum sip_transport_type)rx->type;
	const struct sip_via *via = sip_msg_via(&rx->msg, 0);
	struct sip_addr maddr;

	*out = (struct sip_target){.type = type, .addr = rx->source, .listener = rx->listener};
	if (sip_transport_is_reliable(type)) {
		/* The connection it came on; when that is gone, the sent-by port of the sender, except where it
		 * cannot listen: a browser. */
		out->flow = rx->flow;
		out->flow_only = type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS;
		out->addr.port = sent_by_port(via, type);
		return;
	}
	/* The same socket and the address that was asked, whatever the target is. */
	out->flow = sip_flow_path(rx->path);
	if (via && via->maddr.p && sip_addr_parse(via->maddr, &maddr) == 0 && maddr.family == rx->source.family) {
		out->addr = maddr;
		out->addr.port = sent_by_port(via, type);
	} else if (!rx->force_rport && via && !via->has_rport) {
		out->addr.port = sent_by_port(via, type);
	}
}
