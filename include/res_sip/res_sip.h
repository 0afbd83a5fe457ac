/*
 * The public API of the res_sip design: service registrar, operator of the SIP thread pool, provider of common SIP
 * methods. What is marked (design) stands there under the same name; docs/design-conformance.md says where a
 * signature differs and why. Functions that return int give 0 or -1 with errno set, unless stated otherwise.
 *
 * Calls that leave something running are macros that pass the calling module's hidden handle: that is how the core
 * knows, and can list, what keeps a module from being unloaded.
 */
#ifndef RES_SIP_RES_SIP_H
#define RES_SIP_RES_SIP_H

#include "res_sip/config.h"
#include "res_sip/module.h"
#include "sip/module.h"
#include "sip/resolver.h"

struct sip_dialog;

/* ---- service registration (design) ---- */

/*
 * Hands a service to the stack / takes it back. service stays the caller's and must live until it was taken back. Any
 * thread; takes effect for messages that are dispatched afterwards. After unregister returned, requests in progress may
 * still be in its callbacks: the loader waits for them before it unmaps code. -1: EEXIST (name taken), EINVAL (size,
 * name), ENOENT.
 */
RS_API int ast_sip_register_service_for(struct ast_sip_module *owner, struct sip_module *service);
#define ast_sip_register_service(service) ast_sip_register_service_for(AST_SIP_SELF, (service))
RS_API int ast_sip_unregister_service(struct sip_module *service);

/* (design) */
enum ast_sip_check_auth_result {
	AST_SIP_AUTHENTICATION_CHALLENGE, /* a challenge was sent; the request is answered */
	AST_SIP_AUTHENTICATION_SUCCESS,
	AST_SIP_AUTHENTICATION_FAILED, /* wrong credentials; a new challenge was sent; the request is answered */
	AST_SIP_AUTHENTICATION_NOT_REQUIRED,
	AST_SIP_AUTHENTICATION_ERROR, /* misconfiguration or no memory; 500 was sent */
};

/* What an authenticator fills in for one challenge (design). Slices must live until ast_sip_challenge_request returned;
 * buf is room for what the authenticator makes. */
struct ast_sip_digest_challenge_data {
	uint32_t size;       /* sizeof(struct ast_sip_digest_challenge_data) */
	struct rs_str realm; /* required */
	bool is_md5; /* credentials are a hash H(user:realm:password) (of the algorithm below) rather than plain text */
	union {
		struct {
			struct rs_str username, password;
		} plain;
		struct rs_str md5;  /* lower-case hex; AST_SIP_MD5 */
		struct rs_str hash; /* the same for any algorithm */
	} auth;
	struct rs_str domain; /* may be empty */
	struct rs_str opaque; /* empty: the core provides it */
	struct rs_str nonce;  /* empty: the core provides it */
	enum ast_sip_algorithm algorithm;
	bool stale;
	char buf[192];
};
#define AST_SIP_MAX_CHALLENGES 12 /* in one 401: response size, and work for one request */

/* (design) Replaceable; a default digest authenticator ships as a module. Callbacks run on the request's serializer. */
struct ast_sip_authenticator {
	uint32_t size;
	const char *name;
	/* 1: must be authenticated, 0: need not be, -1: error. */
	int (*requires_authentication)(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx);
	/* 0 when the request carries proper credentials, -1 with errno EACCES (wrong), ENOENT (none), ESTALE (right but
	 * the nonce is old, unknown or was used), EINVAL (misconfigured: 500). */
	int (*authenticate_request)(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx);
	/* Fills challenges (room for *n), sets *n. 0 or -1. The request may be NULL. */
	int (*get_authentication_credentials)(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
					      struct ast_sip_digest_challenge_data *challenges, size_t *n);
	/* Makes a nonce for realm and the request's source into buf (NUL-terminated). NULL: the core's own is used. */
	int (*make_nonce)(struct sip_rx_data *rx, struct rs_str realm, char *buf, size_t size);
	struct ast_sip_module *owner; /* the core's */
};
/* One at a time: -1 EBUSY when another module's is registered; the same module's reload replaces it atomically. */
RS_API int ast_sip_register_authenticator_for(struct ast_sip_module *owner, struct ast_sip_authenticator *auth);
#define ast_sip_register_authenticator(auth) ast_sip_register_authenticator_for(AST_SIP_SELF, (auth))
RS_API int ast_sip_unregister_authenticator(struct ast_sip_authenticator *auth);

