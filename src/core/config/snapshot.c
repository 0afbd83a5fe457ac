#include "core/config/snapshot.h"

#include "base/hash.h"
#include "core/config/load.h"
#include "core/config/module_file.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- tables ---- */

/* qsort_r's third argument is where the ids stand. */
static int by_id(const void *a, const void *b, void *id_at)
{
	size_t at = *(const size_t *)id_at;
	const struct rs_str *x = (const void *)(*(char *const *)a + at);
	const struct rs_str *y = (const void *)(*(char *const *)b + at);
	size_t n = x->len < y->len ? x->len : y->len;
	int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : x->len < y->len ? -1 : x->len > y->len;
}

static struct rs_str table_id(const struct conf_table *t, const void *object)
{
	return *(const struct rs_str *)(const void *)((const char *)object + t->id_at);
}

int conf_table_make(struct conf_table *t, void **v, uint32_t n, size_t id_at)
{
	uint32_t slots = 8;

	t->v = v;
	t->n = n;
	t->id_at = id_at;
	if (n == 0)
		return 0;
	qsort_r(v, n, sizeof(*v), by_id, &id_at);
	while (slots < n + n / 2)
		slots *= 2;
	t->slot = calloc(slots, sizeof(*t->slot));
	if (!t->slot)
		return -1;
	t->mask = slots - 1;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t h = rs_hash(table_id(t, v[i]));
		uint32_t at = (uint32_t)h & t->mask;

		while (t->slot[at].object)
			at = (at + 1) & t->mask;
		t->slot[at] = (struct conf_slot){.hash = h, .object = v[i]};
	}
	return 0;
}

void *conf_table_find(const struct conf_table *t, struct rs_str id)
{
	uint64_t h;

	if (t->n == 0)
		return NULL;
	h = rs_hash(id);
	for (uint32_t at = (uint32_t)h & t->mask; t->slot[at].object; at = (at + 1) & t->mask) {
		if (t->slot[at].hash != h)
			continue;
		/* What else is in it, while the id is waited for. */
		__builtin_prefetch((const char *)t->slot[at].object + CONF_LINE);
		if (rs_str_eq(table_id(t, t->slot[at].object), id))
			return t->slot[at].object;
	}
	return NULL;
}

static void table_free(struct conf_table *t, enum conf_magic magic)
{
	for (uint32_t i = 0; magic && i < t->n; i++)
		conf_object_unref(t->v[i], magic);
	free(t->v);
	free(t->slot);
}

/* ---- life ---- */

#define HOLDER ((int64_t)1 << 32)

struct ast_sip_snapshot *conf_snapshot_new(void)
{
	struct ast_sip_snapshot *s = calloc(1, sizeof(*s));

	if (s) {
		s->magic = CONF_MAGIC_SNAPSHOT;
		atomic_init(&s->refs, 1);
	}
	return s;
}

struct ast_sip_snapshot *conf_snapshot_view(struct ast_sip_snapshot *content, struct conf_file *const *files,
					    uint32_t n)
{
	const size_t at = offsetof(struct ast_sip_snapshot, pool);
	struct ast_sip_snapshot *s = conf_snapshot_new();

	if (!s)
		return NULL;
	s->files.v = calloc(n ? n : 1, sizeof(struct conf_file *));
	if (!s->files.v) {
		free(s);
		return NULL;
	}
	memcpy((char *)s + at, (const char *)content + at, sizeof(*s) - at);
	s->pool = (struct conf_pool){0};
	atomic_fetch_add_explicit(&content->refs, 1, memory_order_relaxed);
	s->content = content;
	for (uint32_t i = 0; i < n; i++)
		s->files.v[s->files.n++] = conf_file_ref(files[i]);
	return s;
}

void conf_transport_release(struct conf_transport *t)
{
	if (!t)
		return;
	conf_object_unref((struct conf_object *)(uintptr_t)t->t.local_net, CONF_MAGIC_ACL);
	conf_object_unref((struct conf_object *)t->extras, CONF_MAGIC_EXTRAS);
}

