/* UDP sockets: opening, closing, and reading in batches straight into the messages' blocks. */
#include "sip/transport/udp.h"

#include "base/taskpool.h"
#include "sip/transport/rx_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The longest datagram is 65,535 bytes less its headers: with this nothing is ever cut. */
#define OVERFLOW_BYTES (65536 - SIP_RX_BUFFER)

/* No SIP message is shorter: "a b SIP/2.0" and a line end. */
#define SHORTEST_MSG 13

static void count(_Atomic uint64_t *cell, uint64_t by)
{
	atomic_fetch_add_explicit(cell, by, memory_order_relaxed);
}

/* ---- life ---- */

static void udp_closed(struct sip_sock *s, void *token)
{
	struct sip_udp_sock *u = token;

	(void)s;
	for (unsigned i = 0; i < SIP_UDP_BATCH; i++)
		sip_rx_unref(u->blocks[i]);
	munmap(u->overflow, (size_t)OVERFLOW_BYTES * SIP_UDP_BATCH);
	free(u);
	sip_tp_alive(-1);
}

void sip_udp_sock_unref(struct sip_udp_sock *u)
{
	if (atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) == 1)
		sip_tp.net->close(u->sock);
}

/* A reader may be called when the last reference has just gone. */
static bool udp_try_ref(struct sip_udp_sock *u)
{
	uint32_t n = atomic_load_explicit(&u->refs, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak_explicit(&u->refs, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

struct sip_udp_sock *sip_udp_sock_get(struct sip_listener *l)
{
	struct sip_listener_slot *slot = &l->slots[sip_thread_hint() % l->n_slots];
	struct sip_udp_sock *u;

	pthread_mutex_lock(&slot->lock);
	u = slot->udp;
	if (u)
		atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&slot->lock);
	return u;
}

static void udp_ready(struct sip_sock *s, unsigned events);

static int udp_open_one(struct sip_listener *l, struct sip_listener_slot *slot, const struct sip_sock_opts *opts)
{
	struct sip_udp_sock *u = calloc(1, sizeof(*u));
	int error;

	if (!u)
		return ENOMEM;
	u->overflow = mmap(NULL, (size_t)OVERFLOW_BYTES * SIP_UDP_BATCH, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (u->overflow == MAP_FAILED) {
		free(u);
		return ENOMEM;
	}
	error = sip_tp.net->udp_open(sip_tp.net_token, opts, &u->sock);
	if (error) {
		munmap(u->overflow, (size_t)OVERFLOW_BYTES * SIP_UDP_BATCH);
		free(u);
		return error;
	}
	atomic_init(&u->refs, 1);
	u->listener = l;
	u->stats = &slot->stats;
	u->sock->token = u;
	u->sock->ready = udp_ready;
	u->sock->closed = udp_closed;
	sip_tp_alive(1);
	slot->udp = u;
	return 0;
}

static void udp_close(struct sip_listener *l)
{
	for (unsigned i = 0; i < l->n_slots; i++) {
		struct sip_listener_slot *slot = &l->slots[i];
		struct sip_udp_sock *u;

		pthread_mutex_lock(&slot->lock);
		u = slot->udp;
		slot->udp = NULL;
		pthread_mutex_unlock(&slot->lock);
		if (u) {
			atomic_store_explicit(&u->closing, true, memory_order_release);
			sip_udp_sock_unref(u);
		}
	}
}

static int udp_open(struct sip_listener *l)
{
	struct sip_sock_opts opts = l->opts;
	int error;

	/* Also with one socket: a listener that is opened anew shares the port with the last of the old one. */
	opts.reuse_port = true;
	for (unsigned i = 0; i < l->n_slots; i++) {
		error = udp_open_one(l, &l->slots[i], &opts);
		/* Port 0: the first socket's port is everyone's. */
		if (!error && i == 0) {
			error = sip_tp.net->local(l->slots[0].udp->sock, &opts.bind);
			l->bound = opts.bind;
		}
		if (error) {
			udp_close(l);
			return error;
		}
	}
	return 0;
}

static int udp_start(struct sip_listener *l)
{
	int error = 0;

	for (unsigned i = 0; i < l->n_slots && !error; i++) {
		struct sip_udp_sock *u = NULL;

		pthread_mutex_lock(&l->slots[i].lock);
		u = l->slots[i].udp;
		if (u)
			atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
		pthread_mutex_unlock(&l->slots[i].lock);
		if (u) {
			error = sip_tp.net->arm(u->sock, SIP_SOCK_READ);
			sip_udp_sock_unref(u);
		}
	}
	return error;
}

/* ---- reading ---- */

/* The blocks to read into; how many there are (fewer without memory). */
static unsigned udp_fill(struct sip_udp_sock *u)
{
	unsigned n = 0;

	for (; n < SIP_UDP_BATCH; n++) {
		struct sip_dgram *d = &u->v[n];

		if (!u->blocks[n])
			u->blocks[n] = sip_rx_alloc(0);
		if (!u->blocks[n])
			break;
		d->iov[0] = (struct iovec){u->blocks[n]->buf, SIP_RX_BUFFER};
		d->iov[1] = (struct iovec){u->overflow + (size_t)n * OVERFLOW_BYTES, OVERFLOW_BYTES};
		d->len = 0;
		d->truncated = false;
	}
	return n;
}

static uint16_t udp_path(struct sip_udp_sock *u, struct sip_addr *local)
{
	struct sip_listener *l = u->listener;

	if (!l->wildcard || !local->family) {
		*local = l->bound;
		return l->path;
	}
	local->port = l->bound.port;
	for (unsigned i = 0; i < SIP_UDP_PATHS; i++)
		if (u->paths[i].local.family && sip_addr_eq(&u->paths[i].local, local) &&
		    u->paths[i].local.scope_id == local->scope_id)
			return u->paths[i].path;
	unsigned i = u->path_next++ % SIP_UDP_PATHS;

	u->paths[i].local = *local;
	u->paths[i].path = sip_path_intern(l, local);
	return u->paths[i].path;
}

/*
 * What is no message at all: keepalives (RFC 5626 section 3.5.1 has CRLF for streams; over UDP many send it too, and
 * get nothing), STUN (its first byte is 0 or 1), noise.
 */
static bool udp_is_junk(const struct sip_dgram *d)
{
	const unsigned char *p = d->iov[0].iov_base;
	size_t n = d->len < SIP_RX_BUFFER ? d->len : SIP_RX_BUFFER, i = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n'))
		i++;
	return n - i < SHORTEST_MSG || p[i] < 2;
}

/* The message's block with all its bytes; NULL without memory. */
static struct sip_rx_data *udp_take(struct sip_udp_sock *u, unsigned i)
{
	const struct sip_dgram *d = &u->v[i];
	struct sip_rx_data *rx = u->blocks[i];

	if (d->len <= SIP_RX_BUFFER) {
		u->blocks[i] = NULL;
		return rx;
	}
	rx = sip_rx_alloc(d->len);
	if (rx) {
		memcpy(rx->buf, d->iov[0].iov_base, SIP_RX_BUFFER);
		memcpy(rx->buf + SIP_RX_BUFFER, d->iov[1].iov_base, d->len - SIP_RX_BUFFER);
	}
	return rx;
}

/* The message, or NULL when there is none to hand up. */
static struct sip_rx_data *udp_receive_one(struct sip_udp_sock *u, unsigned i, int64_t now)
{
	struct sip_dgram *d = &u->v[i];
	struct sip_rx_data *rx;

	if (d->truncated) {
		count(&u->stats->received, 1);
		count(&u->stats->dropped, 1);
		return NULL;
	}
	if (udp_is_junk(d))
		return NULL;
	rx = udp_take(u, i);
	if (!rx) {
		count(&u->stats->dropped, 1);
		return NULL;
	}
	rx->type = SIP_TRANSPORT_UDP;
	rx->inbound = true;
	rx->listener = u->listener->name;
	rx->source = d->peer;
	rx->local = d->local;
	rx->path = udp_path(u, &rx->local);
	rx->time_us = now;
	return sip_receive(rx, rs_str_n(rx->buf, d->len), u->stats) == SIP_RECEIVED ? rx : NULL;
}

static void udp_receive(struct sip_udp_sock *u, unsigned n)
{
	struct sip_rx_data *v[SIP_UDP_BATCH];
	int64_t now = rs_now_us();
	unsigned received = 0;

	for (unsigned i = 0; i < n; i++) {
		v[received] = udp_receive_one(u, i, now);
		received += v[received] != NULL;
	}
	sip_transaction_receive(v, received);
}

/*
 * One batch: read it, push all of it in order, arm the socket, and only then run anything (section 2 of the
 * architecture). So another thread can read on while this one works, and no two messages change places.
 */
static void udp_ready(struct sip_sock *s, unsigned events)
{
	struct sip_udp_sock *u = s->token;
	unsigned want;
	int n = 0;

	(void)events;
	if (!udp_try_ref(u))
		return;
	if (!atomic_load_explicit(&u->closing, memory_order_acquire)) {
		want = udp_fill(u);
		n = want ? sip_tp.net->recv(s, u->v, want) : -ENOMEM;
	}
	if (n > 0)
		udp_receive(u, (unsigned)n);
	if (!atomic_load_explicit(&u->closing, memory_order_acquire))
		sip_tp.net->arm(s, SIP_SOCK_READ);
	sip_udp_sock_unref(u);
	rs_push_flush();
}

const struct sip_transport_ops sip_udp_ops = {
	.type = SIP_TRANSPORT_UDP,
	.open = udp_open,
	.start = udp_start,
	.close = udp_close,
	.send = sip_udp_send,
};
