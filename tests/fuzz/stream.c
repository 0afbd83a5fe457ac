/*
 * A TCP connection, through the transport's own reading over a network of this file: the messages handed up, and their
 * bytes, are the same however the stream was cut. The last byte says how many bytes before it are lengths of pieces,
 * which are used in turn; the rest is the stream.
 */
#include "fuzz.h"

#include "base/log.h"
#include "base/taskpool.h"
#include "sip/transport/conn.h"
#include "sip/tx_private.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_PIECES    16
#define BY_BYTES_MOST 200 /* longer streams are not fed byte by byte: too slow to be worth it */

/* ---- what came out ---- */

struct seen {
	char *bytes; /* of all messages, one behind the other */
	size_t len, cap;
	size_t *ends;
	unsigned n, cap_n;
	bool lost; /* the connection takes no more messages */
};

static struct seen *seen;

static void seen_add(struct rs_str s)
{
	if (seen->len + s.len > seen->cap) {
		seen->cap = 2 * (seen->len + s.len);
		seen->bytes = realloc(seen->bytes, seen->cap);
	}
	if (seen->n == seen->cap_n) {
		seen->cap_n = seen->cap_n ? 2 * seen->cap_n : 16;
		seen->ends = realloc(seen->ends, seen->cap_n * sizeof(*seen->ends));
	}
	FUZZ_CHECK(seen->bytes || !s.len);
	FUZZ_CHECK(seen->ends);
	if (s.len)
		memcpy(seen->bytes + seen->len, s.p, s.len);
	seen->len += s.len;
	seen->ends[seen->n++] = seen->len;
}

static void seen_free(struct seen *s)
{
	free(s->bytes);
	free(s->ends);
}

static void same(const struct seen *a, const struct seen *b)
{
	FUZZ_CHECK(a->n == b->n);
	FUZZ_CHECK(rs_str_eq(rs_str_n(a->bytes, a->len), rs_str_n(b->bytes, b->len)));
	for (unsigned i = 0; i < a->n; i++)
		FUZZ_CHECK(a->ends[i] == b->ends[i]);
	FUZZ_CHECK(a->lost == b->lost);
}

static void receive_one(struct sip_rx_data *rx)
{
	const struct sip_msg *msg = sip_rx_msg(rx);

	FUZZ_CHECK(msg->bytes.len <= SIP_MAX_MSG);
	seen_add(msg->bytes);
	fuzz_touch_message(sip_rx_msg(rx));
	sip_rx_unref(rx);
}

/* The transaction layer's place. */
void sip_transaction_receive(struct sip_rx_data *const *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		receive_one(v[i]);
}

/* ---- the network ---- */

struct sock {
	struct sip_sock s;
	unsigned armed;
	bool closed, ended;
	struct rs_str piece; /* what the next reads give */
	struct rs_task ready_task, closed_task;
};

static struct sock acceptor;
static struct sock *waiting; /* to be accepted */
static const struct sip_addr our_addr = {.family = 4, .port = 5060, .ip = {10, 0, 0, 1}};
static const struct sip_addr peer_addr = {.family = 4, .port = 40000, .ip = {10, 0, 0, 2}};

static struct sock *sock_of(struct sip_sock *s)
{
	return rs_container_of(s, struct sock, s);
}

static int net_listen(void *net, const struct sip_sock_opts *opts, struct sip_sock **out)
{
	(void)net;
	(void)opts;
	*out = &acceptor.s;
	return 0;
}

static int net_accept(struct sip_sock *s, const struct sip_sock_opts *opts, struct sip_sock **out,
		      struct sip_addr *peer)
{
	(void)s;
	(void)opts;
	if (!waiting)
		return EAGAIN;
	*out = &waiting->s;
	*peer = peer_addr;
	waiting = NULL;
	return 0;
}

static int net_local(struct sip_sock *s, struct sip_addr *out)
{
	(void)s;
	*out = our_addr;
	return 0;
}

