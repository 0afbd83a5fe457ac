/* The log: how a line looks. */
#include "base/log_writer.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int max_level = RS_LOG_INFO;

static const char *const level_names[] = {
	[RS_LOG_ERROR] = "ERROR",       [RS_LOG_WARNING] = "WARNING", [RS_LOG_NOTICE] = "NOTICE",
	[RS_LOG_SECURITY] = "SECURITY", [RS_LOG_INFO] = "INFO",       [RS_LOG_VERBOSE] = "VERBOSE",
	[RS_LOG_DEBUG] = "DEBUG",
};

bool rs_log_enabled(enum rs_log_level level)
{
	int want = level == RS_LOG_SECURITY ? RS_LOG_NOTICE : (int)level;

	return want <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void rs_log_set_level(enum rs_log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

/* A line that is being written: what does not fit is left out, never half of an escape or of a character. */
struct line {
	char buf[RS_LOG_LINE_MAX];
	size_t len;
	size_t reserve; /* kept back for what must still follow (a closing quote) */
};

static bool line_put(struct line *l, const char *p, size_t n)
{
	if (n > sizeof(l->buf) - 1 - l->reserve - l->len)
		return false;
	memcpy(l->buf + l->len, p, n);
	l->len += n;
	return true;
}

static bool line_putz(struct line *l, const char *z)
{
	return line_put(l, z, strlen(z));
}

static bool line_hex(struct line *l, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char hex[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

	return line_put(l, hex, sizeof(hex));
}

/* Characters that are valid and not seen, but change how what stands around them is: direction marks, joiners, line
 * separators. A reader would take one line for another. */
static bool is_format(uint32_t point)
{
	return point == 0x61c || (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff9 && point <= 0xfffb) ||
	       (point >= 0xe0000 && point <= 0xe007f);
}

size_t rs_log_printable(struct rs_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t point;
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2, point = p[0] & 0x1f;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3, point = p[0] & 0x0f;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4, point = p[0] & 0x07;
	else
		return 0;
	if (n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (p[i] & 0x3f);
	}
	if (point < 0xa0 || (n == 3 && point < 0x800) || (point >= 0xd800 && point <= 0xdfff) ||
	    (n == 4 && point < 0x10000) || point > 0x10ffff || is_format(point))
		return 0;
	return n;
}

static bool value_is_plain(struct rs_str s)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = rs_log_printable(rs_str_n(s.p + i, s.len - i));

		if (n == 0 || s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return false;
		i += n;
	}
	return s.len > 0;
}

static void line_value(struct line *l, struct rs_str s)
{
	bool fits = true;

	if (value_is_plain(s) && line_put(l, s.p, s.len))
		return;
	if (!line_put(l, "\"\"", 2))
		return;
	l->len--;
	l->reserve++;
	for (size_t i = 0; i < s.len && fits;) {
		size_t n = rs_log_printable(rs_str_n(s.p + i, s.len - i));

		if (s.p[i] == '"' || s.p[i] == '\\')
			fits = line_put(l, s.p[i] == '"' ? "\\\"" : "\\\\", 2);
		else if (n)
			fits = line_put(l, s.p + i, n);
		else
			fits = line_hex(l, (unsigned char)s.p[i]);
		i += n ? n : 1;
	}
	l->reserve--;
	line_put(l, "\"", 1);
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

/* us is microseconds of the day's zone; sep stands between date and time; digits of the fraction: 3 or 6. */
static int format_time(char *buf, size_t size, int64_t us, char sep, int digits)
{
	int64_t sec = us / 1000000 - (us % 1000000 < 0);
	int64_t days = sec / 86400 - (sec % 86400 < 0);
	int of_day = (int)(sec - days * 86400);
	int fraction = (int)(us - sec * 1000000);
	int year, month, day;

	civil_from_days(days, &year, &month, &day);
	return snprintf(buf, size, "%04d-%02d-%02d%c%02d:%02d:%02d.%0*d", year, month, day, sep, of_day / 3600,
			of_day / 60 % 60, of_day % 60, digits, digits == 3 ? fraction / 1000 : fraction);
}

/* localtime_r takes a lock that all threads share; the offset changes on a quarter of an hour at most. */
static int64_t local_offset_us(int64_t wall_us)
{
	static _Thread_local int64_t quarter = INT64_MIN;
	static _Thread_local int64_t offset;
	int64_t now = wall_us / (900 * (int64_t)1000000);

	if (now != quarter) {
		time_t sec = (time_t)(wall_us / 1000000);
		struct tm tm;

		offset = localtime_r(&sec, &tm) ? (int64_t)tm.tm_gmtoff * 1000000 : 0;
		quarter = now;
	}
	return offset;
}

void rs_event_emit(enum rs_log_level level, const char *file, int line, const char *event,
		   const struct rs_field *fields, size_t n)
{
	struct line l = {.len = 0};
	char num[64], src[96];

	format_time(num, sizeof(num), rs_wall_us(), 'T', 6);
	snprintf(src, sizeof(src), " src=%.64s:%d", file, line);
	l.reserve = strlen(src);
	line_putz(&l, num);
	line_putz(&l, "Z ");
	line_putz(&l, level_names[level]);
	line_putz(&l, " ");
	line_putz(&l, event);
	for (size_t i = 0; i < n; i++) {
		line_putz(&l, " ");
		line_putz(&l, fields[i].key);
		line_putz(&l, "=");
		if (fields[i].is_int) {
			snprintf(num, sizeof(num), "%lld", (long long)fields[i].num);
			line_putz(&l, num);
		} else {
			line_value(&l, fields[i].str);
		}
	}
	l.reserve = 0;
	line_putz(&l, src);
	rs_log_write(level, rs_str_n(l.buf, l.len));
}

void rs_log_line(enum rs_log_level level, const char *file, const char *fmt, ...)
{
	static _Thread_local int tid;
	char text[RS_LOG_LINE_MAX], head[192], stamp[64];
	struct line l = {.len = 0};
	int64_t now;
	va_list ap;
	int n;

	if (!rs_log_enabled(level))
		return;
	if (!tid)
		tid = (int)gettid();
	now = rs_wall_us();
	format_time(stamp, sizeof(stamp), now + local_offset_us(now), ' ', 3);
	snprintf(head, sizeof(head), "[%s] %s[%d]: %.96s: ", stamp, level_names[level], tid, file);
	line_putz(&l, head);
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (size_t i = 0, len = strlen(text); i < len;) {
		size_t c = rs_log_printable(rs_str_n(text + i, len - i));

		if (!(c ? line_put(&l, text + i, c) : line_hex(&l, (unsigned char)text[i])))
			break;
		i += c ? c : 1;
	}
	rs_log_write(level, rs_str_n(l.buf, l.len));
}

const char *rs_log_escape(char *buf, size_t size, struct rs_str s)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	if (size == 0)
		return "";
	for (size_t i = 0; i < s.len;) {
		size_t n = rs_log_printable(rs_str_n(s.p + i, s.len - i));
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\'' || c == '"' || c == '\\')
			n = 0;
		if ((n ? n : 4) >= size - len)
			break;
		if (n) {
			memcpy(buf + len, s.p + i, n);
			len += n;
		} else {
			buf[len++] = '\\';
			buf[len++] = 'x';
			buf[len++] = digits[c >> 4];
			buf[len++] = digits[c & 15];
		}
		i += n ? n : 1;
	}
	buf[len] = '\0';
	return buf;
}
