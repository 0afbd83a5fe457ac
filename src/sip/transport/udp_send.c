/*
 * Sending datagrams. A pool thread collects what its tasks send and gives it to the kernel when it has run what it had
 * ready (the flush hook of the taskpool), or when a batch is full; when one of its tasks blocks, the monitor sends it.
 * Other threads send at once.
 */
#include "sip/transport/udp.h"

#include "base/log.h"
#include "base/taskpool.h"
#include "sip/tx_data.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Listeners whose datagrams a thread collects side by side: a proxy between two networks needs two. */
#define BATCHES 4

struct entry {
	struct sip_tx_data *tx; /* holds the bytes, or */
	char *copy;             /* owned */
	struct sip_send_result *result;
};

struct batch {
	struct sip_udp_sock *sock; /* referenced */
	unsigned n;
	struct sip_dgram v[SIP_UDP_BATCH];
	struct entry e[SIP_UDP_BATCH];
};

/*
 * What the thread of one slot has collected. The lock is that thread's but for a rescue, and is never held while
 * something is sent: a batch is taken out first.
 */
struct collected {
	pthread_mutex_t lock;
	struct batch *v[BATCHES]; /* NULL: none */
	struct batch *spare;
	unsigned next; /* to be emptied when all are in use */
};

#define SLOTS 4096 /* the taskpool's most threads; a thread beyond them sends at once */
static _Atomic(struct collected *) collected[SLOTS];

static void count(_Atomic uint64_t *cell, uint64_t by)
{
	atomic_fetch_add_explicit(cell, by, memory_order_relaxed);
}

/* The bytes are the kernel's now, or lost. */
static void entry_done(struct entry *e, int error)
{
	if (e->tx)
		sip_tx_unref(e->tx);
	free(e->copy);
	if (error)
		sip_send_failed(e->result, error);
	else
		sip_send_hold(e->result, false);
	*e = (struct entry){0};
}

/* An error that belongs to an earlier datagram (ICMP) or to nothing: the same one may pass now. */
static bool is_passing(int error)
{
	return error == ECONNREFUSED || error == EINTR || error == EHOSTUNREACH || error == ENETUNREACH ||
	       error == ENOBUFS || error == EAGAIN;
}

/* The kernel's buffer is full: a datagram is lost here as it would be on the way; retransmissions are for that. */
static bool is_loss(int error)
{
	return error == EAGAIN || error == ENOBUFS;
}

static void batch_send(struct batch *b)
{
	struct sip_udp_sock *u = b->sock;
	struct sip_stat_cell *stats = u->stats;
	unsigned i = 0, n = b->n;
	bool retried = false;

	while (i < n) {
		int sent = sip_tp.net->send(u->sock, b->v + i, n - i);

		if (sent > 0) {
			count(&stats->sent, (unsigned)sent);
			for (; sent > 0; sent--)
				entry_done(&b->e[i++], 0);
			retried = false;
		} else if (!retried && is_passing(-sent)) {
			retried = true;
		} else {
			int error = sent ? -sent : EIO;

			count(&stats->dropped, 1);
			entry_done(&b->e[i++], is_loss(error) ? 0 : error);
			retried = false;
		}
	}
	b->n = 0;
	b->sock = NULL;
	sip_udp_sock_unref(u);
}

/* The batch has left; its memory serves the next one. */
static void batch_done(struct collected *c, struct batch *b)
{
	pthread_mutex_lock(&c->lock);
	if (!c->spare) {
		c->spare = b;
		b = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	free(b);
}

static void collected_flush(struct collected *c)
{
	struct batch *full[BATCHES];
	unsigned n = 0;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < BATCHES; i++) {
		if (c->v[i])
			full[n++] = c->v[i];
		c->v[i] = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < n; i++) {
		batch_send(full[i]);
		batch_done(c, full[i]);
	}
}

static struct collected *collected_of(unsigned slot)
{
	struct collected *c = slot < SLOTS ? atomic_load_explicit(&collected[slot], memory_order_acquire) : NULL;

	if (c || slot >= SLOTS)
		return c;
	c = calloc(1, sizeof(*c));
	if (c) {
		pthread_mutex_init(&c->lock, NULL);
		atomic_store_explicit(&collected[slot], c, memory_order_release);
	}
	return c;
}

