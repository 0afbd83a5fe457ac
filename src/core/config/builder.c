#include "core/config/build.h"

#include "base/hash.h"

#include <stdlib.h>

static uint32_t *builder_slot(const struct conf_builder *b, struct rs_str id)
{
	uint32_t i = (uint32_t)rs_hash(id) & (b->slots - 1);

	while (b->slot[i] && !rs_str_eq(b->v[b->slot[i] - 1].id, id))
		i = (i + 1) & (b->slots - 1);
	return &b->slot[i];
}

struct conf_entry *conf_builder_find(const struct conf_builder *b, struct rs_str id)
{
	uint32_t at = b->slots ? *builder_slot(b, id) : 0;

	return at ? &b->v[at - 1] : NULL;
}

static int builder_grow(struct conf_builder *b)
{
	uint32_t cap = b->cap ? b->cap * 2 : 64;
	struct conf_entry *v;

	if (b->n < b->cap)
		return 0;
	v = realloc(b->v, cap * sizeof(*v));
	if (!v)
		return -1;
	b->v = v;
	free(b->slot);
	b->slots = 0;
	b->slot = calloc((size_t)cap * 2, sizeof(*b->slot));
	if (!b->slot)
		return -1;
	b->cap = cap;
	b->slots = cap * 2;
	for (uint32_t i = 0; i < b->n; i++)
		*builder_slot(b, b->v[i].id) = i + 1;
	return 0;
}

struct conf_entry *conf_builder_add(struct conf_builder *b, struct rs_str id)
{
	if (builder_grow(b) != 0)
		return NULL;
	*builder_slot(b, id) = b->n + 1;
	b->v[b->n] = (struct conf_entry){.id = id};
	return &b->v[b->n++];
}

void conf_builder_free(struct conf_builder *b)
{
	free(b->v);
	free(b->slot);
	*b = (struct conf_builder){0};
}
