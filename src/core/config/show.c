/* Objects back to their drafts, so that every option can be printed by its row. */
#include "core/config/build.h"

typedef void each_option(void *token, struct rs_str name, struct rs_str value);

/* The rules and names of an acl, in memory of pool. */
static void acl_draft(struct conf_pool *pool, const struct ast_sip_acl *acl, struct conf_acl_draft *d)
{
	for (uint32_t i = 0; acl && i < acl->n; i++) {
		const struct conf_acl_list *l = &acl->lists[i];
		unsigned c = l->contact ? 1 : 0;

		if (l->name.len)
			(void)conf_list_push(pool, &d->names[c], l->name);
		else
			d->rules[c] = (struct conf_acl_rules){(struct conf_acl_rule *)(uintptr_t)l->rules, l->n, l->n};
	}
}

static void show_endpoint(const struct ast_sip_endpoint *e, each_option *each, void *token)
{
	struct conf_endpoint_draft d = {.s = *ast_sip_endpoint_settings(e), .aors = e->aors, .auth = e->auths};
	struct conf_pool pool = {0};

	acl_draft(&pool, d.s.acl, &d.acl);
	conf_options_print(&conf_type_endpoint, &d, conf_extras_of(e->extras), each, token);
	conf_pool_free(&pool);
}

static void show_auth(const struct ast_sip_auth *a, each_option *each, void *token)
{
	struct conf_auth_draft d = {.auth_type = a->oauth,
				    .username = a->username,
				    .password = a->password,
				    .realm = a->realm,
				    .nonce_lifetime = a->nonce_lifetime,
				    .uas = a->own_uas,
				    .uac = a->own_uac};

	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		d.digest[i] = ast_sip_auth_digest(a, (enum ast_sip_algorithm)i);
	conf_options_print(&conf_type_auth, &d, conf_extras_of(a->extras), each, token);
}

static void show_identify(const struct ast_sip_identify *i, each_option *each, void *token)
{
	struct conf_identify_draft d = {.s = i->s,
					.match = i->match,
					.match_header = i->match_header,
					.match_request_uri = i->match_request_uri};

	conf_options_print(&conf_type_identify, &d, conf_extras_of(i->extras), each, token);
}

static void show_acl(const struct ast_sip_acl *a, each_option *each, void *token)
{
	struct conf_acl_section_draft d = {0};
	struct conf_pool pool = {0};

	acl_draft(&pool, a, &d.acl);
	conf_options_print(&conf_type_acl, &d, (struct conf_extras){NULL, 0}, each, token);
	conf_pool_free(&pool);
}

static void show_transport(const struct ast_sip_transport *p, each_option *each, void *token)
{
	const struct conf_transport *t = rs_container_of(p, struct conf_transport, t);
	struct conf_transport_draft d = {.t = *p,
					 .protocol = p->flow ? SIP_TRANSPORT_NONE : (int)p->protocol,
					 .external_signaling_hostname = t->external_signaling_hostname};
	struct conf_pool pool = {0};

	if (t->external_signaling_hostname.len)
		d.t.external_signaling_address = RS_STR_NULL;
	acl_draft(&pool, p->local_net, &d.local_net);
	conf_options_print(&conf_type_transport, &d, conf_extras_of(t->extras), each, token);
	conf_pool_free(&pool);
}

void ast_sip_object_options(const void *object, const char *type, each_option *each, void *token)
{
	if (strcmp(type, "endpoint") == 0) {
		show_endpoint(object, each, token);
	} else if (strcmp(type, "aor") == 0) {
		const struct ast_sip_aor *a = object;
		struct conf_aor_draft d = {.s = *ast_sip_aor_settings(a)};

		conf_options_print(&conf_type_aor, &d, conf_extras_of(a->extras), each, token);
	} else if (strcmp(type, "auth") == 0) {
		show_auth(object, each, token);
	} else if (strcmp(type, "identify") == 0) {
		show_identify(object, each, token);
	} else if (strcmp(type, "acl") == 0) {
		show_acl(object, each, token);
	} else if (strcmp(type, "transport") == 0) {
		show_transport(object, each, token);
	} else if (strcmp(type, "global") == 0) {
		const struct ast_sip_snapshot *s =
			rs_container_of((char *)(uintptr_t)object, struct ast_sip_snapshot, global);

		conf_options_print(&conf_type_global, object, conf_extras_of(s->global_extras), each, token);
	} else if (strcmp(type, "system") == 0) {
		const struct ast_sip_snapshot *s =
			rs_container_of((char *)(uintptr_t)object, struct ast_sip_snapshot, system);

		conf_options_print(&conf_type_system, object, conf_extras_of(s->system_extras), each, token);
	}
}
