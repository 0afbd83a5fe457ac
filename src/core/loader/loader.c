/* The loader's public side: the records, start-up, stop, and what operators ask for at run time. */
#include "core/loader/loader.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/config/error.h"
#include "core/config/module_file.h"
#include "core/core.h"
#include "core/loader/modules.h"
#include "core/loader/wait.h"
#include "res_sip/config.h"
#include "res_sip/res_sip.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* How long an unload waits for what still runs, unless [modules] drain_ms says otherwise. */
#define DRAIN_MS 5000
/* Even a stop at once lets threads leave the modules, or their unload could not run. */
#define STOP_MIN_MS 500
/* What modules end in order when the server stops is waited for at most so long. */
#define STOPPING_MAX_MS 2000

/*
 * One operation at a time. Held while modules' load, unload and reload run: those may call everything of the public
 * API, none of which comes back here.
 */
static pthread_mutex_t operation = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t records_lock = PTHREAD_MUTEX_INITIALIZER; /* the list's links only */
static struct ast_sip_module *records;
static char *module_dir;

void loader_why_set(struct loader_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
}

const char *loader_dir(void)
{
	return module_dir ? module_dir : ".";
}

bool loader_file_exists(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.so", dir, name);
	return name[0] && access(path, R_OK) == 0;
}

struct ast_sip_module *loader_find(const char *name)
{
	struct ast_sip_module *m;

	pthread_mutex_lock(&records_lock);
	for (m = records; m && strcmp(m->name, name) != 0; m = m->next)
		;
	pthread_mutex_unlock(&records_lock);
	return m;
}

struct ast_sip_module *loader_record(const char *name)
{
	struct ast_sip_module *m = loader_find(name);

	if (m)
		return m;
	m = aligned_alloc(_Alignof(struct ast_sip_module), sizeof(*m));
	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", name);
	pthread_mutex_lock(&records_lock);
	m->next = records;
	records = m;
	pthread_mutex_unlock(&records_lock);
	return m;
}

struct ast_sip_module *loader_first(void)
{
	return records;
}

/* ---- start-up ---- */

static void report_to_log(void *token, bool fatal, const char *file, unsigned line, const char *text)
{
	(void)token;
	if (file)
		rs_log_line(fatal ? RS_LOG_ERROR : RS_LOG_WARNING, "loader.c", "%s:%u: %s", file, line, text);
	else
		rs_log_line(fatal ? RS_LOG_ERROR : RS_LOG_WARNING, "loader.c", "%s", text);
}

static int item_failed(const struct plan_item *item, bool fatal, const struct loader_why *why)
{
	bool stop = fatal || item->required;

	report_to_log(NULL, stop, item->file, item->line, why->text);
	return stop ? -1 : 0;
}

static int no_memory(const char *what)
{
	rs_log_line(RS_LOG_ERROR, "loader.c", "No memory for %s: modules cannot be loaded", what);
	return -1;
}

static int items_open(const struct plan *plan)
{
	struct loader_why why;

	for (size_t i = 0; i < plan->n; i++) {
		struct ast_sip_module *m = loader_record(plan->v[i].name);

		if (!m)
			return no_memory(plan->v[i].name);
		if (module_open_tree(m, &why) && item_failed(&plan->v[i], false, &why))
			return -1;
	}
	return 0;
}

struct start_order {
	const struct plan_item *item;
	struct ast_sip_module *module;
	int priority;
};

static int start_before(const void *x, const void *y)
{
	const struct start_order *a = x, *b = y;

	if (a->item->preload != b->item->preload)
		return a->item->preload ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return a->item < b->item ? -1 : 1;
}

