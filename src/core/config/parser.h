/* The state of reading one file and its includes (private to the parser). */
#ifndef CORE_CONFIG_PARSER_H
#define CORE_CONFIG_PARSER_H

#include "core/config/section.h"

#include <sys/types.h>

/* The files that are open, innermost first. */
struct conf_frame {
	dev_t dev;
	ino_t ino;
	const struct conf_frame *outer;
};

struct conf_parser {
	struct conf_set *set;
	const char *dir;
	struct ast_sip_conf_errors *errors;
	struct conf_section *current; /* NULL before the first [section] */
	uint16_t file;
	uint32_t line;
	unsigned depth;
	const struct conf_frame *frame;
};

/* An error at the current line; the file is then invalid. */
void conf_parser_fail(struct conf_parser *p, const char *fmt, ...) RS_PRINTF(2, 3);

#endif
