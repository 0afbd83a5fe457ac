#include "check.h"
#include "core/loader/loader.h"
#include "exit.h"

#include <stdio.h>

void check_print(const struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct ast_sip_conf_error *e = &errors->v[i];

		if (e->line)
			fprintf(stderr, "%s:%u: %s%s\n", e->file, e->line, e->warning ? "warning: " : "", e->text);
		else
			fprintf(stderr, "%s: %s%s\n", e->file, e->warning ? "warning: " : "", e->text);
	}
}

int check_run(const struct options *o)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_snapshot *snapshot;
	struct ast_sip_modules_conf modules = {0};
	int status = EXIT_CONFIG;

	if (ast_sip_modules_conf_load(o->conf_dir, &modules, &errors) == 0)
		ast_sip_loader_check(o->module_dir, &modules, &errors);
	snapshot = ast_sip_snapshot_load(o->conf_dir, NULL, &errors);
	check_print(&errors);
	if (snapshot && !errors.n_fatal) {
		struct ast_sip_endpoints endpoints = ast_sip_snapshot_endpoints(snapshot);

		fprintf(stderr, "The configuration in %s is right (%u endpoints).\n", o->conf_dir, endpoints.n);
		status = EXIT_CLEAN;
	}
	ast_sip_modules_conf_free(&modules);
	ast_sip_snapshot_unref(snapshot);
	ast_sip_loader_stop(0);
	ast_sip_conf_errors_free(&errors);
	return status;
}
