/*
 * A service that passes on what the server has no module for yet (INVITE and what belongs to it), so that the proxy's
 * forks, CANCEL and ACK take part: to the contacts of the AOR in the Request-URI, else where the Request-URI says.
 */
#include "world.h"

#include "res_sip/proxy.h"

#define BRANCHES   8
#define TIMEOUT_MS 20000

static void forward(struct sip_rx_data *rx, struct ast_sip_proxy_branch *branches, size_t n)
{
	struct ast_sip_proxy_params p = {
		.size = sizeof(p),
		.branches = branches,
		.n = n,
		.record_route = true,
		.serial_by_q = true,
		.timeout_ms = TIMEOUT_MS,
		.endpoint = ast_sip_rx_endpoint(rx),
	};

	ast_sip_proxy_forward(rx, &p);
}

static void to_contacts(struct sip_rx_data *rx, const struct ast_sip_contacts *contacts)
{
	struct ast_sip_proxy_branch branches[BRANCHES];
	size_t n = 0;

	for (uint32_t i = 0; i < contacts->n && n < BRANCHES; i++)
		ast_sip_proxy_branch_for_contact(contacts->v[i], &branches[n++]);
	forward(rx, branches, n);
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_uri *uri = sip_msg_ruri(msg);
	struct ast_sip_contacts *contacts = NULL;

	if (msg->method != SIP_METHOD_INVITE && msg->method != SIP_METHOD_BYE && msg->method != SIP_METHOD_INFO)
		return false;
	if (!uri || !sip_uri_is_sip(uri) || !uri->user.len)
		return false;
	contacts = ast_sip_location_contacts(uri->user);
	if (contacts)
		to_contacts(rx, contacts);
	else
		forward(rx, &(struct ast_sip_proxy_branch){.uri = msg->uri_text, .q_thousandths = 1000}, 1);
	ast_sip_contacts_unref(contacts);
	return true;
}

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "relay",
	.priority = SIP_PRIORITY_APPLICATION,
	.on_rx_request = on_rx_request,
	.methods = "INVITE, BYE, INFO",
};

void relay_register(void)
{
	sim_check_int(ast_sip_register_service(&service), 0);
}

void relay_unregister(void)
{
	ast_sip_unregister_service(&service);
}
