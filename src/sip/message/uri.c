/* URIs: parsing, and walking their parameters and headers. */
#include "sip/uri.h"
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/*
 * name or name=value, each of class and escapes, with sep between them; value_empty: whether a value may be empty. Their
 * number is limited because comparison takes each of one with each of the other. The cursor is left on what cannot
 * belong to a pair.
 */
static inline bool cur_pairs(struct sip_cur *c, char sep, unsigned class, bool value_empty)
{
	uint32_t n = 0;

	do {
		const char *start = c->p;

		if (++n > sip_limits.params || !cur_escaped(c, class) || c->p == start)
			return false;
		if (cur_take(c, '=')) {
			start = c->p;
			if (!cur_escaped(c, class) || (c->p == start && !value_empty))
				return false;
		} else if (value_empty) {
			return false; /* a URI header always has its '=' */
		}
	} while (cur_take(c, sep));
	return true;
}

int sip_cur_ipv6_reference(struct sip_cur *c, struct rs_str *host)
{
	const char *close = sip_find(c->p, c->end, c->safe, ']');
	struct sip_addr a;

	if (close == c->end)
		return -1;
	*host = rs_str_n(c->p, (size_t)(close + 1 - c->p));
	if (sip_addr_parse(*host, &a))
		return -1;
	c->p = close + 1;
	return 0;
}

static inline int parse_userinfo(struct sip_cur *c, const char *at, struct sip_uri *u)
{
	struct sip_cur user = {c->p, at, c->safe};

	u->has_user = true;
	if (!cur_escaped(&user, C_USER) || user.p == c->p)
		return -1;
	u->user = rs_str_n(c->p, (size_t)(user.p - c->p));
	if (cur_take(&user, ':')) {
		u->password = rs_str_n(user.p, (size_t)(at - user.p));
		u->has_password = true;
		if (!cur_escaped(&user, C_PASSWORD))
			return -1;
	}
	c->p = at + 1;
	return cur_end(&user) ? 0 : -1;
}

static inline int parse_sip(struct sip_cur c, struct sip_uri *u)
{
	const char *at = sip_skip_plain(c.p, c.end, c.safe), *start;

	/* What stands before the first '@' is a user, whatever it looks like. */
	if (at < c.end && *at != '@')
		at = sip_find(at, c.end, c.safe, '@');
	if (at < c.end && parse_userinfo(&c, at, u))
		return -1;
	if (cur_host(&c, &u->host) || (cur_take(&c, ':') && cur_port(&c, &u->port)))
		return -1;
	if (cur_take(&c, ';')) {
		start = c.p;
		if (!cur_pairs(&c, ';', C_PARAM, false))
			return -1;
		u->params = rs_str_n(start, (size_t)(c.p - start));
	}
	if (cur_take(&c, '?')) {
		start = c.p;
		if (!cur_pairs(&c, '&', C_HEADER, true))
			return -1;
		u->headers = rs_str_n(start, (size_t)(c.p - start));
	}
	return cur_end(&c) ? 0 : -1;
}

/* RFC 3966 section 3: a global number is + and digits, a local one may hold hex digits, * and #. */
static int parse_tel(struct rs_str rest, struct sip_uri *u)
{
	const char *semi = rs_str_chr(rest, ';');
	struct rs_str number = rs_str_n(rest.p, semi ? (size_t)(semi - rest.p) : rest.len);
	bool global = number.len && number.p[0] == '+', digit = false;

	for (size_t i = global; i < number.len; i++) {
		char x = number.p[i];

		if (is_class(x, C_DIGIT) || (!global && (is_class(x, C_HEX) || x == '*' || x == '#')))
			digit = true;
		else if (x != '-' && x != '.' && x != '(' && x != ')')
			return -1;
	}
	u->user = number;
	if (semi) {
		struct sip_cur c;

		u->params = rs_str_n(semi + 1, rest.len - number.len - 1);
		c = cur_of(u->params);
		if (!cur_pairs(&c, ';', C_PARAM, false) || !cur_end(&c))
			return -1;
	}
	return digit ? 0 : -1;
}

/* The length of a scheme, or 0: no letter at its start, or no colon behind it. */
static size_t scheme_length(struct rs_str text)
{
	size_t n = 0;

	if (text.len == 0 || !is_class(text.p[0], C_ALPHA))
		return 0;
	while (n < text.len && is_class(text.p[n], C_SCHEME))
		n++;
	return n < text.len && text.p[n] == ':' ? n : 0;
}

