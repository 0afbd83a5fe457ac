/* What the tests of the call service's parts share: a request around some header lines, and one to be sent. */
#ifndef CALLS_TEST_H
#define CALLS_TEST_H

#include "../core/core_test.h"

#include "modules/calls/diversion.h"
#include "modules/calls/identity.h"

#define TO_DESK  "To: <sip:desk@example.net>\r\nCall-ID: c@192.0.2.7\r\nCSeq: 1 INVITE\r\n"
#define FROM_LEA "From: \"Lea\" <sip:lea@example.net>;tag=l1\r\n"

struct parsed_msg {
	char mem[16384], text[20000];
	struct rs_arena arena;
	struct sip_msg msg;
};

/* first: request or status line, without its end. Header lines end with CRLF. */
static inline struct sip_msg *parse_msg(struct parsed_msg *p, const char *first, const char *lines)
{
	int n = snprintf(p->text, sizeof(p->text),
			 "%s\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKt\r\n" TO_DESK "%s\r\n", first, lines);

	assert_true(n > 0 && (size_t)n < sizeof(p->text));
	rs_arena_init(&p->arena, p->mem, sizeof(p->mem), SIP_MAX_ARENA);
	assert_int_equal(sip_msg_parse(&p->msg, &p->arena, rs_str_n(p->text, (size_t)n), false, NULL), SIP_PARSE_DONE);
	assert_int_equal(p->msg.flaw, SIP_FLAW_NONE);
	return &p->msg;
}

static inline struct sip_msg *invite(struct parsed_msg *p, const char *lines)
{
	return parse_msg(p, "INVITE sip:desk@example.net SIP/2.0", lines);
}

static inline void msg_end(struct parsed_msg *p)
{
	rs_arena_reset(&p->arena);
}

static inline struct sip_tx_data *outgoing(const char *uri)
{
	struct sip_tx_data *tx = sip_tx_request(&(struct sip_tx_request_params){.method = RS_STR("INVITE"),
										.uri = rs_str_c(uri),
										.from = RS_STR("<sip:x@10.0.0.1>"),
										.max_forwards = -1});

	assert_non_null(tx);
	return tx;
}

#define assert_str(s, lit)                                                                                             \
	do {                                                                                                           \
		struct rs_str s_ = (s);                                                                                \
		const char *lit_ = (lit);                                                                              \
		if (!rs_str_eqz(s_, lit_))                                                                             \
			fail_msg("\"%.*s\" is not \"%s\"", RS_FMT(s_), lit_);                                          \
	} while (0)

/* Line n of that header; "": there is none. */
static inline void assert_hdr(struct sip_tx_data *tx, enum sip_hdr_id id, unsigned n, const char *value)
{
	assert_str(sip_tx_hdr_nth(tx, id, n), value);
}

#endif
