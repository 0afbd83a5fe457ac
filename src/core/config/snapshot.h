/* A snapshot in memory (private to the configuration). */
#ifndef CORE_CONFIG_SNAPSHOT_H
#define CORE_CONFIG_SNAPSHOT_H

#include "core/config/object.h"
#include "core/config/pool.h"

/* Objects in byte order of their ids, with a hash over the ids. */
struct conf_table {
	void **v;
	uint32_t n;
	uint32_t mask; /* slots - 1 */
	size_t id_at;  /* where the struct rs_str of the id stands in an object */
	struct conf_slot {
		uint64_t hash;
		void *object; /* NULL: empty */
	} * slot;
};

struct conf_alias {
	struct rs_str id, domain;
};
/* Public structs with what show commands print beside them. */
struct conf_transport {
	struct ast_sip_transport t;
	struct rs_str external_signaling_hostname;
	struct conf_extras_block *extras;
};

/* Files of modules, each with a reference. */
struct conf_file;
struct conf_files {
	struct conf_file **v;
	uint32_t n;
};

/*
 * A load makes the content, a snapshot that nobody else sees, and then a view of it with the files of modules. Another
 * view of the same content, when a module comes or goes, has other files.
 */
struct ast_sip_snapshot {
	uint32_t magic;
	/* Holders (who keep it as theirs: in force, or a thread's cache) in the upper half, references in the lower. */
	_Atomic int64_t refs;
	struct ast_sip_snapshot *content; /* of a view, referenced: whose all is that follows its files */
	struct conf_files files;
	/* A view has copies from here on. */
	struct conf_pool pool;
	struct rs_str dir;
	struct conf_table endpoints, aors, auths, identifies, acls, transports, aliases;
	struct ast_sip_global global;
	struct ast_sip_system system;
	struct conf_extras_block *global_extras, *system_extras;
	struct ast_sip_endpoint *artificial;
	struct conf_table own; /* values of res_sip.conf */
	/* What each request would ask the tables for. */
	bool at_endpoints, informational;
	struct ast_sip_strings not_applicable;
};
#define CONF_MAGIC_SNAPSHOT 0x736e6170u

/* One reference. */
struct ast_sip_snapshot *conf_snapshot_new(void);
/* A view, one reference; takes its own on content and on each of files. NULL: no memory. */
struct ast_sip_snapshot *conf_snapshot_view(struct ast_sip_snapshot *content, struct conf_file *const *files,
					    uint32_t n);
/* Sorts v and makes the hash; id_at as in the struct. Takes over v (malloc'd). -1: no memory. */
int conf_table_make(struct conf_table *t, void **v, uint32_t n, size_t id_at);
/* Lets go of what t refers to; its memory is the snapshot's. NULL is allowed. */
void conf_transport_release(struct conf_transport *t);
void *conf_table_find(const struct conf_table *t, struct rs_str id);

#endif
