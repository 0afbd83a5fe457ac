/* A call's record: one line of JSON. What came from the network is escaped, whatever it is made of. */
#include "calls.h"
#include "base/log.h"
#include "base/print.h"

#include <time.h>

/* A key as it stands in the line, with what is before and behind it. */
#define KEY(name) RS_STR(",\"" name "\":")

/* How many bytes at the start stand for themselves; most texts do as a whole. */
static size_t plain(struct rs_str s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= ' ' && s.p[n] <= '~' && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

static void print_byte(struct sip_writer *w, unsigned char c)
{
	char digits[2];

	if (!c) {
		sip_writez(w, "\\ufffd"); /* many readers refuse a NUL even as an escape */
		return;
	}
	rs_print_hex(digits, c, 2);
	sip_writez(w, "\\u00");
	sip_write(w, rs_str_n(digits, 2));
}

static void print_str(struct sip_writer *w, struct rs_str key, struct rs_str s)
{
	sip_write(w, key);
	if (!s.len) {
		sip_write(w, RS_STR("null"));
		return;
	}
	sip_write(w, RS_STR("\""));
	while (s.len) {
		size_t n = plain(s);

		if (!n && (n = rs_log_printable(s)) && (*s.p == '"' || *s.p == '\\'))
			sip_writez(w, "\\");
		if (n)
			sip_write(w, rs_str_n(s.p, n));
		else
			print_byte(w, (unsigned char)*s.p);
		n = n ? n : 1;
		s = rs_str_n(s.p + n, s.len - n);
	}
	sip_write(w, RS_STR("\""));
}

static void print_number(struct sip_writer *w, struct rs_str key, uint64_t v)
{
	sip_write(w, key);
	sip_write_u64(w, v);
}

/* Whether there is a second colon before the "@". */
static bool may_have_password(struct rs_str uri)
{
	const char *at = rs_str_chr(uri, '@'),
		   *colon = at ? rs_str_chr(rs_str_n(uri.p, (size_t)(at - uri.p)), ':') : NULL;

	return colon && memchr(colon + 1, ':', (size_t)(at - colon - 1));
}

/* Of a URI only what says where it leads: a password in it is nobody's business. */
static void print_uri(struct sip_writer *w, struct rs_str key, struct rs_str text)
{
	struct sip_uri uri;
	size_t before, behind;

	if (!may_have_password(text) || sip_uri_parse(text, &uri) || !uri.has_password) {
		print_str(w, key, text);
		return;
	}
	before = (size_t)(uri.password.p - text.p) - 1;
	behind = before + 1 + uri.password.len;
	if (before + text.len - behind < 1024) {
		char buf[1024];

		memcpy(buf, text.p, before);
		memcpy(buf + before, text.p + behind, text.len - behind);
		print_str(w, key, rs_str_n(buf, before + text.len - behind));
		return;
	}
	print_str(w, key, RS_STR_NULL);
}

static char *digits(char *at, unsigned v, unsigned n, char behind)
{
	for (unsigned i = n; i--; v /= 10)
		at[i] = (char)('0' + v % 10);
	at[n] = behind;
	return at + n + 1;
}

/* The date of the last time that was printed: most are of the same day. On the records' work only. */
static struct {
	int64_t day;
	char text[12]; /* with its T */
} date = {.day = INT64_MIN};

static void set_date(int64_t day)
{
	time_t s = (time_t)(day * 86400);
	struct tm tm;
	char *at;

	gmtime_r(&s, &tm);
	at = digits(date.text, (unsigned)tm.tm_year + 1900, 4, '-');
	at = digits(at, (unsigned)tm.tm_mon + 1, 2, '-');
	digits(at, (unsigned)tm.tm_mday, 2, 'T');
	date.day = day;
}

/* RFC 3339, UTC, with milliseconds. */
static void print_time(struct sip_writer *w, struct rs_str key, int64_t us)
{
	unsigned ms = (unsigned)(us / 1000 % 86400000);
	char text[32], *at = text;

	sip_write(w, key);
	if (us <= 0) {
		sip_write(w, RS_STR("null"));
		return;
	}
	if (us / 86400000000 != date.day)
		set_date(us / 86400000000);
	*at++ = '"';
	memcpy(at, date.text, 11);
	at = digits(at + 11, ms / 3600000, 2, ':');
	at = digits(at, ms / 60000 % 60, 2, ':');
	at = digits(at, ms / 1000 % 60, 2, '.');
	at = digits(at, ms % 1000, 3, 'Z');
	*at++ = '"';
	sip_write(w, rs_str_n(text, (size_t)(at - text)));
}

/* In seconds, with milliseconds. */
static void print_duration(struct sip_writer *w, struct rs_str key, uint64_t ms)
{
	char text[4];

	sip_write(w, key);
	sip_write_u64(w, ms / 1000);
	sip_writez(w, ".");
	digits(text, (unsigned)(ms % 1000), 3, '\0');
	sip_write(w, rs_str_n(text, 3));
}

static const char *by_name(enum call_by by)
{
	switch (by) {
	case CALL_BY_CALLER:
		return "caller";
	case CALL_BY_CALLEE:
		return "callee";
	case CALL_BY_SERVER:
		return "server";
	case CALL_BY_NOBODY:
		break;
	}
	return "";
}

void record_print(struct sip_writer *w, const struct call_facts *f)
{
	int64_t talked = f->answer_us && f->end_us > f->answer_us ? (f->end_us - f->answer_us) / 1000 : 0;

	sip_write(w, RS_STR("{\"id\":"));
	sip_write_u64(w, f->id);
	print_time(w, KEY("start"), f->start_us);
	print_time(w, KEY("ring"), f->ring_us);
	print_time(w, KEY("answer"), f->answer_us);
	print_time(w, KEY("end"), f->end_us);
	print_duration(w, KEY("duration"), (uint64_t)talked);
	print_uri(w, KEY("caller"), f->text[CALL_CALLER]);
	print_str(w, KEY("caller_name"), f->text[CALL_CALLER_NAME]);
	print_str(w, KEY("caller_endpoint"), f->text[CALL_CALLER_ENDPOINT]);
	print_str(w, KEY("caller_call_id"), f->text[CALL_CALLER_ID]);
	print_uri(w, KEY("dialed"), f->text[CALL_DIALED]);
	print_uri(w, KEY("callee"), f->text[CALL_CALLEE]);
	print_str(w, KEY("callee_endpoint"), f->text[CALL_CALLEE_ENDPOINT]);
	print_str(w, KEY("callee_call_id"), f->text[CALL_CALLEE_ID]);
	print_number(w, KEY("branches"), f->branches);
	print_number(w, KEY("status"), f->status);
	print_str(w, KEY("ended_by"), rs_str_c(by_name(f->by)));
	print_str(w, KEY("cause"), rs_str_c(f->cause));
	print_number(w, KEY("transfers"), f->transfers);
	print_uri(w, KEY("transferred_to"), f->text[CALL_TRANSFER]);
	print_str(w, KEY("transfer_call_id"), f->text[CALL_TRANSFER_ID]);
	sip_writez(w, "}\n");
}
