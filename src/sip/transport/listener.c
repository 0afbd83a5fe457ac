/* The table of listeners, their names, and paths. */
#include "sip/transport/listener.h"

#include "base/log.h"
#include "sip/transport/flow.h"
#include "sip/transport/conn.h"
#include "sip/transport/tp.h"

#include <errno.h>
#include <stdlib.h>

/* ---- names that live as long as the process ---- */

struct name {
	struct name *next;
	struct rs_str text;
};
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct name *) names;

struct rs_str sip_listener_intern(struct rs_str text)
{
	for (struct name *n = atomic_load_explicit(&names, memory_order_acquire); n; n = n->next)
		if (rs_str_eq(n->text, text))
			return n->text;
	return RS_STR_NULL;
}

static struct rs_str intern_new(struct rs_str text)
{
	struct rs_str known = sip_listener_intern(text);
	struct name *n;

	if (known.p)
		return known;
	n = malloc(sizeof(*n));
	if (!n)
		return RS_STR_NULL;
	n->text = rs_str_n(rs_str_dup(text), text.len);
	if (!n->text.p) {
		free(n);
		return RS_STR_NULL;
	}
	n->next = atomic_load_explicit(&names, memory_order_relaxed);
	atomic_store_explicit(&names, n, memory_order_release);
	return n->text;
}

/* ---- paths ---- */

static struct sip_path paths[SIP_MAX_PATHS];
static _Atomic uint32_t n_paths;

struct sip_path *sip_path_get(uint16_t index)
{
	return index < atomic_load_explicit(&n_paths, memory_order_acquire) ? &paths[index] : NULL;
}

struct sip_listener *sip_path_listener(const struct sip_path *p)
{
	return atomic_load_explicit(&p->listener, memory_order_acquire);
}

