#include "core/config/object.h"

#include "base/hash.h"

#include <stdlib.h>

struct ast_sip_acl *conf_acl_new(struct rs_str id, const struct conf_acl_list *lists, uint32_t n, uint64_t hash)
{
	size_t rules = 0, names = conf_str_size(id), size = sizeof(struct ast_sip_acl) + n * sizeof(*lists);
	struct conf_acl_rule *rule;
	struct ast_sip_acl *a;
	char *text;

	for (uint32_t i = 0; i < n; i++) {
		rules += lists[i].n;
		names += conf_str_size(lists[i].name);
	}
	a = calloc(1, size + rules * sizeof(*rule) + names);
	if (!a)
		return NULL;
	rule = (struct conf_acl_rule *)(void *)((char *)a + size);
	text = (char *)(rule + rules);
	a->o.magic = CONF_MAGIC_ACL;
	atomic_init(&a->o.refs, 1);
	a->o.id = conf_str_copy(&text, id);
	a->hash = hash;
	a->n = n;
	for (uint32_t i = 0; i < n; i++) {
		a->lists[i] = lists[i];
		a->lists[i].name = conf_str_copy(&text, lists[i].name);
		a->lists[i].rules = rule;
		if (lists[i].n)
			memcpy(rule, lists[i].rules, lists[i].n * sizeof(*rule));
		rule += lists[i].n;
		a->has_contact |= lists[i].contact;
	}
	return a;
}

bool conf_acl_lists_equal(const struct conf_acl_list *a, uint32_t na, const struct conf_acl_list *b, uint32_t nb)
{
	if (na != nb)
		return false;
	for (uint32_t i = 0; i < na; i++)
		if (a[i].contact != b[i].contact || a[i].n != b[i].n || !rs_str_eq(a[i].name, b[i].name) ||
		    (a[i].n && memcmp(a[i].rules, b[i].rules, a[i].n * sizeof(a[i].rules[0])) != 0))
			return false;
	return true;
}

uint64_t conf_acl_lists_hash(const struct conf_acl_list *lists, uint32_t n)
{
	uint64_t h = n;

	for (uint32_t i = 0; i < n; i++) {
		h = rs_hash_mix(rs_hash_mix(h, lists[i].contact), rs_hash(lists[i].name));
		h = rs_hash_mix(
			h, rs_hash(rs_str_n((const char *)lists[i].rules, lists[i].n * sizeof(lists[i].rules[0]))));
	}
	return h;
}

static bool rule_matches(const struct conf_acl_rule *r, const struct sip_addr *a)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (r->family != a->family || memcmp(r->ip, a->ip, whole) != 0)
		return false;
	return rest == 0 || ((r->ip[whole] ^ a->ip[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

static bool list_allows(const struct conf_acl_list *l, const struct sip_addr *a)
{
	for (uint32_t i = l->n; i-- > 0;)
		if (rule_matches(&l->rules[i], a))
			return !l->rules[i].deny;
	return true;
}

static bool acl_allows(const struct ast_sip_acl *acl, bool contact, const struct sip_addr *addr, const char **name)
{
	struct sip_addr a = *addr;

	if (!acl)
		return true;
	conf_object_check(&acl->o, CONF_MAGIC_ACL);
	sip_addr_unmap(&a);
	for (uint32_t i = 0; i < acl->n; i++) {
		const struct conf_acl_list *l = &acl->lists[i];

		if (l->contact != contact || list_allows(l, &a))
			continue;
		if (name)
			*name = l->name.len ? l->name.p : "(BASELINE)";
		return false;
	}
	return true;
}

bool ast_sip_acl_allows(const struct ast_sip_acl *acl, const struct sip_addr *source, const char **name)
{
	return acl_allows(acl, false, source, name);
}

bool ast_sip_acl_allows_contact(const struct ast_sip_acl *acl, const struct sip_addr *host, const char **name)
{
	return acl_allows(acl, true, host, name);
}

bool ast_sip_acl_has_contact_rules(const struct ast_sip_acl *acl)
{
	return acl && acl->has_contact;
}

struct rs_str ast_sip_acl_id(const struct ast_sip_acl *acl)
{
	return acl->o.id;
}

bool ast_sip_local_net_contains(const struct ast_sip_acl *local_net, const struct sip_addr *addr)
{
	return local_net && !acl_allows(local_net, false, addr, NULL);
}
