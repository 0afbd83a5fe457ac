/*
 * OPTIONS outside of any dialog (RFC 3261 section 11.2): 200 with what the server can do. A user part must name an
 * endpoint or an AOR, else 404.
 */
#include "res_sip/res_sip.h"

/* Relayed bodies are not looked at, so every type is taken. */
#define ACCEPT "*/*"
/* No section name is longer: a longer user is nobody. */
#define MAX_USER 256

/* By the lookup of identification (section 6 of the reference) for endpoints, by the same names for AORs. */
static bool user_is_known(struct sip_rx_data *rx, const struct sip_uri *uri)
{
	char buf[MAX_USER];
	int n = sip_unescape(uri->user, buf, sizeof(buf));
	struct rs_str user = rs_str_n(buf, n < 0 ? 0 : (size_t)n);
	struct ast_sip_endpoint *endpoint = n < 0 ? NULL : ast_sip_lookup_endpoint(rx, user, uri->host);
	struct ast_sip_aor *aor = n < 0 || endpoint ? NULL : ast_sip_aor_find(ast_sip_rx_snapshot(rx), user);
	bool known = endpoint || aor;

	ast_sip_endpoint_unref(endpoint);
	ast_sip_aor_unref(aor);
	return known;
}

static unsigned status_for(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_uri *uri = sip_msg_ruri(msg);
	uint32_t hops;

	if (!uri || !uri->user.len)
		return 200;
	/* A user lives behind the server: no hop is left to reach him (RFC 3261 section 16.3 step 3). */
	if (sip_msg_number(msg, SIP_HDR_MAX_FORWARDS, &hops, NULL) && hops == 0)
		return 483;
	return user_is_known(rx, uri) ? 200 : 404;
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	struct sip_tx_data *tx;

	if (sip_rx_msg(rx)->method != SIP_METHOD_OPTIONS)
		return false;
	tx = sip_tx_response(rx, status_for(rx), RS_STR_NULL);
	if (!tx)
		return true;
	ast_sip_add_allow(tx);
	ast_sip_add_supported(tx);
	sip_tx_add_hdr(tx, SIP_HDR_ACCEPT, RS_STR(ACCEPT));
	sip_tx_add_hdr(tx, SIP_HDR_ACCEPT_ENCODING, RS_STR("identity"));
	sip_tx_add_hdr(tx, SIP_HDR_ACCEPT_LANGUAGE, RS_STR("en"));
	/*
	 * What passed digest is absorbed when it comes again, before it is authenticated once more; anything else is as
	 * well answered once more as kept for 32 s.
	 */
	if (ast_sip_rx_authenticated(rx))
		ast_sip_send_response(rx, tx);
	else
		sip_tsx_respond_stateless(sip_rx_tsx(rx), tx);
	return true;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_options",
	.priority = SIP_PRIORITY_APPLICATION,
	.on_rx_request = on_rx_request,
	.methods = "OPTIONS",
};

static int load(void)
{
	return ast_sip_register_service(&service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
}

AST_SIP_MODULE(.name = "res_sip_options", .description = "Answers OPTIONS", .load = load, .unload = unload);
