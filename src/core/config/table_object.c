/* type=aor, auth, identify, acl, domain_alias and the sections of acl.conf: sections 4.7 to 4.12 of the reference. */
#include "core/config/rows.h"

#define FIELD(f) ((uint32_t)offsetof(struct conf_aor_draft, f))

static const struct conf_option AOR[] = {
	{ROW("contact", LIST, S, ACC, NULL, FIELD(s.contact)), .set = conf_set_contact},
	UINT("max_contacts", S, 0, "0", s.max_contacts),
	BOOL("remove_existing", S, 0, "no", s.remove_existing),
	BOOL("remove_unavailable", S, 0, "no", s.remove_unavailable),
	UINT("minimum_expiration", S, 0, "60", s.minimum_expiration),
	UINT("maximum_expiration", S, 0, "7200", s.maximum_expiration),
	UINT("default_expiration", S, 0, "3600", s.default_expiration),
	RANGE("qualify_frequency", S, NA, "0", s.qualify_frequency, 0, 86400),
	SECONDS("qualify_timeout", S, NA, "3.0", s.qualify_timeout_ms),
	BOOL("qualify_2xx_only", S, NA, "no", s.qualify_2xx_only),
	URI("outbound_proxy", S, NA, NULL, s.outbound_proxy),
	BOOL("support_path", S, 0, "no", s.support_path),
	X_BOOL("authenticate_qualify", X, "no"),
	X_LIST("mailboxes", P, NULL),
	X_STR("voicemail_extension", P, NULL),
};

const struct conf_type conf_type_aor = TYPE("aor", AOR, struct conf_aor_draft, sizeof(struct ast_sip_aor_settings));

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct conf_auth_draft, f))

static const struct conf_name AUTH_TYPE[] = {
	{"userpass", 0}, {"md5", 0}, {"digest", 0}, {"google_oauth", 1}, {NULL, 0},
};

static const struct conf_option AUTH[] = {
	ENUM("auth_type", S, 0, "userpass", auth_type, AUTH_TYPE),
	STR("username", S, 0, NULL, username),
	STR("password", S, SECRET, NULL, password),
	{ROW("password_digest", OWN_SETTER, S, SECRET | ACC, NULL, FIELD(digest)), .set = conf_set_password_digest,
	 .print = conf_print_digests},
	{ROW("md5_cred", OWN_SETTER, S, SECRET | ACC, NULL, FIELD(digest)), .arg = 1, .set = conf_set_password_digest,
	 .print = conf_print_digests},
	STR("realm", S, 0, NULL, realm),
	UINT("nonce_lifetime", S, 0, "32", nonce_lifetime),
	ALGS("supported_algorithms_uas", S, ACC, NULL, uas),
	ALGS("supported_algorithms_uac", S, ACC, NULL, uac),
	X_SECRET("refresh_token", X),
	X_STR("oauth_clientid", X, NULL),
	X_SECRET("oauth_secret", X),
};

const struct conf_type conf_type_auth = TYPE("auth", AUTH, struct conf_auth_draft, 0);

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct conf_identify_draft, f))

static const struct conf_option IDENTIFY[] = {
	STR("endpoint", S, 0, NULL, s.endpoint),
	{ROW("match", LIST, S, ACC, NULL, FIELD(match)), .set = conf_set_match},
	STR("match_header", S, 0, NULL, match_header),
	STR("match_request_uri", S, 0, NULL, match_request_uri),
	BOOL("srv_lookups", S, NA, "yes", s.srv_lookups),
};

const struct conf_type conf_type_identify = TYPE("identify", IDENTIFY, struct conf_identify_draft, 0);

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct conf_acl_section_draft, f))

#define SOURCE_ROWS ACL_RULE("permit", S, acl, CONF_ACL_PERMIT), ACL_RULE("deny", S, acl, CONF_ACL_DENY)

static const struct conf_option ACL[] = {
	SOURCE_ROWS,
	ACL_NAME("acl", S, acl, 0),
	ACL_RULE("contact_permit", S, acl, CONF_ACL_PERMIT | CONF_ACL_CONTACT),
	ACL_RULE("contact_deny", S, acl, CONF_ACL_DENY | CONF_ACL_CONTACT),
	ACL_NAME("contact_acl", S, acl, CONF_ACL_CONTACT),
};

const struct conf_type conf_type_acl = TYPE("acl", ACL, struct conf_acl_section_draft, 0);

static const struct conf_option NAMED_ACL[] = {SOURCE_ROWS};

const struct conf_type conf_type_named_acl = TYPE("acl", NAMED_ACL, struct conf_acl_section_draft, 0);

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct conf_alias_draft, f))

static const struct conf_option DOMAIN_ALIAS[] = {STR("domain", S, 0, NULL, domain)};

const struct conf_type conf_type_domain_alias = TYPE("domain_alias", DOMAIN_ALIAS, struct conf_alias_draft, 0);
