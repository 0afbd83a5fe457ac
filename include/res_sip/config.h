/*
 * Configuration as services see it: immutable objects of one snapshot (section 5 of the architecture). A reload builds
 * a new snapshot beside the old one and swaps; unchanged objects are shared between both.
 *
 * Objects are reference-counted: what a function returns is released with its _unref. Strings belong to the object.
 * Any thread may call any of these; none blocks.
 *
 *   struct ast_sip_endpoint *e = ast_sip_endpoint_get(RS_STR("alice"));
 *   if (e) { … ast_sip_endpoint_settings(e)->force_rport …; ast_sip_endpoint_unref(e); }
 */
#ifndef RES_SIP_CONFIG_H
#define RES_SIP_CONFIG_H

#include "base/str.h"
#include "sip/addr.h"

struct ast_sip_endpoint;
struct ast_sip_aor;
struct ast_sip_auth;
struct ast_sip_identify;
struct ast_sip_acl;      /* a type=acl section, or the rules of an endpoint */
struct ast_sip_snapshot; /* everything that one load read */

/* A list of strings (aors, auth, match, …): n entries, each NUL-terminated too. */
struct ast_sip_strings {
	const struct rs_str *v;
	uint32_t n;
};

/* ---- snapshot ---- */

/* The snapshot in force, referenced. NULL before the first load. */
RS_API struct ast_sip_snapshot *ast_sip_snapshot_get(void);
RS_API struct ast_sip_snapshot *ast_sip_snapshot_ref(struct ast_sip_snapshot *s);
RS_API void ast_sip_snapshot_unref(struct ast_sip_snapshot *s);

/*
 * Lets go of the snapshot that the calling thread keeps for itself so that ast_sip_snapshot_get is cheap. For a thread
 * that goes idle, so that it does not keep an old snapshot in memory after a reload; a thread that ends does it itself.
 */
RS_API void ast_sip_snapshot_thread_release(void);

/* By id in the current snapshot (…_get) or in a given one (…_find). Case-sensitive. NULL: there is none. */
RS_API struct ast_sip_endpoint *ast_sip_endpoint_get(struct rs_str id);
RS_API struct ast_sip_aor *ast_sip_aor_get(struct rs_str id);
RS_API struct ast_sip_auth *ast_sip_auth_get(struct rs_str id);
RS_API struct ast_sip_endpoint *ast_sip_endpoint_find(struct ast_sip_snapshot *s, struct rs_str id);
RS_API struct ast_sip_aor *ast_sip_aor_find(struct ast_sip_snapshot *s, struct rs_str id);
RS_API struct ast_sip_auth *ast_sip_auth_find(struct ast_sip_snapshot *s, struct rs_str id);
/* The same, but lent: without a reference, as long as somebody holds s (a request holds its own). */
RS_API struct ast_sip_endpoint *ast_sip_snapshot_endpoint(struct ast_sip_snapshot *s, struct rs_str id);
RS_API struct ast_sip_aor *ast_sip_snapshot_aor(struct ast_sip_snapshot *s, struct rs_str id);
RS_API struct ast_sip_auth *ast_sip_snapshot_auth(struct ast_sip_snapshot *s, struct rs_str id);
/* The real domain that alias stands for (type=domain_alias), or an empty slice. Lives as long as s. */
RS_API struct rs_str ast_sip_domain_alias_find(struct ast_sip_snapshot *s, struct rs_str alias);

/* Objects of a type in byte order of their ids; pointers live as long as s (no reference is taken). */
struct ast_sip_endpoints {
	struct ast_sip_endpoint *const *v;
	uint32_t n;
};
struct ast_sip_aors {
	struct ast_sip_aor *const *v;
	uint32_t n;
};
struct ast_sip_auths {
	struct ast_sip_auth *const *v;
	uint32_t n;
};
struct ast_sip_identifies {
	struct ast_sip_identify *const *v;
	uint32_t n;
};
struct ast_sip_acls {
	struct ast_sip_acl *const *v;
	uint32_t n;
};
struct ast_sip_transports {
	const struct ast_sip_transport *const *v;
	uint32_t n;
};
RS_API struct ast_sip_endpoints ast_sip_snapshot_endpoints(struct ast_sip_snapshot *s);
RS_API struct ast_sip_aors ast_sip_snapshot_aors(struct ast_sip_snapshot *s);
RS_API struct ast_sip_auths ast_sip_snapshot_auths(struct ast_sip_snapshot *s);
RS_API struct ast_sip_identifies ast_sip_snapshot_identifies(struct ast_sip_snapshot *s);
RS_API struct ast_sip_acls ast_sip_snapshot_acls(struct ast_sip_snapshot *s); /* type=acl sections */
RS_API struct ast_sip_transports ast_sip_snapshot_transports(struct ast_sip_snapshot *s);

