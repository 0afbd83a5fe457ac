/*
 * Who calls and who is called: read from what arrives on one leg (From, P-Asserted-Identity of RFC 3325,
 * Remote-Party-ID, Privacy of RFC 3323, the endpoint's callerid) and told to the other. No state and no I/O: any
 * thread, one at a time for each party.
 *
 *   struct call_party caller;
 *   status = call_party_from_request(msg, settings_of_a, &caller);
 *   …
 *   n = call_party_print_from(&caller, &told_b, from, sizeof(from));   // the From of leg B's dialog
 *   call_party_add_headers(&caller, &told_b, CALL_SIDE_CALLING, invite); // before it is sent
 *   call_party_fini(&caller);
 */
#ifndef MODULES_CALLS_IDENTITY_H
#define MODULES_CALLS_IDENTITY_H

#include "res_sip/config.h"
#include "sip/tx_data.h"

/* Bytes that a party keeps for as long as its call: memory. */
#define CALL_MAX_NAME   128 /* display name: cut, between characters */
#define CALL_MAX_NUMBER 128 /* number: a longer one is none, since half of it would be another's */
#define CALL_MAX_HOST   255 /* host: the same */

#define CALL_MAX_FROM    1024 /* what a From of a party takes; more only with a longer from_user or from_domain */
#define CALL_MAX_REASON  512  /* bytes of the Reason values passed on: what BYE and CANCEL may grow by */
#define CALL_MAX_REASONS 8    /* of these values */

/* callerid_privacy in two halves: allowed, prohib, unavailable; and _not_screened, _passed_screen, _failed_screen. */
enum call_presentation { CALL_ALLOWED, CALL_PROHIBITED, CALL_UNAVAILABLE };
enum call_screening { CALL_NOT_SCREENED, CALL_PASSED_SCREEN, CALL_FAILED_SCREEN, CALL_NETWORK_NUMBER };

/* The priv-values of a Privacy header. */
enum call_privacy {
	CALL_PRIVACY_ID = 1,
	CALL_PRIVACY_USER = 2,
	CALL_PRIVACY_HEADER = 4,
	CALL_PRIVACY_SESSION = 8,
	CALL_PRIVACY_HISTORY = 16,
	CALL_PRIVACY_NONE = 32,
	CALL_PRIVACY_CRITICAL = 64,
	CALL_PRIVACY_OTHER = 128, /* a value that is not known here */
};

struct call_party {
	char *block;          /* holds the strings; NULL: there are none */
	struct rs_str name;   /* display name: UTF-8 without quotes, escapes and controls; may be empty */
	struct rs_str number; /* user of the URI, or number of a tel URI, without escapes; empty: none, or one that
				 cannot be told without changing it: controls, no UTF-8, too long */
	struct rs_str host;   /* of that URI; empty: none. For records: it is not told to the other leg */
	uint8_t presentation; /* enum call_presentation */
	uint8_t screening;    /* enum call_screening */
	uint8_t privacy;      /* of enum call_privacy: what its message asked for */
};

/* An allowed, not screened party of these, cleaned and within the limits; what p held before is not freed. 0, or -1
 * (ENOMEM: p is empty). */
int call_party_set(struct call_party *p, struct rs_str name, struct rs_str number, struct rs_str host);
int call_party_copy(struct call_party *to, const struct call_party *from);
void call_party_fini(struct call_party *p); /* p is empty then */

/*
 * Who sends a request. In this order: the endpoint's callerid; with trust_id_inbound P-Asserted-Identity, else
 * Remote-Party-ID; From. Privacy, an anonymous From (RFC 3261 section 8.1.1.3) and the endpoint's callerid_privacy
 * prohibit the presentation. 0 and *p to be given to call_party_fini, or the status to refuse the request with, p
 * empty: 500 for a critical Privacy that cannot be kept here (RFC 3323 section 5: the media is not ours to hide) and
 * without memory.
 */
unsigned call_party_from_request(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
				 struct call_party *p);
/*
 * Who answers, the same by the response's headers; it has no From of its own: dialed (the number that was called) when
 * nothing else tells. 0 or -1 (ENOMEM: p is empty).
 */
int call_party_from_response(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
			     struct rs_str dialed, struct call_party *p);
/* The priv-values of all Privacy lines (enum call_privacy); 0: there is none. */
unsigned call_privacy_from(const struct sip_msg *msg);

/* Who is told, and as whom this server speaks to it. */
struct call_told {
	const struct ast_sip_endpoint_settings *endpoint; /* of the leg that the headers are for */
	struct rs_str default_user; /* From user when there is neither from_user nor a number (default_from_user) */
	struct rs_str local_host;   /* our address toward it as in a URI ("10.0.0.1:5060"), when from_domain is not set;
				       empty: localhost */
};

/*
 * The From for the leg's dialog, a name-addr without tag: from_user, else the number, else default_user; from_domain,
 * else local_host. A party that may not be presented is "Anonymous" <sip:anonymous@anonymous.invalid>, except to an
 * endpoint with trust_id_outbound that takes neither P-Asserted-Identity nor Remote-Party-ID; from_user and from_domain
 * stand even then. The length, or -1: it does not fit in size.
 */
int call_party_print_from(const struct call_party *p, const struct call_told *to, char *buf, size_t size);

enum call_side { CALL_SIDE_CALLING, CALL_SIDE_CALLED }; /* whom the party is to the one that is told */
/*
 * P-Asserted-Identity (send_pai), Remote-Party-ID (send_rpid) and Privacy of p, for a request (CALL_SIDE_CALLING on the
 * called leg) or an answer (CALL_SIDE_CALLED on the caller's). Nothing that is prohibited goes to an endpoint without
 * trust_id_outbound. Before the seal. 0 or -1 (errno as sip_tx_add_hdr).
 */
int call_party_add_headers(const struct call_party *p, const struct call_told *to, enum call_side side,
			   struct sip_tx_data *tx);

/*
 * The Reason values (RFC 3326) of a CANCEL, BYE or response, joined for the one Reason header of what ends the other
 * leg; only whole values, in their order, as many as fit. Points into buf; empty: none, or the header is bad.
 */
struct rs_str call_reason_from(struct sip_msg *msg, char buf[CALL_MAX_REASON]);

#endif
