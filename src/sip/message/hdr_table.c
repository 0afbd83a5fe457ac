/*
 * The header table: names to ids through a perfect hash. The hash is searched for once, before main, from the table
 * in sip/hdr.h itself, so that adding a header is adding its row.
 */
#include "sip/hdr.h"
#include "sip/message/chars.h"

#include <stdlib.h>

struct row {
	struct rs_str name, compact;
	uint8_t shape, flags;
};

static const struct row rows[SIP_HDR_N] = {[SIP_HDR_OTHER] = {RS_STR_INIT(""), RS_STR_INIT(""), SIP_SHAPE_TEXT, 0},
#define ROW(id, name, compact, shape, flags)                                                                           \
	[SIP_HDR_##id] = {RS_STR_INIT(name), RS_STR_INIT(compact), SIP_SHAPE_##shape, flags},
					   SIP_HDR_TABLE(ROW)
#undef ROW
};

#define SLOTS 1024 /* sparse enough that a multiplier without collisions is found in a few tries */

static uint8_t slots[SLOTS];
static uint8_t compact_ids[26];
static uint32_t multiplier;

/* Letters without case; other bytes may fall together, which the comparison sorts out. */
static uint32_t caseless(char c)
{
	return (unsigned char)c | 0x20u;
}

static uint32_t slot_of(struct rs_str s, uint32_t mul)
{
	const char *p = s.p;
	uint32_t h =
		(uint32_t)s.len | caseless(p[0]) << 8 | caseless(p[s.len - 1]) << 16 | caseless(p[s.len / 2]) << 24;

	h ^= caseless(p[s.len / 4]) << 5 ^ caseless(p[s.len * 3 / 4]) << 13;
	return (h * mul) >> 22;
}

/* Names are written as in the table nearly always; eight bytes at a time, the last ones overlapping. */
static bool same_bytes(const char *a, const char *b, size_t n)
{
	uint64_t x, y;

	if (n < sizeof(x)) {
		while (n && a[n - 1] == b[n - 1])
			n--;
		return n == 0;
	}
	for (size_t i = 0; i + sizeof(x) < n; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		if (x != y)
			return false;
	}
	memcpy(&x, a + n - sizeof(x), sizeof(x));
	memcpy(&y, b + n - sizeof(y), sizeof(y));
	return x == y;
}

static bool try_multiplier(uint32_t mul)
{
	memset(slots, 0, sizeof(slots));
	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		uint32_t slot = slot_of(rows[id].name, mul);

		if (slots[slot])
			return false;
		slots[slot] = (uint8_t)id;
	}
	return true;
}

/* Runs before main, so that no reader needs a check or a lock. */
__attribute__((constructor)) static void build(void)
{
	uint32_t mul = 0x9e3779b1u;

	for (unsigned tries = 0; !try_multiplier(mul); tries++) {
		/* Two names alike in all that slot_of looks at: the table was changed and slot_of must be, too. */
		if (tries == 1000000)
			abort();
		mul = mul * 1664525u + 1013904223u;
		mul |= 1;
	}
	multiplier = mul;
	for (unsigned id = 1; id < SIP_HDR_N; id++) {
		if (rows[id].compact.len)
			compact_ids[rows[id].compact.p[0] - 'a'] = (uint8_t)id;
	}
}

_Static_assert(SIP_HDR_N <= 255, "ids must fit into a byte");

enum sip_hdr_id sip_hdr_from_name(struct rs_str name)
{
	const struct row *row;
	unsigned id;

	if (name.len <= 1) {
		unsigned letter = name.len ? to_lower(name.p[0]) - (unsigned)'a' : 26;

		return letter < 26 ? (enum sip_hdr_id)compact_ids[letter] : SIP_HDR_OTHER;
	}
	id = slots[slot_of(name, multiplier)];
	row = &rows[id];
	if (row->name.len != name.len)
		return SIP_HDR_OTHER;
	if (same_bytes(name.p, row->name.p, name.len))
		return (enum sip_hdr_id)id;
	for (size_t i = 0; i < name.len; i++) {
		if (to_lower(name.p[i]) != to_lower(row->name.p[i]))
			return SIP_HDR_OTHER;
	}
	return (enum sip_hdr_id)id;
}

struct rs_str sip_hdr_name(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? rows[id].name : RS_STR("");
}
struct rs_str sip_hdr_compact(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? rows[id].compact : RS_STR("");
}
enum sip_hdr_shape sip_hdr_shape(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? (enum sip_hdr_shape)rows[id].shape : SIP_SHAPE_TEXT;
}
unsigned sip_hdr_flags(enum sip_hdr_id id)
{
	return id < SIP_HDR_N ? rows[id].flags : 0;
}
