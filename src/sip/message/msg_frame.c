/* Framing: where the first message of a stream ends. */
#include "sip/msg.h"
#include "sip/message/chars.h"
#include "sip/message/limits.h"
#include "sip/message/lines.h"

/* *from holds either the place where the search for the empty line goes on or, with this bit, the message's length. */
#define LENGTH_KNOWN ((size_t)1 << (sizeof(size_t) * 8 - 1))

/* The place behind the empty line, or NULL. *from keeps what need not be searched again. */
static const char *find_head_end(const char *p, const char *end, const char *start, size_t *from)
{
	const char *q = p + *from;

	if (q < start)
		q = start;
	while (end - q >= 4) {
		q = memchr(q, '\r', (size_t)(end - q - 3));
		if (!q) {
			q = end - 3;
			break;
		}
		if (q[1] == '\n' && q[2] == '\r' && q[3] == '\n')
			return q + 4;
		q++;
	}
	*from = (size_t)(q - p);
	return NULL;
}

/* More leading line ends than keepalives explain, and the bytes of a first word that is judged: bounds the work a slow
 * sender costs. */
#define START_MAX 64

/*
 * A method or "SIP/" and a blank: what follows a lost frame (a body, say) is told from a message at its first line. A
 * longer word is left to the parser, however much of it came at once.
 */
static bool starts_like_sip(const char *p, const char *end)
{
	struct sip_cur c = cur_between(p, end);
	struct rs_str word = cur_span(&c, C_TOKEN);

	if (cur_end(&c) || word.len >= START_MAX)
		return true;
	if (SIP_IS(word, "sip") && *c.p == '/')
		return true;
	return word.len && *c.p == ' ';
}

/* Content-Length of a header section; absent means 0. -1: bad or contradictory, or lines that hide something. */
static int head_length(const char *p, const char *end, uint32_t *length)
{
	struct rs_str seen = RS_STR_NULL;
	enum sip_line_end how;
	struct sip_hdr line;
	bool bad = false;

	*length = 0;
	p = sip_line_find_end(p, end, &bad);
	if (!p || bad)
		return -1;
	while ((how = sip_line_next(&p, end, &line)) == SIP_LINE_OK) {
		if (sip_hdr_from_name(line.name) != SIP_HDR_CONTENT_LENGTH)
			continue;
		if (seen.p && !rs_str_eq(seen, line.value))
			return -1;
		if (!sip_content_length(line.value, length))
			return -1;
		seen = line.value;
	}
	/* A bad line may hide a header from us or from others. */
	return how == SIP_LINE_EMPTY ? 0 : -1;
}

enum sip_parse_result sip_msg_frame(struct rs_str bytes, size_t *from, size_t *length, size_t *need)
{
	const char *p = bytes.p ? bytes.p : "", *end = p + bytes.len, *start = p, *body;
	size_t head, total;
	uint32_t content;

	if (*from & LENGTH_KNOWN) {
		total = *from & ~LENGTH_KNOWN;
		goto known;
	}
	while (start < end && start - p < START_MAX && (*start == '\r' || *start == '\n'))
		start++;
	*length = 0;
	if (*from < (size_t)(start - p) + START_MAX && !starts_like_sip(start, end))
		return SIP_PARSE_BAD;
	body = find_head_end(p, end, start, from);
	if (!body) {
		*length = bytes.len;
		*need = bytes.len + 1;
		return bytes.len > sip_limits.msg ? SIP_PARSE_BAD : SIP_PARSE_PARTIAL;
	}
	head = (size_t)(body - p);
	*length = head;
	if (head > sip_limits.msg || head_length(start, body, &content) || content > sip_limits.msg - head)
		return SIP_PARSE_BAD;
	total = head + content;
known:
	if (total > bytes.len) {
		*from = total | LENGTH_KNOWN;
		*need = total;
		return SIP_PARSE_PARTIAL;
	}
	*length = total;
	return SIP_PARSE_DONE;
}
