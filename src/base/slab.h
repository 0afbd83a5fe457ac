/*
 * Slab: blocks of one size, kept in a free list for each thread (with a bound) above malloc. A block may be freed by
 * another thread than the one that took it. Under sanitizers it is plain malloc, so that they see every block.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/defs.h"

#include <stdatomic.h>

struct rs_slab {
	const char *name;
	size_t size;          /* bytes a block */
	uint32_t keep;        /* most free blocks kept by a thread */
	uint32_t index;       /* set by rs_slab_register */
	_Atomic int64_t live; /* blocks handed out now; counted in batches when sanitizers are off */
};

/* At most 16 slabs, registered before the pool starts. */
void rs_slab_register(struct rs_slab *slab);
void *rs_slab_alloc(struct rs_slab *slab); /* NULL: no memory; not cleared */
void rs_slab_free(struct rs_slab *slab, void *block);
/* Blocks of all slabs that are handed out, once every thread that used one has called rs_slab_thread_fini. */
int64_t rs_slab_live(void);
/* Gives the calling thread's free blocks back; called when a pool thread ends. */
void rs_slab_thread_fini(void);

#endif
