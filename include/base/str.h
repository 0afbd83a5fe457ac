/*
 * Slices: a pointer and a length, never owned, never NUL-terminated unless a function says so.
 * Any thread may call any of these; none allocates except rs_str_dup.
 *
 *   struct rs_str s = RS_STR("sip");
 *   if (rs_str_ieq(s, other)) printf("%.*s\n", RS_FMT(other));
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/defs.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct rs_str {
	const char *p; /* not owned; may be NULL only when len is 0 */
	size_t len;    /* bytes */
};

#define RS_STR_INIT(lit)                                                                                               \
	{                                                                                                              \
		(lit), sizeof(lit) - 1                                                                                 \
	}
#define RS_STR(lit) ((struct rs_str)RS_STR_INIT(lit))
#define RS_STR_NULL ((struct rs_str){NULL, 0})
/* The two arguments of a "%.*s". */
#define RS_FMT(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct rs_str rs_str_n(const char *p, size_t len)
{
	return (struct rs_str){p, len};
}
/* From a C string; NULL gives the empty slice. */
static inline struct rs_str rs_str_c(const char *z)
{
	return (struct rs_str){z, z ? strlen(z) : 0};
}

static inline bool rs_str_eq(struct rs_str a, struct rs_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII case is ignored, whatever the locale. */
static inline bool rs_str_ieq(struct rs_str a, struct rs_str b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

static inline bool rs_str_eqz(struct rs_str a, const char *z)
{
	return rs_str_eq(a, rs_str_c(z));
}
static inline bool rs_str_ieqz(struct rs_str a, const char *z)
{
	return rs_str_ieq(a, rs_str_c(z));
}

static inline bool rs_str_starts(struct rs_str a, struct rs_str prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.p, prefix.p, prefix.len) == 0);
}

/* Without blanks, tabs and line ends at both ends. */
static inline struct rs_str rs_str_trim(struct rs_str s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s.p++, s.len--;
	while (s.len &&
	       (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' || s.p[s.len - 1] == '\r' || s.p[s.len - 1] == '\n'))
		s.len--;
	return s;
}

/* The place of the first c, or NULL. */
static inline const char *rs_str_chr(struct rs_str s, char c)
{
	return s.len ? memchr(s.p, c, s.len) : NULL;
}

/*
 * Decimal digits only, no sign, no blanks. 0 and *out set, or -1 when there is none, another character, or the value
 * is above max. *out is untouched on failure.
 */
RS_API int rs_str_to_u64(struct rs_str s, uint64_t max, uint64_t *out);

/* A NUL-terminated copy that the caller frees with free(); NULL and ENOMEM without memory. */
RS_API char *rs_str_dup(struct rs_str s);

/*
 * The entry of names[0..n-1] nearest to word (Damerau-Levenshtein, ASCII case ignored), or NULL when none is near
 * enough to be what was meant. For "did you mean" in errors.
 */
RS_API const char *rs_str_nearest(struct rs_str word, const char *const *names, size_t n);

#endif
