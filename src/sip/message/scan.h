/*
 * Finding the end of a run, 16 bytes at a time where the processor has SSE2 (every x86-64), else byte by byte. Private
 * to the message layer. Every scan takes what it looks through, [p, end), and how far bytes may be read, safe >= end: a
 * value ends inside a message, and what stands behind it may be looked at but never counts.
 */
#ifndef SIP_MESSAGE_SCAN_H
#define SIP_MESSAGE_SCAN_H

#include "base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	C_DIGIT = 1 << 0,
	C_HEX = 1 << 1,
	C_ALPHA = 1 << 2,
	C_TOKEN = 1 << 3,
	C_WORD = 1 << 4, /* of a Call-ID */
	C_USER = 1 << 5, /* of a user part, escapes apart */
	C_PASSWORD = 1 << 6,
	C_PARAM = 1 << 7,  /* of a URI parameter */
	C_HEADER = 1 << 8, /* of a URI header */
	C_URIC = 1 << 9,   /* of any other URI */
	C_HOST = 1 << 10,  /* of a host name; the underscore, which names inside companies have, too */
	C_VALUE = 1 << 11, /* of a header parameter's value: token, host, IPv6 address, and what base64 brings along */
	C_LWS = 1 << 12,   /* blank, tab, CR, LF: in a value CR and LF are always part of a fold */
	C_SCHEME = 1 << 13,
	C_RESERVED = 1 << 14, /* escaped and plain differ (RFC 2396 section 2.2) */
	C_PLAIN = 1 << 15,    /* letters, digits, '-' and '.', which most text consists of */
};

/* The classes that hold all of C_PLAIN: sip_span's. */
#define SIP_WIDE_CLASSES (C_TOKEN | C_WORD | C_USER | C_PASSWORD | C_PARAM | C_HEADER | C_URIC | C_HOST | C_VALUE)

extern const uint16_t sip_chars[256];

static inline bool is_class(char c, unsigned class)
{
	return (sip_chars[(unsigned char)c] & class) != 0;
}

#ifdef __SSE2__

