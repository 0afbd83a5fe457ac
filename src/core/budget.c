/*
 * Amplification and abuse over UDP: an answer to a source that has not shown that the address is its own is at most
 * three times its question, and a source gets so many answers that are no success in a while. A source that
 * authenticated lately, is identified by its address, or is trusted by the configuration is exempt, so that an office
 * behind one NAT does not suffer from one bad phone. By IPv4 address and IPv6 /64.
 */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>

/* RFC 5358's and QUIC's measure: more makes a server worth abusing as a mirror. */
#define AMPLIFICATION 3
/* Failures that a source may have at once, and those that it wins back in a second. */
#define BURST_DEFAULT 2000
#define RATE_DEFAULT  200
/* How long a source counts as verified. */
#define VERIFIED_US (3600 * (int64_t)1000000)

/* Sources remembered at once: forged addresses must not grow the table without end. */
#define SHARDS  64
#define BUCKETS 128
#define WAYS    8

struct entry {
	uint64_t key[2]; /* the address or its /64 */
	uint8_t family;  /* 0: free */
	uint32_t failures;
	int64_t seen_us;     /* when failures was brought up to date */
	int64_t verified_us; /* 0: never */
};

static struct shard {
	pthread_mutex_t lock;
	struct entry entries[BUCKETS][WAYS];
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

/* Networks without limit: [limits] trusted. */
#define MAX_TRUSTED 64
struct network {
	struct sip_addr addr;
	uint8_t bits;
};
static struct {
	_Atomic bool on;
	_Atomic uint32_t burst, rate;
} settings = {.on = true, .burst = BURST_DEFAULT, .rate = RATE_DEFAULT};
struct trusted {
	unsigned n;
	struct network v[MAX_TRUSTED];
};
static _Atomic(struct trusted *) trusted;

static void key_of(const struct sip_addr *peer, uint64_t key[2], uint8_t *family)
{
	struct sip_addr a = *peer;

	sip_addr_unmap(&a);
	memcpy(key, a.ip, 16);
	if (a.family == 6)
		key[1] = 0;
	*family = a.family;
}

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
static struct entry *find(const uint64_t key[2], uint8_t family, struct shard **shard, bool make)
{
	uint64_t h = rs_hash(rs_str_n((const char *)key, 16));
	struct entry *bucket, *victim;

	*shard = &shards[h % SHARDS];
	bucket = (*shard)->entries[(h / SHARDS) % BUCKETS];
	victim = &bucket[0];
	pthread_mutex_lock(&(*shard)->lock);
	for (unsigned i = 0; i < WAYS; i++) {
		if (bucket[i].family == family && bucket[i].key[0] == key[0] && bucket[i].key[1] == key[1])
			return &bucket[i];
		if (goes_before(&bucket[i], victim))
			victim = &bucket[i];
	}
	if (!make)
		return NULL;
	*victim = (struct entry){.key = {key[0], key[1]}, .family = family, .seen_us = rs_now_us()};
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

bool ast_sip_budget_allows(const struct sip_addr *peer, size_t question, size_t answer)
{
	uint64_t key[2];
	uint8_t family;
	struct shard *shard;
	struct entry *e;
	bool verified, spent;
	int64_t now;

	if (!atomic_load_explicit(&settings.on, memory_order_relaxed) || ast_sip_peer_trusted(peer))
		return true;
	now = rs_now_us();
	key_of(peer, key, &family);
	e = find(key, family, &shard, false);
	if (e)
		win_back(e, now);
	verified = e && e->verified_us && now - e->verified_us < VERIFIED_US;
	spent = e && e->failures > atomic_load_explicit(&settings.burst, memory_order_relaxed);
	pthread_mutex_unlock(&shard->lock);
	return verified || (!spent && (!question || answer <= AMPLIFICATION * question));
}

void ast_sip_budget_failed(const struct sip_addr *peer)
{
	uint64_t key[2];
	uint8_t family;
	struct shard *shard;
	struct entry *e;
	int64_t now = rs_now_us();

	if (!atomic_load_explicit(&settings.on, memory_order_relaxed))
		return;
	key_of(peer, key, &family);
	e = find(key, family, &shard, true);
	if (!e->verified_us || now - e->verified_us >= VERIFIED_US) {
		win_back(e, now);
		if (e->failures <= atomic_load_explicit(&settings.burst, memory_order_relaxed))
			e->failures++;
	}
	pthread_mutex_unlock(&shard->lock);
}

void ast_sip_budget_verified(const struct sip_addr *peer)
{
	uint64_t key[2];
	uint8_t family;
	struct shard *shard;
	struct entry *e;

	if (!atomic_load_explicit(&settings.on, memory_order_relaxed))
		return;
	key_of(peer, key, &family);
	e = find(key, family, &shard, true);
	e->verified_us = rs_now_us();
	if (!e->verified_us)
		e->verified_us = 1;
	e->failures = 0;
	pthread_mutex_unlock(&shard->lock);
}

/* ---- trusted by configuration ---- */

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

static struct trusted *read_trusted(struct ast_sip_snapshot *s)
{
	struct ast_sip_strings list = ast_sip_own_list(s, "limits", "trusted");
	struct trusted *t = list.n ? calloc(1, sizeof(*t)) : NULL;

	for (uint32_t i = 0; t && i < list.n && t->n < MAX_TRUSTED; i++) {
		if (parse_network(list.v[i], &t->v[t->n]) == 0)
			t->n++;
		else
			rs_event(RS_LOG_WARNING, "limits.trusted.bad", RS_FS("network", list.v[i]));
	}
	return t;
}

void ast_sip_budget_configure(struct ast_sip_snapshot *s)
{
	struct trusted *old = atomic_exchange_explicit(&trusted, read_trusted(s), memory_order_acq_rel);

	atomic_store(&settings.on, ast_sip_own_bool(s, "limits", "answer_budget", true));
	atomic_store(&settings.burst, ast_sip_own_uint(s, "limits", "failures_burst", BURST_DEFAULT));
	atomic_store(&settings.rate, ast_sip_own_uint(s, "limits", "failures_per_second", RATE_DEFAULT));
	if (old && rs_quiet(free, old))
		rs_event(RS_LOG_WARNING, "core.no_memory", RS_FZ("for", "quiet point"));
}

/* After the pool has ended. */
void ast_sip_budget_clear(void)
{
	free(atomic_exchange_explicit(&trusted, NULL, memory_order_acq_rel));
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		memset(shards[i].entries, 0, sizeof(shards[i].entries));
		pthread_mutex_unlock(&shards[i].lock);
	}
}
