/*
 * Registration: services, identifiers, authenticators and formatters. Writers keep a list under a lock and publish an
 * immutable record of it (registered.h); what was replaced is freed once no pool thread can hold it.
 */
#include "core/registered.h"
#include "core/core.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Registrations at once: a module that registers in a loop must not eat the memory. */
#define MAX_ENTRIES 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ast_sip_entry entries[MAX_ENTRIES]; /* in order of registration; under lock, as the rest */
static size_t n_entries;
static char **loaded; /* identifiers by load lines */
static size_t n_loaded;
static bool started;

static _Atomic(struct ast_sip_registered *) current;

static const char *const kind_names[AST_SIP_ENTRY_KINDS] = {
	[AST_SIP_ENTRY_SERVICE] = "service",
	[AST_SIP_ENTRY_IDENTIFIER] = "identifier",
	[AST_SIP_ENTRY_AUTHENTICATOR] = "authenticator",
	[AST_SIP_ENTRY_OUTBOUND_AUTHENTICATOR] = "outbound authenticator",
	[AST_SIP_ENTRY_FORMATTER] = "formatter",
};

/* ---- readers ---- */

/*
 * A task of the pool needs no count: it ends before the quiet point after which the record is freed. Everybody else
 * takes one under the lock.
 */
const struct ast_sip_registered *ast_sip_registered_enter(void)
{
	struct ast_sip_registered *r;

	if (rs_on_pool_thread())
		return atomic_load_explicit(&current, memory_order_acquire);
	pthread_mutex_lock(&lock);
	r = atomic_load_explicit(&current, memory_order_acquire);
	if (r)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&lock);
	return r;
}

static void registered_unref(struct ast_sip_registered *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		free(r);
}

void ast_sip_registered_leave(const struct ast_sip_registered *r)
{
	if (r && !rs_on_pool_thread())
		registered_unref((struct ast_sip_registered *)r);
}

static void passed_quiet_point(void *token)
{
	registered_unref(token);
}

/* ---- writers; all under lock ---- */

static void hold(const struct ast_sip_entry *e, int delta)
{
	if (e->owner)
		ast_sip_module_hold_for(e->owner, delta, kind_names[e->kind]);
}

/* 0, or -1 (ENOMEM): readers keep what they had. */
static int publish_for(struct ast_sip_snapshot *s)
{
	const struct ast_sip_global *g = s ? ast_sip_snapshot_global(s) : NULL;
	struct ast_sip_identifier_order order = {
		.configured = g && g->endpoint_identifier_order_set ? &g->endpoint_identifier_order : NULL,
		.loaded = loaded,
		.n_loaded = n_loaded,
	};
	struct ast_sip_registered *r = ast_sip_registered_build(entries, n_entries, &order), *old;

	if (!r) {
		errno = ENOMEM;
		return -1;
	}
	old = atomic_exchange_explicit(&current, r, memory_order_acq_rel);
	/* Without memory for the request the old one stays: nobody can say when it may go. */
	if (old && rs_quiet(passed_quiet_point, old))
		rs_event(RS_LOG_WARNING, "core.no_memory", RS_FZ("for", "quiet point"));
	return 0;
}

static int publish(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	int rc = publish_for(s);

	ast_sip_snapshot_unref(s);
	return rc;
}

static struct ast_sip_entry *find(enum ast_sip_entry_kind kind, const void *item)
{
	for (size_t i = 0; i < n_entries; i++) {
		if (entries[i].kind == kind && entries[i].item == item)
			return &entries[i];
	}
	return NULL;
}

static void forget(struct ast_sip_entry *e)
{
	size_t at = (size_t)(e - entries);

	memmove(e, e + 1, (n_entries - at - 1) * sizeof(*e));
	n_entries--;
}

static int add_locked(struct ast_sip_entry *e)
{
	if (find(e->kind, e->item)) {
		errno = EEXIST;
		return -1;
	}
	if (n_entries == MAX_ENTRIES) {
		errno = ENOMEM;
		return -1;
	}
	entries[n_entries++] = *e;
	if (publish()) {
		n_entries--;
		return -1;
	}
	hold(e, 1);
	return 0;
}

