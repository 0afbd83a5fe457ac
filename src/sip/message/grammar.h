/* Pieces of grammar that several files of the message layer share. Private. */
#ifndef SIP_MESSAGE_GRAMMAR_H
#define SIP_MESSAGE_GRAMMAR_H

#include "sip/hdr.h"
#include "sip/message/chars.h"

/* A host (IPv6 in brackets) at the cursor. *port becomes 0. 0 or -1. */
int sip_cur_hostport(struct sip_cur *c, struct rs_str *host, uint16_t *port);
/* The digits of a port, 1 to 65535. 0 or -1. */
int sip_cur_port(struct sip_cur *c, uint16_t *port);

/* One ";name[=value]" at the cursor with the blanks around it. 1: *out; 0: no ';' stands here; -1: bad. */
int sip_cur_param(struct sip_cur *c, struct sip_param *out);
/* All of them, the array in arena. 0, or -1: bad, too many, or no memory. */
int sip_cur_params(struct sip_cur *c, struct rs_arena *arena, struct sip_params *out);

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
/* Sets the fields of v that p names: branch, received, maddr, rport. -1: a bad or repeated one. */
int sip_via_note_param(struct sip_via *v, const struct sip_param *p);
/* num LWS Method with nothing else. 0 or -1. */
int sip_cseq_scan(struct rs_str value, uint32_t *num, struct rs_str *method);
/* Whether s can be a Call-ID. */
bool sip_call_id_ok(struct rs_str s);

/* The parser of one value of a shape: out is the struct of that shape. 0 or -1. */
typedef int sip_shape_parse(struct sip_cur *c, enum sip_hdr_id id, struct rs_arena *arena, void *out);
sip_shape_parse sip_parse_text, sip_parse_number, sip_parse_cseq, sip_parse_via, sip_parse_name_addr, sip_parse_token,
	sip_parse_auth, sip_parse_auth_params, sip_parse_uri_params, sip_parse_date, sip_parse_warning,
	sip_parse_timestamp, sip_parse_call_id;

/* value without folds, copied to the arena only when it has some; p NULL: no memory. */
struct rs_str sip_unfold(struct rs_arena *arena, struct rs_str value);

#endif
