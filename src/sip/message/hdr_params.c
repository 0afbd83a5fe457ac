/* Header parameters, quoted strings and folds. */
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

int sip_cur_param(struct sip_cur *c, struct sip_param *out)
{
	cur_lws(c);
	if (!cur_take(c, ';'))
		return 0;
	cur_lws(c);
	*out = (struct sip_param){.name = cur_span(c, C_TOKEN)};
	if (out->name.len == 0)
		return -1;
	cur_lws(c);
	if (!cur_take(c, '='))
		return 1;
	cur_lws(c);
	if (cur_at(c, '"')) {
		out->quoted = true;
		if (!cur_quoted(c, &out->value))
			return -1;
	} else {
		out->value = cur_span(c, C_VALUE);
		if (out->value.len == 0)
			return -1;
	}
	cur_lws(c);
	return 1;
}

int sip_cur_params(struct sip_cur *c, struct rs_arena *arena, struct sip_params *out)
{
	struct sip_param found[SIP_MAX_PARAMS + 1];
	struct sip_param *copy;
	const char *start;
	uint32_t n = 0;
	int rc;

	*out = (struct sip_params){0};
	cur_lws(c);
	start = c->p;
	if (!cur_at(c, ';'))
		return 0;
	while ((rc = sip_cur_param(c, &found[n])) > 0) {
		if (n++ == sip_limits.params)
			return -1;
	}
	if (rc < 0)
		return -1;
	copy = rs_arena_alloc(arena, n * sizeof(*copy));
	if (!copy)
		return -1;
	memcpy(copy, found, n * sizeof(*copy));
	out->v = copy;
	out->n = n;
	out->text = rs_str_trim(rs_str_n(start, (size_t)(c->p - start)));
	return 0;
}

const struct sip_param *sip_params_get(const struct sip_params *p, struct rs_str name)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (rs_str_ieq(p->v[i].name, name))
			return &p->v[i];
	}
	return NULL;
}

int sip_unquote(struct rs_str quoted_text, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < quoted_text.len; i++) {
		if (quoted_text.p[i] == '\\' && i + 1 < quoted_text.len)
			i++;
		if (n + 1 >= size)
			return -1;
		buf[n++] = quoted_text.p[i];
	}
	if (size == 0)
		return -1;
	buf[n] = '\0';
	return (int)n;
}

struct rs_str sip_unfold(struct rs_arena *arena, struct rs_str value)
{
	char *copy;
	size_t n = 0;

	if (!rs_str_chr(value, '\n') && !rs_str_chr(value, '\r'))
		return value;
	copy = rs_arena_alloc(arena, value.len);
	if (!copy)
		return RS_STR_NULL;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] != '\r' && value.p[i] != '\n') {
			copy[n++] = value.p[i];
			continue;
		}
		/* The blanks on both sides of the line end are part of the fold. */
		while (n && (copy[n - 1] == ' ' || copy[n - 1] == '\t'))
			n--;
		while (i + 1 < value.len && is_lws(value.p[i + 1]))
			i++;
		copy[n++] = ' ';
	}
	return rs_str_n(copy, n);
}
