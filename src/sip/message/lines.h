/* Header lines: the one way in which both framing and parsing see them. Private. */
#ifndef SIP_MESSAGE_LINES_H
#define SIP_MESSAGE_LINES_H

#include "sip/message/chars.h"

struct sip_line {
	struct rs_str name;  /* empty in a line that is no header */
	struct rs_str value; /* trimmed, folds inside */
	struct rs_str line;  /* folds and the last CRLF included */
	bool bad;            /* no colon, no name, a bare CR or LF */
};

enum sip_line_end { SIP_LINE_OK, SIP_LINE_EMPTY, SIP_LINE_CUT };

/*
 * The next CR or LF in [p, end), or end.
 */
const char *sip_find_eol(const char *p, const char *end);
/* A line without folds (the start line): *after is behind its CRLF. NULL: not complete. *bad: a bare CR or LF inside.
 */
const char *sip_line_find_end(const char *p, const char *end, bool *bad);
/*
 * Reads the header at *p and moves *p behind it. EMPTY: *p is behind the empty line that ends the header section. CUT:
 * the text ends before the line does; *p stays.
 */
enum sip_line_end sip_line_next(const char **p, const char *end, struct sip_line *out);

/* Content-Length's value: 1 ok, 0 bad (no digits, or something else behind them). Saturates at UINT32_MAX. */
int sip_content_length(struct rs_str value, uint32_t *out);

#endif
