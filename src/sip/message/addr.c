/* Socket addresses and the names of the transports. */
#include "sip/addr.h"
#include "sip/message/grammar.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Longest text that can be a numeric address: IPv6 with an embedded IPv4 and a scope of ten digits. */
#define IP_TEXT 64

static int parse_port(struct rs_str s, uint16_t *port)
{
	uint64_t v;

	if (rs_str_to_u64(s, 65535, &v))
		return -1;
	*port = (uint16_t)v;
	return 0;
}

static int parse_v6(struct rs_str s, struct sip_addr *out)
{
	const char *scope = rs_str_chr(s, '%');
	char buf[IP_TEXT];
	uint64_t id = 0;

	if (scope) {
		struct rs_str number = rs_str_n(scope + 1, s.len - (size_t)(scope + 1 - s.p));

		if (rs_str_to_u64(number, UINT32_MAX, &id))
			return -1;
		s.len = (size_t)(scope - s.p);
	}
	if (s.len >= sizeof(buf) || s.len == 0)
		return -1;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	if (strlen(buf) != s.len || inet_pton(AF_INET6, buf, out->ip) != 1)
		return -1;
	out->family = 6;
	out->scope_id = (uint32_t)id;
	return 0;
}

static int parse_v4(struct rs_str s, struct sip_addr *out)
{
	struct sip_cur c = cur_of(s);

	for (unsigned i = 0; i < 4; i++) {
		const char *start;
		uint64_t v;

		if (i && !cur_take(&c, '.'))
			return -1;
		start = c.p;
		/* No leading zeros: readers disagree on whether they mean octal. */
		if (cur_number(&c, 255, &v) != 1 || c.p - start > (v > 99 ? 3 : v > 9 ? 2 : 1))
			return -1;
		out->ip[i] = (uint8_t)v;
	}
	out->family = 4;
	return cur_end(&c) ? 0 : -1;
}

int sip_addr_parse(struct rs_str text, struct sip_addr *out)
{
	struct sip_addr a = {0};
	const char *colon, *close;

	if (text.len == 0)
		return -1;
	colon = rs_str_chr(text, ':');
	if (text.p[0] == '[') {
		struct rs_str rest;

		close = rs_str_chr(text, ']');
		if (!close || parse_v6(rs_str_n(text.p + 1, (size_t)(close - text.p - 1)), &a))
			return -1;
		rest = rs_str_n(close + 1, text.len - (size_t)(close + 1 - text.p));
		if (rest.len && (rest.p[0] != ':' || parse_port(rs_str_n(rest.p + 1, rest.len - 1), &a.port)))
			return -1;
	} else if (colon && memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.p))) {
		if (parse_v6(text, &a))
			return -1;
	} else {
		size_t n = colon ? (size_t)(colon - text.p) : text.len;

		if (parse_v4(rs_str_n(text.p, n), &a))
			return -1;
		if (colon && parse_port(rs_str_n(colon + 1, text.len - n - 1), &a.port))
			return -1;
	}
	*out = a;
	return 0;
}

/* Writers of a piece of text; each returns the place behind it. */

