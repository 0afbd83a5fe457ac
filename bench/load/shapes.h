/* The traffic shapes: what a unit of work sends, and which answers it must get. */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include "digest.h"

#include <stdbool.h>
#include <stdint.h>

/* One unit of work each. */
enum shape {
	SHAPE_OPTIONS,  /* 200 */
	SHAPE_REGISTER, /* a phone that starts: Call-ID of its own; 401, 200 */
	SHAPE_REFRESH,  /* a known binding, the same Call-ID; 401, 200 */
	SHAPE_MESSAGE,  /* relayed to a registered phone, which the generator plays; 200 */
	SHAPE_WRONG,    /* REGISTER with a wrong password; 401, 401 */
	SHAPE_BIND,     /* the same of a phone that needs no password; 200 */
};

/* What a request is made for. */
struct shape_request {
	enum shape shape;
	unsigned step;     /* 0, or 1 for the one with credentials */
	unsigned slot;     /* below 65536 */
	uint32_t sequence; /* of the unit */
	uint32_t user, cseq;
	unsigned source; /* it leaves from there */
	bool tcp;
};

/* For users 0 to n - 1, all known to the server by the rules of shape_user and shape_password. 0 or -1 (memory). */
int shapes_start(uint32_t users, const char *realm, bool tcp);
void shapes_stop(void);

#define SHAPE_USER_LEN 8
#define SHAPE_TRUNK    "trunk" /* an endpoint without auth, for OPTIONS and MESSAGE */
void shape_user(uint32_t user, char out[SHAPE_USER_LEN + 1]);
void shape_password(uint32_t user, char out[SHAPE_USER_LEN + 8]);

/* The length of the request in buf (MAX_DATAGRAM bytes). c: NULL, or the challenge that it answers. */
size_t shape_write(const struct shape_request *r, const struct challenge *c, char *buf);
/* The final answer that step must get; 401 to step 0 means that there is a step 1. */
unsigned shape_expects(enum shape shape, unsigned step);

/* Whose answer p is: true, with slot, sequence and step of its request. */
bool shape_match(const char *p, size_t len, unsigned *slot, uint32_t *sequence, unsigned *step);
/*
 * What stands in a phone's answer up to CSeq: the status line "SIP/2.0 STATUS" and what it takes over from the request
 * p, Record-Route with it when routes is set. tag goes into a To that has none. In buf (MAX_DATAGRAM bytes).
 */
size_t shape_answer_head(const char *status, const char *p, size_t len, const char *tag, bool routes, char *buf);
/* Adds text; what does not fit is left out. The new length. */
size_t shape_append(char *buf, size_t at, const char *text, size_t len);
/* A phone's 200 to the request p, in buf (MAX_DATAGRAM bytes); its length. */
size_t shape_answer(const char *p, size_t len, char *buf);

#endif
