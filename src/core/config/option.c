#include "core/config/option.h"

#include "base/hash.h"

#include <stdlib.h>

/* ---- names ---- */

static uint32_t name_hash(struct rs_str name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (uint32_t)(name.p[i] | 0x20)) * 16777619u;
	return (h ^ (h >> 15)) & (CONF_HASH_SLOTS - 1);
}

void conf_type_index_make(struct conf_type_index *x, const struct conf_type *type)
{
	memset(x->slot, 0, sizeof(x->slot));
	x->type = type;
	for (uint16_t i = 0; i < type->n; i++) {
		uint32_t at = name_hash(rs_str_c(type->options[i].name));

		while (x->slot[at])
			at = (at + 1) & (CONF_HASH_SLOTS - 1);
		x->slot[at] = (uint16_t)(i + 1);
	}
}

int conf_type_index_find(const struct conf_type_index *x, struct rs_str name)
{
	for (uint32_t at = name_hash(name); x->slot[at]; at = (at + 1) & (CONF_HASH_SLOTS - 1))
		if (rs_str_ieqz(name, x->type->options[x->slot[at] - 1].name))
			return x->slot[at] - 1;
	return -1;
}

/* ---- strings ---- */

size_t conf_str_size(struct rs_str s)
{
	return s.len ? s.len + 1 : 0;
}

struct rs_str conf_str_copy(char **at, struct rs_str s)
{
	struct rs_str out = rs_str_n("", 0);

	if (s.len) {
		memcpy(*at, s.p, s.len);
		(*at)[s.len] = '\0';
		out = rs_str_n(*at, s.len);
		*at += s.len + 1;
	}
	return out;
}

#define LIST_ALIGN (_Alignof(struct rs_str) - 1)

size_t conf_strings_size(struct ast_sip_strings l)
{
	size_t n = l.n ? l.n * sizeof(struct rs_str) + LIST_ALIGN : 0;

	for (uint32_t i = 0; i < l.n; i++)
		n += conf_str_size(l.v[i]);
	return n;
}

struct ast_sip_strings conf_strings_copy(char **at, struct ast_sip_strings l)
{
	struct ast_sip_strings out = {NULL, l.n};
	struct rs_str *v;

	if (l.n == 0)
		return out;
	v = (void *)(((uintptr_t)*at + LIST_ALIGN) & ~(uintptr_t)LIST_ALIGN);
	*at = (char *)(v + l.n);
	for (uint32_t i = 0; i < l.n; i++)
		v[i] = conf_str_copy(at, l.v[i]);
	out.v = v;
	return out;
}

bool conf_strings_equal(struct ast_sip_strings a, struct ast_sip_strings b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (!rs_str_eq(a.v[i], b.v[i]))
			return false;
	return true;
}

uint64_t conf_strings_hash(uint64_t h, struct ast_sip_strings l)
{
	h = rs_hash_mix(h, l.n);
	for (uint32_t i = 0; i < l.n; i++)
		h = rs_hash_mix(h, rs_hash(l.v[i]));
	return h;
}

/* ---- settings by rows ---- */

static size_t field_size(enum conf_kind kind)
{
	switch (kind) {
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_TOS:
	case CONF_BYTE:
		return sizeof(uint8_t);
	case CONF_PORT:
		return sizeof(uint16_t);
	case CONF_UINT:
	case CONF_SECONDS:
		return sizeof(uint32_t);
	case CONF_INT:
	case CONF_ENUM:
	case CONF_FLAGS:
		return sizeof(int);
	case CONF_ALGS:
		return sizeof(struct ast_sip_algorithms);
	default:
		return 0;
	}
}

static bool is_str(enum conf_kind kind)
{
	return kind == CONF_STR || kind == CONF_URI || kind == CONF_HOST;
}

static bool is_shared(const struct conf_type *t, const struct conf_option *o)
{
	return o->offset != CONF_NO_FIELD && !(o->flags & CONF_F_OWN) && o->offset < t->settings_size &&
	       (is_str(o->kind) || o->kind == CONF_LIST || field_size(o->kind));
}

#define AT(base, o, T) ((const T *)(const void *)((const char *)(base) + (o)->offset))

