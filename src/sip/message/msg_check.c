/* What a message must satisfy before a service sees it, beyond what the index needs. */
#include "sip/msg.h"
#include "sip/message/extra.h"
#include "sip/message/flaw.h"
#include "sip/message/grammar.h"

static const char *flaw_text(enum sip_msg_flaw flaw, unsigned status)
{
	switch (status) {
	case 413:
		return "Request Entity Too Large";
	case 414:
		return "Request-URI Too Long";
	case 501:
		return "Not Implemented";
	case 505:
		return "Version Not Supported";
	case 513:
		return "Message Too Large";
	default:
		break;
	}
	switch (flaw) {
	case SIP_FLAW_START_LINE:
		return "Bad Request Line";
	case SIP_FLAW_VERSION:
		return "Version Not Supported";
	case SIP_FLAW_STATUS:
		return "Bad Status Code";
	case SIP_FLAW_HEADER:
		return "Bad Header Line";
	case SIP_FLAW_MISSING:
		return "Missing Header";
	case SIP_FLAW_DUPLICATE:
		return "Contradictory Headers";
	case SIP_FLAW_VALUE:
		return "Bad Header Value";
	case SIP_FLAW_CSEQ_METHOD:
		return "CSeq Does Not Match Method";
	case SIP_FLAW_LENGTH:
		return "Bad Content-Length";
	case SIP_FLAW_LIMIT:
		return "Message Too Large";
	default:
		return "Bad Request";
	}
}

void sip_msg_flaw(struct sip_msg *msg, enum sip_msg_flaw flaw, enum sip_hdr_id id, unsigned status)
{
	if (msg->flaw)
		return;
	msg->flaw = flaw;
	msg->flaw_header = id;
	msg->flaw_text = flaw_text(flaw, status);
	msg->flaw_status = msg->is_request && msg->method != SIP_METHOD_ACK ? (uint16_t)status : 0;
}

static int bad(struct sip_msg *msg, enum sip_msg_flaw flaw, enum sip_hdr_id id)
{
	sip_msg_flaw(msg, flaw, id, 400);
	return -1;
}

/* The magic cookie alone is no branch (RFC 4475 section 3.3.3). */
static bool bare_cookie(struct rs_str branch)
{
	return SIP_IS(branch, "z9hg4bk");
}

/* The Request-URI. Headers in it are forbidden (RFC 3261 section 19.1.1, table 1). */
static bool uri_ok(struct sip_msg *msg, struct sip_store *store)
{
	const struct sip_msg_extra *e = sip_msg_extra_own(msg, store);

	return e && e->uri_ok && !(sip_uri_is_sip(&e->uri) && e->uri.headers.p);
}

/* A header that is not as its grammar says, or SIP_HDR_OTHER. */
static enum sip_hdr_id wrong_header(struct sip_msg *msg, struct sip_store *store)
{
	static const enum sip_hdr_id ids[] = {SIP_HDR_FROM, SIP_HDR_TO, SIP_HDR_CONTACT, SIP_HDR_ROUTE,
					      SIP_HDR_RECORD_ROUTE};
	const struct sip_hdr_values *v = sip_msg_type_own(msg, SIP_HDR_VIA, store);

	if (!v || bare_cookie(v->v.via[0].branch))
		return SIP_HDR_VIA;
	for (size_t i = 0; i < RS_ARRAY_SIZE(ids); i++) {
		if (msg->first[ids[i]] && !sip_msg_type_own(msg, ids[i], store))
			return ids[i];
	}
	return SIP_HDR_OTHER;
}

int sip_msg_check(struct sip_msg *msg)
{
	enum sip_hdr_id wrong = SIP_HDR_OTHER;
	struct sip_store store;
	bool uri;

	if (msg->flaw)
		return -1;
	sip_store_open_rest(&store, msg->arena);
	uri = !msg->is_request || uri_ok(msg, &store);
	if (uri)
		wrong = wrong_header(msg, &store);
	sip_store_close(&store);
	if (!uri)
		return bad(msg, SIP_FLAW_START_LINE, SIP_HDR_OTHER);
	return wrong ? bad(msg, SIP_FLAW_VALUE, wrong) : 0;
}
