/*
 * The stack as its parts and the core see it: one instance a process, made at start-up. The transports call up into
 * the transaction layer with each received message; the transaction layer calls up into the transaction user (the
 * core).
 */
#ifndef SIP_STACK_H
#define SIP_STACK_H

#include "base/taskpool.h"
#include "sip/net.h"
#include "sip/resolver.h"
#include "sip/transaction.h"

/* How names become addresses; in the environment. done is called once, on any thread, maybe before query returned. */
struct sip_names_ops {
	int (*start)(void *token);
	void (*stop)(void *token);
	/* A and/or AAAA of host; addrs with port 0, in order of preference. n 0: error is ENOENT, ETIMEDOUT, EIO. */
	void (*query)(void *token, const char *host, bool want4, bool want6,
		      void (*done)(void *query_token, int error, const struct sip_addr *addrs, unsigned n),
		      void *query_token);
};
extern const struct sip_names_ops sip_names_unbound; /* libunbound: resolv.conf and hosts read */

struct sip_dialog;

enum sip_admission { SIP_ADMIT, SIP_REFUSE_503, SIP_REFUSE_DROP };

struct sip_stack_config {
	const struct sip_net_ops *net; /* NULL: the kernel's */
	void *net_token;
	const struct sip_names_ops *names; /* NULL: libunbound */
	void *names_token;

	int64_t t1_us, t2_us, t4_us; /* 0: 500 ms, 4 s, 5 s */
	int64_t timer_b_us;          /* 0: 64*T1; also F, H, D (unreliable), J, L, M as RFC 3261 and 6026 derive them */
	bool disable_rport, compact_headers;
	struct rs_str server_name; /* Server and User-Agent; empty: none. Copied */

	/* Limits; 0: the default. */
	uint32_t max_transactions;         /* 2,000,000: memory; past it new requests get 503 */
	uint32_t max_dialogs;              /* 1,000,000: memory, at most 2 KiB each; past it none is made */
	uint32_t max_connections;          /* 20,000 */
	uint32_t max_connections_per_peer; /* 1,000 (an address, IPv6: a /64); trusted peers are exempt */
	uint32_t stream_idle_s;            /* 3600: a connection without traffic */
	uint32_t stream_send_s;      /* 32: something waits to be written, and the peer takes nothing for so long */
	uint32_t stream_half_open_s; /* 32: connected, but no whole message yet; or half a message waiting that long */
	uint32_t stream_send_queue;  /* 1 MiB: bytes waiting for a slow reader, then it is closed */
	uint32_t retry_after_s;      /* 5: of the 503 that sheds load, and up to 10 s more at random */
	uint32_t keep_alive_interval_s; /* CRLF CRLF on every open stream connection that often (RFC 5626 3.5.1); 0: off
					 */
	unsigned readers;               /* SO_REUSEPORT sockets a UDP listener; 0: one a core */
	bool (*peer_trusted)(const struct sip_addr *peer); /* may be NULL */

	/*
	 * Load shedding, asked before the parse for what is a new request by its first line and To tag; any thread,
	 * must be cheap. NULL: everything is admitted.
	 */
	enum sip_admission (*admit)(struct sip_msg_class cls, enum sip_transport_type type,
				    const struct sip_addr *peer);
	/* true: it would admit whatever comes now, and need not be asked. Any thread, must be cheap. May be NULL. */
	bool (*admits_all)(void);
	/* The answer over UDP to an unverified source must pass this (amplification); NULL: all pass. */
	bool (*answer_allowed)(const struct sip_addr *peer, size_t question, size_t answer);

	/* The transaction user. On the transaction's serializer. */
	void (*on_request)(struct sip_tsx *tsx, struct sip_rx_data *rx);
	/* A message is about to be sealed and sent (services' on_tx_*); 0, or -1 stops it. */
	int (*on_tx)(struct sip_tx_data *tx);
	/* A response without transaction that no hook took. */
	void (*on_stray_response)(struct sip_rx_data *rx);
};

/* One instance; the pool runs already. 0 or an errno. */
int sip_stack_start(const struct sip_stack_config *config);
/* Closes listeners and connections, ends transactions (clients report on_end); then nothing of the stack is called
 * again. Waits; not from a pool thread (in the deterministic mode: steps). */
void sip_stack_stop(void);
const struct sip_stack_config *sip_stack_config(void);

struct sip_listener_config {
	struct rs_str name; /* the transport section */
	enum sip_transport_type type;
	struct sip_sock_opts sock;
};
/* Opens a listener; *bound (may be NULL) tells the address with the port that the system chose. 0 or an errno. */
int sip_listener_open(const struct sip_listener_config *config, struct sip_addr *bound);
/* Closes it; its connections live on until idle (drain) or are closed with it. */
int sip_listener_close(struct rs_str name, bool connections);

/* ---- between the transports and the transaction layer ---- */

