/*
 * What a transport protocol is to the rest. UDP and TCP are here; TLS, WS and WSS fit in as stream protocols that put
 * a filter (open, read, write, close) between the socket and the framing, WS with a framing of its own.
 */
#ifndef SIP_TRANSPORT_OPS_H
#define SIP_TRANSPORT_OPS_H

#include "sip/msg.h"
#include "sip/stack.h"
#include "sip/transport/tp.h"

struct sip_conn;
struct sip_listener;

/* Where a message goes and by which way; filled by sip_route_find. */
struct sip_route {
	enum sip_transport_type type;
	struct sip_listener *listener;
	struct sip_conn *conn; /* streams; referenced; NULL: to be dialled */
	bool redial;           /* conn was found by its address: when it fails, another may be made */
	struct sip_addr remote;
	struct sip_addr source; /* datagrams: the source to use; family 0: the socket's */
	struct sip_addr local;  /* for Via and Contact */
};

/* A message's bytes on their way out. */
struct sip_outgoing {
	struct rs_str bytes;
	struct sip_tx_data *tx; /* holds bytes; NULL: bytes are copied */
	struct sip_send_result *result;
};

struct sip_transport_ops {
	enum sip_transport_type type;
	bool stream;
	/* Opens the listener's sockets; 0 or an errno. l->bound has the address to bind and gets the port. */
	int (*open)(struct sip_listener *l);
	int (*start)(struct sip_listener *l); /* begins to read them; 0 or an errno */
	void (*close)(struct sip_listener *l);
	/* 0 or an errno (then the result will not be called). */
	int (*send)(struct sip_route *route, const struct sip_outgoing *out);

	/* Streams: the filter between socket and framing. open begins the handshake (NULL: none); EAGAIN in it goes on
	 * at the next readiness. */
	int (*filter_open)(struct sip_conn *c);
	ssize_t (*filter_read)(struct sip_conn *c, void *buf, size_t n);
	ssize_t (*filter_write)(struct sip_conn *c, const struct iovec *iov, unsigned n);
	void (*filter_close)(struct sip_conn *c);
	enum sip_parse_result (*frame)(struct rs_str bytes, size_t *from, size_t *length, size_t *need);
};

extern const struct sip_transport_ops sip_udp_ops, sip_tcp_ops;
const struct sip_transport_ops *sip_transport_ops(enum sip_transport_type type); /* NULL: not there */

#endif
