/* See plan.h. */
#include "core/plan.h"
#include "core/target.h"
#include "sip/resolver.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct plan *request_plan_new(void)
{
	struct plan *p = malloc(sizeof(*p));

	if (p)
		memset(p, 0, offsetof(struct plan, uri_text));
	return p;
}

void request_plan_end(struct plan *p)
{
	ast_sip_contacts_unref(p->contacts);
	ast_sip_endpoint_unref(p->endpoint);
	ast_sip_snapshot_unref(p->snapshot);
}

/* ---- where it goes ---- */

static const struct ast_sip_contact *best_contact(const struct ast_sip_contacts *all)
{
	const struct ast_sip_contact *any = NULL;

	for (uint32_t i = 0; i < all->n; i++) {
		if (atomic_load_explicit(&all->v[i]->status, memory_order_relaxed) != AST_SIP_CONTACT_UNREACHABLE)
			return all->v[i];
		if (!any)
			any = all->v[i];
	}
	return any;
}

static void take_contact(struct plan *p, const struct ast_sip_contact *c)
{
	p->uri = ast_sip_contact_text(c, AST_SIP_CONTACT_URI);
	p->route = ast_sip_contact_text(c, AST_SIP_CONTACT_PATH);
	ast_sip_target_of_contact(c, &p->target);
	p->has_target = p->target.flow || p->target.flow_only;
	if (!c->data.permanent)
		p->registered = c->data.received;
}

/* The first contact of the first AOR that has one. */
static int first_contact(struct plan *p)
{
	struct ast_sip_strings aors = ast_sip_endpoint_aors(p->endpoint);

	for (uint32_t i = 0; i < aors.n; i++) {
		const struct ast_sip_contact *c;

		p->contacts = ast_sip_location_contacts(aors.v[i]);
		c = p->contacts ? best_contact(p->contacts) : NULL;
		if (!c) {
			ast_sip_contacts_unref(p->contacts);
			p->contacts = NULL;
			continue;
		}
		take_contact(p, c);
		return 0;
	}
	errno = ENOENT;
	return -1;
}

/* The section that the endpoint's requests leave by. */
static void take_transport(struct plan *p)
{
	struct rs_str id = ast_sip_endpoint_settings(p->endpoint)->transport;
	const struct ast_sip_transport *t = id.len ? ast_sip_transport_find(p->snapshot, id) : NULL;

	if (!t || p->has_target)
		return;
	p->target.listener = sip_listener_intern(id);
	if (t->protocol != SIP_TRANSPORT_NONE && !t->flow)
		p->target.type = t->protocol;
}

/* ---- the Request-URI ---- */

static bool is_hidden(struct rs_str name)
{
	return rs_str_starts(name, RS_STR("x-ast-"));
}

static bool is_number(struct rs_str user)
{
	if (user.len && user.p[0] == '+')
		user = rs_str_n(user.p + 1, user.len - 1);
	for (size_t i = 0; i < user.len; i++) {
		if (user.p[i] < '0' || user.p[i] > '9')
			return false;
	}
	return user.len != 0;
}

/* Another user part; the rest of the printed URI stays. 0 or -1: it does not fit. */
static int replace_user(struct plan *p, struct rs_str user)
{
	char escaped[256], text[SIP_MAX_URI];
	int len = sip_escape_user(user, escaped, sizeof(escaped));
	const char *host;
	struct sip_uri u;

	if (len < 0 || sip_uri_parse(p->uri, &u) || !sip_uri_is_sip(&u))
		return -1;
	host = u.host.p;
	len = snprintf(text, sizeof(text), "%.*s:%.*s@%.*s", RS_FMT(u.scheme_text), len, escaped,
		       (int)(p->uri.p + p->uri.len - host), host);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -1;
	memcpy(p->uri_text, text, (size_t)len);
	p->uri = rs_str_n(p->uri_text, (size_t)len);
	return 0;
}

static int add_user_phone(struct plan *p)
{
	static const char param[] = ";user=phone";
	struct sip_uri u;

	if (sip_uri_parse(p->uri, &u) || !is_number(u.user) || sip_uri_param(&u, RS_STR("user"), NULL))
		return 0;
	if (p->uri.len + sizeof(param) > sizeof(p->uri_text))
		return -1;
	memcpy(p->uri_text + p->uri.len, param, sizeof(param) - 1);
	p->uri.len += sizeof(param) - 1;
	return 0;
}

/* Without what is ours alone and what may not stand in a Request-URI (RFC 3261 section 19.1.5). */
static int make_uri(struct plan *p, const struct plan_aim *aim)
{
	struct sip_uri u;
	int n = -1;

	if (sip_uri_parse(p->uri, &u) || u.scheme == SIP_URI_OTHER)
		goto bad;
	if (u.scheme == SIP_URI_TEL)
		return 0;
	n = sip_uri_print_filtered(&u, is_hidden, false, p->uri_text, sizeof(p->uri_text));
	if (n < 0)
		goto bad;
	p->uri = rs_str_n(p->uri_text, (size_t)n);
	if (aim->user.len && replace_user(p, aim->user))
		goto bad;
	if (aim->phone && p->endpoint && ast_sip_endpoint_settings(p->endpoint)->user_eq_phone && add_user_phone(p))
		goto bad;
	return 0;
bad:
	errno = EINVAL;
	return -1;
}

