/*
 * The whole server (configuration, pool, stack, core, modules by their loader) in one thread over the simulated
 * network and disk, at 10.0.0.1:5060, UDP and TCP. One a process at a time: simulations run it in children
 * (sim_fork.h), or one after another.
 *
 *   sim_server_configure("[alice]\ntype=endpoint\n…", NULL);     // in the parent
 *   sim_fork_run(seed, …):  sim_server_start(seed, disk, 0); … sim_server_stop();
 *   sim_server_forget();
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "sim_run.h"

#define SIM_SERVER "10.0.0.1:5060"

/* Writes pjsip.conf (behind the two transports) and res_sip.conf (NULL: none) into a folder of its own. */
void sim_server_configure(const char *pjsip, const char *own);
/* One more file there, until it is removed. */
void sim_server_file(const char *name, const char *text);
/* What the server has written there for itself is read or removed by its path. */
void sim_server_path(char *path, size_t size, const char *name);
/* Writes them anew, for ast_sip_core_reload or the next start. */
void sim_server_reconfigure(const char *pjsip, const char *own);
/* Removes that folder. */
void sim_server_forget(void);

/*
 * Starts it on disk, with the wall clock so much later than the simulation's start. Modules come from the environment
 * variable MODULE_DIR. A failure is a failed check.
 */
void sim_server_start(uint64_t seed, struct sim_disk *disk, int64_t wall_later_us);
/* Stops it and checks that nothing is left: no socket, no transaction, no update on its way. */
void sim_server_stop(void);
/* Contacts that an AOR is bound to now. */
unsigned sim_server_bindings(const char *aor);
/* The first half of that: nobody sends anything for longer than a transaction lives, then none is left. */
void sim_server_settle(void);
/* Only the server ends, in the midst of whatever it does, and starts again; clock, network, peers and disk go on. */
void sim_server_halt(void);
void sim_server_boot(uint64_t seed);

#endif
