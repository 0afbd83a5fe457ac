/* Objects of modules' configuration files, as modules read them. */
#include "core/config/module_file.h"

#include <stdlib.h>

static const struct conf_file_objects *objects_of(const struct ast_sip_snapshot *s, const char *file, const char *type)
{
	for (uint32_t i = 0; s && i < s->files.n; i++) {
		const struct conf_file *f = s->files.v[i];

		if (strcmp(f->schema->name, file) != 0)
			continue;
		for (size_t t = 0; t < f->schema->n; t++)
			if (strcmp(f->schema->types[t].type.name, type) == 0)
				return &f->types[t];
	}
	return NULL;
}

struct ast_sip_conf_objects ast_sip_conf_objects(struct ast_sip_snapshot *s, const char *file, const char *type)
{
	const struct conf_file_objects *objects = objects_of(s, file, type);

	return objects ? (struct ast_sip_conf_objects){objects->v, objects->n} : (struct ast_sip_conf_objects){NULL, 0};
}

struct ast_sip_conf_object *ast_sip_conf_object_find(struct ast_sip_snapshot *s, const char *file, const char *type,
						     struct rs_str id)
{
	const struct conf_file_objects *objects = objects_of(s, file, type);

	return objects ? conf_table_find(&objects->by_id, id) : NULL;
}

struct ast_sip_conf_object *ast_sip_conf_single(struct ast_sip_snapshot *s, const char *file, const char *type)
{
	const struct conf_file_objects *objects = objects_of(s, file, type);

	return objects && objects->n ? objects->v[0] : NULL;
}

/* ---- one object ---- */

static void object_check(const struct ast_sip_conf_object *o)
{
	if (o && o->magic == CONF_MAGIC_FILE_OBJECT)
		return;
	fprintf(stderr, "configuration object %p: not a live object of a module's file\n", (const void *)o);
	abort();
}

struct ast_sip_conf_object *ast_sip_conf_object_ref(struct ast_sip_conf_object *o)
{
	if (!o)
		return NULL;
	object_check(o);
	(void)conf_file_ref(o->file);
	return o;
}

void ast_sip_conf_object_unref(struct ast_sip_conf_object *o)
{
	if (!o)
		return;
	object_check(o);
	conf_file_unref(o->file);
}

struct rs_str ast_sip_conf_object_id(const struct ast_sip_conf_object *o)
{
	object_check(o);
	return o->id;
}

void *ast_sip_conf_prepared(const struct ast_sip_conf_object *o)
{
	object_check(o);
	return atomic_load_explicit(&o->prepared, memory_order_acquire);
}

/* ---- values ---- */

#define KIND(k) (1u << AST_SIP_CONF_##k)

/* The field of a row, whose kind must be one of kinds. */
static const void *value_of(const struct ast_sip_conf_object *o, unsigned row, unsigned kinds)
{
	object_check(o);
	if (row < o->type->type.n && kinds >> o->type->rows[row].kind & 1)
		return (const char *)o->values + (size_t)row * CONF_FILE_FIELD;
	fprintf(stderr, "configuration: %s has no option %u of that kind (%s)\n", o->type->type.name, row,
		row < o->type->type.n ? o->type->type.options[row].name : "no such row");
	abort();
}

bool ast_sip_conf_bool(const struct ast_sip_conf_object *o, unsigned row)
{
	return *(const bool *)value_of(o, row, KIND(BOOL));
}

uint32_t ast_sip_conf_uint(const struct ast_sip_conf_object *o, unsigned row)
{
	return *(const uint32_t *)value_of(o, row, KIND(UINT));
}

int ast_sip_conf_int(const struct ast_sip_conf_object *o, unsigned row)
{
	return *(const int *)value_of(o, row, KIND(INT) | KIND(ENUM) | KIND(FLAGS));
}

struct rs_str ast_sip_conf_str(const struct ast_sip_conf_object *o, unsigned row)
{
	return *(const struct rs_str *)value_of(o, row, KIND(STR) | KIND(URI));
}

struct ast_sip_strings ast_sip_conf_list(const struct ast_sip_conf_object *o, unsigned row)
{
	return *(const struct ast_sip_strings *)value_of(o, row, KIND(LIST));
}

bool ast_sip_conf_is_set(const struct ast_sip_conf_object *o, unsigned row)
{
	(void)value_of(o, row, ~0u);
	return o->set[row / 64] >> (row % 64) & 1;
}

int ast_sip_conf_row(const struct ast_sip_conf_object *o, const char *option)
{
	object_check(o);
	return conf_type_index_find(&o->type->names, rs_str_c(option));
}

void ast_sip_conf_object_options(const struct ast_sip_conf_object *o,
				 void (*each)(void *token, struct rs_str name, struct rs_str value), void *token)
{
	object_check(o);
	conf_options_print(&o->type->type, o->values, (struct conf_extras){NULL, 0}, each, token);
}
