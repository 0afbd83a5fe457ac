/* Lines that stand in the output of several show commands: an object's own, or as somebody's child. */
#include "core/control/show.h"
#include "res_sip/digest.h"
#include "res_sip/location.h"

#include <stdatomic.h>
#include <stdio.h>

void show_auth_line(struct show *show, const char *label, struct rs_str id)
{
	struct ast_sip_auth *auth = ast_sip_auth_find(show->snapshot, id);
	struct rs_str user = auth ? ast_sip_auth_username(auth) : RS_STR_NULL;

	ast_sip_cli_print(show->cli, "%11s:  %.*s/%.*s\n", label, RS_FMT(id), RS_FMT(user));
	ast_sip_cli_json_str(show->cli, "username", user);
	ast_sip_auth_unref(auth);
}

static const char *status_text(const struct ast_sip_contact *c)
{
	switch (atomic_load_explicit(&((struct ast_sip_contact *)c)->status, memory_order_relaxed)) {
	case AST_SIP_CONTACT_REACHABLE:
		return "Avail";
	case AST_SIP_CONTACT_UNREACHABLE:
		return "Unavail";
	default:
		return "NonQual";
	}
}

/* The first ten hex digits of the URI's MD5: a short name, no secret. */
static void uri_hash(struct rs_str uri, char out[11])
{
	char hex[AST_SIP_DIGEST_HEX];

	if (ast_sip_digest_join(AST_SIP_MD5, &uri, 1, hex))
		snprintf(out, 11, "%s", "----------");
	else
		snprintf(out, 11, "%.10s", hex);
}

void show_contact_line(struct show *show, const struct ast_sip_contact *c)
{
	int64_t rtt = atomic_load_explicit(&((struct ast_sip_contact *)c)->rtt_us, memory_order_relaxed);
	struct rs_str aor = ast_sip_contact_text(c, AST_SIP_CONTACT_AOR),
		      uri = ast_sip_contact_text(c, AST_SIP_CONTACT_URI);
	char name[512], hash[11], ms[24];

	snprintf(name, sizeof(name), "%.*s/%.*s", RS_FMT(aor), RS_FMT(uri));
	uri_hash(uri, hash);
	if (rtt < 0 || atomic_load(&((struct ast_sip_contact *)c)->status) == AST_SIP_CONTACT_NONQUALIFIED)
		snprintf(ms, sizeof(ms), "nan");
	else
		snprintf(ms, sizeof(ms), "%.3f", (double)rtt / 1000.0);
	ast_sip_cli_print(show->cli, "%13s:  %-42s %-10s %-8s %11s\n", "Contact", name, hash, status_text(c), ms);
	ast_sip_cli_json_str(show->cli, "aor", aor);
	ast_sip_cli_json_str(show->cli, "uri", uri);
	ast_sip_cli_json_str(show->cli, "hash", rs_str_c(hash));
	ast_sip_cli_json_str(show->cli, "status", rs_str_c(status_text(c)));
}

void show_contact_lines(struct show *show, struct rs_str aor)
{
	struct ast_sip_contacts *contacts = ast_sip_location_contacts(aor);

	ast_sip_cli_json_list(show->cli, "contacts");
	for (uint32_t i = 0; contacts && i < contacts->n; i++) {
		ast_sip_cli_json_object(show->cli, NULL);
		show_contact_line(show, contacts->v[i]);
		ast_sip_cli_json_end(show->cli);
	}
	ast_sip_cli_json_end(show->cli);
	ast_sip_contacts_unref(contacts);
}

void show_aor_line(struct show *show, struct rs_str id)
{
	struct ast_sip_aor *aor = ast_sip_aor_find(show->snapshot, id);
	uint32_t max = aor ? ast_sip_aor_settings(aor)->max_contacts : 0;

	ast_sip_cli_print(show->cli, "%11s:  %-49.*s  %4u\n", "Aor", RS_FMT(id), max);
	ast_sip_cli_json_int(show->cli, "max_contacts", max);
	if (show->children)
		show_contact_lines(show, id);
	ast_sip_aor_unref(aor);
}

void show_transport_line(struct show *show, const struct ast_sip_transport *t)
{
	char addr[SIP_ADDR_TEXT] = "", type[8];
	const char *name = t->flow ? "flow" : sip_transport_name(t->protocol);
	size_t n = 0;

	for (; n < sizeof(type) - 1 && name[n]; n++)
		type[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] - 'A' + 'a') : name[n];
	type[n] = '\0';
	if (!t->flow)
		sip_addr_text(&t->bind, true, addr);
	ast_sip_cli_print(show->cli, "%11s:  %-21.*s  %6s  %5u  %5u  %s\n", "Transport", RS_FMT(t->id), type, t->cos,
			  t->tos, addr);
	ast_sip_cli_json_str(show->cli, "protocol", rs_str_c(type));
	ast_sip_cli_json_int(show->cli, "cos", t->cos);
	ast_sip_cli_json_int(show->cli, "tos", t->tos);
	ast_sip_cli_json_str(show->cli, "bind", rs_str_c(addr));
}

static void match_line(struct show *show, const char *label, struct rs_str text)
{
	ast_sip_cli_print(show->cli, "%13s:  %.*s\n", label, RS_FMT(text));
	ast_sip_cli_json_str(show->cli, NULL, text);
}

static void match_lines(struct show *show, const struct ast_sip_identify_settings *s)
{
	char addr[SIP_ADDR_TEXT], text[512];

	ast_sip_cli_json_list(show->cli, "match");
	for (uint32_t i = 0; i < s->n_match; i++) {
		snprintf(text, sizeof(text), "%s%s/%u", s->match[i].negate ? "!" : "",
			 sip_addr_text(&s->match[i].addr, true, addr), s->match[i].bits);
		match_line(show, "Match", rs_str_c(text));
	}
	if (s->header_name.len) {
		snprintf(text, sizeof(text), "%.*s: %.*s", RS_FMT(s->header_name), RS_FMT(s->header_value));
		match_line(show, "Header", rs_str_c(text));
	}
	if (s->request_uri.len)
		match_line(show, "RequestURI", s->request_uri);
	ast_sip_cli_json_end(show->cli);
}

void show_identify_line(struct show *show, const struct ast_sip_identify *i)
{
	const struct ast_sip_identify_settings *s = ast_sip_identify_settings(i);

	ast_sip_cli_print(show->cli, "%11s:  %.*s/%.*s\n", "Identify", RS_FMT(ast_sip_identify_id(i)),
			  RS_FMT(s->endpoint));
	ast_sip_cli_json_str(show->cli, "endpoint", s->endpoint);
	if (show->children)
		match_lines(show, s);
}
