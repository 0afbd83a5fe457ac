#include "core/config/parse.h"

#include "core/config/comment.h"
#include "core/config/modifier.h"
#include "core/config/parser.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse_path(struct conf_parser *p, const char *path, const char *shown);

void conf_parser_fail(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_error_addv(p->errors, false, p->set->files[p->file], p->line, fmt, ap);
	va_end(ap);
	p->set->broken = true;
}

static void parser_warn(struct conf_parser *p, const char *fmt, ...) RS_PRINTF(2, 3);
static void parser_warn(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_error_addv(p->errors, true, p->set->files[p->file], p->line, fmt, ap);
	va_end(ap);
}

/* ---- one line ---- */

/* The sections that errors leave behind take their lines, so that one mistake is told once. */
static void section_swallow(struct conf_parser *p, struct rs_str name)
{
	p->current = conf_section_new(p->set, name, p->file, p->line);
}

static void parse_section(struct conf_parser *p, struct rs_str line)
{
	const char *close = rs_str_chr(line, ']');
	struct rs_str name, rest;

	section_swallow(p, RS_STR_NULL);
	if (!close) {
		conf_parser_fail(p, "']' is missing behind the section name");
		return;
	}
	name = rs_str_n(line.p + 1, (size_t)(close - line.p - 1));
	rest = rs_str_n(close + 1, line.len - name.len - 2);
	if (name.len == 0 || name.len > CONF_NAME_MAX) {
		conf_parser_fail(p, "a section name has 1 to %d bytes", CONF_NAME_MAX);
		return;
	}
	if (rest.len == 0) {
		conf_modifiers_apply(p, name, RS_STR_NULL);
		return;
	}
	if (rest.p[0] != '(') {
		struct rs_str text = rs_str_trim(rest);

		if (text.len && text.p[0] == '(')
			conf_parser_fail(p, "section '%.*s': the '(' must touch the ']'", RS_FMT(name));
		else
			conf_parser_fail(p, "section '%.*s': text behind the ']'", RS_FMT(name));
		return;
	}
	if (rest.p[rest.len - 1] != ')') {
		conf_parser_fail(p, "section '%.*s': ')' is missing at the end of the line", RS_FMT(name));
		return;
	}
	conf_modifiers_apply(p, name, rs_str_n(rest.p + 1, rest.len - 2));
}

static void parse_assignment(struct conf_parser *p, struct rs_str line)
{
	const char *eq = rs_str_chr(line, '=');
	struct rs_str key, value;
	bool append = false;
	struct conf_var v;

	if (!p->current) {
		conf_parser_fail(p, "a line before any [section]");
		return;
	}
	if (!eq) {
		conf_parser_fail(p, "no '=' in this line: '%.*s'", (int)(line.len > 60 ? 60 : line.len), line.p);
		return;
	}
	key = rs_str_n(line.p, (size_t)(eq - line.p));
	value = rs_str_n(eq + 1, line.len - key.len - 1);
	if (key.len && key.p[key.len - 1] == '+') {
		append = true;
		key.len--;
	} else if (value.len && value.p[0] == '>') {
		value.p++, value.len--;
	}
	key = rs_str_trim(key);
	if (!append)
		value = rs_str_trim(value);
	if (key.len == 0) {
		conf_parser_fail(p, "no option name before the '='");
		return;
	}
	v = (struct conf_var){.name = key.p,
			      .name_len = (uint16_t)key.len,
			      .value = value.p,
			      .value_len = (uint32_t)value.len,
			      .line = p->line,
			      .file = p->file};
	if ((append ? conf_section_append : conf_section_add)(p->set, p->current, &v) != 0)
		conf_parser_fail(p, "out of memory");
}

/* ---- directives ---- */

static const char *const DIRECTIVES[] = {"include", "tryinclude", "exec"};

/* dir/pattern with the glob characters of dir escaped; malloc'd. */
static char *glob_pattern(const char *dir, const char *pattern)
{
	size_t n = 0;
	char *out = malloc(strlen(dir) * 2 + strlen(pattern) + 2);

	if (!out)
		return NULL;
	for (const char *d = dir; *pattern != '/' && *d; d++) {
		if (strchr("*?[]\\", *d))
			out[n++] = '\\';
		out[n++] = *d;
	}
	if (n)
		out[n++] = '/';
	memcpy(out + n, pattern, strlen(pattern) + 1);
	return out;
}

