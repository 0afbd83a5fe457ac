/*
 * Header lines. Only CRLF ends a line (RFC 3261 section 7): were a bare LF taken for one by us and not by the next
 * hop, a header could be hidden from one of the two, and on a stream a whole message.
 */
#include "sip/message/lines.h"

const char *sip_line_find_end(const char *p, const char *end, bool *bad)
{
	const char *lf = sip_find_crlf(p, end, bad);

	return lf ? lf + 1 : NULL;
}

enum sip_line_end sip_line_next(const char **pos, const char *end, struct sip_hdr *out)
{
	return sip_line_take(pos, end, out);
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
