/* A traced message in the log: a head line, then its lines. What would help a thief is masked. */
#include "logger.h"

#include "base/log.h"

#define LOG_FILE "res_pjsip_logger.c"
#define MAX_LINE 1024 /* bytes of one line that are shown */

/* What of a message is a secret: the header whose lines are being printed. */
enum secret { NO_SECRET, DIGEST, OTHER_SCHEME };

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '.') /* a tab has become a dot */
		p++;
	return p;
}

static bool is_name(const char *line, const char *name, size_t len)
{
	const char *end = line + strcspn(line, ": \t.");

	return *end && (size_t)(end - line) == len && strncasecmp(line, name, len) == 0;
}

/* The credentials' header that line begins, and where its value is; a header goes on in lines that begin blank. */
static enum secret begin_header(char *line, char **value)
{
	*value = line;
	if (!is_name(line, "Authorization", 13) && !is_name(line, "Proxy-Authorization", 19))
		return NO_SECRET;
	*value = strchr(line, ':');
	if (!*value)
		*value = line + strlen(line);
	else
		*value = skip_blanks(*value + 1);
	return **value == '\0' || strncasecmp(*value, "Digest", 6) == 0 ? DIGEST : OTHER_SCHEME;
}

static void stars(char *p, const char *until)
{
	while (*p && !strchr(until, *p))
		*p++ = '*';
}

/* The value of each response parameter becomes stars. */
static void mask_response(char *p)
{
	while ((p = strcasestr(p, "response"))) {
		p = skip_blanks(p + 8);
		if (*p != '=')
			continue;
		p = skip_blanks(p + 1);
		if (*p == '"')
			stars(p + 1, "\"");
		else
			stars(p, ",");
	}
}

static void mask(char *line, enum secret *secret)
{
	char *value = line;

	if (*line != ' ' && *line != '.') /* no continuation of a header */
		*secret = begin_header(line, &value);
	if (*secret == DIGEST)
		mask_response(value);
	else if (*secret == OTHER_SCHEME)
		stars(value, "");
}

static void print_line(struct rs_str line, enum secret *secret)
{
	char buf[MAX_LINE + 1];
	size_t n = line.len < MAX_LINE ? line.len : MAX_LINE;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line.p[i];
		buf[i] = c < 0x20 || c == 0x7f ? '.' : (char)c;
	}
	buf[n] = '\0';
	mask(buf, secret);
	rs_log_line(RS_LOG_NOTICE, LOG_FILE, "%s", buf);
}

void logger_print(const struct logger_packet *p)
{
	struct rs_str rest = rs_str_n(p->bytes, p->len);
	bool response = rs_str_starts(rest, RS_STR("SIP/"));
	enum secret secret = NO_SECRET;
	char addr[SIP_ADDR_TEXT];

	rs_log_line(RS_LOG_NOTICE, LOG_FILE, "<--- %s SIP %s (%zu bytes) %s %s:%s --->",
		    p->received ? "Received" : "Transmitting", response ? "response" : "request", p->len,
		    p->received ? "from" : "to", sip_transport_name(p->type), sip_addr_text(&p->remote, true, addr));
	while (rest.len) {
		const char *lf = rs_str_chr(rest, '\n');
		size_t n = lf ? (size_t)(lf - rest.p) : rest.len;
		struct rs_str line = rs_str_n(rest.p, n && rest.p[n - 1] == '\r' ? n - 1 : n);

		print_line(line, &secret);
		rest = lf ? rs_str_n(lf + 1, rest.len - n - 1) : RS_STR_NULL;
	}
}
