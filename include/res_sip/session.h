/*
 * Sessions: INVITE usages of dialogs (module res_sip_session). What RFC 3261 sections 13 to 15, 3262 (100rel), 3264 and
 * 6337 (offer/answer), 3311 (UPDATE) and 4028 (session timers) ask of a user agent stands here, so that whoever uses a
 * session sees calls and bodies, not retransmissions. Bodies pass as they are: only whose turn it is to offer is
 * followed.
 *
 * A session belongs to its dialog's serializer: all calls on it are made there and all callbacks run there, unless
 * stated otherwise. A module that uses it names res_sip_session among its dependencies.
 */
#ifndef RES_SIP_SESSION_H
#define RES_SIP_SESSION_H

#include "res_sip/dialog.h"

struct ast_sip_session;

enum ast_sip_session_state {
	AST_SIP_SESSION_NEW,        /* outgoing: not sent yet */
	AST_SIP_SESSION_CALLING,    /* outgoing: sent, no 1xx with a tag yet */
	AST_SIP_SESSION_INCOMING,   /* received, nothing but 100 sent */
	AST_SIP_SESSION_EARLY,      /* 101..199 sent or received */
	AST_SIP_SESSION_CONNECTING, /* 2xx sent or received, no ACK yet */
	AST_SIP_SESSION_CONFIRMED,
	AST_SIP_SESSION_DISCONNECTED,
};
RS_API const char *ast_sip_session_state_name(enum ast_sip_session_state s);

enum ast_sip_session_end {
	AST_SIP_SESSION_END_LOCAL,     /* ast_sip_session_hangup */
	AST_SIP_SESSION_END_BYE,       /* the peer's BYE; rx */
	AST_SIP_SESSION_END_CANCEL,    /* the peer's CANCEL (487 has been sent); rx is the CANCEL */
	AST_SIP_SESSION_END_REFUSED,   /* our INVITE's final answer of 300 or more; rx */
	AST_SIP_SESSION_END_TIMEOUT,   /* our INVITE: no answer in time, or nothing reachable */
	AST_SIP_SESSION_END_TRANSPORT, /* our INVITE could not be sent */
	AST_SIP_SESSION_END_NO_ACK,    /* our 2xx was never acknowledged (BYE has been sent) */
	AST_SIP_SESSION_END_NO_PRACK,  /* our reliable 1xx was never acknowledged (504 has been sent) */
	AST_SIP_SESSION_END_EXPIRED,   /* the session timer ran out (BYE has been sent) */
	AST_SIP_SESSION_END_LOST,      /* a request inside was answered 408 or 481, or not at all (BYE has been sent) */
	AST_SIP_SESSION_END_SHUTDOWN,  /* the server stops */
};
RS_API const char *ast_sip_session_end_name(enum ast_sip_session_end e);

/* Who uses a session. Each callback may be NULL (the default in brackets). */
struct ast_sip_session_user {
	uint32_t size;
	const char *name;

	/* ---- outgoing ---- */
	/*
	 * 101..199, reliable ones in order and each once [nothing]. offers: a reliable one that carries an offer (our
	 * INVITE had none), which must be answered by ast_sip_session_prack; any other is acknowledged already.
	 */
	void (*on_progress)(struct ast_sip_session *s, struct sip_rx_data *rx, bool offers, void *token);
	/* The first 2xx. ast_sip_session_ack must be called, now or later [it is, without body]. Others of a fork are
	 * acknowledged and ended by the session itself. */
	void (*on_answer)(struct ast_sip_session *s, struct sip_rx_data *rx, void *token);

	/* ---- incoming ---- */
	/* The ACK of the INVITE's 2xx, or of a re-INVITE's; rx may have a body, the answer to an offer in that 2xx. */
	void (*on_ack)(struct ast_sip_session *s, struct sip_rx_data *rx, void *token);

	/* ---- both ---- */
	/*
	 * A request inside: re-INVITE, UPDATE, INFO, MESSAGE, REFER, NOTIFY, …; PRACK only when it carries SDP. true:
	 * it is answered by ast_sip_session_respond, now or later. false [and without it]: INFO without body 200,
	 * UPDATE and re-INVITE without SDP 200 (a refresh), what else 405 or 501. Requests that may not come now (491,
	 * 500 with Retry-After, 481) are answered before.
	 */
	bool (*on_request)(struct ast_sip_session *s, struct sip_rx_data *rx, void *token);
	/* The end, once and last: the session is DISCONNECTED, nothing more is called. rx: what ended it, or NULL. */
	void (*on_end)(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx, void *token);
};

/* ---- sessions come ---- */

/*
 * INVITEs outside of dialogs are offered to these, in the order of priority, until one says true: it has set the
 * session's user and will answer. Before that the session has checked Require, 100rel (420, 421), Session-Expires
 * (422), that it is no merged request (482), and sent 100. Nobody: 404. On the new session's serializer.
 */
