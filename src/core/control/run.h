/* One run of a command: what it prints and what becomes of it. */
#ifndef CORE_CONTROL_RUN_H
#define CORE_CONTROL_RUN_H

#include "res_sip/cli.h"

#include <jansson.h>

/* Objects within objects: deeper than any command of ours goes. */
#define CLI_MAX_DEPTH 8

struct cli_text {
	char *p;
	size_t len, size;
	bool failed; /* no memory: what was written is not whole */
};
void cli_text_add(struct cli_text *t, const char *fmt, va_list ap) RS_PRINTF(2, 0);

struct ast_sip_cli {
	bool json;
	int alternative;
	struct cli_text out, err;
	json_t *root;
	json_t *open[CLI_MAX_DEPTH];
	unsigned depth, too_deep;
};

/* Runs argv. Gives {"exit": n, "out": text, "err": text}; NULL without memory. */
json_t *cli_run(int argc, const char *const *argv, bool json);

#endif