static char *put_decimal(char *p, uint32_t v)
{
	char digits[10];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

static char *put_hex(char *p, unsigned v)
{
	for (int shift = v > 0xfff ? 12 : v > 0xff ? 8 : v > 0xf ? 4 : 0; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

static char *put_v4(char *p, const uint8_t ip[4])
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_decimal(p, ip[i]);
	}
	return p;
}

/* RFC 5952: the longest run of zero groups, the first of equal ones, is "::"; what embeds an IPv4 address shows it. */
static char *put_v6(char *p, const uint8_t ip[16])
{
	unsigned group[8], at = 8, run = 1;

	for (unsigned i = 0; i < 8; i++)
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	for (unsigned i = 0, n; i < 8; i += n + 1) {
		for (n = 0; i + n < 8 && !group[i + n]; n++)
			;
		if (n > run) {
			run = n;
			at = i;
		}
	}
	for (unsigned i = 0; i < 8;) {
		if (i == at) {
			*p++ = ':';
			i += run;
			if (i == 8)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		if (i == 6 && at == 0 && (run == 6 || (run == 5 && group[5] == 0xffff)))
			return put_v4(p, ip + 12);
		p = put_hex(p, group[i++]);
	}
	return p;
}

static size_t print(const struct sip_addr *a, bool brackets, bool scope, unsigned port, char *buf)
{
	char *p = buf;

	brackets = brackets && a->family == 6;
	if (brackets)
		*p++ = '[';
	if (a->family == 4)
		p = put_v4(p, a->ip);
	else if (a->family == 6)
		p = put_v6(p, a->ip);
	if (scope && a->scope_id) {
		*p++ = '%';
		p = put_decimal(p, a->scope_id);
	}
	if (brackets)
		*p++ = ']';
	if (port) {
		*p++ = ':';
		p = put_decimal(p, port);
	}
	return (size_t)(p - buf);
}

size_t sip_addr_print(const struct sip_addr *a, bool with_port, char buf[SIP_ADDR_TEXT])
{
	bool port = with_port && a->port;

	return print(a, port, true, port ? a->port : 0, buf);
}

const char *sip_addr_text(const struct sip_addr *a, bool with_port, char buf[SIP_ADDR_TEXT])
{
	buf[sip_addr_print(a, with_port, buf)] = '\0';
	return buf;
}

const char *sip_addr_host(const struct sip_addr *a, char buf[SIP_ADDR_TEXT])
{
	buf[print(a, true, false, 0, buf)] = '\0';
	return buf;
}

bool sip_addr_same_ip(const struct sip_addr *a, const struct sip_addr *b)
{
	return a->family == b->family && a->scope_id == b->scope_id && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool sip_addr_eq(const struct sip_addr *a, const struct sip_addr *b)
{
	return a->port == b->port && sip_addr_same_ip(a, b);
}

bool sip_addr_is_any(const struct sip_addr *a)
{
	static const uint8_t zero[16];

	return a->family && memcmp(a->ip, zero, sizeof(zero)) == 0;
}

void sip_addr_unmap(struct sip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family != 6 || memcmp(a->ip, mapped, sizeof(mapped)) != 0)
		return;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
	a->family = 4;
	a->scope_id = 0;
}

void sip_addr_from_sockaddr(const struct sockaddr *sa, struct sip_addr *out)
{
	*out = (struct sip_addr){0};
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		out->family = 4;
		out->port = ntohs(in.sin_port);
		memcpy(out->ip, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		out->family = 6;
		out->port = ntohs(in6.sin6_port);
		out->scope_id = in6.sin6_scope_id;
		memcpy(out->ip, &in6.sin6_addr, 16);
	}
}

socklen_t sip_addr_to_sockaddr(const struct sip_addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	if (a->family == 6) {
		struct sockaddr_in6 in6 = {
			.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope_id};

		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(out, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

static const struct {
	const char *name;
	uint16_t port;
	bool reliable, secure;
} transports[SIP_TRANSPORT_N] = {
	[SIP_TRANSPORT_NONE] = {"", 0, false, false},     [SIP_TRANSPORT_UDP] = {"UDP", 5060, false, false},
	[SIP_TRANSPORT_TCP] = {"TCP", 5060, true, false}, [SIP_TRANSPORT_TLS] = {"TLS", 5061, true, true},
	[SIP_TRANSPORT_WS] = {"WS", 80, true, false},     [SIP_TRANSPORT_WSS] = {"WSS", 443, true, true},
};

const char *sip_transport_name(enum sip_transport_type t)
{
	return t < SIP_TRANSPORT_N ? transports[t].name : "";
}

enum sip_transport_type sip_transport_from_name(struct rs_str name)
{
	if (name.len == 3) {
		if (SIP_IS(name, "udp"))
			return SIP_TRANSPORT_UDP;
		if (SIP_IS(name, "tcp"))
			return SIP_TRANSPORT_TCP;
		if (SIP_IS(name, "tls"))
			return SIP_TRANSPORT_TLS;
		if (SIP_IS(name, "wss"))
			return SIP_TRANSPORT_WSS;
	}
	return SIP_IS(name, "ws") ? SIP_TRANSPORT_WS : SIP_TRANSPORT_NONE;
}

bool sip_transport_is_reliable(enum sip_transport_type t)
{
	return t < SIP_TRANSPORT_N && transports[t].reliable;
}
bool sip_transport_is_secure(enum sip_transport_type t)
{
	return t < SIP_TRANSPORT_N && transports[t].secure;
}
uint16_t sip_transport_default_port(enum sip_transport_type t)
{
	return t < SIP_TRANSPORT_N ? transports[t].port : 0;
}
