/* The seal: a message to be sent becomes bytes. */
#include "sip/transaction/tx_internal.h"

#include "base/clock.h"
#include "base/print.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdlib.h>

/* The head of a request beyond which its buffer is on the heap. */
#define HEAD_INLINE 1024
/* Content-Length and the empty line at most; Content-Type is counted as none. */
#define TAIL_MAX 32

/* What of the suffix is Via parameters; what stands before belongs to the branch. */
static struct rs_str suffix_params(const struct tx_build *b)
{
	const char *semi = rs_str_chr(b->suffix, ';');

	return semi ? rs_str_n(semi, (size_t)(b->suffix.p + b->suffix.len - semi)) : RS_STR_NULL;
}

/* 64 random bits: no two branches of one sent-by are alike (RFC 3261 section 8.1.1.7). */
void tx_new_branch(struct sip_tx_data *tx)
{
	struct rs_str suffix = tx->b->suffix;
	uint64_t random;
	char text[128], digits[16];
	struct sip_writer w;

	suffix.len -= suffix_params(tx->b).len;
	rs_random(&random, sizeof(random));
	sip_writer_init(&w, text, sizeof(text));
	sip_writez(&w, "z9hG4bK");
	rs_print_hex(digits, random, sizeof(digits));
	sip_write(&w, rs_str_n(digits, sizeof(digits)));
	sip_write(&w, suffix);
	if (!sip_writer_ok(&w))
		tx->b->lost = true;
	sip_tx_set_branch(tx, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

static void write_via(struct sip_writer *w, struct sip_tx_data *tx, enum sip_transport_type type,
		      const struct sip_addr *local)
{
	const struct sip_stack_config *config = sip_stack_config();
	char host[SIP_ADDR_TEXT];

	sip_write_hdr_start(w, SIP_HDR_VIA);
	sip_writez(w, "SIP/2.0/");
	sip_writez(w, sip_transport_name(type));
	sip_writez(w, " ");
	sip_writez(w, sip_addr_text(local, true, host));
	if (!config->disable_rport)
		sip_writez(w, ";rport");
	sip_writez(w, ";branch=");
	sip_write(w, tx->b->branch);
	sip_write(w, suffix_params(tx->b));
	sip_write_crlf(w);
}

/* The Contact with its mark replaced; another transport than UDP is named, or the peer would come back over UDP. */
static void write_contact(struct sip_writer *w, struct rs_str contact, enum sip_transport_type type,
			  const struct sip_addr *local)
{
	const char *mark = tx_local_mark(contact);
	struct rs_str rest;
	char host[SIP_ADDR_TEXT];

	sip_write_hdr_start(w, SIP_HDR_CONTACT);
	if (!mark) {
		sip_write(w, contact);
		sip_write_crlf(w);
		return;
	}
	rest = rs_str_n(mark + 1, (size_t)(contact.p + contact.len - mark - 1));
	sip_write(w, rs_str_n(contact.p, (size_t)(mark - contact.p)));
	sip_writez(w, sip_addr_text(local, true, host));
	if (type != SIP_TRANSPORT_UDP && type != SIP_TRANSPORT_NONE && rs_str_chr(rest, '>') &&
	    !memmem(rest.p, rest.len, "transport=", 10)) {
		static const char *const params[SIP_TRANSPORT_N] = {
			[SIP_TRANSPORT_TCP] = ";transport=tcp",
			[SIP_TRANSPORT_TLS] = ";transport=tls",
			[SIP_TRANSPORT_WS] = ";transport=ws",
			[SIP_TRANSPORT_WSS] = ";transport=ws",
		};

		sip_writez(w, params[type]);
	}
	sip_write(w, rest);
	sip_write_crlf(w);
}

static int write_tail(struct sip_tx_data *tx)
{
	struct tx_build *b = tx->b;

	b->tail = (uint32_t)b->w.len;
	tx_wrote(b, SIP_HDR_CONTENT_LENGTH);
	tx_wrote(b, SIP_HDR_CONTENT_TYPE);
	if (b->has_length) {
		sip_write_crlf(&b->w);
		b->body_off = (uint32_t)b->w.len;
		sip_write(&b->w, b->body);
	} else {
		sip_write_body(&b->w, b->content_type, b->body);
		b->body_off = (uint32_t)(b->w.len - b->body.len);
	}
	sip_rx_unref(b->rx);
	b->rx = NULL;
	if (!sip_writer_ok(&b->w)) {
		b->lost = true;
		errno = b->tail + b->body.len + TAIL_MAX > b->w.max ? EMSGSIZE : ENOMEM;
		return -1;
	}
	return 0;
}

/* Moves the message to a buffer of its own with room for the head; the old one stays when its bytes may be on their
 * way. */
static int move_buffer(struct sip_tx_data *tx, size_t headroom)
{
	struct tx_build *b = tx->b;
	size_t rest = b->w.len - b->headers;
	char *buf = malloc(headroom + rest);
	struct tx_old *old = NULL;

	if (buf && b->w.own)
		old = malloc(sizeof(*old));
	if (!buf || (b->w.own && !old)) {
		free(buf);
		errno = ENOMEM;
		return -1;
	}
	memcpy(buf + headroom, b->w.buf + b->headers, rest);
	if (old) {
		*old = (struct tx_old){b->old, b->w.buf};
		b->old = old;
	}
	b->w.buf = buf;
	b->w.own = true;
	b->w.cap = headroom + rest;
	b->w.len = headroom + rest;
	b->tail += (uint32_t)headroom - b->headers;
	b->body_off += (uint32_t)headroom - b->headers;
	b->headers = (uint32_t)headroom;
	return 0;
}

static int put_head(struct sip_tx_data *tx, struct rs_str head)
{
	struct tx_build *b = tx->b;
	bool shared = tx->bytes && atomic_load_explicit(&tx->refs, memory_order_acquire) > 1;

	if ((shared || head.len > b->headers) && move_buffer(tx, head.len > TX_HEADROOM ? head.len : TX_HEADROOM))
		return -1;
	memcpy(b->w.buf + b->headers - head.len, head.p, head.len);
	tx->bytes = b->w.buf + b->headers - head.len;
	tx->len = (uint32_t)(b->w.len - b->headers + head.len);
	return 0;
}

static int seal_request(struct sip_tx_data *tx, enum sip_transport_type type, const struct sip_addr *local)
{
	struct tx_build *b = tx->b;
	char first[HEAD_INLINE];
	struct sip_writer w;
	int result = -1;

	if (!b->branch.len)
		tx_new_branch(tx);
	sip_writer_init(&w, first, sizeof(first));
	w.compact = b->w.compact;
	sip_write_request_line(&w, sip_tx_method_text(tx), b->uri);
	write_via(&w, tx, type, local);
	tx_wrote(b, SIP_HDR_VIA);
	if (b->own_contact) {
		write_contact(&w, b->contact, type, local);
		tx_wrote(b, SIP_HDR_CONTACT);
	}
	if (!sip_writer_ok(&w) || b->lost)
		errno = ENOMEM;
	else
		result = put_head(tx, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
	return result;
}

static void seal_response(struct sip_tx_data *tx)
{
	tx->bytes = tx->b->w.buf;
	tx->len = (uint32_t)tx->b->w.len;
}

int sip_tx_seal(struct sip_tx_data *tx, enum sip_transport_type type, const struct sip_addr *local)
{
	struct tx_build *b = tx->b;

	if (!b || (tx->sealed && !tx->request))
		return 0;
	if (b->lost) {
		errno = ENOMEM;
		return -1;
	}
	if (!b->tail && !tx->request && b->own_contact) {
		write_contact(&b->w, b->contact, type, local);
		tx_wrote(b, SIP_HDR_CONTACT);
	}
	if (!b->tail && write_tail(tx))
		return -1;
	if (!tx->request)
		seal_response(tx);
	else if (seal_request(tx, type, local))
		return -1;
	if (tx->len > SIP_MAX_MSG) {
		errno = EMSGSIZE;
		return -1;
	}
	tx->protocol = (uint8_t)type;
	tx->sealed = true;
	return 0;
}
