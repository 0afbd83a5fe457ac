/*
 * From a URI or host to targets (RFC 3263). Asynchronous from the first day: numeric addresses are answered at once,
 * names go through the environment's resolver (libunbound in production).
 */
#ifndef SIP_RESOLVER_H
#define SIP_RESOLVER_H

#include "sip/transport.h"
#include "sip/uri.h"

struct rs_serializer;
#define SIP_MAX_TARGETS 16

struct sip_targets {
	unsigned n; /* 0: error tells why */
	int error;  /* errno: 0, ENOENT (no such name), ETIMEDOUT, EPROTONOSUPPORT, EINVAL, EIO (the names' servers
		       failed,  or the stack stops) */
	struct sip_target v[SIP_MAX_TARGETS]; /* in the order to be tried */
};

/* The target of a URI whose host is numeric: true and *out filled. false: it must be resolved (or is no sip URI). */
RS_API bool sip_resolve_numeric(const struct sip_uri *uri, struct sip_target *out);
/*
 * Resolves uri's next hop. done runs as a task on serializer (NULL: the current one; outside of any: a pool thread),
 * never before this returned (on another serializer than the current one another thread may be faster), exactly once
 * and within some ten seconds; targets lives until it returns. The URI's text is copied. 0, or -1 (ENOMEM; EAGAIN: too
 * many under way); with -1 done is not called. The order: addresses that a listener of ours has a route to, IPv6 first.
 * Any thread.
 */
RS_API int sip_resolve_for(void *module, const struct sip_uri *uri, struct rs_serializer *serializer,
			   void (*done)(const struct sip_targets *targets, void *token), void *token);

#endif
