/*
 * Dialogs over real sockets and the threaded pool: phones that call, ask and hang up, all of them asking in one dialog
 * at once, and somebody who looks them up meanwhile. What counts is that nothing of one dialog runs beside itself or
 * out of order, that each request is answered, and that nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/log.h"
#include "sip/dialog.h"
#include "sip/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PHONES 3
#define CALLS  120
#define INFOS  5
#define HITS   400 /* of each phone on the one dialog */

static struct sip_addr server;
static _Atomic unsigned infos, byes, acks, made, beside, backwards, behind;
static _Atomic bool over;

/* One call of the server's: on its dialog's serializer. */
struct leg {
	struct sip_dialog *dlg;
	_Atomic int inside;
	uint32_t cseq;
	unsigned infos;
	bool shared, acked;
};

static void enter(struct leg *l)
{
	if (atomic_fetch_add(&l->inside, 1))
		atomic_fetch_add(&beside, 1);
}

static void leave(struct leg *l)
{
	atomic_fetch_sub(&l->inside, 1);
}

static const struct sip_dialog_usage usage;

static void answer(struct sip_dialog *dlg, struct sip_rx_data *rx, unsigned status)
{
	assert_int_equal(sip_dialog_respond(dlg, rx, sip_dialog_response(dlg, rx, status, RS_STR_NULL)), 0);
}

static bool on_request(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct leg *l = token;
	bool bye = msg->method == SIP_METHOD_BYE;

	enter(l);
	if (msg->cseq <= l->cseq)
		atomic_fetch_add(&backwards, 1);
	l->cseq = msg->cseq;
	/* The phone sends its ACK before: it has to be heard before. */
	if (!l->shared && !l->acked)
		atomic_fetch_add(&behind, 1);
	atomic_fetch_add(bye ? &byes : &infos, 1);
	answer(dlg, rx, 200);
	leave(l);
	if (!bye)
		return true;
	sip_dialog_ref(dlg);
	sip_dialog_remove_usage(dlg, &usage, l);
	sip_dialog_unref(l->dlg);
	free(l);
	sip_dialog_unref(dlg);
	return true;
}

static bool on_ack(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token)
{
	struct leg *l = token;

	(void)dlg, (void)rx;
	enter(l);
	l->acked = true;
	atomic_fetch_add(&acks, 1);
	leave(l);
	return true;
}

static void on_ended(struct sip_dialog *dlg, void *token)
{
	struct leg *l = token;

	sip_dialog_ref(dlg);
	sip_dialog_remove_usage(dlg, &usage, l);
	sip_dialog_unref(l->dlg);
	free(l);
	sip_dialog_unref(dlg);
}

static const struct sip_dialog_usage usage = {
	.size = sizeof(usage), .name = "leg", .on_request = on_request, .on_ack = on_ack, .on_ended = on_ended};

static void on_server_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct leg *l;

	if (sip_rx_dialog(rx)) {
		sip_dialog_process(rx);
		return;
	}
	if (msg->method != SIP_METHOD_INVITE || msg->to_tag.len) {
		sip_tsx_respond_stateless(tsx, sip_tx_response(rx, 481, RS_STR_NULL));
		return;
	}
	l = calloc(1, sizeof(*l));
	assert_non_null(l);
	l->dlg = sip_dialog_uas(rx, RS_STR_NULL);
	assert_non_null(l->dlg);
	l->shared = rs_str_starts(msg->call_id, RS_STR("shared"));
	assert_int_equal(sip_dialog_add_usage_for(NULL, l->dlg, &usage, l), 0);
	atomic_fetch_add(&made, 1);
	answer(l->dlg, rx, 200);
}

/* ---- a phone: one thread, one socket ---- */

struct phone {
	pthread_t thread;
	int fd, n;
	char call_id[40], tag[40], branch[60];
	unsigned sent;
};

static void transmit(struct phone *p, const char *method, unsigned cseq, bool again)
{
	struct sockaddr_storage to;
	socklen_t len = sip_addr_to_sockaddr(&server, &to);
	char text[1000];
	int n;

	if (!again)
		snprintf(p->branch, sizeof(p->branch), "z9hG4bK%d-%u-", p->n, ++p->sent);
	n = snprintf(text, sizeof(text),
		     "%s sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=%s\r\n"
		     "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		     "Contact: <sip:a@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n",
		     method, p->branch, p->tag[0] ? ";tag=" : "", p->tag, p->call_id, cseq, method);
	sendto(p->fd, text, (size_t)n, 0, (struct sockaddr *)&to, len);
}

/* The status of the answer to what it sent last; a lost datagram is asked for again. */
static int listen_for(struct phone *p, const char *method, unsigned cseq)
{
	char text[3000];

	for (;;) {
		ssize_t n = recv(p->fd, text, sizeof(text) - 1, 0);
		const char *tag;

		if (n <= 0) {
			transmit(p, method, cseq, true);
			continue;
		}
		text[n] = '\0';
		if (!strstr(text, p->branch))
			continue;
		tag = strstr(strstr(text, "\r\nTo:"), ";tag=");
		if (!p->tag[0] && tag)
			sscanf(tag, ";tag=%39[0-9a-f]", p->tag);
		return atoi(text + 8);
	}
}

