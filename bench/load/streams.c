#include "streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM 65536ul /* a window's worth of messages on one connection */

struct stream {
	int fd;
	size_t out_len, in_len;
	char out[ROOM], in[ROOM];
};

struct stream *stream_new(int fd)
{
	struct stream *s = malloc(sizeof(*s));

	if (s) {
		s->fd = fd;
		s->out_len = s->in_len = 0;
	}
	return s;
}

void stream_free(struct stream *s)
{
	free(s);
}

void stream_add(struct stream *s, const char *p, size_t len)
{
	if (s->out_len + len > ROOM)
		stream_flush(s);
	if (s->out_len + len > ROOM)
		return; /* its unit times out and is counted */
	memcpy(s->out + s->out_len, p, len);
	s->out_len += len;
}

void stream_flush(struct stream *s)
{
	ssize_t n = s->out_len ? send(s->fd, s->out, s->out_len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n <= 0)
		return;
	s->out_len -= (size_t)n;
	memmove(s->out, s->out + n, s->out_len);
}

/* The length of the message at p, 0 when it is not whole yet. */
static size_t frame(const char *p, size_t len)
{
	static const char name[] = "\r\nContent-Length:";
	const char *end = memmem(p, len, "\r\n\r\n", 4);
	const char *field = end ? memmem(p, (size_t)(end - p), name, sizeof(name) - 1) : NULL;
	size_t whole;

	if (!end)
		return 0;
	whole = (size_t)(end - p) + 4 + (field ? strtoul(field + sizeof(name) - 1, NULL, 10) : 0);
	return whole <= len ? whole : 0;
}

int stream_receive(struct stream *s, unsigned source, void (*on_message)(unsigned, char *, size_t))
{
	ssize_t n = recv(s->fd, s->in + s->in_len, ROOM - s->in_len, MSG_DONTWAIT);
	size_t at = 0, len;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	s->in_len += (size_t)n;
	while ((len = frame(s->in + at, s->in_len - at))) {
		on_message(source, s->in + at, len);
		at += len;
	}
	s->in_len -= at;
	memmove(s->in, s->in + at, s->in_len);
	stream_flush(s);
	return s->in_len < ROOM ? 0 : -1;
}
