/* Two URIs, a line each: what is accepted prints to the same, and equality is an equality. */
#include "fuzz.h"

#include <stdlib.h>

#define TEXT (4 * SIP_MAX_URI)

static bool is_transport(struct rs_str name)
{
	return rs_str_ieqz(name, "transport");
}

static void check_printed(const struct sip_uri *u)
{
	char *buf = malloc(TEXT), *copy;
	struct sip_uri again;
	struct rs_str value;
	int n;

	FUZZ_CHECK(buf);
	n = sip_uri_print_filtered(u, NULL, true, buf, TEXT);
	FUZZ_CHECK(n > 0 && (size_t)n < TEXT);
	copy = rs_str_dup(rs_str_n(buf, (size_t)n));
	FUZZ_CHECK(copy && sip_uri_parse(rs_str_n(copy, (size_t)n), &again) == 0);
	FUZZ_CHECK(sip_uri_equal(u, &again) && sip_uri_equal(&again, u));
	FUZZ_CHECK(sip_uri_hash(u) == sip_uri_hash(&again));
	free(copy);
	/* As a Request-URI: still a URI, and what was dropped is gone. */
	n = sip_uri_print_filtered(u, is_transport, false, buf, TEXT);
	FUZZ_CHECK(n > 0 && sip_uri_parse(rs_str_n(buf, (size_t)n), &again) == 0);
	if (u->scheme != SIP_URI_OTHER) {
		FUZZ_CHECK(!sip_uri_param(&again, RS_STR("transport"), &value));
		FUZZ_CHECK(!sip_uri_param(&again, RS_STR("method"), &value));
		FUZZ_CHECK(!again.headers.len);
	}
	free(buf);
}

static void check_escapes(struct rs_str user)
{
	char *plain = malloc(user.len + 1), *escaped = malloc(3 * user.len + 1), *back = malloc(user.len + 1);
	int n = sip_unescape(user, plain, user.len + 1), e, b;

	FUZZ_CHECK(plain && escaped && back && n >= 0 && (size_t)n <= user.len);
	e = sip_escape_user(rs_str_n(plain, (size_t)n), escaped, 3 * user.len + 1);
	FUZZ_CHECK(e >= n);
	b = sip_unescape(rs_str_n(escaped, (size_t)e), back, user.len + 1);
	FUZZ_CHECK(b == n && memcmp(plain, back, (size_t)n) == 0);
	free(plain);
	free(escaped);
	free(back);
}

static bool check_one(struct rs_str text, struct sip_uri *u)
{
	if (sip_uri_parse(text, u))
		return false;
	FUZZ_CHECK(rs_str_eq(u->text, text));
	fuzz_touch_uri(u);
	FUZZ_CHECK(sip_uri_equal(u, u));
	check_printed(u);
	check_escapes(u->user);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str rest = fuzz_str(data, size), a = fuzz_take(&rest, '\n');
	struct sip_uri u, v;
	bool ok = check_one(a, &u);

	if (check_one(rest, &v) && ok) {
		bool equal = sip_uri_equal(&u, &v);

		FUZZ_CHECK(sip_uri_equal(&v, &u) == equal);
		FUZZ_CHECK(!equal || sip_uri_hash(&u) == sip_uri_hash(&v));
		FUZZ_CHECK(!equal || u.scheme == v.scheme);
	}
	return 0;
}
