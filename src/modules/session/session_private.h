/* What the files of the sessions share. All but what is marked "any thread" is called on the session's serializer. */
#ifndef MODULES_SESSION_PRIVATE_H
#define MODULES_SESSION_PRIVATE_H

#include "base/clock.h"
#include "res_sip/session.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Requests of the peer that wait for the user's answer: each holds a message. More are answered 500. */
#define SESSION_MAX_PENDING 16
/* Answers that wait for a PRACK: a user that rings on and on without being acknowledged. */
#define SESSION_MAX_QUEUED 16
/* Branches of a fork that are followed; those past it are left to their own timers. */
#define SESSION_MAX_BRANCHES 16
/* How often a request is sent again for its 491, and for its 422. */
#define SESSION_MAX_GLARES    10
#define SESSION_MAX_INTERVALS 4
#define SESSION_MAX_RETRY_S   10 /* of Retry-After in a 500 (RFC 3261 section 14.2, RFC 3311 section 5.2) */
/* RFC 3261 section 16.6: an INVITE that rings is given up so long after its last provisional answer. */
#define SESSION_TIMER_C_US          180000000
#define SESSION_MIN_SE              90 /* RFC 4028 section 4 */
#define SESSION_TEXT(buf, fmt, ...) rs_str_n(buf, (size_t)snprintf(buf, sizeof(buf), fmt, __VA_ARGS__))

/* What a session waits for; all of them stand on one timer. */
enum session_clock {
	CLOCK_CONFIRM,     /* the next repetition of a 2xx without ACK */
	CLOCK_PROVISIONAL, /* that of a reliable provisional answer without PRACK */
	CLOCK_NO_ANSWER,   /* our INVITE has rung long enough */
	CLOCK_GLARE,       /* a request that was answered 491 leaves again */
	CLOCK_PENDING,     /* a request of the peer's has waited for the user long enough */
	CLOCK_REFRESH,     /* half of the session interval */
	CLOCK_EXPIRE,      /* its end */
	CLOCK_FINISH,      /* an end that its cause must not tell of before it returned */
	CLOCKS,
};

/* The state of offer and answer in one dialog. */
struct session_oa {
	uint8_t turn; /* enum ast_sip_session_oa */
	bool done; /* the INVITE under way has had its exchange: SDP in its later answers repeats, and says nothing */
};

/* One dialog of our INVITE's fork (RFC 3261 section 12.1, RFC 3262 section 4). */
struct session_branch {
	struct session_branch *next;
	struct sip_dialog *dlg; /* referenced */
	struct sip_tx_data *ack;
	struct session_oa oa;
	uint32_t cseq, rseq; /* of the last reliable provisional answer taken; rseq 0: none */
};

enum session_kind { REQUEST_INVITE, REQUEST_UPDATE, REQUEST_PRACK, REQUEST_BYE, REQUEST_OTHER };

/* A request of ours, from its send until nothing of it can come any more. */
struct session_request {
	struct session_request *next;    /* of those without outcome */
	struct ast_sip_session *s;       /* referenced */
	struct ast_sip_request *req;     /* referenced: as it was sent last */
	struct sip_dialog *dlg;          /* referenced: what it was sent in */
	struct sip_tx_data *tx;          /* as it was given: for another try */
	struct sip_tx_data *ack;         /* INVITE: once it was acknowledged */
	struct session_branch *branches; /* INVITE outside of a dialog */
	ast_sip_request_cb cb;
	void *token;
	uint32_t refs;
	uint32_t interval; /* Session-Expires that it asks for; 0: none */
	uint8_t kind;      /* enum session_kind */
	uint8_t glares, intervals;
	bool initial, offer, retry, refresh;
	bool pending; /* no outcome yet */
	bool waiting; /* for the time to be sent again */
	bool usage;   /* the session is a usage of dlg, which is not its dialog any more */
};

/* A request of the peer's that the user will answer. */
struct session_pending {
	struct session_pending *next;
	struct sip_rx_data *rx; /* referenced */
	int64_t due_us;         /* when the session answers it; 0: an INVITE may wait */
	bool offer;
};

/* A 2xx to an INVITE that waits for its ACK (RFC 3261 section 13.3.1.4). */
struct session_confirm {
	struct session_confirm *next;
	struct sip_tx_data *tx;
	struct sip_tsx *tsx;
	int64_t next_us, end_us, interval_us;
	uint32_t cseq;
	bool offers; /* the ACK brings the answer */
};

