/*
 * SIP messages: the index that one pass over the bytes makes (slices, no copies), and typed values parsed when first
 * asked for. The bytes never change; the index and the typed values live as long as the message and may be read by
 * any thread at once.
 *
 *   const struct sip_name_addr *to = sip_msg_name_addr(msg, SIP_HDR_TO, 0);
 *   if (!to) return 400;
 */
#ifndef SIP_MSG_H
#define SIP_MSG_H

#include "base/arena.h"
#include "sip/hdr.h"
#include "sip/uri.h"

/* Limits, each with the attack it stops; sip_msg_limits changes them at start-up. */
#define SIP_MAX_MSG    65535  /* bytes of one message: memory held for one sender */
#define SIP_MAX_HDRS   512    /* header lines: index memory and quadratic searches */
#define SIP_MAX_LINE   16384  /* bytes of one unfolded header line */
#define SIP_MAX_VALUES 128    /* comma-separated values of one header: typed memory */
#define SIP_MAX_PARAMS 64     /* parameters of one value */
#define SIP_MAX_URI    4096   /* bytes of a URI */
#define SIP_MAX_PARTS  32     /* parts of a multipart body */
#define SIP_MAX_ARENA  262144 /* bytes of typed values of one message beyond its first block */

struct sip_msg_limits {
	uint32_t msg, hdrs, line, values, params, uri, parts;
};
/* NULL members' value 0 keeps the default. Before the stack starts. */
RS_API void sip_msg_set_limits(const struct sip_msg_limits *limits);

enum sip_method {
	SIP_METHOD_OTHER,
	SIP_METHOD_ACK,
	SIP_METHOD_BYE,
	SIP_METHOD_CANCEL,
	SIP_METHOD_INFO,
	SIP_METHOD_INVITE,
	SIP_METHOD_MESSAGE,
	SIP_METHOD_NOTIFY,
	SIP_METHOD_OPTIONS,
	SIP_METHOD_PRACK,
	SIP_METHOD_PUBLISH,
	SIP_METHOD_REFER,
	SIP_METHOD_REGISTER,
	SIP_METHOD_SUBSCRIBE,
	SIP_METHOD_UPDATE,
	SIP_METHOD_N,
};
RS_API enum sip_method sip_method_from_name(struct rs_str name); /* with case, as RFC 3261 7.1 says */
RS_API struct rs_str sip_method_name(enum sip_method m);

/* One header line of the index. */
struct sip_hdr {
	enum sip_hdr_id id;  /* SIP_HDR_OTHER for a name that the table does not know */
	uint16_t next;       /* index + 1 of the next line of that header, 0: none, or SIP_HDR_OTHER */
	bool folded;         /* a CR or LF may stand inside the line */
	struct rs_str name;  /* as written */
	struct rs_str value; /* as written, trimmed; a folded value still contains its line breaks */
	struct rs_str line;  /* the whole line(s), CRLF included: what forwarding copies */
};

/* what made a message unacceptable; the first found */
enum sip_msg_flaw {
	SIP_FLAW_NONE,
	SIP_FLAW_START_LINE,  /* 400 */
	SIP_FLAW_VERSION,     /* 505 */
	SIP_FLAW_STATUS,      /* a response code outside 100-699: dropped */
	SIP_FLAW_HEADER,      /* a line without colon, a control character in a name, a missing end: 400 */
	SIP_FLAW_MISSING,     /* a mandatory header is missing (which: flaw_header): 400 */
	SIP_FLAW_DUPLICATE,   /* a header that may stand once stands twice with different values: 400 */
	SIP_FLAW_VALUE,       /* a header that every message needs has a bad value (which: flaw_header): 400 */
	SIP_FLAW_CSEQ_METHOD, /* CSeq names another method: 400 (501 when the method is unknown to us) */
	SIP_FLAW_LENGTH, /* Content-Length bad, negative, contradictory or past the datagram: 400; a stream is closed */
	SIP_FLAW_LIMIT,  /* one of the limits above: 414 or 513 (see flaw_status) */
};

