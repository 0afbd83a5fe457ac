/* Batches of datagrams: recvmmsg and sendmmsg, with the local address in the ancillary data of wildcard sockets. */
#include "sip/transport/net_kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define DGRAM_BATCH 32

union name {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
union control {
	char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

static void name_set(union name *name, const struct sip_addr *a, socklen_t *len)
{
	if (a->family == 6) {
		name->v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope_id};
		memcpy(&name->v6.sin6_addr, a->ip, 16);
		*len = sizeof(name->v6);
	} else {
		name->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port)};
		memcpy(&name->v4.sin_addr, a->ip, 4);
		*len = sizeof(name->v4);
	}
}

static void name_get(const union name *name, struct sip_addr *a)
{
	*a = (struct sip_addr){0};
	if (name->sa.sa_family == AF_INET6) {
		a->family = 6;
		a->port = ntohs(name->v6.sin6_port);
		a->scope_id = name->v6.sin6_scope_id;
		memcpy(a->ip, &name->v6.sin6_addr, 16);
	} else {
		a->family = 4;
		a->port = ntohs(name->v4.sin_port);
		memcpy(a->ip, &name->v4.sin_addr, 4);
	}
}

/* The address that a datagram was sent to: the one of ours that answers to a broadcast or a group. */
static void local_get(struct msghdr *m, struct sip_addr *a)
{
	*a = (struct sip_addr){0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			a->family = 4;
			memcpy(a->ip, &info.ipi_spec_dst, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				return;
			a->family = 6;
			memcpy(a->ip, &info.ipi6_addr, 16);
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				a->scope_id = info.ipi6_ifindex;
		}
	}
}

static void local_set(struct msghdr *m, union control *control, const struct sip_addr *a)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	m->msg_control = control;
	if (a->family == 6) {
		struct in6_pktinfo info = {.ipi6_ifindex = a->scope_id};

		memcpy(&info.ipi6_addr, a->ip, 16);
		m->msg_controllen = CMSG_SPACE(sizeof(info));
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, a->ip, 4);
		m->msg_controllen = CMSG_SPACE(sizeof(info));
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
}

int sip_ksock_recv(struct sip_sock *s, struct sip_dgram *v, unsigned n)
{
	struct sip_ksock *k = sip_ksock_of(s);
	struct mmsghdr m[DGRAM_BATCH];
	union name names[DGRAM_BATCH];
	union control control[DGRAM_BATCH];
	int got;

	if (n > DGRAM_BATCH)
		n = DGRAM_BATCH;
	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
					       .msg_namelen = sizeof(names[i]),
					       .msg_iov = v[i].iov,
					       .msg_iovlen = v[i].iov[1].iov_len ? 2 : 1};
		if (k->pktinfo) {
			m[i].msg_hdr.msg_control = &control[i];
			m[i].msg_hdr.msg_controllen = sizeof(control[i]);
		}
	}
	got = recvmmsg(k->fd, m, n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return -errno;
	for (unsigned i = 0; i < n && i < (unsigned)got; i++) {
		v[i].len = m[i].msg_len;
		v[i].truncated = m[i].msg_hdr.msg_flags & MSG_TRUNC;
		name_get(&names[i], &v[i].peer);
		if (k->pktinfo)
			local_get(&m[i].msg_hdr, &v[i].local);
		else
			v[i].local.family = 0;
	}
	return got;
}

int sip_ksock_send(struct sip_sock *s, const struct sip_dgram *v, unsigned n)
{
	struct sip_ksock *k = sip_ksock_of(s);
	struct mmsghdr m[DGRAM_BATCH];
	union name names[DGRAM_BATCH];
	union control control[DGRAM_BATCH];
	int sent;

	if (n > DGRAM_BATCH)
		n = DGRAM_BATCH;
	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
					       .msg_iov = (struct iovec *)(uintptr_t)v[i].iov,
					       .msg_iovlen = v[i].iov[1].iov_len ? 2 : 1};
		name_set(&names[i], &v[i].peer, &m[i].msg_hdr.msg_namelen);
		if (k->pktinfo && v[i].local.family)
			local_set(&m[i].msg_hdr, &control[i], &v[i].local);
	}
	sent = sendmmsg(k->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}
