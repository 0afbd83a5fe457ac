/* The tab key: the server says what could follow. */
#include "cli.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct connection *connection;

void complete_set_connection(struct connection *c)
{
	connection = c;
}

static json_t *ask(const struct words *w, const char *prefix)
{
	json_t *argv = json_array();
	int n = w->open_end ? w->n : w->n - 1;

	for (int i = 0; argv && i < n; i++)
		json_array_append_new(argv, json_string(w->v[i]));
	return connection_ask(connection, json_pack("{s:o, s:s}", "argv", argv, "complete", prefix));
}

/* How many bytes all words have in common. */
static size_t common(const json_t *words)
{
	const char *first = json_string_value(json_array_get(words, 0));
	size_t n = first ? strlen(first) : 0;

	for (size_t i = 1; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		size_t k = 0;

		while (word && k < n && word[k] == first[k])
			k++;
		n = k;
	}
	return n;
}

static void list(const json_t *words)
{
	fputc('\n', stdout);
	for (size_t i = 0; i < json_array_size(words); i++)
		printf("%s  ", json_string_value(json_array_get(words, i)));
	fputc('\n', stdout);
}

/* Puts what is certain into the line; a list of the choices when nothing is. */
static unsigned char apply(EditLine *el, const json_t *words, size_t typed)
{
	const char *first = json_string_value(json_array_get(words, 0));
	size_t n = common(words);
	bool only = json_array_size(words) == 1;
	char *more;

	if (!first)
		return CC_ERROR;
	if (n <= typed && !only) {
		list(words);
		return CC_REDISPLAY;
	}
	if (asprintf(&more, "%.*s%s", n > typed ? (int)(n - typed) : 0, first + typed, only ? " " : "") < 0)
		return CC_ERROR;
	el_insertstr(el, more);
	free(more);
	return CC_REFRESH;
}

unsigned char complete_key(EditLine *el, int key)
{
	const LineInfo *info = el_line(el);
	char *line = strndup(info->buffer, (size_t)(info->cursor - info->buffer));
	struct words w = {0};
	unsigned char result = CC_ERROR;

	(void)key;
	if (line && words_split(&w, line) == 0) {
		const char *prefix = w.open_end ? "" : w.v[w.n - 1];
		json_t *reply = connection && connection->fd >= 0 ? ask(&w, prefix) : NULL;

		result = apply(el, json_object_get(reply, "words"), strlen(prefix));
		json_decref(reply);
	}
	words_free(&w);
	free(line);
	return result;
}
