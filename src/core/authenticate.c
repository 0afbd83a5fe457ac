/*
 * Inbound authentication (section 8 of the reference): the design's calls over the registered authenticator, and the
 * pipeline's stage. Whether a user exists must not show: the artificial endpoint takes the same way as any other.
 */
#include "core/pipeline.h"
#include "core/core.h"
#include "base/log.h"
#include "res_sip/dialog.h"
#include "res_sip/security.h"
#include "sip/writer.h"

#include <errno.h>

/* Text of one challenge: realm and nonce are bounded by the configuration's line length and by buf. */
#define MAX_CHALLENGE 1024

int ast_sip_requires_authentication(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	int rc = r && r->authenticator ? r->authenticator->requires_authentication(endpoint, rx) : 0;

	ast_sip_registered_leave(r);
	return rc;
}

int ast_sip_authenticate_request(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	int rc = r && r->authenticator ? r->authenticator->authenticate_request(endpoint, rx) : 0;
	int error = errno;

	ast_sip_registered_leave(r);
	errno = error;
	return rc;
}

/* 0, or -1 with errno. */
static int get_challenges(const struct ast_sip_registered *r, struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
			  struct ast_sip_digest_challenge_data *challenges, size_t *n)
{
	if (!r || !r->authenticator) {
		errno = ENOENT;
		return -1;
	}
	for (size_t i = 0; i < *n; i++) {
		memset(&challenges[i], 0, offsetof(struct ast_sip_digest_challenge_data, buf));
		challenges[i].size = sizeof(*challenges);
		challenges[i].buf[0] = '\0';
	}
	return r->authenticator->get_authentication_credentials(endpoint, rx, challenges, n);
}

int ast_sip_get_authentication_credentials(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
					   struct ast_sip_digest_challenge_data *challenge)
{
	const struct ast_sip_registered *r;
	size_t n = 1;
	int rc, error;

	if (!challenge || challenge->size != sizeof(*challenge)) {
		errno = EINVAL;
		return -1;
	}
	r = ast_sip_registered_enter();
	rc = get_challenges(r, endpoint, rx, challenge, &n);
	error = errno;
	ast_sip_registered_leave(r);
	errno = error;
	if (rc)
		return -1;
	if (n == 1)
		return 0;
	errno = ENOENT;
	return -1;
}

/* ---- the challenge ---- */

static int make_nonce(const struct ast_sip_registered *r, struct sip_rx_data *rx, struct rs_str realm, char *buf,
		      size_t size)
{
	return r && r->authenticator && r->authenticator->make_nonce
		       ? r->authenticator->make_nonce(rx, realm, buf, size)
		       : ast_sip_nonce_make(rx, realm, buf, size);
}

/* Nothing in it needs a backslash or has to be left out. */
static bool is_plain(struct rs_str s)
{
	static const bool special[256] = {[0 ... 31] = true, ['"'] = true, ['\\'] = true, [0x7f] = true};

	for (size_t i = 0; i < s.len; i++) {
		if (special[(unsigned char)s.p[i]])
			return false;
	}
	return true;
}

static void write_param(struct sip_writer *w, struct rs_str name, struct rs_str value)
{
	sip_write(w, name);
	if (!is_plain(value)) {
		sip_write_quoted(w, value);
		return;
	}
	sip_write(w, RS_STR("\""));
	sip_write(w, value);
	sip_write(w, RS_STR("\""));
}

/* Everybody checks the opaque that came back as little as we do; it is there for those who want one. */
static void write_opaque(struct sip_writer *w, struct rs_str opaque)
{
	static const char hex[] = "0123456789abcdef";
	char digits[16];
	uint64_t r;

	if (!opaque.len) {
		rs_random(&r, sizeof(r));
		for (size_t i = 0; i < sizeof(digits); i++, r <<= 4)
			digits[i] = hex[r >> 60];
		opaque = rs_str_n(digits, sizeof(digits));
	}
	write_param(w, RS_STR(",opaque="), opaque);
}

static void write_challenge(struct sip_writer *w, const struct ast_sip_digest_challenge_data *c, struct rs_str nonce)
{
	write_param(w, RS_STR("Digest realm="), c->realm);
	if (c->domain.len)
		write_param(w, RS_STR(",domain="), c->domain);
	write_param(w, RS_STR(",nonce="), nonce);
	write_opaque(w, c->opaque);
	if (c->stale)
		sip_write(w, RS_STR(",stale=true"));
	sip_write(w, RS_STR(",algorithm="));
	sip_write(w, ast_sip_algorithm_name(c->algorithm));
	sip_write(w, RS_STR(",qop=\"auth\""));
}

