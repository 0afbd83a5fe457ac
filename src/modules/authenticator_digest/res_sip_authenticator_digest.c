/*
 * The default authenticator: Digest by RFC 7616 and 8760 (MD5, SHA-256, SHA-512-256; qop auth; the form of RFC 2069
 * served once a nonce), sections 8 and 4.9 of the reference. A sender that is nobody costs and sees the same as one
 * with a wrong password.
 */
#include "nonce.h"
#include "base/clock.h"
#include "res_sip/digest.h"
#include "res_sip/res_sip.h"

#include <errno.h>

#define MAX_CREDENTIALS 8 /* Authorization headers looked at in one request: each costs digests */

#define MAX_QUOTED 256 /* bytes of a name with escapes: they are taken away on the stack */

enum verdict { NONE, WRONG, STALE, RIGHT };

/* What nobody's password is hashed to: no one can know it, or an answer that it makes right would take longer. */
static char nobodys_ha1[2 * NONCE_SECRET + 1];

static struct rs_str realm_of(const struct ast_sip_auth *auth, struct sip_rx_data *rx)
{
	struct rs_str realm = ast_sip_auth_realm(auth);

	return realm.len ? realm : ast_sip_snapshot_global(ast_sip_rx_snapshot(rx))->default_realm;
}

static int requires_authentication(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	if (sip_rx_msg(rx)->method == SIP_METHOD_ACK)
		return 0;
	if (ast_sip_endpoint_is_artificial(endpoint))
		return 1;
	if (!ast_sip_endpoint_auths(endpoint).n)
		return 0;
	return !(sip_rx_msg(rx)->method == SIP_METHOD_OPTIONS &&
		 ast_sip_endpoint_settings(endpoint)->allow_unauthenticated_options);
}

static bool offers(struct ast_sip_algorithms list, enum ast_sip_algorithm algorithm)
{
	for (uint8_t i = 0; i < list.n; i++) {
		if (list.v[i] == algorithm)
			return true;
	}
	return false;
}

static uint32_t seconds(int64_t us)
{
	return (uint32_t)(us / 1000000);
}

/* The nonce count as a number; 0 when it is none. */
static uint32_t count_of(struct rs_str nc)
{
	uint32_t v = 0;

	if (nc.len != 8)
		return 0;
	for (size_t i = 0; i < nc.len; i++) {
		unsigned c = (unsigned char)nc.p[i], letter = (c | 32) - 'a';

		if (c - '0' < 10)
			v = v << 4 | (c - '0');
		else if (letter < 6)
			v = v << 4 | (letter + 10);
		else
			return 0;
	}
	return v;
}

static bool well_formed(const struct ast_sip_digest *d)
{
	if (!d->username.p || !d->realm.p || !d->nonce.p || !d->uri.p || !d->algorithm_known)
		return false;
	if (d->response.len != ast_sip_digest_len(d->algorithm))
		return false;
	return !d->qop.p || (rs_str_ieq(d->qop, RS_STR("auth")) && d->cnonce.p && count_of(d->nc));
}

/* A quoted string of the sender's against plain text of the configuration. */
static bool quoted_equal(struct rs_str quoted, struct rs_str plain)
{
	char buf[MAX_QUOTED];
	int n;

	if (!rs_str_chr(quoted, '\\'))
		return rs_str_eq(quoted, plain);
	n = sip_unquote(quoted, buf, sizeof(buf));
	return n >= 0 && rs_str_eq(rs_str_n(buf, (size_t)n), plain);
}

/* The credentials d against ha1: right, wrong, or right with a nonce that does not serve any more. */
static enum verdict verify(const struct ast_sip_digest *d, const char *ha1, struct rs_str realm, uint32_t lifetime_s,
			   struct sip_rx_data *rx)
{
	size_t len = ast_sip_digest_len(d->algorithm);
	char expected[AST_SIP_DIGEST_HEX];
	struct nonce nonce;
	bool is_ours = nonce_read(d->nonce, &nonce);
	uint32_t now_s;

