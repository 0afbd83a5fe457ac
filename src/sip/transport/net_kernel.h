/* A socket of the kernel's. */
#ifndef SIP_TRANSPORT_NET_KERNEL_H
#define SIP_TRANSPORT_NET_KERNEL_H

#include "base/taskpool.h"
#include "sip/net.h"

struct sip_ksock {
	struct sip_sock s;
	struct rs_poll poll;
	struct rs_task task;
	int fd;
	uint8_t family;
	bool stream, pktinfo;
	bool polled; /* the poll has it; armed by one thread at a time */
	_Atomic unsigned armed;
	struct sip_addr bound; /* of a datagram socket, in the list of net_kernel.c */
	struct sip_ksock *next_bound;
};

static inline struct sip_ksock *sip_ksock_of(struct sip_sock *s)
{
	return rs_container_of(s, struct sip_ksock, s);
}

/* net_kernel_dgram.c */
int sip_ksock_recv(struct sip_sock *s, struct sip_dgram *v, unsigned n);
int sip_ksock_send(struct sip_sock *s, const struct sip_dgram *v, unsigned n);

#endif
