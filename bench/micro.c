/*
 * One small thing, N times: what instruction counts are taken of (scripts/bench-micro).
 *
 *   bench_micro parse N | transaction N | taskpool N | digest N
 */
#include "base/env.h"
#include "base/log.h"
#include "res_sip/digest.h"
#include "sip/stack.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA 8192

static const char REGISTER[] =
	"REGISTER sip:pbx.example.net SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.34:5060;branch=z9hG4bK-00000000;rport\r\n"
	"Max-Forwards: 70\r\n"
	"Contact: <sip:2041@192.0.2.34:5060;transport=UDP;rinstance=5be0c1177fd2a3d9>;expires=300"
	";+sip.instance=\"<urn:uuid:6d2f0c55-83aa-4c0e-9a51-0f2f5bd0b7a1>\"\r\n"
	"To: \"Front Desk\" <sip:2041@pbx.example.net>\r\n"
	"From: \"Front Desk\" <sip:2041@pbx.example.net>;tag=c4f0d36b\r\n"
	"Call-ID: Bq0oTz9kV1d3yLq4p2sZ7w..\r\n"
	"CSeq: 2 REGISTER\r\n"
	"Expires: 300\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n"
	"Supported: replaces, path\r\n"
	"User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
	"Authorization: Digest username=\"2041\",realm=\"pbx.example.net\",nonce=\"66a1f0de/5c1f8be8a0\","
	"uri=\"sip:pbx.example.net\",response=\"3b7c5c9a2f2d0e61b15f7f1f0ad2f7c6\",cnonce=\"9e1c77aa02\","
	"nc=00000001,qop=auth,algorithm=MD5\r\n"
	"Content-Length: 0\r\n\r\n";

static int failed(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	return 1;
}

/* ---- parse: index, check, and the headers of a registrar typed ---- */

static bool parse_once(struct rs_arena *arena, struct sip_msg *msg)
{
	bool bad = false;

	if (sip_msg_parse(msg, arena, RS_STR(REGISTER), false, NULL) != SIP_PARSE_DONE || sip_msg_check(msg))
		return false;
	return sip_msg_values(msg, SIP_HDR_CONTACT, &bad) && sip_msg_values(msg, SIP_HDR_AUTHORIZATION, &bad) &&
	       sip_msg_values(msg, SIP_HDR_EXPIRES, &bad) && sip_msg_values(msg, SIP_HDR_SUPPORTED, &bad) && !bad;
}

static int parse(unsigned long n)
{
	static char mem[ARENA];

	while (n--) {
		struct rs_arena arena;
		struct sip_msg msg;
		bool ok;

		rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
		ok = parse_once(&arena, &msg);
		rs_arena_reset(&arena);
		if (!ok)
			return failed("parse");
	}
	return 0;
}

/* ---- digest: the credentials of a request against a password ---- */

static int digest(unsigned long n)
{
	static char mem[ARENA];
	struct rs_arena arena;
	struct sip_msg msg;
	const struct sip_auth *auth;
	int rc = 0;

	rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
	auth = parse_once(&arena, &msg) ? sip_msg_auth(&msg, SIP_HDR_AUTHORIZATION, 0) : NULL;
	while (auth && n-- && !rc) {
		char ha1[AST_SIP_DIGEST_HEX], expected[AST_SIP_DIGEST_HEX];
		struct ast_sip_digest d;

		rc = ast_sip_digest_read(auth, &d) ||
		     ast_sip_digest_join(AST_SIP_MD5, (struct rs_str[]){d.username, d.realm, RS_STR("wonderland")}, 3,
					 ha1) ||
		     ast_sip_digest_response(&d, rs_str_n(ha1, 32), msg.method_text, expected) ||
		     ast_sip_digest_equal(d.response, rs_str_c(expected));
	}
	rs_arena_reset(&arena);
	return rc || !auth ? failed("digest") : 0;
}

/* ---- taskpool: two serializers hand each other the next task, on one thread ---- */

static struct {
	struct rs_serializer *serializer[2];
	struct rs_task task[2];
	unsigned long left;
	sem_t done;
} pool;

static void hand_over(struct rs_task *task)
{
	unsigned other = task == &pool.task[0];

	if (pool.left-- > 1)
		rs_push(pool.serializer[other], &pool.task[other]);
	else
		sem_post(&pool.done);
}

static int pool_start(void)
{
	struct rs_taskpool_config config = {.minimum = 1, .initial = 1, .maximum = 1};

	sem_init(&pool.done, 0, 0);
	return rs_taskpool_start(&config);
}

static int taskpool(unsigned long n)
{
	if (pool_start())
		return failed("rs_taskpool_start");
	for (unsigned i = 0; i < 2; i++) {
		pool.serializer[i] = rs_serializer_new("bench");
		pool.task[i] = (struct rs_task){.run = hand_over, .name = "bench"};
		if (!pool.serializer[i])
			return failed("rs_serializer_new");
	}
	pool.left = n;
	rs_push(pool.serializer[0], &pool.task[0]);
	sem_wait(&pool.done);
	rs_taskpool_stop();
	for (unsigned i = 0; i < 2; i++)
		rs_serializer_unref(pool.serializer[i]);
	return 0;
}

/*
 * ---- transaction: a REGISTER over a network that only counts, answered 200, until its Timer J has ended it ----
 *
 * The clock moves with the messages read: so many transactions are there at any time, whatever the machine's speed. So
 * the pool's deterministic mode is used, in which the clock's owner says when timers are due.
 */

