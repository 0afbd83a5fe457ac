/* The location store's life, what the configuration says of permanent contacts, and its figures. */
#include "core/core.h"
#include "location_private.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

struct location_counters location_counters;
bool location_durable;
_Atomic uint64_t location_max_bindings = 2000000; /* memory; option max_bindings of [registrar] */

static int64_t clock_base_us; /* set before anybody asks */

int64_t ast_sip_location_now_us(void)
{
	return rs_now_us() + clock_base_us;
}

int64_t location_shift_us(void)
{
	return rs_wall_us() - ast_sip_location_now_us();
}

struct loading {
	struct ast_sip_snapshot *snapshot;
	int64_t now_us;
};

/*
 * The clock may have been wrong when the row was written, or be it now, as on a machine without a battery: no binding
 * is kept longer than one may ask for.
 */
static void bound_expiry(struct ast_sip_contact *c, const struct loading *l)
{
	struct ast_sip_aor *aor =
		l->snapshot ? ast_sip_aor_find(l->snapshot, ast_sip_contact_text(c, AST_SIP_CONTACT_AOR)) : NULL;
	int64_t longest = INT64_MAX;

	if (aor)
		longest = l->now_us + (int64_t)ast_sip_aor_settings(aor)->maximum_expiration * 1000000;
	if (c->data.expires_us > longest)
		c->data.expires_us = longest;
	ast_sip_aor_unref(aor);
}

/* Its place in list, or list->n. As the store tells bindings apart: by how the URI is written. */
static uint32_t find_stored(const struct ast_sip_contacts *list, struct rs_str uri)
{
	uint32_t i = 0;

	while (list && i < list->n && !rs_str_eq(ast_sip_contact_text(list->v[i], AST_SIP_CONTACT_URI), uri))
		i++;
	return i;
}

/* What a has once c stands in the place at (or that is empty); NULL: nothing, or no memory. */
static struct ast_sip_contacts *with_loaded(const struct ast_sip_contacts *old, uint32_t at, struct ast_sip_contact *c)
{
	uint32_t n = old ? old->n : 0;
	struct ast_sip_contacts *list;

	if (!c && n == 1)
		return NULL;
	list = contacts_new(n + 1);
	for (uint32_t i = 0; list && i < n; i++) {
		if (i != at)
			list->v[list->n++] = ast_sip_contact_ref(old->v[i]);
		else if (c)
			list->v[list->n++] = ast_sip_contact_ref(c);
	}
	if (list && c && at == n)
		list->v[list->n++] = ast_sip_contact_ref(c);
	return list;
}

static int put_loaded(struct aor *a, struct rs_str uri, struct ast_sip_contact *c, struct ast_sip_contact **before,
		      int64_t now_us)
{
	struct ast_sip_contacts *old = aor_contacts(a), *list;
	uint32_t n = old ? old->n : 0, at = find_stored(old, uri);
	int error = 0;

	if (at < n)
		*before = ast_sip_contact_ref(old->v[at]);
	else if (!c)
		goto out;
	list = with_loaded(old, at, c);
	if (!list && (c || n > 1)) {
		ast_sip_contact_unref(*before);
		*before = NULL;
		error = ENOMEM;
		goto out;
	}
	ast_sip_contacts_unref(aor_swap(a, list));
	if (list)
		rs_timer_start(&a->expiry, contacts_earliest(list) - now_us);
	else
		rs_timer_stop(&a->expiry);
	location_counters.bindings += (uint64_t)((int64_t)(list ? list->n : 0) - n);
out:
	ast_sip_contacts_unref(old);
	return error;
}

static int load_one(void *token, struct rs_str aor, struct rs_str uri, struct ast_sip_contact *c,
		    struct ast_sip_contact **before)
{
	const struct loading *l = token;
	struct aor *a = aor_get(aor, c != NULL);
	int error = a || !c ? 0 : ENOMEM;

	if (c)
		bound_expiry(c, l);
	if (a)
		error = put_loaded(a, uri, c, before, l->now_us);
	aor_unref(a);
	ast_sip_contact_unref(c);
	return error;
}

