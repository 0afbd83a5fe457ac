/*
 * Credentials and challenges through both authenticators. Of the first byte the lowest bit chooses inbound or outbound,
 * the next ones the endpoint and the status; then come header values, a line each. In credentials "NONCE" stands for a
 * new nonce of ours and "RESPONSE" for the right response, so that what comes behind the proof is reached, too.
 */
#include "fuzz.h"

#include "authenticator_digest/nonce.h"
#include "core/registered.h"
#include "core_test.h"
#include "res_sip/digest.h"
#include "sip/transport/rx_private.h"

#define MAX_TEXT 16384

extern const struct ast_sip_module_info inbound_module_info, outbound_module_info;

static const char config[] =
	"[md5]\ntype=endpoint\nauth=md5\noutbound_auth=md5\n[md5]\ntype=auth\nusername=bob\npassword=secret\n"
	"[all]\ntype=endpoint\nauth=a1,a2\noutbound_auth=a1,a2,any\n"
	"[a1]\ntype=auth\nusername=a\"b\npassword=p\nrealm=one\nsupported_algorithms_uas=MD5,SHA-256,SHA-512-256\n"
	"supported_algorithms_uac=MD5,SHA-256,SHA-512-256\n"
	"[a2]\ntype=auth\nusername=bob\npassword=q\nrealm=two\nsupported_algorithms_uas=SHA-256\n"
	"[any]\ntype=auth\nusername=ux\npassword=px\n"
	"[open]\ntype=endpoint\n";
static const char *const endpoints[] = {"md5", "all", "open", ""};

static const struct sip_addr source = {.family = 4, .port = 5060, .ip = {10, 0, 0, 2}};

struct text {
	char *p;
	size_t len;
};

static void add(struct text *t, struct rs_str s)
{
	FUZZ_CHECK(t->len + s.len <= MAX_TEXT);
	if (s.len)
		memcpy(t->p + t->len, s.p, s.len);
	t->len += s.len;
}

/* s with the first word replaced, NUL-terminated, malloc'd. *found tells whether it was there. */
static struct text replaced(struct rs_str s, const char *word, const char *with, bool *found)
{
	const char *at = memmem(s.p, s.len, word, strlen(word));
	struct text out = {malloc(MAX_TEXT + 1), 0};

	FUZZ_CHECK(out.p);
	*found = at != NULL;
	add(&out, rs_str_n(s.p, at ? (size_t)(at - s.p) : s.len));
	if (at) {
		add(&out, rs_str_c(with));
		add(&out, rs_str_n(at + strlen(word), s.len - (size_t)(at - s.p) - strlen(word)));
	}
	return out;
}

static struct sip_rx_data *make_rx(const char *start, const char *name, struct rs_str lines)
{
	struct text t = {malloc(MAX_TEXT), 0};
	struct sip_rx_data *rx;

	FUZZ_CHECK(t.p);
	add(&t, rs_str_c(start));
	add(&t, RS_STR("Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKf\r\nFrom: <sip:bob@10.0.0.1>;tag=f\r\n"
		       "To: <sip:bob@10.0.0.1>\r\nCall-ID: f\r\nCSeq: 1 REGISTER\r\n"));
	while (lines.len) {
		add(&t, rs_str_c(name));
		add(&t, RS_STR(": "));
		add(&t, fuzz_take(&lines, '\n'));
		add(&t, RS_STR("\r\n"));
	}
	add(&t, RS_STR("Content-Length: 0\r\n\r\n"));
	rx = sip_rx_alloc(t.len);
	FUZZ_CHECK(rx);
	memcpy(rx->buf, t.p, t.len);
	rx->type = SIP_TRANSPORT_UDP;
	rx->source = source;
	if (sip_rx_parse(rx, rs_str_n(rx->buf, t.len)) != SIP_PARSE_DONE || sip_msg_check(&rx->msg)) {
		sip_rx_unref(rx);
		rx = NULL;
	}
	free(t.p);
	return rx;
}

static struct ast_sip_endpoint *endpoint(unsigned which)
{
	const char *id = endpoints[which % RS_ARRAY_SIZE(endpoints)];

