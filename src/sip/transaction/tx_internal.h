/*
 * The inside of a message to be sent. While it is built it is a block of a slab: the lasting part, the building part,
 * and a first buffer inside. What only waits to be sent again (a completed transaction's response) is reduced to the
 * lasting part and the bytes.
 *
 * The buffer of a request:  | headroom | headers … | Content-Length, body |. The seal writes start line, Via and a
 * Contact that names the local address backwards into the headroom, so that another target costs a new head only.
 * A response has no headroom: it starts with its status line.
 */
#ifndef SIP_TX_INTERNAL_H
#define SIP_TX_INTERNAL_H

#include "sip/tx_private.h"

#include <stdatomic.h>

#define TX_MAGIC 0x54584454u
/* Room for the start line, our Via and a Contact of the usual sizes; a longer head moves the message to a larger
 * buffer. */
#define TX_HEADROOM 600
#define TX_INLINE   2048
#define TX_STASH    448 /* method, URI, branch, call-id and the like */

#define TX_HDR_WORDS ((SIP_HDR_N + 63) / 64)

/* A buffer whose bytes may still be on their way. */
struct tx_old {
	struct tx_old *next;
	char *buf;
};

struct tx_build {
	struct sip_writer w;
	struct rs_arena arena; /* copies that never move */
	uint32_t headers;      /* where the headers start in w.buf */
	uint32_t tail;         /* where they end; 0: Content-Length and body are not written yet */
	uint32_t body_off;     /* once they are */
	bool has_length;       /* the headers hold Content-Length already (forwarded) */
	bool own_contact;      /* contact names the local address */
	bool uri_is_hop;       /* a strict router stands in the Request-URI */
	bool lost;             /* a copy had no memory: the seal will fail */
	/* A bit for each header that may stand in w: who asks for another one need not look. And those that may stand
	 * there in more than one line.
	 */
	uint64_t written[TX_HDR_WORDS], again[TX_HDR_WORDS];
	struct rs_str method_text, uri, branch, suffix, contact;
	struct rs_str content_type, body; /* until the seal; body in the arena, or in rx */
	struct sip_rx_data *rx;           /* whose body is used */
	void *owner;
	void (*release)(void *);
	struct tx_old *old;
	char stash[TX_STASH];
	char first[TX_INLINE];
};

struct sip_tx_data {
	uint32_t magic;
	_Atomic uint32_t refs;
	bool request, sealed, has_target;
	bool seen;        /* the services' hooks have seen it */
	uint8_t method;   /* enum sip_method */
	uint8_t protocol; /* enum sip_transport_type: sealed for that */
	uint16_t status;
	uint32_t cseq;
	uint32_t len;
	uint32_t question; /* bytes of the request that it answers */
	uint32_t before;   /* reduced: bytes of its block that stand before it */
	const char *bytes; /* the sealed message */
	struct sip_target target;
	struct tx_build *b; /* NULL: reduced */
};

/* A line of that header was, or may have been, written. */
static inline void tx_wrote(struct tx_build *b, enum sip_hdr_id id)
{
	uint64_t bit = 1ull << id % 64;

	b->again[id / 64] |= b->written[id / 64] & bit;
	b->written[id / 64] |= bit;
}

static inline bool tx_may_have(const struct tx_build *b, enum sip_hdr_id id)
{
	return b->written[id / 64] >> id % 64 & 1;
}

static inline bool tx_may_have_more(const struct tx_build *b, enum sip_hdr_id id)
{
	return b->again[id / 64] >> id % 64 & 1;
}

/* Once, before the pool starts. */
void tx_setup(void);
/* An empty one; headroom: 0 for a response. NULL without memory. */
struct sip_tx_data *tx_new(bool request);
/* Where "sip:@" or "@@" stands for the local address: the place of that '@', or NULL. */
const char *tx_local_mark(struct rs_str s);
struct rs_str tx_copy(struct sip_tx_data *tx, struct rs_str s);
/* A random branch, with what the suffix adds to it. */
void tx_new_branch(struct sip_tx_data *tx);
/* The header section so far (before the seal), or of the sealed bytes. */
struct rs_str tx_header_section(const struct sip_tx_data *tx);
/* Walks header lines: *pos from 0. false at the end. line covers CRLF and folds, value is trimmed. */
bool tx_next_line(struct rs_str section, size_t *pos, struct rs_str *name, struct rs_str *value, struct rs_str *line);
/* A sealed response without all that only a first send needs, in a block of its size; a new reference. NULL without
 * memory. */
struct sip_tx_data *tx_reduce(const struct sip_tx_data *tx);
/* The same with room for before bytes (a multiple of max_align_t's alignment) at the beginning of its block. */
struct sip_tx_data *tx_reduce_behind(const struct sip_tx_data *tx, size_t before);
/* Bytes of memory behind a reduced one. */
size_t tx_reduced_size(const struct sip_tx_data *tx);
/* The To tag of all answers to a request: a keyed hash, so that its retransmission and its ACK lead to the same. */
#define TX_TAG 17
struct rs_str tx_response_tag(struct sip_msg *request, char buf[TX_TAG]);
/* Takes the target of a response from its own top Via (RFC 3261 section 18.2.2). 0 or -1. */
int tx_target_from_via(struct sip_tx_data *tx);
/* ACK (17.1.1.3) for response, or CANCEL (9.1) when response is NULL, for a sealed request. NULL without memory. */
struct sip_tx_data *tx_follow(const struct sip_tx_data *request, enum sip_method method, struct sip_msg *response);

#endif
