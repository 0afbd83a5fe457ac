#include "base_test.h"
#include "base/env.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LINES 8192

static struct {
	char last[4096];
	size_t len;
	enum rs_log_level level;
	_Atomic int n;
	int order[LINES];
} caught;

static void catch_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	assert_true(line.len < sizeof(caught.last));
	memcpy(caught.last, line.p, line.len);
	caught.last[line.len] = '\0';
	caught.len = line.len;
	caught.level = level;
	sscanf(caught.last, "%*s %*s numbered i=%d", &caught.order[caught.n % LINES]);
	atomic_fetch_add(&caught.n, 1);
}

static int64_t wall;

static int64_t fixed_wall(void *token)
{
	(void)token;
	return wall;
}

static const struct rs_env fixed_env = {.wall_us = fixed_wall};

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	wall = 1795412712123456; /* 2026-11-23 05:45:12.123456 */
	rs_env_set(&fixed_env);
	rs_log_set_sink(catch_line, NULL);
	rs_log_set_level(RS_LOG_INFO);
	memset(&caught, 0, sizeof(caught));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rs_log_set_sink(NULL, NULL);
	rs_env_set(NULL);
	return 0;
}

static void an_event_is_one_line_of_fields(void **state)
{
	char want[256];
	int line;

	(void)state;
	rs_event(RS_LOG_INFO, "contact.added", RS_FZ("aor", "alice"), RS_FI("expires", 3600));
	line = __LINE__ - 1;
	snprintf(want, sizeof(want),
		 "2026-11-23T05:45:12.123456Z INFO contact.added aor=alice expires=3600 src=test_log.c:%d", line);
	assert_string_equal(caught.last, want);
	assert_int_equal(caught.level, RS_LOG_INFO);
}

static void dates_are_right_over_four_centuries(void **state)
{
	(void)state;
	for (int64_t day = -40000; day < 110000; day += 13) {
		time_t sec = (time_t)(day * 86400 + 86399);
		char want[64];
		struct tm tm;

		wall = (int64_t)sec * 1000000 + 5;
		gmtime_r(&sec, &tm);
		snprintf(want, sizeof(want), "%04d-%02d-%02dT23:59:59.000005Z ", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday);
		rs_event(RS_LOG_INFO, "day", RS_FI("n", day));
		assert_memory_equal(caught.last, want, strlen(want));
	}
}

static const char *value_of(struct rs_str s)
{
	static char value[4096];
	char *end;

	rs_event(RS_LOG_INFO, "e", RS_FS("k", s));
	snprintf(value, sizeof(value), "%s", strstr(caught.last, " k=") + 3);
	end = strstr(value, " src=test_log.c:");
	assert_non_null(end);
	*end = '\0';
	return value;
}

static void values_that_could_be_misread_are_quoted(void **state)
{
	(void)state;
	assert_string_equal(value_of(RS_STR("sip:alice@example.com;transport")), "sip:alice@example.com;transport");
	assert_string_equal(value_of(RS_STR("")), "\"\"");
	assert_string_equal(value_of(RS_STR("a b")), "\"a b\"");
	assert_string_equal(value_of(RS_STR("a=b")), "\"a=b\"");
	assert_string_equal(value_of(RS_STR("a\"b")), "\"a\\\"b\"");
	assert_string_equal(value_of(RS_STR("a\\b")), "\"a\\\\b\"");
	assert_string_equal(value_of(RS_STR("a\nb\r\x7f\x1b[31m")), "\"a\\x0ab\\x0d\\x7f\\x1b[31m\"");
	assert_string_equal(value_of(rs_str_n("a\0b", 3)), "\"a\\x00b\"");
}

static void only_valid_utf8_passes(void **state)
{
	(void)state;
	assert_string_equal(value_of(RS_STR("J\xc3\xbcrgen")), "J\xc3\xbcrgen");
	assert_string_equal(value_of(RS_STR("\xe2\x82\xac\xf0\x9f\x93\x9e")), "\xe2\x82\xac\xf0\x9f\x93\x9e");
	assert_string_equal(value_of(RS_STR("J\xfcrgen")), "\"J\\xfcrgen\"");
	assert_string_equal(value_of(RS_STR("\xc3")), "\"\\xc3\"");                            /* cut */
	assert_string_equal(value_of(RS_STR("\xc0\xaf")), "\"\\xc0\\xaf\"");                   /* overlong */
	assert_string_equal(value_of(RS_STR("\xe0\x80\xaf")), "\"\\xe0\\x80\\xaf\"");          /* overlong */
	assert_string_equal(value_of(RS_STR("\xed\xa0\x80")), "\"\\xed\\xa0\\x80\"");          /* a surrogate */
	assert_string_equal(value_of(RS_STR("\xf4\x90\x80\x80")), "\"\\xf4\\x90\\x80\\x80\""); /* past the last */
	assert_string_equal(value_of(RS_STR("\xc2\x9b")), "\"\\xc2\\x9b\"");                   /* a terminal's escape */
}

