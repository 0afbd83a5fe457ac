/* The files that modules have added, and what was read of them as long as anybody has it. */
#include "core/config/module_file.h"

#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
static struct {
	pthread_mutex_t lock;
	struct conf_schema *first; /* in the order in which they were added */
} schemas = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct {
	pthread_mutex_t lock;
	struct conf_file *first;
} living = {.lock = PTHREAD_MUTEX_INITIALIZER};

void ast_sip_conf_change_begin(void)
{
	pthread_mutex_lock(&change);
}

void ast_sip_conf_change_end(void)
{
	pthread_mutex_unlock(&change);
}

/* ---- life of what was read ---- */

struct conf_file *conf_file_new(struct conf_schema *schema)
{
	struct conf_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	atomic_init(&f->refs, 1);
	f->schema = conf_schema_ref(schema);
	pthread_mutex_lock(&living.lock);
	f->next = living.first;
	if (f->next)
		f->next->prev = f;
	living.first = f;
	pthread_mutex_unlock(&living.lock);
	return f;
}

struct conf_file *conf_file_ref(struct conf_file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

/* With the lock held, so that the module's code has been left when somebody else has had the lock. */
static void prepared_free(struct conf_file *f)
{
	for (struct ast_sip_conf_object *o = f->made; o; o = o->next) {
		void *prepared = atomic_exchange_explicit(&o->prepared, NULL, memory_order_acq_rel);

		if (prepared && o->type->release)
			o->type->release(prepared);
	}
}

void conf_file_unref(struct conf_file *f)
{
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&living.lock);
	if (f->prev)
		f->prev->next = f->next;
	else
		living.first = f->next;
	if (f->next)
		f->next->prev = f->prev;
	prepared_free(f);
	pthread_mutex_unlock(&living.lock);
	for (struct ast_sip_conf_object *o = f->made; o; o = o->next)
		o->magic = 0;
	for (size_t i = 0; i < f->schema->n; i++) {
		free(f->types[i].by_id.v);
		free(f->types[i].by_id.slot);
	}
	conf_pool_free(&f->pool);
	conf_schema_unref(f->schema);
	free(f);
}

void ast_sip_conf_files_sever(struct ast_sip_module *m)
{
	pthread_mutex_lock(&living.lock);
	for (struct conf_file *f = living.first; f; f = f->next)
		if (f->schema->module == m)
			prepared_free(f);
	pthread_mutex_unlock(&living.lock);
}

/* ---- reading them all ---- */

void conf_files_read(const char *dir, struct ast_sip_snapshot *s, struct conf_files *out,
		     struct ast_sip_conf_errors *errors)
{
	uint32_t n = 0;

	*out = (struct conf_files){NULL, 0};
	pthread_mutex_lock(&schemas.lock);
	for (const struct conf_schema *x = schemas.first; x; x = x->next)
		n++;
	if (n)
		out->v = calloc(n, sizeof(struct conf_file *));
	if (n && !out->v)
		conf_error_add(errors, false, schemas.first->name, 0, "out of memory");
	for (struct conf_schema *x = schemas.first; x && out->v; x = x->next) {
		struct conf_file *f = conf_file_read(dir, x, s, errors);

		if (f)
			out->v[out->n++] = f;
	}
	pthread_mutex_unlock(&schemas.lock);
}

void conf_files_free(struct conf_files *files)
{
	for (uint32_t i = 0; i < files->n; i++)
		conf_file_unref(files->v[i]);
	free(files->v);
	*files = (struct conf_files){NULL, 0};
}

/* ---- modules come and go ---- */

static void schemas_free(struct conf_schema *list)
{
	while (list) {
		struct conf_schema *s = list;

		list = s->next;
		conf_schema_unref(s);
	}
}

