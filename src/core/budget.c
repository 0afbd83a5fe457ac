/*
 * Amplification and abuse over UDP: an answer to a source that has not shown that the address is its own is at most
 * three times its question, and a source gets so many answers to failures in a while. A source that authenticated
 * lately, is identified by its address, or is trusted by the configuration is exempt, so that an office behind one NAT
 * does not suffer from one bad phone. By IPv4 address and IPv6 /64.
 */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

/* Defaults of [security] in res_sip.conf. */
#define FACTOR   3     /* more makes a server worth abusing as a mirror */
#define BURST    2000  /* failures that a source may have at once */
#define RATE     200   /* and those that it wins back in a second */
#define SOURCES  65536 /* remembered at once: forged addresses must not grow the table */
#define VERIFIED 3600  /* seconds that a source counts as verified */

#define SHARDS 64
#define WAYS   8

struct entry {
	uint64_t key[2]; /* the address or its /64 */
	uint8_t family;  /* 0: free */
	uint32_t failures;
	int64_t seen_us;     /* when failures was brought up to date */
	int64_t verified_us; /* until when; 0: never */
};

static struct shard {
	pthread_mutex_t lock;
	struct entry *entries;
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
static uint32_t buckets; /* of a shard; 0: there is no table */

static struct {
	_Atomic uint32_t factor, burst, rate, verified_s;
} settings = {.factor = FACTOR, .burst = BURST, .rate = RATE, .verified_s = VERIFIED};

struct source {
	uint64_t key[2];
	uint8_t family;
};

static struct source source_of(const struct sip_addr *peer)
{
	struct source s;
	struct sip_addr a = *peer;

	sip_addr_unmap(&a);
	memcpy(s.key, a.ip, 16);
	if (a.family == 6)
		s.key[1] = 0;
	s.family = a.family;
	return s;
}

/* ---- what a thread knows by itself, so that one busy source is no lock that all threads share ---- */

#define CACHE         64
#define CACHE_LIFE_US 100000

struct known {
	struct source source;
	bool verified; /* else: its budget is not spent */
	uint32_t epoch;
	int64_t until_us;
};
static _Thread_local struct known cache[CACHE];
static _Atomic uint32_t epoch = 1; /* a table that was cleared makes all caches void */

static struct known *cached(const struct source *s)
{
	return &cache[rs_hash(rs_str_n((const char *)s->key, 16)) % CACHE];
}

static bool cache_has(const struct known *k, const struct source *s, int64_t now)
{
	return k->epoch == atomic_load_explicit(&epoch, memory_order_relaxed) && now < k->until_us &&
	       k->source.family == s->family && k->source.key[0] == s->key[0] && k->source.key[1] == s->key[1];
}

static void cache_put(const struct source *s, bool verified, int64_t now)
{
	*cached(s) = (struct known){.source = *s,
				    .verified = verified,
				    .epoch = atomic_load_explicit(&epoch, memory_order_relaxed),
				    .until_us = now + CACHE_LIFE_US};
}

/* ---- the table ---- */

/* Who goes first when a bucket is full: a flood of strangers must not push a verified source out. */
static bool goes_before(const struct entry *a, const struct entry *b)
{
	if (!b->family)
		return false;
	if (!a->family)
		return true;
	if (!a->verified_us != !b->verified_us)
		return !a->verified_us;
	return a->seen_us < b->seen_us;
}

/* The source's entry, made when make says so, else NULL. The shard is locked in any case. */
static struct entry *find(const struct source *s, struct shard **shard, bool make, int64_t now)
{
	uint64_t h = rs_hash(rs_str_n((const char *)s->key, 16));
	struct entry *bucket, *victim;