static void a_long_value_is_cut_and_stays_closed(void **state)
{
	static char big[5000];

	(void)state;
	for (int fill = 0; fill < 2; fill++) {
		for (size_t n = 1900; n < 2100; n++) {
			memset(big, fill ? '\n' : ' ', sizeof(big));
			rs_event(RS_LOG_INFO, "e", RS_FS("k", rs_str_n(big, n)));
			assert_true(caught.len <= 2047);
			assert_non_null(strstr(caught.last, "\" src=test_log.c:"));
		}
	}
	/* Many fields: those that no longer fit are left out, and the source still stands at the end. */
	memset(big, 'x', sizeof(big));
	rs_event(RS_LOG_INFO, "e", RS_FS("a", rs_str_n(big, 1500)), RS_FS("b", rs_str_n(big, 1500)), RS_FI("c", 1));
	assert_true(caught.len <= 2047);
	assert_non_null(strstr(caught.last, " src=test_log.c:"));
}

static void levels_above_the_limit_are_silent(void **state)
{
	(void)state;
	rs_log_set_level(RS_LOG_NOTICE);
	rs_event(RS_LOG_INFO, "e", RS_FI("n", 1));
	rs_log_line(RS_LOG_DEBUG, "file.c", "text");
	assert_int_equal(caught.n, 0);
	rs_event(RS_LOG_SECURITY, "e", RS_FI("n", 1));
	assert_int_equal(caught.n, 1);
	rs_log_set_level(RS_LOG_WARNING);
	assert_false(rs_log_enabled(RS_LOG_SECURITY));
	assert_true(rs_log_enabled(RS_LOG_ERROR));
}

/*
 * The prefix that fail2ban's stock `asterisk` filter takes (its prefregex: optional date in brackets, LEVEL[id], a
 * colon, a source name with a colon, then the content): checked with fail2ban-regex against both lines below.
 */
static void a_line_for_other_programs_has_their_prefix(void **state)
{
	char want[512];

	(void)state;
	rs_log_line(RS_LOG_NOTICE, "res_pjsip/pjsip_distributor.c",
		    "Request '%s' from '%s' failed for '%s' (callid: %s) - No matching endpoint found", "REGISTER",
		    "\"100\" <sip:100@h>", "203.0.113.5:5060", "abc");
	snprintf(
		want, sizeof(want),
		"[2026-11-23 05:45:12.123] NOTICE[%d]: res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '\"100\" "
		"<sip:100@h>' failed for '203.0.113.5:5060' (callid: abc) - No matching endpoint found",
		(int)gettid());
	assert_string_equal(caught.last, want);
	rs_log_line(RS_LOG_SECURITY, "res_security_log.c", "SecurityEvent=\"InvalidAccountID\"");
	snprintf(want, sizeof(want),
		 "[2026-11-23 05:45:12.123] SECURITY[%d]: res_security_log.c: SecurityEvent=\"InvalidAccountID\"",
		 (int)gettid());
	assert_string_equal(caught.last, want);
}

static void a_line_is_in_local_time(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	wall += 3600000000; /* another quarter of an hour than the other tests' */
	rs_log_line(RS_LOG_NOTICE, "f.c", "x");
	assert_memory_equal(caught.last, "[2026-11-23 07:45:12.123] ", 26);
	wall = 1782892800000000; /* 2026-07-01 08:00 UTC */
	rs_log_line(RS_LOG_NOTICE, "f.c", "x");
	assert_memory_equal(caught.last, "[2026-07-01 10:00:00.000] ", 26);
}

