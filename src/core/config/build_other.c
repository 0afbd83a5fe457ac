/* global, system, transports, domain aliases, acl sections. */
#include "core/config/build.h"

#include <stdlib.h>

#define T1_MIN_MS 100 /* a shorter T1 would retransmit into its own round trip */

/* ---- global and system ---- */

static int public_copy(struct conf_load *l, const struct conf_type *t, void *to, const void *draft)
{
	char *text = conf_pool_alloc(&l->snap->pool, conf_settings_text_size(t, draft) + 1);

	if (!text) {
		conf_fail(l, "out of memory");
		return -1;
	}
	conf_settings_copy(t, to, draft, text);
	return 0;
}

int conf_build_global(struct conf_load *l, const struct conf_section *s)
{
	struct ast_sip_global d;

	if (!s)
		return public_copy(l, &conf_type_global, &l->snap->global, l->defaults[CONF_GLOBAL]);
	if (conf_apply(l, CONF_GLOBAL, &l->pjsip, s, &d) != 0)
		return -1;
	if (d.default_auth_algorithms_uas.n == 0 || d.default_auth_algorithms_uac.n == 0) {
		conf_at(l, d.default_auth_algorithms_uas.n ? "default_auth_algorithms_uac"
							   : "default_auth_algorithms_uas");
		conf_fail(l, "a list of algorithms may not be empty");
		return -1;
	}
	d.endpoint_identifier_order_set = conf_is_set(l, "endpoint_identifier_order");
	l->snap->global_extras = conf_extras_get(l);
	return public_copy(l, &conf_type_global, &l->snap->global, &d);
}

int conf_build_system(struct conf_load *l, const struct conf_section *s)
{
	struct ast_sip_system d;

	if (!s)
		return public_copy(l, &conf_type_system, &l->snap->system, l->defaults[CONF_SYSTEM]);
	if (conf_apply(l, CONF_SYSTEM, &l->pjsip, s, &d) != 0)
		return -1;
	if (d.timer_t1_ms < T1_MIN_MS) {
		conf_at(l, "timer_t1");
		conf_warn(l, "timer_t1 is raised to %d ms", T1_MIN_MS);
		d.timer_t1_ms = T1_MIN_MS;
	}
	if (d.timer_t1_ms > UINT32_MAX / 64) {
		conf_at(l, "timer_t1");
		conf_fail(l, "timer_t1 is too large");
		return -1;
	}
	if (d.timer_b_ms < 64 * d.timer_t1_ms) {
		if (conf_is_set(l, "timer_b")) {
			conf_at(l, "timer_b");
			conf_warn(l, "timer_b is raised to 64 times timer_t1 (%u ms)", 64 * d.timer_t1_ms);
		}
		d.timer_b_ms = 64 * d.timer_t1_ms;
	}
	if (d.taskpool_max_size && d.taskpool_max_size < d.taskpool_minimum_size) {
		conf_at(l, "taskpool_max_size");
		conf_fail(l, "taskpool_max_size (%u) is below taskpool_minimum_size (%u)", d.taskpool_max_size,
			  d.taskpool_minimum_size);
		return -1;
	}
	l->snap->system_extras = conf_extras_get(l);
	return public_copy(l, &conf_type_system, &l->snap->system, &d);
}

/* ---- transport ---- */

static bool transport_available(enum sip_transport_type t)
{
	return t == SIP_TRANSPORT_UDP || t == SIP_TRANSPORT_TCP;
}

static int transport_check_bind(struct conf_load *l, const struct conf_section *s, const struct ast_sip_transport *t)
{
	conf_at(l, "bind");
	if (!t->bind.family) {
		conf_fail(l, "bind is required");
		return -1;
	}
	for (uint32_t i = 0; i < l->table[CONF_TRANSPORT].n; i++) {
		const struct conf_entry *e = &l->table[CONF_TRANSPORT].v[i];
		const struct conf_transport *other = e->object;

		if (e->section == s || !other || other->t.flow || other->t.protocol != t->protocol ||
		    !transport_available(t->protocol) || !sip_addr_eq(&other->t.bind, &t->bind))
			continue;
		conf_fail(l, "bind: transport '%.*s' has the same protocol and address", RS_FMT(e->id));
		return -1;
	}
	return 0;
}

