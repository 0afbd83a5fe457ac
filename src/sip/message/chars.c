/* Character classes, and the few scans that every grammar needs. */
#include "sip/message/chars.h"

#define UNRESERVED (C_USER | C_PASSWORD | C_PARAM | C_HEADER | C_URIC)
#define NAME       (UNRESERVED | C_TOKEN | C_WORD | C_VALUE)
#define LETTER     (NAME | C_PLAIN | C_ALPHA | C_HOST | C_SCHEME)
#define HEX_LETTER (LETTER | C_HEX)

const uint16_t sip_chars[256] = {
	['\t'] = C_LWS,
	['\n'] = C_LWS,
	['\r'] = C_LWS,
	[' '] = C_LWS,
	['0' ... '9'] = NAME | C_PLAIN | C_DIGIT | C_HEX | C_HOST | C_SCHEME,
	['A' ... 'F'] = HEX_LETTER,
	['G' ... 'Z'] = LETTER,
	['a' ... 'f'] = HEX_LETTER,
	['g' ... 'z'] = LETTER,
	['-'] = NAME | C_PLAIN | C_HOST | C_SCHEME,
	['.'] = NAME | C_PLAIN | C_HOST | C_SCHEME,
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
	struct sip_cur c = cur_of(s);

	return (escapes ? escaped_end : sip_span)(c.p, c.end, c.safe, class) == c.end;
}

const char *sip_skip_lws(const char *p, const char *end)
{
	while (p < end && is_lws(*p))
		p++;
	return p;
}

const char *sip_escaped_end(const char *p, const char *end, const char *safe, unsigned class)
{
	for (;;) {
		p = sip_span(p, end, safe, class);
		if (p == end || *p != '%')
			return p;
		if (end - p < 3 || !is_class(p[1], C_HEX) || !is_class(p[2], C_HEX))
			return NULL;
		p += 3;
	}
}

const char *sip_quote_end(const char *p, const char *end, const char *safe)
{
	for (;; p++) {
		p = sip_find_quote(p, end, safe);
		if (p == end)
			return NULL;
		if (*p == '"')
			return p;
		if (*p == '\\') {
			if (++p == end || *p == '\r' || *p == '\n')
				return NULL;
		} else if (!is_lws(*p)) {
			return NULL;
		}
	}
}

const char *sip_value_end(const char *p, const char *end)
{
	struct sip_cur c = cur_between(p, end);
	bool angle = false;
	struct rs_str q;

	for (;;) {
		c.p = sip_skip_plain(c.p, end, end);
		if (c.p == end)
			return end;
		if (*c.p == '"' && !angle) {
			if (!cur_quoted(&c, &q))
				return end;
			continue;
		}
		if (*c.p == '<')
			angle = true;
		else if (*c.p == '>')
			angle = false;
		else if (*c.p == ',' && !angle)
			return c.p;
		c.p++;
	}
}
