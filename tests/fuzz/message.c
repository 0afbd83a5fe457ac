/*
 * A datagram: parse, check, every typed getter, and what is written from it: a copy, a copy with edits, a response, the
 * same headers one by one. What was accepted is the same when it is printed and parsed again.
 */
#include "fuzz.h"

#include "sip/writer.h"

/* What the writers add; nearer to SIP_MAX_MSG than this a message may not fit once it is written. */
#define ROOM 2048

static void check_line(const struct sip_msg *msg, uint32_t i)
{
	const struct sip_hdr *h = &msg->hdrs[i];

	FUZZ_CHECK(fuzz_inside(h->line, msg->bytes));
	FUZZ_CHECK(fuzz_inside(h->name, h->line));
	FUZZ_CHECK(fuzz_inside(h->value, h->line));
	FUZZ_CHECK(h->line.len > 2 && memcmp(h->line.p + h->line.len - 2, "\r\n", 2) == 0);
	FUZZ_CHECK(h->id == sip_hdr_from_name(h->name));
	if (h->id != SIP_HDR_OTHER)
		FUZZ_CHECK(msg->first[h->id] && msg->first[h->id] <= i + 1 &&
			   msg->hdrs[msg->first[h->id] - 1].id == h->id);
}

static void check_index(const struct sip_msg *msg, struct rs_str data)
{
	const char *at = msg->start_line.p + msg->start_line.len;

	FUZZ_CHECK(fuzz_inside(msg->bytes, data));
	FUZZ_CHECK(fuzz_inside(msg->start_line, msg->bytes));
	FUZZ_CHECK(fuzz_inside(msg->body, msg->bytes));
	FUZZ_CHECK(msg->n_hdrs <= SIP_MAX_HDRS);
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		if (msg->flaw) {
			FUZZ_CHECK(fuzz_inside(msg->hdrs[i].line, data));
			continue;
		}
		check_line(msg, i);
		FUZZ_CHECK(msg->hdrs[i].line.p == at);
		at += msg->hdrs[i].line.len;
	}
	if (msg->flaw) {
		FUZZ_CHECK(msg->flaw_text);
		FUZZ_CHECK(!msg->flaw_status || (msg->is_request && msg->method != SIP_METHOD_ACK));
		return;
	}
	FUZZ_CHECK(msg->body.p == at + 2);
	FUZZ_CHECK(msg->content_length == msg->body.len);
	FUZZ_CHECK(msg->is_request ? msg->method_text.len && msg->uri_text.len
				   : msg->status >= 100 && msg->status <= 699);
}

static struct rs_str without_folds(struct sip_msg *msg, struct rs_str s)
{
	return s.p ? sip_msg_unfold(msg, s) : s;
}

static void same_text(struct sip_msg *msg, struct rs_str quick, struct rs_str typed)
{
	FUZZ_CHECK(!quick.p == !typed.p);
	FUZZ_CHECK(rs_str_eq(without_folds(msg, quick), without_folds(msg, typed)));
}

/* What routes a message was read in one pass; whoever asks for the typed value must see the same. */
static void check_routing(struct sip_msg *msg)
{
	const struct sip_hdr_values *cseq = sip_msg_values(msg, SIP_HDR_CSEQ, NULL);
	const struct sip_via *typed = sip_msg_via(msg, 0);
	struct sip_via quick;
	uint32_t n;

	same_text(msg, msg->from_tag, sip_msg_name_addr(msg, SIP_HDR_FROM, 0)->tag);
	same_text(msg, msg->to_tag, sip_msg_name_addr(msg, SIP_HDR_TO, 0)->tag);
	same_text(msg, msg->top_branch, typed->branch);
	FUZZ_CHECK(sip_msg_top_via(msg, &quick) == 0);
	same_text(msg, quick.branch, typed->branch);
	same_text(msg, quick.host, typed->host);
	same_text(msg, quick.received, typed->received);
	same_text(msg, quick.maddr, typed->maddr);
	FUZZ_CHECK(quick.port == typed->port && quick.type == typed->type);
	FUZZ_CHECK(quick.has_rport == typed->has_rport && quick.rport == typed->rport);
	FUZZ_CHECK(cseq && cseq->v.cseq[0].num == msg->cseq);
	same_text(msg, msg->cseq_method, cseq->v.cseq[0].method);
	if (msg->has_content_length)
		FUZZ_CHECK(sip_msg_number(msg, SIP_HDR_CONTENT_LENGTH, &n, NULL) && n == msg->content_length);
}