int sip_uri_parse_in(struct rs_str text, const char *safe, struct sip_uri *u)
{
	struct rs_str rest;
	size_t n;

	/* Member by member: this runs several times a message, and clearing the whole at once is slower. */
	u->text = text;
	u->scheme = SIP_URI_OTHER;
	u->user = u->password = u->host = u->params = u->headers = RS_STR_NULL;
	u->port = 0;
	u->has_user = u->has_password = false;
	if (text.len > sip_limits.uri)
		return -1;
	if (text.len > 4 && SIP_IS(rs_str_n(text.p, 4), "sip:")) {
		u->scheme = SIP_URI_SIP;
		u->scheme_text = rs_str_n(text.p, 3);
		return parse_sip((struct sip_cur){text.p + 4, text.p + text.len, safe}, u);
	}
	n = scheme_length(text);
	if (!n)
		return -1;
	u->scheme_text = rs_str_n(text.p, n);
	rest = rs_str_n(text.p + n + 1, text.len - n - 1);
	if (SIP_IS(u->scheme_text, "sip") || SIP_IS(u->scheme_text, "sips")) {
		u->scheme = n == 3 ? SIP_URI_SIP : SIP_URI_SIPS;
		return parse_sip((struct sip_cur){rest.p, rest.p + rest.len, safe}, u);
	}
	if (SIP_IS(u->scheme_text, "tel")) {
		u->scheme = SIP_URI_TEL;
		return parse_tel(rest, u);
	}
	u->user = rest;
	return rest.len && sip_all(rest, C_URIC, true) ? 0 : -1;
}

int sip_uri_parse(struct rs_str text, struct sip_uri *u)
{
	return sip_uri_parse_in(text, text.len ? text.p + text.len : text.p, u);
}

static bool next_pair(struct rs_str all, char sep, size_t *pos, struct rs_str *name, struct rs_str *value)
{
	struct rs_str s;
	const char *next, *eq;

	if (*pos >= all.len)
		return false;
	s = rs_str_n(all.p + *pos, all.len - *pos);
	next = rs_str_chr(s, sep);
	if (next)
		s.len = (size_t)(next - s.p);
	*pos += s.len + 1;
	eq = rs_str_chr(s, '=');
	*name = rs_str_n(s.p, eq ? (size_t)(eq - s.p) : s.len);
	*value = eq ? rs_str_n(eq + 1, s.len - name->len - 1) : rs_str_n(s.p + s.len, 0);
	return true;
}

bool sip_uri_next_param(const struct sip_uri *u, size_t *pos, struct rs_str *name, struct rs_str *value)
{
	return next_pair(u->params, ';', pos, name, value);
}

bool sip_uri_next_header(const struct sip_uri *u, size_t *pos, struct rs_str *name, struct rs_str *value)
{
	return next_pair(u->headers, '&', pos, name, value);
}

/* A parameter's name may be written with escapes: "%6C%72" is lr. */
static bool name_is(struct rs_str written, struct rs_str name)
{
	size_t n = 0;

	if (!rs_str_chr(written, '%'))
		return rs_str_ieq(written, name);
	for (size_t i = 0; i < written.len; i++, n++) {
		char x = written.p[i];

		if (x == '%' && written.len - i > 2 && sip_hex(written.p[i + 1]) >= 0 &&
		    sip_hex(written.p[i + 2]) >= 0) {
			x = (char)(sip_hex(written.p[i + 1]) * 16 + sip_hex(written.p[i + 2]));
			i += 2;
		}
		if (n >= name.len || to_lower(x) != to_lower(name.p[n]))
			return false;
	}
	return n == name.len;
}

bool sip_uri_param(const struct sip_uri *u, struct rs_str name, struct rs_str *value)
{
	struct rs_str n, v;

	for (size_t pos = 0; sip_uri_next_param(u, &pos, &n, &v);) {
		if (!name_is(n, name))
			continue;
		if (value)
			*value = v;
		return true;
	}
	return false;
}

enum sip_transport_type sip_uri_transport(const struct sip_uri *u, bool *unknown)
{
	enum sip_transport_type t = SIP_TRANSPORT_NONE;
	struct rs_str value;
	bool there = sip_uri_param(u, RS_STR("transport"), &value);

	if (there)
		t = sip_transport_from_name(value);
	if (unknown)
		*unknown = there && t == SIP_TRANSPORT_NONE;
	return t;
}

bool sip_uri_has_lr(const struct sip_uri *u)
{
	return u->params.len && sip_uri_param(u, RS_STR("lr"), NULL);
}
