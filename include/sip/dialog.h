/*
 * Dialogs (RFC 3261 section 12): what two user agents agree on between an INVITE and its BYE. A dialog has a
 * serializer, that of the request it grew from; all that arrives in it runs there in the order in which it was
 * received, and so do all callbacks. Usages (RFC 5057: a session, a subscription) hold the dialog: it ends with its
 * last one. Functions marked "serializer" are called there only.
 */
#ifndef SIP_DIALOG_H
#define SIP_DIALOG_H

#include "sip/transaction.h"

struct sip_dialog;

enum sip_dialog_state {
	SIP_DIALOG_NEW,        /* no response has made it a dialog yet */
	SIP_DIALOG_EARLY,      /* 101 to 199 with a To tag */
	SIP_DIALOG_CONFIRMED,  /* 2xx */
	SIP_DIALOG_TERMINATED, /* nothing can be sent in it any more */
};
RS_API const char *sip_dialog_state_name(enum sip_dialog_state s);

/* What a final response to a request inside does to the dialog (RFC 5057 section 5, RFC 3261 section 12.2.1.2). */
enum sip_dialog_effect {
	SIP_DIALOG_KEEPS,      /* that transaction failed, no more */
	SIP_DIALOG_USAGE_ENDS, /* the usage of the request ends: 405, 480, 481, 489, 501 */
	SIP_DIALOG_ENDS,       /* the dialog and all its usages: 404, 410, 416, 482 to 485, 502, 604 */
};
RS_API enum sip_dialog_effect sip_dialog_effect(unsigned status);

/* A part of a dialog's life that holds it: callbacks run on its serializer and may be NULL. */
struct sip_dialog_usage {
	uint32_t size; /* sizeof(struct sip_dialog_usage) */
	const char *name;
	/*
	 * A request inside, after the checks of section 12.2.2 (a CSeq that goes backwards was answered 500, a target
	 * refresh has taken place). true: this usage answers it, now or later. Usages are asked in the order in which
	 * they came; OPTIONS that none takes is answered 200, others 405 or 501 by whether the method is known here.
	 */
	bool (*on_request)(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token);
	/* The ACK of a 2xx to an INVITE; rx has the CSeq that tells which. true: it was this usage's. */
	bool (*on_ack)(struct sip_dialog *dlg, struct sip_rx_data *rx, void *token);
	/* The dialog was ended by a response as above, or the stack stops. The usage lets go by itself. */
	void (*on_ended)(struct sip_dialog *dlg, void *token);
};

/*
 * The usage begins / ends: takes / gives back a reference of the dialog. usage must stay while it is in. With the last
 * usage a dialog that had one leaves the table and is TERMINATED. Serializer. add: 0 or -1 (ENOMEM, ESHUTDOWN: it is
 * TERMINATED).
 */
RS_API int sip_dialog_add_usage_for(void *module, struct sip_dialog *dlg, const struct sip_dialog_usage *usage,
				    void *token);
RS_API void sip_dialog_remove_usage(struct sip_dialog *dlg, const struct sip_dialog_usage *usage, void *token);

RS_API struct sip_dialog *sip_dialog_ref(struct sip_dialog *dlg);
RS_API void sip_dialog_unref(struct sip_dialog *dlg); /* NULL is allowed */

/* ---- making ---- */

/*
 * UAS (section 12.1.1): from a request outside of any dialog whose answer makes one. Local tag: that of every answer
 * of this transaction. Inherits the transaction's serializer, must run on it. contact: our Contact as in
 * sip_tx_request_params ("@" is our address on the way back); empty: sip:@. Is found by requests of the peer from the
 * first 1xx with a tag on. Referenced for the caller. NULL: EINVAL (no Contact in the request, a bad Record-Route),
 * ENOMEM, EAGAIN (the limit of dialogs).
 */
RS_API struct sip_dialog *sip_dialog_uas(struct sip_rx_data *rx, struct rs_str contact);

struct sip_dialog_uac_params {
	uint32_t size;
	struct rs_str uri;        /* the remote target: Request-URI; required */
	struct rs_str from;       /* name-addr without tag; required */
	struct rs_str to;         /* name-addr [the URI in <>] */
	struct rs_str contact;    /* ours [sip:@] */
	struct rs_str route;      /* Route values, comma-joined (a binding's Path, an outbound proxy); may be empty */
	struct sip_target target; /* where to; addr.family 0 and flow 0: by route or uri (RFC 3263) */
	struct rs_serializer *serializer; /* NULL: the current one, or one of its own outside of any */
};
/*
 * UAC (section 12.1.2): Call-ID, local tag and CSeq are made here; the first response to the request sent in it
 * that has a To tag makes it EARLY or CONFIRMED. All strings are copied. Referenced for the caller. NULL: EINVAL,
 * ENOMEM, EAGAIN. Any thread.
 */
RS_API struct sip_dialog *sip_dialog_uac(const struct sip_dialog_uac_params *p);

/*
 * A response to the INVITE (or SUBSCRIBE) of a UAC dialog that has another To tag than the dialog: the dialog of that
 * branch of the fork, made by the first such response (*made true), found by the next; same serializer, same local
 * side, no usages. The response is received in it (sip_dialog_received). Referenced. NULL: ENOMEM, EAGAIN (the limit),
 * EINVAL. Serializer.
 */
