/* The arena: an atomic bump in the first block, then chunks from malloc on a lock-free list. */
#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

struct rs_arena_chunk {
	struct rs_arena_chunk *next;
	max_align_t data[];
};

#define ARENA_ALIGN alignof(max_align_t)

void rs_arena_init(struct rs_arena *a, void *base, size_t cap, size_t limit)
{
	a->base = base;
	a->cap = base ? cap : 0;
	a->limit = limit;
	atomic_init(&a->off, 0);
	atomic_init(&a->chunks, NULL);
	atomic_init(&a->chunk_bytes, 0);
}

void rs_arena_reset(struct rs_arena *a)
{
	struct rs_arena_chunk *c = atomic_exchange_explicit(&a->chunks, NULL, memory_order_acquire);

	while (c) {
		struct rs_arena_chunk *next = c->next;

		free(c);
		c = next;
	}
	atomic_store_explicit(&a->chunk_bytes, 0, memory_order_relaxed);
	atomic_store_explicit(&a->off, 0, memory_order_relaxed);
}

static void *bump(struct rs_arena *a, size_t size, size_t align)
{
	size_t off = atomic_load_explicit(&a->off, memory_order_relaxed);

	for (;;) {
		size_t pad = (size_t) - ((uintptr_t)a->base + off) & (align - 1);

		if (off > a->cap || pad > a->cap - off || size > a->cap - off - pad)
			return NULL;
		if (atomic_compare_exchange_weak_explicit(&a->off, &off, off + pad + size, memory_order_relaxed,
							  memory_order_relaxed))
			return a->base + off + pad;
	}
}

static void *chunk_alloc(struct rs_arena *a, size_t size)
{
	size_t used = atomic_load_explicit(&a->chunk_bytes, memory_order_relaxed);
	struct rs_arena_chunk *c;

	do {
		if (used > a->limit || size > a->limit - used)
			goto nomem;
	} while (!atomic_compare_exchange_weak_explicit(&a->chunk_bytes, &used, used + size, memory_order_relaxed,
							memory_order_relaxed));
	c = malloc(sizeof(*c) + size);
	if (!c) {
		atomic_fetch_sub_explicit(&a->chunk_bytes, size, memory_order_relaxed);
		goto nomem;
	}
	c->next = atomic_load_explicit(&a->chunks, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&a->chunks, &c->next, c, memory_order_release,
						      memory_order_relaxed))
		;
	return c->data;

nomem:
	errno = ENOMEM;
	return NULL;
}

static void *alloc_aligned(struct rs_arena *a, size_t size, size_t align)
{
	void *p = a->cap ? bump(a, size, align) : NULL;

	return p ? p : chunk_alloc(a, size);
}

void *rs_arena_alloc(struct rs_arena *a, size_t size)
{
	return alloc_aligned(a, size ? size : 1, ARENA_ALIGN);
}

void *rs_arena_zalloc(struct rs_arena *a, size_t size)
{
	void *p = rs_arena_alloc(a, size);

	return p ? memset(p, 0, size) : NULL;
}

struct rs_str rs_arena_str(struct rs_arena *a, struct rs_str s)
{
	char *p = s.len < SIZE_MAX ? alloc_aligned(a, s.len + 1, 1) : NULL;

	if (!p)
		return RS_STR_NULL;
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return rs_str_n(p, s.len);
}
