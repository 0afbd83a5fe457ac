/* What every transport does with a whole message: load shedding, trace, parse, hand it up. */
#include "sip/transport/tp.h"

#include "base/hash.h"
#include "base/log.h"
#include "sip/transport/listener.h"
#include "sip/transport/rx_private.h"

/* Refusals a second, all threads: past it a flood of requests gets nothing, and costs no more than its classification.
 */
#define REFUSE_RATE 2000
/* Seconds to wait that a shed request is told, with a spread so that not all come back at once. */
#define RETRY_AFTER_SPREAD 10
#define REFUSE_BYTES       2048

static bool refuse_rate_ok(void)
{
	static _Atomic int64_t second;
	static _Atomic uint32_t used;
	int64_t now = rs_now_us() / 1000000, at = atomic_load_explicit(&second, memory_order_relaxed);

	if (at != now && atomic_compare_exchange_strong(&second, &at, now))
		atomic_store_explicit(&used, 0, memory_order_relaxed);
	return atomic_fetch_add_explicit(&used, 1, memory_order_relaxed) < REFUSE_RATE;
}

/* A To tag without state: a retransmission of the request gets the same one. */
static struct rs_str stateless_tag(const struct sip_msg *msg, char buf[20])
{
	uint64_t h = rs_hash_mix(rs_hash(msg->call_id), rs_hash(msg->top_branch));
	size_t n = 0;

	for (; n < 12; n++, h >>= 5)
		buf[n] = "abcdefghijklmnopqrstuvwxyz234567"[h & 31];
	return rs_str_n(buf, n);
}

bool sip_receive_refuse(struct sip_rx_data *rx, unsigned status, const char *reason, unsigned retry_after_s)
{
	char first[REFUSE_BYTES], tag[20];
	struct sip_target target;
	struct sip_writer w;
	const struct sip_via *via = sip_msg_via(&rx->msg, 0);
	bool sent = false;

	if (!rx->msg.is_request || rx->msg.method == SIP_METHOD_ACK || !refuse_rate_ok())
		return false;
	sip_transport_response_target(rx, &target);
	sip_writer_init(&w, first, sizeof(first));
	sip_write_status_line(&w, status, rs_str_c(reason));
	sip_write_response_headers(&w, &rx->msg, status, stateless_tag(&rx->msg, tag), &rx->source,
				   rx->force_rport || (via && via->has_rport));
	if (retry_after_s) {
		sip_write_hdr_start(&w, SIP_HDR_RETRY_AFTER);
		sip_write_u64(&w, retry_after_s);
		sip_write_crlf(&w);
	}
	sip_write_body(&w, RS_STR_NULL, RS_STR_NULL);
	if (sip_writer_ok(&w)) {
		struct rs_str bytes = rs_str_n(w.buf, w.len);
		bool (*allowed)(const struct sip_addr *, size_t, size_t) = sip_stack_config()->answer_allowed;

		if (target.type != SIP_TRANSPORT_UDP || !allowed || allowed(&target.addr, rx->msg.bytes.len, w.len))
			sent = sip_send_raw(&target, bytes) == 0;
	}
	sip_writer_fini(&w);
	return sent;
}

static void count(_Atomic uint64_t *cell)
{
	atomic_fetch_add_explicit(cell, 1, memory_order_relaxed);
}

enum sip_reception sip_receive(struct sip_rx_data *rx, struct rs_str bytes, struct sip_stat_cell *stats)
{
	const struct sip_stack_config *config = sip_stack_config();
	enum sip_transport_type type = (enum sip_transport_type)rx->type;
	enum sip_admission admission = SIP_ADMIT;
	enum sip_reception dropped = SIP_SHED;

	count(&stats->received);
	if (config->admit && !(config->admits_all && config->admits_all()))
		admission = config->admit(sip_msg_classify(bytes), type, &rx->source);
	if (sip_trace_on())
		sip_trace_message(true, type, &rx->local, &rx->source, bytes);
	if (admission == SIP_REFUSE_DROP || !atomic_load_explicit(&sip_tp.running, memory_order_relaxed)) {
		count(&stats->dropped);
		goto drop;
	}
	if (sip_rx_parse(rx, bytes) != SIP_PARSE_DONE) {
		char text[SIP_ADDR_TEXT];

		count(&stats->parse_errors);
		rs_event(RS_LOG_DEBUG, "message.unreadable", RS_FZ("source", sip_addr_text(&rx->source, true, text)),
			 RS_FI("bytes", bytes.len));
		dropped = SIP_NO_MESSAGE;
		goto drop;
	}
	if (sip_msg_check(&rx->msg))
		count(&stats->parse_errors);
	if (admission == SIP_REFUSE_503) {
		count(&stats->dropped);
		sip_receive_refuse(rx, 503, "Service Unavailable",
				   sip_stack_config()->retry_after_s + rs_random_below(RETRY_AFTER_SPREAD));
		goto drop;
	}
	return SIP_RECEIVED;
drop:
	sip_rx_unref(rx);
	return dropped;
}
