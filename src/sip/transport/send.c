/* From a target to a way there, and the sends of the transaction layer. */
#include "sip/transport/tp.h"

#include "base/hash.h"
#include "base/log.h"
#include "sip/stack.h"
#include "sip/transport/conn.h"
#include "sip/transport/flow.h"
#include "sip/transport/listener.h"
#include "sip/tx_private.h"

#include <errno.h>

/* ---- the source of a route ---- */

#define SOURCE_CACHE 256     /* peers whose source address a thread remembers */
#define SOURCE_US    5000000 /* and how long: routes change */

int sip_source_for(const struct sip_addr *peer, struct sip_addr *out)
{
	static _Thread_local struct {
		struct sip_addr peer, source;
		int64_t until;
	} cache[SOURCE_CACHE];
	struct sip_addr key = *peer;
	int64_t now = rs_now_us();
	unsigned i;
	int error;

	key.port = 0;
	i = (unsigned)(rs_hash(rs_str_n((const char *)&key, sizeof(key))) % SOURCE_CACHE);
	if (cache[i].until <= now || !sip_addr_eq(&cache[i].peer, &key) || cache[i].peer.scope_id != key.scope_id) {
		cache[i].until = 0;
		error = sip_tp.net->source_for(sip_tp.net_token, peer, &cache[i].source);
		if (error)
			return error;
		cache[i].peer = key;
		cache[i].until = now + SOURCE_US;
	}
	*out = cache[i].source;
	return 0;
}

/* What a message from l to remote carries in Via and Contact. */
static int local_of(const struct sip_listener *l, const struct sip_addr *remote, struct sip_addr *local)
{
	int error = 0;

	*local = l->bound;
	if (l->wildcard)
		error = sip_source_for(remote, local);
	local->port = l->bound.port;
	return error;
}

/* ---- routes ---- */

static int route_udp_flow(const struct sip_target *t, struct sip_route *out)
{
	struct sip_addr remote;
	struct sip_path *p;
	uint16_t path;

	if (!sip_flow_udp_split(t->flow, &path, &remote))
		return ENOTCONN;
	p = sip_path_get(path);
	out->listener = p ? sip_path_listener(p) : NULL;
	if (!out->listener)
		return ENOTCONN;
	out->type = SIP_TRANSPORT_UDP;
	out->remote = remote.family ? remote : t->addr;
	out->local = p->local;
	if (sip_addr_is_any(&p->local))
		return local_of(out->listener, &out->remote, &out->local);
	if (out->listener->wildcard)
		out->source = p->local;
	return 0;
}

static int route_stream_flow(const struct sip_target *t, struct sip_route *out)
{
	struct sip_conn *c = sip_conn_get(t->flow);

	if (!c)
		return ENOTCONN;
	out->type = c->ops->type;
	out->conn = c;
	out->listener = c->listener;
	out->remote = c->remote;
	out->local = c->local;
	return 0;
}

static int route_new(const struct sip_target *t, struct sip_route *out)
{
	const struct sip_transport_ops *ops = sip_transport_ops(t->type);
	struct sip_listener *l;

	if (!ops)
		return EPROTONOSUPPORT;
	l = sip_listener_find(t->type, t->addr.family, t->listener);
	if (!l)
		return ENETUNREACH;
	out->type = t->type;
	out->listener = l;
	out->remote = t->addr;
	if (ops->stream) {
		out->conn = sip_conn_find(ops, &t->addr, t->listener.len ? l : NULL);
		if (out->conn) {
			out->redial = true;
			out->listener = out->conn->listener;
			out->local = out->conn->local;
			return 0;
		}
	}
	return local_of(l, &t->addr, &out->local);
}

int sip_route_find(const struct sip_target *t, struct sip_route *out)
{
	int error;

	*out = (struct sip_route){0};
	if (t->flow) {
		error = sip_flow_kind(t->flow) == SIP_FLOW_STREAM ? route_stream_flow(t, out) : route_udp_flow(t, out);
		if (!error || t->flow_only || !t->addr.family)
			return error;
		*out = (struct sip_route){0};
	}
	if (t->flow_only)
		return ENOTCONN;
	if (!t->addr.family || !t->addr.port)
		return EINVAL;
	return route_new(t, out);
}

void sip_route_fini(struct sip_route *route)
{
	if (route->conn)
		sip_conn_unref(route->conn);
	route->conn = NULL;
}

int sip_transport_local(const struct sip_target *target, struct sip_addr *local)
{
	struct sip_route route;

	if (sip_route_find(target, &route)) {
		errno = ENETUNREACH;
		return -1;
	}
	*local = route.local;
	sip_route_fini(&route);
	return 0;
}

