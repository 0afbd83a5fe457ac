/* Digest computations over OpenSSL. Contexts are made once a thread: making them costs more than the digest itself. */
#include "res_sip/digest.h"

#include "core/core.h"
#include "core/pipeline.h"

#include <endian.h>
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

#define MAX_HA2 192 /* bytes of a method and URI whose digest is kept */

/* Each keeps what it was last used for: to begin anew with the same is cheap, to change over is not. */
struct thread_contexts {
	EVP_MD_CTX *md[AST_SIP_ALGORITHMS];
	EVP_MAC_CTX *mac; /* its size is set */
	/* The last H(method:uri): no secret, and phones of one domain all register with the same URI. */
	struct {
		enum ast_sip_algorithm algorithm;
		size_t len; /* 0: none */
		char text[MAX_HA2], hex[AST_SIP_DIGEST_HEX];
	} ha2;
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
static _Thread_local struct thread_contexts *mine; /* the key's value, without asking for it */

static void contexts_free(void *p)
{
	struct thread_contexts *c = p;

	mine = NULL;
	for (size_t i = 0; i < AST_SIP_ALGORITHMS; i++)
		EVP_MD_CTX_free(c->md[i]);
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

static bool contexts_fill(struct thread_contexts *c)
{
	unsigned size = AST_SIP_MAC_LEN;
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};

	for (size_t i = 0; i < AST_SIP_ALGORITHMS; i++) {
		c->md[i] = EVP_MD_CTX_new();
		if (!c->md[i])
			return false;
	}
	c->mac = EVP_MAC_CTX_new(fetched.siphash);
	return c->mac && EVP_MAC_CTX_set_params(c->mac, params);
}

static struct thread_contexts *contexts_make(void)
{
	struct thread_contexts *c;

	if (ast_sip_digest_start())
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	if (!contexts_fill(c) || pthread_setspecific(contexts_key, c)) {
		contexts_free(c);
		return NULL;
	}
	mine = c;
	return c;
}

static struct thread_contexts *contexts(void)
{
	return mine ? mine : contexts_make();
}

size_t ast_sip_digest_len(enum ast_sip_algorithm algorithm)
{
	return algorithms[algorithm].bytes * 2;
}

/* ---- hex, eight digits at a time ---- */

#define EACH_BYTE(v) (0x0101010101010101ull * (v))

/* The digits of v, the first one in the highest byte. */
static uint64_t digits_of(uint32_t v)
{
	uint64_t w = v;

	w = (w << 16 | w) & 0x0000ffff0000ffffull;
	w = (w << 8 | w) & 0x00ff00ff00ff00ffull;
	w = (w << 4 | w) & EACH_BYTE(0x0f);
	/* Six more than nine passes into the next four bits. */
	return w + EACH_BYTE('0') + ((w + EACH_BYTE(6)) >> 4 & EACH_BYTE(1)) * ('a' - '0' - 10);
}

static void put_digits(uint32_t v, char *out)
{
	uint64_t w = htobe64(digits_of(v));

	memcpy(out, &w, sizeof(w));
}

void ast_sip_to_hex(const void *bytes, size_t n, char *out)
{
	const unsigned char *p = bytes;

	for (; n >= 4; p += 4, out += 8, n -= 4) {
		uint32_t v;

		memcpy(&v, p, sizeof(v));
		put_digits(be32toh(v), out);
	}
	for (; n; n--, out += 2) {
		char digits[8];

		put_digits(*p++, digits);
		memcpy(out, digits + 6, 2);
	}
}

bool ast_sip_from_hex(struct rs_str text, void *bytes, size_t n)
{
	unsigned char *out = bytes;
	bool ok = text.len == 2 * n && n % 4 == 0;

	for (size_t i = 0; ok && i < n; i += 4) {
		uint64_t w, nibbles;
		uint32_t v;

		memcpy(&w, text.p + 2 * i, sizeof(w));
		w = be64toh(w);
		/* What digits would mean; then whether these are they. */
		nibbles = (w & EACH_BYTE(0x0f)) + (w >> 6 & EACH_BYTE(1)) * 9;
		nibbles &= EACH_BYTE(0x0f);
		nibbles = (nibbles | nibbles >> 4) & 0x00ff00ff00ff00ffull;
		nibbles = (nibbles | nibbles >> 8) & 0x0000ffff0000ffffull;
		v = (uint32_t)(nibbles | nibbles >> 16);
		ok = digits_of(v) == w;
		v = htobe32(v);
		memcpy(out + i, &v, sizeof(v));
	}
	return ok;
}

/* What most digests are made of fits: OpenSSL is asked once instead of for each part. */
#define JOINED 512

/* parts[0] ":" parts[1] ":" … in buf; its length, 0: it does not fit. */
static size_t join(const struct rs_str *parts, size_t n, char *buf, size_t size)
{
	char *p = buf, *end = buf + size;

	for (size_t i = 0; i < n; i++) {
		if ((size_t)(end - p) < parts[i].len + 1)
			return 0;
		if (i)
			*p++ = ':';
		if (parts[i].len)
			memcpy(p, parts[i].p, parts[i].len);
		p += parts[i].len;
	}
	return (size_t)(p - buf);
}

static bool update_parts(EVP_MD_CTX *md, const struct rs_str *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i && !EVP_DigestUpdate(md, ":", 1))
			return false;
		if (parts[i].len && !EVP_DigestUpdate(md, parts[i].p, parts[i].len))
			return false;
	}
	return true;
}

