/* What the loader's tests share: a core without listeners, and what the test modules told. */
#ifndef TESTS_LOADER_SUPPORT_H
#define TESTS_LOADER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/core.h"
#include "core/loader/loader.h"
#include "core/loader/modules.h"

/* Group fixtures: a core with an empty configuration, threads and all. */
int core_up(void **state);
int core_down(void **state);
/* The folder of its configuration, made anew by core_up or by core_folder alone; and a file in it. */
int core_folder(void);
int core_folder_remove(void);
const char *conf_folder(void);
void conf_put(const char *name, const char *text);
/* The folder with the test modules. */
const char *module_folder(void);

/* "load a, load b, unload b": what the modules said since the last call of notes_reset. */
const char *notes(void);
void notes_reset(void);
RS_API void test_note(const char *what, const char *name);
RS_API extern int test_linked_calls;            /* what test_on_base heard from test_base */
RS_API extern bool test_declines_on_base;       /* test_on_base shall decline, and keep something */
RS_API extern bool test_forget_work;            /* test_worker shall not give its work back */
RS_API extern struct ast_sip_work *test_left;   /* what test_worker left behind then */
RS_API extern struct ast_sip_module *test_self; /* the handle of the module that was loaded last */
RS_API extern _Atomic int test_prepared;        /* what test_files has made of its file's objects and not freed */

/* modules.conf of n lines, without autoload; each line of the file "modules.conf", from 1. */
struct line {
	int what;
	const char *name;
};
struct ast_sip_modules_conf conf_of(const struct line *lines, size_t n, bool autoload);
void conf_done(struct ast_sip_modules_conf *c);
#define CONF(autoload, ...)                                                                                            \
	conf_of((const struct line[]){__VA_ARGS__}, sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line),  \
		autoload)

#endif
