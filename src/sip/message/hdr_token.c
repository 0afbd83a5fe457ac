/* Tokens with parameters, media types among them; texts and Call-IDs. */
#include "sip/message/grammar.h"

/* "text / plain" may be written so; its token reads "text/plain". */
static int media_type(struct sip_cur *c, struct sip_store *store, struct rs_str *token)
{
	struct rs_str type = *token, sub;
	char *copy;

	cur_lws(c);
	if (!cur_take(c, '/'))
		return 0;
	cur_lws(c);
	sub = cur_span(c, C_TOKEN);
	if (sub.len == 0)
		return -1;
	if (sub.p == type.p + type.len + 1) {
		token->len = type.len + 1 + sub.len;
		return 0;
	}
	copy = sip_store_alloc(store, type.len + 1 + sub.len);
	if (!copy)
		return -1;
	memcpy(copy, type.p, type.len);
	copy[type.len] = '/';
	memcpy(copy + type.len + 1, sub.p, sub.len);
	*token = rs_str_n(copy, type.len + 1 + sub.len);
	return 0;
}

int sip_parse_token(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_token_params *v = out;
	bool call_id = id == SIP_HDR_REPLACES || id == SIP_HDR_JOIN;
	const char *start;

	*v = (struct sip_token_params){0};
	cur_lws(c);
	start = c->p;
	if (call_id) {
		while (c->p < c->end && (is_class(*c->p, C_WORD) || *c->p == '@'))
			c->p++;
		v->token = rs_str_n(start, (size_t)(c->p - start));
	} else {
		v->token = cur_span(c, C_TOKEN);
	}
	if (v->token.len == 0 || (!call_id && media_type(c, store, &v->token)) || sip_cur_params(c, store, &v->params))
		return -1;
	v->text = sip_trim(start, c->p);
	return 0;
}

int sip_parse_text(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_text *v = out;

	(void)id;
	(void)store;
	v->text = sip_trim(c->p, c->end);
	c->p = c->end;
	return 0;
}

/* word ["@" word]; a second '@' and '=' are seen in the wild and confuse nobody. */
static struct rs_str call_id_span(struct sip_cur *c)
{
	const char *start = c->p;

	for (;; c->p++) {
		c->p = sip_span(c->p, c->end, c->safe, C_WORD);
		if (!cur_at(c, '@') && !cur_at(c, '='))
			return rs_str_n(start, (size_t)(c->p - start));
	}
}

bool sip_call_id_ok(struct rs_str s)
{
	struct sip_cur c = cur_of(s);

	return call_id_span(&c).len > 0 && cur_end(&c);
}

int sip_parse_call_id(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_text *v = out;

	(void)id;
	(void)store;
	cur_lws(c);
	v->text = call_id_span(c);
	return v->text.len ? 0 : -1;
}