static void call(struct phone *p, int i)
{
	snprintf(p->call_id, sizeof(p->call_id), "call-%d-%d", p->n, i);
	p->tag[0] = '\0';
	transmit(p, "INVITE", 1, false);
	assert_int_equal(listen_for(p, "INVITE", 1), 200);
	transmit(p, "ACK", 1, false);
	for (unsigned k = 0; k < INFOS; k++) {
		transmit(p, "INFO", 2 + k, false);
		assert_int_equal(listen_for(p, "INFO", 2 + k), 200);
	}
	transmit(p, "BYE", 2 + INFOS, false);
	assert_int_equal(listen_for(p, "BYE", 2 + INFOS), 200);
}

static struct phone shared;
static _Atomic unsigned shared_cseq = 1, shared_ok;

static void *run(void *arg)
{
	struct phone *p = arg;

	for (int i = 0; i < CALLS; i++)
		call(p, i);
	snprintf(p->call_id, sizeof(p->call_id), "%s", shared.call_id);
	snprintf(p->tag, sizeof(p->tag), "%s", shared.tag);
	for (int i = 0; i < HITS; i++) {
		unsigned cseq = 1 + atomic_fetch_add(&shared_cseq, 1);
		int status;

		transmit(p, "INFO", cseq, false);
		status = listen_for(p, "INFO", cseq);
		/* Another phone may have been faster with a higher number. */
		assert_true(status == 200 || status == 500);
		if (status == 200)
			atomic_fetch_add(&shared_ok, 1);
	}
	return NULL;
}

static void look(void *token, struct sip_dialog *dlg)
{
	struct sip_dialog *again =
		sip_dialog_find(sip_dialog_call_id(dlg), sip_dialog_local_tag(dlg), sip_dialog_remote_tag(dlg));

	++*(unsigned *)token;
	sip_dialog_unref(again);
}

static void *look_around(void *arg)
{
	struct sip_dialog_stats stats;
	unsigned seen = 0;

	(void)arg;
	while (!atomic_load(&over)) {
		sip_dialog_each(look, &seen);
		sip_dialog_stats(&stats);
	}
	return NULL;
}

static void phone_open(struct phone *p, int n)
{
	const struct timeval patience = {.tv_usec = 300000};
	struct sockaddr_storage sa;
	struct sip_addr any;
	socklen_t len;

	p->n = n;
	p->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sip_addr_parse(RS_STR("127.0.0.1"), &any), 0);
	len = sip_addr_to_sockaddr(&any, &sa);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
}

static void start_server(void)
{
	const struct rs_taskpool_config pool = {.minimum = 4, .initial = 4};
	const struct sip_stack_config config = {.on_request = on_server_request, .readers = 1};
	struct sip_listener_config listener = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};

	rs_log_set_level(RS_LOG_WARNING);
	assert_int_equal(rs_taskpool_start(&pool), 0);
	assert_int_equal(sip_stack_start(&config), 0);
	assert_int_equal(sip_addr_parse(RS_STR("127.0.0.1"), &listener.sock.bind), 0);
	assert_int_equal(sip_listener_open(&listener, &server), 0);
}

static void nothing_of_a_dialog_runs_beside_itself(void **state)
{
	struct phone phones[PHONES] = {0};
	struct sip_dialog_stats stats;
	pthread_t looker;

	(void)state;
	start_server();
	phone_open(&shared, PHONES);
	snprintf(shared.call_id, sizeof(shared.call_id), "shared");
	transmit(&shared, "INVITE", 1, false);
	assert_int_equal(listen_for(&shared, "INVITE", 1), 200);
	assert_int_equal(pthread_create(&looker, NULL, look_around, NULL), 0);
	for (int i = 0; i < PHONES; i++) {
		phone_open(&phones[i], i);
		assert_int_equal(pthread_create(&phones[i].thread, NULL, run, &phones[i]), 0);
	}
	for (int i = 0; i < PHONES; i++)
		pthread_join(phones[i].thread, NULL);
	atomic_store(&over, true);
	pthread_join(looker, NULL);
	assert_int_equal(made, PHONES * CALLS + 1);
	assert_int_equal(byes, PHONES * CALLS);
	assert_int_equal(infos, PHONES * CALLS * INFOS + shared_ok);
	assert_true(shared_ok > 0);
	assert_int_equal(beside, 0);
	assert_int_equal(backwards, 0);
	assert_int_equal(behind, 0);
	assert_int_equal(acks, PHONES * CALLS);
	sip_dialog_stats(&stats);
	assert_true(stats.now >= 1);
	sip_stack_stop();
	sip_dialog_stats(&stats);
	assert_int_equal(stats.now, 0);
	rs_taskpool_stop();
	for (int i = 0; i < PHONES; i++)
		close(phones[i].fd);
	close(shared.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_of_a_dialog_runs_beside_itself)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
