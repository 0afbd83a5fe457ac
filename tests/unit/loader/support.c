#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/tmp/res_sip-loader-XXXXXX"
static char folder[] = FOLDER;
static char noted[1024];
int test_linked_calls;
bool test_declines_on_base;
bool test_forget_work;
struct ast_sip_work *test_left;
struct ast_sip_module *test_self;
_Atomic int test_prepared;

const char *module_folder(void)
{
	const char *env = getenv("MODULES");

	return env ? env : ".";
}

void test_note(const char *what, const char *name)
{
	size_t n = strlen(noted);

	snprintf(noted + n, sizeof(noted) - n, "%s%s %s", n ? ", " : "", what, name);
}

const char *notes(void)
{
	return noted;
}

void notes_reset(void)
{
	noted[0] = '\0';
}

const char *conf_folder(void)
{
	return folder;
}

void conf_put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

int core_folder(void)
{
	memcpy(folder, FOLDER, sizeof(folder));
	return mkdtemp(folder) ? 0 : -1;
}

int core_folder_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

int core_up(void **state)
{
	struct ast_sip_core_options options = {.conf_dir = folder, .state_dir = folder, .module_dir = module_folder()};
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	assert_int_equal(core_folder(), 0);
	conf_put("pjsip.conf", "[anonymous]\ntype=endpoint\n");
	conf_put("res_sip.conf", "[registrar]\ndurable=no\n\n[modules]\ndrain_ms=100\n\n[log]\nlevel=error\n");
	assert_int_equal(ast_sip_core_start(&options, &errors), 0);
	ast_sip_conf_errors_free(&errors);
	return 0;
}

int core_down(void **state)
{
	(void)state;
	ast_sip_core_stop(1000);
	return core_folder_remove();
}

struct ast_sip_modules_conf conf_of(const struct line *lines, size_t n, bool autoload)
{
	struct ast_sip_modules_conf c = {.present = true, .autoload = autoload, .n = n};

	c.v = calloc(n ? n : 1, sizeof(*c.v));
	assert_non_null(c.v);
	for (size_t i = 0; i < n; i++) {
		c.v[i].what = lines[i].what;
		c.v[i].name = strdup(lines[i].name);
		c.v[i].file = strdup("modules.conf");
		c.v[i].line = (unsigned)i + 1;
	}
	return c;
}

void conf_done(struct ast_sip_modules_conf *c)
{
	ast_sip_modules_conf_free(c);
}
