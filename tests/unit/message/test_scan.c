/* The scans of several bytes at once find what a loop over single bytes finds, and look at nothing behind the end. */
#include "message_test.h"

#include "sip/message/chars.h"
#include "sip/message/lines.h"

#define MAX 70

static const unsigned classes[] = {C_TOKEN,  C_WORD, C_USER, C_PASSWORD, C_PARAM,
				   C_HEADER, C_URIC, C_HOST, C_VALUE,    C_TOKEN | C_LWS};

static bool eol(char c)
{
	return c == '\r' || c == '\n';
}
static bool quote(char c)
{
	return c == '"' || c == '\\' || (unsigned char)c < ' ' || c == 0x7f;
}
static bool no_word(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}
static bool comma(char c)
{
	return c == ',';
}
static bool no_host(char c)
{
	return !is_class(c, C_HOST);
}

static const char *first(const char *p, const char *end, bool (*stop)(char c))
{
	while (p < end && !stop(*p))
		p++;
	return p;
}

static const char *class_end(const char *p, const char *end, unsigned class)
{
	while (p < end && is_class(*p, class))
		p++;
	return p;
}

static bool labels_ok(const char *p, const char *end)
{
	char before = '.';

	for (; p < end; before = *p++) {
		if (before == '.' && (*p == '.' || *p == '-'))
			return false;
	}
	return true;
}

/* p to end, as text that ends there and as text inside of a larger one. */
static void check(const char *p, const char *end, const char *safe)
{
	const char *host = first(p, end, no_host);
	bool ok;

	for (size_t i = 0; i < RS_ARRAY_SIZE(classes); i++)
		assert_ptr_equal(sip_span(p, end, safe, classes[i]), class_end(p, end, classes[i]));
	assert_ptr_equal(sip_skip_plain(p, end, safe), class_end(p, end, C_PLAIN));
	assert_ptr_equal(sip_find(p, end, safe, ','), first(p, end, comma));
	assert_ptr_equal(sip_find_quote(p, end, safe), first(p, end, quote));
	assert_ptr_equal(sip_find_eol(p, end), first(p, end, eol));
	assert_ptr_equal(sip_word_end(p, end), first(p, end, no_word));
	assert_ptr_equal(sip_skip_host(p, end, safe, &ok), host);
	assert_int_equal(ok, labels_ok(p, host));
}

/* Every byte at every place of texts of every length up to MAX, before and behind the text's end. */
static void every_byte_stops_where_it_should(void **state)
{
	char text[MAX];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < MAX; at++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)byte;
			for (size_t len = 0; len <= MAX; len += at % 3 + 1) {
				/* In memory that ends where it says. */
				char *copy = malloc(len ? len : 1);

				assert_non_null(copy);
				memcpy(copy, text, len);
				check(copy, copy + len, copy + len);
				free(copy);
				check(text, text + len, text + MAX);
			}
		}
	}
}

static void texts_of_chance_stop_where_they_should(void **state)
{
	static const char letters[] = "aZ09-..__-+%,;=@\"\\\r\n\t <>:\x7f\x01\xc3";
	uint32_t random = 1;
	char text[MAX];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len;

		for (size_t i = 0; i < MAX; i++) {
			random = random * 1664525u + 1013904223u;
			text[i] = random >> 29 ? "abc-.9_"[random >> 9 & 7 ? random >> 9 & 3 : 6]
					       : letters[(random >> 8) % (sizeof(letters) - 1)];
		}
		len = (random >> 16) % (MAX + 1);
		check(text, text + len, text + MAX);
		check(text, text + len, text + len);
	}
}

/* Any other byte at any place of a word makes another word, but for a letter's case; so it is with headers' names. */
static void other_words(const char *lower, bool (*is)(struct rs_str s))
{
	size_t len = strlen(lower);
	char text[32];

	for (size_t at = 0; at < len; at++) {
		memcpy(text, lower, len);
		for (unsigned byte = 0; byte < 256; byte++) {
			bool same = to_lower((char)byte) == (unsigned char)lower[at];

			text[at] = (char)byte;
			assert_int_equal(is(rs_str_n(text, len)), same);
			assert_false(is(rs_str_n(text, len - 1)));
		}
	}
}

