/*
 * Stateful forwarding for modules (RFC 3261 section 16): the checks before it, the context, and the way to a binding.
 */
#include "core/proxy_private.h"
#include "core/target.h"

#include <errno.h>
#include <stdlib.h>

static void proxy_free(struct proxy *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct proxy_branch *b = &p->branches[i];

		if (b->tsx)
			sip_tsx_unref(b->tsx);
		sip_rx_unref(b->best);
		free(b->more);
	}
	free(p->branches);
	ast_sip_endpoint_unref(p->endpoint);
	rs_serializer_unref(p->serializer);
	sip_rx_unref(p->rx);
	free(p);
}

struct proxy *proxy_ref(struct proxy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void proxy_unref(struct proxy *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		proxy_free(p);
}

/* ---- the checks (section 16.3) ---- */

static int refuse(struct sip_rx_data *rx, unsigned status)
{
	ast_sip_respond(rx, status, RS_STR_NULL);
	errno = ECANCELED;
	return -1;
}

/* 0 and the values for the branches, or -1: answered. */
static int check(struct sip_rx_data *rx, struct proxy *p)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	uint32_t hops, breadth;

	p->max_forwards = PROXY_MAX_FORWARDS;
	/* More than 255 is as good as none (RFC 4475 section 3.1.2.4): it must not let a request live for ever. */
	if (sip_msg_number(msg, SIP_HDR_MAX_FORWARDS, &hops, NULL) && hops <= 255) {
		if (hops == 0)
			return refuse(rx, 483);
		p->max_forwards = hops - 1;
	}
	p->loop_hash = proxy_loop_hash(rx);
	if (proxy_has_looped(rx, p->loop_hash))
		return refuse(rx, 482);
	if (sip_msg_number(msg, SIP_HDR_MAX_BREADTH, &breadth, NULL) && breadth < p->max_breadth)
		p->max_breadth = breadth;
	if (p->max_breadth == 0 || (!p->serial && p->n > p->max_breadth))
		return refuse(rx, 440);
	return 0;
}

/* ---- the context ---- */

static int by_q(const void *a, const void *b)
{
	const struct proxy_branch *x = a, *y = b;

	return (int)y->q - (int)x->q;
}

static char *copy_text(char *at, struct rs_str from, struct rs_str *to)
{
	*to = rs_str_n(at, from.len);
	if (from.len)
		memcpy(at, from.p, from.len);
	return at + from.len;
}

static bool is_hidden(struct rs_str name)
{
	return name.len >= 6 && strncasecmp(name.p, "x-ast-", 6) == 0;
}

/* As a Request-URI: without headers and without what only the registrar put there. */
static char *copy_uri(char *at, struct rs_str from, struct rs_str *to)
{
	struct sip_uri u;
	int n = -1;

	if (sip_uri_parse(from, &u) == 0 && sip_uri_is_sip(&u))
		n = sip_uri_print_filtered(&u, is_hidden, false, at, from.len + 1);
	if (n < 0)
		return copy_text(at, from, to);
	*to = rs_str_n(at, (size_t)n);
	return at + n;
}

static size_t text_size(const struct ast_sip_proxy_params *params)
{
	size_t size = 1;

	for (size_t i = 0; i < params->n; i++)
		size += params->branches[i].uri.len + params->branches[i].route.len + 1;
	return size;
}

static void copy_branches(struct proxy *p, const struct ast_sip_proxy_params *params)
{
	char *at = p->text;

	for (unsigned i = 0; i < p->n; i++) {
		const struct ast_sip_proxy_branch *from = &params->branches[i];
		struct proxy_branch *b = &p->branches[i];

		b->proxy = p;
		b->q = from->q_thousandths;
		b->target = from->target;
		at = copy_uri(at, from->uri, &b->uri);
		at = copy_text(at, from->route, &b->route);
	}
	if (p->serial)
		qsort(p->branches, p->n, sizeof(*p->branches), by_q);
}

static void hold_timer(struct rs_timer *t, bool on)
{
	struct proxy *p = rs_container_of(t, struct proxy, timer);

	if (on)
		proxy_ref(p);
	else
		proxy_unref(p);
}

