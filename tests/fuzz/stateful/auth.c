/* Digest from the phone's side (RFC 7616), right or wrong as the program wants it. */
#include "world.h"

#include "res_sip/digest.h"

#include <stdio.h>

static void copy_param(const struct sip_auth *a, const char *name, char *out, size_t size)
{
	const struct sip_param *p = sip_auth_get(a, rs_str_c(name));

	snprintf(out, size, "%.*s", p ? (int)p->value.len : 0, p ? p->value.p : "");
}

void auth_challenged(struct source *s, struct sip_msg *response)
{
	const struct sip_auth *a = sip_msg_auth(response, SIP_HDR_WWW_AUTHENTICATE, 0);
	struct challenge *c = &s->challenge;

	if (!a)
		return;
	c->there = true;
	c->count = 0;
	copy_param(a, "realm", c->realm, sizeof(c->realm));
	copy_param(a, "nonce", c->nonce, sizeof(c->nonce));
	copy_param(a, "opaque", c->opaque, sizeof(c->opaque));
	copy_param(a, "algorithm", c->algorithm, sizeof(c->algorithm));
}

static enum ast_sip_algorithm algorithm_of(const char *name)
{
	if (strcmp(name, "SHA-256") == 0)
		return AST_SIP_SHA_256;
	if (strcmp(name, "SHA-512-256") == 0)
		return AST_SIP_SHA_512_256;
	return AST_SIP_MD5;
}

/* how: 1 right; 2 wrong password; 3 a nonce of nobody's; 4 the last count again; 5 without qop; 6 another realm;
 * 7 a count far ahead */
void auth_line(struct source *s, unsigned how, const char *user, const char *password, const char *method,
	       const char *uri, char *out, size_t size)
{
	struct challenge *c = &s->challenge;
	char ha1[AST_SIP_DIGEST_HEX], response[AST_SIP_DIGEST_HEX], count[16];
	enum ast_sip_algorithm algorithm = algorithm_of(c->algorithm);
	const char *realm = how == 6 ? "elsewhere" : c->realm;
	struct ast_sip_digest d = {.algorithm = algorithm, .algorithm_known = true};

	out[0] = '\0';
	if (!how || !c->there)
		return;
	if (how != 4)
		c->count += how == 7 ? 1000 : 1;
	snprintf(count, sizeof(count), "%08x", c->count);
	d.nonce = how == 3 ? RS_STR("0123456789abcdef0123456789abcdef") : rs_str_c(c->nonce);
	d.uri = rs_str_c(uri);
	d.realm = rs_str_c(realm);
	d.username = rs_str_c(user);
	if (how != 5) {
		d.cnonce = RS_STR("cnonce");
		d.nc = rs_str_c(count);
		d.qop = RS_STR("auth");
	}
	if (ast_sip_digest_join(algorithm,
				(struct rs_str[]){rs_str_c(user), d.realm, rs_str_c(how == 2 ? "wrong" : password)}, 3,
				ha1) ||
	    ast_sip_digest_response(&d, rs_str_c(ha1), rs_str_c(method), response))
		return;
	snprintf(out, size,
		 "Authorization: Digest username=\"%s\",realm=\"%s\",nonce=\"%.*s\",uri=\"%s\",response=\"%s\","
		 "algorithm=%s,opaque=\"%s\"%s%s\r\n",
		 user, realm, RS_FMT(d.nonce), uri, response, c->algorithm, c->opaque,
		 how == 5 ? "" : ",qop=auth,cnonce=\"cnonce\",nc=", how == 5 ? "" : count);
}
