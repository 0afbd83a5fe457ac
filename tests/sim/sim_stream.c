/* The server's listeners and stream sockets over the simulated connections. */
#include "sim_net_private.h"

#include <errno.h>

#define BACKLOG 128

static struct net_sock *of(struct sip_sock *s)
{
	return rs_container_of(s, struct net_sock, base);
}

const struct sip_addr *stream_peer(const struct net_sock *s)
{
	struct tcp_end *end = s->end->conn->end;

	return &end[s->end == &end[0]].addr;
}

static void take_keepalive(struct net_sock *s, const struct sip_sock_opts *opts)
{
	/* Linux's defaults stand in for what is not given. */
	int idle = opts->keepalive_idle > 0 ? opts->keepalive_idle : 7200;
	int interval = opts->keepalive_interval > 0 ? opts->keepalive_interval : 75;
	int count = opts->keepalive_count > 0 ? opts->keepalive_count : 9;

	s->keepalive_s = opts->keepalive ? idle + interval * count : 0;
	if (opts->rcvbuf > 0)
		s->end->window = (size_t)opts->rcvbuf;
}

int stream_listen(void *net, const struct sip_sock_opts *opts, struct sip_sock **out)
{
	struct sip_addr addr;
	struct net_sock *s;
	int error = net_bind(SOCK_LISTENER, opts, &addr);

	(void)net;
	if (error)
		return error;
	s = net_sock_new(SOCK_LISTENER, &addr);
	s->reuse_port = opts->reuse_port;
	s->backlog = opts->backlog > 0 ? (unsigned)opts->backlog : BACKLOG;
	*out = &s->base;
	return 0;
}

bool stream_has_room(const struct net_sock *listener)
{
	return listener->waiting < listener->backlog;
}

void stream_offer(struct net_sock *listener, struct tcp_end *end)
{
	struct net_sock *s = net_sock_new(SOCK_STREAM_END, &end->addr);

	s->end = end;
	end->sock = s;
	*listener->accept_tail = s;
	listener->accept_tail = &s->accept_next;
	listener->waiting++;
	net_sock_poll(listener);
}

int stream_accept(struct sip_sock *base, const struct sip_sock_opts *opts, struct sip_sock **out, struct sip_addr *peer)
{
	struct net_sock *listener = of(base), *s = listener->accept_head;

	if (!s)
		return EAGAIN;
	net_sock_unqueue_accept(listener, s);
	s->accept_next = NULL;
	if (opts)
		take_keepalive(s, opts);
	*peer = *stream_peer(s);
	*out = &s->base;
	return 0;
}

int stream_connect(void *net, const struct sip_sock_opts *opts, const struct sip_addr *peer, struct sip_sock **out)
{
	struct sip_addr from = opts->bind;
	struct net_sock *s;
	int error;

	if (peer->family != 4 && peer->family != 6)
		return EAFNOSUPPORT;
	if (from.family == 0 || sip_addr_is_any(&from)) {
		uint16_t port = from.port;

		error = net_source_for(net, peer, &from);
		if (error)
			return error;
		from.port = port;
	}
	if (from.family != peer->family)
		return EAFNOSUPPORT;
	if (!net_is_own(&from))
		return EADDRNOTAVAIL;
	if (from.port == 0)
		from.port = net_pick_port();
	s = net_sock_new(SOCK_STREAM_END, &from);
	s->end = tcp_dial(&from, peer);
	s->end->sock = s;
	take_keepalive(s, opts);
	*out = &s->base;
	return 0;
}

int stream_connect_result(struct sip_sock *base)
{
	const struct tcp_end *end = of(base)->end;

	if (end->error)
		return end->error;
	return end->connected ? 0 : EINPROGRESS;
}

ssize_t stream_read(struct sip_sock *base, void *buf, size_t n)
{
	struct net_sock *s = of(base);
	struct tcp_end *end = s->end;
	size_t part = n < end->rx_len ? n : end->rx_len;

	/* What came before a reset can still be read. */
	if (part) {
		memcpy(buf, end->rx, part);
		if (net_watch)
			net_watch->received(true, &s->addr, stream_peer(s), rs_str_n(buf, part));
		tcp_consume(end, part);
		return (ssize_t)part;
	}
	if (end->error)
		return -end->error;
	return end->fin_arrived ? 0 : -EAGAIN;
}

ssize_t stream_write(struct sip_sock *base, const struct iovec *iov, unsigned n)
{
	struct net_sock *s = of(base);
	size_t done = 0;

	if (s->end->error)
		return s->end->error == ECONNRESET ? -EPIPE : -s->end->error;
	if (!s->end->connected)
		return -EAGAIN;
	for (unsigned i = 0; i < n; i++) {
		size_t room = tcp_room(s->end);
		size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;

		if (part && net_watch)
			net_watch->sent(true, &s->addr, stream_peer(s), rs_str_n(iov[i].iov_base, part));
		if (part)
			tcp_push(s->end, iov[i].iov_base, part);
		done += part;
		if (part < iov[i].iov_len)
			break;
	}
	return done ? (ssize_t)done : -EAGAIN;
}
