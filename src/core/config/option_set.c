/* Reading one value by its row. */
#include "core/config/setter.h"

#include "sip/uri.h"

#include <regex.h>
#include <stdlib.h>

union field {
	bool b;
	int i;
	uint8_t byte;
	uint16_t port;
	uint32_t u;
	struct rs_str s;
	struct ast_sip_strings list;
	struct ast_sip_algorithms algs;
	struct sip_addr addr;
};

static int bad(struct conf_load *l, const struct conf_option *o, struct rs_str value, const char *what)
{
	if (o->flags & CONF_F_SECRET)
		conf_fail(l, "%s: the value %s", o->name, what);
	else
		conf_fail(l, "%s: '%.*s' %s", o->name, (int)(value.len > 120 ? 120 : value.len), value.p ? value.p : "",
			  what);
	return -1;
}

static int set_uint(struct conf_load *l, const struct conf_option *o, struct rs_str value, uint32_t *out)
{
	uint32_t max = o->max ? o->max : UINT32_MAX;
	char what[64];

	if (o->kind == CONF_PORT)
		max = UINT16_MAX;
	if (o->kind == CONF_BYTE && max > UINT8_MAX)
		max = UINT8_MAX;
	if (conf_value_uint(value, o->min, max, out) == 0)
		return 0;
	snprintf(what, sizeof(what), "is no number from %u to %u", o->min, max);
	return bad(l, o, value, what);
}

static const struct conf_name *name_find(const struct conf_option *o, struct rs_str word)
{
	for (const struct conf_name *n = o->names; n->name; n++)
		if (o->flags & CONF_F_CASE ? rs_str_eqz(word, n->name) : rs_str_ieqz(word, n->name))
			return n;
	return NULL;
}

#define NAMES_MAX 32 /* words of an enum that a suggestion looks at */

static int bad_name(struct conf_load *l, const struct conf_option *o, struct rs_str word)
{
	const char *names[NAMES_MAX];
	char what[256] = "is none of", hint[80];
	size_t n = 0, at = strlen(what);

	for (; n < NAMES_MAX && o->names[n].name; n++) {
		names[n] = o->names[n].name;
		at += (size_t)snprintf(what + at, sizeof(what) - at, "%s %s", n ? "," : "", names[n]);
		if (at >= sizeof(what))
			at = sizeof(what) - 1;
	}
	conf_suggest(hint, sizeof(hint), word, names, n);
	snprintf(what + at, sizeof(what) - at, "%s", hint);
	return bad(l, o, word, what);
}

static int set_flags(struct conf_load *l, const struct conf_option *o, struct rs_str value, int *out)
{
	struct rs_str item;
	int flags = 0;

	while (conf_list_next(&value, &item)) {
		const struct conf_name *n = name_find(o, item);

		if (!n)
			return bad_name(l, o, item);
		flags |= n->value;
	}
	*out = flags;
	return 0;
}

static int set_algs(struct conf_load *l, const struct conf_option *o, struct rs_str value,
		    struct ast_sip_algorithms *out)
{
	static const char *const NAMES[] = {"MD5", "SHA-256", "SHA-512-256"};
	struct ast_sip_algorithms algs = {0};
	enum ast_sip_algorithm a;
	struct rs_str item;
	char what[128], hint[80];

	if (o->flags & CONF_F_ACCUMULATE)
		algs = *out;
	while (conf_list_next(&value, &item)) {
		if (ast_sip_algorithm_from_name(item, &a) != 0) {
			conf_suggest(hint, sizeof(hint), item, NAMES, RS_ARRAY_SIZE(NAMES));
			snprintf(what, sizeof(what), "is none of MD5, SHA-256, SHA-512-256%s", hint);
			return bad(l, o, item, what);
		}
		if (!memchr(algs.v, a, algs.n))
			algs.v[algs.n++] = (uint8_t)a;
	}
	*out = algs;
	return 0;
}

