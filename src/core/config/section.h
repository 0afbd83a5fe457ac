/* How sections are made while a file is read (private to the parser). */
#ifndef CORE_CONFIG_SECTION_H
#define CORE_CONFIG_SECTION_H

#include "core/config/parse.h"

/* All give 0 / a pointer, or -1 / NULL without memory. */
struct conf_section *conf_section_new(struct conf_set *set, struct rs_str name, uint16_t file, uint32_t line);
/* The first section of that name, ASCII case ignored; follow next_same for the others. NULL: none. */
struct conf_section *conf_section_find(const struct conf_set *set, struct rs_str name);
/* Enters s at the end of the file order and in the index of names. */
int conf_section_link(struct conf_set *set, struct conf_section *s);
/* Puts the variables of base, as they are now, behind those that s has inherited. */
int conf_section_inherit(struct conf_set *set, struct conf_section *s, struct conf_section *base);
int conf_section_add(struct conf_set *set, struct conf_section *s, const struct conf_var *v);
/* key += text: to the last variable of exactly that name, else as a new one. */
int conf_section_append(struct conf_set *set, struct conf_section *s, const struct conf_var *v);

#endif
