/*
 * sip, sips and tel URIs (RFC 3261 section 19.1 and 25, RFC 3966). All slices point into the text that was parsed.
 * Any thread; nothing allocates.
 *
 *   struct sip_uri u;
 *   if (sip_uri_parse(RS_STR("sip:alice@example.com;transport=tcp"), &u) == 0 && sip_uri_is_sip(&u)) …
 */
#ifndef SIP_URI_H
#define SIP_URI_H

#include "sip/addr.h"

enum sip_uri_scheme { SIP_URI_OTHER, SIP_URI_SIP, SIP_URI_SIPS, SIP_URI_TEL };

struct sip_uri {
	struct rs_str text; /* the whole URI */
	struct rs_str scheme_text;
	enum sip_uri_scheme scheme;
	struct rs_str user; /* escaped, as written; tel: the number; other schemes: all after the colon */
	struct rs_str password;
	struct rs_str host;    /* IPv6 with its brackets */
	struct rs_str params;  /* after the first ';', without it; parse with sip_uri_param */
	struct rs_str headers; /* after '?', without it */
	uint16_t port;         /* 0: none written */
	bool has_user;         /* an '@' was there */
	bool has_password;
};

/* 0, or -1: not a URI by RFC 3261's grammar (the whole text must be one). A scheme that is not ours is SIP_URI_OTHER.
 * After -1 *out holds nothing of use. */
RS_API int sip_uri_parse(struct rs_str text, struct sip_uri *out);
static inline bool sip_uri_is_sip(const struct sip_uri *u)
{
	return u->scheme == SIP_URI_SIP || u->scheme == SIP_URI_SIPS;
}

/* A URI parameter by name (any case). true when it is there; *value (may be NULL) is empty when it has none. */
RS_API bool sip_uri_param(const struct sip_uri *u, struct rs_str name, struct rs_str *value);
/* Walks the parameters: *pos starts at 0. *value is empty when there is none (";ob"). false at the end. */
RS_API bool sip_uri_next_param(const struct sip_uri *u, size_t *pos, struct rs_str *name, struct rs_str *value);
/* Walks the headers part in the same way. */
RS_API bool sip_uri_next_header(const struct sip_uri *u, size_t *pos, struct rs_str *name, struct rs_str *value);
/* ;transport= as an enum; NONE when absent or unknown (*unknown tells, may be NULL). */
RS_API enum sip_transport_type sip_uri_transport(const struct sip_uri *u, bool *unknown);
RS_API bool sip_uri_has_lr(const struct sip_uri *u);

/*
 * Equality by RFC 3261 section 19.1.4 (escapes decoded, host without case, user with case, the rules for transport,
 * user, ttl, method and maddr, headers compared); tel by RFC 3966 section 4 (visual separators ignored); other schemes
 * byte for byte. sip and sips never match.
 */
RS_API bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b);
/* A hash that is equal for equal URIs (keyed; differs in each process). */
RS_API uint64_t sip_uri_hash(const struct sip_uri *u);

/*
 * Decodes %HH of s into buf (NUL-terminated; a decoded NUL stays in the middle, so use the length). Returns the
 * length, or -1 when it does not fit in size. A '%' without two hex digits is kept.
 */
RS_API int sip_unescape(struct rs_str s, char *buf, size_t size);
/* Escapes what may not stand in a user part (RFC 3261 section 25.1, user). Returns the length or -1. */
RS_API int sip_escape_user(struct rs_str s, char *buf, size_t size);

/*
 * Rewrites for the next request to a contact: scheme, user, host, port and the given parameters dropped when
 * drop(name) says so, headers and method parameter removed (RFC 3261 section 19.1.5 and table 1). Writes into buf; the
 * length or -1.
 */
RS_API int sip_uri_print_filtered(const struct sip_uri *u, bool (*drop)(struct rs_str name), bool headers, char *buf,
				  size_t size);

#endif
