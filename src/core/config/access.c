/* What services read of objects. */
#include "core/config/load.h"
#include "core/config/object.h"

static struct conf_object *endpoint_object(const struct ast_sip_endpoint *e)
{
	return (struct conf_object *)(uintptr_t)e;
}

struct ast_sip_endpoint *ast_sip_endpoint_ref(struct ast_sip_endpoint *e)
{
	return conf_object_ref(endpoint_object(e), CONF_MAGIC_ENDPOINT);
}

void ast_sip_endpoint_unref(struct ast_sip_endpoint *e)
{
	conf_object_unref(endpoint_object(e), CONF_MAGIC_ENDPOINT);
}

struct rs_str ast_sip_endpoint_id(const struct ast_sip_endpoint *e)
{
	return e->o.id;
}

const struct ast_sip_endpoint_settings *ast_sip_endpoint_settings(const struct ast_sip_endpoint *e)
{
	conf_object_check(&e->o, CONF_MAGIC_ENDPOINT);
	return (const void *)e->settings->data;
}

struct ast_sip_strings ast_sip_endpoint_aors(const struct ast_sip_endpoint *e)
{
	return e->aors;
}

struct ast_sip_strings ast_sip_endpoint_auths(const struct ast_sip_endpoint *e)
{
	return e->auths;
}

const struct ast_sip_auth *ast_sip_endpoint_auth(const struct ast_sip_endpoint *e, uint32_t i)
{
	return i < e->auths.n ? (const struct ast_sip_auth *)e->parts[i] : NULL;
}

struct ast_sip_aor *ast_sip_endpoint_aor(const struct ast_sip_endpoint *e, uint32_t i)
{
	return i < e->aors.n ? (struct ast_sip_aor *)e->parts[e->auths.n + i] : NULL;
}

void ast_sip_endpoint_prefetch(const struct ast_sip_endpoint *e)
{
	for (uint32_t i = 0; i < e->auths.n + e->aors.n && i < 2; i++) {
		__builtin_prefetch(e->parts[i]);
		__builtin_prefetch((const char *)e->parts[i] + CONF_LINE);
	}
}

bool ast_sip_endpoint_is_artificial(const struct ast_sip_endpoint *e)
{
	return e->artificial;
}

struct ast_sip_aor *ast_sip_aor_ref(struct ast_sip_aor *a)
{
	return conf_object_ref((struct conf_object *)a, CONF_MAGIC_AOR);
}

void ast_sip_aor_unref(struct ast_sip_aor *a)
{
	conf_object_unref((struct conf_object *)a, CONF_MAGIC_AOR);
}

struct rs_str ast_sip_aor_id(const struct ast_sip_aor *a)
{
	return a->o.id;
}

const struct ast_sip_aor_settings *ast_sip_aor_settings(const struct ast_sip_aor *a)
{
	conf_object_check(&a->o, CONF_MAGIC_AOR);
	return (const void *)a->settings->data;
}

static const struct rs_str ALGORITHM_NAMES[AST_SIP_ALGORITHMS] = {
	[AST_SIP_MD5] = RS_STR_INIT("MD5"),
	[AST_SIP_SHA_256] = RS_STR_INIT("SHA-256"),
	[AST_SIP_SHA_512_256] = RS_STR_INIT("SHA-512-256"),
};

struct rs_str ast_sip_algorithm_name(enum ast_sip_algorithm a)
{
	return (unsigned)a < AST_SIP_ALGORITHMS ? ALGORITHM_NAMES[a] : RS_STR_NULL;
}

int ast_sip_algorithm_from_name(struct rs_str name, enum ast_sip_algorithm *out)
{
	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		if (rs_str_ieq(name, ALGORITHM_NAMES[i])) {
			*out = (enum ast_sip_algorithm)i;
			return 0;
		}
	return -1;
}

struct ast_sip_auth *ast_sip_auth_ref(struct ast_sip_auth *a)
{
	return conf_object_ref((struct conf_object *)a, CONF_MAGIC_AUTH);
}

void ast_sip_auth_unref(struct ast_sip_auth *a)
{
	conf_object_unref((struct conf_object *)a, CONF_MAGIC_AUTH);
}

struct rs_str ast_sip_auth_id(const struct ast_sip_auth *a)
{
	return a->o.id;
}

struct rs_str ast_sip_auth_username(const struct ast_sip_auth *a)
{
	conf_object_check(&a->o, CONF_MAGIC_AUTH);
	return a->username;
}

struct rs_str ast_sip_auth_password(const struct ast_sip_auth *a)
{
	conf_object_check(&a->o, CONF_MAGIC_AUTH);
	return a->password;
}

struct rs_str ast_sip_auth_digest(const struct ast_sip_auth *a, enum ast_sip_algorithm alg)
{
	conf_object_check(&a->o, CONF_MAGIC_AUTH);
	if ((unsigned)alg >= AST_SIP_ALGORITHMS || !a->digest[alg])
		return RS_STR_NULL;
	return rs_str_n(a->digest[alg], conf_digest_len(alg));
}

struct rs_str ast_sip_auth_realm(const struct ast_sip_auth *a)
{
	return a->realm;
}

uint32_t ast_sip_auth_nonce_lifetime(const struct ast_sip_auth *a)
{
	return a->nonce_lifetime;
}

struct ast_sip_algorithms ast_sip_auth_algorithms_uas(const struct ast_sip_auth *a)
{
	return a->uas;
}

struct ast_sip_algorithms ast_sip_auth_algorithms_uac(const struct ast_sip_auth *a)
{
	return a->uac;
}

struct rs_str ast_sip_identify_id(const struct ast_sip_identify *i)
{
	return i->o.id;
}

const struct ast_sip_identify_settings *ast_sip_identify_settings(const struct ast_sip_identify *i)
{
	conf_object_check(&i->o, CONF_MAGIC_IDENTIFY);
	return &i->s;
}
