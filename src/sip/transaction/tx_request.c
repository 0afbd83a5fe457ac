/* Requests of our own, forwarded messages, copies, and the ACK and CANCEL that follow a request. */
#include "sip/transaction/tx_internal.h"

#include "base/clock.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_FORWARDS 70

static struct sip_tx_data *finish(struct sip_tx_data *tx)
{
	if (sip_writer_ok(&tx->b->w) && !tx->b->lost)
		return tx;
	sip_tx_unref(tx);
	errno = ENOMEM;
	return NULL;
}

/* Whatever stands in a message of another's making. */
static void wrote_anything(struct sip_tx_data *tx)
{
	memset(tx->b->written, 0xff, sizeof(tx->b->written));
	memset(tx->b->again, 0xff, sizeof(tx->b->again));
}

static struct rs_str random_word(char *buf, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[16];

	rs_random(raw, sizeof(raw));
	for (size_t i = 0; i < size; i++)
		buf[i] = digits[i % 2 ? raw[i / 2] & 15 : raw[i / 2] >> 4];
	return rs_str_n(buf, size);
}

static void write_name_addr(struct sip_writer *w, enum sip_hdr_id id, struct rs_str value, struct rs_str tag)
{
	sip_write_hdr_start(w, id);
	sip_write(w, value);
	if (tag.len) {
		sip_writez(w, ";tag=");
		sip_write(w, tag);
	}
	sip_write_crlf(w);
}

static void write_cseq(struct sip_writer *w, uint32_t cseq, struct rs_str method)
{
	sip_write_hdr_start(w, SIP_HDR_CSEQ);
	sip_write_u64(w, cseq);
	sip_writez(w, " ");
	sip_write(w, method);
	sip_write_crlf(w);
}

static void set_method(struct sip_tx_data *tx, struct rs_str method)
{
	tx->method = (uint8_t)sip_method_from_name(method);
	if (tx->method == SIP_METHOD_OTHER)
		tx->b->method_text = tx_copy(tx, method);
}

static bool has_line_break(struct rs_str s)
{
	return rs_str_chr(s, '\r') || rs_str_chr(s, '\n');
}

static bool params_ok(const struct sip_tx_request_params *p)
{
	const struct rs_str all[] = {p->method, p->uri, p->from, p->to, p->call_id, p->from_tag};

	for (size_t i = 0; i < RS_ARRAY_SIZE(all); i++)
		if (has_line_break(all[i]))
			return false;
	return p->method.len && p->uri.len && p->from.len;
}

struct sip_tx_data *sip_tx_request(const struct sip_tx_request_params *p)
{
	static const enum sip_hdr_id always[] = {SIP_HDR_MAX_FORWARDS, SIP_HDR_FROM, SIP_HDR_TO, SIP_HDR_CALL_ID,
						 SIP_HDR_CSEQ};
	const struct sip_stack_config *config = sip_stack_config();
	struct sip_tx_data *tx;
	struct sip_writer *w;
	char word[32];

	if (!params_ok(p)) {
		errno = EINVAL;
		return NULL;
	}
	tx = tx_new(true);
	if (!tx)
		return NULL;
	w = &tx->b->w;
	w->compact = config->compact_headers;
	set_method(tx, p->method);
	tx->b->uri = tx_copy(tx, p->uri);
	tx->cseq = p->cseq ? p->cseq : 1 + rs_random_below(1u << 15); /* below 2**31, with room to count (8.1.1.5) */
	sip_write_hdr_start(w, SIP_HDR_MAX_FORWARDS);
	sip_write_u64(w, p->max_forwards < 0 ? MAX_FORWARDS : (uint64_t)p->max_forwards);
	sip_write_crlf(w);
	write_name_addr(w, SIP_HDR_FROM, p->from, p->from_tag.len ? p->from_tag : random_word(word, 16));
	if (p->to.len) {
		write_name_addr(w, SIP_HDR_TO, p->to, RS_STR_NULL);
	} else {
		sip_write_hdr_start(w, SIP_HDR_TO);
		sip_writez(w, "<");
		sip_write(w, p->uri);
		sip_writez(w, ">");
		sip_write_crlf(w);
	}
	write_name_addr(w, SIP_HDR_CALL_ID, p->call_id.len ? p->call_id : random_word(word, 32), RS_STR_NULL);
	write_cseq(w, tx->cseq, sip_tx_method_text(tx));
	for (size_t i = 0; i < RS_ARRAY_SIZE(always); i++)
		tx_wrote(tx->b, always[i]);
	if (p->contact.len)
		sip_tx_add_hdr(tx, SIP_HDR_CONTACT, p->contact);
	if (config->server_name.len)
		sip_tx_add_hdr(tx, SIP_HDR_USER_AGENT, config->server_name);
	return finish(tx);
}

/* ---- forwarding ---- */

/* The start line leaves the buffer: the seal writes it, with our Via behind it. */
static void take_start_line(struct sip_tx_data *tx, struct sip_msg *msg, const struct sip_edit *edits, size_t n)
{
	struct tx_build *b = tx->b;
	size_t start = tx->request ? TX_HEADROOM : 0;
	const char *lf = memchr(b->w.buf + start, '\n', b->w.len - start);
	struct rs_str uri = msg->uri_text;

	b->headers = lf ? (uint32_t)(lf + 1 - b->w.buf) : (uint32_t)start;
	if (!tx->request)
		return;
	for (size_t i = 0; i < n; i++)
		if (edits[i].op == SIP_EDIT_URI)
			uri = edits[i].value;
	b->uri = tx_copy(tx, uri);
}

