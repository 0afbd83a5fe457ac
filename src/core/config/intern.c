#include "core/config/intern.h"

#include <stdlib.h>

struct conf_object *conf_intern_find(const struct conf_intern *in, uint64_t hash,
				     bool (*equal)(const struct conf_object *o, const void *wanted), const void *wanted)
{
	if (!in->cap)
		return NULL;
	for (size_t i = (size_t)hash & (in->cap - 1); in->slot[i].o; i = (i + 1) & (in->cap - 1))
		if (in->slot[i].hash == hash && equal(in->slot[i].o, wanted))
			return in->slot[i].o;
	return NULL;
}

static int intern_grow(struct conf_intern *in)
{
	struct conf_intern bigger = {.cap = in->cap ? in->cap * 2 : 64, .n = in->n, .magic = in->magic};

	if (in->n * 3 < in->cap * 2)
		return 0;
	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -1;
	for (size_t i = 0; i < in->cap; i++) {
		size_t at = (size_t)in->slot[i].hash & (bigger.cap - 1);

		if (!in->slot[i].o)
			continue;
		while (bigger.slot[at].o)
			at = (at + 1) & (bigger.cap - 1);
		bigger.slot[at].hash = in->slot[i].hash;
		bigger.slot[at].o = in->slot[i].o;
	}
	free(in->slot);
	*in = bigger;
	return 0;
}

int conf_intern_add(struct conf_intern *in, uint64_t hash, struct conf_object *o)
{
	size_t i;

	if (intern_grow(in) != 0)
		return -1;
	for (i = (size_t)hash & (in->cap - 1); in->slot[i].o; i = (i + 1) & (in->cap - 1))
		if (in->slot[i].o == o)
			return 0;
	in->slot[i].hash = hash;
	in->slot[i].o = conf_object_ref(o, in->magic);
	in->n++;
	return 0;
}

void conf_intern_free(struct conf_intern *in)
{
	for (size_t i = 0; i < in->cap; i++)
		conf_object_unref(in->slot[i].o, in->magic);
	free(in->slot);
	*in = (struct conf_intern){0};
}
