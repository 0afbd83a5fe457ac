/* Lines from a terminal, with history and completion; or from a pipe. */
#include "cli.h"

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_LINES 1000

static char *prompt(EditLine *el)
{
	static char text[] = "res_sip> ";

	(void)el;
	return text;
}

/* $XDG_STATE_HOME/res_sip/history, else ~/.local/state/res_sip/history, with the folders made; NULL: nowhere. */
static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n;

	if (state && state[0] == '/')
		n = asprintf(&path, "%s/res_sip/history", state);
	else if (home && home[0] == '/')
		n = asprintf(&path, "%s/.local/state/res_sip/history", home);
	else
		return NULL;
	if (n < 0)
		return NULL;
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) && errno != EEXIST) {
			free(path);
			return NULL;
		}
		*p = '/';
	}
	return path;
}

/* The server may have been started again since the last line. */
static bool connected(struct connection *c)
{
	if (c->fd >= 0 || connection_open(c, c->path) == 0)
		return true;
	fprintf(stderr, "res_sip: no server at %s: %s\n", c->path, strerror(errno));
	return false;
}

/* false: the line says to leave. */
static bool line_run(struct connection *c, const char *line, bool json, int *status)
{
	struct words w;
	bool leave = false;

	if (words_split(&w, line) == 0 && w.n) {
		leave = w.n == 1 && (strcmp(w.v[0], "exit") == 0 || strcmp(w.v[0], "quit") == 0);
		if (!leave)
			*status = connected(c) ? command_run(c, w.n, w.v, json) : 1;
	}
	words_free(&w);
	return !leave;
}

static int pipe_run(struct connection *c, bool json)
{
	char *line = NULL;
	size_t size = 0;
	int status = 0, worst = 0;

	while (getline(&line, &size, stdin) >= 0 && line_run(c, line, json, &status))
		worst = status ? status : worst;
	free(line);
	return worst;
}

static int terminal_run(struct connection *c, bool json, const char *history_file)
{
	EditLine *el = el_init("res_sip", stdin, stdout, stderr);
	History *past = history_init();
	HistEvent event;
	const char *line;
	int n, status = 0;

	if (!el || !past)
		return 1;
	history(past, &event, H_SETSIZE, HISTORY_LINES);
	history(past, &event, H_SETUNIQUE, 1);
	if (history_file)
		history(past, &event, H_LOAD, history_file);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, past);
	/* The wide call: the other one copies its texts and never frees them. */
	el_wset(el, EL_ADDFN, L"complete", L"Completes a word", complete_key);
	el_set(el, EL_BIND, "\t", "complete", NULL);
	el_source(el, NULL);
	while ((line = el_gets(el, &n)) && n > 0) {
		if (line[strspn(line, " \t\r\n")])
			history(past, &event, H_ENTER, line);
		if (!line_run(c, line, json, &status))
			break;
	}
	if (history_file)
		history(past, &event, H_SAVE, history_file);
	history_end(past);
	el_end(el);
	return 0;
}

int interactive_run(struct connection *c, bool json)
{
	char *history_file;
	int status;

	complete_set_connection(c);
	if (!isatty(STDIN_FILENO))
		return pipe_run(c, json);
	printf("Connected to the server at %s. help lists the commands, exit leaves.\n", c->path);
	history_file = history_path();
	status = terminal_run(c, json, history_file);
	free(history_file);
	return status;
}
