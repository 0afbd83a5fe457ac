/* The command-line client: what its files share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

/* ---- words.c ---- */

/* Splits a line into words at blanks; "…" and '…' keep blanks, a backslash keeps the next character. */
struct words {
	char **v;
	int n;
	bool open_end; /* the line ends with a blank: the next word is still empty */
};
/* 0, or -1 without memory. Free in any case. */
int words_split(struct words *w, const char *line);
void words_free(struct words *w);

/* ---- connection.c ---- */

struct connection {
	int fd; /* -1: not connected */
	const char *path;
};
/* 0, or -1 with errno. */
int connection_open(struct connection *c, const char *path);
void connection_close(struct connection *c);
/* Sends request (taken over) and gives the reply, or NULL when the server went away (then the connection is closed). */
json_t *connection_ask(struct connection *c, json_t *request);

/* ---- run.c ---- */

/* Runs one command and prints what comes back. The exit status. */
int command_run(struct connection *c, int argc, char *const *argv, bool json);

/* ---- interactive.c, complete.c ---- */

/* Reads lines until the end of input or `exit`. The exit status: that of the last command when input is no terminal. */
int interactive_run(struct connection *c, bool json);
struct editline;
unsigned char complete_key(struct editline *el, int key);
void complete_set_connection(struct connection *c);

#endif
