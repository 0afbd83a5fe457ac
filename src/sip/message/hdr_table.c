/*
 * The header table: names to ids through a perfect hash. The hash is searched for once, before main, from the table
 * in sip/hdr.h itself, so that adding a header is adding its row.
 */
#include "sip/hdr.h"
#include "sip/message/hdr_table.h"

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

struct sip_hdr_key sip_hdr_keys[SIP_HDR_N];
uint8_t sip_hdr_slots[SIP_HDR_SLOTS];
uint64_t sip_hdr_multiplier;
static uint8_t compact_ids[26];

_Static_assert(SIP_HDR_N <= 255, "ids must fit into a byte");

static bool try_multiplier(uint64_t multiplier)
{
	memset(sip_hdr_slots, 0, sizeof(sip_hdr_slots));
	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		uint32_t slot = sip_hdr_slot(sip_hdr_keys[id], multiplier);

		if (sip_hdr_slots[slot])
			return false;
		sip_hdr_slots[slot] = (uint8_t)id;
	}
	return true;
}

/* Runs before main, so that no reader needs a check or a lock. */
__attribute__((constructor)) static void build(void)
{
	uint64_t multiplier = 0x9e3779b97f4a7c15u;

	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		sip_hdr_keys[id] = sip_hdr_key(names[id]);
		if (compact_names[id].len)
			compact_ids[compact_names[id].p[0] - 'a'] = (uint8_t)id;
	}
	for (unsigned tries = 0; !try_multiplier(multiplier); tries++) {
		/* Two names alike in all that sip_hdr_slot looks at: the table was changed and it must be, too. */
		if (tries == 1000000)
			abort();
		multiplier = multiplier * 6364136223846793005u + 1442695040888963407u;
	}
	sip_hdr_multiplier = multiplier;
}

enum sip_hdr_id sip_hdr_from_compact(struct rs_str name)
{
	unsigned letter = name.len ? to_lower(name.p[0]) - (unsigned)'a' : 26;

	return letter < 26 ? (enum sip_hdr_id)compact_ids[letter] : SIP_HDR_OTHER;
}

bool sip_hdr_same_middle(enum sip_hdr_id id, struct rs_str name)
{
	for (size_t i = 8; i + 8 < name.len; i++) {
		if (to_lower(name.p[i]) != to_lower(names[id].p[i]))
			return false;
	}
	return true;
}

enum sip_hdr_id sip_hdr_from_name(struct rs_str name)
{
	return sip_hdr_lookup(name);
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
