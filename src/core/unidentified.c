/*
 * Counting of requests that no identifier knew (section 10 of the reference): a table by source address, in shards so
 * that floods from many addresses do not meet at one lock, bounded so that they do not eat the memory.
 */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/clock.h"
#include "res_sip/security.h"

#include <pthread.h>
#include <stdio.h>

/* Sources remembered at once: a flood with forged addresses must not grow the table without end. */
#define SHARDS  16
#define BUCKETS 64
#define WAYS    8

struct entry {
	uint8_t family; /* 0: free */
	uint8_t ip[16];
	uint32_t count;
	int64_t first_us;
};

static struct shard {
	pthread_mutex_t lock;
	struct entry entries[BUCKETS][WAYS];
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static _Atomic unsigned live; /* so that the way of identified requests takes no lock while nobody is in the table */
static _Atomic int64_t next_prune_us;

static struct entry *bucket_of(const struct sip_addr *ip, struct shard **shard)
{
	uint64_t h = rs_hash(rs_str_n((const char *)ip->ip, sizeof(ip->ip)));

	*shard = &shards[h % SHARDS];
	return (*shard)->entries[(h / SHARDS) % BUCKETS];
}

static struct entry *find(struct entry *bucket, const struct sip_addr *ip)
{
	for (unsigned i = 0; i < WAYS; i++) {
		if (bucket[i].family == ip->family && memcmp(bucket[i].ip, ip->ip, sizeof(ip->ip)) == 0)
			return &bucket[i];
	}
	return NULL;
}

/* A free place, or the oldest's. */
static struct entry *make_room(struct entry *bucket)
{
	struct entry *oldest = &bucket[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (!bucket[i].family) {
			atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
			return &bucket[i];
		}
		if (bucket[i].first_us < oldest->first_us)
			oldest = &bucket[i];
	}
	return oldest;
}

static struct sip_addr key_of(const struct sip_addr *source)
{
	struct sip_addr ip = *source;

	sip_addr_unmap(&ip);
	return ip;
}

/* Counts one; its number and the age of the first. */
static uint32_t count_one(const struct sip_addr *source, int64_t *age_us)
{
	struct sip_addr ip = key_of(source);
	int64_t now = rs_now_us();
	struct shard *shard;
	struct entry *bucket = bucket_of(&ip, &shard), *e;
	uint32_t n;

	pthread_mutex_lock(&shard->lock);
	e = find(bucket, &ip);
	if (!e) {
		e = make_room(bucket);
		*e = (struct entry){.family = ip.family, .first_us = now};
		memcpy(e->ip, ip.ip, sizeof(ip.ip));
	}
	n = ++e->count;
	*age_us = now - e->first_us;
	pthread_mutex_unlock(&shard->lock);
	return n;
}

static bool by_auth_username(const struct ast_sip_global *g)
{
	for (uint32_t i = 0; i < g->endpoint_identifier_order.n; i++) {
		if (rs_str_eqz(g->endpoint_identifier_order.v[i], "auth_username"))
			return true;
	}
	return false;
}

static void report(struct sip_rx_data *rx, const char *more)
{
	ast_sip_request_failed_notice_more(rx, "No matching endpoint found", more);
	ast_sip_security_event(AST_SIP_SEC_INVALID_ACCOUNT_ID, rx, RS_STR_NULL, RS_STR_NULL);
}

void ast_sip_unidentified_seen(struct sip_rx_data *rx)
{
	const struct ast_sip_global *g = ast_sip_snapshot_global(ast_sip_rx_snapshot(rx));
	char more[64];
	int64_t age_us;
	uint32_t n;

	/*
	 * A first request without credentials is how a phone that is known by its auth_username begins: only then is
	 * it worth to wait before it is called an intruder.
	 */
	if (!by_auth_username(g)) {
		report(rx, "");
		return;
	}
	ast_sip_unidentified_prune();
	n = count_one(sip_rx_source(rx), &age_us);
	if (n < 2 || n < g->unidentified_request_count || age_us >= (int64_t)g->unidentified_request_period * 1000000)
		return;
	snprintf(more, sizeof(more), " after %u tries in %.3f ms", n, (double)age_us / 1000.0);
	report(rx, more);
}

void ast_sip_unidentified_forget(const struct sip_addr *source)
{
	struct sip_addr ip;
	struct shard *shard;
	struct entry *bucket, *e;

	if (atomic_load_explicit(&live, memory_order_relaxed) == 0)
		return;
	ip = key_of(source);
	bucket = bucket_of(&ip, &shard);
	pthread_mutex_lock(&shard->lock);
	e = find(bucket, &ip);
	if (e) {
		e->family = 0;
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);
}

static void drop_older(int64_t than_us)
{
	for (unsigned s = 0; s < SHARDS; s++) {
		struct entry *e = &shards[s].entries[0][0];

		pthread_mutex_lock(&shards[s].lock);
		for (unsigned i = 0; i < BUCKETS * WAYS; i++) {
			if (e[i].family && e[i].first_us <= than_us) {
				e[i].family = 0;
				atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
			}
		}
		pthread_mutex_unlock(&shards[s].lock);
	}
}

void ast_sip_unidentified_prune(void)
{
	int64_t now = rs_now_us(), due = atomic_load_explicit(&next_prune_us, memory_order_relaxed);
	struct ast_sip_snapshot *s;
	const struct ast_sip_global *g;

	if (now < due)
		return;
	s = ast_sip_snapshot_get();
	if (!s)
		return;
	g = ast_sip_snapshot_global(s);
	/* One thread prunes, the others go on. */
	if (atomic_compare_exchange_strong(&next_prune_us, &due,
					   now + (int64_t)g->unidentified_request_prune_interval * 1000000))
		drop_older(now - 4 * (int64_t)g->unidentified_request_period * 1000000);
	ast_sip_snapshot_unref(s);
}

void ast_sip_unidentified_clear(void)
{
	drop_older(INT64_MAX);
	atomic_store(&next_prune_us, 0);
}

void ast_sip_unidentified_each(void (*each)(void *token, const struct sip_addr *ip, unsigned count, int64_t age_s),
			       void *token)
{
	int64_t now = rs_now_us();

	ast_sip_unidentified_prune();
	for (unsigned s = 0; s < SHARDS; s++) {
		for (unsigned b = 0; b < BUCKETS; b++) {
			struct entry copy[WAYS];

			pthread_mutex_lock(&shards[s].lock);
			memcpy(copy, shards[s].entries[b], sizeof(copy));
			pthread_mutex_unlock(&shards[s].lock);
			for (unsigned i = 0; i < WAYS; i++) {
				struct sip_addr ip = {.family = copy[i].family};

				if (!copy[i].family)
					continue;
				memcpy(ip.ip, copy[i].ip, sizeof(ip.ip));
				each(token, &ip, copy[i].count, (now - copy[i].first_us) / 1000000);
			}
		}
	}
}
