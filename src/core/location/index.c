/* The memory index: AORs by name in a sharded, growing hash table. */
#include "location_private.h"

#include <errno.h>
#include <stdlib.h>

#define SHARDS        64u
#define FIRST_BUCKETS 16u

struct shard {
	pthread_mutex_t lock;
	struct aor **buckets;
	uint32_t n_buckets, n; /* n_buckets: a power of two */
};
static struct shard shards[SHARDS];

int index_start(void)
{
	bool all = true;

	/* What is missing is freed by index_free all the same. */
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].buckets = calloc(FIRST_BUCKETS, sizeof(struct aor *));
		shards[i].n_buckets = shards[i].buckets ? FIRST_BUCKETS : 0;
		shards[i].n = 0;
		all = all && shards[i].buckets;
	}
	return all ? 0 : ENOMEM;
}

static struct shard *shard_of(uint64_t hash)
{
	return &shards[hash >> 58];
}
static struct aor **bucket_of(struct shard *s, uint64_t hash)
{
	return &s->buckets[hash & (s->n_buckets - 1)];
}

static void grow(struct shard *s, uint32_t n_buckets)
{
	struct aor **old = s->buckets, **wider;
	uint32_t n = s->n_buckets;

	wider = calloc(n_buckets, sizeof(*wider));
	if (!wider)
		return; /* longer chains instead */
	s->buckets = wider;
	s->n_buckets = n_buckets;
	for (uint32_t i = 0; i < n; i++) {
		for (struct aor *a = old[i], *next; a; a = next) {
			struct aor **b = bucket_of(s, a->hash);
			next = a->next;
			a->next = *b;
			*b = a;
		}
	}
	free(old);
}

void index_expect(uint64_t n)
{
	uint32_t n_buckets = FIRST_BUCKETS;

	while ((uint64_t)n_buckets * SHARDS < n)
		n_buckets *= 2;
	for (unsigned i = 0; i < SHARDS; i++) {
		if (n_buckets > shards[i].n_buckets)
			grow(&shards[i], n_buckets);
	}
}

