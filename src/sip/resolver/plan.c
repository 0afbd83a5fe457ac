/* The next hop by the URI alone, see plan.h. */
#include "plan.h"

#include <errno.h>

/* The protocol when NAPTR is not asked: RFC 3263 section 4.1; sips as RFC 3261 sections 19.1.2 and 26.2.2 want it. */
static int plan_transport(const struct sip_uri *uri, enum sip_transport_type *out)
{
	bool unknown = false;
	enum sip_transport_type type = sip_uri_transport(uri, &unknown);

	if (unknown)
		return EPROTONOSUPPORT;
	if (uri->scheme == SIP_URI_SIP) {
		*out = type == SIP_TRANSPORT_NONE ? SIP_TRANSPORT_UDP : type;
		return 0;
	}
	switch (type) {
	case SIP_TRANSPORT_NONE:
	case SIP_TRANSPORT_TCP:
	case SIP_TRANSPORT_TLS:
		*out = SIP_TRANSPORT_TLS;
		return 0;
	case SIP_TRANSPORT_WS:
	case SIP_TRANSPORT_WSS:
		*out = SIP_TRANSPORT_WSS;
		return 0;
	default:
		return EPROTONOSUPPORT;
	}
}

/* A maddr parameter may be any token; only what can be a host name is asked for. */
static bool is_host_name(struct rs_str s)
{
	if (s.len == 0 || s.len > SIP_MAX_HOST)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

int sip_resolve_plan(const struct sip_uri *uri, struct sip_resolve_plan *out)
{
	struct rs_str host = uri->host, maddr;
	struct sip_addr addr;
	int error;

	if (!sip_uri_is_sip(uri))
		return EINVAL;
	*out = (struct sip_resolve_plan){0};
	error = plan_transport(uri, &out->type);
	if (error)
		return error;
	if (sip_uri_param(uri, RS_STR("maddr"), &maddr) && maddr.len)
		host = maddr;
	out->port = uri->port ? uri->port : sip_transport_default_port(out->type);
	if (sip_addr_parse(host, &addr) == 0) {
		if (addr.port)
			return EINVAL;
		sip_addr_unmap(&addr);
		addr.port = out->port;
		out->addr = addr;
		out->numeric = true;
		return 0;
	}
	if (!is_host_name(host))
		return EINVAL;
	out->host = host;
	return 0;
}
