/* One header value by itself; the first byte chooses the header. */
#include "fuzz.h"

static struct rs_str text_of(const struct sip_hdr_values *v, uint32_t i)
{
	switch (v->shape) {
	case SIP_SHAPE_VIA:
		return v->v.via[i].text;
	case SIP_SHAPE_NAME_ADDR:
	case SIP_SHAPE_URI_PARAMS:
		return v->v.name_addr[i].text;
	case SIP_SHAPE_TOKEN:
		return v->v.token[i].text;
	case SIP_SHAPE_TEXT:
	case SIP_SHAPE_CALL_ID:
		return v->v.text[i].text;
	default:
		return RS_STR_NULL;
	}
}

static void same_params(const struct sip_params *a, const struct sip_params *b)
{
	FUZZ_CHECK(a->n == b->n);
	for (uint32_t i = 0; i < a->n; i++) {
		FUZZ_CHECK(rs_str_eq(a->v[i].name, b->v[i].name));
		FUZZ_CHECK(rs_str_eq(a->v[i].value, b->v[i].value));
		FUZZ_CHECK(a->v[i].quoted == b->v[i].quoted);
	}
}

/* A value that stood in a list is the same when it stands alone: others store and forward single values. */
static void check_alone(enum sip_hdr_id id, const struct sip_hdr_values *v, uint32_t i)
{
	struct rs_str text = text_of(v, i);
	struct sip_hdr_values again;
	struct rs_arena arena;

	if (!text.len)
		return;
	rs_arena_init(&arena, NULL, 0, SIP_MAX_ARENA);
	FUZZ_CHECK(sip_hdr_parse(id, text, &arena, &again) == 0);
	FUZZ_CHECK(again.n == 1 && again.shape == v->shape);
	FUZZ_CHECK(rs_str_eq(text_of(&again, 0), text));
	if (v->shape == SIP_SHAPE_VIA) {
		same_params(&v->v.via[i].params, &again.v.via[0].params);
		FUZZ_CHECK(rs_str_eq(v->v.via[i].host, again.v.via[0].host));
		FUZZ_CHECK(v->v.via[i].port == again.v.via[0].port);
	} else if (v->shape == SIP_SHAPE_NAME_ADDR || v->shape == SIP_SHAPE_URI_PARAMS) {
		same_params(&v->v.name_addr[i].params, &again.v.name_addr[0].params);
		FUZZ_CHECK(rs_str_eq(v->v.name_addr[i].uri.text, again.v.name_addr[0].uri.text));
		FUZZ_CHECK(v->v.name_addr[i].star == again.v.name_addr[0].star);
	} else if (v->shape == SIP_SHAPE_TOKEN) {
		same_params(&v->v.token[i].params, &again.v.token[0].params);
		FUZZ_CHECK(rs_str_eq(v->v.token[i].token, again.v.token[0].token));
	}
	rs_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str value = fuzz_str(data, size);
	enum sip_hdr_id id = (enum sip_hdr_id)(1 + fuzz_byte(&value) % (SIP_HDR_N - 1));
	struct sip_hdr_values v;
	struct rs_arena arena;

	value = rs_str_trim(value);
	rs_arena_init(&arena, NULL, 0, SIP_MAX_ARENA);
	if (sip_hdr_parse(id, value, &arena, &v) == 0) {
		FUZZ_CHECK(v.shape == sip_hdr_shape(id));
		FUZZ_CHECK(v.n <= 1 || (sip_hdr_flags(id) & SIP_HDR_LIST));
		fuzz_touch_values(&v);
		for (uint32_t i = 0; i < v.n; i++)
			check_alone(id, &v, i);
	}
	rs_arena_reset(&arena);
	return 0;
}
