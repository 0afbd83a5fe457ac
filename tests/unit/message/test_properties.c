/*
 * What holds of every message that the parser accepts, whatever it says: of those in tests/messages and, when they
 * stand beside the source tree, of the torture messages of RFC 4475.
 */
#include "message_test.h"

#include <dirent.h>

#define RANDOM_CUTS 200
#define MOST        64 /* messages of one stream */

struct walk {
	unsigned files, torture, accepted;
	void (*fn)(struct rs_str bytes, struct walk *w);
};

static bool has_ending(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".sip") == 0 || strcmp(dot, ".dat") == 0);
}

static void walk_folder(const char *rest, struct walk *w)
{
	static char bytes[MAX_FILE];
	struct dirent **names;
	char folder[4096], path[512];
	int n = scandir(source_path(rest, folder, sizeof(folder)), &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (has_ending(names[i]->d_name)) {
			int len;

			snprintf(path, sizeof(path), "%s/%s", rest, names[i]->d_name);
			len = load_file(path, bytes, sizeof(bytes));
			assert_true(len >= 0);
			print_message("%s\n", path);
			w->files++;
			w->fn(rs_str_n(bytes, (size_t)len), w);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* Each file; the counts of what fn saw. */
static struct walk walk_all(void (*fn)(struct rs_str bytes, struct walk *w))
{
	struct walk w = {.fn = fn};

	walk_folder("tests/messages", &w);
	assert_true(w.files >= 60);
	w.torture = w.files;
	walk_folder("../shared/torture/rfc4475", &w);
	w.torture = w.files - w.torture;
	return w;
}

/* Parsed and checked: what a service would see. */
static bool accepted(struct parsed *p, struct rs_str bytes)
{
	return parse_into(p, bytes, false) == SIP_PARSE_DONE && sip_msg_check(&p->msg) == 0;
}

static struct rs_str print(struct sip_writer *w, struct sip_msg *msg)
{
	sip_writer_init(w, NULL, 0);
	assert_int_equal(sip_write_forward(w, msg, NULL, 0), 0);
	assert_true(sip_writer_ok(w));
	return rs_str_n(w->buf, w->len);
}

/* ---- printing ---- */

static void assert_same(struct rs_str a, struct rs_str b)
{
	if (!rs_str_eq(a, b))
		fail_msg("\"%.*s\" is not \"%.*s\"", RS_FMT(a), RS_FMT(b));
}

static void same_message(const struct sip_msg *a, const struct sip_msg *b)
{
	assert_same(a->start_line, b->start_line);
	assert_same(a->body, b->body);
	assert_same(a->call_id, b->call_id);
	assert_same(a->from_tag, b->from_tag);
	assert_same(a->to_tag, b->to_tag);
	assert_same(a->top_branch, b->top_branch);
	assert_int_equal(a->cseq, b->cseq);
	assert_int_equal(a->method, b->method);
	assert_int_equal(a->status, b->status);
	/* Only a Content-Length may have come, and last. */
	assert_int_equal(a->n_hdrs + !a->has_content_length, b->n_hdrs);
	for (uint32_t i = 0; i < a->n_hdrs; i++)
		assert_same(a->hdrs[i].line, b->hdrs[i].line);
}

static void print_and_parse(struct rs_str bytes, struct walk *w)
{
	static struct parsed p, q;
	struct sip_writer once, twice;

	if (accepted(&p, bytes)) {
		struct rs_str printed = print(&once, &p.msg);

		w->accepted++;
		if (p.msg.has_content_length)
			assert_same(printed, p.msg.bytes);
		assert_true(accepted(&q, printed));
		same_message(&p.msg, &q.msg);
		assert_same(print(&twice, &q.msg), printed);
		sip_writer_fini(&once);
		sip_writer_fini(&twice);
		done(&q);
	}
	done(&p);
}

static void printing_what_was_accepted_and_parsing_it_is_the_identity(void **state)
{
	struct walk w = walk_all(print_and_parse);

	(void)state;
	assert_true(w.accepted >= 25);
}

static void uri_round(const struct sip_uri *u, struct walk *w)
{
	char once[SIP_MAX_URI + 1], twice[SIP_MAX_URI + 1];
	struct sip_uri again;
	int n = sip_uri_print_filtered(u, NULL, true, once, sizeof(once)), m;

	assert_true(n > 0);
	assert_int_equal(sip_uri_parse(rs_str_n(once, (size_t)n), &again), 0);
	assert_true(sip_uri_equal(u, u));
	assert_true(sip_uri_equal(u, &again) && sip_uri_equal(&again, u));
	assert_true(sip_uri_hash(u) == sip_uri_hash(&again));
	m = sip_uri_print_filtered(&again, NULL, true, twice, sizeof(twice));
	assert_same(rs_str_n(once, (size_t)n), rs_str_n(twice, (size_t)(m < 0 ? 0 : m)));
	w->accepted++;
}

static void uris_of(struct rs_str bytes, struct walk *w)
{
	static struct parsed p;

	if (accepted(&p, bytes)) {
		if (p.msg.is_request)
			uri_round(sip_msg_ruri(&p.msg), w);
		for (unsigned id = 1; id < SIP_HDR_N; id++) {
			const struct sip_name_addr *a;

			for (unsigned n = 0; (a = sip_msg_name_addr(&p.msg, (enum sip_hdr_id)id, n)); n++) {
				if (!a->star)
					uri_round(&a->uri, w);
			}
		}
	}
	done(&p);
}

static void printing_a_uri_and_parsing_it_is_the_identity(void **state)
{
	struct walk w = walk_all(uris_of);

	(void)state;
	assert_true(w.accepted >= (w.torture ? 100 : 80));
}

/* A typed value that is taken out of its message and parsed alone is the same value. */
static void values_alone(struct rs_str bytes, struct walk *w)
{
	static struct parsed p;
	static char mem[16384];

	if (accepted(&p, bytes)) {
		for (uint32_t i = 0; i < p.msg.n_hdrs; i++) {
			enum sip_hdr_id id = p.msg.hdrs[i].id;
			const struct sip_hdr_values *all = id ? sip_msg_values(&p.msg, id, NULL) : NULL;
			struct sip_hdr_values line;
			struct rs_arena arena;

			if (!all)
				continue;
			rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
			assert_int_equal(sip_hdr_parse(id, p.msg.hdrs[i].value, &arena, &line), 0);
			assert_int_equal(line.shape, all->shape);
			assert_true(line.n <= all->n);
			w->accepted += line.n;
			rs_arena_reset(&arena);
		}
	}
	done(&p);
}

static void a_line_alone_is_as_good_as_in_its_message(void **state)
{
	struct walk w = walk_all(values_alone);

	(void)state;
	assert_true(w.accepted >= (w.torture ? 300 : 220));
}

/* ---- cuts ---- */

static const char follows[] = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
			      "To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

struct frames {
	size_t ends[MOST];
	unsigned n;
	bool lost;
};

/* Where the reading of a stream stands. */
struct reading {
	struct rs_str stream;
	size_t start, from, need;
	struct frames seen;
};

/* What have bytes of the stream give, asked for as a connection asks. */
static void read_to(struct reading *r, size_t have)
{
	while (!r->seen.lost && r->start < have && have - r->start >= r->need) {
		size_t length = 0;
		enum sip_parse_result what =
			sip_msg_frame(rs_str_n(r->stream.p + r->start, have - r->start), &r->from, &length, &r->need);

		if (what == SIP_PARSE_PARTIAL) {
			assert_true(r->need > have - r->start);
			return;
		}
		r->seen.lost = what == SIP_PARSE_BAD;
		if (r->seen.lost)
			return;
		assert_true(length > 0 && r->start + length <= have && r->seen.n < MOST);
		r->start += length;
		r->seen.ends[r->seen.n++] = r->start;
		r->from = r->need = 0;
	}
}

static void assert_frames(const struct frames *a, const struct frames *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++)
		assert_int_equal(a->ends[i], b->ends[i]);
	assert_int_equal(a->lost, b->lost);
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

static void cut_at_random(struct rs_str stream, const struct frames *whole, uint32_t seed)
{
	struct reading r = {.stream = stream};
	size_t most = 1 + next_random(&seed) % 200;

	for (size_t have = 0; have < stream.len;) {
		have += 1 + next_random(&seed) % most;
		read_to(&r, have < stream.len ? have : stream.len);
	}
	assert_frames(&r.seen, whole);
}

static void cut(struct rs_str bytes, struct walk *w)
{
	static char text[MAX_FILE + sizeof(follows)];
	struct rs_str stream = {text, bytes.len + sizeof(follows) - 1};
	struct reading whole = {.stream = stream}, single = {.stream = stream};
	size_t step = stream.len > 4000 ? 37 : 1;

	memcpy(text, bytes.p, bytes.len);
	memcpy(text + bytes.len, follows, sizeof(follows) - 1);
	read_to(&whole, stream.len);
	w->accepted += whole.seen.n;
	for (size_t at = 0; at <= stream.len; at += step) {
		struct reading two = {.stream = stream};

		read_to(&two, at);
		read_to(&two, stream.len);
		assert_frames(&two.seen, &whole.seen);
	}
	for (size_t have = 1; have <= stream.len; have++)
		read_to(&single, have);
	assert_frames(&single.seen, &whole.seen);
	for (uint32_t seed = 1; seed <= RANDOM_CUTS; seed++)
		cut_at_random(stream, &whole.seen, seed);
}

static void what_is_accepted_does_not_depend_on_how_a_stream_was_cut(void **state)
{
	struct walk w = walk_all(cut);

	(void)state;
	assert_true(w.accepted >= 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printing_what_was_accepted_and_parsing_it_is_the_identity),
		cmocka_unit_test(printing_a_uri_and_parsing_it_is_the_identity),
		cmocka_unit_test(a_line_alone_is_as_good_as_in_its_message),
		cmocka_unit_test(what_is_accepted_does_not_depend_on_how_a_stream_was_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
