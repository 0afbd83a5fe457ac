#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fuzz_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

struct rs_str fuzz_take(struct rs_str *rest, char sep)
{
	const char *at = rs_str_chr(*rest, sep);
	struct rs_str s = rs_str_n(rest->p, at ? (size_t)(at - rest->p) : rest->len);

	*rest = at ? rs_str_n(at + 1, rest->len - s.len - 1) : rs_str_n(rest->p + rest->len, 0);
	return s;
}

uint8_t fuzz_byte(struct rs_str *rest)
{
	uint8_t b;

	if (!rest->len)
		return 0;
	b = (uint8_t)*rest->p;
	*rest = rs_str_n(rest->p + 1, rest->len - 1);
	return b;
}

uint32_t fuzz_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

uint32_t fuzz_seed(struct rs_str input)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < input.len; i++)
		h = (h ^ (unsigned char)input.p[i]) * 1099511628211u;
	return (uint32_t)(h >> 32) | 1;
}

bool fuzz_inside(struct rs_str s, struct rs_str whole)
{
	return !s.len || (s.p >= whole.p && s.p + s.len <= whole.p + whole.len);
}

void fuzz_touch(struct rs_str s)
{
	volatile unsigned char x = 0;

	FUZZ_CHECK(s.p || !s.len);
	for (size_t i = 0; i < s.len; i++)
		x = (unsigned char)(x + (unsigned char)s.p[i]);
}

void fuzz_touch_uri(const struct sip_uri *u)
{
	struct rs_str name, value;
	char buf[3 * SIP_MAX_URI + 1];

	fuzz_touch(u->text);
	FUZZ_CHECK(fuzz_inside(u->scheme_text, u->text));
	FUZZ_CHECK(fuzz_inside(u->user, u->text));
	FUZZ_CHECK(fuzz_inside(u->password, u->text));
	FUZZ_CHECK(fuzz_inside(u->host, u->text));
	FUZZ_CHECK(fuzz_inside(u->params, u->text));
	FUZZ_CHECK(fuzz_inside(u->headers, u->text));
	for (size_t pos = 0; sip_uri_next_param(u, &pos, &name, &value);)
		FUZZ_CHECK(fuzz_inside(name, u->text) && fuzz_inside(value, u->text));
	for (size_t pos = 0; sip_uri_next_header(u, &pos, &name, &value);)
		FUZZ_CHECK(fuzz_inside(name, u->text) && fuzz_inside(value, u->text));
	sip_uri_transport(u, NULL);
	sip_uri_has_lr(u);
	FUZZ_CHECK(sip_unescape(u->user, buf, sizeof(buf)) <= (int)u->user.len);
}

/* ---- typed values ---- */

static void touch_params(const struct sip_params *p)
{
	char buf[256];

	fuzz_touch(p->text);
	FUZZ_CHECK(p->n <= SIP_MAX_PARAMS);
	for (uint32_t i = 0; i < p->n; i++) {
		fuzz_touch(p->v[i].name);
		fuzz_touch(p->v[i].value);
		FUZZ_CHECK(p->v[i].name.len);
		FUZZ_CHECK(sip_params_get(p, p->v[i].name));
		sip_unquote(p->v[i].value, buf, sizeof(buf));
	}
}

static void touch_name_addr(const struct sip_name_addr *a)
{
	fuzz_touch(a->text);
	fuzz_touch(a->display);
	if (!a->star)
		fuzz_touch_uri(&a->uri);
	touch_params(&a->params);
	fuzz_touch(a->tag);
}

static void touch_via(const struct sip_via *v)
{
	fuzz_touch(v->text);
	fuzz_touch(v->protocol);
	fuzz_touch(v->transport);
	fuzz_touch(v->host);
	touch_params(&v->params);
	fuzz_touch(v->branch);
	fuzz_touch(v->received);
	fuzz_touch(v->maddr);
	FUZZ_CHECK(v->host.len);
}

static void touch_auth(const struct sip_auth *a)
{
	char buf[256];

	fuzz_touch(a->scheme);
	for (uint32_t i = 0; i < a->n; i++) {
		fuzz_touch(a->v[i].name);
		fuzz_touch(a->v[i].value);
		FUZZ_CHECK(sip_auth_get(a, a->v[i].name));
		sip_unquote(a->v[i].value, buf, sizeof(buf));
	}
}

