/*
 * Reading configuration: files → sections → objects → snapshot. Every error is kept with its place; nothing is in
 * force until everything is right.
 */
#ifndef CORE_CONFIG_LOAD_H
#define CORE_CONFIG_LOAD_H

#include "res_sip/config.h"

struct ast_sip_conf_error {
	char *file;
	unsigned line; /* 0: the file as a whole */
	bool warning;  /* does not make the load fail */
	char *text;    /* without file and line */
};
struct ast_sip_conf_errors {
	struct ast_sip_conf_error *v;
	size_t n;
	size_t n_fatal; /* those that are not warnings */
};
void ast_sip_conf_errors_free(struct ast_sip_conf_errors *errors);

/*
 * Reads pjsip.conf (must exist), res_sip.conf and acl.conf (may be absent) in dir. Gives a snapshot that is not yet
 * in force (one reference), or NULL when there is any error. previous (may be NULL): objects that did not change are
 * shared with it. Blocks on files (and on DNS when an identify names hosts): executor or start-up only.
 */
struct ast_sip_snapshot *ast_sip_snapshot_load(const char *dir, struct ast_sip_snapshot *previous,
					       struct ast_sip_conf_errors *errors);
/* Puts s in force (takes over the reference; NULL: at the end of the process). */
void ast_sip_snapshot_install(struct ast_sip_snapshot *s);
/*
 * Freeing a snapshot of many objects takes a while. reclaim (NULL: free at once, the default) is called by the thread
 * that gives the last reference back, and has run(arg) called elsewhere, say on an executor. At start-up.
 */
void ast_sip_snapshot_set_reclaim(void (*reclaim)(void (*run)(void *), void *arg));

/*
 * How a load resolves the names of identify sections: up to max addresses of host into out; their number, or -1 when
 * there is none. May block. Default: getaddrinfo. Change it before the first load (the simulation does).
 */
extern int (*ast_sip_conf_resolve)(const char *host, struct sip_addr *out, size_t max);

/*
 * How a load computes HA1, H(username:realm:password), of each algorithm that an auth is asked for: out has room for
 * the digest's bytes. 0 or -1. NULL (the default): none is kept. Change it before the first load. It is done then, not
 * when somebody first logs in: that one would take longer than others, and tell that the user exists.
 */
extern int (*ast_sip_conf_ha1)(enum ast_sip_algorithm algorithm, struct rs_str username, struct rs_str realm,
			       struct rs_str password, uint8_t *out);
/* HA1 for a's username and the realm in force where a belongs to: its own, else default_realm. NULL: none is kept. */
const uint8_t *ast_sip_auth_kept_ha1(const struct ast_sip_auth *a, enum ast_sip_algorithm alg);

/* An endpoint of that id will be looked for soon: the place where it is found comes into the cache. */
void ast_sip_snapshot_expect(const struct ast_sip_snapshot *s, struct rs_str user);
/* What the pipeline will read of e's auth and AOR comes into the cache. */
void ast_sip_endpoint_prefetch(const struct ast_sip_endpoint *e);
/* Whether the id of any endpoint of s has an '@': else nobody is known by user@domain. */
bool ast_sip_snapshot_has_at_endpoints(const struct ast_sip_snapshot *s);
/* security.informational */
bool ast_sip_snapshot_informational(const struct ast_sip_snapshot *s);

/* Options that are known but do not apply here (yet), each once, as "type.option", then types that are
 * known but not built yet, as "type"; lives as long as s. */
struct ast_sip_strings ast_sip_snapshot_not_applicable(struct ast_sip_snapshot *s);

/* Whether two transports, say of two snapshots, say the same, so that an open listener may stay. */
bool ast_sip_transport_same(const struct ast_sip_transport *a, const struct ast_sip_transport *b);

/* modules.conf, in the order of section 15 of the reference. */
struct ast_sip_module_line {
	enum {
		AST_SIP_MODULE_LOAD,
		AST_SIP_MODULE_REQUIRE,
		AST_SIP_MODULE_PRELOAD,
		AST_SIP_MODULE_PRELOAD_REQUIRE,
		AST_SIP_MODULE_NOLOAD
	} what;
	char *name; /* as written, without ".so", lower case */
	char *file;
	unsigned line;
};
struct ast_sip_modules_conf {
	bool present, autoload;        /* present false: no such file; then autoload is true */
	struct ast_sip_module_line *v; /* in file order */
	size_t n;
};
/* 0, or -1 with errors. Free with ast_sip_modules_conf_free in both cases. */
int ast_sip_modules_conf_load(const char *dir, struct ast_sip_modules_conf *out, struct ast_sip_conf_errors *errors);
void ast_sip_modules_conf_free(struct ast_sip_modules_conf *c);

#endif
