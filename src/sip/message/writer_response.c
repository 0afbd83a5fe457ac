/* What a response takes from its request (RFC 3261 section 8.2.6.2). */
#include "sip/writer.h"
#include "sip/message/grammar.h"
#include "sip/message/write.h"

/* Whether only the CRLF at its end breaks the line. */
static bool one_line(const struct sip_hdr *h)
{
	struct rs_str s = rs_str_n(h->line.p, h->line.len - 2);

	return !rs_str_chr(s, '\r') && !rs_str_chr(s, '\n');
}

/* A header as it came; folds are undone on the way. */
static void copy_line(struct sip_writer *w, const struct sip_hdr *h)
{
	if (one_line(h))
		sip_write(w, h->line);
	else
		sip_write_hdr_name(w, h->name, h->value);
}

static void copy_first(struct sip_writer *w, const struct sip_msg *msg, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_hdr(msg, id, 0);

	if (h)
		copy_line(w, h);
}

/* The next piece of a Via value: up to a ';' outside quotes. */
static const char *piece_end(const char *p, const char *end)
{
	struct sip_cur c = cur_between(p, end);
	struct rs_str q;

	while (c.p < end && *c.p != ';') {
		if (*c.p != '"')
			c.p++;
		else if (!cur_quoted(&c, &q))
			return end;
	}
	return c.p;
}

/* Whether a piece "name=value" is one that we write ourselves. */
static bool is_ours(struct rs_str piece, bool rport)
{
	struct sip_cur c = cur_of(piece);
	struct rs_str name;

	cur_lws(&c);
	name = cur_span(&c, C_TOKEN);
	return SIP_IS(name, "received") || (rport && SIP_IS(name, "rport"));
}

/* The top value with its received and rport in place of what the sender wrote there (section 18.2.1, RFC 3581 section
 * 4). */
static void write_top_via(struct sip_writer *w, struct rs_str value, const struct sip_addr *source, bool received,
			  bool rport)
{
	const char *end = value.p + value.len, *p = piece_end(value.p, end);
	struct sip_addr bare = *source;
	char text[SIP_ADDR_TEXT];

	sip_write_one_line(w, rs_str_trim(rs_str_n(value.p, (size_t)(p - value.p))));
	while (p < end) {
		const char *next = piece_end(p + 1, end);
		struct rs_str piece = rs_str_n(p + 1, (size_t)(next - p - 1));

		p = next;
		if (is_ours(piece, rport))
			continue;
		sip_writez(w, ";");
		sip_write_one_line(w, rs_str_trim(piece));
	}
	if (received) {
		bare.scope_id = 0;
		sip_writez(w, ";received=");
		sip_writez(w, sip_addr_text(&bare, false, text));
	}
	if (rport) {
		sip_writez(w, ";rport=");
		sip_write_u64(w, source->port);
	}
}

bool sip_write_via_completed(struct sip_writer *w, const struct sip_msg *msg, const struct sip_addr *source,
			     bool with_rport)
{
	const struct sip_hdr *h = sip_msg_hdr(msg, SIP_HDR_VIA, 0);
	const char *end, *comma;
	bool received, rport;
	struct sip_addr host;
	struct sip_via via;

	if (!h || !source->family || sip_msg_top_via(msg, &via))
		return false;
	rport = (with_rport || via.has_rport) && source->port;
	received = rport || sip_addr_parse(via.host, &host) || !sip_addr_same_ip(&host, source);
	/* Nothing to add, and nothing that only we may write. */
	if (!received && !via.received.p)
		return false;
	end = h->value.p + h->value.len;
	comma = sip_value_end(h->value.p, end);
	write_top_via(w, rs_str_n(h->value.p, (size_t)(comma - h->value.p)), source, received, rport);
	sip_write_one_line(w, rs_str_n(comma, (size_t)(end - comma)));
	return true;
}

static void write_first_via(struct sip_writer *w, const struct sip_msg *msg, const struct sip_hdr *h,
			    const struct sip_addr *source, bool with_rport)
{
	size_t start = w->len;

	sip_write(w, h->name);
	sip_writez(w, ": ");
	if (sip_write_via_completed(w, msg, source, with_rport)) {
		sip_write_crlf(w);
		return;
	}
	w->len = start;
	copy_line(w, h);
}

static void write_vias(struct sip_writer *w, const struct sip_msg *msg, const struct sip_addr *source, bool with_rport)
{
	bool top = true;

	if (!msg->first[SIP_HDR_VIA])
		return;
	for (uint32_t i = msg->first[SIP_HDR_VIA] - 1u; i < msg->n_hdrs; i++) {
		const struct sip_hdr *h = &msg->hdrs[i];

		if (h->id != SIP_HDR_VIA)
			continue;
		if (top && source)
			write_first_via(w, msg, h, source, with_rport);
		else
			copy_line(w, h);
		top = false;
	}
}

static void write_to(struct sip_writer *w, const struct sip_msg *msg, struct rs_str to_tag)
{
	const struct sip_hdr *h = sip_msg_hdr(msg, SIP_HDR_TO, 0);

	if (!h)
		return;
	if (!to_tag.len || msg->to_tag.p) {
		copy_line(w, h);
		return;
	}
	if (!sip_all(to_tag, C_TOKEN, false)) {
		w->failed = true;
		return;
	}
	sip_write(w, h->name);
	sip_writez(w, ": ");
	sip_write_one_line(w, h->value);
	sip_writez(w, ";tag=");
	sip_write(w, to_tag);
	sip_write_crlf(w);
}

void sip_write_response_headers(struct sip_writer *w, struct sip_msg *request, unsigned status, struct rs_str to_tag,
				const struct sip_addr *received, bool with_rport)
{
	write_vias(w, request, received && received->family ? received : NULL, with_rport);
	copy_first(w, request, SIP_HDR_FROM);
	write_to(w, request, to_tag);
	copy_first(w, request, SIP_HDR_CALL_ID);
	copy_first(w, request, SIP_HDR_CSEQ);
	if (status == 100)
		copy_first(w, request, SIP_HDR_TIMESTAMP);
}
