/*
 * Transactions (RFC 3261 section 17 with RFC 6026, RFC 4320 and 4321) for their users. A server transaction embeds a
 * serializer; everything that grows from a request inherits it. State changes happen only as tasks on the
 * transaction's serializer, and so do all callbacks; functions marked "serializer" are called there only.
 */
#ifndef SIP_TRANSACTION_H
#define SIP_TRANSACTION_H

#include "sip/tx_data.h"

struct sip_tsx;
struct rs_serializer;

enum sip_tsx_role { SIP_TSX_UAC, SIP_TSX_UAS };
/* RFC 3261's and RFC 6026's words. */
#define SIP_TSX_STATES(X) X(CALLING) X(TRYING) X(PROCEEDING) X(COMPLETED) X(CONFIRMED) X(ACCEPTED) X(TERMINATED)
enum sip_tsx_state {
#define SIP_TSX_STATE_X(s) SIP_TSX_##s,
	SIP_TSX_STATES(SIP_TSX_STATE_X)
#undef SIP_TSX_STATE_X
};
RS_API const char *sip_tsx_state_name(enum sip_tsx_state s);

enum sip_tsx_end {                            /* why a client transaction gave its final outcome without a response */
		   SIP_TSX_TIMEOUT,           /* timer B or F */
		   SIP_TSX_TRANSPORT_ERROR,   /* the send failed or the connection died (RFC 3261 section 17.1.4) */
		   SIP_TSX_CANCELLED_LOCALLY, /* sip_tsx_terminate */
};

/*
 * A transaction user. All callbacks run on the transaction's serializer and may be NULL. A client transaction reports
 * exactly one final outcome: one on_response with status >= 200 (an INVITE in Accepted may report further 2xx, each
 * with its To tag; look at sip_msg.to_tag), or one on_end.
 */
struct sip_tsx_user {
	uint32_t size; /* sizeof(struct sip_tsx_user) */
	const char *name;
	void (*on_response)(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token);
	void (*on_end)(struct sip_tsx *tsx, enum sip_tsx_end why, void *token);
	/* Server, INVITE: a CANCEL matched it and was answered 200; the user answers the INVITE with 487 (or lets it
	 * be). */
	void (*on_cancel)(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token);
	/* Server, INVITE in Accepted: an ACK that matches it (RFC 2543 style peers use the same branch), or is handed
	   to it by sip_tsx_give_ack. */
	void (*on_ack)(struct sip_tsx *tsx, struct sip_rx_data *ack, void *token);
	/* The last callback: the machine will call no more, and its reference of token can go. That is when it ends, or
	   before, when all that is left for it is to absorb retransmissions (Completed, but for a server's INVITE that
	   waits for its ACK), or when another user took the place. */
	void (*on_terminated)(struct sip_tsx *tsx, void *token);
};

RS_API struct sip_tsx *sip_tsx_ref(struct sip_tsx *tsx);
RS_API void sip_tsx_unref(struct sip_tsx *tsx);
RS_API enum sip_tsx_role sip_tsx_role(const struct sip_tsx *tsx);
RS_API enum sip_tsx_state sip_tsx_state(const struct sip_tsx *tsx); /* serializer; elsewhere a glimpse */
RS_API enum sip_method sip_tsx_method(const struct sip_tsx *tsx);
RS_API struct rs_serializer *sip_tsx_serializer(const struct sip_tsx *tsx);
RS_API unsigned sip_tsx_last_status(const struct sip_tsx *tsx); /* serializer; 0: none yet */

/* ---- server ---- */

/*
 * Who hears of CANCEL, ACK and the end; a user set before gives way (on_terminated). A CANCEL that came before there
 * was a user is told to the first one that comes. user must live as long as the transaction may call it. Serializer;
 * before the final answer. module: hidden handle, see res_sip/module.h
 */
RS_API void sip_tsx_set_user_for(void *module, struct sip_tsx *tsx, const struct sip_tsx_user *user, void *token);

/*
 * Answers: sends tx and moves the machine on. Takes over the caller's reference of tx in every case. Serializer. 0, or
 * -1: EALREADY (a final answer was sent before; a 2xx to INVITE may follow another in Accepted), EINVAL, or the
 * transport's error (the state moved on nevertheless, and the retransmission of the request will try again), ECANCELED:
 * a service stopped it (nothing happened). A response without a target goes back where the request came from. RFC 4320:
 * a 408 to a non-INVITE is never sent (0: its retransmissions get no answer either); it gets a 100 by itself when Timer
 * E would have reached T2, and any 1xx of the user is refused (EINVAL).
 */
