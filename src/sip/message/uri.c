/* URIs: parsing, and walking their parameters and headers. */
#include "sip/uri.h"
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/*
 * The end of what starts at p: name or name=value, each of class and escapes, with sep between them; value_empty:
 * whether a value may be empty. NULL: bad, or more than are allowed: comparison takes each of one URI with each of the
 * other.
 */
static inline const char *pairs_end(const char *p, const char *end, const char *safe, char sep, unsigned class,
				    bool value_empty)
{
	for (uint32_t n = sip_limits.params; n; n--, p++) {
		const char *start = p;

		p = escaped_end(p, end, safe, class);
		if (!p || p == start)
			return NULL;
		if (p < end && *p == '=') {
			start = ++p;
			p = escaped_end(p, end, safe, class);
			if (!p || (p == start && !value_empty))
				return NULL;
		} else if (value_empty) {
			return NULL; /* a URI header always has its '=' */
		}
		if (p == end || *p != sep)
			return p;
	}
	return NULL;
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

/* What stands before the first '@', whatever it looks like. */
static int parse_userinfo(const char *p, const char *at, const char *safe, struct sip_uri *u)
{
	const char *colon = escaped_end(p, at, safe, C_USER), *end = colon;

	if (!colon || colon == p)
		return -1;
	u->has_user = true;
	u->user = rs_str_n(p, (size_t)(colon - p));
	if (colon < at && *colon == ':') {
		u->password = rs_str_n(colon + 1, (size_t)(at - colon - 1));
		u->has_password = true;
		end = escaped_end(colon + 1, at, safe, C_PASSWORD);
	}
	return end == at ? 0 : -1;
}

static int parse_sip(const char *p, const char *end, const char *safe, struct sip_uri *u)
{
	const char *at = sip_skip_plain(p, end, safe);
	struct sip_cur c = {p, end, safe};

	if (at < end && *at == '@' && at > p) {
		u->has_user = true;
		u->user = rs_str_n(p, (size_t)(at - p));
		c.p = at + 1;
	} else if (at < end) {
		at = sip_find(at, end, safe, '@');
		if (at < end) {
			if (parse_userinfo(p, at, safe, u))
				return -1;
			c.p = at + 1;
		}
	}
	if (cur_host(&c, &u->host) || (cur_take(&c, ':') && cur_port(&c, &u->port)))
		return -1;
	p = c.p;
	if (p < end && *p == ';') {
		at = pairs_end(p + 1, end, safe, ';', C_PARAM, false);
		if (!at)
			return -1;
		u->params = rs_str_n(p + 1, (size_t)(at - p - 1));
		p = at;
	}
	if (p < end && *p == '?') {
		at = pairs_end(p + 1, end, safe, '&', C_HEADER, true);
		if (!at)
			return -1;
		u->headers = rs_str_n(p + 1, (size_t)(at - p - 1));
		p = at;
	}
	return p == end ? 0 : -1;
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
		const char *end = rest.p + rest.len;

		u->params = rs_str_n(semi + 1, (size_t)(end - semi - 1));
		if (pairs_end(semi + 1, end, end, ';', C_PARAM, false) != end)
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
		return parse_sip(text.p + 4, text.p + text.len, safe, u);
	}
	n = scheme_length(text);
	if (!n)
		return -1;
	u->scheme_text = rs_str_n(text.p, n);
	rest = rs_str_n(text.p + n + 1, text.len - n - 1);
	if (SIP_IS(u->scheme_text, "sip") || SIP_IS(u->scheme_text, "sips")) {
		u->scheme = n == 3 ? SIP_URI_SIP : SIP_URI_SIPS;
		return parse_sip(rest.p, rest.p + rest.len, safe, u);
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
