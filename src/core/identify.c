/* Which endpoint sent a request (section 6 of the reference), and whether its access rules let it be that one. */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/log.h"
#include "res_sip/security.h"

#include <errno.h>

/* Longer than any section name may be: what is longer names no endpoint. */
#define MAX_LOOKUP 512

static struct ast_sip_endpoint *find_at(struct ast_sip_snapshot *s, struct rs_str user, struct rs_str domain)
{
	char id[MAX_LOOKUP];

	if (!domain.len || user.len + domain.len + 1 > sizeof(id))
		return NULL;
	memcpy(id, user.p, user.len);
	id[user.len] = '@';
	memcpy(id + user.len + 1, domain.p, domain.len);
	return ast_sip_endpoint_find(s, rs_str_n(id, user.len + 1 + domain.len));
}

static struct rs_str transport_domain(struct ast_sip_snapshot *s, struct sip_rx_data *rx)
{
	const struct ast_sip_transport *t = ast_sip_transport_find(s, sip_rx_listener(rx));

	return t ? t->domain : RS_STR_NULL;
}

struct ast_sip_endpoint *ast_sip_lookup_endpoint(struct sip_rx_data *rx, struct rs_str user, struct rs_str domain)
{
	struct ast_sip_snapshot *s = ast_sip_rx_snapshot(rx);
	struct ast_sip_endpoint *e = NULL;

	if (!s || !user.len)
		return NULL;
	/* user@domain is looked for in three ways, where there is anything to be found. */
	if (ast_sip_snapshot_has_at_endpoints(s) && !ast_sip_snapshot_global(s)->disable_multi_domain) {
		e = find_at(s, user, domain);
		if (!e && domain.len)
			e = find_at(s, user, ast_sip_domain_alias_find(s, domain));
		if (!e)
			e = find_at(s, user, transport_domain(s, rx));
	}
	return e ? e : ast_sip_endpoint_find(s, user);
}

struct ast_sip_endpoint *ast_sip_identify_endpoint(struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	struct ast_sip_endpoint *e = NULL;

	for (unsigned i = 0; r && i < r->n_identifiers; i++) {
		e = r->identifiers[i].identifier->identify_endpoint(rx);
		if (!e)
			continue;
		if (r->identifiers[i].name && strcmp(r->identifiers[i].name, "ip") == 0)
			ast_sip_budget_verified(sip_rx_source(rx), sip_rx_time_us(rx));
		break;
	}
	ast_sip_registered_leave(r);
	return e;
}

/* ---- access rules of the endpoint (section 12) ---- */

static void refused(struct sip_rx_data *rx, struct ast_sip_endpoint *e, const char *prefix, const struct sip_addr *who,
		    const char *name, const char *reason, struct rs_str event)
{
	char addr[SIP_ADDR_TEXT];

	rs_log_line(RS_LOG_NOTICE, "acl.c", "SIP %sACL: Rejecting '%s' due to a failure to pass ACL '%s'", prefix,
		    sip_addr_text(who, false, addr), name ? name : "(BASELINE)");
	ast_sip_request_failed_notice(rx, reason);
	ast_sip_security_event(AST_SIP_SEC_FAILED_ACL, rx, ast_sip_endpoint_id(e), event);
}

/* Only addresses are judged: to resolve names that a stranger chose would be work on his behalf. */
static bool contacts_allowed(struct sip_rx_data *rx, struct ast_sip_endpoint *e, const struct ast_sip_acl *acl)
{
	const struct sip_name_addr *c;
	const char *name = NULL;
	struct sip_addr host;

	if (!ast_sip_acl_has_contact_rules(acl))
		return true;
	for (unsigned n = 0; (c = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_CONTACT, n)); n++) {
		if (c->star || sip_addr_parse(c->uri.host, &host) || ast_sip_acl_allows_contact(acl, &host, &name))
			continue;
		refused(rx, e, "Contact ", &host, name, "Not match Endpoint Contact ACL",
			RS_STR("not_match_endpoint_contact_acl"));
		return false;
	}
	return true;
}

static bool allowed(struct sip_rx_data *rx, struct ast_sip_endpoint *e)
{
	const struct ast_sip_acl *acl = ast_sip_endpoint_settings(e)->acl;
	const char *name = NULL;

	if (!acl)
		return true;
	if (!ast_sip_acl_allows(acl, sip_rx_source(rx), &name)) {
		refused(rx, e, "", sip_rx_source(rx), name, "Not match Endpoint ACL", RS_STR("not_match_endpoint_acl"));
		return false;
	}
	return contacts_allowed(rx, e, acl);
}

int ast_sip_identify_in_dialog(struct sip_rx_data *rx, struct ast_sip_endpoint *endpoint)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);
	struct ast_sip_endpoint *e;

	if (!state)
		return -1;
	e = allowed(rx, endpoint) ? ast_sip_endpoint_ref(endpoint) : ast_sip_artificial_endpoint();
	ast_sip_endpoint_unref(state->endpoint);
	state->endpoint = e;
	return e ? 0 : -1;
}

int ast_sip_identify_request(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);
	struct ast_sip_endpoint *e;

	if (!state)
		return -1;
	e = ast_sip_identify_endpoint(rx);
	if (e) {
		ast_sip_endpoint_prefetch(e);
		ast_sip_unidentified_forget(sip_rx_source(rx));
		if (!allowed(rx, e)) {
			ast_sip_endpoint_unref(e);
			e = ast_sip_artificial_endpoint();
		}
	} else {
		if (sip_rx_msg(rx)->method != SIP_METHOD_ACK)
			ast_sip_unidentified_seen(rx);
		e = ast_sip_artificial_endpoint();
	}
	ast_sip_endpoint_unref(state->endpoint);
	state->endpoint = e;
	return e ? 0 : -1;
}
