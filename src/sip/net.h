/*
 * The network of the environment: what the transports need from sockets, so that a simulation can take the kernel's
 * place. An implementation calls sock->ready on a pool thread (or the stepping thread) when something that was armed
 * can be done; a socket is disarmed by that until the next arm.
 */
#ifndef SIP_NET_H
#define SIP_NET_H

#include "sip/addr.h"

#include <sys/uio.h>

struct sip_sock {
	void *token; /* the transport's */
	void (*ready)(struct sip_sock *s, unsigned events);
	void (*closed)(struct sip_sock *s,
		       void *token); /* the last call, after close; s is gone when it returns. May be NULL */
};
enum { SIP_SOCK_READ = 1, SIP_SOCK_WRITE = 2 };

struct sip_dgram {
	struct sip_addr peer;  /* from / to */
	struct sip_addr local; /* received: the address it was sent to; sent: the source to use (family 0: any) */
	struct iovec iov[2];   /* buffers; on receive filled in order */
	size_t len;            /* bytes received / to send */
	bool truncated;
};

struct sip_sock_opts {
	struct sip_addr bind;
	uint8_t tos, cos;
	bool reuse_port; /* several sockets on one address: one a core */
	bool keepalive;
	int keepalive_idle, keepalive_interval, keepalive_count;
	int rcvbuf, sndbuf; /* bytes; 0: the system's */
	int backlog;
};

struct sip_net_ops {
	/* 0 or an errno in all calls; IPv6 sockets are V6ONLY. */
	int (*udp_open)(void *net, const struct sip_sock_opts *opts, struct sip_sock **out);
	int (*tcp_listen)(void *net, const struct sip_sock_opts *opts, struct sip_sock **out);
	int (*tcp_accept)(struct sip_sock *listener, const struct sip_sock_opts *opts, struct sip_sock **out,
			  struct sip_addr *peer);
	int (*tcp_connect)(void *net, const struct sip_sock_opts *opts, const struct sip_addr *peer,
			   struct sip_sock **out);
	int (*connect_result)(struct sip_sock *s); /* after the first WRITE readiness: 0 or why it failed */
	int (*local)(struct sip_sock *s, struct sip_addr *out);
	/* Datagrams; the count, or a negative errno (-EAGAIN). send: an errno belongs to v[0]; fewer than n sent: ask
	 * again with the rest. */
	int (*recv)(struct sip_sock *s, struct sip_dgram *v, unsigned n);
	int (*send)(struct sip_sock *s, const struct sip_dgram *v, unsigned n);
	/* Streams; bytes, 0 at the end of the stream (read), or a negative errno. */
	ssize_t (*read)(struct sip_sock *s, void *buf, size_t n);
	ssize_t (*write)(struct sip_sock *s, const struct iovec *iov, unsigned n);
	/* One-shot; replaces what was armed before. Never calls ready itself: the transport holds a lock of its own
	 * here. */
	int (*arm)(struct sip_sock *s, unsigned events);
	/* closed follows as a task or from a pool thread, never from within close; no ready after it. Nothing else is
	 * called for s after close. An error or a hang-up of the peer is reported as whatever was armed. */
	void (*close)(struct sip_sock *s);
	/* The source address that the route to peer uses (port 0). */
	int (*source_for)(void *net, const struct sip_addr *peer, struct sip_addr *out);
};

/* The kernel's. token NULL. */
extern const struct sip_net_ops sip_net_kernel;

#endif
