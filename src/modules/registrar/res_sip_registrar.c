/*
 * The registrar (RFC 3261 section 10, section 7 of the reference). A REGISTER is looked at on its transaction's
 * serializer; what it changes is worked out on its AOR's, where all changes of the AOR follow one another, and it is
 * answered when the location store has committed them.
 */
#include "registrar.h"
#include "base/clock.h"
#include "base/log.h"
#include "res_sip/digest.h"
#include "res_sip/security.h"

#include <errno.h>
#include <stdlib.h>

#define LOG_FILE "res_pjsip_registrar.c"
#define LOG_TEXT 512

static void refuse(struct sip_rx_data *rx, unsigned status, enum ast_sip_security_event event, const char *reason)
{
	if (reason)
		ast_sip_security_event(event, rx, ast_sip_endpoint_id(ast_sip_rx_endpoint(rx)), rs_str_c(reason));
	ast_sip_respond(rx, status, RS_STR_NULL);
}

/* ---- which AOR ---- */

/* Longer than any section name may be. */
#define MAX_NAME 512

/* Whether id is `user@domain`, or `user` when domain is empty. */
static bool is_name(struct rs_str id, struct rs_str user, struct rs_str domain)
{
	if (!domain.len)
		return rs_str_eq(id, user);
	return id.len == user.len + 1 + domain.len && rs_str_starts(id, user) && id.p[user.len] == '@' &&
	       memcmp(id.p + user.len + 1, domain.p, domain.len) == 0;
}

/* The AOR of that name when the endpoint lists it. */
static struct ast_sip_aor *find_name(struct sip_rx_data *rx, struct rs_str user, struct rs_str domain)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);
	struct ast_sip_aor *aor = NULL;

	for (uint32_t i = 0; user.len + 1 + domain.len < MAX_NAME && (aor = ast_sip_endpoint_aor(endpoint, i)); i++) {
		if (is_name(ast_sip_aor_id(aor), user, domain))
			return aor;
	}
	return NULL;
}

static bool lists_domain(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);
	const struct ast_sip_aor *aor;

	for (uint32_t i = 0; (aor = ast_sip_endpoint_aor(endpoint, i)); i++) {
		if (rs_str_chr(ast_sip_aor_id(aor), '@'))
			return true;
	}
	return false;
}

static struct ast_sip_aor *find_user(struct sip_rx_data *rx, struct rs_str user, struct rs_str domain)
{
	struct ast_sip_aor *aor = NULL;

	if (lists_domain(rx)) {
		struct rs_str alias = ast_sip_domain_alias_find(ast_sip_rx_snapshot(rx), domain);

		aor = domain.len ? find_name(rx, user, domain) : NULL;
		if (!aor && alias.len)
			aor = find_name(rx, user, alias);
	}
	return aor ? aor : find_name(rx, user, RS_STR_NULL);
}

static struct ast_sip_aor *find_aor(struct sip_rx_data *rx, const struct sip_uri *to)
{
	struct ast_sip_aor *aor = NULL;
	const struct sip_auth *auth;
	char user[256];
	int n;

	if (!rs_str_chr(to->user, '%') && to->user.len < sizeof(user))
		aor = to->user.len ? find_user(rx, to->user, to->host) : NULL;
	else if ((n = sip_unescape(to->user, user, sizeof(user))) > 0)
		aor = find_user(rx, rs_str_n(user, (size_t)n), to->host);
	if (aor || !(ast_sip_endpoint_settings(ast_sip_rx_endpoint(rx))->identify_by & AST_SIP_BY_AUTH_USERNAME))
		return aor;
	for (unsigned i = 0; !aor && (auth = sip_msg_auth(sip_rx_msg(rx), SIP_HDR_AUTHORIZATION, i)); i++) {
		struct ast_sip_digest d;
		if (!ast_sip_digest_read(auth, &d) && (n = sip_unquote(d.username, user, sizeof(user))) > 0)
			aor = find_user(rx, rs_str_n(user, (size_t)n), d.realm);
	}
	return aor;
}

/* ---- a registration ---- */

static void registration_free(struct registration *r)
{
	struct sip_rx_data *rx = r->rx;

	free(r->changes);
	sip_tsx_unref(r->tsx);
	sip_rx_unref(rx); /* r itself was in its arena */
}

