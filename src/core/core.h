/*
 * The life of the core: start, listen, reload, stop. The daemon and the simulation are its users. The order is: start
 * (configuration, taskpool, stack, services of the core, location store), modules (loader.h), listen, ready.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "core/config/load.h"
#include "res_sip/module.h"
#include "res_sip/res_sip.h"
#include "sip/module.h"
#include "sip/stack.h"

struct ast_sip_core_options {
	const char *conf_dir;   /* holds pjsip.conf; required */
	const char *state_dir;  /* made when missing; required */
	const char *module_dir; /* required */
	/* The environment; NULL and 0 in production. */
	bool deterministic;
	uint64_t seed;
	const struct sip_net_ops *net;
	void *net_token;
	const struct sip_names_ops *names;
	void *names_token;
};

/* 0, or an errno with errors filled in (EINVAL: the configuration is wrong). Not from a pool thread. */
int ast_sip_core_start(const struct ast_sip_core_options *options, struct ast_sip_conf_errors *errors);
/* Opens the listeners of the snapshot. 0, or -1 after logging which one could not be opened and why. */
int ast_sip_core_listen(void);
/*
 * Reads the configuration again; all or nothing. Then listeners that changed are reopened, permanent contacts renewed
 * and every module's reload called. 0, or -1 with errors. One at a time (a second caller waits). Not from a pool
 * thread.
 */
int ast_sip_core_reload(struct ast_sip_conf_errors *errors);
/* Stops listening, lets running work end for at most grace_ms, unloads modules, stops the stack, commits, ends the
 * pool. */
void ast_sip_core_stop(unsigned grace_ms);
const struct ast_sip_core_options *ast_sip_core_options(void);
/* rs_now_us at start. */
int64_t ast_sip_core_started_us(void);

/* ---- parts of the core that other files of it provide ---- */

/* service.c */
int ast_sip_services_start(void);
void ast_sip_services_stop(void);
/* Takes out everything that module registered (services, identifiers, authenticators, formatters, commands, observers,
 * hooks); counts. */
unsigned ast_sip_services_remove_owned(struct ast_sip_module *module);
/* Puts back what the last remove_owned of module took out (an unload that was refused). */
void ast_sip_services_restore_owned(struct ast_sip_module *module);
/* After a module's unload: forgets what the last remove_owned took out and nobody put back. */
void ast_sip_services_forget_owned(struct ast_sip_module *module);
/* Names of registered services in chain order, for `pjsip show services`. */
void ast_sip_services_each(void (*each)(void *token, const struct sip_module *service), void *token);
void ast_sip_identifiers_each(void (*each)(void *token, const char *name), void *token);
void ast_sip_formatters_each(void (*each)(void *token, const struct ast_sip_endpoint_formatter *formatter),
			     void *token);
/* The modules' order of identifiers from explicit load lines of modules.conf (names like "ip", "username"); copied.
 * Before or after registration. 0 or -1 (ENOMEM). */
int ast_sip_identifiers_set_load_order(const char *const *names, size_t n);
/* distributor.c: the transaction user of the stack. */
void ast_sip_distributor_request(struct sip_tsx *tsx, struct sip_rx_data *rx);
void ast_sip_distributor_stray_response(struct sip_rx_data *rx);
int ast_sip_distributor_tx(struct sip_tx_data *tx);
/* overload.c, budget.c */
enum sip_admission ast_sip_overload_admit(struct sip_msg_class cls, enum sip_transport_type type,
					  const struct sip_addr *peer);
/* Whether it admits whatever comes at this moment. */
bool ast_sip_overload_admits_all(void);
bool ast_sip_budget_allows(const struct sip_addr *peer, size_t question, size_t answer);
/* peer authenticated, or was identified by its address, with a request read at now_us. */
void ast_sip_budget_verified(const struct sip_addr *peer, int64_t now_us);
bool ast_sip_peer_trusted(const struct sip_addr *peer);
/* unidentified.c (section 10 of the reference) */
void ast_sip_unidentified_each(void (*each)(void *token, const struct sip_addr *ip, unsigned count, int64_t age_s),
			       void *token);

/* location/: the store behind it. path NULL: memory only. Blocks (reads what is stored). */
int ast_sip_location_start(const char *state_dir, bool durable);
void ast_sip_location_stop(void); /* commits what is pending and closes the store; the pool still runs */
void ast_sip_location_free(void); /* the memory index, after the pool has stopped */
/* After a new snapshot: permanent contacts, aors that went. */
void ast_sip_location_configured(struct ast_sip_snapshot *s);

#endif
