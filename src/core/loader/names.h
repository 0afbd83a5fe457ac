/* Names of modules as files, modules.conf and operators write them. Any thread. */
#ifndef CORE_LOADER_NAMES_H
#define CORE_LOADER_NAMES_H

#include "base/str.h"

/* Longer names are cut: a name that long is no module's. */
#define MODULE_NAME_MAX 80

enum module_name_kind {
	MODULE_NAME_FILE,     /* a shared object of that name in the module folder */
	MODULE_NAME_BUILT_IN, /* what Asterisk keeps in a module of its own is part of the server here */
};

/*
 * Writes the name in our spelling: lower case, without ".so", Asterisk's res_pjsip_x as res_sip_x. A name that is no
 * file name (a slash in it) becomes empty.
 */
enum module_name_kind module_name_normalise(const char *name, char out[MODULE_NAME_MAX]);
/* Whether name (normalised) is Asterisk's core of SIP, which answers OPTIONS as well. */
bool module_name_is_core(const char *name);

#endif
