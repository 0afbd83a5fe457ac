#include "core/config/error.h"

#include <stdio.h>
#include <stdlib.h>

/* Room grows at powers of two, since the public struct has no field for it. */
static int errors_grow(struct ast_sip_conf_errors *e)
{
	struct ast_sip_conf_error *v;

	if (e->n && (e->n & (e->n - 1)) != 0)
		return 0;
	v = realloc(e->v, (e->n ? e->n * 2 : 1) * sizeof(*v));
	if (!v)
		return -1;
	e->v = v;
	return 0;
}

void conf_error_addv(struct ast_sip_conf_errors *e, bool warning, const char *file, unsigned line, const char *fmt,
		     va_list ap)
{
	struct ast_sip_conf_error x = {.line = line, .warning = warning};

	if (!warning)
		e->n_fatal++;
	if (e->n >= CONF_ERRORS_MAX || errors_grow(e) != 0)
		return;
	x.file = strdup(file);
	if (x.file && vasprintf(&x.text, fmt, ap) >= 0)
		e->v[e->n++] = x;
	else
		free(x.file);
}

void conf_error_add(struct ast_sip_conf_errors *e, bool warning, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_error_addv(e, warning, file, line, fmt, ap);
	va_end(ap);
}

static int error_before(const struct ast_sip_conf_error *a, const struct ast_sip_conf_error *b)
{
	int c = strcmp(a->file, b->file);

	return c ? c < 0 : a->line < b->line;
}

/* A merge sort: stable, and lists are short (CONF_ERRORS_MAX). */
static void errors_merge_sort(struct ast_sip_conf_error *v, struct ast_sip_conf_error *tmp, size_t n)
{
	size_t half = n / 2, i = 0, j = half, k = 0;

	if (n < 2)
		return;
	errors_merge_sort(v, tmp, half);
	errors_merge_sort(v + half, tmp, n - half);
	while (i < half || j < n)
		tmp[k++] = j == n || (i < half && !error_before(&v[j], &v[i])) ? v[i++] : v[j++];
	memcpy(v, tmp, n * sizeof(*v));
}

void conf_errors_sort(struct ast_sip_conf_errors *e)
{
	struct ast_sip_conf_error *tmp = e->n > 1 ? malloc(e->n * sizeof(*tmp)) : NULL;

	if (tmp)
		errors_merge_sort(e->v, tmp, e->n);
	free(tmp);
}

void ast_sip_conf_errors_free(struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->v[i].file);
		free(errors->v[i].text);
	}
	free(errors->v);
	*errors = (struct ast_sip_conf_errors){0};
}

const char *conf_suggest(char *buf, size_t size, struct rs_str word, const char *const *names, size_t n)
{
	const char *near = rs_str_nearest(word, names, n);

	buf[0] = '\0';
	if (near)
		snprintf(buf, size, " (did you mean '%s'?)", near);
	return buf;
}
