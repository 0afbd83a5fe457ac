/*
 * A service for the tests: everything that is a new request takes a millisecond, as with a module that asks somebody
 * else each time. So many threads, so many thousand requests a second, whatever the machine.
 */
#include "res_sip/res_sip.h"

#include <unistd.h>

#define DELAY_US 1000

static bool on_rx_request(struct sip_rx_data *rx)
{
	(void)rx;
	usleep(DELAY_US);
	return false;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "test_delay",
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

AST_SIP_MODULE(.name = "test_delay", .description = "Takes a millisecond for each request, for tests", .load = load,
	       .unload = unload);
