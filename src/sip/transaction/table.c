/*
 * The table of transactions: shards with a lock each, chosen by a keyed hash, so that neither calls nor peers wait for
 * each other and nobody can aim at one chain.
 */
#include "sip/transaction/completed.h"
#include "sip/transaction/index.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define SHARDS 256
/* Completed records freed in one go under the lock, so that readers of the shard are not held up. */
#define SWEEP_MAX 256
/* A shard with more than so many looks for those that are due this often. */
#define SWEEP_MANY 64
#define SWEEP_US   200000
/* So many records ahead their memory is asked for: they were last touched half a minute ago. */
#define AHEAD 8

struct shard {
	alignas(64) pthread_mutex_t lock;
	struct tsx_index index;
	struct tsx_waiting answered, ended; /* completed ones, the oldest first: all of one queue wait equally long */
	int64_t armed_for;                  /* INT64_MAX: the timer does not run */
	bool arming;                        /* the task is on its way */
	struct rs_serializer serializer;    /* of the timer */
	struct rs_timer timer;
	struct rs_task arm;
	struct tsx_counters counters;
};

/* Not from the heap: a pool thread may still look at a shard's serializer when the layer has stopped. */
static struct shard shards[SHARDS];
static bool started;
static _Atomic uint32_t live;

static struct shard *shard_of(uint64_t hash)
{
	return &shards[hash >> 56];
}

/* ---- the limit and the figures ---- */

bool tsx_table_take(void)
{
	if (atomic_fetch_add_explicit(&live, 1, memory_order_relaxed) < sip_stack_config()->max_transactions)
		return true;
	tsx_table_give();
	return false;
}

void tsx_table_give(void)
{
	atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter, int by)
{
	atomic_fetch_add_explicit(counter, (uint64_t)(int64_t)by, memory_order_relaxed);
}

void tsx_table_count(uint64_t hash, size_t counter_offset)
{
	count((_Atomic uint64_t *)(void *)((char *)&shard_of(hash)->counters + counter_offset), 1);
}

void tsx_table_stats(struct sip_tsx_stats *out)
{
	*out = (struct sip_tsx_stats){0};
	for (int i = 0; i < SHARDS; i++) {
		struct tsx_counters *c = &shards[i].counters;
		uint64_t completed = atomic_load_explicit(&c->completed, memory_order_relaxed);

		out->server_now += completed + atomic_load_explicit(&c->server, memory_order_relaxed);
		out->client_now += atomic_load_explicit(&c->client, memory_order_relaxed);
		out->completed_now += completed;
		out->created += atomic_load_explicit(&c->created, memory_order_relaxed);
		out->absorbed += atomic_load_explicit(&c->absorbed, memory_order_relaxed);
		out->timeouts += atomic_load_explicit(&c->timeouts, memory_order_relaxed);
		out->stray_responses += atomic_load_explicit(&c->strays, memory_order_relaxed);
		out->refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
	}
}

/* ---- chains; the lock is held ---- */

static bool same_key(const struct tsx_entry *e, const struct tsx_key *key)
{
	struct rs_str mine = rs_str_n(e->key, e->key_len);

	/* Branches and hosts are compared without case; what RFC 2543 compares has case. */
	return mine.len && mine.p[0] == '=' ? rs_str_eq(mine, key->text) : rs_str_ieq(mine, key->text);
}

static bool same_method(const struct tsx_entry *e, const struct tsx_key *key)
{
	return key->method == TSX_METHOD_ANY ? e->method != SIP_METHOD_CANCEL : e->method == key->method;
}

static bool is_client(const struct tsx_entry *e)
{
	return e->kind == TSX_KIND_CLIENT || e->kind == TSX_KIND_ENDED;
}

static bool is_record(const struct tsx_entry *e)
{
	return e->kind == TSX_KIND_ANSWERED || e->kind == TSX_KIND_ENDED;
}

static struct tsx_entry *find(const struct shard *s, const struct tsx_key *key, bool client)
{
	uint32_t at = 0;

	for (struct tsx_entry *e; (e = tsx_index_next(&s->index, key->hash, &at));)
		if (is_client(e) == client && same_method(e, key) && same_key(e, key))
			return e;
	return NULL;
}

