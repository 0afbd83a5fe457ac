/* What a URI says of its next hop before any name is asked for (RFC 3263 section 4). Not for modules. */
#ifndef SIP_RESOLVER_PLAN_H
#define SIP_RESOLVER_PLAN_H

#include "sip/resolver.h"

/* Bytes of a host name, as DNS limits them (RFC 1035 section 2.3.4): longer ones are nobody's name, only memory. */
#define SIP_MAX_HOST 253

struct sip_resolve_plan {
	enum sip_transport_type type;
	uint16_t port;
	bool numeric;
	struct sip_addr addr; /* numeric: with the port */
	struct rs_str host;   /* else; points into the URI */
};

/* 0, or EINVAL (no sip URI, no host), EPROTONOSUPPORT (an unknown transport, or one that sips forbids). */
int sip_resolve_plan(const struct sip_uri *uri, struct sip_resolve_plan *out);

#endif