/* ---- endpoint ---- */

enum ast_sip_identify_by {
	AST_SIP_BY_USERNAME = 1,
	AST_SIP_BY_AUTH_USERNAME = 2,
	AST_SIP_BY_IP = 4,
	AST_SIP_BY_HEADER = 8,
	AST_SIP_BY_REQUEST_URI = 16,
};
enum ast_sip_100rel { AST_SIP_100REL_NO, AST_SIP_100REL_YES, AST_SIP_100REL_PEER_SUPPORTED, AST_SIP_100REL_REQUIRED };
enum ast_sip_timers { AST_SIP_TIMERS_NO, AST_SIP_TIMERS_YES, AST_SIP_TIMERS_REQUIRED, AST_SIP_TIMERS_ALWAYS };
enum ast_sip_redirect { AST_SIP_REDIRECT_USER, AST_SIP_REDIRECT_URI_CORE, AST_SIP_REDIRECT_URI_PJSIP };

/*
 * The signaling options of an endpoint (class S of the reference, section 4.4, same names and defaults). Shared by all
 * endpoints that have the same values.
 */
struct ast_sip_endpoint_settings {
	struct ast_sip_strings outbound_auth;
	struct rs_str transport, outbound_proxy;
	unsigned identify_by; /* enum ast_sip_identify_by */
	struct rs_str from_user, from_domain, contact_user;
	bool force_rport, rewrite_contact, allow_unauthenticated_options;
	const struct ast_sip_acl *acl; /* deny, permit, acl, contact_*; NULL: no rule */
	enum ast_sip_100rel rel100;
	enum ast_sip_timers timers;
	uint32_t timers_min_se, timers_sess_expires, sub_min_expiry;
	bool allow_subscribe, allow_transfer, user_eq_phone;
	enum ast_sip_redirect redirect_method;
	bool follow_redirect_message;
	struct rs_str callerid, callerid_privacy;
	bool trust_id_inbound, trust_id_outbound, send_pai, send_rpid, send_diversion, send_history_info;
	uint32_t device_state_busy_at;
	bool refer_blind_progress, ignore_183_without_sdp;
	struct rs_str context, message_context;
};

RS_API struct ast_sip_endpoint *ast_sip_endpoint_ref(struct ast_sip_endpoint *e);
RS_API void ast_sip_endpoint_unref(struct ast_sip_endpoint *e); /* NULL is allowed */
RS_API struct rs_str ast_sip_endpoint_id(const struct ast_sip_endpoint *e);
RS_API const struct ast_sip_endpoint_settings *ast_sip_endpoint_settings(const struct ast_sip_endpoint *e);
RS_API struct ast_sip_strings ast_sip_endpoint_aors(const struct ast_sip_endpoint *e);  /* ids */
RS_API struct ast_sip_strings ast_sip_endpoint_auths(const struct ast_sip_endpoint *e); /* ids */
/* The objects of these, by the place in the list; lent: as long as e. NULL: past its end. */
RS_API struct ast_sip_aor *ast_sip_endpoint_aor(const struct ast_sip_endpoint *e, uint32_t i);
RS_API const struct ast_sip_auth *ast_sip_endpoint_auth(const struct ast_sip_endpoint *e, uint32_t i);

/*
 * The artificial endpoint: what an unidentified sender is treated as, so that it sees what everybody sees
 * (section 8 of the reference). Never NULL after the first load; its auth never verifies. Referenced.
 */
RS_API struct ast_sip_endpoint *ast_sip_artificial_endpoint(void);
RS_API bool ast_sip_endpoint_is_artificial(const struct ast_sip_endpoint *e);

/* ---- aor ---- */

