/* Header parameters, quoted strings and folds. */
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/* What follows the ';'. 0 or -1. */
static inline int read_param(struct sip_cur *c, struct sip_param *out)
{
	cur_lws(c);
	out->name = cur_span(c, C_TOKEN);
	out->value = RS_STR_NULL;
	out->quoted = false;
	if (out->name.len == 0)
		return -1;
	cur_lws(c);
	if (!cur_take(c, '='))
		return 0;
	cur_lws(c);
	if (cur_at(c, '"')) {
		out->quoted = true;
		return cur_quoted(c, &out->value) ? 0 : -1;
	}
	out->value = cur_span(c, C_VALUE);
	return out->value.len ? 0 : -1;
}

int sip_cur_param(struct sip_cur *c, struct sip_param *out)
{
	cur_lws(c);
	if (!cur_take(c, ';'))
		return 0;
	if (read_param(c, out))
		return -1;
	cur_lws(c);
	return 1;
}

void sip_param_list_start(struct sip_param_list *l, struct sip_store *store, struct sip_param *spare)
{
	size_t room = (size_t)(store->end - store->at) / sizeof(*l->v);

	l->store = store;
	l->v = l->at = (struct sip_param *)(void *)store->at;
	l->end = room ? l->v + (room < sip_limits.params ? room : sip_limits.params) : l->v;
	l->spare = spare;
}

int sip_param_list_more(struct sip_param_list *l)
{
	size_t n = (size_t)(l->at - l->v);

	if (n == sip_limits.params)
		return -1;
	if (n)
		memcpy(l->spare, l->v, n * sizeof(*l->v));
	l->v = l->spare;
	l->at = l->v + n;
	l->end = l->v + sip_limits.params;
	return 0;
}

const struct sip_param *sip_param_list_keep(struct sip_param_list *l, uint32_t *n)
{
	size_t size = (size_t)((char *)l->at - (char *)l->v);
	struct sip_param *copy;

	*n = (uint32_t)(l->at - l->v);
	if (l->v != l->spare) {
		sip_store_taken(l->store, size);
		return l->v;
	}
	copy = sip_store_alloc(l->store, size);
	return copy ? memcpy(copy, l->v, size) : NULL;
}

int sip_cur_params(struct sip_cur *at, struct sip_store *store, struct sip_params *out)
{
	struct sip_param spare[SIP_MAX_PARAMS];
	struct sip_param_list list;
	struct sip_cur c = *at;
	const char *start;

	out->v = NULL;
	out->n = 0;
	out->text = RS_STR_NULL;
	cur_lws(&c);
	start = c.p;
	if (cur_at(&c, ';')) {
		sip_param_list_start(&list, store, spare);
		while (cur_take(&c, ';')) {
			if (list.at == list.end && sip_param_list_more(&list))
				return -1;
			if (read_param(&c, list.at))
				return -1;
			list.at++;
			cur_lws(&c);
		}
		out->v = sip_param_list_keep(&list, &out->n);
		if (!out->v)
			return -1;
		out->text = sip_trim(start, c.p);
	}
	*at = c;
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

struct rs_str sip_unfold(struct sip_store *store, struct rs_str value)
{
	char *copy;
	size_t n = 0;

	if (!value.len || sip_find_eol(value.p, value.p + value.len) == value.p + value.len)
		return value;
	copy = sip_store_alloc(store, value.len);
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
