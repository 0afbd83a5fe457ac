/* pjsip list|show auths, show auth. */
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

SHOW_COMMANDS(auth, auths, "All auth objects", "One auth object with all its options")
