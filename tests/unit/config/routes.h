/* A module that has a configuration file: routes.conf, with a [general] section and routes in order. */
#ifndef TESTS_CONFIG_ROUTES_H
#define TESTS_CONFIG_ROUTES_H

#include "conf_dir.h"

#include "core/config/module_file.h"

#include <sched.h>
#include <stdatomic.h>

/* Two modules' handles; only their addresses count. */
static char module_one, module_two;
#define ONE ((struct ast_sip_module *)(void *)&module_one)
#define TWO ((struct ast_sip_module *)(void *)&module_two)

enum { PATTERN, ENDPOINT, STRIP, TIMEOUT, OFFSET, RINGING, GO_ON, VIA, SECRET, NOTE, ACTIVE };
static const struct ast_sip_conf_word RINGING_WORDS[] = {{"parallel", 7}, {"sequential", 3}, {NULL, 0}};
static const struct ast_sip_conf_word GO_ON_WORDS[] = {{"busy", 1}, {"noanswer", 2}, {"unreachable", 4}, {NULL, 0}};
static const struct ast_sip_conf_option ROUTE[] = {
	[PATTERN] = {.name = "pattern", .kind = AST_SIP_CONF_STR, .flags = AST_SIP_CONF_REQUIRED},
	[ENDPOINT] = {.name = "endpoint",
		      .kind = AST_SIP_CONF_LIST,
		      .flags = AST_SIP_CONF_ACCUMULATE,
		      .refers = "endpoint"},
	[STRIP] = {.name = "strip", .kind = AST_SIP_CONF_UINT, .max = 20},
	[TIMEOUT] = {.name = "timeout", .kind = AST_SIP_CONF_UINT, .def = "30", .min = 1, .max = 600},
	[OFFSET] = {.name = "offset", .kind = AST_SIP_CONF_INT, .def = "-1"},
	[RINGING] = {.name = "ringing", .kind = AST_SIP_CONF_ENUM, .words = RINGING_WORDS},
	[GO_ON] = {.name = "go_on", .kind = AST_SIP_CONF_FLAGS, .def = "unreachable", .words = GO_ON_WORDS},
	[VIA] = {.name = "via", .kind = AST_SIP_CONF_URI},
	[SECRET] = {.name = "secret", .kind = AST_SIP_CONF_STR, .flags = AST_SIP_CONF_SECRET},
	[NOTE] = {.name = "note", .kind = AST_SIP_CONF_STR, .def = "none"},
	[ACTIVE] = {.name = "active", .kind = AST_SIP_CONF_BOOL, .def = "yes"},
};
enum { MAX_CALLS };
static const struct ast_sip_conf_option GENERAL[] = {
	[MAX_CALLS] = {.name = "max_calls", .kind = AST_SIP_CONF_UINT, .def = "1000", .min = 1},
};

static _Atomic int prepared_now; /* prepared and not freed */
static _Atomic bool unmapped;    /* the module's code is gone */

static _Atomic bool slow, inside; /* slow: a check takes its time; inside: one runs */

static inline void take_time(void)
{
	atomic_store(&inside, true);
	for (unsigned i = 0; i < 2000; i++)
		sched_yield();
	atomic_store(&inside, false);
}

/* What the module makes of a pattern: a copy with a mark before it. */
static int route_check(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *c, void **prepared)
{
	struct rs_str pattern = ast_sip_conf_str(o, PATTERN);
	struct ast_sip_snapshot *s = ast_sip_conf_check_snapshot(c);
	char *copy;

	if (atomic_load(&unmapped))
		abort();
	if (atomic_load(&slow))
		take_time();
	if (rs_str_eqz(ast_sip_conf_str(o, NOTE), "doubtful"))
		ast_sip_conf_warn(c, "note", "note: '%s' is doubtful", ast_sip_conf_str(o, NOTE).p);
	if (rs_str_starts(ast_sip_conf_str(o, NOTE), RS_STR("needs ")) && s) {
		struct rs_str id = ast_sip_conf_str(o, NOTE);

		if (!ast_sip_snapshot_endpoint(s, rs_str_n(id.p + 6, id.len - 6)))
			ast_sip_conf_refuse(c, NULL, "the endpoint that it needs is not there");
	}
	if (rs_str_eqz(ast_sip_conf_str(o, NOTE), "no reason"))
		return -1;
	if (pattern.p[0] != '_') {
		ast_sip_conf_refuse(c, "pattern", "pattern: '%.*s' does not begin with _", RS_FMT(pattern));
		return -1;
	}
	copy = malloc(pattern.len + 2);
	if (!copy) {
		ast_sip_conf_refuse(c, NULL, "out of memory");
		return -1;
	}
	copy[0] = '>';
	memcpy(copy + 1, pattern.p, pattern.len + 1);
	*prepared = copy;
	atomic_fetch_add(&prepared_now, 1);
	return 0;
}

static void route_release(void *prepared)
{
	if (atomic_load(&unmapped))
		abort();
	atomic_fetch_sub(&prepared_now, 1);
	free(prepared);
}

static const struct ast_sip_conf_type TYPES[] = {
	{.name = "general", .single = true, .options = GENERAL, .n = RS_ARRAY_SIZE(GENERAL)},
	{.name = "route", .options = ROUTE, .n = RS_ARRAY_SIZE(ROUTE), .check = route_check, .release = route_release},
};
static const struct ast_sip_conf_file ROUTES = {
	.size = sizeof(ROUTES), .name = "routes.conf", .types = TYPES, .n_types = RS_ARRAY_SIZE(TYPES)};
static const struct ast_sip_conf_file *const ROUTES_FILES[] = {&ROUTES, NULL};

static const struct ast_sip_conf_file OTHER = {
	.size = sizeof(OTHER), .name = "other.conf", .types = TYPES, .n_types = 1};
static const struct ast_sip_conf_file *const OTHER_FILES[] = {&OTHER, NULL};

static inline int files_add(struct conf_dir *d, struct ast_sip_module *m, const struct ast_sip_conf_file *const *files)
{
	ast_sip_conf_errors_free(&d->errors);
	return ast_sip_conf_files_add(m, files, &d->errors);
}

/* As the loader does before it unmaps the module. */
static inline void files_gone(struct ast_sip_module *m)
{
	ast_sip_conf_files_remove(m);
	ast_sip_conf_files_sever(m);
}

#endif
