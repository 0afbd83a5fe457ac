/* What the transports and the transaction layer share of a message to be sent. Not for modules. */
#ifndef SIP_TX_PRIVATE_H
#define SIP_TX_PRIVATE_H

#include "sip/tx_data.h"

/*
 * Finishes the bytes: for a request the Via of our own (protocol by type, sent-by local, the branch that was set) on
 * top, "@" in the Contact replaced by local. A request may be sealed again for another target or branch. Called by the
 * transports, in the send. 0, or -1 (errno).
 */
int sip_tx_seal(struct sip_tx_data *tx, enum sip_transport_type type, const struct sip_addr *local);
/* The branch of the Via of our own, before the send; copied. A sealed request is unsealed by it. */
void sip_tx_set_branch(struct sip_tx_data *tx, struct rs_str branch);
bool sip_tx_sealed(const struct sip_tx_data *tx);
/* A strict router stands in the Request-URI: the next hop is there, whatever the Route says (RFC 3261
 * section 12.2.1.1).
 */
void sip_tx_set_uri_is_hop(struct sip_tx_data *tx);
bool sip_tx_uri_is_hop(const struct sip_tx_data *tx);
/* A response: the bytes of the request that it answers (the amplification budget); 0: unknown. */
size_t sip_tx_question(const struct sip_tx_data *tx);

#endif
