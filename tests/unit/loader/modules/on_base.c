/* A module that links with another one, and needs it to be loaded. */
#include "res_sip/module.h"
#include "res_sip/res_sip.h"

void test_note(const char *what, const char *name);
extern int test_linked_calls;
extern bool test_declines_on_base;
int test_base_calls(void); /* test_base's */

static const char *const depends[] = {"test_base", NULL};

static int load(void)
{
	test_note("load", "test_on_base");
	test_linked_calls = test_base_calls();
	if (test_declines_on_base) {
		/* And leaves something behind. */
		ast_sip_module_hold("thread");
		return AST_SIP_MODULE_DECLINE;
	}
	return AST_SIP_MODULE_OK;
}

static void unload(void)
{
	test_note("unload", "test_on_base");
	test_linked_calls = test_base_calls();
}

AST_SIP_MODULE(.name = "test_on_base", .description = "A test's", .depends = depends, .load = load, .unload = unload);
