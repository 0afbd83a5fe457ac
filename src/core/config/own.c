/* res_sip.conf: what is our own. */
#include "core/config/own_options.h"

#include "core/config/build.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define X(section, option, kind, def, min, max, help) {section, option, AST_SIP_OWN_##kind, def, min, max, help},
static const struct ast_sip_own_option CORE_ROWS[] = {CONF_OWN_OPTIONS(X)};
#undef X

#define KEY_MAX 128 /* bytes of "section.option" */

/* ---- rows: the core's and those of modules ---- */

struct own_group {
	const struct ast_sip_own_option *rows;
	size_t n;
	struct own_group *next;
};
static struct {
	pthread_mutex_t lock; /* registration and loads only */
	struct own_group *groups;
} modules = {.lock = PTHREAD_MUTEX_INITIALIZER};

int ast_sip_own_register(const struct ast_sip_own_option *rows, size_t n)
{
	struct own_group *g = malloc(sizeof(*g));

	if (!g)
		return -1;
	*g = (struct own_group){rows, n, NULL};
	pthread_mutex_lock(&modules.lock);
	g->next = modules.groups;
	modules.groups = g;
	pthread_mutex_unlock(&modules.lock);
	return 0;
}

void ast_sip_own_unregister(const struct ast_sip_own_option *rows)
{
	struct own_group **at, *g;

	pthread_mutex_lock(&modules.lock);
	for (at = &modules.groups; (g = *at); at = &g->next)
		if (g->rows == rows) {
			*at = g->next;
			free(g);
			break;
		}
	pthread_mutex_unlock(&modules.lock);
}

/* ---- values ---- */

struct own_value {
	struct rs_str id; /* "section.option" */
	bool typed;       /* false: of a section that nobody has registered; text as it stands */
	bool b;
	uint32_t u;
	struct rs_str text;
	struct ast_sip_strings list;
};

struct own_build {
	struct conf_load *l;
	struct own_value **v;
	uint32_t n, cap;
};

static struct own_value *value_find(const struct own_build *b, struct rs_str id)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (rs_str_ieq(b->v[i]->id, id))
			return b->v[i];
	return NULL;
}

static struct own_value *value_add(struct own_build *b, struct rs_str section, struct rs_str option)
{
	struct conf_pool *pool = &b->l->snap->pool;
	struct own_value *v = conf_pool_zalloc(pool, sizeof(*v));
	char key[KEY_MAX];
	int n = snprintf(key, sizeof(key), "%.*s.%.*s", RS_FMT(section), RS_FMT(option));

	if (!v || n < 0 || n >= KEY_MAX)
		return NULL;
	if (b->n == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 64;
		struct own_value **grown = realloc(b->v, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		b->v = grown;
		b->cap = cap;
	}
	for (int i = 0; i < n; i++)
		key[i] = (char)tolower((unsigned char)key[i]);
	v->id = conf_pool_str(pool, rs_str_n(key, (size_t)n));
	b->v[b->n++] = v;
	return v->id.p ? v : NULL;
}

static const char *const LEVELS[] = {"error", "warning", "notice", "info", "verbose", "debug"};
static const char *const WHEN[] = {"always", "moved", "never"};

static bool is_one_of(struct rs_str text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rs_str_ieqz(text, words[i]))
			return true;
	}
	return false;
}

/* Why the text is no such value, or NULL when it was taken. */
static const char *value_set(struct own_build *b, const struct ast_sip_own_option *row, struct own_value *v,
			     struct rs_str text, bool more)
{
	struct conf_pool *pool = &b->l->snap->pool;
	struct sip_addr addr;
	uint8_t bits;

