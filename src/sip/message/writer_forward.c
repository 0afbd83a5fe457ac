/*
 * Forwarding: a received message written again with edits. What no edit touches is copied in runs, as long as the
 * lines that stand beside each other allow.
 */
#include "sip/writer.h"
#include "sip/message/chars.h"
#include "sip/message/write.h"

struct forward {
	struct sip_writer *w;
	const struct sip_msg *msg;
	const struct sip_edit *edits;
	size_t n;
	const char *run; /* start of the unchanged bytes not yet written, NULL: none */
	const char *run_end;
	bool new_body;
	struct rs_str body;
	bool touched[SIP_HDR_N];  /* some edit is about lines of that header */
	uint16_t pops[SIP_HDR_N]; /* values still to be taken from the top of each header */
};

static void flush(struct forward *f)
{
	if (f->run)
		write_between(f->w, f->run, f->run_end);
	f->run = NULL;
}

static void keep(struct forward *f, struct rs_str bytes)
{
	if (f->run && f->run_end == bytes.p) {
		f->run_end += bytes.len;
		return;
	}
	flush(f);
	f->run = bytes.p;
	f->run_end = bytes.p + bytes.len;
}

static bool is_target(const struct sip_edit *e, const struct sip_hdr *h)
{
	if (e->id != SIP_HDR_OTHER)
		return e->id == h->id;
	return h->id == SIP_HDR_OTHER && rs_str_ieq(e->name, h->name);
}

static const struct sip_hdr *line_of(const struct sip_msg *msg, const struct sip_edit *e, unsigned n)
{
	return e->id != SIP_HDR_OTHER ? sip_msg_hdr(msg, e->id, n) : sip_msg_hdr_by_name(msg, e->name, n);
}

static void write_new(struct forward *f, const struct sip_edit *e)
{
	if (e->id != SIP_HDR_OTHER)
		sip_write_hdr(f->w, e->id, e->value);
	else
		sip_write_hdr_name(f->w, e->name, e->value);
}

/* How many values are written in a line. */
static unsigned count_values(const struct sip_hdr *h)
{
	const char *p = h->value.p, *end = p + h->value.len;
	unsigned n = 1;

	while ((p = sip_value_end(p, end)) < end) {
		n++;
		p++;
	}
	return n;
}

static void touch(struct forward *f, enum sip_hdr_id id)
{
	if (id < SIP_HDR_N)
		f->touched[id] = true;
}

/* Whether every edit has something to work on. */
static int check_edits(struct forward *f)
{
	unsigned values = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct sip_edit *e = &f->edits[i];

		switch (e->op) {
		case SIP_EDIT_URI:
			if (!f->msg->is_request)
				return -1;
			break;
		case SIP_EDIT_REMOVE_NTH:
			if (!line_of(f->msg, e, e->n))
				return -1;
			touch(f, e->id);
			break;
		case SIP_EDIT_POP_VALUE:
			if (e->id == SIP_HDR_OTHER || e->id >= SIP_HDR_N)
				return -1;
			values = 0;
			for (const struct sip_hdr *h = sip_msg_first(f->msg, e->id); h; h = sip_msg_next(f->msg, h))
				values += count_values(h);
			touch(f, e->id);
			if (++f->pops[e->id] > values)
				return -1;
			break;
		case SIP_EDIT_BODY:
			f->new_body = true;
			f->body = e->value;
			touch(f, SIP_HDR_CONTENT_LENGTH);
			break;
		case SIP_EDIT_ADD_FIRST:
		case SIP_EDIT_ADD:
		case SIP_EDIT_REPLACE:
			if (e->id == SIP_HDR_OTHER && (!e->name.len || !sip_all(e->name, C_TOKEN, false)))
				return -1;
			/* Content-Length is the body's, by whatever name. */
			if (e->id == SIP_HDR_CONTENT_LENGTH ||
			    (e->id == SIP_HDR_OTHER && sip_hdr_from_name(e->name) == SIP_HDR_CONTENT_LENGTH))
				return -1;
			if (e->op == SIP_EDIT_REPLACE)
				touch(f, e->id);
			break;
		case SIP_EDIT_REMOVE:
			touch(f, e->id);
			break;
		default:
			break;
		}
	}
	return 0;
}

