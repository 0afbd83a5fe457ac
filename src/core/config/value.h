/* Texts to values, by section 2 of the reference but strict. Any thread. 0, or -1: the text is no such value. */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include "core/config/pool.h"
#include "res_sip/config.h"

/* yes true y t 1 on / no false n f 0 off, any case; anything else is an error (Asterisk takes it as false). */
int conf_value_bool(struct rs_str s, bool *out);
/* Decimal, 0x hexadecimal or 0 octal, min to max. */
int conf_value_uint(struct rs_str s, uint32_t min, uint32_t max, uint32_t *out);
int conf_value_int(struct rs_str s, int *out);
/* Seconds with a fraction, as milliseconds; 0 to 1,000,000 s. */
int conf_value_seconds(struct rs_str s, uint32_t *ms);
/* A number, or a DSCP name (ef, cs0–cs7, af11–af43); the whole TOS byte. */
int conf_value_tos(struct rs_str s, uint8_t *out);
/* A network address, IPv4 or IPv6, with "/bits" or "/dotted mask"; bits of addr beyond the mask are cleared. */
int conf_value_network(struct rs_str s, struct sip_addr *addr, uint8_t *bits);
/* "/bits" or "/dotted mask" of that family, given without the slash. */
int conf_value_mask(struct rs_str s, uint8_t family, uint8_t *bits);
/* Clears what stands behind the first bits of addr. */
void conf_addr_mask(struct sip_addr *addr, uint8_t bits);
/* Whether s could be a host: a name, or a numeric address (IPv6 with or without brackets). */
bool conf_value_is_host(struct rs_str s);

/* The next item of a comma list, trimmed; empty items are left out. false at the end. *rest starts as the list. */
bool conf_list_next(struct rs_str *rest, struct rs_str *item);
/* list with the items of text behind it, in memory of pool (texts are not copied). -1: no memory. */
int conf_list_add(struct conf_pool *pool, struct ast_sip_strings *list, struct rs_str text);
/* The same with one item as it is. */
int conf_list_push(struct conf_pool *pool, struct ast_sip_strings *list, struct rs_str item);
bool conf_list_has(const struct ast_sip_strings *list, struct rs_str item);

#endif