/* Answers to the INVITE that wait for the PRACK of an earlier one. */
struct session_queued {
	struct session_queued *next;
	struct sip_tx_data *tx;
};

/* What only a session that is being set up has; freed when it stands. */
struct session_setup {
	/* incoming */
	struct sip_rx_data *rx; /* the INVITE */
	struct sip_tsx *tsx;
	struct sip_tx_data *reliable; /* unacknowledged */
	struct session_queued *queue;
	int64_t reliable_interval_us, reliable_end_us;
	uint32_t rseq;
	bool answered;     /* the final answer was sent, or stands in the queue */
	bool reliable_sdp; /* of the unacknowledged one */
	/* outgoing: the reliable progress that offered */
	struct session_branch *prack; /* its dialog; lives as long as the INVITE has no outcome */
	uint32_t prack_rseq, prack_cseq;
	int timeout_ms; /* the user's */
};

struct ast_sip_session {
	_Atomic uint32_t refs;
	_Atomic uint8_t state; /* enum ast_sip_session_state; written on the serializer */
	uint8_t why;           /* enum ast_sip_session_end: of a deferred end */
	struct session_oa oa;
	struct ast_sip_session *next, **prev; /* of its shard */
	struct sip_dialog *dlg;               /* referenced; changed under the shard's lock */
	struct rs_serializer *serializer;     /* the dialog's */
	struct ast_sip_work *work;            /* the same; NULL before anything ran there */
	struct ast_sip_endpoint *endpoint;    /* referenced */
	struct ast_sip_module *owner;         /* of the user */
	const struct ast_sip_session_user *user;
	void *token;
	struct ast_sip_timer *timer;
	int64_t due_us[CLOCKS]; /* 0: not set */
	struct session_setup *setup;
	struct session_request *requests; /* ours without outcome */
	struct session_request *to_ack;   /* referenced: its 2xx waits for our ACK */
	struct session_pending *pending;
	struct session_confirm *confirm;
	struct sip_tx_data *bye; /* waits for the ACK of our 2xx */
	char *sdp;               /* the last local one: its Content-Type, a NUL, the body */
	uint32_t sdp_len;
	uint32_t interval;    /* the session interval in s; 0: no timer runs */
	uint32_t peer_min;    /* the highest Min-SE heard */
	uint32_t invite_cseq; /* incoming: of the INVITE */
	uint16_t shard;
	uint16_t allows;             /* of the peer: a bit a method */
	uint8_t supports;            /* enum ast_sip_session_tag */
	bool outgoing, reliable : 1; /* reliable: provisional answers go with RSeq */
	bool we_refresh : 1;
	bool counted : 1; /* in stats.now and the table */
	bool begun : 1;   /* supplements were told */
	bool usage : 1;   /* of dlg */
	bool closing : 1; /* hung up by the user: its end is on its way */
	bool bye_sent : 1;
	bool dialog_gone : 1; /* nothing can be sent in it any more */
	bool cancelled : 1;   /* our INVITE was given up */
	bool confirmed : 1;
	bool ended : 1; /* the user was told */
	bool released : 1;
	bool ticking : 1; /* clocks are being served */
};

/* ---- session.c ---- */

/* Takes over dlg. A second reference is the table's, from session_settle on. NULL without memory. Any thread. */
struct ast_sip_session *session_new(struct sip_dialog *dlg, struct ast_sip_endpoint *endpoint, bool outgoing);
/*
 * Timer, usage and place in the table, once, on the serializer. 0 or -1 (ENOMEM, ESHUTDOWN, EEXIST: rx is merged with
 * the INVITE of another session, RFC 3261 section 8.2.2.2). rx NULL: outgoing.
 */
int session_settle(struct ast_sip_session *s, struct sip_rx_data *rx);
void session_set_state(struct ast_sip_session *s, enum ast_sip_session_state state);
/* The session's dialog is another one of the fork from now on. Takes over the reference. */
void session_set_dialog(struct ast_sip_session *s, struct sip_dialog *dlg);
void session_free_setup(struct ast_sip_session *s);
/* Tells the user; what is still on its way ends behind it. */
void session_end(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx);
/* The same, but from the timer. */
void session_end_later(struct ast_sip_session *s, enum ast_sip_session_end why);
void session_finish_fire(struct ast_sip_session *s);
/* Out of dialog and table when it has ended and nothing is on its way. s may be gone afterwards without a reference. */
void session_release(struct ast_sip_session *s);
/* Every session there is, referenced while it is called; from a thread outside of the pool. */
void session_each(void (*each)(struct ast_sip_session *s));
enum session_count {
	COUNT_INCOMING,
	COUNT_OUTGOING,
	COUNT_CONFIRMED,
	COUNT_GLARES,
	COUNT_EXPIRED,
	COUNT_NO_ACK,
	COUNTS
};
void session_count(enum session_count what); /* any thread */

