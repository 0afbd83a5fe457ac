/*
 * Connections of the simulated network. Each direction is a queue of segments in order, moved by one event; a segment
 * that the link does not let through is tried again with TCP's backing off, until the sender gives up.
 */
#include "sim_net_private.h"
#include "sim_clock.h"
#include "sim_flow.h"

#include <errno.h>
#include <stdlib.h>

#define SEGMENT_MAX 1460
#define WINDOW      65536
#define RTO_US      200000ll
#define RTO_MAX_US  120000000ll
#define RTO_TRIES   15 /* about 15 minutes, Linux's tcp_retries2 */
#define SYN_RTO_US  1000000ll
#define SYN_TRIES   6 /* 127 s, Linux's tcp_syn_retries */

enum segment_kind { SEGMENT_SYN, SEGMENT_SYN_ACK, SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RST };

struct tcp_segment {
	struct tcp_segment *next;
	enum segment_kind kind;
	int64_t due;
	int error; /* RST: what the receiver makes of it */
	size_t len;
	char bytes[];
};

static void pump_run(struct sim_event *e);

static struct tcp_end *other(struct tcp_end *end)
{
	return end == &end->conn->end[0] ? &end->conn->end[1] : &end->conn->end[0];
}

static bool owned(const struct tcp_end *end)
{
	return end->sock || end->peer;
}

static bool is_silent(const struct tcp_conn *conn)
{
	if (conn->vanished || net_link_of(&conn->end[0].addr, &conn->end[1].addr)->cut)
		return true;
	for (int i = 0; i < 2; i++) {
		if (conn->end[i].sock && !net_is_own(&conn->end[i].addr))
			return true;
	}
	return false;
}

static void free_segments(struct tcp_end *end)
{
	while (end->head) {
		struct tcp_segment *segment = end->head;

		end->head = segment->next;
		free(segment);
	}
	end->tail = &end->head;
	end->coming = 0;
	if (end->pump.queued) {
		sim_queue_remove(&end->pump);
		end->conn->refs--;
	}
}

static void free_conn(struct tcp_conn *conn)
{
	for (int i = 0; i < 2; i++) {
		free_segments(&conn->end[i]);
		free(conn->end[i].rx);
	}
	sim_queue_remove(&conn->keepalive);
	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	free(conn);
}

static void unref(struct tcp_conn *conn)
{
	if (--conn->refs == 0)
		free_conn(conn);
}

static void pump_at(struct tcp_end *to, int64_t at)
{
	to->conn->refs++;
	sim_queue_add(&to->pump, at, pump_run, NULL);
}

static void pump_start(struct tcp_end *to)
{
	if (to->head && !to->pump.queued)
		pump_at(to, to->head->due);
}

static void send_segment(struct tcp_end *to, enum segment_kind kind, int error, const char *bytes, size_t len)
{
	struct tcp_segment *segment = net_alloc(sizeof(*segment) + len);
	int64_t due = sim_now() + net_delay(net_link_of(&to->addr, &other(to)->addr));

	segment->kind = kind;
	segment->error = error;
	segment->len = len;
	segment->due = due;
	if (len)
		memcpy(segment->bytes, bytes, len);
	*to->tail = segment;
	to->tail = &segment->next;
	to->coming += len;
	pump_start(to);
}

void tcp_notify(struct tcp_end *end)
{
	if (end->sock)
		net_sock_poll(end->sock);
	else if (end->peer)
		peer_notify(end->peer);
}

static void trace(const char *what, const struct tcp_end *from, const struct tcp_end *to, struct rs_str bytes)
{
	sim_flow_packet(what, "TCP", &from->addr, &to->addr, bytes);
}

void tcp_end_fail(struct tcp_end *end, int error)
{
	if (end->error || !owned(end))
		return;
	trace(error == ETIMEDOUT      ? "timeout"
	      : error == ECONNREFUSED ? "refused"
				      : "reset",
	      other(end), end, RS_STR_NULL);
	end->error = error;
	tcp_notify(end);
}

