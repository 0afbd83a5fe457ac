/* The phone's side of Digest (RFC 7616, MD5, qop=auth). One thread. */
#ifndef BENCH_DIGEST_H
#define BENCH_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX 32

struct challenge {
	const char *nonce, *opaque; /* slices of the answer; opaque NULL when there is none */
	int nonce_len, opaque_len;
};

/* 0, or -1: the answer p holds no nonce. */
int challenge_read(const char *p, size_t len, struct challenge *out);
/* text in hex, without a NUL. */
void digest_md5(const char *text, size_t len, char out[DIGEST_HEX]);
void digest_ha1(const char *user, const char *realm, const char *password, char out[DIGEST_HEX]);
/* The response for a nonce that was never used before (nc=00000001). */
void digest_response(const char ha1[DIGEST_HEX], const char ha2[DIGEST_HEX], const struct challenge *c,
		     const char *cnonce, char out[DIGEST_HEX]);

#endif
