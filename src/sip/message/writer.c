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

/* Room for more bytes, or the sticky failure. */
static char *room(struct sip_writer *w, size_t more)
{
	if (w->failed)
		return NULL;
	if (more > w->cap - w->len || more > w->max - w->len) {
		if (!grow(w, more)) {
			w->failed = true;
			return NULL;
		}
	}
	return w->buf + w->len;
}

void sip_write(struct sip_writer *w, struct rs_str s)
{
	char *p = s.len ? room(w, s.len) : NULL;

	if (!p)
		return;
	memcpy(p, s.p, s.len);
	w->len += s.len;
}

void sip_writez(struct sip_writer *w, const char *z)
{
	sip_write(w, rs_str_c(z));
}

void sip_write_u64(struct sip_writer *w, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	sip_write(w, rs_str_n(digits + n, sizeof(digits) - n));
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
	sip_writez(w, "\"");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char x = (unsigned char)s.p[i];

		if (x == '\r' || x == '\n')
			continue;
		/* Other control characters may stand in a quoted string only behind a backslash. */
		if (x == '"' || x == '\\' || (x < ' ' && x != '\t') || x == 0x7f)
			sip_writez(w, "\\");
		sip_write(w, rs_str_n(&s.p[i], 1));
	}
	sip_writez(w, "\"");
}

void sip_write_one_line(struct sip_writer *w, struct rs_str s)
{
	while (s.len) {
		size_t n = 0;

		while (n < s.len && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		sip_write(w, rs_str_n(s.p, n));
		if (n == s.len)
			return;
		while (n < s.len && is_lws(s.p[n]))
			n++;
		sip_writez(w, " ");
		s = rs_str_n(s.p + n, s.len - n);
	}
}

/* A word of a start line: no blanks, no controls. */
static bool word_ok(struct rs_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	return s.len > 0;
}

void sip_write_request_line(struct sip_writer *w, struct rs_str method, struct rs_str uri)
{
	if (!word_ok(method) || !word_ok(uri)) {
		w->failed = true;
		return;
	}
	sip_write(w, method);
	sip_writez(w, " ");
	sip_write(w, uri);
	sip_writez(w, " SIP/2.0\r\n");
}

void sip_write_status_line(struct sip_writer *w, unsigned status, struct rs_str reason)
{
	if (status < 100 || status > 699) {
		w->failed = true;
		return;
	}
	sip_writez(w, "SIP/2.0 ");
	sip_write_u64(w, status);
	sip_writez(w, " ");
	sip_write_one_line(w, reason.len ? reason : sip_reason_phrase(status));
	sip_write_crlf(w);
}

void sip_write_hdr_start(struct sip_writer *w, enum sip_hdr_id id)
{
	struct rs_str name = w->compact ? sip_hdr_compact(id) : RS_STR("");

	if (!name.len)
		name = sip_hdr_name(id);
	if (!name.len) {
		w->failed = true;
		return;
	}
	sip_write(w, name);
	sip_writez(w, ": ");
}

void sip_write_crlf(struct sip_writer *w)
{
	sip_writez(w, "\r\n");
}

void sip_write_hdr(struct sip_writer *w, enum sip_hdr_id id, struct rs_str value)
{
	sip_write_hdr_start(w, id);
	sip_write_one_line(w, value);
	sip_write_crlf(w);
}

void sip_write_hdr_name(struct sip_writer *w, struct rs_str name, struct rs_str value)
{
	if (!name.len || !sip_all(name, C_TOKEN, false)) {
		w->failed = true;
		return;
	}
	sip_write(w, name);
	sip_writez(w, ": ");
	sip_write_one_line(w, value);
	sip_write_crlf(w);
}

void sip_write_body(struct sip_writer *w, struct rs_str content_type, struct rs_str body)
{
	if (content_type.len)
		sip_write_hdr(w, SIP_HDR_CONTENT_TYPE, content_type);
	sip_write_hdr_start(w, SIP_HDR_CONTENT_LENGTH);
	sip_write_u64(w, body.len);
	sip_writez(w, "\r\n\r\n");
	sip_write(w, body);
}