	*shard = &shards[h % SHARDS];
	pthread_mutex_lock(&(*shard)->lock);
	if (!(*shard)->entries)
		return NULL;
	bucket = (*shard)->entries + (h / SHARDS) % buckets * WAYS;
	victim = &bucket[0];
	for (unsigned i = 0; i < WAYS; i++) {
		if (bucket[i].family == s->family && bucket[i].key[0] == s->key[0] && bucket[i].key[1] == s->key[1])
			return &bucket[i];
		if (goes_before(&bucket[i], victim))
			victim = &bucket[i];
	}
	if (!make)
		return NULL;
	*victim = (struct entry){.key = {s->key[0], s->key[1]}, .family = s->family, .seen_us = now};
	return victim;
}

static void win_back(struct entry *e, int64_t now)
{
	uint32_t rate = atomic_load_explicit(&settings.rate, memory_order_relaxed);
	int64_t won = (now - e->seen_us) * rate / 1000000;

	if (won <= 0)
		return;
	e->failures = won >= e->failures ? 0 : e->failures - (uint32_t)won;
	e->seen_us = now;
}

static bool is_verified(const struct entry *e, int64_t now)
{
	return e->verified_us > now;
}

static enum ast_sip_standing standing_of(const struct source *s, int64_t now)
{
	struct known *k = cached(s);
	enum ast_sip_standing standing = AST_SIP_STANDING_CLEAN;
	struct shard *shard;
	struct entry *e;

	if (cache_has(k, s, now))
		return k->verified ? AST_SIP_STANDING_VERIFIED : AST_SIP_STANDING_CLEAN;
	e = find(s, &shard, false, now);
	if (e && is_verified(e, now)) {
		standing = AST_SIP_STANDING_VERIFIED;
	} else if (e) {
		win_back(e, now);
		if (e->failures > atomic_load_explicit(&settings.burst, memory_order_relaxed))
			standing = AST_SIP_STANDING_SPENT;
	}
	pthread_mutex_unlock(&shard->lock);
	if (standing != AST_SIP_STANDING_SPENT)
		cache_put(s, standing == AST_SIP_STANDING_VERIFIED, now);
	return standing;
}

/* ---- what the core asks and says ---- */

enum ast_sip_standing ast_sip_budget_standing(const struct sip_addr *peer)
{
	struct source s = source_of(peer);

