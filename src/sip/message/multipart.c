/* Multipart bodies (RFC 2046 section 5.1, RFC 5621). */
#include "sip/msg.h"
#include "sip/message/chars.h"
#include "sip/message/extra.h"
#include "sip/message/grammar.h"
#include "sip/message/limits.h"
#include "sip/message/lines.h"

#define BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */

struct delimiter {
	const char *start; /* of the CRLF that belongs to it */
	const char *after; /* where the next part begins */
	bool last;
};

/* The next "--boundary" at the start of a line, from p on. */
static bool find_delimiter(struct rs_str body, const char *p, struct rs_str boundary, struct delimiter *out)
{
	const char *end = body.p + body.len;

	for (; (size_t)(end - p) >= boundary.len + 2; p++) {
		const char *q;

		p = memmem(p, (size_t)(end - p), "--", 2);
		if (!p || (size_t)(end - p) < boundary.len + 2)
			return false;
		if (p != body.p && (p - body.p < 2 || p[-2] != '\r' || p[-1] != '\n'))
			continue;
		q = p + 2;
		if (memcmp(q, boundary.p, boundary.len) != 0)
			continue;
		q += boundary.len;
		out->last = end - q >= 2 && q[0] == '-' && q[1] == '-';
		if (out->last)
			q += 2;
		while (q < end && (*q == ' ' || *q == '\t'))
			q++;
		/* Nothing else may stand on the line; the last one may end the body. */
		if (end - q >= 2 && q[0] == '\r' && q[1] == '\n')
			q += 2;
		else if (q != end || !out->last)
			continue;
		out->start = p == body.p ? p : p - 2;
		out->after = q;
		return true;
	}
	return false;
}

/* headers CRLF CRLF body; the headers may be missing, the empty line not. */
static int split_part(const char *p, const char *end, struct sip_body_part *out)
{
	const char *start = p;
	struct sip_hdr line;
	enum sip_line_end how;

	*out = (struct sip_body_part){0};
	while ((how = sip_line_next(&p, end, &line)) == SIP_LINE_OK) {
		if (SIP_IS(line.name, "content-type"))
			out->content_type = line.value;
		else if (SIP_IS(line.name, "content-disposition"))
			out->content_disposition = line.value;
		else if (SIP_IS(line.name, "content-id"))
			out->content_id = line.value;
	}
	if (how == SIP_LINE_BAD)
		return -1;
	if (how == SIP_LINE_CUT) {
		/* The CRLF before the delimiter served as the empty line, too: a part without body. */
		if (p != end)
			return -1;
		out->headers = rs_str_n(start, (size_t)(end - start));
		out->body = rs_str_n(end, 0);
		return 0;
	}
	out->headers = rs_str_n(start, (size_t)(p - 2 - start));
	out->body = rs_str_n(p, (size_t)(end - p));
	return 0;
}

/* All parts into v; -1: malformed. */
static int split_body(struct rs_str body, struct rs_str boundary, struct sip_body_part *v, uint32_t max)
{
	struct delimiter at, next;
	uint32_t n = 0;

	if (!body.len || !find_delimiter(body, body.p, boundary, &at))
		return -1;
	while (!at.last) {
		if (n == max || !find_delimiter(body, at.after, boundary, &next))
			return -1;
		if (next.start < at.after || split_part(at.after, next.start, &v[n]))
			return -1;
		n++;
		at = next;
	}
	return n ? (int)n : -1;
}

static struct sip_msg_parts *keep(struct sip_msg *msg, int n, const struct sip_body_part *v)
{
	size_t count = n > 0 ? (size_t)n : 0;
	struct sip_msg_parts *parts = rs_arena_alloc(msg->arena, sizeof(*parts) + count * sizeof(*v));

	if (!parts)
		return NULL;
	parts->n = n;
	if (count)
		memcpy(parts->v, v, count * sizeof(*v));
	return parts;
}

/* The whole body as one part. */
static struct sip_msg_parts *one_part(struct sip_msg *msg)
{
	const struct sip_hdr *type = sip_msg_hdr(msg, SIP_HDR_CONTENT_TYPE, 0);
	const struct sip_hdr *disposition = sip_msg_hdr(msg, SIP_HDR_CONTENT_DISPOSITION, 0);
	struct sip_body_part part = {.body = msg->body};

	if (type)
		part.content_type = type->value;
	if (disposition)
		part.content_disposition = disposition->value;
	return keep(msg, 1, &part);
}

static struct sip_msg_parts *parse_parts(struct sip_msg *msg)
{
	const struct sip_token_params *type = sip_msg_token(msg, SIP_HDR_CONTENT_TYPE, 0);
	struct sip_body_part v[SIP_MAX_PARTS];
	const struct sip_param *boundary;
	char text[BOUNDARY_MAX + 1];
	int n;

	if (!type || type->token.len < 10 || !SIP_IS(rs_str_n(type->token.p, 10), "multipart/"))
		return one_part(msg);
	boundary = sip_params_get(&type->params, RS_STR("boundary"));
	if (!boundary || !boundary->value.len)
		return keep(msg, -1, NULL);
	n = sip_unquote(boundary->value, text, sizeof(text));
	if (n <= 0)
		return keep(msg, -1, NULL);
	return keep(msg, split_body(msg->body, rs_str_n(text, (size_t)n), v, sip_limits.parts), v);
}

int sip_msg_parts(struct sip_msg *msg, const struct sip_body_part **parts)
{
	struct sip_msg_extra *e = sip_msg_extra(msg);
	struct sip_msg_parts *p, *seen;

	*parts = NULL;
	if (!e)
		return -1;
	seen = atomic_load_explicit(&e->parts, memory_order_acquire);
	if (!seen) {
		p = parse_parts(msg);
		if (!p)
			return -1;
		if (atomic_compare_exchange_strong_explicit(&e->parts, &seen, p, memory_order_acq_rel,
							    memory_order_acquire))
			seen = p;
	}
	*parts = seen->v;
	return seen->n;
}