#define STEP_US  10000   /* a batch read */
#define TIMER_US 1000000 /* Timer J */

static struct {
	_Atomic int64_t now_us;
	struct sip_sock sock;
	unsigned long left, sent;
	struct sip_addr phone;
	struct rs_serializer *reader;
	struct rs_task task;
} net;

static int64_t virtual_now(void *token)
{
	(void)token;
	return atomic_load_explicit(&net.now_us, memory_order_relaxed);
}

static void virtual_random(void *token, void *out, size_t n)
{
	static unsigned char next;

	(void)token;
	for (size_t i = 0; i < n; i++)
		((unsigned char *)out)[i] = next++;
}

static int net_open(void *token, const struct sip_sock_opts *opts, struct sip_sock **out)
{
	(void)token, (void)opts;
	*out = &net.sock;
	return 0;
}

static void address(const char *text, struct sip_addr *out)
{
	(void)sip_addr_parse(rs_str_c(text), out);
	out->port = 5060;
}

static int net_local(struct sip_sock *s, struct sip_addr *out)
{
	(void)s;
	address("192.0.2.1", out);
	return 0;
}

static int net_recv(struct sip_sock *s, struct sip_dgram *v, unsigned n)
{
	static const size_t branch_at = sizeof("REGISTER sip:pbx.example.net SIP/2.0\r\n"
					       "Via: SIP/2.0/UDP 192.0.2.34:5060;branch=z9hG4bK-") -
					1;
	unsigned i = 0;

	(void)s;
	for (; i < n && net.left; i++, net.left--) {
		char *buf = v[i].iov[0].iov_base;

		memcpy(buf, REGISTER, sizeof(REGISTER) - 1);
		for (unsigned long digit = 0, rest = net.left; digit < 8; digit++, rest >>= 4)
			buf[branch_at + digit] = "0123456789abcdef"[rest & 15];
		v[i].len = sizeof(REGISTER) - 1;
		v[i].peer = net.phone;
	}
	return i ? (int)i : -EAGAIN;
}

static int net_send(struct sip_sock *s, const struct sip_dgram *v, unsigned n)
{
	(void)s, (void)v;
	net.sent += n;
	return (int)n;
}

static int net_arm(struct sip_sock *s, unsigned events)
{
	(void)s, (void)events;
	return 0;
}

static void net_close(struct sip_sock *s)
{
	if (s->closed)
		s->closed(s, s->token);
}

static int net_source_for(void *token, const struct sip_addr *peer, struct sip_addr *out)
{
	(void)token, (void)peer;
	return net_local(NULL, out);
}

static const struct sip_net_ops net_ops = {
	.udp_open = net_open,
	.local = net_local,
	.recv = net_recv,
	.send = net_send,
	.arm = net_arm,
	.close = net_close,
	.source_for = net_source_for,
};

static void read_batch(struct rs_task *task)
{
	(void)task;
	net.sock.ready(&net.sock, SIP_SOCK_READ);
}

/* Reads a batch in each step, until all have come and gone. */
static void pass_all(void)
{
	struct sip_tsx_stats stats;

	do {
		atomic_fetch_add_explicit(&net.now_us, STEP_US, memory_order_relaxed);
		if (net.left)
			rs_push(net.reader, &net.task);
		rs_taskpool_advance();
		while (rs_taskpool_step())
			;
		sip_tsx_stats(&stats);
	} while (net.left || stats.server_now);
}

static void answer(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);

	if (tx)
		sip_tsx_respond(tsx, tx);
}

static int names_start(void *token)
{
	(void)token;
	return 0;
}

static void names_stop(void *token)
{
	(void)token;
}

static const struct sip_names_ops names_ops = {.start = names_start, .stop = names_stop};

static int transaction(unsigned long n)
{
	static const struct rs_taskpool_config pool_config = {.deterministic = true};
	static const struct rs_env env = {.now_us = virtual_now, .wall_us = virtual_now, .random = virtual_random};
	struct sip_stack_config config = {
		.net = &net_ops, .names = &names_ops, .readers = 1, .timer_b_us = TIMER_US, .on_request = answer};
	struct sip_listener_config listener = {.name = RS_STR("bench"), .type = SIP_TRANSPORT_UDP};

	rs_env_set(&env);
	rs_log_set_level(RS_LOG_ERROR);
	address("192.0.2.34", &net.phone);
	address("192.0.2.1", &listener.sock.bind);
	net.reader = rs_serializer_new("bench");
	if (!net.reader || rs_taskpool_start(&pool_config) || sip_stack_start(&config) ||
	    sip_listener_open(&listener, NULL))
		return failed("the stack's start");
	net.left = n;
	net.task = (struct rs_task){.run = read_batch, .name = "bench"};
	pass_all();
	sip_stack_stop();
	rs_taskpool_stop();
	rs_serializer_unref(net.reader);
	return net.sent == n ? 0 : failed("answering");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(unsigned long n);
	} all[] = {{"parse", parse}, {"transaction", transaction}, {"taskpool", taskpool}, {"digest", digest}};
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	for (size_t i = 0; i < RS_ARRAY_SIZE(all) && n; i++) {
		if (strcmp(argv[1], all[i].name) == 0)
			return all[i].run(n);
	}
	fputs("usage: bench_micro parse|transaction|taskpool|digest N\n", stderr);
	return 2;
}
