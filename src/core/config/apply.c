/* Sections to drafts: finds the row of each variable, reads the value, tells what is wrong. */
#include "core/config/build.h"

#include <stdlib.h>

const struct conf_type *const conf_types[CONF_TYPES] = {
	[CONF_GLOBAL] = &conf_type_global,
	[CONF_SYSTEM] = &conf_type_system,
	[CONF_NAMED_ACL] = &conf_type_named_acl,
	[CONF_TRANSPORT] = &conf_type_transport,
	[CONF_AUTH] = &conf_type_auth,
	[CONF_AOR] = &conf_type_aor,
	[CONF_DOMAIN_ALIAS] = &conf_type_domain_alias,
	[CONF_ENDPOINT] = &conf_type_endpoint,
	[CONF_IDENTIFY] = &conf_type_identify,
	[CONF_ACL] = &conf_type_acl,
};

/* ---- errors of the current object ---- */

static void object_say(struct conf_load *l, bool warning, const char *fmt, va_list ap) RS_PRINTF(3, 0);
static void object_say(struct conf_load *l, bool warning, const char *fmt, va_list ap)
{
	const struct conf_section *s = l->section;
	const char *type = l->type->name;
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!s)
		conf_error_add(l->errors, warning, l->file ? l->file : "pjsip.conf", 0, "%s: %s", type, text);
	else
		conf_error_add(l->errors, warning, conf_set_file(l->set, l->var ? l->var->file : s->file),
			       l->var ? l->var->line : s->line, "%s '%.*s': %s", type, RS_FMT(s->name), text);
}

void conf_fail(struct conf_load *l, const char *fmt, ...)
{
	va_list ap;

	l->failed = true;
	if (l->var && l->var->reported)
		return;
	if (l->var)
		l->var->reported = true;
	va_start(ap, fmt);
	object_say(l, false, fmt, ap);
	va_end(ap);
}

void conf_warn(struct conf_load *l, const char *fmt, ...)
{
	va_list ap;

	if (l->var && l->var->reported)
		return;
	if (l->var)
		l->var->reported = true;
	va_start(ap, fmt);
	object_say(l, true, fmt, ap);
	va_end(ap);
}

static struct conf_var *last_of(const struct conf_load *l, const char *option)
{
	int row = conf_type_index_find(l->names, rs_str_c(option));

	return row < 0 ? NULL : l->last[row];
}

void conf_at(struct conf_load *l, const char *option)
{
	l->var = last_of(l, option);
}

bool conf_is_set(const struct conf_load *l, const char *option)
{
	return last_of(l, option) != NULL;
}

/* ---- options without a field ---- */

static int extra_push(struct conf_load *l, struct conf_extra x)
{
	if (l->n_extra == l->extra_cap) {
		uint32_t cap = l->extra_cap ? l->extra_cap * 2 : 32;
		struct conf_extra *v = realloc(l->extra, cap * sizeof(*v));

		if (!v)
			return -1;
		l->extra = v;
		l->extra_cap = cap;
	}
	l->extra[l->n_extra++] = x;
	return 0;
}

int conf_extra_set(struct conf_load *l, uint32_t row, struct rs_str text, bool accumulate)
{
	struct conf_extra *x = NULL;
	char *joined;

	for (uint32_t i = 0; i < l->n_extra && !x; i++)
		if (l->extra[i].row == row)
			x = &l->extra[i];
	if (!x)
		return extra_push(l, (struct conf_extra){text, row});
	if (!accumulate || x->text.len == 0) {
		x->text = text;
		return 0;
	}
	joined = conf_pool_alloc(&l->tmp, x->text.len + text.len + 1);
	if (!joined)
		return -1;
	memcpy(joined, x->text.p, x->text.len);
	joined[x->text.len] = ',';
	if (text.len)
		memcpy(joined + x->text.len + 1, text.p, text.len);
	x->text = rs_str_n(joined, x->text.len + 1 + text.len);
	return 0;
}

/* "@name = value": kept as one text; the same name replaces. */
static int extension_set(struct conf_load *l, const struct conf_var *v)
{
	char *text = conf_pool_alloc(&l->tmp, (size_t)v->name_len + v->value_len + 1);
	struct conf_extra x = {rs_str_n(text, (size_t)v->name_len + v->value_len + 1), CONF_EXTENSION};

	if (!text)
		return -1;
	memcpy(text, v->name, v->name_len);
	text[v->name_len] = '=';
	memcpy(text + v->name_len + 1, v->value, v->value_len);
	for (uint32_t i = 0; i < l->n_extra; i++)
		if (l->extra[i].row == CONF_EXTENSION &&
		    rs_str_starts(l->extra[i].text, rs_str_n(text, v->name_len + 1u))) {
			l->extra[i] = x;
			return 0;
		}
	return extra_push(l, x);
}

