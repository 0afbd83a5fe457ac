/* pjsip list|show transports, show transport. */
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

SHOW_COMMANDS(transport, transports, "All transports", "One transport with all its options")
