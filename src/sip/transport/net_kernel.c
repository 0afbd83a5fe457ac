/* The kernel's sockets behind sip/net.h: opening them, and readiness through the taskpool's epoll. */
#include "sip/transport/net_kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void poll_ready(struct rs_poll *p, uint32_t events)
{
	struct sip_ksock *k = rs_container_of(p, struct sip_ksock, poll);
	unsigned armed = atomic_load_explicit(&k->armed, memory_order_acquire), got = 0;

	if (events & EPOLLIN)
		got |= SIP_SOCK_READ;
	if (events & EPOLLOUT)
		got |= SIP_SOCK_WRITE;
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		got |= armed;
	k->s.ready(&k->s, got & armed);
}

static int kernel_arm(struct sip_sock *s, unsigned events)
{
	struct sip_ksock *k = sip_ksock_of(s);
	uint32_t bits = 0;
	int error;

	if (events & SIP_SOCK_READ)
		bits |= EPOLLIN | EPOLLRDHUP;
	if (events & SIP_SOCK_WRITE)
		bits |= EPOLLOUT;
	atomic_store_explicit(&k->armed, events, memory_order_release);
	if (k->polled)
		return rs_poll_arm(&k->poll, bits);
	error = rs_poll_add(&k->poll, k->fd, poll_ready, bits);
	k->polled = !error;
	return error;
}

/*
 * Our own datagram sockets, those included that are about to be closed. SO_REUSEPORT would also let another program of
 * the same user in, and half of the phones would talk to it: only an address that is ours already is shared.
 */
static pthread_mutex_t bound_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sip_ksock *bound_first;

static bool bound_by_us(const struct sip_addr *a)
{
	bool ours = false;

	pthread_mutex_lock(&bound_lock);
	for (struct sip_ksock *k = bound_first; k && !ours; k = k->next_bound)
		ours = sip_addr_eq(&k->bound, a);
	pthread_mutex_unlock(&bound_lock);
	return ours;
}

static void bound_add(struct sip_ksock *k, const struct sip_addr *a)
{
	pthread_mutex_lock(&bound_lock);
	k->bound = *a;
	k->next_bound = bound_first;
	bound_first = k;
	pthread_mutex_unlock(&bound_lock);
}

static void bound_remove(struct sip_ksock *k)
{
	pthread_mutex_lock(&bound_lock);
	for (struct sip_ksock **link = &bound_first; *link; link = &(*link)->next_bound) {
		if (*link == k) {
			*link = k->next_bound;
			break;
		}
	}
	pthread_mutex_unlock(&bound_lock);
}

static void finish_close(struct sip_ksock *k)
{
	if (!k->stream)
		bound_remove(k);
	close(k->fd);
	if (k->s.closed)
		k->s.closed(&k->s, k->s.token);
	free(k);
}

static void poll_removed(struct rs_poll *p)
{
	finish_close(rs_container_of(p, struct sip_ksock, poll));
}

static void run_close(struct rs_task *t)
{
	finish_close(rs_container_of(t, struct sip_ksock, task));
}

static void kernel_close(struct sip_sock *s)
{
	struct sip_ksock *k = sip_ksock_of(s);

	/* The descriptor itself goes when no thread can be on its way into ready, which may take as long as a task
	 * takes: the peer need not wait for that, nor a listener that takes over the address. */
	if (k->stream)
		shutdown(k->fd, SHUT_RDWR);
	if (k->polled) {
		rs_poll_remove(&k->poll, poll_removed);
		return;
	}
	k->task.run = run_close;
	k->task.name = "socket close";
	rs_push(NULL, &k->task);
}

static struct sip_ksock *ksock_new(int fd, uint8_t family, bool stream)
{
	struct sip_ksock *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->fd = fd;
	k->family = family;
	k->stream = stream;
	return k;
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? errno : 0;
}

/* What the configuration asks of any socket; none of it is worth failing for, except the family's own. */
static int set_common(int fd, const struct sip_sock_opts *o, uint8_t family)
{
	if (family == 6) {
		int error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

		if (error)
			return error;
		if (o->tos)
			(void)set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, o->tos);
	} else if (o->tos) {
		(void)set_int(fd, IPPROTO_IP, IP_TOS, o->tos);
	}
	if (o->cos)
		(void)set_int(fd, SOL_SOCKET, SO_PRIORITY, o->cos);
	if (o->rcvbuf > 0)
		(void)set_int(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
	if (o->sndbuf > 0)
		(void)set_int(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf);
	return 0;
}

static void set_stream(int fd, const struct sip_sock_opts *o)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!o->keepalive)
		return;
	(void)set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (o->keepalive_idle > 0)
		(void)set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepalive_idle);
	if (o->keepalive_interval > 0)
		(void)set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepalive_interval);
	if (o->keepalive_count > 0)
		(void)set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepalive_count);
}

static int bind_to(int fd, const struct sip_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sip_addr_to_sockaddr(a, &ss);

	return bind(fd, (const struct sockaddr *)&ss, len) < 0 ? errno : 0;
}

static int open_socket(const struct sip_sock_opts *o, uint8_t family, int type)
{
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = set_common(fd, o, family);
	if (error) {
		close(fd);
		return -error;
	}
	return fd;
}

/*
 * Several sockets share a port only when each said so before its bind; the first of ours says it after, so that it is
 * refused when somebody else has the address.
 */
