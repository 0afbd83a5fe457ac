/* Where a call goes: the endpoint or AOR that the user names, else what the first matching route says. */
#include "calls.h"
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_NAME 512 /* longer than any section name may be */

/* ---- names ---- */

/* `user@domain`, or `user` when domain is empty; empty when it is too long for a name. */
static struct rs_str join(char buf[MAX_NAME], struct rs_str user, struct rs_str domain)
{
	size_t n = user.len;

	if (n + 1 + domain.len > MAX_NAME)
		return RS_STR_NULL;
	memcpy(buf, user.p, n);
	if (domain.len) {
		buf[n++] = '@';
		memcpy(buf + n, domain.p, domain.len);
		n += domain.len;
	}
	return rs_str_n(buf, n);
}

/* An AOR alone: whose it is says the endpoint that lists it, if there is just one. */
static struct ast_sip_endpoint *lister(struct ast_sip_snapshot *s, struct rs_str aor)
{
	struct ast_sip_endpoints all = ast_sip_snapshot_endpoints(s);
	struct ast_sip_endpoint *found = NULL;

	for (uint32_t i = 0; i < all.n; i++) {
		struct ast_sip_strings ids = ast_sip_endpoint_aors(all.v[i]);

		for (uint32_t k = 0; k < ids.n; k++) {
			if (!rs_str_eq(ids.v[k], aor))
				continue;
			if (found && found != all.v[i])
				return NULL;
			found = all.v[i];
		}
	}
	return found;
}

static struct plan_stage *add(struct plan *plan)
{
	struct plan_stage *stage = plan->n < CALLS_MAX_STAGES ? &plan->v[plan->n] : NULL;

	if (!stage) {
		errno = ENOSPC;
		return NULL;
	}
	*stage = (struct plan_stage){0};
	plan->n++;
	return stage;
}

/* Whether that name is an endpoint's or an AOR's: then it is the only stage. */
static bool add_name(struct plan *plan, struct ast_sip_snapshot *s, struct rs_str id)
{
	struct ast_sip_endpoint *e = ast_sip_snapshot_endpoint(s, id);
	struct ast_sip_aor *aor = e && ast_sip_endpoint_aors(e).n ? NULL : ast_sip_snapshot_aor(s, id);
	struct plan_stage *stage;

	if (!e && !aor)
		return false;
	stage = add(plan);
	if (!stage)
		return false;
	if (aor) {
		stage->aor = ast_sip_aor_ref(aor);
		e = e ? e : lister(s, id);
	}
	stage->endpoint = e ? ast_sip_endpoint_ref(e) : NULL;
	stage->timeout_s = calls_general_uint(s, GENERAL_RING_TIMEOUT);
	return true;
}

static bool by_name(struct plan *plan, struct ast_sip_snapshot *s, struct rs_str user, struct rs_str host)
{
	struct rs_str alias = host.len ? ast_sip_domain_alias_find(s, host) : RS_STR_NULL;
	const struct rs_str domains[] = {host, alias, RS_STR_NULL};
	char buf[MAX_NAME];

	for (unsigned i = 0; i < RS_ARRAY_SIZE(domains); i++) {
		struct rs_str id;

		if (i < 2 && !domains[i].len)
			continue;
		id = join(buf, user, domains[i]);
		if (id.len && add_name(plan, s, id))
			return true;
	}
	return false;
}

/* ---- routes ---- */

/* The number as the route's endpoints get it, escaped for a URI; malloc'd. */
static char *rewrite(const struct ast_sip_conf_object *route, struct rs_str number)
{
	struct rs_str prefix = ast_sip_conf_str(route, ROUTE_PREFIX);
	uint32_t strip = ast_sip_conf_uint(route, ROUTE_STRIP);
	struct rs_str rest = strip < number.len ? rs_str_n(number.p + strip, number.len - strip) : RS_STR_NULL;
	size_t n = prefix.len + rest.len;
	char *plain = malloc(n + 1), *escaped = plain ? malloc(3 * n + 1) : NULL;
	int len;

	if (!escaped) {
		free(plain);
		return NULL;
	}
	memcpy(plain, prefix.p ? prefix.p : "", prefix.len);
	memcpy(plain + prefix.len, rest.p ? rest.p : "", rest.len);
	len = sip_escape_user(rs_str_n(plain, n), escaped, 3 * n + 1);
	free(plain);
	if (len < 0) {
		free(escaped);
		return NULL;
	}
	escaped[len] = '\0';
	return escaped;
}

