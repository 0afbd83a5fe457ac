/*
 * type=acl sections: every one must allow the source of a request and the hosts of its Contacts, else 403
 * (sections 5 and 12 of the reference). It comes before everything else, so nobody is identified or challenged first.
 */
#include "base/log.h"
#include "res_sip/res_sip.h"

static bool contacts_allowed(const struct ast_sip_acl *acl, struct sip_rx_data *rx, const char **name)
{
	const struct sip_name_addr *contact;
	struct sip_addr host;

	if (!ast_sip_acl_has_contact_rules(acl))
		return true;
	for (unsigned n = 0; (contact = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_CONTACT, n)); n++) {
		/* Only addresses are judged: resolving names that a stranger chose would be work on his behalf. */
		if (contact->star || sip_addr_parse(contact->uri.host, &host))
			continue;
		if (!ast_sip_acl_allows_contact(acl, &host, name))
			return false;
	}
	return true;
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	struct ast_sip_acls acls = ast_sip_snapshot_acls(ast_sip_rx_snapshot(rx));

	for (uint32_t i = 0; i < acls.n; i++) {
		const char *name = NULL;
		char addr[SIP_ADDR_TEXT];
		bool source_ok = ast_sip_acl_allows(acls.v[i], sip_rx_source(rx), &name);

		if (source_ok && contacts_allowed(acls.v[i], rx, &name))
			continue;
		rs_log_line(RS_LOG_NOTICE, "acl.c", "SIP %sACL: Rejecting '%s' due to a failure to pass ACL '%s'",
			    source_ok ? "Contact " : "", sip_addr_text(sip_rx_source(rx), false, addr),
			    name ? name : "(BASELINE)");
		rs_log_line(RS_LOG_WARNING, "res_pjsip_acl.c", "Incoming SIP message from %s did not pass ACL test",
			    sip_addr_text(sip_rx_source(rx), true, addr));
		ast_sip_respond_stateless(rx, 403, RS_STR_NULL);
		return true;
	}
	return false;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_acl",
	.priority = SIP_PRIORITY_ACL,
	.on_rx_request = on_rx_request,
};

static int load(void)
{
	return ast_sip_register_service(&service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
}

AST_SIP_MODULE(.name = "res_sip_acl", .description = "Access lists for all requests", .load = load, .unload = unload);
