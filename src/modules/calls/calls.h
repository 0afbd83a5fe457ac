/*
 * What the files of the call service share: calls, their legs, and what legs tell each other.
 *
 * A leg is an object around one session and lives on that session's serializer. Legs talk by events only: a leg never
 * touches another's members, so it does not matter whether both are on one serializer (as they are from birth) or on
 * two (after a transfer joined legs of two calls). A call is what the record says of an attempt; it has a lock of its
 * own, which is never held across a callback.
 */
#ifndef MODULES_CALLS_H
#define MODULES_CALLS_H

#include "diversion.h"
#include "identity.h"
#include "res_sip/conf_file.h"
#include "res_sip/session.h"
#include "sip/writer.h"

#include <stdatomic.h>
#include <stdio.h>

#define CALLS_MAX_BRANCHES 32  /* phones that one call rings at once: an answer to one packet with many */
#define CALLS_MAX_STAGES   16  /* endpoints that one call tries one after another */
#define CALLS_MAX_REDIRECT 5   /* 3xx answers followed for one call */
#define CALLS_MAX_TARGETS  64  /* URIs that one call was sent to, kept to find loops */
#define CALLS_MAX_NUMBER   128 /* bytes of a number that a route takes */
#define CALLS_MAX_REASON   512 /* bytes of a Reason that is passed on: CALL_MAX_REASON */

/* ---- shared.c: counted objects that events carry ---- */

struct shared {
	_Atomic uint32_t refs;
	void (*free)(struct shared *s);
};
void shared_init(struct shared *s, void (*free)(struct shared *s));
struct shared *shared_ref(struct shared *s); /* NULL is allowed in both */
void shared_unref(struct shared *s);

/* ---- conf.c: calls.conf ---- */

extern const struct ast_sip_conf_file *const calls_conf_files[];

enum calls_general {
	GENERAL_RECORDS,
	GENERAL_MAX_CALLS,
	GENERAL_MAX_CALLS_PER_ENDPOINT,
	GENERAL_MAX_DURATION,
	GENERAL_RING_TIMEOUT,
	GENERAL_REDIRECT,
};
enum calls_route {
	ROUTE_PATTERN,
	ROUTE_STRIP,
	ROUTE_PREFIX,
	ROUTE_ENDPOINT,
	ROUTE_TIMEOUT,
	ROUTE_CONTINUE_ON,
};
enum { REDIRECT_FOLLOW, REDIRECT_PASS };

uint32_t calls_general_uint(struct ast_sip_snapshot *s, enum calls_general row);
int calls_general_int(struct ast_sip_snapshot *s, enum calls_general row);
struct rs_str calls_general_str(struct ast_sip_snapshot *s, enum calls_general row); /* as long as s */
struct ast_sip_conf_objects calls_routes(struct ast_sip_snapshot *s);

/* How an attempt failed. */
enum calls_failure {
	FAILED_ANSWER,      /* with a final answer */
	FAILED_NO_ANSWER,   /* it rang */
	FAILED_UNREACHABLE, /* not even that */
};
/* Whether a route goes on to its next endpoint after that. */
bool calls_route_continues(const struct ast_sip_conf_object *route, enum calls_failure how, unsigned status);

/* ---- stages.c: where a call goes ---- */

struct plan_stage {
	struct ast_sip_endpoint *endpoint; /* referenced; NULL: the contacts say, or the default outbound one */
	struct ast_sip_aor *aor;           /* referenced; only its contacts; NULL: those of all AORs of the endpoint */
	char *uri;                         /* to that URI instead of contacts (a redirect); NULL: contacts */
	char *user;                        /* user of the Request-URI; NULL: the contact's own */
	unsigned timeout_s;
	const struct ast_sip_conf_object *route; /* NULL: the user was named directly */
	bool moved;                              /* a redirect: follows whatever the stage before came to */
};
struct plan {
	struct plan_stage v[CALLS_MAX_STAGES];
	unsigned n;
};
/*
 * The endpoint or AOR that user names (also as user@host, with domain aliases), else what the first route says whose
 * pattern matches. user is escaped as in a URI. Adds stages to plan. 0, or the status to refuse with: 404, 484, 500.
 */
