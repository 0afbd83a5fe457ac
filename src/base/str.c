/* Slices: what is too long for the header. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

int rs_str_to_u64(struct rs_str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || v > (max - digit) / 10 || digit > max)
			return -1;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

char *rs_str_dup(struct rs_str s)
{
	char *z = malloc(s.len + 1);

	if (!z) {
		errno = ENOMEM;
		return NULL;
	}
	if (s.len)
		memcpy(z, s.p, s.len);
	z[s.len] = '\0';
	return z;
}

/* Longer words are nobody's misspelling of an option; the bound keeps a hostile file from costing time. */
#define NEAREST_MAX 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that make b of a; both at most NEAREST_MAX long. */
static unsigned edit_distance(struct rs_str a, struct rs_str b)
{
	unsigned rows[3][NEAREST_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		prev[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *spare = before;

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);

			cur[j] = min2(min2(prev[j], cur[j - 1]) + 1, prev[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]))
				cur[j] = min2(cur[j], before[j - 2] + 1);
		}
		before = prev;
		prev = cur;
		cur = spare;
	}
	return prev[b.len];
}

const char *rs_str_nearest(struct rs_str word, const char *const *names, size_t n)
{
	unsigned limit = word.len / 3 > 1 ? (unsigned)(word.len / 3) : 1;
	const char *best = NULL;

	if (word.len == 0 || word.len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct rs_str name = rs_str_c(names[i]);
		size_t gap = name.len > word.len ? name.len - word.len : word.len - name.len;
		unsigned d;

		if (name.len > NEAREST_MAX || gap > limit)
			continue;
		d = edit_distance(word, name);
		if (d > limit || (best && d == limit))
			continue;
		best = names[i];
		limit = d;
	}
	return best;
}
