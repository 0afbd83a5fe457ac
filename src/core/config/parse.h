/*
 * The file syntax of section 1 of the reference: bytes → sections with their variables, each with its file and line.
 * Inherited variables are not copied: a section points at the runs of its bases, frozen as they were at that line.
 * One thread at a time.
 */
#ifndef CORE_CONFIG_PARSE_H
#define CORE_CONFIG_PARSE_H

#include "core/config/error.h"
#include "core/config/pool.h"

#define CONF_LINE_MAX      8191          /* bytes of a line; the limit that Asterisk has, so that a file serves both */
#define CONF_NAME_MAX      79            /* bytes of a section name; likewise */
#define CONF_INCLUDE_DEPTH 10            /* a file that includes itself ends here */
#define CONF_COMMENT_DEPTH 128           /* nested block comments */
#define CONF_FILES_MAX     65535         /* files of one load: a variable keeps its file in 16 bits */
#define CONF_FILE_MAX      (1024u << 20) /* bytes of a file: a wrong name (a disk image) does not fill the memory */

struct conf_var {
	const char *name, *value;
	uint32_t value_len, line;
	uint16_t name_len, file;
	bool reported; /* its error was told: a template's mistake is reported once, not for every child */
};

struct conf_span {
	struct conf_var *v;
	uint32_t n;
};

struct conf_section {
	struct rs_str name;
	uint32_t line;
	uint16_t file;
	bool is_template;
	bool shared; /* a base of another section: v[0..n-1] must not change in place */
	struct conf_span *bases;
	uint32_t n_bases;
	uint32_t n, cap;
	struct conf_var *v;
	struct conf_section *next;                  /* in file order */
	struct conf_section *next_same, *last_same; /* of the same name; last_same is set in the first one only */
};

struct conf_set {
	struct conf_pool pool;
	char **files; /* names as errors show them */
	size_t n_files;
	struct conf_section *first, *last;
	size_t n_sections;
	struct conf_section **index; /* by name, ASCII case ignored: the first section of that name */
	size_t index_cap, n_names;
	bool broken; /* the file itself is invalid: what it lacks is no dangling reference */
};

/*
 * Reads dir/name with its includes. Errors are added to errors. 0, or -1 when the file does not exist (ENOENT, no error
 * added) or cannot be read (an error is added). Free with conf_set_free in all cases.
 */
int conf_set_read(struct conf_set *set, const char *dir, const char *name, struct ast_sip_conf_errors *errors);
void conf_set_free(struct conf_set *set);

/* Walks the variables of a section: inherited ones first. A zeroed iterator stands at the start. */
struct conf_iter {
	uint32_t span, i;
};
struct conf_var *conf_section_next(const struct conf_section *s, struct conf_iter *it);
/* The first variable of that name (ASCII case ignored), or NULL. */
struct conf_var *conf_section_first(const struct conf_section *s, struct rs_str name);

static inline struct rs_str conf_var_name(const struct conf_var *v)
{
	return rs_str_n(v->name, v->name_len);
}
static inline struct rs_str conf_var_value(const struct conf_var *v)
{
	return rs_str_n(v->value, v->value_len);
}
static inline const char *conf_set_file(const struct conf_set *set, uint16_t file)
{
	return set->files[file];
}

#endif
