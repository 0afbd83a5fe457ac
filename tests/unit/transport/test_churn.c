/* Connections that come and go under senders, watchers and a listener that is closed and opened: nothing is lost track
 * of. */
#include "observer.h"

#include "base/taskpool.h"
#include "sip/rx_data.h"
#include "sip/tx_data.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define PEERS  4
#define ROUNDS 60
#define SENDS  2000

static struct sip_addr tcp, udp;
static _Atomic unsigned watched, told, failed, holds;
static _Atomic bool done;

static int start(void **state)
{
	(void)state;
	observer_start(NULL, (struct observer_options){.threads = 4, .answer = true});
	tcp = observer_listen("tcp", SIP_TRANSPORT_TCP, "127.0.0.1:0");
	udp = observer_listen("udp", SIP_TRANSPORT_UDP, "127.0.0.1:0");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	observer_stop();
	return 0;
}

/* Sends a request, maybe half of one, maybe reads the answer, and goes: by a close or by a reset. */
static void *peer_thread(void *token)
{
	unsigned seed = (unsigned)(uintptr_t)token;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct linger hard = {.l_onoff = 1};
		int fd = peer_tcp(&tcp);
		char buf[2000], id[16];
		struct rs_str m;
		bool whole;

		snprintf(id, sizeof(id), "c%u", seed % 7);
		m = options_request(buf, sizeof(buf), "TCP 127.0.0.1:9", id, i, rand_r(&seed) % 500);
		whole = rand_r(&seed) % 4 != 0;
		if (!whole)
			m.len = m.len / 2;
		(void)!send(fd, m.p, m.len, MSG_NOSIGNAL);
		if (rand_r(&seed) % 2)
			(void)!send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL);
		else if (whole)
			(void)peer_read(fd, buf, sizeof(buf));
		if (rand_r(&seed) % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
	}
	return NULL;
}

static void on_end(sip_flow_id flow, void *token)
{
	(void)flow;
	(void)token;
	told++;
}

struct counted {
	struct sip_send_result r;
	_Atomic int refs;
};

static void counted_hold(struct sip_send_result *r, bool on)
{
	struct counted *c = rs_container_of(r, struct counted, r);

	if (on) {
		c->refs++;
		holds++;
	} else {
		holds--;
		if (--c->refs == 0)
			free(c);
	}
}

static void counted_failed(struct sip_send_result *r)
{
	(void)r;
	failed++;
}

/* To whatever flow came in lately, by its id: most are gone. */
static void send_to_flow(sip_flow_id flow)
{
	struct counted *c = calloc(1, sizeof(*c));
	struct sip_target t = {.type = SIP_TRANSPORT_TCP, .flow = flow, .flow_only = true};
	struct sip_tx_data *tx = observer_tx(&t, RS_STR("something for you"), true);
	uint64_t w;

	c->r.failed = counted_failed;
	c->r.hold = counted_hold;
	counted_hold(&c->r, true);
	(void)sip_transport_send(tx, &c->r);
	counted_hold(&c->r, false);
	sip_tx_unref(tx);
	w = sip_flow_watch(flow, on_end, NULL);
	if (!w)
		return;
	watched++;
	if (flow % 3 == 0 && sip_flow_unwatch(w))
		watched--;
}

static void *send_thread(void *token)
{
	(void)token;
	for (unsigned i = 0; i < SENDS && !done; i++) {
		unsigned n = observer_count();

		if (n)
			send_to_flow(sip_rx_flow(observer_rx(n - 1)));
		else
			poll(NULL, 0, 1);
	}
	return NULL;
}

static void *listener_thread(void *token)
{
	struct sip_listener_config c = {.name = RS_STR("second"), .type = SIP_TRANSPORT_UDP};
	struct sip_target t = {.type = SIP_TRANSPORT_UDP, .addr = udp};
	unsigned *opened = token;
	char buf[2000];

	c.sock.bind = addr("127.0.0.1:0");
	while (!done) {
		struct sip_addr bound;
		struct sip_tx_data *tx;

		if (sip_listener_open(&c, &bound))
			break;
		t.listener = sip_listener_intern(c.name);
		tx = observer_tx(&t, options_request(buf, sizeof(buf), "UDP 127.0.0.1:9", "u", ++*opened, 0), true);
		(void)sip_transport_send(tx, NULL);
		sip_tx_unref(tx);
		(void)sip_listener_close(c.name, true);
	}
	return NULL;
}

static void connections_come_and_go_and_nothing_is_left(void **state)
{
	pthread_t peers[PEERS], sender, listener;
	unsigned opened = 0;

	(void)state;
	for (uintptr_t i = 0; i < PEERS; i++)
		assert_int_equal(pthread_create(&peers[i], NULL, peer_thread, (void *)(i + 1)), 0);
	assert_int_equal(pthread_create(&sender, NULL, send_thread, NULL), 0);
	assert_int_equal(pthread_create(&listener, NULL, listener_thread, &opened), 0);
	for (unsigned i = 0; i < PEERS; i++)
		pthread_join(peers[i], NULL);
	done = true;
	pthread_join(sender, NULL);
	pthread_join(listener, NULL);
	assert_true(opened > 0);
	assert_true(observer_count() > 0);
	/* Every watch that was not taken back is told when the last connection has gone. */
	assert_int_equal(sip_listener_close(RS_STR("tcp"), true), 0);
	assert_int_equal(sip_listener_close(RS_STR("udp"), true), 0);
	assert_true(rs_taskpool_drain(5000));
	observer_quiet();
	assert_true(rs_taskpool_drain(5000));
	assert_int_equal(told, watched);
	assert_int_equal(holds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections_come_and_go_and_nothing_is_left, start, stop),
	};

	return cmocka_run_group_tests_name("transport churn", tests, NULL, NULL);
}
