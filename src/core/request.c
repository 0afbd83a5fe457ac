/*
 * Requests of our own outside of dialogs: who they are from, where they go (section 19 of the reference).
 * Requests inside dialogs come with sip/dialog.h: until then a dialog is refused.
 */
#include "core/registered.h"
#include "core/target.h"
#include "res_sip/location.h"
#include "sip/stack.h"
#include "sip/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Texts of headers that are made here; what does not fit is refused. */
#define MAX_TEXT 1024

/* What a request is made from. */
struct plan {
	struct ast_sip_snapshot *snapshot;
	struct ast_sip_endpoint *endpoint; /* NULL: none */
	struct rs_str uri;                 /* Request-URI */
	struct rs_str route;               /* Route values before it */
	struct sip_target target;
	bool has_target;
	struct ast_sip_contacts *contacts; /* holds what uri and route point into */
	char uri_text[SIP_MAX_URI];
};

static void plan_end(struct plan *p)
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

/* The first contact of the first AOR that has one. */
static int plan_contact(struct plan *p)
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
		p->uri = ast_sip_contact_text(c, AST_SIP_CONTACT_URI);
		p->route = ast_sip_contact_text(c, AST_SIP_CONTACT_PATH);
		ast_sip_target_of_contact(c, &p->target);
		p->has_target = p->target.flow || p->target.flow_only;
		return 0;
	}
	errno = ENOENT;
	return -1;
}

/* The section that the endpoint's requests leave by. */
static void plan_transport(struct plan *p)
{
	struct rs_str id = ast_sip_endpoint_settings(p->endpoint)->transport;
	const struct ast_sip_transport *t = id.len ? ast_sip_transport_find(p->snapshot, id) : NULL;

	if (!t || p->has_target)
		return;
	p->target.listener = sip_listener_intern(id);
	if (t->protocol != SIP_TRANSPORT_NONE && !t->flow)
		p->target.type = t->protocol;
}

static bool no_lr(struct rs_str uri)
{
	struct sip_uri u;

	return sip_uri_parse(uri, &u) == 0 && !sip_uri_has_lr(&u);
}

static bool is_hidden(struct rs_str name)
{
	return rs_str_starts(name, RS_STR("x-ast-"));
}

/* Without what is ours alone and what may not stand in a Request-URI (RFC 3261 section 19.1.5). */
static int clean_uri(struct plan *p)
{
	struct sip_uri u;
	int n;

	if (sip_uri_parse(p->uri, &u) || (u.scheme == SIP_URI_OTHER)) {
		errno = EINVAL;
		return -1;
	}
	if (u.scheme == SIP_URI_TEL)
		return 0;
	n = sip_uri_print_filtered(&u, is_hidden, false, p->uri_text, sizeof(p->uri_text));
	if (n < 0) {
		errno = EINVAL;
		return -1;
	}
	p->uri = rs_str_n(p->uri_text, (size_t)n);
	return 0;
}

static int plan_make(struct plan *p, struct ast_sip_endpoint *endpoint, const char *uri)
{
	p->snapshot = ast_sip_snapshot_get();
	if (!p->snapshot) {
		errno = ENOENT;
		return -1;
	}
	p->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint)
			       : ast_sip_endpoint_find(p->snapshot,
						       ast_sip_snapshot_global(p->snapshot)->default_outbound_endpoint);
	if (uri && uri[0]) {
		p->uri = rs_str_c(uri);
	} else if (!p->endpoint) {
		errno = ENOENT;
		return -1;
	} else if (plan_contact(p)) {
		return -1;
	}
	if (p->endpoint)
		plan_transport(p);
	return clean_uri(p);
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

static int print_from(const struct plan *p, char *buf, size_t size)
{
	const struct ast_sip_endpoint_settings *s = p->endpoint ? ast_sip_endpoint_settings(p->endpoint) : NULL;
	struct rs_str user = ast_sip_snapshot_global(p->snapshot)->default_from_user;
	char escaped[256], host[SIP_ADDR_TEXT];
	struct rs_str domain;
	int n, len;

	if (s)
		user = s->from_user.len ? s->from_user : ast_sip_endpoint_id(p->endpoint);
	domain = s && s->from_domain.len ? s->from_domain : rs_str_c(local_host(p, host));
	n = sip_escape_user(user, escaped, sizeof(escaped));
	len = n < 0 ? -1 : snprintf(buf, size, "<sip:%.*s@%.*s>", n, escaped, RS_FMT(domain));
	if (len < 0 || (size_t)len >= size) {
		errno = EINVAL;
		return -1;
	}
	return len;
}

