/* A module's configuration file → sections → checked objects. */
#include "core/config/module_file.h"

#include <errno.h>
#include <stdlib.h>

/* One file that is being read. */
struct reading {
	struct conf_load *l;
	struct conf_set set;
	struct conf_schema *schema;
	struct conf_file *file;
	struct ast_sip_snapshot *snapshot; /* NULL: what it lacks is no error */
	struct conf_builder table[CONF_FILE_TYPES];
};

struct ast_sip_conf_check {
	struct reading *r;
};

static void no_memory(struct reading *r)
{
	conf_error_add(r->l->errors, false, r->schema->name, 0, "out of memory");
}

/* ---- which type a section is ---- */

static int type_of_word(const struct conf_schema *s, struct rs_str word)
{
	for (size_t i = 0; i < s->n; i++)
		if (rs_str_eqz(word, s->types[i].type.name))
			return (int)i;
	return -1;
}

/* The names of types, of all or of those that need no type=. */
static const char *type_suggest(const struct conf_schema *s, struct rs_str word, bool single, char *hint, size_t size)
{
	const char *names[CONF_FILE_TYPES];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!single || s->types[i].single)
			names[n++] = s->types[i].type.name;
	return conf_suggest(hint, size, word, names, n);
}

static int section_type(struct reading *r, const struct conf_section *s)
{
	const struct conf_var *type = conf_section_first(s, RS_STR("type"));
	char hint[80];
	int id;

	if (!type) {
		for (size_t i = 0; i < r->schema->n; i++)
			if (r->schema->types[i].single && rs_str_ieqz(s->name, r->schema->types[i].type.name))
				return (int)i;
		conf_error_add(r->l->errors, false, conf_set_file(&r->set, s->file), s->line,
			       "section '%.*s' has no type%s", RS_FMT(s->name),
			       type_suggest(r->schema, s->name, true, hint, sizeof(hint)));
		return -1;
	}
	id = type_of_word(r->schema, conf_var_value(type));
	if (id < 0)
		conf_error_add(r->l->errors, false, conf_set_file(&r->set, type->file), type->line,
			       "section '%.*s': unknown type '%.*s'%s", RS_FMT(s->name), RS_FMT(conf_var_value(type)),
			       type_suggest(r->schema, conf_var_value(type), false, hint, sizeof(hint)));
	return id;
}

/* ---- references ---- */

static const struct conf_table *table_of(const struct ast_sip_snapshot *s, int type)
{
	switch (type) {
	case CONF_ENDPOINT:
		return &s->endpoints;
	case CONF_AOR:
		return &s->aors;
	case CONF_AUTH:
		return &s->auths;
	default:
		return &s->transports;
	}
}

#define NAMES_MAX 1024 /* ids that a suggestion looks at */

static void id_suggest(struct reading *r, const struct conf_table *t, struct rs_str word, char *hint, size_t size)
{
	const char *names[NAMES_MAX];
	uint32_t n = 0;

	hint[0] = '\0';
	if (r->l->errors->n >= CONF_ERRORS_MAX)
		return;
	/* ids of objects are NUL-terminated */
	for (; n < t->n && n < NAMES_MAX; n++)
		names[n] = ((const struct rs_str *)(const void *)((const char *)t->v[n] + t->id_at))->p;
	conf_suggest(hint, size, word, names, n);
}

static void refers_check(struct reading *r, const struct conf_option *o, int type, struct ast_sip_strings list)
{
	const struct conf_table *t = table_of(r->snapshot, type);
	char hint[160];

	for (uint32_t i = 0; i < list.n; i++) {
		if (list.v[i].len == 0 || conf_table_find(t, list.v[i]))
			continue;
		conf_at(r->l, o->name);
		id_suggest(r, t, list.v[i], hint, sizeof(hint));
		conf_fail(r->l, "%s: there is no %s '%.*s'%s", o->name, conf_types[type]->name, RS_FMT(list.v[i]),
			  hint);
	}
}

/* ---- objects ---- */

