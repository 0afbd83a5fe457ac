/* What the transports have in common: the network they run on, their limits, and how messages get in and out. */
#ifndef SIP_TRANSPORT_TP_H
#define SIP_TRANSPORT_TP_H

#include "sip/stack.h"

#include <pthread.h>
#include <stdatomic.h>

/* From the configuration; the unit tests set finer ones after sip_transport_start. */
struct sip_tp_limits {
	uint32_t max_connections, max_per_peer;
	int64_t idle_us, half_open_us, send_us, connect_us, keep_alive_us;
	int64_t linger_us; /* how long a connection is still read after its last answer, so that the answer arrives */
	int64_t accept_pause_us; /* no more descriptors: how long nothing is accepted */
	size_t send_queue;
	unsigned readers;
};

struct sip_tp {
	const struct sip_net_ops *net;
	void *net_token;
	struct sip_tp_limits limits;
	_Atomic bool running; /* false: what arrives is dropped */
	/* Sockets and connections not yet gone; sip_transport_stop waits for 0. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	uint32_t alive;
};
extern struct sip_tp sip_tp;

void sip_tp_alive(int by);

/* stack_config.c: copies config with the defaults filled in. */
void sip_stack_config_set(const struct sip_stack_config *config);

/* No more messages are handed up; the first step of a stop. */
void sip_transport_quiesce(void);

/* ---- receive.c ---- */

struct sip_rx_data;
struct sip_stat_cell;
enum sip_reception {
	SIP_RECEIVED, /* it goes up: sip_transaction_receive */
	SIP_SHED,     /* refused or dropped */
	SIP_NO_MESSAGE
};
/*
 * A whole message lies in bytes (in rx->buf), its origin is filled in: load shedding, trace, parse. Takes over rx
 * unless it is received. On a pool thread.
 */
enum sip_reception sip_receive(struct sip_rx_data *rx, struct rs_str bytes, struct sip_stat_cell *stats);
/* Answers without any state, straight from here; false: not an answerable request, or past the rate. */
bool sip_receive_refuse(struct sip_rx_data *rx, unsigned status, const char *reason, unsigned retry_after_s);

/* ---- send.c ---- */

/* Tells result (may be NULL) about the failure, as a task, and gives its hold back. */
void sip_send_failed(struct sip_send_result *result, int error);
static inline void sip_send_hold(struct sip_send_result *r, bool on)
{
	if (r && r->hold)
		r->hold(r, on);
}
struct sip_route;
/* The way to target. dial: a stream connection may be made. 0 or an errno. */
int sip_route_find(const struct sip_target *target, struct sip_route *out);
void sip_route_fini(struct sip_route *route);
/* Sends bytes (copied when they must wait) to where rx came from, or its response target. 0 or an errno. */
int sip_send_raw(const struct sip_target *target, struct rs_str bytes);
/* The source address that the kernel's route to peer uses, from a small cache. */
int sip_source_for(const struct sip_addr *peer, struct sip_addr *out);

/* ---- udp.c ---- */
void sip_udp_flush(void);           /* this thread's batches */
void sip_udp_rescue(unsigned slot); /* those of the thread in that slot, by the monitor */
void sip_udp_send_clear(void);      /* sends and frees all of them; no thread collects any more */

/* ---- trace.c ---- */
bool sip_trace_on(void);
void sip_trace_message(bool received, enum sip_transport_type type, const struct sip_addr *local,
		       const struct sip_addr *remote, struct rs_str bytes);

#endif
