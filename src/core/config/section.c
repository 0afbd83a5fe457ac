#include "core/config/section.h"

#include "base/hash.h"

#include <stdlib.h>

struct conf_section *conf_section_new(struct conf_set *set, struct rs_str name, uint16_t file, uint32_t line)
{
	struct conf_section *s = conf_pool_zalloc(&set->pool, sizeof(*s));

	if (s) {
		s->name = name;
		s->file = file;
		s->line = line;
	}
	return s;
}

static struct conf_section **index_slot(struct conf_section **index, size_t cap, struct rs_str name)
{
	size_t i = (size_t)rs_hash_nocase(name) & (cap - 1);

	while (index[i] && !rs_str_ieq(index[i]->name, name))
		i = (i + 1) & (cap - 1);
	return &index[i];
}

static int index_grow(struct conf_set *set)
{
	size_t cap = set->index_cap ? set->index_cap * 2 : 64;
	struct conf_section **index;

	if (set->n_names * 3 < set->index_cap * 2)
		return 0;
	index = calloc(cap, sizeof(*index));
	if (!index)
		return -1;
	for (size_t i = 0; i < set->index_cap; i++)
		if (set->index[i])
			*index_slot(index, cap, set->index[i]->name) = set->index[i];
	free(set->index);
	set->index = index;
	set->index_cap = cap;
	return 0;
}

struct conf_section *conf_section_find(const struct conf_set *set, struct rs_str name)
{
	return set->index_cap ? *index_slot(set->index, set->index_cap, name) : NULL;
}

int conf_section_link(struct conf_set *set, struct conf_section *s)
{
	struct conf_section **slot;

	if (index_grow(set) != 0)
		return -1;
	slot = index_slot(set->index, set->index_cap, s->name);
	if (*slot) {
		(*slot)->last_same->next_same = s;
		(*slot)->last_same = s;
	} else {
		*slot = s;
		s->last_same = s;
		set->n_names++;
	}
	if (set->last)
		set->last->next = s;
	else
		set->first = s;
	set->last = s;
	set->n_sections++;
	return 0;
}

int conf_section_inherit(struct conf_set *set, struct conf_section *s, struct conf_section *base)
{
	uint32_t n = s->n_bases + base->n_bases + (base->n ? 1u : 0u);
	struct conf_span *bases;

	if (n == s->n_bases)
		return 0;
	bases = conf_pool_alloc(&set->pool, n * sizeof(*bases));
	if (!bases)
		return -1;
	if (s->n_bases)
		memcpy(bases, s->bases, s->n_bases * sizeof(*bases));
	if (base->n_bases)
		memcpy(bases + s->n_bases, base->bases, base->n_bases * sizeof(*bases));
	if (base->n)
		bases[n - 1] = (struct conf_span){base->v, base->n};
	base->shared = true;
	s->bases = bases;
	s->n_bases = n;
	return 0;
}

int conf_section_add(struct conf_set *set, struct conf_section *s, const struct conf_var *v)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap < 16 ? s->cap + 4 : s->cap * 2;
		struct conf_var *grown = conf_pool_grow(&set->pool, s->v, s->n, s->cap, cap, sizeof(*grown));

		if (!grown)
			return -1;
		s->v = grown;
		s->cap = cap;
	}
	s->v[s->n++] = *v;
	return 0;
}

/* Gives s variables of its own, inherited ones included, which may then be changed. */
static int section_own_all(struct conf_set *set, struct conf_section *s)
{
	uint32_t n = s->n;
	struct conf_var *v, *at;

	for (uint32_t i = 0; i < s->n_bases; i++)
		n += s->bases[i].n;
	v = at = conf_pool_alloc(&set->pool, (n + 4) * sizeof(*v));
	if (!v)
		return -1;
	for (uint32_t i = 0; i < s->n_bases; i++) {
		memcpy(at, s->bases[i].v, s->bases[i].n * sizeof(*v));
		at += s->bases[i].n;
	}
	if (s->n)
		memcpy(at, s->v, s->n * sizeof(*v));
	s->v = v;
	s->n = n;
	s->cap = n + 4;
	s->n_bases = 0;
	s->shared = false;
	return 0;
}

static struct conf_var *last_of_name(struct conf_var *v, uint32_t n, struct rs_str name)
{
	while (n-- > 0)
		if (rs_str_eq(conf_var_name(&v[n]), name))
			return &v[n];
	return NULL;
}

int conf_section_append(struct conf_set *set, struct conf_section *s, const struct conf_var *v)
{
	struct conf_var *to = last_of_name(s->v, s->n, conf_var_name(v));
	bool inherited = false;
	char *text;

	for (uint32_t i = 0; i < s->n_bases && !inherited; i++)
		inherited = last_of_name(s->bases[i].v, s->bases[i].n, conf_var_name(v)) != NULL;
	if (!to && !inherited) {
		struct conf_var own = *v;
		struct rs_str value = rs_str_trim(conf_var_value(v));

		own.value = value.p;
		own.value_len = (uint32_t)value.len;
		return conf_section_add(set, s, &own);
	}
	if (!to || s->shared) {
		if (section_own_all(set, s) != 0)
			return -1;
		to = last_of_name(s->v, s->n, conf_var_name(v));
	}
	text = conf_pool_alloc(&set->pool, (size_t)to->value_len + v->value_len + 1);
	if (!text)
		return -1;
	memcpy(text, to->value, to->value_len);
	memcpy(text + to->value_len, v->value, v->value_len);
	text[to->value_len + v->value_len] = '\0';
	to->value = text;
	to->value_len += v->value_len;
	to->line = v->line;
	to->file = v->file;
	return 0;
}

struct conf_var *conf_section_next(const struct conf_section *s, struct conf_iter *it)
{
	while (it->span < s->n_bases) {
		if (it->i < s->bases[it->span].n)
			return &s->bases[it->span].v[it->i++];
		it->span++;
		it->i = 0;
	}
	return it->i < s->n ? &s->v[it->i++] : NULL;
}

struct conf_var *conf_section_first(const struct conf_section *s, struct rs_str name)
{
	struct conf_iter it = {0};
	struct conf_var *v;

	while ((v = conf_section_next(s, &it)))
		if (rs_str_ieq(conf_var_name(v), name))
			return v;
	return NULL;
}
