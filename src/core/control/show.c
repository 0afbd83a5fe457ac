#include "core/control/show.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOW_WIDTH 90
#define SHOW_LABEL 12 /* the label of a top line with its colon; children stand two further to the right */

/* ---- header ---- */

static void print_column(struct ast_sip_cli *cli, const struct show_column *c)
{
	char text[SHOW_WIDTH + 1];
	size_t width = (size_t)c->width, len = strlen(c->name);

	memset(text, '.', width);
	text[0] = '<';
	memcpy(text + 1, c->name, len);
	text[width - 1] = '>';
	text[width] = '\0';
	ast_sip_cli_print(cli, "%*s%s", c->gap, "", text);
}

void show_print_header(struct ast_sip_cli *cli, const struct show_header *header, size_t n)
{
	char rule[SHOW_WIDTH + 1];

	ast_sip_cli_print(cli, "\n");
	for (size_t i = 0; i < n; i++) {
		ast_sip_cli_print(cli, "%s", header[i].label);
		for (size_t k = 0; k < RS_ARRAY_SIZE(header[i].columns) && header[i].columns[k].name; k++)
			print_column(cli, &header[i].columns[k]);
		ast_sip_cli_print(cli, "\n");
	}
	memset(rule, '=', SHOW_WIDTH);
	rule[SHOW_WIDTH] = '\0';
	ast_sip_cli_print(cli, "%s\n\n", rule);
}

/* ---- like ---- */

int show_filter_read(struct ast_sip_cli *cli, int argc, const char *const *argv, struct show_filter *f)
{
	char text[256];
	int error;

	*f = (struct show_filter){0};
	if (!argc)
		return 0;
	if (argc != 2 || strcasecmp(argv[0], "like") != 0) {
		ast_sip_cli_error(cli, "What may follow: like <regex>");
		return -1;
	}
	f->regex = malloc(sizeof(regex_t));
	if (!f->regex)
		return -1;
	error = regcomp(f->regex, argv[1], REG_EXTENDED | REG_NOSUB);
	if (!error) {
		f->set = true;
		return 0;
	}
	regerror(error, f->regex, text, sizeof(text));
	ast_sip_cli_error(cli, "'%s' is no regular expression: %s", argv[1], text);
	free(f->regex);
	return -1;
}

bool show_filter_accepts(const struct show_filter *f, struct rs_str id)
{
	char *text;
	bool ok;

	if (!f->set)
		return true;
	text = rs_str_dup(id);
	ok = text && regexec(f->regex, text, 0, NULL, 0) == 0;
	free(text);
	return ok;
}

void show_filter_free(struct show_filter *f)
{
	if (f->set) {
		regfree(f->regex);
		free(f->regex);
	}
	f->set = false;
}

/* ---- options ---- */

void show_option_head(struct ast_sip_cli *cli)
{
	ast_sip_cli_print(cli, "\n %-36s : %s\n %.*s\n", "ParameterName", "ParameterValue", 57,
			  "=========================================================");
}

void show_option(struct ast_sip_cli *cli, struct rs_str name, struct rs_str value)
{
	char key[80];

	ast_sip_cli_print(cli, " %-36.*s : %.*s\n", RS_FMT(name), RS_FMT(value));
	snprintf(key, sizeof(key), "%.*s", RS_FMT(name));
	ast_sip_cli_json_str(cli, key, value);
}

static void option_each(void *token, struct rs_str name, struct rs_str value)
{
	show_option(token, name, value);
}

/* ---- the commands ---- */

static int begin(struct show *show, struct ast_sip_cli *cli)
{
	show->cli = cli;
	show->snapshot = ast_sip_snapshot_get();
	if (show->snapshot)
		return 0;
	ast_sip_cli_error(cli, "The configuration has not been loaded.");
	return -1;
}

static void print_object(struct show *show, const struct show_type *type, const void *object)
{
	ast_sip_cli_json_object(show->cli, NULL);
	ast_sip_cli_json_str(show->cli, "id", type->id(object));
	type->print(show, object);
	ast_sip_cli_json_end(show->cli);
	if (show->children)
		ast_sip_cli_print(show->cli, "\n");
}

int show_plural(struct ast_sip_cli *cli, const struct show_type *type, int argc, const char *const *argv)
{
	struct show show = {.children = ast_sip_cli_alternative(cli) == 1};
	struct show_filter filter;
	size_t found = 0;

	if (show_filter_read(cli, argc, argv, &filter))
		return -1;
	if (begin(&show, cli)) {
		show_filter_free(&filter);
		return -1;
	}
	ast_sip_cli_json_list(cli, type->plural);
	for (size_t i = 0; i < type->count(show.snapshot); i++) {
		const void *object = type->at(show.snapshot, i);

		if (!show_filter_accepts(&filter, type->id(object)))
			continue;
		if (!found++)
			show_print_header(cli, type->header, show.children ? type->n_header : type->n_list_header);
		print_object(&show, type, object);
	}
	ast_sip_cli_json_end(cli);
	if (found)
		ast_sip_cli_print(cli, "\nObjects found: %zu\n\n", found);
	else
		ast_sip_cli_print(cli, "No objects found.\n\n");
	ast_sip_snapshot_unref(show.snapshot);
	show_filter_free(&filter);
	return 0;
}

static const void *find(const struct show *show, const struct show_type *type, const char *id)
{
	for (size_t i = 0; i < type->count(show->snapshot); i++) {
		const void *object = type->at(show->snapshot, i);

		if (rs_str_eqz(type->id(object), id))
			return object;
	}
	return NULL;
}

int show_singular(struct ast_sip_cli *cli, const struct show_type *type, int argc, const char *const *argv)
{
	struct show show = {.children = true};
	const void *object;

	if (argc != 1) {
		ast_sip_cli_error(cli, "Which one? Give its id.");
		return -1;
	}
	if (begin(&show, cli))
		return -1;
	object = find(&show, type, argv[0]);
	if (!object) {
		ast_sip_cli_error(cli, "Unable to find object %s.", argv[0]);
		ast_sip_snapshot_unref(show.snapshot);
		return -1;
	}
	show_print_header(cli, type->header, type->n_header);
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_str(cli, "id", type->id(object));
	type->print(&show, object);
	show_option_head(cli);
	ast_sip_cli_json_object(cli, "options");
	ast_sip_object_options(object, type->type, option_each, cli);
	ast_sip_cli_json_end(cli);
	if (type->more)
		type->more(&show, object);
	ast_sip_cli_json_end(cli);
	ast_sip_cli_print(cli, "\n");
	ast_sip_snapshot_unref(show.snapshot);
	return 0;
}

char *show_complete(const struct show_type *type, const char *prefix, int n)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	char *word = NULL;

	for (size_t i = 0; s && !word && i < type->count(s); i++) {
		struct rs_str id = type->id(type->at(s, i));

		if (rs_str_starts(id, rs_str_c(prefix)) && n-- == 0)
			word = rs_str_dup(id);
	}
	ast_sip_snapshot_unref(s);
	return word;
}