int request_plan_make(struct plan *p, struct ast_sip_endpoint *endpoint, const struct plan_aim *aim)
{
	p->snapshot = ast_sip_snapshot_get();
	if (!p->snapshot) {
		errno = ENOENT;
		return -1;
	}
	p->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint)
			       : ast_sip_endpoint_find(p->snapshot,
						       ast_sip_snapshot_global(p->snapshot)->default_outbound_endpoint);
	if (aim->contact) {
		take_contact(p, aim->contact);
		if (aim->uri.len)
			p->uri = aim->uri;
	} else if (aim->uri.len) {
		p->uri = aim->uri;
	} else if (!p->endpoint) {
		errno = ENOENT;
		return -1;
	} else if (first_contact(p)) {
		return -1;
	}
	if (p->endpoint)
		take_transport(p);
	return make_uri(p, aim);
}

bool request_plan_target(const struct plan *p, struct sip_target *out)
{
	/* The flow of a binding leads to the binding, not to a proxy. */
	if (p->has_target && !request_plan_proxy(p).len)
		*out = p->target;
	else
		*out = (struct sip_target){.type = p->target.type, .listener = p->target.listener};
	return out->flow || out->flow_only || out->type != SIP_TRANSPORT_NONE || out->listener.len;
}

struct rs_str request_plan_proxy(const struct plan *p)
{
	return p->endpoint ? ast_sip_endpoint_settings(p->endpoint)->outbound_proxy : RS_STR_NULL;
}

int request_plan_route(struct rs_str uri, char *buf, size_t size)
{
	int n = snprintf(buf, size, uri.len && uri.p[0] == '<' ? "%.*s" : "<%.*s>", RS_FMT(uri));

	if (n >= 0 && (size_t)n < size)
		return n;
	errno = EINVAL;
	return -1;
}

/* ---- who it is from ---- */

/* The address that the next hop is reached from; when it is known by name only, that of the default route. */
static const char *local_host(const struct plan *p, char buf[SIP_ADDR_TEXT])
{
	struct sip_target t = p->target;
	struct sip_addr local;
	struct sip_uri u;

	if (!t.flow && !t.addr.family && sip_uri_parse(p->uri, &u) == 0) {
		enum sip_transport_type type = t.type;

		sip_resolve_numeric(&u, &t);
		t.listener = p->target.listener;
		if (type != SIP_TRANSPORT_NONE)
			t.type = type;
	}
	if ((t.flow || t.addr.family) && sip_transport_local(&t, &local) == 0)
		return sip_addr_text(&local, true, buf);
	t = (struct sip_target){.type = p->target.type ? p->target.type : SIP_TRANSPORT_UDP,
				.listener = p->target.listener};
	/* An address for documentation (RFC 5737): the route is asked for, nothing is sent there. */
	sip_addr_parse(RS_STR("192.0.2.1:5060"), &t.addr);
	return sip_transport_local(&t, &local) == 0 ? sip_addr_text(&local, true, buf) : "localhost";
}

int request_plan_from(const struct plan *p, bool dialog, char *buf, size_t size)
{
	const struct ast_sip_endpoint_settings *s = p->endpoint ? ast_sip_endpoint_settings(p->endpoint) : NULL;
	struct rs_str user = ast_sip_snapshot_global(p->snapshot)->default_from_user;
	char escaped[256], host[SIP_ADDR_TEXT];
	struct rs_str domain;
	const char *phone;
	int n, len;

	if (s && s->from_user.len)
		user = s->from_user;
	else if (s && !dialog)
		user = ast_sip_endpoint_id(p->endpoint);
	domain = s && s->from_domain.len ? s->from_domain : rs_str_c(local_host(p, host));
	phone = dialog && s && s->user_eq_phone && is_number(user) ? ";user=phone" : "";
	n = sip_escape_user(user, escaped, sizeof(escaped));
	len = n < 0 ? -1 : snprintf(buf, size, "<sip:%.*s@%.*s%s>", n, escaped, RS_FMT(domain), phone);
	if (len < 0 || (size_t)len >= size) {
		errno = EINVAL;
		return -1;
	}
	return len;
}

int request_plan_contact(const struct ast_sip_endpoint *endpoint, char *buf, size_t size)
{
	struct rs_str user = endpoint ? ast_sip_endpoint_settings(endpoint)->contact_user : RS_STR_NULL;
	int len = user.len ? snprintf(buf, size, "<sip:%.*s@@>", RS_FMT(user)) : snprintf(buf, size, "<sip:@>");

	if (len > 0 && (size_t)len < size)
		return len;
	errno = EINVAL;
	return -1;
}
