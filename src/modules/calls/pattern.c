/* Patterns of dial plans: one walk along pattern and number, no backtracking, since only the end is of any length. */
#include "pattern.h"

/* The set that begins at s.p[0] == '[': its bytes with both brackets, 0: it has no end. */
static size_t set_len(struct rs_str s)
{
	const char *end = rs_str_chr(s, ']');

	return end ? (size_t)(end - s.p) + 1 : 0;
}

static bool set_has(struct rs_str set, char c)
{
	for (size_t i = 0; i < set.len; i++) {
		if (i + 2 < set.len && set.p[i + 1] == '-') {
			if (c >= set.p[i] && c <= set.p[i + 2])
				return true;
			i += 2;
		} else if (set.p[i] == c) {
			return true;
		}
	}
	return false;
}

static const char *set_check(struct rs_str set)
{
	if (!set.len)
		return "an empty set []";
	for (size_t i = 0; i < set.len; i++) {
		if (i + 2 < set.len && set.p[i + 1] == '-') {
			if (set.p[i] > set.p[i + 2])
				return "a range in [] that runs backwards";
			i += 2;
		}
	}
	return NULL;
}

const char *pattern_check(struct rs_str pattern)
{
	bool any = false;

	if (!pattern.len)
		return "an empty pattern";
	if (pattern.p[0] != '_')
		return NULL;
	for (size_t i = 1; i < pattern.len; i++) {
		struct rs_str rest = rs_str_n(pattern.p + i, pattern.len - i);
		size_t n;

		if ((rest.p[0] == '.' || rest.p[0] == '!') && rest.len > 1)
			return "\".\" and \"!\" may stand at the end only";
		any |= rest.p[0] != '-';
		if (rest.p[0] == ']')
			return "a \"]\" without its \"[\"";
		if (rest.p[0] != '[')
			continue;
		n = set_len(rest);
		if (!n)
			return "a \"[\" without its \"]\"";
		if (set_check(rs_str_n(rest.p + 1, n - 2)))
			return set_check(rs_str_n(rest.p + 1, n - 2));
		i += n - 1;
	}
	return any ? NULL : "nothing behind the \"_\"";
}

static bool one_matches(char p, char c)
{
	switch (p) {
	case 'X':
	case 'x':
		return c >= '0' && c <= '9';
	case 'Z':
	case 'z':
		return c >= '1' && c <= '9';
	case 'N':
	case 'n':
		return c >= '2' && c <= '9';
	default:
		return c == p;
	}
}

bool pattern_matches(struct rs_str pattern, struct rs_str number)
{
	size_t at = 0;

	if (!rs_str_starts(pattern, RS_STR("_")))
		return rs_str_eq(pattern, number);
	for (size_t i = 1; i < pattern.len; i++) {
		char p = pattern.p[i];

		if (p == '!')
			return true;
		if (p == '.')
			return at < number.len;
		if (p == '-')
			continue;
		if (at == number.len)
			return false;
		if (p == '[') {
			size_t n = set_len(rs_str_n(pattern.p + i, pattern.len - i));

			if (!n || !set_has(rs_str_n(pattern.p + i + 1, n - 2), number.p[at]))
				return false;
			i += n - 1;
		} else if (!one_matches(p, number.p[at])) {
			return false;
		}
		at++;
	}
	return at == number.len;
}
