/* Comments of a configuration file: ';' to the end of a line, ';--' … '--;' nested over lines, '\;' as a plain ';'. */
#ifndef CORE_CONFIG_COMMENT_H
#define CORE_CONFIG_COMMENT_H

#include "core/config/parse.h"

struct conf_comment {
	unsigned depth;                     /* of block comments that are open */
	unsigned lines[CONF_COMMENT_DEPTH]; /* where each was opened */
	bool overflow;                      /* nested deeper than CONF_COMMENT_DEPTH */
};

/* The line without its comments; rewrites it in place. */
struct rs_str conf_comment_strip(struct conf_comment *c, char *line, size_t len, unsigned number);

#endif
