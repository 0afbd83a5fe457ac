/* Files → objects → snapshot. */
#include "core/config/load.h"

#include "core/config/build.h"
#include "core/config/module_file.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* Types of Asterisk that have nothing to act on here yet. */
static const char *const LATER_TYPES[] = {
	"registration",         "outbound-publish", "inbound-publication",      "resource_list", "phoneprov", "contact",
	"asterisk-publication", "wizard",           "subscription_persistence",
};

/* Sections of one type in file order. */
struct sections {
	const struct conf_section **v;
	uint32_t n, cap;
};

static int sections_push(struct conf_load *l, struct sections *s, const struct conf_section *x)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 64;
		const struct conf_section **v = conf_pool_grow(&l->tmp, s->v, s->n, s->cap, cap, sizeof(*s->v));

		if (!v)
			return -1;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = x;
	return 0;
}

static void no_memory(struct conf_load *l)
{
	conf_error_add(l->errors, false, "pjsip.conf", 0, "out of memory");
}

/* ---- which type a section is ---- */

/* The types that pjsip.conf may name; acl.conf's sections have none. */
static int type_of_word(struct rs_str word)
{
	for (int i = 0; i < CONF_TYPES; i++)
		if (i != CONF_NAMED_ACL && rs_str_eqz(word, conf_types[i]->name))
			return i;
	return -1;
}

static bool is_later_type(struct rs_str word)
{
	for (size_t i = 0; i < RS_ARRAY_SIZE(LATER_TYPES); i++)
		if (rs_str_eqz(word, LATER_TYPES[i]))
			return true;
	return false;
}

static void type_unknown(struct conf_load *l, const struct conf_section *s, const struct conf_var *type)
{
	const char *names[CONF_TYPES + RS_ARRAY_SIZE(LATER_TYPES)];
	char hint[80];
	size_t n = 0;

	for (int i = 0; i < CONF_TYPES; i++)
		if (i != CONF_NAMED_ACL)
			names[n++] = conf_types[i]->name;
	for (size_t i = 0; i < RS_ARRAY_SIZE(LATER_TYPES); i++)
		names[n++] = LATER_TYPES[i];
	conf_suggest(hint, sizeof(hint), conf_var_value(type), names, n);
	conf_error_add(l->errors, true, conf_set_file(&l->pjsip, type->file), type->line,
		       "section '%.*s': unknown type '%.*s'%s, the section is ignored", RS_FMT(s->name),
		       RS_FMT(conf_var_value(type)), hint);
}

static int section_type(struct conf_load *l, const struct conf_section *s)
{
	const struct conf_var *type = conf_section_first(s, RS_STR("type"));
	int id;

	if (!type) {
		if (rs_str_ieqz(s->name, "global"))
			return CONF_GLOBAL;
		if (rs_str_ieqz(s->name, "system"))
			return CONF_SYSTEM;
		conf_error_add(l->errors, true, conf_set_file(&l->pjsip, s->file), s->line,
			       "section '%.*s' has no type, it is ignored", RS_FMT(s->name));
		return -1;
	}
	id = type_of_word(conf_var_value(type));
	if (id >= 0)
		return id;
	if (!is_later_type(conf_var_value(type)))
		type_unknown(l, s, type);
	else if (!conf_list_has(&l->na_types, conf_var_value(type)))
		(void)conf_list_push(&l->tmp, &l->na_types, conf_var_value(type));
	return -1;
}

static void sections_sort_out(struct conf_load *l, struct sections out[CONF_TYPES])
{
	for (const struct conf_section *s = l->pjsip.first; s; s = s->next) {
		int type = s->is_template ? -1 : section_type(l, s);

		if (type >= 0 && sections_push(l, &out[type], s) != 0)
			no_memory(l);
	}
	for (const struct conf_section *s = l->acl.first; s; s = s->next)
		if (!s->is_template && sections_push(l, &out[CONF_NAMED_ACL], s) != 0)
			no_memory(l);
}

/* ---- objects ---- */

static void single_build(struct conf_load *l, const struct sections *s, enum conf_type_id type,
			 int (*build)(struct conf_load *l, const struct conf_section *s))
{
	for (uint32_t i = 1; i < s->n; i++)
		conf_error_add(l->errors, false, conf_set_file(&l->pjsip, s->v[i]->file), s->v[i]->line,
			       "a second section of type %s; the first is at %s:%u", conf_types[type]->name,
			       conf_set_file(&l->pjsip, s->v[0]->file), s->v[0]->line);
	/* without it others would find no defaults: a broken one counts as none while more errors are looked for */
	if (build(l, s->n ? s->v[0] : NULL) != 0)
		(void)build(l, NULL);
}

