/*
 * Transports as services see them: flows, targets, the trace. A flow is a generation-tagged id, never a pointer: it
 * stays valid to use (and fails cleanly) after its connection has gone. Any thread.
 */
#ifndef SIP_TRANSPORT_H
#define SIP_TRANSPORT_H

#include "sip/addr.h"

/* A connection, or for UDP the pair (listener, remote address). 0: none. */
typedef uint64_t sip_flow_id;

struct sip_target {
	enum sip_transport_type type;
	struct sip_addr addr;
	sip_flow_id flow;       /* tried first when not 0 */
	bool flow_only;         /* never dialled: a rewritten or WebSocket Contact, a response's connection */
	struct rs_str listener; /* send from that transport section; empty: any that fits. Must outlive the send:
				   interned by sip_listener_intern */
};

/* The name of a listener that lives as long as the process; empty when no such listener ever was. */
RS_API struct rs_str sip_listener_intern(struct rs_str name);

struct sip_flow_info {
	enum sip_transport_type type;
	struct sip_addr local, remote;
	struct rs_str listener;
	bool inbound;
};
/* false: the flow is gone. UDP flows never go while their listener stands. */
RS_API bool sip_flow_info(sip_flow_id flow, struct sip_flow_info *out);

/*
 * Tells when a flow ends: fn(token) runs once as a task (on no serializer). Returns an id for the cancel, or 0 when the
 * flow is gone already. After sip_flow_unwatch returned true fn will not run; false: it ran or is about to.
 */
RS_API uint64_t sip_flow_watch(sip_flow_id flow, void (*fn)(sip_flow_id flow, void *token), void *token);
RS_API bool sip_flow_unwatch(uint64_t watch);

/*
 * The local address (with the listener's port) that a message to target would leave from: for Contact and Via. 0, or -1
 * (ENETUNREACH: no listener of that family and protocol, or no route).
 */
RS_API int sip_transport_local(const struct sip_target *target, struct sip_addr *local);

/* ---- trace: every message as bytes, both ways ---- */

struct sip_trace_event {
	bool received;
	enum sip_transport_type type;
	struct sip_addr local, remote;
	struct rs_str bytes;
};
struct sip_trace {
	void (*message)(
		const struct sip_trace_event *event); /* on the reading / sending thread: short, must not block */
	struct sip_trace *next;                       /* the stack's */
};
/* The trace must stay until sip_trace_unregister returned and a quiet point has passed (a module's unload does that).
 */
RS_API void sip_trace_register(struct sip_trace *trace);
RS_API void sip_trace_unregister(struct sip_trace *trace);

/* ---- for show commands ---- */
struct sip_listener_stats {
	struct rs_str name;
	enum sip_transport_type type;
	struct sip_addr bound;
	uint64_t received, sent, dropped, parse_errors, connections_now, connections_refused;
};
/* Calls each for every listener; any thread but not from within a trace. */
RS_API void sip_transport_each(void (*each)(void *token, const struct sip_listener_stats *stats), void *token);

#endif