static int add_route(struct plan *plan, struct ast_sip_snapshot *s, const struct ast_sip_conf_object *route,
		     struct rs_str number)
{
	struct ast_sip_strings ids = ast_sip_conf_list(route, ROUTE_ENDPOINT);

	for (uint32_t i = 0; i < ids.n; i++) {
		struct ast_sip_endpoint *e = ast_sip_snapshot_endpoint(s, ids.v[i]);
		struct plan_stage *stage = e ? add(plan) : NULL;

		if (!stage)
			continue;
		stage->user = rewrite(route, number);
		if (!stage->user) {
			plan->n--;
			return -1;
		}
		stage->endpoint = ast_sip_endpoint_ref(e);
		stage->timeout_s = ast_sip_conf_uint(route, ROUTE_TIMEOUT);
		stage->route = route;
	}
	return 0;
}

/* "+1 (22) 333-444" of a tel URI as one dials it. */
static size_t drop_separators(char *p, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (!strchr("-.()", p[i]) || !p[i])
			p[len++] = p[i];
	}
	return len;
}

unsigned stages_make(struct plan *plan, struct ast_sip_snapshot *s, const struct sip_uri *uri)
{
	struct ast_sip_conf_objects routes = calls_routes(s);
	char buf[CALLS_MAX_NUMBER + 1];
	int n = sip_unescape(uri->user, buf, sizeof(buf));
	unsigned before = plan->n;
	struct rs_str user;

	if (n <= 0)
		return uri->user.len ? 404 : 484;
	user = rs_str_n(buf, uri->scheme == SIP_URI_TEL ? drop_separators(buf, (size_t)n) : (size_t)n);
	if (rs_str_chr(user, '\0'))
		return 404;
	if (by_name(plan, s, user, uri->scheme == SIP_URI_TEL ? RS_STR_NULL : uri->host))
		return 0;
	for (uint32_t i = 0; i < routes.n; i++) {
		if (!pattern_matches(ast_sip_conf_str(routes.v[i], ROUTE_PATTERN), user))
			continue;
		if (add_route(plan, s, routes.v[i], user))
			return 500;
		break;
	}
	return plan->n > before ? 0 : 404;
}

int stages_insert(struct plan *plan, unsigned at, struct plan *from)
{
	if (plan->n + from->n > CALLS_MAX_STAGES) {
		errno = ENOSPC;
		return -1;
	}
	memmove(&plan->v[at + 1 + from->n], &plan->v[at + 1], (plan->n - at - 1) * sizeof(plan->v[0]));
	for (unsigned i = 0; i < from->n; i++) {
		plan->v[at + 1 + i] = from->v[i];
		/* What comes behind the redirect comes when its route says so, as it did behind the stage itself. */
		if (!from->v[i].route)
			plan->v[at + 1 + i].route = plan->v[at].route;
	}
	plan->n += from->n;
	from->n = 0;
	return 0;
}

int stages_add_uri(struct plan *plan, struct ast_sip_endpoint *endpoint, struct rs_str uri, unsigned timeout_s)
{
	char *copy = rs_str_dup(uri);
	struct plan_stage *stage = copy ? add(plan) : NULL;

	if (!stage) {
		free(copy);
		return -1;
	}
	stage->uri = copy;
	stage->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint) : NULL;
	stage->timeout_s = timeout_s;
	return 0;
}

void stages_cut(struct plan *plan, unsigned first)
{
	while (plan->n > first) {
		struct plan_stage *stage = &plan->v[--plan->n];

		ast_sip_endpoint_unref(stage->endpoint);
		if (stage->aor)
			ast_sip_aor_unref(stage->aor);
		free(stage->uri);
		free(stage->user);
	}
}

void stages_fini(struct plan *plan)
{
	stages_cut(plan, 0);
}