static void time_over(struct rs_timer *t)
{
	struct proxy *p = rs_container_of(t, struct proxy, timer);

	if (p->answered)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->branches[i].state == BRANCH_WAITING)
			p->branches[i].state = BRANCH_DONE;
	}
	proxy_ref(p);
	proxy_answer_best(p);
	proxy_cancel_running(p);
	proxy_unref(p);
}

static struct proxy *proxy_new(struct ast_sip_module *owner, struct sip_rx_data *rx,
			       const struct ast_sip_proxy_params *params)
{
	struct proxy *p = calloc(1, sizeof(*p) + text_size(params));

	if (!p)
		return NULL;
	p->branches = calloc(params->n, sizeof(*p->branches));
	if (!p->branches) {
		free(p);
		return NULL;
	}
	atomic_init(&p->refs, 1);
	p->owner = owner;
	p->rx = sip_rx_ref(rx);
	p->server = sip_rx_tsx(rx);
	p->serializer = rs_serializer_ref(sip_tsx_serializer(p->server));
	p->endpoint = params->endpoint ? ast_sip_endpoint_ref(params->endpoint) : NULL;
	p->invite = sip_rx_msg(rx)->method == SIP_METHOD_INVITE;
	p->record_route = params->record_route;
	p->serial = params->serial_by_q;
	p->no_answer_status = params->no_answer_status ? params->no_answer_status : 480;
	p->on_final = params->on_final;
	p->token = params->token;
	p->n_routes_ours = proxy_routes_ours(rx);
	p->n = (unsigned)params->n;
	copy_branches(p, params);
	rs_timer_init(&p->timer, "proxy", p->serializer, time_over, hold_timer, owner);
	return p;
}

/* ---- the server transaction's user ---- */

static void upstream_cancelled(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	struct proxy *p = token;

	(void)tsx;
	(void)cancel;
	p->upstream_cancelled = true;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->branches[i].state == BRANCH_WAITING)
			p->branches[i].state = BRANCH_DONE;
	}
	proxy_cancel_running(p);
	proxy_start_next(p);
}

static void server_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	proxy_unref(token);
}

static const struct sip_tsx_user server_user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "proxy",
	.on_cancel = upstream_cancelled,
	.on_terminated = server_terminated,
};

int ast_sip_proxy_forward_for(struct ast_sip_module *owner, struct sip_rx_data *rx,
			      const struct ast_sip_proxy_params *params)
{
	struct proxy *p;

	if (!params || params->size != sizeof(*params) || !sip_rx_tsx(rx) || !params->n ||
	    params->n > PROXY_MAX_BRANCHES) {
		if (sip_rx_tsx(rx))
			refuse(rx, 500);
		errno = EINVAL;
		return -1;
	}
	p = proxy_new(owner, rx, params);
	if (!p) {
		refuse(rx, 500);
		errno = ENOMEM;
		return -1;
	}
	p->max_breadth = params->max_breadth ? params->max_breadth : PROXY_MAX_BREADTH;
	if (check(rx, p)) {
		proxy_unref(p);
		return -1;
	}
	if (p->invite)
		sip_tsx_set_user_for(owner, p->server, &server_user, proxy_ref(p));
	if (owner)
		ast_sip_module_hold_for(owner, 1, "request");
	if (params->timeout_ms > 0)
		rs_timer_start(&p->timer, (int64_t)params->timeout_ms * 1000);
	proxy_start_next(p);
	return 0;
}

void ast_sip_proxy_branch_for_contact(const struct ast_sip_contact *c, struct ast_sip_proxy_branch *out)
{
	*out = (struct ast_sip_proxy_branch){
		.uri = ast_sip_contact_text(c, AST_SIP_CONTACT_URI),
		.route = ast_sip_contact_text(c, AST_SIP_CONTACT_PATH),
		.q_thousandths = c->data.q_thousandths,
	};
	ast_sip_target_of_contact(c, &out->target);
	/* Without a flow the first hop of the Path, or the contact itself, is found anew. */
	if (!out->target.flow && !out->target.flow_only && out->route.len)
		out->target.addr.family = 0;
}