static int path_intern_locked(struct sip_listener *l, const struct sip_addr *local)
{
	uint32_t n = atomic_load_explicit(&n_paths, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		if (rs_str_eq(paths[i].name, l->name) && sip_addr_eq(&paths[i].local, local) &&
		    paths[i].local.scope_id == local->scope_id)
			return (int)i;
	if (n == SIP_MAX_PATHS)
		return -1;
	paths[n].name = l->name;
	paths[n].local = *local;
	paths[n].wildcard = l->wildcard;
	atomic_store_explicit(&paths[n].listener, l, memory_order_relaxed);
	atomic_store_explicit(&n_paths, n + 1, memory_order_release);
	return (int)n;
}

uint16_t sip_path_intern(struct sip_listener *l, const struct sip_addr *local)
{
	int i;

	pthread_mutex_lock(&table_lock);
	i = path_intern_locked(l, local);
	pthread_mutex_unlock(&table_lock);
	return i < 0 ? l->path : (uint16_t)i;
}

/* A listener of the same name takes over the paths that fit it; a flow to a listener that was bound elsewhere is gone.
 */
static void paths_attach_locked(struct sip_listener *l)
{
	uint32_t n = atomic_load_explicit(&n_paths, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		if (rs_str_eq(paths[i].name, l->name) && paths[i].local.port == l->bound.port &&
		    paths[i].wildcard == l->wildcard && paths[i].local.family == l->bound.family &&
		    (l->wildcard || sip_addr_same_ip(&paths[i].local, &l->bound)))
			atomic_store_explicit(&paths[i].listener, l, memory_order_release);
}

static void paths_detach_locked(struct sip_listener *l)
{
	uint32_t n = atomic_load_explicit(&n_paths, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		if (sip_path_listener(&paths[i]) == l)
			atomic_store_explicit(&paths[i].listener, NULL, memory_order_release);
}

/* ---- the table ---- */

static _Atomic(struct sip_listener *) table[SIP_MAX_LISTENERS];
static _Atomic unsigned table_used; /* entries from here on were never used */
static struct sip_listener *all;    /* also those closed; freed by sip_listeners_free */

static struct sip_listener *table_get(unsigned i)
{
	return atomic_load_explicit(&table[i], memory_order_acquire);
}

struct sip_listener *sip_listener_find(enum sip_transport_type type, uint8_t family, struct rs_str name)
{
	unsigned n = atomic_load_explicit(&table_used, memory_order_acquire);

	for (unsigned i = 0; i < n; i++) {
		struct sip_listener *l = table_get(i);

		if (l && l->type == type && l->bound.family == family && (!name.len || rs_str_eq(l->name, name)))
			return l;
	}
	return NULL;
}

unsigned sip_thread_hint(void)
{
	static _Atomic unsigned counter;
	static _Thread_local unsigned hint;

	if (!hint)
		hint = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) + 1;
	return hint - 1;
}

struct sip_stat_cell *sip_listener_stat(struct sip_listener *l)
{
	return &l->slots[sip_thread_hint() % l->n_slots].stats;
}

static void listener_free(struct sip_listener *l)
{
	for (unsigned i = 0; i < l->n_slots; i++)
		pthread_mutex_destroy(&l->slots[i].lock);
	free(l->slots);
	free(l);
}

static struct sip_listener *listener_new(const struct sip_listener_config *config, struct rs_str name)
{
	struct sip_listener *l = calloc(1, sizeof(*l));
	unsigned n = sip_tp.limits.readers;

	if (!l)
		return NULL;
	l->name = name;
	l->type = config->type;
	l->ops = sip_transport_ops(config->type);
	l->opts = config->sock;
	l->bound = config->sock.bind;
	l->wildcard = sip_addr_is_any(&l->bound);
	l->n_slots = n < 1 ? 1 : n > SIP_MAX_READERS ? SIP_MAX_READERS : n;
	l->slots = aligned_alloc(64, l->n_slots * sizeof(*l->slots));
	if (!l->slots) {
		free(l);
		return NULL;
	}
	memset(l->slots, 0, l->n_slots * sizeof(*l->slots));
	for (unsigned i = 0; i < l->n_slots; i++)
		pthread_mutex_init(&l->slots[i].lock, NULL);
	return l;
}

static int name_free_slot_locked(struct rs_str name)
{
	int slot = -ENOSPC;

	for (unsigned i = 0; i < SIP_MAX_LISTENERS; i++) {
		struct sip_listener *l = table_get(i);

		if (l && rs_str_eq(l->name, name))
			return -EEXIST;
		if (!l && slot < 0)
			slot = (int)i;
	}
	return slot;
}

/* NULL: *error says why. */
static struct sip_listener *open_locked(const struct sip_listener_config *config, int *error)
{
	int slot = name_free_slot_locked(config->name), path;
	struct rs_str name = intern_new(config->name);
	struct sip_listener *l;

	*error = slot < 0 ? -slot : ENOMEM;
	l = slot >= 0 && name.p ? listener_new(config, name) : NULL;
	if (!l)
		return NULL;
	*error = l->ops->open(l);
	if (*error) {
		listener_free(l);
		return NULL;
	}
	l->next = all;
	all = l;
	path = path_intern_locked(l, &l->bound);
	if (path < 0) {
		l->ops->close(l);
		*error = ENOSPC;
		return NULL;
	}
	l->path = (uint16_t)path;
	paths_attach_locked(l);
	atomic_store_explicit(&l->open, true, memory_order_release);
	atomic_store_explicit(&table[slot], l, memory_order_release);
	if ((unsigned)slot >= atomic_load_explicit(&table_used, memory_order_relaxed))
		atomic_store_explicit(&table_used, (unsigned)slot + 1, memory_order_release);
	return l;
}

int sip_listener_open(const struct sip_listener_config *config, struct sip_addr *bound)
{
	char text[SIP_ADDR_TEXT];
	struct sip_listener *l;
	int error;

	if (!sip_transport_ops(config->type) || !config->name.len || !config->sock.bind.family)
		return EINVAL;
	pthread_mutex_lock(&table_lock);
	l = open_locked(config, &error);
	pthread_mutex_unlock(&table_lock);
	/* Only now are its sockets read: everything that a message leads to can be found. */
	if (l)
		error = l->ops->start(l);
	if (!l || error) {
		if (l)
			(void)sip_listener_close(l->name, true);
		rs_event(RS_LOG_ERROR, "listener.open_failed", RS_FS("transport", config->name),
			 RS_FZ("protocol", sip_transport_name(config->type)),
			 RS_FZ("bind", sip_addr_text(&config->sock.bind, true, text)), RS_FZ("error", strerror(error)));
		return error;
	}
	if (bound)
		*bound = l->bound;
	rs_event(RS_LOG_INFO, "listener.open", RS_FS("transport", l->name),
		 RS_FZ("protocol", sip_transport_name(l->type)), RS_FZ("bound", sip_addr_text(&l->bound, true, text)));
	return 0;
}

static void close_listener(struct sip_listener *l)
{
	atomic_store_explicit(&l->open, false, memory_order_release);
	l->ops->close(l);
	sip_watches_udp_closed();
	rs_event(RS_LOG_INFO, "listener.closed", RS_FS("transport", l->name));
}

int sip_listener_close(struct rs_str name, bool connections)
{
	struct sip_listener *l = NULL;

	pthread_mutex_lock(&table_lock);
	for (unsigned i = 0; i < SIP_MAX_LISTENERS && !l; i++) {
		struct sip_listener *at = table_get(i);

		if (at && rs_str_eq(at->name, name)) {
			l = at;
			atomic_store_explicit(&table[i], NULL, memory_order_release);
			paths_detach_locked(l);
		}
	}
	pthread_mutex_unlock(&table_lock);
	if (!l)
		return ENOENT;
	close_listener(l);
	if (connections && l->ops->stream)
		sip_conns_close(l);
	return 0;
}

void sip_listeners_close_all(void)
{
	for (unsigned i = 0; i < SIP_MAX_LISTENERS; i++) {
		struct sip_listener *l;

		pthread_mutex_lock(&table_lock);
		l = atomic_exchange_explicit(&table[i], NULL, memory_order_acq_rel);
		if (l)
			paths_detach_locked(l);
		pthread_mutex_unlock(&table_lock);
		if (l)
			close_listener(l);
	}
}

void sip_listeners_free(void)
{
	pthread_mutex_lock(&table_lock);
	while (all) {
		struct sip_listener *l = all;

		all = l->next;
		listener_free(l);
	}
	pthread_mutex_unlock(&table_lock);
}

void sip_transport_each(void (*each)(void *token, const struct sip_listener_stats *stats), void *token)
{
	for (unsigned i = 0; i < SIP_MAX_LISTENERS; i++) {
		struct sip_listener *l = table_get(i);
		struct sip_listener_stats s;

		if (!l)
			continue;
		s = (struct sip_listener_stats){.name = l->name, .type = l->type, .bound = l->bound};
		for (unsigned k = 0; k < l->n_slots; k++) {
			struct sip_stat_cell *c = &l->slots[k].stats;

			s.received += atomic_load_explicit(&c->received, memory_order_relaxed);
			s.sent += atomic_load_explicit(&c->sent, memory_order_relaxed);
			s.dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
			s.parse_errors += atomic_load_explicit(&c->parse_errors, memory_order_relaxed);
			s.connections_refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
		}
		s.connections_now = atomic_load_explicit(&l->connections, memory_order_relaxed);
		each(token, &s);
	}
}
