/* Endpoints, AORs and auths from their sections. */
#include "core/config/build.h"

#include "base/hash.h"

/* ---- shared blocks ---- */

struct wanted {
	const struct conf_type *type;
	const void *settings;
	struct conf_extras extras;
	const struct conf_acl_list *lists;
	uint32_t n;
	struct rs_str id;
};

static bool settings_are(const struct conf_object *o, const void *wanted)
{
	const struct conf_settings *s = (const void *)o;
	const struct wanted *w = wanted;
	const struct ast_sip_endpoint_settings *a = (const void *)s->data, *b = w->settings;

	return s->type == w->type && conf_settings_equal(w->type, s->data, w->settings) &&
	       (w->type != &conf_type_endpoint || a->acl == b->acl);
}

struct conf_settings *conf_settings_get(struct conf_load *l, const struct conf_type *t, const void *settings)
{
	struct wanted w = {.type = t, .settings = settings};
	uint64_t h = conf_settings_hash(t, settings);
	struct conf_object *o;

	if (t == &conf_type_endpoint)
		h = rs_hash_mix(h, (uint64_t)(uintptr_t)((const struct ast_sip_endpoint_settings *)settings)->acl);
	o = conf_intern_find(&l->settings, h, settings_are, &w);
	if (o)
		return conf_object_ref(o, CONF_MAGIC_SETTINGS);
	o = (struct conf_object *)conf_settings_new(t, settings, h);
	if (!o)
		return NULL;
	if (t == &conf_type_endpoint) {
		const struct ast_sip_endpoint_settings *e = settings;

		conf_object_ref((struct conf_object *)(uintptr_t)e->acl, CONF_MAGIC_ACL);
	}
	(void)conf_intern_add(&l->settings, h, o);
	return (struct conf_settings *)o;
}

static bool extras_are(const struct conf_object *o, const void *wanted)
{
	return conf_extras_equal(((const struct conf_extras_block *)o)->list, ((const struct wanted *)wanted)->extras);
}

struct conf_extras_block *conf_extras_get(struct conf_load *l)
{
	struct wanted w = {.extras = {l->extra, l->n_extra}};
	struct conf_object *o;
	uint64_t h;

	if (l->n_extra == 0)
		return NULL;
	h = conf_extras_hash(w.extras);
	o = conf_intern_find(&l->extras, h, extras_are, &w);
	if (o)
		return conf_object_ref(o, CONF_MAGIC_EXTRAS);
	o = (struct conf_object *)conf_extras_new(w.extras, h);
	if (o)
		(void)conf_intern_add(&l->extras, h, o);
	else
		conf_fail(l, "out of memory");
	return (struct conf_extras_block *)o;
}

static bool acl_is(const struct conf_object *o, const void *wanted)
{
	const struct ast_sip_acl *a = (const void *)o;
	const struct wanted *w = wanted;

	return rs_str_eq(a->o.id, w->id) && conf_acl_lists_equal(a->lists, a->n, w->lists, w->n);
}

static void acl_list_named(struct conf_load *l, struct conf_acl_list *list, struct rs_str name, bool contact)
{
	const struct conf_entry *e = conf_builder_find(&l->table[CONF_NAMED_ACL], name);
	const struct conf_acl_rules *rules = e ? e->object : NULL;

	*list = (struct conf_acl_list){.name = name, .contact = contact};
	if (rules) {
		list->rules = rules->v;
		list->n = rules->n;
	}
}

int conf_acl_get(struct conf_load *l, struct rs_str id, const struct conf_acl_draft *d, struct ast_sip_acl **out)
{
	uint32_t n = 0, max = 2 + d->names[0].n + d->names[1].n;
	struct conf_acl_list *lists;
	struct wanted w;
	uint64_t h;

	*out = NULL;
	if (max == 2 && d->rules[0].n == 0 && d->rules[1].n == 0 && id.len == 0)
		return 0;
	lists = conf_pool_zalloc(&l->tmp, max * sizeof(*lists));
	if (!lists)
		goto oom;
	for (unsigned c = 0; c < 2; c++) {
		if (d->rules[c].n == 0)
			continue;
		lists[n] = (struct conf_acl_list){.contact = c == 1, .rules = d->rules[c].v, .n = d->rules[c].n};
		n++;
	}
	for (unsigned c = 0; c < 2; c++)
		for (uint32_t i = 0; i < d->names[c].n; i++)
			acl_list_named(l, &lists[n++], d->names[c].v[i], c == 1);
	w = (struct wanted){.lists = lists, .n = n, .id = id};
	h = rs_hash_mix(conf_acl_lists_hash(lists, n), rs_hash(id));
	*out = conf_object_ref(conf_intern_find(&l->acls, h, acl_is, &w), CONF_MAGIC_ACL);
	if (!*out) {
		*out = conf_acl_new(id, lists, n, h);
		if (*out)
			(void)conf_intern_add(&l->acls, h, &(*out)->o);
	}
	if (*out)
		return 0;
oom:
	conf_fail(l, "out of memory");
	return -1;
}

