/* pjsip list|show identifies, show identify. */
#include "core/control/show.h"

static const struct show_header header[] = {
	{"   Identify:  ", {{"Identify/Endpoint", 76, 0}}},
	{"        Match:  ", {{"criteria", 27, 0}}},
};

static size_t count(struct ast_sip_snapshot *s)
{
	return ast_sip_snapshot_identifies(s).n;
}

static const void *at(struct ast_sip_snapshot *s, size_t i)
{
	return ast_sip_snapshot_identifies(s).v[i];
}

static struct rs_str id(const void *object)
{
	return ast_sip_identify_id(object);
}

static void print(struct show *show, const void *object)
{
	show_identify_line(show, object);
}

static const struct show_type type = {
	.type = "identify",
	.plural = "identifies",
	.header = header,
	.n_header = RS_ARRAY_SIZE(header),
	.n_list_header = 1,
	.count = count,
	.at = at,
	.id = id,
	.print = print,
};

SHOW_COMMANDS(identify, identifies, "All identify objects", "One identify object with all its options")
