/*
 * The simulated network: struct sip_net_ops in process, for the server, and peers that a test plays phones with. What
 * is lost, doubled, delayed, cut into segments is decided by the seed and the settings of the link. Nothing happens by
 * itself: every arrival is an event of sim_queue.h, the server's sockets become ready as tasks of the pool's
 * deterministic mode. One thread.
 *
 *   sim_net_add_address("10.0.0.1");          // the server's
 *   sim_net_link(NULL, NULL)->loss = 100;     // a tenth of all packets
 *   struct sim_peer *phone = sim_peer_udp_open("10.0.0.2:5060", &ops, token);
 *   sim_peer_send_to(phone, "10.0.0.1:5060", RS_STR("OPTIONS …"));
 *
 * Addresses are texts as sip_addr_parse reads them; a text that is none aborts the test.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sip/net.h"

/* How packets travel between two addresses. Chances in permille, times in microseconds. */
struct sim_link {
	unsigned loss;      /* UDP: gone. TCP: the segment comes a retransmission timeout later */
	unsigned duplicate; /* UDP: comes twice */
	unsigned reorder;   /* UDP: comes up to reorder_us later than its delay says */
	int64_t delay_min, delay_max, reorder_us;
	unsigned segment; /* TCP: the longest piece that arrives at once; 0: 1460. Shorter ones are drawn by the seed */
	unsigned busy;    /* chance that the server's send finds the socket's buffer full (EAGAIN) */
	bool cut;         /* nothing passes; see sim_net_cut */
	int connect_error; /* errno of every connect over it, after a delay; 0: by what is there */
};

/* Afterwards: no addresses, no sockets, one default link: no loss, 100 … 2,000 us. */
void sim_net_start(uint64_t seed);
/* Frees everything, peers too. The server's sockets must be closed. */
void sim_net_stop(void);
/* How many sockets the server has not closed. */
unsigned sim_net_open_sockets(void);

/* The server's addresses: binds and sources. Taken away, packets to it vanish and its connections go silent. */
void sim_net_add_address(const char *ip);
void sim_net_remove_address(const char *ip);

/*
 * The settings between a and b, both ways: the first call for a pair copies what held before. b NULL: between a and
 * everyone; both NULL: the default. A pair comes before a single address, that before the default. The pointer stays
 * valid.
 */
struct sim_link *sim_net_link(const char *a, const char *b);
/* Cuts (or mends) the link. A connection over a cut link retransmits, and fails with ETIMEDOUT when it stays cut. */
void sim_net_cut(const char *a, const char *b, bool cut);

/* The server's network; the token is NULL. */
extern const struct sip_net_ops sim_net_ops;

/*
 * Hears of everything that passes between the server's sockets and the network: a whole datagram, or the next bytes of
 * a stream (which is named by its two addresses until closed). One at a time; NULL: nobody. sim_net_start clears it.
 */
struct sim_net_watch {
	void (*sent)(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes);
	void (*received)(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes);
	void (*closed)(const struct sip_addr *server, const struct sip_addr *peer); /* by the server */
};
void sim_net_set_watch(const struct sim_net_watch *watch);

/* ---- the phones' side ---- */

struct sim_peer;
struct sim_peer_ops {
	/* A datagram, or the next bytes of a stream. from is NULL for a stream. */
	void (*receive)(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes);
	/* A stream that was dialled: 0, or why it failed (the peer is of no use then, but still to be closed). */
	void (*connected)(struct sim_peer *p, void *token, int error);
	/* A listener: the new stream; its ops and token are the listener's until sim_peer_set. */
	void (*accepted)(struct sim_peer *listener, void *token, struct sim_peer *stream);
	/* A stream: 0, the server sends no more; else it was reset or timed out. The peer is still to be closed. */
	void (*ended)(struct sim_peer *p, void *token, int error);
};

struct sim_peer *sim_peer_udp_open(const char *address, const struct sim_peer_ops *ops, void *token);
struct sim_peer *sim_peer_tcp_listen(const char *address, const struct sim_peer_ops *ops, void *token);
/* from may have port 0: one is picked. What is sent before connected is called waits for it. */
struct sim_peer *sim_peer_tcp_connect(const char *from, const char *to, const struct sim_peer_ops *ops, void *token);
void sim_peer_set(struct sim_peer *p, const struct sim_peer_ops *ops, void *token);
void sim_peer_set_token(struct sim_peer *p, void *token);
void *sim_peer_token(struct sim_peer *p);
const struct sip_addr *sim_peer_address(const struct sim_peer *p);
/* A datagram. bytes are copied. */
void sim_peer_send(struct sim_peer *p, const struct sip_addr *to, struct rs_str bytes);
void sim_peer_send_to(struct sim_peer *p, const char *to, struct rs_str bytes);
/* A datagram with a source that is not the sender's. */
void sim_net_spoof(const char *from, const char *to, struct rs_str bytes);
/* On a stream. A peer is not slowed by the server's window. */
void sim_peer_write(struct sim_peer *p, struct rs_str bytes);
/* No more will be sent (half-close); receiving goes on. */
void sim_peer_shutdown(struct sim_peer *p);
/* Resets the connection. Ends the peer like sim_peer_close. */
void sim_peer_reset(struct sim_peer *p);
/* The peer is gone without a word: packets to it vanish, no FIN, no RST. Ends the peer like sim_peer_close. */
void sim_peer_vanish(struct sim_peer *p);
/* A slow reader: what arrives stays in the window until it is resumed. */
void sim_peer_pause(struct sim_peer *p, bool pause);
/* Another address from now on (UDP). */
void sim_peer_move(struct sim_peer *p, const char *address);
/* No callback follows. p is gone. */
void sim_peer_close(struct sim_peer *p);

#endif
