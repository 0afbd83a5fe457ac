/* Digest as a phone does it: MD5, qop=auth. Apart from the server's own, which it is held against. */
#include "sim_agent.h"

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

void sim_agent_challenged(struct sim_agent *a, struct rs_str bytes)
{
	char value[600];

	sim_agent_header(bytes, "WWW-Authenticate", value, sizeof(value));
	sim_check(strstr(value, "qop=\"auth\"") || strstr(value, "qop=\"auth"));
	parameter(value, "nonce", a->nonce, sizeof(a->nonce));
	parameter(value, "realm", a->realm, sizeof(a->realm));
	parameter(value, "opaque", a->opaque, sizeof(a->opaque));
	sim_check(a->nonce[0] && a->realm[0]);
	a->nc = 0;
}

void sim_agent_credentials(struct sim_agent *a, const char *method, const char *uri, bool wrong, char *out, size_t size)
{
	char text[512], ha1[HEX], ha2[HEX], response[HEX], nc[9];

	out[0] = '\0';
	if (!a->nonce[0])
		return;
	snprintf(nc, sizeof(nc), "%08x", ++a->nc);
	snprintf(text, sizeof(text), "%s:%s:%s", a->user, a->realm, wrong ? "guess" : "secret");
	md5(text, ha1);
	snprintf(text, sizeof(text), "%s:%s", method, uri);
	md5(text, ha2);
	snprintf(text, sizeof(text), "%s:%s:%s:%s:auth:%s", ha1, a->nonce, nc, "0a4f113b", ha2);
	md5(text, response);
	snprintf(out, size,
		 "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
		 "algorithm=MD5, cnonce=\"0a4f113b\", opaque=\"%s\", qop=auth, nc=%s\r\n",
		 a->user, a->realm, a->nonce, uri, response, a->opaque, nc);
}
