/* Listeners as the configuration wants them. */
#ifndef CORE_LISTEN_H
#define CORE_LISTEN_H

#include "core/config/load.h"

/* Opens what s lists; 0, or -1 after logging (those opened before stay open). */
int ast_sip_listeners_open(struct ast_sip_snapshot *s);
/*
 * Makes the difference between two snapshots: closes, opens, reopens. 0, or -1 with the error added to errors and all
 * listeners as they were before.
 */
int ast_sip_listeners_change(struct ast_sip_snapshot *from, struct ast_sip_snapshot *to,
			     struct ast_sip_conf_errors *errors);
void ast_sip_listeners_close(struct ast_sip_snapshot *s);

#endif
