/* The tables of connections: by flow id, by remote address, and how many there are of each peer. All sharded. */
#include "sip/transport/conn.h"

#include "base/hash.h"
#include "sip/transport/flow.h"

#include <errno.h>
#include <stdlib.h>

#define SHARDS 16

/* ---- by id ---- */

struct id_slot {
	struct sip_conn *conn;
	uint32_t gen;
	uint32_t next_free; /* position + 1 */
};
static struct id_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct id_slot *v;
	uint32_t cap, free;
} ids[SHARDS];
static _Atomic uint32_t turn; /* which shard the next one goes to */

/* ---- by remote address ---- */

#define ADDR_BUCKETS 1024
static struct addr_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct sip_conn *buckets[ADDR_BUCKETS];
} addrs[SHARDS];

/* ---- by peer ---- */

struct peer {
	struct peer *next;
	struct sip_addr key; /* IPv6: the /64 */
	uint32_t n;
};
#define PEER_BUCKETS 256
static struct peer_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct peer *buckets[PEER_BUCKETS];
} peers[SHARDS];
static _Atomic uint32_t total;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void init_locks(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&ids[i].lock, NULL);
		pthread_mutex_init(&addrs[i].lock, NULL);
		pthread_mutex_init(&peers[i].lock, NULL);
	}
}

static uint64_t addr_hash(const struct sip_addr *a)
{
	return rs_hash(rs_str_n((const char *)a, sizeof(*a)));
}

static struct sip_conn *get(uint32_t index, uint32_t gen)
{
	struct id_shard *s = &ids[index % SHARDS];
	struct sip_conn *c = NULL;

	pthread_once(&once, init_locks);
	pthread_mutex_lock(&s->lock);
	if (index / SHARDS < s->cap) {
		struct id_slot *slot = &s->v[index / SHARDS];

		if (slot->conn && (!gen || slot->gen == gen))
			c = sip_conn_ref(slot->conn);
	}
	pthread_mutex_unlock(&s->lock);
	return c;
}

struct sip_conn *sip_conn_get(sip_flow_id id)
{
	return sip_flow_kind(id) == SIP_FLOW_STREAM && id >> 32 ? get((uint32_t)id, (uint32_t)(id >> 32)) : NULL;
}

struct sip_conn *sip_conn_get_index(uint32_t index)
{
	return get(index, 0);
}

static bool id_grow(struct id_shard *s)
{
	uint32_t cap = s->cap ? s->cap * 2 : 16;
	struct id_slot *v = realloc(s->v, cap * sizeof(*v));

	if (!v)
		return false;
	for (uint32_t i = s->cap; i < cap; i++) {
		v[i] = (struct id_slot){.next_free = s->free};
		s->free = i + 1;
	}
	s->v = v;
	s->cap = cap;
	return true;
}

static void id_free_locked(struct id_shard *s, uint32_t at)
{
	s->v[at].conn = NULL;
	s->v[at].next_free = s->free;
	s->free = at + 1;
}

/* A place and an id; nobody finds c by it yet. */
static int id_reserve(struct sip_conn *c)
{
	uint32_t shard = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % SHARDS;
	struct id_shard *s = &ids[shard];
	int error = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->free && !id_grow(s)) {
		error = ENOMEM;
	} else {
		uint32_t at = s->free - 1;
		struct id_slot *slot = &s->v[at];

		s->free = slot->next_free;
		/* 30 bits, never 0: an id is used again after a thousand million connections in one place. */
		slot->gen = slot->gen % 0x3fffffff + 1;
		c->id = (uint64_t)slot->gen << 32 | (at * SHARDS + shard);
	}
	pthread_mutex_unlock(&s->lock);
	return error;
}

static void id_unreserve(struct sip_conn *c)
{
	uint32_t index = (uint32_t)c->id;
	struct id_shard *s = &ids[index % SHARDS];

	pthread_mutex_lock(&s->lock);
	id_free_locked(s, index / SHARDS);
	pthread_mutex_unlock(&s->lock);
}

/* Who found it by its address may have closed it already. */
static void id_publish(struct sip_conn *c)
{
	uint32_t index = (uint32_t)c->id;
	struct id_shard *s = &ids[index % SHARDS];

	pthread_mutex_lock(&s->lock);
	pthread_mutex_lock(&c->lock);
	c->by_id = c->state != SIP_CONN_CLOSED;
	pthread_mutex_unlock(&c->lock);
	if (c->by_id)
		s->v[index / SHARDS].conn = sip_conn_ref(c);
	else
		id_free_locked(s, index / SHARDS);
	pthread_mutex_unlock(&s->lock);
}

static bool id_remove(struct sip_conn *c)
{
	uint32_t index = (uint32_t)c->id;
	struct id_shard *s = &ids[index % SHARDS];
	bool was;

	pthread_mutex_lock(&s->lock);
	was = c->by_id;
	if (was) {
		id_free_locked(s, index / SHARDS);
		c->by_id = false;
	}
	pthread_mutex_unlock(&s->lock);
	return was;
}

static struct sip_conn *find_locked(struct sip_conn *at, const struct sip_transport_ops *ops,
				    const struct sip_addr *remote, const struct sip_listener *listener)
{
	for (; at; at = at->addr_next)
		if (at->ops == ops && sip_addr_eq(&at->remote, remote) && at->remote.scope_id == remote->scope_id &&
		    (!listener || at->listener == listener))
			return sip_conn_ref(at);
	return NULL;
}

