/*
 * Many transactions at once over real sockets and the threaded pool: phones that send everything twice, cancel, and
 * are asked things themselves. What counts is that each request is heard once, each is answered, and nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/log.h"
#include "sip/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PHONES 3
#define ROUNDS 150
#define BURSTS 100
#define BURST  64 /* requests sent without waiting, so that many neighbours in a chain end at once */

static struct sip_addr server;
static _Atomic unsigned options, infos, invites, cancels, acks, responses, ends, terminated;
static _Atomic int holds;

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	(void)tsx, (void)token;
	if (sip_rx_msg(rx)->status == 200)
		atomic_fetch_add(&responses, 1);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	(void)tsx, (void)why, (void)token;
	atomic_fetch_add(&ends, 1);
}

/* The INVITE waits for its CANCEL. */
static void on_cancel(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	struct sip_rx_data *invite = token;

	(void)cancel;
	atomic_fetch_add(&cancels, 1);
	assert_int_equal(sip_tsx_respond(tsx, sip_tx_response(invite, 487, RS_STR_NULL)), 0);
}

static void on_invite_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	atomic_fetch_add(&terminated, 1);
	sip_rx_unref(token);
}

static void on_client_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx, (void)token;
	atomic_fetch_add(&terminated, 1);
}

static const struct sip_tsx_user invite_user = {
	.size = sizeof(invite_user),
	.name = "invite",
	.on_cancel = on_cancel,
	.on_terminated = on_invite_terminated,
};
static const struct sip_tsx_user client_user = {
	.size = sizeof(client_user),
	.name = "client",
	.on_response = on_response,
	.on_end = on_end,
	.on_terminated = on_client_terminated,
};

static void ask_back(const struct sip_addr *phone)
{
	const struct sip_tx_request_params params = {
		.method = RS_STR("MESSAGE"),
		.uri = RS_STR("sip:phone@127.0.0.1"),
		.from = RS_STR("<sip:server@b>"),
		.max_forwards = -1,
	};
	struct sip_target target = {.type = SIP_TRANSPORT_UDP, .addr = *phone};
	struct sip_tx_data *tx = sip_tx_request(&params);

	assert_non_null(tx);
	sip_tx_set_target(tx, &target);
	assert_int_equal(sip_tsx_send_for(&server, tx, NULL, &client_user, NULL, 0, NULL), 0);
}

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	switch (sip_rx_msg(rx)->method) {
	case SIP_METHOD_INVITE:
		atomic_fetch_add(&invites, 1);
		sip_tsx_set_user_for(&server, tsx, &invite_user, sip_rx_ref(rx));
		sip_tsx_respond(tsx, sip_tx_response(rx, 180, RS_STR_NULL));
		return;
	case SIP_METHOD_OPTIONS:
		atomic_fetch_add(&options, 1);
		sip_tsx_respond(tsx, sip_tx_response(rx, 200, RS_STR_NULL));
		ask_back(sip_rx_source(rx));
		return;
	case SIP_METHOD_INFO:
		atomic_fetch_add(&infos, 1);
		sip_tsx_respond(tsx, sip_tx_response(rx, 200, RS_STR_NULL));
		return;
	default:
		sip_tsx_respond_stateless(tsx, sip_tx_response(rx, 401, RS_STR_NULL));
	}
}

static bool take_ack(struct sip_rx_data *rx)
{
	(void)rx;
	atomic_fetch_add(&acks, 1);
	return true;
}

static void hold(void *module, int delta, const char *what, const char *name)
{
	(void)module, (void)what, (void)name;
	atomic_fetch_add(&holds, delta);
}

/* ---- a phone: one thread, one socket ---- */

struct phone {
	pthread_t thread;
	int fd, n;
	unsigned ok, cancelled, refused;
};

static void transmit(struct phone *p, const char *method, const char *branch, unsigned times)
{
	struct sockaddr_storage to;
	socklen_t len = sip_addr_to_sockaddr(&server, &to);
	char text[1000];
	int n = snprintf(
		text, sizeof(text),
		"%s sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK%s-%d\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: %s-%d\r\nCSeq: 1 %s\r\n"
		"Content-Length: 0\r\n\r\n",
		method, branch, p->n, branch, p->n, method);

	while (times--)
		sendto(p->fd, text, (size_t)n, 0, (struct sockaddr *)&to, len);
}

/* Answers a request with 200, by its own lines. */
static void reply(struct phone *p, char *text)
{
	struct sockaddr_storage to;
	socklen_t len = sip_addr_to_sockaddr(&server, &to);
	char answer[2000], *lines = strstr(text, "\r\n");
	int n = snprintf(answer, sizeof(answer), "SIP/2.0 200 OK%s", lines);

	sendto(p->fd, answer, (size_t)n, 0, (struct sockaddr *)&to, len);
}

