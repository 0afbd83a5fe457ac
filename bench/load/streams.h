/* One TCP connection of the generator: what is sent is collected, what comes is cut at the ends of messages. */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "sources.h"

struct stream;

struct stream *stream_new(int fd); /* fd stays the caller's */
void stream_free(struct stream *s);
void stream_add(struct stream *s, const char *p, size_t len);
/* What the kernel does not take now goes with the next flush, or when something comes. */
void stream_flush(struct stream *s);
/* Reads once and hands out whole messages. -1: the connection has ended. */
int stream_receive(struct stream *s, unsigned source, void (*on_message)(unsigned, char *, size_t));

#endif