static int take_out(enum ast_sip_entry_kind kind, const void *item)
{
	struct ast_sip_entry *e, was;

	pthread_mutex_lock(&lock);
	e = find(kind, item);
	if (!e) {
		pthread_mutex_unlock(&lock);
		errno = ENOENT;
		return -1;
	}
	was = *e;
	e->parked = true;
	if (!was.parked && publish()) {
		e->parked = false;
		pthread_mutex_unlock(&lock);
		return -1;
	}
	forget(e);
	if (!was.parked)
		hold(&was, -1);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int invalid(void)
{
	errno = EINVAL;
	return -1;
}

/* ---- the design's calls ---- */

int ast_sip_register_service_for(struct ast_sip_module *owner, struct sip_module *service)
{
	struct ast_sip_entry e = {.kind = AST_SIP_ENTRY_SERVICE, .item = service, .owner = owner};
	int rc = -1;

	if (!service || service->size != sizeof(*service) || !service->name || !service->name[0])
		return invalid();
	e.name = service->name;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_entries; i++) {
		if (entries[i].kind == e.kind && !entries[i].parked && strcmp(entries[i].name, e.name) == 0) {
			errno = EEXIST;
			goto out;
		}
	}
	service->owner = owner;
	rc = add_locked(&e);
out:
	pthread_mutex_unlock(&lock);
	return rc;
}

int ast_sip_unregister_service(struct sip_module *service)
{
	return take_out(AST_SIP_ENTRY_SERVICE, service);
}

/* One at a time, except that the same module may put its next one in before it takes the last one out. */
static int add_single(struct ast_sip_entry *e)
{
	int rc = -1;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_entries; i++) {
		if (entries[i].kind == e->kind && !entries[i].parked && entries[i].owner != e->owner) {
			errno = EBUSY;
			goto out;
		}
	}
	rc = add_locked(e);
out:
	pthread_mutex_unlock(&lock);
	return rc;
}

int ast_sip_register_authenticator_for(struct ast_sip_module *owner, struct ast_sip_authenticator *auth)
{
	struct ast_sip_entry e = {.kind = AST_SIP_ENTRY_AUTHENTICATOR, .item = auth, .owner = owner};

	if (!auth || auth->size != sizeof(*auth) || !auth->requires_authentication || !auth->authenticate_request ||
	    !auth->get_authentication_credentials)
		return invalid();
	e.name = auth->name;
	auth->owner = owner;
	return add_single(&e);
}

int ast_sip_unregister_authenticator(struct ast_sip_authenticator *auth)
{
	return take_out(AST_SIP_ENTRY_AUTHENTICATOR, auth);
}

int ast_sip_register_outbound_authenticator_for(struct ast_sip_module *owner,
						struct ast_sip_outbound_authenticator *auth)
{
	struct ast_sip_entry e = {.kind = AST_SIP_ENTRY_OUTBOUND_AUTHENTICATOR, .item = auth, .owner = owner};

	if (!auth || auth->size != sizeof(*auth) || !auth->create_request_with_auth)
		return invalid();
	e.name = auth->name;
	auth->owner = owner;
	return add_single(&e);
}

int ast_sip_unregister_outbound_authenticator(struct ast_sip_outbound_authenticator *auth)
{
	return take_out(AST_SIP_ENTRY_OUTBOUND_AUTHENTICATOR, auth);
}

static int add(struct ast_sip_entry *e)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = add_locked(e);
	pthread_mutex_unlock(&lock);
	return rc;
}

int ast_sip_register_endpoint_identifier_for(struct ast_sip_module *owner,
					     struct ast_sip_endpoint_identifier *identifier, const char *name)
{
	struct ast_sip_entry e = {.kind = AST_SIP_ENTRY_IDENTIFIER, .item = identifier, .owner = owner, .name = name};

	if (!identifier || identifier->size != sizeof(*identifier) || !identifier->identify_endpoint)
		return invalid();
	identifier->owner = owner;
	return add(&e);
}

int ast_sip_unregister_endpoint_identifier(struct ast_sip_endpoint_identifier *identifier)
{
	return take_out(AST_SIP_ENTRY_IDENTIFIER, identifier);
}

