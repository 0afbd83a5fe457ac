/* See sim_call_msg.h. */
#include "sim_call_msg.h"

#include <stdio.h>
#include <stdlib.h>

static void copy(char *out, size_t size, struct rs_str s)
{
	snprintf(out, size, "%.*s", RS_FMT(s));
}

static struct rs_str up_to(struct rs_str s, const char *stop)
{
	size_t n = 0;

	while (n < s.len && !strchr(stop, s.p[n]))
		n++;
	return rs_str_n(s.p, n);
}

static struct rs_str skip(struct rs_str s, size_t n)
{
	return n < s.len ? rs_str_n(s.p + n, s.len - n) : RS_STR_NULL;
}

static struct rs_str find(struct rs_str s, const char *what)
{
	const char *at = s.len ? memmem(s.p, s.len, what, strlen(what)) : NULL;

	return at ? skip(s, (size_t)(at - s.p)) : RS_STR_NULL;
}

static unsigned number(struct rs_str s)
{
	char buf[16];

	copy(buf, sizeof(buf), s);
	return (unsigned)strtoul(buf, NULL, 10);
}

/* The URI of a name-addr. */
static void uri_of(char *out, size_t size, struct rs_str value)
{
	struct rs_str open = find(value, "<");

	copy(out, size, open.len ? up_to(skip(open, 1), ">") : up_to(value, ";, "));
}

static void party(char *out, size_t size, char *tag, size_t tag_size, struct rs_str value)
{
	struct rs_str at = find(value, ";tag=");

	copy(out, size, rs_str_n(value.p, value.len - at.len));
	copy(tag, tag_size, up_to(skip(at, 5), ";"));
}

static void options(struct sim_call_msg *m, struct rs_str value, bool required)
{
	while (value.len) {
		struct rs_str one = up_to(value, ",");
		value = skip(value, one.len + 1);
		one = rs_str_trim(one);
		if (rs_str_ieqz(one, "100rel")) {
			m->knows_100rel = true;
			m->wants_100rel |= required;
		}
		m->knows_timer |= rs_str_ieqz(one, "timer");
	}
}

static void session_expires(struct sim_call_msg *m, struct rs_str value)
{
	struct rs_str at = find(value, "refresher=ua");

	m->expires = number(value);
	if (at.len > 12)
		m->refresher = at.p[12];
}

static void cseq(struct sim_call_msg *m, struct rs_str value)
{
	struct rs_str digits = up_to(value, " \t");

	m->cseq = number(digits);
	copy(m->method, sizeof(m->method), rs_str_trim(skip(value, digits.len)));
}

static void rack(struct sim_call_msg *m, struct rs_str value)
{
	struct rs_str digits = up_to(value, " \t");

	m->rack_rseq = number(digits);
	m->rack_cseq = number(rs_str_trim(skip(value, digits.len)));
}

static bool named(struct rs_str name, const char *full, char compact)
{
	return rs_str_ieqz(name, full) || (compact && name.len == 1 && (name.p[0] | 0x20) == compact);
}

static void header(struct sim_call_msg *m, struct rs_str name, struct rs_str value)
{
	if (named(name, "Via", 'v')) {
		if (!m->branch[0])
			copy(m->branch, sizeof(m->branch), up_to(skip(find(value, ";branch="), 8), ";,"));
	} else if (named(name, "CSeq", 0)) {
		cseq(m, value);
	} else if (named(name, "Call-ID", 'i')) {
		copy(m->call_id, sizeof(m->call_id), value);
	} else if (named(name, "From", 'f')) {
		party(m->from, sizeof(m->from), m->from_tag, sizeof(m->from_tag), value);
	} else if (named(name, "To", 't')) {
		party(m->to, sizeof(m->to), m->to_tag, sizeof(m->to_tag), value);
	} else if (named(name, "Contact", 'm')) {
		if (!m->contact[0])
			uri_of(m->contact, sizeof(m->contact), value);
	} else if (named(name, "Subject", 's')) {
		copy(m->subject, sizeof(m->subject), value);
	} else if (named(name, "WWW-Authenticate", 0)) {
		copy(m->challenge, sizeof(m->challenge), value);
	} else if (named(name, "RSeq", 0)) {
		m->rseq = number(value);
	} else if (named(name, "RAck", 0)) {
		rack(m, value);
	} else if (named(name, "Session-Expires", 'x')) {
		session_expires(m, value);
	} else if (named(name, "Min-SE", 0)) {
		m->min_se = number(value);
	} else if (named(name, "Require", 0)) {
		options(m, value, true);
	} else if (named(name, "Supported", 'k')) {
		options(m, value, false);
	} else if (named(name, "Content-Type", 'c')) {
		m->sdp = value.len >= 15 && strncasecmp(value.p, "application/sdp", 15) == 0;
	}
}

bool sim_call_msg_read(struct sim_call_msg *m, struct rs_str bytes)
{
	struct rs_str end = find(bytes, "\r\n\r\n"), rest, line;

	memset(m, 0, sizeof(*m));
	if (!end.len)
		return false;
	m->bytes = bytes;
	m->head = rs_str_n(bytes.p, bytes.len - end.len + 2);
	m->body = skip(end, 4);
	line = up_to(m->head, "\r");
	m->request = !rs_str_starts(line, RS_STR("SIP/2.0 "));
	if (m->request)
		copy(m->uri, sizeof(m->uri), up_to(skip(line, up_to(line, " ").len + 1), " "));
	else
		m->status = number(skip(line, 8));
	for (rest = skip(m->head, line.len + 2); rest.len; rest = skip(rest, line.len + 2)) {
		struct rs_str name;
		line = up_to(rest, "\r");
		name = up_to(line, ":");
		header(m, rs_str_trim(name), rs_str_trim(skip(line, name.len + 1)));
	}
	m->sdp = m->sdp && m->body.len;
	return m->method[0] && m->branch[0] && m->call_id[0];
}
