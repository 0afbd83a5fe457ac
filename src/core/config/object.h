/*
 * The objects of a snapshot as they lie in memory: each in one allocation with its strings; settings and extras in
 * blocks of their own, which equal objects share. Reference counts are atomic; a magic number is checked on use and
 * cleared on free.
 */
#ifndef CORE_CONFIG_OBJECT_H
#define CORE_CONFIG_OBJECT_H

#include "core/config/option.h"

#include <regex.h>
#include <stdatomic.h>

enum conf_magic {
	CONF_MAGIC_ENDPOINT = 0x656e6470,
	CONF_MAGIC_AOR = 0x616f7220,
	CONF_MAGIC_AUTH = 0x61757468,
	CONF_MAGIC_IDENTIFY = 0x6964656e,
	CONF_MAGIC_ACL = 0x61636c20,
	CONF_MAGIC_SETTINGS = 0x73657474,
	CONF_MAGIC_EXTRAS = 0x65787472,
};

/* Every object begins with this. */
struct conf_object {
	uint32_t magic;
	_Atomic uint32_t refs;
	struct rs_str id;
};

struct conf_settings {
	struct conf_object o; /* id: unused */
	const struct conf_type *type;
	uint64_t hash;
	uint64_t data[]; /* the public settings struct, then its strings */
};

struct conf_extras_block {
	struct conf_object o; /* id: unused */
	uint64_t hash;
	struct conf_extras list;
	struct conf_extra v[];
};

struct ast_sip_endpoint {
	struct conf_object o;
	struct conf_settings *settings;
	struct conf_extras_block *extras; /* NULL: none */
	struct ast_sip_strings aors, auths;
	bool artificial;
	/* The auths, then the AORs: of the snapshots that it is in, referenced. */
	struct conf_object *parts[];
};

struct ast_sip_aor {
	struct conf_object o;
	struct conf_settings *settings;
	struct conf_extras_block *extras;
};

struct ast_sip_auth {
	struct conf_object o;
	struct rs_str username, realm;
	uint32_t nonce_lifetime;
	struct ast_sip_algorithms uas, uac; /* in force */
	uint8_t kept;                       /* 1 << algorithm of those whose HA1 is in ha1 */
	bool oauth;
	uint8_t *ha1; /* of each of uas, in that order; NULL: nothing to compute it from */
	struct rs_str password;
	const char *digest[AST_SIP_ALGORITHMS];     /* of the length of its algorithm; NULL: none */
	struct ast_sip_algorithms own_uas, own_uac; /* as configured */
	struct conf_extras_block *extras;
};

struct ast_sip_identify {
	struct conf_object o;
	struct conf_extras_block *extras;
	struct ast_sip_identify_settings s;
	struct ast_sip_strings match; /* as written */
	struct rs_str match_header, match_request_uri;
	regex_t header_regex, request_uri_regex; /* valid when s points at them */
};

struct ast_sip_acl {
	struct conf_object o;
	uint64_t hash;
	bool has_contact;
	uint32_t n;
	struct conf_acl_list lists[]; /* the unnamed ones first */
};

#define CONF_LINE 64 /* bytes of a line of the cache */

/* Aborts when o is no live object of that kind: going on would spread the damage. */
void conf_object_check(const struct conf_object *o, enum conf_magic magic);
/* NULL is allowed. */
void *conf_object_ref(struct conf_object *o, enum conf_magic magic);
/* Frees the object, and lets go of what it refers to, with the last reference. NULL is allowed. */
void conf_object_unref(struct conf_object *o, enum conf_magic magic);

/* New objects from drafts: one reference, NULL without memory. They take over the references handed in, but take their
 * own of parts. */
struct conf_settings *conf_settings_new(const struct conf_type *t, const void *settings, uint64_t hash);
struct conf_extras_block *conf_extras_new(struct conf_extras list, uint64_t hash);
struct ast_sip_endpoint *conf_endpoint_new(struct rs_str id, const struct conf_endpoint_draft *d,
					   struct conf_settings *settings, struct conf_extras_block *extras,
					   struct conf_object *const *parts);
struct ast_sip_aor *conf_aor_new(struct rs_str id, struct conf_settings *settings, struct conf_extras_block *extras);
struct ast_sip_auth *conf_auth_new(struct rs_str id, const struct conf_auth_draft *d, const struct ast_sip_global *g,
				   struct conf_extras_block *extras);
struct ast_sip_identify *conf_identify_new(struct rs_str id, const struct conf_identify_draft *d,
					   struct conf_extras_block *extras);
struct ast_sip_acl *conf_acl_new(struct rs_str id, const struct conf_acl_list *lists, uint32_t n, uint64_t hash);

bool conf_extras_equal(struct conf_extras a, struct conf_extras b);
uint64_t conf_extras_hash(struct conf_extras list);
bool conf_acl_lists_equal(const struct conf_acl_list *a, uint32_t na, const struct conf_acl_list *b, uint32_t nb);
uint64_t conf_acl_lists_hash(const struct conf_acl_list *lists, uint32_t n);
/* Whether two objects of one type say the same; settings and extras by pointer, since they are shared. */
bool conf_endpoint_equal(const struct ast_sip_endpoint *a, const struct ast_sip_endpoint *b);
bool conf_aor_equal(const struct ast_sip_aor *a, const struct ast_sip_aor *b);
bool conf_auth_equal(const struct ast_sip_auth *a, const struct ast_sip_auth *b);
bool conf_identify_equal(const struct ast_sip_identify *a, const struct ast_sip_identify *b);

static inline struct conf_extras conf_extras_of(const struct conf_extras_block *b)
{
	return b ? b->list : (struct conf_extras){NULL, 0};
}
/* The hex length of an algorithm's digest. */
static inline size_t conf_digest_len(unsigned alg)
{
	return alg == AST_SIP_MD5 ? 32 : 64;
}
/* Computes what HA1 there is to keep. Once, before others see a. 0 or -1. */
int conf_auth_keep(struct ast_sip_auth *a, struct rs_str default_realm);

#endif
