/* A module with a work and a service of its own; it can be told to leave its work behind. */
#include "res_sip/res_sip.h"

void test_note(const char *what, const char *name);
extern bool test_forget_work;
extern struct ast_sip_work *test_left;
extern struct ast_sip_module *test_self;

static struct ast_sip_work *work;

static bool on_rx_request(struct sip_rx_data *rx)
{
	(void)rx;
	return false;
}

static struct sip_module service = {.size = sizeof(struct sip_module),
				    .name = "test_worker",
				    .priority = SIP_PRIORITY_APPLICATION,
				    .on_rx_request = on_rx_request};

static int load(void)
{
	test_note("load", "test_worker");
	test_self = AST_SIP_SELF;
	work = ast_sip_create_work();
	return work && ast_sip_register_service(&service) == 0 ? AST_SIP_MODULE_OK : AST_SIP_MODULE_DECLINE;
}

static void unload(void)
{
	test_note("unload", "test_worker");
	if (test_forget_work)
		test_left = work;
	else
		ast_sip_destroy_work(work);
}

AST_SIP_MODULE(.name = "test_worker", .description = "Works", .load = load, .unload = unload);