static int transport_check(struct conf_load *l, const struct conf_section *s, struct conf_transport_draft *d)
{
	d->t.flow = d->protocol == SIP_TRANSPORT_NONE;
	d->t.protocol = (enum sip_transport_type)d->protocol;
	if (d->external_signaling_hostname.len && d->t.external_signaling_address.len) {
		conf_at(l, "external_signaling_hostname");
		conf_fail(l, "external_signaling_hostname and external_signaling_address exclude each other");
		return -1;
	}
	if (!d->t.flow && transport_check_bind(l, s, &d->t) != 0)
		return -1;
	if (!d->t.flow && d->t.bind.port == 0)
		d->t.bind.port = d->t.protocol == SIP_TRANSPORT_TLS ? 5061 : 5060;
	if (!transport_available(d->t.protocol)) {
		conf_at(l, "protocol");
		conf_warn(l, "a transport of this protocol is not available yet: nothing listens there");
	}
	return 0;
}

bool ast_sip_transport_same(const struct ast_sip_transport *a, const struct ast_sip_transport *b)
{
	const struct ast_sip_acl *x = a->local_net, *y = b->local_net;

	return conf_settings_equal(&conf_type_transport, a, b) && a->protocol == b->protocol && a->flow == b->flow &&
	       rs_str_eq(a->id, b->id) && sip_addr_eq(&a->bind, &b->bind) && !x == !y &&
	       (!x || conf_acl_lists_equal(x->lists, x->n, y->lists, y->n));
}

void *conf_build_transport(struct conf_load *l, const struct conf_section *s)
{
	struct conf_transport_draft d;
	struct conf_transport *t;
	struct ast_sip_acl *local_net;

	if (conf_apply(l, CONF_TRANSPORT, &l->pjsip, s, &d) != 0 || transport_check(l, s, &d) != 0)
		return NULL;
	t = conf_pool_zalloc(&l->snap->pool, sizeof(*t));
	if (!t || public_copy(l, &conf_type_transport, &t->t, &d.t) != 0)
		return NULL;
	t->t.id = conf_pool_str(&l->snap->pool, s->name);
	t->external_signaling_hostname = conf_pool_str(&l->snap->pool, d.external_signaling_hostname);
	if (!t->t.id.p || !t->external_signaling_hostname.p ||
	    conf_acl_get(l, RS_STR_NULL, &d.local_net, &local_net) != 0) {
		conf_fail(l, "out of memory");
		return NULL;
	}
	t->t.local_net = local_net;
	if (d.external_signaling_hostname.len)
		t->t.external_signaling_address = t->external_signaling_hostname;
	t->extras = conf_extras_get(l);
	return t;
}

/* ---- domain_alias ---- */

void *conf_build_alias(struct conf_load *l, const struct conf_section *s)
{
	struct conf_alias_draft d;
	struct conf_alias *a;

	if (conf_apply(l, CONF_DOMAIN_ALIAS, &l->pjsip, s, &d) != 0)
		return NULL;
	if (d.domain.len == 0) {
		conf_at(l, "domain");
		conf_fail(l, "domain is required");
		return NULL;
	}
	a = conf_pool_zalloc(&l->snap->pool, sizeof(*a));
	if (a) {
		a->id = conf_pool_str(&l->snap->pool, s->name);
		a->domain = conf_pool_str(&l->snap->pool, d.domain);
	}
	if (a && a->id.p && a->domain.p)
		return a;
	conf_fail(l, "out of memory");
	return NULL;
}

/* ---- acl ---- */

void *conf_build_acl(struct conf_load *l, const struct conf_section *s)
{
	struct conf_acl_section_draft d;
	struct ast_sip_acl *acl;

	if (conf_apply(l, CONF_ACL, &l->pjsip, s, &d) != 0 || conf_acl_get(l, s->name, &d.acl, &acl) != 0)
		return NULL;
	return acl;
}

void *conf_build_named_acl(struct conf_load *l, const struct conf_section *s)
{
	struct conf_acl_section_draft d;
	struct conf_acl_rules *rules;

	if (conf_apply(l, CONF_NAMED_ACL, &l->acl, s, &d) != 0)
		return NULL;
	rules = conf_pool_alloc(&l->tmp, sizeof(*rules));
	if (rules)
		*rules = d.acl.rules[0];
	else
		conf_fail(l, "out of memory");
	return rules;
}
