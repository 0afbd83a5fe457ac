#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/res_sip-loader-XXXXXX";
static char noted[1024];
bool test_forget_work;
struct ast_sip_work *test_left;
struct ast_sip_module *test_self;

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

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

int core_up(void **state)
{
	struct ast_sip_core_options options = {.conf_dir = folder, .state_dir = folder, .module_dir = module_folder()};
	struct ast_sip_conf_errors errors = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file("pjsip.conf", "[anonymous]\ntype=endpoint\n");
	write_file("res_sip.conf", "[registrar]\ndurable=no\n\n[modules]\ndrain_ms=100\n\n[log]\nlevel=error\n");
	assert_int_equal(ast_sip_core_start(&options, &errors), 0);
	ast_sip_conf_errors_free(&errors);
	return 0;
}

int core_down(void **state)
{
	char command[128];

	(void)state;
	ast_sip_core_stop(1000);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
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
