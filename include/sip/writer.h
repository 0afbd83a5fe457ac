/*
 * The writer: one contiguous buffer that grows, into which start line and headers are written in the order given, and
 * forwarding, which copies a received message with headers added, removed and replaced without re-printing the rest.
 * Overflow and lack of memory are sticky: check sip_writer_ok once at the end. One thread at a time.
 */
#ifndef SIP_WRITER_H
#define SIP_WRITER_H

#include "sip/msg.h"

struct sip_writer {
	char *buf; /* owned unless it is the caller's first block */
	size_t len, cap;
	size_t max; /* bytes; SIP_MAX_MSG by default */
	bool own;   /* buf came from malloc */
	bool failed;
	bool compact; /* short header names (system.compact_headers) */
};

/* first[0..cap-1] is used until it is full (may be NULL, 0) and stays the caller's. */
RS_API void sip_writer_init(struct sip_writer *w, char *first, size_t cap);
RS_API void sip_writer_fini(struct sip_writer *w);
RS_API bool sip_writer_ok(const struct sip_writer *w);

/* For the functions below: makes room for more bytes where there is none yet. false: the writer has failed. */
RS_API bool sip_writer_more(struct sip_writer *w, size_t more);
/* Where more bytes may be written, and count as written; or NULL. */
static inline char *sip_write_room(struct sip_writer *w, size_t more)
{
	char *p;

	if ((w->failed || more > w->cap - w->len || w->len > w->max || more > w->max - w->len) &&
	    !sip_writer_more(w, more))
		return NULL;
	p = w->buf + w->len;
	w->len += more;
	return p;
}
/* Here, so that a literal becomes a store or two. */
static inline void sip_write(struct sip_writer *w, struct rs_str s)
{
	char *p = s.len ? sip_write_room(w, s.len) : NULL;

	if (p)
		memcpy(p, s.p, s.len);
}
static inline void sip_writez(struct sip_writer *w, const char *z)
{
	sip_write(w, rs_str_c(z));
}
RS_API void sip_write_u64(struct sip_writer *w, uint64_t v);
RS_API void sip_writef(struct sip_writer *w, const char *fmt, ...) RS_PRINTF(2, 3);
/* A quoted string: quotes around, quotes and backslash escaped, CR and LF left out. */
RS_API void sip_write_quoted(struct sip_writer *w, struct rs_str s);

RS_API void sip_write_request_line(struct sip_writer *w, struct rs_str method, struct rs_str uri);
/* reason empty: the standard phrase of the code. */
RS_API void sip_write_status_line(struct sip_writer *w, unsigned status, struct rs_str reason);
/* "Name: value CRLF"; CR and LF inside value are written as blanks (no header can be injected). */
RS_API void sip_write_hdr(struct sip_writer *w, enum sip_hdr_id id, struct rs_str value);
RS_API void sip_write_hdr_name(struct sip_writer *w, struct rs_str name, struct rs_str value);
/* Only "Name: ", for a value written piece by piece; end it with sip_write_crlf. */
RS_API void sip_write_hdr_start(struct sip_writer *w, enum sip_hdr_id id);
RS_API void sip_write_crlf(struct sip_writer *w);
/* Content-Length (and Content-Type when given), the empty line, the body. */
RS_API void sip_write_body(struct sip_writer *w, struct rs_str content_type, struct rs_str body);

/*
 * The headers that every response takes from its request (RFC 3261 section 8.2.6.2): all Via (the top one with received
 * and rport filled in when given), From, To (with tag appended when to_tag is not empty and the request has none),
 * Call-ID, CSeq, and Timestamp with 100.
 */
RS_API void sip_write_response_headers(struct sip_writer *w, struct sip_msg *request, unsigned status,
				       struct rs_str to_tag, const struct sip_addr *received, bool with_rport);

/*
 * The value of the request's first Via line, with received and rport of its top value as the packet's source says (RFC
 * 3261 section 18.2.1, RFC 3581 section 4; with_rport: also when the sender did not ask). false and nothing written:
 * the line may stay as it came. Any thread that may use w.
 */
RS_API bool sip_write_via_completed(struct sip_writer *w, const struct sip_msg *request, const struct sip_addr *source,
				    bool with_rport);

/* The standard reason phrase, or "" for a code that has none. */
RS_API struct rs_str sip_reason_phrase(unsigned status);

/* ---- forwarding ---- */

enum sip_edit_op {
	SIP_EDIT_ADD_FIRST,  /* value as a new line before all other headers (Via, Route, Record-Route); in the order
				given */
	SIP_EDIT_ADD,        /* value as a new line at the end */
	SIP_EDIT_REMOVE,     /* every line of that header */
	SIP_EDIT_REMOVE_NTH, /* line n of it */
	SIP_EDIT_REPLACE,    /* the first line's value; the other lines stay; ADD when there is none */
	SIP_EDIT_POP_VALUE,  /* the first comma-separated value of the first line (a Via or Route of ours) */
	SIP_EDIT_URI,        /* the Request-URI */
	SIP_EDIT_BODY,       /* the body (Content-Length follows) */
};

struct sip_edit {
	enum sip_edit_op op;
	enum sip_hdr_id id;
	struct rs_str name; /* when id is SIP_HDR_OTHER */
	unsigned n;
	struct rs_str value;
};

/*
 * Writes msg with the edits, unchanged stretches in one copy each. Content-Length is written anew when it was absent or
 * the body changed. Returns 0, or -1 when an edit does not apply to msg.
 */
RS_API int sip_write_forward(struct sip_writer *w, struct sip_msg *msg, const struct sip_edit *edits, size_t n);

#endif
