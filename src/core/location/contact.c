/* Bindings and their lists: immutable, reference-counted, each in one allocation. */
#include "location_private.h"

#include <errno.h>
#include <stdlib.h>

struct ast_sip_contact *contact_new(struct rs_str aor, const struct ast_sip_contact_data *data,
				    const struct rs_str *text)
{
	size_t size = 0;
	struct ast_sip_contact *c;
	char *p;

	for (int i = 0; i < AST_SIP_CONTACT_TEXTS; i++) {
		size_t len = i == AST_SIP_CONTACT_AOR ? aor.len : text[i].len;
		if (len > UINT16_MAX) {
			errno = EMSGSIZE;
			return NULL;
		}
		size += len + 1;
	}
	c = malloc(sizeof(*c) + size);
	if (!c) {
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&c->refs, 1);
	atomic_init(&c->status, AST_SIP_CONTACT_NONQUALIFIED);
	atomic_init(&c->rtt_us, -1);
	c->data = *data;
	c->watch = NULL;
	c->stored = (struct ast_sip_contact_stored){.row = 0};
	p = c->text;
	for (int i = 0; i < AST_SIP_CONTACT_TEXTS; i++) {
		struct rs_str s = i == AST_SIP_CONTACT_AOR ? aor : text[i];
		if (s.len)
			memcpy(p, s.p, s.len);
		p[s.len] = '\0';
		p += s.len + 1;
		c->text_len[i] = (uint16_t)s.len;
	}
	return c;
}

struct rs_str ast_sip_contact_text(const struct ast_sip_contact *c, enum ast_sip_contact_text which)
{
	const char *p = c->text;

	for (unsigned i = 0; i < (unsigned)which; i++)
		p += c->text_len[i] + 1u;
	return rs_str_n(p, c->text_len[which]);
}

struct ast_sip_contact *ast_sip_contact_ref(struct ast_sip_contact *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void ast_sip_contact_unref(struct ast_sip_contact *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		free(c);
}

struct ast_sip_contacts *contacts_new(uint32_t n)
{
	struct ast_sip_contacts *c = malloc(sizeof(*c) + n * sizeof(c->v[0]));

	if (c) {
		atomic_init(&c->refs, 1);
		c->n = 0;
	}
	return c;
}

struct ast_sip_contacts *contacts_ref(struct ast_sip_contacts *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void ast_sip_contacts_unref(struct ast_sip_contacts *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < c->n; i++)
		ast_sip_contact_unref(c->v[i]);
	free(c);
}

static bool expired(const struct ast_sip_contact *c, int64_t now_us)
{
	return c->data.expires_us && c->data.expires_us <= now_us;
}

struct ast_sip_contacts *contacts_current(struct ast_sip_contacts *c, int64_t now_us)
{
	struct ast_sip_contacts *copy;
	uint32_t good = 0;

	if (!c)
		return NULL;
	for (uint32_t i = 0; i < c->n; i++)
		good += !expired(c->v[i], now_us);
	if (good == c->n)
		return contacts_ref(c);
	if (!good)
		return NULL;
	copy = contacts_new(good);
	if (!copy)
		return contacts_ref(c);
	for (uint32_t i = 0; i < c->n; i++) {
		if (!expired(c->v[i], now_us))
			copy->v[copy->n++] = ast_sip_contact_ref(c->v[i]);
	}
	return copy;
}

int64_t contacts_earliest(const struct ast_sip_contacts *c)
{
	int64_t earliest = 0;

	for (uint32_t i = 0; c && i < c->n; i++) {
		int64_t at = c->v[i]->data.expires_us;
		if (at && (!earliest || at < earliest))
			earliest = at;
	}
	return earliest;
}

struct ast_sip_contact *ast_sip_contacts_find(const struct ast_sip_contacts *c, struct rs_str uri,
					      struct rs_str instance, uint32_t reg_id)
{
	struct ast_sip_contact *permanent = NULL;
	struct sip_uri wanted, u;

	for (uint32_t i = 0; c && instance.len && reg_id && i < c->n; i++) {
		if (c->v[i]->data.reg_id == reg_id &&
		    rs_str_eq(ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_INSTANCE), instance))
			return c->v[i];
	}
	if (!c || sip_uri_parse(uri, &wanted))
		return NULL;
	for (uint32_t i = 0; i < c->n; i++) {
		if (sip_uri_parse(ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI), &u) ||
		    !sip_uri_equal(&u, &wanted))
			continue;
		if (!c->v[i]->data.permanent)
			return c->v[i];
		permanent = c->v[i]; /* one that was bound before the configuration named it too goes first */
	}
	return permanent;
}

void ast_sip_contact_set_status(struct ast_sip_contact *c, enum ast_sip_contact_status status, int64_t rtt_us)
{
	atomic_store_explicit(&c->rtt_us, rtt_us, memory_order_relaxed);
	atomic_store_explicit(&c->status, (int)status, memory_order_relaxed);
}