unsigned stages_make(struct plan *plan, struct ast_sip_snapshot *s, const struct sip_uri *uri);
/* The stages of from behind stage at of plan, as those of a redirect; from is empty then. 0, or -1 without room. */
int stages_insert(struct plan *plan, unsigned at, struct plan *from);
/* A stage that goes to uri on behalf of endpoint. 0 or -1 without memory or room. */
int stages_add_uri(struct plan *plan, struct ast_sip_endpoint *endpoint, struct rs_str uri, unsigned timeout_s);
/* From stage first on. */
void stages_cut(struct plan *plan, unsigned first);
void stages_fini(struct plan *plan);

/* ---- limits.c: calls at once ---- */

struct endpoint_use; /* the legs that an endpoint has now */

/* One more leg of it; NULL without memory. */
struct endpoint_use *limits_take(struct rs_str id);
void limits_give(struct endpoint_use *u);
uint32_t limits_used(struct rs_str id);
/* Whether the endpoint takes one more call now: max_calls_per_endpoint, and being called device_state_busy_at. */
bool limits_allow(struct ast_sip_snapshot *s, const struct ast_sip_endpoint *e, bool called);
uint32_t limits_endpoints(void); /* that are in use */

/* ---- call.c ---- */

struct leg;
struct call;

enum call_state { CALL_DIALING, CALL_RINGING, CALL_UP, CALL_OVER };
/* Who ended it. */
enum call_by { CALL_BY_NOBODY, CALL_BY_CALLER, CALL_BY_CALLEE, CALL_BY_SERVER };

enum call_text {
	CALL_CALLER,          /* URI of the From */
	CALL_CALLER_NAME,     /* its display name */
	CALL_DIALED,          /* the Request-URI */
	CALL_CALLER_ENDPOINT, /* id */
	CALL_CALLER_ID,       /* Call-ID */
	CALL_CALLER_TEXTS,
	CALL_CALLEE = CALL_CALLER_TEXTS, /* URI that answered, or was tried last */
	CALL_CALLEE_ENDPOINT,
	CALL_CALLEE_ID,
	CALL_CALLEE_TEXTS,
	CALL_TRANSFER = CALL_CALLEE_TEXTS, /* the URI that it was transferred to last */
	CALL_TRANSFER_ID,
	CALL_TEXTS
};

/* What a record and `calls show` say: a copy, made under the call's lock. Texts live as long as it. */
struct call_facts {
	uint64_t id;
	enum call_state state;
	int64_t start_us, ring_us, answer_us, end_us; /* wall clock; 0: did not happen */
	unsigned status;                              /* the caller's final answer; 0: none yet */
	enum call_by by;
	const char *cause; /* static; what ended it */
	unsigned branches, transfers;
	struct rs_str text[CALL_TEXTS];
	char *block;
};

/* A new attempt, counted and in the table; referenced. NULL with errno: EAGAIN (max_calls), ENOMEM. */
struct call *call_new(struct ast_sip_snapshot *s, struct ast_sip_session *caller, struct sip_rx_data *invite);
struct call *call_ref(struct call *c);
void call_unref(struct call *c);
uint64_t call_id(const struct call *c);

/* What happens to it, from whichever leg's serializer. */
void call_tries(struct call *c, struct ast_sip_session *callee, struct rs_str endpoint); /* a branch is rung */
void call_rings(struct call *c);
/* callee NULL: it is on another serializer. */
void call_answered(struct call *c, struct ast_sip_session *callee, struct rs_str endpoint);
void call_refused(struct call *c, unsigned status, enum call_by by, const char *cause);
void call_transferred(struct call *c, struct ast_sip_session *to);
/* A leg of it begins / ends; with the last one the call is over and its record is written. */
void call_add_leg(struct call *c, struct leg *leg);
void call_remove_leg(struct call *c, struct leg *leg, enum call_by by, const char *cause);
/* Asks all its legs to end, with that Reason value; cause (static) is for the record. Any thread. */
void call_hangup(struct call *c, struct rs_str reason, const char *cause);
void call_hangup_all(struct rs_str reason, const char *cause);

int call_facts(struct call *c, struct call_facts *out); /* 0 or -1 without memory */
void call_facts_fini(struct call_facts *f);
struct call *call_find(uint64_t id); /* referenced */
/* All that there are, by id; referenced, in an array that the caller frees. */
struct call **call_list(size_t *n);
uint64_t call_count(void);
struct call **call_record_link(struct call *c); /* of record.c's queue */

/* ---- record.c, record_line.c ---- */