static const struct conf_schema *schema_find(const struct conf_schema *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

/* Schemas of all of files in their order, or NULL with errors. */
static struct conf_schema *schemas_make(struct ast_sip_module *m, const struct ast_sip_conf_file *const *files,
					struct ast_sip_conf_errors *errors)
{
	struct conf_schema *list = NULL, **end = &list;
	unsigned n = 0;

	for (; *files; files++) {
		struct conf_schema *s = conf_schema_new(m, *files, errors);
		bool taken;

		if (!s)
			goto failed;
		n++;
		pthread_mutex_lock(&schemas.lock);
		taken = schema_find(schemas.first, s->name) || schema_find(list, s->name);
		pthread_mutex_unlock(&schemas.lock);
		*end = s;
		end = &s->next;
		if (taken) {
			conf_error_add(errors, false, s->name, 0, "a module that is loaded has a file of that name");
			goto failed;
		}
		if (n > CONF_FILES_OF_MODULE) {
			conf_error_add(errors, false, s->name, 0, "more files than a module may have");
			goto failed;
		}
	}
	return list;
failed:
	schemas_free(list);
	return NULL;
}

/* Whether f stays beside more: it is no earlier reading of one of these, which a removal without memory has left. */
static bool stays(const struct conf_file *f, const struct conf_schema *without, const struct conf_files *more)
{
	for (; without; without = without->next)
		if (f->schema == without)
			return false;
	for (uint32_t i = 0; i < more->n; i++)
		if (strcmp(f->schema->name, more->v[i]->schema->name) == 0)
			return false;
	return true;
}

/* Puts a snapshot in force that has now's objects, and of files now's but for those of the list without, and more. 0,
 * or -1 without memory. */
static int files_replace(struct ast_sip_snapshot *now, const struct conf_schema *without, const struct conf_files *more)
{
	uint32_t old = now->files.n, n = 0;
	struct conf_file **v = calloc(old + more->n + 1, sizeof(struct conf_file *));
	struct ast_sip_snapshot *s = NULL;

	if (!v)
		return -1;
	for (uint32_t i = 0; i < old; i++)
		if (stays(now->files.v[i], without, more))
			v[n++] = now->files.v[i];
	for (uint32_t i = 0; i < more->n; i++)
		v[n++] = more->v[i];
	s = conf_snapshot_view(now->content, v, n);
	free(v);
	if (!s)
		return -1;
	ast_sip_snapshot_install(s);
	return 0;
}

/* Reads the files of list into a new snapshot instead of now. 0, or -1 with errors. */
static int schemas_read(struct ast_sip_snapshot *now, struct conf_schema *list, struct ast_sip_conf_errors *errors)
{
	size_t before = errors->n_fatal;
	struct conf_file *v[CONF_FILES_OF_MODULE];
	struct conf_files files = {v, 0};

	for (struct conf_schema *s = list; s; s = s->next) {
		struct conf_file *f = conf_file_read(now->dir.p, s, now->content, errors);

		if (f)
			v[files.n++] = f;
	}
	if (errors->n_fatal == before && files_replace(now, NULL, &files) != 0)
		conf_error_add(errors, false, list->name, 0, "out of memory");
	for (uint32_t i = 0; i < files.n; i++)
		conf_file_unref(v[i]);
	return errors->n_fatal == before ? 0 : -1;
}

static int files_add(struct ast_sip_module *m, const struct ast_sip_conf_file *const *files,
		     struct ast_sip_conf_errors *errors)
{
	struct conf_schema *list = schemas_make(m, files, errors), **end;
	struct ast_sip_snapshot *now;
	int rc = 0;

	if (!list)
		return *files ? -1 : 0;
	now = ast_sip_snapshot_get();
	if (now)
		rc = schemas_read(now, list, errors);
	ast_sip_snapshot_unref(now);
	if (rc != 0) {
		schemas_free(list);
		return -1;
	}
	pthread_mutex_lock(&schemas.lock);
	for (end = &schemas.first; *end; end = &(*end)->next)
		;
	*end = list;
	pthread_mutex_unlock(&schemas.lock);
	return 0;
}

int ast_sip_conf_files_add(struct ast_sip_module *m, const struct ast_sip_conf_file *const *files,
			   struct ast_sip_conf_errors *errors)
{
	int rc;

	if (!files)
		return 0;
	ast_sip_conf_change_begin();
	rc = files_add(m, files, errors);
	ast_sip_conf_change_end();
	conf_errors_sort(errors);
	return rc;
}

/* m's schemas, out of the list; a load that reads them has read them then. */
static struct conf_schema *schemas_take(const struct ast_sip_module *m)
{
	struct conf_schema *taken = NULL, **at;

	pthread_mutex_lock(&schemas.lock);
	for (at = &schemas.first; *at;) {
		struct conf_schema *s = *at;

		if (s->module != m) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = taken;
		taken = s;
	}
	pthread_mutex_unlock(&schemas.lock);
	return taken;
}

void ast_sip_conf_files_remove(struct ast_sip_module *m)
{
	const struct conf_files none = {NULL, 0};
	struct ast_sip_snapshot *now;
	struct conf_schema *taken;

	ast_sip_conf_change_begin();
	taken = schemas_take(m);
	now = taken ? ast_sip_snapshot_get() : NULL;
	/* Without memory the objects stay in force, and nobody asks for them. */
	if (now && files_replace(now, taken, &none) != 0)
		rs_log_line(RS_LOG_WARNING, "module_file.c", "No memory: %s stays in the configuration until a reload",
			    taken->name);
	ast_sip_snapshot_unref(now);
	schemas_free(taken);
	ast_sip_conf_change_end();
}
