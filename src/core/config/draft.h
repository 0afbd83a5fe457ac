/* Objects while they are read: the public settings first, then what is worked out from them. */
#ifndef CORE_CONFIG_DRAFT_H
#define CORE_CONFIG_DRAFT_H

#include "res_sip/config.h"

#include <stdio.h>

enum { CONF_ACL_PERMIT = 0, CONF_ACL_DENY = 1, CONF_ACL_CONTACT = 2 };

/* One rule: the first bits of ip, of that family. */
struct conf_acl_rule {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	bool deny;
	uint8_t ip[16];
};
/* One list of rules, walked whole. */
struct conf_acl_list {
	struct rs_str name;
	bool contact;
	const struct conf_acl_rule *rules;
	uint32_t n;
};
struct conf_acl_rules {
	struct conf_acl_rule *v;
	uint32_t n, cap;
};
struct conf_acl_draft {
	struct conf_acl_rules rules[2];  /* source, contact */
	struct ast_sip_strings names[2]; /* named lists for source, contact */
};

struct conf_endpoint_draft {
	struct ast_sip_endpoint_settings s;
	struct ast_sip_strings aors, auth;
	struct conf_acl_draft acl;
};
struct conf_aor_draft {
	struct ast_sip_aor_settings s;
};
struct conf_auth_draft {
	int auth_type; /* 1: google_oauth */
	struct rs_str username, password, realm;
	struct rs_str digest[AST_SIP_ALGORITHMS]; /* lower-case hex */
	uint32_t nonce_lifetime;
	struct ast_sip_algorithms uas, uac; /* as configured; n 0: the global lists */
};
struct conf_identify_draft {
	struct ast_sip_identify_settings s; /* match, hosts, regexes are filled in when it is built */
	struct ast_sip_strings match;
	struct rs_str match_header;
	struct rs_str match_request_uri;
};
struct conf_acl_section_draft {
	struct conf_acl_draft acl;
};
struct conf_alias_draft {
	struct rs_str domain;
};
struct conf_transport_draft {
	struct ast_sip_transport t;
	int protocol;
	struct rs_str external_signaling_hostname;
	struct conf_acl_draft local_net;
};
#endif