int record_start(void); /* 0 or -1 */
/* The file's name as it is configured (empty: no records); again with each reload. */
void record_configure(struct ast_sip_snapshot *s);
void record_reopen(void); /* SIGUSR1: somebody moved the file away */
/* Once there are no calls (any more); what is queued is written first. */
void record_stop(void);
void record_last(void); /* a call is gone */
/* Queues the line of a call that is over. */
void record_write(struct call *c);
/* The line, with its end. */
void record_print(struct sip_writer *w, const struct call_facts *f);

/* ---- leg.c ---- */

struct relay;
struct dial;
struct transfer;

enum leg_role { LEG_CALLER, LEG_CALLED };

struct leg {
	_Atomic uint32_t refs;
	uint8_t role;
	bool up;      /* answered: its dialog is confirmed (or is about to be) */
	bool ending;  /* it was told to end */
	bool ended;   /* nothing more comes from its session */
	bool rang;    /* a provisional answer came */
	bool ack_due; /* its INVITE's 2xx waits for an ACK of ours */
	bool prack_due;
	bool resync;       /* with the ACK of its INVITE: it has been given the media of another branch */
	bool referred;     /* it sent a REFER before: notifications need an id */
	bool parted;       /* a transfer took its peer away: its end is not the call's */
	bool counted;      /* it is one of its call's legs */
	bool stays;        /* its peer's end does not end it: a transfer is under way */
	const char *cause; /* static; why it was told to end, for the record */
	struct ast_sip_work *work;
	struct ast_sip_session *session; /* referenced */
	struct call *call;               /* referenced */
	struct leg *peer;                /* referenced */
	struct leg *ack_to;              /* referenced: whose 2xx the next ACK is for */
	struct endpoint_use *use;
	struct ast_sip_timer *limit; /* max_duration; NULL: there is none */
	struct dial *dial;           /* the caller's own while it rings others, or that of a transfer */
	struct dial *branch_of;      /* a called one's while it rings */
	struct transfer *transfer;   /* referenced: that this leg asked for, or is moved by */
};

enum leg_event_type {
	LEG_REQUEST,  /* relay: a request of the peer's, to be made here */
	LEG_ANSWER,   /* relay: what came back to it: status and rx (may be NULL) */
	LEG_ACK,      /* the ACK to the 2xx told before; rx may be NULL */
	LEG_END,      /* the peer is gone; text: a Reason value */
	LEG_HANGUP,   /* an order from outside; text: a Reason value */
	LEG_PARTED,   /* it has given its peer away and ends; text: a Reason value */
	LEG_TRANSFER, /* transfer.h: a step of a transfer */
	LEG_JOIN,     /* join.c: a step of a join */
	LEG_REPLACE,  /* replaces.c: a step of an INVITE with Replaces */
};
struct leg_event {
	enum leg_event_type type;
	unsigned status;  /* of an answer; of a transfer, join or replacement the step */
	unsigned answer;  /* of a transfer: the status that it is about */
	struct leg *from; /* who tells; may be NULL */
	struct leg *leg;  /* a third one that it is about; may be NULL */
	struct sip_rx_data *rx;
	struct shared *about; /* a relay, join or transfer */
	struct rs_str text;
	const char *cause; /* static; of a HANGUP */
};
/* At once when the leg's serializer is the current one, else as a task there, which keeps what it carries. */
void leg_tell(struct leg *to, const struct leg_event *e);

struct leg *leg_new(enum leg_role role, struct call *call); /* on the current work */
struct leg *leg_ref(struct leg *leg);
void leg_unref(struct leg *leg); /* NULL is allowed */
extern const struct ast_sip_session_user leg_user;

/* The leg of a session, or NULL: it is none of ours. Not referenced. */
struct leg *leg_of(const struct ast_sip_session *s);
/* NULL: of a phone that is called by its URI alone, without a default outbound endpoint. */
struct ast_sip_endpoint *leg_endpoint(const struct leg *leg);
struct rs_str leg_endpoint_id(const struct leg *leg); /* empty for such */
const struct ast_sip_endpoint_settings *leg_settings(const struct leg *leg);
/* Both on the current serializer. */
void leg_pair(struct leg *a, struct leg *b);
void leg_set_peer(struct leg *leg, struct leg *peer); /* NULL: none */
void leg_set_transfer(struct leg *leg, struct transfer *t);
/* It is answered: from now on max_duration counts. */
void leg_goes_up(struct leg *leg);
/* Ends it whatever its state; status answers a caller that has no answer yet; reason: a Reason value. */
void leg_hangup(struct leg *leg, unsigned status, struct rs_str reason);
/* The same for it and its peer, which does not wait for the first one's BYE to be answered. */
void leg_end_call(struct leg *leg, unsigned status, struct rs_str reason);
/* The same with what ended the other leg: its Reason and User-to-User. rx may be NULL. */
void leg_hangup_like(struct leg *leg, struct sip_rx_data *rx, struct rs_str reason);

