/* What a module says of its configuration file, checked and copied into tables of options. */
#include "core/config/module_file.h"

#include <stdlib.h>

_Static_assert(sizeof(struct rs_str) <= CONF_FILE_FIELD && sizeof(struct ast_sip_strings) <= CONF_FILE_FIELD,
	       "a field holds any value");

/* The server's own files, which no module may take for its. */
static const char *const OWN_FILES[] = {"pjsip.conf", "acl.conf", "modules.conf", "res_sip.conf"};

/* The work of making one schema. */
struct making {
	struct conf_schema *schema;
	struct ast_sip_conf_errors *errors;
	const char *file, *type; /* where it is, for errors */
};

static int wrong(struct making *m, const char *option, const char *what)
{
	conf_error_add(m->errors, false, m->file, 0, "the module's table of %s%s%s%s: %s", m->type ? m->type : "types",
		       option ? ", option '" : "", option ? option : "", option ? "'" : "", what);
	return -1;
}

static const char *copy(struct making *m, const char *text)
{
	return text ? conf_pool_str(&m->schema->pool, rs_str_c(text)).p : NULL;
}

/* ---- rows ---- */

static int refers_to(const char *name)
{
	static const enum conf_type_id ids[] = {CONF_ENDPOINT, CONF_AOR, CONF_AUTH, CONF_TRANSPORT};

	for (size_t i = 0; name && i < RS_ARRAY_SIZE(ids); i++)
		if (strcmp(name, conf_types[ids[i]]->name) == 0)
			return (int)ids[i];
	return -1;
}

static const char *row_mistake(const struct ast_sip_conf_option *o)
{
	bool text = o->kind == AST_SIP_CONF_STR || o->kind == AST_SIP_CONF_URI, list = o->kind == AST_SIP_CONF_LIST;
	bool words = o->kind == AST_SIP_CONF_ENUM || o->kind == AST_SIP_CONF_FLAGS;

	if ((unsigned)o->kind > AST_SIP_CONF_FLAGS)
		return "a kind that this server does not know";
	if (words != (o->words && o->words[0].name))
		return "words belong to an enum and to flags";
	if (o->flags & AST_SIP_CONF_ACCUMULATE && (!list || o->def))
		return "only a list without a default gathers";
	if (o->flags & AST_SIP_CONF_REQUIRED && !text && !list)
		return "only a text or a list is required";
	if (o->flags & AST_SIP_CONF_SECRET && o->kind != AST_SIP_CONF_STR)
		return "only a text is secret";
	if (o->refers && (refers_to(o->refers) < 0 || (o->kind != AST_SIP_CONF_STR && !list)))
		return "refers is for a text or a list and names endpoint, aor, auth or transport";
	return NULL;
}

static const struct conf_name *words_copy(struct making *m, const struct ast_sip_conf_word *words)
{
	struct conf_name *v;
	size_t n = 0;

	while (words[n].name)
		n++;
	v = conf_pool_zalloc(&m->schema->pool, (n + 1) * sizeof(*v));
	for (size_t i = 0; v && i < n; i++) {
		v[i] = (struct conf_name){copy(m, words[i].name), words[i].value};
		if (!v[i].name)
			return NULL;
	}
	return v;
}

static enum conf_kind kind_of(enum ast_sip_conf_kind kind)
{
	static const enum conf_kind kinds[] = {
		[AST_SIP_CONF_BOOL] = CONF_BOOL, [AST_SIP_CONF_UINT] = CONF_UINT,   [AST_SIP_CONF_INT] = CONF_INT,
		[AST_SIP_CONF_STR] = CONF_STR,   [AST_SIP_CONF_URI] = CONF_URI,     [AST_SIP_CONF_LIST] = CONF_LIST,
		[AST_SIP_CONF_ENUM] = CONF_ENUM, [AST_SIP_CONF_FLAGS] = CONF_FLAGS,
	};

	return kinds[kind];
}

static int row_make(struct making *m, const struct ast_sip_conf_option *from, struct conf_option *o,
		    struct conf_schema_row *row, uint32_t place)
{
	const char *mistake = row_mistake(from), *def = from->def;

	if (mistake)
		return wrong(m, from->name, mistake);
	if (!def && from->kind == AST_SIP_CONF_ENUM)
		def = from->words[0].name;
	*row = (struct conf_schema_row){
		.kind = from->kind, .required = from->flags & AST_SIP_CONF_REQUIRED, .refers = refers_to(from->refers)};
	*o = (struct conf_option){.name = copy(m, from->name),
				  .kind = kind_of(from->kind),
				  .class_ = 'S',
				  .def = copy(m, def),
				  .offset = place * CONF_FILE_FIELD,
				  .min = from->min,
				  .max = from->max};
	if (from->flags & AST_SIP_CONF_ACCUMULATE)
		o->flags |= CONF_F_ACCUMULATE;
	if (from->flags & AST_SIP_CONF_SECRET)
		o->flags |= CONF_F_SECRET;
	if (from->words)
		o->names = words_copy(m, from->words);
	return !o->name || (def && !o->def) || (from->words && !o->names) ? wrong(m, from->name, "out of memory") : 0;
}

