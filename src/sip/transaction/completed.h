/*
 * What is left of a transaction without INVITE that is completed. The server's is kept for Timer J: retransmissions get
 * the same answer from the thread that reads them, without a task. The client's is kept for Timer K: repetitions of its
 * response are no strays. One block of memory: the record, its key, the answer.
 */
#ifndef SIP_TRANSACTION_COMPLETED_H
#define SIP_TRANSACTION_COMPLETED_H

#include "sip/transaction/tsx.h"

struct tsx_completed {
	struct tsx_entry entry;
	int64_t due_us;
	struct sip_tx_data *tx; /* in the same block; NULL: nothing is said (RFC 4320 section 4.2) */
};

/* A copy of key, and of tx when it is sealed; a client's when key is one. NULL without memory. */
struct tsx_completed *tsx_completed_new(const struct tsx_entry *key, const struct sip_tx_data *tx, int64_t keep_us);
/* Whoever sends the answer at this moment keeps the block. NULL is allowed. */
void tsx_completed_free(struct tsx_completed *c);
size_t tsx_completed_size(const struct tsx_completed *c);

/* The records of a shard in the order in which they came; under the shard's lock. All zero: empty. */
struct tsx_waiting {
	struct tsx_completed **v;
	uint32_t size; /* a power of two, or 0 */
	uint32_t first, n;
};

bool tsx_waiting_reserve(struct tsx_waiting *w);                      /* room for one more; false: no memory */
void tsx_waiting_add(struct tsx_waiting *w, struct tsx_completed *c); /* there is room */
void tsx_waiting_take(struct tsx_waiting *w);                         /* the oldest goes */
void tsx_waiting_stop(struct tsx_waiting *w);

/* The record at place i, 0 the oldest; NULL when there are fewer. */
static inline struct tsx_completed *tsx_waiting_at(const struct tsx_waiting *w, uint32_t i)
{
	return i < w->n ? w->v[(w->first + i) & (w->size - 1)] : NULL;
}

#endif