struct sip_msg {
	struct rs_str bytes;    /* the whole message: start line to the end of the body */
	struct rs_arena *arena; /* where typed values go */

	bool is_request;
	enum sip_method method; /* of a request: the start line's; of a response: CSeq's */
	struct rs_str method_text;
	struct rs_str uri_text; /* Request-URI as written */
	uint16_t status;
	struct rs_str reason;
	struct rs_str start_line; /* CRLF included */

	struct sip_hdr *hdrs; /* in the order received */
	uint32_t n_hdrs;
	uint16_t first[SIP_HDR_N]; /* index + 1 of the first line of that header, 0: none */

	struct rs_str body;

	/* Routing fields, read in the same pass. */
	struct rs_str call_id;
	struct rs_str from_tag, to_tag; /* p NULL: none */
	uint32_t cseq;
	struct rs_str cseq_method;
	struct rs_str top_branch; /* of the top Via; p NULL: none */
	uint32_t content_length;  /* as written, or the bytes that follow when there is no Content-Length */
	bool has_content_length;

	enum sip_msg_flaw flaw;
	enum sip_hdr_id flaw_header;
	uint16_t flaw_status;  /* the answer that fits: 400, 413, 414, 505, 513, … ; 0: drop (any
				  response, any ACK) */
	const char *flaw_text; /* static; a reason phrase for it */

	_Atomic(void *) typed[SIP_HDR_N]; /* private: published by compare-and-swap */
	_Atomic(void *) typed_extra;      /* private: Request-URI, multipart */
};

enum sip_parse_result {
	SIP_PARSE_DONE,
	SIP_PARSE_PARTIAL, /* a stream: more bytes are needed */
	SIP_PARSE_BAD,     /* cannot be understood even enough to be answered: drop (a stream: close) */
};

/*
 * Parses a datagram, or one message of a stream (stream true: the body must be all there, else PARTIAL; bytes after it
 * stay). bytes must stay where they are as long as msg is used. *consumed (may be NULL) tells where the next message of
 * a stream starts. DONE with msg->flaw set: the message can be answered or dropped, by flaw_status, but not processed.
 * It is answered along sip_msg_top_via; a request without any Via, but with From, To and Call-ID, is DONE too
 * (flaw_header Via unless another flaw came first) and can be answered to its source only. hdrs is allocated from
 * arena. Leading CRLFs are skipped. Only CRLF ends a line: a bare CR or LF in the header section is a flaw.
 */
RS_API enum sip_parse_result sip_msg_parse(struct sip_msg *msg, struct rs_arena *arena, struct rs_str bytes,
					   bool stream, size_t *consumed);

/*
 * The full check of a message before any service sees it: the grammar of the Request-URI, Via, From, To, Contact, Route
 * and Record-Route (the values stay typed for whoever asks next), and a branch that is only the magic cookie. 0, or -1
 * with msg->flaw set (also when sip_msg_parse had set it). The parse alone has checked start line, Call-ID, CSeq,
 * Max-Forwards, Content-Length and what must stand once. One thread, before the message is shared.
 */
RS_API int sip_msg_check(struct sip_msg *msg);

/*
 * Framing only, for streams: the bytes of the first message in bytes, from start line to the end of its body. DONE:
 * *length is set. PARTIAL: *need holds how many bytes at least must be there before asking again makes sense. BAD:
 * framing is lost (contradictory or bad Content-Length, a header section past the limits): *length covers what may be
 * answered with 400 before closing. from: what the last call found (start with 0 for each message; opaque, not an
 * offset), so that a slow sender costs linear work. A missing Content-Length counts as 0. Leading CRLFs count to the
 * message. BAD with *length 0: this is not SIP at all.
 */
RS_API enum sip_parse_result sip_msg_frame(struct rs_str bytes, size_t *from, size_t *length, size_t *need);

