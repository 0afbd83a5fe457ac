/* The scans where they need more than their first 16 bytes, or have less. */
#include "sip/message/scan.h"

#ifdef __SSE2__
static inline unsigned other_bits(const char *p, char unused)
{
	(void)unused;
	return sip_bits(sip_is_plain(sip_load16(p))) ^ 0xffffu;
}
#endif

const char *sip_skip_plain_on(const char *p, const char *end, const char *safe)
{
#ifdef __SSE2__
	if (sip_hit16(&p, end, safe, other_bits, 0))
		return p;
#endif
	(void)safe;
	while (p < end && is_class(*p, C_PLAIN))
		p++;
	return p;
}

const char *sip_skip_host_on(const char *p, const char *end, bool *ok)
{
	bool start = true; /* of a label */

	*ok = true;
	for (; p < end && is_class(*p, C_HOST); p++) {
		if (start && (*p == '.' || *p == '-'))
			*ok = false;
		start = *p == '.';
	}
	return p;
}

const char *sip_find_quote_on(const char *p, const char *end, const char *safe)
{
#ifdef __SSE2__
	if (sip_hit16(&p, end, safe, sip_quote_bits, 0))
		return p;
#endif
	(void)safe;
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= ' ' && *p != 0x7f)
		p++;
	return p;
}

const char *sip_word_end(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i x = sip_load16(p), low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ')), x);
		unsigned hit = sip_bits(_mm_or_si128(low, sip_is_byte(x, 0x7f)));

		if (hit)
			return p + (unsigned)__builtin_ctz(hit);
	}
#endif
	while (p < end && (unsigned char)*p > ' ' && *p != 0x7f)
		p++;
	return p;
}