/* Preloaded ones first, then by ascending priority; equals in the plan's order. */
static int items_start(const struct plan *plan)
{
	struct start_order *order = calloc(plan->n ? plan->n : 1, sizeof(*order));
	struct loader_why why;
	size_t n = 0;
	int error = order ? 0 : no_memory("their order");

	for (size_t i = 0; order && i < plan->n; i++) {
		struct ast_sip_module *m = loader_find(plan->v[i].name);

		if (!m || !m->handle)
			continue;
		order[n].item = &plan->v[i];
		order[n].module = m;
		order[n++].priority = m->info->priority ? m->info->priority : AST_SIP_LOAD_DEFAULT;
	}
	if (order)
		qsort(order, n, sizeof(*order), start_before);
	for (size_t i = 0; i < n && !error; i++) {
		int result = module_start(order[i].module, &why);

		if (result != AST_SIP_MODULE_OK)
			error = item_failed(order[i].item, result == AST_SIP_MODULE_FATAL, &why);
	}
	free(order);
	return error;
}

/* What was mapped as a dependency of something that then declined. */
static void close_unused(void)
{
	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (m->handle && atomic_load(&m->state) == MODULE_OPEN)
			module_close(m);
	}
}

int ast_sip_loader_start(const char *dir, const struct ast_sip_modules_conf *conf)
{
	struct plan plan;
	int error;

	pthread_mutex_lock(&operation);
	free(module_dir);
	module_dir = strdup(dir);
	error = module_dir ? plan_make(&plan, dir, conf, report_to_log, NULL) : no_memory("the name of their folder");
	if (module_dir && !error) {
		if (ast_sip_identifiers_set_load_order(plan.identifiers, plan.n_identifiers))
			error = no_memory("the order of identifiers");
		if (!error)
			error = items_open(&plan);
		if (!error)
			error = items_start(&plan);
		close_unused();
	}
	if (module_dir)
		plan_free(&plan);
	pthread_mutex_unlock(&operation);
	return error;
}

static void report_to_errors(void *token, bool fatal, const char *file, unsigned line, const char *text)
{
	conf_error_add(token, !fatal, file ? file : "modules.conf", line, "%s", text);
}

/* Maps what the plan names, and makes the files known that these have of their own. */
static int items_check(const struct plan *plan, struct ast_sip_conf_errors *errors)
{
	struct loader_why why;
	int error = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_item *item = &plan->v[i];
		struct ast_sip_module *m = loader_record(item->name);

		if (!m)
			loader_why_set(&why, "no memory for %s", item->name);
		if (m && module_open_tree(m, &why) == 0)
			continue;
		report_to_errors(errors, item->required, item->file, item->line, why.text);
		error = item->required ? -1 : error;
	}
	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (m->handle && ast_sip_conf_files_add(m, m->info->conf_files, errors))
			error = -1;
	}
	return error;
}

int ast_sip_loader_check(const char *dir, const struct ast_sip_modules_conf *conf, struct ast_sip_conf_errors *errors)
{
	struct plan plan;
	int error;

	pthread_mutex_lock(&operation);
	free(module_dir);
	module_dir = strdup(dir);
	error = plan_make(&plan, dir, conf, report_to_errors, errors);
	if (!error && module_dir)
		error = items_check(&plan, errors);
	plan_free(&plan);
	pthread_mutex_unlock(&operation);
	return error;
}

/* ---- stop ---- */

static struct ast_sip_module *last_started(void)
{
	struct ast_sip_module *last = NULL;

	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (atomic_load(&m->state) == MODULE_RUNNING && (!last || m->sequence > last->sequence))
			last = m;
	}
	return last;
}

void ast_sip_loader_stop(unsigned grace_ms)
{
	int64_t deadline_us = rs_now_us() + (int64_t)(grace_ms > STOP_MIN_MS ? grace_ms : STOP_MIN_MS) * 1000;
	struct ast_sip_module *m;
	struct loader_why why;
	bool all = true;

	pthread_mutex_lock(&operation);
	while ((m = last_started())) {
		if (module_unload(m, deadline_us, &why) == 0)
			continue;
		/* Its code stays mapped: the process is about to end, and something may still be in it. */
		rs_event(RS_LOG_WARNING, "module.kept", RS_FZ("module", m->name), RS_FZ("why", why.text));
		ast_sip_conf_files_remove(m);
		atomic_store(&m->state, MODULE_DECLINED);
		all = false;
	}
	close_unused();
	while (all && (m = records)) {
		pthread_mutex_lock(&records_lock);
		records = m->next;
		pthread_mutex_unlock(&records_lock);
		all = !m->handle;
		if (all)
			free(m);
	}
	free(module_dir);
	module_dir = NULL;
	pthread_mutex_unlock(&operation);
}

