#include "core/config/modifier.h"

#include <regex.h>
#include <stdlib.h>

enum templates { TEMPLATES_NO, TEMPLATES_INCLUDE, TEMPLATES_RESTRICT };

/* The next item of a list; false at its end. */
static bool item_next(struct rs_str *rest, char sep, struct rs_str *item)
{
	const char *at;

	if (!rest->p)
		return false;
	at = rs_str_chr(*rest, sep);
	*item = rs_str_trim(rs_str_n(rest->p, at ? (size_t)(at - rest->p) : rest->len));
	*rest = at ? rs_str_n(at + 1, rest->len - (size_t)(at + 1 - rest->p)) : RS_STR_NULL;
	return true;
}

static bool text_matches(const regex_t *re, struct rs_str s)
{
	regmatch_t m = {.rm_so = 0, .rm_eo = (regoff_t)s.len};

	return regexec(re, s.p ? s.p : "", 1, &m, REG_STARTEND) == 0;
}

static int regex_make(struct conf_parser *p, regex_t *re, struct rs_str text)
{
	char *z = rs_str_dup(text), why[128];
	int rc = z ? regcomp(re, z, REG_EXTENDED | REG_NOSUB) : REG_ESPACE;

	free(z);
	if (rc != 0) {
		regerror(rc, NULL, why, sizeof(why));
		conf_parser_fail(p, "bad expression '%.*s': %s", RS_FMT(text), why);
	}
	return rc;
}

static bool section_has(const struct conf_section *s, const regex_t *name, const regex_t *value)
{
	struct conf_iter it = {0};
	struct conf_var *v;

	while ((v = conf_section_next(s, &it)))
		if (text_matches(name, conf_var_name(v)) && text_matches(value, conf_var_value(v)))
			return true;
	return false;
}

/* Takes out of v[0..*n-1] the sections that have no variable that fits name=value. */
static int candidates_filter(struct conf_parser *p, struct conf_section **v, size_t *n, struct rs_str filter)
{
	const char *eq = rs_str_chr(filter, '=');
	struct rs_str name, value;
	regex_t re_name, re_value;
	size_t kept = 0;

	if (!eq) {
		conf_parser_fail(p, "'%.*s' in (+…) is no name=value", RS_FMT(filter));
		return -1;
	}
	name = rs_str_trim(rs_str_n(filter.p, (size_t)(eq - filter.p)));
	value = rs_str_trim(rs_str_n(eq + 1, filter.len - (size_t)(eq + 1 - filter.p)));
	if (regex_make(p, &re_name, name) != 0)
		return -1;
	if (regex_make(p, &re_value, value) != 0) {
		regfree(&re_name);
		return -1;
	}
	for (size_t i = 0; i < *n; i++)
		if (section_has(v[i], &re_name, &re_value))
			v[kept++] = v[i];
	*n = kept;
	regfree(&re_name);
	regfree(&re_value);
	return 0;
}

static enum templates filter_templates(struct rs_str filter)
{
	struct rs_str item;

	while (item_next(&filter, '&', &item)) {
		if (rs_str_ieqz(item, "TEMPLATES=restrict"))
			return TEMPLATES_RESTRICT;
		if (rs_str_ieqz(item, "TEMPLATES=include"))
			return TEMPLATES_INCLUDE;
	}
	return TEMPLATES_NO;
}

static bool is_templates_item(struct rs_str item)
{
	return item.len > 10 && strncasecmp(item.p, "TEMPLATES=", 10) == 0;
}

/* The first section of that name that the filter of (+filter) lets through. */
static struct conf_section *append_target(struct conf_parser *p, struct rs_str name, struct rs_str filter)
{
	enum templates templates = filter_templates(filter);
	struct conf_section *first = conf_section_find(p->set, name), *found = NULL, **v;
	struct rs_str rest = filter, item;
	size_t n = 0;

	for (struct conf_section *s = first; s; s = s->next_same)
		n++;
	v = malloc((n + 1) * sizeof(struct conf_section *));
	if (!v)
		return NULL;
	n = 0;
	for (struct conf_section *s = first; s; s = s->next_same)
		if (templates == TEMPLATES_INCLUDE || s->is_template == (templates == TEMPLATES_RESTRICT))
			v[n++] = s;
	while (filter.len && item_next(&rest, '&', &item))
		if (!is_templates_item(item) && candidates_filter(p, v, &n, item) != 0)
			goto out;
	if (n)
		found = v[0];
	else
		conf_parser_fail(p, "section '%.*s': (+%.*s) finds no earlier section to append to", RS_FMT(name),
				 RS_FMT(filter));
out:
	free(v);
	return found;
}

/* Unknown bases of one load that are told with the nearest name. */
#define HINTS 100

/* The names that a misspelt base may have meant: templates, since those are what bases are. Caller frees the array. */
static const char **template_names(const struct conf_set *set, size_t *n)
{
	const size_t cap = 256;
	const char **v = malloc(cap * sizeof(*v));

	*n = 0;
	for (struct conf_section *s = set->first; v && s && *n < cap; s = s->next)
		if (s->is_template && (v[*n] = rs_str_dup(s->name)))
			(*n)++;
	return v;
}

static void base_unknown(struct conf_parser *p, struct rs_str name, struct rs_str base)
{
	size_t n = 0;
	/* Each looks through the whole file: one template of 100,000 endpoints that is missing would take minutes to
	 * tell. */
	const char **names = p->errors->n_fatal < HINTS ? template_names(p->set, &n) : NULL;
	char hint[160] = "";

	if (names)
		conf_suggest(hint, sizeof(hint), base, names, n);
	conf_parser_fail(p, "section '%.*s': no earlier section '%.*s' to inherit from%s", RS_FMT(name), RS_FMT(base),
			 hint);
	while (names && n-- > 0)
		free((void *)(uintptr_t)names[n]);
	free(names);
}

/* In an existing section the variables of a base stand behind its own. */
static int base_copy_behind(struct conf_set *set, struct conf_section *s, const struct conf_section *base)
{
	struct conf_iter it = {0};
	uint32_t n = base->n;
	struct conf_var *v;

	for (uint32_t i = 0; i < base->n_bases; i++)
		n += base->bases[i].n;
	while (n-- > 0 && (v = conf_section_next(base, &it)))
		if (conf_section_add(set, s, v) != 0)
			return -1;
	return 0;
}

void conf_modifiers_apply(struct conf_parser *p, struct rs_str name, struct rs_str list)
{
	struct conf_section *s = NULL;
	struct rs_str rest = list, item;
	bool append = false, bad = false, as_template = false;

	while (item_next(&rest, ',', &item) && !append)
		if (item.len && item.p[0] == '+') {
			append = true;
			s = append_target(p, name, rs_str_n(item.p + 1, item.len - 1));
		}
	if (!append)
		s = conf_section_new(p->set, name, p->file, p->line);
	if (!s)
		return;
	for (rest = list; item_next(&rest, ',', &item);) {
		struct conf_section *base;

		if (item.len == 0 || item.p[0] == '+')
			continue;
		if (rs_str_eqz(item, "!")) {
			as_template = true;
			continue;
		}
		base = conf_section_find(p->set, item);
		if (!base) {
			base_unknown(p, name, item);
			bad = true;
		} else if ((append ? base_copy_behind(p->set, s, base) : conf_section_inherit(p->set, s, base)) != 0) {
			conf_parser_fail(p, "out of memory");
			bad = true;
		}
	}
	s->is_template |= as_template;
	if (!append && !bad && conf_section_link(p->set, s) != 0)
		conf_parser_fail(p, "out of memory");
	p->current = s;
}