uint64_t conf_settings_hash(const struct conf_type *t, const void *settings)
{
	uint64_t h = t->settings_size;

	for (const struct conf_option *o = t->options; o < t->options + t->n; o++) {
		if (!is_shared(t, o))
			continue;
		if (is_str(o->kind)) {
			h = rs_hash_mix(h, rs_hash(*AT(settings, o, struct rs_str)));
		} else if (o->kind == CONF_LIST) {
			h = conf_strings_hash(h, *AT(settings, o, struct ast_sip_strings));
		} else {
			uint64_t v = 0;

			memcpy(&v, AT(settings, o, char), field_size(o->kind));
			h = rs_hash_mix(h, v);
		}
	}
	return h;
}

bool conf_settings_equal(const struct conf_type *t, const void *a, const void *b)
{
	for (const struct conf_option *o = t->options; o < t->options + t->n; o++) {
		bool same;

		if (!is_shared(t, o))
			continue;
		if (is_str(o->kind))
			same = rs_str_eq(*AT(a, o, struct rs_str), *AT(b, o, struct rs_str));
		else if (o->kind == CONF_LIST)
			same = conf_strings_equal(*AT(a, o, struct ast_sip_strings), *AT(b, o, struct ast_sip_strings));
		else
			same = memcmp(AT(a, o, char), AT(b, o, char), field_size(o->kind)) == 0;
		if (!same)
			return false;
	}
	return true;
}

size_t conf_settings_text_size(const struct conf_type *t, const void *settings)
{
	size_t n = 0;

	for (const struct conf_option *o = t->options; o < t->options + t->n; o++) {
		if (!is_shared(t, o))
			continue;
		if (is_str(o->kind))
			n += conf_str_size(*AT(settings, o, struct rs_str));
		else if (o->kind == CONF_LIST)
			n += conf_strings_size(*AT(settings, o, struct ast_sip_strings));
	}
	return n;
}

void conf_settings_copy(const struct conf_type *t, void *dst, const void *src, char *text)
{
	memcpy(dst, src, t->settings_size);
	for (const struct conf_option *o = t->options; o < t->options + t->n; o++) {
		void *to = (char *)dst + o->offset;

		if (!is_shared(t, o))
			continue;
		if (is_str(o->kind))
			*(struct rs_str *)to = conf_str_copy(&text, *AT(src, o, struct rs_str));
		else if (o->kind == CONF_LIST)
			*(struct ast_sip_strings *)to = conf_strings_copy(&text, *AT(src, o, struct ast_sip_strings));
	}
}

/* ---- printing ---- */

static void print_names(FILE *f, const struct conf_option *o, int value)
{
	const char *sep = "";

	for (const struct conf_name *n = o->names; n->name; n++) {
		bool hit = o->kind == CONF_FLAGS ? (value & n->value) != 0 : value == n->value;

		if (!hit)
			continue;
		fprintf(f, "%s%s", sep, n->name);
		sep = ",";
		if (o->kind == CONF_ENUM)
			return;
		value &= ~n->value;
	}
}

static void print_rules(FILE *f, const struct conf_option *o, const struct conf_acl_draft *acl)
{
	const struct conf_acl_rules *r = &acl->rules[o->arg & CONF_ACL_CONTACT ? 1 : 0];
	const char *sep = "";
	char buf[SIP_ADDR_TEXT];

	for (uint32_t i = 0; i < r->n; i++) {
		struct sip_addr a = {.family = r->v[i].family};

		if (r->v[i].deny != ((o->arg & CONF_ACL_DENY) != 0))
			continue;
		memcpy(a.ip, r->v[i].ip, sizeof(a.ip));
		fprintf(f, "%s%s/%u", sep, sip_addr_text(&a, false, buf), r->v[i].bits);
		sep = ",";
	}
}

static void print_list(FILE *f, const struct ast_sip_strings *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		fprintf(f, "%s%.*s", i ? "," : "", RS_FMT(l->v[i]));
}

static void print_algs(FILE *f, const struct ast_sip_algorithms *a)
{
	for (uint8_t i = 0; i < a->n; i++) {
		struct rs_str name = ast_sip_algorithm_name((enum ast_sip_algorithm)a->v[i]);

		fprintf(f, "%s%.*s", i ? "," : "", RS_FMT(name));
	}
}

