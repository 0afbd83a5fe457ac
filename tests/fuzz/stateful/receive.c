/* What comes from the server: told apart, noted, checked. */
#include "world.h"

#include <stdlib.h>
#include <xxhash.h>

#define STREAM_MAX (1u << 20)

struct exchange *exchange_find(struct rs_str branch, struct rs_str method)
{
	for (unsigned i = 0; i < world.n_exchanges; i++) {
		struct exchange *e = &world.exchanges[i];

		if (rs_str_eqz(branch, e->branch) && rs_str_eqz(method, e->method))
			return e;
	}
	return NULL;
}

static void take_response(struct source *s, struct sip_msg *msg, struct rs_str bytes)
{
	struct exchange *e = exchange_find(msg->top_branch, msg->cseq_method);

	world.responses++;
	world.last_status = msg->status;
	if (msg->status == 401)
		auth_challenged(s, msg);
	check_size(s, e, bytes);
	if (!e)
		return;
	check_response(s, e, msg, bytes);
	if (msg->to_tag.len && msg->to_tag.len < sizeof(e->to_tag)) {
		memcpy(e->to_tag, msg->to_tag.p, msg->to_tag.len);
		e->to_tag[msg->to_tag.len] = '\0';
	}
	if (msg->status < 200)
		return;
	if (e->finals++ == 0) {
		e->digest = XXH64(bytes.p, bytes.len, 0);
		e->status = msg->status;
		e->final_us = sim_now();
	}
}

static struct asked *asked_find(struct sip_msg *msg)
{
	unsigned n = world.n_asked < ASKED ? world.n_asked : ASKED;

	for (unsigned i = 0; i < n; i++) {
		struct asked *a = &world.asked[i];

		if (rs_str_eqz(msg->top_branch, a->branch) && rs_str_eqz(msg->method_text, a->method))
			return a;
	}
	return NULL;
}

static void copy_text(char *out, size_t size, struct rs_str from)
{
	size_t n = from.len < size ? from.len : size - 1;

	if (n)
		memcpy(out, from.p, n);
	out[n] = '\0';
}

static struct asked *asked_new(struct source *s, struct sip_msg *msg, struct rs_str bytes)
{
	struct asked *a = &world.asked[world.n_asked++ % ASKED];

	free(a->bytes);
	*a = (struct asked){.source = s, .life = world.life, .len = bytes.len, .first_us = sim_now()};
	copy_text(a->branch, sizeof(a->branch), msg->top_branch);
	copy_text(a->method, sizeof(a->method), msg->method_text);
	a->bytes = malloc(bytes.len);
	if (!a->bytes)
		abort();
	memcpy(a->bytes, bytes.p, bytes.len);
	return a;
}

static void take_request(struct source *s, struct sip_msg *msg, struct rs_str bytes)
{
	const struct sip_via *below = sip_msg_via(msg, 1);
	struct exchange *e = below ? exchange_find(below->branch, msg->cseq_method) : NULL;
	struct asked *a = asked_find(msg);

	if (e)
		e->relayed = true;
	if (a)
		check_again(s, a, bytes);
	else
		a = asked_new(s, msg, bytes);
	a->times++;
	a->last_us = sim_now();
	check_request(a, e, msg);
}

void world_receive(struct source *s, struct rs_str bytes)
{
	static char first[16384];
	struct rs_arena arena;
	struct sip_msg msg;
	size_t used;

	if (bytes.len == 4 && memcmp(bytes.p, "\r\n\r\n", 4) == 0)
		return;
	rs_arena_init(&arena, first, sizeof(first), 1u << 20);
	sim_check_int(sip_msg_parse(&msg, &arena, bytes, s->stream, &used), SIP_PARSE_DONE);
	if (msg.is_request)
		take_request(s, &msg, bytes);
	else
		take_response(s, &msg, bytes);
	rs_arena_reset(&arena);
}

void world_receive_stream(struct source *s, struct rs_str bytes)
{
	char *rx = realloc(s->rx, s->rx_len + bytes.len);
	size_t at = 0, from, length, need;

	sim_check(rx && s->rx_len + bytes.len < STREAM_MAX);
	s->rx = rx;
	memcpy(rx + s->rx_len, bytes.p, bytes.len);
	s->rx_len += bytes.len;
	while (at < s->rx_len) {
		if (rx[at] == '\r' || rx[at] == '\n') { /* pings */
			at++;
			continue;
		}
		from = 0;
		switch (sip_msg_frame(rs_str_n(rx + at, s->rx_len - at), &from, &length, &need)) {
		case SIP_PARSE_DONE:
			world_receive(s, rs_str_n(rx + at, length));
			at += length;
			continue;
		case SIP_PARSE_PARTIAL:
			break;
		case SIP_PARSE_BAD:
			sim_failed(__FILE_NAME__, __LINE__, "what the server sent on a stream has no end");
		}
		break;
	}
	memmove(rx, rx + at, s->rx_len - at);
	s->rx_len -= at;
}