static int name_check(struct making *m, const struct ast_sip_conf_type *t, size_t at)
{
	const char *name = t->options[at].name;

	if (!name || !name[0] || name[0] == '@' || strcasecmp(name, "type") == 0)
		return wrong(m, name, "no name of an option");
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(name, t->options[i].name) == 0)
			return wrong(m, name, "it stands there twice");
	return 0;
}

/* ---- types ---- */

static int rows_make(struct making *m, const struct ast_sip_conf_type *from, struct conf_schema_type *t)
{
	struct conf_option *options = conf_pool_zalloc(&m->schema->pool, (from->n + 1) * sizeof(*options));
	struct conf_schema_row *rows = conf_pool_zalloc(&m->schema->pool, (from->n + 1) * sizeof(*rows));

	if (!options || !rows)
		return wrong(m, NULL, "out of memory");
	for (size_t i = 0; i < from->n; i++)
		if (name_check(m, from, i) != 0 ||
		    row_make(m, &from->options[i], &options[i], &rows[i], (uint32_t)i) != 0)
			return -1;
	t->rows = rows;
	t->type.options = options;
	t->type.n = (uint16_t)from->n;
	t->type.draft_size = t->type.settings_size = (from->n + 1) * CONF_FILE_FIELD; /* never empty */
	conf_type_index_make(&t->names, &t->type);
	return 0;
}

/* The defaults, with their texts in the schema's memory. */
static int defaults_make(struct making *m, struct conf_schema_type *t)
{
	struct conf_load *l = calloc(1, sizeof(*l));
	size_t before = m->errors->n_fatal, size = t->type.draft_size;
	void *draft = NULL;
	char *kept = NULL;

	if (l) {
		l->errors = m->errors;
		l->file = m->file;
		draft = conf_defaults_make(l, &t->type, &t->names);
	}
	if (draft)
		kept = conf_pool_alloc(&m->schema->pool, size + conf_settings_text_size(&t->type, draft) + 1);
	if (kept)
		conf_settings_copy(&t->type, kept, draft, kept + size);
	t->defaults = kept;
	if (l)
		conf_pool_free(&l->tmp);
	free(l);
	return kept ? 0 : m->errors->n_fatal == before ? wrong(m, NULL, "out of memory") : -1;
}

static int type_make(struct making *m, const struct ast_sip_conf_file *file, size_t at)
{
	const struct ast_sip_conf_type *from = &file->types[at];
	struct conf_schema_type *t = &m->schema->types[at];

	m->type = from->name;
	if (!from->name || !from->name[0])
		return wrong(m, NULL, "a type without a name");
	for (size_t i = 0; i < at; i++)
		if (strcmp(from->name, file->types[i].name) == 0)
			return wrong(m, NULL, "a second type of that name");
	if (from->n > CONF_MAX_OPTIONS || (from->n && !from->options))
		return wrong(m, NULL, "more options than a type may have, or none where some are counted");
	t->type.name = copy(m, from->name);
	t->single = from->single;
	t->check = from->check;
	t->release = from->release;
	if (!t->type.name)
		return wrong(m, NULL, "out of memory");
	return rows_make(m, from, t) != 0 ? -1 : defaults_make(m, t);
}

static const char *file_mistake(const struct ast_sip_conf_file *file)
{
	if (file->size != sizeof(*file))
		return "its description has another size than this server's: build the module again";
	if (!file->name || !file->name[0] || file->name[0] == '.' || strchr(file->name, '/'))
		return "no name of a file in the configuration directory";
	for (size_t i = 0; i < RS_ARRAY_SIZE(OWN_FILES); i++)
		if (strcasecmp(file->name, OWN_FILES[i]) == 0)
			return "a file of the server's own";
	if (!file->n_types || file->n_types > CONF_FILE_TYPES || !file->types)
		return "no types, or too many";
	return NULL;
}

static int schema_fill(struct making *m, const struct ast_sip_conf_file *file)
{
	struct conf_schema *s = m->schema;

	s->required = file->required;
	s->n = file->n_types;
	s->name = copy(m, file->name);
	s->types = conf_pool_zalloc(&s->pool, s->n * sizeof(*s->types));
	if (!s->name || !s->types)
		return wrong(m, NULL, "out of memory");
	for (size_t i = 0; i < s->n; i++)
		if (type_make(m, file, i) != 0)
			return -1;
	return 0;
}

struct conf_schema *conf_schema_new(struct ast_sip_module *module, const struct ast_sip_conf_file *file,
				    struct ast_sip_conf_errors *errors)
{
	const char *mistake = file_mistake(file);
	struct making m = {.errors = errors, .file = "a module's configuration file"};

	if (file->size == sizeof(*file) && file->name)
		m.file = file->name;
	if (mistake) {
		conf_error_add(errors, false, m.file, 0, "%s", mistake);
		return NULL;
	}
	m.schema = calloc(1, sizeof(*m.schema));
	if (!m.schema) {
		(void)wrong(&m, NULL, "out of memory");
		return NULL;
	}
	atomic_init(&m.schema->refs, 1);
	m.schema->module = module;
	if (schema_fill(&m, file) == 0)
		return m.schema;
	conf_schema_unref(m.schema);
	return NULL;
}

struct conf_schema *conf_schema_ref(struct conf_schema *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void conf_schema_unref(struct conf_schema *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	conf_pool_free(&s->pool);
	free(s);
}
