/*
 * A service for the tests: answers INFO outside of dialogs with 200, after a second of blocking when the Call-ID begins
 * with "slow", as a module does that asks a slow database.
 */
#include "res_sip/res_sip.h"

#include <unistd.h>

static bool on_rx_request(struct sip_rx_data *rx)
{
	if (sip_rx_msg(rx)->method != SIP_METHOD_INFO)
		return false;
	if (rs_str_starts(sip_rx_msg(rx)->call_id, RS_STR("slow")))
		sleep(1);
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "test_slow",
	.priority = SIP_PRIORITY_APPLICATION,
	.on_rx_request = on_rx_request,
	.methods = "INFO",
};

static int load(void)
{
	return ast_sip_register_service(&service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
}

AST_SIP_MODULE(.name = "test_slow", .description = "Blocks on some calls, for tests", .load = load, .unload = unload);
