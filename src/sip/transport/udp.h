/* The sockets of a UDP listener: one a reader. */
#ifndef SIP_TRANSPORT_UDP_H
#define SIP_TRANSPORT_UDP_H

#include "sip/transport/listener.h"

#define SIP_UDP_BATCH SIP_RECEIVE_MAX

struct sip_rx_data;

#define SIP_UDP_PATHS 4 /* local addresses whose path a reader remembers */

/*
 * One socket. The slot holds a reference, and so does each thread's batch that is to leave by it and a reader at work;
 * it is closed when the last goes, so nobody ever uses a closed descriptor.
 */
struct sip_udp_sock {
	_Atomic uint32_t refs;
	_Atomic bool closing;
	struct sip_listener *listener;
	struct sip_stat_cell *stats;
	struct sip_sock *sock;

	/* The reader's; one at a time. */
	struct sip_dgram v[SIP_UDP_BATCH];
	struct sip_rx_data *blocks[SIP_UDP_BATCH];
	char *overflow; /* what a block does not hold, a place for each datagram of a batch */
	struct {
		struct sip_addr local;
		uint16_t path;
	} paths[SIP_UDP_PATHS];
	unsigned path_next;
};

/* A socket of l for the calling thread to send by; referenced; NULL: it is closed. */
struct sip_udp_sock *sip_udp_sock_get(struct sip_listener *l);
void sip_udp_sock_unref(struct sip_udp_sock *u);
/* Appends to this thread's batch. 0 or an errno. */
int sip_udp_send(struct sip_route *route, const struct sip_outgoing *out);

#endif
