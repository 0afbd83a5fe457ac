/* A module that tells the test what happens to it. Built several times under several names, with what it depends on. */
#include "res_sip/module.h"
#include "res_sip/res_sip.h"

#ifndef PRIORITY
#define PRIORITY 0
#endif
#ifndef RESULT
#define RESULT AST_SIP_MODULE_OK
#endif

/* The test program's. */
void test_note(const char *what, const char *name);
extern struct ast_sip_module *test_self;

static int load(void)
{
	test_note("load", NAME);
	test_self = AST_SIP_SELF;
	return RESULT;
}

static void unload(void)
{
	test_note("unload", NAME);
}

static int reload(void)
{
	test_note("reload", NAME);
	return 0;
}

#ifdef DEPENDS
static const char *const depends[] = {DEPENDS, NULL};
#define DEPENDS_FIELD .depends = depends,
#else
#define DEPENDS_FIELD
#endif

AST_SIP_MODULE(.name = NAME, .description = "A test's", DEPENDS_FIELD.priority = PRIORITY, .load = load,
	       .unload = unload, .reload = reload);
