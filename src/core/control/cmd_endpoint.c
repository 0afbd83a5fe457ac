/* pjsip list|show endpoints, show endpoint. */
#include "core/control/show.h"
#include "core/core.h"
#include "res_sip/location.h"
#include "res_sip/res_sip.h"

#include <stdatomic.h>
#include <stdio.h>

static const struct show_header header[] = {
	{" Endpoint:  ", {{"Endpoint/CID", 51, 0}, {"State", 12, 2}, {"Channels", 11, 2}}},
	{"    I/OAuth:  ", {{"AuthId/UserName", 76, 0}}},
	{"        Aor:  ", {{"Aor", 49, 0}, {"MaxContact", 12, 2}}},
	{"      Contact:  ", {{"Aor/ContactUri", 42, 0}, {"Hash", 10, 1}, {"Status", 8, 1}, {"RTT(ms)", 11, 1}}},
	{"  Transport:  ",
	 {{"TransportId", 21, 0}, {"Type", 6, 2}, {"cos", 5, 2}, {"tos", 5, 2}, {"BindAddress", 31, 2}}},
	{"   Identify:  ", {{"Identify/Endpoint", 76, 0}}},
	{"        Match:  ", {{"criteria", 27, 0}}},
	{"    Channel:  ", {{"ChannelId", 49, 0}, {"State", 12, 2}, {"Time", 11, 2}}},
};

static size_t count(struct ast_sip_snapshot *s)
{
	return ast_sip_snapshot_endpoints(s).n;
}

static const void *at(struct ast_sip_snapshot *s, size_t i)
{
	return ast_sip_snapshot_endpoints(s).v[i];
}

static struct rs_str id(const void *object)
{
	return ast_sip_endpoint_id(object);
}

/* The digits or the user of "Name" <number>; the whole text when it has no brackets. */
static struct rs_str callerid_number(struct rs_str callerid)
{
	const char *open = rs_str_chr(callerid, '<'), *close;

	if (!open)
		return callerid;
	close = memchr(open, '>', (size_t)(callerid.p + callerid.len - open));
	return close ? rs_str_n(open + 1, (size_t)(close - open - 1)) : callerid;
}

/* Without calls an endpoint is there when one of its AORs has a contact that is not known to be unreachable. */
static const char *state(const struct ast_sip_endpoint *e)
{
	struct ast_sip_strings aors = ast_sip_endpoint_aors(e);
	bool there = false;

	for (uint32_t i = 0; i < aors.n && !there; i++) {
		struct ast_sip_contacts *c = ast_sip_location_contacts(aors.v[i]);

		for (uint32_t k = 0; c && k < c->n && !there; k++)
			there = atomic_load(&c->v[k]->status) != AST_SIP_CONTACT_UNREACHABLE;
		ast_sip_contacts_unref(c);
	}
	return there ? "Not in use" : "Unavailable";
}

static void auths(struct show *show, const char *label, const char *key, struct ast_sip_strings ids)
{
	ast_sip_cli_json_list(show->cli, key);
	for (uint32_t i = 0; i < ids.n; i++) {
		ast_sip_cli_json_object(show->cli, NULL);
		ast_sip_cli_json_str(show->cli, "id", ids.v[i]);
		show_auth_line(show, label, ids.v[i]);
		ast_sip_cli_json_end(show->cli);
	}
	ast_sip_cli_json_end(show->cli);
}

static void aors(struct show *show, struct ast_sip_strings ids)
{
	ast_sip_cli_json_list(show->cli, "aors");
	for (uint32_t i = 0; i < ids.n; i++) {
		ast_sip_cli_json_object(show->cli, NULL);
		ast_sip_cli_json_str(show->cli, "id", ids.v[i]);
		show_aor_line(show, ids.v[i]);
		ast_sip_cli_json_end(show->cli);
	}
	ast_sip_cli_json_end(show->cli);
}

static void transport(struct show *show, struct rs_str name)
{
	const struct ast_sip_transport *t = name.len ? ast_sip_transport_find(show->snapshot, name) : NULL;

	if (!t)
		return;
	ast_sip_cli_json_object(show->cli, "transport");
	ast_sip_cli_json_str(show->cli, "id", name);
	show_transport_line(show, t);
	ast_sip_cli_json_end(show->cli);
}

static void identifies(struct show *show, struct rs_str endpoint)
{
	struct ast_sip_identifies all = ast_sip_snapshot_identifies(show->snapshot);

	ast_sip_cli_json_list(show->cli, "identifies");
	for (uint32_t i = 0; i < all.n; i++) {
		if (!rs_str_eq(ast_sip_identify_settings(all.v[i])->endpoint, endpoint))
			continue;
		ast_sip_cli_json_object(show->cli, NULL);
		ast_sip_cli_json_str(show->cli, "id", ast_sip_identify_id(all.v[i]));
		show_identify_line(show, all.v[i]);
		ast_sip_cli_json_end(show->cli);
	}
	ast_sip_cli_json_end(show->cli);
}

static void print(struct show *show, const void *object)
{
	const struct ast_sip_endpoint *e = object;
	const struct ast_sip_endpoint_settings *s = ast_sip_endpoint_settings(e);
	struct rs_str number = callerid_number(s->callerid);
	char name[256], most[16];

	if (number.len && !rs_str_ieqz(number, "<unknown>"))
		snprintf(name, sizeof(name), "%.*s/%.*s", RS_FMT(ast_sip_endpoint_id(e)), RS_FMT(number));
	else
		snprintf(name, sizeof(name), "%.*s", RS_FMT(ast_sip_endpoint_id(e)));
	snprintf(most, sizeof(most), s->device_state_busy_at ? "%u" : "inf", s->device_state_busy_at);
	ast_sip_cli_print(show->cli, "%9s:  %-51s  %-12s  %4d of %s\n", "Endpoint", name, state(e), 0, most);
	ast_sip_cli_json_str(show->cli, "state", rs_str_c(state(e)));
	ast_sip_cli_json_int(show->cli, "channels", 0);
	if (!show->children)
		return;
	auths(show, "OutAuth", "outbound_auths", s->outbound_auth);
	auths(show, "InAuth", "auths", ast_sip_endpoint_auths(e));
	aors(show, ast_sip_endpoint_aors(e));
	transport(show, s->transport);
	identifies(show, ast_sip_endpoint_id(e));
}

static void formatter_line(void *token, struct rs_str key, struct rs_str value)
{
	show_option(token, key, value);
}

struct formatting {
	struct show *show;
	const struct ast_sip_endpoint *endpoint;
};

static void format(void *token, const struct ast_sip_endpoint_formatter *f)
{
	struct formatting *x = token;

	ast_sip_cli_json_object(x->show->cli, f->name ? f->name : "module");
	f->format_endpoint(x->endpoint, formatter_line, x->show->cli);
	ast_sip_cli_json_end(x->show->cli);
}

static void more(struct show *show, const void *object)
{
	struct formatting x = {.show = show, .endpoint = object};

	ast_sip_formatters_each(format, &x);
}

static const struct show_type type = {
	.type = "endpoint",
	.plural = "endpoints",
	.header = header,
	.n_header = RS_ARRAY_SIZE(header),
	.n_list_header = 1,
	.count = count,
	.at = at,
	.id = id,
	.print = print,
	.more = more,
};

SHOW_COMMANDS(endpoint, endpoints, "All endpoints", "One endpoint with all its options")
