/* The header table as the parser uses it: names to ids, and what is known of each id. Private. */
#ifndef SIP_MESSAGE_HDR_TABLE_H
#define SIP_MESSAGE_HDR_TABLE_H

#include "sip/hdr.h"
#include "sip/message/chars.h"

/* A row for each id, known at compile time. */
struct sip_hdr_kind {
	uint8_t shape, flags;
};
extern const struct sip_hdr_kind sip_hdr_kinds[SIP_HDR_N];

/* What names are compared by: their length, and their first and their last bytes, which overlap in short ones. */
struct sip_hdr_key {
	uint64_t head, tail, len;
};
extern struct sip_hdr_key sip_hdr_keys[SIP_HDR_N];

/* A perfect hash of the keys, sparse enough that a multiplier without collisions is found in a few tries. */
#define SIP_HDR_SLOTS 1024
extern uint8_t sip_hdr_slots[SIP_HDR_SLOTS];
extern uint64_t sip_hdr_multiplier;

/* Of a name of two characters at least. */
static inline struct sip_hdr_key sip_hdr_key(struct rs_str name)
{
	const char *p = name.p, *end = p + name.len;

	if (name.len >= 8)
		return (struct sip_hdr_key){sip_load8(p), sip_load8(end - 8), name.len};
	if (name.len >= 4)
		return (struct sip_hdr_key){sip_load4(p), sip_load4(end - 4), name.len};
	return (struct sip_hdr_key){sip_load2(p), sip_load2(end - 2), name.len};
}

/* Of letters without case; other bytes may fall together, which the comparison sorts out. */
static inline uint32_t sip_hdr_slot(struct sip_hdr_key key, uint64_t multiplier)
{
	uint64_t caseless = 0x2020202020202020u, h = (key.head | caseless) + 31 * (key.tail | caseless) + key.len;

	return (uint32_t)(((h ^ h >> 32) * multiplier) >> 54);
}

/* Names of one character, and those with bytes between head and tail. */
enum sip_hdr_id sip_hdr_from_compact(struct rs_str name);
bool sip_hdr_same_middle(enum sip_hdr_id id, struct rs_str name);

/* sip_hdr_from_name for the one that reads every message. */
__attribute__((always_inline)) static inline enum sip_hdr_id sip_hdr_lookup(struct rs_str name)
{
	const struct sip_hdr_key *known;
	struct sip_hdr_key key;
	enum sip_hdr_id id;

	if (name.len <= 1)
		return sip_hdr_from_compact(name);
	key = sip_hdr_key(name);
	id = (enum sip_hdr_id)sip_hdr_slots[sip_hdr_slot(key, sip_hdr_multiplier)];
	known = &sip_hdr_keys[id];
	if (key.head == known->head && key.tail == known->tail && key.len == known->len && key.len <= 16)
		return id;
	if (key.len != known->len || !sip_same_word(key.head, known->head) || !sip_same_word(key.tail, known->tail) ||
	    (key.len > 16 && !sip_hdr_same_middle(id, name)))
		return SIP_HDR_OTHER;
	return id;
}

#endif