static int add_challenge(const struct ast_sip_registered *r, struct sip_tx_data *tx, struct sip_rx_data *rx,
			 const struct ast_sip_digest_challenge_data *c)
{
	char text[MAX_CHALLENGE], nonce[256];
	struct rs_str made = c->nonce;
	struct sip_writer w;
	int rc = -1;

	if (!c->realm.len || c->size != sizeof(*c)) {
		errno = EINVAL;
		return -1;
	}
	if (!made.len) {
		if (make_nonce(r, rx, c->realm, nonce, sizeof(nonce)))
			return -1;
		made = rs_str_c(nonce);
	}
	sip_writer_init(&w, text, sizeof(text));
	write_challenge(&w, c, made);
	if (sip_writer_ok(&w))
		rc = sip_tx_add_hdr(tx, SIP_HDR_WWW_AUTHENTICATE, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	return rc;
}

static int challenge_request(const struct ast_sip_registered *r, struct sip_rx_data *rx,
			     const struct ast_sip_digest_challenge_data *challenges, size_t n)
{
	struct sip_tx_data *tx;

	if (!n || n > AST_SIP_MAX_CHALLENGES || !sip_rx_tsx(rx)) {
		errno = EINVAL;
		return -1;
	}
	tx = sip_tx_response(rx, 401, RS_STR_NULL);
	if (!tx) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (add_challenge(r, tx, rx, &challenges[i])) {
			sip_tx_unref(tx);
			return -1;
		}
	}
	return sip_tsx_respond_stateless(sip_rx_tsx(rx), tx);
}

int ast_sip_challenge_request(struct sip_rx_data *rx, const struct ast_sip_digest_challenge_data *challenges, size_t n)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	int rc = challenge_request(r, rx, challenges, n);
	int error = errno;

	ast_sip_registered_leave(r);
	errno = error;
	return rc;
}

static int challenge(const struct ast_sip_registered *r, struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
		     bool stale)
{
	struct ast_sip_digest_challenge_data challenges[AST_SIP_MAX_CHALLENGES];
	size_t n = AST_SIP_MAX_CHALLENGES;

	if (get_challenges(r, endpoint, rx, challenges, &n))
		return -1;
	for (size_t i = 0; stale && i < n; i++)
		challenges[i].stale = true;
	return challenge_request(r, rx, challenges, n);
}

/* ---- the shortcut ---- */

static struct rs_str account_of(struct ast_sip_endpoint *endpoint)
{
	return ast_sip_endpoint_is_artificial(endpoint) ? RS_STR_NULL : ast_sip_endpoint_id(endpoint);
}

/* The nonce that the request answered, for the log. */
static struct rs_str nonce_of(struct sip_rx_data *rx)
{
	const struct sip_auth *auth = sip_msg_auth(sip_rx_msg(rx), SIP_HDR_AUTHORIZATION, 0);
	const struct sip_param *p = auth ? sip_auth_get(auth, RS_STR("nonce")) : NULL;

	return p ? p->value : RS_STR_NULL;
}

static enum ast_sip_check_auth_result error(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	ast_sip_request_failed_notice(rx, "Error to authenticate");
	ast_sip_security_event(AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED, rx, account_of(endpoint), nonce_of(rx));
	ast_sip_respond_stateless(rx, 500, RS_STR_NULL);
	return AST_SIP_AUTHENTICATION_ERROR;
}

static enum ast_sip_check_auth_result failed(const struct ast_sip_registered *r, struct ast_sip_endpoint *endpoint,
					     struct sip_rx_data *rx)
{
	ast_sip_request_failed_notice(rx, "Failed to authenticate");
	ast_sip_security_event(AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED, rx, account_of(endpoint), nonce_of(rx));
	ast_sip_budget_failed(sip_rx_source(rx), sip_rx_time_us(rx));
	if (challenge(r, endpoint, rx, false)) {
		ast_sip_respond_stateless(rx, 500, RS_STR_NULL);
		return AST_SIP_AUTHENTICATION_ERROR;
	}
	return AST_SIP_AUTHENTICATION_FAILED;
}

