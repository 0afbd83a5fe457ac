/* The phones' side of the simulated network. */
#include "sim_net_private.h"
#include "sim_clock.h"
#include "sim_flow.h"

#include <errno.h>
#include <stdlib.h>

static struct sim_peer *new_peer(enum peer_kind kind, const struct sip_addr *addr, const struct sim_peer_ops *ops,
				 void *token)
{
	struct sim_peer *p = net_alloc(sizeof(*p));

	p->kind = kind;
	p->addr = *addr;
	if (p->addr.port == 0)
		p->addr.port = net_pick_port();
	p->ops = ops;
	p->token = token;
	p->next = sim_net.peers;
	if (p->next)
		p->next->prev = &p->next;
	p->prev = &sim_net.peers;
	sim_net.peers = p;
	return p;
}

struct sim_peer *sim_peer_udp_open(const char *address, const struct sim_peer_ops *ops, void *token)
{
	struct sip_addr a = net_addr(address);

	return new_peer(PEER_UDP, &a, ops, token);
}

struct sim_peer *sim_peer_tcp_listen(const char *address, const struct sim_peer_ops *ops, void *token)
{
	struct sip_addr a = net_addr(address);

	return new_peer(PEER_LISTENER, &a, ops, token);
}

struct sim_peer *sim_peer_tcp_connect(const char *from, const char *to, const struct sim_peer_ops *ops, void *token)
{
	struct sip_addr a = net_addr(from), b = net_addr(to);
	struct sim_peer *p = new_peer(PEER_STREAM, &a, ops, token);

	p->end = tcp_dial(&p->addr, &b);
	p->end->peer = p;
	return p;
}

void peer_offer(struct sim_peer *listener, struct tcp_end *end)
{
	struct sim_peer *p = new_peer(PEER_STREAM, &end->addr, listener->ops, listener->token);

	p->end = end;
	p->up_told = true;
	end->peer = p;
	if (listener->ops->accepted)
		listener->ops->accepted(listener, listener->token, p);
}

void sim_peer_set(struct sim_peer *p, const struct sim_peer_ops *ops, void *token)
{
	p->ops = ops;
	p->token = token;
}

void sim_peer_set_token(struct sim_peer *p, void *token)
{
	p->token = token;
}

void *sim_peer_token(struct sim_peer *p)
{
	return p->token;
}

const struct sip_addr *sim_peer_address(const struct sim_peer *p)
{
	return &p->addr;
}

/* ---- what arrives ---- */

static void free_peer(struct sim_peer *p)
{
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	free(p->early);
	free(p);
}

static void leave(struct sim_peer *p)
{
	if (--p->depth == 0 && p->closed)
		free_peer(p);
}

void peer_datagram(struct sim_peer *p, const struct dgram *d)
{
	p->depth++;
	if (p->ops && p->ops->receive)
		p->ops->receive(p, p->token, &d->from, rs_str_n(d->bytes, d->len));
	leave(p);
}

static void tell_up(struct sim_peer *p, int error)
{
	p->up_told = true;
	if (error)
		p->end_told = true;
	if (p->ops && p->ops->connected)
		p->ops->connected(p, p->token, error);
	if (p->closed || error)
		return;
	if (p->early_len)
		tcp_push(p->end, p->early, p->early_len);
	p->early_len = 0;
	if (p->early_fin)
		tcp_fin(p->end);
}

static void tell_bytes(struct sim_peer *p)
{
	size_t n = p->end->rx_len;
	char *bytes = malloc(n);

	if (!bytes)
		abort();
	memcpy(bytes, p->end->rx, n);
	tcp_consume(p->end, n);
	if (p->ops && p->ops->receive)
		p->ops->receive(p, p->token, NULL, rs_str_n(bytes, n));
	free(bytes);
}

static void tell_end(struct sim_peer *p, int error)
{
	p->end_told = true;
	if (p->ops && p->ops->ended)
		p->ops->ended(p, p->token, error);
}

void peer_notify(struct sim_peer *p)
{
	p->depth++;
	if (!p->up_told && (p->end->connected || p->end->error))
		tell_up(p, p->end->error);
	if (!p->closed && !p->paused && p->up_told && p->end->rx_len)
		tell_bytes(p);
	if (!p->closed && !p->end_told && p->end->error)
		tell_end(p, p->end->error);
	if (!p->closed && !p->end_told && !p->paused && p->end->fin_arrived)
		tell_end(p, 0);
	leave(p);
}

/* ---- what is sent ---- */

void sim_peer_send(struct sim_peer *p, const struct sip_addr *to, struct rs_str bytes)
{
	const struct iovec iov = {(void *)bytes.p, bytes.len};

	udp_transmit(&p->addr, to, &iov, 1);
}

void sim_peer_send_to(struct sim_peer *p, const char *to, struct rs_str bytes)
{
	struct sip_addr a = net_addr(to);

	sim_peer_send(p, &a, bytes);
}

void sim_net_spoof(const char *from, const char *to, struct rs_str bytes)
{
	struct sip_addr a = net_addr(from), b = net_addr(to);
	const struct iovec iov = {(void *)bytes.p, bytes.len};

	udp_transmit(&a, &b, &iov, 1);
}

void sim_peer_write(struct sim_peer *p, struct rs_str bytes)
{
	if (p->end->error)
		return;
	if (p->end->connected && p->up_told) {
		tcp_push(p->end, bytes.p, bytes.len);
		return;
	}
	p->early = realloc(p->early, p->early_len + bytes.len);
	if (!p->early)
		abort();
	memcpy(p->early + p->early_len, bytes.p, bytes.len);
	p->early_len += bytes.len;
}

void sim_peer_shutdown(struct sim_peer *p)
{
	if (p->end->connected && p->up_told)
		tcp_fin(p->end);
	else
		p->early_fin = true;
}

void sim_peer_pause(struct sim_peer *p, bool pause)
{
	p->paused = pause;
	if (!pause && p->kind == PEER_STREAM)
		peer_notify(p);
}

void sim_peer_move(struct sim_peer *p, const char *address)
{
	uint16_t port = p->addr.port;

	p->addr = net_addr(address);
	if (p->addr.port == 0)
		p->addr.port = port;
}

static void end_peer(struct sim_peer *p, bool reset, bool vanish)
{
	if (p->closed)
		return;
	p->closed = true;
	if (p->kind == PEER_STREAM) {
		if (vanish) {
			p->end->conn->vanished = true;
			tcp_link_cut();
		}
		tcp_end_close(p->end, reset);
	}
	p->kind = PEER_STREAM; /* nothing finds it any more */
	if (p->depth == 0)
		free_peer(p);
}

void sim_peer_reset(struct sim_peer *p)
{
	end_peer(p, true, false);
}

void sim_peer_vanish(struct sim_peer *p)
{
	end_peer(p, false, true);
}

void sim_peer_close(struct sim_peer *p)
{
	end_peer(p, false, false);
}

void peers_stop(void)
{
	while (sim_net.peers) {
		if (sim_net.peers->kind == PEER_STREAM && sim_net.peers->end)
			sim_net.peers->end->peer = NULL;
		free_peer(sim_net.peers);
	}
}
