#include "core/control/registry.h"
#include "core/control/run.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Candidates for "did you mean" and for completion: more words than that at one place are cut. */
#define CLI_MAX_CANDIDATES 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all below; never held while a handler runs */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct ast_sip_cli_command *commands;
static struct ast_sip_cli_command *parked; /* taken out by remove_owned */
static struct ast_sip_cli_command *running;

/* ---- words of a path ---- */

/* The next word of a path, taken off it; false: there is none. */
static bool path_word(struct rs_str *path, struct rs_str *word)
{
	const char *blank;

	*path = rs_str_trim(*path);
	if (!path->len)
		return false;
	blank = rs_str_chr(*path, ' ');
	*word = rs_str_n(path->p, blank ? (size_t)(blank - path->p) : path->len);
	*path = rs_str_n(path->p + word->len, path->len - word->len);
	return true;
}

/* The next alternative of a word, taken off it. */
static bool word_alternative(struct rs_str *word, struct rs_str *one)
{
	const char *bar;

	if (!word->len)
		return false;
	bar = rs_str_chr(*word, '|');
	*one = rs_str_n(word->p, bar ? (size_t)(bar - word->p) : word->len);
	*word = bar ? rs_str_n(bar + 1, word->len - one->len - 1) : RS_STR_NULL;
	return true;
}

/* Which alternative of word typed is, or -1. */
static int word_match(struct rs_str word, const char *typed)
{
	struct rs_str one;

	for (int i = 0; word_alternative(&word, &one); i++) {
		if (rs_str_ieqz(one, typed))
			return i;
	}
	return -1;
}

/*
 * How many words of the path argv begins with. *rest gets what follows in the path; *alternative (may be NULL) that of
 * the first word that has any.
 */
static int path_match(const char *path, int argc, const char *const *argv, struct rs_str *rest, int *alternative)
{
	struct rs_str word;
	bool seen = false;
	int n = 0;

	*rest = rs_str_c(path);
	while (n < argc) {
		struct rs_str before = *rest;
		int which;

		if (!path_word(rest, &word))
			break;
		which = word_match(word, argv[n]);
		if (which < 0) {
			*rest = before;
			break;
		}
		if (alternative && !seen && rs_str_chr(word, '|')) {
			*alternative = which;
			seen = true;
		}
		n++;
	}
	*rest = rs_str_trim(*rest);
	return n;
}

/* ---- registration ---- */

int ast_sip_cli_register_for(struct ast_sip_module *owner, struct ast_sip_cli_command *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].size != sizeof(v[i]) || !v[i].path || !v[i].handler) {
			errno = EINVAL;
			return -1;
		}
	}
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		v[i].owner = owner;
		v[i].next = commands;
		commands = &v[i];
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

static void list_remove(struct ast_sip_cli_command **list, const struct ast_sip_cli_command *c)
{
	for (; *list; list = &(*list)->next) {
		if (*list == c) {
			*list = c->next;
			return;
		}
	}
}

void ast_sip_cli_unregister(struct ast_sip_cli_command *v, size_t n)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		list_remove(&commands, &v[i]);
		list_remove(&parked, &v[i]);
	}
	pthread_mutex_unlock(&lock);
}

/* Those of owner go from one list to the head of the other (to NULL: nowhere). */
static void list_move(struct ast_sip_cli_command **from, struct ast_sip_cli_command **to,
		      const struct ast_sip_module *owner)
{
	while (*from) {
		struct ast_sip_cli_command *c = *from;

		if (c->owner != owner) {
			from = &c->next;
			continue;
		}
		*from = c->next;
		if (to) {
			c->next = *to;
			*to = c;
		}
	}
}

/* A handler of the module that runs (on the control socket's thread) holds nothing: it is waited for, unless it is the
 * caller. */
static __thread bool in_handler;

void ast_sip_cli_remove_owned(struct ast_sip_module *module)
{
	pthread_mutex_lock(&lock);
	list_move(&parked, NULL, module);
	list_move(&commands, &parked, module);
	while (!in_handler && running && running->owner == module)
		pthread_cond_wait(&idle, &lock);
	pthread_mutex_unlock(&lock);
}

void ast_sip_cli_restore_owned(struct ast_sip_module *module)
{
	pthread_mutex_lock(&lock);
	list_move(&parked, &commands, module);
	pthread_mutex_unlock(&lock);
}

void ast_sip_cli_forget_owned(struct ast_sip_module *module)
{
	pthread_mutex_lock(&lock);
	list_move(&parked, NULL, module);
	pthread_mutex_unlock(&lock);
}

/* ---- matching ---- */

struct cli_match cli_match_begin(int argc, const char *const *argv)
{
	struct cli_match best = {0};

	pthread_mutex_lock(&lock);
	for (struct ast_sip_cli_command *c = commands; c; c = c->next) {
		struct rs_str rest;
		int alternative = 0, n = path_match(c->path, argc, argv, &rest, &alternative);

		if (rest.len || n <= best.words)
			continue;
		best = (struct cli_match){.command = c, .words = n, .alternative = alternative};
	}
	running = best.command;
	in_handler = true;
	pthread_mutex_unlock(&lock);
	return best;
}

