/* Where requests of our own go. */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include "res_sip/location.h"
#include "sip/transport.h"
#include "sip/tx_data.h"

/* The way to a binding: its flow first; what cannot be dialled goes nowhere else (section 5 of the architecture). */
void ast_sip_target_of_contact(const struct ast_sip_contact *c, struct sip_target *out);
/* The URI of tx's next hop: its first Route, else the Request-URI (RFC 3261 section 8.1.2). 0, or -1: it is none. */
int ast_sip_next_hop(struct sip_tx_data *tx, struct sip_uri *out);

#endif