static void print_field(FILE *f, const struct conf_option *o, const void *draft)
{
	char buf[SIP_ADDR_TEXT];

	switch (o->kind) {
	case CONF_BOOL:
		fputs(*AT(draft, o, bool) ? "true" : "false", f);
		break;
	case CONF_UINT:
		fprintf(f, "%u", *AT(draft, o, uint32_t));
		break;
	case CONF_INT:
		fprintf(f, "%d", *AT(draft, o, int));
		break;
	case CONF_SECONDS:
		fprintf(f, "%u.%03u", *AT(draft, o, uint32_t) / 1000, *AT(draft, o, uint32_t) % 1000);
		break;
	case CONF_LIST:
		print_list(f, AT(draft, o, struct ast_sip_strings));
		break;
	case CONF_ENUM:
	case CONF_FLAGS:
		print_names(f, o, *AT(draft, o, int));
		break;
	case CONF_ALGS:
		print_algs(f, AT(draft, o, struct ast_sip_algorithms));
		break;
	case CONF_TOS:
	case CONF_BYTE:
		fprintf(f, "%u", *AT(draft, o, uint8_t));
		break;
	case CONF_PORT:
		fprintf(f, "%u", *AT(draft, o, uint16_t));
		break;
	case CONF_ADDR:
		if (AT(draft, o, struct sip_addr)->family)
			fputs(sip_addr_text(AT(draft, o, struct sip_addr), true, buf), f);
		break;
	case CONF_ACL_RULE:
		print_rules(f, o, AT(draft, o, struct conf_acl_draft));
		break;
	case CONF_ACL_NAME:
		print_list(f, &AT(draft, o, struct conf_acl_draft)->names[o->arg & CONF_ACL_CONTACT ? 1 : 0]);
		break;
	default:
		fprintf(f, "%.*s", RS_FMT(*AT(draft, o, struct rs_str)));
	}
}

/* An option without a field: what the file says, else the default. */
static void print_extra(FILE *f, const struct conf_option *o, uint32_t row, struct conf_extras extras)
{
	struct rs_str text = rs_str_c(o->def);
	bool yes;

	for (uint32_t i = 0; i < extras.n; i++)
		if (extras.v[i].row == row)
			text = extras.v[i].text;
	if (o->kind == CONF_BOOL && conf_value_bool(text, &yes) == 0)
		text = rs_str_c(yes ? "true" : "false");
	fprintf(f, "%.*s", RS_FMT(text));
}

static int row_before(const void *a, const void *b)
{
	const struct conf_option *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void print_row(const struct conf_type *t, const struct conf_option *o, const void *draft,
		      struct conf_extras extras, void (*each)(void *token, struct rs_str name, struct rs_str value),
		      void *token)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	if (o->print)
		o->print(f, o, draft);
	else if (o->offset != CONF_NO_FIELD)
		print_field(f, o, draft);
	else
		print_extra(f, o, (uint32_t)(o - t->options), extras);
	fclose(f);
	each(token, rs_str_c(o->name), o->flags & CONF_F_SECRET && len ? RS_STR("********") : rs_str_n(text, len));
	free(text);
}

void conf_options_print(const struct conf_type *t, const void *draft, struct conf_extras extras,
			void (*each)(void *token, struct rs_str name, struct rs_str value), void *token)
{
	const struct conf_option *rows[CONF_MAX_OPTIONS];

	for (uint16_t i = 0; i < t->n; i++)
		rows[i] = &t->options[i];
	qsort(rows, t->n, sizeof(rows[0]), row_before);
	for (uint16_t i = 0; i < t->n; i++)
		print_row(t, rows[i], draft, extras, each, token);
	for (uint32_t i = 0; i < extras.n; i++) {
		struct rs_str text = extras.v[i].text;
		const char *eq = extras.v[i].row == CONF_EXTENSION ? rs_str_chr(text, '=') : NULL;
		size_t n = eq ? (size_t)(eq - text.p) : 0;

		if (eq)
			each(token, rs_str_n(text.p, n), rs_str_n(eq + 1, text.len - n - 1));
	}
}
