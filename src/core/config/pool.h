/* Memory of one load: grows by blocks, dies whole. One thread at a time. */
#ifndef CORE_CONFIG_POOL_H
#define CORE_CONFIG_POOL_H

#include "base/str.h"

struct conf_pool_block;

struct conf_pool {
	struct conf_pool_block *blocks;
	char *at; /* the next free byte of the newest ordinary block */
	size_t left;
};

/* size bytes aligned to 8, not cleared; NULL without memory. A zeroed pool is an empty one. */
void *conf_pool_alloc(struct conf_pool *p, size_t size);
void *conf_pool_zalloc(struct conf_pool *p, size_t size);
/* A copy with a NUL behind it; p is NULL without memory. */
struct rs_str conf_pool_str(struct conf_pool *p, struct rs_str s);
/*
 * Makes room for cap items where n stand in an array of the pool: in place when the array is the newest thing in it.
 * The old array stays readable. NULL without memory.
 */
void *conf_pool_grow(struct conf_pool *p, void *v, size_t n, size_t old_cap, size_t cap, size_t item);
void conf_pool_free(struct conf_pool *p);

#endif