/* ---- references ---- */

#define NAMES_MAX 1024 /* ids that a suggestion for a dangling reference looks at */

static void suggest_id(const struct conf_builder *b, struct rs_str word, bool wanted, char *hint, size_t size)
{
	const char *names[NAMES_MAX];
	char copy[NAMES_MAX * 16];
	size_t n = 0, at = 0;

	hint[0] = '\0';
	if (!wanted)
		return;
	for (uint32_t i = 0; i < b->n && n < NAMES_MAX && at + b->v[i].id.len + 1 < sizeof(copy); i++) {
		memcpy(copy + at, b->v[i].id.p, b->v[i].id.len);
		copy[at + b->v[i].id.len] = '\0';
		names[n++] = copy + at;
		at += b->v[i].id.len + 1;
	}
	conf_suggest(hint, size, word, names, n);
}

int conf_refs_check(struct conf_load *l, enum conf_type_id type, const char *option, struct ast_sip_strings list)
{
	int rc = 0;

	for (uint32_t i = 0; i < list.n; i++) {
		char hint[160];

		if (conf_builder_find(&l->table[type], list.v[i]) || l->pjsip.broken)
			continue;
		conf_at(l, option);
		suggest_id(&l->table[type], list.v[i], l->errors->n < CONF_ERRORS_MAX, hint, sizeof(hint));
		conf_fail(l, "%s: there is no %s '%.*s'%s", option, conf_types[type]->name, RS_FMT(list.v[i]), hint);
		rc = -1;
	}
	return rc;
}

static int ref_check(struct conf_load *l, enum conf_type_id type, const char *option, struct rs_str id)
{
	return id.len ? conf_refs_check(l, type, option, (struct ast_sip_strings){&id, 1}) : 0;
}

/* A list of permits alone lets everybody in, which is rarely what was meant. */
static void warn_permit_only(struct conf_load *l, const struct conf_acl_rules *rules, const char *permit)
{
	for (uint32_t i = 0; i < rules->n; i++)
		if (rules->v[i].deny)
			return;
	if (rules->n == 0)
		return;
	conf_at(l, permit);
	conf_warn(l, "%s without a deny restricts nothing: an address that no rule matches is allowed", permit);
}

/* ---- endpoint ---- */

static int endpoint_check(struct conf_load *l, const struct conf_endpoint_draft *d)
{
	int rc = 0;

	rc |= conf_refs_check(l, CONF_AUTH, "auth", d->auth);
	rc |= conf_refs_check(l, CONF_AOR, "aors", d->aors);
	rc |= conf_refs_check(l, CONF_AUTH, "outbound_auth", d->s.outbound_auth);
	rc |= ref_check(l, CONF_TRANSPORT, "transport", d->s.transport);
	if (d->s.timers_sess_expires < d->s.timers_min_se) {
		conf_at(l, "timers_sess_expires");
		conf_fail(l, "timers_sess_expires (%u) is below timers_min_se (%u)", d->s.timers_sess_expires,
			  d->s.timers_min_se);
		rc = -1;
	}
	warn_permit_only(l, &d->acl.rules[0], "permit");
	warn_permit_only(l, &d->acl.rules[1], "contact_permit");
	return rc;
}

/* The objects that list names, without references; they are built before. NULL: it has errors, as told already. */
static void parts_find(const struct conf_load *l, enum conf_type_id type, struct ast_sip_strings list,
		       struct conf_object **out)
{
	for (uint32_t i = 0; i < list.n; i++) {
		const struct conf_entry *e = conf_builder_find(&l->table[type], list.v[i]);

		out[i] = e ? e->object : NULL;
	}
}

static struct ast_sip_endpoint *endpoint_make(struct conf_load *l, struct rs_str id, struct conf_endpoint_draft *d)
{
	struct ast_sip_endpoint *e = NULL;
	struct conf_settings *settings;
	struct conf_extras_block *extras;
	struct conf_object **parts = conf_pool_alloc(&l->tmp, (d->auth.n + d->aors.n + 1) * sizeof(*parts));
	struct ast_sip_acl *acl;

	if (!parts) {
		conf_fail(l, "out of memory");
		return NULL;
	}
	parts_find(l, CONF_AUTH, d->auth, parts);
	parts_find(l, CONF_AOR, d->aors, parts + d->auth.n);
	if (conf_acl_get(l, RS_STR_NULL, &d->acl, &acl) != 0)
		return NULL;
	d->s.acl = acl;
	settings = conf_settings_get(l, &conf_type_endpoint, &d->s);
	conf_object_unref((struct conf_object *)acl, CONF_MAGIC_ACL);
	extras = conf_extras_get(l);
	if (settings)
		e = conf_endpoint_new(id, d, settings, extras, parts);
	if (!e) {
		conf_fail(l, "out of memory");
		conf_object_unref((struct conf_object *)settings, CONF_MAGIC_SETTINGS);
		conf_object_unref((struct conf_object *)extras, CONF_MAGIC_EXTRAS);
	}
	return e;
}

