#include "nonce.h"

#include "base/clock.h"
#include "res_sip/digest.h"

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * The table: shards, each a ring of entries in order of their first use, numbered as they come, with an index over it.
 * A full ring forgets its oldest entry, and from then on every nonce issued up to that one's time which the shard does
 * not know is stale: memory stays bounded, and a forgotten nonce cannot be replayed.
 *
 * The index is made of buckets of one line of the cache: what is in one says by its number whether it has been
 * forgotten since, so that nothing is taken out. In the end the entry decides whether it is the one. A bucket has four
 * times the room that it needs on average; should one be full all the same, its oldest is forgotten like a ring's.
 */
#define SHARDS 64u
#define RING   4096u /* entries a shard; 64 * 4096 nonces in their lifetime (32 s) are 8,192 authentications a second */
#define FIRST  64u   /* places of the ring to begin with: what is never needed is never touched, and costs nothing */
#define WINDOW 64u   /* counts behind the highest that may still come (reordering) */

#define LINE        64u /* bytes of a line of the cache */
#define BUCKET      (LINE / sizeof(uint32_t))
#define PER_BUCKET  4u /* places of the ring for each bucket */
#define NUMBER_BITS 20 /* of an entry in the index, above them the tag */
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)

struct entry {
	uint64_t number; /* this and seconds tell nonces apart */
	uint64_t seen;   /* bit n: highest - n was taken */
	uint32_t seconds;
	uint32_t good_until; /* seconds; by the longest lifetime that it was taken with */
	uint32_t highest;
};

struct shard {
	_Alignas(LINE) pthread_mutex_t lock;
	_Atomic uint32_t places; /* of the ring: a power of two, FIRST doubled up to RING */
	_Atomic uint32_t next;   /* number of the next entry; its place is what places leaves of it */
	uint32_t n;              /* entries, the last before next */
	int64_t stale_up_to;     /* issue time of the youngest entry forgotten before its time, -1: none */
	int64_t over_up_to;      /* until when the others that were forgotten were good, -1: none */
	_Alignas(LINE) uint32_t index[RING / PER_BUCKET][BUCKET];
	struct entry entries[RING];
};

static void *block; /* in which shards begin at a line */
static struct shard *shards;
static uint8_t key[16];
static bool have_key;

int nonce_start(void)
{
	if (!have_key) {
		rs_random(key, sizeof(key));
		have_key = true;
	}
	if (shards) /* loaded again without having been unmapped: what was used stays used */
		return 0;
	block = calloc(1, SHARDS * sizeof(*shards) + LINE);
	if (!block)
		return -1;
	shards = (struct shard *)(((uintptr_t)block + LINE - 1) & ~(uintptr_t)(LINE - 1));
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		atomic_init(&shards[i].places, FIRST);
		atomic_init(&shards[i].next, 1); /* an empty index says 0, which is gone */
		shards[i].stale_up_to = shards[i].over_up_to = -1;
	}
	return 0;
}

void nonce_stop(void)
{
	for (unsigned i = 0; shards && i < SHARDS; i++)
		pthread_mutex_destroy(&shards[i].lock);
	free(block);
	block = NULL;
	shards = NULL;
}

int nonce_secret(uint8_t out[NONCE_SECRET])
{
	/* Shorter than what any nonce's MAC is over. */
	for (uint8_t i = 0; i < NONCE_SECRET / AST_SIP_MAC_LEN; i++) {
		if (ast_sip_keyed_mac(key, &i, sizeof(i), out + i * AST_SIP_MAC_LEN))
			return -1;
	}
	return 0;
}

/* ---- places ---- */

static uint32_t places(const struct shard *s)
{
	return atomic_load_explicit(&s->places, memory_order_relaxed);
}

static uint32_t next_number(const struct shard *s)
{
	return atomic_load_explicit(&s->next, memory_order_relaxed);
}

static struct entry *entry_at(struct shard *s, uint32_t number)
{
	return &s->entries[number & (places(s) - 1)];
}

static struct entry *oldest(struct shard *s)
{
	return entry_at(s, next_number(s) - s->n);
}

/* A nonce's number is ours and random: some of its bits choose the shard, others the bucket, others are the tag. */
static struct shard *shard_of(uint64_t number)
{
	return &shards[number % SHARDS];
}

