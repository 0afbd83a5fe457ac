/*
 * The headers, from one table: name, compact form, shape (its grammar), whether it may stand once or many times.
 * A typed value is one of the structs below, chosen by the shape. Slices point into the message, or into its arena
 * where a fold or an escape had to go.
 */
#ifndef SIP_HDR_H
#define SIP_HDR_H

#include "base/arena.h"
#include "sip/uri.h"

/* The grammars that headers have. */
enum sip_hdr_shape {
	SIP_SHAPE_TEXT,      /* sip_text: anything (Subject, Organization, User-Agent, Server, …) */
	SIP_SHAPE_NUMBER,    /* sip_number: 1*DIGIT below 2**32, optional comment and params (Expires, Max-Forwards,
				RSeq, Min-SE, Session-Expires, Retry-After, Content-Length, Min-Expires, …) */
	SIP_SHAPE_CSEQ,      /* sip_cseq; also RAck (with num2) */
	SIP_SHAPE_VIA,       /* sip_via, comma list */
	SIP_SHAPE_NAME_ADDR, /* sip_name_addr: name-addr / addr-spec with params (From, To, Contact, Route, …) */
	SIP_SHAPE_TOKEN, /* sip_token_params: token *(;param) (Event, Supported, Allow, Reason, Replaces, Accept, …) */
	SIP_SHAPE_AUTH,  /* sip_auth: scheme and comma-separated parameters */
	SIP_SHAPE_AUTH_PARAMS, /* sip_auth without scheme (Authentication-Info) */
	SIP_SHAPE_URI_PARAMS,  /* sip_name_addr with <absoluteURI> only (Alert-Info, Call-Info, Error-Info) */
	SIP_SHAPE_DATE,        /* sip_date */
	SIP_SHAPE_WARNING,     /* sip_warning, comma list */
	SIP_SHAPE_TIMESTAMP,   /* sip_timestamp */
	SIP_SHAPE_CALL_ID,     /* sip_text checked as word[@word] (Call-ID, In-Reply-To as list) */
};

#define SIP_HDR_ONCE 1u /* a second line with another value makes the message bad */
#define SIP_HDR_LIST 2u /* several values a line, separated by commas */

/*
 * X(id, "Name", "compact or empty", shape, flags). The order is alphabetical; SIP_HDR_OTHER (0) stands for every name
 * that is not here.
 */
