/* A traced message in the log: a head line, then its lines. What would help a thief is masked. */
#include "logger.h"

#include "base/log.h"

#define LOG_FILE "res_pjsip_logger.c"
#define MAX_LINE 1024 /* bytes of one line that are shown */

/* The value of a response parameter in a credentials header becomes stars. */
static void mask(char *line)
{
	static const char key[] = "response=\"";
	char *p = line;

	if (strncasecmp(line, "Authorization", 13) != 0 && strncasecmp(line, "Proxy-Authorization", 19) != 0)
		return;
	while ((p = strcasestr(p, key))) {
		p += sizeof(key) - 1;
		while (*p && *p != '"')
			*p++ = '*';
	}
}

static void print_line(struct rs_str line)
{
	char buf[MAX_LINE + 1];
	size_t n = line.len < MAX_LINE ? line.len : MAX_LINE;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line.p[i];
		buf[i] = c < 0x20 || c == 0x7f ? '.' : (char)c;
	}
	buf[n] = '\0';
	mask(buf);
	rs_log_line(RS_LOG_NOTICE, LOG_FILE, "%s", buf);
}

void logger_print(const struct logger_packet *p)
{
	struct rs_str rest = rs_str_n(p->bytes, p->len);
	bool response = rs_str_starts(rest, RS_STR("SIP/"));
	char addr[SIP_ADDR_TEXT];

	rs_log_line(RS_LOG_NOTICE, LOG_FILE, "<--- %s SIP %s (%zu bytes) %s %s:%s --->",
		    p->received ? "Received" : "Transmitting", response ? "response" : "request", p->len,
		    p->received ? "from" : "to", sip_transport_name(p->type), sip_addr_text(&p->remote, true, addr));
	while (rest.len) {
		const char *lf = rs_str_chr(rest, '\n');
		size_t n = lf ? (size_t)(lf - rest.p) : rest.len;
		struct rs_str line = rs_str_n(rest.p, n && rest.p[n - 1] == '\r' ? n - 1 : n);

		print_line(line);
		rest = lf ? rs_str_n(lf + 1, rest.len - n - 1) : RS_STR_NULL;
	}
}