RS_API int sip_tsx_respond(struct sip_tsx *tsx, struct sip_tx_data *tx);
/*
 * Answers and forgets: sends tx, the transaction leaves the table at once (401, 503, 400: a retransmission is a new
 * request and gets the same answer). Takes over tx. Not for INVITEs whose ACK must be absorbed by a machine: the ACK of
 * such an answer is recognised by its To tag and dropped. A retransmission that waits on the serializer already gets
 * the same bytes. 0 or -1 as sip_tsx_respond. Serializer.
 */
RS_API int sip_tsx_respond_stateless(struct sip_tsx *tsx, struct sip_tx_data *tx);
/* An ACK to the 2xx of this transaction that came with another branch: calls on_ack. Serializer. */
RS_API void sip_tsx_give_ack(struct sip_tsx *tsx, struct sip_rx_data *ack);
/* The INVITE server transaction that a CANCEL, or an ACK with its branch, belongs to; referenced, or NULL. Any thread.
 */
RS_API struct sip_tsx *sip_tsx_find_server(struct sip_msg *request, enum sip_method method);

/* ---- client ---- */

/*
 * Starts a client transaction: sends tx (a request, its target set) to its target, retransmits, and reports to user on
 * serializer (NULL: the current one, or a new one outside of any). Takes over the caller's reference of tx. Never calls
 * back before it returned. *out (may be NULL) is referenced for the caller. 0 or -1 (EINVAL, ENOMEM, EAGAIN: the
 * limit of transactions, or the stack is stopping); with -1 nothing will be called. A send that fails is reported by
 * on_end. An ACK is not a transaction: sip_stack_send below. timeout_us > 0 ends it when it has no final outcome by
 * then (an INVITE that had a provisional response is cancelled with it, and what answers that is acknowledged; a 2xx
 * that crosses the CANCEL is a stray response). Any thread.
 */
RS_API int sip_tsx_send_for(void *module, struct sip_tx_data *tx, struct rs_serializer *serializer,
			    const struct sip_tsx_user *user, void *token, int64_t timeout_us, struct sip_tsx **out);
/*
 * Cancels a pending INVITE (RFC 3261 section 9.1): the CANCEL leaves at once, or when the first provisional response
 * comes. reason (may be empty): the value of a Reason header. Without a final response 64*T1 after the CANCEL the
 * INVITE ends with on_end(SIP_TSX_TIMEOUT). Serializer. 0, or -1: EALREADY (a final response came, or it was cancelled
 * before).
 */
RS_API int sip_tsx_cancel(struct sip_tsx *tsx, struct rs_str reason);
/* Ends the machine now; a client reports on_end(SIP_TSX_CANCELLED_LOCALLY) when it had no outcome yet. Serializer. */
RS_API void sip_tsx_terminate(struct sip_tsx *tsx);

/* Sends once, without a transaction: an ACK to a 2xx, a forwarded stray response (without a target: where its top Via
 * says, RFC 3261 section 18.2.2; numeric addresses only). Takes over tx. Any thread. 0 or -1 (EINVAL: no target; the
 * transport's error). */
RS_API int sip_stack_send(struct sip_tx_data *tx);

/* ---- hooks for dialogs and proxies ---- */

/*
 * What matches no transaction: asked in order of registration until one says true (it took it). Called as a task on a
 * serializer of its own; rx is the callee's while it runs. A stray 2xx nobody wants is dropped, and so is an ACK.
 */
struct sip_tsx_hooks {
	uint32_t size;
	const char *name;
	bool (*stray_response)(struct sip_rx_data *rx); /* 2xx to INVITE after Timer M, forwarded branches */
	bool (*ack)(struct sip_rx_data *ack);           /* an ACK that no server transaction absorbed */
	struct sip_tsx_hooks *next;                     /* the stack's */
	void *module;
};
/* hooks must stay until sip_tsx_hooks_unregister returned and a quiet point has passed. Any thread. */
RS_API void sip_tsx_hooks_register_for(void *module, struct sip_tsx_hooks *hooks);
RS_API void sip_tsx_hooks_unregister(struct sip_tsx_hooks *hooks);

struct sip_tsx_stats {
	uint64_t server_now, client_now,
		completed_now;                       /* completed_now: of server_now, only kept for retransmissions */
	uint64_t created, absorbed;                  /* absorbed: retransmissions */
	uint64_t timeouts, stray_responses, refused; /* refused: by the limit */
};
RS_API void sip_tsx_stats(struct sip_tsx_stats *out);

#endif