static void *field(const void *draft, uint32_t row)
{
	return (char *)(uintptr_t)draft + (size_t)row * CONF_FILE_FIELD;
}

static void draft_check(struct reading *r, const struct conf_schema_type *t, const void *draft)
{
	for (uint16_t i = 0; i < t->type.n; i++) {
		const struct conf_option *o = &t->type.options[i];
		bool list = o->kind == CONF_LIST;
		struct ast_sip_strings texts = {NULL, 0};

		if (list)
			texts = *(struct ast_sip_strings *)field(draft, i);
		else if (t->rows[i].required || t->rows[i].refers >= 0)
			texts = (struct ast_sip_strings){field(draft, i), 1};
		if (t->rows[i].required && (texts.n == 0 || (!list && texts.v[0].len == 0))) {
			conf_at(r->l, o->name);
			conf_fail(r->l, "%s is required", o->name);
		}
		if (t->rows[i].refers >= 0 && r->snapshot)
			refers_check(r, o, t->rows[i].refers, texts);
	}
}

static struct ast_sip_conf_object *object_make(struct reading *r, const struct conf_schema_type *t, struct rs_str id,
					       const void *draft)
{
	size_t size = t->type.settings_size;
	struct ast_sip_conf_object *o =
		conf_pool_zalloc(&r->file->pool, sizeof(*o) + size + conf_settings_text_size(&t->type, draft) + 1);

	if (!o)
		return NULL;
	o->id = conf_pool_str(&r->file->pool, id);
	if (!o->id.p)
		return NULL;
	o->magic = CONF_MAGIC_FILE_OBJECT;
	o->file = r->file;
	o->type = t;
	o->next = r->file->made;
	r->file->made = o;
	conf_settings_copy(&t->type, o->values, draft, (char *)o->values + size);
	for (uint16_t i = 0; i < t->type.n; i++)
		if (r->l->last[i])
			o->set[i / 64] |= (uint64_t)1 << (i % 64);
	return o;
}

/* 0, or -1 when the module refuses it. */
static int object_check(struct reading *r, struct ast_sip_conf_object *o)
{
	struct ast_sip_conf_check c = {r};
	void *prepared = NULL;
	int rc;

	if (!o->type->check)
		return 0;
	r->l->var = NULL;
	rc = o->type->check(o, &c, &prepared);
	if (rc != 0 && !r->l->failed) {
		r->l->var = NULL;
		conf_fail(r->l, "its module refuses it");
	}
	atomic_store_explicit(&o->prepared, prepared, memory_order_release);
	return r->l->failed ? -1 : 0;
}

/* s NULL: of defaults. NULL when it has errors. */
static struct ast_sip_conf_object *object_build(struct reading *r, const struct conf_schema_type *t,
						const struct conf_section *s)
{
	uint64_t draft[(CONF_MAX_OPTIONS + 1) * CONF_FILE_FIELD / sizeof(uint64_t)];
	struct ast_sip_conf_object *o;

	conf_reading(r->l, &t->type, &t->names);
	(void)conf_apply_section(r->l, &r->set, s, t->defaults, draft);
	draft_check(r, t, draft);
	if (r->l->failed)
		return NULL;
	o = object_make(r, t, s ? s->name : rs_str_c(t->type.name), draft);
	if (!o)
		no_memory(r);
	return o;
}

static void section_build(struct reading *r, size_t type, const struct conf_section *s)
{
	const struct conf_schema_type *t = &r->schema->types[type];
	struct conf_builder *b = &r->table[type];
	struct rs_str id = s ? s->name : rs_str_c(t->type.name);
	struct conf_entry *e = !t->single ? conf_builder_find(b, id) : b->n ? b->v : NULL;
	uint32_t at;

	if (e) {
		conf_error_add(r->l->errors, false, conf_set_file(&r->set, s->file), s->line,
			       t->single ? "a second section of type %s ('%.*s'); the first is at %s:%u"
					 : "%s '%.*s' stands here and at %s:%u",
			       t->type.name, RS_FMT(id), conf_set_file(&r->set, e->section->file), e->section->line);
		return;
	}
	e = conf_builder_add(b, id);
	if (!e) {
		no_memory(r);
		return;
	}
	e->section = s;
	at = b->n - 1;
	e->object = object_build(r, t, s);
	if (b->v[at].object)
		(void)object_check(r, b->v[at].object);
}

