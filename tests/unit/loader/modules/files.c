/* A module with a configuration file, files.conf; its load tells the test what it reads there. */
#include "res_sip/conf_file.h"
#include "res_sip/module.h"

#include <stdio.h>
#include <stdlib.h>

void test_note(const char *what, const char *name);
extern _Atomic int test_prepared;

enum { LEVEL, DECLINE };
static const struct ast_sip_conf_option general[] = {
	[LEVEL] = {.name = "level", .kind = AST_SIP_CONF_UINT, .def = "1", .max = 9},
	[DECLINE] = {.name = "decline", .kind = AST_SIP_CONF_BOOL},
};

static int check(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *c, void **prepared)
{
	if (ast_sip_conf_uint(o, LEVEL) == 8) {
		ast_sip_conf_refuse(c, "level", "8 is no level");
		return -1;
	}
	*prepared = malloc(1);
	if (!*prepared)
		return -1;
	test_prepared++;
	return 0;
}

static void release(void *prepared)
{
	test_prepared--;
	free(prepared);
}

static const struct ast_sip_conf_type types[] = {{.name = "general",
						  .single = true,
						  .options = general,
						  .n = RS_ARRAY_SIZE(general),
						  .check = check,
						  .release = release}};
static const struct ast_sip_conf_file file = {
	.size = sizeof(file), .name = "files.conf", .types = types, .n_types = RS_ARRAY_SIZE(types)};
static const struct ast_sip_conf_file *const files[] = {&file, NULL};

static int tell(const char *what)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	struct ast_sip_conf_object *o = ast_sip_conf_single(s, "files.conf", "general");
	int result = ast_sip_conf_bool(o, DECLINE) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
	char text[32];

	snprintf(text, sizeof(text), "%u%s", ast_sip_conf_uint(o, LEVEL), ast_sip_conf_prepared(o) ? "" : " bare");
	test_note(what, text);
	ast_sip_snapshot_unref(s);
	return result;
}

static int load(void)
{
	return tell("load");
}

/* It has its file to its end. */
static void unload(void)
{
	tell("unload");
}

static int reload(void)
{
	tell("reload");
	return 0;
}

AST_SIP_MODULE(.name = "test_files", .description = "Has a file", .load = load, .unload = unload, .reload = reload,
	       .conf_files = files);
