/* The loader's record of each module, shared by the files of this folder. */
#ifndef CORE_LOADER_MODULES_H
#define CORE_LOADER_MODULES_H

#include "core/loader/hold.h"
#include "core/loader/loader.h"
#include "core/loader/names.h"

enum module_state {
	MODULE_CLOSED,   /* not mapped; the record stays for its name and its counters */
	MODULE_OPEN,     /* mapped and checked, not started */
	MODULE_STARTING, /* its dependencies are being started: seen twice, they form a ring */
	MODULE_RUNNING,
	MODULE_DECLINED,
};

/*
 * A record is made when a module is first heard of and lives until the loader stops, so that a pointer to it in a task,
 * or its name in a line of the log, never dangles.
 */
struct ast_sip_module {
	struct hold_table holds;
	char name[MODULE_NAME_MAX];
	_Atomic enum module_state state;
	void *handle;                           /* of dlopen */
	const struct ast_sip_module_info *info; /* in the module's memory; NULL while closed */
	unsigned sequence;                      /* of its start: the last started is unloaded first */
	struct ast_sip_module *next;
};

/* Why something failed, for the operator. */
struct loader_why {
	char text[512];
};
void loader_why_set(struct loader_why *why, const char *fmt, ...) RS_PRINTF(2, 3);

/* ---- loader.c: the records. Callers hold the operation lock, except for loader_find. ---- */

/* Where modules are looked for. */
const char *loader_dir(void);
/* The record of a normalised name; NULL: never heard of. Any thread. */
struct ast_sip_module *loader_find(const char *name);
/* The same, made when missing; NULL without memory. */
struct ast_sip_module *loader_record(const char *name);
struct ast_sip_module *loader_first(void);
bool loader_file_exists(const char *dir, const char *name);

/* ---- object.c ---- */

/* Maps m's file and checks its descriptor. 0, or -1 with why. */
int module_open(struct ast_sip_module *m, const char *dir, struct loader_why *why);
/* Unmaps it. Nothing of it may run any more. */
void module_close(struct ast_sip_module *m);

/* ---- start.c ---- */

/* Opens m and what it depends on; 0, or -1 with why. */
int module_open_tree(struct ast_sip_module *m, struct loader_why *why);
/* Starts m after what it depends on. Gives an enum ast_sip_module_result; with why unless OK. */
int module_start(struct ast_sip_module *m, struct loader_why *why);

/* ---- unload.c ---- */

/* A module that needs m and is mapped (running, or declined with something of it still running), or NULL: its code may
 * be in m's. */
struct ast_sip_module *module_dependent(const struct ast_sip_module *m);
/* See ast_sip_loader_unload. */
int module_unload(struct ast_sip_module *m, int64_t deadline_us, struct loader_why *why);
/* What a load that did not succeed left behind is taken out, then the object is unmapped (or left mapped when something
 * still runs). */
void module_discard(struct ast_sip_module *m);

/* ---- plan.c ---- */

struct plan_item {
	char name[MODULE_NAME_MAX];
	bool required, preload;
	bool silent;      /* missing is no news */
	const char *file; /* the line that asked for it; NULL: autoload */
	unsigned line;
};
struct plan {
	struct plan_item *v;
	size_t n;
	const char *identifiers[8];
	size_t n_identifiers;
};
/* Is told what is wrong or worth knowing; fatal: the server must not start. file may be NULL. */
typedef void (*plan_report)(void *token, bool fatal, const char *file, unsigned line, const char *text);
/* What modules.conf asks for, in file order, autoloaded ones in order of their names behind it. Missing files are
 * reported and left out. 0, or -1 when something fatal was reported. */
int plan_make(struct plan *plan, const char *dir, const struct ast_sip_modules_conf *conf, plan_report report,
	      void *token);
void plan_free(struct plan *plan);

#endif
