/* Comparison of URIs (RFC 3261 section 19.1.4, RFC 3966 section 4) and a hash that agrees with it. */
#include "sip/uri.h"
#include "base/hash.h"
#include "sip/message/chars.h"

/* The unit of comparison: a byte, or ESCAPED plus the byte where an escape stands for a reserved character. */
#define ESCAPED 256
#define NO_UNIT (-1)

static int next_unit(struct sip_cur *c)
{
	unsigned char x;
	int hi, lo;

	if (cur_end(c))
		return NO_UNIT;
	x = (unsigned char)*c->p++;
	if (x != '%' || c->end - c->p < 2)
		return x;
	hi = sip_hex(c->p[0]);
	lo = sip_hex(c->p[1]);
	if (hi < 0 || lo < 0)
		return x;
	c->p += 2;
	x = (unsigned char)(hi * 16 + lo);
	return is_class((char)x, C_RESERVED) ? ESCAPED + x : x;
}

static int fold_case(int unit)
{
	return unit >= 'A' && unit <= 'Z' ? unit + 32 : unit;
}

static bool text_eq(struct rs_str a, struct rs_str b, bool nocase)
{
	struct sip_cur x = cur_of(a), y = cur_of(b);

	for (;;) {
		int i = next_unit(&x), j = next_unit(&y);

		if (nocase)
			i = fold_case(i), j = fold_case(j);
		if (i != j)
			return false;
		if (i == NO_UNIT)
			return true;
	}
}

static bool host_eq(struct rs_str a, struct rs_str b)
{
	struct sip_addr x, y;

	if (rs_str_ieq(a, b))
		return true;
	if (!a.len || !b.len || a.p[0] != '[' || b.p[0] != '[')
		return false;
	return sip_addr_parse(a, &x) == 0 && sip_addr_parse(b, &y) == 0 && sip_addr_same_ip(&x, &y);
}

static bool find_param(const struct sip_uri *u, struct rs_str name, struct rs_str *value)
{
	struct rs_str n;

	for (size_t pos = 0; sip_uri_next_param(u, &pos, &n, value);) {
		if (text_eq(n, name, true))
			return true;
	}
	return false;
}

/* What one side alone may not have. */
static bool must_be_in_both(struct rs_str name)
{
	return text_eq(name, RS_STR("transport"), true) || text_eq(name, RS_STR("user"), true) ||
	       text_eq(name, RS_STR("ttl"), true) || text_eq(name, RS_STR("method"), true) ||
	       text_eq(name, RS_STR("maddr"), true);
}

/* Of a parameter that stands twice the first counts, here as for whoever asks for one: a URI equals itself. */
static bool sip_params_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	struct rs_str name, value, other;

	for (size_t pos = 0; sip_uri_next_param(a, &pos, &name, &value);) {
		if (find_param(b, name, &other)) {
			if (!text_eq(value, other, true) &&
			    (!find_param(a, name, &value) || !text_eq(value, other, true)))
				return false;
		} else if (must_be_in_both(name)) {
			return false;
		}
	}
	return true;
}

/* How often name=value stands among the headers of u. */
static unsigned count_header(const struct sip_uri *u, struct rs_str name, struct rs_str value)
{
	struct rs_str n, v;
	unsigned count = 0;

	for (size_t pos = 0; sip_uri_next_header(u, &pos, &n, &v);)
		count += text_eq(n, name, true) && text_eq(v, value, false);
	return count;
}

static bool headers_in(const struct sip_uri *a, const struct sip_uri *b)
{
	struct rs_str name, value;

	for (size_t pos = 0; sip_uri_next_header(a, &pos, &name, &value);) {
		if (count_header(a, name, value) != count_header(b, name, value))
			return false;
	}
	return true;
}

static bool sip_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	return a->port == b->port && a->has_user == b->has_user && a->has_password == b->has_password &&
	       host_eq(a->host, b->host) && text_eq(a->user, b->user, false) &&
	       text_eq(a->password, b->password, false) && sip_params_eq(a, b) && sip_params_eq(b, a) &&
	       headers_in(a, b) && headers_in(b, a);
}

/* The next character of a telephone number that counts, in lower case; NO_UNIT at the end. */
static int next_digit(struct sip_cur *c)
{
	int x;

	do {
		x = fold_case(next_unit(c));
	} while (x == '-' || x == '.' || x == '(' || x == ')');
	return x;
}

static bool number_eq(struct rs_str a, struct rs_str b)
{
	struct sip_cur x = cur_of(a), y = cur_of(b);
	int i, j;

	do {
		i = next_digit(&x);
		j = next_digit(&y);
	} while (i == j && i != NO_UNIT);
	return i == j;
}

static bool tel_params_in(const struct sip_uri *a, const struct sip_uri *b)
{
	struct rs_str name, value, other;

	for (size_t pos = 0; sip_uri_next_param(a, &pos, &name, &value);) {
		bool number;

		if (!find_param(b, name, &other) || !find_param(a, name, &value))
			return false;
		number = text_eq(name, RS_STR("ext"), true) ||
			 (text_eq(name, RS_STR("phone-context"), true) && value.len && value.p[0] == '+');
		if (!(number ? number_eq(value, other) : text_eq(value, other, true)))
			return false;
	}
	return true;
}

bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme)
		return false;
	switch (a->scheme) {
	case SIP_URI_SIP:
	case SIP_URI_SIPS:
		return sip_equal(a, b);
	case SIP_URI_TEL:
		return number_eq(a->user, b->user) && tel_params_in(a, b) && tel_params_in(b, a);
	default:
		return rs_str_eq(a->text, b->text);
	}
}

/* Chunks of the same units in the same places for equal texts, whatever their escapes. */
#define HASH_CHUNK 128

static uint64_t hash_units(uint64_t h, struct rs_str s, int (*next)(struct sip_cur *))
{
	struct sip_cur c = cur_of(s);
	char buf[HASH_CHUNK];
	size_t n = 0;
	int unit;

	while ((unit = next(&c)) != NO_UNIT) {
		if (unit >= ESCAPED)
			buf[n++] = '%';
		buf[n++] = (char)unit;
		if (n >= sizeof(buf) - 1) {
			h = rs_hash_mix(h, rs_hash(rs_str_n(buf, n)));
			n = 0;
		}
	}
	return rs_hash_mix(h, rs_hash(rs_str_n(buf, n)));
}

uint64_t sip_uri_hash(const struct sip_uri *u)
{
	uint64_t h = (uint64_t)u->scheme * 65536 + u->port;
	struct sip_addr a;

	switch (u->scheme) {
	case SIP_URI_SIP:
	case SIP_URI_SIPS:
		/* Parameters are left out: those of one side alone may be ignored. */
		h = hash_units(h, u->user, next_unit);
		if (u->host.len && u->host.p[0] == '[' && sip_addr_parse(u->host, &a) == 0)
			return rs_hash_mix(h, rs_hash(rs_str_n((const char *)a.ip, sizeof(a.ip))));
		return rs_hash_mix(h, rs_hash_nocase(u->host));
	case SIP_URI_TEL:
		return hash_units(h, u->user, next_digit);
	default:
		return rs_hash_mix(h, rs_hash(u->text));
	}
}
