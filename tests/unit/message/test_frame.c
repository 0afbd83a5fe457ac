/* Framing: the same messages come out of a stream however it is cut. */
#include "message_test.h"

static char stream[4 * MAX_FILE];
static size_t stream_len;
static size_t ends[128];
static unsigned n_ends;

/* What a stream can carry: a message with its Content-Length. */
static void append(const struct message_row *row, void *data)
{
	static struct parsed p;

	(void)data;
	if (parse_into(&p, row->bytes, true) == SIP_PARSE_DONE && !p.msg.flaw && p.msg.has_content_length) {
		assert_true(stream_len + p.consumed < sizeof(stream) && n_ends < RS_ARRAY_SIZE(ends));
		memcpy(stream + stream_len, row->bytes.p, p.consumed);
		stream_len += p.consumed;
		ends[n_ends++] = stream_len;
	}
	done(&p);
}

/* Feeds the stream in pieces of step bytes (the first of first bytes) and checks where messages end. */
static void feed(size_t first, size_t step)
{
	size_t start = 0, have = first, from = 0, length = 0, need = 0;
	unsigned seen = 0;

	for (;;) {
		enum sip_parse_result r = sip_msg_frame(rs_str_n(stream + start, have - start), &from, &length, &need);

		if (r == SIP_PARSE_PARTIAL) {
			if (have == stream_len)
				break;
			assert_true(need > have - start);
			/* need never asks for more than the message has. */
			assert_true(start + need <= ends[seen]);
			have = have + step > stream_len ? stream_len : have + step;
			continue;
		}
		assert_int_equal(r, SIP_PARSE_DONE);
		start += length;
		assert_int_equal(start, ends[seen]);
		seen++;
		from = 0;
		if (start == stream_len)
			break;
		if (have < start)
			have = start;
	}
	assert_int_equal(seen, n_ends);
}

static void messages_are_the_same_byte_by_byte_and_in_any_pieces(void **state)
{
	(void)state;
	for_each_message(append, NULL);
	assert_true(n_ends > 15);
	feed(0, 1);
	feed(1, 2);
	feed(0, 3);
	feed(5, 7);
	feed(0, 1460);
	feed(stream_len, 1);
}

static void messages_are_the_same_cut_in_two_anywhere(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= stream_len; cut++)
		feed(cut, stream_len);
}

/* Every prefix gives PARTIAL, never a shorter message. */
static void cut_short(const struct message_row *row, void *data)
{
	static struct parsed p;
	size_t whole;

	(void)data;
	if (parse_into(&p, row->bytes, true) != SIP_PARSE_DONE || p.msg.flaw) {
		done(&p);
		return;
	}
	whole = p.consumed;
	done(&p);
	for (size_t n = 1; n < whole; n++) {
		size_t from = 0, length, need;

		assert_int_equal(sip_msg_frame(rs_str_n(row->bytes.p, n), &from, &length, &need), SIP_PARSE_PARTIAL);
		assert_int_equal(parse_into(&p, rs_str_n(row->bytes.p, n), true), SIP_PARSE_PARTIAL);
		done(&p);
	}
}

static void a_prefix_is_partial_to_framing_and_to_parsing(void **state)
{
	(void)state;
	for_each_message(cut_short, NULL);
}

/* Framing and parsing agree where a message ends, or one of them refuses it. */
static void agree(const struct message_row *row, void *data)
{
	static struct parsed p;
	size_t from = 0, length = 0, need = 0;
	enum sip_parse_result f = sip_msg_frame(row->bytes, &from, &length, &need);

	(void)data;
	parse_into(&p, row->bytes, true);
	if (f == SIP_PARSE_DONE && p.result == SIP_PARSE_DONE)
		assert_int_equal(length, p.consumed);
	if (f == SIP_PARSE_PARTIAL)
		assert_int_not_equal(p.result, SIP_PARSE_DONE);
	if (p.result == SIP_PARSE_DONE && !p.msg.flaw)
		assert_int_equal(f, SIP_PARSE_DONE);
	done(&p);
}

static void framing_and_parsing_agree(void **state)
{
	(void)state;
	for_each_message(agree, NULL);
}

static enum sip_parse_result frame(struct rs_str s, size_t *length)
{
	size_t from = 0, need;