typedef void *object_build(struct conf_load *l, const struct conf_section *s);

static object_build *const BUILD[CONF_TYPES] = {
	[CONF_NAMED_ACL] = conf_build_named_acl, [CONF_TRANSPORT] = conf_build_transport,
	[CONF_AUTH] = conf_build_auth,           [CONF_AOR] = conf_build_aor,
	[CONF_DOMAIN_ALIAS] = conf_build_alias,  [CONF_ENDPOINT] = conf_build_endpoint,
	[CONF_IDENTIFY] = conf_build_identify,   [CONF_ACL] = conf_build_acl,
};

/* What old has kept is of the realm that was in force. */
static bool same_realm(const struct conf_load *l, const struct ast_sip_auth *old)
{
	return !old->kept || old->realm.len ||
	       rs_str_eq(l->previous->global.default_realm, l->snap->global.default_realm);
}

/* The previous snapshot's object when it says the same: one reference on it instead of the new one. */
static void *object_share(struct conf_load *l, enum conf_type_id type, struct rs_str id, void *object)
{
	struct conf_object *old = NULL;
	enum conf_magic magic = CONF_MAGIC_ENDPOINT;
	bool same = false;

	if (!l->previous)
		return object;
	if (type == CONF_ENDPOINT) {
		old = conf_table_find(&l->previous->endpoints, id);
		same = old && conf_endpoint_equal((const void *)old, object);
	} else if (type == CONF_AOR) {
		old = conf_table_find(&l->previous->aors, id);
		magic = CONF_MAGIC_AOR;
		same = old && conf_aor_equal((const void *)old, object);
	} else if (type == CONF_AUTH) {
		old = conf_table_find(&l->previous->auths, id);
		magic = CONF_MAGIC_AUTH;
		same = old && conf_auth_equal((const void *)old, object) && same_realm(l, (const void *)old);
	} else if (type == CONF_IDENTIFY) {
		old = conf_table_find(&l->previous->identifies, id);
		magic = CONF_MAGIC_IDENTIFY;
		same = old && conf_identify_equal((const void *)old, object);
	}
	if (!same)
		return object;
	conf_object_unref(object, magic);
	return conf_object_ref(old, magic);
}

static void type_build(struct conf_load *l, enum conf_type_id type, const struct sections *s)
{
	const struct conf_set *set = type == CONF_NAMED_ACL ? &l->acl : &l->pjsip;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct conf_section *x = s->v[i];
		struct conf_entry *e = conf_builder_find(&l->table[type], x->name);
		uint32_t at;

		if (e) {
			conf_error_add(l->errors, false, conf_set_file(set, x->file), x->line,
				       "%s '%.*s' stands here and at %s:%u", conf_types[type]->name, RS_FMT(x->name),
				       conf_set_file(set, e->section->file), e->section->line);
			continue;
		}
		e = conf_builder_add(&l->table[type], x->name);
		if (!e) {
			no_memory(l);
			return;
		}
		e->section = x;
		at = (uint32_t)(e - l->table[type].v);
		e->object = BUILD[type](l, x);
		e = &l->table[type].v[at];
		if (e->object)
			e->object = object_share(l, type, x->name, e->object);
		if (e->object && type == CONF_AUTH && conf_auth_keep(e->object, l->snap->global.default_realm) != 0) {
			no_memory(l);
			return;
		}
	}
}

static void outbound_endpoint_check(struct conf_load *l, const struct sections *global)
{
	struct rs_str id = l->snap->global.default_outbound_endpoint;
	struct conf_var *var = global->n ? conf_section_first(global->v[0], RS_STR("default_outbound_endpoint")) : NULL;
	struct conf_iter it = {0};
	const struct conf_var *v;

	while (var && (v = conf_section_next(global->v[0], &it)))
		if (rs_str_ieqz(conf_var_name(v), "default_outbound_endpoint"))
			var = (struct conf_var *)(uintptr_t)v;
	if (var && id.len && !l->pjsip.broken && !conf_builder_find(&l->table[CONF_ENDPOINT], id))
		conf_error_add(l->errors, false, conf_set_file(&l->pjsip, var->file), var->line,
			       "global: default_outbound_endpoint: there is no endpoint '%.*s'", RS_FMT(id));
}

