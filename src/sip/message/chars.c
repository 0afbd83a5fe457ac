/* Character classes, and the few scans that every grammar needs. */
#include "sip/message/chars.h"

#define UNRESERVED (C_USER | C_PASSWORD | C_PARAM | C_HEADER | C_URIC)
#define NAME       (UNRESERVED | C_TOKEN | C_WORD | C_VALUE)
#define LETTER     (NAME | C_ALPHA | C_HOST | C_SCHEME)
#define HEX_LETTER (LETTER | C_HEX)

const uint16_t sip_chars[256] = {
	['\t'] = C_LWS,
	['\n'] = C_LWS,
	['\r'] = C_LWS,
	[' '] = C_LWS,
	['0' ... '9'] = NAME | C_DIGIT | C_HEX | C_HOST | C_SCHEME,
	['A' ... 'F'] = HEX_LETTER,
	['G' ... 'Z'] = LETTER,
	['a' ... 'f'] = HEX_LETTER,
	['g' ... 'z'] = LETTER,
	['-'] = NAME | C_HOST | C_SCHEME,
	['.'] = NAME | C_HOST | C_SCHEME,
	['_'] = NAME | C_HOST,
	['!'] = NAME,
	['~'] = NAME,
	['*'] = NAME,
	['\''] = NAME,
	['('] = UNRESERVED | C_WORD,
	[')'] = UNRESERVED | C_WORD,
	['%'] = C_TOKEN | C_WORD | C_VALUE,
	['`'] = C_TOKEN | C_WORD | C_VALUE,
	['+'] = NAME | C_SCHEME | C_RESERVED,
	[';'] = C_USER | C_URIC | C_RESERVED,
	['/'] = C_USER | C_PARAM | C_HEADER | C_URIC | C_WORD | C_VALUE | C_RESERVED,
	['?'] = C_USER | C_HEADER | C_URIC | C_WORD | C_RESERVED,
	[':'] = C_PARAM | C_HEADER | C_URIC | C_WORD | C_VALUE | C_RESERVED,
	['@'] = C_URIC | C_VALUE | C_RESERVED,
	['&'] = C_USER | C_PASSWORD | C_PARAM | C_URIC | C_VALUE | C_RESERVED,
	['='] = C_USER | C_PASSWORD | C_URIC | C_VALUE | C_RESERVED,
	['$'] = C_USER | C_PASSWORD | C_PARAM | C_HEADER | C_URIC | C_VALUE | C_RESERVED,
	[','] = C_USER | C_PASSWORD | C_URIC | C_RESERVED,
	['['] = C_PARAM | C_HEADER | C_URIC | C_WORD | C_VALUE,
	[']'] = C_PARAM | C_HEADER | C_URIC | C_WORD | C_VALUE,
	['#'] = C_URIC,
	['<'] = C_WORD,
	['>'] = C_WORD,
	['\\'] = C_WORD,
	['"'] = C_WORD,
	['{'] = C_WORD,
	['}'] = C_WORD,
};

#define ROW(n) (n), (n) + 1, (n) + 2, (n) + 3, (n) + 4, (n) + 5, (n) + 6, (n) + 7
const unsigned char sip_lower[256] = {
	ROW(0),   ROW(8),   ROW(16),  ROW(24),  ROW(32),  ROW(40),  ROW(48),  ROW(56),  64,       'a',
	'b',      'c',      'd',      'e',      'f',      'g',      ROW('h'), ROW('p'), 'x',      'y',
	'z',      91,       92,       93,       94,       95,       ROW(96),  ROW(104), ROW(112), ROW(120),
	ROW(128), ROW(136), ROW(144), ROW(152), ROW(160), ROW(168), ROW(176), ROW(184), ROW(192), ROW(200),
	ROW(208), ROW(216), ROW(224), ROW(232), ROW(240), ROW(248),
};

int sip_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool sip_all(struct rs_str s, unsigned class, bool escapes)
{
	for (size_t i = 0; i < s.len; i++) {
		if (escapes && s.p[i] == '%') {
			if (s.len - i < 3 || !is_class(s.p[i + 1], C_HEX) || !is_class(s.p[i + 2], C_HEX))
				return false;
			i += 2;
		} else if (!is_class(s.p[i], class)) {
			return false;
		}
	}
	return true;
}

bool sip_is(struct rs_str a, const char *lower, size_t len)
{
	if (a.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (to_lower(a.p[i]) != (unsigned char)lower[i])
			return false;
	}
	return true;
}

bool cur_quoted(struct sip_cur *c, struct rs_str *out)
{
	const char *start = c->p + 1;

	for (const char *p = start; p < c->end; p++) {
		unsigned char x = (unsigned char)*p;

		if (x == '"') {
			*out = rs_str_n(start, (size_t)(p - start));
			c->p = p + 1;
			return true;
		}
		if (x == '\\') {
			if (++p == c->end || *p == '\r' || *p == '\n')
				return false;
		} else if ((x < ' ' && !is_lws(*p)) || x == 0x7f) {
			return false;
		}
	}
	return false;
}

int cur_number(struct sip_cur *c, uint64_t max, uint64_t *out)
{
	const char *start = c->p;
	bool over = false;
	uint64_t v = 0;

	for (; c->p < c->end && is_class(*c->p, C_DIGIT); c->p++) {
		if (!over)
			v = v * 10 + (unsigned)(*c->p - '0');
		over = over || v > max;
	}
	if (c->p == start)
		return 0;
	*out = over ? max : v;
	return over ? 2 : 1;
}

const char *sip_value_end(const char *p, const char *end)
{
	struct sip_cur c = {p, end};
	bool angle = false;
	struct rs_str q;

	while (c.p < end) {
		char x = *c.p;

		if (x == '"' && !angle) {
			if (!cur_quoted(&c, &q))
				return end;
			continue;
		}
		if (x == '<')
			angle = true;
		else if (x == '>')
			angle = false;
		else if (x == ',' && !angle)
			break;
		c.p++;
	}
	return c.p;
}