/* ---- clock.c ---- */
void session_clock_set(struct ast_sip_session *s, enum session_clock which, int64_t delay_us);
void session_clock_stop(struct ast_sip_session *s, enum session_clock which);
void session_clock_stop_all(struct ast_sip_session *s);
int session_clock_init(struct ast_sip_session *s);
void session_clock_fini(struct ast_sip_session *s);

/* ---- res_sip_session.c: what the configuration says; any thread ---- */
int64_t session_t1_us(void);
int64_t session_t2_us(void);
/* The service's on_rx_request. */
bool session_on_invite(struct sip_rx_data *rx);

/* ---- handler.c ---- */
bool session_offer_to_handlers(struct ast_sip_session *s, struct sip_rx_data *rx);
void session_supplements_begin(struct ast_sip_session *s);
void session_supplements_end(struct ast_sip_session *s);
/* true: one has answered. */
bool session_supplements_request_in(struct ast_sip_session *s, struct sip_rx_data *rx);
void session_supplements_response_in(struct ast_sip_session *s, struct sip_rx_data *rx);
void session_supplements_out(struct ast_sip_session *s, struct sip_tx_data *tx);

/* ---- capability.c ---- */
/* Allow and Supported of an INVITE, an UPDATE, or an answer to one. */
void session_learn(struct ast_sip_session *s, struct sip_rx_data *rx);
/* Allow, Supported; an INVITE's Require as well. */
void session_add_capabilities(struct ast_sip_session *s, struct sip_tx_data *tx);
bool session_requires(struct sip_rx_data *rx, const char *tag);
bool session_supports(struct sip_rx_data *rx, const char *tag); /* or requires it */
/* The endpoint's, or the defaults. Any thread. */
const struct ast_sip_endpoint_settings *session_settings(const struct ast_sip_endpoint *endpoint);

/* ---- offer_answer.c ---- */
bool session_tx_has_sdp(const struct sip_tx_data *tx);
/* SDP came or left in a message of an INVITE, PRACK or UPDATE: the next turn of oa. */
void session_oa_sent(struct session_oa *oa);
void session_oa_received(struct session_oa *oa);
/* The exchange of a transaction begins, or comes to nothing. */
void session_oa_begin(struct session_oa *oa);
void session_oa_abandon(struct session_oa *oa, enum ast_sip_session_oa turn);
/* tx has the local SDP that is in force from now on. */
void session_keep_sdp(struct ast_sip_session *s, const struct sip_tx_data *tx);
/* Lets go of it when no refresh will need it. */
void session_trim_sdp(struct ast_sip_session *s);
void session_drop_sdp(struct ast_sip_session *s);

/* ---- glare.c ---- */
/* The answer to an INVITE or UPDATE of the peer's that may not come now; 0: it may. */
unsigned session_glare(const struct ast_sip_session *s, enum sip_method method, bool sdp);
/* Whether an INVITE or UPDATE of ours may leave now. */
bool session_may_send(const struct ast_sip_session *s, enum sip_method method, bool sdp);
int64_t session_glare_delay_us(const struct ast_sip_session *s);
void session_glare_wait(struct session_request *r);
void session_glare_fire(struct ast_sip_session *s);

/* ---- invite_in.c ---- */
int session_answer_final(struct ast_sip_session *s, struct sip_tx_data *tx);
/* An answer of the session's own to the INVITE that is not answered yet. */
void session_refuse(struct ast_sip_session *s, unsigned status, struct rs_str reason);
extern const struct sip_tsx_user session_invite_user;

/* ---- confirm.c ---- */
/* tx, a 2xx, was sent through tsx: repeats it until the ACK. 0 or -1 (ENOMEM: it is not repeated). */
int session_confirm_wait(struct ast_sip_session *s, struct sip_tx_data *tx, struct sip_tsx *tsx, uint32_t cseq,
			 bool offers);
bool session_confirm_ack(struct ast_sip_session *s, struct sip_rx_data *ack);
void session_confirm_fire(struct ast_sip_session *s);
void session_confirm_drop(struct ast_sip_session *s);