	return ast_sip_peer_trusted(peer) ? AST_SIP_STANDING_VERIFIED : standing_of(&s, rs_now_us());
}

bool ast_sip_budget_allows(const struct sip_addr *peer, size_t question, size_t answer)
{
	struct source s;

	if (!atomic_load_explicit(&settings.rate, memory_order_relaxed) || ast_sip_peer_trusted(peer))
		return true;
	s = source_of(peer);
	switch (standing_of(&s, rs_now_us())) {
	case AST_SIP_STANDING_VERIFIED:
		return true;
	case AST_SIP_STANDING_SPENT:
		return false;
	case AST_SIP_STANDING_CLEAN:
		break;
	}
	return !question || answer <= question * atomic_load_explicit(&settings.factor, memory_order_relaxed);
}

void ast_sip_budget_failed(const struct sip_addr *peer, int64_t now)
{
	struct source s = source_of(peer);
	struct known *k = cached(&s);
	struct shard *shard;
	struct entry *e;

	if (!atomic_load_explicit(&settings.rate, memory_order_relaxed) || (cache_has(k, &s, now) && k->verified))
		return;
	e = find(&s, &shard, true, now);
	if (e && !is_verified(e, now)) {
		win_back(e, now);
		if (e->failures <= atomic_load_explicit(&settings.burst, memory_order_relaxed))
			e->failures++;
		else
			k->until_us = 0;
	}
	pthread_mutex_unlock(&shard->lock);
}

void ast_sip_budget_verified(const struct sip_addr *peer, int64_t now)
{
	struct source s = source_of(peer);
	struct known *k = cached(&s);
	struct shard *shard;
	struct entry *e;

	if (!atomic_load_explicit(&settings.rate, memory_order_relaxed) || (cache_has(k, &s, now) && k->verified))
		return;
	e = find(&s, &shard, true, now);
	if (e) {
		e->verified_us =
			now + (int64_t)atomic_load_explicit(&settings.verified_s, memory_order_relaxed) * 1000000;
		e->failures = 0;
	}
	pthread_mutex_unlock(&shard->lock);
	cache_put(&s, true, now);
}

/* ---- trusted by configuration ---- */

#define MAX_TRUSTED 256

struct network {
	struct sip_addr addr;
	uint8_t bits;
};
struct trusted {
	unsigned n;
	struct network v[];
};
static _Atomic(struct trusted *) trusted;

static bool in_network(const struct network *n, const struct sip_addr *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (n->addr.family != a->family || memcmp(n->addr.ip, a->ip, whole) != 0)
		return false;
	return !rest || !((n->addr.ip[whole] ^ a->ip[whole]) & (uint8_t)(0xff << (8 - rest)));
}

bool ast_sip_peer_trusted(const struct sip_addr *peer)
{
	const struct trusted *t = atomic_load_explicit(&trusted, memory_order_acquire);
	struct sip_addr a;

	if (!t)
		return false;
	a = *peer;
	sip_addr_unmap(&a);
	for (unsigned i = 0; i < t->n; i++) {
		if (in_network(&t->v[i], &a))
			return true;
	}
	return false;
}

static int parse_network(struct rs_str text, struct network *out)
{
	const char *slash = rs_str_chr(text, '/');
	uint64_t bits, most;

	if (sip_addr_parse(slash ? rs_str_n(text.p, (size_t)(slash - text.p)) : text, &out->addr))
		return -1;
	sip_addr_unmap(&out->addr);
	most = bits = out->addr.family == 6 ? 128 : 32;
	if (slash && rs_str_to_u64(rs_str_n(slash + 1, text.len - (size_t)(slash + 1 - text.p)), most, &bits))
		return -1;
	out->bits = (uint8_t)bits;
	return 0;
}

/* The configuration has checked them already. */
static struct trusted *read_trusted(struct ast_sip_snapshot *s)
{
	struct ast_sip_strings list = ast_sip_own_list(s, "security", "trusted");
	struct trusted *t = list.n ? calloc(1, sizeof(*t) + list.n * sizeof(t->v[0])) : NULL;

	for (uint32_t i = 0; t && i < list.n && t->n < MAX_TRUSTED; i++) {
		if (parse_network(list.v[i], &t->v[t->n]) == 0)
			t->n++;
	}
	return t;
}

/* ---- life ---- */

void ast_sip_budget_configure(struct ast_sip_snapshot *s)
{
	struct trusted *old = atomic_exchange_explicit(&trusted, read_trusted(s), memory_order_acq_rel);

	atomic_store(&settings.factor, ast_sip_own_uint(s, "security", "udp_answer_factor", FACTOR));
	atomic_store(&settings.burst, ast_sip_own_uint(s, "security", "udp_answer_burst", BURST));
	atomic_store(&settings.rate, ast_sip_own_uint(s, "security", "udp_answer_budget", RATE));
	atomic_store(&settings.verified_s, ast_sip_own_uint(s, "security", "verified_s", VERIFIED));
	/* Without memory to wait for the quiet point nobody can say when it may go: it stays. */
	if (old)
		rs_quiet(free, old);
}

int ast_sip_budget_start(struct ast_sip_snapshot *s)
{
	uint32_t per_shard = ast_sip_own_uint(s, "security", "budget_sources", SOURCES) / SHARDS;

	buckets = per_shard > WAYS ? per_shard / WAYS : 1;
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i].entries = calloc((size_t)buckets * WAYS, sizeof(struct entry));
		if (!shards[i].entries) {
			ast_sip_budget_stop();
			return -1;
		}
	}
	return 0;
}

/* After the pool has ended. */
void ast_sip_budget_stop(void)
{
	free(atomic_exchange_explicit(&trusted, NULL, memory_order_acq_rel));
	for (unsigned i = 0; i < SHARDS; i++) {
		free(shards[i].entries);
		shards[i].entries = NULL;
	}
	atomic_fetch_add(&epoch, 1);
}