	if (is_ours)
		nonce_expect(&nonce);
	if (ast_sip_digest_response(d, rs_str_n(ha1, len), sip_rx_msg(rx)->method_text, expected) ||
	    !ast_sip_digest_equal(d->response, rs_str_n(expected, len)))
		return WRONG;
	now_s = seconds(rs_now_us());
	if (!is_ours || !nonce_valid(&nonce, realm, sip_rx_source(rx), lifetime_s, now_s) ||
	    !nonce_take(&nonce, d->qop.p ? count_of(d->nc) : 1, lifetime_s, now_s))
		return STALE;
	return RIGHT;
}

/* What a sender that nobody knows, or that cannot be right, gets: always wrong, after the work of a wrong password. */
static enum verdict check_nobody(const struct ast_sip_digest *d, struct rs_str realm, struct sip_rx_data *rx)
{
	if (d->algorithm_known)
		(void)verify(d, nobodys_ha1, realm, 0, rx);
	return WRONG;
}

static enum verdict check_one(const struct ast_sip_auth *auth, const struct ast_sip_digest *d, struct sip_rx_data *rx)
{
	char ha1[AST_SIP_DIGEST_HEX];
	struct rs_str realm = realm_of(auth, rx);

	if (!quoted_equal(d->realm, realm))
		return NONE;
	if (!well_formed(d) || !quoted_equal(d->username, ast_sip_auth_username(auth)) ||
	    !offers(ast_sip_auth_algorithms_uas(auth), d->algorithm) ||
	    ast_sip_digest_own_ha1(auth, d->algorithm, realm, ha1))
		return check_nobody(d, realm, rx);
	return verify(d, ha1, realm, ast_sip_auth_nonce_lifetime(auth), rx);
}

static enum verdict check_stranger(const struct ast_sip_digest *d, struct sip_rx_data *rx)
{
	struct rs_str realm = ast_sip_snapshot_global(ast_sip_rx_snapshot(rx))->default_realm;

	return quoted_equal(d->realm, realm) ? check_nobody(d, realm, rx) : NONE;
}

static enum verdict check_endpoint(struct ast_sip_endpoint *endpoint, const struct ast_sip_digest *d,
				   struct sip_rx_data *rx, bool *misconfigured)
{
	uint32_t n = ast_sip_endpoint_auths(endpoint).n;
	enum verdict best = NONE;

	for (uint32_t i = 0; i < n && best != RIGHT; i++) {
		const struct ast_sip_auth *auth = ast_sip_endpoint_auth(endpoint, i);
		enum verdict v;

		if (!auth) {
			*misconfigured = true;
			continue;
		}
		v = check_one(auth, d, rx);
		if (v == RIGHT)
			ast_sip_rx_set_auth_username(rx, ast_sip_auth_username(auth));
		if (v > best)
			best = v;
	}
	return best;
}

/* Two quoted strings of the sender's. What is too long to be taken apart equals no realm of ours either. */
static bool same_quoted(struct rs_str a, struct rs_str b)
{
	char buf[MAX_QUOTED];
	int n;

	if (!rs_str_chr(b, '\\'))
		return quoted_equal(a, b);
	n = sip_unquote(b, buf, sizeof(buf));
	return n >= 0 && quoted_equal(a, rs_str_n(buf, (size_t)n));
}

/*
 * Of several credentials for one realm, however it is spelt, the first counts: one request is one guess (section 8 of
 * the reference).
 */
static bool seen_before(const struct rs_str *realms, unsigned n, struct rs_str realm)
{
	for (unsigned i = 0; i < n; i++) {
		if (same_quoted(realms[i], realm))
			return true;
	}
	return false;
}

static int authenticate_request(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	const struct sip_auth *auth;
	struct rs_str realms[MAX_CREDENTIALS];
	enum verdict best = NONE;
	bool misconfigured = false;
	unsigned n_realms = 0;

	for (unsigned n = 0; n < MAX_CREDENTIALS && best != RIGHT; n++) {
		struct ast_sip_digest d;
		enum verdict v;

		auth = sip_msg_auth(sip_rx_msg(rx), SIP_HDR_AUTHORIZATION, n);
		if (!auth)
			break;
		if (ast_sip_digest_read(auth, &d) || seen_before(realms, n_realms, d.realm))
			continue;
		realms[n_realms++] = d.realm;
		v = ast_sip_endpoint_is_artificial(endpoint) ? check_stranger(&d, rx)
							     : check_endpoint(endpoint, &d, rx, &misconfigured);
		if (v > best)
			best = v;
	}
	if (best == RIGHT)
		return 0;
	errno = misconfigured ? EINVAL : best == STALE ? ESTALE : best == WRONG ? EACCES : ENOENT;
	return -1;
}

