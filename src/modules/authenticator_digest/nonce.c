#include "nonce.h"

#include "base/clock.h"
#include "res_sip/digest.h"

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

struct id { /* what tells nonces apart: the first 24 hex digits */
	uint32_t seconds;
	uint64_t number;
};

struct entry {
	struct id id;
	uint64_t good_until; /* seconds; by the longest lifetime that it was taken with */
	uint32_t highest;
	uint32_t next; /* in the hash chain, index + 1 */
	uint64_t seen; /* bit n: highest - n was taken */
};

struct shard {
	pthread_mutex_t lock;
	uint32_t places;       /* of the ring: a power of two, FIRST doubled up to RING */
	uint32_t first, n;     /* the ring */
	int64_t stale_up_to;   /* issue time of the youngest forgotten entry, -1: none */
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
		shards[i].stale_up_to = -1;
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

static uint32_t now_seconds(void)
{
	return (uint32_t)(rs_now_us() / 1000000);
}

/* The MAC over what a nonce stands for; 12 of its bytes are used. */
static int mac(const struct id *id, struct rs_str realm, const struct sip_addr *source, uint8_t out[16])
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

static void print(const struct id *id, const uint8_t tag[12], char out[NONCE_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[24];

	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(id->seconds >> (24 - 8 * i));
	for (unsigned i = 0; i < 8; i++)
		bytes[4 + i] = (uint8_t)(id->number >> (56 - 8 * i));
	memcpy(bytes + 12, tag, 12);
	for (size_t i = 0; i < 24; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[48] = '\0';
}

static bool read_id(struct rs_str nonce, struct id *id)
{
	uint64_t v[2] = {0, 0};

	if (nonce.len != NONCE_TEXT - 1)
		return false;
	for (unsigned i = 0; i < NONCE_TEXT - 1; i++) {
		char c = nonce.p[i];
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: 16;
		if (digit > 15)
			return false;
		if (i < 24)
			v[i >= 8] = v[i >= 8] << 4 | digit;
	}
	id->seconds = (uint32_t)v[0];
	id->number = v[1];
	return true;
}

int nonce_make(struct rs_str realm, const struct sip_addr *source, char out[NONCE_TEXT])
{
	struct id id = {.seconds = now_seconds()};
	uint8_t tag[16];

	rs_random(&id.number, sizeof(id.number));
	if (mac(&id, realm, source, tag))
		return -1;
	print(&id, tag, out);
	return 0;
}

bool nonce_valid(struct rs_str nonce, struct rs_str realm, const struct sip_addr *source, uint32_t lifetime_s)
{
	struct id id;
	uint8_t tag[16];
	char expected[NONCE_TEXT];
	uint32_t now = now_seconds();

	if (!read_id(nonce, &id) || id.seconds > now || now - id.seconds > lifetime_s)
		return false;
	if (mac(&id, realm, source, tag))
		return false;
	print(&id, tag, expected);
	return ast_sip_digest_equal(nonce, rs_str_n(expected, NONCE_TEXT - 1));
}

static uint32_t slot_of(const struct id *id)
{
	return (uint32_t)(id->number >> 32) & (INDEX - 1); /* the number is ours and random */
}

static struct entry *find(struct shard *s, const struct id *id)
{
	for (uint32_t i = s->index[slot_of(id)]; i; i = s->entries[i - 1].next) {
		struct entry *e = &s->entries[i - 1];
		if (e->id.number == id->number && e->id.seconds == id->seconds)
			return e;
	}
	return NULL;
}

/* What leads to the entry at place. */
static uint32_t *link_to(struct shard *s, uint32_t place)
{
	uint32_t *link = &s->index[slot_of(&s->entries[place].id)];

	while (*link != place + 1)
		link = &s->entries[*link - 1].next;
	return link;
}

static void forget_oldest(struct shard *s)
{
	*link_to(s, s->first) = s->entries[s->first].next;
	s->first = (s->first + 1) & (s->places - 1);
	s->n--;
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

static struct entry *add(struct shard *s, const struct id *id)
{
	struct entry *e;
	uint32_t place, now = now_seconds();

	while (s->n && s->entries[s->first].good_until < now)
		forget_oldest(s); /* nobody can use it any more */
	if (s->n == s->places && s->places < RING)
		widen(s);
	if (s->n == s->places) {
		if (s->stale_up_to < s->entries[s->first].id.seconds)
			s->stale_up_to = s->entries[s->first].id.seconds;
		forget_oldest(s);
	}
	if (id->seconds <= s->stale_up_to)
		return NULL;
	place = (s->first + s->n++) & (s->places - 1);
	e = &s->entries[place];
	*e = (struct entry){.id = *id, .next = s->index[slot_of(id)]};
	s->index[slot_of(id)] = place + 1;
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

bool nonce_take(struct rs_str nonce, uint32_t nc, uint32_t lifetime_s)
{
	struct shard *s;
	struct entry *e;
	struct id id;
	bool taken;

	if (!nc || !read_id(nonce, &id))
		return false;
	s = &shards[id.number % SHARDS];
	pthread_mutex_lock(&s->lock);
	e = find(s, &id);
	if (!e)
		e = add(s, &id);
	if (e && e->good_until < (uint64_t)id.seconds + lifetime_s)
		e->good_until = (uint64_t)id.seconds + lifetime_s;
	taken = e && mark(e, nc);
	pthread_mutex_unlock(&s->lock);
	return taken;
}