static void same_routing(struct sip_msg *a, struct sip_msg *b)
{
	FUZZ_CHECK(a->is_request == b->is_request && a->method == b->method && a->status == b->status);
	FUZZ_CHECK(a->cseq == b->cseq);
	same_text(a, a->call_id, b->call_id);
	same_text(a, a->from_tag, b->from_tag);
	same_text(a, a->to_tag, b->to_tag);
	same_text(a, a->top_branch, b->top_branch);
	FUZZ_CHECK(rs_str_eq(a->body, b->body));
}

static struct rs_str written(const struct sip_writer *w)
{
	return rs_str_n(w->buf, w->len);
}

/* Copied without edits: the same bytes, but for the Content-Length that was not there. */
static void check_copy(struct sip_msg *msg)
{
	struct fuzz_msg again;
	struct sip_writer w;

	sip_writer_init(&w, NULL, 0);
	FUZZ_CHECK(sip_write_forward(&w, msg, NULL, 0) == 0);
	FUZZ_CHECK(sip_writer_ok(&w) || msg->bytes.len > SIP_MAX_MSG - ROOM);
	if (sip_writer_ok(&w)) {
		if (msg->has_content_length)
			FUZZ_CHECK(rs_str_eq(written(&w), msg->bytes));
		FUZZ_CHECK(fuzz_parse(&again, written(&w), false) == SIP_PARSE_DONE);
		FUZZ_CHECK(!again.msg.flaw || msg->n_hdrs == SIP_MAX_HDRS);
		if (!again.msg.flaw) {
			FUZZ_CHECK(again.msg.n_hdrs == msg->n_hdrs + !msg->has_content_length);
			same_routing(msg, &again.msg);
		}
		fuzz_msg_free(&again);
	}
	sip_writer_fini(&w);
}

/* Header by header: folds go, the values stay. */
static void check_rewritten(struct sip_msg *msg)
{
	struct fuzz_msg again;
	struct sip_writer w;

	sip_writer_init(&w, NULL, 0);
	sip_write(&w, msg->start_line);
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		const struct sip_hdr *h = &msg->hdrs[i];

		if (h->id == SIP_HDR_CONTENT_LENGTH)
			continue;
		if (h->id != SIP_HDR_OTHER)
			sip_write_hdr(&w, h->id, h->value);
		else
			sip_write_hdr_name(&w, h->name, h->value);
	}
	sip_write_body(&w, RS_STR_NULL, msg->body);
	FUZZ_CHECK(sip_writer_ok(&w) || msg->bytes.len > SIP_MAX_MSG / 2);
	/* Names become longer: a header that was as long as it may be is too long then. */
	if (sip_writer_ok(&w) && msg->n_hdrs < SIP_MAX_HDRS && msg->bytes.len < SIP_MAX_LINE - 64) {
		FUZZ_CHECK(fuzz_parse(&again, written(&w), false) == SIP_PARSE_DONE);
		FUZZ_CHECK(sip_msg_check(&again.msg) == 0);
		same_routing(msg, &again.msg);
		fuzz_msg_free(&again);
	}
	sip_writer_fini(&w);
}

