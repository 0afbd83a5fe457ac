/* Responses made from a request, and where a response of another's making goes. */
#include "sip/transaction/tx_internal.h"

#include "base/hash.h"
#include "sip/stack.h"

#include <errno.h>

/* RFC 3261 section 18.2.1: the source is written down when the sent-by says something else. */
static bool source_differs(const struct sip_via *via, const struct sip_addr *source)
{
	struct sip_addr host;

	return sip_addr_parse(via->host, &host) != 0 || !sip_addr_same_ip(&host, source);
}

struct rs_str tx_response_tag(struct sip_msg *request, char buf[TX_TAG])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t h = rs_hash(request->call_id);

	h = rs_hash_mix(h, rs_hash(request->from_tag));
	h = rs_hash_mix(h, request->cseq);
	if (request->top_branch.len) {
		h = rs_hash_mix(h, rs_hash_nocase(request->top_branch));
	} else {
		const struct sip_via *via = sip_msg_via(request, 0);

		h = rs_hash_mix(h, via ? rs_hash_nocase(via->text) : 0);
	}
	h = rs_hash_mix(h, rs_hash(RS_STR("To tag"))); /* the last mixing is keyed: no tag tells another one */
	for (int i = 0; i < TX_TAG - 1; i++)
		buf[i] = digits[(h >> (60 - 4 * i)) & 15];
	buf[TX_TAG - 1] = '\0';
	return rs_str_n(buf, TX_TAG - 1);
}

struct sip_tx_data *sip_tx_response(struct sip_rx_data *rx, unsigned status, struct rs_str reason)
{
	/* Via stands in as many lines as the request has. */
	static const enum sip_hdr_id taken[] = {SIP_HDR_VIA,     SIP_HDR_VIA,  SIP_HDR_FROM,     SIP_HDR_TO,
						SIP_HDR_CALL_ID, SIP_HDR_CSEQ, SIP_HDR_TIMESTAMP};
	const struct sip_stack_config *config = sip_stack_config();
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_via *via = sip_msg_via(msg, 0);
	const struct sip_addr *source = sip_rx_source(rx);
	struct sip_tx_data *tx = tx_new(false);
	bool rport = (via && via->has_rport) || sip_rx_force_rport(rx);
	bool received = source->family && (rport || !via || source_differs(via, source));
	struct sip_target target = {0};
	char tag[TX_TAG];
	struct sip_writer *w;

	if (!tx)
		return NULL;
	w = &tx->b->w;
	w->compact = config->compact_headers;
	tx->method = (uint8_t)msg->method;
	tx->status = (uint16_t)status;
	tx->cseq = msg->cseq;
	tx->question = (uint32_t)msg->bytes.len;
	if (msg->method == SIP_METHOD_OTHER)
		tx->b->method_text = tx_copy(tx, msg->method_text);
	sip_write_status_line(w, status, reason);
	tx->b->headers = (uint32_t)w->len;
	/* 100 is hop by hop and makes no dialog: without a tag (RFC 3261 section 8.2.6.2). */
	sip_write_response_headers(w, msg, status,
				   status == 100 || msg->to_tag.p ? RS_STR_NULL : tx_response_tag(msg, tag),
				   received ? source : NULL, rport);
	for (size_t i = 0; i < RS_ARRAY_SIZE(taken); i++)
		tx_wrote(tx->b, taken[i]);
	if (config->server_name.len)
		sip_tx_add_hdr(tx, SIP_HDR_SERVER, config->server_name);
	if (!sip_writer_ok(w) || tx->b->lost) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return NULL;
	}
	sip_transport_response_target(rx, &target);
	sip_tx_set_target(tx, &target);
	return tx;
}

int tx_target_from_via(struct sip_tx_data *tx)
{
	struct rs_str value = sip_tx_hdr(tx, SIP_HDR_VIA);
	max_align_t mem[64];
	struct rs_arena arena;
	struct sip_hdr_values values;
	struct sip_target target = {0};
	int result = -1;

	rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
	if (value.len && !sip_hdr_parse(SIP_HDR_VIA, value, &arena, &values) && values.n) {
		const struct sip_via *via = &values.v.via[0];
		struct rs_str host = via->maddr.len ? via->maddr : via->received.len ? via->received : via->host;

		result = sip_addr_parse(host, &target.addr);
		target.type = via->type;
		target.addr.port = via->has_rport && via->rport ? via->rport
				   : via->port                  ? via->port
								: sip_transport_default_port(via->type);
	}
	rs_arena_reset(&arena);
	if (result || target.type == SIP_TRANSPORT_NONE) {
		errno = EINVAL;
		return -1;
	}
	sip_tx_set_target(tx, &target);
	return 0;
}