/* How a path stands in errors: relative to the configuration directory when it is below it. */
static const char *shown_path(const struct conf_parser *p, const char *path)
{
	size_t n = strlen(p->dir);

	return strncmp(path, p->dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

static void include_one(struct conf_parser *p, const char *path)
{
	struct conf_section *current = p->current;

	if (parse_path(p, path, shown_path(p, path)) != 0)
		conf_parser_fail(p, "cannot read '%s': %s", shown_path(p, path),
				 errno == ELOOP ? "it includes itself" : strerror(errno));
	p->current = current;
}

static void parse_include(struct conf_parser *p, struct rs_str name, bool must)
{
	glob_t found = {0};
	char *arg = NULL, *pattern = NULL;
	int rc;

	if (p->depth > CONF_INCLUDE_DEPTH) {
		conf_parser_fail(p, "includes are nested deeper than %d", CONF_INCLUDE_DEPTH);
		return;
	}
	arg = rs_str_dup(name);
	pattern = arg ? glob_pattern(p->dir, arg) : NULL;
	if (!pattern) {
		conf_parser_fail(p, "out of memory");
		goto out;
	}
	rc = glob(pattern, 0, NULL, &found);
	if (rc == GLOB_NOMATCH) {
		if (must)
			conf_parser_fail(p, "#include: no file '%s'", arg);
	} else if (rc != 0) {
		conf_parser_fail(p, "#include: cannot look for '%s'", arg);
	}
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		include_one(p, found.gl_pathv[i]);
out:
	globfree(&found);
	free(pattern);
	free(arg);
}

static void parse_directive(struct conf_parser *p, struct rs_str line)
{
	struct rs_str word = rs_str_n(line.p + 1, line.len - 1), arg;
	size_t n = 0;
	char hint[80];

	while (n < word.len && !isspace((unsigned char)word.p[n]))
		n++;
	arg = rs_str_trim(rs_str_n(word.p + n, word.len - n));
	word.len = n;
	if (arg.len >= 2 &&
	    ((arg.p[0] == '"' && arg.p[arg.len - 1] == '"') || (arg.p[0] == '<' && arg.p[arg.len - 1] == '>')))
		arg = rs_str_trim(rs_str_n(arg.p + 1, arg.len - 2));
	if (rs_str_ieqz(word, "exec")) {
		parser_warn(p, "#exec is refused: no command is run from a configuration file");
		return;
	}
	if (!rs_str_ieqz(word, "include") && !rs_str_ieqz(word, "tryinclude")) {
		conf_suggest(hint, sizeof(hint), word, DIRECTIVES, RS_ARRAY_SIZE(DIRECTIVES));
		if (hint[0])
			conf_parser_fail(p, "unknown directive '#%.*s'%s", RS_FMT(word), hint);
		else
			parser_warn(p, "unknown directive '#%.*s': the line is ignored (comments begin with ';')",
				    RS_FMT(word));
		return;
	}
	if (arg.len == 0) {
		conf_parser_fail(p, "#%.*s without a file name", RS_FMT(word));
		return;
	}
	parse_include(p, arg, rs_str_ieqz(word, "include"));
}

static void parse_line(struct conf_parser *p, struct rs_str line)
{
	line = rs_str_trim(line);
	if (line.len == 0)
		return;
	if (memchr(line.p, '\0', line.len)) {
		conf_parser_fail(p, "a NUL byte");
		return;
	}
	if (line.p[0] == '[') {
		parse_section(p, line);
	} else if (line.p[0] == '#') {
		parse_directive(p, line);
	} else if (line.p[0] == '\\') {
		if (line.len == 1 || (unsigned char)line.p[1] <= ' ')
			conf_parser_fail(p, "nothing to protect behind the backslash that begins the line");
		else
			parse_assignment(p, rs_str_n(line.p + 1, line.len - 1));
	} else {
		parse_assignment(p, line);
	}
}

/* ---- files ---- */

static void parse_text(struct conf_parser *p, char *text, size_t len)
{
	struct conf_comment comment;
	char *end = text + len;

	comment.depth = 0;
	comment.overflow = false;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	p->line = 0;
	while (text < end) {
		char *lf = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((lf ? lf : end) - text);

		p->line++;
		if (n > CONF_LINE_MAX)
			conf_parser_fail(p, "the line has more than %d bytes", CONF_LINE_MAX);
		else
			parse_line(p, conf_comment_strip(&comment, text, n, p->line));
		if (comment.overflow) {
			conf_parser_fail(p, "block comments are nested deeper than %d", CONF_COMMENT_DEPTH);
			return;
		}
		text += n + 1;
	}
	if (comment.depth) {
		p->line = comment.lines[comment.depth - 1];
		conf_parser_fail(p, "the block comment ';--' that begins here has no end '--;'");
	}
}

/* The whole file in the set's pool; NULL with errno. */
static char *file_slurp(struct conf_parser *p, const char *path, struct conf_frame *frame, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0)
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_size > CONF_FILE_MAX) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		goto out;
	}
	*frame = (struct conf_frame){st.st_dev, st.st_ino, p->frame};
	for (const struct conf_frame *f = p->frame; f; f = f->outer)
		if (f->dev == st.st_dev && f->ino == st.st_ino) {
			errno = ELOOP;
			goto out;
		}
	text = conf_pool_alloc(&p->set->pool, (size_t)st.st_size + 1);
	if (!text) {
		errno = ENOMEM;
		goto out;
	}
	while (n < (size_t)st.st_size && got > 0) {
		got = read(fd, text + n, (size_t)st.st_size - n);
		if (got < 0) {
			text = NULL;
			goto out;
		}
		n += (size_t)got;
	}
	text[n] = '\0';
	*len = n;