	v->typed = true;
	v->text = conf_pool_str(pool, text);
	switch (row->kind) {
	case AST_SIP_OWN_BOOL:
		return conf_value_bool(text, &v->b) == 0 ? NULL : "is neither yes nor no";
	case AST_SIP_OWN_UINT:
		return conf_value_uint(text, row->min, row->max, &v->u) == 0 ? NULL : "";
	case AST_SIP_OWN_STR:
		return NULL;
	case AST_SIP_OWN_LEVEL:
		return is_one_of(text, LEVELS, RS_ARRAY_SIZE(LEVELS))
			       ? NULL
			       : "is none of error, warning, notice, info, verbose, debug";
	case AST_SIP_OWN_WHEN:
		return is_one_of(text, WHEN, RS_ARRAY_SIZE(WHEN)) ? NULL : "is none of always, moved, never";
	case AST_SIP_OWN_LIST:
	case AST_SIP_OWN_NETWORKS:
		break;
	}
	if (!more)
		v->list = (struct ast_sip_strings){NULL, 0};
	if (conf_list_add(pool, &v->list, v->text) != 0)
		return "does not fit in memory";
	for (uint32_t i = 0; row->kind == AST_SIP_OWN_NETWORKS && i < v->list.n; i++)
		if (conf_value_network(v->list.v[i], &addr, &bits) != 0)
			return "is no list of address, address/bits or address/mask";
	return NULL;
}

static int rows_defaults(struct own_build *b, const struct ast_sip_own_option *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct own_value *v = value_add(b, rs_str_c(rows[i].section), rs_str_c(rows[i].option));

		if (!v || value_set(b, &rows[i], v, rs_str_c(rows[i].def), false)) {
			conf_error_add(b->l->errors, false, "res_sip.conf", 0, "[%s] %s: the default cannot be used",
				       rows[i].section, rows[i].option);
			return -1;
		}
	}
	return 0;
}

/* The row, NULL when there is none; *section_known tells whether any row has the section. */
static const struct ast_sip_own_option *row_find(struct rs_str section, struct rs_str option, bool *section_known)
{
	struct own_group core = {CORE_ROWS, RS_ARRAY_SIZE(CORE_ROWS), modules.groups};

	*section_known = false;
	for (struct own_group *g = &core; g; g = g->next)
		for (size_t i = 0; i < g->n; i++) {
			if (!rs_str_ieqz(section, g->rows[i].section))
				continue;
			*section_known = true;
			if (rs_str_ieqz(option, g->rows[i].option))
				return &g->rows[i];
		}
	return NULL;
}

#define NAMES_MAX 128 /* names that a suggestion looks at */

/* Section names (section empty) or the options of one. */
static const char *own_suggest(char *buf, size_t size, struct rs_str word, struct rs_str section)
{
	struct own_group core = {CORE_ROWS, RS_ARRAY_SIZE(CORE_ROWS), modules.groups};
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (struct own_group *g = &core; g; g = g->next)
		for (size_t i = 0; i < g->n && n < NAMES_MAX; i++)
			if (section.len == 0)
				names[n++] = g->rows[i].section;
			else if (rs_str_ieqz(section, g->rows[i].section))
				names[n++] = g->rows[i].option;
	return conf_suggest(buf, size, word, names, n);
}

static void own_var(struct own_build *b, const struct conf_section *s, const struct conf_var *var)
{
	struct conf_load *l = b->l;
	struct rs_str name = conf_var_name(var), text = conf_var_value(var);
	const char *file = conf_set_file(&l->own, var->file), *why;
	const struct ast_sip_own_option *row;
	struct own_value *v;
	char hint[80], key[KEY_MAX];
	bool section_known;
	int n;

	row = row_find(s->name, name, &section_known);
	if (!row && section_known) {
		conf_error_add(l->errors, false, file, var->line, "[%.*s]: unknown option '%.*s'%s", RS_FMT(s->name),
			       RS_FMT(name), own_suggest(hint, sizeof(hint), name, s->name));
		return;
	}
	n = snprintf(key, sizeof(key), "%.*s.%.*s", RS_FMT(s->name), RS_FMT(name));
	v = n < KEY_MAX ? value_find(b, rs_str_n(key, (size_t)n)) : NULL;
	if (!row) {
		v = v ? v : value_add(b, s->name, name);
		if (v)
			v->text = conf_pool_str(&l->snap->pool, text);
		else
			conf_error_add(l->errors, false, file, var->line, "[%.*s]: the name is too long",
				       RS_FMT(s->name));
		return;
	}
	/* a list that is given more than once adds; the first time it replaces the default */
	why = v ? value_set(b, row, v, text, v->b) : "does not fit in memory";
	if (v && (row->kind == AST_SIP_OWN_LIST || row->kind == AST_SIP_OWN_NETWORKS))
		v->b = true;
	if (why && row->kind == AST_SIP_OWN_UINT)
		conf_error_add(l->errors, false, file, var->line, "[%.*s]: %.*s: '%.*s' is no number from %u to %u",
			       RS_FMT(s->name), RS_FMT(name), RS_FMT(text), row->min, row->max);
	else if (why)
		conf_error_add(l->errors, false, file, var->line, "[%.*s]: %.*s: '%.*s' %s", RS_FMT(s->name),
			       RS_FMT(name), RS_FMT(text), why);
}

