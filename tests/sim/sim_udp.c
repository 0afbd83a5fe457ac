/* Datagrams of the simulated network. */
#include "sim_net_private.h"
#include "sim_clock.h"
#include "sim_flow.h"

#include <errno.h>
#include <stdlib.h>

#define UDP_MAX       65507
#define UDP_QUEUE_MAX 4096 /* datagrams a socket holds unread; more are lost, as with a full SO_RCVBUF */
#define BUSY_US       3000

static void drop(struct sim_event *e)
{
	free(rs_container_of(e, struct dgram, event));
}

static void arrive(struct sim_event *e)
{
	struct dgram *d = rs_container_of(e, struct dgram, event);
	struct rs_str bytes = rs_str_n(d->bytes, d->len);
	struct sim_peer *peer;
	struct net_sock *s;

	if (net_link_of(&d->from, &d->to)->cut) {
		sim_flow_packet("cut", "UDP", &d->from, &d->to, bytes);
		free(d);
		return;
	}
	peer = net_find_peer(PEER_UDP, &d->to);
	s = peer ? NULL : net_find_sock(SOCK_UDP, &d->to, &d->from);
	if (peer) {
		sim_flow_packet("arrived", "UDP", &d->from, &d->to, bytes);
		peer_datagram(peer, d);
		free(d);
	} else if (s && s->q_len < UDP_QUEUE_MAX) {
		sim_flow_packet("arrived", "UDP", &d->from, &d->to, bytes);
		d->next = NULL;
		*s->q_tail = d;
		s->q_tail = &d->next;
		s->q_len++;
		net_sock_poll(s);
	} else {
		sim_flow_packet(s ? "full" : "nobody", "UDP", &d->from, &d->to, bytes);
		free(d);
	}
}

static struct dgram *new_dgram(const struct sip_addr *from, const struct sip_addr *to, const struct iovec *iov,
			       unsigned n)
{
	size_t len = 0;
	struct dgram *d;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	d = net_alloc(sizeof(*d) + len);
	d->from = *from;
	d->to = *to;
	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len)
			memcpy(d->bytes + d->len, iov[i].iov_base, iov[i].iov_len);
		d->len += iov[i].iov_len;
	}
	return d;
}

void udp_transmit(const struct sip_addr *from, const struct sip_addr *to, const struct iovec *iov, unsigned n)
{
	struct sim_link *link = net_link_of(from, to);
	struct dgram *d = new_dgram(from, to, iov, n);
	unsigned copies = 1;

	if (sim_rng_chance(&sim_net.rng, link->loss)) {
		sim_flow_packet("lost", "UDP", from, to, rs_str_n(d->bytes, d->len));
		free(d);
		return;
	}
	copies += sim_rng_chance(&sim_net.rng, link->duplicate);
	sim_flow_packet(copies > 1 ? "doubled" : "sent", "UDP", from, to, rs_str_n(d->bytes, d->len));
	while (copies--) {
		int64_t delay = net_delay(link);

		if (sim_rng_chance(&sim_net.rng, link->reorder))
			delay += sim_rng_range(&sim_net.rng, 0, link->reorder_us);
		if (copies) {
			const struct iovec same = {d->bytes, d->len};
			struct dgram *copy = new_dgram(from, to, &same, 1);

			sim_queue_add(&copy->event, sim_now() + delay, arrive, drop);
		} else {
			sim_queue_add(&d->event, sim_now() + delay, arrive, drop);
		}
	}
}

int udp_open(void *net, const struct sip_sock_opts *opts, struct sip_sock **out)
{
	struct sip_addr addr;
	struct net_sock *s;
	int error = net_bind(SOCK_UDP, opts, &addr);

	(void)net;
	if (error)
		return error;
	s = net_sock_new(SOCK_UDP, &addr);
	s->reuse_port = opts->reuse_port;
	*out = &s->base;
	return 0;
}

static void fill(struct sip_dgram *out, const struct dgram *d)
{
	size_t done = 0;

	for (unsigned i = 0; i < RS_ARRAY_SIZE(out->iov) && done < d->len; i++) {
		size_t part = d->len - done < out->iov[i].iov_len ? d->len - done : out->iov[i].iov_len;

		if (part)
			memcpy(out->iov[i].iov_base, d->bytes + done, part);
		done += part;
	}
	out->len = done;
	out->truncated = done < d->len;
	out->peer = d->from;
	out->local = d->to;
}

int udp_recv(struct sip_sock *base, struct sip_dgram *v, unsigned n)
{
	struct net_sock *s = rs_container_of(base, struct net_sock, base);
	unsigned got = 0;

	while (got < n && s->q_head) {
		struct dgram *d = s->q_head;

		s->q_head = d->next;
		if (!s->q_head)
			s->q_tail = &s->q_head;
		s->q_len--;
		fill(&v[got++], d);
		if (net_watch)
			net_watch->received(false, &d->to, &d->from, rs_str_n(d->bytes, d->len));
		free(d);
	}
	return got ? (int)got : -EAGAIN;
}

static void no_longer_busy(struct sim_event *e)
{
	struct net_sock *s = rs_container_of(e, struct net_sock, unbusy);

	s->busy = false;
	net_sock_poll(s);
}

static void watch_sent(const struct sip_addr *from, const struct sip_dgram *d)
{
	static char whole[UDP_MAX];
	size_t first = d->len < d->iov[0].iov_len ? d->len : d->iov[0].iov_len;

	if (first)
		memcpy(whole, d->iov[0].iov_base, first);
	if (d->len > first)
		memcpy(whole + first, d->iov[1].iov_base, d->len - first);
	net_watch->sent(false, from, &d->peer, rs_str_n(whole, d->len));
}

static int send_one(struct net_sock *s, const struct sip_dgram *d)
{
	struct sip_addr from = s->addr;
	struct iovec iov[2];
	size_t left = d->len;

	if (d->len > UDP_MAX)
		return EMSGSIZE;
	if (d->peer.family != s->addr.family)
		return EAFNOSUPPORT;
	if (d->local.family && !sip_addr_is_any(&d->local)) {
		if (!net_is_own(&d->local))
			return EINVAL;
		from = d->local;
	} else if (sip_addr_is_any(&from)) {
		int error = net_source_for(NULL, &d->peer, &from);

		if (error)
			return error;
	} else if (!net_is_own(&from)) {
		return ENETUNREACH;
	}
	from.port = s->addr.port;
	if (net_watch)
		watch_sent(&from, d);
	for (unsigned i = 0; i < 2; i++) {
		iov[i].iov_base = d->iov[i].iov_base;
		iov[i].iov_len = d->iov[i].iov_len < left ? d->iov[i].iov_len : left;
		left -= iov[i].iov_len;
	}
	udp_transmit(&from, &d->peer, iov, 2);
	return 0;
}

int udp_send(struct sip_sock *base, const struct sip_dgram *v, unsigned n)
{
	struct net_sock *s = rs_container_of(base, struct net_sock, base);

	for (unsigned i = 0; i < n; i++) {
		int error;

		if (!s->busy && sim_rng_chance(&sim_net.rng, net_link_of(&s->addr, &v[i].peer)->busy)) {
			s->busy = true;
			sim_queue_add(&s->unbusy, sim_now() + BUSY_US, no_longer_busy, NULL);
		}
		error = s->busy ? EAGAIN : send_one(s, &v[i]);
		if (error)
			return i ? (int)i : -error;
	}
	return (int)n;
}
