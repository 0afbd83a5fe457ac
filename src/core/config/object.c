#include "core/config/object.h"

#include "base/hash.h"
#include "core/config/load.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void conf_object_check(const struct conf_object *o, enum conf_magic magic)
{
	if (o && o->magic == (uint32_t)magic)
		return;
	fprintf(stderr, "configuration object %p: not a live object of its kind\n", (const void *)o);
	abort();
}

void *conf_object_ref(struct conf_object *o, enum conf_magic magic)
{
	if (!o)
		return NULL;
	conf_object_check(o, magic);
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

static void settings_release(struct conf_settings *s)
{
	if (s->type == &conf_type_endpoint) {
		const struct ast_sip_endpoint_settings *e = (const void *)s->data;

		conf_object_unref((struct conf_object *)(uintptr_t)e->acl, CONF_MAGIC_ACL);
	}
}

static void endpoint_release(struct ast_sip_endpoint *e)
{
	conf_object_unref(&e->settings->o, CONF_MAGIC_SETTINGS);
	conf_object_unref((struct conf_object *)e->extras, CONF_MAGIC_EXTRAS);
	for (uint32_t i = 0; i < e->auths.n + e->aors.n; i++)
		conf_object_unref(e->parts[i], i < e->auths.n ? CONF_MAGIC_AUTH : CONF_MAGIC_AOR);
}

static void aor_release(struct ast_sip_aor *a)
{
	conf_object_unref(&a->settings->o, CONF_MAGIC_SETTINGS);
	conf_object_unref((struct conf_object *)a->extras, CONF_MAGIC_EXTRAS);
}

static void identify_release(struct ast_sip_identify *i)
{
	if (i->s.header_regex)
		regfree(&i->header_regex);
	if (i->s.request_uri_regex)
		regfree(&i->request_uri_regex);
	conf_object_unref((struct conf_object *)i->extras, CONF_MAGIC_EXTRAS);
}

static void object_release(struct conf_object *o)
{
	switch ((enum conf_magic)o->magic) {
	case CONF_MAGIC_ENDPOINT:
		endpoint_release((struct ast_sip_endpoint *)o);
		break;
	case CONF_MAGIC_AOR:
		aor_release((struct ast_sip_aor *)o);
		break;
	case CONF_MAGIC_AUTH:
		conf_object_unref((struct conf_object *)((struct ast_sip_auth *)o)->extras, CONF_MAGIC_EXTRAS);
		break;
	case CONF_MAGIC_IDENTIFY:
		identify_release((struct ast_sip_identify *)o);
		break;
	case CONF_MAGIC_SETTINGS:
		settings_release((struct conf_settings *)o);
		break;
	case CONF_MAGIC_ACL:
	case CONF_MAGIC_EXTRAS:
		break;
	}
}

/* Bytes before an object of object_new for its id: the object stays aligned. */
static size_t id_room(struct rs_str id)
{
	return (conf_str_size(id) + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

void conf_object_unref(struct conf_object *o, enum conf_magic magic)
{
	size_t before;

	if (!o)
		return;
	conf_object_check(o, magic);
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	object_release(o);
	before = magic == CONF_MAGIC_ACL || magic == CONF_MAGIC_IDENTIFY ? 0 : id_room(o->id);
	o->magic = 0;
	free((char *)o - before);
}

/*
 * size bytes, cleared but for the header; *text is where strings go. The id stands before the struct: who finds the
 * object compares it, and then reads the header.
 */
static void *object_new(size_t size, size_t text_size, struct rs_str id, enum conf_magic magic, char **text)
{
	size_t before = id_room(id);
	char *block = calloc(1, before + size + text_size), *at;
	struct conf_object *o;

	if (!block)
		return NULL;
	o = (struct conf_object *)(void *)(block + before);
	at = block + before - conf_str_size(id);
	o->magic = (uint32_t)magic;
	atomic_init(&o->refs, 1);
	o->id = conf_str_copy(&at, id);
	*text = block + before + size;
	return o;
}

/* ---- settings and extras ---- */

struct conf_settings *conf_settings_new(const struct conf_type *t, const void *settings, uint64_t hash)
{
	char *text;
	struct conf_settings *s = object_new(sizeof(*s) + t->settings_size, conf_settings_text_size(t, settings),
					     RS_STR_NULL, CONF_MAGIC_SETTINGS, &text);

	if (s) {
		s->type = t;
		s->hash = hash;
		conf_settings_copy(t, s->data, settings, text);
	}
	return s;
}

struct conf_extras_block *conf_extras_new(struct conf_extras list, uint64_t hash)
{
	struct conf_extras_block *b;
	size_t n = 0;
	char *text;

	for (uint32_t i = 0; i < list.n; i++)
		n += conf_str_size(list.v[i].text);
	b = object_new(sizeof(*b) + list.n * sizeof(b->v[0]), n, RS_STR_NULL, CONF_MAGIC_EXTRAS, &text);
	if (!b)
		return NULL;
	b->hash = hash;
	b->list = (struct conf_extras){b->v, list.n};
	for (uint32_t i = 0; i < list.n; i++)
		b->v[i] = (struct conf_extra){conf_str_copy(&text, list.v[i].text), list.v[i].row};
	return b;
}

bool conf_extras_equal(struct conf_extras a, struct conf_extras b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (a.v[i].row != b.v[i].row || !rs_str_eq(a.v[i].text, b.v[i].text))
			return false;
	return true;
}

uint64_t conf_extras_hash(struct conf_extras list)
{
	uint64_t h = list.n;

	for (uint32_t i = 0; i < list.n; i++)
		h = rs_hash_mix(rs_hash_mix(h, list.v[i].row), rs_hash(list.v[i].text));
	return h;
}

/* ---- endpoint, aor, auth ---- */

/* s in the object: the id's own bytes when it is the same text, so that an endpoint "alice" with auth "alice" has one.
 */
static struct rs_str str_share(char **text, struct rs_str s, struct rs_str id)
{
	return rs_str_eq(s, id) ? id : conf_str_copy(text, s);
}

static struct ast_sip_strings strings_share(struct rs_str *v, char **text, struct ast_sip_strings l, struct rs_str id)
{
	for (uint32_t i = 0; i < l.n; i++)
		v[i] = str_share(text, l.v[i], id);
	return (struct ast_sip_strings){l.n ? v : NULL, l.n};
}

static size_t strings_text(struct ast_sip_strings l, struct rs_str id)
{
	size_t n = 0;

	for (uint32_t i = 0; i < l.n; i++)
		n += rs_str_eq(l.v[i], id) ? 0 : conf_str_size(l.v[i]);
	return n;
}

struct ast_sip_endpoint *conf_endpoint_new(struct rs_str id, const struct conf_endpoint_draft *d,
					   struct conf_settings *settings, struct conf_extras_block *extras,
					   struct conf_object *const *parts)
{
	uint32_t n = d->aors.n + d->auth.n;
	size_t lists = n * (sizeof(*parts) + sizeof(struct rs_str));
	struct ast_sip_endpoint *e;
	struct rs_str *v;
	char *text;

	e = object_new(sizeof(*e) + lists, strings_text(d->aors, id) + strings_text(d->auth, id), id,
		       CONF_MAGIC_ENDPOINT, &text);
	if (!e)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		e->parts[i] = conf_object_ref(parts[i], i < d->auth.n ? CONF_MAGIC_AUTH : CONF_MAGIC_AOR);
	v = (struct rs_str *)(void *)&e->parts[n];
	e->settings = settings;
	e->extras = extras;
	e->aors = strings_share(v, &text, d->aors, e->o.id);
	e->auths = strings_share(v + d->aors.n, &text, d->auth, e->o.id);
	return e;
}

struct ast_sip_aor *conf_aor_new(struct rs_str id, struct conf_settings *settings, struct conf_extras_block *extras)
{
	char *text;
	struct ast_sip_aor *a = object_new(sizeof(*a), 0, id, CONF_MAGIC_AOR, &text);

	if (a) {
		a->settings = settings;
		a->extras = extras;
	}
	return a;
}

/* Where HA1 of the nth of list stands behind those before it. */
static size_t ha1_size(const struct ast_sip_algorithms *list, unsigned n)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += conf_digest_len(list->v[i]) / 2;
	return size;
}

struct ast_sip_auth *conf_auth_new(struct rs_str id, const struct conf_auth_draft *d, const struct ast_sip_global *g,
				   struct conf_extras_block *extras)
{
	const struct ast_sip_algorithms *uas = d->uas.n ? &d->uas : &g->default_auth_algorithms_uas;
	size_t n = conf_str_size(d->username) + conf_str_size(d->password) + conf_str_size(d->realm);
	size_t ha1 = d->password.len ? ha1_size(uas, uas->n) : 0;
	struct ast_sip_auth *a;
	char *text;

	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		n += conf_str_size(d->digest[i]);
	a = object_new(sizeof(*a), ha1 + n, id, CONF_MAGIC_AUTH, &text);
	if (!a)
		return NULL;
	a->extras = extras;
	a->ha1 = ha1 ? (uint8_t *)text : NULL;
	text += ha1;
	a->username = str_share(&text, d->username, a->o.id);
	a->password = conf_str_copy(&text, d->password);
	a->realm = conf_str_copy(&text, d->realm);
	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		a->digest[i] = d->digest[i].len ? conf_str_copy(&text, d->digest[i]).p : NULL;
	a->nonce_lifetime = d->nonce_lifetime;
	a->own_uas = d->uas;
	a->own_uac = d->uac;
	a->uas = *uas;
	a->uac = d->uac.n ? d->uac : g->default_auth_algorithms_uac;
	a->oauth = d->auth_type == 1;
	return a;
}

int (*ast_sip_conf_ha1)(enum ast_sip_algorithm algorithm, struct rs_str username, struct rs_str realm,
			struct rs_str password, uint8_t *out);

int conf_auth_keep(struct ast_sip_auth *a, struct rs_str default_realm)
{
	struct rs_str realm = a->realm.len ? a->realm : default_realm;
	unsigned kept = 0;

	/* One that an earlier snapshot has, too, is in use: it is complete, and nobody writes to it. */
	if (!a->ha1 || a->kept || !ast_sip_conf_ha1)
		return 0;
	for (unsigned i = 0; i < a->uas.n; i++) {
		if (ast_sip_conf_ha1((enum ast_sip_algorithm)a->uas.v[i], a->username, realm, a->password,
				     a->ha1 + ha1_size(&a->uas, i)) != 0)
			return -1;
		kept |= 1u << a->uas.v[i];
	}
	a->kept = (uint8_t)kept;
	return 0;
}

const uint8_t *ast_sip_auth_kept_ha1(const struct ast_sip_auth *a, enum ast_sip_algorithm alg)
{
	conf_object_check(&a->o, CONF_MAGIC_AUTH);
	if (!(a->kept >> alg & 1))
		return NULL;
	for (unsigned i = 0;; i++)
		if (a->uas.v[i] == alg)
			return a->ha1 + ha1_size(&a->uas, i);
}

bool conf_endpoint_equal(const struct ast_sip_endpoint *a, const struct ast_sip_endpoint *b)
{
	if (a->settings != b->settings || a->extras != b->extras || !conf_strings_equal(a->aors, b->aors) ||
	    !conf_strings_equal(a->auths, b->auths))
		return false;
	for (uint32_t i = 0; i < a->auths.n + a->aors.n; i++)
		if (a->parts[i] != b->parts[i])
			return false;
	return true;
}

bool conf_aor_equal(const struct ast_sip_aor *a, const struct ast_sip_aor *b)
{
	return a->settings == b->settings && a->extras == b->extras;
}

static bool algs_equal(const struct ast_sip_algorithms *a, const struct ast_sip_algorithms *b)
{
	return a->n == b->n && memcmp(a->v, b->v, a->n) == 0;
}

bool conf_auth_equal(const struct ast_sip_auth *a, const struct ast_sip_auth *b)
{
	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		if (!a->digest[i] != !b->digest[i] || (a->digest[i] && strcmp(a->digest[i], b->digest[i]) != 0))
			return false;
	return a->extras == b->extras && a->nonce_lifetime == b->nonce_lifetime && a->oauth == b->oauth &&
	       rs_str_eq(a->username, b->username) && rs_str_eq(a->password, b->password) &&
	       rs_str_eq(a->realm, b->realm) && algs_equal(&a->own_uas, &b->own_uas) &&
	       algs_equal(&a->own_uac, &b->own_uac) && algs_equal(&a->uas, &b->uas) && algs_equal(&a->uac, &b->uac);
}
