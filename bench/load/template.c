#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void template_compile(struct template *t, const char *text)
{
	for (t->n = 0; *text; t->n++) {
		const char *brace = strchr(text, '{');

		if (t->n == TEMPLATE_PIECES) {
			fputs("a template has too many fields\n", stderr);
			exit(1);
		}
		t->piece[t->n].text = (struct field){text, brace ? (size_t)(brace - text) : strlen(text)};
		t->piece[t->n].field = brace ? brace[1] : '\0';
		text = brace ? brace + 3 : text + strlen(text);
	}
}

static size_t put(char *buf, size_t at, size_t size, const struct field *f)
{
	if (!f->len || at + f->len > size)
		return at;
	memcpy(buf + at, f->p, f->len);
	return at + f->len;
}

size_t template_write(const struct template *t, const struct field *fields, char *buf, size_t size)
{
	size_t at = 0;

	for (unsigned i = 0; i < t->n; i++) {
		at = put(buf, at, size, &t->piece[i].text);
		if (t->piece[i].field)
			at = put(buf, at, size, &fields[t->piece[i].field - 'a']);
	}
	return at;
}

void put_hex(uint32_t v, unsigned digits, char *out)
{
	while (digits--) {
		out[digits] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
}

size_t put_decimal(uint32_t v, char out[10])
{
	size_t n = 1;

	for (uint32_t rest = v; rest >= 10; rest /= 10)
		n++;
	for (size_t i = n; i-- > 0; v /= 10)
		out[i] = (char)('0' + v % 10);
	return n;
}

bool get_hex(const char *p, unsigned digits, uint32_t *out)
{
	uint32_t v = 0;

	while (digits--) {
		char c = *p++;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}
