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

/* Rows arrive in order of their AOR; those of one AOR are gathered. */
struct loading {
	struct ast_sip_contact *v[256];
	uint32_t n;
};

static void forget_loaded(struct loading *l)
{
	while (l->n)
		ast_sip_contact_unref(l->v[--l->n]);
}

static int put_loaded(struct loading *l)
{
	struct ast_sip_contacts *c, *before;
	struct aor *a;

	if (!l->n)
		return 0;
	a = aor_get(ast_sip_contact_text(l->v[0], AST_SIP_CONTACT_AOR), true);
	before = a ? aor_contacts(a) : NULL;
	c = a ? contacts_new(l->n + (before ? before->n : 0)) : NULL;
	if (!c) {
		ast_sip_contacts_unref(before);
		aor_unref(a);
		return ENOMEM;
	}
	for (uint32_t i = 0; before && i < before->n; i++)
		c->v[c->n++] = ast_sip_contact_ref(before->v[i]);
	for (uint32_t i = 0; i < l->n; i++)
		c->v[c->n++] = l->v[i];
	ast_sip_contacts_unref(before);
	ast_sip_contacts_unref(aor_swap(a, c));
	rs_timer_start(&a->expiry, contacts_earliest(c) - ast_sip_location_now_us());
	atomic_fetch_add_explicit(&location_counters.bindings, l->n, memory_order_relaxed);
	aor_unref(a);
	l->n = 0;
	return 0;
}

/*
 * The clock may have been wrong when the row was written, or be it now, as on a machine without a battery: no binding
 * is kept longer than one may ask for.
 */
static void bound_expiry(struct ast_sip_contact *c)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	struct ast_sip_aor *aor = s ? ast_sip_aor_find(s, ast_sip_contact_text(c, AST_SIP_CONTACT_AOR)) : NULL;
	int64_t longest = INT64_MAX;

	if (aor)
		longest = ast_sip_location_now_us() + (int64_t)ast_sip_aor_settings(aor)->maximum_expiration * 1000000;
	if (c->data.expires_us > longest)
		c->data.expires_us = longest;
	ast_sip_aor_unref(aor);
	ast_sip_snapshot_unref(s);
}

static int load_one(void *token, struct ast_sip_contact *c)
{
	struct loading *l = token;
	bool same = l->n && rs_str_eq(ast_sip_contact_text(l->v[0], AST_SIP_CONTACT_AOR),
				      ast_sip_contact_text(c, AST_SIP_CONTACT_AOR));

	if ((!same || l->n == RS_ARRAY_SIZE(l->v)) && put_loaded(l)) {
		ast_sip_contact_unref(c);
		return ENOMEM;
	}
	bound_expiry(c);
	l->v[l->n++] = c;
	return 0;
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
	struct loading l = {.n = 0};
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
		error = store_load(load_one, &l);
	if (!error)
		error = put_loaded(&l);
	if (error) {
		rs_event(RS_LOG_ERROR, "location.start", RS_FZ("state_dir", state_dir),
			 RS_FZ("error", strerror(error)));
		forget_loaded(&l);
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