	return *id ? ast_sip_endpoint_get(rs_str_c(id)) : ast_sip_artificial_endpoint();
}

/* ---- inbound ---- */

/* The right response to the first credentials that are Digest for an auth object of ours; "0" when there are none. */
static void right_response(struct sip_msg *msg, char out[AST_SIP_DIGEST_HEX])
{
	static const char *const ids[] = {"md5", "a1", "a2"};
	const struct sip_auth *auth = sip_msg_auth(msg, SIP_HDR_AUTHORIZATION, 0);
	char ha1[AST_SIP_DIGEST_HEX];
	struct ast_sip_digest d;

	strcpy(out, "0");
	if (!auth || ast_sip_digest_read(auth, &d) || !d.algorithm_known)
		return;
	for (size_t i = 0; i < RS_ARRAY_SIZE(ids); i++) {
		struct ast_sip_auth *a = ast_sip_auth_get(rs_str_c(ids[i]));
		struct rs_str realm = ast_sip_auth_realm(a);

		if (!realm.len)
			realm = RS_STR("asterisk");
		if (rs_str_eq(realm, d.realm) &&
		    !ast_sip_digest_ha1(a, d.algorithm, ast_sip_auth_username(a), realm, ha1))
			ast_sip_digest_response(&d, rs_str_c(ha1), msg->method_text, out);
		ast_sip_auth_unref(a);
	}
}

static void check_credentials(struct ast_sip_endpoint *e, struct sip_rx_data *rx, bool may_pass)
{
	struct ast_sip_digest_challenge_data c = {.size = sizeof(c)};
	int required = ast_sip_requires_authentication(e, rx), rc;

	FUZZ_CHECK(required == (ast_sip_endpoint_is_artificial(e) || ast_sip_endpoint_auths(e).n));
	rc = ast_sip_authenticate_request(e, rx);
	/* Only who knows the password and answers a nonce of ours, and only once. */
	FUZZ_CHECK(rc != 0 || (may_pass && ast_sip_endpoint_auths(e).n && !ast_sip_endpoint_is_artificial(e)));
	FUZZ_CHECK(rc == 0 || errno == EACCES || errno == ENOENT || errno == ESTALE);
	FUZZ_CHECK(ast_sip_authenticate_request(e, rx) != 0);
	ast_sip_get_authentication_credentials(e, rx, &c);
}

static void inbound(struct rs_str lines, unsigned which)
{
	struct ast_sip_endpoint *e = endpoint(which);
	char nonce[NONCE_TEXT], response[AST_SIP_DIGEST_HEX];
	bool has_nonce, has_forged, has_response = false;
	struct text fresh, whole;
	struct sip_rx_data *rx;
	struct nonce odd;

	FUZZ_CHECK(nonce_make(which & 1 ? RS_STR("one") : RS_STR("asterisk"), &source,
			      (uint32_t)(rs_now_us() / 1000000), nonce) == 0);
	fresh = replaced(lines, "NONCE", nonce, &has_nonce);
	if (!has_nonce) {
		/* Its time stands first, and stays. */
		char *digit = &nonce[8 + lines.len % (NONCE_TEXT - 9)];

		*digit = *digit == '0' ? '1' : '0';
		free(fresh.p);
		fresh = replaced(lines, "FORGED", nonce, &has_forged);
	}
	rx = make_rx("REGISTER sip:10.0.0.1 SIP/2.0\r\n", "Authorization", rs_str_n(fresh.p, fresh.len));
	if (rx) {
		right_response(&rx->msg, response);
		sip_rx_unref(rx);
		whole = replaced(rs_str_n(fresh.p, fresh.len), "RESPONSE", response, &has_response);
		rx = make_rx("REGISTER sip:10.0.0.1 SIP/2.0\r\n", "Authorization", rs_str_n(whole.p, whole.len));
		free(whole.p);
	}
	if (rx)
		check_credentials(e, rx, has_nonce && has_response);
	sip_rx_unref(rx);
	free(fresh.p);
	if (nonce_read(lines, &odd)) {
		FUZZ_CHECK(!nonce_valid(&odd, RS_STR("one"), &source, UINT32_MAX, UINT32_MAX));
		nonce_take(&odd, 1, 32, (uint32_t)(rs_now_us() / 1000000));
	}
	ast_sip_endpoint_unref(e);
}