/* The SYN has come: someone takes the connection, or it is refused. false: it is as if the SYN had been lost. */
static bool answer(struct tcp_end *to)
{
	struct tcp_end *from = other(to);
	struct sim_peer *peer = net_find_peer(PEER_LISTENER, &to->addr);
	struct net_sock *listener = peer ? NULL : net_find_sock(SOCK_LISTENER, &to->addr, &from->addr);
	int error = net_link_of(&to->addr, &from->addr)->connect_error;

	if (!error && !peer && !listener) {
		if (!net_host_exists(&to->addr))
			return false;
		error = ECONNREFUSED;
	}
	if (error) {
		send_segment(from, SEGMENT_RST, error, NULL, 0);
		return true;
	}
	if (listener && !stream_has_room(listener))
		return false;
	to->connected = true;
	to->conn->refs++;
	send_segment(from, SEGMENT_SYN_ACK, 0, NULL, 0);
	if (peer)
		peer_offer(peer, to);
	else
		stream_offer(listener, to);
	return true;
}

static void take_data(struct tcp_end *to, const struct tcp_segment *segment)
{
	to->coming -= segment->len;
	sim_flow_mix(segment->len);
	if (!owned(to)) {
		send_segment(other(to), SEGMENT_RST, ECONNRESET, NULL, 0);
		return;
	}
	if (to->error)
		return;
	if (to->rx_len + segment->len > to->rx_cap) {
		to->rx_cap = (to->rx_len + segment->len) * 2;
		to->rx = realloc(to->rx, to->rx_cap);
		if (!to->rx)
			abort();
	}
	memcpy(to->rx + to->rx_len, segment->bytes, segment->len);
	to->rx_len += segment->len;
	tcp_notify(to);
}

static bool deliver(struct tcp_end *to, const struct tcp_segment *segment)
{
	switch (segment->kind) {
	case SEGMENT_SYN:
		return !owned(other(to)) || answer(to);
	case SEGMENT_SYN_ACK:
		if (!owned(to)) {
			send_segment(other(to), SEGMENT_RST, ECONNRESET, NULL, 0);
			break;
		}
		to->connected = true;
		trace("up", other(to), to, RS_STR_NULL);
		tcp_notify(to);
		break;
	case SEGMENT_DATA:
		take_data(to, segment);
		break;
	case SEGMENT_FIN:
		to->fin_arrived = true;
		tcp_notify(to);
		break;
	case SEGMENT_RST:
		tcp_end_fail(to, segment->error);
		break;
	}
	return true;
}

/* The link did not let the head through. */
static void retry(struct tcp_end *to)
{
	bool syn = to->head->kind == SEGMENT_SYN, rst = to->head->kind == SEGMENT_RST;
	int64_t rto = (syn ? SYN_RTO_US : RTO_US) << to->attempts;
	struct tcp_end *sender = other(to);

	/* A reset is not sent twice, and what nobody waits for need not arrive. */
	if (rst || to->attempts > (syn ? SYN_TRIES : RTO_TRIES) || (!owned(to) && !owned(sender))) {
		free_segments(to);
		to->attempts = 0;
		if (!rst)
			tcp_end_fail(sender, ETIMEDOUT);
		return;
	}
	to->attempts++;
	pump_at(to, sim_now() + (rto > RTO_MAX_US ? RTO_MAX_US : rto));
}

static void pump_run(struct sim_event *e)
{
	struct tcp_end *to = rs_container_of(e, struct tcp_end, pump);
	struct tcp_conn *conn = to->conn;
	struct tcp_segment *segment = to->head;
	const struct sim_link *link = net_link_of(&to->addr, &other(to)->addr);

	/* This event's reference goes at the end, so that nothing below frees conn. */
	if (is_silent(conn) || sim_rng_chance(&sim_net.rng, link->loss)) {
		retry(to);
	} else if (segment->kind == SEGMENT_SYN && !deliver(to, segment)) {
		retry(to);
	} else {
		to->attempts = 0;
		to->head = segment->next;
		if (!to->head)
			to->tail = &to->head;
		if (segment->kind != SEGMENT_SYN)
			deliver(to, segment);
		free(segment);
		pump_start(to);
	}
	unref(conn);
}

