/*
 * Where typed values are written: a piece of a message's arena taken in one step, so that what one header needs (its
 * values, the parameters of each) costs one step of the arena's atomic counter, or none. Private.
 */
#ifndef SIP_MESSAGE_STORE_H
#define SIP_MESSAGE_STORE_H

#include "base/arena.h"

#include <stdalign.h>

struct sip_store {
	struct rs_arena *arena; /* for what does not fit in the piece */
	char *at, *end;
	bool rest; /* the piece is all that was left of the arena's first block */
};

/* Typed values hold pointers and numbers of 64 bits. */
#define SIP_STORE_ALIGN (alignof(int64_t) > alignof(void *) ? alignof(int64_t) : alignof(void *))

static inline size_t sip_store_round(size_t n)
{
	return (n + SIP_STORE_ALIGN - 1) & ~(SIP_STORE_ALIGN - 1);
}

/* A piece of size bytes, while others may use the arena, too. Without memory every sip_store_alloc tries again. */
static inline void sip_store_open(struct sip_store *s, struct rs_arena *arena, size_t size)
{
	s->arena = arena;
	s->at = rs_arena_alloc(arena, size);
	s->end = s->at ? s->at + size : NULL;
	s->rest = false;
}

/* All that is left of the first block; until sip_store_close the arena is this thread's. */
static inline void sip_store_open_rest(struct sip_store *s, struct rs_arena *arena)
{
	s->arena = arena;
	s->at = rs_arena_take_rest(arena, &s->end);
	s->rest = true;
}

static inline void sip_store_close(struct sip_store *s)
{
	if (s->rest)
		rs_arena_give_rest(s->arena, s->at);
}

/* Bytes for anything; NULL: no memory. */
static inline void *sip_store_alloc(struct sip_store *s, size_t size)
{
	char *p = s->at;

	size = sip_store_round(size);
	if (size > (size_t)(s->end - p))
		return rs_arena_alloc(s->arena, size);
	s->at = p + size;
	return p;
}

/* The first bytes of the piece are in use now; they were written before their number was known. */
static inline void sip_store_taken(struct sip_store *s, size_t size)
{
	size_t left = (size_t)(s->end - s->at);

	size = sip_store_round(size);
	s->at += size < left ? size : left;
}

#endif
