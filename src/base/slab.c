/* Slabs: a bounded free list for each thread and slab, above malloc. */
#include "base/slab.h"

#include <stdlib.h>

#define SLAB_MAX 16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLAB_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SLAB_PLAIN 1
#endif
#endif

static struct rs_slab *slabs[SLAB_MAX];
static uint32_t registered;

int64_t rs_slab_live(void)
{
	int64_t live = 0;

	for (uint32_t i = 0; i < registered; i++)
		live += atomic_load_explicit(&slabs[i]->live, memory_order_relaxed);
	return live;
}

#ifdef SLAB_PLAIN

void rs_slab_register(struct rs_slab *slab)
{
	if (registered == SLAB_MAX)
		abort();
	slab->index = registered++;
	slabs[slab->index] = slab;
}

void *rs_slab_alloc(struct rs_slab *slab)
{
	void *block = malloc(slab->size);

	if (block)
		atomic_fetch_add_explicit(&slab->live, 1, memory_order_relaxed);
	return block;
}

void rs_slab_free(struct rs_slab *slab, void *block)
{
	if (!block)
		return;
	atomic_fetch_sub_explicit(&slab->live, 1, memory_order_relaxed);
	free(block);
}

void rs_slab_thread_fini(void) {}

#else

/* How far a thread's count of live blocks may drift from the shared one before it is added there. */
#define LIVE_BATCH 64

struct free_block {
	struct free_block *next;
};

struct free_list {
	struct free_block *head;
	uint32_t n;
	int32_t live; /* not yet in slab->live */
};

static _Thread_local struct free_list lists[SLAB_MAX];

void rs_slab_register(struct rs_slab *slab)
{
	if (registered == SLAB_MAX)
		abort();
	if (slab->size < sizeof(struct free_block))
		slab->size = sizeof(struct free_block);
	slab->index = registered++;
	slabs[slab->index] = slab;
}

static void count_live(struct rs_slab *slab, struct free_list *list, int32_t by)
{
	list->live += by;
	if (list->live >= LIVE_BATCH || list->live <= -LIVE_BATCH) {
		atomic_fetch_add_explicit(&slab->live, list->live, memory_order_relaxed);
		list->live = 0;
	}
}

void *rs_slab_alloc(struct rs_slab *slab)
{
	struct free_list *list = &lists[slab->index];
	struct free_block *block = list->head;

	if (block) {
		list->head = block->next;
		list->n--;
	} else {
		block = malloc(slab->size);
		if (!block)
			return NULL;
	}
	count_live(slab, list, 1);
	return block;
}

void rs_slab_free(struct rs_slab *slab, void *block)
{
	struct free_list *list = &lists[slab->index];
	struct free_block *b = block;

	if (!block)
		return;
	count_live(slab, list, -1);
	if (list->n >= slab->keep) {
		free(block);
		return;
	}
	b->next = list->head;
	list->head = b;
	list->n++;
}

void rs_slab_thread_fini(void)
{
	for (uint32_t i = 0; i < registered; i++) {
		struct free_list *list = &lists[i];

		while (list->head) {
			struct free_block *b = list->head;

			list->head = b->next;
			free(b);
		}
		list->n = 0;
		atomic_fetch_add_explicit(&slabs[i]->live, list->live, memory_order_relaxed);
		list->live = 0;
	}
}

#endif
