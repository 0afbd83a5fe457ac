/*
 * Reading from a stream: bytes are read into the thread's own buffer, whole messages are copied out into blocks of
 * their own, and only what is left of an unfinished one is kept with the connection. An idle connection has no buffer.
 */
#include "sip/transport/conn.h"

#include "base/log.h"
#include "sip/transport/rx_private.h"

#include <errno.h>
#include <stdlib.h>

#define READ_BYTES 65536
/* Two CRLF that come further apart are no ping: some phones send a single one every now and then. */
#define PING_US 1000000

static _Thread_local char scratch[READ_BYTES];

static void rx_origin(struct sip_rx_data *rx, const struct sip_conn *c, int64_t now)
{
	rx->type = (uint8_t)c->ops->type;
	rx->inbound = c->inbound;
	rx->listener = c->inbound ? c->listener->name : RS_STR_NULL;
	rx->source = c->remote;
	rx->local = c->local;
	rx->flow = c->id;
	rx->time_us = now;
}

static struct sip_rx_data *rx_copy(struct sip_conn *c, struct rs_str bytes, int64_t now)
{
	struct sip_rx_data *rx = sip_rx_alloc(bytes.len);

	if (!rx)
		return NULL;
	memcpy(rx->buf, bytes.p, bytes.len);
	rx_origin(rx, c, now);
	return rx;
}

/*
 * Where the next message begins cannot be known: the last answer is a 400, if the sender can be told at all. What came
 * before may still be answered, and a close with bytes unread or on their way would reset the connection and take the
 * answers with it.
 */
static void framing_lost(struct sip_conn *c, struct rs_str bytes, int64_t now)
{
	struct sip_stat_cell *stats = sip_listener_stat(c->listener);
	struct sip_rx_data *rx = rx_copy(c, bytes, now);
	char remote[SIP_ADDR_TEXT];

	atomic_fetch_add_explicit(&stats->received, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&stats->parse_errors, 1, memory_order_relaxed);
	rs_event(RS_LOG_INFO, "connection.framing_lost", RS_FZ("remote", sip_addr_text(&c->remote, true, remote)),
		 RS_FZ("protocol", sip_transport_name(c->ops->type)));
	if (rx && sip_rx_parse(rx, rs_str_n(rx->buf, bytes.len)) == SIP_PARSE_DONE) {
		unsigned status = rx->msg.flaw_status ? rx->msg.flaw_status : 400;

		sip_receive_refuse(rx, status, status == 400 ? "Bad Request" : "", 0);
	}
	sip_rx_unref(rx);
	sip_conn_linger(c);
}

/* Line ends before a message; a pair of CRLF is a ping. How many bytes. */
static size_t skip_crlf(struct sip_conn *c, const char *p, size_t n, bool *ping)
{
	size_t i = 0;

	for (; i < n && (p[i] == '\r' || p[i] == '\n'); i++) {
		if (p[i] == (c->crlf & 1 ? '\n' : '\r'))
			c->crlf++;
		else
			c->crlf = p[i] == '\r';
		if (c->crlf == 4) {
			*ping = true;
			c->crlf = 0;
		}
	}
	/* The pong to a ping of ours, not the first half of one of theirs (RFC 5626 section 4.4.1). */
	if (c->crlf == 2 && i == n && atomic_exchange_explicit(&c->pong_due, false, memory_order_relaxed))
		c->crlf = 0;
	if (i < n)
		c->crlf = 0;
	return i;
}

struct reading {
	int64_t now;
	bool ping;
	unsigned whole; /* messages */
	bool dead;
};