static void check_response(struct sip_msg *msg, uint32_t seed, bool sound)
{
	struct sip_addr source = {.family = 4, .port = 4711, .ip = {198, 51, 100, 9}};
	unsigned status = seed & 2 ? 400 : 100;
	struct fuzz_msg again;
	struct sip_writer w;

	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, status, RS_STR_NULL);
	sip_write_response_headers(&w, msg, status, RS_STR("ours"), seed & 4 ? &source : NULL, seed & 8);
	sip_write_body(&w, RS_STR_NULL, RS_STR_NULL);
	FUZZ_CHECK(sip_writer_ok(&w) || msg->bytes.len > SIP_MAX_MSG - ROOM);
	if (sip_writer_ok(&w)) {
		/* Whatever was wrong with the request's lines, only whole lines leave. */
		FUZZ_CHECK(fuzz_parse(&again, written(&w), false) == SIP_PARSE_DONE);
		FUZZ_CHECK(again.msg.flaw != SIP_FLAW_HEADER);
		if (sound && msg->bytes.len < SIP_MAX_LINE - ROOM) {
			FUZZ_CHECK(sip_msg_check(&again.msg) == 0);
			same_text(msg, msg->call_id, again.msg.call_id);
			same_text(msg, msg->from_tag, again.msg.from_tag);
			same_text(msg, msg->top_branch, again.msg.top_branch);
			FUZZ_CHECK(again.msg.cseq == msg->cseq && again.msg.method == msg->method);
			FUZZ_CHECK(again.msg.to_tag.p);
			if (!msg->to_tag.p)
				FUZZ_CHECK(rs_str_eqz(again.msg.to_tag, "ours"));
			if (seed & 4)
				FUZZ_CHECK(!(seed & 8) ||
					   rs_str_eqz(sip_msg_via(&again.msg, 0)->received, "198.51.100.9"));
		}
		fuzz_msg_free(&again);
	}
	sip_writer_fini(&w);
}

static struct sip_edit edit_of(const struct sip_msg *msg, uint32_t *random)
{
	static const enum sip_hdr_id pops[] = {SIP_HDR_VIA, SIP_HDR_ROUTE, SIP_HDR_RECORD_ROUTE};
	uint32_t r = fuzz_random(random), line = msg->n_hdrs ? fuzz_random(random) % msg->n_hdrs : 0;
	struct sip_edit e = {.op = (enum sip_edit_op)(r % (SIP_EDIT_BODY + 1)),
			     .value = RS_STR("SIP/2.0/UDP us;branch=z9hG4bKq")};

	e.id = msg->n_hdrs ? msg->hdrs[line].id : SIP_HDR_VIA;
	e.name = msg->n_hdrs ? msg->hdrs[line].name : RS_STR("x");
	e.n = (r >> 8) & 3;
	switch (e.op) {
	case SIP_EDIT_ADD_FIRST:
		e.id = SIP_HDR_VIA;
		break;
	case SIP_EDIT_ADD:
	case SIP_EDIT_REPLACE:
		e.id = SIP_HDR_OTHER;
		e.value = RS_STR("a\r\nb: c");
		break;
	case SIP_EDIT_POP_VALUE:
		e.id = pops[(r >> 8) % RS_ARRAY_SIZE(pops)];
		break;
	case SIP_EDIT_URI:
		e.value = RS_STR("sip:new@example.net");
		break;
	default:
		break;
	}
	return e;
}

/* Edits on a sound message leave something that is framed as it says. */
static void check_edits(struct sip_msg *msg, uint32_t seed)
{
	struct sip_edit edits[4];
	size_t n = 1 + seed % RS_ARRAY_SIZE(edits);
	struct fuzz_msg again;
	struct sip_writer w;

	for (size_t i = 0; i < n; i++)
		edits[i] = edit_of(msg, &seed);
	sip_writer_init(&w, NULL, 0);
	if (sip_write_forward(&w, msg, edits, n) == 0 && sip_writer_ok(&w)) {
		fuzz_parse(&again, written(&w), false);
		FUZZ_CHECK(again.msg.flaw != SIP_FLAW_HEADER && again.msg.flaw != SIP_FLAW_LENGTH);
		FUZZ_CHECK(again.msg.flaw != SIP_FLAW_START_LINE);
		fuzz_msg_free(&again);
	}
	sip_writer_fini(&w);
}

/* Load shedding looks at a message before the parse does. */
static void check_class(const struct sip_msg *msg, struct rs_str data)
{
	struct sip_msg_class class = sip_msg_classify(data);

	FUZZ_CHECK(class.is_request == msg->is_request);
	FUZZ_CHECK(!msg->is_request || class.method == msg->method);
	if (!msg->flaw)
		FUZZ_CHECK(class.in_dialog == (msg->to_tag.len > 0));
}

