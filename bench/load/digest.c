#include "digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT 1024

static int value_of(const char *name, const char *p, size_t len, const char **value)
{
	const char *at = memmem(p, len, name, strlen(name)), *end;

	if (!at)
		return 0;
	at += strlen(name);
	end = memchr(at, '"', len - (size_t)(at - p));
	*value = at;
	return end ? (int)(end - at) : 0;
}

int challenge_read(const char *p, size_t len, struct challenge *out)
{
	const char *header = memmem(p, len, "WWW-Authenticate:", 17);

	*out = (struct challenge){0};
	if (!header)
		return -1;
	len -= (size_t)(header - p);
	out->nonce_len = value_of("nonce=\"", header, len, &out->nonce);
	out->opaque_len = value_of("opaque=\"", header, len, &out->opaque);
	return out->nonce_len ? 0 : -1;
}

void digest_md5(const char *text, size_t len, char out[DIGEST_HEX])
{
	static EVP_MD_CTX *context;
	static EVP_MD *md5;
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (!context) {
		context = EVP_MD_CTX_new();
		md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	}
	if (!context || !md5 || !EVP_DigestInit_ex2(context, md5, NULL) || !EVP_DigestUpdate(context, text, len) ||
	    !EVP_DigestFinal_ex(context, sum, NULL)) {
		fputs("OpenSSL has no MD5\n", stderr);
		exit(1);
	}
	for (size_t i = 0; i < DIGEST_HEX / 2; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
}

void digest_ha1(const char *user, const char *realm, const char *password, char out[DIGEST_HEX])
{
	char text[TEXT];
	int n = snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);

	digest_md5(text, (size_t)n, out);
}

static char *put(char *at, const char *end, const char *p, size_t len)
{
	if (len > (size_t)(end - at))
		len = (size_t)(end - at);
	memcpy(at, p, len);
	return at + len;
}

void digest_response(const char ha1[DIGEST_HEX], const char ha2[DIGEST_HEX], const struct challenge *c,
		     const char *cnonce, char out[DIGEST_HEX])
{
	char text[TEXT], *at = text;
	const char *end = text + sizeof(text);

	at = put(at, end, ha1, DIGEST_HEX);
	at = put(at, end, ":", 1);
	at = put(at, end, c->nonce, (size_t)c->nonce_len);
	at = put(at, end, ":00000001:", 10);
	at = put(at, end, cnonce, strlen(cnonce));
	at = put(at, end, ":auth:", 6);
	at = put(at, end, ha2, DIGEST_HEX);
	digest_md5(text, (size_t)(at - text), out);
}
