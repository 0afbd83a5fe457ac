/*
 * Options of pjsip.conf as tables: a row tells the name, the kind, the class of the reference, the default and where
 * the value lives in the draft of its object. Reading, defaults, comparing, copying and printing all follow the rows.
 */
#ifndef CORE_CONFIG_OPTION_H
#define CORE_CONFIG_OPTION_H

#include "core/config/draft.h"
#include "core/config/value.h"

enum conf_kind {
	CONF_BOOL,       /* bool */
	CONF_UINT,       /* uint32_t, min..max */
	CONF_INT,        /* int */
	CONF_SECONDS,    /* uint32_t, milliseconds; written in seconds with a fraction */
	CONF_STR,        /* struct rs_str */
	CONF_URI,        /* struct rs_str, a sip or sips URI or empty */
	CONF_HOST,       /* struct rs_str, a name or an address or empty */
	CONF_LIST,       /* struct ast_sip_strings */
	CONF_ENUM,       /* int, one of names */
	CONF_FLAGS,      /* unsigned, or of names */
	CONF_ALGS,       /* struct ast_sip_algorithms */
	CONF_TOS,        /* uint8_t */
	CONF_PORT,       /* uint16_t */
	CONF_BYTE,       /* uint8_t, min..max */
	CONF_ADDR,       /* struct sip_addr, numeric with an optional port */
	CONF_ACL_RULE,   /* struct conf_acl_draft; arg: CONF_ACL_* */
	CONF_ACL_NAME,   /* struct conf_acl_draft; arg: CONF_ACL_* */
	CONF_REGEX,      /* no field */
	CONF_SETTING,    /* no field: text with a '=' */
	CONF_OWN_SETTER, /* what set says; no field that is compared or copied */
};

enum conf_flags {
	CONF_F_NA = 1,         /* known, validated, but nothing here follows it (yet) */
	CONF_F_ACCUMULATE = 2, /* a repeated key adds */
	CONF_F_SECRET = 4,     /* never printed */
	CONF_F_OWN = 8,        /* the object's own: not part of the settings that equal objects share */
	CONF_F_CASE = 16,      /* enum names with case */
};

struct conf_name {
	const char *name;
	int value;
};

struct conf_load;

struct conf_option {
	const char *name;
	enum conf_kind kind;
	char class_; /* S, M, P or X of the reference */
	unsigned flags;
	const char *def;               /* as text, NULL: empty */
	uint32_t offset;               /* of the field in the draft, or CONF_NO_FIELD */
	uint32_t min, max;             /* UINT, BYTE; max 0: no limit */
	const struct conf_name *names; /* ENUM, FLAGS; ends with a NULL name; the first name of a value is printed */
	unsigned arg;
	/* Instead of the kind's own reading; 0, or -1 after conf_fail. */
	int (*set)(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value);
	/* Instead of the kind's own printing. */
	void (*print)(FILE *f, const struct conf_option *o, const void *draft);
};
#define CONF_NO_FIELD UINT32_MAX

#define CONF_MAX_OPTIONS 192 /* rows of a table */
#define CONF_HASH_SLOTS  512 /* of the names of a table; a power of two, more than twice the rows */

struct conf_type {
	const char *name;
	const struct conf_option *options;
	uint16_t n;
	size_t draft_size;
	size_t settings_size; /* the first bytes of the draft, which equal objects share */
};

/* The rows of each type. */
extern const struct conf_type conf_type_global, conf_type_system, conf_type_transport, conf_type_endpoint,
	conf_type_aor, conf_type_auth, conf_type_identify, conf_type_acl, conf_type_domain_alias, conf_type_named_acl;

/* The table by names, made once for a load. */
struct conf_type_index {
	const struct conf_type *type;
	uint16_t slot[CONF_HASH_SLOTS]; /* row + 1, 0: none */
};
void conf_type_index_make(struct conf_type_index *x, const struct conf_type *type);
/* The row of that name (any case), or -1. */
int conf_type_index_find(const struct conf_type_index *x, struct rs_str name);

/* What extras (options without a field) an object was given; sorted by row, extensions ("@name=value") last. */
struct conf_extra {
	struct rs_str text;
	uint32_t row; /* CONF_EXTENSION: an extension */
};
#define CONF_EXTENSION UINT32_MAX
struct conf_extras {
	struct conf_extra *v;
	uint32_t n;
};

/*
 * Settings in one block: every string behind the struct. Compared, hashed and copied by rows that have a field
 * and are not CONF_F_OWN, within settings_size.
 */
uint64_t conf_settings_hash(const struct conf_type *t, const void *settings);
bool conf_settings_equal(const struct conf_type *t, const void *a, const void *b);
/* Bytes that the strings and lists of settings take. */
size_t conf_settings_text_size(const struct conf_type *t, const void *settings);
/* Copies src to dst (settings_size bytes), texts to text (of the size above). */
void conf_settings_copy(const struct conf_type *t, void *dst, const void *src, char *text);

/* A string or a list copied to *at, which moves on; for what objects keep of their own. */
size_t conf_str_size(struct rs_str s);
struct rs_str conf_str_copy(char **at, struct rs_str s);
size_t conf_strings_size(struct ast_sip_strings l);
struct ast_sip_strings conf_strings_copy(char **at, struct ast_sip_strings l);
bool conf_strings_equal(struct ast_sip_strings a, struct ast_sip_strings b);
uint64_t conf_strings_hash(uint64_t h, struct ast_sip_strings l);

/* Every row's effective value in order of the names; extras beyond the rows follow. */
void conf_options_print(const struct conf_type *t, const void *draft, struct conf_extras extras,
			void (*each)(void *token, struct rs_str name, struct rs_str value), void *token);

#endif
