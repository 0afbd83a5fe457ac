/* See completed.h. */
#include "sip/transaction/completed.h"

#include "base/clock.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_SIZE 16

/* ---- records ---- */

static size_t place_of_answer(size_t key_len)
{
	size_t align = alignof(max_align_t);

	return (sizeof(struct tsx_completed) + key_len + align - 1) / align * align;
}

struct tsx_completed *tsx_completed_new(const struct tsx_entry *key, const struct sip_tx_data *tx, int64_t keep_us)
{
	size_t place = place_of_answer(key->key_len);
	struct sip_tx_data *answer = NULL;
	struct tsx_completed *c;

	if (tx && tx->sealed) {
		answer = tx_reduce_behind(tx, place);
		c = answer ? (void *)((char *)answer - place) : NULL;
	} else {
		c = malloc(place);
	}
	if (!c)
		return NULL;
	*c = (struct tsx_completed){.entry = {.hash = key->hash,
					      .key = (char *)(c + 1),
					      .key_len = key->key_len,
					      .kind = key->kind == TSX_KIND_CLIENT ? TSX_KIND_ENDED : TSX_KIND_ANSWERED,
					      .method = key->method},
				    .due_us = rs_now_us() + keep_us,
				    .tx = answer};
	memcpy(c + 1, key->key, key->key_len);
	return c;
}

void tsx_completed_free(struct tsx_completed *c)
{
	if (c && c->tx)
		sip_tx_unref(c->tx);
	else
		free(c);
}

size_t tsx_completed_size(const struct tsx_completed *c)
{
	return place_of_answer(c->entry.key_len) + (c->tx ? tx_reduced_size(c->tx) : 0);
}

/* ---- their queue ---- */

static int resize(struct tsx_waiting *w, uint32_t size)
{
	struct tsx_completed **v = malloc(size * sizeof(struct tsx_completed *));

	if (!v)
		return -1;
	for (uint32_t i = 0; i < w->n; i++)
		v[i] = tsx_waiting_at(w, i);
	free(w->v);
	w->v = v;
	w->size = size;
	w->first = 0;
	return 0;
}

bool tsx_waiting_reserve(struct tsx_waiting *w)
{
	return w->n < w->size || resize(w, w->size ? w->size * 2 : FIRST_SIZE) == 0;
}

void tsx_waiting_add(struct tsx_waiting *w, struct tsx_completed *c)
{
	w->v[(w->first + w->n++) & (w->size - 1)] = c;
}

void tsx_waiting_take(struct tsx_waiting *w)
{
	w->first = (w->first + 1) & (w->size - 1);
	w->n--;
	/* What a burst took is given back. */
	if (w->size > FIRST_SIZE && w->n * 8 < w->size)
		(void)resize(w, w->size / 2);
}

void tsx_waiting_stop(struct tsx_waiting *w)
{
	free(w->v);
	*w = (struct tsx_waiting){0};
}
