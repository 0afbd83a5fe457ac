/* The list of what is wrong with a configuration. One thread at a time. */
#ifndef CORE_CONFIG_ERROR_H
#define CORE_CONFIG_ERROR_H

#include "core/config/load.h"

#include <stdarg.h>

/* More errors than this are counted and not kept, so that a broken file of 200,000 objects does not fill the memory. */
#define CONF_ERRORS_MAX 1000

void conf_error_add(struct ast_sip_conf_errors *e, bool warning, const char *file, unsigned line, const char *fmt, ...)
	RS_PRINTF(5, 6);
void conf_error_addv(struct ast_sip_conf_errors *e, bool warning, const char *file, unsigned line, const char *fmt,
		     va_list ap) RS_PRINTF(5, 0);
/* By file and line; errors of one line keep their order. */
void conf_errors_sort(struct ast_sip_conf_errors *e);
/* " (did you mean 'x'?)" or an empty text, in a buffer of size bytes that is returned. */
const char *conf_suggest(char *buf, size_t size, struct rs_str word, const char *const *names, size_t n);

#endif