int conf_parse_sip_uri(struct rs_str value, struct rs_str *uri)
{
	struct sip_uri u;

	if (value.len >= 2 && value.p[0] == '<' && value.p[value.len - 1] == '>')
		value = rs_str_trim(rs_str_n(value.p + 1, value.len - 2));
	if (sip_uri_parse(value, &u) != 0 || !sip_uri_is_sip(&u))
		return -1;
	*uri = value;
	return 0;
}

static int set_regex(struct conf_load *l, const struct conf_option *o, struct rs_str value)
{
	char *z = rs_str_dup(value), why[128];
	regex_t re;
	int rc = z ? regcomp(&re, z, REG_EXTENDED | REG_NOSUB) : REG_ESPACE;

	free(z);
	if (rc == 0) {
		regfree(&re);
		return 0;
	}
	regerror(rc, NULL, why, sizeof(why));
	return bad(l, o, value, why);
}

static int acl_rule_add(struct conf_load *l, struct conf_acl_rules *rules, const struct conf_acl_rule *rule)
{
	if (rules->n == rules->cap) {
		uint32_t cap = rules->cap ? rules->cap * 2 : 4;
		struct conf_acl_rule *v = conf_pool_alloc(&l->tmp, cap * sizeof(*v));

		if (!v)
			return -1;
		if (rules->n)
			memcpy(v, rules->v, rules->n * sizeof(*v));
		rules->v = v;
		rules->cap = cap;
	}
	rules->v[rules->n++] = *rule;
	return 0;
}

static int set_acl_rule(struct conf_load *l, const struct conf_option *o, struct rs_str value,
			struct conf_acl_draft *acl)
{
	struct rs_str item, rest = value;
	unsigned n = 0;

	while (conf_list_next(&rest, &item)) {
		struct conf_acl_rule rule = {.deny = (o->arg & CONF_ACL_DENY) != 0};
		struct rs_str net = item;
		struct sip_addr a;

		if (net.p[0] == '!') {
			rule.deny = !rule.deny;
			net = rs_str_trim(rs_str_n(net.p + 1, net.len - 1));
		}
		if (conf_value_network(net, &a, &rule.bits) != 0)
			return bad(l, o, item, "is no address, address/bits or address/mask");
		rule.family = a.family;
		memcpy(rule.ip, a.ip, sizeof(rule.ip));
		if (acl_rule_add(l, &acl->rules[o->arg & CONF_ACL_CONTACT ? 1 : 0], &rule) != 0)
			return bad(l, o, item, "does not fit in memory");
		n++;
	}
	return n ? 0 : bad(l, o, value, "has no address");
}

static int set_acl_name(struct conf_load *l, const struct conf_option *o, struct rs_str value,
			struct conf_acl_draft *acl)
{
	struct ast_sip_strings *names = &acl->names[o->arg & CONF_ACL_CONTACT ? 1 : 0];
	struct rs_str item;

	while (conf_list_next(&value, &item)) {
		if (conf_list_has(names, item))
			return bad(l, o, item, "is named twice");
		if (!l->acl.broken && !conf_builder_find(&l->table[CONF_NAMED_ACL], item))
			return bad(l, o, item, "is no section of acl.conf");
		if (conf_list_push(&l->tmp, names, item) != 0)
			return bad(l, o, item, "does not fit in memory");
	}
	return 0;
}

static int set_text(struct conf_load *l, const struct conf_option *o, struct rs_str value, struct rs_str *out)
{
	struct rs_str text = value;

	if (o->kind == CONF_URI && value.len && conf_parse_sip_uri(value, &text) != 0)
		return bad(l, o, value, "is no sip or sips URI");
	if (o->kind == CONF_HOST && value.len && !conf_value_is_host(value))
		return bad(l, o, value, "is no host name and no address");
	if (o->kind == CONF_SETTING && !rs_str_chr(value, '='))
		return bad(l, o, value, "has no '='");
	if (o->kind == CONF_REGEX && set_regex(l, o, value) != 0)
		return -1;
	*out = text;
	return 0;
}

static int set_list(struct conf_load *l, const struct conf_option *o, struct rs_str value, struct ast_sip_strings *out)
{
	struct ast_sip_strings list = {NULL, 0};

	if (o->flags & CONF_F_ACCUMULATE)
		list = *out;
	if (conf_list_add(&l->tmp, &list, value) != 0)
		return bad(l, o, value, "does not fit in memory");
	*out = list;
	return 0;
}