out:
	n = (size_t)errno;
	close(fd);
	errno = (int)n;
	return text;
}

static int file_enter(struct conf_set *set, const char *shown)
{
	char **files;

	if (set->n_files == CONF_FILES_MAX) {
		errno = EMFILE;
		return -1;
	}
	files = realloc(set->files, (set->n_files + 1) * sizeof(*files));
	if (!files)
		return -1;
	set->files = files;
	files[set->n_files] = strdup(shown);
	if (!files[set->n_files])
		return -1;
	set->n_files++;
	return 0;
}

/* 0, or -1 with errno when the file cannot be read. What is wrong inside it is in errors. */
static int parse_path(struct conf_parser *p, const char *path, const char *shown)
{
	struct conf_parser outer = *p;
	size_t len = 0;
	struct conf_frame frame;
	char *text = file_slurp(p, path, &frame, &len);

	if (!text || file_enter(p->set, shown) != 0)
		return -1;
	p->file = (uint16_t)(p->set->n_files - 1);
	p->depth++;
	p->frame = &frame;
	parse_text(p, text, len);
	p->frame = outer.frame;
	p->file = outer.file;
	p->line = outer.line;
	p->depth = outer.depth;
	return 0;
}

int conf_set_read(struct conf_set *set, const char *dir, const char *name, struct ast_sip_conf_errors *errors)
{
	struct conf_parser p = {.set = set, .dir = dir, .errors = errors};
	char *path = NULL;
	int rc, saved;

	*set = (struct conf_set){0};
	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		conf_error_add(errors, false, name, 0, "out of memory");
		set->broken = true;
		errno = ENOMEM;
		return -1;
	}
	rc = parse_path(&p, path, name);
	saved = errno;
	if (rc != 0 && saved != ENOENT) {
		conf_error_add(errors, false, name, 0, "cannot be read: %s", strerror(saved));
		set->broken = true;
	}
	free(path);
	errno = saved;
	return rc;
}

void conf_set_free(struct conf_set *set)
{
	for (size_t i = 0; i < set->n_files; i++)
		free(set->files[i]);
	free(set->files);
	free(set->index);
	conf_pool_free(&set->pool);
	*set = (struct conf_set){0};
}
