/*
 * The inside of a received message. One block holds the header, the arena of the index and the typed values, and the
 * bytes: a datagram is read straight into it. What is longer gets a block of its own size from malloc.
 */
#ifndef SIP_RX_PRIVATE_H
#define SIP_RX_PRIVATE_H

#include "base/taskpool.h"
#include "sip/rx_data.h"

#include <stdatomic.h>

#define SIP_RX_MAGIC  0x52584454u
#define SIP_RX_BLOCK  8064 /* bytes of a block from the slab */
#define SIP_RX_BUFFER 4096 /* of it: the bytes of the message */

struct sip_rx_override {
	struct sip_rx_override *next;
	enum sip_hdr_id id;
	unsigned n;
	struct sip_name_addr value;
};

struct sip_rx_data {
	uint32_t magic;
	_Atomic uint32_t refs;
	bool slab; /* block of the slab, else malloc */
	bool force_rport, inbound;
	uint8_t type;  /* enum sip_transport_type */
	uint16_t path; /* UDP: listener and local address (path.h) */
	uint32_t buf_cap;
	char *buf; /* behind the arena's block */
	struct sip_addr source, local;
	struct rs_str listener; /* interned */
	sip_flow_id flow;       /* streams; UDP: made when asked for */
	int64_t time_us;
	_Atomic(struct sip_tsx *) tsx;
	struct rs_task task; /* the transaction layer's (sip_rx_task) */
	_Atomic(struct sip_rx_override *) overrides;
	void *slots[SIP_RX_SLOTS];
	struct rs_arena arena;
	struct sip_msg msg;
	max_align_t mem[];
};

void sip_rx_setup(void); /* registers the slab; once, before the pool starts or from the start of the transports */
/* An empty one with room for len bytes at buf; NULL without memory. One reference. */
struct sip_rx_data *sip_rx_alloc(size_t len);
/* Parses bytes (which lie in rx->buf). */
enum sip_parse_result sip_rx_parse(struct sip_rx_data *rx, struct rs_str bytes);

#endif