/* Waits for the answer to what it sent; a lost datagram is asked for again. */
static void listen_for(struct phone *p, const char *branch, const char *start, const char *method)
{
	char text[3000], cseq[40];

	snprintf(cseq, sizeof(cseq), "CSeq: 1 %s\r\n", method);
	for (;;) {
		ssize_t n = recv(p->fd, text, sizeof(text) - 1, 0);

		if (n <= 0) {
			transmit(p, method, branch, 1);
			continue;
		}
		text[n] = '\0';
		if (!strncmp(text, "MESSAGE", 7))
			reply(p, text);
		else if (!strncmp(text, start, strlen(start)) && strstr(text, branch) && strstr(text, cseq))
			return;
	}
}

/* Sends what is not answered yet. */
static void burst_send(struct phone *p, int round, uint64_t answered)
{
	char branch[40];

	for (int i = 0; i < BURST; i++) {
		if (answered >> i & 1)
			continue;
		snprintf(branch, sizeof(branch), "b%d.%d.", round, i);
		transmit(p, "INFO", branch, 1);
	}
}

static void burst(struct phone *p, int round)
{
	uint64_t answered = 0;

	burst_send(p, round, answered);
	while (~answered) {
		char text[3000];
		const char *branch;
		ssize_t n = recv(p->fd, text, sizeof(text) - 1, 0);
		int of, i;

		if (n <= 0) {
			burst_send(p, round, answered);
			continue;
		}
		text[n] = '\0';
		branch = strstr(text, "branch=z9hG4bKb");
		if (!strncmp(text, "MESSAGE", 7))
			reply(p, text);
		else if (branch && sscanf(branch, "branch=z9hG4bKb%d.%d.", &of, &i) == 2 && of == round)
			answered |= UINT64_C(1) << i;
	}
}

static void *run(void *arg)
{
	struct phone *p = arg;
	char branch[40];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(branch, sizeof(branch), "o%dx", i);
		transmit(p, "OPTIONS", branch, 2);
		listen_for(p, branch, "SIP/2.0 200", "OPTIONS");
		snprintf(branch, sizeof(branch), "r%dx", i);
		transmit(p, "REGISTER", branch, 2);
		listen_for(p, branch, "SIP/2.0 401", "REGISTER");
		snprintf(branch, sizeof(branch), "i%dx", i);
		transmit(p, "INVITE", branch, 2);
		listen_for(p, branch, "SIP/2.0 180", "INVITE");
		transmit(p, "CANCEL", branch, 2);
		listen_for(p, branch, "SIP/2.0 487", "INVITE");
		transmit(p, "ACK", branch, 1);
		snprintf(branch, sizeof(branch), "a%dx", i);
		transmit(p, "ACK", branch, 1);
	}
	for (int i = 0; i < BURSTS; i++)
		burst(p, i);
	return NULL;
}

static void phone_start(struct phone *p, int n)
{
	const struct timeval patience = {.tv_usec = 200000};
	struct sockaddr_storage sa;
	struct sip_addr any;
	socklen_t len;

	p->n = n;
	p->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sip_addr_parse(RS_STR("127.0.0.1"), &any), 0);
	len = sip_addr_to_sockaddr(&any, &sa);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void everything_is_heard_once_and_nothing_is_left(void **state)
{
	const struct rs_taskpool_config pool = {.minimum = 4, .initial = 4};
	const struct sip_stack_config config = {.on_request = on_request, .readers = 2};
	struct sip_listener_config listener = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};
	struct sip_tsx_hooks hooks = {.size = sizeof(hooks), .name = "stress", .ack = take_ack};
	struct phone phones[PHONES] = {0};
	struct sip_tsx_stats stats;

	(void)state;
	rs_log_set_level(RS_LOG_WARNING);
	sip_module_hold = hold;
	assert_int_equal(rs_taskpool_start(&pool), 0);
	assert_int_equal(sip_stack_start(&config), 0);
	sip_tsx_hooks_register_for(NULL, &hooks);
	assert_int_equal(sip_addr_parse(RS_STR("127.0.0.1"), &listener.sock.bind), 0);
	assert_int_equal(sip_listener_open(&listener, &server), 0);
	for (int i = 0; i < PHONES; i++)
		phone_start(&phones[i], i);
	for (int i = 0; i < PHONES; i++)
		pthread_join(phones[i].thread, NULL);
	sip_tsx_stats(&stats);
	/* A retransmission is never a second request: the machines absorb it, whichever thread reads it. */
	assert_int_equal(options, PHONES * ROUNDS);
	assert_int_equal(infos, PHONES * BURSTS * BURST);
	assert_int_equal(invites, PHONES * ROUNDS);
	assert_int_equal(cancels, PHONES * ROUNDS);
	assert_true(stats.absorbed > 0);
	sip_stack_stop();
	sip_tsx_hooks_unregister(&hooks);
	assert_int_equal(responses + ends, PHONES * ROUNDS);
	assert_int_equal(terminated, 2 * PHONES * ROUNDS);
	assert_int_equal(holds, 0);
	assert_true(acks > 0);
	rs_taskpool_stop();
	for (int i = 0; i < PHONES; i++)
		close(phones[i].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_heard_once_and_nothing_is_left)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