/* 0, or -1 with errno. */
static int digest(enum ast_sip_algorithm algorithm, const struct rs_str *parts, size_t n,
		  unsigned char sum[EVP_MAX_MD_SIZE])
{
	struct thread_contexts *c = contexts();
	char joined[JOINED];
	size_t size = join(parts, n, joined, sizeof(joined));
	unsigned len = 0;
	bool ok;

	ok = c && EVP_DigestInit_ex2(c->md[algorithm], fetched.digests[algorithm], NULL) &&
	     (size ? EVP_DigestUpdate(c->md[algorithm], joined, size) : update_parts(c->md[algorithm], parts, n)) &&
	     EVP_DigestFinal_ex(c->md[algorithm], sum, &len) && len == algorithms[algorithm].bytes;
	OPENSSL_cleanse(joined, size); /* a password may have been a part */
	if (ok)
		return 0;
	errno = EIO;
	return -1;
}

static void put_hex(const unsigned char *sum, enum ast_sip_algorithm algorithm, char out[AST_SIP_DIGEST_HEX])
{
	ast_sip_to_hex(sum, algorithms[algorithm].bytes, out);
	out[2 * algorithms[algorithm].bytes] = '\0';
}

int ast_sip_digest_join(enum ast_sip_algorithm algorithm, const struct rs_str *parts, size_t n,
			char out[AST_SIP_DIGEST_HEX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (digest(algorithm, parts, n, sum))
		return -1;
	put_hex(sum, algorithm, out);
	return 0;
}

/* ---- comparing in constant time ---- */

/* ASCII capitals of eight bytes in lower case, whatever the bytes are. */
static inline uint64_t lower(uint64_t w)
{
	uint64_t low = w & EACH_BYTE(0x7f);
	uint64_t from_a = low + EACH_BYTE(0x80 - 'A'), past_z = low + EACH_BYTE(0x7f - 'Z');

	return w | ((from_a & ~past_z & ~w & EACH_BYTE(0x80)) >> 2);
}

static inline uint64_t word(const char *p, size_t n)
{
	uint64_t w = 0;

	memcpy(&w, p, n);
	return w;
}

/* 0 when all n bytes are the same. What was found so far is hidden from the compiler: it shall not stop early. */
static inline uint64_t difference(const char *a, const char *b, size_t n, uint64_t (*as)(uint64_t w))
{
	uint64_t d = 0;

	for (; n >= 8; a += 8, b += 8, n -= 8) {
		d |= as(word(a, 8)) ^ as(word(b, 8));
		__asm__ volatile("" : "+r"(d));
	}
	return n ? d | (as(word(a, n)) ^ as(word(b, n))) : d;
}

static inline uint64_t as_it_is(uint64_t w)
{
	return w;
}

bool ast_sip_digest_equal(struct rs_str a, struct rs_str b)
{
	return a.len == b.len && a.len < AST_SIP_DIGEST_HEX && difference(a.p, b.p, a.len, lower) == 0;
}

bool ast_sip_bytes_equal(const void *a, const void *b, size_t n)
{
	return difference(a, b, n, as_it_is) == 0;
}

/* ---- parameters ---- */

/* lit, of letters alone, in lower case; name is as long. As most write it: without looking at case. */
static inline bool is_named(struct rs_str name, const char *lit, size_t n)
{
	return (name.p[0] | 32) == lit[0] && (memcmp(name.p, lit, n) == 0 || strncasecmp(name.p, lit, n) == 0);
}
#define IS(name, lit) is_named(name, lit, sizeof(lit) - 1)

/* The field of a parameter. NULL: none of ours. */
static struct rs_str *field_of(struct ast_sip_digest *d, struct rs_str name)
{
	switch (name.len) {
	case 2:
		return IS(name, "nc") ? &d->nc : NULL;
	case 3:
		return IS(name, "uri") ? &d->uri : IS(name, "qop") ? &d->qop : NULL;
	case 5:
		return IS(name, "realm") ? &d->realm : IS(name, "nonce") ? &d->nonce : NULL;
	case 6:
		return IS(name, "cnonce")   ? &d->cnonce
		       : IS(name, "opaque") ? &d->opaque
		       : IS(name, "domain") ? &d->domain
					    : NULL;
	case 8:
		return IS(name, "username") ? &d->username : IS(name, "response") ? &d->response : NULL;
	default:
		return NULL;
	}
}

int ast_sip_digest_read(const struct sip_auth *auth, struct ast_sip_digest *out)
{
	bool seen_algorithm = false;

	*out = (struct ast_sip_digest){.algorithm = AST_SIP_MD5, .algorithm_known = true};
	if (!rs_str_ieq(auth->scheme, RS_STR("Digest")))
		return -1;
	for (uint32_t i = 0; i < auth->n; i++) {
		const struct sip_param *p = &auth->v[i];
		struct rs_str *field = field_of(out, p->name);

		if (field) {
			if (field->p)
				return -1;
			*field = p->value.p ? p->value : RS_STR("");
		} else if (rs_str_ieq(p->name, RS_STR("algorithm"))) {
			if (seen_algorithm)
				return -1;
			seen_algorithm = true;
			out->algorithm_known = ast_sip_algorithm_from_name(p->value, &out->algorithm) == 0;
		} else if (rs_str_ieq(p->name, RS_STR("stale"))) {
			out->stale = rs_str_ieq(p->value, RS_STR("true"));
		}
	}
	return 0;
}

static int digest_ha2(enum ast_sip_algorithm algorithm, const struct rs_str parts[2], char out[AST_SIP_DIGEST_HEX])
{
	struct thread_contexts *c = contexts();
	char text[MAX_HA2];
	size_t len = join(parts, 2, text, sizeof(text));

	if (c && len && c->ha2.len == len && c->ha2.algorithm == algorithm && memcmp(c->ha2.text, text, len) == 0) {
		memcpy(out, c->ha2.hex, AST_SIP_DIGEST_HEX);
		return 0;
	}
	if (ast_sip_digest_join(algorithm, parts, 2, out))
		return -1;
	if (len) {
		c = contexts(); /* there by now */
		c->ha2.algorithm = algorithm;
		c->ha2.len = len;
		memcpy(c->ha2.text, text, len);
		memcpy(c->ha2.hex, out, 2 * algorithms[algorithm].bytes + 1);
	}
	return 0;
}

int ast_sip_digest_response(const struct ast_sip_digest *d, struct rs_str ha1, struct rs_str method,
			    char out[AST_SIP_DIGEST_HEX])
{
	char ha2[AST_SIP_DIGEST_HEX];
	size_t len = ast_sip_digest_len(d->algorithm);

	if (digest_ha2(d->algorithm, (struct rs_str[]){method, d->uri}, ha2))
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

int ast_sip_digest_own_ha1(const struct ast_sip_auth *auth, enum ast_sip_algorithm algorithm, struct rs_str realm,
			   char out[AST_SIP_DIGEST_HEX])
{
	const uint8_t *kept = ast_sip_auth_digest(auth, algorithm).len ? NULL : ast_sip_auth_kept_ha1(auth, algorithm);

	if (!kept)
		return ast_sip_digest_ha1(auth, algorithm, ast_sip_auth_username(auth), realm, out);
	put_hex(kept, algorithm, out);
	return 0;
}

static int ha1_bytes(enum ast_sip_algorithm algorithm, struct rs_str username, struct rs_str realm,
		     struct rs_str password, uint8_t *out)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (digest(algorithm, (struct rs_str[]){username, realm, password}, 3, sum))
		return -1;
	memcpy(out, sum, algorithms[algorithm].bytes);
	return 0;
}

void ast_sip_digest_prepare(void)
{
	ast_sip_conf_ha1 = ha1_bytes;
}

int ast_sip_keyed_mac(const uint8_t key[16], const void *data, size_t len, uint8_t out[AST_SIP_MAC_LEN])
{
	struct thread_contexts *c = contexts();
	size_t n = 0;

	if (c && EVP_MAC_init(c->mac, key, 16, NULL) && EVP_MAC_update(c->mac, data, len) &&
	    EVP_MAC_final(c->mac, out, &n, AST_SIP_MAC_LEN) && n == AST_SIP_MAC_LEN)
		return 0;
	errno = EIO;
	return -1;
}
