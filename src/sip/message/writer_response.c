/* What a response takes from its request (RFC 3261 section 8.2.6.2). */
#include "sip/writer.h"
#include "sip/message/grammar.h"
#include "sip/message/write.h"

/* A header as it came; folds are undone on the way. */
static void copy_line(struct sip_writer *w, const struct sip_hdr *h)
{
	if (h->folded)
		sip_write_hdr_name(w, h->name, h->value);
	else
		write_bytes(w, h->line.p, h->line.len);
}

static void copy_first(struct sip_writer *w, const struct sip_msg *msg, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_first(msg, id);

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

/* What of the top Via is ours to write (section 18.2.1, RFC 3581 section 4). */
struct completion {
	const struct sip_addr *source;
	bool received, rport;
};

static void write_completion(struct sip_writer *w, const struct completion *c)
{
	struct sip_addr bare = *c->source;
	char text[SIP_ADDR_TEXT];

	if (c->received) {
		bare.scope_id = 0;
		WRITE_LITERAL(w, ";received=");
		write_bytes(w, text, sip_addr_print(&bare, false, text));
	}
	if (c->rport) {
		WRITE_LITERAL(w, ";rport=");
		sip_write_u64(w, c->source->port);
	}
}

/* The top value without what the sender wrote in our place, piece by piece. */
static void write_pieces(struct sip_writer *w, struct rs_str value, bool rport)
{
	const char *end = value.p + value.len, *p = piece_end(value.p, end);

	sip_write_one_line(w, sip_trim(value.p, p));
	while (p < end) {
		const char *next = piece_end(p + 1, end);
		struct rs_str piece = rs_str_n(p + 1, (size_t)(next - p - 1));

		p = next;
		if (is_ours(piece, rport))
			continue;
		WRITE_LITERAL(w, ";");
		sip_write_one_line(w, sip_trim(piece.p, next));
	}
}

/* The same for a value that was typed and has no blanks behind its host: in as few copies as there are gaps. */
static void write_typed(struct sip_writer *w, const struct sip_via *via, bool rport)
{
	const char *run = via->text.p, *end = run + via->text.len;

	for (uint32_t i = 0; i < via->params.n; i++) {
		struct rs_str name = via->params.v[i].name;

		if (!SIP_IS(name, "received") && !(rport && SIP_IS(name, "rport")))
			continue;
		write_between(w, run, name.p - 1);
		run = i + 1 < via->params.n ? via->params.v[i + 1].name.p - 1 : end;
	}
	write_between(w, run, end);
}

static bool has_blanks(const char *p, const char *end)
{
	return sip_find(p, end, end, ' ') != end || sip_find(p, end, end, '\t') != end;
}

/* The top Via of an unfolded line where it is typed already, or NULL. */
static const struct sip_via *typed_via(const struct sip_msg *msg, const struct sip_hdr *h)
{
	const struct sip_hdr_values *v = h->folded ? NULL : sip_msg_typed(msg, SIP_HDR_VIA);

	return v ? &v->v.via[0] : NULL;
}

bool sip_write_via_completed(struct sip_writer *w, const struct sip_msg *msg, const struct sip_addr *source,
			     bool with_rport)
{
	const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_VIA);
	struct completion c = {.source = source};
	const struct sip_via *via, *typed;
	const char *end, *comma;
	struct sip_addr host;
	struct sip_via scanned;

	if (!h || !source->family)
		return false;
	via = typed = typed_via(msg, h);
	if (!typed) {
		if (sip_via_scan(h->value, &scanned))
			return false;
		via = &scanned;
	}
	c.rport = (with_rport || via->has_rport) && source->port;
	c.received = c.rport || sip_addr_parse(via->host, &host) || !sip_addr_same_ip(&host, source);
	/* Nothing to add, and nothing that only we may write. */
	if (!c.received && !via->received.p)
		return false;
	end = h->value.p + h->value.len;
	if (typed && !has_blanks(via->host.p, via->text.p + via->text.len)) {
		write_typed(w, via, c.rport);
		comma = sip_skip_lws(via->text.p + via->text.len, end);
	} else {
		comma = sip_value_end(h->value.p, end);
		write_pieces(w, rs_str_n(h->value.p, (size_t)(comma - h->value.p)), c.rport);
	}
	write_completion(w, &c);
	sip_write_one_line(w, rs_str_n(comma, (size_t)(end - comma)));
	return true;
}

static void write_name(struct sip_writer *w, const struct sip_hdr *h)
{
	write_bytes(w, h->name.p, h->name.len);
	WRITE_LITERAL(w, ": ");
}

static void write_first_via(struct sip_writer *w, const struct sip_msg *msg, const struct sip_hdr *h,
			    const struct sip_addr *source, bool with_rport)
{
	size_t start = w->len;

	write_name(w, h);
	if (sip_write_via_completed(w, msg, source, with_rport)) {
		WRITE_LITERAL(w, "\r\n");
		return;
	}
	w->len = start;
	copy_line(w, h);
}

static void write_vias(struct sip_writer *w, const struct sip_msg *msg, const struct sip_addr *source, bool with_rport)
{
	const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_VIA);

	if (h && source) {
		write_first_via(w, msg, h, source, with_rport);
		h = sip_msg_next(msg, h);
	}
	for (; h; h = sip_msg_next(msg, h))
		copy_line(w, h);
}

static void write_to(struct sip_writer *w, const struct sip_msg *msg, struct rs_str to_tag)
{
	const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_TO);

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
	write_name(w, h);
	if (h->folded)
		sip_write_one_line(w, h->value);
	else
		write_bytes(w, h->value.p, h->value.len);
	WRITE_LITERAL(w, ";tag=");
	write_bytes(w, to_tag.p, to_tag.len);
	WRITE_LITERAL(w, "\r\n");
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
