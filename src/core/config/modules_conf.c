/* modules.conf: section 15 of the reference. */
#include "core/config/parse.h"
#include "core/config/value.h"

#include <errno.h>
#include <stdlib.h>

static const char *const KEYS[] = {"autoload", "load", "require", "preload", "preload-require", "noload"};
#define FIRST_LINE_KEY 1 /* the keys from here on name a module, in the order of the enum */

static int line_push(struct ast_sip_modules_conf *c, struct ast_sip_module_line line)
{
	struct ast_sip_module_line *v = realloc(c->v, (c->n + 1) * sizeof(*v));

	if (!v)
		return -1;
	c->v = v;
	v[c->n++] = line;
	return 0;
}

/* Lower case, without ".so". malloc'd. */
static char *module_name(struct rs_str s)
{
	char *name;

	if (s.len > 3 && strncasecmp(s.p + s.len - 3, ".so", 3) == 0)
		s.len -= 3;
	name = rs_str_dup(s);
	for (size_t i = 0; name && i < s.len; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return name;
}

static void modules_fail(struct ast_sip_conf_errors *errors, const struct conf_set *set, const struct conf_var *v,
			 const char *text)
{
	conf_error_add(errors, false, conf_set_file(set, v->file), v->line, "%.*s: %s", v->name_len, v->name, text);
}

static void modules_line(struct ast_sip_modules_conf *out, const struct conf_set *set, const struct conf_var *v,
			 size_t key, struct ast_sip_conf_errors *errors)
{
	struct ast_sip_module_line line = {.line = v->line};
	struct rs_str value = conf_var_value(v);

	if (value.len == 0 || memchr(value.p, '/', value.len)) {
		modules_fail(errors, set, v, "the value is no module name");
		return;
	}
	line.what = (unsigned)(key - FIRST_LINE_KEY);
	line.name = module_name(value);
	line.file = strdup(conf_set_file(set, v->file));
	if (line.name && line.file && line_push(out, line) == 0)
		return;
	free(line.name);
	free(line.file);
	modules_fail(errors, set, v, "out of memory");
}

static void modules_var(struct ast_sip_modules_conf *out, const struct conf_set *set, const struct conf_var *v,
			struct ast_sip_conf_errors *errors)
{
	struct rs_str name = conf_var_name(v), value = conf_var_value(v);
	char hint[80];

	for (size_t i = 0; i < RS_ARRAY_SIZE(KEYS); i++) {
		if (!rs_str_ieqz(name, KEYS[i]))
			continue;
		if (i >= FIRST_LINE_KEY)
			modules_line(out, set, v, i, errors);
		else if (conf_value_bool(value, &out->autoload) != 0)
			modules_fail(errors, set, v, "the value is neither yes nor no");
		return;
	}
	conf_suggest(hint, sizeof(hint), name, KEYS, RS_ARRAY_SIZE(KEYS));
	conf_error_add(errors, false, conf_set_file(set, v->file), v->line, "unknown key '%.*s' in [modules]%s",
		       RS_FMT(name), hint);
}

static bool is_require(const struct ast_sip_module_line *l)
{
	return l->what == AST_SIP_MODULE_REQUIRE || l->what == AST_SIP_MODULE_PRELOAD_REQUIRE;
}

/* noload of a module that a line requires cannot be obeyed. */
static void modules_check(const struct ast_sip_modules_conf *c, struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t j = 0; c->v[i].what == AST_SIP_MODULE_NOLOAD && j < c->n; j++)
			if (is_require(&c->v[j]) && strcmp(c->v[i].name, c->v[j].name) == 0)
				conf_error_add(errors, false, c->v[i].file, c->v[i].line,
					       "noload of '%s', which %s:%u requires", c->v[i].name, c->v[j].file,
					       c->v[j].line);
}

int ast_sip_modules_conf_load(const char *dir, struct ast_sip_modules_conf *out, struct ast_sip_conf_errors *errors)
{
	const struct conf_section *s;
	struct conf_iter it = {0};
	size_t before = errors->n_fatal;
	const struct conf_var *v;
	struct conf_set set;

	*out = (struct ast_sip_modules_conf){.autoload = true};
	if (conf_set_read(&set, dir, "modules.conf", errors) != 0) {
		conf_set_free(&set);
		return errors->n_fatal == before ? 0 : -1;
	}
	out->present = true;
	out->autoload = false;
	s = set.first;
	while (s && (s->is_template || !rs_str_ieqz(s->name, "modules")))
		s = s->next;
	while (s && (v = conf_section_next(s, &it)))
		modules_var(out, &set, v, errors);
	modules_check(out, errors);
	conf_set_free(&set);
	conf_errors_sort(errors);
	return errors->n_fatal == before ? 0 : -1;
}

void ast_sip_modules_conf_free(struct ast_sip_modules_conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		free(c->v[i].file);
	}
	free(c->v);
	*c = (struct ast_sip_modules_conf){0};
}
