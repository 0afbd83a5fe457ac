/* Sockets, epoll, and UDP in batches. Streams are in streams.c. */
#include "streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH        64
#define EVENTS       256
#define MAX_GATHERED 32768
#define BUFFER       (4 << 20) /* the generator loses nothing on its own side */

struct source {
	int fd;
	unsigned port;
	unsigned n; /* collected datagrams */
	bool dirty;
	struct iovec iov[BATCH];
	char (*rooms)[MAX_DATAGRAM];
	struct stream *stream;
};

static struct source *sources;
static unsigned n_sources;
static bool tcp;
static int epoll_fd = -1;
static unsigned *dirty;
static unsigned n_dirty;

static int open_one(struct source *s, const struct sockaddr_in *server)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(own);
	int size = BUFFER;

	s->fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&own, sizeof(own)) ||
	    connect(s->fd, (const struct sockaddr *)server, sizeof(*server)) ||
	    getsockname(s->fd, (struct sockaddr *)&own, &len))
		return -1;
	if (!tcp)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	s->port = ntohs(own.sin_port);
	if (tcp) {
		s->stream = stream_new(s->fd);
		return s->stream ? 0 : -1;
	}
	s->rooms = malloc(BATCH * sizeof(*s->rooms));
	return s->rooms ? 0 : -1;
}

int sources_open(unsigned n, bool with_tcp, const struct sockaddr_in *server)
{
	tcp = with_tcp;
	sources = calloc(n, sizeof(*sources));
	dirty = calloc(n, sizeof(*dirty));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (n_sources = 0; sources && dirty && n_sources < n; n_sources++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = n_sources};

		if (open_one(&sources[n_sources], server) ||
		    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, sources[n_sources].fd, &e))
			break;
	}
	if (n_sources == n)
		return 0;
	fprintf(stderr, "source %u: %s\n", n_sources, strerror(errno));
	return -1;
}

void sources_close(void)
{
	for (unsigned i = 0; i < n_sources; i++) {
		close(sources[i].fd);
		free(sources[i].rooms);
		stream_free(sources[i].stream);
	}
	free(sources);
	free(dirty);
	close(epoll_fd);
}

unsigned source_port(unsigned source)
{
	return sources[source].port;
}

bool sources_are_tcp(void)
{
	return tcp;
}

/* Control data that tells the kernel to cut what is sent into datagrams of so many bytes. */
union segment {
	char room[CMSG_SPACE(sizeof(uint16_t))];
	struct cmsghdr align;
};

static void set_segment(struct msghdr *m, union segment *control, size_t bytes)
{
	struct cmsghdr *c = &control->align;
	uint16_t size = (uint16_t)bytes;

	*c = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(size))};
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	m->msg_control = control;
	m->msg_controllen = sizeof(control->room);
}

/*
 * Datagrams of one length that follow each other go through the kernel's stack as one and are cut just before the
 * server's socket: the generator must cost less than a server that does nothing, else the floor is never loaded fully.
 */
static unsigned gather(struct source *s, struct mmsghdr *m, union segment *control)
{
	unsigned n = 0;

	for (unsigned i = 0, next; i < s->n; i = next, n++) {
		size_t size = s->iov[i].iov_len;

		next = i + 1;
		while (next < s->n && s->iov[next].iov_len == size && (next - i + 1) * size <= MAX_GATHERED)
			next++;
		m[n] = (struct mmsghdr){.msg_hdr = {.msg_iov = &s->iov[i], .msg_iovlen = next - i}};
		if (next - i > 1)
			set_segment(&m[n].msg_hdr, &control[n], size);
	}
	return n;
}

static void flush_datagrams(struct source *s)
{
	struct mmsghdr m[BATCH];
	union segment control[BATCH];
	unsigned n = gather(s, m, control), done = 0, fruitless = 0;

	/* ECONNREFUSED is an earlier datagram's; a server that is gone must not hold us here. */
	while (done < n && fruitless < BATCH) {
		int r = sendmmsg(s->fd, m + done, n - done, 0);

		if (r > 0)
			done += (unsigned)r;
		else
			fruitless++;
	}
	s->n = 0;
}

static void flush(struct source *s)
{
	if (tcp)
		stream_flush(s->stream);
	else if (s->n)
		flush_datagrams(s);
}

static struct source *collect(unsigned source)
{
	struct source *s = &sources[source];

	if (s->n == BATCH)
		flush_datagrams(s);
	if (!s->dirty) {
		s->dirty = true;
		dirty[n_dirty++] = source;
	}
	return s;
}

void source_send(unsigned source, const char *p, size_t len)
{
	struct source *s = collect(source);

	if (tcp)
		stream_add(s->stream, p, len);
	else
		s->iov[s->n++] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
}

char *source_room(unsigned source)
{
	static char stream_room[MAX_DATAGRAM];

	return tcp ? stream_room : collect(source)->rooms[sources[source].n];
}

void sources_flush(void)
{
	for (unsigned i = 0; i < n_dirty; i++) {
		flush(&sources[dirty[i]]);
		sources[dirty[i]].dirty = false;
	}
	n_dirty = 0;
}

static void receive(unsigned source, void (*on_message)(unsigned, char *, size_t))
{
	static char buf[BATCH][MAX_DATAGRAM];
	static struct iovec iov[BATCH];
	static struct mmsghdr m[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH && !iov[i].iov_base; i++) {
		iov[i] = (struct iovec){.iov_base = buf[i], .iov_len = sizeof(buf[i])};
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
	}
	n = recvmmsg(sources[source].fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		on_message(source, buf[i], m[i].msg_len);
}

int sources_poll(void (*on_message)(unsigned source, char *p, size_t len))
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		unsigned source = events[i].data.u32;

		if (!tcp)
			receive(source, on_message);
		else if (stream_receive(sources[source].stream, source, on_message))
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, sources[source].fd, NULL);
	}
	return n;
}