/* clang-format off */
#define SIP_HDR_TABLE(X)                                                                                             \
	X(ACCEPT, "Accept", "", TOKEN, SIP_HDR_LIST)                                                                 \
	X(ACCEPT_CONTACT, "Accept-Contact", "a", TOKEN, SIP_HDR_LIST)                                                \
	X(ACCEPT_ENCODING, "Accept-Encoding", "", TOKEN, SIP_HDR_LIST)                                               \
	X(ACCEPT_LANGUAGE, "Accept-Language", "", TOKEN, SIP_HDR_LIST)                                               \
	X(ALERT_INFO, "Alert-Info", "", URI_PARAMS, SIP_HDR_LIST)                                                    \
	X(ALLOW, "Allow", "", TOKEN, SIP_HDR_LIST)                                                                   \
	X(ALLOW_EVENTS, "Allow-Events", "u", TOKEN, SIP_HDR_LIST)                                                    \
	X(AUTHENTICATION_INFO, "Authentication-Info", "", AUTH_PARAMS, 0)                                            \
	X(AUTHORIZATION, "Authorization", "", AUTH, 0)                                                               \
	X(CALL_ID, "Call-ID", "i", CALL_ID, SIP_HDR_ONCE)                                                            \
	X(CALL_INFO, "Call-Info", "", URI_PARAMS, SIP_HDR_LIST)                                                      \
	X(CONTACT, "Contact", "m", NAME_ADDR, SIP_HDR_LIST)                                                          \
	X(CONTENT_DISPOSITION, "Content-Disposition", "", TOKEN, SIP_HDR_ONCE)                                       \
	X(CONTENT_ENCODING, "Content-Encoding", "e", TOKEN, SIP_HDR_LIST)                                            \
	X(CONTENT_LANGUAGE, "Content-Language", "", TOKEN, SIP_HDR_LIST)                                             \
	X(CONTENT_LENGTH, "Content-Length", "l", NUMBER, SIP_HDR_ONCE)                                               \
	X(CONTENT_TYPE, "Content-Type", "c", TOKEN, SIP_HDR_ONCE)                                                    \
	X(CSEQ, "CSeq", "", CSEQ, SIP_HDR_ONCE)                                                                      \
	X(DATE, "Date", "", DATE, SIP_HDR_ONCE)                                                                      \
	X(DIVERSION, "Diversion", "", NAME_ADDR, SIP_HDR_LIST)                                                       \
	X(ERROR_INFO, "Error-Info", "", URI_PARAMS, SIP_HDR_LIST)                                                    \
	X(EVENT, "Event", "o", TOKEN, SIP_HDR_ONCE)                                                                  \
	X(EXPIRES, "Expires", "", NUMBER, SIP_HDR_ONCE)                                                              \
	X(FLOW_TIMER, "Flow-Timer", "", NUMBER, SIP_HDR_ONCE)                                                        \
	X(FROM, "From", "f", NAME_ADDR, SIP_HDR_ONCE)                                                                \
	X(HISTORY_INFO, "History-Info", "", NAME_ADDR, SIP_HDR_LIST)                                                 \
	X(IN_REPLY_TO, "In-Reply-To", "", CALL_ID, SIP_HDR_LIST)                                                     \
	X(JOIN, "Join", "", TOKEN, SIP_HDR_ONCE)                                                                     \
	X(MAX_BREADTH, "Max-Breadth", "", NUMBER, SIP_HDR_ONCE)                                                      \
	X(MAX_FORWARDS, "Max-Forwards", "", NUMBER, SIP_HDR_ONCE)                                                    \
	X(MIME_VERSION, "MIME-Version", "", TEXT, SIP_HDR_ONCE)                                                      \
	X(MIN_EXPIRES, "Min-Expires", "", NUMBER, SIP_HDR_ONCE)                                                      \
	X(MIN_SE, "Min-SE", "", NUMBER, SIP_HDR_ONCE)                                                                \
	X(ORGANIZATION, "Organization", "", TEXT, 0)                                                                 \
	X(PATH, "Path", "", NAME_ADDR, SIP_HDR_LIST)                                                                 \
	X(PRIORITY, "Priority", "", TOKEN, SIP_HDR_ONCE)                                                             \
	X(PRIVACY, "Privacy", "", TOKEN, 0)                                                                          \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", "", AUTH, 0)                                                     \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", "", AUTH, 0)                                                   \
	X(PROXY_REQUIRE, "Proxy-Require", "", TOKEN, SIP_HDR_LIST)                                                   \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", "", NAME_ADDR, SIP_HDR_LIST)                                   \
	X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", "", NAME_ADDR, SIP_HDR_LIST)                                 \
	X(RACK, "RAck", "", CSEQ, SIP_HDR_ONCE)                                                                      \
	X(REASON, "Reason", "", TOKEN, SIP_HDR_LIST)                                                                 \
	X(RECORD_ROUTE, "Record-Route", "", NAME_ADDR, SIP_HDR_LIST)                                                 \
	X(REFERRED_BY, "Referred-By", "b", NAME_ADDR, SIP_HDR_ONCE)                                                  \
	X(REFER_SUB, "Refer-Sub", "", TOKEN, SIP_HDR_ONCE)                                                           \
	X(REFER_TO, "Refer-To", "r", NAME_ADDR, SIP_HDR_ONCE)                                                        \
	X(REMOTE_PARTY_ID, "Remote-Party-ID", "", NAME_ADDR, SIP_HDR_LIST)                                           \
	X(REPLACES, "Replaces", "", TOKEN, SIP_HDR_ONCE)                                                             \
	X(REPLY_TO, "Reply-To", "", NAME_ADDR, SIP_HDR_ONCE)                                                         \
	X(REQUEST_DISPOSITION, "Request-Disposition", "d", TOKEN, SIP_HDR_LIST)                                      \
	X(REQUIRE, "Require", "", TOKEN, SIP_HDR_LIST)                                                               \
	X(RETRY_AFTER, "Retry-After", "", NUMBER, SIP_HDR_ONCE)                                                      \
	X(ROUTE, "Route", "", NAME_ADDR, SIP_HDR_LIST)                                                               \
	X(RSEQ, "RSeq", "", NUMBER, SIP_HDR_ONCE)                                                                    \
	X(SERVER, "Server", "", TEXT, 0)                                                                             \
	X(SERVICE_ROUTE, "Service-Route", "", NAME_ADDR, SIP_HDR_LIST)                                               \
	X(SESSION_EXPIRES, "Session-Expires", "x", NUMBER, SIP_HDR_ONCE)                                             \
	X(SIP_ETAG, "SIP-ETag", "", TOKEN, SIP_HDR_ONCE)                                                             \
	X(SIP_IF_MATCH, "SIP-If-Match", "", TOKEN, SIP_HDR_ONCE)                                                     \
	X(SUBJECT, "Subject", "s", TEXT, 0)                                                                          \
	X(SUBSCRIPTION_STATE, "Subscription-State", "", TOKEN, SIP_HDR_ONCE)                                         \
	X(SUPPORTED, "Supported", "k", TOKEN, SIP_HDR_LIST)                                                          \
	X(TIMESTAMP, "Timestamp", "", TIMESTAMP, SIP_HDR_ONCE)                                                       \
	X(TO, "To", "t", NAME_ADDR, SIP_HDR_ONCE)                                                                    \
	X(UNSUPPORTED, "Unsupported", "", TOKEN, SIP_HDR_LIST)                                                       \
	X(USER_AGENT, "User-Agent", "", TEXT, 0)                                                                     \
	X(VIA, "Via", "v", VIA, SIP_HDR_LIST)                                                                        \
	X(WARNING, "Warning", "", WARNING, SIP_HDR_LIST)                                                             \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", "", AUTH, 0)

