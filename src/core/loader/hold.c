#include "core/loader/hold.h"
#include "core/loader/wait.h"

#include <pthread.h>
#include <string.h>

static _Atomic unsigned next_shard;
static _Thread_local unsigned my_shard; /* plus one; 0: not chosen yet */

static unsigned shard_index(void)
{
	if (!my_shard)
		my_shard = atomic_fetch_add_explicit(&next_shard, 1, memory_order_relaxed) % HOLD_SHARDS + 1;
	return my_shard - 1;
}

/* Static strings of two objects may be equal and yet lie in two places. */
static bool same_word(const char *a, const char *b)
{
	return a == b || strcmp(a, b) == 0;
}

static unsigned kind_index(struct hold_table *t, const char *what)
{
	for (unsigned i = 0; i < HOLD_KINDS - 1; i++) {
		if (atomic_load_explicit(&t->what[i], memory_order_acquire) == what)
			return i;
	}
	for (unsigned i = 0; i < HOLD_KINDS - 1; i++) {
		const char *there = atomic_load_explicit(&t->what[i], memory_order_acquire);

		if (!there && atomic_compare_exchange_strong(&t->what[i], &there, what))
			return i;
		if (same_word(there, what))
			return i;
	}
	return HOLD_KINDS - 1;
}

void hold_change(struct hold_table *t, int delta, const char *what)
{
	unsigned kind = kind_index(t, what);
	struct hold_shard *shard = &t->shards[shard_index()];

	if (delta > 0) {
		atomic_fetch_add(&shard->taken[kind], (uint64_t)delta);
		return;
	}
	atomic_fetch_add(&shard->given[kind], (uint64_t)(-delta));
	/* The table may be gone from here on. */
	loader_wait_wake();
}

void hold_reset(struct hold_table *t)
{
	for (unsigned i = 0; i < HOLD_KINDS; i++) {
		atomic_store(&t->what[i], NULL);
		for (unsigned s = 0; s < HOLD_SHARDS; s++) {
			atomic_store(&t->shards[s].taken[i], 0);
			atomic_store(&t->shards[s].given[i], 0);
		}
	}
}

long hold_count(const struct hold_table *t, unsigned kind)
{
	uint64_t given = 0, taken = 0;

	for (unsigned s = 0; s < HOLD_SHARDS; s++)
		given += atomic_load(&t->shards[s].given[kind]);
	for (unsigned s = 0; s < HOLD_SHARDS; s++)
		taken += atomic_load(&t->shards[s].taken[kind]);
	return taken > given ? (long)(taken - given) : 0;
}

static uint64_t hold_sum(const struct hold_table *t, bool (*wanted)(const char *what), bool taken)
{
	uint64_t sum = 0;

	for (unsigned kind = 0; kind < HOLD_KINDS; kind++) {
		const char *what = atomic_load(&t->what[kind]);

		if (wanted && !wanted(what ? what : "hold"))
			continue;
		for (unsigned s = 0; s < HOLD_SHARDS; s++)
			sum += atomic_load(taken ? &t->shards[s].taken[kind] : &t->shards[s].given[kind]);
	}
	return sum;
}

bool hold_none(const struct hold_table *t, bool (*wanted)(const char *what))
{
	uint64_t given = hold_sum(t, wanted, false);

	return hold_sum(t, wanted, true) == given;
}

struct none_query {
	const struct hold_table *t;
	bool (*wanted)(const char *what);
};

static bool none_now(void *token)
{
	const struct none_query *q = token;

	return hold_none(q->t, q->wanted);
}

bool hold_wait_none(const struct hold_table *t, bool (*wanted)(const char *what), int64_t deadline_us)
{
	struct none_query q = {.t = t, .wanted = wanted};

	return loader_wait_until(none_now, &q, deadline_us);
}
