/*
 * A received message: its bytes, index, where it came from, and the overlay of what services rewrote. The bytes never
 * change; handing a message to another thread is one reference. Reading is free for any thread; the overlay is
 * written by the serializer that works on the message only.
 */
#ifndef SIP_RX_DATA_H
#define SIP_RX_DATA_H

#include "sip/msg.h"
#include "sip/transport.h"

struct sip_rx_data;
struct sip_tsx;

RS_API struct sip_rx_data *sip_rx_ref(struct sip_rx_data *rx);
RS_API void sip_rx_unref(struct sip_rx_data *rx); /* NULL is allowed */

/* The index. Typed getters of sip/msg.h on it see what was received, without the overlay. */
RS_API struct sip_msg *sip_rx_msg(struct sip_rx_data *rx);
RS_API const struct sip_addr *sip_rx_source(const struct sip_rx_data *rx); /* the packet's source */
RS_API const struct sip_addr *
sip_rx_local(const struct sip_rx_data *rx); /* the address it was sent to, with our port */
RS_API enum sip_transport_type sip_rx_transport(const struct sip_rx_data *rx);
RS_API struct rs_str
sip_rx_listener(const struct sip_rx_data *rx); /* the transport section's name; empty: an outbound connection */
RS_API sip_flow_id sip_rx_flow(const struct sip_rx_data *rx);
RS_API int64_t sip_rx_time_us(const struct sip_rx_data *rx); /* rs_now_us when it was read */

/* The server transaction of a request, the client transaction of a response, or NULL. Not referenced. */
RS_API struct sip_tsx *sip_rx_tsx(const struct sip_rx_data *rx);

/*
 * Rewrites value n (from 0) of a name-addr header for everyone who asks through sip_rx_name_addr: a Contact behind
 * NAT, say. value is copied. 0, or -1 (EINVAL: it does not parse, ENOMEM). On the message's serializer only.
 */
RS_API int sip_rx_override(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n, struct rs_str value);
/* Value n with the overlay consulted; NULL: none or bad. */
RS_API const struct sip_name_addr *sip_rx_name_addr(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n);
/* Answers go to the source port even when the Via has no rport (force_rport). On the serializer only. */
RS_API void sip_rx_set_force_rport(struct sip_rx_data *rx);
RS_API bool sip_rx_force_rport(const struct sip_rx_data *rx);

/*
 * A word for one owner a slot, given back by release (may be NULL) when the message dies. Slots are handed out by
 * sip_rx_slot_new at start-up (a module: at load); at most SIP_RX_SLOTS. On the serializer only.
 */
#define SIP_RX_SLOTS 8
RS_API int sip_rx_slot_new(void (*release)(void *value)); /* -1: none left */
RS_API void sip_rx_slot_free(int slot);
RS_API void sip_rx_set(struct sip_rx_data *rx, int slot, void *value);
RS_API void *sip_rx_get(const struct sip_rx_data *rx, int slot);

#endif