/* A reference, unless the last one has gone already. */
static bool try_ref(struct aor *a)
{
	uint32_t refs = atomic_load_explicit(&a->serializer.refs, memory_order_relaxed);

	while (refs) {
		if (atomic_compare_exchange_weak_explicit(&a->serializer.refs, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

/* The last reference went: nobody can find it any more once it is out of the table. */
static void aor_release(struct rs_serializer *serializer)
{
	struct aor *a = rs_container_of(serializer, struct aor, serializer);
	struct shard *s = shard_of(a->hash);

	pthread_mutex_lock(&s->lock);
	for (struct aor **link = bucket_of(s, a->hash); *link; link = &(*link)->next) {
		if (*link == a) {
			*link = a->next;
			s->n--;
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub_explicit(&location_counters.aors, 1, memory_order_relaxed);
	ast_sip_contacts_unref(a->contacts);
	free(a);
}

static struct aor *aor_new(struct rs_str name, uint64_t hash)
{
	struct aor *a;

	if (name.len > UINT16_MAX)
		return NULL;
	a = calloc(1, sizeof(*a) + name.len + 1);
	if (!a)
		return NULL;
	rs_serializer_init(&a->serializer, "aor", aor_release);
	a->hash = hash;
	a->len = (uint16_t)name.len;
	memcpy(a->name, name.p, name.len);
	a->last = &a->first;
	rs_timer_init(&a->expiry, "contact expiry", &a->serializer, expiry_fire, expiry_hold, NULL);
	atomic_fetch_add_explicit(&location_counters.aors, 1, memory_order_relaxed);
	return a;
}

struct aor *aor_get(struct rs_str name, bool create)
{
	uint64_t hash = rs_hash(name);
	struct shard *s = shard_of(hash);
	struct aor *a;

	pthread_mutex_lock(&s->lock);
	for (a = *bucket_of(s, hash); a; a = a->next) {
		if (a->hash == hash && rs_str_eq(rs_str_n(a->name, a->len), name) && try_ref(a))
			break;
	}
	if (!a && create && (a = aor_new(name, hash))) {
		struct aor **b;
		if (s->n >= s->n_buckets)
			grow(s, s->n_buckets * 2);
		b = bucket_of(s, hash);
		a->next = *b;
		*b = a;
		s->n++;
	}
	pthread_mutex_unlock(&s->lock);
	return a;
}

void aor_unref(struct aor *a)
{
	if (a)
		rs_serializer_unref(&a->serializer);
}

struct ast_sip_contacts *aor_contacts(struct aor *a)
{
	struct shard *s = shard_of(a->hash);
	struct ast_sip_contacts *c;

	pthread_mutex_lock(&s->lock);
	c = contacts_ref(a->contacts);
	pthread_mutex_unlock(&s->lock);
	return c;
}

struct ast_sip_contacts *aor_swap(struct aor *a, struct ast_sip_contacts *contacts)
{
	struct shard *s = shard_of(a->hash);
	struct ast_sip_contacts *before;

	if (contacts && !a->linked)
		rs_serializer_ref(&a->serializer);
	pthread_mutex_lock(&s->lock);
	before = a->contacts;
	a->contacts = contacts;
	pthread_mutex_unlock(&s->lock);
	if (!contacts && a->linked)
		rs_serializer_unref(&a->serializer); /* not the last: the caller has one */
	a->linked = contacts != NULL;
	return before;
}

struct ast_sip_contacts *ast_sip_location_contacts(struct rs_str aor)
{
	uint64_t hash = rs_hash(aor);
	struct shard *s = shard_of(hash);
	struct ast_sip_contacts *c = NULL, *current;

	if (!s->buckets)
		return NULL;
	pthread_mutex_lock(&s->lock);
	for (struct aor *a = *bucket_of(s, hash); a; a = a->next) {
		if (a->hash == hash && a->contacts && rs_str_eq(rs_str_n(a->name, a->len), aor)) {
			c = contacts_ref(a->contacts);
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
	current = contacts_current(c, ast_sip_location_now_us());
	ast_sip_contacts_unref(c);
	return current;
}

struct rs_serializer *ast_sip_location_serializer(struct rs_str aor)
{
	struct aor *a = aor_get(aor, true);

	return a ? &a->serializer : NULL;
}

void index_each(void (*each)(void *token, struct aor *a), void *token)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];
		struct aor **all;
		uint32_t n = 0;

		pthread_mutex_lock(&s->lock);
		all = malloc((s->n + 1u) * sizeof(struct aor *));
		for (uint32_t b = 0; all && b < s->n_buckets; b++) {
			for (struct aor *a = s->buckets[b]; a; a = a->next) {
				if (try_ref(a))
					all[n++] = a;
			}
		}
		pthread_mutex_unlock(&s->lock);
		for (uint32_t k = 0; k < n; k++) {
			each(token, all[k]);
			aor_unref(all[k]);
		}
		free(all);
	}
}

struct each_call {
	void (*each)(void *token, struct rs_str aor, const struct ast_sip_contacts *contacts);
	void *token;
};

static void each_with_contacts(void *token, struct aor *a)
{
	struct each_call *call = token;
	struct ast_sip_contacts *all = aor_contacts(a), *c = contacts_current(all, ast_sip_location_now_us());

	if (c)
		call->each(call->token, rs_str_n(a->name, a->len), c);
	ast_sip_contacts_unref(c);
	ast_sip_contacts_unref(all);
}

void ast_sip_location_each(void (*each)(void *token, struct rs_str aor, const struct ast_sip_contacts *contacts),
			   void *token)
{
	index_each(each_with_contacts, &(struct each_call){each, token});
}

static void drop_contacts(void *token, struct aor *a)
{
	struct ast_sip_contacts *c = aor_swap(a, NULL);

	(void)token;
	for (uint32_t i = 0; c && i < c->n; i++)
		watch_stop(c->v[i]);
	ast_sip_contacts_unref(c);
}

void index_free(void)
{
	index_each(drop_contacts, NULL);
	for (unsigned i = 0; i < SHARDS; i++) {
		free(shards[i].buckets);
		shards[i].buckets = NULL;
		pthread_mutex_destroy(&shards[i].lock);
	}
}
