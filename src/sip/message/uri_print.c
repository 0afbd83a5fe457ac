/* Escapes, and printing a URI for another place than the one it was read from. */
#include "sip/uri.h"
#include "sip/message/chars.h"

struct out {
	char *p;
	size_t len, size;
	bool full;
};

static void put(struct out *o, struct rs_str s)
{
	/* The last byte is kept for the NUL. */
	if (o->full || s.len >= o->size - o->len) {
		o->full = true;
		return;
	}
	if (s.len)
		memcpy(o->p + o->len, s.p, s.len);
	o->len += s.len;
}

static void put_char(struct out *o, char c)
{
	put(o, rs_str_n(&c, 1));
}

static int finish(struct out *o)
{
	if (o->full || o->len > INT32_MAX)
		return -1;
	o->p[o->len] = '\0';
	return (int)o->len;
}

int sip_unescape(struct rs_str s, char *buf, size_t size)
{
	struct out o = {.p = buf, .size = size, .full = size == 0};

	for (size_t i = 0; i < s.len; i++) {
		int hi = -1, lo = -1;

		if (s.p[i] == '%' && s.len - i > 2) {
			hi = sip_hex(s.p[i + 1]);
			lo = sip_hex(s.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			put_char(&o, (char)(hi * 16 + lo));
			i += 2;
		} else {
			put_char(&o, s.p[i]);
		}
	}
	return finish(&o);
}

int sip_escape_user(struct rs_str s, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	struct out o = {.p = buf, .size = size, .full = size == 0};

	for (size_t i = 0; i < s.len; i++) {
		unsigned char x = (unsigned char)s.p[i];

		if (is_class(s.p[i], C_USER)) {
			put_char(&o, s.p[i]);
		} else {
			put_char(&o, '%');
			put_char(&o, hex[x >> 4]);
			put_char(&o, hex[x & 15]);
		}
	}
	return finish(&o);
}

static void put_port(struct out *o, uint16_t port)
{
	char digits[6];
	size_t n = sizeof(digits);

	for (unsigned v = port; v; v /= 10)
		digits[--n] = (char)('0' + v % 10);
	put_char(o, ':');
	put(o, rs_str_n(digits + n, sizeof(digits) - n));
}

static void put_params(struct out *o, const struct sip_uri *u, bool (*drop)(struct rs_str), bool method)
{
	struct rs_str name, value;

	for (size_t pos = 0; sip_uri_next_param(u, &pos, &name, &value);) {
		const char *end = value.p + value.len;

		if (drop && drop(name))
			continue;
		if (!method && SIP_IS(name, "method"))
			continue;
		put_char(o, ';');
		put(o, rs_str_n(name.p, (size_t)(end - name.p)));
	}
}

int sip_uri_print_filtered(const struct sip_uri *u, bool (*drop)(struct rs_str name), bool headers, char *buf,
			   size_t size)
{
	struct out o = {.p = buf, .size = size, .full = size == 0};

	if (u->scheme == SIP_URI_OTHER) {
		put(&o, u->text);
		return finish(&o);
	}
	put(&o, u->scheme_text);
	put_char(&o, ':');
	put(&o, u->user);
	if (u->has_password) {
		put_char(&o, ':');
		put(&o, u->password);
	}
	if (u->has_user)
		put_char(&o, '@');
	put(&o, u->host);
	if (u->port)
		put_port(&o, u->port);
	put_params(&o, u, drop, headers);
	if (headers && u->headers.len) {
		put_char(&o, '?');
		put(&o, u->headers);
	}
	return finish(&o);
}