static void warn_exceeded(struct registration *r)
{
	char endpoint[LOG_TEXT], aor[LOG_TEXT], addr[SIP_ADDR_TEXT];

	rs_log_line(RS_LOG_WARNING, LOG_FILE,
		    "Registration attempt from endpoint '%s' (%s) to AOR '%s' will exceed max contacts of %u",
		    rs_log_escape(endpoint, sizeof(endpoint), ast_sip_endpoint_id(ast_sip_rx_endpoint(r->rx))),
		    sip_addr_text(sip_rx_source(r->rx), true, addr),
		    rs_log_escape(aor, sizeof(aor), ast_sip_aor_id(r->aor)),
		    ast_sip_aor_settings(r->aor)->max_contacts);
}

/* On the AOR's serializer: everything asked for is committed, or nothing happened. */
static void update_done(void *token, int error, struct ast_sip_contacts *contacts)
{
	struct registration *r = token;
	struct sip_tx_data *answer = error ? NULL : registrar_answer(r, contacts);

	if (answer) {
		ast_sip_send_response(r->rx, answer);
	} else {
		unsigned status = r->status ? r->status : error == ENOSPC ? 503 : 500;

		if (r->reason)
			warn_exceeded(r);
		if (error && error != ECANCELED)
			rs_event(RS_LOG_ERROR, "register.failed", RS_FS("aor", ast_sip_aor_id(r->aor)),
				 RS_FS("call_id", sip_rx_msg(r->rx)->call_id), RS_FZ("error", strerror(error)));
		refuse(r->rx, status, AST_SIP_SEC_FAILED_ACL, r->reason);
	}
	ast_sip_contacts_unref(contacts);
	registration_free(r);
}

static const struct ast_sip_location_update update = {
	.size = sizeof(struct ast_sip_location_update),
	.begin = registrar_begin,
	.done = update_done,
};

enum warning { NO_AORS, AOR_NOT_FOUND, NO_MAX_CONTACTS, BAD_CONTACTS };

/* The lines of section 17 of the reference. */
static void warn(struct sip_rx_data *rx, enum warning what, struct rs_str id)
{
	char endpoint[LOG_TEXT], aor[LOG_TEXT], addr[SIP_ADDR_TEXT];

	rs_log_escape(endpoint, sizeof(endpoint), ast_sip_endpoint_id(ast_sip_rx_endpoint(rx)));
	rs_log_escape(aor, sizeof(aor), id);
	sip_addr_text(sip_rx_source(rx), true, addr);
	switch (what) {
	case NO_AORS:
		rs_log_line(RS_LOG_WARNING, LOG_FILE, "Endpoint '%s' (%s) has no configured AORs", endpoint, addr);
		break;
	case AOR_NOT_FOUND:
		rs_log_line(RS_LOG_WARNING, LOG_FILE, "AOR '%s' not found for endpoint '%s' (%s)", aor, endpoint, addr);
		break;
	case NO_MAX_CONTACTS:
		rs_log_line(RS_LOG_WARNING, LOG_FILE,
			    "AOR '%s' has no configured max_contacts. Endpoint '%s' (%s) unable to register", aor,
			    endpoint, addr);
		break;
	case BAD_CONTACTS:
		rs_log_line(RS_LOG_WARNING, LOG_FILE, "Failed to validate contacts in REGISTER request from '%s'",
			    endpoint);
		break;
	}
}