/* Answers 401 and 407 to what we sent. */
struct ast_sip_outbound_authenticator {
	uint32_t size;
	const char *name;
	/*
	 * Makes the next request from old and its challenge: a clone with credentials and CSeq + 1, or NULL (ENOENT: no
	 * auth object matches, EACCES: the credentials were refused, ELOOP: too many challenges). attempt counts
	 * from 1.
	 */
	struct sip_tx_data *(*create_request_with_auth)(struct ast_sip_endpoint *endpoint,
							struct sip_rx_data *challenge, struct sip_tx_data *old,
							unsigned attempt);
	struct ast_sip_module *owner;
};
RS_API int ast_sip_register_outbound_authenticator_for(struct ast_sip_module *owner,
						       struct ast_sip_outbound_authenticator *auth);
#define ast_sip_register_outbound_authenticator(auth) ast_sip_register_outbound_authenticator_for(AST_SIP_SELF, (auth))
RS_API int ast_sip_unregister_outbound_authenticator(struct ast_sip_outbound_authenticator *auth);

/* (design) */
struct ast_sip_endpoint_identifier {
	uint32_t size;
	/* The endpoint that sent rx, referenced, or NULL. */
	struct ast_sip_endpoint *(*identify_endpoint)(struct sip_rx_data *rx);
	struct ast_sip_module *owner;
};
/*
 * Several may be registered. name ("ip", "username", …; NULL: unnamed, runs first) gives its place by
 * endpoint_identifier_order, else by the explicit load lines of modules.conf, else ip, username, anonymous, then the
 * rest in order of registration (section 7 of the architecture).
 */
RS_API int ast_sip_register_endpoint_identifier_for(struct ast_sip_module *owner,
						    struct ast_sip_endpoint_identifier *identifier, const char *name);
#define ast_sip_register_endpoint_identifier(identifier)                                                               \
	ast_sip_register_endpoint_identifier_for(AST_SIP_SELF, (identifier), NULL)
#define ast_sip_register_endpoint_identifier_with_name(identifier, name)                                               \
	ast_sip_register_endpoint_identifier_for(AST_SIP_SELF, (identifier), (name))
RS_API int ast_sip_unregister_endpoint_identifier(struct ast_sip_endpoint_identifier *identifier);

/* A line of its own in `pjsip show endpoint`: what a module knows of an endpoint. */
struct ast_sip_endpoint_formatter {
	uint32_t size;
	const char *name;
	void (*format_endpoint)(const struct ast_sip_endpoint *endpoint,
				void (*line)(void *token, struct rs_str key, struct rs_str value), void *token);
	struct ast_sip_module *owner;
};
RS_API int ast_sip_register_endpoint_formatter_for(struct ast_sip_module *owner,
						   struct ast_sip_endpoint_formatter *formatter);
#define ast_sip_register_endpoint_formatter(f) ast_sip_register_endpoint_formatter_for(AST_SIP_SELF, (f))
RS_API int ast_sip_unregister_endpoint_formatter(struct ast_sip_endpoint_formatter *formatter);

/* ---- thread pool (design) ---- */

struct ast_sip_work; /* a serializer under the design's name */

/* A group whose tasks run one after another, in push order. NULL without memory. Any thread. */
RS_API struct ast_sip_work *ast_sip_create_work_for(struct ast_sip_module *owner, const char *name);
#define ast_sip_create_work() ast_sip_create_work_for(AST_SIP_SELF, __func__)
/* What is queued on it runs first; then it goes. Does not wait. */
RS_API void ast_sip_destroy_work(struct ast_sip_work *work);
/* Runs task(data) on the pool in work's order (NULL: any thread). 0 or -1 (ENOMEM, ESHUTDOWN). Any thread. */
RS_API int ast_sip_push_task_for(struct ast_sip_module *owner, const char *name, struct ast_sip_work *work,
				 int (*task)(void *data), void *data);
#define ast_sip_push_task(work, task, data) ast_sip_push_task_for(AST_SIP_SELF, #task, (work), (task), (data))
/* The same, and waits for it; gives what task gave (in *result, may be NULL). In place when work is the current one.
 * -1: EDEADLK (the wait would close a cycle; nothing ran), ENOMEM, ESHUTDOWN. */
RS_API int ast_sip_push_task_wait_for(struct ast_sip_module *owner, const char *name, struct ast_sip_work *work,
				      int (*task)(void *data), void *data, int *result);