	return sip_msg_frame(s, &from, length, &need);
}

static void contradictory_lengths_lose_the_frame(void **state)
{
	size_t length;

	(void)state;
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length: 3\r\nl: 4\r\n"), &length), SIP_PARSE_BAD);
	assert_true(length > 0);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length: -3\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length: 3 4\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length:\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "X: 1\nContent-Length: 3\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "X: 1\rContent-Length: 3\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length: 65535\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length: 3\r\nL: 3\r\n"), &length), SIP_PARSE_PARTIAL);
	assert_int_equal(frame(REQUEST("OPTIONS", "Content-Length:\r\n 0\r\n"), &length), SIP_PARSE_DONE);
}

static void a_missing_length_is_zero_on_a_stream(void **state)
{
	struct rs_str s = REQUEST("OPTIONS", "\r\nbody");
	size_t length;

	(void)state;
	s.len -= 2;
	assert_int_equal(frame(s, &length), SIP_PARSE_DONE);
	assert_int_equal(length, s.len - 4);
}

static void what_is_no_sip_is_known_by_its_first_word(void **state)
{
	size_t length = 1;

	(void)state;
	assert_int_equal(frame(RS_STR("v=0\r\n"), &length), SIP_PARSE_BAD);
	assert_int_equal(length, 0);
	assert_int_equal(frame(RS_STR("\x16\x03\x01"), &length), SIP_PARSE_BAD);
	assert_int_equal(frame(RS_STR("OPTIONS"), &length), SIP_PARSE_PARTIAL);
	assert_int_equal(frame(RS_STR("SIP/2.0 200"), &length), SIP_PARSE_PARTIAL);
	assert_int_equal(frame(RS_STR("\r\n\r\n"), &length), SIP_PARSE_PARTIAL);
	assert_int_equal(frame(RS_STR(""), &length), SIP_PARSE_PARTIAL);
}

/* Whether a stream is SIP must not depend on how much of its first word came at once. */
static void a_long_first_word_is_judged_the_same_in_pieces(void **state)
{
	char text[200];

	(void)state;
	for (size_t word = 50; word < 80; word++) {
		for (size_t lines = 0; lines < 70; lines += 23) {
			size_t from = 0, whole_from = 0, length, need, n = lines + word + 1;
			enum sip_parse_result r = SIP_PARSE_PARTIAL;

			memset(text, '\n', lines);
			memset(text + lines, 'a', word);
			text[n - 1] = '\xff';
			for (size_t have = 1; have <= n && r == SIP_PARSE_PARTIAL; have++)
				r = sip_msg_frame(rs_str_n(text, have), &from, &length, &need);
			assert_int_equal(sip_msg_frame(rs_str_n(text, n), &whole_from, &length, &need), r);
			assert_int_equal(r, word < 64 || lines > 64 ? SIP_PARSE_BAD : SIP_PARSE_PARTIAL);
		}
	}
}

static void a_header_section_without_end_is_bad_at_the_limit(void **state)
{
	static char big[SIP_MAX_MSG + 16];
	size_t from = 0, length, need;
	int head = snprintf(big, sizeof(big), "OPTIONS sip:a SIP/2.0\r\nX: ");

	(void)state;
	memset(big + head, 'x', sizeof(big) - (size_t)head);
	assert_int_equal(sip_msg_frame(rs_str_n(big, SIP_MAX_MSG), &from, &length, &need), SIP_PARSE_PARTIAL);
	assert_int_equal(sip_msg_frame(rs_str_n(big, SIP_MAX_MSG + 1), &from, &length, &need), SIP_PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_the_same_byte_by_byte_and_in_any_pieces),
		cmocka_unit_test(messages_are_the_same_cut_in_two_anywhere),
		cmocka_unit_test(a_prefix_is_partial_to_framing_and_to_parsing),
		cmocka_unit_test(framing_and_parsing_agree),
		cmocka_unit_test(contradictory_lengths_lose_the_frame),
		cmocka_unit_test(a_missing_length_is_zero_on_a_stream),
		cmocka_unit_test(what_is_no_sip_is_known_by_its_first_word),
		cmocka_unit_test(a_long_first_word_is_judged_the_same_in_pieces),
		cmocka_unit_test(a_header_section_without_end_is_bad_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
