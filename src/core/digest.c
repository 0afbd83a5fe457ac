/* Digest computations over OpenSSL. Contexts are made once a thread: making them costs more than the digest itself. */
#include "res_sip/digest.h"

#include "core/pipeline.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct {
	const char *openssl_name;
	struct rs_str name;
	size_t bytes;
} const algorithms[AST_SIP_ALGORITHMS] = {
	[AST_SIP_MD5] = {"MD5", RS_STR_INIT("MD5"), 16},
	[AST_SIP_SHA_256] = {"SHA2-256", RS_STR_INIT("SHA-256"), 32},
	[AST_SIP_SHA_512_256] = {"SHA2-512/256", RS_STR_INIT("SHA-512-256"), 32},
};

struct thread_contexts {
	EVP_MD_CTX *md;
	EVP_MAC_CTX *mac;
};

/*
 * A context of our own: the default one of OpenSSL 3.0 stays broken when memory was short at its first use. All of this
 * is there, or none.
 */
static struct {
	OSSL_LIB_CTX *library;
	EVP_MD *digests[AST_SIP_ALGORITHMS];
	EVP_MAC *siphash;
} fetched;
static _Atomic bool complete;
static pthread_mutex_t fetch_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t contexts_key;
static bool key_made;

static void contexts_free(void *p)
{
	struct thread_contexts *c = p;

	EVP_MD_CTX_free(c->md);
	EVP_MAC_CTX_free(c->mac);
	free(c);
}

static void fetched_free(void)
{
	for (size_t i = 0; i < AST_SIP_ALGORITHMS; i++) {
		EVP_MD_free(fetched.digests[i]);
		fetched.digests[i] = NULL;
	}
	EVP_MAC_free(fetched.siphash);
	OSSL_LIB_CTX_free(fetched.library);
	fetched.siphash = NULL;
	fetched.library = NULL;
}

/* The main thread runs no key destructors, and what was fetched lives as long as the process. */
static void release(void)
{
	struct thread_contexts *c = pthread_getspecific(contexts_key);

	if (c) {
		pthread_setspecific(contexts_key, NULL);
		contexts_free(c);
	}
	fetched_free();
}

/* Under the lock. */
static bool fetch_all(void)
{
	bool all = (fetched.library = OSSL_LIB_CTX_new()) != NULL;

	for (size_t i = 0; i < AST_SIP_ALGORITHMS && all; i++) {
		fetched.digests[i] = EVP_MD_fetch(fetched.library, algorithms[i].openssl_name, NULL);
		all = fetched.digests[i] != NULL;
	}
	if (all)
		fetched.siphash = EVP_MAC_fetch(fetched.library, "SIPHASH", NULL);
	if (all && fetched.siphash && !key_made)
		/* Behind OpenSSL's own handler, so that it runs before that one. */
		key_made = pthread_key_create(&contexts_key, contexts_free) == 0 && atexit(release) == 0;
	return all && fetched.siphash && key_made;
}

int ast_sip_digest_start(void)
{
	int rc = 0;

	if (atomic_load_explicit(&complete, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&fetch_lock);
	if (!complete) {
		if (fetch_all()) {
			atomic_store_explicit(&complete, true, memory_order_release);
		} else {
			fetched_free();
			rc = -1;
		}
	}
	pthread_mutex_unlock(&fetch_lock);
	return rc;
}

static struct thread_contexts *contexts(void)
{
	struct thread_contexts *c;

	if (ast_sip_digest_start())
		return NULL;
	c = pthread_getspecific(contexts_key);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->md = EVP_MD_CTX_new();
	c->mac = EVP_MAC_CTX_new(fetched.siphash);
	if (!c->md || !c->mac || pthread_setspecific(contexts_key, c)) {
		contexts_free(c);
		return NULL;
	}
	return c;
}

size_t ast_sip_digest_len(enum ast_sip_algorithm algorithm)
{
	return algorithms[algorithm].bytes * 2;
}

static void to_hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

int ast_sip_digest_join(enum ast_sip_algorithm algorithm, const struct rs_str *parts, size_t n,
			char out[AST_SIP_DIGEST_HEX])
{
	struct thread_contexts *c = contexts();
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!c || !EVP_DigestInit_ex2(c->md, fetched.digests[algorithm], NULL))
		goto failed;
	for (size_t i = 0; i < n; i++) {
		if (i && !EVP_DigestUpdate(c->md, ":", 1))
			goto failed;
		if (parts[i].len && !EVP_DigestUpdate(c->md, parts[i].p, parts[i].len))
			goto failed;
	}
	if (!EVP_DigestFinal_ex(c->md, sum, &len) || len != algorithms[algorithm].bytes)
		goto failed;
	to_hex(sum, len, out);
	return 0;
failed:
	errno = EIO;
	return -1;
}