/* ---- the snapshot ---- */

/* The objects move from the builder to the table. */
static int table_fill(struct conf_table *t, struct conf_builder *b, size_t id_at)
{
	void **v = b->n ? malloc(b->n * sizeof(*v)) : NULL;
	uint32_t n = 0;

	if (b->n && !v)
		return -1;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->v[i].object)
			v[n++] = b->v[i].object;
	b->n = 0;
	return conf_table_make(t, v, n, id_at);
}

static int tables_fill(struct conf_load *l)
{
	struct ast_sip_snapshot *s = l->snap;
	const size_t id = offsetof(struct conf_object, id);
	int rc = 0;

	rc |= table_fill(&s->endpoints, &l->table[CONF_ENDPOINT], id);
	for (uint32_t i = 0; i < s->endpoints.n && !s->at_endpoints; i++)
		s->at_endpoints = rs_str_chr(ast_sip_endpoint_id(s->endpoints.v[i]), '@') != NULL;
	rc |= table_fill(&s->aors, &l->table[CONF_AOR], id);
	rc |= table_fill(&s->auths, &l->table[CONF_AUTH], id);
	rc |= table_fill(&s->identifies, &l->table[CONF_IDENTIFY], id);
	rc |= table_fill(&s->acls, &l->table[CONF_ACL], id);
	rc |= table_fill(&s->transports, &l->table[CONF_TRANSPORT], offsetof(struct conf_transport, t.id));
	rc |= table_fill(&s->aliases, &l->table[CONF_DOMAIN_ALIAS], offsetof(struct conf_alias, id));
	return rc;
}

static int not_applicable_fill(struct conf_load *l)
{
	struct ast_sip_strings *out = &l->snap->not_applicable;
	struct conf_pool *pool = &l->snap->pool;

	for (unsigned t = 0; t < CONF_TYPES; t++)
		for (uint16_t i = 0; i < conf_types[t]->n; i++) {
			char name[128];
			struct rs_str text;

			if (!l->na[t][i])
				continue;
			snprintf(name, sizeof(name), "%s.%s", conf_types[t]->name, conf_types[t]->options[i].name);
			text = conf_pool_str(pool, rs_str_c(name));
			if (!text.p || conf_list_push(pool, out, text) != 0)
				return -1;
		}
	for (uint32_t i = 0; i < l->na_types.n; i++) {
		struct rs_str text = conf_pool_str(pool, l->na_types.v[i]);

		if (!text.p || conf_list_push(pool, out, text) != 0)
			return -1;
	}
	return 0;
}

/* What the previous snapshot has may be used again. */
static void blocks_seed(struct conf_load *l, const struct ast_sip_snapshot *p)
{
	for (uint32_t i = 0; i < p->endpoints.n; i++) {
		const struct ast_sip_endpoint *e = p->endpoints.v[i];
		const struct ast_sip_endpoint_settings *s = ast_sip_endpoint_settings(e);
		struct ast_sip_acl *acl = (struct ast_sip_acl *)(uintptr_t)s->acl;

		(void)conf_intern_add(&l->settings, e->settings->hash, &e->settings->o);
		if (acl)
			(void)conf_intern_add(&l->acls, acl->hash, &acl->o);
		if (e->extras)
			(void)conf_intern_add(&l->extras, e->extras->hash, &e->extras->o);
	}
	for (uint32_t i = 0; i < p->aors.n; i++) {
		const struct ast_sip_aor *a = p->aors.v[i];

		(void)conf_intern_add(&l->settings, a->settings->hash, &a->settings->o);
		if (a->extras)
			(void)conf_intern_add(&l->extras, a->extras->hash, &a->extras->o);
	}
	for (uint32_t i = 0; i < p->auths.n; i++) {
		const struct ast_sip_auth *a = p->auths.v[i];

		if (a->extras)
			(void)conf_intern_add(&l->extras, a->extras->hash, &a->extras->o);
	}
	for (uint32_t i = 0; i < p->acls.n; i++) {
		struct ast_sip_acl *a = p->acls.v[i];

		(void)conf_intern_add(&l->acls, a->hash, &a->o);
	}
}