struct ast_sip_aor_settings {
	struct ast_sip_strings contact; /* permanent contacts, URI texts */
	uint32_t max_contacts;
	bool remove_existing, remove_unavailable, support_path, qualify_2xx_only;
	uint32_t minimum_expiration, maximum_expiration, default_expiration; /* seconds */
	uint32_t qualify_frequency;                                          /* seconds, 0: off */
	uint32_t qualify_timeout_ms;
	struct rs_str outbound_proxy;
};
RS_API struct ast_sip_aor *ast_sip_aor_ref(struct ast_sip_aor *a);
RS_API void ast_sip_aor_unref(struct ast_sip_aor *a);
RS_API struct rs_str ast_sip_aor_id(const struct ast_sip_aor *a);
RS_API const struct ast_sip_aor_settings *ast_sip_aor_settings(const struct ast_sip_aor *a);

/* ---- auth ---- */

enum ast_sip_algorithm { AST_SIP_MD5, AST_SIP_SHA_256, AST_SIP_SHA_512_256, AST_SIP_ALGORITHMS };
RS_API struct rs_str ast_sip_algorithm_name(enum ast_sip_algorithm a); /* "MD5", "SHA-256", "SHA-512-256" */
/* Any case; -1: unknown. */
RS_API int ast_sip_algorithm_from_name(struct rs_str name, enum ast_sip_algorithm *out);

/* in order of preference */
struct ast_sip_algorithms {
	uint8_t v[AST_SIP_ALGORITHMS];
	uint8_t n;
};
RS_API struct ast_sip_auth *ast_sip_auth_ref(struct ast_sip_auth *a);
RS_API void ast_sip_auth_unref(struct ast_sip_auth *a);
RS_API struct rs_str ast_sip_auth_id(const struct ast_sip_auth *a);
RS_API struct rs_str ast_sip_auth_username(const struct ast_sip_auth *a);
RS_API struct rs_str ast_sip_auth_password(const struct ast_sip_auth *a); /* secret; empty: none */
/* The lower-case hex H(user:realm:password) of that algorithm (password_digest, md5_cred); empty: none. Secret. */
RS_API struct rs_str ast_sip_auth_digest(const struct ast_sip_auth *a, enum ast_sip_algorithm alg);
RS_API struct rs_str ast_sip_auth_realm(const struct ast_sip_auth *a); /* as configured; empty: default_realm / any */
RS_API uint32_t ast_sip_auth_nonce_lifetime(const struct ast_sip_auth *a); /* seconds */
/* The list in force (its own, else the global default). */
RS_API struct ast_sip_algorithms ast_sip_auth_algorithms_uas(const struct ast_sip_auth *a);
RS_API struct ast_sip_algorithms ast_sip_auth_algorithms_uac(const struct ast_sip_auth *a);

/* ---- identify ---- */

struct ast_sip_match {
	bool negate;
	struct sip_addr addr; /* port 0: any */
	uint8_t bits;         /* prefix length */
};
struct ast_sip_identify_settings {
	struct rs_str endpoint;
	const struct ast_sip_match *match; /* in order; the last that matches decides; host names resolved at load */
	uint32_t n_match;
	struct rs_str header_name, header_value; /* header_value without the slashes of a regex */
	const void *header_regex;                /* regex_t or NULL */
	struct rs_str request_uri;
	const void *request_uri_regex;
	bool srv_lookups;
	struct ast_sip_strings hosts; /* the names among match, as written */
};
RS_API struct rs_str ast_sip_identify_id(const struct ast_sip_identify *i);
RS_API const struct ast_sip_identify_settings *ast_sip_identify_settings(const struct ast_sip_identify *i);

/* ---- acl ---- */

/*
 * Section 12 of the reference: the last matching rule of each list decides, every list must allow, no match allows;
 * IPv4-mapped counts as IPv4. *name (may be NULL) is the list that refused, "(BASELINE)" for unnamed rules.
 */
RS_API bool ast_sip_acl_allows(const struct ast_sip_acl *acl, const struct sip_addr *source, const char **name);
RS_API bool ast_sip_acl_allows_contact(const struct ast_sip_acl *acl, const struct sip_addr *host, const char **name);
RS_API bool ast_sip_acl_has_contact_rules(const struct ast_sip_acl *acl);
RS_API struct rs_str ast_sip_acl_id(const struct ast_sip_acl *acl);
/* Whether addr is inside a transport's local_net: the last item that matches decides, "!" excludes. NULL holds nothing.
 */
RS_API bool ast_sip_local_net_contains(const struct ast_sip_acl *local_net, const struct sip_addr *addr);