static int set_kind(struct conf_load *l, const struct conf_option *o, struct rs_str value, union field *f)
{
	const struct conf_name *name;
	uint32_t u;

	switch (o->kind) {
	case CONF_BOOL:
		return conf_value_bool(value, &f->b) == 0 ? 0 : bad(l, o, value, "is neither yes nor no");
	case CONF_UINT:
		return set_uint(l, o, value, &f->u);
	case CONF_PORT:
		if (set_uint(l, o, value, &u) != 0)
			return -1;
		f->port = (uint16_t)u;
		return 0;
	case CONF_BYTE:
		if (set_uint(l, o, value, &u) != 0)
			return -1;
		f->byte = (uint8_t)u;
		return 0;
	case CONF_INT:
		return conf_value_int(value, &f->i) == 0 ? 0 : bad(l, o, value, "is no number");
	case CONF_SECONDS:
		return conf_value_seconds(value, &f->u) == 0 ? 0 : bad(l, o, value, "is no number of seconds");
	case CONF_ENUM:
		name = name_find(o, value);
		if (!name)
			return bad_name(l, o, value);
		f->i = name->value;
		return 0;
	case CONF_FLAGS:
		return set_flags(l, o, value, &f->i);
	case CONF_ALGS:
		return set_algs(l, o, value, &f->algs);
	case CONF_TOS:
		return conf_value_tos(value, &f->byte) == 0 ? 0 : bad(l, o, value, "is no TOS value or DSCP name");
	case CONF_ADDR:
		return sip_addr_parse(value, &f->addr) == 0 ? 0 : bad(l, o, value, "is no numeric address[:port]");
	case CONF_LIST:
		return set_list(l, o, value, &f->list);
	default:
		return set_text(l, o, value, &f->s);
	}
}

/* Whole structs, since the field of a draft may be followed by another one. */
static void field_store(const struct conf_option *o, void *at, const union field *f)
{
	switch (o->kind) {
	case CONF_BOOL:
		*(bool *)at = f->b;
		break;
	case CONF_TOS:
	case CONF_BYTE:
		*(uint8_t *)at = f->byte;
		break;
	case CONF_PORT:
		*(uint16_t *)at = f->port;
		break;
	case CONF_UINT:
	case CONF_SECONDS:
		*(uint32_t *)at = f->u;
		break;
	case CONF_INT:
	case CONF_ENUM:
	case CONF_FLAGS:
		*(int *)at = f->i;
		break;
	case CONF_ALGS:
		*(struct ast_sip_algorithms *)at = f->algs;
		break;
	case CONF_LIST:
		*(struct ast_sip_strings *)at = f->list;
		break;
	case CONF_ADDR:
		*(struct sip_addr *)at = f->addr;
		break;
	default:
		*(struct rs_str *)at = f->s;
	}
}

int conf_option_set(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	void *at = o->offset == CONF_NO_FIELD ? NULL : (char *)draft + o->offset;
	union field f = {0};

	if (o->set)
		return o->set(l, o, draft, value);
	if (at && o->kind == CONF_ACL_RULE)
		return set_acl_rule(l, o, value, at);
	if (at && o->kind == CONF_ACL_NAME)
		return set_acl_name(l, o, value, at);
	if (at && o->flags & CONF_F_ACCUMULATE && o->kind == CONF_LIST)
		f.list = *(struct ast_sip_strings *)at;
	if (at && o->flags & CONF_F_ACCUMULATE && o->kind == CONF_ALGS)
		f.algs = *(struct ast_sip_algorithms *)at;
	if (set_kind(l, o, value, &f) != 0)
		return -1;
	if (at) {
		field_store(o, at, &f);
		return 0;
	}
	if (conf_extra_set(l, (uint32_t)(o - l->type->options), value, o->flags & CONF_F_ACCUMULATE) == 0)
		return 0;
	return bad(l, o, value, "does not fit in memory");
}
