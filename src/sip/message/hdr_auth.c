/* Credentials and challenges (RFC 3261 section 25.1, RFC 7616). */
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/* One name=value of a comma-separated list. */
static inline int auth_param(struct sip_cur *c, struct sip_param *out)
{
	cur_lws(c);
	out->name = cur_span(c, C_TOKEN);
	cur_lws(c);
	if (!out->name.len || !cur_take(c, '='))
		return -1;
	cur_lws(c);
	out->quoted = cur_at(c, '"');
	if (out->quoted) {
		if (!cur_quoted(c, &out->value))
			return -1;
	} else {
		out->value = cur_span(c, C_VALUE);
		if (out->value.len == 0)
			return -1;
	}
	cur_lws(c);
	return 0;
}

static int auth_params(struct sip_cur *at, struct sip_store *store, struct sip_auth *v)
{
	struct sip_param spare[SIP_MAX_PARAMS];
	struct sip_param_list list;
	struct sip_cur c = *at;

	sip_param_list_start(&list, store, spare);
	do {
		if ((list.at == list.end && sip_param_list_more(&list)) || auth_param(&c, list.at))
			return -1;
		list.at++;
	} while (cur_take(&c, ','));
	*at = c;
	if (!cur_end(&c))
		return -1;
	v->v = sip_param_list_keep(&list, &v->n);
	return v->v ? 0 : -1;
}

int sip_parse_auth(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_auth *v = out;

	(void)id;
	v->v = NULL;
	v->n = 0;
	cur_lws(c);
	v->scheme = cur_span(c, C_TOKEN);
	if (!v->scheme.len || (!cur_end(c) && !is_lws(*c->p)))
		return -1;
	if (auth_params(c, store, v) == 0)
		return 0;
	/* A scheme that is not ours may be written as it likes. */
	c->p = c->end;
	return SIP_IS(v->scheme, "digest") ? -1 : 0;
}

int sip_parse_auth_params(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_auth *v = out;

	(void)id;
	*v = (struct sip_auth){0};
	return auth_params(c, store, v);
}

const struct sip_param *sip_auth_get(const struct sip_auth *a, struct rs_str name)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (rs_str_ieq(a->v[i].name, name))
			return &a->v[i];
	}
	return NULL;
}