struct ast_sip_session_handler {
	uint32_t size;
	const char *name;
	int priority; /* lower first */
	bool (*on_invite)(struct ast_sip_session *s, struct sip_rx_data *rx);
	struct ast_sip_module *owner;
	struct ast_sip_session_handler *next;
};
RS_API int ast_sip_session_register_handler_for(struct ast_sip_module *owner, struct ast_sip_session_handler *h);
#define ast_sip_session_register_handler(h) ast_sip_session_register_handler_for(AST_SIP_SELF, (h))
RS_API void ast_sip_session_unregister_handler(struct ast_sip_session_handler *h);

/*
 * Supplements see and add to what every session sends and receives, in the order of priority (design: those of its
 * sister). method: comma-separated, NULL: all. Callbacks may be NULL. What begins (headers by endpoint options:
 * identity, diversion, Reason) stands in supplements, not in the session.
 */
struct ast_sip_session_supplement {
	uint32_t size;
	const char *name;
	const char *method;
	int priority;
	void (*session_begin)(struct ast_sip_session *s);
	void (*session_end)(struct ast_sip_session *s);
	/* Not 0: the supplement has answered, nobody else sees it. */
	int (*incoming_request)(struct ast_sip_session *s, struct sip_rx_data *rx);
	void (*incoming_response)(struct ast_sip_session *s, struct sip_rx_data *rx);
	void (*outgoing_request)(struct ast_sip_session *s, struct sip_tx_data *tx);
	void (*outgoing_response)(struct ast_sip_session *s, struct sip_tx_data *tx);
	struct ast_sip_module *owner;
	struct ast_sip_session_supplement *next;
};
RS_API int ast_sip_session_register_supplement_for(struct ast_sip_module *owner, struct ast_sip_session_supplement *p);
#define ast_sip_session_register_supplement(p) ast_sip_session_register_supplement_for(AST_SIP_SELF, (p))
RS_API void ast_sip_session_unregister_supplement(struct ast_sip_session_supplement *p);

/* An outgoing session in a new UAC dialog; state NEW. Referenced. NULL with errno as ast_sip_create_dialog_uac. Any
 * thread; the session lives on p->serializer. */
RS_API struct ast_sip_session *ast_sip_session_create_outgoing_for(struct ast_sip_module *owner,
								   struct ast_sip_endpoint *endpoint,
								   const struct ast_sip_dialog_uac_params *p,
								   const struct ast_sip_session_user *user,
								   void *token);
#define ast_sip_session_create_outgoing(endpoint, p, user, token)                                                      \
	ast_sip_session_create_outgoing_for(AST_SIP_SELF, (endpoint), (p), (user), (token))
/* Who uses an incoming one, or takes it over from another (a transfer). on_end of the old one is not called. */
RS_API void ast_sip_session_set_user_for(struct ast_sip_module *owner, struct ast_sip_session *s,
					 const struct ast_sip_session_user *user, void *token);
#define ast_sip_session_set_user(s, user, token) ast_sip_session_set_user_for(AST_SIP_SELF, (s), (user), (token))

RS_API struct ast_sip_session *ast_sip_session_ref(struct ast_sip_session *s); /* any thread, as is unref */
RS_API void ast_sip_session_unref(struct ast_sip_session *s);
/* The session of a dialog that Call-ID and tags name, as the *peer* of that dialog would write them in Replaces (its
 * own tag is from_tag); referenced, or NULL. Any thread. */
RS_API struct ast_sip_session *ast_sip_session_find_replaced(struct rs_str call_id, struct rs_str to_tag,
							     struct rs_str from_tag);

/* ---- what is known ---- */
RS_API enum ast_sip_session_state ast_sip_session_state(const struct ast_sip_session *s);
RS_API struct sip_dialog *ast_sip_session_dialog(struct ast_sip_session *s);
RS_API struct ast_sip_endpoint *ast_sip_session_endpoint(const struct ast_sip_session *s);
RS_API struct rs_serializer *ast_sip_session_serializer(const struct ast_sip_session *s); /* any thread */
RS_API void *ast_sip_session_token(const struct ast_sip_session *s, const struct ast_sip_session_user *user);
RS_API bool ast_sip_session_is_outgoing(const struct ast_sip_session *s);
/* What the peer said it knows: Allow, Supported of its last INVITE, UPDATE, or answer to ours. */
RS_API bool ast_sip_session_peer_allows(const struct ast_sip_session *s, enum sip_method method);
enum ast_sip_session_tag {
	AST_SIP_SESSION_TAG_100REL = 1,
	AST_SIP_SESSION_TAG_TIMER = 2,
	AST_SIP_SESSION_TAG_REPLACES = 4,
	AST_SIP_SESSION_TAG_NOREFERSUB = 8,
	AST_SIP_SESSION_TAG_HISTINFO = 16
};
RS_API unsigned ast_sip_session_peer_supports(const struct ast_sip_session *s); /* of the above */
/* Whose turn it is (RFC 3264, 6337). */
enum ast_sip_session_oa {
	AST_SIP_SESSION_OA_IDLE,   /* nobody has an offer open: either may offer */
	AST_SIP_SESSION_OA_LOCAL,  /* our offer waits for the peer's answer */
	AST_SIP_SESSION_OA_REMOTE, /* the peer's offer waits for our answer */
};
RS_API enum ast_sip_session_oa ast_sip_session_oa(const struct ast_sip_session *s);
/* The type's prefix is compared: "application/sdp" with parameters counts; multipart with an SDP part, too. */
RS_API bool ast_sip_rx_has_sdp(struct sip_rx_data *rx);