/* ---- at run time ---- */

static int finish(int error, const struct loader_why *text, char **why)
{
	pthread_mutex_unlock(&operation);
	if (why)
		*why = error ? strdup(text->text) : NULL;
	return error;
}

/* The running module of that name, with the operation lock held in any case; NULL and a reason. */
static struct ast_sip_module *lock_running(const char *name, struct loader_why *text)
{
	char normal[MODULE_NAME_MAX];
	struct ast_sip_module *m;

	pthread_mutex_lock(&operation);
	if (module_name_normalise(name, normal) == MODULE_NAME_BUILT_IN) {
		loader_why_set(text, "%s is part of the server", name);
		return NULL;
	}
	m = loader_find(normal);
	if (m && atomic_load(&m->state) == MODULE_RUNNING)
		return m;
	loader_why_set(text, "%s is not loaded", normal[0] ? normal : name);
	return NULL;
}

int ast_sip_loader_load(const char *name, char **why)
{
	char normal[MODULE_NAME_MAX];
	struct loader_why text;
	struct ast_sip_module *m;

	pthread_mutex_lock(&operation);
	if (module_name_normalise(name, normal) == MODULE_NAME_BUILT_IN) {
		loader_why_set(&text, "%s is part of the server", name);
		return finish(-1, &text, why);
	}
	if (!normal[0] || !loader_file_exists(loader_dir(), normal)) {
		loader_why_set(&text, "there is no module %s", normal[0] ? normal : name);
		return finish(-1, &text, why);
	}
	m = loader_record(normal);
	if (!m) {
		loader_why_set(&text, "no memory");
		return finish(-1, &text, why);
	}
	if (atomic_load(&m->state) == MODULE_RUNNING) {
		loader_why_set(&text, "%s is loaded already", normal);
		return finish(-1, &text, why);
	}
	if (module_open_tree(m, &text) || module_start(m, &text) != AST_SIP_MODULE_OK) {
		close_unused();
		return finish(-1, &text, why);
	}
	return finish(0, &text, why);
}

static int64_t drain_us(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	uint32_t ms = s ? ast_sip_own_uint(s, "modules", "drain_ms", DRAIN_MS) : DRAIN_MS;

	ast_sip_snapshot_unref(s);
	return (int64_t)ms * 1000;
}

int ast_sip_loader_unload(const char *name, char **why)
{
	struct loader_why text;
	struct ast_sip_module *m = lock_running(name, &text), *dependent;

	if (!m)
		return finish(-1, &text, why);
	dependent = module_dependent(m);
	if (dependent) {
		loader_why_set(&text, "%s is needed by %s", m->name, dependent->name);
		return finish(-1, &text, why);
	}
	return finish(module_unload(m, rs_now_us() + drain_us(), &text), &text, why);
}

int ast_sip_loader_reload(const char *name, char **why)
{
	struct loader_why text;
	struct ast_sip_module *m = lock_running(name, &text);

	if (!m)
		return finish(-1, &text, why);
	if (!m->info->reload) {
		loader_why_set(&text, "%s has nothing of its own to reload", m->name);
		return finish(-1, &text, why);
	}
	loader_why_set(&text, "%s could not be reloaded: see the log", m->name);
	return finish(m->info->reload() ? -1 : 0, &text, why);
}

