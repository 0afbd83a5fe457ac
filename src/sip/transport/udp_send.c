/*
 * Sending datagrams. A pool thread collects what its tasks send and gives it to the kernel when it has run what it had
 * ready (the flush hook of the taskpool), or when a batch is full. Other threads send at once.
 */
#include "sip/transport/udp.h"

#include "base/log.h"
#include "base/taskpool.h"
#include "sip/tx_data.h"

#include <errno.h>
#include <stdlib.h>

/* Listeners whose datagrams a thread collects side by side: a proxy between two networks needs two. */
#define BATCHES 4
/* Bytes that are copied (what has no sip_tx_data) into the entry's own memory. */

struct entry {
	struct sip_tx_data *tx; /* holds the bytes, or */
	char *copy;             /* owned */
	struct sip_send_result *result;
};

struct batch {
	struct sip_udp_sock *sock; /* referenced; NULL: free */
	unsigned n;
	struct sip_dgram v[SIP_UDP_BATCH];
	struct entry e[SIP_UDP_BATCH];
};

static _Thread_local struct {
	struct batch v[BATCHES];
	unsigned next; /* to be emptied when all are in use */
	unsigned used;
} batches;

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

static void batch_flush(struct batch *b)
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
	batches.used--;
	sip_udp_sock_unref(u);
}

void sip_udp_flush(void)
{
	for (unsigned i = 0; batches.used && i < BATCHES; i++)
		if (batches.v[i].sock)
			batch_flush(&batches.v[i]);
}

static struct batch *batch_for(struct sip_listener *l)
{
	struct batch *b = NULL;
	struct sip_udp_sock *u;

	for (unsigned i = 0; i < BATCHES; i++) {
		if (batches.v[i].sock && batches.v[i].sock->listener == l)
			return &batches.v[i];
		if (!batches.v[i].sock && !b)
			b = &batches.v[i];
	}
	u = sip_udp_sock_get(l);
	if (!u)
		return NULL;
	if (!b) {
		b = &batches.v[batches.next++ % BATCHES];
		batch_flush(b);
	}
	b->sock = u;
	batches.used++;
	return b;
}

int sip_udp_send(struct sip_route *route, const struct sip_outgoing *out)
{
	struct batch *b = batch_for(route->listener);
	struct sip_dgram *d;
	struct entry *e;
	char *copy = NULL;

	if (!b)
		return ENOTCONN;
	if (!out->tx) {
		copy = malloc(out->bytes.len);
		if (!copy) {
			if (!b->n)
				batch_flush(b);
			return ENOMEM;
		}
		memcpy(copy, out->bytes.p, out->bytes.len);
	}
	d = &b->v[b->n];
	e = &b->e[b->n++];
	*d = (struct sip_dgram){.peer = route->remote, .local = route->source, .len = out->bytes.len};
	d->iov[0] = (struct iovec){copy ? copy : (char *)(uintptr_t)out->bytes.p, out->bytes.len};
	*e = (struct entry){.tx = out->tx ? sip_tx_ref(out->tx) : NULL, .copy = copy, .result = out->result};
	sip_send_hold(e->result, true);
	if (b->n == SIP_UDP_BATCH || !rs_on_pool_thread())
		batch_flush(b);
	return 0;
}
