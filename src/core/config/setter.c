#include "core/config/setter.h"

#include "sip/uri.h"

#define CONTACT_MAX        511 /* bytes of a permanent contact, as in Asterisk */
#define CONTACT_HOST_MAX   255 /* bytes of its host */
#define CONTACT_HOST_SHORT 245 /* the same when no port is written */

static struct rs_str *text_at(const struct conf_option *o, void *draft)
{
	return (struct rs_str *)(void *)((char *)draft + o->offset);
}

int conf_set_tos(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	uint8_t tos;

	if (conf_value_tos(value, &tos) != 0) {
		conf_fail(l, "%s: '%.*s' is no TOS value or DSCP name", o->name, RS_FMT(value));
		return -1;
	}
	if (tos & 3)
		conf_warn(l, "%s: the low two bits of %u are not part of a TOS and are dropped", o->name, tos);
	*((uint8_t *)draft + o->offset) = tos & 0xfc;
	return 0;
}

int conf_set_not_empty(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	if (value.len == 0) {
		conf_fail(l, "%s may not be empty", o->name);
		return -1;
	}
	*text_at(o, draft) = value;
	return 0;
}

int conf_set_from_user(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!isalnum((unsigned char)value.p[i]) && !memchr("-._~%!$&'()*+,;=:", value.p[i], 17)) {
			conf_fail(l, "%s: '%.*s' has a character that may not stand in a user part", o->name,
				  RS_FMT(value));
			return -1;
		}
	*text_at(o, draft) = value;
	return 0;
}

int conf_set_callerid_privacy(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	static const char *const NAMES[] = {
		"allowed_not_screened", "allowed_passed_screen", "allowed_failed_screen", "allowed",
		"prohib_not_screened",  "prohib_passed_screen",  "prohib_failed_screen",  "prohib",
		"unavailable",
	};
	char hint[80];
	int number;

	for (size_t i = 0; i < RS_ARRAY_SIZE(NAMES); i++)
		if (rs_str_ieqz(value, NAMES[i])) {
			*text_at(o, draft) = rs_str_c(NAMES[i]);
			return 0;
		}
	if (conf_value_int(value, &number) == 0) {
		*text_at(o, draft) = value;
		return 0;
	}
	conf_suggest(hint, sizeof(hint), value, NAMES, RS_ARRAY_SIZE(NAMES));
	conf_fail(l, "%s: '%.*s' is no presentation and no number%s", o->name, RS_FMT(value), hint);
	return -1;
}

int conf_set_redirect_methods(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	bool message = false;
	struct rs_str item;

	while (conf_list_next(&value, &item)) {
		if (!rs_str_ieqz(item, "message")) {
			conf_fail(l, "%s: '%.*s' is not known (message is the only method)", o->name, RS_FMT(item));
			return -1;
		}
		message = true;
	}
	*((bool *)draft + o->offset) = message;
	return 0;
}

void conf_print_redirect_methods(FILE *f, const struct conf_option *o, const void *draft)
{
	fputs(*((const bool *)draft + o->offset) ? "message" : "", f);
}

/* "alg:hex", or hex alone for md5_cred. Nothing of the value is told: it is as good as a password. */
static int digest_set(struct conf_load *l, const struct conf_option *o, struct conf_auth_draft *d, struct rs_str item)
{
	const char *colon = rs_str_chr(item, ':');
	enum ast_sip_algorithm alg = AST_SIP_MD5;
	struct rs_str hex = item;
	char *lower;

	if (colon) {
		struct rs_str name = rs_str_trim(rs_str_n(item.p, (size_t)(colon - item.p)));

		hex = rs_str_trim(rs_str_n(colon + 1, item.len - (size_t)(colon + 1 - item.p)));
		if (ast_sip_algorithm_from_name(name, &alg) != 0) {
			conf_fail(l, "%s: '%.*s' is none of MD5, SHA-256, SHA-512-256", o->name,
				  (int)(name.len > 16 ? 16 : name.len), name.p);
			return -1;
		}
	} else if (o->arg == 0) {
		conf_fail(l, "%s: the value has no 'algorithm:' before the digest", o->name);
		return -1;
	}
	if (hex.len != conf_digest_len(alg)) {
		conf_fail(l, "%s: a %s digest has %zu hexadecimal digits, not %zu", o->name,
			  ast_sip_algorithm_name(alg).p, conf_digest_len(alg), hex.len);
		return -1;
	}
	lower = conf_pool_alloc(&l->tmp, hex.len + 1);
	for (size_t i = 0; lower && i < hex.len; i++) {
		if (!isxdigit((unsigned char)hex.p[i])) {
			conf_fail(l, "%s: the digest has a character that is no hexadecimal digit", o->name);
			return -1;
		}
		lower[i] = (char)tolower((unsigned char)hex.p[i]);
	}
	d->digest[alg] = lower ? rs_str_n(lower, hex.len) : RS_STR_NULL;
	return lower ? 0 : -1;
}

int conf_set_password_digest(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	struct rs_str item;

	while (conf_list_next(&value, &item))
		if (digest_set(l, o, draft, item) != 0)
			return -1;
	return 0;
}

void conf_print_digests(FILE *f, const struct conf_option *o, const void *draft)
{
	const struct conf_auth_draft *d = draft;
	bool set = o->arg ? d->digest[AST_SIP_MD5].len != 0
			  : d->digest[AST_SIP_SHA_256].len || d->digest[AST_SIP_SHA_512_256].len;

	fputs(set ? "set" : "", f);
}

int conf_set_contact(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	struct ast_sip_strings *list = (struct ast_sip_strings *)(void *)((char *)draft + o->offset);
	struct rs_str item, text;
	struct sip_uri u;

	while (conf_list_next(&value, &item)) {
		if (item.len > CONTACT_MAX || conf_parse_sip_uri(item, &text) != 0 || sip_uri_parse(text, &u) != 0) {
			conf_fail(l, "%s: '%.*s' is no sip or sips URI of up to %d bytes", o->name,
				  (int)(item.len > 120 ? 120 : item.len), item.p, CONTACT_MAX);
			return -1;
		}
		if (u.host.len > (u.port ? CONTACT_HOST_MAX : CONTACT_HOST_SHORT)) {
			conf_fail(l, "%s: a host of more than %d bytes", o->name,
				  u.port ? CONTACT_HOST_MAX : CONTACT_HOST_SHORT);
			return -1;
		}
		if (conf_list_push(&l->tmp, list, text) != 0)
			return -1;
	}
	return 0;
}
