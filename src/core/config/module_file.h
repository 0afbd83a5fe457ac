/*
 * Configuration files of modules (res_sip/conf_file.h): what modules say of them (schemas, copied, so that nothing but
 * callbacks lies in a module's memory), and what was read of them (one block a file and load, in the living snapshots).
 *
 * Locks, in this order: a change of the configuration, from reading it to its being in force; the list of schemas, held
 * while files are read and checked; the list of living blocks, held while what a module prepared is freed.
 */
#ifndef CORE_CONFIG_MODULE_FILE_H
#define CORE_CONFIG_MODULE_FILE_H

#include "core/config/build.h"
#include "res_sip/conf_file.h"
#include "res_sip/module.h"

/* ---- for the loader and the core ---- */

/*
 * Adds m's files (NULL: none), all or none, and reads each at once into a new snapshot, which replaces the one in
 * force; without one they are read with the first load. 0, or -1 with errors. Blocks on files. Not in a load.
 */
int ast_sip_conf_files_add(struct ast_sip_module *m, const struct ast_sip_conf_file *const *files,
			   struct ast_sip_conf_errors *errors);
/* Takes m's files out of the list and of the snapshot in force; earlier snapshots keep them. Not in a load. */
void ast_sip_conf_files_remove(struct ast_sip_module *m);
/*
 * Frees what m's checks have prepared, whatever snapshots still have the objects: m is about to be unmapped. Its files
 * were removed, and none of its code runs or can come to run.
 */
void ast_sip_conf_files_sever(struct ast_sip_module *m);

/* Around a load and its installation, so that files that modules bring meanwhile are not lost. Not recursive. */
void ast_sip_conf_change_begin(void);
void ast_sip_conf_change_end(void);

/* ---- schemas ---- */

struct conf_schema_row {
	enum ast_sip_conf_kind kind;
	bool required;
	int refers; /* enum conf_type_id, -1: to nothing */
};
struct conf_schema_type {
	struct conf_type type;
	struct conf_type_index names;
	const struct conf_schema_row *rows;
	const void *defaults; /* a draft */
	bool single;
	int (*check)(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *c, void **prepared);
	void (*release)(void *prepared);
};
#define CONF_FILE_TYPES 16 /* of one file */
struct conf_schema {
	_Atomic uint32_t refs;
	struct ast_sip_module *module;
	const char *name;
	bool required;
	size_t n;
	struct conf_schema_type *types;
	struct conf_pool pool; /* all of the above */
	struct conf_schema *next;
};
/* A draft has a field of this size for each row, in their order. */
#define CONF_FILE_FIELD 16

/* One reference; NULL with errors (a mistake in the module's tables, or no memory). */
struct conf_schema *conf_schema_new(struct ast_sip_module *m, const struct ast_sip_conf_file *file,
				    struct ast_sip_conf_errors *errors);
struct conf_schema *conf_schema_ref(struct conf_schema *s);
void conf_schema_unref(struct conf_schema *s);

/* ---- what was read ---- */

#define CONF_MAGIC_FILE_OBJECT 0x66696c65u

struct ast_sip_conf_object {
	uint32_t magic;
	struct conf_file *file;
	struct ast_sip_conf_object *next; /* all of the file, refused ones included: what they prepared is freed */
	const struct conf_schema_type *type;
	struct rs_str id;
	_Atomic(void *) prepared;
	uint64_t set[CONF_MAX_OPTIONS / 64]; /* rows that stand in the file */
	uint64_t values[];                   /* a draft, then its strings */
};

struct conf_file_objects {
	struct ast_sip_conf_object **v; /* in file order */
	uint32_t n;
	struct conf_table by_id;
};
/* A file as one load read it: referenced by snapshots and by who keeps an object. */
struct conf_file {
	_Atomic uint32_t refs;
	struct conf_schema *schema;
	struct conf_pool pool; /* the objects */
	struct ast_sip_conf_object *made;
	struct conf_file_objects types[CONF_FILE_TYPES];
	struct conf_file *next, *prev; /* living ones */
};

/* An empty one among the living, one reference. NULL: no memory. */
struct conf_file *conf_file_new(struct conf_schema *schema);
/* Reads schema's file in dir. One reference; NULL with errors. s: as ast_sip_conf_check_snapshot gives it. */
struct conf_file *conf_file_read(const char *dir, struct conf_schema *schema, struct ast_sip_snapshot *s,
				 struct ast_sip_conf_errors *errors);
struct conf_file *conf_file_ref(struct conf_file *f);
/* With the last reference what was prepared is freed, then everything. NULL is allowed. */
void conf_file_unref(struct conf_file *f);

#define CONF_FILES_OF_MODULE 8 /* as res_sip/module.h says */
/* Reads every file that modules have added. What is missing is told in errors. Free with conf_files_free in any case.
 */
void conf_files_read(const char *dir, struct ast_sip_snapshot *s, struct conf_files *out,
		     struct ast_sip_conf_errors *errors);
void conf_files_free(struct conf_files *files);

#endif
