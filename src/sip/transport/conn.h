/*
 * Stream connections. A connection is found by its flow id or by (protocol, remote address), is reference-counted, and
 * closes once: whoever comes later finds it closed. Its lock guards the fields marked so, and is never held across a
 * read, a write or a callback.
 */
#ifndef SIP_TRANSPORT_CONN_H
#define SIP_TRANSPORT_CONN_H

#include "base/taskpool.h"
#include "sip/transport/listener.h"
#include "sip/transport/transport_ops.h"

enum sip_conn_state { SIP_CONN_CONNECTING, SIP_CONN_OPEN, SIP_CONN_LINGER, SIP_CONN_CLOSED };

/* A message that waits for the socket. */
struct sip_conn_out {
	struct sip_conn_out *next;
	struct sip_send_result *result;
	size_t len, off; /* off: bytes already written */
	char bytes[];
};

struct sip_flow_watch; /* watch.h */

struct sip_conn {
	uint32_t magic;
	_Atomic uint32_t refs;
	sip_flow_id id;
	const struct sip_transport_ops *ops;
	struct sip_listener *listener;
	struct sip_sock *sock;
	void *filter;                  /* the protocol's */
	struct sip_addr local, remote; /* local with the listener's port */
	bool inbound;

	/* The tables' (conn_table.c). */
	struct sip_conn *addr_next;
	bool by_addr, by_id;

	pthread_mutex_t lock;
	enum sip_conn_state state;         /* lock */
	bool reading, writing;             /* lock: a thread is at it */
	bool want_write;                   /* lock: the socket was full */
	bool read_paused;                  /* lock: nothing is read, too much is queued */
	struct sip_conn_out *head, **tail; /* lock: the writer takes from the head */
	size_t queued;                     /* lock: bytes */
	_Atomic int64_t stalled_us;        /* something has waited since then and nothing was taken; 0: nothing waits */
	struct sip_flow_watch *watches;    /* lock */
	int error;                         /* lock: why it closed */

	/* The reader's. */
	char *buf;
	size_t len, cap;
	size_t scan, need; /* how far the framing has looked; bytes it waits for */
	unsigned crlf;     /* how much of CRLF CRLF has come since the last message */

	/* For the deadlines: written by reader and writer, read by the timer. */
	_Atomic int64_t active_us;     /* the last traffic */
	_Atomic int64_t half_us;       /* since when half a message waits, or there was none yet; 0: no */
	_Atomic int64_t keep_alive_us; /* the last ping of ours */
	_Atomic bool pong_due;         /* which was not answered yet */

	struct rs_serializer serializer; /* the timer's */
	struct rs_timer timer;
	struct rs_task begin_task, linger_task, close_task;
};

struct sip_conn *sip_conn_ref(struct sip_conn *c);
void sip_conn_unref(struct sip_conn *c);
/* By flow id; referenced; NULL: gone. */
struct sip_conn *sip_conn_get(sip_flow_id id);
void sip_conn_info(const struct sip_conn *c, struct sip_flow_info *out);
/* An open (or connecting) connection to remote; listener NULL: of any. Referenced; NULL: none. */
struct sip_conn *sip_conn_find(const struct sip_transport_ops *ops, const struct sip_addr *remote,
			       const struct sip_listener *listener);

/* Dials. 0 and *out referenced, or an errno. */
int sip_conn_dial(struct sip_listener *l, const struct sip_addr *remote, struct sip_conn **out);
/* A connection that was accepted; takes over sock in every case. */
void sip_conn_accepted(struct sip_listener *l, struct sip_sock *sock, const struct sip_addr *remote);
/* Sends or queues; 0 or an errno (result is not called then). */
int sip_conn_send(struct sip_conn *c, struct rs_str bytes, struct sip_send_result *result);
/* Once; error tells what is queued why. */
void sip_conn_close(struct sip_conn *c, int error, const char *why);
/* Takes no more messages, but reads on for a moment, so that no answer is lost by a reset, then closes. */
void sip_conn_linger(struct sip_conn *c);
/* All connections of l (NULL: of all listeners). */
void sip_conns_close(struct sip_listener *l);

/* ---- conn.c, conn_read.c, conn_write.c, between themselves ---- */

void sip_conn_ready(struct sip_sock *s, unsigned events);
void sip_conn_read(struct sip_conn *c); /* reading is set by the caller */
/* Writes what is queued, when the caller is the writer (writing is set); drops the lock for that, and at the end. */
void sip_conn_write_unlock(struct sip_conn *c);
int sip_conn_arm_locked(struct sip_conn *c); /* 0 or an errno */
/* Nobody writes any more: gives the socket back. */
void sip_conn_sock_close(struct sip_conn *c);
void sip_conn_fail_queue(struct sip_conn_out *head, int error);

/* ---- conn_table.c ---- */

enum sip_conn_admit { SIP_CONN_OK, SIP_CONN_TOO_MANY, SIP_CONN_TOO_MANY_PEER };
/* Counts a connection against the caps (the one of its peer only when peer_cap). */
enum sip_conn_admit sip_conn_count_add(const struct sip_addr *remote, bool peer_cap);
void sip_conn_count_remove(const struct sip_addr *remote);
/*
 * Gives it its id; the table takes a reference. existing (may be NULL): when there is one already to that remote of
 * the same listener, c is not added and *existing is that one, referenced. 0, ENOMEM or EEXIST.
 */
int sip_conn_table_add(struct sip_conn *c, struct sip_conn **existing);
/* It is no longer found by its remote address. */
void sip_conn_table_hide(struct sip_conn *c);
void sip_conn_table_remove(struct sip_conn *c); /* gives the table's reference back */
struct sip_conn *sip_conn_get_index(uint32_t index);
/* The next id in use after *at (start with 0), referenced; NULL at the end. */
struct sip_conn *sip_conn_table_next(uint32_t *at);
void sip_conn_table_clear(void);

/* ---- watch.c ---- */

/* Takes the list of a closed connection and tells everyone. */
void sip_watches_fire(struct sip_flow_watch *list);
/* A UDP listener was closed: its paths have none any more. */
void sip_watches_udp_closed(void);

#endif
