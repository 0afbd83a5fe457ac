/* Every message of tests/messages: the verdict, and printing what was parsed. */
#include "message_test.h"

static const char *const flaw_names[] = {
	[SIP_FLAW_NONE] = "none",
	[SIP_FLAW_START_LINE] = "start-line",
	[SIP_FLAW_VERSION] = "version",
	[SIP_FLAW_STATUS] = "status",
	[SIP_FLAW_HEADER] = "header",
	[SIP_FLAW_MISSING] = "missing",
	[SIP_FLAW_DUPLICATE] = "duplicate",
	[SIP_FLAW_VALUE] = "value",
	[SIP_FLAW_CSEQ_METHOD] = "cseq-method",
	[SIP_FLAW_LENGTH] = "length",
	[SIP_FLAW_LIMIT] = "limit",
};

static void check_verdict(const struct message_row *row, void *data)
{
	static struct parsed p;
	char status[16];
	bool done_expected = rs_str_eqz(row->result, "done");

	(void)data;
	print_message("%.*s\n", RS_FMT(row->name));
	assert_int_equal(parse_into(&p, row->bytes, false), done_expected ? SIP_PARSE_DONE : SIP_PARSE_BAD);
	if (done_expected) {
		assert_int_equal(sip_msg_check(&p.msg), is_flawless(row) ? 0 : -1);
		assert_str(row->flaw, flaw_names[p.msg.flaw]);
		snprintf(status, sizeof(status), "%u", p.msg.flaw_status);
		assert_str(row->status, status);
		if (!rs_str_eqz(row->header, "-") && row->header.len && !is_flawless(row))
			assert_int_equal(p.msg.flaw_header, sip_hdr_from_name(row->header));
		assert_true(is_flawless(row) ? !p.msg.flaw_text : p.msg.flaw_text != NULL);
	}
	done(&p);
}

static void each_message_gets_its_verdict(void **state)
{
	(void)state;
	for_each_message(check_verdict, NULL);
}

static void same_index(const struct sip_msg *a, const struct sip_msg *b)
{
	assert_int_equal(a->n_hdrs, b->n_hdrs);
	for (uint32_t i = 0; i < a->n_hdrs; i++) {
		assert_int_equal(a->hdrs[i].id, b->hdrs[i].id);
		assert_true(rs_str_eq(a->hdrs[i].name, b->hdrs[i].name));
		assert_true(rs_str_eq(a->hdrs[i].value, b->hdrs[i].value));
	}
	assert_true(rs_str_eq(a->start_line, b->start_line));
	assert_true(rs_str_eq(a->body, b->body));
	assert_true(rs_str_eq(a->call_id, b->call_id));
	assert_true(rs_str_eq(a->from_tag, b->from_tag));
	assert_true(rs_str_eq(a->to_tag, b->to_tag));
	assert_true(rs_str_eq(a->top_branch, b->top_branch));
	assert_int_equal(a->cseq, b->cseq);
	assert_int_equal(a->method, b->method);
	assert_int_equal(a->status, b->status);
}

