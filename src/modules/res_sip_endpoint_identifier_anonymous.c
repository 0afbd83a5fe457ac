/*
 * Identifies everybody else as the endpoint `anonymous@<From domain>` or `anonymous`, when one is configured
 * (section 6 of the reference). identify_by is not consulted.
 */
#include "res_sip/res_sip.h"

static struct ast_sip_endpoint *anonymous(struct sip_rx_data *rx)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);

	return ast_sip_lookup_endpoint(rx, RS_STR("anonymous"), from ? from->uri.host : RS_STR_NULL);
}

static struct ast_sip_endpoint_identifier identifier = {
	.size = sizeof(struct ast_sip_endpoint_identifier),
	.identify_endpoint = anonymous,
};

static int load(void)
{
	return ast_sip_register_endpoint_identifier_with_name(&identifier, "anonymous") ? AST_SIP_MODULE_DECLINE
											: AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_endpoint_identifier(&identifier);
}

AST_SIP_MODULE(.name = "res_sip_endpoint_identifier_anonymous",
	       .description = "Identifies unknown senders as the endpoint anonymous", .priority = AST_SIP_LOAD_LAST,
	       .load = load, .unload = unload);
