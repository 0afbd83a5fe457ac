/*
 * The table of dialogs: shards with a lock each, chosen by a keyed hash of Call-ID and local tag. The remote tag is not
 * part of the hash: a dialog of ours is in the table before the peer has one, and the forks of an INVITE lie together.
 */
#include "sip/dialog/dialog.h"

#include "base/hash.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define SHARDS 256

struct shard {
	alignas(64) pthread_mutex_t lock;
	struct tsx_index index;
};

static struct shard shards[SHARDS];
static bool started;

static struct shard *shard_of(uint64_t hash)
{
	return &shards[hash >> 56];
}

uint64_t dialog_hash(struct rs_str call_id, struct rs_str local_tag)
{
	return rs_hash_mix(rs_hash(call_id), rs_hash(local_tag));
}

void dialog_table_expect(uint64_t hash)
{
	tsx_index_prefetch(&shard_of(hash)->index, hash);
}

/* ---- the lock is held ---- */

static struct sip_dialog *of(struct tsx_entry *e)
{
	return rs_container_of(e, struct sip_dialog, entry);
}

static bool is(const struct sip_dialog *d, struct rs_str call_id, struct rs_str local_tag, struct rs_str remote_tag)
{
	return rs_str_eq(d->local_tag, local_tag) && rs_str_eq(d->call_id, call_id) &&
	       rs_str_eq(sip_dialog_remote_tag(d), remote_tag);
}

/* Referenced. */
static struct sip_dialog *find(const struct shard *s, uint64_t hash, struct rs_str call_id, struct rs_str local_tag,
			       struct rs_str remote_tag)
{
	uint32_t at = 0;

	for (struct tsx_entry *e; (e = tsx_index_next(&s->index, hash, &at));) {
		if (is(of(e), call_id, local_tag, remote_tag) && dialog_try_ref(of(e)))
			return of(e);
	}
	return NULL;
}

/* ---- */

struct sip_dialog *dialog_table_find(uint64_t hash, struct rs_str call_id, struct rs_str local_tag,
				     struct rs_str remote_tag)
{
	struct shard *s = shard_of(hash);
	struct sip_dialog *d;

	pthread_mutex_lock(&s->lock);
	d = find(s, hash, call_id, local_tag, remote_tag);
	pthread_mutex_unlock(&s->lock);
	return d;
}

int dialog_table_insert(struct sip_dialog *d)
{
	struct shard *s = shard_of(d->entry.hash);
	struct sip_dialog *same;
	int error = 0;

	pthread_mutex_lock(&s->lock);
	same = find(s, d->entry.hash, d->call_id, d->local_tag, sip_dialog_remote_tag(d));
	if (same)
		error = EEXIST;
	else if (!tsx_index_reserve(&s->index))
		error = ENOMEM;
	if (!error) {
		tsx_index_add(&s->index, &d->entry);
		d->listed = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (same)
		sip_dialog_unref(same);
	return error;
}

void dialog_table_remove(struct sip_dialog *d)
{
	struct shard *s = shard_of(d->entry.hash);

	pthread_mutex_lock(&s->lock);
	if (d->listed)
		tsx_index_remove(&s->index, &d->entry);
	d->listed = false;
	pthread_mutex_unlock(&s->lock);
}

struct sip_dialog *dialog_table_any(unsigned *shard)
{
	struct sip_dialog *d = NULL;

	for (; *shard < SHARDS; (*shard)++) {
		struct shard *s = &shards[*shard];

		pthread_mutex_lock(&s->lock);
		for (uint32_t i = 0; i < s->index.size && !d; i++) {
			if (s->index.places[i].entry && dialog_try_ref(of(s->index.places[i].entry)))
				d = of(s->index.places[i].entry);
		}
		pthread_mutex_unlock(&s->lock);
		if (d)
			return d;
	}
	return NULL;
}

/* Those of one shard, referenced; how many. NULL in *out: none, or no memory. */
static uint32_t snapshot(struct shard *s, struct sip_dialog ***out)
{
	uint32_t n = 0;

	pthread_mutex_lock(&s->lock);
	*out = s->index.n ? malloc(s->index.n * sizeof(struct sip_dialog *)) : NULL;
	for (uint32_t i = 0; *out && i < s->index.size; i++) {
		if (s->index.places[i].entry && dialog_try_ref(of(s->index.places[i].entry)))
			(*out)[n++] = of(s->index.places[i].entry);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

void sip_dialog_each(void (*each)(void *token, struct sip_dialog *dlg), void *token)
{
	for (unsigned i = 0; i < SHARDS && started; i++) {
		struct sip_dialog **v;
		uint32_t n = snapshot(&shards[i], &v);

		for (uint32_t k = 0; k < n; k++) {
			each(token, v[k]);
			sip_dialog_unref(v[k]);
		}
		free(v);
	}
}

int dialog_table_start(void)
{
	for (int i = 0; i < SHARDS && !started; i++)
		pthread_mutex_init(&shards[i].lock, NULL);
	started = true;
	for (int i = 0; i < SHARDS; i++) {
		if (tsx_index_start(&shards[i].index)) {
			dialog_table_stop();
			return ENOMEM;
		}
	}
	return 0;
}

void dialog_table_stop(void)
{
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		tsx_index_stop(&shards[i].index);
		pthread_mutex_unlock(&shards[i].lock);
	}
}
