/* Messages from prebuilt templates: literal text with {x} for the fields, cut up once. */
#ifndef BENCH_TEMPLATE_H
#define BENCH_TEMPLATE_H

#include <stddef.h>

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

#endif