static void found(struct tsx_entry *e, struct tsx_found *out)
{
	if (!is_record(e)) {
		out->tsx = sip_tsx_ref(rs_container_of(e, struct sip_tsx, entry));
		return;
	}
	out->completed = true;
	out->answer = rs_container_of(e, struct tsx_completed, entry)->tx;
	if (out->answer)
		sip_tx_ref(out->answer);
}

static _Atomic uint64_t *counter_of(struct shard *s, const struct tsx_entry *e)
{
	return is_client(e)                 ? &s->counters.client
	       : e->kind == TSX_KIND_SERVER ? &s->counters.server
					    : &s->counters.completed;
}

/* There is room. */
static void link_entry(struct shard *s, struct tsx_entry *e)
{
	tsx_index_add(&s->index, e);
	count(counter_of(s, e), 1);
}

static bool unlink_entry(struct shard *s, struct tsx_entry *entry)
{
	if (!tsx_index_remove(&s->index, entry))
		return false;
	count(counter_of(s, entry), -1);
	return true;
}

/* ---- transactions ---- */

int tsx_table_set_key(struct sip_tsx *tsx, const struct tsx_key *key)
{
	char *copy = tsx->key_mem;

	if (key->text.len > sizeof(tsx->key_mem)) {
		copy = malloc(key->text.len);
		if (!copy)
			return ENOMEM;
	}
	memcpy(copy, key->text.p, key->text.len);
	tsx->entry.key = copy;
	tsx->entry.key_len = (uint16_t)key->text.len;
	tsx->entry.hash = key->hash;
	tsx->entry.method = key->method;
	return 0;
}

void tsx_table_expect(const struct tsx_key *key)
{
	tsx_index_prefetch(&shard_of(key->hash)->index, key->hash);
}

bool tsx_table_find(const struct tsx_key *key, bool client, struct tsx_found *out)
{
	struct shard *s = shard_of(key->hash);
	struct tsx_entry *e;

	*out = (struct tsx_found){0};
	pthread_mutex_lock(&s->lock);
	e = find(s, key, client);
	if (e)
		found(e, out);
	pthread_mutex_unlock(&s->lock);
	return e;
}

bool tsx_table_find_or_insert(const struct tsx_key *key, struct tsx_found *out, bool *made,
			      struct sip_tsx *(*make)(void *token), void *token)
{
	struct shard *s = shard_of(key->hash);
	struct tsx_entry *e;

	*out = (struct tsx_found){0};
	*made = false;
	pthread_mutex_lock(&s->lock);
	e = find(s, key, false);
	if (!e && tsx_index_reserve(&s->index)) {
		struct sip_tsx *tsx = make(token);

		if (tsx) {
			*made = tsx->listed = true;
			e = &tsx->entry;
			link_entry(s, e);
			count(&s->counters.created, 1);
		}
	}
	if (e)
		found(e, out);
	pthread_mutex_unlock(&s->lock);
	return e;
}

bool tsx_table_insert(struct sip_tsx *tsx)
{
	struct tsx_key key = {.text = rs_str_n(tsx->entry.key, tsx->entry.key_len),
			      .hash = tsx->entry.hash,
			      .method = tsx->entry.method};
	struct shard *s = shard_of(tsx->entry.hash);
	bool free_key;

	pthread_mutex_lock(&s->lock);
	free_key = !find(s, &key, tsx->entry.kind == TSX_KIND_CLIENT) && tsx_index_reserve(&s->index);
	if (free_key) {
		link_entry(s, &tsx->entry);
		count(&s->counters.created, 1);
		tsx->listed = true;
	}
	pthread_mutex_unlock(&s->lock);
	return free_key;
}

bool tsx_table_remove(struct sip_tsx *tsx)
{
	struct shard *s = shard_of(tsx->entry.hash);
	bool was;

	pthread_mutex_lock(&s->lock);
	was = tsx->listed && unlink_entry(s, &tsx->entry);
	tsx->listed = false;
	pthread_mutex_unlock(&s->lock);
	if (was)
		tsx_table_give();
	return was;
}

/* ---- completed ones ---- */

static void free_completed(struct tsx_completed **v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		tsx_completed_free(v[i]);
		tsx_table_give();
	}
}

