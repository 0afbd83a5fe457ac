/* Messages from prebuilt templates: literal text with {x} for the fields, cut up once; and numbers for the fields. */
#ifndef BENCH_TEMPLATE_H
#define BENCH_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_PIECES 64

struct field {
	const char *p;
	size_t len;
};

struct template
{
	unsigned n;
	struct {
		struct field text; /* comes first */
		char field;        /* then this one, 'a' to 'z'; NUL: none */
	} piece[TEMPLATE_PIECES];
};

/* text stays the caller's and must live as long as t. */
void template_compile(struct template *t, const char *text);
/* fields: 26, by letter. The length; what does not fit is cut off. */
size_t template_write(const struct template *t, const struct field *fields, char *buf, size_t size);

void put_hex(uint32_t v, unsigned digits, char *out);
size_t put_decimal(uint32_t v, char out[10]);
/* false: no hex digits. */
bool get_hex(const char *p, unsigned digits, uint32_t *out);

#endif