struct sip_conn *sip_conn_find(const struct sip_transport_ops *ops, const struct sip_addr *remote,
			       const struct sip_listener *listener)
{
	uint64_t h = addr_hash(remote);
	struct addr_shard *s = &addrs[h % SHARDS];
	struct sip_conn *c;

	pthread_once(&once, init_locks);
	pthread_mutex_lock(&s->lock);
	c = find_locked(s->buckets[h / SHARDS % ADDR_BUCKETS], ops, remote, listener);
	pthread_mutex_unlock(&s->lock);
	return c;
}

int sip_conn_table_add(struct sip_conn *c, struct sip_conn **existing)
{
	uint64_t h = addr_hash(&c->remote);
	struct addr_shard *s = &addrs[h % SHARDS];
	struct sip_conn **bucket = &s->buckets[h / SHARDS % ADDR_BUCKETS];
	int error;

	pthread_once(&once, init_locks);
	error = id_reserve(c);
	if (error)
		return error;
	pthread_mutex_lock(&s->lock);
	if (existing)
		*existing = find_locked(*bucket, c->ops, &c->remote, c->listener);
	if (!existing || !*existing) {
		c->addr_next = *bucket;
		*bucket = c;
		c->by_addr = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (existing && *existing) {
		id_unreserve(c);
		return EEXIST;
	}
	id_publish(c);
	return 0;
}

void sip_conn_table_hide(struct sip_conn *c)
{
	uint64_t h = addr_hash(&c->remote);
	struct addr_shard *s = &addrs[h % SHARDS];

	pthread_mutex_lock(&s->lock);
	if (c->by_addr) {
		struct sip_conn **at = &s->buckets[h / SHARDS % ADDR_BUCKETS];

		while (*at != c)
			at = &(*at)->addr_next;
		*at = c->addr_next;
		c->by_addr = false;
	}
	pthread_mutex_unlock(&s->lock);
}

void sip_conn_table_remove(struct sip_conn *c)
{
	sip_conn_table_hide(c);
	if (id_remove(c))
		sip_conn_unref(c);
}

struct sip_conn *sip_conn_table_next(uint32_t *at)
{
	pthread_once(&once, init_locks);
	for (unsigned empty = 0; empty < SHARDS; ++*at) {
		struct id_shard *s = &ids[*at % SHARDS];
		struct sip_conn *c = NULL;
		uint32_t position = *at / SHARDS;

		pthread_mutex_lock(&s->lock);
		empty = position < s->cap ? 0 : empty + 1;
		if (position < s->cap && s->v[position].conn)
			c = sip_conn_ref(s->v[position].conn);
		pthread_mutex_unlock(&s->lock);
		if (c) {
			++*at;
			return c;
		}
	}
	return NULL;
}

void sip_conn_table_clear(void)
{
	pthread_once(&once, init_locks);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&ids[i].lock);
		free(ids[i].v);
		ids[i].v = NULL;
		ids[i].cap = ids[i].free = 0;
		pthread_mutex_unlock(&ids[i].lock);
	}
	atomic_store_explicit(&turn, 0, memory_order_relaxed);
}

/* ---- the caps ---- */

static struct sip_addr peer_key(const struct sip_addr *remote)
{
	struct sip_addr key = {.family = remote->family};

	/* A /64 is one customer: he has all its addresses. */
	memcpy(key.ip, remote->ip, remote->family == 6 ? 8 : 4);
	return key;
}

static struct peer **peer_bucket(const struct sip_addr *key, struct peer_shard **shard)
{
	uint64_t h = addr_hash(key);

	*shard = &peers[h % SHARDS];
	return &(*shard)->buckets[h / SHARDS % PEER_BUCKETS];
}

static bool peer_add(const struct sip_addr *remote, bool cap)
{
	struct sip_addr key = peer_key(remote);
	struct peer_shard *s;
	struct peer **bucket = peer_bucket(&key, &s), *p;
	bool ok = false;

	pthread_mutex_lock(&s->lock);
	for (p = *bucket; p && !sip_addr_same_ip(&p->key, &key); p = p->next)
		;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (p) {
			p->key = key;
			p->next = *bucket;
			*bucket = p;
		}
	}
	if (p && (!cap || p->n < sip_tp.limits.max_per_peer)) {
		p->n++;
		ok = true;
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void peer_remove(const struct sip_addr *remote)
{
	struct sip_addr key = peer_key(remote);
	struct peer_shard *s;
	struct peer **at = peer_bucket(&key, &s), *p;

	pthread_mutex_lock(&s->lock);
	while (*at && !sip_addr_same_ip(&(*at)->key, &key))
		at = &(*at)->next;
	p = *at;
	if (p && --p->n == 0) {
		*at = p->next;
		free(p);
	}
	pthread_mutex_unlock(&s->lock);
}

enum sip_conn_admit sip_conn_count_add(const struct sip_addr *remote, bool peer_cap)
{
	pthread_once(&once, init_locks);
	if (atomic_fetch_add_explicit(&total, 1, memory_order_relaxed) >= sip_tp.limits.max_connections) {
		atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
		return SIP_CONN_TOO_MANY;
	}
	if (!peer_add(remote, peer_cap)) {
		atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
		return SIP_CONN_TOO_MANY_PEER;
	}
	return SIP_CONN_OK;
}

void sip_conn_count_remove(const struct sip_addr *remote)
{
	peer_remove(remote);
	atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
}
