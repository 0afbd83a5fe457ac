/* Modules: loading, unloading, reloading. All from one thread at a time (start-up, the control socket), never the
 * pool's. */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include "core/config/load.h"
#include "res_sip/module.h"

#include <stdio.h>

/* Loads what modules.conf asks for. 0; -1: a required module failed (logged), the server must not start. */
int ast_sip_loader_start(const char *module_dir, const struct ast_sip_modules_conf *conf);
/*
 * Says what ast_sip_loader_start would complain about in conf, and maps the modules without starting any, so that a
 * load of the configuration also reads the files that they have of their own. 0, or -1: the start would fail. Then
 * ast_sip_loader_stop, in both cases, after the last reference on that configuration is gone.
 */
int ast_sip_loader_check(const char *module_dir, const struct ast_sip_modules_conf *conf,
			 struct ast_sip_conf_errors *errors);
/* Unloads everything, last loaded first; waits at most grace_ms (or 0.5 s) in all. */
void ast_sip_loader_stop(unsigned grace_ms);
/* Calls each module's reload. The number of those that failed. */
unsigned ast_sip_loader_reload_all(void);

/* Asks each module's stopping until nothing is up, for at most grace_ms (or 2 s); while the network is still there. */
void ast_sip_loader_stopping(unsigned grace_ms);
/* Calls each module's rotate: files that were moved away are opened anew. */
void ast_sip_loader_rotate_all(void);

/* At run time. 0, or -1 with a text for the operator in why (malloc'd; NULL without memory). */
int ast_sip_loader_load(const char *name, char **why);
/*
 * Takes the module's services out, waits up to 5 s until nothing of it runs or is held, and unmaps it after every
 * thread passed a quiet point; else puts them back and says in why what still holds it.
 */
int ast_sip_loader_unload(const char *name, char **why);
int ast_sip_loader_reload(const char *name, char **why);

struct ast_sip_module_status {
	const char *name, *description, *version;
	int priority;
	unsigned holds;    /* of all kinds */
	const char *state; /* "Running", "Declined", … */
};
void ast_sip_loader_each(void (*each)(void *token, const struct ast_sip_module_status *status), void *token);
/* What holds a module, by kind: "task" 2, "timer" 1, … */
void ast_sip_module_holds_each(struct ast_sip_module *module, void (*each)(void *token, const char *what, long count),
			       void *token);

#endif