bool ast_sip_digest_equal(struct rs_str a, struct rs_str b)
{
	char x[AST_SIP_DIGEST_HEX], y[AST_SIP_DIGEST_HEX];

	if (a.len != b.len || a.len >= sizeof(x))
		return false;
	for (size_t i = 0; i < a.len; i++) {
		x[i] = (char)tolower((unsigned char)a.p[i]);
		y[i] = (char)tolower((unsigned char)b.p[i]);
	}
	return CRYPTO_memcmp(x, y, a.len) == 0;
}

int ast_sip_digest_read(const struct sip_auth *auth, struct ast_sip_digest *out)
{
	static const struct {
		struct rs_str name;
		size_t offset;
	} fields[] = {
#define FIELD(f) {RS_STR_INIT(#f), offsetof(struct ast_sip_digest, f)}
		FIELD(username), FIELD(realm), FIELD(nonce), FIELD(uri),    FIELD(response),
		FIELD(cnonce),   FIELD(nc),    FIELD(qop),   FIELD(opaque), FIELD(domain),
#undef FIELD
	};
	bool seen_algorithm = false;

	*out = (struct ast_sip_digest){.algorithm = AST_SIP_MD5, .algorithm_known = true};
	if (!rs_str_ieq(auth->scheme, RS_STR("Digest")))
		return -1;
	for (uint32_t i = 0; i < auth->n; i++) {
		const struct sip_param *p = &auth->v[i];

		if (rs_str_ieq(p->name, RS_STR("algorithm"))) {
			if (seen_algorithm)
				return -1;
			seen_algorithm = true;
			out->algorithm_known = ast_sip_algorithm_from_name(p->value, &out->algorithm) == 0;
		} else if (rs_str_ieq(p->name, RS_STR("stale"))) {
			out->stale = rs_str_ieq(p->value, RS_STR("true"));
		}
		for (size_t f = 0; f < RS_ARRAY_SIZE(fields); f++) {
			struct rs_str *field = (struct rs_str *)(void *)((char *)out + fields[f].offset);
			if (!rs_str_ieq(p->name, fields[f].name))
				continue;
			if (field->p)
				return -1;
			*field = p->value.p ? p->value : RS_STR("");
		}
	}
	return 0;
}

int ast_sip_digest_response(const struct ast_sip_digest *d, struct rs_str ha1, struct rs_str method,
			    char out[AST_SIP_DIGEST_HEX])
{
	char ha2[AST_SIP_DIGEST_HEX];
	size_t len = ast_sip_digest_len(d->algorithm);

	if (ast_sip_digest_join(d->algorithm, (struct rs_str[]){method, d->uri}, 2, ha2))
		return -1;
	if (!d->qop.p)
		return ast_sip_digest_join(d->algorithm, (struct rs_str[]){ha1, d->nonce, rs_str_n(ha2, len)}, 3, out);
	return ast_sip_digest_join(
		d->algorithm, (struct rs_str[]){ha1, d->nonce, d->nc, d->cnonce, d->qop, rs_str_n(ha2, len)}, 6, out);
}

int ast_sip_digest_ha1(const struct ast_sip_auth *auth, enum ast_sip_algorithm algorithm, struct rs_str username,
		       struct rs_str realm, char out[AST_SIP_DIGEST_HEX])
{
	struct rs_str stored = ast_sip_auth_digest(auth, algorithm);

	if (stored.len && stored.len < AST_SIP_DIGEST_HEX) {
		memcpy(out, stored.p, stored.len);
		out[stored.len] = '\0';
		return 0;
	}
	if (!ast_sip_auth_password(auth).len) {
		errno = ENOENT;
		return -1;
	}
	return ast_sip_digest_join(algorithm, (struct rs_str[]){username, realm, ast_sip_auth_password(auth)}, 3, out);
}

int ast_sip_keyed_mac(const uint8_t key[16], const void *data, size_t len, uint8_t out[16])
{
	struct thread_contexts *c = contexts();
	unsigned size = 16;
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
	size_t n = 0;

	if (c && EVP_MAC_init(c->mac, key, 16, params) && EVP_MAC_update(c->mac, data, len) &&
	    EVP_MAC_final(c->mac, out, &n, 16) && n == 16)
		return 0;
	errno = EIO;
	return -1;
}