static uint32_t *bucket_of(struct shard *s, uint64_t number)
{
	return s->index[(uint32_t)(number >> 32) & (places(s) / PER_BUCKET - 1)];
}

static uint32_t tag_of(uint64_t number)
{
	return (uint32_t)(number >> (32 + NUMBER_BITS));
}

/* How many entries ago what the index says was the next one; more than n: it has been forgotten. */
static uint32_t age_of(const struct shard *s, uint32_t item)
{
	return (next_number(s) - item) & NUMBER_MASK;
}

static bool is_kept(const struct shard *s, uint32_t item)
{
	return age_of(s, item) - 1 < s->n;
}

/* ---- nonces ---- */

/* The MAC over what a nonce stands for; the first bytes of it are used. */
static int mac(const struct nonce *id, struct rs_str realm, const struct sip_addr *source, uint8_t out[AST_SIP_MAC_LEN])
{
	uint8_t data[4 + 8 + 1 + 16 + 256];
	size_t n = 0, realm_len = realm.len < 256 ? realm.len : 256;

	memcpy(data + n, &id->seconds, 4), n += 4;
	memcpy(data + n, &id->number, 8), n += 8;
	data[n++] = source->family;
	memcpy(data + n, source->ip, 16), n += 16;
	if (realm_len)
		memcpy(data + n, realm.p, realm_len), n += realm_len;
	return ast_sip_keyed_mac(key, data, n, out);
}

/* What the digits stand for: the number's bytes in the order in which it is written. */
struct written {
	uint8_t seconds[4], number[8], tag[sizeof(((struct nonce *)0)->tag)];
};

bool nonce_read(struct rs_str text, struct nonce *out)
{
	struct written w;
	uint32_t seconds;
	uint64_t number;

	if (!ast_sip_from_hex(text, &w, sizeof(w)))
		return false;
	memcpy(&seconds, w.seconds, sizeof(seconds));
	memcpy(&number, w.number, sizeof(number));
	out->seconds = be32toh(seconds);
	out->number = be64toh(number);
	memcpy(out->tag, w.tag, sizeof(out->tag));
	return true;
}

void nonce_expect(const struct nonce *id)
{
	__builtin_prefetch(shard_of(id->number), 1);
}

int nonce_make(struct rs_str realm, const struct sip_addr *source, uint32_t now_s, char out[NONCE_TEXT])
{
	struct nonce id = {.seconds = now_s};
	uint32_t seconds = htobe32(now_s);
	uint8_t tag[AST_SIP_MAC_LEN];
	struct written w;
	uint64_t number;

	rs_random(&id.number, sizeof(id.number));
	if (mac(&id, realm, source, tag))
		return -1;
	number = htobe64(id.number);
	memcpy(w.seconds, &seconds, sizeof(seconds));
	memcpy(w.number, &number, sizeof(number));
	memcpy(w.tag, tag, sizeof(w.tag));
	ast_sip_to_hex(&w, sizeof(w), out);
	out[NONCE_TEXT - 1] = '\0';
	return 0;
}

bool nonce_valid(const struct nonce *id, struct rs_str realm, const struct sip_addr *source, uint32_t lifetime_s,
		 uint32_t now_s)
{
	struct shard *s = shard_of(id->number);
	uint8_t tag[AST_SIP_MAC_LEN];

	if (id->seconds > now_s || now_s - id->seconds > lifetime_s)
		return false;
	/* What nonce_take looks at, while the MAC is computed. */
	__builtin_prefetch(bucket_of(s, id->number), 1);
	__builtin_prefetch(entry_at(s, next_number(s)), 1);
	return mac(id, realm, source, tag) == 0 && ast_sip_bytes_equal(id->tag, tag, sizeof(id->tag));
}

/* ---- the table ---- */

static struct entry *find(struct shard *s, const struct nonce *id)
{
	const uint32_t *bucket = bucket_of(s, id->number);

	for (unsigned i = 0; i < BUCKET; i++) {
		struct entry *e;

		if (bucket[i] >> NUMBER_BITS != tag_of(id->number) || !is_kept(s, bucket[i]))
			continue;
		e = entry_at(s, bucket[i]);
		if (e->number == id->number && e->seconds == id->seconds)
			return e;
	}
	return NULL;
}

static void forget_early(struct shard *s, const struct entry *e)
{
	if (s->stale_up_to < e->seconds)
		s->stale_up_to = e->seconds;
}