static void begin_registration(struct sip_rx_data *rx, struct ast_sip_aor *aor)
{
	struct registration *r = rs_arena_zalloc(sip_rx_msg(rx)->arena, sizeof(*r));
	unsigned status = 500;

	if (r) {
		r->rx = rx;
		r->aor = aor;
		status = registrar_parse(r);
	}
	if (status) {
		if (status == 400)
			warn(rx, BAD_CONTACTS, RS_STR_NULL);
		refuse(rx, status, AST_SIP_SEC_FAILED_ACL,
		       status == 400 ? "registrar_invalid_contacts_provided" : NULL);
		return;
	}
	sip_rx_ref(rx);
	r->tsx = sip_tsx_ref(sip_rx_tsx(rx));
	if (ast_sip_location_update(ast_sip_aor_id(aor), &update, r)) {
		ast_sip_respond(rx, 500, RS_STR_NULL);
		registration_free(r);
	}
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);
	const struct sip_name_addr *to;
	struct ast_sip_aor *aor;

	if (sip_rx_msg(rx)->method != SIP_METHOD_REGISTER)
		return false;
	if (!ast_sip_endpoint_aors(endpoint).n) {
		warn(rx, NO_AORS, RS_STR_NULL);
		refuse(rx, 403, AST_SIP_SEC_FAILED_ACL, "registrar_attempt_without_configured_aors");
		return true;
	}
	to = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_TO, 0);
	if (!to || !sip_uri_is_sip(&to->uri)) {
		refuse(rx, 416, AST_SIP_SEC_FAILED_ACL, "registrar_invalid_uri_in_to_received");
		return true;
	}
	aor = find_aor(rx, &to->uri);
	if (!aor) {
		warn(rx, AOR_NOT_FOUND, to->uri.user);
		refuse(rx, 404, AST_SIP_SEC_REQUEST_NOT_SUPPORTED, "registrar_requested_aor_not_found");
		return true;
	}
	if (!ast_sip_aor_settings(aor)->max_contacts) {
		warn(rx, NO_MAX_CONTACTS, ast_sip_aor_id(aor));
		refuse(rx, 403, AST_SIP_SEC_REQUEST_NOT_SUPPORTED, "registrar_attempt_without_registration_permitted");
		return true;
	}
	begin_registration(rx, aor);
	return true;
}

/* ---- what happens to bindings, for the log ---- */

static const char *const removed_for[AST_SIP_CONTACT_EVENTS] = {
	[AST_SIP_CONTACT_REMOVED] = "request",
	[AST_SIP_CONTACT_EXPIRED] = "expiration",
	[AST_SIP_CONTACT_FLOW_ENDED] = "shutdown",
	[AST_SIP_CONTACT_GAVE_WAY] = "remove existing",
	[AST_SIP_CONTACT_UNAVAILABLE] = "remove unavailable",
};

static void contact_changed(const struct ast_sip_contact *c, enum ast_sip_contact_event event)
{
	char uri[LOG_TEXT], aor[LOG_TEXT];

	if (!rs_log_enabled(RS_LOG_VERBOSE) || event == AST_SIP_CONTACT_REFRESHED)
		return;
	rs_log_escape(uri, sizeof(uri), ast_sip_contact_text(c, AST_SIP_CONTACT_URI));
	rs_log_escape(aor, sizeof(aor), ast_sip_contact_text(c, AST_SIP_CONTACT_AOR));
	if (event == AST_SIP_CONTACT_ADDED)
		rs_log_line(RS_LOG_VERBOSE, LOG_FILE, "Added contact '%s' to AOR '%s' with expiration of %lld seconds",
			    uri, aor, (long long)((c->data.expires_us - ast_sip_location_now_us() + 500000) / 1000000));
	else
		rs_log_line(RS_LOG_VERBOSE, LOG_FILE, "Removed contact '%s' from AOR '%s' due to %s", uri, aor,
			    removed_for[event]);
}

static struct ast_sip_contact_observer observer = {
	.size = sizeof(struct ast_sip_contact_observer),
	.changed = contact_changed,
};

static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_registrar",
	.priority = SIP_PRIORITY_APPLICATION,
	.on_rx_request = on_rx_request,
	.methods = "REGISTER",
	.supported = "path",
};

static void unload(void)
{
	ast_sip_unregister_service(&service);
	ast_sip_contact_observer_unregister(&observer);
}

static int load(void)
{
	if (ast_sip_register_service(&service))
		return AST_SIP_MODULE_DECLINE;
	if (ast_sip_contact_observer_register(&observer)) {
		ast_sip_unregister_service(&service);
		return AST_SIP_MODULE_DECLINE;
	}
	return AST_SIP_MODULE_OK;
}

AST_SIP_MODULE(.name = "res_sip_registrar", .description = "The registrar", .priority = AST_SIP_LOAD_REGISTRAR,
	       .load = load, .unload = unload);
