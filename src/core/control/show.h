/*
 * What the show commands of all object types have in common (section 16 of the reference): `list` prints a line an
 * object, `show <plural>` its children too, `show <singular> <id>` a table of all options behind it.
 */
#ifndef CORE_CONTROL_SHOW_H
#define CORE_CONTROL_SHOW_H

#include "core/control/commands.h"
#include "res_sip/cli.h"
#include "res_sip/config.h"

struct show {
	struct ast_sip_cli *cli;
	struct ast_sip_snapshot *snapshot; /* the one in force when the command began */
	bool children;
};

/* A column of a header line: "<name.....>" in width characters, after gap blanks. */
struct show_column {
	const char *name;
	int width, gap;
};
struct show_header {
	const char *label; /* right-aligned before the columns, with its colon */
	struct show_column columns[6];
};

struct show_type {
	const char *type;                 /* as ast_sip_object_options names it */
	const char *plural;               /* the key of the JSON list */
	const struct show_header *header; /* of the object's own line and those of its children, in order */
	size_t n_header;
	size_t n_list_header; /* those that `list` prints */
	size_t (*count)(struct ast_sip_snapshot *s);
	const void *(*at)(struct ast_sip_snapshot *s, size_t i);
	struct rs_str (*id)(const void *object);
	/* The object's line and, when show->children, those of its children; the same as fields of an open JSON object.
	 */
	void (*print)(struct show *show, const void *object);
	/* More lines for the table of options; may be NULL. */
	void (*more)(struct show *show, const void *object);
};

/* `list|show <plural> [like <regex>]`. */
int show_plural(struct ast_sip_cli *cli, const struct show_type *type, int argc, const char *const *argv);
/* `show <singular> <id>`. */
int show_singular(struct ast_sip_cli *cli, const struct show_type *type, int argc, const char *const *argv);
/* The nth id that begins with prefix, for completion. */
char *show_complete(const struct show_type *type, const char *prefix, int n);

/*
 * The commands of an object type whose show_type is called `type`: pjsip list|show PLURAL, show SINGULAR, and the
 * function that gives them to commands.c. all and one are the help texts.
 */
#define SHOW_COMMANDS(singular_, plural_, all, one)                                                                    \
	static int run_plural(struct ast_sip_cli *cli, int argc, const char *const *argv)                              \
	{                                                                                                              \
		return show_plural(cli, &type, argc, argv);                                                            \
	}                                                                                                              \
	static int run_singular(struct ast_sip_cli *cli, int argc, const char *const *argv)                            \
	{                                                                                                              \
		return show_singular(cli, &type, argc, argv);                                                          \
	}                                                                                                              \
	static char *complete(int arg, const char *prefix, int n)                                                      \
	{                                                                                                              \
		return arg == 0 ? show_complete(&type, prefix, n) : NULL;                                              \
	}                                                                                                              \
	static struct ast_sip_cli_command commands[] = {                                                               \
		COMMAND(.path = "pjsip list|show " #plural_, .usage = "[like <regex>]", .help = all,                   \
			.handler = run_plural),                                                                        \
		COMMAND(.path = "pjsip show " #singular_, .usage = "<id>", .help = one, .handler = run_singular,       \
			.complete = complete),                                                                         \
	};                                                                                                             \
	struct command_group control_##singular_##_commands(void)                                                      \
	{                                                                                                              \
		return (struct command_group){commands, RS_ARRAY_SIZE(commands)};                                      \
	}

/* The regular expression of `like`; each id is matched against it. */
struct show_filter {
	bool set;
	void *regex;
};
/* Reads [like <regex>]; 0, or -1 after printing what is wrong. */
int show_filter_read(struct ast_sip_cli *cli, int argc, const char *const *argv, struct show_filter *f);
bool show_filter_accepts(const struct show_filter *f, struct rs_str id);
void show_filter_free(struct show_filter *f);

void show_print_header(struct ast_sip_cli *cli, const struct show_header *header, size_t n);
/* One line of a table of options; also a JSON field. */
void show_option(struct ast_sip_cli *cli, struct rs_str name, struct rs_str value);
void show_option_head(struct ast_sip_cli *cli);

/* ---- lines that are objects' own or children of several types ---- */
void show_auth_line(struct show *show, const char *label, struct rs_str id);
void show_aor_line(struct show *show, struct rs_str id);
struct ast_sip_contact;
void show_contact_line(struct show *show, const struct ast_sip_contact *c);
void show_contact_lines(struct show *show, struct rs_str aor);
void show_transport_line(struct show *show, const struct ast_sip_transport *t);
void show_identify_line(struct show *show, const struct ast_sip_identify *i);

#endif
