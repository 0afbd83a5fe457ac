/*
 * Digest computations (RFC 7616, RFC 8760) for authenticators, over OpenSSL. Any thread; nothing blocks. Inputs are
 * not kept.
 */
#ifndef RES_SIP_DIGEST_H
#define RES_SIP_DIGEST_H

#include "res_sip/config.h"
#include "sip/msg.h"

#define AST_SIP_DIGEST_HEX 65 /* the longest digest in hex, and its NUL */

/* Lower-case hex digits of a digest of that algorithm: 32 or 64. */
RS_API size_t ast_sip_digest_len(enum ast_sip_algorithm algorithm);
/* H(parts[0] ":" parts[1] ":" …) in lower-case hex, NUL-terminated. 0, or -1 (EIO: OpenSSL lacks the algorithm). */
RS_API int ast_sip_digest_join(enum ast_sip_algorithm algorithm, const struct rs_str *parts, size_t n,
			       char out[AST_SIP_DIGEST_HEX]);
/* Compared in constant time, hex case ignored. */
RS_API bool ast_sip_digest_equal(struct rs_str a, struct rs_str b);
/* The same for any bytes, as they are. */
RS_API bool ast_sip_bytes_equal(const void *a, const void *b, size_t n);

/* 2 * n lower-case hex digits into out; no NUL. */
RS_API void ast_sip_to_hex(const void *bytes, size_t n, char *out);
/* Back from exactly such digits: n bytes (a multiple of 4) into bytes; false: text is anything else. */
RS_API bool ast_sip_from_hex(struct rs_str text, void *bytes, size_t n);

/* The parameters of a Digest challenge or credentials; slices as sip_auth has them, quotes taken away. p NULL: absent.
 */
struct ast_sip_digest {
	struct rs_str username, realm, nonce, uri, response, cnonce, nc, qop, opaque, domain;
	enum ast_sip_algorithm algorithm; /* MD5 when absent */
	bool algorithm_known, stale;
};
/* 0, or -1: the scheme is not Digest, or a parameter stands twice. */
RS_API int ast_sip_digest_read(const struct sip_auth *auth, struct ast_sip_digest *out);

/*
 * The response for credentials d (its nonce, uri, cnonce, nc, qop) and method. ha1: H(username:realm:password) in hex.
 * qop absent: the form of RFC 2069.
 */
RS_API int ast_sip_digest_response(const struct ast_sip_digest *d, struct rs_str ha1, struct rs_str method,
				   char out[AST_SIP_DIGEST_HEX]);
/* HA1 for an auth object in realm: its digest, else computed from its password. 0, or -1 (ENOENT: it has neither). */
RS_API int ast_sip_digest_ha1(const struct ast_sip_auth *auth, enum ast_sip_algorithm algorithm, struct rs_str username,
			      struct rs_str realm, char out[AST_SIP_DIGEST_HEX]);

/*
 * The same for the auth's own username, in the realm in force for it in the snapshot that it was found in (its own,
 * else default_realm): the core keeps it, so that checking a password costs no more than refusing a stranger.
 */
RS_API int ast_sip_digest_own_ha1(const struct ast_sip_auth *auth, enum ast_sip_algorithm algorithm,
				  struct rs_str realm, char out[AST_SIP_DIGEST_HEX]);

/* 16 bytes of a keyed hash (SipHash) over data: for nonces and tokens that need no table. key: 16 bytes. 0 or -1. */
#define AST_SIP_MAC_LEN 16
RS_API int ast_sip_keyed_mac(const uint8_t key[16], const void *data, size_t len, uint8_t out[AST_SIP_MAC_LEN]);

#endif
