/*
 * MESSAGE (RFC 3428) from one phone to another: forwarded by a stateful proxy to all contacts of the AOR that the
 * Request-URI names. 404: no such AOR; 480: no contact, or none answered in time. The From must belong to the endpoint
 * that authenticated (option check_from of [messaging] in res_sip.conf).
 */
#include "base/log.h"
#include "res_sip/proxy.h"

#define MAX_BRANCHES 32 /* contacts of one AOR that a message is forked to: an answer to one packet with many */

/* `user@domain`, or `user` when domain is empty, as a name of the configuration; empty when it is too long for one. */
static struct rs_str join(char *buf, size_t size, struct rs_str user, struct rs_str domain)
{
	size_t n = user.len;

	if (n + 1 + domain.len > size)
		return RS_STR_NULL;
	memcpy(buf, user.p, n);
	if (domain.len) {
		buf[n++] = '@';
		memcpy(buf + n, domain.p, domain.len);
		n += domain.len;
	}
	return rs_str_n(buf, n);
}

static struct ast_sip_aor *find_aor(struct ast_sip_snapshot *s, const struct sip_uri *uri)
{
	struct rs_str alias = ast_sip_domain_alias_find(s, uri->host);
	char user[256], name[512];
	int n = sip_unescape(uri->user, user, sizeof(user));
	struct rs_str domains[3] = {uri->host, alias, RS_STR_NULL};

	if (n <= 0)
		return NULL;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(domains); i++) {
		struct ast_sip_aor *aor;
		struct rs_str id = i < 2 && !domains[i].len
					   ? RS_STR_NULL
					   : join(name, sizeof(name), rs_str_n(user, (size_t)n), domains[i]);
		if (id.len && (aor = ast_sip_aor_find(s, id)))
			return aor;
	}
	return NULL;
}

/* Whether name is `user` or `user@domain` of the From. */
static bool names(struct rs_str name, struct rs_str user, struct rs_str domain)
{
	char buf[512];

	return name.len && (rs_str_eq(name, user) || rs_str_eq(name, join(buf, sizeof(buf), user, domain)));
}

static bool from_belongs(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *e = ast_sip_rx_endpoint(rx);
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);
	struct ast_sip_strings aors = ast_sip_endpoint_aors(e);
	struct rs_str user;
	char buf[256];
	int n;

	if (!ast_sip_rx_authenticated(rx))
		return true; /* identified by its address: a trunk speaks for others */
	if (!from || !sip_uri_is_sip(&from->uri) || (n = sip_unescape(from->uri.user, buf, sizeof(buf))) < 0)
		return false;
	user = rs_str_n(buf, (size_t)n);
	if (names(ast_sip_endpoint_id(e), user, from->uri.host) ||
	    names(ast_sip_rx_auth_username(rx), user, from->uri.host) ||
	    names(ast_sip_endpoint_settings(e)->from_user, user, from->uri.host))
		return true;
	for (uint32_t i = 0; i < aors.n; i++) {
		if (names(aors.v[i], user, from->uri.host))
			return true;
	}
	return false;
}

static void forward(struct sip_rx_data *rx, const struct ast_sip_contacts *contacts)
{
	struct ast_sip_snapshot *s = ast_sip_rx_snapshot(rx);
	struct ast_sip_proxy_branch branches[MAX_BRANCHES];
	struct ast_sip_proxy_params p = {
		.size = sizeof(p),
		.branches = branches,
		.timeout_ms = (int)ast_sip_own_uint(s, "messaging", "timeout_ms", 20000),
		.max_breadth = ast_sip_own_uint(s, "messaging", "max_breadth", 60),
		.no_answer_status = 480,
		.endpoint = ast_sip_rx_endpoint(rx),
	};

	for (uint32_t i = 0; i < contacts->n && p.n < MAX_BRANCHES; i++)
		ast_sip_proxy_branch_for_contact(contacts->v[i], &branches[p.n++]);
	ast_sip_proxy_forward(rx, &p);
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	const struct sip_uri *uri = sip_msg_ruri(sip_rx_msg(rx));
	struct ast_sip_contacts *contacts;
	struct ast_sip_aor *aor;

	if (sip_rx_msg(rx)->method != SIP_METHOD_MESSAGE)
		return false;
	if (ast_sip_own_bool(ast_sip_rx_snapshot(rx), "messaging", "check_from", true) && !from_belongs(rx)) {
		rs_event(RS_LOG_NOTICE, "message.from_refused",
			 RS_FS("endpoint", ast_sip_endpoint_id(ast_sip_rx_endpoint(rx))),
			 RS_FS("from", sip_msg_hdr(sip_rx_msg(rx), SIP_HDR_FROM, 0)->value),
			 RS_FS("call_id", sip_rx_msg(rx)->call_id));
		ast_sip_respond(rx, 403, RS_STR_NULL);
		return true;
	}
	aor = uri && sip_uri_is_sip(uri) ? find_aor(ast_sip_rx_snapshot(rx), uri) : NULL;
	if (!aor) {
		ast_sip_respond(rx, 404, RS_STR_NULL);
		return true;
	}
	contacts = ast_sip_location_contacts(ast_sip_aor_id(aor));
	if (contacts)
		forward(rx, contacts);
	else
		ast_sip_respond(rx, 480, RS_STR_NULL);
	ast_sip_contacts_unref(contacts);
	ast_sip_aor_unref(aor);
	return true;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_messaging",
	.priority = SIP_PRIORITY_APPLICATION,
	.on_rx_request = on_rx_request,
	.methods = "MESSAGE",
};

static int load(void)
{
	return ast_sip_register_service(&service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
}

AST_SIP_MODULE(.name = "res_sip_messaging", .description = "MESSAGE between phones", .load = load, .unload = unload);