static void touch_value(const struct sip_hdr_values *v, uint32_t i)
{
	switch (v->shape) {
	case SIP_SHAPE_TEXT:
	case SIP_SHAPE_CALL_ID:
		fuzz_touch(v->v.text[i].text);
		break;
	case SIP_SHAPE_NUMBER:
		touch_params(&v->v.number[i].params);
		FUZZ_CHECK(!v->v.number[i].overflow || v->v.number[i].value == UINT32_MAX);
		break;
	case SIP_SHAPE_CSEQ:
		fuzz_touch(v->v.cseq[i].method);
		break;
	case SIP_SHAPE_VIA:
		touch_via(&v->v.via[i]);
		break;
	case SIP_SHAPE_NAME_ADDR:
	case SIP_SHAPE_URI_PARAMS:
		touch_name_addr(&v->v.name_addr[i]);
		break;
	case SIP_SHAPE_TOKEN:
		fuzz_touch(v->v.token[i].text);
		fuzz_touch(v->v.token[i].token);
		touch_params(&v->v.token[i].params);
		break;
	case SIP_SHAPE_AUTH:
	case SIP_SHAPE_AUTH_PARAMS:
		touch_auth(&v->v.auth[i]);
		break;
	case SIP_SHAPE_WARNING:
		fuzz_touch(v->v.warning[i].agent);
		fuzz_touch(v->v.warning[i].text);
		break;
	case SIP_SHAPE_DATE:
	case SIP_SHAPE_TIMESTAMP:
		break;
	}
}

void fuzz_touch_values(const struct sip_hdr_values *v)
{
	FUZZ_CHECK(v->n <= SIP_MAX_VALUES);
	for (uint32_t i = 0; i < v->n; i++)
		touch_value(v, i);
}

/* ---- messages ---- */

enum sip_parse_result fuzz_parse(struct fuzz_msg *m, struct rs_str bytes, bool stream)
{
	rs_arena_init(&m->arena, NULL, 0, SIP_MAX_ARENA);
	m->consumed = 0;
	m->result = sip_msg_parse(&m->msg, &m->arena, bytes, stream, &m->consumed);
	return m->result;
}

void fuzz_msg_free(struct fuzz_msg *m)
{
	rs_arena_reset(&m->arena);
}

static void touch_header(struct sip_msg *msg, enum sip_hdr_id id)
{
	bool bad = false, bad_number = false;
	const struct sip_hdr_values *v = sip_msg_values(msg, id, &bad);
	uint32_t number;

	FUZZ_CHECK(!v || msg->first[id]);
	FUZZ_CHECK(!(v && bad));
	FUZZ_CHECK(v || bad || !msg->first[id]);
	/* What was answered once is answered in the same way again. */
	FUZZ_CHECK(sip_msg_values(msg, id, NULL) == v);
	if (v)
		fuzz_touch_values(v);
	sip_msg_number(msg, id, &number, &bad_number);
	sip_msg_has_token(msg, id, RS_STR("path"));
	sip_msg_name_addr(msg, id, 1);
	sip_msg_auth(msg, id, 1);
	sip_msg_token(msg, id, 1);
}

void fuzz_touch_message(struct sip_msg *msg)
{
	const struct sip_body_part *parts;
	const struct sip_uri *uri = sip_msg_ruri(msg);
	struct sip_via via;
	int n;

	for (unsigned id = 1; id < SIP_HDR_N; id++)
		touch_header(msg, (enum sip_hdr_id)id);
	for (uint32_t i = 0; i < msg->n_hdrs; i++) {
		fuzz_touch(sip_msg_unfold(msg, msg->hdrs[i].value));
		FUZZ_CHECK(sip_msg_hdr_by_name(msg, msg->hdrs[i].name, 0));
	}
	if (uri)
		fuzz_touch_uri(uri);
	if (sip_msg_top_via(msg, &via) == 0)
		touch_via(&via);
	n = sip_msg_parts(msg, &parts);
	FUZZ_CHECK(n <= SIP_MAX_PARTS);
	for (int i = 0; i < n; i++) {
		FUZZ_CHECK(fuzz_inside(parts[i].headers, msg->body));
		FUZZ_CHECK(fuzz_inside(parts[i].body, msg->body));
		fuzz_touch(parts[i].content_type);
		fuzz_touch(parts[i].content_disposition);
		fuzz_touch(parts[i].content_id);
	}
}
