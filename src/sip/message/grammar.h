/* Pieces of grammar that several files of the message layer share. Private. */
#ifndef SIP_MESSAGE_GRAMMAR_H
#define SIP_MESSAGE_GRAMMAR_H

#include "sip/msg.h"
#include "sip/message/chars.h"
#include "sip/message/store.h"

/* sip_addr_text, without a NUL behind it: the length. */
size_t sip_addr_print(const struct sip_addr *a, bool with_port, char buf[SIP_ADDR_TEXT]);

/* The cursor stands on '['. 0 or -1. */
int sip_cur_ipv6_reference(struct sip_cur *c, struct rs_str *host);
/* A host (IPv6 in brackets) at the cursor. 0 or -1. */
static inline int cur_host(struct sip_cur *c, struct rs_str *host)
{
	const char *start = c->p;
	bool ok;

	if (cur_at(c, '[')) {
		struct sip_cur at = *c;
		int rc = sip_cur_ipv6_reference(&at, host);

		c->p = at.p;
		return rc;
	}
	c->p = sip_skip_host(start, c->end, c->safe, &ok);
	*host = rs_str_n(start, (size_t)(c->p - start));
	return ok && c->p > start ? 0 : -1;
}
/* The digits of a port, 1 to 65535: 0 would read as "none written". 0 or -1. */
static inline int cur_port(struct sip_cur *c, uint16_t *port)
{
	uint64_t v;

	if (cur_number(c, 65535, &v) != 1 || v == 0)
		return -1;
	*port = (uint16_t)v;
	return 0;
}

/* One ";name[=value]" at the cursor with the blanks around it. 1: *out; 0: no ';' stands here; -1: bad. */
int sip_cur_param(struct sip_cur *c, struct sip_param *out);
/* All of them, the array in store. 0, or -1: bad, too many, or no memory. */
int sip_cur_params(struct sip_cur *c, struct sip_store *store, struct sip_params *out);

/*
 * Parameters while their number is not known: at the store's place as long as it has room, then in spare.
 *
 *   sip_param_list_start(&list, store, spare);
 *   if (list.at == list.end && sip_param_list_more(&list)) → too many
 *   *list.at++ = …
 *   params = sip_param_list_keep(&list, &n);
 */
struct sip_param_list {
	struct sip_store *store;
	struct sip_param *v, *at, *end;
	struct sip_param *spare; /* SIP_MAX_PARAMS */
};
void sip_param_list_start(struct sip_param_list *l, struct sip_store *store, struct sip_param *spare);
/* 0, or -1: that many are not allowed. */
int sip_param_list_more(struct sip_param_list *l);
/* The array, now owned by the arena; NULL: no memory. */
const struct sip_param *sip_param_list_keep(struct sip_param_list *l, uint32_t *n);

/* sip_uri_parse for a text inside of a larger one: bytes up to safe may be read. */
int sip_uri_parse_in(struct rs_str text, const char *safe, struct sip_uri *u);

/* A name-addr or addr-spec cut into its pieces, none of them looked into. */
struct sip_name_addr_cut {
	struct rs_str display; /* without quotes; p NULL: none */
	struct rs_str uri;
	bool quoted, brackets;
};
/* The cursor is left on what follows the URI. list: a comma ends an addr-spec. 0 or -1. */
int sip_cur_name_addr(struct sip_cur *c, bool list, struct sip_name_addr_cut *out);
/* The tag of a From or To as received (folds and all); p NULL: none. */
struct rs_str sip_tag_scan(struct rs_str value);
/* Reads the top Via as far as it goes: 0 when a response could be routed by it. Its params are left empty. */
int sip_via_scan(struct rs_str value, struct sip_via *out);
/* num LWS Method with nothing else. 0 or -1. */
int sip_cseq_scan(struct rs_str value, uint32_t *num, struct rs_str *method);
/* Whether s can be a Call-ID. */
bool sip_call_id_ok(struct rs_str s);

/* The parser of one value of a shape: out is the struct of that shape. 0 or -1. */
typedef int sip_shape_parse(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out);
sip_shape_parse sip_parse_text, sip_parse_number, sip_parse_cseq, sip_parse_via, sip_parse_name_addr, sip_parse_token,
	sip_parse_auth, sip_parse_auth_params, sip_parse_uri_params, sip_parse_date, sip_parse_warning,
	sip_parse_timestamp, sip_parse_call_id;

/*
 * Types a header while the message is its maker's alone: what sip_msg_values would, without what guards against other
 * threads. id stands in the message; store is the rest of its arena.
 */
const struct sip_hdr_values *sip_msg_type_own(struct sip_msg *msg, enum sip_hdr_id id, struct sip_store *store);

/* The values of id where they are typed already, or NULL. */
const struct sip_hdr_values *sip_msg_typed(const struct sip_msg *msg, enum sip_hdr_id id);

/* value without folds, copied to store only when it has some; p NULL: no memory. */
struct rs_str sip_unfold(struct sip_store *store, struct rs_str value);

#endif
