#include "core/config/comment.h"

/* ';--' that is not ';---' */
static bool opens(const char *at, const char *end)
{
	return end - at >= 3 && at[1] == '-' && at[2] == '-' && (end - at == 3 || at[3] != '-');
}

struct rs_str conf_comment_strip(struct conf_comment *c, char *line, size_t len, unsigned number)
{
	const char *end = line + len;
	char *w = line;
	const char *from = line; /* dashes before this belong to a mark that was read already */

	if (c->depth == 0 && !memchr(line, ';', len))
		return rs_str_n(line, len);
	for (const char *r = line; r < end; r++) {
		if (*r != ';') {
			if (c->depth == 0)
				*w++ = *r;
		} else if (r > from && r[-1] == '\\') {
			if (c->depth == 0)
				w[-1] = ';';
			from = r + 1;
		} else if (opens(r, end)) {
			if (c->depth == CONF_COMMENT_DEPTH)
				c->overflow = true;
			else
				c->lines[c->depth++] = number;
			r += 2;
			from = r + 1;
		} else if (c->depth && r - from >= 2 && r[-1] == '-' && r[-2] == '-') {
			c->depth--;
			from = r + 1;
		} else if (c->depth == 0) {
			break;
		}
	}
	return rs_str_n(line, (size_t)(w - line));
}
