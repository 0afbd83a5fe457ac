/* See sim_digest.h. */
#include "sim_digest.h"
#include "sim_fork.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define HEX 33

static void md5(const char *text, char out[HEX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	sim_check_int(EVP_Digest(text, strlen(text), sum, &n, EVP_md5(), NULL), 1);
	sim_check_int(n, 16);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void parameter(const char *value, const char *name, char *out, size_t size)
{
	char what[32];
	const char *at, *end;

	snprintf(what, sizeof(what), "%s=\"", name);
	at = strstr(value, what);
	out[0] = '\0';
	if (!at)
		return;
	at += strlen(what);
	end = strchr(at, '"');
	sim_check(end && (size_t)(end - at) < size);
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
}

void sim_digest_challenged(struct sim_digest *d, const char *value)
{
	sim_check(strstr(value, "qop=\"auth\"") || strstr(value, "qop=\"auth"));
	parameter(value, "nonce", d->nonce, sizeof(d->nonce));
	parameter(value, "realm", d->realm, sizeof(d->realm));
	parameter(value, "opaque", d->opaque, sizeof(d->opaque));
	sim_check(d->nonce[0] && d->realm[0]);
	d->nc = 0;
}

void sim_digest_credentials(struct sim_digest *d, const char *user, const char *password, const char *method,
			    const char *uri, char *out, size_t size)
{
	char text[512], ha1[HEX], ha2[HEX], response[HEX], nc[9];

	out[0] = '\0';
	if (!d->nonce[0])
		return;
	snprintf(nc, sizeof(nc), "%08x", ++d->nc);
	snprintf(text, sizeof(text), "%s:%s:%s", user, d->realm, password);
	md5(text, ha1);
	snprintf(text, sizeof(text), "%s:%s", method, uri);
	md5(text, ha2);
	snprintf(text, sizeof(text), "%s:%s:%s:%s:auth:%s", ha1, d->nonce, nc, "0a4f113b", ha2);
	md5(text, response);
	snprintf(out, size,
		 "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
		 "algorithm=MD5, cnonce=\"0a4f113b\", opaque=\"%s\", qop=auth, nc=%s\r\n",
		 user, d->realm, d->nonce, uri, response, d->opaque, nc);
}