/* ---- outgoing ---- */

/* The INVITE, its options of the endpoint (100rel, timers, Allow, Supported) set; the caller adds body and headers. */
RS_API struct sip_tx_data *ast_sip_session_create_invite(struct ast_sip_session *s);
/* Sends it; the state becomes CALLING. timeout_ms: how long to wait for a final answer (0: Timer C, 180 s, renewed by
 * each provisional one); then it is cancelled (END_TIMEOUT). Takes tx over. 0 or -1 (nothing will be called). */
RS_API int ast_sip_session_send_invite(struct ast_sip_session *s, struct sip_tx_data *tx, int timeout_ms);
/* The ACK to the last 2xx, to the INVITE's or a re-INVITE's; content_type and body may be empty. Repeated by the
 * session for repeated 2xx. 0 or -1 (EALREADY). */
RS_API int ast_sip_session_ack(struct ast_sip_session *s, struct rs_str content_type, struct rs_str body);
/* The PRACK for a progress that offered. 0 or -1. cb may be NULL: its answer (which may carry SDP) on the serializer.
 */
RS_API int ast_sip_session_prack(struct ast_sip_session *s, struct rs_str content_type, struct rs_str body,
				 ast_sip_request_cb cb, void *token);

/* ---- incoming ---- */

/* An answer to the initial INVITE: 101..699. The session adds what it is for (Contact, Allow, Supported, Require and
 * RSeq, Session-Expires); the caller body and headers. */
RS_API struct sip_tx_data *ast_sip_session_create_answer(struct ast_sip_session *s, unsigned status,
							 struct rs_str reason);
/*
 * Sends it. A provisional one goes reliably when the endpoint's 100rel and the peer want it (one at a time: the next
 * waits for the PRACK of the last; a 2xx waits for PRACKs of those with SDP); a 2xx is repeated until its ACK. Takes tx
 * over. 0 or -1 (EALREADY: it was answered).
 */
RS_API int ast_sip_session_send_answer(struct ast_sip_session *s, struct sip_tx_data *tx);

/* ---- both ---- */

/* A request inside. NULL with errno: EAGAIN for an INVITE or UPDATE with an offer that may not leave now (a transaction
 * or an offer is open), ENOTCONN. */
RS_API struct sip_tx_data *ast_sip_session_create_request(struct ast_sip_session *s, struct rs_str method);
/*
 * Sends it; cb once with the outcome, after the session has taken from it what concerns it (481 and 408 end the session
 * behind cb). retry: a 491 is sent again by the rules of RFC 3261 section 14.1 and cb called for the last; else 491 is
 * an outcome as any. For an INVITE's 2xx the caller calls ast_sip_session_ack. Takes tx over. 0 or -1.
 */
RS_API int ast_sip_session_send_request(struct ast_sip_session *s, struct sip_tx_data *tx, bool retry,
					ast_sip_request_cb cb, void *token);
/* An answer to a request inside that on_request took: any status that RFC 3261 allows; a re-INVITE's 2xx is repeated
 * until its ACK. create adds To tag, Contact, Session-Expires, Allow, Supported. */
RS_API struct sip_tx_data *ast_sip_session_create_response(struct ast_sip_session *s, struct sip_rx_data *rx,
							   unsigned status, struct rs_str reason);
RS_API int ast_sip_session_respond(struct ast_sip_session *s, struct sip_rx_data *rx, struct sip_tx_data *tx);

/*
 * Ends it by what its state asks for: an outgoing one that was not answered is cancelled (reason: value of a Reason
 * header), an incoming one answered with status (300..699; 0: 603), a confirmed one gets BYE with reason (on the called
 * side: once the ACK came, RFC 3261 section 15). on_end(LOCAL) follows when that is done: never before this returned.
 */
RS_API void ast_sip_session_hangup(struct ast_sip_session *s, unsigned status, struct rs_str reason);
/* The same with headers of the caller's on the BYE: takes tx, made by create_request("BYE"). */
RS_API void ast_sip_session_hangup_with(struct ast_sip_session *s, struct sip_tx_data *bye);

struct ast_sip_session_stats {
	uint64_t now, incoming, outgoing, confirmed, glares, expired, no_ack;
};
RS_API void ast_sip_session_stats(struct ast_sip_session_stats *out);

#endif
