#include "core/config/pool.h"

#include <stdlib.h>

/* One block. Large enough that malloc maps it apart, so that the memory of a load goes back to the system. */
#define CONF_POOL_BLOCK ((size_t)256 * 1024)

struct conf_pool_block {
	struct conf_pool_block *next;
	uint64_t data[];
};

static size_t pool_round(size_t size)
{
	return (size + 7u) & ~(size_t)7u;
}

static void *pool_block_add(struct conf_pool *p, size_t bytes)
{
	struct conf_pool_block *b = malloc(sizeof(*b) + bytes);

	if (!b)
		return NULL;
	b->next = p->blocks;
	p->blocks = b;
	return b->data;
}

void *conf_pool_alloc(struct conf_pool *p, size_t size)
{
	void *out;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = pool_round(size);
	if (size > p->left) {
		if (size > CONF_POOL_BLOCK / 4)
			return pool_block_add(p, size);
		p->at = pool_block_add(p, CONF_POOL_BLOCK);
		p->left = p->at ? CONF_POOL_BLOCK : 0;
		if (!p->at)
			return NULL;
	}
	out = p->at;
	p->at += size;
	p->left -= size;
	return out;
}

void *conf_pool_zalloc(struct conf_pool *p, size_t size)
{
	void *out = conf_pool_alloc(p, size);

	if (out)
		memset(out, 0, size);
	return out;
}

struct rs_str conf_pool_str(struct conf_pool *p, struct rs_str s)
{
	char *out = conf_pool_alloc(p, s.len + 1);

	if (!out)
		return RS_STR_NULL;
	if (s.len)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return rs_str_n(out, s.len);
}

void *conf_pool_grow(struct conf_pool *p, void *v, size_t n, size_t old_cap, size_t cap, size_t item)
{
	size_t old_bytes = pool_round(old_cap * item), bytes = pool_round(cap * item);
	void *out;

	if (v && (char *)v + old_bytes == p->at && bytes - old_bytes <= p->left) {
		p->at += bytes - old_bytes;
		p->left -= bytes - old_bytes;
		return v;
	}
	out = conf_pool_alloc(p, bytes);
	if (out && v)
		memcpy(out, v, n * item);
	return out;
}

void conf_pool_free(struct conf_pool *p)
{
	while (p->blocks) {
		struct conf_pool_block *b = p->blocks;

		p->blocks = b->next;
		free(b);
	}
	p->at = NULL;
	p->left = 0;
}