int ast_sip_register_endpoint_formatter_for(struct ast_sip_module *owner, struct ast_sip_endpoint_formatter *formatter)
{
	struct ast_sip_entry e = {.kind = AST_SIP_ENTRY_FORMATTER, .item = formatter, .owner = owner};

	if (!formatter || formatter->size != sizeof(*formatter) || !formatter->format_endpoint)
		return invalid();
	e.name = formatter->name;
	formatter->owner = owner;
	return add(&e);
}

int ast_sip_unregister_endpoint_formatter(struct ast_sip_endpoint_formatter *formatter)
{
	return take_out(AST_SIP_ENTRY_FORMATTER, formatter);
}

/* ---- the loader's ---- */

static void drop_parked(const struct ast_sip_module *module)
{
	for (size_t i = n_entries; i-- > 0;) {
		if (entries[i].owner == module && entries[i].parked)
			forget(&entries[i]);
	}
}

void ast_sip_services_forget_owned(struct ast_sip_module *module)
{
	pthread_mutex_lock(&lock);
	drop_parked(module);
	pthread_mutex_unlock(&lock);
}

/* Parks or brings back what module owns; the count. Nothing changes without memory. */
static unsigned set_parked(struct ast_sip_module *module, bool parked)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_entries; i++) {
		if (entries[i].owner == module && entries[i].parked != parked) {
			entries[i].parked = parked;
			hold(&entries[i], parked ? -1 : 1);
			n++;
		}
	}
	return n;
}

unsigned ast_sip_services_remove_owned(struct ast_sip_module *module)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	drop_parked(module);
	n = set_parked(module, true);
	if (n && publish()) {
		set_parked(module, false);
		n = 0;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

void ast_sip_services_restore_owned(struct ast_sip_module *module)
{
	pthread_mutex_lock(&lock);
	if (set_parked(module, false) && publish())
		rs_event(RS_LOG_ERROR, "core.no_memory", RS_FZ("for", "services put back"));
	pthread_mutex_unlock(&lock);
}

void ast_sip_services_each(void (*each)(void *token, const struct sip_module *service), void *token)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	for (unsigned i = 0; r && i < r->n_services; i++)
		each(token, r->services[i]);
	ast_sip_registered_leave(r);
}

void ast_sip_identifiers_each(void (*each)(void *token, const char *name), void *token)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	for (unsigned i = 0; r && i < r->n_identifiers; i++)
		each(token, r->identifiers[i].name);
	ast_sip_registered_leave(r);
}

void ast_sip_formatters_each(void (*each)(void *token, const struct ast_sip_endpoint_formatter *formatter), void *token)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();

	for (unsigned i = 0; r && i < r->n_formatters; i++)
		each(token, r->formatters[i]);
	ast_sip_registered_leave(r);
}

static void free_loaded(void)
{
	for (size_t i = 0; i < n_loaded; i++)
		free(loaded[i]);
	free(loaded);
	loaded = NULL;
	n_loaded = 0;
}

int ast_sip_identifiers_set_load_order(const char *const *names, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));
	size_t copied = 0;
	int rc = -1;

	while (copy && copied < n && (copy[copied] = strdup(names[copied])))
		copied++;
	pthread_mutex_lock(&lock);
	free_loaded();
	loaded = copy;
	n_loaded = copied;
	if (copy && copied == n)
		rc = started ? publish() : 0;
	pthread_mutex_unlock(&lock);
	return rc;
}

int ast_sip_registered_configured(struct ast_sip_snapshot *s)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = publish_for(s);
	pthread_mutex_unlock(&lock);
	return rc;
}

int ast_sip_services_start(void)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = publish() ? ENOMEM : 0;
	started = !rc;
	pthread_mutex_unlock(&lock);
	return rc;
}

/* After the pool has ended: nobody reads any more. What modules left registered is forgotten. */
void ast_sip_services_stop(void)
{
	struct ast_sip_registered *r;

	pthread_mutex_lock(&lock);
	started = false;
	n_entries = 0;
	free_loaded();
	r = atomic_exchange_explicit(&current, NULL, memory_order_acq_rel);
	pthread_mutex_unlock(&lock);
	if (r)
		registered_unref(r);
}
