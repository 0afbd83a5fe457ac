/* pjsip list|show aors, show aor. */
#include "core/control/show.h"

static const struct show_header header[] = {
	{"        Aor:  ", {{"Aor", 49, 0}, {"MaxContact", 12, 2}}},
	{"      Contact:  ", {{"Aor/ContactUri", 42, 0}, {"Hash", 10, 1}, {"Status", 8, 1}, {"RTT(ms)", 11, 1}}},
};

static size_t count(struct ast_sip_snapshot *s)
{
	return ast_sip_snapshot_aors(s).n;
}

static const void *at(struct ast_sip_snapshot *s, size_t i)
{
	return ast_sip_snapshot_aors(s).v[i];
}

static struct rs_str id(const void *object)
{
	return ast_sip_aor_id(object);
}

static void print(struct show *show, const void *object)
{
	show_aor_line(show, ast_sip_aor_id(object));
}

static const struct show_type type = {
	.type = "aor",
	.plural = "aors",
	.header = header,
	.n_header = RS_ARRAY_SIZE(header),
	.n_list_header = 1,
	.count = count,
	.at = at,
	.id = id,
	.print = print,
};

SHOW_COMMANDS(aor, aors, "All addresses of record", "One address of record with all its options")
