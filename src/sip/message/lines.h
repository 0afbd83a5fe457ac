/* Header lines: the one way in which both framing and parsing see them. Private. */
#ifndef SIP_MESSAGE_LINES_H
#define SIP_MESSAGE_LINES_H

#include "sip/msg.h"
#include "sip/message/chars.h"

enum sip_line_end {
	SIP_LINE_OK,
	SIP_LINE_BAD,   /* a bare CR or LF inside; or no header at all: then name is empty */
	SIP_LINE_EMPTY, /* the empty line that ends the header section */
	SIP_LINE_CUT,   /* the text ends before the line does */
};

/* The next CR or LF in [p, end), or end. */
const char *sip_find_eol(const char *p, const char *end);
/* A line without folds (the start line): *after is behind its CRLF. NULL: not complete. *bad: a bare CR or LF inside.
 */
const char *sip_line_find_end(const char *p, const char *end, bool *bad);
/*
 * Reads the header at *pos into name, value (trimmed, folds inside) and line of *out and moves *pos behind it (EMPTY:
 * behind the empty line; CUT: not at all). The caller's own slot is filled so that nothing is copied on the way.
 */
enum sip_line_end sip_line_next(const char **pos, const char *end, struct sip_hdr *out);

/* Content-Length's value: 1 ok, 0 bad (no digits, or something else behind them). Saturates at UINT32_MAX. */
int sip_content_length(struct rs_str value, uint32_t *out);

#endif
