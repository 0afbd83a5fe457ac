/* What stands in the parentheses behind a section name: '!', bases, '+' and its filter (private to the parser). */
#ifndef CORE_CONFIG_MODIFIER_H
#define CORE_CONFIG_MODIFIER_H

#include "core/config/parser.h"

/* Makes (or with '+' finds) the section that the following lines belong to and sets p->current when all is right. */
void conf_modifiers_apply(struct conf_parser *p, struct rs_str name, struct rs_str list);

#endif