#define WORD(name, text)                                                                                               \
	static bool name(struct rs_str s)                                                                              \
	{                                                                                                              \
		return SIP_IS(s, text);                                                                                \
	}
WORD(is_2, "ws")
WORD(is_3, "tag")
WORD(is_4, "sip:")
WORD(is_7, "z9hg4bk")
WORD(is_8, "received")
WORD(is_12, "content-type")
WORD(is_16, "content-encoding")
WORD(is_19, "content-disposition")
WORD(is_25, "aaaaaaaaabbbbbbbbbccccccc")

static enum sip_hdr_id wanted;

static bool is_header(struct rs_str s)
{
	/* "T" is To, too. */
	return s.len > 1 && sip_hdr_from_name(s) == wanted;
}

static void words_are_compared_whole(void **state)
{
	(void)state;
	other_words("ws", is_2);
	other_words("tag", is_3);
	other_words("sip:", is_4);
	other_words("z9hg4bk", is_7);
	other_words("received", is_8);
	other_words("content-type", is_12);
	other_words("content-encoding", is_16);
	other_words("content-disposition", is_19);
	other_words("aaaaaaaaabbbbbbbbbccccccc", is_25);
	for (wanted = (enum sip_hdr_id)1; wanted < SIP_HDR_N; wanted++) {
		struct rs_str name = sip_hdr_name(wanted);
		char lower[32];

		for (size_t i = 0; i < name.len; i++)
			lower[i] = (char)to_lower(name.p[i]);
		lower[name.len] = '\0';
		other_words(lower, is_header);
	}
}

/* The short way over a usual line is only taken for what the long way reads in the same way. */
static void usual_lines_are_read_as_others(const struct message_row *row, void *data)
{
	const char *p = row->bytes.p, *end = p + row->bytes.len;

	(void)data;
	for (; p < end; p++) {
		struct sip_hdr a = {.id = SIP_HDR_OTHER}, b = {.id = SIP_HDR_OTHER};
		const char *after_a = p, *after_b = p;

		if (!sip_line_take_usual(&after_a, end, &a))
			continue;
		assert_int_equal(sip_line_next(&after_b, end, &b), SIP_LINE_OK);
		assert_ptr_equal(after_a, after_b);
		assert_true(a.name.p == b.name.p && a.name.len == b.name.len);
		assert_true(a.value.p == b.value.p && a.value.len == b.value.len);
		assert_true(a.line.p == b.line.p && a.line.len == b.line.len && a.folded == b.folded);
	}
}

static void lines_are_read_alike(void **state)
{
	(void)state;
	for_each_message(usual_lines_are_read_as_others, NULL);
}

/* The chain of a header's lines is what a search through all lines finds. */
static void chains(const struct message_row *row, void *data)
{
	static struct parsed p;

	(void)data;
	if (parse_into(&p, row->bytes, false) == SIP_PARSE_DONE) {
		for (unsigned id = 1; id < SIP_HDR_N; id++) {
			const struct sip_hdr *h = sip_msg_first(&p.msg, (enum sip_hdr_id)id);

			for (uint32_t i = 0; i < p.msg.n_hdrs; i++) {
				if (p.msg.hdrs[i].id != id)
					continue;
				assert_ptr_equal(h, &p.msg.hdrs[i]);
				h = sip_msg_next(&p.msg, h);
			}
			assert_null(h);
		}
	}
	done(&p);
}

static void lines_of_a_header_are_chained(void **state)
{
	(void)state;
	for_each_message(chains, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_stops_where_it_should),
		cmocka_unit_test(texts_of_chance_stop_where_they_should),
		cmocka_unit_test(words_are_compared_whole),
		cmocka_unit_test(lines_are_read_alike),
		cmocka_unit_test(lines_of_a_header_are_chained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