struct tcp_end *tcp_dial(const struct sip_addr *from, const struct sip_addr *to)
{
	struct tcp_conn *conn = net_alloc(sizeof(*conn));

	for (int i = 0; i < 2; i++) {
		conn->end[i].conn = conn;
		conn->end[i].addr = i == 0 ? *from : *to;
		conn->end[i].window = WINDOW;
		conn->end[i].tail = &conn->end[i].head;
	}
	conn->refs = 1;
	conn->next = sim_net.conns;
	if (conn->next)
		conn->next->prev = &conn->next;
	conn->prev = &sim_net.conns;
	sim_net.conns = conn;
	trace("dial", &conn->end[0], &conn->end[1], RS_STR_NULL);
	send_segment(&conn->end[1], SEGMENT_SYN, 0, NULL, 0);
	return &conn->end[0];
}

size_t tcp_room(const struct tcp_end *sender)
{
	const struct tcp_end *to = other((struct tcp_end *)sender);
	size_t used = to->rx_len + to->coming;

	return used < to->window ? to->window - used : 0;
}

void tcp_push(struct tcp_end *sender, const char *bytes, size_t n)
{
	struct tcp_end *to = other(sender);
	unsigned longest = net_link_of(&to->addr, &sender->addr)->segment;

	trace("sent", sender, to, rs_str_n(bytes, n));
	while (n) {
		size_t part = n < SEGMENT_MAX ? n : SEGMENT_MAX;

		if (longest)
			part = 1 + sim_rng_below(&sim_net.rng, part < longest ? part : longest);
		send_segment(to, SEGMENT_DATA, 0, bytes, part);
		bytes += part;
		n -= part;
	}
}

void tcp_fin(struct tcp_end *sender)
{
	if (sender->fin_sent || sender->error)
		return;
	sender->fin_sent = true;
	trace("fin", sender, other(sender), RS_STR_NULL);
	send_segment(other(sender), SEGMENT_FIN, 0, NULL, 0);
}

void tcp_end_close(struct tcp_end *end, bool reset)
{
	struct tcp_conn *conn = end->conn;

	end->sock = NULL;
	end->peer = NULL;
	if (end->connected && !end->error) {
		if (reset || end->rx_len) {
			trace("rst", end, other(end), RS_STR_NULL);
			send_segment(other(end), SEGMENT_RST, ECONNRESET, NULL, 0);
		} else {
			tcp_fin(end);
		}
	}
	end->rx_len = 0;
	unref(conn);
}

void tcp_consume(struct tcp_end *end, size_t n)
{
	struct tcp_end *sender = other(end);

	end->rx_len -= n;
	if (end->rx_len)
		memmove(end->rx, end->rx + n, end->rx_len);
	if (sender->sock)
		net_sock_poll(sender->sock);
}

/* The kernel's keepalive probes found nobody. */
static void keepalive_run(struct sim_event *e)
{
	struct tcp_conn *conn = rs_container_of(e, struct tcp_conn, keepalive);

	for (int i = 0; i < 2 && is_silent(conn); i++) {
		if (conn->end[i].sock && conn->end[i].sock->keepalive_s)
			tcp_end_fail(&conn->end[i], ETIMEDOUT);
	}
}

void tcp_link_cut(void)
{
	for (struct tcp_conn *conn = sim_net.conns; conn; conn = conn->next) {
		int seconds = 0;

		for (int i = 0; i < 2; i++) {
			if (conn->end[i].sock && conn->end[i].sock->keepalive_s)
				seconds = conn->end[i].sock->keepalive_s;
		}
		if (seconds && is_silent(conn)) {
			sim_queue_remove(&conn->keepalive);
			sim_queue_add(&conn->keepalive, sim_now() + seconds * 1000000ll, keepalive_run, NULL);
		}
	}
}

void tcp_stop(void)
{
	while (sim_net.conns)
		free_conn(sim_net.conns);
}
