/*
 * Header lines. Only CRLF ends a line (RFC 3261 section 7): were a bare LF taken for one by us and not by the next
 * hop, a header could be hidden from one of the two, and on a stream a whole message.
 */
#include "sip/message/lines.h"

/* The LF of the next CRLF, or NULL. *bad: a bare CR or LF before it. */
static const char *find_crlf(const char *p, const char *end, bool *bad)
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

const char *sip_line_find_end(const char *p, const char *end, bool *bad)
{
	const char *lf = find_crlf(p, end, bad);

	return lf ? lf + 1 : NULL;
}

enum sip_line_end sip_line_next(const char **pos, const char *end, struct sip_hdr *out)
{
	const char *p = *pos, *start = p, *value, *lf;
	bool bad;

	if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
		*pos = p + 2;
		return SIP_LINE_EMPTY;
	}
	p = sip_span(p, end, end, C_TOKEN);
	out->name = rs_str_n(start, (size_t)(p - start));
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	bad = p == end || *p != ':' || out->name.len == 0;
	if (bad)
		out->name.len = 0;
	else
		p++;
	value = p;
	out->folded = false;
	while ((lf = find_crlf(p, end, &bad)) != NULL) {
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

int sip_content_length(struct rs_str value, uint32_t *out)
{
	struct sip_cur c;
	uint64_t v;

	if (value.len == 0)
		return 0;
	c = cur_of(value);
	if (!cur_number(&c, UINT32_MAX, &v) || !cur_end(&c))
		return 0;
	*out = (uint32_t)v;
	return 1;
}
