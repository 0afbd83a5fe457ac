/*
 * Answers the method COUNT, as OPTIONS is answered, with how many came so far. The number belongs to a work of the
 * module's own: its tasks run one after another, so it needs no lock, and a task that took long would delay
 * nothing but the next COUNT.
 */
#include "res_sip/res_sip.h"

#include <stdio.h>

static struct ast_sip_work *counter;
static unsigned long count; /* touched by tasks on counter only */

static int answer(void *data)
{
	struct sip_rx_data *rx = data;
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);
	char text[24];

	snprintf(text, sizeof(text), "%lu", ++count);
	if (tx && ast_sip_add_header(tx, "X-Count", text) == 0)
		ast_sip_send_response(rx, tx);
	sip_rx_unref(rx);
	return 0;
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	if (!rs_str_eqz(sip_rx_msg(rx)->method_text, "COUNT"))
		return false;
	if (ast_sip_push_task(counter, answer, sip_rx_ref(rx))) {
		ast_sip_respond(rx, 500, RS_STR_NULL);
		sip_rx_unref(rx);
	}
	return true;
}

static struct sip_module service = {.size = sizeof(struct sip_module),
				    .name = "example_counter",
				    .priority = SIP_PRIORITY_APPLICATION,
				    .on_rx_request = on_rx_request,
				    .methods = "COUNT"};

static int load(void)
{
	counter = ast_sip_create_work();
	return counter && ast_sip_register_service(&service) == 0 ? AST_SIP_MODULE_OK : AST_SIP_MODULE_DECLINE;
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
	ast_sip_destroy_work(counter);
}

AST_SIP_MODULE(.name = "example_counter", .description = "Counts COUNT requests", .load = load, .unload = unload);