/* ---- headers.c: what passes from one leg to the other ---- */

/* Headers and body of from that another leg may see, added to tx; with_body false: the headers that describe it
 * neither. */
void headers_pass(struct sip_tx_data *tx, struct sip_rx_data *from, bool with_body);
/* The Reason values of a message, cut to what may be passed on; empty: none. buf is of CALLS_MAX_REASON bytes. */
struct rs_str headers_reason(struct sip_rx_data *rx, char *buf);
/* The Content-Type, empty: none. */
struct rs_str headers_content_type(struct sip_rx_data *rx);

/* ---- relay.c: requests inside, from one leg to the other ---- */

/* on_request of a leg: true when it will be answered. */
bool relay_request(struct leg *leg, struct sip_rx_data *rx);
void relay_make(struct leg *leg, const struct leg_event *e);
void relay_answer(struct leg *leg, const struct leg_event *e);
/* The ACK that a leg received, to whom it is for; and there. */
void relay_ack(struct leg *leg, struct sip_rx_data *rx);
void relay_make_ack(struct leg *leg, const struct leg_event *e);
/* Answers a request inside; content may be NULL. 0 or -1. */
int relay_respond(struct leg *leg, struct sip_rx_data *rx, unsigned status, struct rs_str reason,
		  struct sip_rx_data *content);

/* ---- dial.c: ringing ---- */

struct outcome;
struct dial_user {
	/* A provisional answer of a branch. */
	void (*progress)(struct dial *d, struct leg *branch, struct sip_rx_data *rx, bool offers);
	/* One answered and is no branch any more; all others were given up. The dial is the owner's no more, and goes
	 * behind it, as behind the next. */
	void (*answered)(struct dial *d, struct leg *branch, struct sip_rx_data *rx);
	void (*failed)(struct dial *d, const struct outcome *best);
	/* What the INVITE to endpoint says. 0, or -1: it is not sent. */
	int (*fill)(struct dial *d, struct leg *branch, struct sip_tx_data *invite);
	/* The From of a branch to endpoint; empty: the default. */
	struct rs_str (*from)(struct dial *d, struct ast_sip_endpoint *endpoint, char *buf, size_t size);
	/* The call goes from one URI on to another, by the 3xx of a branch. */
	void (*moved)(struct dial *d, struct leg *branch, struct rs_str to, struct sip_rx_data *rx);
};

/* The best of several failures. */
struct outcome {
	enum calls_failure how;
	unsigned status;        /* 0: none yet */
	struct sip_rx_data *rx; /* referenced; NULL: no answer of anybody */
};

struct dial {
	const struct dial_user *user;
	struct shared *token; /* the user's; referenced; may be NULL */
	struct leg *owner;    /* it owns the dial */
	struct ast_sip_snapshot *snapshot;
	struct plan plan;
	unsigned stage;                    /* the present one; plan.n: none yet */
	struct ast_sip_contact **contacts; /* of the stage, by q; referenced */
	unsigned n_contacts, next_contact;
	struct leg *branches[CALLS_MAX_BRANCHES]; /* referenced */
	unsigned n_branches, n_rung;
	unsigned group;    /* rung at once with a branch */
	struct leg *early; /* whose early media the caller has been given last; referenced */
	bool early_moved;  /* and before that another's */
	struct outcome best, stage_best;
	char *visited[CALLS_MAX_TARGETS];
	unsigned n_visited, redirects;
};

/* A dial of owner (which is on the current serializer), with the plan taken over; NULL without memory. */
struct dial *dial_new(struct leg *owner, const struct dial_user *user, struct shared *token, struct ast_sip_snapshot *s,
		      struct plan *plan);
