/*
 * Nonces: a keyed timestamp each, so that none is kept to be issued or verified; and the table of nonce counts that
 * were used, bounded, so that a replay is refused. Any thread.
 */
#ifndef AUTHENTICATOR_DIGEST_NONCE_H
#define AUTHENTICATOR_DIGEST_NONCE_H

#include "base/str.h"
#include "sip/addr.h"

#define NONCE_TEXT 49 /* hex digits of time, random number and MAC, and the NUL */

/* Draws the key (once a process: it survives a reload) and makes the table. 0 or -1. */
int nonce_start(void);
void nonce_stop(void);
/* Bytes that follow from the key and cannot be told by anybody else. 0 or -1. */
#define NONCE_SECRET 32
int nonce_secret(uint8_t out[NONCE_SECRET]);

/* What stands in one. */
struct nonce {
	uint32_t seconds; /* when it was made, by the clock of rs_now_us */
	uint64_t number;
	uint8_t tag[12]; /* of the MAC over all it belongs to */
};

/* A new nonce for realm and source (its port is not part of it). 0 or -1. */
int nonce_make(struct rs_str realm, const struct sip_addr *source, uint32_t now_s, char out[NONCE_TEXT]);
/* Whether text looks like one of ours. */
bool nonce_read(struct rs_str text, struct nonce *out);
/* It will be asked for and taken soon. */
void nonce_expect(const struct nonce *nonce);
/* Whether we made nonce for realm and source, not longer than lifetime_s ago. */
bool nonce_valid(const struct nonce *nonce, struct rs_str realm, const struct sip_addr *source, uint32_t lifetime_s,
		 uint32_t now_s);

/*
 * Takes count nc of a valid nonce: true the first time, false when it was taken already, is too far behind the highest
 * one, or when the table has had to forget nonces of that age. Called after the credentials were found right, so that a
 * stranger cannot fill the table. now_s: what nonce_valid was asked with.
 */
bool nonce_take(const struct nonce *nonce, uint32_t nc, uint32_t lifetime_s, uint32_t now_s);

#endif