static bool has_length(const struct sip_tx_data *tx, struct sip_msg *msg, const struct sip_edit *edits, size_t n)
{
	const struct sip_hdr *h;

	for (size_t i = 0; i < n; i++)
		if (edits[i].id == SIP_HDR_CONTENT_LENGTH || edits[i].id == SIP_HDR_OTHER ||
		    edits[i].op == SIP_EDIT_BODY)
			return sip_tx_hdr(tx, SIP_HDR_CONTENT_LENGTH).len > 0;
	h = sip_msg_hdr(msg, SIP_HDR_CONTENT_LENGTH, 0);
	return h && h->value.len;
}

/* The body leaves the buffer too, so that headers can still be added behind the others. */
static void take_body(struct sip_tx_data *tx, struct sip_rx_data *rx, const struct sip_edit *edits, size_t n)
{
	struct tx_build *b = tx->b;
	struct rs_str body = sip_rx_msg(rx)->body;
	bool edited = false;

	for (size_t i = 0; i < n; i++)
		if (edits[i].op == SIP_EDIT_BODY)
			body = edits[i].value, edited = true;
	b->w.len -= body.len + 2;
	if (edited) {
		b->body = tx_copy(tx, body);
	} else if (body.len) {
		b->body = body;
		b->rx = sip_rx_ref(rx);
	}
	b->has_length = has_length(tx, sip_rx_msg(rx), edits, n);
}

struct sip_tx_data *sip_tx_forward(struct sip_rx_data *rx, const struct sip_edit *edits, size_t n)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tx_data *tx = tx_new(msg->is_request);

	if (!tx)
		return NULL;
	wrote_anything(tx);
	if (sip_write_forward(&tx->b->w, msg, edits, n)) {
		sip_tx_unref(tx);
		errno = EINVAL;
		return NULL;
	}
	if (!finish(tx))
		return NULL;
	tx->method = (uint8_t)msg->method;
	if (msg->method == SIP_METHOD_OTHER)
		tx->b->method_text = tx_copy(tx, msg->is_request ? msg->method_text : msg->cseq_method);
	tx->status = msg->status;
	tx->cseq = msg->cseq;
	take_start_line(tx, msg, edits, n);
	take_body(tx, rx, edits, n);
	return finish(tx);
}

/* ---- copies ---- */

struct sip_tx_data *sip_tx_clone(struct sip_tx_data *tx, uint32_t cseq)
{
	struct tx_build *b = tx->b;
	struct rs_str section, name, value, line;
	struct sip_tx_data *copy;
	size_t pos = 0;

	if (!b || !tx->request) {
		errno = EINVAL;
		return NULL;
	}
	copy = tx_new(true);
	if (!copy)
		return NULL;
	copy->b->w.compact = b->w.compact;
	memcpy(copy->b->written, b->written, sizeof(b->written));
	memcpy(copy->b->again, b->again, sizeof(b->again));
	set_method(copy, sip_tx_method_text(tx));
	copy->cseq = cseq;
	copy->b->uri = tx_copy(copy, b->uri);
	copy->b->suffix = tx_copy(copy, b->suffix);
	copy->b->contact = tx_copy(copy, b->contact);
	copy->b->own_contact = b->own_contact;
	copy->b->uri_is_hop = b->uri_is_hop;
	copy->b->content_type = tx_copy(copy, b->content_type);
	copy->b->body = tx_copy(copy, sip_tx_body(tx));
	copy->b->has_length = b->has_length;
	if (tx->has_target)
		sip_tx_set_target(copy, &tx->target);
	section = rs_str_n(b->w.buf + b->headers, (b->tail ? b->tail : b->w.len) - b->headers);
	while (tx_next_line(section, &pos, &name, &value, &line)) {
		if (sip_hdr_from_name(name) == SIP_HDR_CSEQ)
			write_cseq(&copy->b->w, cseq, sip_tx_method_text(copy));
		else
			sip_write(&copy->b->w, line);
	}
	return finish(copy);
}

struct sip_tx_data *tx_follow(const struct sip_tx_data *request, enum sip_method method, struct sip_msg *response)
{
	struct rs_str section = tx_header_section(request), name, value, line;
	const struct sip_name_addr *to = response ? sip_msg_name_addr(response, SIP_HDR_TO, 0) : NULL;
	struct sip_tx_data *tx = tx_new(true);
	struct sip_writer *w;
	size_t pos = 0;

	if (!tx)
		return NULL;
	w = &tx->b->w;
	w->compact = request->b->w.compact;
	wrote_anything(tx);
	tx->method = (uint8_t)method;
	tx->cseq = request->cseq;
	tx->b->uri = tx_copy(tx, request->b->uri);
	tx->b->branch = tx_copy(tx, request->b->branch);
	tx->b->suffix = tx_copy(tx, request->b->suffix);
	sip_tx_set_target(tx, &request->target);
	while (tx_next_line(section, &pos, &name, &value, &line)) {
		enum sip_hdr_id id = sip_hdr_from_name(name);

		/* One Via only, the one of our own, which the seal writes. */
		if (id == SIP_HDR_TO && to)
			sip_write_hdr(w, SIP_HDR_TO, to->text);
		else if (id == SIP_HDR_ROUTE || id == SIP_HDR_FROM || id == SIP_HDR_TO || id == SIP_HDR_CALL_ID)
			sip_write(w, line);
	}
	sip_write_hdr_start(w, SIP_HDR_MAX_FORWARDS);
	sip_write_u64(w, MAX_FORWARDS);
	sip_write_crlf(w);
	write_cseq(w, tx->cseq, sip_method_name(method));
	return finish(tx);
}