/* How many of the bytes were used. */
static size_t take_messages(struct sip_conn *c, const char *p, size_t n, struct reading *r)
{
	size_t off = 0;

	while (off < n) {
		struct sip_rx_data *rx;
		size_t length = 0;
		enum sip_parse_result result;

		if (!c->need)
			off += skip_crlf(c, p + off, n - off, &r->ping);
		if (off == n || n - off < c->need)
			break;
		result = c->ops->frame(rs_str_n(p + off, n - off), &c->scan, &length, &c->need);
		if (result == SIP_PARSE_PARTIAL)
			break;
		c->scan = c->need = 0;
		if (result == SIP_PARSE_BAD) {
			framing_lost(c, rs_str_n(p + off, length ? length : n - off), r->now);
			r->dead = true;
			return n;
		}
		rx = rx_copy(c, rs_str_n(p + off, length), r->now);
		if (!rx) {
			sip_conn_close(c, ENOMEM, "no memory");
			r->dead = true;
			return n;
		}
		switch (sip_receive(rx, rs_str_n(rx->buf, length), sip_listener_stat(c->listener))) {
		case SIP_RECEIVED:
			sip_transaction_receive(&rx, 1);
			break;
		case SIP_SHED:
			break;
		case SIP_NO_MESSAGE:
			sip_conn_linger(c);
			r->dead = true;
			return n;
		}
		off += length;
		r->whole++;
	}
	return off;
}

/* Keeps the unfinished message with the connection; the memory follows what came, not what was announced. */
static bool keep_rest(struct sip_conn *c, const char *p, size_t n)
{
	if (n > c->cap) {
		size_t cap = c->cap ? c->cap : 1024;
		char *buf;

		while (cap < n)
			cap *= 2;
		buf = realloc(c->buf, cap);
		if (!buf)
			return false;
		c->buf = buf;
		c->cap = cap;
	}
	memmove(c->buf, p, n);
	c->len = n;
	return true;
}

static bool append(struct sip_conn *c, size_t n)
{
	size_t had = c->len;
	char *buf = c->buf;

	if (had + n > c->cap) {
		size_t cap = c->cap;

		while (cap < had + n)
			cap *= 2;
		buf = realloc(c->buf, cap);
		if (!buf)
			return false;
		c->buf = buf;
		c->cap = cap;
	}
	memcpy(buf + had, scratch, n);
	c->len = had + n;
	return true;
}

static bool take_bytes(struct sip_conn *c, size_t n, struct reading *r)
{
	const char *p = scratch;
	size_t used;

	if (c->len) {
		if (!append(c, n))
			return false;
		p = c->buf;
		n = c->len;
	}
	used = take_messages(c, p, n, r);
	if (used < n)
		return p == c->buf && used == 0 ? true : keep_rest(c, p + used, n - used);
	c->len = 0;
	c->cap = 0;
	free(c->buf);
	c->buf = NULL;
	return true;
}

static void note_half(struct sip_conn *c, const struct reading *r)
{
	int64_t half = atomic_load_explicit(&c->half_us, memory_order_relaxed);

	if (r->whole)
		half = c->len ? r->now : 0;
	else if (c->len && !half)
		half = r->now;
	atomic_store_explicit(&c->half_us, half, memory_order_relaxed);
}

void sip_conn_read(struct sip_conn *c)
{
	struct reading r = {.now = rs_now_us()};
	ssize_t n = c->ops->filter_read(c, scratch, sizeof(scratch));
	bool lingers;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		sip_conn_close(c, n ? (int)-n : ECONNRESET, n ? "read failed" : "closed by the peer");
		return;
	}
	pthread_mutex_lock(&c->lock);
	lingers = c->state != SIP_CONN_OPEN;
	pthread_mutex_unlock(&c->lock);
	if (lingers)
		return;
	if (r.now - atomic_load_explicit(&c->active_us, memory_order_relaxed) > PING_US)
		c->crlf = 0;
	atomic_store_explicit(&c->active_us, r.now, memory_order_relaxed);
	if (!take_bytes(c, (size_t)n, &r)) {
		sip_conn_close(c, ENOMEM, "no memory");
		return;
	}
	if (r.dead)
		return;
	note_half(c, &r);
	if (r.ping)
		sip_conn_send(c, RS_STR("\r\n"), NULL);
}
