/*
 * What of a message another leg may see: the body with what describes it, and headers that are for whoever is at the
 * other end. What belongs to one leg's signaling (routes, dialog, extensions, authentication, programs' names) never
 * passes, and who somebody is passes by identity.c and diversion.c only.
 */
#include "calls.h"
#include "identity.h"

enum passing { NEVER, ALWAYS, WITH_BODY };

static const uint8_t passing[SIP_HDR_N] = {
	[SIP_HDR_ACCEPT_LANGUAGE] = ALWAYS,
	[SIP_HDR_ALERT_INFO] = ALWAYS,
	[SIP_HDR_CALL_INFO] = ALWAYS,
	[SIP_HDR_DATE] = ALWAYS,
	[SIP_HDR_ERROR_INFO] = ALWAYS,
	[SIP_HDR_EVENT] = ALWAYS,
	[SIP_HDR_ORGANIZATION] = ALWAYS,
	[SIP_HDR_PRIORITY] = ALWAYS,
	[SIP_HDR_REASON] = ALWAYS,
	[SIP_HDR_RETRY_AFTER] = ALWAYS,
	[SIP_HDR_SUBJECT] = ALWAYS,
	[SIP_HDR_SUBSCRIPTION_STATE] = ALWAYS,
	[SIP_HDR_WARNING] = ALWAYS,
	[SIP_HDR_CONTENT_DISPOSITION] = WITH_BODY,
	[SIP_HDR_CONTENT_ENCODING] = WITH_BODY,
	[SIP_HDR_CONTENT_LANGUAGE] = WITH_BODY,
	[SIP_HDR_MIME_VERSION] = WITH_BODY,
};

/* Headers that the table of the stack does not know. */
static bool other_passes(struct rs_str name)
{
	static const char *const names[] = {"User-to-User", "Session-ID", "Info-Package", "Recv-Info"};

	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++) {
		if (rs_str_ieqz(name, names[i]))
			return true;
	}
	return false;
}

struct rs_str headers_content_type(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_CONTENT_TYPE);

	return h ? sip_msg_unfold(msg, h->value) : RS_STR_NULL;
}

void headers_pass(struct sip_tx_data *tx, struct sip_rx_data *from, bool with_body)
{
	struct sip_msg *msg = sip_rx_msg(from);

	with_body = with_body && msg->body.len;
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		const struct sip_hdr *h = &msg->hdrs[i];

		if (h->id == SIP_HDR_OTHER) {
			if (other_passes(h->name))
				sip_tx_add_header(tx, h->name, sip_msg_unfold(msg, h->value));
		} else if (passing[h->id] == ALWAYS || (passing[h->id] == WITH_BODY && with_body)) {
			sip_tx_add_hdr(tx, h->id, sip_msg_unfold(msg, h->value));
		}
	}
	if (with_body)
		sip_tx_set_body(tx, headers_content_type(from), msg->body);
}

struct rs_str headers_reason(struct sip_rx_data *rx, char *buf)
{
	return rx ? call_reason_from(sip_rx_msg(rx), buf) : RS_STR_NULL;
}