void cli_match_end(struct cli_match *m)
{
	pthread_mutex_lock(&lock);
	running = NULL;
	in_handler = false;
	pthread_cond_broadcast(&idle);
	pthread_mutex_unlock(&lock);
	m->command = NULL;
}

/* ---- what could follow ---- */

struct candidates {
	char *v[CLI_MAX_CANDIDATES];
	size_t n;
};

static void candidates_add(struct candidates *c, char *word)
{
	for (size_t i = 0; word && i < c->n; i++) {
		if (strcmp(c->v[i], word) == 0) {
			free(word);
			return;
		}
	}
	if (word && c->n < CLI_MAX_CANDIDATES)
		c->v[c->n++] = word;
	else
		free(word);
}

static void candidates_free(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i]);
}

static int word_before(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Words of paths that stand behind argv, beginning with prefix. With the lock held. */
static void candidates_of_paths(struct candidates *out, int argc, const char *const *argv, struct rs_str prefix)
{
	for (struct ast_sip_cli_command *c = commands; c; c = c->next) {
		struct rs_str rest, word, one;

		if (path_match(c->path, argc, argv, &rest, NULL) != argc || !path_word(&rest, &word))
			continue;
		while (word_alternative(&word, &one)) {
			if (one.len >= prefix.len && rs_str_ieq(rs_str_n(one.p, prefix.len), prefix))
				candidates_add(out, rs_str_dup(one));
		}
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(out->v[0]), word_before);
}

/* What the command itself suggests as its next argument. */
static void candidates_of_command(struct candidates *out, int argc, const char *const *argv, const char *prefix)
{
	struct cli_match m = cli_match_begin(argc, argv);
	char *word;

	for (int n = 0; m.command && m.command->complete && out->n < CLI_MAX_CANDIDATES; n++) {
		word = m.command->complete(argc - m.words, prefix, n);
		if (!word)
			break;
		candidates_add(out, word);
	}
	cli_match_end(&m);
}

json_t *cli_complete(int argc, const char *const *argv, const char *prefix)
{
	struct candidates c = {.n = 0};
	json_t *words = json_array();

	pthread_mutex_lock(&lock);
	candidates_of_paths(&c, argc, argv, rs_str_c(prefix));
	pthread_mutex_unlock(&lock);
	candidates_of_command(&c, argc, argv, prefix);
	if (c.n)
		qsort(c.v, c.n, sizeof(c.v[0]), word_before);
	for (size_t i = 0; words && i < c.n; i++)
		json_array_append_new(words, json_string(c.v[i]));
	candidates_free(&c);
	return words;
}

/* The most words of argv that some path begins with. With the lock held. */
static int longest_beginning(int argc, const char *const *argv)
{
	int best = 0;

	for (struct ast_sip_cli_command *c = commands; c; c = c->next) {
		struct rs_str rest;
		int n = path_match(c->path, argc, argv, &rest, NULL);

		if (n > best)
			best = n;
	}
	return best;
}

static void print_words(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	char text[256];
	size_t len = 0;

	for (int i = 0; i < argc && len < sizeof(text) - 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "", argv[i]);
	ast_sip_cli_error(cli, "No such command '%s'.", text);
}

void cli_explain(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct candidates c = {.n = 0};
	const char *near = NULL;
	char list[1024];
	size_t len = 0;
	int known;

	pthread_mutex_lock(&lock);
	known = longest_beginning(argc, argv);
	candidates_of_paths(&c, known, argv, RS_STR_NULL);
	pthread_mutex_unlock(&lock);
	if (known < argc)
		near = rs_str_nearest(rs_str_c(argv[known]), (const char *const *)c.v, c.n);
	for (size_t i = 0; i < c.n && len < sizeof(list) - 1; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, " %s", c.v[i]);
	if (known < argc || !argc)
		print_words(cli, argc, argv);
	if (near)
		ast_sip_cli_error(cli, "Did you mean '%s'?", near);
	else if (c.n)
		ast_sip_cli_error(cli, "%s:%s", known ? "What may follow" : "Commands begin with", list);
	candidates_free(&c);
}

int cli_help(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct candidates lines = {.n = 0};

	pthread_mutex_lock(&lock);
	for (struct ast_sip_cli_command *c = commands; c; c = c->next) {
		struct rs_str rest;
		char line[512], left[128];

		if (path_match(c->path, argc, argv, &rest, NULL) != argc)
			continue;
		snprintf(left, sizeof(left), "%s %s", c->path, c->usage ? c->usage : "");
		snprintf(line, sizeof(line), "%-52s %s", left, c->help ? c->help : "");
		candidates_add(&lines, strdup(line));
	}
	pthread_mutex_unlock(&lock);
	if (lines.n)
		qsort(lines.v, lines.n, sizeof(lines.v[0]), word_before);
	ast_sip_cli_json_list(cli, "commands");
	for (size_t i = 0; i < lines.n; i++) {
		ast_sip_cli_print(cli, "%s\n", lines.v[i]);
		ast_sip_cli_json_str(cli, NULL, rs_str_c(lines.v[i]));
	}
	ast_sip_cli_json_end(cli);
	candidates_free(&lines);
	return (int)lines.n;
}
