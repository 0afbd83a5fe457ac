/* One load in progress: sections → drafts → objects. One thread. */
#ifndef CORE_CONFIG_BUILD_H
#define CORE_CONFIG_BUILD_H

#include "core/config/intern.h"
#include "core/config/object.h"
#include "core/config/parse.h"
#include "core/config/snapshot.h"

enum conf_type_id {
	CONF_GLOBAL,
	CONF_SYSTEM,
	CONF_NAMED_ACL, /* acl.conf */
	CONF_TRANSPORT,
	CONF_AUTH,
	CONF_AOR,
	CONF_DOMAIN_ALIAS,
	CONF_ENDPOINT,
	CONF_IDENTIFY,
	CONF_ACL,
	CONF_TYPES
};
extern const struct conf_type *const conf_types[CONF_TYPES];

/* An object by its id while the snapshot is built; object NULL: it has errors. */
struct conf_entry {
	struct rs_str id;
	void *object;
	const struct conf_section *section;
	uint16_t file;
};
struct conf_builder {
	struct conf_entry *v;
	uint32_t n, cap;
	uint32_t *slot; /* entry + 1 */
	uint32_t slots;
};
struct conf_entry *conf_builder_find(const struct conf_builder *b, struct rs_str id);
/* A new entry; NULL without memory. The id must not be there yet. */
struct conf_entry *conf_builder_add(struct conf_builder *b, struct rs_str id);
void conf_builder_free(struct conf_builder *b);

struct conf_load {
	const char *dir;
	struct ast_sip_snapshot *snap, *previous;
	struct ast_sip_conf_errors *errors;
	struct conf_set pjsip, acl, own;
	struct conf_pool tmp;
	struct conf_type_index index[CONF_TYPES];
	void *defaults[CONF_TYPES]; /* drafts */
	struct conf_builder table[CONF_TYPES];
	struct conf_intern settings, acls, extras;
	bool na[CONF_TYPES][CONF_MAX_OPTIONS]; /* options seen that do not apply */
	struct ast_sip_strings na_types;

	/* the object that is being read */
	const struct conf_type *type;
	const struct conf_type_index *names;
	bool *na_seen;    /* of its rows; NULL: nobody asks */
	const char *file; /* where an error stands that has no section */
	const struct conf_set *set;
	const struct conf_section *section; /* NULL while defaults are made */
	struct conf_var *var;               /* NULL: the object as a whole */
	bool failed;
	struct conf_var *last[CONF_MAX_OPTIONS]; /* where each option was set last, NULL: not at all */
	struct conf_extra *extra;
	uint32_t n_extra, extra_cap;
};

/* An error of the current object, at its current variable (told once for each variable) or at its section. */
void conf_fail(struct conf_load *l, const char *fmt, ...) RS_PRINTF(2, 3);
void conf_warn(struct conf_load *l, const char *fmt, ...) RS_PRINTF(2, 3);
/* Makes the place of an option the current one, for checks after reading; the section when it was not set. */
void conf_at(struct conf_load *l, const char *option);
/* Whether the object sets that option. */
bool conf_is_set(const struct conf_load *l, const char *option);

/* By which rows what follows is read: makes type and names the current ones, with no section. */
void conf_reading(struct conf_load *l, const struct conf_type *type, const struct conf_type_index *names);
/* The draft that the rows' defaults give, in l->tmp. NULL: no memory, or a default that cannot be read (told). */
void *conf_defaults_make(struct conf_load *l, const struct conf_type *type, const struct conf_type_index *names);
/* Makes the default drafts and the name tables. -1: no memory. */
int conf_load_init(struct conf_load *l);
/* Reads a section into draft (draft_size bytes). 0, or -1 when it has errors (they are told). */
int conf_apply(struct conf_load *l, enum conf_type_id type, const struct conf_set *set, const struct conf_section *s,
	       void *draft);
/* The same by the current rows; s NULL: the defaults, as they are. */
int conf_apply_section(struct conf_load *l, const struct conf_set *set, const struct conf_section *s,
		       const void *defaults, void *draft);
/* Reads one value by its row; 0, or -1 after conf_fail. */
int conf_option_set(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value);
/* Keeps the text of an option without a field. */
int conf_extra_set(struct conf_load *l, uint32_t row, struct rs_str text, bool accumulate);

/* Shared blocks for the current object, with a reference for the caller. NULL without memory (extras: or none). */
struct conf_settings *conf_settings_get(struct conf_load *l, const struct conf_type *t, const void *settings);
struct conf_extras_block *conf_extras_get(struct conf_load *l);
/* *out NULL: no rule. 0, or -1 after an error. id empty for the rules of an endpoint. */
int conf_acl_get(struct conf_load *l, struct rs_str id, const struct conf_acl_draft *d, struct ast_sip_acl **out);
/* Each item of list must be an object of that type; the error stands at option. 0 or -1. */
int conf_refs_check(struct conf_load *l, enum conf_type_id type, const char *option, struct ast_sip_strings list);

/* The object of a section, checked; NULL when it has errors. */
void *conf_build_endpoint(struct conf_load *l, const struct conf_section *s);
void *conf_build_aor(struct conf_load *l, const struct conf_section *s);
void *conf_build_auth(struct conf_load *l, const struct conf_section *s);
void *conf_build_identify(struct conf_load *l, const struct conf_section *s);
void *conf_build_acl(struct conf_load *l, const struct conf_section *s);
void *conf_build_named_acl(struct conf_load *l, const struct conf_section *s);
void *conf_build_transport(struct conf_load *l, const struct conf_section *s);
void *conf_build_alias(struct conf_load *l, const struct conf_section *s);
/* s NULL: the defaults. 0 or -1. */
int conf_build_global(struct conf_load *l, const struct conf_section *s);
int conf_build_system(struct conf_load *l, const struct conf_section *s);
struct ast_sip_endpoint *conf_build_artificial(struct conf_load *l);

/* res_sip.conf into the snapshot. */
int conf_own_build(struct conf_load *l);

#endif
