/* The inside of the transaction layer: transactions, their table and their machines. */
#ifndef SIP_TSX_H
#define SIP_TSX_H

#include "sip/stack.h"
#include "sip/transaction/tx_internal.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- events ---- */

/* What happens to a machine. Timers have the letters of RFC 3261 table 4 and RFC 6026; TRYING is the 200 ms of 17.2.1
 * or the delay of RFC 4320, CANCEL the 64*T1 of 9.1, DEADLINE the user's own. */
/* clang-format off */
#define TSX_EVENTS(X)                                                                                                  \
	X(START)                                                                                                       \
	X(REQUEST)                                                                                                     \
	X(ACK) X(SEND_1XX) X(SEND_2XX) X(SEND_FINAL) X(RECV_1XX) X(RECV_2XX) X(RECV_FINAL) X(CANCEL)                   \
		X(TRANSPORT_ERROR) X(TERMINATE) X(TIMER_A) X(TIMER_B) X(TIMER_D) X(TIMER_E) X(TIMER_F) X(TIMER_G)      \
			X(TIMER_H) X(TIMER_I) X(TIMER_L) X(TIMER_M) X(TIMER_TRYING) X(TIMER_CANCEL)         \
				X(TIMER_DEADLINE)
/* clang-format on */
enum tsx_event {
#define TSX_EVENT_X(e) TSX_##e,
	TSX_EVENTS(TSX_EVENT_X)
#undef TSX_EVENT_X
		TSX_EVENT_N
};
#define TSX_STATE_N    (SIP_TSX_TERMINATED + 1)
#define TSX_METHOD_ANY 255 /* in a key to be found: every method but CANCEL */

struct tsx_arg {
	struct sip_rx_data *rx; /* REQUEST, ACK, RECV_* */
	struct sip_tx_data *tx; /* SEND_*: the handler takes a reference when it keeps it */
	int result;             /* SEND_*: an errno of the send */
	bool stray;             /* RECV_*: the machine is not the one to take it */
};

struct tsx_cell {
	void (*handle)(struct sip_tsx *tsx, struct tsx_arg *arg); /* NULL: not permitted */
	uint8_t next;                                             /* the states that it may go to, a bit each */
};
struct tsx_machine {
	const char *name;
	struct tsx_cell cell[TSX_STATE_N][TSX_EVENT_N];
};
/* One line of a machine's list: state, event, handler, permitted next states. */
#define TSX_BIT(s)           (1u << SIP_TSX_##s)
#define TSX_CELL(s, e, h, n) [SIP_TSX_##s][TSX_##e] = {h, (uint8_t)(n)},

extern const struct tsx_machine tsx_invite_client, tsx_non_invite_client, tsx_invite_server, tsx_non_invite_server;

/* ---- the table's entries ---- */

/* The last two are records of transactions without INVITE that are completed: see completed.h. */
enum tsx_kind { TSX_KIND_SERVER, TSX_KIND_CLIENT, TSX_KIND_ANSWERED, TSX_KIND_ENDED };

struct tsx_entry {
	uint64_t hash;
	const char *key;
	uint16_t key_len;
	uint8_t kind;
	uint8_t method; /* enum sip_method; of an extension method the name is part of the key */
};

/* ---- transactions ---- */

#define TSX_MAGIC      0x54535831u
#define TSX_KEY_INLINE 104 /* a branch of 64 and a sent-by of 40 characters */

enum tsx_slot { TSX_SLOT_RETRANSMIT, TSX_SLOT_END, TSX_SLOT_EXTRA, TSX_SLOT_N };

struct sip_tsx {
	struct tsx_entry entry;
	uint32_t magic;
	_Atomic uint8_t state;
	uint8_t role;
	bool reliable;  /* the transport */
	bool listed;    /* in the table */
	bool user_held; /* the user has not heard on_terminated */
	uint8_t slot_event[TSX_SLOT_N];
	uint8_t allowed; /* while an event is handled: the permitted next states */
	uint16_t last_status;
	const struct tsx_machine *machine;
	struct rs_serializer *serializer; /* the server's own; or that of the dialog or the client, referenced */
	int64_t slot_due[TSX_SLOT_N];     /* 0: not running */
	int64_t armed_for;                /* what the timer waits for; 0: it does not run */
	int64_t interval;                 /* of the retransmissions */
	struct rs_timer timer;            /* for the first of the slots */
	const struct sip_tsx_user *user;
	void *token, *module;
	struct sip_tx_data *tx; /* the request sent, or the last response */
	char key_mem[TSX_KEY_INLINE];
};

struct tsx_server {
	struct sip_tsx tsx;
	struct rs_serializer own;        /* also counts the references */
	struct sip_rx_data *rx;          /* the request, until the final answer */
	struct sip_rx_data *cancel;      /* the CANCEL that matched it */
	bool cancel_told, cancel_queued; /* to the user; on its way to it */
};

