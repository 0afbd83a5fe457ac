/* What modules.conf asks for (section 15 of the reference), as a list. */
#include "core/loader/modules.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct plan_item *plan_find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (strcmp(plan->v[i].name, name) == 0)
			return &plan->v[i];
	}
	return NULL;
}

/* The item of that name, made when missing; NULL without memory. */
static struct plan_item *plan_add(struct plan *plan, const char *name)
{
	struct plan_item *item = plan_find(plan, name), *v;

	if (item)
		return item;
	v = realloc(plan->v, (plan->n + 1) * sizeof(*v));
	if (!v)
		return NULL;
	plan->v = v;
	item = &v[plan->n++];
	memset(item, 0, sizeof(*item));
	snprintf(item->name, sizeof(item->name), "%s", name);
	return item;
}

void plan_free(struct plan *plan)
{
	free(plan->v);
	*plan = (struct plan){0};
}

struct reporter {
	plan_report report;
	void *token;
	bool fatal;
};

static void report(struct reporter *r, bool fatal, const struct ast_sip_module_line *line, const char *fmt, ...)
	RS_PRINTF(4, 5);
static void report(struct reporter *r, bool fatal, const struct ast_sip_module_line *line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->fatal = r->fatal || fatal;
	r->report(r->token, fatal, line ? line->file : NULL, line ? line->line : 0, text);
}

static bool line_requires(const struct ast_sip_module_line *line)
{
	return line->what == AST_SIP_MODULE_REQUIRE || line->what == AST_SIP_MODULE_PRELOAD_REQUIRE;
}

static bool line_preloads(const struct ast_sip_module_line *line)
{
	return line->what == AST_SIP_MODULE_PRELOAD || line->what == AST_SIP_MODULE_PRELOAD_REQUIRE;
}

/* The noload line for a normalised name, or NULL. */
static const struct ast_sip_module_line *noload_line(const struct ast_sip_modules_conf *conf, const char *name)
{
	char other[MODULE_NAME_MAX];

	for (size_t i = 0; i < conf->n; i++) {
		if (conf->v[i].what != AST_SIP_MODULE_NOLOAD)
			continue;
		module_name_normalise(conf->v[i].name, other);
		if (strcmp(other, name) == 0)
			return &conf->v[i];
	}
	return NULL;
}

static int line_add_file(struct plan *plan, const char *dir, const struct ast_sip_module_line *line, const char *name,
			 struct reporter *r)
{
	struct plan_item *item;

	if (!name[0] || !loader_file_exists(dir, name)) {
		report(r, line_requires(line), line, "there is no module %s%s", name[0] ? name : line->name,
		       line_requires(line) ? ", and it is required" : "");
		return 0;
	}
	item = plan_add(plan, name);
	if (!item)
		return -1;
	item->required = item->required || line_requires(line);
	item->preload = item->preload || line_preloads(line);
	if (!item->file) {
		item->file = line->file;
		item->line = line->line;
	}
	return 0;
}

static int line_add(struct plan *plan, const char *dir, const struct ast_sip_modules_conf *conf,
		    const struct ast_sip_module_line *line, struct reporter *r)
{
	char name[MODULE_NAME_MAX];
	enum module_name_kind kind = module_name_normalise(line->name, name);
	const struct ast_sip_module_line *no = noload_line(conf, name);

	if (line->what == AST_SIP_MODULE_NOLOAD) {
		if (kind == MODULE_NAME_BUILT_IN)
			report(r, false, line, "%s is part of the server and cannot be left out", line->name);
		return 0;
	}
	if (no) {
		if (line_requires(line))
			report(r, true, line, "%s is required here and excluded by noload in line %u", line->name,
			       no->line);
		return 0;
	}
	if (kind == MODULE_NAME_FILE)
		return line_add_file(plan, dir, line, name, r);
	/* Asterisk's core answers OPTIONS itself; here a module does. */
	if (module_name_is_core(name) && !noload_line(conf, "res_sip_options") &&
	    loader_file_exists(dir, "res_sip_options"))
		return plan_add(plan, "res_sip_options") ? 0 : -1;
	return 0;
}

static int is_object(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 3 && n < MODULE_NAME_MAX && strcmp(d->d_name + n - 3, ".so") == 0;
}

static int plan_add_folder(struct plan *plan, const char *dir, const struct ast_sip_modules_conf *conf,
			   struct reporter *r)
{
	char name[MODULE_NAME_MAX];
	struct dirent **v;
	int n = scandir(dir, &v, is_object, alphasort), error = 0;

	if (n < 0) {
		report(r, false, NULL, "the module folder %s cannot be read", dir);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		module_name_normalise(v[i]->d_name, name);
		if (!noload_line(conf, name) && !plan_add(plan, name))
			error = -1;
		free(v[i]);
	}
	free(v);
	return error;
}

/*
 * Explicit lines for the user and ip modules give the order of identifiers (section 7 of the architecture); the one of
 * them that has no line follows, anonymous is always last.
 */
static void plan_order_identifiers(struct plan *plan)
{
	static const char *const user[] = {"username", "auth_username"}, *const ip[] = {"ip", "header", "request_uri"};
	const struct plan_item *u = plan_find(plan, "res_sip_endpoint_identifier_user");
	const struct plan_item *i = plan_find(plan, "res_sip_endpoint_identifier_ip");
	bool user_line = u && u->file, ip_line = i && i->file;
	bool user_first = user_line && (!ip_line || u < i);

	if (!user_line && !ip_line)
		return;
	for (int turn = 0; turn < 2; turn++) {
		bool is_user = user_first == (turn == 0);
		const char *const *names = is_user ? user : ip;
		size_t n = is_user ? RS_ARRAY_SIZE(user) : RS_ARRAY_SIZE(ip);

		for (size_t k = 0; k < n; k++)
			plan->identifiers[plan->n_identifiers++] = names[k];
	}
	plan->identifiers[plan->n_identifiers++] = "anonymous";
}

int plan_make(struct plan *plan, const char *dir, const struct ast_sip_modules_conf *conf, plan_report tell,
	      void *token)
{
	struct reporter r = {.report = tell, .token = token};
	int error = 0;

	*plan = (struct plan){0};
	for (size_t i = 0; i < conf->n && !error; i++)
		error = line_add(plan, dir, conf, &conf->v[i], &r);
	if (!error && conf->autoload)
		error = plan_add_folder(plan, dir, conf, &r);
	if (error)
		report(&r, true, NULL, "no memory for the list of modules");
	plan_order_identifiers(plan);
	return r.fatal ? -1 : 0;
}
