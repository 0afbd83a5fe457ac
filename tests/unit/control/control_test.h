/* What the control tests share. */
#ifndef TESTS_CONTROL_TEST_H
#define TESTS_CONTROL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/control/registry.h"
#include "core/control/run.h"

#define COMMAND(...)                                                                                                   \
	{                                                                                                              \
		.size = sizeof(struct ast_sip_cli_command), __VA_ARGS__                                                \
	}
#define WORDS(...)                                                                                                     \
	(int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[])                      \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

#endif