/* Rings the first. Its user may be called before it returned, and the dial be gone then. */
void dial_start(struct dial *d);
/* Gives all up with that Reason value and frees it. */
void dial_abort(struct dial *d, struct rs_str reason);
/* Whom the owner may talk to meanwhile; NULL: nobody. */
struct leg *dial_partner(const struct dial *d);
/* From the branches' legs. */
void dial_progress(struct dial *d, struct leg *branch, struct sip_rx_data *rx, bool offers);
void dial_answered(struct dial *d, struct leg *branch, struct sip_rx_data *rx);
void dial_ended(struct dial *d, struct leg *branch, enum ast_sip_session_end why, struct sip_rx_data *rx);

/* choice.c: which of two answers is the better one to pass on (RFC 3261 section 16.7 step 6). */
bool choice_better(const struct outcome *o, const struct outcome *than);
/* What the caller gets for a callee's final answer. */
unsigned choice_status(unsigned status);
/* What an answer to a request inside becomes on the other leg. */
unsigned relay_status(unsigned status, bool invite);

/*
 * redirect.c: the 3xx of a branch. 0: the call goes on, stages were put behind the present one; else the status that
 * the branch's failure counts as (the 3xx itself when it is to be passed).
 */
unsigned redirect_follow(struct dial *d, struct leg *branch, struct sip_rx_data *rx);

/* ---- invite.c: who calls whom, on the way from one INVITE to others ---- */

/* What the INVITEs of one call say beside what passes; embedded in a dial's token. */
struct invite {
	struct call_party caller;
	struct call_diversion diversion;
	char host[SIP_ADDR_TEXT]; /* ours, as the caller knows it */
	char *target;             /* the URI that the call is for now: what was dialed, or the last redirect's */
};
/* From the INVITE of endpoint that asks for the call. 0, or the status to refuse it with. */
unsigned invite_init(struct invite *i, struct sip_rx_data *rx, struct ast_sip_endpoint *endpoint);
/* The call is for uri, and we are there where rx came in. 0 or -1 without memory. */
int invite_set_target(struct invite *i, struct rs_str uri, struct sip_rx_data *rx);
void invite_fini(struct invite *i);
struct rs_str invite_from(const struct invite *i, struct dial *d, struct ast_sip_endpoint *endpoint, char *buf,
			  size_t size);
/* Identity and diversion of an INVITE to branch. 0 or -1. */
int invite_fill(struct invite *i, struct dial *d, const struct leg *branch, struct sip_tx_data *tx);
void invite_moved(struct invite *i, struct leg *branch, struct rs_str to, struct sip_rx_data *rx);
/* Who answers, on an answer to leg, when its endpoint is told such. */
void invite_answer(const struct invite *i, struct leg *leg, struct leg *branch, struct sip_rx_data *rx,
		   struct sip_tx_data *tx);
/* Takes a token out of the Supported of tx. */
void invite_drop_supported(struct sip_tx_data *tx, struct rs_str token);

/* ---- caller.c: an INVITE that came ---- */

bool caller_invite(struct ast_sip_session *s, struct sip_rx_data *rx);
/* The leg of a session that came, in a new call; NULL: it was refused. The session has the reference. */
struct leg *caller_leg(struct ast_sip_session *s, struct sip_rx_data *rx);
/* The INVITE of a caller that is waiting for an answer; NULL: it is not. */
struct sip_rx_data *caller_request(const struct leg *leg);
/* The ACK of a caller whose media must be agreed upon anew. */
void caller_resync(struct leg *leg);

/* ---- join.c: two legs that are up get each other's media by re-INVITEs ---- */

/* On first's serializer. done (may be NULL) is called on it, with what became of it. */
int join_start(struct leg *first, struct leg *second, struct sip_rx_data *offer,
	       void (*done)(struct leg *first, bool joined, struct shared *token), struct shared *token);
void join_event(struct leg *leg, const struct leg_event *e);

/* ---- refer.c, transfer.c, replaces.c, replaces_value.c ---- */

bool refer_request(struct leg *leg, struct sip_rx_data *rx);
void transfer_event(struct leg *leg, const struct leg_event *e);
/* A leg that takes part in a transfer has ended. */
void transfer_leg_gone(struct leg *leg);
bool replaces_invite(struct ast_sip_session *s, struct sip_rx_data *rx);
void replaces_event(struct leg *leg, const struct leg_event *e);

/* A Replaces value (RFC 3891), slices of it. */
struct replaces {
	struct rs_str call_id, to_tag, from_tag;
	bool early_only;
};
int replaces_parse(struct rs_str value, struct replaces *out); /* 0, or -1: it is none */

/* ---- cli.c ---- */

int calls_cli_register(void);
void calls_cli_unregister(void);

#endif
