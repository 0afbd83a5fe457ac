/*
 * Answers 401 and 407 with the endpoint's outbound_auth (section 9 of the reference): for each challenge in order, the
 * first auth object of its realm, else the first without realm, that can do the algorithm; one answer a realm. A
 * challenge that repeats a nonce without stale means that the credentials were refused; the tenth challenge ends it.
 * Credentials for other realms (proxies passed already) go along again, with the next nonce count.
 */
#include "res_sip/digest.h"
#include "res_sip/res_sip.h"
#include "base/clock.h"
#include "base/log.h"
#include "sip/writer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define MAX_ATTEMPTS   9  /* a challenger that always sends a new nonce is answered no longer */
#define MAX_CHALLENGES 16 /* headers of one response looked at */
#define MAX_REALMS     4  /* credentials in one request */

#define LOG_FILE   "res_pjsip_outbound_authenticator_digest.c"
#define MAX_LOGGED 512  /* bytes of realms in the log, which the challenger chooses */
#define PARSE_ROOM 4096 /* bytes for the parameters of one header line of ours */

struct answer {
	struct sip_tx_data *tx, *old;
	enum sip_hdr_id header; /* of the credentials for the challenges */
	struct sip_rx_data *rx;
	struct rs_str realms[MAX_REALMS];
	unsigned n;
};

static bool can_do(const struct ast_sip_auth *auth, enum ast_sip_algorithm algorithm)
{
	struct ast_sip_algorithms list = ast_sip_auth_algorithms_uac(auth);

	for (uint8_t i = 0; i < list.n; i++) {
		if (list.v[i] == algorithm)
			return ast_sip_auth_password(auth).len || ast_sip_auth_digest(auth, algorithm).len;
	}
	return false;
}

/* The auth object for a challenge, referenced. */
static struct ast_sip_auth *choose(struct ast_sip_snapshot *snapshot, struct ast_sip_strings ids,
				   const struct ast_sip_digest *d)
{
	struct ast_sip_auth *wildcard = NULL;

	for (uint32_t i = 0; i < ids.n; i++) {
		struct ast_sip_auth *auth = ast_sip_auth_find(snapshot, ids.v[i]);
		struct rs_str realm;

		if (!auth)
			continue;
		realm = ast_sip_auth_realm(auth);
		if (can_do(auth, d->algorithm)) {
			if (rs_str_ieq(realm, d->realm)) {
				ast_sip_auth_unref(wildcard);
				return auth;
			}
			if (!wildcard && (!realm.len || rs_str_eqz(realm, "*"))) {
				wildcard = auth;
				continue;
			}
		}
		ast_sip_auth_unref(auth);
	}
	return wildcard;
}

/* Line n of the credentials that old carried; false: there is no such line, or none that can be read. */
static bool read_old(struct sip_tx_data *old, enum sip_hdr_id header, unsigned n, struct ast_sip_digest *d)
{
	max_align_t room[PARSE_ROOM / sizeof(max_align_t)];
	struct rs_arena arena;
	struct sip_hdr_values values;
	bool ok;

	rs_arena_init(&arena, room, sizeof(room), 0);
	/* What is read are slices of the line; only the index of parameters is in the arena. */
	ok = !sip_hdr_parse(header, sip_tx_hdr_nth(old, header, n), &arena, &values) && values.n &&
	     !ast_sip_digest_read(&values.v.auth[0], d);
	rs_arena_reset(&arena);
	return ok;
}

static bool has_line(struct sip_tx_data *old, enum sip_hdr_id header, unsigned n)
{
	return sip_tx_hdr_nth(old, header, n).len != 0;
}

/* Whether old carried credentials with this nonce already. */
static bool answered_before(struct sip_tx_data *old, enum sip_hdr_id header, struct rs_str nonce)
{
	struct ast_sip_digest d;

	for (unsigned n = 0; has_line(old, header, n); n++) {
		if (read_old(old, header, n, &d) && rs_str_eq(d.nonce, nonce))
			return true;
	}
	return false;
}

static bool offers_auth(struct rs_str qop)
{
	while (qop.len) {
		const char *comma = rs_str_chr(qop, ',');
		struct rs_str item = rs_str_n(qop.p, comma ? (size_t)(comma - qop.p) : qop.len);

		if (rs_str_ieq(rs_str_trim(item), RS_STR("auth")))
			return true;
		if (!comma)
			break;
		qop = rs_str_n(comma + 1, qop.len - item.len - 1);
	}
	return false;
}

static void write_param(struct sip_writer *w, const char *name, struct rs_str value, bool quoted)
{
	if (w->len > sizeof("Digest ") - 1)
		sip_writez(w, ", ");
	sip_writez(w, name);
	sip_writez(w, quoted ? "=\"" : "=");
	sip_write(w, value); /* its escapes stand as the challenge wrote them */
	if (quoted)
		sip_writez(w, "\"");
}