struct tsx_client {
	struct sip_tsx tsx;
	_Atomic uint32_t refs;
	bool reported;      /* the outcome was told */
	bool cancel_wanted; /* as soon as a provisional response comes */
	bool cancel_sent;
	char *reason; /* of the CANCEL; malloc'd, may be NULL */
	struct sip_tx_data *ack;
	int64_t timeout_us;
	struct rs_task start;
	struct sip_send_result result;
};

static inline struct tsx_server *tsx_server(struct sip_tsx *tsx)
{
	return rs_container_of(tsx, struct tsx_server, tsx);
}
static inline struct tsx_client *tsx_client(struct sip_tsx *tsx)
{
	return rs_container_of(tsx, struct tsx_client, tsx);
}
/* The server's transaction of a request in a dialog: it runs on the dialog's serializer. */
static inline bool tsx_in_dialog(struct sip_tsx *tsx)
{
	return tsx->serializer != &tsx_server(tsx)->own;
}

/* ---- fsm.c: what all machines share; on the serializer ---- */

/* Hands the event to the machine; one that is not permitted in this state is logged and ignored (false). */
bool tsx_dispatch(struct sip_tsx *tsx, enum tsx_event event, struct tsx_arg *arg);
void tsx_set_state(struct sip_tsx *tsx, enum sip_tsx_state state);
/* Leaves the table, stops the timers, tells the user, lets go. The caller has a reference. */
void tsx_end(struct sip_tsx *tsx);
/* The machine will not call the user again. */
void tsx_release_user(struct sip_tsx *tsx);
void tsx_take_user(struct sip_tsx *tsx, void *module, const struct sip_tsx_user *user, void *token);
void tsx_timer_init(struct sip_tsx *tsx);
void tsx_timer_start(struct sip_tsx *tsx, enum tsx_event timer, int64_t delay_us);
void tsx_timer_stop(struct sip_tsx *tsx, enum tsx_slot slot);
void tsx_timer_stop_all(struct sip_tsx *tsx);
/* The services' hooks, once a message. 0, or -1 (ECANCELED): it must not be sent. */
int tsx_ask_services(struct sip_tx_data *tx);
/* Asks them, then sends. 0 or -1. */
int tsx_transmit(struct sip_tx_data *tx, struct sip_send_result *result);
const char *tsx_event_name(enum tsx_event e);

/* The stack's times. */
int64_t tsx_t1(void), tsx_t2(void), tsx_t4(void), tsx_timer_b(void);
/* How long a client's Timer E takes to reach T2 (RFC 4320 section 4.1). */
int64_t tsx_trying_delay(void);

/* ---- key.c ---- */

struct tsx_key {
	struct rs_str text; /* in mem, or malloc'd */
	uint64_t hash;
	uint8_t method;
	bool heap;
	char mem[512];
};
/* What a request is matched by (RFC 3261 section 17.2.3), as if its method were method and its To tag to_tag (2543
 * only). */
int tsx_key_server(struct tsx_key *key, struct sip_msg *request, enum sip_method method, struct rs_str to_tag);
/* Branch and the method of CSeq (section 17.1.3). */
int tsx_key_client(struct tsx_key *key, struct rs_str branch, enum sip_method method, struct rs_str method_text);
void tsx_key_fini(struct tsx_key *key);
/* The top Via has a branch that tells transactions apart; cookie_only: it starts well and says nothing. */
bool tsx_key_is_3261(const struct sip_msg *request, bool *cookie_only);

/* ---- table.c: 256 shards, each with a lock of its own ---- */

struct tsx_found {
	struct sip_tsx *tsx;        /* referenced; or NULL */
	bool completed;             /* an answered one was found, or a client's that has its answer */
	struct sip_tx_data *answer; /* its answer, referenced; may be NULL */
};
int tsx_table_start(void); /* 0 or ENOMEM */
/* Calls end, without a lock, for each transaction that is left, or only for those in Accepted; end must take it out.
 * For all of them: nobody may insert any more. */
void tsx_table_end(bool accepted, void (*end)(struct sip_tsx *tsx));
/* Drops the completed ones and the table. */
void tsx_table_stop(void);
/* key will be looked for soon: the memory for that is asked for. */
void tsx_table_expect(const struct tsx_key *key);
bool tsx_table_find(const struct tsx_key *key, bool client, struct tsx_found *out);
/*
 * Finds among the server's, or calls make (under the shard's lock; it may return NULL) and inserts what it made, which
 * has that key and a reference for the table; *out has it. false: nothing was found and nothing was made.
 */
bool tsx_table_find_or_insert(const struct tsx_key *key, struct tsx_found *out, bool *made,
			      struct sip_tsx *(*make)(void *token), void *token);
