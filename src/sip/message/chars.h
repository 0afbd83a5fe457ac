/*
 * Character classes of RFC 3261 section 25.1 and a cursor over the text of one value. Private to the message layer.
 * Every helper checks the end before it reads.
 */
#ifndef SIP_MESSAGE_CHARS_H
#define SIP_MESSAGE_CHARS_H

#include "base/str.h"

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
};

extern const uint16_t sip_chars[256];
extern const unsigned char sip_lower[256];

static inline bool is_class(char c, unsigned class)
{
	return (sip_chars[(unsigned char)c] & class) != 0;
}
static inline bool is_lws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static inline unsigned char to_lower(char c)
{
	return sip_lower[(unsigned char)c];
}

/* 0-15, or -1. */
int sip_hex(char c);
/* Whether s consists of characters of class and, where escapes is set, of %HH. */
bool sip_all(struct rs_str s, unsigned class, bool escapes);
/* Equal without ASCII case; b is lower case already. */
bool sip_is(struct rs_str a, const char *lower, size_t len);
#define SIP_IS(a, lit) sip_is((a), (lit), sizeof(lit) - 1)

struct sip_cur {
	const char *p, *end;
};

static inline struct sip_cur cur_of(struct rs_str s)
{
	const char *p = s.p ? s.p : "";

	return (struct sip_cur){p, p + s.len};
}

static inline bool cur_end(const struct sip_cur *c)
{
	return c->p == c->end;
}
static inline bool cur_at(const struct sip_cur *c, char x)
{
	return c->p < c->end && *c->p == x;
}

static inline void cur_lws(struct sip_cur *c)
{
	while (c->p < c->end && is_lws(*c->p))
		c->p++;
}

/* The longest run of a class; may be empty. */
static inline struct rs_str cur_span(struct sip_cur *c, unsigned class)
{
	const char *start = c->p;

	while (c->p < c->end && is_class(*c->p, class))
		c->p++;
	return rs_str_n(start, (size_t)(c->p - start));
}

static inline bool cur_take(struct sip_cur *c, char x)
{
	if (!cur_at(c, x))
		return false;
	c->p++;
	return true;
}

/*
 * A quoted string; the cursor stands on its opening quote. *out is what stands between the quotes. False: no end, or
 * a control character that is not escaped.
 */
bool cur_quoted(struct sip_cur *c, struct rs_str *out);
/* 1*DIGIT. 1: *out; 2: it was larger than max (at most 2**60), *out is max; 0: no digit. */
int cur_number(struct sip_cur *c, uint64_t max, uint64_t *out);
/* The end of the first comma-separated value of raw text (quotes and <> respected): the comma, or end. */
const char *sip_value_end(const char *p, const char *end);

#endif