static int load(void)
{
	struct loading l = {.snapshot = ast_sip_snapshot_get(), .now_us = ast_sip_location_now_us()};
	uint64_t rows = store_rows(), most = atomic_load(&location_max_bindings);
	int error;

	/* A third of them may be of bindings that have a later one. */
	index_expect(rows / 3 * 2 < most ? rows / 3 * 2 : most);
	error = store_load(load_one, &l);
	ast_sip_snapshot_unref(l.snapshot);
	return error;
}

static bool may_salvage(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	bool may = s && ast_sip_own_bool(s, "registrar", "salvage_store", false);

	ast_sip_snapshot_unref(s);
	return may;
}

int ast_sip_location_start(const char *state_dir, bool durable)
{
	bool salvaged = false;
	int error = index_start();

	location_durable = false;
	clock_base_us = rs_wall_us() - rs_now_us();
	if (error || !durable)
		return error;
	error = store_open(state_dir);
	salvaged = error == EUCLEAN && may_salvage();
	if (error == EUCLEAN)
		error = store_open_damaged(state_dir, salvaged);
	if (!error)
		error = load();
	if (error) {
		rs_event(RS_LOG_ERROR, "location.start", RS_FZ("state_dir", state_dir),
			 RS_FZ("error", strerror(error)));
		store_close();
		return error;
	}
	location_durable = true;
	group_open();
	rs_event(salvaged ? RS_LOG_ERROR : RS_LOG_INFO, salvaged ? "location.salvaged" : "location.loaded",
		 RS_FI("bindings", atomic_load(&location_counters.bindings)));
	return 0;
}

void ast_sip_location_stop(void)
{
	rs_taskpool_drain(10000);
	group_close();
	store_close();
}

void ast_sip_location_free(void)
{
	index_free();
	atomic_store(&location_counters.bindings, 0);
	atomic_store(&location_counters.commits, 0);
	atomic_store(&location_counters.changes, 0);
	atomic_store(&location_counters.failed, 0);
}

/* ---- permanent contacts ---- */

static int nothing(void *data)
{
	(void)data;
	return 0;
}

/* The contacts that aor has in the configuration; NULL: none. They are there on return unless a commit is under way. */
static void set_permanent(struct aor *a, struct ast_sip_aor *aor)
{
	struct update *u = update_new(UPDATE_PERMANENT, a);
	int result;

	if (!u) {
		rs_event(RS_LOG_ERROR, "location.permanent", RS_FS("aor", rs_str_n(a->name, a->len)),
			 RS_FZ("error", strerror(ENOMEM)));
		return;
	}
	u->permanent = aor ? ast_sip_aor_ref(aor) : NULL;
	update_push(u);
	rs_call(&a->serializer, nothing, NULL, &result, "permanent contacts", NULL);
}

static void forget_permanent(void *token, struct aor *a)
{
	struct ast_sip_snapshot *s = token;
	struct ast_sip_contacts *c = aor_contacts(a);
	bool has = false;

	for (uint32_t i = 0; c && i < c->n; i++)
		has = has || c->v[i]->data.permanent;
	ast_sip_contacts_unref(c);
	if (has) {
		struct ast_sip_aor *aor = ast_sip_aor_find(s, rs_str_n(a->name, a->len));
		if (!aor || !ast_sip_aor_settings(aor)->contact.n)
			set_permanent(a, NULL);
		ast_sip_aor_unref(aor);
	}
}

void ast_sip_location_configured(struct ast_sip_snapshot *s)
{
	struct ast_sip_aors aors = ast_sip_snapshot_aors(s);

	atomic_store(&location_max_bindings, ast_sip_own_uint(s, "registrar", "max_bindings", 2000000));
	for (uint32_t i = 0; i < aors.n; i++) {
		bool has = ast_sip_aor_settings(aors.v[i])->contact.n > 0;
		struct aor *a = has ? aor_get(ast_sip_aor_id(aors.v[i]), true) : NULL;

		if (!a)
			continue;
		set_permanent(a, aors.v[i]);
		aor_unref(a);
	}
	index_each(forget_permanent, s);
}

void ast_sip_location_stats(struct ast_sip_location_stats *out)
{
	out->aors = atomic_load(&location_counters.aors);
	out->bindings = atomic_load(&location_counters.bindings);
	out->commits = atomic_load(&location_counters.commits);
	out->changes = atomic_load(&location_counters.changes);
	out->failed = atomic_load(&location_counters.failed);
	out->pending = atomic_load(&location_counters.pending);
}