/* RFC 3428 section 4: none in a MESSAGE; a REGISTER's and a PUBLISH's are for who makes them. */
static bool wants_contact(enum sip_method m)
{
	return m != SIP_METHOD_MESSAGE && m != SIP_METHOD_REGISTER && m != SIP_METHOD_PUBLISH &&
	       m != SIP_METHOD_CANCEL && m != SIP_METHOD_BYE;
}

static int print_contact(const struct plan *p, char *buf, size_t size)
{
	struct rs_str user = p->endpoint ? ast_sip_endpoint_settings(p->endpoint)->contact_user : RS_STR_NULL;
	int len = user.len ? snprintf(buf, size, "<sip:%.*s@@>", RS_FMT(user)) : snprintf(buf, size, "<sip:@>");

	if (len > 0 && (size_t)len < size)
		return len;
	errno = EINVAL;
	return -1;
}

/* ---- routes ---- */

static int add_route(struct sip_tx_data *tx, struct rs_str uri)
{
	char text[MAX_TEXT];
	int n = snprintf(text, sizeof(text), uri.p[0] == '<' ? "%.*s" : "<%.*s>", RS_FMT(uri));

	if (n < 0 || (size_t)n >= sizeof(text)) {
		errno = EINVAL;
		return -1;
	}
	return sip_tx_add_hdr(tx, SIP_HDR_ROUTE, rs_str_n(text, (size_t)n));
}

/*
 * The proxy first, then the Path of the binding. A proxy without ;lr is a strict router (RFC 3261 section 12.2.1.1): it
 * is the Request-URI, and what was that goes to the end of the Route.
 */
static int add_routes(struct sip_tx_data *tx, const struct plan *p, struct rs_str proxy, bool strict)
{
	if (proxy.len && !strict && add_route(tx, proxy))
		return -1;
	if (p->route.len &&
	    (sip_tx_add_hdr(tx, SIP_HDR_ROUTE, p->route) || sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, RS_STR("path"))))
		return -1;
	return strict ? add_route(tx, p->uri) : 0;
}

static void release_endpoint(void *value)
{
	ast_sip_endpoint_unref(value);
}

static struct sip_tx_data *build(struct plan *p, const char *method)
{
	struct rs_str proxy = p->endpoint ? ast_sip_endpoint_settings(p->endpoint)->outbound_proxy : RS_STR_NULL;
	bool strict = proxy.len && no_lr(proxy);
	char from[MAX_TEXT], to[SIP_MAX_URI + 2], contact[MAX_TEXT];
	struct sip_tx_request_params params = {
		.method = rs_str_c(method),
		.uri = strict ? proxy : p->uri,
		.max_forwards = (int)ast_sip_snapshot_global(p->snapshot)->max_forwards,
	};
	struct sip_tx_data *tx;
	int n = print_from(p, from, sizeof(from));

	if (n < 0)
		return NULL;
	params.from = rs_str_n(from, (size_t)n);
	n = snprintf(to, sizeof(to), "<%.*s>", RS_FMT(p->uri));
	params.to = rs_str_n(to, (size_t)n);
	if (wants_contact(sip_method_from_name(params.method))) {
		n = print_contact(p, contact, sizeof(contact));
		if (n < 0)
			return NULL;
		params.contact = rs_str_n(contact, (size_t)n);
	}
	tx = sip_tx_request(&params);
	if (!tx)
		return NULL;
	if (add_routes(tx, p, proxy, strict)) {
		sip_tx_unref(tx);
		return NULL;
	}
	/* The flow of a binding leads to the binding, not to a proxy. */
	if (p->has_target && !proxy.len)
		sip_tx_set_target(tx, &p->target);
	else if (p->target.listener.len || p->target.type)
		sip_tx_set_target(tx, &(struct sip_target){.type = p->target.type, .listener = p->target.listener});
	if (p->endpoint)
		sip_tx_set_owner(tx, ast_sip_endpoint_ref(p->endpoint), release_endpoint);
	return tx;
}

struct sip_tx_data *ast_sip_create_request(const char *method, struct sip_dialog *dlg,
					   struct ast_sip_endpoint *endpoint, const char *uri)
{
	struct sip_tx_data *tx = NULL;
	struct plan *p;

	if (dlg) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (!method || !method[0]) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	if (plan_make(p, endpoint, uri) == 0)
		tx = build(p, method);
	plan_end(p);
	free(p);
	return tx;
}