static int write_credentials(struct answer *a, enum sip_hdr_id header, const struct ast_sip_digest *d,
			     const char *response)
{
	struct sip_writer w;
	char buf[1024];
	int rc;

	sip_writer_init(&w, buf, sizeof(buf));
	sip_writez(&w, "Digest ");
	sip_writez(&w, "username=");
	sip_write_quoted(&w, d->username);
	write_param(&w, "realm", d->realm, true);
	write_param(&w, "nonce", d->nonce, true);
	write_param(&w, "uri", d->uri, true);
	write_param(&w, "response", rs_str_c(response), true);
	write_param(&w, "algorithm", ast_sip_algorithm_name(d->algorithm), false);
	if (d->opaque.p)
		write_param(&w, "opaque", d->opaque, true);
	if (d->qop.p) {
		write_param(&w, "cnonce", d->cnonce, true);
		write_param(&w, "qop", d->qop, false);
		write_param(&w, "nc", d->nc, false);
	}
	rc = sip_writer_ok(&w) ? sip_tx_add_hdr(a->tx, header, rs_str_n(w.buf, w.len)) : -1;
	sip_writer_fini(&w);
	return rc;
}

/* Adds credentials for what challenge says, with nonce count nc. 0, or -1 when they cannot be made. */
static int add_credentials(struct answer *a, enum sip_hdr_id header, const struct ast_sip_auth *auth,
			   const struct ast_sip_digest *challenge, uint32_t nc)
{
	char ha1[AST_SIP_DIGEST_HEX], response[AST_SIP_DIGEST_HEX], cnonce[33], count[9];
	struct ast_sip_digest d = *challenge;
	uint64_t random[2];

	rs_random(random, sizeof(random));
	snprintf(cnonce, sizeof(cnonce), "%016llx%016llx", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
	d.username = ast_sip_auth_username(auth);
	d.uri = sip_tx_uri(a->tx);
	d.qop = RS_STR_NULL;
	if (challenge->qop.p && offers_auth(challenge->qop)) {
		d.qop = RS_STR("auth");
		snprintf(count, sizeof(count), "%08x", nc);
		d.nc = rs_str_c(count);
		d.cnonce = rs_str_c(cnonce);
	} else if (challenge->qop.p && challenge->qop.len) {
		return -1; /* only auth-int: the body would have to be part of it */
	}
	if (ast_sip_digest_ha1(auth, d.algorithm, d.username, d.realm, ha1) ||
	    ast_sip_digest_response(&d, rs_str_c(ha1), sip_tx_method_text(a->tx), response))
		return -1;
	return write_credentials(a, header, &d, response);
}

static bool has_realm(const struct answer *a, struct rs_str realm)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (rs_str_ieq(a->realms[i], realm))
			return true;
	}
	return false;
}

static void log_failure(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx, const char *why)
{
	char addr[SIP_ADDR_TEXT];

	rs_event(RS_LOG_WARNING, "auth.outbound.failed", RS_FS("endpoint", ast_sip_endpoint_id(endpoint)),
		 RS_FZ("peer", sip_addr_text(sip_rx_source(rx), true, addr)), RS_FS("call_id", sip_rx_msg(rx)->call_id),
		 RS_FZ("reason", why));
}

/* The line of section 9 of the reference. */
static void log_no_match(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx, enum sip_hdr_id challenges)
{
	char buf[MAX_LOGGED], text[MAX_LOGGED * 2], id[MAX_LOGGED], addr[SIP_ADDR_TEXT];
	const struct sip_auth *header;
	struct ast_sip_digest d;
	struct sip_writer w;

	sip_writer_init(&w, buf, sizeof(buf));
	w.max = sizeof(buf);
	for (unsigned i = 0; i < MAX_CHALLENGES && (header = sip_msg_auth(sip_rx_msg(rx), challenges, i)); i++) {
		if (ast_sip_digest_read(header, &d))
			continue;
		if (w.len)
			sip_writez(&w, ", ");
		sip_write(&w, d.realm);
		sip_writez(&w, "/");
		sip_write(&w, d.algorithm_known ? ast_sip_algorithm_name(d.algorithm) : RS_STR("unknown"));
	}
	rs_log_line(RS_LOG_WARNING, LOG_FILE,
		    "%s:%s: No auth objects matching realm/algorithm(s) '%s' from challenge found.",
		    rs_log_escape(id, sizeof(id), ast_sip_endpoint_id(endpoint)),
		    sip_addr_text(sip_rx_source(rx), true, addr),
		    rs_log_escape(text, sizeof(text), rs_str_n(w.buf, w.len)));
	sip_writer_fini(&w);
}

/* Goes through the challenges; 0 or an errno. */
static int answer_all(struct answer *a, struct ast_sip_snapshot *snapshot, struct ast_sip_strings ids,
		      enum sip_hdr_id challenges)
{
	const struct sip_auth *header;
	int error = 0;

