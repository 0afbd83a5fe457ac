/* pjsip list|show auths, show auth. */
#include "core/control/commands.h"
#include "core/control/show.h"

static const struct show_header header[] = {
	{"    I/OAuth:  ", {{"AuthId/UserName", 76, 0}}},
};

static size_t count(struct ast_sip_snapshot *s)
{
	return ast_sip_snapshot_auths(s).n;
}

static const void *at(struct ast_sip_snapshot *s, size_t i)
{
	return ast_sip_snapshot_auths(s).v[i];
}

static struct rs_str id(const void *object)
{
	return ast_sip_auth_id(object);
}

static void print(struct show *show, const void *object)
{
	show_auth_line(show, "Auth", ast_sip_auth_id(object));
}

static const struct show_type type = {
	.type = "auth",
	.plural = "auths",
	.header = header,
	.n_header = RS_ARRAY_SIZE(header),
	.n_list_header = 1,
	.count = count,
	.at = at,
	.id = id,
	.print = print,
};

static int plural(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	return show_plural(cli, &type, argc, argv);
}

static int singular(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	return show_singular(cli, &type, argc, argv);
}

static char *complete(int arg, const char *prefix, int n)
{
	return arg == 0 ? show_complete(&type, prefix, n) : NULL;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "pjsip list|show auths", .usage = "[like <regex>]", .help = "All auth objects",
		.handler = plural),
	COMMAND(.path = "pjsip show auth", .usage = "<id>", .help = "One auth object with all its options",
		.handler = singular, .complete = complete),
};

struct command_group control_auth_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
