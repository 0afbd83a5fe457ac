/* The single-threaded mode: one task at a time on the caller's thread, chosen by a seed or by whoever asked to. */
#include "base/pool.h"

#include <stdlib.h>

/* A choice is made among so many of the oldest ready items: enough to shuffle, and a step stays cheap in a crowd. */
#define WINDOW 64

static uint64_t prng;
static uint32_t (*chooser)(uint32_t n);

/* splitmix64: any seed will do, 0 included. */
static uint64_t prng_next(void)
{
	uint64_t z = prng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void rs_taskpool_set_chooser(uint32_t (*choose)(uint32_t n))
{
	chooser = choose;
}

static uint32_t choose(uint32_t n)
{
	return (uint32_t)((chooser ? chooser(n) : prng_next()) % n);
}

int rs_deterministic_start(void)
{
	prng = rs_pool.config.seed;
	rs_timers_start();
	return 0;
}

/* Steps may lie within each other (a task that waits in rs_call): only the outermost begins and ends the work. */
static struct rs_worker *step_begin(void)
{
	struct rs_worker *w = rs_worker_at(0);

	if (w->depth++ == 0) {
		rs_self = w;
		rs_quiet_enter(&w->mark);
	}
	return w;
}

static void step_end(struct rs_worker *w)
{
	if (--w->depth)
		return;
	rs_pool_flush();
	rs_quiet_leave(&w->mark);
	rs_self = NULL;
}

bool rs_taskpool_step(void)
{
	uint32_t ready = atomic_load_explicit(&rs_pool.inject.n, memory_order_relaxed);
	unsigned lanes = rs_executor_runnable();
	struct rs_worker *w;
	uint32_t pick;

	if (ready > WINDOW)
		ready = WINDOW;
	if (ready + lanes == 0)
		return false;
	w = step_begin();
	pick = choose(ready + lanes);
	if (pick < ready) {
		rs_worker_run_item(w, rs_readyq_take_at(&rs_pool.inject, pick), 1);
	} else {
		/* A job is no pool thread's work: what it pushes comes from outside. */
		rs_self = NULL;
		rs_executor_run(pick - ready);
		rs_self = w;
	}
	step_end(w);
	return true;
}

bool rs_deterministic_drain(void)
{
	while (rs_taskpool_step())
		;
	return rs_pool_unfinished() == 0;
}

int rs_deterministic_wait(struct rs_serializer *s, const bool *done)
{
	struct rs_worker *w = step_begin();

	/*
	 * Only the serializer that is waited for is stepped, and what it waits for in turn. To step others here would
	 * put their frames above this one, where each could only end after the other: a lock that the threads do not
	 * have.
	 */
	while (!*done) {
		/* It has the call's task queued; it could only be running below this frame, which is a refused cycle.
		 */
		if (!rs_readyq_take_item(&rs_pool.inject, rs_item_serializer(s)))
			abort();
		rs_worker_run_item(w, rs_item_serializer(s), 1);
	}
	step_end(w);
	return 0;
}
