/* The control socket: where `res_sip` and the operator talk to a running server. */
#ifndef CORE_CONTROL_CONTROL_H
#define CORE_CONTROL_CONTROL_H

#include "core/config/load.h"

struct ast_sip_control_config {
	const char *socket_path; /* copied */
	/* `core stop`: asks the main thread to end the server (at once: without waiting for running work). Must not
	 * block. */
	void (*stop)(void *token, bool at_once);
	/* `pjsip reload`: 0, or -1 with errors. May block. */
	int (*reload)(void *token, struct ast_sip_conf_errors *errors);
	void *token;
};

/*
 * Takes the state folder for this process, until it ends. Gives a descriptor to keep (close it last), or -1: another
 * server runs on it (*owner is its process id, 0 when unknown) or errno says why.
 */
int ast_sip_control_lock(const char *state_dir, int *owner);

/*
 * Listens on the socket (mode 0600; a socket that a dead server left is removed) and starts the thread that serves it.
 * 0, or -1 after logging why. After the core has started.
 */
int ast_sip_control_start(const struct ast_sip_control_config *config);
/* Ends the thread (a command that runs is waited for, replies are sent) and removes the socket. */
void ast_sip_control_stop(void);
const struct ast_sip_control_config *ast_sip_control_config(void);

#endif
