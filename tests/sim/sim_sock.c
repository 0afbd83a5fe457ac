/* The server's sockets of the simulated network: readiness, arming, closing, and the table of operations. */
#include "sim_net_private.h"

#include <errno.h>
#include <stdlib.h>

static struct net_sock *of(struct sip_sock *s)
{
	return rs_container_of(s, struct net_sock, base);
}

static unsigned stream_events(const struct net_sock *s)
{
	const struct tcp_end *end = s->end;
	unsigned events = 0;

	if (end->rx_len || end->fin_arrived || end->error)
		events |= SIP_SOCK_READ;
	if (end->error || (end->connected && tcp_room(end) > 0))
		events |= SIP_SOCK_WRITE;
	return events;
}

/* What could be done now without waiting. */
static unsigned possible(const struct net_sock *s)
{
	switch (s->kind) {
	case SOCK_UDP:
		return (s->q_head ? SIP_SOCK_READ : 0u) | (s->busy ? 0u : SIP_SOCK_WRITE);
	case SOCK_LISTENER:
		return s->accept_head ? SIP_SOCK_READ : 0u;
	case SOCK_STREAM_END:
		return stream_events(s);
	}
	return 0;
}

static void free_sock(struct net_sock *s)
{
	while (s->q_head) {
		struct dgram *d = s->q_head;

		s->q_head = d->next;
		free(d);
	}
	sim_queue_remove(&s->unbusy);
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	free(s);
}

static void run_task(struct rs_task *task)
{
	struct net_sock *s = rs_container_of(task, struct net_sock, task);
	unsigned events = s->fired;

	s->task_queued = false;
	s->fired = 0;
	if (!s->closing) {
		s->base.ready(&s->base, events);
		/* What was armed while this task waited has had no look yet. */
		net_sock_poll(s);
		return;
	}
	if (s->base.closed)
		s->base.closed(&s->base, s->base.token);
	free_sock(s);
}

static void queue_task(struct net_sock *s, const char *name)
{
	s->task.name = name;
	s->task_queued = true;
	rs_push(NULL, &s->task);
}

void net_sock_poll(struct net_sock *s)
{
	unsigned events = s->closing ? 0 : possible(s) & s->armed;

	if (!events || s->task_queued || !s->base.ready)
		return;
	s->fired = events;
	s->armed = 0;
	queue_task(s, "sim socket ready");
}

struct net_sock *net_sock_new(enum sock_kind kind, const struct sip_addr *addr)
{
	struct net_sock *s = net_alloc(sizeof(*s));

	s->kind = kind;
	s->addr = *addr;
	s->task.run = run_task;
	s->q_tail = &s->q_head;
	s->accept_tail = &s->accept_head;
	s->next = sim_net.socks;
	if (s->next)
		s->next->prev = &s->next;
	s->prev = &sim_net.socks;
	sim_net.socks = s;
	return s;
}

static int sock_arm(struct sip_sock *base, unsigned events)
{
	struct net_sock *s = of(base);

	s->armed = events;
	net_sock_poll(s);
	return 0;
}

void net_sock_unqueue_accept(struct net_sock *listener, struct net_sock *s)
{
	struct net_sock **at = &listener->accept_head;

	while (*at && *at != s)
		at = &(*at)->accept_next;
	if (!*at)
		return;
	*at = s->accept_next;
	if (!*at)
		listener->accept_tail = at;
	listener->waiting--;
}

/* Connections that nobody accepted are reset, as the kernel does. They were never shown to the owner. */
static void drop_waiting(struct net_sock *listener)
{
	while (listener->accept_head) {
		struct net_sock *s = listener->accept_head;

		net_sock_unqueue_accept(listener, s);
		tcp_end_close(s->end, true);
		s->closing = true;
		free_sock(s);
	}
}

static void sock_close(struct sip_sock *base)
{
	struct net_sock *s = of(base);

	if (s->closing)
		return;
	s->closing = true;
	if (s->kind == SOCK_LISTENER)
		drop_waiting(s);
	if (s->kind == SOCK_STREAM_END) {
		if (net_watch)
			net_watch->closed(&s->addr, stream_peer(s));
		tcp_end_close(s->end, false);
	}
	if (!s->task_queued)
		queue_task(s, "sim socket closed");
}

static int sock_local(struct sip_sock *base, struct sip_addr *out)
{
	*out = of(base)->addr;
	return 0;
}

const struct sip_net_ops sim_net_ops = {
	.udp_open = udp_open,
	.tcp_listen = stream_listen,
	.tcp_accept = stream_accept,
	.tcp_connect = stream_connect,
	.connect_result = stream_connect_result,
	.local = sock_local,
	.recv = udp_recv,
	.send = udp_send,
	.read = stream_read,
	.write = stream_write,
	.arm = sock_arm,
	.close = sock_close,
	.source_for = net_source_for,
};
