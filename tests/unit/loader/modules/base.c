/* A module that others link with. */
#include "res_sip/module.h"
#include "res_sip/res_sip.h"

void test_note(const char *what, const char *name);
RS_API int test_base_calls(void);

static int calls;

int test_base_calls(void)
{
	return ++calls;
}

static int load(void)
{
	test_note("load", "test_base");
	calls = 0;
	return AST_SIP_MODULE_OK;
}

static void unload(void)
{
	test_note("unload", "test_base");
}

AST_SIP_MODULE(.name = "test_base", .description = "A test's", .load = load, .unload = unload);