/* Adds a challenge unless that realm and algorithm are there already. */
static void add_challenge(struct ast_sip_digest_challenge_data *v, size_t room, size_t *n, struct rs_str realm,
			  unsigned algorithm, struct sip_rx_data *rx)
{
	static const struct sip_addr nowhere;
	struct ast_sip_digest_challenge_data *c = &v[*n];

	for (size_t i = 0; i < *n; i++) {
		if (v[i].algorithm == algorithm && rs_str_eq(v[i].realm, realm))
			return;
	}
	if (*n == room)
		return;
	c->realm = realm;
	c->algorithm = (enum ast_sip_algorithm)algorithm;
	if (!nonce_make(realm, rx ? sip_rx_source(rx) : &nowhere, seconds(rx ? sip_rx_time_us(rx) : rs_now_us()),
			c->buf))
		c->nonce = rs_str_n(c->buf, NONCE_TEXT - 1);
	(*n)++;
}

static int get_credentials(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
			   struct ast_sip_digest_challenge_data *challenges, size_t *n)
{
	struct ast_sip_snapshot *snapshot = rx ? ast_sip_snapshot_ref(ast_sip_rx_snapshot(rx)) : ast_sip_snapshot_get();
	const struct ast_sip_global *global = ast_sip_snapshot_global(snapshot);
	uint32_t auths = ast_sip_endpoint_auths(endpoint).n;
	size_t room = *n;

	*n = 0;
	if (ast_sip_endpoint_is_artificial(endpoint)) {
		for (uint8_t a = 0; a < global->default_auth_algorithms_uas.n; a++)
			add_challenge(challenges, room, n, global->default_realm,
				      global->default_auth_algorithms_uas.v[a], rx);
	}
	for (uint32_t i = 0; i < auths; i++) {
		const struct ast_sip_auth *auth = ast_sip_endpoint_auth(endpoint, i);
		struct ast_sip_algorithms list;
		struct rs_str realm;

		if (!auth)
			continue;
		list = ast_sip_auth_algorithms_uas(auth);
		realm = ast_sip_auth_realm(auth);
		for (uint8_t a = 0; a < list.n; a++)
			add_challenge(challenges, room, n, realm.len ? realm : global->default_realm, list.v[a], rx);
	}
	ast_sip_snapshot_unref(snapshot);
	return *n ? 0 : -1;
}

static int make_nonce(struct sip_rx_data *rx, struct rs_str realm, char *buf, size_t size)
{
	return size < NONCE_TEXT ? -1 : nonce_make(realm, sip_rx_source(rx), seconds(sip_rx_time_us(rx)), buf);
}

static struct ast_sip_authenticator authenticator = {
	.size = sizeof(struct ast_sip_authenticator),
	.name = "digest",
	.requires_authentication = requires_authentication,
	.authenticate_request = authenticate_request,
	.get_authentication_credentials = get_credentials,
	.make_nonce = make_nonce,
};

static int load(void)
{
	uint8_t secret[NONCE_SECRET];

	if (nonce_start())
		return AST_SIP_MODULE_DECLINE;
	if (nonce_secret(secret)) {
		nonce_stop();
		return AST_SIP_MODULE_DECLINE;
	}
	ast_sip_to_hex(secret, sizeof(secret), nobodys_ha1);
	if (ast_sip_register_authenticator(&authenticator)) {
		nonce_stop();
		return AST_SIP_MODULE_DECLINE;
	}
	return AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_authenticator(&authenticator);
}

/* The table of used nonces goes with the code, once no thread is in it. */
__attribute__((destructor)) static void unmapped(void)
{
	nonce_stop();
}

AST_SIP_MODULE(.name = "res_sip_authenticator_digest", .description = "Authenticates requests by Digest",
	       .priority = AST_SIP_LOAD_AUTHENTICATOR, .load = load, .unload = unload);
