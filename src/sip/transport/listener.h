/*
 * Listeners and paths. A listener lives from its opening until the transports stop, so that pointers to it stay good;
 * what can go before is its sockets. A path is a UDP listener's name with one local address: it outlives a listener
 * that is closed and opened again.
 */
#ifndef SIP_TRANSPORT_LISTENER_H
#define SIP_TRANSPORT_LISTENER_H

#include "sip/stack.h"
#include "sip/transport/transport_ops.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIP_MAX_LISTENERS 256
#define SIP_MAX_READERS   64 /* sockets of one UDP listener */

struct sip_udp_sock;

struct sip_stat_cell {
	_Alignas(64) _Atomic uint64_t received;
	_Atomic uint64_t sent, dropped, parse_errors, refused;
};

/* A place for one of the listener's sockets. The lock is held to take a reference only. */
struct sip_listener_slot {
	_Alignas(64) pthread_mutex_t lock;
	struct sip_udp_sock *udp;
	struct sip_stat_cell stats;
};

struct sip_listener {
	struct sip_listener *next; /* of all */
	struct rs_str name;        /* interned */
	enum sip_transport_type type;
	const struct sip_transport_ops *ops;
	struct sip_sock_opts opts;
	struct sip_addr bound;
	bool wildcard;
	_Atomic bool open;
	uint16_t path; /* UDP: the one whose local address is the bound one */
	unsigned n_slots;
	struct sip_listener_slot *slots;
	struct sip_acceptor *acceptor; /* streams */
	_Atomic uint32_t connections;
};

struct sip_path {
	struct rs_str name;
	struct sip_addr local; /* with the listener's port; all zero address: any */
	bool wildcard;         /* the listener's socket is bound to no address: the source must be given */
	_Atomic(struct sip_listener *) listener; /* NULL: closed */
};

struct sip_path *sip_path_get(uint16_t index); /* NULL: no such */
struct sip_listener *sip_path_listener(const struct sip_path *p);
/* The path of l for local, made when new; the listener's own when the table is full. */
uint16_t sip_path_intern(struct sip_listener *l, const struct sip_addr *local);

/* An open listener of that type and family; name empty: the first. NULL: none. */
struct sip_listener *sip_listener_find(enum sip_transport_type type, uint8_t family, struct rs_str name);
struct sip_stat_cell *sip_listener_stat(struct sip_listener *l); /* the calling thread's */
unsigned sip_thread_hint(void);                                  /* a small number, another in each thread */
void sip_listeners_close_all(void);
void sip_listeners_free(void); /* nothing refers to any */

#endif
