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

/* A line without folds (the start line): *after is behind its CRLF. NULL: not complete. *bad: a bare CR or LF inside.
 */
const char *sip_line_find_end(const char *p, const char *end, bool *bad);
/*
 * Reads the header at *pos into name, value (trimmed, folds inside) and line of *out and moves *pos behind it (EMPTY:
 * behind the empty line; CUT: not at all). The caller's own slot is filled so that nothing is copied on the way.
 */
enum sip_line_end sip_line_next(const char **pos, const char *end, struct sip_hdr *out);
/*
 * The line that nearly all are, "Name: value", without folds, blanks elsewhere and empty values. false: anything else,
 * which is for sip_line_next; *pos stays.
 */
static inline bool sip_line_take_usual(const char **pos, const char *end, struct sip_hdr *out)
{
#ifdef __SSE2__
	const char *p = *pos, *value, *cr;
	unsigned stop;

	/* The name is looked for in 16 bytes, and what is compared below lies before end, too. */
	if (end - p < 24)
		return false;
	stop = sip_bits(sip_is_plain(sip_load16(p))) ^ 0xffffu;
	if (!stop)
		return false;
	value = p + __builtin_ctz(stop) + 2;
	if (value[-2] != ':' || value[-1] != ' ' || (unsigned char)value[0] <= ' ' || value - p < 3)
		return false;
	cr = sip_find_eol(value, end);
	if (end - cr < 4 || cr[0] != '\r' || cr[1] != '\n' || cr[2] == ' ' || cr[2] == '\t' ||
	    (unsigned char)cr[-1] <= ' ')
		return false;
	out->name = rs_str_n(p, (size_t)(value - 2 - p));
	out->value = rs_str_n(value, (size_t)(cr - value));
	out->line = rs_str_n(p, (size_t)(cr + 2 - p));
	out->folded = false;
	*pos = cr + 2;
	return true;
#else
	(void)pos, (void)end, (void)out;
	return false;
#endif
}

/* Content-Length's value: 1 ok, 0 bad (no digits, or something else behind them). Saturates at UINT32_MAX. */
int sip_content_length(struct rs_str value, uint32_t *out);

#endif
