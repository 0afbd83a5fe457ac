#include "core/config/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_TEXT 32    /* the longest text that is read as a number */
#define SECONDS_MAX 1.0e6 /* keeps milliseconds within 32 bits */

static bool in_list(struct rs_str s, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rs_str_ieqz(s, v[i]))
			return true;
	return false;
}

int conf_value_bool(struct rs_str s, bool *out)
{
	static const char *const YES[] = {"yes", "true", "y", "t", "1", "on"};
	static const char *const NO[] = {"no", "false", "n", "f", "0", "off"};
	bool yes = in_list(s, YES, RS_ARRAY_SIZE(YES));

	if (!yes && !in_list(s, NO, RS_ARRAY_SIZE(NO)))
		return -1;
	*out = yes;
	return 0;
}

static int number_text(struct rs_str s, char buf[NUMBER_TEXT])
{
	if (s.len == 0 || s.len >= NUMBER_TEXT || isspace((unsigned char)s.p[0]))
		return -1;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return 0;
}

int conf_value_uint(struct rs_str s, uint32_t min, uint32_t max, uint32_t *out)
{
	char buf[NUMBER_TEXT], *end;
	unsigned long long v;

	if (number_text(s, buf) != 0 || !isdigit((unsigned char)buf[0]))
		return -1;
	errno = 0;
	v = strtoull(buf, &end, 0);
	if (errno || *end || v < min || v > max)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int conf_value_int(struct rs_str s, int *out)
{
	char buf[NUMBER_TEXT], *end;
	long v;

	if (number_text(s, buf) != 0)
		return -1;
	errno = 0;
	v = strtol(buf, &end, 0);
	if (errno || *end || end == buf || v < INT32_MIN || v > INT32_MAX)
		return -1;
	*out = (int)v;
	return 0;
}

int conf_value_seconds(struct rs_str s, uint32_t *ms)
{
	char buf[NUMBER_TEXT], *end;
	double v;

	if (number_text(s, buf) != 0)
		return -1;
	v = strtod(buf, &end);
	if (*end || end == buf || !isfinite(v) || v < 0 || v > SECONDS_MAX)
		return -1;
	*ms = (uint32_t)lround(v * 1000);
	return 0;
}

int conf_value_tos(struct rs_str s, uint8_t *out)
{
	uint32_t v;

	if (conf_value_uint(s, 0, 255, &v) == 0) {
		*out = (uint8_t)v;
		return 0;
	}
	if (rs_str_ieqz(s, "ef")) {
		*out = 46 << 2;
		return 0;
	}
	if (s.len == 3 && strncasecmp(s.p, "cs", 2) == 0 && s.p[2] >= '0' && s.p[2] <= '7') {
		*out = (uint8_t)((s.p[2] - '0') << 5);
		return 0;
	}
	if (s.len == 4 && strncasecmp(s.p, "af", 2) == 0 && s.p[2] >= '1' && s.p[2] <= '4' && s.p[3] >= '1' &&
	    s.p[3] <= '3') {
		*out = (uint8_t)(((s.p[2] - '0') * 8 + (s.p[3] - '0') * 2) << 2);
		return 0;
	}
	return -1;
}

void conf_addr_mask(struct sip_addr *addr, uint8_t bits)
{
	unsigned size = addr->family == 4 ? 4 : 16;

	for (unsigned i = 0; i < size; i++) {
		unsigned keep = bits >= (i + 1) * 8 ? 8 : bits > i * 8 ? bits - i * 8 : 0;

		addr->ip[i] &= (uint8_t)(0xff00u >> keep);
	}
}

int conf_value_mask(struct rs_str s, uint8_t family, uint8_t *bits)
{
	struct sip_addr mask;
	uint32_t v, n = 0;

	if (conf_value_uint(s, 0, family == 4 ? 32 : 128, &v) == 0) {
		*bits = (uint8_t)v;
		return 0;
	}
	if (sip_addr_parse(s, &mask) != 0 || mask.family != family || mask.port)
		return -1;
	v = family == 4 ? 32 : 128;
	while (n < v && (mask.ip[n / 8] & (0x80u >> (n % 8))))
		n++;
	for (uint32_t i = n; i < v; i++)
		if (mask.ip[i / 8] & (0x80u >> (i % 8)))
			return -1; /* ones behind a zero */
	*bits = (uint8_t)n;
	return 0;
}

int conf_value_network(struct rs_str s, struct sip_addr *addr, uint8_t *bits)
{
	const char *slash = rs_str_chr(s, '/');
	struct rs_str host = slash ? rs_str_n(s.p, (size_t)(slash - s.p)) : s;
	struct sip_addr a;
	uint8_t n;

	if (sip_addr_parse(host, &a) != 0 || a.port)
		return -1;
	n = a.family == 4 ? 32 : 128;
	if (slash && conf_value_mask(rs_str_n(slash + 1, s.len - host.len - 1), a.family, &n) != 0)
		return -1;
	conf_addr_mask(&a, n);
	*addr = a;
	*bits = n;
	return 0;
}

bool conf_value_is_host(struct rs_str s)
{
	struct sip_addr a;

	if (sip_addr_parse(s, &a) == 0)
		return a.port == 0;
	if (s.len == 0 || s.len > 255)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	/* a last label of digits only is a mistyped IPv4 address, not a name */
	while (s.len && s.p[s.len - 1] == '.')
		s.len--;
	return s.len && !isdigit((unsigned char)s.p[s.len - 1]);
}

bool conf_list_next(struct rs_str *rest, struct rs_str *item)
{
	while (rest->len) {
		const char *comma = rs_str_chr(*rest, ',');
		size_t n = comma ? (size_t)(comma - rest->p) : rest->len;

		*item = rs_str_trim(rs_str_n(rest->p, n));
		*rest = comma ? rs_str_n(comma + 1, rest->len - n - 1) : RS_STR_NULL;
		if (item->len)
			return true;
	}
	return false;
}

/* Room grows at powers of two: lists of 10,000 networks are read in one pass. */
int conf_list_push(struct conf_pool *pool, struct ast_sip_strings *list, struct rs_str item)
{
	struct rs_str *v = (struct rs_str *)(uintptr_t)list->v;

	if ((list->n & (list->n - 1)) == 0) {
		v = conf_pool_alloc(pool, (list->n ? list->n * 2 : 1) * sizeof(*v));
		if (!v)
			return -1;
		if (list->n)
			memcpy(v, list->v, list->n * sizeof(*v));
	}
	v[list->n] = item;
	list->v = v;
	list->n++;
	return 0;
}

int conf_list_add(struct conf_pool *pool, struct ast_sip_strings *list, struct rs_str text)
{
	struct rs_str item;

	while (conf_list_next(&text, &item))
		if (conf_list_push(pool, list, item) != 0)
			return -1;
	return 0;
}

bool conf_list_has(const struct ast_sip_strings *list, struct rs_str item)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (rs_str_eq(list->v[i], item))
			return true;
	return false;
}