/* Copies the key into tsx, before it is inserted. 0 or ENOMEM. */
int tsx_table_set_key(struct sip_tsx *tsx, const struct tsx_key *key);
/* false: its key is taken. */
bool tsx_table_insert(struct sip_tsx *tsx);
/* Takes tsx out; the table's reference is the caller's now. false: it was not in. */
bool tsx_table_remove(struct sip_tsx *tsx);
/* The same, and leaves a record with tx (NULL: silence) in its place for keep_us, whose answer is tsx's from then on;
 * without memory for that, none. */
bool tsx_table_complete(struct sip_tsx *tsx, struct sip_tx_data *tx, int64_t keep_us);
/* A record of what was answered without a transaction object. false: the key is taken, the limit reached, no memory. */
bool tsx_table_add_completed(const struct tsx_key *key, struct sip_tx_data *tx, int64_t keep_us);
/* The bytes that a completed one takes; 0: there is none. For the test of the promise. */
size_t tsx_table_completed_size(const struct tsx_key *key);
/* Room for one more under the limit, which it takes; give it back with -1. */
bool tsx_table_take(void);
void tsx_table_give(void);
void tsx_table_stats(struct sip_tsx_stats *out);
struct tsx_counters {
	_Atomic uint64_t server, client, completed, created, absorbed, timeouts, strays, refused;
};
void tsx_table_count(uint64_t hash, size_t counter_offset);
#define TSX_COUNT(hash, member) tsx_table_count(hash, offsetof(struct tsx_counters, member))

/* ---- server.c ---- */

void tsx_server_setup(void);
/* Takes over the references of rx and of dialog, the serializer of the dialog that the request belongs to (NULL: none).
 */
void tsx_server_receive(struct sip_rx_data *rx, const struct tsx_key *key, struct rs_serializer *dialog);
/* run gets rx by sip_rx_from_task with its reference, and tsx by sip_rx_tsx; it calls tsx_server_ran(tsx) at its end.
 */
void tsx_server_push(struct sip_tsx *tsx, struct sip_rx_data *rx, void (*run)(struct rs_task *task));
void tsx_server_ran(struct sip_tsx *tsx);
/* A retransmission, or an ACK. */
void tsx_server_push_again(struct sip_tsx *tsx, struct sip_rx_data *rx);
void tsx_server_release_request(struct sip_tsx *tsx);
/* Keeps the response and sends it; its errno goes to arg. */
void tsx_server_send(struct sip_tsx *tsx, struct tsx_arg *arg);
void tsx_server_resend(struct sip_tsx *tsx);
void tsx_server_keep_answer(struct sip_tsx *tsx);                    /* its bytes only */
void tsx_server_start_trying(struct sip_tsx *tsx, int64_t delay_us); /* counted from when the request was read */
void tsx_server_trying(struct sip_tsx *tsx);                         /* 100 */
/* The INVITE transaction that an ACK belongs to; referenced, or NULL. */
struct sip_tsx *tsx_find_invite(struct sip_msg *ack);

/* ---- client.c ---- */

void tsx_client_setup(void);
/* Takes over the reference of rx. */
void tsx_client_receive(struct sip_rx_data *rx, const struct tsx_key *key);
void tsx_client_unref(struct tsx_client *c);
/* Sends the request; -1: the user was told and the machine has ended. */
int tsx_client_transmit(struct sip_tsx *tsx);
void tsx_client_resend(struct sip_tsx *tsx);
void tsx_client_report(struct sip_tsx *tsx, struct sip_rx_data *rx);
/* The final outcome without a response, unless there was one. */
void tsx_client_report_end(struct sip_tsx *tsx, enum sip_tsx_end why);
/* The same, and the machine ends. */
void tsx_client_fail(struct sip_tsx *tsx, enum sip_tsx_end why);
void tsx_client_release_request(struct sip_tsx *tsx);
/* A client transaction of the layer's own, with the branch that tx has (CANCEL). Takes over tx. */
void tsx_client_send_cancel(struct sip_tsx *invite);

/* ---- stateless.c, cancel.c, hooks.c, layer.c, receive.c ---- */

void tsx_stateless_answer(struct sip_rx_data *rx, unsigned status);
/* The same as a task; takes over the reference of rx. */
void tsx_stateless_push(struct sip_rx_data *rx, unsigned status);
/* Whether it acknowledges an answer that we gave without a transaction. */
bool tsx_stateless_ack(struct sip_msg *ack);
void tsx_cancel_receive(struct sip_rx_data *rx);
/* An ACK, or a response, that matches nothing. Takes over the reference of rx. */
void tsx_hooks_push(struct sip_rx_data *rx);
bool tsx_stopping(void);
/* The dialogs above; NULL: there are none. */
const struct sip_dialog_ops *tsx_dialogs(void);
/* Around a task on a serializer of no transaction, which a stop has to wait for. */
void tsx_loose_begin(void);
void tsx_loose_end(void);
void tsx_push(struct rs_serializer *s, struct rs_task *task); /* batched on a pool thread */

#endif