static void write_start_line(struct forward *f)
{
	const struct sip_edit *uri = NULL;

	for (size_t i = 0; i < f->n; i++) {
		if (f->edits[i].op == SIP_EDIT_URI)
			uri = &f->edits[i];
	}
	if (uri)
		sip_write_request_line(f->w, f->msg->method_text, uri->value);
	else
		keep(f, f->msg->start_line);
}

static void write_added(struct forward *f, enum sip_edit_op op)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct sip_edit *e = &f->edits[i];

		if (e->op == op || (op == SIP_EDIT_ADD && e->op == SIP_EDIT_REPLACE && !line_of(f->msg, e, 0))) {
			flush(f);
			write_new(f, e);
		}
	}
}

/* What is left of a line once its first values were taken; the whole line goes when none is left. */
static void write_popped(struct forward *f, const struct sip_hdr *h)
{
	const char *p = h->value.p, *end = p + h->value.len;

	flush(f);
	while (f->pops[h->id]) {
		f->pops[h->id]--;
		p = sip_value_end(p, end);
		if (p == end)
			return;
		p++;
	}
	write_bytes(f->w, h->name.p, h->name.len);
	WRITE_LITERAL(f->w, ": ");
	sip_write(f->w, sip_trim(p, end));
	WRITE_LITERAL(f->w, "\r\n");
}

/* The edit that a line falls under, or NULL. */
static const struct sip_edit *edit_of(const struct forward *f, const struct sip_hdr *h)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct sip_edit *e = &f->edits[i];

		switch (e->op) {
		case SIP_EDIT_REMOVE:
			if (is_target(e, h))
				return e;
			break;
		case SIP_EDIT_REMOVE_NTH:
			if (is_target(e, h) && line_of(f->msg, e, e->n) == h)
				return e;
			break;
		case SIP_EDIT_REPLACE:
			if (is_target(e, h) && line_of(f->msg, e, 0) == h)
				return e;
			break;
		default:
			break;
		}
	}
	return NULL;
}

static void write_line(struct forward *f, const struct sip_hdr *h)
{
	const struct sip_edit *e;

	if (!f->touched[h->id]) {
		keep(f, h->line);
		return;
	}
	e = edit_of(f, h);
	if ((f->new_body && h->id == SIP_HDR_CONTENT_LENGTH) || (e && e->op != SIP_EDIT_REPLACE)) {
		flush(f);
	} else if (e) {
		flush(f);
		write_new(f, e);
	} else if (h->id != SIP_HDR_OTHER && f->pops[h->id]) {
		write_popped(f, h);
	} else {
		keep(f, h->line);
	}
}

/* Content-Length stays as it was where the body stays. */
static bool needs_length(const struct forward *f)
{
	const struct sip_hdr *h = sip_msg_hdr(f->msg, SIP_HDR_CONTENT_LENGTH, 0);

	return f->new_body || !h || (f->touched[SIP_HDR_CONTENT_LENGTH] && edit_of(f, h));
}

int sip_write_forward(struct sip_writer *w, struct sip_msg *msg, const struct sip_edit *edits, size_t n)
{
	struct forward f = {.w = w, .msg = msg, .edits = edits, .n = n, .body = msg->body};

	if (check_edits(&f))
		return -1;
	write_start_line(&f);
	write_added(&f, SIP_EDIT_ADD_FIRST);
	for (uint32_t i = 0; i < msg->n_hdrs; i++)
		write_line(&f, &msg->hdrs[i]);
	write_added(&f, SIP_EDIT_ADD);
	flush(&f);
	if (needs_length(&f)) {
		sip_write_hdr_start(w, SIP_HDR_CONTENT_LENGTH);
		sip_write_u64(w, f.body.len);
		sip_write_crlf(w);
	}
	sip_write_crlf(w);
	write_bytes(w, f.body.p, f.body.len);
	return 0;
}