/* clang-format on */

enum sip_hdr_id {
	SIP_HDR_OTHER,
#define SIP_HDR_X(id, name, compact, shape, flags) SIP_HDR_##id,
	SIP_HDR_TABLE(SIP_HDR_X)
#undef SIP_HDR_X
		SIP_HDR_N
};

RS_API enum sip_hdr_id
sip_hdr_from_name(struct rs_str name); /* full or compact, any case; length and name are compared */
RS_API struct rs_str sip_hdr_name(enum sip_hdr_id id);
RS_API struct rs_str sip_hdr_compact(enum sip_hdr_id id); /* empty when it has none */
RS_API enum sip_hdr_shape sip_hdr_shape(enum sip_hdr_id id);
RS_API unsigned sip_hdr_flags(enum sip_hdr_id id);

struct sip_param {
	struct rs_str name;
	struct rs_str value; /* without quotes, escapes as written; p NULL: no '=' */
	bool quoted;
};

struct sip_params {
	const struct sip_param *v;
	uint32_t n;
	struct rs_str text; /* from the first ';' on, as written; empty when there are none */
};
/* The first parameter of that name (any case) or NULL. */
RS_API const struct sip_param *sip_params_get(const struct sip_params *p, struct rs_str name);
/* A quoted string's text with its escapes taken away, into buf; the length, or -1 when it does not fit. */
RS_API int sip_unquote(struct rs_str quoted_text, char *buf, size_t size);

struct sip_name_addr {
	struct rs_str text;    /* the whole value as written */
	struct rs_str display; /* without quotes, escapes as written; p NULL: none */
	struct sip_uri uri;
	struct sip_params params; /* header parameters */
	struct rs_str tag;        /* p NULL: none */
	bool brackets;            /* <> stood around the URI */
	bool star;                /* Contact: * */
};

struct sip_via {
	struct rs_str text;
	struct rs_str protocol;  /* "SIP/2.0" */
	struct rs_str transport; /* as written */
	enum sip_transport_type type;
	struct rs_str host; /* IPv6 with its brackets */
	uint16_t port;      /* 0: none written */
	struct sip_params params;
	struct rs_str branch, received, maddr; /* p NULL: none */
	uint16_t rport;                        /* its value, when it has one */
	bool has_rport;                        /* ;rport is there, with or without a value */
};

struct sip_token_params {
	struct rs_str text;
	struct rs_str token; /* "type/subtype" for media ranges; an empty line of a list (Accept:) gives no value */
	struct sip_params params;
};

struct sip_auth {
	struct rs_str scheme; /* "Digest" */
	const struct sip_param *v;
	uint32_t n;
};
RS_API const struct sip_param *sip_auth_get(const struct sip_auth *a, struct rs_str name);

struct sip_number {
	uint32_t value;
	bool overflow; /* more than 2**32-1 was written; value is 2**32-1 */
	struct sip_params params;
};

struct sip_cseq {
	uint32_t num, num2; /* RAck: response-num, CSeq-num */
	struct rs_str method;
};

struct sip_text {
	struct rs_str text;
};

struct sip_date {
	int64_t unix_time; /* seconds */
};

struct sip_warning {
	uint16_t code;
	struct rs_str agent, text;
};

struct sip_timestamp {
	uint64_t us; /* its value in microseconds, saturated */
	uint64_t delay_us;
};

/* All values of one header in a message. */
struct sip_hdr_values {
	enum sip_hdr_shape shape;
	uint32_t n;
	union {
		const struct sip_text *text;
		const struct sip_number *number;
		const struct sip_cseq *cseq;
		const struct sip_via *via;
		const struct sip_name_addr *name_addr;
		const struct sip_token_params *token;
		const struct sip_auth *auth;
		const struct sip_date *date;
		const struct sip_warning *warning;
		const struct sip_timestamp *timestamp;
	} v;
};

/*
 * Parses one header value by a shape, outside any message (a stored Path, a configured contact). values is allocated
 * from arena. 0, or -1 by the grammar or without memory.
 */
RS_API int sip_hdr_parse(enum sip_hdr_id id, struct rs_str value, struct rs_arena *arena, struct sip_hdr_values *out);

#endif
