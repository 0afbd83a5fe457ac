/*
 * The header table: names to ids through a perfect hash. The hash is searched for once, before main, from the table
 * in sip/hdr.h itself, so that adding a header is adding its row.
 */
#include "sip/hdr.h"
#include "sip/message/grammar.h"

#include <stdlib.h>

/* clang-format off */
static const struct rs_str names[SIP_HDR_N] = {
	[SIP_HDR_OTHER] = RS_STR_INIT(""),
#define NAME(id, name, compact, shape, flags) [SIP_HDR_##id] = RS_STR_INIT(name),
	SIP_HDR_TABLE(NAME)
#undef NAME
};

static const struct rs_str compact_names[SIP_HDR_N] = {
	[SIP_HDR_OTHER] = RS_STR_INIT(""),
#define COMPACT(id, name, compact, shape, flags) [SIP_HDR_##id] = RS_STR_INIT(compact),
	SIP_HDR_TABLE(COMPACT)
#undef COMPACT
};

const struct sip_hdr_kind sip_hdr_kinds[SIP_HDR_N] = {
	[SIP_HDR_OTHER] = {SIP_SHAPE_TEXT, 0},
#define KIND(id, name, compact, shape, flags) [SIP_HDR_##id] = {SIP_SHAPE_##shape, flags},
	SIP_HDR_TABLE(KIND)
#undef KIND
};
/* clang-format on */

/* What names are compared by: their first and their last bytes, which overlap in short ones. */
struct key {
	uint64_t head, tail;
};

#define SLOTS 1024 /* sparse enough that a multiplier without collisions is found in a few tries */

static uint8_t slots[SLOTS];
static uint8_t compact_ids[26];
static struct key keys[SIP_HDR_N];
static uint64_t multiplier;

/* Of a name of two characters at least. */
static inline struct key key_of(struct rs_str s)
{
	const char *p = s.p, *end = p + s.len;

	if (s.len >= 8)
		return (struct key){sip_load8(p), sip_load8(end - 8)};
	if (s.len >= 4)
		return (struct key){sip_load4(p), sip_load4(end - 4)};
	return (struct key){sip_load2(p), sip_load2(end - 2)};
}

/* Of letters without case; other bytes may fall together, which the comparison sorts out. */
static inline uint32_t slot_of(struct key key, size_t len, uint64_t mul)
{
	uint64_t caseless = 0x2020202020202020u, h = (key.head | caseless) + 31 * (key.tail | caseless) + len;

	return (uint32_t)(((h ^ h >> 32) * mul) >> 54);
}

static bool try_multiplier(uint64_t mul)
{
	memset(slots, 0, sizeof(slots));
	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		uint32_t slot = slot_of(keys[id], names[id].len, mul);

		if (slots[slot])
			return false;
		slots[slot] = (uint8_t)id;
	}
	return true;
}

/* Runs before main, so that no reader needs a check or a lock. */
__attribute__((constructor)) static void build(void)
{
	uint64_t mul = 0x9e3779b97f4a7c15u;

	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		keys[id] = key_of(names[id]);
		if (compact_names[id].len)
			compact_ids[compact_names[id].p[0] - 'a'] = (uint8_t)id;
	}
	for (unsigned tries = 0; !try_multiplier(mul); tries++) {
		/* Two names alike in all that slot_of looks at: the table was changed and slot_of must be, too. */
		if (tries == 1000000)
			abort();
		mul = mul * 6364136223846793005u + 1442695040888963407u;
	}
	multiplier = mul;
}

_Static_assert(SIP_HDR_N <= 255, "ids must fit into a byte");

enum sip_hdr_id sip_hdr_from_name(struct rs_str name)
{
	struct key key;
	unsigned id;

	if (name.len <= 1) {
		unsigned letter = name.len ? to_lower(name.p[0]) - (unsigned)'a' : 26;

		return letter < 26 ? (enum sip_hdr_id)compact_ids[letter] : SIP_HDR_OTHER;
	}
	key = key_of(name);
	id = slots[slot_of(key, name.len, multiplier)];
	if (names[id].len != name.len || !sip_same_word(key.head, keys[id].head) ||
	    !sip_same_word(key.tail, keys[id].tail))
		return SIP_HDR_OTHER;
	/* What lies between head and tail. */
	for (size_t i = 8; i + 8 < name.len; i++) {
		if (to_lower(name.p[i]) != to_lower(names[id].p[i]))
			return SIP_HDR_OTHER;
	}
	return (enum sip_hdr_id)id;
}

struct rs_str sip_hdr_name(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? names[id] : RS_STR("");
}
struct rs_str sip_hdr_compact(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? compact_names[id] : RS_STR("");
}
enum sip_hdr_shape sip_hdr_shape(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? (enum sip_hdr_shape)sip_hdr_kinds[id].shape : SIP_SHAPE_TEXT;
}
unsigned sip_hdr_flags(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? sip_hdr_kinds[id].flags : 0;
}