/* What will soon be taken out comes into the cache, and then the place in the index that it leads to. */
static void look_ahead(const struct shard *s, const struct tsx_waiting *w)
{
	const struct tsx_completed *far = tsx_waiting_at(w, 2 * AHEAD);
	const struct tsx_completed *near = tsx_waiting_at(w, AHEAD);

	if (far)
		__builtin_prefetch(far);
	if (near)
		tsx_index_prefetch(&s->index, near->entry.hash);
}

static int64_t due_of(const struct tsx_waiting *w)
{
	const struct tsx_completed *oldest = tsx_waiting_at(w, 0);

	return oldest ? oldest->due_us : INT64_MAX;
}

/* INT64_MAX: there is none. */
static int64_t next_due(const struct shard *s)
{
	int64_t a = due_of(&s->answered), b = due_of(&s->ended);

	return a < b ? a : b;
}

/* Takes out what is due (INT64_MAX - 1: all), at most SWEEP_MAX; how many. */
static unsigned take_due(struct shard *s, int64_t now, struct tsx_completed **out)
{
	struct tsx_waiting *const queues[] = {&s->answered, &s->ended};
	unsigned n = 0;

	for (unsigned q = 0; q < RS_ARRAY_SIZE(queues); q++) {
		while (n < SWEEP_MAX && due_of(queues[q]) <= now) {
			struct tsx_completed *c = tsx_waiting_at(queues[q], 0);

			look_ahead(s, queues[q]);
			unlink_entry(s, &c->entry);
			tsx_waiting_take(queues[q]);
			out[n++] = c;
		}
	}
	return n;
}

static void sweep(struct rs_timer *t)
{
	struct shard *s = rs_container_of(t, struct shard, timer);
	struct tsx_completed *due[SWEEP_MAX];
	int64_t now = rs_now_us(), next;
	bool many;
	unsigned n;

	do {
		pthread_mutex_lock(&s->lock);
		n = take_due(s, now, due);
		next = next_due(s);
		many = s->answered.n + s->ended.n > SWEEP_MANY;
		s->armed_for = next;
		pthread_mutex_unlock(&s->lock);
		free_completed(due, n);
	} while (n == SWEEP_MAX);
	if (next == INT64_MAX)
		return;
	/*
	 * Many are taken out together: a timer for each would cost more than they do. None is late by more than that.
	 * Each shard has a moment of its own, or all would stop the others' work at once.
	 */
	if (many && next - now < SWEEP_US)
		next = now + SWEEP_US - (now + (s - shards) * (SWEEP_US / SHARDS)) % SWEEP_US;
	rs_timer_start_from(&s->timer, now, next - now);
}

static void arm(struct rs_task *task)
{
	struct shard *s = rs_container_of(task, struct shard, arm);
	int64_t due;

	pthread_mutex_lock(&s->lock);
	due = next_due(s);
	s->armed_for = due;
	s->arming = false;
	pthread_mutex_unlock(&s->lock);
	if (due != INT64_MAX)
		rs_timer_start(&s->timer, due - rs_now_us());
}

static struct tsx_waiting *queue_of(struct shard *s, const struct tsx_completed *c)
{
	return is_client(&c->entry) ? &s->ended : &s->answered;
}

/* The index has room. false: the queue has none, and no memory. */
static bool queue_completed(struct shard *s, struct tsx_completed *c)
{
	struct tsx_waiting *w = queue_of(s, c);

	if (!tsx_waiting_reserve(w))
		return false;
	link_entry(s, &c->entry);
	tsx_waiting_add(w, c);
	if (c->due_us < s->armed_for && !s->arming) {
		s->arming = true;
		rs_push(&s->serializer, &s->arm);
	}
	return true;
}