#define ast_sip_push_task_wait(work, task, data, result)                                                               \
	ast_sip_push_task_wait_for(AST_SIP_SELF, #task, (work), (task), (data), (result))
/* The work whose task runs on this thread (that of a request's transaction in a service's callback), or NULL. Not
 * referenced. */
RS_API struct ast_sip_work *ast_sip_current_work(void);
/* The same group under both names: the stack's calls take a serializer, the design's a work. */
RS_API struct rs_serializer *ast_sip_work_serializer(struct ast_sip_work *work);
RS_API struct ast_sip_work *ast_sip_serializer_work(struct rs_serializer *serializer); /* that of a dialog, say */

/* A timer whose callback runs as a task on work. One shot; start again from the callback for a period. */
struct ast_sip_timer;
RS_API struct ast_sip_timer *ast_sip_timer_new_for(struct ast_sip_module *owner, const char *name,
						   struct ast_sip_work *work, void (*fire)(void *data), void *data);
#define ast_sip_timer_new(work, fire, data) ast_sip_timer_new_for(AST_SIP_SELF, #fire, (work), (fire), (data))
/* Any thread (pushed to work when not on it); delay in milliseconds, 0..2^31. */
RS_API void ast_sip_timer_start(struct ast_sip_timer *t, int64_t delay_ms);
RS_API void ast_sip_timer_stop(struct ast_sip_timer *t);
/* Stops and frees; fire will not run after this when called on work, else at most once more. */
RS_API void ast_sip_timer_free(struct ast_sip_timer *t);

/* The names under which Asterisk's modules know these: handled by the same functions. */
#define ast_sip_create_serializer()                     ast_sip_create_work()
#define ast_sip_push_task_synchronous(work, task, data) ast_sip_push_task_wait((work), (task), (data), NULL)

/* Transactions and resolver for modules: sip/transaction.h and sip/resolver.h, with the handle passed. */
#define sip_tsx_set_user(tsx, user, token) sip_tsx_set_user_for(AST_SIP_SELF, (tsx), (user), (token))
#define sip_tsx_send(tx, serializer, user, token, timeout_us, out)                                                     \
	sip_tsx_send_for(AST_SIP_SELF, (tx), (serializer), (user), (token), (timeout_us), (out))
#define sip_tsx_hooks_register(hooks)             sip_tsx_hooks_register_for(AST_SIP_SELF, (hooks))
#define sip_resolve(uri, serializer, done, token) sip_resolve_for(AST_SIP_SELF, (uri), (serializer), (done), (token))

/*
 * Counts something of a module that keeps it from being unloaded, beyond what the calls above count by themselves: a
 * callback given to a library, a thread. what is a static word that `module show` and a refused unload print. delta is
 * +1 or -1.
 */
RS_API void ast_sip_module_hold_for(struct ast_sip_module *module, int delta, const char *what);
#define ast_sip_module_hold(what)    ast_sip_module_hold_for(AST_SIP_SELF, 1, (what))
#define ast_sip_module_release(what) ast_sip_module_hold_for(AST_SIP_SELF, -1, (what))

/* The state folder (res_sipd -d), where modules keep files of their own, too; as long as the process. Any thread. */
RS_API const char *ast_sip_state_dir(void);

/* ---- a received request, as the pipeline left it ---- */

/* The endpoint that sent it; the artificial one for an unidentified sender; NULL before identification. Not referenced.
 */
RS_API struct ast_sip_endpoint *ast_sip_rx_endpoint(struct sip_rx_data *rx);
/* The snapshot that the request began with. Not referenced. */
RS_API struct ast_sip_snapshot *ast_sip_rx_snapshot(struct sip_rx_data *rx);
/* Whether digest authentication succeeded, and with which auth object's username (empty when none was needed). */
RS_API bool ast_sip_rx_authenticated(struct sip_rx_data *rx);
RS_API struct rs_str ast_sip_rx_auth_username(struct sip_rx_data *rx);
/* The authenticator says who it was. */
RS_API void ast_sip_rx_set_auth_username(struct sip_rx_data *rx, struct rs_str username);

/*
 * Whether the host of uri names this server: the address that rx reached, an external address or a domain of a
 * transport, a domain alias; a tel URI always does. A service's on_rx_request and whatever grew from it.
 */
RS_API bool ast_sip_host_is_ours(struct sip_rx_data *rx, const struct sip_uri *uri);

/*
 * Answers rx with a bare response (reason empty: the standard phrase) through its transaction. 0 or -1. Any thread, as
 * ast_sip_send_response.
 */
RS_API int ast_sip_respond(struct sip_rx_data *rx, unsigned status, struct rs_str reason);
/* The same, but leaving no transaction (sip_tsx_respond_stateless). */
RS_API int ast_sip_respond_stateless(struct sip_rx_data *rx, unsigned status, struct rs_str reason);
/*
 * Answers with tx (sip_tx_response); takes tx over in every case. Any thread: off the request's serializer the answer
 * is pushed there, and 0 means that it is on its way. Whoever answers later keeps a reference of rx until then.
 */
RS_API int ast_sip_send_response(struct sip_rx_data *rx, struct sip_tx_data *tx);
/*
 * Refuses an INVITE whose body is no SDP, alone or in a multipart (415), or whose sender takes none (406). true: it is
 * answered. On the request's serializer. The core asks for INVITEs that no service handles.
 */
RS_API bool ast_sip_filter_media(struct sip_rx_data *rx);
/* Allow, Supported and Accept as the registered services make them. The slices live until the next (un)register and a
 * quiet point. */
RS_API void ast_sip_add_allow(struct sip_tx_data *tx);
RS_API void ast_sip_add_supported(struct sip_tx_data *tx);

/* ---- common SIP methods (design) ---- */

/*
 * Sends a request by method name: in dlg if one is given, else to uri on behalf of endpoint (NULL: the default
 * outbound endpoint). uri empty or NULL: the first contact of the endpoint's AORs. body (may be NULL) is text/plain.
 * Fire and forget: the outcome is in the log. 0: it is on its way; -1: EINVAL, ENOENT (no contact), ENOMEM. Any thread.
 */
RS_API int ast_sip_send_request(const char *method, const char *body, struct sip_dialog *dlg,
				struct ast_sip_endpoint *endpoint, const char *uri);

/* A request out of dialog, its From, To, Call-ID, Max-Forwards, User-Agent as section 19 of the reference says; NULL
 * with errno. */
RS_API struct sip_tx_data *ast_sip_create_request(const char *method, struct sip_dialog *dlg,
						  struct ast_sip_endpoint *endpoint, const char *uri);

enum ast_sip_request_end { AST_SIP_REQUEST_RESPONSE, AST_SIP_REQUEST_TIMEOUT, AST_SIP_REQUEST_TRANSPORT_ERROR };
/* rx is the final response (NULL unless why is RESPONSE). Runs once, on the caller's work. */
typedef void (*ast_sip_request_cb)(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx);
/*
 * The general form: resolves the target (unless tx has one), sends tx, tries the next target on 503, timeout and
 * transport error, answers challenges through the outbound authenticator, and calls cb. timeout_ms 0: the
 * transaction's. Takes tx over in every case. Any thread; cb runs on the current work, or on one of its own outside of
 * any.
 */
RS_API int ast_sip_send_request_cb_for(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
				       struct ast_sip_endpoint *endpoint, int timeout_ms, ast_sip_request_cb cb,
				       void *token);
#define ast_sip_send_request_cb(tx, dlg, endpoint, timeout_ms, cb, token)                                              \
	ast_sip_send_request_cb_for(AST_SIP_SELF, (tx), (dlg), (endpoint), (timeout_ms), (cb), (token))

/* (design) 1: must be authenticated, 0: need not be (or no authenticator is registered), -1: error. */
RS_API int ast_sip_requires_authentication(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx);
/* (design) 0 when the request carries proper credentials, or when no authenticator is registered. -1 with errno as the
 * authenticator gave it. */
RS_API int ast_sip_authenticate_request(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx);
/* (design) Has the authenticator fill the first challenge. */
RS_API int ast_sip_get_authentication_credentials(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
						  struct ast_sip_digest_challenge_data *challenge);
/* (design) One 401 with n challenges (RFC 8760: one an algorithm, in order of preference), statelessly. Missing opaque
 * and nonce are provided. */
RS_API int ast_sip_challenge_request(struct sip_rx_data *rx, const struct ast_sip_digest_challenge_data *challenges,
				     size_t n);
/* (design) The shortcut over the three above; answers the request unless SUCCESS or NOT_REQUIRED. */
RS_API enum ast_sip_check_auth_result ast_sip_check_authentication(struct ast_sip_endpoint *endpoint,
								   struct sip_rx_data *rx);
/* (design) Runs the identifiers in order; referenced, or NULL. */
RS_API struct ast_sip_endpoint *ast_sip_identify_endpoint(struct sip_rx_data *rx);
/* The lookup sequence of section 6 of the reference for (user, domain) of an arrival: endpoint `U@D`, alias, transport
 * domain, `U`. Referenced. */
RS_API struct ast_sip_endpoint *ast_sip_lookup_endpoint(struct sip_rx_data *rx, struct rs_str user,
							struct rs_str domain);

/* (design) On an outbound message, before it is sent. */
RS_API int ast_sip_add_header(struct sip_tx_data *tx, const char *name, const char *value);
struct ast_sip_body {
	const char *type, *subtype; /* "text", "plain" */
	const char *body_text;      /* NUL-terminated, or body_len bytes when that is not 0 */
	size_t body_len;
};
/* (design) A second body replaces the first. */
RS_API int ast_sip_add_body(struct sip_tx_data *tx, const struct ast_sip_body *body);
/* multipart/mixed of n parts. */
RS_API int ast_sip_add_body_multipart(struct sip_tx_data *tx, const struct ast_sip_body *bodies, size_t n);
/* Text behind what is there. */
RS_API int ast_sip_append_body(struct sip_tx_data *tx, const char *text);

#endif