/*
 * Classifies without the full parse, for load shedding: looks at the first line and the To tag only.
 */
struct sip_msg_class {
	bool is_request, in_dialog; /* in_dialog: a To tag */
	enum sip_method method;
};
RS_API struct sip_msg_class sip_msg_classify(struct rs_str bytes);

/* The first line of a known header, and the one after h; or NULL. */
static inline const struct sip_hdr *sip_msg_first(const struct sip_msg *msg, enum sip_hdr_id id)
{
	return msg->first[id] ? &msg->hdrs[msg->first[id] - 1] : NULL;
}
static inline const struct sip_hdr *sip_msg_next(const struct sip_msg *msg, const struct sip_hdr *h)
{
	return h->next ? &msg->hdrs[h->next - 1] : NULL;
}
/* The nth line (from 0) of a known header, or NULL. */
RS_API const struct sip_hdr *sip_msg_hdr(const struct sip_msg *msg, enum sip_hdr_id id, unsigned n);
/* The nth line of any header by full or compact name, any case. */
RS_API const struct sip_hdr *sip_msg_hdr_by_name(const struct sip_msg *msg, struct rs_str name, unsigned n);
/* value with line folds turned into a blank each; from the message's arena only when there are folds. */
RS_API struct rs_str sip_msg_unfold(struct sip_msg *msg, struct rs_str value);

/*
 * The typed values of a header: all lines, all comma-separated values, in order. NULL when there is none, or when any
 * line of it breaks the grammar (*bad, may be NULL, tells which; lack of memory counts as bad). A token list whose
 * lines are all empty is there with n 0. The result belongs to the message. Each value's type is that of the header's
 * shape (sip/hdr.h).
 */
RS_API const struct sip_hdr_values *sip_msg_values(struct sip_msg *msg, enum sip_hdr_id id, bool *bad);

/* Shortcuts: the nth value with the right type, or NULL (also when the header has another shape). */
RS_API const struct sip_name_addr *sip_msg_name_addr(struct sip_msg *msg, enum sip_hdr_id id, unsigned n);
RS_API const struct sip_via *sip_msg_via(struct sip_msg *msg, unsigned n);
/*
 * The top Via read as far as it goes, also when a later part of the header breaks the grammar: what answering a message
 * with a flaw needs. params stays empty. 0, or -1: there is none, or its sent-by cannot be read.
 */
RS_API int sip_msg_top_via(const struct sip_msg *msg, struct sip_via *out);
RS_API const struct sip_auth *sip_msg_auth(struct sip_msg *msg, enum sip_hdr_id id, unsigned n);
RS_API const struct sip_token_params *sip_msg_token(struct sip_msg *msg, enum sip_hdr_id id, unsigned n);
/* A number header (Expires, Max-Forwards, …): true and *out set. *bad (may be NULL): it is there but no number. */
RS_API bool sip_msg_number(struct sip_msg *msg, enum sip_hdr_id id, uint32_t *out, bool *bad);
/* Whether a token list header (Supported, Allow, …) contains token (any case). */
RS_API bool sip_msg_has_token(struct sip_msg *msg, enum sip_hdr_id id, struct rs_str token);
/* The Request-URI; NULL when it is none by the grammar. */
RS_API const struct sip_uri *sip_msg_ruri(struct sip_msg *msg);

/* ---- bodies ---- */

struct sip_body_part {
	struct rs_str headers;                                       /* raw */
	struct rs_str content_type, content_disposition, content_id; /* values; empty when absent */
	struct rs_str body;
};
/*
 * The parts of a multipart body (RFC 2046, RFC 5621): -1 when the body is no well-formed multipart (no boundary, no
 * end); else the number of parts, with *parts owned by the message. A body of another type is one part.
 */
RS_API int sip_msg_parts(struct sip_msg *msg, const struct sip_body_part **parts);

#endif
