/* Start and stop of the transports, and the table of protocols. */
#include "sip/transport/tp.h"

#include "base/log.h"
#include "base/taskpool.h"
#include "sip/transport/conn.h"
#include "sip/transport/flow.h"
#include "sip/transport/listener.h"
#include "sip/transport/rx_private.h"

#include <time.h>

struct sip_tp sip_tp = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

/* RFC 3261 64*T1: nobody waits longer for an answer. */
#define CONNECT_US      INT64_C(32000000)
#define LINGER_US       INT64_C(1000000)
#define ACCEPT_PAUSE_US INT64_C(100000)
/* For what is queued to run, then for the last sockets to be given back, at the stop. */
#define STOP_DRAIN_MS 5000
#define STOP_WAIT_S   5

const struct sip_transport_ops *sip_transport_ops(enum sip_transport_type type)
{
	switch (type) {
	case SIP_TRANSPORT_UDP:
		return &sip_udp_ops;
	case SIP_TRANSPORT_TCP:
		return &sip_tcp_ops;
	default:
		return NULL;
	}
}

void sip_tp_alive(int by)
{
	pthread_mutex_lock(&sip_tp.lock);
	sip_tp.alive += (uint32_t)by;
	if (!sip_tp.alive)
		pthread_cond_broadcast(&sip_tp.idle);
	pthread_mutex_unlock(&sip_tp.lock);
}

int sip_transport_start(void)
{
	const struct sip_stack_config *c = sip_stack_config();

	sip_rx_setup();
	sip_tp.net = c->net;
	sip_tp.net_token = c->net_token;
	sip_tp.limits = (struct sip_tp_limits){
		.max_connections = c->max_connections,
		.max_per_peer = c->max_connections_per_peer,
		.idle_us = (int64_t)c->stream_idle_s * 1000000,
		.half_open_us = (int64_t)c->stream_half_open_s * 1000000,
		.send_us = (int64_t)c->stream_send_s * 1000000,
		.connect_us = CONNECT_US,
		.keep_alive_us = (int64_t)c->keep_alive_interval_s * 1000000,
		.linger_us = LINGER_US,
		.accept_pause_us = ACCEPT_PAUSE_US,
		.send_queue = c->stream_send_queue,
		.readers = c->readers,
	};
	atomic_store_explicit(&sip_tp.running, true, memory_order_release);
	rs_taskpool_set_flush_hook(sip_udp_flush);
	rs_taskpool_set_rescue_hook(sip_udp_rescue);
	return 0;
}

void sip_transport_quiesce(void)
{
	atomic_store_explicit(&sip_tp.running, false, memory_order_release);
}

/* In the deterministic mode the drain has stepped everything; with threads the last descriptors may take a moment. */
static bool wait_idle(void)
{
	struct timespec until;
	bool idle;

	rs_taskpool_drain(STOP_DRAIN_MS);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_WAIT_S;
	pthread_mutex_lock(&sip_tp.lock);
	while (sip_tp.alive && pthread_cond_timedwait(&sip_tp.idle, &sip_tp.lock, &until) == 0)
		;
	idle = sip_tp.alive == 0;
	pthread_mutex_unlock(&sip_tp.lock);
	return idle;
}

void sip_transport_stop(void)
{
	sip_transport_quiesce();
	sip_udp_flush();
	sip_listeners_close_all();
	sip_conns_close(NULL);
	/* Whatever still holds a socket after that time keeps its memory too. */
	if (!wait_idle()) {
		rs_event(RS_LOG_WARNING, "transport.stop_timeout", RS_FI("sockets", sip_tp.alive));
		return;
	}
	rs_taskpool_set_flush_hook(NULL);
	rs_taskpool_set_rescue_hook(NULL);
	sip_udp_send_clear();
	sip_listeners_free();
	sip_conn_table_clear();
	sip_flow_udp6_clear();
}
