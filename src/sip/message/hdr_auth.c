/* Credentials and challenges (RFC 3261 section 25.1, RFC 7616). */
#include "sip/message/grammar.h"
#include "sip/message/limits.h"

/* One name=value of a comma-separated list. */
static int auth_param(struct sip_cur *c, struct sip_param *out)
{
	cur_lws(c);
	*out = (struct sip_param){.name = cur_span(c, C_TOKEN)};
	cur_lws(c);
	if (!out->name.len || !cur_take(c, '='))
		return -1;
	cur_lws(c);
	if (cur_at(c, '"')) {
		out->quoted = true;
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

static int auth_params(struct sip_cur *c, struct rs_arena *arena, struct sip_auth *v)
{
	struct sip_param found[SIP_MAX_PARAMS];
	struct sip_param *copy;
	uint32_t n = 0;

	do {
		if (n == sip_limits.params || auth_param(c, &found[n]))
			return -1;
		n++;
	} while (cur_take(c, ','));
	if (!cur_end(c))
		return -1;
	copy = rs_arena_alloc(arena, n * sizeof(*copy));
	if (!copy)
		return -1;
	memcpy(copy, found, n * sizeof(*copy));
	v->v = copy;
	v->n = n;
	return 0;
}

int sip_parse_auth(struct sip_cur *c, enum sip_hdr_id id, struct rs_arena *arena, void *out)
{
	struct sip_auth *v = out;

	(void)id;
	*v = (struct sip_auth){0};
	cur_lws(c);
	v->scheme = cur_span(c, C_TOKEN);
	if (!v->scheme.len || (!cur_end(c) && !is_lws(*c->p)))
		return -1;
	if (auth_params(c, arena, v) == 0)
		return 0;
	/* A scheme that is not ours may be written as it likes. */
	c->p = c->end;
	return SIP_IS(v->scheme, "digest") ? -1 : 0;
}

int sip_parse_auth_params(struct sip_cur *c, enum sip_hdr_id id, struct rs_arena *arena, void *out)
{
	struct sip_auth *v = out;

	(void)id;
	*v = (struct sip_auth){0};
	return auth_params(c, arena, v);
}

const struct sip_param *sip_auth_get(const struct sip_auth *a, struct rs_str name)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (rs_str_ieq(a->v[i].name, name))
			return &a->v[i];
	}
	return NULL;
}
