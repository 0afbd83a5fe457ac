/*
 * A configuration file of a module's own, in pjsip.conf's syntax (templates, includes, comments), with typed sections.
 * The module names it in its descriptor; the server reads it before the module's load, and again with each reload,
 * together with pjsip.conf: all or nothing. What is wrong is told with file, line and the nearest valid name, as for
 * pjsip.conf; at the start of the module it makes the module decline.
 *
 *   enum { ROUTE_PATTERN, ROUTE_ENDPOINT, ROUTE_TIMEOUT };
 *   static const struct ast_sip_conf_option route[] = {
 *           [ROUTE_PATTERN] = {"pattern", AST_SIP_CONF_STR, .flags = AST_SIP_CONF_REQUIRED},
 *           [ROUTE_ENDPOINT] = {"endpoint", AST_SIP_CONF_LIST, .flags = AST_SIP_CONF_ACCUMULATE, .refers = "endpoint"},
 *           [ROUTE_TIMEOUT] = {"timeout", AST_SIP_CONF_UINT, .def = "30", .min = 1, .max = 600},
 *   };
 *   static const struct ast_sip_conf_type types[] = {
 *           {.name = "route", .options = route, .n = RS_ARRAY_SIZE(route), .check = compile, .release = free},
 *   };
 *   static const struct ast_sip_conf_file file = {
 *           .size = sizeof(file), .name = "routes.conf", .types = types, .n_types = RS_ARRAY_SIZE(types)};
 *   static const struct ast_sip_conf_file *const files[] = {&file, NULL};
 *   AST_SIP_MODULE(.name = "my_module", .conf_files = files, …);
 *
 *   struct ast_sip_conf_objects routes = ast_sip_conf_objects(snapshot, "routes.conf", "route");
 *   for (uint32_t i = 0; i < routes.n; i++)
 *           … ast_sip_conf_uint(routes.v[i], ROUTE_TIMEOUT) …
 *
 * Objects belong to the snapshot: what is given is lent, as long as somebody holds the snapshot, and never changes.
 * Any thread may call any of these; none blocks.
 */
#ifndef RES_SIP_CONF_FILE_H
#define RES_SIP_CONF_FILE_H

#include "res_sip/config.h"

struct ast_sip_conf_object; /* one section, with a value for each option of its type */
struct ast_sip_conf_check;  /* what a check is told about the load */

/* ---- what a file may say ---- */

enum ast_sip_conf_kind {
	AST_SIP_CONF_BOOL,
	AST_SIP_CONF_UINT, /* min to max; max 0: no limit */
	AST_SIP_CONF_INT,
	AST_SIP_CONF_STR,
	AST_SIP_CONF_URI,   /* a sip or sips URI, without its <>, or empty */
	AST_SIP_CONF_LIST,  /* texts between commas */
	AST_SIP_CONF_ENUM,  /* one of words, any case */
	AST_SIP_CONF_FLAGS, /* a list of words: their values or-ed */
};
enum {
	AST_SIP_CONF_ACCUMULATE = 1, /* LIST: a repeated key adds; such a list has no default. Else the last one wins */
	AST_SIP_CONF_REQUIRED = 2,   /* STR, URI, LIST: may not be empty */
	AST_SIP_CONF_SECRET = 4,     /* STR: neither printed nor told in errors */
};
struct ast_sip_conf_word {
	const char *name;
	int value;
};
struct ast_sip_conf_option {
	const char *name; /* found in any case */
	enum ast_sip_conf_kind kind;
	unsigned flags;
	const char *def; /* as it would stand in the file; NULL: no, 0, empty, the first word */
	uint32_t min, max;
	const struct ast_sip_conf_word *words; /* ENUM, FLAGS; ends with a NULL name */
	const char *refers; /* STR, LIST: ids of that type of pjsip.conf: "endpoint", "aor", "auth" or "transport" */
	const char *help;
};