static void content_free(struct ast_sip_snapshot *s)
{
	for (uint32_t i = 0; i < s->transports.n; i++)
		conf_transport_release(s->transports.v[i]);
	table_free(&s->endpoints, CONF_MAGIC_ENDPOINT);
	table_free(&s->aors, CONF_MAGIC_AOR);
	table_free(&s->auths, CONF_MAGIC_AUTH);
	table_free(&s->identifies, CONF_MAGIC_IDENTIFY);
	table_free(&s->acls, CONF_MAGIC_ACL);
	table_free(&s->transports, 0);
	table_free(&s->aliases, 0);
	conf_object_unref((struct conf_object *)s->artificial, CONF_MAGIC_ENDPOINT);
	conf_object_unref((struct conf_object *)s->global_extras, CONF_MAGIC_EXTRAS);
	conf_object_unref((struct conf_object *)s->system_extras, CONF_MAGIC_EXTRAS);
	table_free(&s->own, 0);
	conf_pool_free(&s->pool);
	s->magic = 0;
	free(s);
}

static void snapshot_free(struct ast_sip_snapshot *s)
{
	struct ast_sip_snapshot *content = s->content;

	if (!content) {
		content_free(s);
		return;
	}
	conf_files_free(&s->files);
	s->magic = 0;
	free(s);
	if (atomic_fetch_sub_explicit(&content->refs, 1, memory_order_acq_rel) == 1)
		content_free(content);
}

/* ---- the snapshot in force ---- */

/*
 * Each request pins a snapshot, so pins must not meet on one counter. A thread holds the snapshot that it saw last
 * and counts pins on it for itself, without atomics; a pin given back by another thread goes to the shared counter.
 * Either part alone may be negative; their sum is right once no thread holds the snapshot any more, and only then can
 * the whole word be zero. A generation number tells a thread that a newer snapshot is in force.
 */
static struct {
	pthread_mutex_t lock; /* current; taken only when a new one was installed */
	struct ast_sip_snapshot *current;
	_Atomic uint64_t generation;
	pthread_key_t key;
	pthread_once_t once;
	void (*reclaim)(void (*run)(void *), void *arg);
} force = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static _Thread_local struct {
	struct ast_sip_snapshot *held;
	uint64_t generation;
	int64_t pins;
} mine;

static void snapshot_free_task(void *s)
{
	snapshot_free(s);
}

static void refs_add(struct ast_sip_snapshot *s, int64_t n)
{
	if (atomic_fetch_add_explicit(&s->refs, n, memory_order_acq_rel) + n != 0)
		return;
	if (force.reclaim)
		force.reclaim(snapshot_free_task, s);
	else
		snapshot_free(s);
}

void ast_sip_snapshot_set_reclaim(void (*reclaim)(void (*run)(void *), void *arg))
{
	force.reclaim = reclaim;
}

void ast_sip_snapshot_thread_release(void)
{
	struct ast_sip_snapshot *s = mine.held;
	int64_t pins = mine.pins;

	mine.held = NULL;
	mine.pins = 0;
	mine.generation = 0;
	if (s)
		refs_add(s, pins - HOLDER);
}

static void thread_ends(void *unused)
{
	(void)unused;
	ast_sip_snapshot_thread_release();
}

static void key_make(void)
{
	(void)pthread_key_create(&force.key, thread_ends);
}

/* The snapshot in force, held by this thread until the next call. */
static struct ast_sip_snapshot *snapshot_peek(void)
{
	uint64_t generation = atomic_load_explicit(&force.generation, memory_order_acquire);

	if (mine.generation == generation)
		return mine.held;
	ast_sip_snapshot_thread_release();
	pthread_once(&force.once, key_make);
	pthread_mutex_lock(&force.lock);
	mine.held = force.current;
	mine.generation = atomic_load_explicit(&force.generation, memory_order_relaxed);
	if (mine.held)
		refs_add(mine.held, HOLDER);
	pthread_mutex_unlock(&force.lock);
	pthread_setspecific(force.key, &mine);
	return mine.held;
}

struct ast_sip_snapshot *ast_sip_snapshot_get(void)
{
	struct ast_sip_snapshot *s = snapshot_peek();

	if (s)
		mine.pins++;
	return s;
}

struct ast_sip_snapshot *ast_sip_snapshot_ref(struct ast_sip_snapshot *s)
{
	if (s == mine.held && s)
		mine.pins++;
	else if (s)
		refs_add(s, 1);
	return s;
}

void ast_sip_snapshot_unref(struct ast_sip_snapshot *s)
{
	if (s == mine.held && s)
		mine.pins--;
	else if (s)
		refs_add(s, -1);
}