/* ---- outbound ---- */

/* What leaves are credentials that can be read, in lines of their own. */
static unsigned check_answer(struct sip_tx_data *tx, enum sip_hdr_id id)
{
	unsigned n = 0;

	for (struct rs_str s; (s = sip_tx_hdr_nth(tx, id, n)).len; n++) {
		struct sip_hdr_values v;
		struct ast_sip_digest d;
		struct rs_arena arena;

		FUZZ_CHECK(!rs_str_chr(s, '\r') && !rs_str_chr(s, '\n'));
		rs_arena_init(&arena, NULL, 0, SIP_MAX_ARENA);
		FUZZ_CHECK(sip_hdr_parse(id, s, &arena, &v) == 0 && v.n == 1);
		FUZZ_CHECK(ast_sip_digest_read(&v.v.auth[0], &d) == 0);
		FUZZ_CHECK(d.algorithm_known && d.username.p && d.realm.p && d.nonce.p && d.uri.p);
		FUZZ_CHECK(d.response.len == ast_sip_digest_len(d.algorithm));
		FUZZ_CHECK(!d.qop.p || (rs_str_eqz(d.qop, "auth") && d.nc.len == 8 && d.cnonce.len));
		rs_arena_reset(&arena);
	}
	return n;
}

static struct sip_tx_data *answer(struct ast_sip_endpoint *e, struct sip_rx_data *rx, struct sip_tx_data *old,
				  unsigned attempt)
{
	const struct ast_sip_registered *r = ast_sip_registered_enter();
	struct sip_tx_data *tx = r->outbound_authenticator->create_request_with_auth(e, rx, old, attempt);
	unsigned n = 0;

	ast_sip_registered_leave(r);
	if (tx) {
		n += check_answer(tx, SIP_HDR_AUTHORIZATION);
		n += check_answer(tx, SIP_HDR_PROXY_AUTHORIZATION);
		FUZZ_CHECK(n && n <= 8);
		FUZZ_CHECK(sip_tx_cseq(tx) == sip_tx_cseq(old) + 1);
	}
	return tx;
}

static void outbound(struct rs_str lines, unsigned which)
{
	struct ast_sip_endpoint *e = endpoint(which & 1);
	struct sip_tx_data *tx = ast_sip_create_request("OPTIONS", NULL, e, "sip:x@10.0.0.2"), *next, *third;
	bool proxy = which & 2;
	struct sip_rx_data *rx = make_rx(proxy ? "SIP/2.0 407 Proxy\r\n" : "SIP/2.0 401 Unauthorized\r\n",
					 proxy ? "Proxy-Authenticate" : "WWW-Authenticate", lines);

	FUZZ_CHECK(tx);
	if (rx) {
		next = answer(e, rx, tx, 1);
		third = next ? answer(e, rx, next, 2) : NULL;
		FUZZ_CHECK(!answer(e, rx, tx, 10));
		if (third)
			sip_tx_unref(third);
		if (next)
			sip_tx_unref(next);
		sip_rx_unref(rx);
	}
	sip_tx_unref(tx);
	ast_sip_endpoint_unref(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str lines = fuzz_str(data, size);
	uint8_t mode = fuzz_byte(&lines);

	/* Each line grows by the header's name. */
	if (size > MAX_TEXT / 32)
		return 0;
	if (mode & 1)
		outbound(lines, mode >> 1);
	else
		inbound(lines, mode >> 1);
	ct_run();
	ct_log_clear();
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ct_start(config, NULL);
	FUZZ_CHECK(inbound_module_info.load() == AST_SIP_MODULE_OK);
	FUZZ_CHECK(outbound_module_info.load() == AST_SIP_MODULE_OK);
	atexit(ct_stop);
	return 0;
}