/* The item of a full bucket that is to go. One that only seems to be kept is as good as free. */
static uint32_t *make_room(struct shard *s, uint32_t *bucket)
{
	uint32_t *victim = bucket;

	for (unsigned i = 0; i < BUCKET; i++) {
		const struct entry *e = entry_at(s, bucket[i]);

		if (bucket_of(s, e->number) != bucket || tag_of(e->number) != bucket[i] >> NUMBER_BITS)
			return &bucket[i];
		if (age_of(s, bucket[i]) > age_of(s, *victim))
			victim = &bucket[i];
	}
	forget_early(s, entry_at(s, *victim));
	return victim;
}

/* Has the index lead to entry number, of a nonce with that number of its own. */
static void put_in_index(struct shard *s, uint32_t number, uint64_t of_nonce)
{
	uint32_t *bucket = bucket_of(s, of_nonce), *item = NULL;

	for (unsigned i = 0; i < BUCKET && !item; i++) {
		if (!is_kept(s, bucket[i]))
			item = &bucket[i];
	}
	if (!item)
		item = make_room(s, bucket);
	*item = tag_of(of_nonce) << NUMBER_BITS | (number & NUMBER_MASK);
}

/* The full ring gets twice its places, and an index to match. */
static void widen(struct shard *s)
{
	uint32_t was = places(s), first = next_number(s) - s->n;

	for (uint32_t i = first; i != next_number(s); i++) {
		if (i & was)
			s->entries[i & (2 * was - 1)] = s->entries[i & (was - 1)];
	}
	atomic_store_explicit(&s->places, 2 * was, memory_order_relaxed);
	memset(s->index, 0, 2 * was / PER_BUCKET * sizeof(s->index[0]));
	for (uint32_t i = first; i != next_number(s); i++)
		put_in_index(s, i, entry_at(s, i)->number);
}

/* Seconds until which id is good by that lifetime. */
static uint32_t end_of(const struct nonce *id, uint32_t lifetime_s)
{
	return lifetime_s < UINT32_MAX - id->seconds ? id->seconds + lifetime_s : UINT32_MAX;
}

/* Those that nobody can use any more. A thread that began earlier may still take one for good: it is told no. */
static void forget_over(struct shard *s, uint32_t now_s)
{
	for (; s->n && oldest(s)->good_until < now_s; s->n--) {
		if (s->over_up_to < oldest(s)->good_until)
			s->over_up_to = oldest(s)->good_until;
	}
}

static struct entry *add(struct shard *s, const struct nonce *id, uint32_t lifetime_s, uint32_t now_s)
{
	uint32_t number = next_number(s);
	struct entry *e;

	forget_over(s, now_s);
	if (s->n == places(s) && places(s) < RING)
		widen(s);
	if (s->n == places(s)) {
		forget_early(s, oldest(s));
		s->n--;
	}
	if (id->seconds <= s->stale_up_to || end_of(id, lifetime_s) <= s->over_up_to)
		return NULL;
	put_in_index(s, number, id->number);
	e = entry_at(s, number);
	*e = (struct entry){.number = id->number, .seconds = id->seconds};
	s->n++;
	atomic_store_explicit(&s->next, number + 1, memory_order_relaxed);
	return e;
}

/* Marks nc in e's window. */
static bool mark(struct entry *e, uint32_t nc)
{
	if (nc > e->highest) {
		uint32_t ahead = nc - e->highest;
		e->seen = (ahead < WINDOW ? e->seen << ahead : 0) | 1;
		e->highest = nc;
		return true;
	}
	if (e->highest - nc >= WINDOW || e->seen >> (e->highest - nc) & 1)
		return false;
	e->seen |= (uint64_t)1 << (e->highest - nc);
	return true;
}

bool nonce_take(const struct nonce *id, uint32_t nc, uint32_t lifetime_s, uint32_t now_s)
{
	struct shard *s = shard_of(id->number);
	struct entry *e;
	bool taken;

	if (!nc)
		return false;
	pthread_mutex_lock(&s->lock);
	e = find(s, id);
	if (!e)
		e = add(s, id, lifetime_s, now_s);
	if (e && e->good_until < end_of(id, lifetime_s))
		e->good_until = end_of(id, lifetime_s);
	taken = e && mark(e, nc);
	pthread_mutex_unlock(&s->lock);
	return taken;
}