struct ast_sip_conf_type {
	const char *name; /* the value of type= */
	/* One section at most, which needs no type= when it has the type's name ([general]); without it there is an
	 * object of defaults. */
	bool single;
	const struct ast_sip_conf_option *options;
	size_t n; /* up to 192 */
	/*
	 * After an object was read without an error; may be NULL. 0, or -1 after ast_sip_conf_refuse. *prepared (NULL
	 * before) may be set to what the module makes of the object, a compiled pattern say; only together with 0. On
	 * the thread that loads, which may block; also before the module's load (res_sipd --check never calls that), so
	 * that it may use nothing that load makes.
	 */
	int (*check)(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *c, void **prepared);
	/*
	 * Frees *prepared, when the last snapshot with the object goes, at the latest before the module is unmapped. On
	 * any thread, with a lock held: it calls nothing of the configuration.
	 */
	void (*release)(void *prepared);
};

struct ast_sip_conf_file {
	uint32_t size;    /* sizeof(struct ast_sip_conf_file) */
	const char *name; /* without a directory; no other module's, and none of the server's own */
	bool required;    /* it must exist; else its absence is as an empty one */
	const struct ast_sip_conf_type *types;
	size_t n_types; /* up to 16 */
};

/* ---- during a check ---- */

/*
 * The snapshot that is being built, lent: its endpoints and so on are there, no objects of modules' files. NULL:
 * pjsip.conf has errors, so that what it lacks is no error.
 */
RS_API struct ast_sip_snapshot *ast_sip_conf_check_snapshot(struct ast_sip_conf_check *c);
/* The object is in error (or, a warning, only doubtful), at the line of option (NULL or not set: at its section). */
RS_API void ast_sip_conf_refuse(struct ast_sip_conf_check *c, const char *option, const char *fmt, ...) RS_PRINTF(3, 4);
RS_API void ast_sip_conf_warn(struct ast_sip_conf_check *c, const char *option, const char *fmt, ...) RS_PRINTF(3, 4);

/* ---- objects ---- */

struct ast_sip_conf_objects {
	struct ast_sip_conf_object *const *v;
	uint32_t n;
};
/* All of a type in the order in which they stand in the file (includes where they are included). Unknown file or type:
 * none. */
RS_API struct ast_sip_conf_objects ast_sip_conf_objects(struct ast_sip_snapshot *s, const char *file, const char *type);
/* By id (the section's name, case-sensitive). NULL: there is none. */
RS_API struct ast_sip_conf_object *ast_sip_conf_object_find(struct ast_sip_snapshot *s, const char *file,
							    const char *type, struct rs_str id);
/* The one object of a single type. NULL: no module that is loaded has that file and type. */
RS_API struct ast_sip_conf_object *ast_sip_conf_single(struct ast_sip_snapshot *s, const char *file, const char *type);

/* Keeps an object (and all of its file) beyond the snapshot; prepared lives no longer than the module, though. */
RS_API struct ast_sip_conf_object *ast_sip_conf_object_ref(struct ast_sip_conf_object *o);
RS_API void ast_sip_conf_object_unref(struct ast_sip_conf_object *o); /* NULL is allowed */
RS_API struct rs_str ast_sip_conf_object_id(const struct ast_sip_conf_object *o);
/* What check made of it; NULL: nothing, or its module is unloaded. For the module's own code. */
RS_API void *ast_sip_conf_prepared(const struct ast_sip_conf_object *o);

/*
 * Values by row, the place of the option in its type's table. One that is not there, or is of another kind, is a
 * mistake of the program and ends it with a message. Texts are NUL-terminated, too.
 */
RS_API bool ast_sip_conf_bool(const struct ast_sip_conf_object *o, unsigned row);
RS_API uint32_t ast_sip_conf_uint(const struct ast_sip_conf_object *o, unsigned row);
RS_API int ast_sip_conf_int(const struct ast_sip_conf_object *o, unsigned row);           /* INT, ENUM, FLAGS */
RS_API struct rs_str ast_sip_conf_str(const struct ast_sip_conf_object *o, unsigned row); /* STR, URI */
RS_API struct ast_sip_strings ast_sip_conf_list(const struct ast_sip_conf_object *o, unsigned row);
/* Whether the file sets it. */
RS_API bool ast_sip_conf_is_set(const struct ast_sip_conf_object *o, unsigned row);
/* The row of an option by its name (any case); -1: the type has none of that name. */
RS_API int ast_sip_conf_row(const struct ast_sip_conf_object *o, const char *option);

/* Every option with its effective value in text, sorted by name; secrets are left out ("********"). */
RS_API void ast_sip_conf_object_options(const struct ast_sip_conf_object *o,
					void (*each)(void *token, struct rs_str name, struct rs_str value),
					void *token);

#endif