/* ---- transport ---- */

struct ast_sip_transport {
	struct rs_str id;
	enum sip_transport_type protocol;
	bool flow;            /* protocol=flow: binds nothing */
	struct sip_addr bind; /* port filled in with the default */
	struct rs_str domain, external_signaling_address;
	uint16_t external_signaling_port;
	const struct ast_sip_acl *local_net; /* NULL: none set */
	bool symmetric_transport, allow_reload, tcp_keepalive_enable;
	uint8_t tos, cos;
	int tcp_keepalive_idle_time, tcp_keepalive_interval_time, tcp_keepalive_probe_count;
};
RS_API const struct ast_sip_transport *ast_sip_transport_find(struct ast_sip_snapshot *s, struct rs_str id);

/* ---- global and system ---- */

struct ast_sip_global {
	uint32_t max_forwards, keep_alive_interval, contact_expiration_check_interval, max_initial_qualify_time;
	bool disable_multi_domain, ignore_uri_user_options, norefersub;
	uint32_t unidentified_request_period, unidentified_request_count, unidentified_request_prune_interval;
	struct rs_str user_agent, default_outbound_endpoint, debug, default_from_user, default_realm;
	struct ast_sip_strings endpoint_identifier_order;
	bool endpoint_identifier_order_set; /* it stands in the file */
	struct ast_sip_algorithms default_auth_algorithms_uas, default_auth_algorithms_uac;
	int overload_trigger; /* 0 global, 1 pjsip_only, 2 none */
};
struct ast_sip_system {
	uint32_t timer_t1_ms, timer_b_ms;
	bool compact_headers, disable_tcp_switch, disable_rport;
	uint32_t taskpool_minimum_size, taskpool_initial_size, taskpool_auto_increment, taskpool_idle_timeout,
		taskpool_max_size;
};
/* Live as long as s. */
RS_API const struct ast_sip_global *ast_sip_snapshot_global(struct ast_sip_snapshot *s);
RS_API const struct ast_sip_system *ast_sip_snapshot_system(struct ast_sip_snapshot *s);

/* ---- res_sip.conf: what is our own ---- */

/*
 * An option of res_sip.conf by section and name, from the snapshot (its default when the file does not set it). The
 * option must be known: to the table in src/core/config/own_options.h or to a section that a module registered; an
 * unknown one gives def. Numbers carry the unit that docs/configuration.md states.
 */
RS_API bool ast_sip_own_bool(struct ast_sip_snapshot *s, const char *section, const char *option, bool def);
RS_API uint32_t ast_sip_own_uint(struct ast_sip_snapshot *s, const char *section, const char *option, uint32_t def);
RS_API struct rs_str ast_sip_own_str(struct ast_sip_snapshot *s, const char *section, const char *option);
RS_API struct ast_sip_strings ast_sip_own_list(struct ast_sip_snapshot *s, const char *section, const char *option);

/*
 * Options that a module adds to res_sip.conf, in a section of its own. From then on each load checks and types them;
 * values of the snapshot in force that stand in the file already are read as text until the next load. rows stay the
 * caller's until they are unregistered (by the same pointer). 0, or -1 without memory. Any thread but none in a load.
 */
enum ast_sip_own_kind {
	AST_SIP_OWN_BOOL,
	AST_SIP_OWN_UINT, /* min to max */
	AST_SIP_OWN_STR,
	AST_SIP_OWN_LIST,
	AST_SIP_OWN_NETWORKS, /* a list of addresses, each with or without "/bits" */
	AST_SIP_OWN_LEVEL,    /* a log level */
	AST_SIP_OWN_WHEN,     /* always, moved or never */
};
struct ast_sip_own_option {
	const char *section, *option;
	enum ast_sip_own_kind kind;
	const char *def; /* as it would stand in the file */
	uint32_t min, max;
	const char *help;
};
RS_API int ast_sip_own_register(const struct ast_sip_own_option *rows, size_t n);
RS_API void ast_sip_own_unregister(const struct ast_sip_own_option *rows);

/* ---- for show commands ---- */

/* Every option of an object with its effective value in text, sorted by name; secrets are left out ("********"). */
RS_API void ast_sip_object_options(const void *object, const char *type,
				   void (*each)(void *token, struct rs_str name, struct rs_str value), void *token);

#endif