static int bind_shared(int fd, const struct sip_sock_opts *o)
{
	int error;

	if (o->reuse_port && o->bind.port && bound_by_us(&o->bind)) {
		error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		return error ? error : bind_to(fd, &o->bind);
	}
	error = bind_to(fd, &o->bind);
	if (!error && o->reuse_port)
		error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return error;
}

static int kernel_local(struct sip_sock *s, struct sip_addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(sip_ksock_of(s)->fd, (struct sockaddr *)&ss, &len) < 0)
		return errno;
	sip_addr_from_sockaddr((const struct sockaddr *)&ss, out);
	return 0;
}

static int kernel_udp_open(void *net, const struct sip_sock_opts *o, struct sip_sock **out)
{
	int fd = open_socket(o, o->bind.family, SOCK_DGRAM), error;
	struct sip_addr bound;
	struct sip_ksock *k;

	(void)net;
	if (fd < 0)
		return -fd;
	error = bind_shared(fd, o);
	if (!error && sip_addr_is_any(&o->bind))
		error = o->bind.family == 6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
					    : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	k = error ? NULL : ksock_new(fd, o->bind.family, false);
	if (!k) {
		close(fd);
		return error ? error : ENOMEM;
	}
	k->pktinfo = sip_addr_is_any(&o->bind);
	/* With the port that the system chose. */
	bound_add(k, kernel_local(&k->s, &bound) ? &o->bind : &bound);
	*out = &k->s;
	return 0;
}

static int kernel_tcp_listen(void *net, const struct sip_sock_opts *o, struct sip_sock **out)
{
	int fd = open_socket(o, o->bind.family, SOCK_STREAM), error;
	struct sip_ksock *k;

	(void)net;
	if (fd < 0)
		return -fd;
	/* A restarted server takes its port back from the connections that its predecessor left in TIME_WAIT. */
	error = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!error)
		error = bind_to(fd, &o->bind);
	if (!error && listen(fd, o->backlog > 0 ? o->backlog : SOMAXCONN) < 0)
		error = errno;
	k = error ? NULL : ksock_new(fd, o->bind.family, true);
	if (!k) {
		close(fd);
		return error ? error : ENOMEM;
	}
	*out = &k->s;
	return 0;
}

static int kernel_tcp_accept(struct sip_sock *listener, const struct sip_sock_opts *o, struct sip_sock **out,
			     struct sip_addr *peer)
{
	struct sip_ksock *l = sip_ksock_of(listener), *k;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno;
	k = ksock_new(fd, l->family, true);
	if (!k) {
		close(fd);
		return ENOMEM;
	}
	set_stream(fd, o);
	sip_addr_from_sockaddr((const struct sockaddr *)&ss, peer);
	*out = &k->s;
	return 0;
}

static int kernel_tcp_connect(void *net, const struct sip_sock_opts *o, const struct sip_addr *peer,
			      struct sip_sock **out)
{
	int fd = open_socket(o, peer->family, SOCK_STREAM), error = 0;
	struct sockaddr_storage ss;
	struct sip_ksock *k;
	socklen_t len;

	(void)net;
	if (fd < 0)
		return -fd;
	set_stream(fd, o);
	if (o->bind.family && !sip_addr_is_any(&o->bind)) {
		/* The port is chosen with the peer known, so that one address can dial more than its 28,000 ports. */
		(void)set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		error = bind_to(fd, &o->bind);
	}
	len = sip_addr_to_sockaddr(peer, &ss);
	if (!error && connect(fd, (const struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		error = errno;
	k = error ? NULL : ksock_new(fd, peer->family, true);
	if (!k) {
		close(fd);
		return error ? error : ENOMEM;
	}
	*out = &k->s;
	return 0;
}

static int kernel_connect_result(struct sip_sock *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(sip_ksock_of(s)->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

static ssize_t kernel_read(struct sip_sock *s, void *buf, size_t n)
{
	ssize_t got;

	do {
		got = recv(sip_ksock_of(s)->fd, buf, n, 0);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t kernel_write(struct sip_sock *s, const struct iovec *iov, unsigned n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};
	ssize_t sent;

	do {
		sent = sendmsg(sip_ksock_of(s)->fd, &m, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

static int kernel_source_for(void *net, const struct sip_addr *peer, struct sip_addr *out)
{
	struct sip_addr to = *peer;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(peer->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	(void)net;
	if (fd < 0)
		return errno;
	if (!to.port)
		to.port = 5060;
	len = sip_addr_to_sockaddr(&to, &ss);
	/* Connecting a datagram socket sends nothing: it looks the route up. */
	if (connect(fd, (const struct sockaddr *)&ss, len) < 0)
		error = errno;
	len = sizeof(ss);
	if (!error && getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		error = errno;
	close(fd);
	if (error)
		return error;
	sip_addr_from_sockaddr((const struct sockaddr *)&ss, out);
	out->port = 0;
	return 0;
}

const struct sip_net_ops sip_net_kernel = {
	.udp_open = kernel_udp_open,
	.tcp_listen = kernel_tcp_listen,
	.tcp_accept = kernel_tcp_accept,
	.tcp_connect = kernel_tcp_connect,
	.connect_result = kernel_connect_result,
	.local = kernel_local,
	.recv = sip_ksock_recv,
	.send = sip_ksock_send,
	.read = kernel_read,
	.write = kernel_write,
	.arm = kernel_arm,
	.close = kernel_close,
	.source_for = kernel_source_for,
};
