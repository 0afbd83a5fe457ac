/*
 * 3xx answers. redirect_method of the endpoint that gave one says what its Contacts are: numbers to be dialed here like
 * any other (user), or URIs that the call goes to as they are (uri_core, uri_pjsip). [general] redirect = pass leaves
 * all of it to the caller.
 */
#include "calls.h"
#include "base/log.h"

#include <stdlib.h>

#define REDIRECT_CONTACTS 8 /* of one answer */

/* Whether uri is a new target; notes it. */
static bool visit(struct dial *d, const struct sip_uri *uri)
{
	struct sip_uri before;

	for (unsigned i = 0; i < d->n_visited; i++) {
		if (!sip_uri_parse(rs_str_c(d->visited[i]), &before) && sip_uri_equal(uri, &before))
			return false;
	}
	if (d->n_visited == CALLS_MAX_TARGETS)
		return false;
	d->visited[d->n_visited] = rs_str_dup(uri->text);
	if (!d->visited[d->n_visited])
		return false;
	d->n_visited++;
	return true;
}

static int by_q(const void *x, const void *y)
{
	const struct sip_name_addr *a = *(const struct sip_name_addr *const *)x;
	const struct sip_name_addr *b = *(const struct sip_name_addr *const *)y;
	const struct sip_param *p = sip_params_get(&a->params, RS_STR("q")),
			       *q = sip_params_get(&b->params, RS_STR("q"));
	struct rs_str one = RS_STR("1");
	struct rs_str l = p ? p->value : one, r = q ? q->value : one;
	size_t n = l.len < r.len ? l.len : r.len;
	int c = memcmp(r.p ? r.p : "", l.p ? l.p : "", n); /* "0.5" and "1.0" sort as texts */

	if (!c)
		c = r.len > l.len ? 1 : r.len < l.len ? -1 : 0;
	return c ? c : a < b ? -1 : 1; /* equal ones in the order in which they stand */
}

/* The stages of one Contact. */
static void add_target(struct dial *d, struct plan *plan, const struct plan_stage *from, const struct sip_uri *uri)
{
	enum ast_sip_redirect method =
		from->endpoint ? ast_sip_endpoint_settings(from->endpoint)->redirect_method : AST_SIP_REDIRECT_USER;
	unsigned before = plan->n;

	if (method == AST_SIP_REDIRECT_USER)
		stages_make(plan, d->snapshot, uri); /* a number that leads nowhere adds nothing */
	else if (sip_uri_is_sip(uri))
		stages_add_uri(plan, from->endpoint, uri->text, from->timeout_s);
	if (plan->n > before)
		plan->v[before].moved = true;
}

static unsigned refuse(struct leg *branch, const char *why)
{
	rs_event(RS_LOG_NOTICE, "call.redirect_refused", RS_FI("call", call_id(branch->call)), RS_FZ("why", why),
		 RS_FS("endpoint", leg_endpoint_id(branch)));
	return 482;
}

unsigned redirect_follow(struct dial *d, struct leg *branch, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *values = sip_msg_values(msg, SIP_HDR_CONTACT, NULL);
	const struct plan_stage *from = &d->plan.v[d->stage];
	const struct sip_name_addr *v[REDIRECT_CONTACTS];
	struct plan plan = {.n = 0};
	struct sip_uri here;
	unsigned n = 0, old = 0;

	if (calls_general_int(d->snapshot, GENERAL_REDIRECT) == REDIRECT_PASS)
		return msg->status;
	if (!values || !values->n)
		return 480;
	if (d->redirects++ >= CALLS_MAX_REDIRECT)
		return refuse(branch, "too deep");
	if (!sip_uri_parse(sip_dialog_remote_target(ast_sip_session_dialog(branch->session)), &here))
		visit(d, &here);
	for (uint32_t i = 0; i < values->n && n < REDIRECT_CONTACTS; i++) {
		if (!values->v.name_addr[i].star)
			v[n++] = &values->v.name_addr[i];
	}
	qsort(v, n, sizeof(const struct sip_name_addr *), by_q);
	for (unsigned i = 0; i < n; i++) {
		if (!visit(d, &v[i]->uri)) {
			old++;
			continue;
		}
		if (!plan.n)
			d->user->moved(d, branch, v[i]->uri.text, rx);
		add_target(d, &plan, from, &v[i]->uri);
	}
	if (!plan.n)
		return old ? refuse(branch, "a loop") : 480;
	if (stages_insert(&d->plan, d->stage, &plan)) {
		stages_fini(&plan);
		return refuse(branch, "too many targets");
	}
	return 0;
}
