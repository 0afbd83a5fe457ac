/* See index.h. */
#include "sip/transaction/index.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 32

static void lie_at(struct tsx_index *i, struct tsx_place *places, uint32_t size)
{
	i->places = places;
	i->size = size;
	atomic_store_explicit(&i->hint_mask, 0, memory_order_relaxed);
	atomic_store_explicit(&i->hint, (char *)places, memory_order_relaxed);
	atomic_store_explicit(&i->hint_mask, size ? size - 1 : 0, memory_order_relaxed);
}

int tsx_index_start(struct tsx_index *i)
{
	struct tsx_place *places = calloc(FIRST_SIZE, sizeof(*places));

	i->n = 0;
	lie_at(i, places, places ? FIRST_SIZE : 0);
	return places ? 0 : ENOMEM;
}

void tsx_index_stop(struct tsx_index *i)
{
	free(i->places);
	i->n = 0;
	lie_at(i, NULL, 0);
}

static void put(struct tsx_place *places, uint32_t mask, struct tsx_place what)
{
	uint32_t at = (uint32_t)what.hash & mask;

	while (places[at].entry)
		at = (at + 1) & mask;
	places[at] = what;
}

/* -1: no memory, and all is as it was. */
static int resize(struct tsx_index *i, uint32_t size)
{
	struct tsx_place *places = calloc(size, sizeof(*places));

	if (!places)
		return -1;
	for (uint32_t at = 0; at < i->size; at++) {
		if (i->places[at].entry)
			put(places, size - 1, i->places[at]);
	}
	free(i->places);
	lie_at(i, places, size);
	return 0;
}

bool tsx_index_reserve(struct tsx_index *i)
{
	if (!i->size)
		return false;
	/* Past five eighths the ways get long; without memory they may. */
	if ((i->n + 1) * 8 > i->size * 5)
		(void)resize(i, i->size * 2);
	return i->n + 1 < i->size;
}

void tsx_index_add(struct tsx_index *i, struct tsx_entry *entry)
{
	put(i->places, i->size - 1, (struct tsx_place){entry->hash, entry});
	i->n++;
}

/* Those behind the gap move up to it, as far as each may: no search ends before it has found. */
static void close_gap(struct tsx_index *i, uint32_t gap)
{
	uint32_t mask = i->size - 1;

	for (uint32_t at = (gap + 1) & mask; i->places[at].entry; at = (at + 1) & mask) {
		uint32_t home = (uint32_t)i->places[at].hash & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		i->places[gap] = i->places[at];
		gap = at;
	}
	i->places[gap].entry = NULL;
}

bool tsx_index_remove(struct tsx_index *i, const struct tsx_entry *entry)
{
	uint32_t mask = i->size - 1, at = (uint32_t)entry->hash & mask;

	if (!i->size)
		return false;
	while (i->places[at].entry && i->places[at].entry != entry)
		at = (at + 1) & mask;
	if (!i->places[at].entry)
		return false;
	close_gap(i, at);
	i->n--;
	/* What a burst took is given back. */
	if (i->size > FIRST_SIZE && i->n * 16 < i->size)
		(void)resize(i, i->size / 2);
	return true;
}
