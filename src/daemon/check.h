/* Errors of the configuration, printed; and --check. */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include "core/config/load.h"
#include "options.h"

/* Prints every error as "file:line: message" to stderr. */
void check_print(const struct ast_sip_conf_errors *errors);
/* Reads everything, starts nothing. The exit status. */
int check_run(const struct options *o);

#endif
