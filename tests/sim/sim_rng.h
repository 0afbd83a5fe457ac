/*
 * Pseudo-random numbers of a simulation: one stream for each purpose, all from one seed, so that a further draw for
 * the network leaves the disk's decisions as they were.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include "base/defs.h"

struct sim_rng {
	uint64_t state;
};

/* The purposes. */
enum sim_stream {
	SIM_STREAM_ENV = 1,
	SIM_STREAM_NET,
	SIM_STREAM_RUN,
	SIM_STREAM_DISK,
	SIM_STREAM_NAMES,
	SIM_STREAM_TEST
};

/* splitmix64 (public domain algorithm by S. Vigna). */
static inline uint64_t sim_rng_next(struct sim_rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline void sim_rng_init(struct sim_rng *r, uint64_t seed, enum sim_stream stream)
{
	r->state = seed;
	r->state = sim_rng_next(r) ^ ((uint64_t)stream << 32);
	(void)sim_rng_next(r);
}

/* 0 … bound-1; 0 when bound is 0. The bias is below 2^-32 for the bounds used here. */
static inline uint64_t sim_rng_below(struct sim_rng *r, uint64_t bound)
{
	return bound ? (sim_rng_next(r) >> 11) % bound : 0;
}

/* low … high, both included. */
static inline int64_t sim_rng_range(struct sim_rng *r, int64_t low, int64_t high)
{
	return high <= low ? low : low + (int64_t)sim_rng_below(r, (uint64_t)(high - low) + 1);
}

/* True in permille of 1000 cases. Draws nothing when the answer is certain. */
static inline bool sim_rng_chance(struct sim_rng *r, unsigned permille)
{
	if (permille == 0)
		return false;
	return permille >= 1000 || sim_rng_below(r, 1000) < permille;
}

#endif
