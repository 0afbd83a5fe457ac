/*
 * Commands of the control socket, as `res_sip` runs them. A command is a path of words ("pjsip show endpoints") and a
 * handler that prints text and, for show commands, JSON. Handlers run on the control socket's thread (not the pool's),
 * one at a time; they may block.
 */
#ifndef RES_SIP_CLI_H
#define RES_SIP_CLI_H

#include "res_sip/module.h"
#include "base/str.h"

struct ast_sip_cli; /* one run of a command */

struct ast_sip_cli_command {
	uint32_t size;
	const char *path;  /* words separated by blanks; "a|b" for either word: "pjsip list|show endpoints" */
	const char *usage; /* arguments, "<id>" or "[like <regex>]"; may be empty */
	const char *help;  /* one line */
	/* argv: the words after the path. 0: worked; -1: failed (say why with ast_sip_cli_error). */
	int (*handler)(struct ast_sip_cli *cli, int argc, const char *const *argv);
	/* The nth completion of the word that starts with prefix (argument number arg), malloc'd, or NULL. May be NULL.
	 */
	char *(*complete)(int arg, const char *prefix, int n);
	struct ast_sip_module *owner;
	struct ast_sip_cli_command *next;
};
RS_API int ast_sip_cli_register_for(struct ast_sip_module *owner, struct ast_sip_cli_command *commands, size_t n);
#define ast_sip_cli_register(commands, n) ast_sip_cli_register_for(AST_SIP_SELF, (commands), (n))
RS_API void ast_sip_cli_unregister(struct ast_sip_cli_command *commands, size_t n);

/* Which of the alternatives of the path was typed, from 0: "list" in "pjsip list|show endpoints" is 0. */
RS_API int ast_sip_cli_alternative(const struct ast_sip_cli *cli);
RS_API bool ast_sip_cli_json(const struct ast_sip_cli *cli); /* --json was given */
RS_API void ast_sip_cli_print(struct ast_sip_cli *cli, const char *fmt, ...) RS_PRINTF(2, 3);
RS_API void ast_sip_cli_error(struct ast_sip_cli *cli, const char *fmt, ...) RS_PRINTF(2, 3);

/*
 * Structured output, printed as indented text lines or as JSON: a list of objects with fields and child objects.
 *   ast_sip_cli_list(cli, "endpoints");  ast_sip_cli_object(cli, "Endpoint", "%-20s …");  …field…;
 * ast_sip_cli_end(cli); ast_sip_cli_end(cli); Text form is up to the handler (ast_sip_cli_print is ignored with --json;
 * these calls are ignored without).
 */
RS_API void ast_sip_cli_json_list(struct ast_sip_cli *cli,
				  const char *key); /* key NULL inside a list, or for the top */
RS_API void ast_sip_cli_json_object(struct ast_sip_cli *cli, const char *key); /* key NULL inside a list */
RS_API void ast_sip_cli_json_str(struct ast_sip_cli *cli, const char *key, struct rs_str value);
RS_API void ast_sip_cli_json_int(struct ast_sip_cli *cli, const char *key, int64_t value);
RS_API void ast_sip_cli_json_real(struct ast_sip_cli *cli, const char *key, double value);
RS_API void ast_sip_cli_json_bool(struct ast_sip_cli *cli, const char *key, bool value);
RS_API void ast_sip_cli_json_end(struct ast_sip_cli *cli);

#endif
