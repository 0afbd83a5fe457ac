/*
 * Digest as a phone does it: MD5, qop=auth. Apart from the server's own, which it is held against.
 */
#ifndef SIM_DIGEST_H
#define SIM_DIGEST_H

#include <stddef.h>

/* What the last challenge said; zeroed: there was none. */
struct sim_digest {
	char nonce[128], opaque[64], realm[64];
	unsigned nc;
};

/* value: of WWW-Authenticate. */
void sim_digest_challenged(struct sim_digest *d, const char *value);
/* A line Authorization for a request; "" when there was no challenge yet. */
void sim_digest_credentials(struct sim_digest *d, const char *user, const char *password, const char *method,
			    const char *uri, char *out, size_t size);

#endif
