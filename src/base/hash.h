/* Keyed hashing (xxhash) for every table whose keys a peer chooses. The key is drawn at the first use. Any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

/* 64 bits over s, different in each process. */
RS_API uint64_t rs_hash(struct rs_str s);
/* The same with ASCII letters taken as lower case. */
RS_API uint64_t rs_hash_nocase(struct rs_str s);
/* Mixes v into h. */
static inline uint64_t rs_hash_mix(uint64_t h, uint64_t v)
{
	h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
	return h * 0xff51afd7ed558ccdull;
}

#endif
