/* Readers and printers of options whose form is their own (used by the tables). */
#ifndef CORE_CONFIG_SETTER_H
#define CORE_CONFIG_SETTER_H

#include "core/config/build.h"

typedef int conf_setter(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value);
typedef void conf_printer(FILE *f, const struct conf_option *o, const void *draft);

conf_setter conf_set_tos, conf_set_not_empty, conf_set_from_user, conf_set_callerid_privacy, conf_set_redirect_methods,
	conf_set_password_digest, conf_set_contact, conf_set_match;
conf_printer conf_print_redirect_methods, conf_print_digests;

/* A sip or sips URI, with or without <>; *uri is what stands inside. 0 or -1. */
int conf_parse_sip_uri(struct rs_str value, struct rs_str *uri);

#endif