void sip_udp_flush(void)
{
	unsigned slot = rs_taskpool_slot();
	struct collected *c = slot < SLOTS ? atomic_load_explicit(&collected[slot], memory_order_acquire) : NULL;

	if (!c)
		return;
	rs_flush_sending(true);
	rs_flush_pending(false);
	collected_flush(c);
	rs_flush_sending(false);
}

void sip_udp_rescue(unsigned slot)
{
	struct collected *c = slot < SLOTS ? atomic_load_explicit(&collected[slot], memory_order_acquire) : NULL;

	if (c)
		collected_flush(c);
}

void sip_udp_send_clear(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct collected *c = atomic_exchange(&collected[i], NULL);

		if (!c)
			continue;
		collected_flush(c);
		free(c->spare);
		pthread_mutex_destroy(&c->lock);
		free(c);
	}
}

static struct batch *batch_new(struct collected *c, struct sip_listener *l)
{
	struct batch *b = c ? c->spare : NULL;

	if (b)
		c->spare = NULL;
	else
		b = malloc(sizeof(*b));
	if (!b)
		return NULL;
	b->n = 0;
	b->sock = sip_udp_sock_get(l);
	if (!b->sock) {
		free(b);
		return NULL;
	}
	return b;
}

/* Under c's lock: the batch for l. *full: one that had to give way, to be sent by the caller. */
static struct batch **batch_for(struct collected *c, struct sip_listener *l, struct batch **full)
{
	struct batch **place = NULL;

	for (unsigned i = 0; i < BATCHES; i++) {
		if (c->v[i] && c->v[i]->sock->listener == l)
			return &c->v[i];
		if (!c->v[i] && !place)
			place = &c->v[i];
	}
	if (!place) {
		place = &c->v[c->next++ % BATCHES];
		*full = *place;
	}
	*place = batch_new(c, l);
	return *place ? place : NULL;
}

static void batch_add(struct batch *b, struct sip_route *route, const struct sip_outgoing *out, char *copy)
{
	struct sip_dgram *d = &b->v[b->n];
	struct entry *e = &b->e[b->n++];

	*d = (struct sip_dgram){.peer = route->remote, .local = route->source, .len = out->bytes.len};
	d->iov[0] = (struct iovec){copy ? copy : (char *)(uintptr_t)out->bytes.p, out->bytes.len};
	*e = (struct entry){.tx = out->tx ? sip_tx_ref(out->tx) : NULL, .copy = copy, .result = out->result};
	sip_send_hold(e->result, true);
}

/* What had to leave before the flush. */
static void send_gone(struct collected *c, struct batch *const gone[2])
{
	if (!gone[0] && !gone[1])
		return;
	for (unsigned i = 0; i < 2; i++) {
		if (gone[i]) {
			batch_send(gone[i]);
			batch_done(c, gone[i]);
		}
	}
	rs_flush_sending(false);
}

/* Appends to what this thread has collected. */
static int collect(struct collected *c, struct sip_route *route, const struct sip_outgoing *out, char *copy)
{
	struct batch *gone[2] = {NULL, NULL}, **place;

	pthread_mutex_lock(&c->lock);
	place = batch_for(c, route->listener, &gone[0]);
	if (place) {
		batch_add(*place, route, out, copy);
		if ((*place)->n == SIP_UDP_BATCH) {
			gone[1] = *place;
			*place = NULL;
		}
	}
	if (gone[0] || gone[1])
		rs_flush_sending(true);
	pthread_mutex_unlock(&c->lock);
	send_gone(c, gone);
	if (!place)
		return ENOTCONN;
	rs_flush_pending(true);
	return 0;
}

static int send_now(struct sip_route *route, const struct sip_outgoing *out, char *copy)
{
	struct batch *b = batch_new(NULL, route->listener);

	if (!b)
		return ENOTCONN;
	batch_add(b, route, out, copy);
	batch_send(b);
	free(b);
	return 0;
}

int sip_udp_send(struct sip_route *route, const struct sip_outgoing *out)
{
	struct collected *c = collected_of(rs_taskpool_slot());
	char *copy = NULL;
	int error;

	if (!out->tx) {
		copy = malloc(out->bytes.len);
		if (!copy)
			return ENOMEM;
		memcpy(copy, out->bytes.p, out->bytes.len);
	}
	error = c ? collect(c, route, out, copy) : send_now(route, out, copy);
	if (error)
		free(copy);
	return error;
}