bool tsx_table_complete(struct sip_tsx *tsx, struct sip_tx_data *tx, int64_t keep_us)
{
	struct shard *s = shard_of(tsx->entry.hash);
	struct tsx_completed *c = tsx_completed_new(&tsx->entry, tx, keep_us);
	struct sip_tx_data *answer = NULL;
	bool was, kept = false;

	if (!c)
		return tsx_table_remove(tsx);
	pthread_mutex_lock(&s->lock);
	was = tsx->listed && unlink_entry(s, &tsx->entry);
	tsx->listed = false;
	if (was && queue_completed(s, c)) {
		kept = true;
		/* What waits on the serializer already is answered from the record, too. */
		answer = c->tx ? sip_tx_ref(c->tx) : NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (answer) {
		sip_tx_unref(tsx->tx);
		tsx->tx = answer;
	}
	if (!kept)
		tsx_completed_free(c);
	if (was && !kept)
		tsx_table_give();
	return was;
}

bool tsx_table_add_completed(const struct tsx_key *key, struct sip_tx_data *tx, int64_t keep_us)
{
	struct tsx_entry entry = {
		.hash = key->hash, .key = key->text.p, .key_len = (uint16_t)key->text.len, .method = key->method};
	struct shard *s = shard_of(key->hash);
	struct tsx_completed *c;
	bool added = false;

	if (!tsx_table_take())
		return false;
	c = tsx_completed_new(&entry, tx, keep_us);
	if (c) {
		pthread_mutex_lock(&s->lock);
		added = !find(s, key, false) && tsx_index_reserve(&s->index) && queue_completed(s, c);
		if (added)
			count(&s->counters.created, 1);
		pthread_mutex_unlock(&s->lock);
	}
	if (added)
		return true;
	tsx_completed_free(c);
	tsx_table_give();
	return false;
}

size_t tsx_table_completed_size(const struct tsx_key *key)
{
	struct shard *s = shard_of(key->hash);
	struct tsx_entry *e;
	size_t size = 0;

	pthread_mutex_lock(&s->lock);
	e = find(s, key, false);
	if (e && e->kind == TSX_KIND_ANSWERED)
		size = tsx_completed_size(rs_container_of(e, struct tsx_completed, entry));
	pthread_mutex_unlock(&s->lock);
	return size;
}

/* ---- life ---- */

static void stays(struct rs_serializer *s)
{
	(void)s;
}

static void shard_init(struct shard *s)
{
	pthread_mutex_init(&s->lock, NULL);
	rs_serializer_init(&s->serializer, "transaction.completed", stays);
	rs_timer_init(&s->timer, "Timer J", &s->serializer, sweep, NULL, NULL);
	s->armed_for = INT64_MAX;
	s->arm.run = arm;
	s->arm.name = "transaction.arm";
}

static void free_shards(void)
{
	for (int i = 0; i < SHARDS; i++) {
		tsx_index_stop(&shards[i].index);
		tsx_waiting_stop(&shards[i].answered);
		tsx_waiting_stop(&shards[i].ended);
	}
}

int tsx_table_start(void)
{
	for (int i = 0; i < SHARDS && !started; i++)
		shard_init(&shards[i]);
	started = true;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		if (tsx_index_start(&s->index)) {
			free_shards();
			return ENOMEM;
		}
		memset(&s->counters, 0, sizeof(s->counters));
	}
	atomic_store(&live, 0);
	return 0;
}

static struct sip_tsx *any_transaction(struct shard *s, bool accepted)
{
	struct sip_tsx *tsx = NULL;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->index.size && !tsx; i++) {
		struct tsx_entry *e = s->index.places[i].entry;

		if (!e || is_record(e))
			continue;
		tsx = rs_container_of(e, struct sip_tsx, entry);
		tsx = !accepted || sip_tsx_state(tsx) == SIP_TSX_ACCEPTED ? sip_tsx_ref(tsx) : NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return tsx;
}

static int stop_timer(void *data)
{
	struct shard *s = data;

	rs_timer_stop(&s->timer);
	return 0;
}

static void empty_shard(struct shard *s)
{
	struct tsx_completed *due[SWEEP_MAX];
	unsigned n;

	do {
		pthread_mutex_lock(&s->lock);
		n = take_due(s, INT64_MAX - 1, due);
		pthread_mutex_unlock(&s->lock);
		free_completed(due, n);
	} while (n);
}

void tsx_table_end(bool accepted, void (*end)(struct sip_tsx *tsx))
{
	struct sip_tsx *tsx;

	for (int i = 0; i < SHARDS; i++) {
		while ((tsx = any_transaction(&shards[i], accepted))) {
			end(tsx);
			sip_tsx_unref(tsx);
		}
	}
}

void tsx_table_stop(void)
{
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		empty_shard(s);
		if (rs_call(&s->serializer, stop_timer, s, NULL, "transaction.stop", NULL))
			stop_timer(s);
		s->armed_for = INT64_MAX;
	}
	free_shards();
}