static inline __m128i sip_load16(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A bit for each of the 16 bytes. */
static inline unsigned sip_bits(__m128i x)
{
	return (unsigned)_mm_movemask_epi8(x);
}

static inline __m128i sip_is_byte(__m128i x, char c)
{
	return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/*
 * Bytes from first to last, which is below 0x80: moved up so that last becomes the largest signed byte, those in the
 * range are the largest.
 */
static inline __m128i sip_in_range(__m128i x, char first, char last)
{
	return _mm_cmpgt_epi8(_mm_add_epi8(x, _mm_set1_epi8((char)(127 - last))),
			      _mm_set1_epi8((char)(126 - (last - first))));
}

static inline __m128i sip_is_plain(__m128i x)
{
	__m128i letters = sip_in_range(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 'z');

	return _mm_or_si128(letters, _mm_andnot_si128(sip_is_byte(x, '/'), sip_in_range(x, '-', '9')));
}

#endif

/*
 * The scans below look at the first 16 bytes in place, where most of them end; what goes on, and what has no 16 bytes
 * left, is for scan.c.
 */

/* The first byte that is not of C_PLAIN, or end. */
const char *sip_skip_plain_on(const char *p, const char *end, const char *safe);
static inline const char *sip_skip_plain(const char *p, const char *end, const char *safe)
{
#ifdef __SSE2__
	if (safe - p >= 16) {
		unsigned other = ~sip_bits(sip_is_plain(sip_load16(p)));

		if (other & 0xffffu) {
			p += (unsigned)__builtin_ctz(other);
			return p < end ? p : end;
		}
		if (end - p <= 16)
			return end;
		p += 16;
	}
#endif
	return sip_skip_plain_on(p, end, safe);
}

/*
 * The first byte that is not of C_HOST, or end. *ok: labels between single dots; no label to start with a hyphen is all
 * that resolvers agree on.
 */
const char *sip_skip_host_on(const char *p, const char *end, bool *ok);
static inline const char *sip_skip_host(const char *p, const char *end, const char *safe, bool *ok)
{
#ifdef __SSE2__
	if (safe - p >= 16) {
		__m128i x = sip_load16(p), dots = sip_is_byte(x, '.');
		unsigned stop = ~sip_bits(_mm_or_si128(sip_is_plain(x), sip_is_byte(x, '_'))),
			 start = sip_bits(dots) << 1 | 1;

		if (end - p < 16)
			stop |= 1u << (end - p);
		if (stop & 0xffffu) {
			/* Dots and hyphens before the stop, where a label starts. */
			*ok = !(sip_bits(_mm_or_si128(dots, sip_is_byte(x, '-'))) & start & ((stop & -stop) - 1));
			return p + (unsigned)__builtin_ctz(stop);
		}
	}
#endif
	(void)safe;
	return sip_skip_host_on(p, end, ok);
}

/* The first byte that is not of class, one or several of SIP_WIDE_CLASSES; or end. */
static inline const char *sip_span(const char *p, const char *end, const char *safe, unsigned class)
{
	for (;; p++) {
		p = sip_skip_plain(p, end, safe);
		if (p == end || !is_class(*p, class))
			return p;
	}
}

#ifdef __SSE2__
/*
 * Where hits(p, c), a bit for each of 16 bytes, is not 0 for the first time from *p on: true, and *p is there or end.
 * false: less than 16 bytes may be read from *p on.
 */
static inline __attribute__((always_inline)) bool sip_hit16(const char **p, const char *end, const char *safe,
							    unsigned (*hits)(const char *p, char c), char c)
{
	for (; safe - *p >= 16; *p += 16) {
		unsigned hit = hits(*p, c);

		if (hit)
			*p += (unsigned)__builtin_ctz(hit);
		if (hit || end - *p <= 16) {
			*p = hit && *p < end ? *p : end;
			return true;
		}
	}
	return false;
}

static inline unsigned sip_byte_bits(const char *p, char c)
{
	return sip_bits(sip_is_byte(sip_load16(p), c));
}
#endif

/* The first c, or end. */
static inline const char *sip_find(const char *p, const char *end, const char *safe, char c)
{
#ifdef __SSE2__
	if (sip_hit16(&p, end, safe, sip_byte_bits, c))
		return p;
#endif
	(void)safe;
	while (p < end && *p != c)
		p++;
	return p;
}

/* The first CR or LF, or end. */
static inline const char *sip_find_eol(const char *p, const char *end)
{
#ifdef __SSE2__
	while (end - p >= 32) {
		/* What lies between them is as rare as it is harmless. */
		__m128i a = sip_in_range(sip_load16(p), '\n', '\r'), b = sip_in_range(sip_load16(p + 16), '\n', '\r');

		if (!sip_bits(_mm_or_si128(a, b))) {
			p += 32;
			continue;
		}
		p += (unsigned)__builtin_ctz(sip_bits(a) | sip_bits(b) << 16);
		if (*p == '\r' || *p == '\n')
			return p;
		p++;
	}
	if (end - p >= 16) {
		__m128i x = sip_load16(p);
		unsigned hit = sip_bits(_mm_or_si128(sip_is_byte(x, '\r'), sip_is_byte(x, '\n')));

		if (hit)
			return p + (unsigned)__builtin_ctz(hit);
		p += 16;
	}
#endif
	for (; p < end && *p != '\r' && *p != '\n'; p++)
		;
	return p;
}

/* The first control character or blank, or end. */
const char *sip_word_end(const char *p, const char *end);

/* The first '"', backslash or control character, or end: what a quoted string must be looked at for. */
const char *sip_find_quote_on(const char *p, const char *end, const char *safe);
#ifdef __SSE2__
static inline unsigned sip_quote_bits(const char *p, char unused)
{
	__m128i x = sip_load16(p), quote = _mm_or_si128(sip_is_byte(x, '"'), sip_is_byte(x, '\\'));
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);

	(void)unused;
	return sip_bits(_mm_or_si128(_mm_or_si128(quote, low), sip_is_byte(x, 0x7f)));
}
#endif
static inline const char *sip_find_quote(const char *p, const char *end, const char *safe)
{
#ifdef __SSE2__
	if (safe - p >= 16) {
		unsigned hit = sip_quote_bits(p, 0);

		if (hit) {
			p += (unsigned)__builtin_ctz(hit);
			return p < end ? p : end;
		}
		if (end - p <= 16)
			return end;
		p += 16;
	}
#endif
	return sip_find_quote_on(p, end, safe);
}

#endif