	for (unsigned i = 0; i < MAX_CHALLENGES && a->n < MAX_REALMS && !error; i++) {
		struct ast_sip_digest d;
		struct ast_sip_auth *auth;

		header = sip_msg_auth(sip_rx_msg(a->rx), challenges, i);
		if (!header)
			break;
		if (ast_sip_digest_read(header, &d) || !d.algorithm_known || !d.realm.p || !d.nonce.p ||
		    has_realm(a, d.realm))
			continue;
		auth = choose(snapshot, ids, &d);
		if (!auth)
			continue;
		if (!d.stale && answered_before(a->old, a->header, d.nonce))
			error = EACCES;
		else if (!add_credentials(a, a->header, auth, &d, 1))
			a->realms[a->n++] = d.realm;
		ast_sip_auth_unref(auth);
	}
	return error ? error : a->n ? 0 : ENOENT;
}

static uint32_t count_after(struct rs_str nc)
{
	uint32_t v = 0;

	for (size_t i = 0; i < nc.len && i < 8; i++)
		v = v << 4 | (uint32_t)(isdigit((unsigned char)nc.p[i]) ? nc.p[i] - '0' : (nc.p[i] | 32) - 'a' + 10);
	return v + 1;
}

/* Credentials of the last request that were not challenged now are renewed: who checks counts takes each once. */
static int carry_over(struct answer *a, struct ast_sip_snapshot *snapshot, struct ast_sip_strings ids,
		      enum sip_hdr_id header)
{
	int rc = 0;

	for (unsigned n = 0; n < MAX_REALMS && !rc && has_line(a->old, header, n); n++) {
		struct ast_sip_digest d;
		struct ast_sip_auth *auth;

		if (!read_old(a->old, header, n, &d) || (header == a->header && has_realm(a, d.realm)))
			continue;
		auth = choose(snapshot, ids, &d);
		if (auth)
			rc = add_credentials(a, header, auth, &d, count_after(d.nc));
		ast_sip_auth_unref(auth);
	}
	return rc;
}

static int add_all(struct answer *a, struct ast_sip_endpoint *endpoint)
{
	struct ast_sip_snapshot *snapshot = ast_sip_snapshot_get();
	struct ast_sip_strings ids = ast_sip_endpoint_settings(endpoint)->outbound_auth;
	enum sip_hdr_id challenges =
		a->header == SIP_HDR_AUTHORIZATION ? SIP_HDR_WWW_AUTHENTICATE : SIP_HDR_PROXY_AUTHENTICATE;
	int error = answer_all(a, snapshot, ids, challenges);

	if (!error && (carry_over(a, snapshot, ids, SIP_HDR_AUTHORIZATION) ||
		       carry_over(a, snapshot, ids, SIP_HDR_PROXY_AUTHORIZATION)))
		error = ENOMEM;
	if (error == ENOENT)
		log_no_match(endpoint, a->rx, challenges);
	else if (error)
		log_failure(endpoint, a->rx, error == EACCES ? "credentials refused" : strerror(error));
	ast_sip_snapshot_unref(snapshot);
	return error;
}

static struct sip_tx_data *create_request_with_auth(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
						    struct sip_tx_data *old, unsigned attempt)
{
	bool proxy = sip_rx_msg(rx)->status == 407;
	struct answer a = {.old = old, .header = proxy ? SIP_HDR_PROXY_AUTHORIZATION : SIP_HDR_AUTHORIZATION, .rx = rx};
	int error;

	if (attempt > MAX_ATTEMPTS) {
		log_failure(endpoint, rx, "challenged too often");
		errno = ELOOP;
		return NULL;
	}
	a.tx = sip_tx_clone(old, sip_tx_cseq(old) + 1);
	if (!a.tx)
		return NULL;
	sip_tx_remove_hdr(a.tx, SIP_HDR_AUTHORIZATION);
	sip_tx_remove_hdr(a.tx, SIP_HDR_PROXY_AUTHORIZATION);
	error = add_all(&a, endpoint);
	if (error) {
		sip_tx_unref(a.tx);
		errno = error;
		return NULL;
	}
	return a.tx;
}

static struct ast_sip_outbound_authenticator authenticator = {
	.size = sizeof(struct ast_sip_outbound_authenticator),
	.name = "digest",
	.create_request_with_auth = create_request_with_auth,
};

static int load(void)
{
	return ast_sip_register_outbound_authenticator(&authenticator) ? AST_SIP_MODULE_DECLINE : AST_SIP_MODULE_OK;
}

static void unload(void)
{
	ast_sip_unregister_outbound_authenticator(&authenticator);
}

AST_SIP_MODULE(.name = "res_sip_outbound_authenticator_digest", .description = "Answers challenges by Digest",
	       .load = load, .unload = unload);