unsigned ast_sip_loader_reload_all(void)
{
	unsigned failed = 0;

	pthread_mutex_lock(&operation);
	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (atomic_load(&m->state) != MODULE_RUNNING || !m->info->reload || m->info->reload() == 0)
			continue;
		failed++;
		rs_event(RS_LOG_ERROR, "module.reload_failed", RS_FZ("module", m->name));
	}
	pthread_mutex_unlock(&operation);
	return failed;
}

static bool nothing_up(void *token)
{
	bool none = true;

	(void)token;
	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (atomic_load(&m->state) == MODULE_RUNNING && m->info->stopping)
			none = m->info->stopping() && none;
	}
	return none;
}

void ast_sip_loader_stopping(unsigned grace_ms)
{
	unsigned ms = grace_ms < STOPPING_MAX_MS ? grace_ms : STOPPING_MAX_MS;

	pthread_mutex_lock(&operation);
	loader_wait_until(nothing_up, NULL, rs_now_us() + (int64_t)ms * 1000);
	pthread_mutex_unlock(&operation);
}

void ast_sip_loader_rotate_all(void)
{
	pthread_mutex_lock(&operation);
	for (struct ast_sip_module *m = records; m; m = m->next) {
		if (atomic_load(&m->state) == MODULE_RUNNING && m->info->rotate)
			m->info->rotate();
	}
	pthread_mutex_unlock(&operation);
}

/* ---- what others ask ---- */

static int status_before(const void *x, const void *y)
{
	struct ast_sip_module *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

static void status_tell(struct ast_sip_module *m, void (*each)(void *token, const struct ast_sip_module_status *status),
			void *token)
{
	bool running = atomic_load(&m->state) == MODULE_RUNNING;
	struct ast_sip_module_status status = {
		.name = m->name,
		.description = m->info && m->info->description ? m->info->description : "",
		.version = m->info && m->info->version ? m->info->version : "",
		.priority = m->info ? m->info->priority ? m->info->priority : AST_SIP_LOAD_DEFAULT : 0,
		.state = running ? "Running" : "Declined",
	};

	for (unsigned kind = 0; kind < HOLD_KINDS; kind++)
		status.holds += (unsigned)hold_count(&m->holds, kind);
	each(token, &status);
}

void ast_sip_loader_each(void (*each)(void *token, const struct ast_sip_module_status *status), void *token)
{
	struct ast_sip_module **v = NULL, *m;
	size_t n = 0, i = 0;

	pthread_mutex_lock(&operation);
	for (m = records; m; m = m->next)
		n++;
	v = n ? calloc(n, sizeof(struct ast_sip_module *)) : NULL;
	for (m = v ? records : NULL; m; m = m->next) {
		if (atomic_load(&m->state) == MODULE_RUNNING || atomic_load(&m->state) == MODULE_DECLINED)
			v[i++] = m;
	}
	if (i)
		qsort(v, i, sizeof(struct ast_sip_module *), status_before);
	for (n = 0; n < i; n++)
		status_tell(v[n], each, token);
	pthread_mutex_unlock(&operation);
	free(v);
}

void ast_sip_module_hold_for(struct ast_sip_module *module, int delta, const char *what)
{
	if (module)
		hold_change(&module->holds, delta, what);
}

void ast_sip_module_holds_each(struct ast_sip_module *module, void (*each)(void *token, const char *what, long count),
			       void *token)
{
	for (unsigned kind = 0; kind < HOLD_KINDS; kind++) {
		const char *what = atomic_load(&module->holds.what[kind]);
		long count = hold_count(&module->holds, kind);

		if (count)
			each(token, what ? what : "hold", count);
	}
}

bool ast_sip_module_loaded(const char *name)
{
	char normal[MODULE_NAME_MAX];
	struct ast_sip_module *m;

	if (module_name_normalise(name, normal) == MODULE_NAME_BUILT_IN)
		return true;
	m = loader_find(normal);
	return m && atomic_load(&m->state) == MODULE_RUNNING;
}

const char *ast_sip_module_name(const struct ast_sip_module *module)
{
	return module ? module->name : "core";
}
