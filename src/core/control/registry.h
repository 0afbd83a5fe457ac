/*
 * The commands that the control socket knows: registered, matched, completed. Registering and taking out: any thread;
 * the rest on the control socket's thread.
 */
#ifndef CORE_CONTROL_REGISTRY_H
#define CORE_CONTROL_REGISTRY_H

#include "res_sip/cli.h"

#include <jansson.h>

/* Takes out the commands of a module; restore puts back what the last such call for it took out, forget drops it. */
void ast_sip_cli_remove_owned(struct ast_sip_module *module);
void ast_sip_cli_restore_owned(struct ast_sip_module *module);
void ast_sip_cli_forget_owned(struct ast_sip_module *module);

/* Words of a path or of an alternative ("list|show"): more would be somebody's mistake. */
#define CLI_MAX_WORDS 16

struct cli_match {
	struct ast_sip_cli_command *command; /* NULL: none */
	int words;                           /* of its path */
	int alternative;                     /* of the first word that has alternatives */
};
/*
 * The command with the longest path that argv begins with. A found command may not be unregistered until cli_match_end
 * (a module's unload waits for it); call it in every case.
 */
struct cli_match cli_match_begin(int argc, const char *const *argv);
void cli_match_end(struct cli_match *m);

/* What could follow argv[0..argc-1] and begins with prefix: an array of words in byte order. NULL without memory. */
json_t *cli_complete(int argc, const char *const *argv, const char *prefix);

/* Writes why argv is no command: what it may have meant, or what could follow. */
void cli_explain(struct ast_sip_cli *cli, int argc, const char *const *argv);

/* Every command that argv is the beginning of (argc 0: all), a line each, sorted. How many. */
int cli_help(struct ast_sip_cli *cli, int argc, const char *const *argv);

#endif