RS_API struct sip_dialog *sip_dialog_fork(struct sip_dialog *dlg, struct sip_rx_data *response, bool *made);

/* The dialog with that Call-ID and tags, as our side sees them; referenced, or NULL. Any thread. early_only and the
 * like are the caller's. */
RS_API struct sip_dialog *sip_dialog_find(struct rs_str call_id, struct rs_str local_tag, struct rs_str remote_tag);
/* The dialog that a request was received in. Not referenced (lives as long as rx); NULL: none. */
RS_API struct sip_dialog *sip_rx_dialog(const struct sip_rx_data *rx);

/* ---- requests and responses inside; serializer ---- */

/*
 * The next request of the dialog: CSeq counted up (ACK: cseq_of_invite, CANCEL is sip_tsx_cancel's), Route, Contact
 * where the method has one, target set (the flow it came by while that is the way to the remote target, else resolved
 * at the send). NULL: ENOMEM; ENOTCONN when the state is TERMINATED.
 */
RS_API struct sip_tx_data *sip_dialog_request(struct sip_dialog *dlg, struct rs_str method);
/* The ACK to a 2xx (section 13.2.2.4): the INVITE's CSeq number and its credentials. In a TERMINATED dialog, too. */
RS_API struct sip_tx_data *sip_dialog_ack(struct sip_dialog *dlg, struct sip_tx_data *invite);
/* A number for a request that is sent again with credentials or to another target: never one that was used. */
RS_API uint32_t sip_dialog_next_cseq(struct sip_dialog *dlg);
/*
 * What a response to a request of ours says of the dialog: makes it EARLY or CONFIRMED, takes route set and target from
 * it. The core's senders call this before the request's callbacks; a response of another branch changes nothing. false:
 * it belongs to another branch (sip_dialog_fork). A final response's sip_dialog_effect is applied by the core, too.
 */
RS_API bool sip_dialog_received(struct sip_dialog *dlg, struct sip_rx_data *response);

/* An answer to a request inside, or to the one it grew from: To tag, Contact where it belongs, Record-Route copied. */
RS_API struct sip_tx_data *sip_dialog_response(struct sip_dialog *dlg, struct sip_rx_data *rx, unsigned status,
					       struct rs_str reason);
/* Sends it through rx's transaction and moves the state on. Takes tx over. 0 or -1 as sip_tsx_respond. */
RS_API int sip_dialog_respond(struct sip_dialog *dlg, struct sip_rx_data *rx, struct sip_tx_data *tx);

/* Ends it now: out of the table, on_ended of every usage. */
RS_API void sip_dialog_terminate(struct sip_dialog *dlg);

/* ---- what is known; serializer (the tags, Call-ID and serializer: any thread) ---- */

RS_API enum sip_dialog_state sip_dialog_state(const struct sip_dialog *dlg);
RS_API bool sip_dialog_is_uac(const struct sip_dialog *dlg);                      /* by the request it grew from */
RS_API struct rs_serializer *sip_dialog_serializer(const struct sip_dialog *dlg); /* not referenced */
RS_API struct rs_str sip_dialog_call_id(const struct sip_dialog *dlg);
RS_API struct rs_str sip_dialog_local_tag(const struct sip_dialog *dlg);
RS_API struct rs_str sip_dialog_remote_tag(const struct sip_dialog *dlg); /* empty: none yet */
RS_API struct rs_str sip_dialog_local(const struct sip_dialog *dlg);      /* name-addr without tag: our From */
RS_API struct rs_str sip_dialog_remote(const struct sip_dialog *dlg);
RS_API struct rs_str sip_dialog_remote_target(const struct sip_dialog *dlg); /* URI; changes with a refresh */
RS_API struct rs_str sip_dialog_contact(const struct sip_dialog *dlg);       /* ours, as it was given */
RS_API uint32_t sip_dialog_local_cseq(const struct sip_dialog *dlg);         /* last used */
RS_API uint32_t sip_dialog_remote_cseq(const struct sip_dialog *dlg);        /* highest received; 0: none */
RS_API bool sip_dialog_secure(const struct sip_dialog *dlg);
/* Where the peer was when its last accepted request or response came; family 0: not heard of yet. */
RS_API const struct sip_addr *sip_dialog_source(const struct sip_dialog *dlg);
/* A word for whoever made it (the core: the endpoint), released with the dialog. */
RS_API void sip_dialog_set_owner(struct sip_dialog *dlg, void *value, void (*release)(void *value));
RS_API void *sip_dialog_owner(const struct sip_dialog *dlg);

struct sip_dialog_stats {
	uint64_t now, early_now, created, refused; /* refused: by the limit */
	uint64_t stray_acks;                       /* in a dialog, but nobody's */
};
RS_API void sip_dialog_stats(struct sip_dialog_stats *out);
/* Walks them (a reference each while it is called). Any thread but the pool's. */
RS_API void sip_dialog_each(void (*each)(void *token, struct sip_dialog *dlg), void *token);

#endif
