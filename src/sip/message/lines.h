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

/* The LF of the next CRLF, or NULL. *bad: a bare CR or LF before it. */
static inline const char *sip_find_crlf(const char *p, const char *end, bool *bad)
{
	for (;;) {
		p = sip_find_eol(p, end);
		if (end - p < 2)
			return NULL;
		if (p[0] == '\r' && p[1] == '\n')
			return p + 1;
		*bad = true;
		p++;
	}
}

/* A line without folds (the start line): *after is behind its CRLF. NULL: not complete. *bad: a bare CR or LF inside.
 */
const char *sip_line_find_end(const char *p, const char *end, bool *bad);
/*
 * Reads the header at *pos into name, value (trimmed, folds inside) and line of *out and moves *pos behind it (EMPTY:
 * behind the empty line; CUT: not at all). The caller's own slot is filled so that nothing is copied on the way.
 */
enum sip_line_end sip_line_next(const char **pos, const char *end, struct sip_hdr *out);
/* The same, part of the caller: for the one that reads every message. */
static inline enum sip_line_end sip_line_take(const char **pos, const char *end, struct sip_hdr *out)
{
	const char *p = *pos, *start = p, *value, *lf;
	bool bad;

	if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
		*pos = p + 2;
		return SIP_LINE_EMPTY;
	}
	p = sip_skip_plain(p, end, end);
	if (p == end || *p != ':') {
		p = sip_span(p, end, end, C_TOKEN);
		out->name = rs_str_n(start, (size_t)(p - start));
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
	} else {
		out->name = rs_str_n(start, (size_t)(p - start));
	}
	bad = p == end || *p != ':' || out->name.len == 0;
	if (bad)
		out->name.len = 0;
	else
		p++;
	value = p;
	out->folded = false;
	while ((lf = sip_find_crlf(p, end, &bad)) != NULL) {
		p = lf + 1;
		if (p == end || (*p != ' ' && *p != '\t')) {
			out->folded = out->folded || bad;
			out->value = sip_trim(value, lf - 1);
			out->line = rs_str_n(start, (size_t)(p - start));
			*pos = p;
			return bad ? SIP_LINE_BAD : SIP_LINE_OK;
		}
		out->folded = true;
	}
	return SIP_LINE_CUT;
}

/* Content-Length's value: 1 ok, 0 bad (no digits, or something else behind them). Saturates at UINT32_MAX. */
int sip_content_length(struct rs_str value, uint32_t *out);

#endif