#define SIP_RECEIVE_MAX 32 /* messages handed up at once */
/* transport → transaction: received messages in the order in which they came, at most SIP_RECEIVE_MAX; flaw may be set
 * (the transaction layer answers or drops such a one). Takes over the references. On a pool thread; pushes with
 * rs_push_batched (the transport flushes after re-arming). */
void sip_transaction_receive(struct sip_rx_data *const *v, unsigned n);
/* transaction → transport: seals tx (via_branch: the branch of the Via of our own, requests only) and sends it to its
 * target. result (may be NULL) runs as a task on serializer when the send failed or the connection died with the
 * message unsent: error is an errno; it is not called on success. The bytes are copied or referenced: tx may be
 * unreferenced at once. Any thread. 0: taken over (result may still be called later); -1: failed at once, errno tells
 * why and result will not be called. */
struct sip_send_result {
	struct rs_task task;     /* private */
	_Atomic uint32_t queued; /* private; 0 at the start */
	struct rs_serializer *serializer;
	void (*failed)(struct sip_send_result *r);
	int error;
	void (*hold)(struct sip_send_result *r,
		     bool on); /* reference on the owner while the transport may still call; may be NULL */
};
int sip_transport_send(struct sip_tx_data *tx, struct sip_send_result *result);
/* Sends the sealed bytes again (a retransmission): requests to the same target, responses by the same way. */
int sip_transport_resend(struct sip_tx_data *tx, struct sip_send_result *result);
/* Fills the target of a response by RFC 3261 section 18.2.2 and RFC 3581 from the request it answers (source, received,
 * rport, maddr, the connection it came on, else the sent-by). */
void sip_transport_response_target(struct sip_rx_data *request, struct sip_target *out);

/*
 * transaction → dialog: how a request with a To tag finds its dialog when it is received, so that it keeps its place in
 * the dialog's order. Any thread. Set once, while nothing is received.
 */
struct sip_dialog_ops {
	/* The hash that the request's dialog is looked for by; the memory for that is asked for. */
	uint64_t (*expect)(const struct sip_msg *request);
	/* The serializer of its dialog, referenced, and the dialog kept with rx; NULL: there is none. */
	struct rs_serializer *(*find)(struct sip_rx_data *rx, uint64_t hash);
	/* An ACK that no transaction absorbs; true: it is a dialog's, and the reference of rx is taken over. */
	bool (*ack)(struct sip_rx_data *rx, uint64_t hash);
	/* The same on the serializer of the INVITE's transaction, at once; rx stays the caller's. */
	bool (*ack_here)(struct sip_rx_data *rx);
};
void sip_transaction_set_dialogs(const struct sip_dialog_ops *ops); /* NULL: none */

/* dialog → core, which is the transaction user: what it does with a request of a dialog. */
/* The checks of RFC 3261 section 12.2.2, then the usages. true: answered, or somebody will; false: nobody took it. On
 * the dialog's serializer; rx has a dialog. */
bool sip_dialog_process(struct sip_rx_data *rx);
/* Max-Forwards of the requests; 0: 70. Before the first. */
void sip_dialog_set_max_forwards(struct sip_dialog *dlg, unsigned hops);
/* The listener and protocol that requests leave by when neither flow nor URI says more. */
void sip_dialog_set_way(struct sip_dialog *dlg, enum sip_transport_type type, struct rs_str listener);
/* The owner, when release is what it was set with; else NULL. */
void *sip_dialog_owner_of(const struct sip_dialog *dlg, void (*release)(void *value));
/* Two words of the core, on the serializer: where the peer was authenticated, and the requests that wait to leave. */
struct sip_addr *sip_dialog_verified(struct sip_dialog *dlg);
void **sip_dialog_waiting(struct sip_dialog *dlg);
int sip_dialog_start(void); /* 0 or an errno */
void sip_dialog_stop(void); /* ends all */

int sip_transport_start(void);
void sip_transport_stop(void);
int sip_transaction_start(void);
/* Before a stop: INVITEs that were answered 2xx no longer wait for repetitions (32 s), and let their users go. Not from
 * a pool thread. */
void sip_transaction_settle(void);
void sip_transaction_stop(void);
int sip_resolver_start(void);
void sip_resolver_stop(void);

/* private parts of rx_data that the layers share */
struct sip_rx_data *
sip_rx_new(struct rs_str bytes_to_copy); /* for tests and the resolver of stored messages; parsed by the caller */
void sip_rx_set_tsx(struct sip_rx_data *rx, struct sip_tsx *tsx); /* not referenced */
/* The task that takes rx to a serializer, embedded in it so that the hand-over cannot fail. One way at a time: free
 * again once its run was called. */
struct rs_task *sip_rx_task(struct sip_rx_data *rx);
struct sip_rx_data *sip_rx_from_task(struct rs_task *task);

/*
 * What the core sets to know which module something of the stack belongs to: delta is +1 when a transaction user,
 * hooks or a client transaction is taken, -1 when it is given back; what and name are static. Never called for a NULL
 * module. Any thread, no lock held. Set before the stack starts; does nothing by default.
 */
extern void (*sip_module_hold)(void *module, int delta, const char *what, const char *name);

#endif
