/*
 * Identifies by a user name: "username" takes the user part of the From URI, "auth_username" the username of each
 * Digest Authorization (section 6 of the reference). The endpoint must list the method in identify_by.
 */
#include "res_sip/res_sip.h"

/* The endpoint for (user, domain) when it allows to be identified that way. */
static struct ast_sip_endpoint *lookup(struct sip_rx_data *rx, struct rs_str user, struct rs_str domain, unsigned by)
{
	struct ast_sip_endpoint *e = ast_sip_lookup_endpoint(rx, user, domain);

	if (e && !(ast_sip_endpoint_settings(e)->identify_by & by)) {
		ast_sip_endpoint_unref(e);
		return NULL;
	}
	return e;
}

static struct ast_sip_endpoint *by_username(struct sip_rx_data *rx)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);
	char buf[256];
	struct rs_str user;
	int n;

	if (!from || !sip_uri_is_sip(&from->uri) || !from->uri.user.len)
		return NULL;
	user = from->uri.user;
	if (rs_str_chr(user, '%') || user.len >= sizeof(buf)) {
		n = sip_unescape(user, buf, sizeof(buf));
		if (n < 0)
			return NULL; /* longer than any section name */
		user = rs_str_n(buf, (size_t)n);
	}
	if (ast_sip_snapshot_global(ast_sip_rx_snapshot(rx))->ignore_uri_user_options) {
		const char *semicolon = rs_str_chr(user, ';');
		if (semicolon)
			user.len = (size_t)(semicolon - user.p);
	}
	return lookup(rx, user, from->uri.host, AST_SIP_BY_USERNAME);
}

static struct ast_sip_endpoint *by_auth_username(struct sip_rx_data *rx)
{
	const struct sip_auth *auth;

	for (unsigned n = 0; (auth = sip_msg_auth(sip_rx_msg(rx), SIP_HDR_AUTHORIZATION, n)); n++) {
		const struct sip_param *name, *realm;
		struct ast_sip_endpoint *e;
		char buf[256];
		int len;

		if (!rs_str_ieq(auth->scheme, RS_STR("Digest")))
			return NULL;
		name = sip_auth_get(auth, RS_STR("username"));
		realm = sip_auth_get(auth, RS_STR("realm"));
		if (!name || (len = sip_unquote(name->value, buf, sizeof(buf))) < 0)
			continue;
		e = lookup(rx, rs_str_n(buf, (size_t)len), realm ? realm->value : RS_STR_NULL,
			   AST_SIP_BY_AUTH_USERNAME);
		if (e)
			return e;
	}
	return NULL;
}

static struct ast_sip_endpoint_identifier username = {
	.size = sizeof(struct ast_sip_endpoint_identifier),
	.identify_endpoint = by_username,
};
static struct ast_sip_endpoint_identifier auth_username = {
	.size = sizeof(struct ast_sip_endpoint_identifier),
	.identify_endpoint = by_auth_username,
};

static void unload(void)
{
	ast_sip_unregister_endpoint_identifier(&username);
	ast_sip_unregister_endpoint_identifier(&auth_username);
}

static int load(void)
{
	if (ast_sip_register_endpoint_identifier_with_name(&username, "username") ||
	    ast_sip_register_endpoint_identifier_with_name(&auth_username, "auth_username")) {
		unload();
		return AST_SIP_MODULE_DECLINE;
	}
	return AST_SIP_MODULE_OK;
}

AST_SIP_MODULE(.name = "res_sip_endpoint_identifier_user", .description = "Identifies endpoints by user name",
	       .priority = AST_SIP_LOAD_IDENTIFIER, .load = load, .unload = unload);
