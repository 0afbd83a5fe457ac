/*
 * Calls at once, by endpoint: a table of those that have legs now. The legs count themselves in and out on their own
 * serializers; a shard's lock is held for a few instructions.
 */
#include "calls.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS  64
#define BUCKETS 256

struct endpoint_use {
	struct endpoint_use *next;
	struct use_shard *shard;
	uint32_t hash, legs;
	uint32_t id_len;
	char id[];
};

struct use_shard {
	pthread_mutex_t lock;
	struct endpoint_use *v[BUCKETS];
};
static struct use_shard shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
static _Atomic uint32_t endpoints;

/* FNV-1a. The ids are those of the configuration: nobody outside chooses them. */
static uint32_t hash_of(struct rs_str id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.p[i]) * 16777619u;
	return h;
}

static struct endpoint_use **find(struct use_shard *shard, uint32_t hash, struct rs_str id)
{
	struct endpoint_use **at = &shard->v[hash / SHARDS % BUCKETS];

	while (*at && ((*at)->hash != hash || !rs_str_eq(rs_str_n((*at)->id, (*at)->id_len), id)))
		at = &(*at)->next;
	return at;
}

struct endpoint_use *limits_take(struct rs_str id)
{
	uint32_t hash = hash_of(id);
	struct use_shard *shard = &shards[hash % SHARDS];
	struct endpoint_use **at, *u;

	pthread_mutex_lock(&shard->lock);
	at = find(shard, hash, id);
	u = *at;
	if (!u && (u = malloc(sizeof(*u) + id.len))) {
		*u = (struct endpoint_use){.shard = shard, .hash = hash, .id_len = (uint32_t)id.len};
		memcpy(u->id, id.p ? id.p : "", id.len);
		*at = u;
		atomic_fetch_add_explicit(&endpoints, 1, memory_order_relaxed);
	}
	if (u)
		u->legs++;
	pthread_mutex_unlock(&shard->lock);
	return u;
}

void limits_give(struct endpoint_use *u)
{
	struct use_shard *shard = u ? u->shard : NULL;
	struct endpoint_use **at;

	if (!u)
		return;
	pthread_mutex_lock(&shard->lock);
	if (--u->legs == 0) {
		at = find(shard, u->hash, rs_str_n(u->id, u->id_len));
		*at = u->next;
		free(u);
		atomic_fetch_sub_explicit(&endpoints, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);
}

uint32_t limits_used(struct rs_str id)
{
	uint32_t hash = hash_of(id), n;
	struct use_shard *shard = &shards[hash % SHARDS];
	struct endpoint_use *u;

	pthread_mutex_lock(&shard->lock);
	u = *find(shard, hash, id);
	n = u ? u->legs : 0;
	pthread_mutex_unlock(&shard->lock);
	return n;
}

bool limits_allow(struct ast_sip_snapshot *s, const struct ast_sip_endpoint *e, bool called)
{
	uint32_t most = calls_general_uint(s, GENERAL_MAX_CALLS_PER_ENDPOINT);
	uint32_t busy_at = called ? ast_sip_endpoint_settings(e)->device_state_busy_at : 0;
	uint32_t used;

	if (!most && !busy_at)
		return true;
	used = limits_used(ast_sip_endpoint_id(e));
	return (!most || used < most) && (!busy_at || used < busy_at);
}

uint32_t limits_endpoints(void)
{
	return atomic_load_explicit(&endpoints, memory_order_relaxed);
}
