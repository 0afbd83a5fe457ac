/*
 * The generator's sockets: many UDP sockets, or many TCP connections, to one server on loopback. What is sent is
 * collected and leaves in batches; one thread only.
 */
#ifndef BENCH_SOURCES_H
#define BENCH_SOURCES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_DATAGRAM 2048 /* all messages of the bench are shorter */

/* n sockets, connected to server. 0, or -1 with the reason on stderr. */
int sources_open(unsigned n, bool tcp, const struct sockaddr_in *server);
void sources_close(void);
unsigned source_port(unsigned source);
bool sources_are_tcp(void);

/* Collects a message; p must stay as it is until the next sources_flush. */
void source_send(unsigned source, const char *p, size_t len);
/* Room that stays until the next flush, MAX_DATAGRAM bytes, for a message that nobody else keeps. */
char *source_room(unsigned source);
void sources_flush(void);

/* Hands out what has come; how many sources had something. The message is the callee's to change until it returns. */
int sources_poll(void (*on_message)(unsigned source, char *p, size_t len));

#endif