/* ---- sections ---- */

static void unknown_option(struct conf_load *l)
{
	const struct conf_type *t = l->type;
	const char *names[CONF_MAX_OPTIONS];
	struct rs_str name = conf_var_name(l->var);
	char hint[80];

	for (uint16_t i = 0; i < t->n; i++)
		names[i] = t->options[i].name;
	conf_suggest(hint, sizeof(hint), name, names, t->n);
	conf_fail(l, "unknown option '%.*s'%s", RS_FMT(name), hint);
}

static void apply_var(struct conf_load *l, void *draft)
{
	const struct conf_option *o;
	int row;

	if (l->var->name[0] == '@') {
		if (extension_set(l, l->var) != 0)
			conf_fail(l, "out of memory");
		return;
	}
	row = conf_type_index_find(l->names, conf_var_name(l->var));
	if (row < 0) {
		unknown_option(l);
		return;
	}
	o = &l->type->options[row];
	l->last[row] = l->var;
	if (o->flags & CONF_F_NA && l->na_seen)
		l->na_seen[row] = true;
	(void)conf_option_set(l, o, draft, conf_var_value(l->var));
}

static int extra_before(const void *a, const void *b)
{
	const struct conf_extra *x = a, *y = b;
	size_t n;
	int c;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	n = x->text.len < y->text.len ? x->text.len : y->text.len;
	c = n ? memcmp(x->text.p, y->text.p, n) : 0;
	return c ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

void conf_reading(struct conf_load *l, const struct conf_type *type, const struct conf_type_index *names)
{
	l->type = type;
	l->names = names;
	l->na_seen = NULL;
	l->set = NULL;
	l->section = NULL;
	l->var = NULL;
	l->failed = false;
}

int conf_apply_section(struct conf_load *l, const struct conf_set *set, const struct conf_section *s,
		       const void *defaults, void *draft)
{
	struct rs_str first_type = RS_STR_NULL;
	struct conf_iter it = {0};

	l->set = set;
	l->section = s;
	l->var = NULL;
	l->failed = false;
	l->n_extra = 0;
	memset(l->last, 0, sizeof(l->last[0]) * l->type->n);
	memcpy(draft, defaults, l->type->draft_size);
	while (s && (l->var = conf_section_next(s, &it))) {
		if (!rs_str_ieqz(conf_var_name(l->var), "type")) {
			apply_var(l, draft);
			continue;
		}
		if (!first_type.p)
			first_type = conf_var_value(l->var);
		else if (!rs_str_eq(first_type, conf_var_value(l->var)))
			conf_fail(l, "type '%.*s' stands behind type '%.*s': the first one holds, inherited or not",
				  RS_FMT(conf_var_value(l->var)), RS_FMT(first_type));
	}
	if (l->n_extra > 1)
		qsort(l->extra, l->n_extra, sizeof(*l->extra), extra_before);
	return l->failed ? -1 : 0;
}

int conf_apply(struct conf_load *l, enum conf_type_id type, const struct conf_set *set, const struct conf_section *s,
	       void *draft)
{
	conf_reading(l, conf_types[type], &l->index[type]);
	l->na_seen = l->na[type];
	return conf_apply_section(l, set, s, l->defaults[type], draft);
}

void *conf_defaults_make(struct conf_load *l, const struct conf_type *type, const struct conf_type_index *names)
{
	void *draft = conf_pool_zalloc(&l->tmp, type->draft_size);

	if (!draft)
		return NULL;
	conf_reading(l, type, names);
	for (uint16_t i = 0; i < type->n; i++)
		if (type->options[i].def && type->options[i].offset != CONF_NO_FIELD &&
		    conf_option_set(l, &type->options[i], draft, rs_str_c(type->options[i].def)) != 0)
			return NULL;
	return draft;
}

int conf_load_init(struct conf_load *l)
{
	l->settings.magic = CONF_MAGIC_SETTINGS;
	l->acls.magic = CONF_MAGIC_ACL;
	l->extras.magic = CONF_MAGIC_EXTRAS;
	for (unsigned i = 0; i < CONF_TYPES; i++) {
		conf_type_index_make(&l->index[i], conf_types[i]);
		l->defaults[i] = conf_defaults_make(l, conf_types[i], &l->index[i]);
		if (!l->defaults[i])
			return -1;
	}
	return 0;
}
