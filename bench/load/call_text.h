/*
 * What the two phones of a call say. Everything that they send names the call it belongs to: a phone finds it again in
 * the branch, in its own tag or, the called one, in the SDP of the INVITE, which passes through whatever server.
 */
#ifndef BENCH_CALL_TEXT_H
#define BENCH_CALL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_SLOTS 262144u /* calls at once */

enum call_kind { CALL_INVITE, CALL_ACK, CALL_BYE, CALL_INFO };

/* Which call, and which of those that had this slot one after another. */
struct call_name {
	unsigned slot;
	uint32_t sequence;
};

/* What the caller learned from the 200: contact, route set and tag of the other end. */
struct call_dialog {
	uint8_t target_len, route_len, tag_len;
	char target[96], route[192], tag[64];
};

struct call_request {
	enum call_kind kind;
	struct call_name name;
	uint32_t caller, callee; /* users */
	uint32_t cseq;
	unsigned source;
	const struct call_dialog *dialog; /* NULL: outside of one */
};

void call_text_start(void);
/* The request in buf (MAX_DATAGRAM bytes), the same for the same r; its length. Outside of a dialog it is an INVITE, or
 * an ACK in the INVITE's transaction with the To of its answer p (len bytes). */
size_t call_write(const struct call_request *r, char *buf);
size_t call_write_refused_ack(const struct call_request *r, const char *p, size_t len, char *buf);
/* false: the answer has no usable Contact or tag. */
bool call_learn(const char *p, size_t len, struct call_dialog *out);

/* Whose answer p is, and to which request (the CSeq's low 16 bits); false: nobody's. */
bool call_match_response(const char *p, size_t len, struct call_name *name, enum call_kind *kind, uint32_t *cseq);
/* For whom the request p is; *called: for the called phone of that call. */
bool call_match_request(const char *p, size_t len, struct call_name *name, bool *called);

/* The called phone's 180 or 200 to the INVITE p, in buf (MAX_DATAGRAM bytes). */
size_t call_answer_invite(unsigned status, const char *p, size_t len, struct call_name name, uint32_t callee,
			  unsigned source, char *buf);

#endif
