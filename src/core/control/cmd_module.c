/* module show, load, unload, reload. */
#include "core/control/commands.h"
#include "core/core.h"
#include "core/loader/loader.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct listing {
	struct ast_sip_cli *cli;
	const char *like;
	unsigned n;
};

static void status_line(void *token, const struct ast_sip_module_status *s)
{
	struct listing *l = token;

	if (l->like && !strcasestr(s->name, l->like))
		return;
	l->n++;
	ast_sip_cli_print(l->cli, "%-40s %-52.52s %-10u %s\n", s->name, s->description, s->holds, s->state);
	ast_sip_cli_json_object(l->cli, NULL);
	ast_sip_cli_json_str(l->cli, "module", rs_str_c(s->name));
	ast_sip_cli_json_str(l->cli, "description", rs_str_c(s->description));
	ast_sip_cli_json_str(l->cli, "version", rs_str_c(s->version));
	ast_sip_cli_json_int(l->cli, "priority", s->priority);
	ast_sip_cli_json_int(l->cli, "use_count", s->holds);
	ast_sip_cli_json_str(l->cli, "status", rs_str_c(s->state));
	ast_sip_cli_json_end(l->cli);
}

static int show(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct listing l = {.cli = cli};

	if (argc && (argc != 2 || strcasecmp(argv[0], "like") != 0)) {
		ast_sip_cli_error(cli, "What may follow: like <part of a name>");
		return -1;
	}
	l.like = argc ? argv[1] : NULL;
	ast_sip_cli_print(cli, "%-40s %-52s %-10s %s\n", "Module", "Description", "Use Count", "Status");
	ast_sip_cli_json_list(cli, "modules");
	ast_sip_loader_each(status_line, &l);
	ast_sip_cli_json_end(cli);
	ast_sip_cli_print(cli, "%u modules loaded\n", l.n);
	return 0;
}

/* The three that name a module: what they do, and the word for it when it worked. */
static int change(struct ast_sip_cli *cli, int argc, const char *const *argv, int (*fn)(const char *name, char **why),
		  const char *done)
{
	char *why = NULL;
	int result;

	if (argc != 1) {
		ast_sip_cli_error(cli, "Which module?");
		return -1;
	}
	result = fn(argv[0], &why);
	if (result == 0)
		ast_sip_cli_print(cli, "%s %s\n", argv[0], done);
	else
		ast_sip_cli_error(cli, "%s", why ? why : "It did not work: no memory for the reason.");
	free(why);
	return result;
}

static int load(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	return change(cli, argc, argv, ast_sip_loader_load, "loaded");
}

static int unload(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	return change(cli, argc, argv, ast_sip_loader_unload, "unloaded");
}

static int reload(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	return change(cli, argc, argv, ast_sip_loader_reload, "reloaded");
}

struct completion {
	const char *prefix;
	int n;
	char *word;
};

static void complete_each(void *token, const struct ast_sip_module_status *s)
{
	struct completion *c = token;

	if (!c->word && strcmp(s->state, "Running") == 0 && strncasecmp(s->name, c->prefix, strlen(c->prefix)) == 0 &&
	    c->n-- == 0)
		c->word = strdup(s->name);
}

static char *complete_loaded(int arg, const char *prefix, int n)
{
	struct completion c = {.prefix = prefix, .n = n};

	if (arg == 0)
		ast_sip_loader_each(complete_each, &c);
	return c.word;
}

/* Files that are not loaded yet. */
static char *complete_files(int arg, const char *prefix, int n)
{
	const struct ast_sip_core_options *o = ast_sip_core_options();
	DIR *dir = arg == 0 && o ? opendir(o->module_dir) : NULL;
	struct dirent *d;
	char *word = NULL;

	while (dir && !word && (d = readdir(dir))) {
		size_t len = strlen(d->d_name);

		if (len <= 3 || strcmp(d->d_name + len - 3, ".so") != 0 ||
		    strncasecmp(d->d_name, prefix, strlen(prefix)) != 0 || ast_sip_module_loaded(d->d_name) || n-- != 0)
			continue;
		word = strndup(d->d_name, len - 3);
	}
	if (dir)
		closedir(dir);
	return word;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "module show", .usage = "[like <part of a name>]", .help = "Modules and what they do",
		.handler = show),
	COMMAND(.path = "module load", .usage = "<module>", .help = "Loads a module", .handler = load,
		.complete = complete_files),
	COMMAND(.path = "module unload", .usage = "<module>",
		.help = "Takes a module out, when nothing uses it any more", .handler = unload,
		.complete = complete_loaded),
	COMMAND(.path = "module reload", .usage = "<module>", .help = "Has a module take up its configuration anew",
		.handler = reload, .complete = complete_loaded),
};

struct command_group control_module_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
