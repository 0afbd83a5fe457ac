/*
 * Header lines. Only CRLF ends a line (RFC 3261 section 7): were a bare LF taken for one by us and not by the next
 * hop, a header could be hidden from one of the two, and on a stream a whole message.
 */
#include "sip/message/lines.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

const char *sip_find_eol(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');

	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		int hit = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, cr), _mm_cmpeq_epi8(x, lf)));

		if (hit)
			return p + __builtin_ctz((unsigned)hit);
	}
#endif
	while (p < end && *p != '\r' && *p != '\n')
		p++;
	return p;
}

/* The LF of the next CRLF, or NULL. */
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
	while (p < end && is_class(*p, C_TOKEN))
		p++;
	out->name = rs_str_n(start, (size_t)(p - start));
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	bad = p == end || *p != ':' || out->name.len == 0;
	if (bad)
		out->name.len = 0;
	else
		p++;
	value = p;
	for (;;) {
		lf = find_crlf(p, end, &bad);
		if (!lf)
			return SIP_LINE_CUT;
		p = lf + 1;
		if (p == end || (*p != ' ' && *p != '\t'))
			break;
	}
	out->value = rs_str_trim(rs_str_n(value, (size_t)(lf - 1 - value)));
	out->line = rs_str_n(start, (size_t)(p - start));
	*pos = p;
	return bad ? SIP_LINE_BAD : SIP_LINE_OK;
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