void *conf_build_endpoint(struct conf_load *l, const struct conf_section *s)
{
	struct conf_endpoint_draft d;
	int rc = conf_apply(l, CONF_ENDPOINT, &l->pjsip, s, &d);

	if (endpoint_check(l, &d) != 0 || rc != 0)
		return NULL;
	return endpoint_make(l, s->name, &d);
}

struct ast_sip_endpoint *conf_build_artificial(struct conf_load *l)
{
	struct conf_endpoint_draft d;
	struct ast_sip_endpoint *e;

	conf_reading(l, &conf_type_endpoint, &l->index[CONF_ENDPOINT]);
	l->n_extra = 0;
	memcpy(&d, l->defaults[CONF_ENDPOINT], sizeof(d));
	e = endpoint_make(l, RS_STR_NULL, &d);
	if (e)
		e->artificial = true;
	return e;
}

/* ---- aor ---- */

void *conf_build_aor(struct conf_load *l, const struct conf_section *s)
{
	struct conf_aor_draft d;
	struct conf_settings *settings;
	struct conf_extras_block *extras;
	struct ast_sip_aor *a = NULL;

	if (conf_apply(l, CONF_AOR, &l->pjsip, s, &d) != 0)
		return NULL;
	if (d.s.minimum_expiration > d.s.maximum_expiration) {
		conf_at(l, "minimum_expiration");
		conf_fail(l, "minimum_expiration (%u) is above maximum_expiration (%u)", d.s.minimum_expiration,
			  d.s.maximum_expiration);
		return NULL;
	}
	settings = conf_settings_get(l, &conf_type_aor, &d.s);
	extras = conf_extras_get(l);
	if (settings)
		a = conf_aor_new(s->name, settings, extras);
	if (!a) {
		conf_fail(l, "out of memory");
		conf_object_unref((struct conf_object *)settings, CONF_MAGIC_SETTINGS);
		conf_object_unref((struct conf_object *)extras, CONF_MAGIC_EXTRAS);
	}
	return a;
}

/* ---- auth ---- */

/* Each algorithm that may be used needs a credential (section 4.18 of the reference). */
static int auth_check_list(struct conf_load *l, const struct conf_auth_draft *d, const char *option,
			   const struct ast_sip_algorithms *own, const struct ast_sip_algorithms *global)
{
	const struct ast_sip_algorithms *algs = own->n ? own : global;

	for (uint8_t i = 0; i < algs->n; i++) {
		enum ast_sip_algorithm a = (enum ast_sip_algorithm)algs->v[i];

		if (d->password.len || d->digest[a].len)
			continue;
		l->var = NULL;
		if (conf_is_set(l, option))
			conf_at(l, option);
		conf_fail(l, "no password and no password_digest for %s, which %s%s lists%s",
			  ast_sip_algorithm_name(a).p, own->n ? "" : "default_auth_algorithms_",
			  own->n ? option : option + 21,
			  own->n ? ""
				 : "; add one, or set supported_algorithms_uas and supported_algorithms_uac to "
				   "the algorithms that it has");
		return -1;
	}
	return 0;
}

static int auth_check(struct conf_load *l, const struct conf_auth_draft *d)
{
	const struct ast_sip_global *g = &l->snap->global;

	l->var = NULL;
	if (d->auth_type == 1) {
		if (conf_is_set(l, "refresh_token") && conf_is_set(l, "oauth_clientid") &&
		    conf_is_set(l, "oauth_secret"))
			return 0;
		conf_at(l, "auth_type");
		conf_fail(l, "google_oauth needs refresh_token, oauth_clientid and oauth_secret");
		return -1;
	}
	if (d->username.len == 0) {
		conf_at(l, "username");
		conf_fail(l, "username is required");
		return -1;
	}
	if (auth_check_list(l, d, "supported_algorithms_uas", &d->uas, &g->default_auth_algorithms_uas) != 0)
		return -1;
	return auth_check_list(l, d, "supported_algorithms_uac", &d->uac, &g->default_auth_algorithms_uac);
}

void *conf_build_auth(struct conf_load *l, const struct conf_section *s)
{
	struct conf_auth_draft d;
	struct conf_extras_block *extras;
	struct ast_sip_auth *a;
	int rc = conf_apply(l, CONF_AUTH, &l->pjsip, s, &d);

	if (rc != 0 || auth_check(l, &d) != 0)
		return NULL;
	extras = conf_extras_get(l);
	a = conf_auth_new(s->name, &d, &l->snap->global, extras);
	if (!a) {
		conf_fail(l, "out of memory");
		conf_object_unref((struct conf_object *)extras, CONF_MAGIC_EXTRAS);
	}
	return a;
}