static ssize_t net_read(struct sip_sock *s, void *buf, size_t n)
{
	struct sock *k = sock_of(s);

	FUZZ_CHECK(!k->closed);
	if (!k->piece.len)
		return k->ended ? 0 : -EAGAIN;
	n = n < k->piece.len ? n : k->piece.len;
	memcpy(buf, k->piece.p, n);
	k->piece = rs_str_n(k->piece.p + n, k->piece.len - n);
	return (ssize_t)n;
}

static ssize_t net_write(struct sip_sock *s, const struct iovec *iov, unsigned n)
{
	ssize_t sum = 0;

	FUZZ_CHECK(!sock_of(s)->closed);
	for (unsigned i = 0; i < n; i++) {
		fuzz_touch(rs_str_n(iov[i].iov_base, iov[i].iov_len));
		sum += (ssize_t)iov[i].iov_len;
	}
	return sum;
}

static int net_arm(struct sip_sock *s, unsigned events)
{
	sock_of(s)->armed = events;
	return 0;
}

static void run_closed(struct rs_task *t)
{
	struct sock *k = rs_container_of(t, struct sock, closed_task);

	if (k->s.closed)
		k->s.closed(&k->s, k->s.token);
	free(k);
}

static void net_close(struct sip_sock *s)
{
	struct sock *k = sock_of(s);

	FUZZ_CHECK(!k->closed);
	k->closed = true;
	k->closed_task.run = run_closed;
	k->closed_task.name = "closed";
	rs_push(NULL, &k->closed_task);
}

static const struct sip_net_ops net = {
	.tcp_listen = net_listen,
	.tcp_accept = net_accept,
	.local = net_local,
	.read = net_read,
	.write = net_write,
	.arm = net_arm,
	.close = net_close,
};

/* Nothing that sends messages of its own is linked. */
int sip_tx_seal(struct sip_tx_data *tx, enum sip_transport_type type, const struct sip_addr *local)
{
	(void)tx;
	(void)type;
	(void)local;
	return -1;
}
struct sip_tx_data *sip_tx_ref(struct sip_tx_data *tx)
{
	return tx;
}
void sip_tx_unref(struct sip_tx_data *tx)
{
	(void)tx;
}
bool sip_tx_sealed(const struct sip_tx_data *tx)
{
	(void)tx;
	return false;
}
const struct sip_target *sip_tx_target(const struct sip_tx_data *tx)
{
	(void)tx;
	return NULL;
}
struct rs_str sip_tx_bytes(const struct sip_tx_data *tx)
{
	(void)tx;
	return RS_STR_NULL;
}
bool sip_tx_is_request(const struct sip_tx_data *tx)
{
	(void)tx;
	return false;
}
size_t sip_tx_question(const struct sip_tx_data *tx)
{
	(void)tx;
	return 0;
}
struct rs_str sip_tx_call_id(const struct sip_tx_data *tx)
{
	(void)tx;
	return RS_STR_NULL;
}
unsigned sip_tx_status(const struct sip_tx_data *tx)
{
	(void)tx;
	return 0;
}

/* ---- the drive ---- */

static void run_ready(struct rs_task *t)
{
	struct sock *k = rs_container_of(t, struct sock, ready_task);

	k->s.ready(&k->s, SIP_SOCK_READ);
}

static void step(void)
{
	while (rs_taskpool_step())
		;
}

/* On a pool thread, as long as there is something to read and the transport wants it. The socket may be gone after it.
 */
static void make_ready(struct sock *k)
{
	FUZZ_CHECK(k->armed & SIP_SOCK_READ);
	k->armed = 0;
	k->ready_task.run = run_ready;
	k->ready_task.name = "ready";
	rs_push(NULL, &k->ready_task);
	step();
}

static struct sock *connect_one(void)
{
	struct sock *k = calloc(1, sizeof(*k));

	FUZZ_CHECK(k);
	waiting = k;
	make_ready(&acceptor);
	FUZZ_CHECK(!waiting && k->s.token);
	return k;
}