/* ---- what a check may ask and say ---- */

struct ast_sip_snapshot *ast_sip_conf_check_snapshot(struct ast_sip_conf_check *c)
{
	return c->r->snapshot;
}

static void check_say(struct conf_load *l, bool warning, const char *option, const char *fmt, va_list ap)
	RS_PRINTF(4, 0);
static void check_say(struct conf_load *l, bool warning, const char *option, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	l->var = NULL;
	if (option)
		conf_at(l, option);
	(warning ? conf_warn : conf_fail)(l, "%s", text);
}

void ast_sip_conf_refuse(struct ast_sip_conf_check *c, const char *option, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_say(c->r->l, false, option, fmt, ap);
	va_end(ap);
}

void ast_sip_conf_warn(struct ast_sip_conf_check *c, const char *option, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_say(c->r->l, true, option, fmt, ap);
	va_end(ap);
}

/* ---- the file ---- */

static void sections_build(struct reading *r)
{
	for (const struct conf_section *s = r->set.first; s; s = s->next) {
		int type = s->is_template ? -1 : section_type(r, s);

		if (type >= 0)
			section_build(r, (size_t)type, s);
	}
	for (size_t i = 0; i < r->schema->n; i++)
		if (r->schema->types[i].single && r->table[i].n == 0 && !r->set.broken)
			section_build(r, i, NULL);
}

/* The objects in file order, and by their ids. */
static int objects_fill(struct reading *r, size_t type)
{
	struct conf_file_objects *to = &r->file->types[type];
	const struct conf_builder *b = &r->table[type];
	void **by_id;

	if (b->n == 0)
		return 0;
	to->v = conf_pool_alloc(&r->file->pool, b->n * sizeof(struct ast_sip_conf_object *));
	by_id = malloc(b->n * sizeof(*by_id));
	if (!to->v || !by_id) {
		free(by_id);
		return -1;
	}
	for (uint32_t i = 0; i < b->n; i++)
		by_id[i] = to->v[i] = b->v[i].object;
	to->n = b->n;
	return conf_table_make(&to->by_id, by_id, b->n, offsetof(struct ast_sip_conf_object, id));
}

static void file_build(struct reading *r, const char *dir)
{
	struct ast_sip_conf_errors *errors = r->l->errors;
	size_t before = errors->n_fatal;

	if (conf_set_read(&r->set, dir, r->schema->name, errors) != 0 && errno == ENOENT && r->schema->required) {
		conf_error_add(errors, false, r->schema->name, 0, "no such file in %s", dir);
		return;
	}
	sections_build(r);
	for (size_t i = 0; i < r->schema->n && errors->n_fatal == before; i++)
		if (objects_fill(r, i) != 0)
			no_memory(r);
}

struct conf_file *conf_file_read(const char *dir, struct conf_schema *schema, struct ast_sip_snapshot *s,
				 struct ast_sip_conf_errors *errors)
{
	struct reading r = {
		.l = calloc(1, sizeof(*r.l)), .schema = schema, .file = conf_file_new(schema), .snapshot = s};
	size_t before = errors->n_fatal;

	if (r.l && r.file) {
		r.l->errors = errors;
		r.l->file = schema->name;
		file_build(&r, dir);
	} else {
		conf_error_add(errors, false, schema->name, 0, "out of memory");
	}
	for (size_t i = 0; i < schema->n; i++)
		conf_builder_free(&r.table[i]);
	conf_set_free(&r.set);
	if (r.l) {
		conf_pool_free(&r.l->tmp);
		free(r.l->extra);
	}
	free(r.l);
	if (errors->n_fatal == before)
		return r.file;
	conf_file_unref(r.file);
	return NULL;
}
