#include "nonce.h"

#include "base/clock.h"
#include "res_sip/digest.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * The table: shards, each a ring of entries in order of their first use with a hash index over it. A full ring
 * forgets its oldest entry, and from then on every nonce issued up to that one's time which the shard does not know is
 * stale: memory stays bounded, and a forgotten nonce cannot be replayed.
 */
#define SHARDS 64u
#define RING   4096u /* entries a shard; 64 * 4096 nonces in their lifetime (32 s) are 8,192 authentications a second */
#define FIRST  64u   /* places of the ring to begin with: what is never needed is never touched, and costs nothing */
#define INDEX  8192u /* hash slots a shard: a power of two above RING */
#define WINDOW 64u   /* counts behind the highest that may still come (reordering) */

struct entry {
	uint64_t number; /* this and seconds tell nonces apart */
	uint64_t seen;   /* bit n: highest - n was taken */
	uint32_t seconds;
	uint32_t good_until; /* seconds; by the longest lifetime that it was taken with */
	uint32_t highest;
	uint32_t next; /* in the hash chain, index + 1 */
};

struct shard {
	pthread_mutex_t lock;
	uint32_t places;       /* of the ring: a power of two, FIRST doubled up to RING */
	uint32_t first, n;     /* the ring */
	int64_t stale_up_to;   /* issue time of the youngest entry forgotten before its time, -1: none */
	int64_t over_up_to;    /* until when the others that were forgotten were good, -1: none */
	uint32_t index[INDEX]; /* entry + 1, 0: none */
	struct entry entries[RING];
};

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
	shards = calloc(SHARDS, sizeof(*shards));
	if (!shards)
		return -1;
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].places = FIRST;
		shards[i].stale_up_to = shards[i].over_up_to = -1;
	}
	return 0;
}

void nonce_stop(void)
{
	for (unsigned i = 0; shards && i < SHARDS; i++)
		pthread_mutex_destroy(&shards[i].lock);
	free(shards);
	shards = NULL;
}

static uint32_t slot_of(uint64_t number)
{
	return (uint32_t)(number >> 32) & (INDEX - 1); /* the number is ours and random */
}

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
	struct shard *s = &shards[id->number % SHARDS];
	uint8_t tag[AST_SIP_MAC_LEN];

	if (id->seconds > now_s || now_s - id->seconds > lifetime_s)
		return false;
	/* What nonce_take looks at, while the MAC is computed. */
	__builtin_prefetch(s, 1);
	__builtin_prefetch(&s->index[slot_of(id->number)], 1);
	return mac(id, realm, source, tag) == 0 && ast_sip_bytes_equal(id->tag, tag, sizeof(id->tag));
}

static struct entry *find(struct shard *s, const struct nonce *id)
{
	for (uint32_t i = s->index[slot_of(id->number)]; i; i = s->entries[i - 1].next) {
		struct entry *e = &s->entries[i - 1];
		if (e->number == id->number && e->seconds == id->seconds)
			return e;
	}
	return NULL;
}

/* What leads to the entry at place. */
static uint32_t *link_to(struct shard *s, uint32_t place)
{
	uint32_t *link = &s->index[slot_of(s->entries[place].number)];

	while (*link != place + 1)
		link = &s->entries[*link - 1].next;
	return link;
}

static void forget_oldest(struct shard *s)
{
	*link_to(s, s->first) = s->entries[s->first].next;
	s->first = (s->first + 1) & (s->places - 1);
	s->n--;
	/* The next one to go: its place in the index is anywhere. */
	__builtin_prefetch(&s->index[slot_of(s->entries[s->first].number)], 1);
}

/* The full ring gets twice its places: the entries before the oldest are the youngest, and go behind the others. */
static void widen(struct shard *s)
{
	for (uint32_t i = 0; i < s->first; i++) {
		*link_to(s, i) = s->places + i + 1;
		s->entries[s->places + i] = s->entries[i];
	}
	s->places *= 2;
}

/* Seconds until which id is good by that lifetime. */
static uint32_t end_of(const struct nonce *id, uint32_t lifetime_s)
{
	return lifetime_s < UINT32_MAX - id->seconds ? id->seconds + lifetime_s : UINT32_MAX;
}

/* Those that nobody can use any more. A thread that began earlier may still take one for good: it is told no. */
static void forget_over(struct shard *s, uint32_t now_s)
{
	while (s->n && s->entries[s->first].good_until < now_s) {
		if (s->over_up_to < s->entries[s->first].good_until)
			s->over_up_to = s->entries[s->first].good_until;
		forget_oldest(s);
	}
}

static struct entry *add(struct shard *s, const struct nonce *id, uint32_t lifetime_s, uint32_t now_s)
{
	struct entry *e;
	uint32_t place;

	forget_over(s, now_s);
	if (s->n == s->places && s->places < RING)
		widen(s);
	if (s->n == s->places) {
		if (s->stale_up_to < s->entries[s->first].seconds)
			s->stale_up_to = s->entries[s->first].seconds;
		forget_oldest(s);
	}
	if (id->seconds <= s->stale_up_to || end_of(id, lifetime_s) <= s->over_up_to)
		return NULL;
	place = (s->first + s->n++) & (s->places - 1);
	e = &s->entries[place];
	*e = (struct entry){.number = id->number, .seconds = id->seconds, .next = s->index[slot_of(id->number)]};
	s->index[slot_of(id->number)] = place + 1;
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
	struct shard *s = &shards[id->number % SHARDS];
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
