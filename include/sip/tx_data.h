/*
 * A message to be sent. It is built once (start line, headers, body in one contiguous buffer), sealed by the first
 * send, and referenced by who may send it again (a transaction). One thread at a time until sealed; sealed bytes
 * never change, except that the next target of a request gets another top Via.
 */
#ifndef SIP_TX_DATA_H
#define SIP_TX_DATA_H

#include "sip/rx_data.h"
#include "sip/writer.h"

struct sip_tx_data;

RS_API struct sip_tx_data *sip_tx_ref(struct sip_tx_data *tx);
RS_API void sip_tx_unref(struct sip_tx_data *tx);

/*
 * A response to rx: status line and the headers of RFC 3261 section 8.2.6.2, Via with received and rport (RFC 3581).
 * The To tag is made from the transaction (the same for each answer of one transaction, RFC 3261 section 8.2.6.2;
 * stateless: a keyed hash of the request, so that a retransmission gets the same tag). reason empty: the standard
 * phrase. Server is added. NULL without memory.
 */
RS_API struct sip_tx_data *sip_tx_response(struct sip_rx_data *rx, unsigned status, struct rs_str reason);

/* What a request outside of a dialog is made of; empty slices take the default in brackets. All are copied. */
struct sip_tx_request_params {
	struct rs_str method;   /* required */
	struct rs_str uri;      /* Request-URI, required */
	struct rs_str from;     /* name-addr without tag, required */
	struct rs_str to;       /* name-addr [the URI in <>] */
	struct rs_str contact;  /* name-addr; "" : none. The text "@" stands for the address that the route uses, in
				   sip:@ or sip:user@@ */
	struct rs_str call_id;  /* [random] */
	struct rs_str from_tag; /* [random] */
	uint32_t cseq;          /* [a random start] */
	int max_forwards;       /* negative: 70 */
};
RS_API struct sip_tx_data *sip_tx_request(const struct sip_tx_request_params *p);

/*
 * Forwards rx with edits (sip/writer.h) on what was received; the Via of our own is added at the send for a request.
 * For a response the top Via is popped by an edit of the caller. NULL: no memory, or an edit does not apply.
 */
RS_API struct sip_tx_data *sip_tx_forward(struct sip_rx_data *rx, const struct sip_edit *edits, size_t n);
/* A new one with the same method, URI, headers and body, another CSeq number, unsealed (a request answered by 401). */
RS_API struct sip_tx_data *sip_tx_clone(struct sip_tx_data *tx, uint32_t cseq);

/* Before the seal. 0 or -1 (ENOMEM, EINVAL: name is no token; EBUSY: sealed). */
RS_API int sip_tx_add_header(struct sip_tx_data *tx, struct rs_str name, struct rs_str value);
RS_API int sip_tx_add_hdr(struct sip_tx_data *tx, enum sip_hdr_id id, struct rs_str value);
RS_API int sip_tx_remove_hdr(struct sip_tx_data *tx, enum sip_hdr_id id); /* all lines of it */
/* A second body replaces the first. */
RS_API int sip_tx_set_body(struct sip_tx_data *tx, struct rs_str content_type, struct rs_str body);
RS_API struct rs_str sip_tx_body(const struct sip_tx_data *tx);
RS_API struct rs_str sip_tx_content_type(const struct sip_tx_data *tx);
/* The first line of that header among what was written so far; empty: none. Valid until the next edit or seal. */
RS_API struct rs_str sip_tx_hdr(const struct sip_tx_data *tx, enum sip_hdr_id id);
/* Line n of it, from 0. */
RS_API struct rs_str sip_tx_hdr_nth(const struct sip_tx_data *tx, enum sip_hdr_id id, unsigned n);

RS_API bool sip_tx_is_request(const struct sip_tx_data *tx);
RS_API enum sip_method sip_tx_method(const struct sip_tx_data *tx); /* a response: that of its request */
RS_API struct rs_str sip_tx_method_text(const struct sip_tx_data *tx);
RS_API struct rs_str sip_tx_uri(const struct sip_tx_data *tx);
RS_API unsigned sip_tx_status(const struct sip_tx_data *tx);
RS_API struct rs_str sip_tx_call_id(const struct sip_tx_data *tx);
RS_API struct rs_str
sip_tx_branch(const struct sip_tx_data *tx); /* of the Via of our own; empty before the first send */
RS_API uint32_t sip_tx_cseq(const struct sip_tx_data *tx);
RS_API struct rs_str sip_tx_to_tag(const struct sip_tx_data *tx);
RS_API struct rs_str sip_tx_from_tag(const struct sip_tx_data *tx);

/*
 * More for the Via of our own: what stands before the first ';' joins the branch (a loop hash: RFC 5393), the rest are
 * parameters
 * (";x=y"). Before the seal; 0 or -1 (EBUSY, ENOMEM).
 */
RS_API int sip_tx_set_branch_suffix(struct sip_tx_data *tx, struct rs_str suffix);
/* Where it goes (sip/transport.h); the flow first, when it is set. Required before a request's send. */
RS_API void sip_tx_set_target(struct sip_tx_data *tx, const struct sip_target *target);
RS_API const struct sip_target *sip_tx_target(const struct sip_tx_data *tx);

/* A word for the sender's own use (the core keeps the endpoint here), released with the message. */
RS_API void sip_tx_set_owner(struct sip_tx_data *tx, void *value, void (*release)(void *value));
RS_API void *sip_tx_owner(const struct sip_tx_data *tx);

/* The sealed bytes; empty before. */
RS_API struct rs_str sip_tx_bytes(const struct sip_tx_data *tx);

#endif
