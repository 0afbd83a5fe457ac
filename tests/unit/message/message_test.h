/* What the tests of the message layer share: a parsed message with its memory, and the messages under tests/messages.
 */
#ifndef MESSAGE_TEST_H
#define MESSAGE_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sip/msg.h"
#include "sip/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_FILE 65536

struct parsed {
	char mem[16384];
	struct rs_arena arena;
	struct sip_msg msg;
	size_t consumed;
	enum sip_parse_result result;
};

static inline enum sip_parse_result parse_into(struct parsed *p, struct rs_str bytes, bool stream)
{
	rs_arena_init(&p->arena, p->mem, sizeof(p->mem), SIP_MAX_ARENA);
	p->result = sip_msg_parse(&p->msg, &p->arena, bytes, stream, &p->consumed);
	return p->result;
}

static inline void done(struct parsed *p)
{
	rs_arena_reset(&p->arena);
}

#define assert_str(s, lit)                                                                                             \
	do {                                                                                                           \
		struct rs_str s_ = (s);                                                                                \
		if (!rs_str_eqz(s_, lit))                                                                              \
			fail_msg("\"%.*s\" is not \"%s\"", RS_FMT(s_), lit);                                           \
	} while (0)

/* The smallest whole request around some header lines, each ended by CRLF. */
#define REQUEST(method, lines)                                                                                         \
	RS_STR(method " sip:desk@example.net SIP/2.0\r\n"                                                              \
		      "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKt\r\n"                                                 \
		      "From: <sip:lea@example.net>;tag=l1\r\nTo: <sip:desk@example.net>\r\n"                           \
		      "Call-ID: t@192.0.2.7\r\nCSeq: 1 " method "\r\n" lines "\r\n")

/* A path below the source root, which the build hands to the tests. */
static inline const char *source_path(const char *rest, char *buf, size_t size)
{
	const char *root = getenv("SOURCE_ROOT");

	snprintf(buf, size, "%s/%s", root ? root : ".", rest);
	return buf;
}

/* A whole file into buf; -1 when there is none. */
static inline int load_file(const char *rest, char *buf, size_t size)
{
	char path[4096];
	FILE *f = fopen(source_path(rest, path, sizeof(path)), "rb");
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, size, f);
	fclose(f);
	return (int)n;
}

/* Cuts the next column off a line. */
static inline struct rs_str next_column(struct rs_str *line)
{
	const char *tab = rs_str_chr(*line, '\t');
	struct rs_str s = rs_str_n(line->p, tab ? (size_t)(tab - line->p) : line->len);

	*line = tab ? rs_str_n(tab + 1, line->len - s.len - 1) : rs_str_n(line->p + line->len, 0);
	return s;
}

/* Calls fn for each line of a table that is no comment. Returns how many there were, -1 without the file. */
static inline int for_each_row(const char *table, void (*fn)(struct rs_str name, struct rs_str rest, void *data),
			       void *data)
{
	static char text[MAX_FILE];
	int n = load_file(table, text, sizeof(text)), rows = 0;
	struct rs_str all = rs_str_n(text, n > 0 ? (size_t)n : 0);

	while (all.len) {
		const char *eol = rs_str_chr(all, '\n');
		struct rs_str line = rs_str_n(all.p, eol ? (size_t)(eol - all.p) : all.len);

		all = eol ? rs_str_n(eol + 1, all.len - line.len - 1) : rs_str_n(all.p, 0);
		if (!line.len || line.p[0] == '#')
			continue;
		rows++;
		fn(next_column(&line), line, data);
	}
	return n < 0 ? -1 : rows;
}

/* Each message of tests/messages with what is expected of it. */
struct message_row {
	struct rs_str name, result, flaw, status, header;
	struct rs_str bytes;
};

struct message_walk {
	void (*fn)(const struct message_row *row, void *data);
	void *data;
};

static inline void message_row(struct rs_str name, struct rs_str rest, void *data)
{
	static char bytes[MAX_FILE];
	struct message_walk *walk = data;
	struct message_row row = {.name = name};
	char path[256];
	int n;

	row.result = next_column(&rest);
	row.flaw = next_column(&rest);
	row.status = next_column(&rest);
	row.header = next_column(&rest);
	snprintf(path, sizeof(path), "tests/messages/%.*s.sip", RS_FMT(name));
	n = load_file(path, bytes, sizeof(bytes));
	if (n < 0)
		fail_msg("%s is missing", path);
	row.bytes = rs_str_n(bytes, (size_t)n);
	walk->fn(&row, walk->data);
}

static inline void for_each_message(void (*fn)(const struct message_row *row, void *data), void *data)
{
	struct message_walk walk = {fn, data};

	assert_true(for_each_row("tests/messages/expect.tsv", message_row, &walk) >= 30);
}

static inline bool is_flawless(const struct message_row *row)
{
	return rs_str_eqz(row->result, "done") && rs_str_eqz(row->flaw, "none");
}

/* Asks for everything that a message can be asked for. */
static inline void touch_everything(struct sip_msg *msg)
{
	const struct sip_body_part *parts;
	struct sip_via via;
	bool bad;

	sip_msg_check(msg);
	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		uint32_t n;

		sip_msg_values(msg, (enum sip_hdr_id)id, &bad);
		sip_msg_number(msg, (enum sip_hdr_id)id, &n, &bad);
		sip_msg_has_token(msg, (enum sip_hdr_id)id, RS_STR("path"));
	}
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		sip_msg_unfold(msg, msg->hdrs[i].value);
		sip_msg_hdr_by_name(msg, msg->hdrs[i].name, i);
	}
	sip_msg_ruri(msg);
	sip_msg_top_via(msg, &via);
	sip_msg_parts(msg, &parts);
}

#endif
