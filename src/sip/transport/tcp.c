/* TCP: the acceptor, and a stream without a filter. */
#include "sip/transport/conn.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* Connections taken at one readiness: others get their turn. */
#define ACCEPT_BATCH 64

struct sip_acceptor {
	_Atomic uint32_t
		refs; /* the listener's, a thread at work, the pause; the socket is closed when the last goes */
	_Atomic bool closing;
	struct sip_listener *listener;
	struct sip_sock *sock;
	struct rs_serializer serializer;
	struct rs_timer pause;
	struct rs_task pause_task;
};

static void acceptor_unref(struct sip_acceptor *a)
{
	if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
		sip_tp.net->close(a->sock);
}

static bool acceptor_try_ref(struct sip_acceptor *a)
{
	uint32_t n = atomic_load_explicit(&a->refs, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak_explicit(&a->refs, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

static void acceptor_release(struct rs_serializer *s)
{
	free(rs_container_of(s, struct sip_acceptor, serializer));
	sip_tp_alive(-1);
}

static void acceptor_closed(struct sip_sock *s, void *token)
{
	struct sip_acceptor *a = token;

	(void)s;
	rs_serializer_unref(&a->serializer);
}

/* ---- no more descriptors: nothing is accepted for a moment, and the connections wait in the kernel ---- */

static void pause_hold(struct rs_timer *t, bool on)
{
	struct sip_acceptor *a = rs_container_of(t, struct sip_acceptor, pause);

	if (on)
		atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	else
		acceptor_unref(a);
}

static void pause_over(struct rs_timer *t)
{
	struct sip_acceptor *a = rs_container_of(t, struct sip_acceptor, pause);

	if (!atomic_load_explicit(&a->closing, memory_order_acquire))
		sip_tp.net->arm(a->sock, SIP_SOCK_READ);
}

static void run_pause(struct rs_task *t)
{
	struct sip_acceptor *a = rs_container_of(t, struct sip_acceptor, pause_task);

	rs_timer_start(&a->pause, sip_tp.limits.accept_pause_us);
	acceptor_unref(a);
}

/* One line a second, with how many pauses it stands for. */
static void log_pause(const struct sip_acceptor *a, int error)
{
	static _Atomic int64_t second;
	static _Atomic uint32_t since;
	int64_t now = rs_now_us() / 1000000, at = atomic_load_explicit(&second, memory_order_relaxed);
	uint32_t n = atomic_fetch_add_explicit(&since, 1, memory_order_relaxed) + 1;

	if (at == now || !atomic_compare_exchange_strong(&second, &at, now))
		return;
	atomic_store_explicit(&since, 0, memory_order_relaxed);
	rs_event(RS_LOG_ERROR, "listener.paused", RS_FS("transport", a->listener->name),
		 RS_FZ("error", strerror(error)), RS_FI("count", n),
		 RS_FZ("do", "raise the limit of open files (LimitNOFILE), or lower connections in [limits]"));
}

static void acceptor_pause(struct sip_acceptor *a, int error)
{
	log_pause(a, error);
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	rs_push(&a->serializer, &a->pause_task);
}

static void acceptor_ready(struct sip_sock *s, unsigned events)
{
	struct sip_acceptor *a = s->token;
	struct sip_addr remote;
	struct sip_sock *sock;
	int error = 0;

	(void)events;
	if (!acceptor_try_ref(a))
		return;
	for (unsigned i = 0; i < ACCEPT_BATCH && !error; i++) {
		if (atomic_load_explicit(&a->closing, memory_order_acquire))
			break;
		error = sip_tp.net->tcp_accept(s, &a->listener->opts, &sock, &remote);
		if (!error)
			sip_conn_accepted(a->listener, sock, &remote);
		else if (error == ECONNABORTED || error == EINTR || error == EPROTO)
			error = 0;
	}
	if (!atomic_load_explicit(&a->closing, memory_order_acquire)) {
		if (error && error != EAGAIN)
			acceptor_pause(a, error);
		else
			sip_tp.net->arm(s, SIP_SOCK_READ);
	}
	acceptor_unref(a);
}

/* ---- the listener ---- */

static void tcp_close(struct sip_listener *l)
{
	atomic_store_explicit(&l->acceptor->closing, true, memory_order_release);
	acceptor_unref(l->acceptor);
}

static int tcp_open(struct sip_listener *l)
{
	struct sip_acceptor *a = calloc(1, sizeof(*a));
	int error;

	if (!a)
		return ENOMEM;
	error = sip_tp.net->tcp_listen(sip_tp.net_token, &l->opts, &a->sock);
	if (error) {
		free(a);
		return error;
	}
	atomic_init(&a->refs, 1);
	a->listener = l;
	rs_serializer_init(&a->serializer, "listener", acceptor_release);
	rs_timer_init(&a->pause, "accept pause", &a->serializer, pause_over, pause_hold, NULL);
	a->pause_task.run = run_pause;
	a->pause_task.name = "accept pause";
	a->sock->token = a;
	a->sock->ready = acceptor_ready;
	a->sock->closed = acceptor_closed;
	l->acceptor = a;
	sip_tp_alive(1);
	error = sip_tp.net->local(a->sock, &l->bound);
	if (error)
		tcp_close(l);
	return error;
}

static int tcp_start(struct sip_listener *l)
{
	return sip_tp.net->arm(l->acceptor->sock, SIP_SOCK_READ);
}

static int tcp_send(struct sip_route *route, const struct sip_outgoing *out)
{
	bool redial = route->redial;
	int error;

	for (;;) {
		error = route->conn ? 0 : sip_conn_dial(route->listener, &route->remote, &route->conn);
		if (!error)
			error = sip_conn_send(route->conn, out->bytes, out->result);
		if (!error || !redial || error == ENOMEM || error == ENOBUFS)
			break;
		/* The peer has closed it meanwhile. */
		sip_route_fini(route);
		redial = false;
	}
	if (!error)
		atomic_fetch_add_explicit(&sip_listener_stat(route->listener)->sent, 1, memory_order_relaxed);
	return error;
}

static ssize_t tcp_read(struct sip_conn *c, void *buf, size_t n)
{
	return sip_tp.net->read(c->sock, buf, n);
}

static ssize_t tcp_write(struct sip_conn *c, const struct iovec *iov, unsigned n)
{
	return sip_tp.net->write(c->sock, iov, n);
}

const struct sip_transport_ops sip_tcp_ops = {
	.type = SIP_TRANSPORT_TCP,
	.stream = true,
	.open = tcp_open,
	.start = tcp_start,
	.close = tcp_close,
	.send = tcp_send,
	.filter_read = tcp_read,
	.filter_write = tcp_write,
	.frame = sip_msg_frame,
};
