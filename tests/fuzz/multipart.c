/* A multipart body: the first line is the Content-Type, the rest the body. Joined again, the parts are the same parts.
 */
#include "fuzz.h"

#include "sip/writer.h"

#include <stdlib.h>

#define BOUNDARY "fuzz-joined-again"

static void write_message(struct sip_writer *w, struct rs_str type, struct rs_str body)
{
	sip_writez(w,
		   "MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
		   "Call-ID: x\r\nCSeq: 1 MESSAGE\r\n");
	sip_write_body(w, type, body);
}

static void check_joined(const struct sip_body_part *parts, int n)
{
	const struct sip_body_part *again;
	struct sip_writer body, w;
	struct fuzz_msg m;

	sip_writer_init(&body, NULL, 0);
	for (int i = 0; i < n; i++) {
		sip_writez(&body, "--" BOUNDARY "\r\n");
		sip_write(&body, parts[i].headers);
		sip_writez(&body, "\r\n");
		sip_write(&body, parts[i].body);
		sip_writez(&body, "\r\n");
	}
	sip_writez(&body, "--" BOUNDARY "--");
	sip_writer_init(&w, NULL, 0);
	write_message(&w, RS_STR("multipart/mixed;boundary=" BOUNDARY), rs_str_n(body.buf, body.len));
	if (sip_writer_ok(&body) && sip_writer_ok(&w)) {
		FUZZ_CHECK(fuzz_parse(&m, rs_str_n(w.buf, w.len), false) == SIP_PARSE_DONE);
		FUZZ_CHECK(sip_msg_parts(&m.msg, &again) == n);
		for (int i = 0; i < n; i++) {
			FUZZ_CHECK(rs_str_eq(parts[i].headers, again[i].headers));
			FUZZ_CHECK(rs_str_eq(parts[i].body, again[i].body));
			FUZZ_CHECK(rs_str_eq(parts[i].content_type, again[i].content_type));
			FUZZ_CHECK(rs_str_eq(parts[i].content_id, again[i].content_id));
		}
		fuzz_msg_free(&m);
	}
	sip_writer_fini(&w);
	sip_writer_fini(&body);
}

static void check_parts(struct sip_msg *msg)
{
	const struct sip_body_part *parts, *same;
	const char *at = msg->body.p;
	int n = sip_msg_parts(msg, &parts);
	bool multipart = false;

	FUZZ_CHECK(sip_msg_parts(msg, &same) == n && same == parts);
	FUZZ_CHECK(n == -1 || (n > 0 && n <= SIP_MAX_PARTS));
	for (int i = 0; i < n; i++) {
		FUZZ_CHECK(fuzz_inside(parts[i].headers, msg->body) && fuzz_inside(parts[i].body, msg->body));
		FUZZ_CHECK(!parts[i].body.len || parts[i].body.p >= at);
		if (parts[i].body.len)
			at = parts[i].body.p + parts[i].body.len;
		fuzz_touch(parts[i].content_type);
		fuzz_touch(parts[i].content_disposition);
		fuzz_touch(parts[i].content_id);
		multipart |= parts[i].body.p != msg->body.p;
	}
	if (n > 0 && multipart && !memmem(msg->body.p, msg->body.len, BOUNDARY, sizeof(BOUNDARY) - 1))
		check_joined(parts, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str rest = fuzz_str(data, size), type = fuzz_take(&rest, '\n');
	struct sip_writer w;
	struct fuzz_msg m;

	sip_writer_init(&w, NULL, 0);
	write_message(&w, type, rest);
	if (sip_writer_ok(&w)) {
		char *exact = rs_str_dup(rs_str_n(w.buf, w.len));

		FUZZ_CHECK(exact);
		if (fuzz_parse(&m, rs_str_n(exact, w.len), false) == SIP_PARSE_DONE)
			check_parts(&m.msg);
		fuzz_msg_free(&m);
		free(exact);
	}
	sip_writer_fini(&w);
	return 0;
}
