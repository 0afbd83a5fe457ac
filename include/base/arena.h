/*
 * Arena: memory that dies whole. Allocation is a bump of an atomic offset, so that two threads may allocate from one
 * arena at once; init, reset and fini belong to the owner alone. What does not fit in the first block comes from
 * malloc, one chunk an allocation, until limit.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdatomic.h>

struct rs_arena_chunk;

struct rs_arena {
	char *base;         /* first block, not owned */
	size_t cap;         /* its bytes */
	_Atomic size_t off; /* bytes handed out of it */
	_Atomic(struct rs_arena_chunk *) chunks;
	_Atomic size_t chunk_bytes;
	size_t limit; /* most bytes from malloc; 0: none */
};

/* base[0..cap-1] stays the caller's and must outlive the arena. */
RS_API void rs_arena_init(struct rs_arena *a, void *base, size_t cap, size_t limit);
/* Gives all chunks back; the arena is empty and usable again. */
RS_API void rs_arena_reset(struct rs_arena *a);
/* size bytes, aligned to max_align_t, not cleared; NULL (ENOMEM) past the limit or without memory. Thread-safe. */
RS_API void *rs_arena_alloc(struct rs_arena *a, size_t size);
/* The same, cleared. */
RS_API void *rs_arena_zalloc(struct rs_arena *a, size_t size);
/*
 * For the owner, before anybody else may allocate: all that is left of the first block, aligned, from the result up to
 * *end. What is allocated meanwhile comes from malloc. rs_arena_give_rest gives back what lies from at on.
 */
static inline char *rs_arena_take_rest(struct rs_arena *a, char **end)
{
	size_t off = atomic_load_explicit(&a->off, memory_order_relaxed), pad;

	if (!a->cap)
		return *end = NULL;
	pad = (size_t) - ((uintptr_t)a->base + off) & (_Alignof(max_align_t) - 1);
	atomic_store_explicit(&a->off, a->cap, memory_order_relaxed);
	*end = a->base + a->cap;
	return pad < a->cap - off ? a->base + off + pad : *end;
}
static inline void rs_arena_give_rest(struct rs_arena *a, const char *at)
{
	if (at)
		atomic_store_explicit(&a->off, (size_t)(at - a->base), memory_order_relaxed);
}
/* A copy of s with a NUL behind it (not counted in len); p is NULL without memory. */
RS_API struct rs_str rs_arena_str(struct rs_arena *a, struct rs_str s);

#endif