static enum ast_sip_check_auth_result succeeded(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	ast_sip_rx_set_authenticated(rx);
	ast_sip_unidentified_forget(sip_rx_source(rx));
	ast_sip_budget_verified(sip_rx_source(rx), sip_rx_time_us(rx));
	ast_sip_security_event(AST_SIP_SEC_SUCCESSFUL_AUTH, rx, account_of(endpoint), RS_STR_NULL);
	return AST_SIP_AUTHENTICATION_SUCCESS;
}

static enum ast_sip_check_auth_result first_challenge(const struct ast_sip_registered *r,
						      struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
						      bool stale)
{
	if (!stale)
		/* until it shows that the address is its own */
		ast_sip_budget_failed(sip_rx_source(rx), sip_rx_time_us(rx));
	if (challenge(r, endpoint, rx, stale))
		return error(endpoint, rx);
	ast_sip_security_event(AST_SIP_SEC_CHALLENGE_SENT, rx, account_of(endpoint), RS_STR_NULL);
	return AST_SIP_AUTHENTICATION_CHALLENGE;
}

static enum ast_sip_check_auth_result check(const struct ast_sip_registered *r, struct ast_sip_endpoint *endpoint,
					    struct sip_rx_data *rx)
{
	int required;

	if (!r || !r->authenticator)
		return AST_SIP_AUTHENTICATION_NOT_REQUIRED;
	required = r->authenticator->requires_authentication(endpoint, rx);
	if (required < 0)
		return error(endpoint, rx);
	if (!required)
		return AST_SIP_AUTHENTICATION_NOT_REQUIRED;
	if (r->authenticator->authenticate_request(endpoint, rx) == 0)
		return succeeded(endpoint, rx);
	switch (errno) {
	case ENOENT:
		return first_challenge(r, endpoint, rx, false);
	case ESTALE:
		return first_challenge(r, endpoint, rx, true);
	case EACCES:
		return failed(r, endpoint, rx);
	default:
		return error(endpoint, rx);
	}
}

enum ast_sip_check_auth_result ast_sip_check_authentication(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	enum ast_sip_check_auth_result result = check(r, endpoint, rx);

	ast_sip_registered_leave(r);
	return result;
}

/* ---- the pipeline's stage ---- */

/* The pipeline does not let a protected endpoint in because nobody is there to ask: unlike the calls above. */
static bool unprotected(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	bool options = sip_rx_msg(rx)->method == SIP_METHOD_OPTIONS &&
		       ast_sip_endpoint_settings(endpoint)->allow_unauthenticated_options;

	if (ast_sip_endpoint_is_artificial(endpoint))
		return false;
	return !ast_sip_endpoint_auths(endpoint).n || options ||
	       ast_sip_own_bool(ast_sip_rx_snapshot(rx), "identify", "allow_without_authenticator", false);
}

/* In a dialog whose peer showed already who it is, from where it is now (option authenticate_in_dialog). */
static bool known_in_dialog(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	struct sip_dialog *dlg = sip_rx_dialog(rx);
	const struct sip_addr *verified;
	struct rs_str when;

	if (!dlg || ast_sip_dialog_get_endpoint(dlg) != endpoint)
		return false;
	when = ast_sip_own_str(ast_sip_rx_snapshot(rx), "session", "authenticate_in_dialog");
	verified = sip_dialog_verified(dlg);
	return rs_str_ieqz(when, "never") ||
	       (!rs_str_ieqz(when, "always") && verified->family && sip_addr_eq(verified, sip_rx_source(rx)));
}

bool ast_sip_authenticate_stage(const struct ast_sip_registered *r, struct sip_rx_data *rx)
{
	struct ast_sip_endpoint *endpoint = ast_sip_rx_endpoint(rx);

	if (sip_rx_msg(rx)->method == SIP_METHOD_ACK || known_in_dialog(endpoint, rx))
		return false;
	if (!r->authenticator) {
		if (unprotected(endpoint, rx))
			return false;
		rs_event(RS_LOG_WARNING, "auth.no_authenticator", RS_FS("endpoint", ast_sip_endpoint_id(endpoint)));
		ast_sip_respond_stateless(rx, 500, RS_STR_NULL);
		return true;
	}
	switch (check(r, endpoint, rx)) {
	case AST_SIP_AUTHENTICATION_SUCCESS:
	case AST_SIP_AUTHENTICATION_NOT_REQUIRED:
		return false;
	case AST_SIP_AUTHENTICATION_CHALLENGE:
	case AST_SIP_AUTHENTICATION_FAILED:
	case AST_SIP_AUTHENTICATION_ERROR:
		break;
	}
	return true;
}