/* ---- results ---- */

static void run_failed(struct rs_task *task)
{
	struct sip_send_result *r = rs_container_of(task, struct sip_send_result, task);
	void (*hold)(struct sip_send_result *, bool) = r->hold;

	atomic_store_explicit(&r->queued, 0, memory_order_release);
	r->failed(r);
	if (hold)
		hold(r, false);
}

void sip_send_failed(struct sip_send_result *r, int error)
{
	if (!r)
		return;
	/* Two sends may share one result and fail together: it is told once. */
	if (atomic_exchange_explicit(&r->queued, 1, memory_order_acq_rel)) {
		sip_send_hold(r, false);
		return;
	}
	r->error = error;
	r->task.run = run_failed;
	r->task.name = "send failed";
	rs_push(r->serializer, &r->task);
}

/* ---- sends ---- */

/* An answer to somebody who may not be who he says must not be a bigger packet than he could have sent himself. */
static bool answer_allowed(struct sip_tx_data *tx, const struct sip_route *route, struct rs_str bytes)
{
	bool (*allowed)(const struct sip_addr *, size_t, size_t) = sip_stack_config()->answer_allowed;

	if (!allowed || route->type != SIP_TRANSPORT_UDP || sip_tx_is_request(tx))
		return true;
	return allowed(&route->remote, sip_tx_question(tx), bytes.len);
}

/* Says so, at most once a second: whoever provokes such answers must not fill the log. */
static void tell_withheld(struct sip_tx_data *tx, const struct sip_route *route, size_t bytes)
{
	static _Atomic int64_t next_us;
	int64_t now = rs_now_us(), due = atomic_load_explicit(&next_us, memory_order_relaxed);
	char peer[SIP_ADDR_TEXT];

	if (now < due || !atomic_compare_exchange_strong(&next_us, &due, now + 1000000))
		return;
	rs_event(RS_LOG_WARNING, "answer.withheld", RS_FZ("peer", sip_addr_text(&route->remote, true, peer)),
		 RS_FS("call_id", sip_tx_call_id(tx)), RS_FI("status", sip_tx_status(tx)), RS_FI("bytes", bytes),
		 RS_FI("question_bytes", sip_tx_question(tx)),
		 RS_FZ("reason",
		       "too much over UDP for a source that did not authenticate; see [security] in res_sip.conf"));
}

static int send_by(struct sip_tx_data *tx, struct sip_route *route, struct sip_send_result *result)
{
	struct sip_outgoing out = {.bytes = sip_tx_bytes(tx), .tx = tx, .result = result};

	if (out.bytes.len == 0)
		return EINVAL;
	/* Dropped as on the way: the sender's retransmission asks again. */
	if (!answer_allowed(tx, route, out.bytes)) {
		atomic_fetch_add_explicit(&sip_listener_stat(route->listener)->dropped, 1, memory_order_relaxed);
		tell_withheld(tx, route, out.bytes.len);
		return 0;
	}
	if (sip_trace_on())
		sip_trace_message(false, route->type, &route->local, &route->remote, out.bytes);
	return sip_transport_ops(route->type)->send(route, &out);
}

static int transport_send(struct sip_tx_data *tx, struct sip_send_result *result, bool seal)
{
	struct sip_route route;
	int error = sip_route_find(sip_tx_target(tx), &route);

	if (error) {
		errno = error;
		return -1;
	}
	if (seal && sip_tx_seal(tx, route.type, &route.local)) {
		sip_route_fini(&route);
		return -1;
	}
	error = send_by(tx, &route, result);
	sip_route_fini(&route);
	if (error) {
		errno = error;
		return -1;
	}
	return 0;
}

int sip_transport_send(struct sip_tx_data *tx, struct sip_send_result *result)
{
	return transport_send(tx, result, true);
}

int sip_transport_resend(struct sip_tx_data *tx, struct sip_send_result *result)
{
	return transport_send(tx, result, !sip_tx_sealed(tx));
}

int sip_send_raw(const struct sip_target *target, struct rs_str bytes)
{
	struct sip_outgoing out = {.bytes = bytes};
	struct sip_route route;
	int error = sip_route_find(target, &route);

	if (error)
		return error;
	if (sip_trace_on())
		sip_trace_message(false, route.type, &route.local, &route.remote, bytes);
	error = sip_transport_ops(route.type)->send(&route, &out);
	sip_route_fini(&route);
	return error;
}