/* ---- rel100.c ---- */
int session_reliable_send(struct ast_sip_session *s, struct sip_tx_data *tx);
/* Whether a 2xx has to wait; it stands in the queue then (tx taken over). */
bool session_reliable_holds(struct ast_sip_session *s, struct sip_tx_data *tx);
void session_reliable_stop(struct ast_sip_session *s);
void session_reliable_fire(struct ast_sip_session *s);
void session_prack_received(struct ast_sip_session *s, struct sip_rx_data *rx);
/* A provisional answer: whether the user is to be told, and whether it offers. */
bool session_reliable_received(struct session_request *r, struct session_branch *b, struct sip_rx_data *rx,
			       bool *offers);

/* ---- invite_out.c ---- */
void session_invite_provisional(struct session_request *r, struct sip_rx_data *rx);
void session_invite_final(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx);
void session_invite_more(struct session_request *r, struct sip_rx_data *rx);
void session_invite_timeout(struct ast_sip_session *s);
/* The 2xx that waits for it gets an ACK without body. */
void session_ack_plain(struct ast_sip_session *s);
void session_branches_free(struct session_request *r);

/* ---- request.c ---- */
/* Takes tx over. NULL with errno; nothing will be called then. */
struct session_request *session_request_send(struct ast_sip_session *s, struct sip_dialog *dlg, struct sip_tx_data *tx,
					     enum session_kind kind, const struct session_request *how);
/* Sends r again with the same content; interval 0: as it was. 0 or -1. */
int session_request_again(struct session_request *r, uint32_t interval);
struct session_request *session_request_ref(struct session_request *r);
void session_request_unref(struct session_request *r);
/* Out of those without outcome; tells its caller. */
void session_request_done(struct session_request *r, enum ast_sip_request_end why, struct sip_rx_data *rx);
bool session_request_pending(const struct ast_sip_session *s, enum session_kind kind);
bool session_requests_under_way(const struct ast_sip_session *s);
/* At the end: callers are told, INVITEs are given up, those that wait are forgotten. */
void session_requests_end(struct ast_sip_session *s);
/* A 422 to r: whether it was sent again (RFC 4028 section 7.4). */
bool session_request_longer(struct session_request *r, struct sip_rx_data *rx);

/* ---- inside.c ---- */
extern const struct sip_dialog_usage session_usage;
int session_answer_inside(struct ast_sip_session *s, struct sip_rx_data *rx, unsigned status, bool retry_after);
struct session_pending *session_pending_add(struct ast_sip_session *s, struct sip_rx_data *rx, bool offer);
/* RFC 4320: a non-INVITE is answered while its sender still listens. */
void session_pending_fire(struct ast_sip_session *s);
/* Answers all that waits. */
void session_pending_answer(struct ast_sip_session *s, unsigned status);
bool session_pending_has(const struct ast_sip_session *s, enum sip_method method);
/* A request that passed the session's checks: to supplements and user. */
void session_tell_request(struct ast_sip_session *s, struct sip_rx_data *rx, bool sdp);

/* ---- timer.c ---- */
/* The answer that an INVITE or UPDATE deserves for its timer; 0: none. *min_se: of a 422. */
unsigned session_timer_check(const struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx);
void session_timer_heard(struct ast_sip_session *s, struct sip_rx_data *rx);
/* Session-Expires and Min-SE of a request; s->interval or the configured one. Gives the interval. */
uint32_t session_timer_add_request(struct ast_sip_session *s, struct sip_tx_data *tx, uint32_t interval);
void session_timer_add_response(struct ast_sip_session *s, struct sip_rx_data *rx, struct sip_tx_data *tx);
/* A 2xx to an INVITE or UPDATE was sent / received. */
void session_timer_sent(struct ast_sip_session *s, struct sip_tx_data *tx);
void session_timer_received(struct ast_sip_session *s, struct sip_rx_data *rx, uint32_t asked);
void session_timer_refresh_failed(struct ast_sip_session *s);
void session_timer_refresh_fire(struct ast_sip_session *s);
void session_timer_expire_fire(struct ast_sip_session *s);
void session_timer_min_se(struct sip_tx_data *tx, uint32_t seconds);

/* ---- hangup.c ---- */
/* Ends what stands by a BYE, and what does not by CANCEL or status; the user is told at once. */
void session_give_up(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx, unsigned status);
/* A BYE leaves, or waits for the ACK of our 2xx. Takes tx over. */
void session_bye(struct ast_sip_session *s, struct sip_tx_data *tx);
void session_bye_now(struct ast_sip_session *s);
/* The ACK came, or will not come. */
void session_bye_may_leave(struct ast_sip_session *s);

#endif
