#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int words_add(struct words *w, const char *word, size_t len)
{
	char **v = realloc(w->v, (size_t)(w->n + 1) * sizeof(*v));

	if (!v)
		return -1;
	w->v = v;
	v[w->n] = strndup(word, len);
	if (!v[w->n])
		return -1;
	w->n++;
	return 0;
}

/* Copies one word without its quotes; the place behind it. */
static const char *word_read(const char *p, char *out, size_t *len)
{
	char quote = '\0';

	for (*len = 0; *p && (quote || !strchr(" \t\r\n", *p)); p++) {
		if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote && *p == quote)
			quote = '\0';
		else if (*p == '\\' && p[1] && quote != '\'')
			out[(*len)++] = *++p;
		else
			out[(*len)++] = *p;
	}
	return p;
}

int words_split(struct words *w, const char *line)
{
	char *word = malloc(strlen(line) + 1);
	int result = word ? 0 : -1;
	size_t len;

	*w = (struct words){.open_end = true};
	while (result == 0) {
		line += strspn(line, " \t\r\n");
		if (!*line)
			break;
		line = word_read(line, word, &len);
		w->open_end = *line != '\0';
		result = words_add(w, word, len);
	}
	free(word);
	return result;
}

void words_free(struct words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words){0};
}
