/* pjsip list|show transports, show transport. */
#include "core/control/commands.h"
#include "core/control/show.h"

static const struct show_header header[] = {
	{"  Transport:  ",
	 {{"TransportId", 21, 0}, {"Type", 6, 2}, {"cos", 5, 2}, {"tos", 5, 2}, {"BindAddress", 31, 2}}},
};

static size_t count(struct ast_sip_snapshot *s)
{
	return ast_sip_snapshot_transports(s).n;
}

static const void *at(struct ast_sip_snapshot *s, size_t i)
{
	return ast_sip_snapshot_transports(s).v[i];
}

static struct rs_str id(const void *object)
{
	return ((const struct ast_sip_transport *)object)->id;
}

static void print(struct show *show, const void *object)
{
	show_transport_line(show, object);
}

static const struct show_type type = {
	.type = "transport",
	.plural = "transports",
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
	COMMAND(.path = "pjsip list|show transports", .usage = "[like <regex>]", .help = "All transports",
		.handler = plural),
	COMMAND(.path = "pjsip show transport", .usage = "<id>", .help = "One transport with all its options",
		.handler = singular, .complete = complete),
};

struct command_group control_transport_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