static void datagram(struct rs_str data)
{
	uint32_t seed = fuzz_seed(data);
	struct fuzz_msg m;

	if (fuzz_parse(&m, data, false) == SIP_PARSE_DONE) {
		struct sip_msg *msg = &m.msg;
		bool flawless = !msg->flaw, sound;

		check_index(msg, data);
		check_class(msg, data);
		sound = sip_msg_check(msg) == 0;
		FUZZ_CHECK(sound == !msg->flaw && (flawless || !sound));
		fuzz_touch_message(msg);
		if (msg->is_request)
			check_response(msg, seed, sound);
		if (sound) {
			check_routing(msg);
			check_copy(msg);
			check_rewritten(msg);
			check_edits(msg, seed);
		}
	}
	fuzz_msg_free(&m);
}

/* The same bytes on a stream: framing and parsing agree where a message ends, or one of them refuses it. */
static void stream(struct rs_str data)
{
	size_t from = 0, length = 0, need = 0;
	enum sip_parse_result framed;
	struct fuzz_msg m;

	/* Who reads a stream takes line ends before a message out himself, however many. */
	while (data.len && (data.p[0] == '\r' || data.p[0] == '\n'))
		data = rs_str_n(data.p + 1, data.len - 1);
	framed = sip_msg_frame(data, &from, &length, &need);
	fuzz_parse(&m, data, true);
	if (framed == SIP_PARSE_DONE) {
		FUZZ_CHECK(length <= data.len);
		/* Past the limit of lines the parser does not look for a length any more. */
		FUZZ_CHECK(m.result != SIP_PARSE_DONE || m.msg.flaw || m.consumed == length);
		FUZZ_CHECK(m.result != SIP_PARSE_PARTIAL);
	} else if (framed == SIP_PARSE_PARTIAL) {
		FUZZ_CHECK(need > data.len);
		FUZZ_CHECK(m.result != SIP_PARSE_DONE || m.msg.flaw);
	} else {
		FUZZ_CHECK(m.result != SIP_PARSE_DONE || m.msg.flaw);
	}
	if (m.result == SIP_PARSE_DONE) {
		sip_msg_check(&m.msg);
		fuzz_touch_message(&m.msg);
	}
	fuzz_msg_free(&m);
}

/* Limits that short inputs reach. */
static void limited(struct rs_str data)
{
	static const struct sip_msg_limits low = {
		.msg = 600, .hdrs = 9, .line = 120, .values = 3, .params = 3, .uri = 60, .parts = 2};
	static const struct sip_msg_limits high = {.msg = SIP_MAX_MSG,
						   .hdrs = SIP_MAX_HDRS,
						   .line = SIP_MAX_LINE,
						   .values = SIP_MAX_VALUES,
						   .params = SIP_MAX_PARAMS,
						   .uri = SIP_MAX_URI,
						   .parts = SIP_MAX_PARTS};
	struct fuzz_msg m;

	sip_msg_set_limits(&low);
	if (fuzz_parse(&m, data, false) == SIP_PARSE_DONE) {
		const struct sip_body_part *parts;

		check_index(&m.msg, data);
		FUZZ_CHECK(m.msg.n_hdrs <= low.hdrs);
		FUZZ_CHECK(m.msg.flaw || m.msg.bytes.len <= low.msg);
		sip_msg_check(&m.msg);
		fuzz_touch_message(&m.msg);
		FUZZ_CHECK(sip_msg_parts(&m.msg, &parts) <= (int)low.parts);
		if (m.msg.is_request)
			check_response(&m.msg, fuzz_seed(data), false);
	}
	fuzz_msg_free(&m);
	stream(data);
	sip_msg_set_limits(&high);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str bytes = fuzz_str(data, size);

	if (size > SIP_MAX_MSG + 1)
		return 0;
	datagram(bytes);
	stream(bytes);
	limited(bytes);
	return 0;
}
