/*
 * Character classes of RFC 3261 section 25.1 and a cursor over the text of one value. Private to the message layer.
 * Every helper checks the end before it reads.
 */
#ifndef SIP_MESSAGE_CHARS_H
#define SIP_MESSAGE_CHARS_H

#include "base/str.h"
#include "sip/message/scan.h"

extern const unsigned char sip_lower[256];

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
/* Whether s consists of characters of a class of SIP_WIDE_CLASSES and, where escapes is set, of %HH. */
bool sip_all(struct rs_str s, unsigned class, bool escapes);
/*
 * Whether x and y, loaded from a text and from one in lower case of the table's kind (letters, digits, "-./:"), are
 * equal without ASCII case: only letters have the bit 0x40, and only they may differ, in the bit 0x20.
 */
static inline bool sip_same_word(uint64_t x, uint64_t y)
{
	return ((x ^ y) & ~((y & 0x4040404040404040u) >> 1)) == 0;
}

static inline uint64_t sip_load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}
static inline uint64_t sip_load4(const char *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}
static inline uint64_t sip_load2(const char *p)
{
	uint16_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* a equals lower (of the kind said above), without ASCII case; len is a constant of at least 2. */
static inline bool sip_is(struct rs_str a, const char *lower, size_t len)
{
	if (a.len != len)
		return false;
	/* The last word overlaps the one before it. */
	if (len >= 8) {
		for (size_t i = 0; i + 8 < len; i += 8) {
			if (!sip_same_word(sip_load8(a.p + i), sip_load8(lower + i)))
				return false;
		}
		return sip_same_word(sip_load8(a.p + len - 8), sip_load8(lower + len - 8));
	}
	if (len >= 4)
		return sip_same_word(sip_load4(a.p) | sip_load4(a.p + len - 4) << 32,
				     sip_load4(lower) | sip_load4(lower + len - 4) << 32);
	return sip_same_word(sip_load2(a.p) | sip_load2(a.p + len - 2) << 16,
			     sip_load2(lower) | sip_load2(lower + len - 2) << 16);
}
#define SIP_IS(a, lit) sip_is((a), (lit), sizeof(lit) - 1)

struct sip_cur {
	const char *p, *end;
	const char *safe; /* bytes up to here may be read, past end too (sip/message/scan.h) */
};

static inline struct sip_cur cur_between(const char *p, const char *end)
{
	return (struct sip_cur){p, end, end};
}
static inline struct sip_cur cur_of(struct rs_str s)
{
	const char *p = s.p ? s.p : "";

	return cur_between(p, p + s.len);
}
/* Over s, which is part of what the cursor stands on. */
static inline struct sip_cur cur_in(const struct sip_cur *c, struct rs_str s)
{
	return (struct sip_cur){s.p, s.p + s.len, c->safe};
}

static inline bool cur_end(const struct sip_cur *c)
{
	return c->p == c->end;
}
static inline bool cur_at(const struct sip_cur *c, char x)
{
	return c->p < c->end && *c->p == x;
}

/* Behind the blanks and folds at p. */
const char *sip_skip_lws(const char *p, const char *end);

static inline void cur_lws(struct sip_cur *c)
{
	if (c->p < c->end && __builtin_expect((unsigned char)*c->p <= ' ', 0))
		c->p = sip_skip_lws(c->p, c->end);
}

/* What is_lws tells, cut from both ends. */
static inline struct rs_str sip_trim(const char *p, const char *end)
{
	if (p < end && __builtin_expect((unsigned char)*p <= ' ', 0))
		p = sip_skip_lws(p, end);
	while (p < end && __builtin_expect((unsigned char)end[-1] <= ' ', 0) && is_lws(end[-1]))
		end--;
	return rs_str_n(p, (size_t)(end - p));
}

/* The longest run of a class of SIP_WIDE_CLASSES; may be empty. */
static inline struct rs_str cur_span(struct sip_cur *c, unsigned class)
{
	const char *start = c->p;

	c->p = sip_span(start, c->end, c->safe, class);
	return rs_str_n(start, (size_t)(c->p - start));
}

static inline bool cur_take(struct sip_cur *c, char x)
{
	if (!cur_at(c, x))
		return false;
	c->p++;
	return true;
}

/* Behind the longest run of a class of SIP_WIDE_CLASSES and of %HH from p on; NULL: a '%' without its digits. */
const char *sip_escaped_end(const char *p, const char *end, const char *safe, unsigned class);
static inline const char *escaped_end(const char *p, const char *end, const char *safe, unsigned class)
{
	p = sip_span(p, end, safe, class);
	return p < end && __builtin_expect(*p == '%', 0) ? sip_escaped_end(p, end, safe, class) : p;
}

/*
 * The closing quote of a quoted string, p standing behind the opening one. NULL: no end, or a control character that is
 * not escaped.
 */
const char *sip_quote_end(const char *p, const char *end, const char *safe);
/* A quoted string; the cursor stands on its opening quote. *out is what stands between the quotes. */
static inline bool cur_quoted(struct sip_cur *c, struct rs_str *out)
{
	const char *start = c->p + 1, *p = sip_find_quote(start, c->end, c->safe);

	if (p == c->end || *p != '"') {
		p = sip_quote_end(p, c->end, c->safe);
		if (!p)
			return false;
	}
	*out = rs_str_n(start, (size_t)(p - start));
	c->p = p + 1;
	return true;
}

/* 1*DIGIT. 1: *out; 2: it was larger than max (at most 2**60), *out is max; 0: no digit. */
static inline int cur_number(struct sip_cur *c, uint64_t max, uint64_t *out)
{
	const char *p = c->p;
	uint64_t v = 0;
	int rc = 1;

	for (; p < c->end && (unsigned char)(*p - '0') <= 9; p++) {
		v = v * 10 + (unsigned char)(*p - '0');
		if (v > max) {
			v = max;
			rc = 2;
			while (p < c->end && is_class(*p, C_DIGIT))
				p++;
			break;
		}
	}
	if (p == c->p)
		return 0;
	c->p = p;
	*out = v;
	return rc;
}
/* The end of the first comma-separated value of raw text (quotes and <> respected): the comma, or end. */
const char *sip_value_end(const char *p, const char *end);

#endif