static void own_section(struct own_build *b, const struct conf_section *s)
{
	struct conf_iter it = {0};
	const struct conf_var *var;
	const char *file = conf_set_file(&b->l->own, s->file);
	char hint[80];
	bool known;

	(void)row_find(s->name, RS_STR_NULL, &known);
	if (!known) {
		own_suggest(hint, sizeof(hint), s->name, RS_STR_NULL);
		conf_error_add(b->l->errors, !hint[0], file, s->line, "unknown section [%.*s]%s", RS_FMT(s->name),
			       hint[0] ? hint : ": its options are kept for a module that may want them");
		if (hint[0])
			return;
	}
	while ((var = conf_section_next(s, &it)))
		own_var(b, s, var);
}

int conf_own_build(struct conf_load *l)
{
	struct own_build b = {.l = l};
	size_t before = l->errors->n_fatal;

	pthread_mutex_lock(&modules.lock);
	(void)rows_defaults(&b, CORE_ROWS, RS_ARRAY_SIZE(CORE_ROWS));
	for (struct own_group *g = modules.groups; g; g = g->next)
		(void)rows_defaults(&b, g->rows, g->n);
	for (const struct conf_section *s = l->own.first; s; s = s->next)
		if (!s->is_template)
			own_section(&b, s);
	pthread_mutex_unlock(&modules.lock);
	if (conf_table_make(&l->snap->own, (void **)b.v, b.n, offsetof(struct own_value, id)) != 0)
		conf_error_add(l->errors, false, "res_sip.conf", 0, "out of memory");
	else
		l->snap->informational = ast_sip_own_bool(l->snap, "security", "informational", false);
	return l->errors->n_fatal == before ? 0 : -1;
}

/* ---- reading ---- */

static const struct own_value *own_get(struct ast_sip_snapshot *s, const char *section, const char *option)
{
	char key[KEY_MAX];
	size_t a = strlen(section), o = strlen(option);

	if (!s || a + o + 1 > sizeof(key))
		return NULL;
	memcpy(key, section, a);
	key[a] = '.';
	memcpy(key + a + 1, option, o);
	return conf_table_find(&s->own, rs_str_n(key, a + o + 1));
}

bool ast_sip_own_bool(struct ast_sip_snapshot *s, const char *section, const char *option, bool def)
{
	const struct own_value *v = own_get(s, section, option);
	bool b = def;

	if (v && v->typed)
		return v->b;
	return v && conf_value_bool(v->text, &b) == 0 ? b : def;
}

uint32_t ast_sip_own_uint(struct ast_sip_snapshot *s, const char *section, const char *option, uint32_t def)
{
	const struct own_value *v = own_get(s, section, option);
	uint32_t u = def;

	if (v && v->typed)
		return v->u;
	return v && conf_value_uint(v->text, 0, UINT32_MAX, &u) == 0 ? u : def;
}

struct rs_str ast_sip_own_str(struct ast_sip_snapshot *s, const char *section, const char *option)
{
	const struct own_value *v = own_get(s, section, option);

	return v ? v->text : RS_STR_NULL;
}

struct ast_sip_strings ast_sip_own_list(struct ast_sip_snapshot *s, const char *section, const char *option)
{
	const struct own_value *v = own_get(s, section, option);

	return v ? v->list : (struct ast_sip_strings){NULL, 0};
}