static void files_read(struct conf_load *l)
{
	if (conf_set_read(&l->pjsip, l->dir, "pjsip.conf", l->errors) != 0 && errno == ENOENT)
		conf_error_add(l->errors, false, "pjsip.conf", 0, "no such file in %s", l->dir);
	(void)conf_set_read(&l->acl, l->dir, "acl.conf", l->errors);
	(void)conf_set_read(&l->own, l->dir, "res_sip.conf", l->errors);
}

static void objects_build(struct conf_load *l)
{
	struct sections s[CONF_TYPES] = {0};

	sections_sort_out(l, s);
	single_build(l, &s[CONF_GLOBAL], CONF_GLOBAL, conf_build_global);
	single_build(l, &s[CONF_SYSTEM], CONF_SYSTEM, conf_build_system);
	/* the order of the enum: what others refer to comes first */
	for (unsigned t = 0; t < CONF_TYPES; t++)
		if (BUILD[t])
			type_build(l, (enum conf_type_id)t, &s[t]);
	outbound_endpoint_check(l, &s[CONF_GLOBAL]);
	(void)conf_own_build(l);
	l->snap->artificial = conf_build_artificial(l);
	if (!l->snap->artificial || tables_fill(l) != 0 || not_applicable_fill(l) != 0)
		no_memory(l);
}

/* Objects that found no way into the snapshot. */
static void objects_release(struct conf_load *l)
{
	static const enum conf_magic MAGIC[CONF_TYPES] = {
		[CONF_AUTH] = CONF_MAGIC_AUTH,         [CONF_AOR] = CONF_MAGIC_AOR,
		[CONF_ENDPOINT] = CONF_MAGIC_ENDPOINT, [CONF_IDENTIFY] = CONF_MAGIC_IDENTIFY,
		[CONF_ACL] = CONF_MAGIC_ACL,
	};

	for (unsigned t = 0; t < CONF_TYPES; t++)
		for (uint32_t i = 0; i < l->table[t].n; i++)
			if (t == CONF_TRANSPORT)
				conf_transport_release(l->table[t].v[i].object);
			else if (MAGIC[t])
				conf_object_unref(l->table[t].v[i].object, MAGIC[t]);
}

static void load_fini(struct conf_load *l)
{
	objects_release(l);
	conf_intern_free(&l->settings);
	conf_intern_free(&l->acls);
	conf_intern_free(&l->extras);
	for (unsigned t = 0; t < CONF_TYPES; t++)
		conf_builder_free(&l->table[t]);
	conf_set_free(&l->pjsip);
	conf_set_free(&l->acl);
	conf_set_free(&l->own);
	conf_pool_free(&l->tmp);
	free(l->extra);
	free(l);
}

/* What others see of content: with the files of modules. NULL when there is any error. */
static struct ast_sip_snapshot *snapshot_finish(const char *dir, struct ast_sip_snapshot *content, size_t before,
						struct ast_sip_conf_errors *errors)
{
	struct ast_sip_snapshot *view = NULL;
	struct conf_files files;

	conf_files_read(dir, errors->n_fatal == before ? content : NULL, &files, errors);
	if (errors->n_fatal == before) {
		view = conf_snapshot_view(content, files.v, files.n);
		if (!view)
			conf_error_add(errors, false, "pjsip.conf", 0, "out of memory");
	}
	conf_files_free(&files);
	return view;
}

struct ast_sip_snapshot *ast_sip_snapshot_load(const char *dir, struct ast_sip_snapshot *previous,
					       struct ast_sip_conf_errors *errors)
{
	struct conf_load *l = calloc(1, sizeof(*l));
	struct ast_sip_snapshot *snap = conf_snapshot_new(), *view;
	size_t before = errors->n_fatal;

	if (!l || !snap) {
		conf_error_add(errors, false, "pjsip.conf", 0, "out of memory");
		free(l);
		ast_sip_snapshot_unref(snap);
		return NULL;
	}
	l->dir = dir;
	l->snap = snap;
	l->previous = previous;
	l->errors = errors;
	snap->dir = conf_pool_str(&snap->pool, rs_str_c(dir));
	if (!snap->dir.p || conf_load_init(l) != 0) {
		no_memory(l);
	} else {
		if (previous)
			blocks_seed(l, previous);
		files_read(l);
		objects_build(l);
	}
	load_fini(l);
	view = snapshot_finish(dir, snap, before, errors);
	ast_sip_snapshot_unref(snap);
	conf_errors_sort(errors);
	malloc_trim(0); /* the texts that were read are gone; give their pages back */
	return view;
}
