/*
 * What keeps a module from being unloaded, counted by kind. Taking and giving back is one relaxed search of a small
 * table and one atomic addition to a shard of the thread's own.
 */
#ifndef CORE_LOADER_HOLD_H
#define CORE_LOADER_HOLD_H

#include "base/defs.h"

#include <stdatomic.h>

/* Kinds of holds a module can have; those beyond are counted together as the last one. */
#define HOLD_KINDS  16
#define HOLD_SHARDS 8

/*
 * Taken and given back are counted apart and only grow. Reading all that was given back first and all that was taken
 * afterwards, two equal sums prove that there was a moment without any hold, although holds move between threads.
 */
struct hold_shard {
	_Alignas(64) _Atomic uint64_t taken[HOLD_KINDS];
	_Atomic uint64_t given[HOLD_KINDS];
};

struct hold_table {
	_Atomic(const char *) what[HOLD_KINDS];
	struct hold_shard shards[HOLD_SHARDS];
};

/* what must stay as long as the module is mapped. */
void hold_change(struct hold_table *t, int delta, const char *what);
/* Before the module's code goes, with nothing held: the words that it, or one that it needs, gave lie in there. */
void hold_reset(struct hold_table *t);
/* How many of that kind there are; never less than 0. */
long hold_count(const struct hold_table *t, unsigned kind);
/* Whether there was a moment during the call in which none of the kinds that wanted (NULL: all) accepts was held. */
bool hold_none(const struct hold_table *t, bool (*wanted)(const char *what));
/* Waits for that until deadline_us (rs_now_us scale). In the deterministic mode the pool is stepped instead. */
bool hold_wait_none(const struct hold_table *t, bool (*wanted)(const char *what), int64_t deadline_us);

#endif