static void a_line_cannot_be_broken_in_two(void **state)
{
	static char big[5000];

	(void)state;
	rs_log_line(RS_LOG_NOTICE, "f.c", "a\n[2026-11-23 05:45:12.123] NOTICE[1]: f.c: forged");
	assert_int_equal(caught.n, 1);
	assert_null(strchr(caught.last, '\n'));
	assert_non_null(strstr(caught.last, "a\\x0a["));
	memset(big, '\n', sizeof(big) - 1);
	rs_log_line(RS_LOG_NOTICE, "f.c", "%s", big);
	assert_true(caught.len <= 2047);
	memset(big, 'y', sizeof(big) - 1);
	rs_log_line(RS_LOG_NOTICE, "f.c", "%s", big);
	assert_int_equal(caught.len, 2047);
}

static void escaping_leaves_nothing_to_forge_with(void **state)
{
	char buf[64], small[8];

	(void)state;
	assert_string_equal(rs_log_escape(buf, sizeof(buf), RS_STR("plain <sip:a@b>")), "plain <sip:a@b>");
	assert_string_equal(rs_log_escape(buf, sizeof(buf), RS_STR("a'b\"c\\d\ne\x7f")),
			    "a\\x27b\\x22c\\x5cd\\x0ae\\x7f");
	assert_string_equal(rs_log_escape(buf, sizeof(buf), rs_str_n("\0", 1)), "\\x00");
	assert_string_equal(rs_log_escape(buf, sizeof(buf), RS_STR_NULL), "");
	/* Never half an escape, always terminated. */
	assert_string_equal(rs_log_escape(small, sizeof(small), RS_STR("abcdefghij")), "abcdefg");
	assert_string_equal(rs_log_escape(small, sizeof(small), RS_STR("abcd'")), "abcd");
	assert_string_equal(rs_log_escape(small, sizeof(small), RS_STR("abc'")), "abc\\x27");
	assert_string_equal(rs_log_escape(small, 1, RS_STR("abc")), "");
}

static void numbered(int i)
{
	rs_event(RS_LOG_INFO, "numbered", RS_FI("i", i));
}

static void the_writer_keeps_the_order_and_stop_loses_nothing(void **state)
{
	(void)state;
	assert_int_equal(rs_log_start(), 0);
	assert_int_equal(rs_log_start(), EALREADY);
	for (int i = 0; i < 1000; i++)
		numbered(i);
	rs_log_stop();
	assert_int_equal(caught.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(caught.order[i], i);
	numbered(5);
	assert_int_equal(caught.n, 1001);
}

static void *log_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		numbered(i);
	return NULL;
}

static void lines_of_several_threads_arrive_whole(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int round = 0; round < 5; round++) {
		caught.n = 0;
		assert_int_equal(rs_log_start(), 0);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		rs_log_stop();
		assert_int_equal(caught.n, 1000);
		/* The writer ends while others still log: their lines find another way. */
		caught.n = 0;
		assert_int_equal(rs_log_start(), 0);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
		rs_log_stop();
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(caught.n, 1000);
	}
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int dropped_lines;
static _Atomic int64_t dropped_sum;

static void slow_sink(void *token, enum rs_log_level level, struct rs_str line)
{
	const char *lost;

	(void)level;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	lost = memmem(line.p, line.len, "log.dropped lines=", 18);
	if (lost) {
		dropped_lines++;
		dropped_sum += atoi(lost + 18);
	} else {
		atomic_fetch_add((_Atomic int *)token, 1);
	}
}

static void a_slow_reader_costs_lines_and_never_time(void **state)
{
	enum { N = 5000 };
	_Atomic int written = 0;

	(void)state;
	rs_log_set_sink(slow_sink, &written);
	assert_int_equal(rs_log_start(), 0);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < N; i++)
		numbered(i); /* would wait for ever, were it to wait at all */
	assert_int_equal(written, 0);
	pthread_mutex_unlock(&gate);
	rs_log_stop();
	assert_true(dropped_lines >= 1);
	assert_int_equal(written + dropped_sum, N);
}

#define log_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(an_event_is_one_line_of_fields),
		log_test(dates_are_right_over_four_centuries),
		log_test(values_that_could_be_misread_are_quoted),
		log_test(only_valid_utf8_passes),
		log_test(a_long_value_is_cut_and_stays_closed),
		log_test(levels_above_the_limit_are_silent),
		log_test(a_line_for_other_programs_has_their_prefix),
		log_test(a_line_is_in_local_time),
		log_test(a_line_cannot_be_broken_in_two),
		log_test(escaping_leaves_nothing_to_forge_with),
		log_test(the_writer_keeps_the_order_and_stop_loses_nothing),
		log_test(lines_of_several_threads_arrive_whole),
		log_test(a_slow_reader_costs_lines_and_never_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