void ast_sip_snapshot_install(struct ast_sip_snapshot *s)
{
	struct ast_sip_snapshot *old;

	if (s)
		refs_add(s, HOLDER - 1);
	pthread_mutex_lock(&force.lock);
	old = force.current;
	force.current = s;
	atomic_fetch_add_explicit(&force.generation, 1, memory_order_release);
	pthread_mutex_unlock(&force.lock);
	if (old)
		refs_add(old, -HOLDER);
	(void)snapshot_peek();
}

/* ---- objects of a snapshot ---- */

struct ast_sip_endpoint *ast_sip_endpoint_find(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_object_ref(conf_table_find(&s->endpoints, id), CONF_MAGIC_ENDPOINT);
}

struct ast_sip_aor *ast_sip_aor_find(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_object_ref(conf_table_find(&s->aors, id), CONF_MAGIC_AOR);
}

struct ast_sip_auth *ast_sip_auth_find(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_object_ref(conf_table_find(&s->auths, id), CONF_MAGIC_AUTH);
}

struct ast_sip_endpoint *ast_sip_snapshot_endpoint(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_table_find(&s->endpoints, id);
}

struct ast_sip_aor *ast_sip_snapshot_aor(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_table_find(&s->aors, id);
}

struct ast_sip_auth *ast_sip_snapshot_auth(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_table_find(&s->auths, id);
}

void ast_sip_snapshot_expect(const struct ast_sip_snapshot *s, struct rs_str user)
{
	if (s->endpoints.n)
		__builtin_prefetch(&s->endpoints.slot[(uint32_t)rs_hash(user) & s->endpoints.mask]);
}

bool ast_sip_snapshot_has_at_endpoints(const struct ast_sip_snapshot *s)
{
	return s->at_endpoints;
}

bool ast_sip_snapshot_informational(const struct ast_sip_snapshot *s)
{
	return s->informational;
}

struct ast_sip_endpoint *ast_sip_endpoint_get(struct rs_str id)
{
	struct ast_sip_snapshot *s = snapshot_peek();

	return s ? ast_sip_endpoint_find(s, id) : NULL;
}

struct ast_sip_aor *ast_sip_aor_get(struct rs_str id)
{
	struct ast_sip_snapshot *s = snapshot_peek();

	return s ? ast_sip_aor_find(s, id) : NULL;
}

struct ast_sip_auth *ast_sip_auth_get(struct rs_str id)
{
	struct ast_sip_snapshot *s = snapshot_peek();

	return s ? ast_sip_auth_find(s, id) : NULL;
}

struct ast_sip_endpoint *ast_sip_artificial_endpoint(void)
{
	struct ast_sip_snapshot *s = snapshot_peek();

	return s ? ast_sip_endpoint_ref(s->artificial) : NULL;
}

struct rs_str ast_sip_domain_alias_find(struct ast_sip_snapshot *s, struct rs_str alias)
{
	const struct conf_alias *a = conf_table_find(&s->aliases, alias);

	return a ? a->domain : RS_STR_NULL;
}

const struct ast_sip_transport *ast_sip_transport_find(struct ast_sip_snapshot *s, struct rs_str id)
{
	return conf_table_find(&s->transports, id);
}

struct ast_sip_endpoints ast_sip_snapshot_endpoints(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_endpoints){(struct ast_sip_endpoint *const *)s->endpoints.v, s->endpoints.n};
}

struct ast_sip_aors ast_sip_snapshot_aors(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_aors){(struct ast_sip_aor *const *)s->aors.v, s->aors.n};
}

struct ast_sip_auths ast_sip_snapshot_auths(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_auths){(struct ast_sip_auth *const *)s->auths.v, s->auths.n};
}

struct ast_sip_identifies ast_sip_snapshot_identifies(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_identifies){(struct ast_sip_identify *const *)s->identifies.v, s->identifies.n};
}

struct ast_sip_acls ast_sip_snapshot_acls(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_acls){(struct ast_sip_acl *const *)s->acls.v, s->acls.n};
}

struct ast_sip_transports ast_sip_snapshot_transports(struct ast_sip_snapshot *s)
{
	return (struct ast_sip_transports){(const struct ast_sip_transport *const *)s->transports.v, s->transports.n};
}

const struct ast_sip_global *ast_sip_snapshot_global(struct ast_sip_snapshot *s)
{
	return &s->global;
}

const struct ast_sip_system *ast_sip_snapshot_system(struct ast_sip_snapshot *s)
{
	return &s->system;
}

struct ast_sip_strings ast_sip_snapshot_not_applicable(struct ast_sip_snapshot *s)
{
	return s->not_applicable;
}
