/*
 * Changes to a message that was written well: each a kind, a place and a text behind its length. Places are 256ths of
 * the message, or count header lines.
 */
#include "world.h"

static size_t insert(char *bytes, size_t len, size_t size, size_t at, struct rs_str text)
{
	if (text.len > size - len)
		return len;
	memmove(bytes + at + text.len, bytes + at, len - at);
	if (text.len)
		memcpy(bytes + at, text.p, text.len);
	return len + text.len;
}

static size_t delete (char *bytes, size_t len, size_t at, size_t n)
{
	if (n > len - at)
		n = len - at;
	memmove(bytes + at, bytes + at + n, len - at - n);
	return len - n;
}

/* Where the nth line begins (the last one when there are fewer). */
static size_t line_start(const char *bytes, size_t len, unsigned n)
{
	size_t at = 0;

	while (n--) {
		const char *end = memchr(bytes + at, '\n', len - at);

		if (!end || (size_t)(end + 1 - bytes) >= len)
			break;
		at = (size_t)(end + 1 - bytes);
	}
	return at;
}

static size_t line_length(const char *bytes, size_t len, size_t at)
{
	const char *end = at < len ? memchr(bytes + at, '\n', len - at) : NULL;

	return end ? (size_t)(end + 1 - bytes) - at : len - at;
}

static size_t replace_value(char *bytes, size_t len, size_t size, size_t at, struct rs_str text)
{
	size_t end = line_length(bytes, len, at);
	const char *colon = end ? memchr(bytes + at, ':', end) : NULL;
	size_t from = colon ? (size_t)(colon + 1 - bytes) : at;

	end += at;
	if (end >= from + 2 && bytes[end - 1] == '\n')
		end -= 2; /* its CRLF stays */
	len = delete (bytes, len, from, end > from ? end - from : 0);
	return insert(bytes, len, size, from, text);
}

static size_t repeat_line(char *bytes, size_t len, size_t size, size_t at, unsigned times)
{
	char line[512];
	size_t n = line_length(bytes, len, at);

	if (n > sizeof(line))
		return len;
	memcpy(line, bytes + at, n);
	while (times--)
		len = insert(bytes, len, size, at, rs_str_n(line, n));
	return len;
}

size_t mutate(char *bytes, size_t len, size_t size, struct rs_str text)
{
	while (text.len >= 3) {
		uint8_t kind = (uint8_t)text.p[0], place = (uint8_t)text.p[1], n = (uint8_t)text.p[2];
		size_t at = len * place / 256, line = line_start(bytes, len, place);
		struct rs_str piece = rs_str_n(text.p + 3, n < text.len - 3 ? n : text.len - 3);
		bool wants_text = true;

		switch (kind % 8) {
		case 0: /* a header line, behind the start line by default */
			len = insert(bytes, len, size, line_start(bytes, len, place + 1u), RS_STR("\r\n"));
			len = insert(bytes, len, size, line_start(bytes, len, place + 1u), piece);
			break;
		case 1:
			len = insert(bytes, len, size, at, piece);
			break;
		case 2:
			memcpy(bytes + at, piece.p, piece.len < len - at ? piece.len : len - at);
			break;
		case 3:
			len = delete (bytes, len, at, n);
			wants_text = false;
			break;
		case 4:
			len = at;
			wants_text = false;
			break;
		case 5:
			len = insert(bytes, len, size, len, piece);
			break;
		case 6:
			len = replace_value(bytes, len, size, line, piece);
			break;
		case 7:
			len = repeat_line(bytes, len, size, line, n);
			wants_text = false;
			break;
		}
		text.p += 3 + (wants_text ? piece.len : 0);
		text.len -= 3 + (wants_text ? piece.len : 0);
	}
	return len;
}
