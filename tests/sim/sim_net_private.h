/* What the files of the simulated network share. */
#ifndef SIM_NET_PRIVATE_H
#define SIM_NET_PRIVATE_H

#include "sim_net.h"
#include "sim_queue.h"
#include "sim_rng.h"

#include "base/taskpool.h"

struct tcp_conn;

struct dgram {
	struct sim_event event;
	struct dgram *next;
	struct sip_addr from, to;
	size_t len;
	char bytes[];
};

/* One end of a stream. */
struct tcp_end {
	struct tcp_conn *conn;
	struct sip_addr addr;
	struct net_sock *sock; /* the server's, or … */
	struct sim_peer *peer; /* … a peer's; both NULL: closed by its owner */
	char *rx;              /* arrived, not read */
	size_t rx_len, rx_cap;
	size_t coming; /* bytes on their way to this end */
	size_t window;
	struct tcp_segment *head, **tail; /* on their way to this end, in order */
	struct sim_event pump;
	unsigned attempts; /* of the head */
	bool connected, fin_sent, fin_arrived;
	int error;
};

struct tcp_conn {
	struct tcp_end end[2]; /* 0 dialled, 1 answered */
	unsigned refs;         /* owners of ends, queued events */
	bool vanished;         /* an end is gone without a word */
	struct sim_event keepalive;
	struct tcp_conn *next, **prev;
};

enum sock_kind { SOCK_UDP, SOCK_LISTENER, SOCK_STREAM_END };

/* A socket of the server. */
struct net_sock {
	struct sip_sock base;
	enum sock_kind kind;
	struct sip_addr addr;
	bool reuse_port, closing, task_queued;
	unsigned armed, fired;
	struct rs_task task;
	struct net_sock *next, **prev;
	/* UDP */
	struct dgram *q_head, **q_tail;
	unsigned q_len;
	bool busy; /* the send buffer is said to be full */
	struct sim_event unbusy;
	/* listener */
	struct net_sock *accept_head, **accept_tail, *accept_next;
	unsigned waiting, backlog;
	/* stream */
	struct tcp_end *end;
	int keepalive_s; /* 0: off; else until a dead peer is found */
};

enum peer_kind { PEER_UDP, PEER_LISTENER, PEER_STREAM };

struct sim_peer {
	enum peer_kind kind;
	const struct sim_peer_ops *ops;
	void *token;
	struct sip_addr addr;
	struct tcp_end *end;
	bool paused, closed;
	bool up_told, end_told; /* of what the owner has heard */
	unsigned depth;         /* callbacks under way: freed after the last */
	char *early;            /* written before the connection stood */
	size_t early_len;
	bool early_fin;
	struct sim_peer *next, **prev;
};

struct sim_net {
	struct sim_rng rng;
	struct net_sock *socks;
	struct sim_peer *peers;
	struct tcp_conn *conns;
	struct sip_addr own[16];
	unsigned n_own;
	uint16_t next_port;
};
extern struct sim_net sim_net;
extern const struct sim_net_watch *net_watch; /* may be NULL */

/* sim_net.c */
struct sip_addr net_addr(const char *text);
struct sim_link *net_link_of(const struct sip_addr *a, const struct sip_addr *b);
int64_t net_delay(const struct sim_link *link);
bool net_is_own(const struct sip_addr *ip);
bool net_host_exists(const struct sip_addr *ip);
struct sim_peer *net_find_peer(enum peer_kind kind, const struct sip_addr *addr);
struct net_sock *net_find_sock(enum sock_kind kind, const struct sip_addr *addr, const struct sip_addr *from);
uint16_t net_pick_port(void);
int net_source_for(void *net, const struct sip_addr *peer, struct sip_addr *out);
/* Checks a bind address, picks the port; 0 or an errno. */
int net_bind(enum sock_kind kind, const struct sip_sock_opts *opts, struct sip_addr *out);
void *net_alloc(size_t size);

/* sim_sock.c */
struct net_sock *net_sock_new(enum sock_kind kind, const struct sip_addr *addr);
/* Something may have become possible: tells the owner when that was armed. */
void net_sock_poll(struct net_sock *s);
void net_sock_unqueue_accept(struct net_sock *listener, struct net_sock *s);

/* sim_udp.c */
int udp_open(void *net, const struct sip_sock_opts *opts, struct sip_sock **out);
int udp_recv(struct sip_sock *s, struct sip_dgram *v, unsigned n);
int udp_send(struct sip_sock *s, const struct sip_dgram *v, unsigned n);
void udp_transmit(const struct sip_addr *from, const struct sip_addr *to, const struct iovec *iov, unsigned n);

/* sim_tcp.c: the connections */
struct tcp_end *tcp_dial(const struct sip_addr *from, const struct sip_addr *to);
size_t tcp_room(const struct tcp_end *sender);
void tcp_push(struct tcp_end *sender, const char *bytes, size_t n);
void tcp_fin(struct tcp_end *sender);
/* The owner lets go: FIN, or RST when unread bytes are left or reset is true. */
void tcp_end_close(struct tcp_end *end, bool reset);
void tcp_end_fail(struct tcp_end *end, int error);
void tcp_consume(struct tcp_end *end, size_t n);
void tcp_notify(struct tcp_end *end);
void tcp_link_cut(void);
void tcp_stop(void);

/* sim_stream.c: the server's view of them */
int stream_listen(void *net, const struct sip_sock_opts *opts, struct sip_sock **out);
int stream_accept(struct sip_sock *listener, const struct sip_sock_opts *opts, struct sip_sock **out,
		  struct sip_addr *peer);
int stream_connect(void *net, const struct sip_sock_opts *opts, const struct sip_addr *peer, struct sip_sock **out);
int stream_connect_result(struct sip_sock *s);
ssize_t stream_read(struct sip_sock *s, void *buf, size_t n);
ssize_t stream_write(struct sip_sock *s, const struct iovec *iov, unsigned n);
/* The other end's address. */
const struct sip_addr *stream_peer(const struct net_sock *s);
/* A connection that came in for listener: a stream socket that waits to be accepted. */
bool stream_has_room(const struct net_sock *listener);
void stream_offer(struct net_sock *listener, struct tcp_end *end);

/* sim_peer.c */
void peer_offer(struct sim_peer *listener, struct tcp_end *end);
void peer_notify(struct sim_peer *p);
void peer_datagram(struct sim_peer *p, const struct dgram *d);
void peers_stop(void);

#endif