static void print_and_parse(const struct message_row *row, void *data)
{
	static struct parsed p, q, r;
	struct sip_writer w, w2;

	(void)data;
	if (!is_flawless(row))
		return;
	assert_int_equal(parse_into(&p, row->bytes, false), SIP_PARSE_DONE);
	/* Copied as it is. */
	sip_writer_init(&w, NULL, 0);
	assert_int_equal(sip_write_forward(&w, &p.msg, NULL, 0), 0);
	assert_true(sip_writer_ok(&w));
	if (p.msg.has_content_length)
		assert_true(rs_str_eq(rs_str_n(w.buf, w.len), p.msg.bytes));
	assert_int_equal(parse_into(&q, rs_str_n(w.buf, w.len), false), SIP_PARSE_DONE);
	if (p.msg.has_content_length)
		same_index(&p.msg, &q.msg);
	/* Written header by header: folds are gone, all else is there. */
	sip_writer_init(&w2, NULL, 0);
	sip_write(&w2, q.msg.start_line);
	for (uint32_t i = 0; i < q.msg.n_hdrs; i++) {
		const struct sip_hdr *h = &q.msg.hdrs[i];

		if (h->id == SIP_HDR_CONTENT_LENGTH)
			continue;
		if (h->id != SIP_HDR_OTHER)
			sip_write_hdr(&w2, h->id, h->value);
		else
			sip_write_hdr_name(&w2, h->name, h->value);
	}
	sip_write_body(&w2, RS_STR(""), q.msg.body);
	assert_true(sip_writer_ok(&w2));
	assert_int_equal(parse_into(&r, rs_str_n(w2.buf, w2.len), false), SIP_PARSE_DONE);
	assert_int_equal(sip_msg_check(&r.msg), 0);
	assert_true(rs_str_eq(q.msg.call_id, r.msg.call_id));
	assert_true(rs_str_eq(q.msg.from_tag, r.msg.from_tag));
	assert_true(rs_str_eq(q.msg.to_tag, r.msg.to_tag));
	assert_true(rs_str_eq(q.msg.body, r.msg.body));
	assert_int_equal(q.msg.cseq, r.msg.cseq);
	assert_int_equal(q.msg.n_hdrs, r.msg.n_hdrs);
	sip_writer_fini(&w);
	sip_writer_fini(&w2);
	done(&p);
	done(&q);
	done(&r);
}

static void printing_and_parsing_again_gives_the_same(void **state)
{
	(void)state;
	for_each_message(print_and_parse, NULL);
}

static void response_to_each(const struct message_row *row, void *data)
{
	static struct parsed p, q;
	struct sip_writer w;
	struct sip_addr source;

	(void)data;
	if (parse_into(&p, row->bytes, false) != SIP_PARSE_DONE || !p.msg.is_request)
		return;
	assert_int_equal(sip_addr_parse(RS_STR("198.51.100.9:4711"), &source), 0);
	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, 400, RS_STR(""));
	sip_write_response_headers(&w, &p.msg, 400, RS_STR("ours"), &source, false);
	sip_write_body(&w, RS_STR(""), RS_STR(""));
	assert_true(sip_writer_ok(&w));
	/* Whatever was wrong with the lines, only whole lines leave. */
	assert_int_equal(parse_into(&q, rs_str_n(w.buf, w.len), false), SIP_PARSE_DONE);
	assert_int_not_equal(q.msg.flaw, SIP_FLAW_HEADER);
	for (uint32_t i = 0; i < q.msg.n_hdrs; i++) {
		enum sip_hdr_id id = q.msg.hdrs[i].id;

		assert_true(id == SIP_HDR_VIA || id == SIP_HDR_FROM || id == SIP_HDR_TO || id == SIP_HDR_CALL_ID ||
			    id == SIP_HDR_CSEQ || id == SIP_HDR_CONTENT_LENGTH);
	}
	if (is_flawless(row)) {
		assert_int_equal(sip_msg_check(&q.msg), 0);
		assert_true(rs_str_eq(q.msg.call_id, p.msg.call_id));
		assert_true(rs_str_eq(q.msg.from_tag, p.msg.from_tag));
		assert_true(rs_str_eq(q.msg.top_branch, p.msg.top_branch));
		assert_str(q.msg.to_tag, "ours");
		assert_str(sip_msg_via(&q.msg, 0)->received, "198.51.100.9");
	}
	sip_writer_fini(&w);
	done(&p);
	done(&q);
}

static void every_answer_to_them_is_sound(void **state)
{
	(void)state;
	for_each_message(response_to_each, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_gets_its_verdict),
		cmocka_unit_test(printing_and_parsing_again_gives_the_same),
		cmocka_unit_test(every_answer_to_them_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