static bool takes_messages(const struct sip_conn *c)
{
	return c->state == SIP_CONN_OPEN;
}

/* How long piece i is: one of the lengths in turn; none: all. */
static size_t piece_length(struct rs_str lengths, unsigned i, size_t rest)
{
	unsigned char x;
	size_t n;

	if (!lengths.len)
		return rest;
	x = (unsigned char)lengths.p[i % lengths.len];
	n = x < 128 ? x + 1u : (x - 127u) * 61;
	return n < rest ? n : rest;
}

static void feed(struct rs_str stream, struct rs_str lengths, struct seen *out)
{
	struct sock *k;
	struct sip_conn *c;

	*out = (struct seen){0};
	seen = out;
	k = connect_one();
	c = sip_conn_ref(k->s.token);
	for (unsigned i = 0; stream.len && takes_messages(c); i++) {
		size_t n = piece_length(lengths, i, stream.len);
		/* A piece ends where its allocation ends. */
		char *exact = malloc(n);

		FUZZ_CHECK(exact);
		memcpy(exact, stream.p, n);
		stream = rs_str_n(stream.p + n, stream.len - n);
		k->piece = rs_str_n(exact, n);
		while (takes_messages(c) && k->piece.len)
			make_ready(k);
		k->piece = RS_STR_NULL;
		free(exact);
	}
	out->lost = !takes_messages(c);
	if (c->state != SIP_CONN_CLOSED) {
		k->ended = true;
		make_ready(k);
	}
	FUZZ_CHECK(c->state == SIP_CONN_CLOSED);
	sip_conn_unref(c);
	step();
	seen = NULL;
}

/* Framing alone, asked again only when as much is there as it said. */
static void frame_only(struct rs_str stream, struct rs_str lengths)
{
	size_t have = 0, from = 0, need = 0, length, whole_from = 0, whole_length = 0, whole_need = 0;
	enum sip_parse_result r = SIP_PARSE_PARTIAL;

	for (unsigned i = 0; r == SIP_PARSE_PARTIAL && have < stream.len; i++) {
		have += piece_length(lengths, i, stream.len - have);
		if (have < need)
			continue;
		r = sip_msg_frame(rs_str_n(stream.p, have), &from, &length, &need);
		FUZZ_CHECK(r != SIP_PARSE_PARTIAL || need > have);
	}
	if (r != SIP_PARSE_DONE)
		return;
	FUZZ_CHECK(sip_msg_frame(stream, &whole_from, &whole_length, &whole_need) == SIP_PARSE_DONE);
	FUZZ_CHECK(whole_length == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str stream = fuzz_str(data, size), lengths = RS_STR_NULL;
	struct seen whole, cut;

	if (stream.len) {
		size_t n = (unsigned char)stream.p[--stream.len] % (MAX_PIECES + 1);

		n = n < stream.len ? n : stream.len;
		stream.len -= n;
		lengths = rs_str_n(stream.p + stream.len, n);
	}
	frame_only(stream, lengths);
	feed(stream, RS_STR_NULL, &whole);
	feed(stream, lengths, &cut);
	same(&whole, &cut);
	seen_free(&cut);
	if (stream.len <= BY_BYTES_MOST) {
		feed(stream, RS_STR("\0"), &cut);
		same(&whole, &cut);
		seen_free(&cut);
	}
	seen_free(&whole);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rs_taskpool_config pool = {.deterministic = true, .seed = 1};
	struct sip_stack_config stack = {.net = &net};
	struct sip_listener_config listener = {
		.name = RS_STR("tcp"), .type = SIP_TRANSPORT_TCP, .sock = {.bind = our_addr}};

	(void)argc;
	(void)argv;
	rs_log_set_level(RS_LOG_ERROR);
	FUZZ_CHECK(rs_taskpool_start(&pool) == 0);
	sip_stack_config_set(&stack);
	FUZZ_CHECK(sip_transport_start() == 0);
	FUZZ_CHECK(sip_listener_open(&listener, NULL) == 0);
	step();
	return 0;
}
