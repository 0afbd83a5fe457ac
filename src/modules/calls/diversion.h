/*
 * Where a call has been before: Diversion (RFC 5806) and History-Info (RFC 7044) of the request that came, what was
 * added here when the call went on to another target, and what of both the next leg is told. No state and no I/O: any
 * thread, one at a time for each object.
 *
 *   struct call_diversion d;
 *   call_diversion_from_request(msg, settings_of_a, &d);
 *   call_diversion_add(&d, &(struct call_hop){.from = uri, .to = next, .reason = CALL_DIVERT_USER_BUSY, .status =
 * 486}); call_diversion_add_headers(&d, settings_of_b, invite); call_diversion_fini(&d);
 */
#ifndef MODULES_CALLS_DIVERSION_H
#define MODULES_CALLS_DIVERSION_H

#include "res_sip/config.h"
#include "sip/tx_data.h"

/* A diversion loop makes requests that grow with each turn. */
#define CALL_MAX_DIVERSIONS      20  /* entries of each header: a middle one gives way to one more */
#define CALL_MAX_DIVERSION_ENTRY 512 /* bytes of one; a longer one is left out */
#define CALL_MAX_HISTORY_INDEX   96  /* bytes of a hi-index: an entry with a longer one is not added */

/* Why the call went on (RFC 5806 section 6.2). */
#define CALL_DIVERT_REASONS(X)                                                                                         \
	X(UNKNOWN, "unknown")                                                                                          \
	X(USER_BUSY, "user-busy")                                                                                      \
	X(NO_ANSWER, "no-answer")                                                                                      \
	X(UNAVAILABLE, "unavailable")                                                                                  \
	X(UNCONDITIONAL, "unconditional")                                                                              \
	X(TIME_OF_DAY, "time-of-day")                                                                                  \
	X(DO_NOT_DISTURB, "do-not-disturb")                                                                            \
	X(DEFLECTION, "deflection")                                                                                    \
	X(FOLLOW_ME, "follow-me")                                                                                      \
	X(OUT_OF_SERVICE, "out-of-service")                                                                            \
	X(AWAY, "away")
enum call_divert_reason {
#define CALL_DIVERT_X(id, word) CALL_DIVERT_##id,
	CALL_DIVERT_REASONS(CALL_DIVERT_X)
#undef CALL_DIVERT_X
		CALL_DIVERT_N
};
struct rs_str call_divert_reason_name(enum call_divert_reason r);
/* The one that an answer of that status means; rang: it came after a 180. */
enum call_divert_reason call_divert_reason_of_status(unsigned status, bool rang);
/* What the answer says itself in a Diversion header, else by its status. */
enum call_divert_reason call_divert_reason_of_response(struct sip_msg *msg, bool rang);

struct call_entry;
struct call_entries {
	struct call_entry **v; /* room for CALL_MAX_DIVERSIONS; NULL: none yet */
	uint32_t n;
};

struct call_diversion {
	struct call_entries diversion; /* the latest first, as in the message */
	struct call_entries history;   /* the first first; the last is the target that the call is at */
	uint32_t branches;             /* requests sent on from that target: each has a hi-index of its own */
	bool is_private;               /* Privacy of the request asks that nobody sees them */
	bool is_trusted;               /* it came from an endpoint with trust_id_inbound */
};

/* What msg brings, and its Request-URI as the first target. 0, or -1 (ENOMEM: d is empty). */
int call_diversion_from_request(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
				struct call_diversion *d);
void call_diversion_fini(struct call_diversion *d); /* d is empty then */
/* Whether the call was diverted before it came here or since. */
bool call_diversion_any(const struct call_diversion *d);
/* What the counters of the Diversion entries come to, one without counter as 1. */
uint32_t call_diversion_count(const struct call_diversion *d);

/* The call goes on to another target: redirected, forwarded, or transferred. */
struct call_hop {
	struct rs_str name; /* display name of who diverted; may be empty */
	struct rs_str from; /* its URI: what the call was for (the Request-URI that came, when it was that) */
	struct rs_str to;   /* the URI that it is for now */
	enum call_divert_reason reason;
	unsigned status; /* the answer that made it so, in the hi-entry's Reason; 0: none did */
	bool prohibited; /* who diverted may not be presented */
};
/* 0, or -1: EINVAL (no URI; nothing changed), ENOMEM (one of the two headers may know of it). */
int call_diversion_add(struct call_diversion *d, const struct call_hop *hop);

/*
 * The Diversion (send_diversion) and History-Info (send_history_info) lines of a request that goes on, the last
 * hi-entry being the request's own URI. When privacy is asked for, nothing goes out unless both endpoints are trusted
 * with identities; single entries that are private are made anonymous. Before the seal. 0 or -1 (errno as
 * sip_tx_add_hdr).
 */
int call_diversion_add_headers(struct call_diversion *d, const struct ast_sip_endpoint_settings *endpoint,
			       struct sip_tx_data *tx);

#endif
