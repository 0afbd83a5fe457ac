/*
 * The index of a shard of the transaction table: open addressing with the whole hash beside each pointer, so that a
 * key that is not there (every new request's) costs one line of memory and no entry is looked at. Whoever calls holds
 * the shard's lock.
 */
#ifndef SIP_TRANSACTION_INDEX_H
#define SIP_TRANSACTION_INDEX_H

#include "sip/transaction/tsx.h"

struct tsx_place {
	uint64_t hash;
	struct tsx_entry *entry; /* NULL: empty */
};

struct tsx_index {
	struct tsx_place *places;
	uint32_t size; /* a power of two; 0: stopped */
	uint32_t n;
	/* Where it lies, for who only asks for its memory and holds no lock. */
	_Atomic(char *) hint;
	_Atomic uint32_t hint_mask;
};

int tsx_index_start(struct tsx_index *i); /* 0 or ENOMEM */
void tsx_index_stop(struct tsx_index *i);
/* Makes room for one more. false: there is none, and no memory. */
bool tsx_index_reserve(struct tsx_index *i);
/* There is room. */
void tsx_index_add(struct tsx_index *i, struct tsx_entry *entry);
bool tsx_index_remove(struct tsx_index *i, const struct tsx_entry *entry);

/* The memory that a search for hash begins in comes into the cache. Any thread. */
static inline void tsx_index_prefetch(const struct tsx_index *i, uint64_t hash)
{
	uint32_t mask = atomic_load_explicit(&i->hint_mask, memory_order_relaxed);

	__builtin_prefetch(atomic_load_explicit(&i->hint, memory_order_relaxed) +
			   (hash & mask) * sizeof(struct tsx_place));
}

/* The entries of that hash, one after the other; *at is 0 at first. */
static inline struct tsx_entry *tsx_index_next(const struct tsx_index *i, uint64_t hash, uint32_t *at)
{
	uint32_t mask = i->size - 1;

	for (; i->size && *at < i->size;) {
		const struct tsx_place *place = &i->places[(hash + (*at)++) & mask];

		if (!place->entry)
			break;
		if (place->hash == hash)
			return place->entry;
	}
	return NULL;
}

#endif
