/* Listeners as the configuration wants them. One thread at a time, never the pool's. */
#ifndef CORE_LISTEN_H
#define CORE_LISTEN_H

#include "core/config/load.h"

/* Opens what s lists; 0, or -1 after logging (those opened before stay open). */
int ast_sip_listeners_open(struct ast_sip_snapshot *s);
/*
 * Opens, reopens and closes until what s lists is open. A transport that changed without allow_reload stays as it is,
 * with a warning in errors. 0, or -1 with the error added to errors and all listeners as they were before.
 */
int ast_sip_listeners_change(struct ast_sip_snapshot *s, struct ast_sip_conf_errors *errors);
void ast_sip_listeners_close(void);

#endif
