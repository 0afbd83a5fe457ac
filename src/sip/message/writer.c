/* The writer's buffer, and the plain pieces of a message. */
#include "sip/writer.h"
#include "sip/message/chars.h"
#include "sip/message/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BLOCK 1024

void sip_writer_init(struct sip_writer *w, char *first, size_t cap)
{
	*w = (struct sip_writer){.buf = first, .cap = first ? cap : 0, .max = SIP_MAX_MSG};
}

void sip_writer_fini(struct sip_writer *w)
{
	if (w->own)
		free(w->buf);
	*w = (struct sip_writer){.failed = true};
}

bool sip_writer_ok(const struct sip_writer *w)
{
	return !w->failed;
}

static bool grow(struct sip_writer *w, size_t more)
{
	size_t cap = w->cap ? w->cap : FIRST_BLOCK;
	char *buf;

	if (w->len > w->max || more > w->max - w->len)
		return false;
	while (cap - w->len < more)
		cap *= 2;
	buf = w->own ? realloc(w->buf, cap) : malloc(cap);
	if (!buf)
		return false;
	if (!w->own && w->len)
		memcpy(buf, w->buf, w->len);
	w->buf = buf;
	w->cap = cap;
	w->own = true;
	return true;
}

bool sip_writer_more(struct sip_writer *w, size_t more)
{
	w->failed = w->failed || !grow(w, more);
	return !w->failed;
}

void sip_write_u64(struct sip_writer *w, uint64_t v)
{
	char digits[20];
	char *end = digits + sizeof(digits), *p = end;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	write_between(w, p, end);
}

void sip_writef(struct sip_writer *w, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		w->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		sip_write(w, rs_str_n(small, (size_t)n));
		return;
	}
	p = malloc((size_t)n + 1);
	if (!p) {
		w->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	sip_write(w, rs_str_n(p, (size_t)n));
	free(p);
}

void sip_write_quoted(struct sip_writer *w, struct rs_str s)
{
	const char *p = s.p, *end = s.len ? p + s.len : p, *stop;

	WRITE_LITERAL(w, "\"");
	for (; p != end; p = stop + 1) {
		stop = sip_find_quote(p, end, end);
		write_between(w, p, stop);
		if (stop == end)
			break;
		if (*stop == '\r' || *stop == '\n')
			continue;
		/* Other control characters may stand in a quoted string only behind a backslash. */
		if (*stop != '\t')
			WRITE_LITERAL(w, "\\");
		write_bytes(w, stop, 1);
	}
	WRITE_LITERAL(w, "\"");
}

void sip_write_one_line(struct sip_writer *w, struct rs_str s)
{
	const char *p = s.p, *end = s.len ? p + s.len : p, *eol;

	if (!s.len)
		return;
	if (!memchr(p, '\r', s.len) && !memchr(p, '\n', s.len)) {
		write_bytes(w, p, s.len);
		return;
	}
	for (; p != end; p = sip_skip_lws(eol, end)) {
		eol = sip_find_eol(p, end);
		write_between(w, p, eol);
		if (eol == end)
			return;
		WRITE_LITERAL(w, " ");
	}
}

/* A word of a start line: no blanks, no controls. */
static bool word_ok(struct rs_str s)
{
	return s.len > 0 && sip_word_end(s.p, s.p + s.len) == s.p + s.len;
}

void sip_write_request_line(struct sip_writer *w, struct rs_str method, struct rs_str uri)
{
	if (!word_ok(method) || !word_ok(uri)) {
		w->failed = true;
		return;
	}
	write_bytes(w, method.p, method.len);
	WRITE_LITERAL(w, " ");
	write_bytes(w, uri.p, uri.len);
	WRITE_LITERAL(w, " SIP/2.0\r\n");
}

void sip_write_status_line(struct sip_writer *w, unsigned status, struct rs_str reason)
{
	static const char start[] = "SIP/2.0 000 ";
	char *p;

	if (status < 100 || status > 699) {
		w->failed = true;
		return;
	}
	p = sip_write_room(w, sizeof(start) - 1);
	if (!p)
		return;
	memcpy(p, start, sizeof(start) - 1);
	p[8] = (char)('0' + status / 100);
	p[9] = (char)('0' + status / 10 % 10);
	p[10] = (char)('0' + status % 10);
	sip_write_one_line(w, reason.len ? reason : sip_reason_phrase(status));
	WRITE_LITERAL(w, "\r\n");
}

void sip_write_hdr_start(struct sip_writer *w, enum sip_hdr_id id)
{
	static const struct rs_str starts[SIP_HDR_N] = {
#define START(id, name, compact, shape, flags) [SIP_HDR_##id] = RS_STR_INIT(name ": "),
		SIP_HDR_TABLE(START)
#undef START
	};
	struct rs_str name = w->compact ? sip_hdr_compact(id) : RS_STR("");

	if (name.len) {
		write_bytes(w, name.p, name.len);
		WRITE_LITERAL(w, ": ");
	} else if (id < SIP_HDR_N && starts[id].len) {
		write_bytes(w, starts[id].p, starts[id].len);
	} else {
		w->failed = true;
	}
}

void sip_write_crlf(struct sip_writer *w)
{
	WRITE_LITERAL(w, "\r\n");
}

void sip_write_hdr(struct sip_writer *w, enum sip_hdr_id id, struct rs_str value)
{
	sip_write_hdr_start(w, id);
	sip_write_one_line(w, value);
	WRITE_LITERAL(w, "\r\n");
}

void sip_write_hdr_name(struct sip_writer *w, struct rs_str name, struct rs_str value)
{
	if (!name.len || !sip_all(name, C_TOKEN, false)) {
		w->failed = true;
		return;
	}
	write_bytes(w, name.p, name.len);
	WRITE_LITERAL(w, ": ");
	sip_write_one_line(w, value);
	WRITE_LITERAL(w, "\r\n");
}

void sip_write_body(struct sip_writer *w, struct rs_str content_type, struct rs_str body)
{
	if (content_type.len)
		sip_write_hdr(w, SIP_HDR_CONTENT_TYPE, content_type);
	sip_write_hdr_start(w, SIP_HDR_CONTENT_LENGTH);
	sip_write_u64(w, body.len);
	WRITE_LITERAL(w, "\r\n\r\n");
	write_bytes(w, body.p, body.len);
}
