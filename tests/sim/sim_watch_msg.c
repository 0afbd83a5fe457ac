/* See sim_watch_msg.h. */
#include "sim_watch_msg.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct rs_str trim(struct rs_str s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = rs_str_n(s.p + 1, s.len - 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Up to the first of the characters of stop. */
static struct rs_str until(struct rs_str s, const char *stop)
{
	size_t n = 0;

	while (n < s.len && !strchr(stop, s.p[n]))
		n++;
	return rs_str_n(s.p, n);
}

static struct rs_str behind(struct rs_str s, size_t n)
{
	return n < s.len ? rs_str_n(s.p + n, s.len - n) : RS_STR_NULL;
}

static bool named(struct rs_str name, const char *full, const char *compact)
{
	return (name.len == strlen(full) && strncasecmp(name.p, full, name.len) == 0) ||
	       (name.len == 1 && strncasecmp(name.p, compact, 1) == 0);
}

static void read_via(struct sim_watch_msg *m, struct rs_str value)
{
	struct rs_str rest = until(value, ",");

	rest = trim(behind(rest, until(rest, " ").len));
	m->sent_by = trim(until(rest, ";"));
	for (rest = behind(rest, until(rest, ";").len); rest.len; rest = behind(rest, until(rest, ";").len)) {
		rest = behind(rest, 1);
		if (rest.len > 7 && strncasecmp(rest.p, "branch=", 7) == 0)
			m->branch = trim(until(behind(rest, 7), ";"));
	}
}

static unsigned long number(struct rs_str s)
{
	char buf[24] = "";

	memcpy(buf, s.p, s.len < sizeof(buf) - 1 ? s.len : sizeof(buf) - 1);
	return strtoul(buf, NULL, 10);
}

static void read_header(struct sim_watch_msg *m, struct rs_str line, size_t *body)
{
	struct rs_str name = until(line, ":"), value = trim(behind(line, name.len + 1));

	name = trim(name);
	if (named(name, "Via", "v")) {
		if (!m->sent_by.p)
			read_via(m, value);
	} else if (named(name, "CSeq", " ")) {
		struct rs_str digits = until(value, " \t");
		m->cseq = (uint32_t)number(digits);
		m->method = trim(behind(value, digits.len));
	} else if (named(name, "Call-ID", "i")) {
		m->call_id = value;
	} else if (named(name, "Content-Length", "l")) {
		*body = number(value);
	}
}

bool sim_watch_read(struct sim_watch_msg *m, struct rs_str bytes)
{
	const char *end = memmem(bytes.p, bytes.len, "\r\n\r\n", 4);
	struct rs_str rest, line;
	size_t body = 0;

	memset(m, 0, sizeof(*m));
	if (!end)
		return false;
	rest = rs_str_n(bytes.p, (size_t)(end - bytes.p) + 2);
	line = until(rest, "\r");
	m->request = line.len < 8 || memcmp(line.p, "SIP/2.0 ", 8) != 0;
	if (!m->request)
		m->status = (unsigned)number(behind(line, 8));
	for (rest = behind(rest, line.len + 2); rest.len; rest = behind(rest, line.len + 2)) {
		line = until(rest, "\r");
		read_header(m, line, &body);
	}
	m->length = (size_t)(end - bytes.p) + 4 + body;
	return m->length <= bytes.len && m->branch.len && m->method.len;
}
