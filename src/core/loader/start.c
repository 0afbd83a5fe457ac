/* Starting modules: dependencies first. */
#include "core/loader/modules.h"
#include "base/log.h"
#include "core/config/module_file.h"

#include <errno.h>
#include <stdio.h>

static struct ast_sip_module *dependency(const char *depends)
{
	char name[MODULE_NAME_MAX];

	if (module_name_normalise(depends, name) == MODULE_NAME_BUILT_IN)
		return NULL;
	return loader_record(name);
}

static bool dependency_is_built_in(const char *depends)
{
	char name[MODULE_NAME_MAX];

	return module_name_normalise(depends, name) == MODULE_NAME_BUILT_IN;
}

int module_open_tree(struct ast_sip_module *m, struct loader_why *why)
{
	if (m->handle)
		return 0;
	if (module_open(m, loader_dir(), why))
		return -1;
	for (const char *const *d = m->info->depends; d && *d; d++) {
		struct loader_why inner;
		struct ast_sip_module *on = dependency(*d);

		if (dependency_is_built_in(*d) || (on && module_open_tree(on, &inner) == 0))
			continue;
		loader_why_set(why, "Failed to load %s due to dependencies: %s%s%s", m->name, *d, on ? ": " : "",
			       on ? inner.text : "");
		module_close(m);
		return -1;
	}
	return 0;
}

static int start_dependencies(struct ast_sip_module *m, struct loader_why *why)
{
	for (const char *const *d = m->info->depends; d && *d; d++) {
		struct loader_why inner;
		struct ast_sip_module *on;
		int result;

		if (dependency_is_built_in(*d))
			continue;
		on = dependency(*d);
		if (on && atomic_load(&on->state) == MODULE_STARTING) {
			loader_why_set(why, "Failed to load %s due to dependencies: %s needs it in turn", m->name, *d);
			return AST_SIP_MODULE_DECLINE;
		}
		result = on ? module_start(on, &inner) : AST_SIP_MODULE_DECLINE;
		if (result == AST_SIP_MODULE_OK)
			continue;
		loader_why_set(why, "Failed to load %s due to dependencies: %s%s%s", m->name, *d, on ? ": " : "",
			       on ? inner.text : "");
		return result;
	}
	return AST_SIP_MODULE_OK;
}

static void errors_log(const struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct ast_sip_conf_error *e = &errors->v[i];
		enum rs_log_level level = e->warning ? RS_LOG_WARNING : RS_LOG_ERROR;

		if (e->line)
			rs_log_line(level, "loader.c", "%s:%u: %s", e->file, e->line, e->text);
		else
			rs_log_line(level, "loader.c", "%s: %s", e->file, e->text);
	}
}

/* The first error, since who loads a module at run time does not see the log. */
static void files_why(const struct ast_sip_module *m, const struct ast_sip_conf_errors *errors, struct loader_why *why)
{
	const struct ast_sip_conf_error *first = NULL;
	char line[16] = "", more[40] = "";

	for (size_t i = 0; i < errors->n && !first; i++)
		first = errors->v[i].warning ? NULL : &errors->v[i];
	if (first && first->line)
		snprintf(line, sizeof(line), ":%u", first->line);
	if (errors->n_fatal > 1)
		snprintf(more, sizeof(more), " (and %zu more)", errors->n_fatal - 1);
	loader_why_set(why, "%s has declined to load: %s%s: %s%s", m->name, first ? first->file : "its configuration",
		       line, first ? first->text : "no memory", more);
}

/* Its configuration files, then its load: that finds them in the snapshot in force. */
static int load(struct ast_sip_module *m, struct loader_why *why)
{
	struct ast_sip_conf_errors errors = {0};
	int result = ast_sip_conf_files_add(m, m->info->conf_files, &errors);

	errors_log(&errors);
	if (result)
		files_why(m, &errors, why);
	ast_sip_conf_errors_free(&errors);
	if (result)
		return AST_SIP_MODULE_DECLINE;
	errno = 0;
	result = m->info->load();
	/* Its other reasons it has told itself. */
	if (result != AST_SIP_MODULE_OK)
		loader_why_set(why, "%s has declined to load%s", m->name, errno == ENOMEM ? ": no memory" : "");
	return result;
}

int module_start(struct ast_sip_module *m, struct loader_why *why)
{
	static unsigned sequence;
	int result;

	if (atomic_load(&m->state) == MODULE_RUNNING)
		return AST_SIP_MODULE_OK;
	if (!m->handle) {
		loader_why_set(why, "%s has declined to load", m->name);
		return AST_SIP_MODULE_DECLINE;
	}
	atomic_store(&m->state, MODULE_STARTING);
	result = start_dependencies(m, why);
	if (result == AST_SIP_MODULE_OK)
		result = load(m, why);
	if (result != AST_SIP_MODULE_OK) {
		atomic_store(&m->state, MODULE_DECLINED);
		module_discard(m);
		return result;
	}
	m->sequence = ++sequence;
	atomic_store(&m->state, MODULE_RUNNING);
	rs_event(RS_LOG_INFO, "module.loaded", RS_FZ("module", m->name),
		 RS_FZ("version", m->info->version ? m->info->version : ""));
	return AST_SIP_MODULE_OK;
}
