/* A binary heap of events, see sim_queue.h. */
#include "sim_queue.h"
#include "sim_clock.h"

#include <assert.h>
#include <stdlib.h>

static struct {
	struct sim_event **v;
	size_t n, cap;
	uint64_t seq;
} heap;

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void sift_up(size_t i)
{
	struct sim_event *e = heap.v[i];

	while (i > 0 && before(e, heap.v[(i - 1) / 2])) {
		heap.v[i] = heap.v[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap.v[i] = e;
}

static void sift_down(size_t i)
{
	struct sim_event *e = heap.v[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap.n)
			break;
		if (child + 1 < heap.n && before(heap.v[child + 1], heap.v[child]))
			child++;
		if (!before(heap.v[child], e))
			break;
		heap.v[i] = heap.v[child];
		i = child;
	}
	heap.v[i] = e;
}

void sim_queue_add(struct sim_event *e, int64_t at, void (*run)(struct sim_event *), void (*drop)(struct sim_event *))
{
	assert(!e->queued);
	if (heap.n == heap.cap) {
		heap.cap = heap.cap ? heap.cap * 2 : 256;
		heap.v = realloc(heap.v, heap.cap * sizeof(heap.v[0]));
		if (!heap.v)
			abort();
	}
	e->at = at < sim_now() ? sim_now() : at;
	e->seq = heap.seq++;
	e->run = run;
	e->drop = drop;
	e->queued = true;
	heap.v[heap.n++] = e;
	sift_up(heap.n - 1);
}

static void take_out(size_t i)
{
	heap.v[i]->queued = false;
	heap.n--;
	if (i == heap.n)
		return;
	heap.v[i] = heap.v[heap.n];
	sift_down(i);
	sift_up(i);
}

void sim_queue_remove(struct sim_event *e)
{
	if (!e->queued)
		return;
	for (size_t i = 0; i < heap.n; i++) {
		if (heap.v[i] == e) {
			take_out(i);
			return;
		}
	}
}

int64_t sim_queue_next(void)
{
	return heap.n ? heap.v[0]->at : INT64_MAX;
}

bool sim_queue_run_due(void)
{
	struct sim_event *e;

	if (sim_queue_next() > sim_now())
		return false;
	e = heap.v[0];
	take_out(0);
	e->run(e);
	return true;
}

void sim_queue_clear(void)
{
	while (heap.n) {
		struct sim_event *e = heap.v[heap.n - 1];

		take_out(heap.n - 1);
		if (e->drop)
			e->drop(e);
	}
	free(heap.v);
	heap.v = NULL;
	heap.cap = 0;
	heap.seq = 0;
}
