/*
 * What makes a shared object a module of res_sip: one descriptor, found by the loader under a fixed name, and the
 * hidden handle by which the core knows what of a module is still running.
 *
 *   static int load(void) { return ast_sip_register_service(&my_service) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
 * } static void unload(void) { ast_sip_unregister_service(&my_service); } AST_SIP_MODULE(.name = "my_module",
 * .description = "…", .load = load, .unload = unload);
 */
#ifndef RES_SIP_MODULE_H
#define RES_SIP_MODULE_H

#include "base/defs.h"

/* Changes when a public struct or function changes in a way that a built module would not survive. */
#define AST_SIP_MODULE_ABI 2

struct ast_sip_module; /* the core's record of a loaded module */
struct ast_sip_conf_file;

enum ast_sip_module_result {
	AST_SIP_MODULE_OK = 0,
	AST_SIP_MODULE_DECLINE = -1, /* cannot be loaded; others go on. The reason has been logged */
	AST_SIP_MODULE_FATAL = -2,   /* the server must not start */
};

/* Load priorities (section 15 of the reference): lower first; dependencies go before dependents in any case. */
enum {
	AST_SIP_LOAD_CORE = 40,
	AST_SIP_LOAD_AUTHENTICATOR = 55,
	AST_SIP_LOAD_IDENTIFIER = 56,
	AST_SIP_LOAD_REGISTRAR = 57,
	AST_SIP_LOAD_DEFAULT = 80,
	AST_SIP_LOAD_LAST = 128,
};

struct ast_sip_module_info {
	uint32_t size;              /* sizeof(struct ast_sip_module_info) */
	uint32_t abi;               /* AST_SIP_MODULE_ABI */
	const char *name;           /* the file's name without .so */
	const char *description;    /* one line */
	const char *version;        /* of the headers it was built with */
	int priority;               /* AST_SIP_LOAD_*; 0: AST_SIP_LOAD_DEFAULT */
	const char *const *depends; /* NULL-terminated names of modules that must be loaded before it; may be NULL */
	/* On the loader's thread, one module at a time; may block. Gives an enum ast_sip_module_result. Required. */
	int (*load)(void);
	/*
	 * Takes its services out (what it does not take out itself, the core does). Afterwards the core waits until
	 * nothing of the module runs or is held, and only then unmaps the code.
	 */
	void (*unload)(void);
	/* After a new configuration came into force; may be NULL. 0 or -1. */
	int (*reload)(void);
	/*
	 * The server stops: what is up ends in order, as long as the network is still there. true: nothing is up (any
	 * more); it is asked again until then, or until time is up. On the loader's thread, before anything is
	 * unloaded; must not block; may be NULL.
	 */
	bool (*stopping)(void);
	/* Files that it writes were moved away (SIGUSR1): it opens them anew. On the loader's thread; may be NULL. */
	void (*rotate)(void);
	/* Configuration files of its own (res_sip/conf_file.h), up to 8, NULL-terminated; may be NULL. They are read
	 * before load. */
	const struct ast_sip_conf_file *const *conf_files;
	struct ast_sip_module **self; /* set by AST_SIP_MODULE */
};

#ifdef AST_SIP_CORE
#define AST_SIP_SELF NULL
#else
extern struct ast_sip_module *ast_sip_self_ __attribute__((visibility("hidden")));
/* The calling module's handle. */
#define AST_SIP_SELF ast_sip_self_
#endif

#define AST_SIP_MODULE(...)                                                                                            \
	struct ast_sip_module *ast_sip_self_ = NULL;                                                                   \
	RS_API extern const struct ast_sip_module_info ast_sip_module_info;                                            \
	const struct ast_sip_module_info ast_sip_module_info = {.size = sizeof(struct ast_sip_module_info),            \
								.abi = AST_SIP_MODULE_ABI,                             \
								.version = RES_SIP_VERSION,                            \
								.self = &ast_sip_self_,                                \
								__VA_ARGS__}

/* The build of the server gives it; installed headers bring it along. */
#ifndef RES_SIP_VERSION
#if __has_include("res_sip/version.h")
#include "res_sip/version.h"
#else
#define RES_SIP_VERSION "unknown"
#endif
#endif

/* Whether a module of that name is loaded and running (either spelling). Any thread. */
RS_API bool ast_sip_module_loaded(const char *name);
/* Its name; "core" for NULL. */
RS_API const char *ast_sip_module_name(const struct ast_sip_module *module);

#endif
