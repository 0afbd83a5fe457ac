/* The virtual clock, see sim_clock.h. */
#include "sim_clock.h"

#include "base/env.h"

#include <assert.h>

/* 2026-01-01 00:00:00 UTC: an arbitrary day, the same in each run. */
#define WALL_START 1767225600000000ll

static struct {
	int64_t now, wall_offset;
	struct sim_rng rng;
	struct rs_env env;
} sim;

static int64_t env_now(void *token)
{
	(void)token;
	return sim.now;
}

static int64_t env_wall(void *token)
{
	(void)token;
	return sim.now + sim.wall_offset;
}

static void env_random(void *token, void *out, size_t n)
{
	unsigned char *p = out;

	(void)token;
	while (n) {
		uint64_t v = sim_rng_next(&sim.rng);
		size_t part = n < sizeof(v) ? n : sizeof(v);

		__builtin_memcpy(p, &v, part);
		p += part;
		n -= part;
	}
}

void sim_clock_start(uint64_t seed)
{
	const char *vfs = sim.env.storage_vfs;

	sim.now = SIM_CLOCK_START;
	sim.wall_offset = WALL_START - SIM_CLOCK_START;
	sim_rng_init(&sim.rng, seed, SIM_STREAM_ENV);
	sim.env = (struct rs_env){.now_us = env_now, .wall_us = env_wall, .random = env_random, .storage_vfs = vfs};
	rs_env_set(&sim.env);
}

void sim_clock_stop(void)
{
	rs_env_set(NULL);
}

int64_t sim_now(void)
{
	return sim.now;
}

void sim_clock_set(int64_t now_us)
{
	assert(now_us >= sim.now);
	sim.now = now_us;
}

void sim_clock_jump_wall(int64_t delta_us)
{
	sim.wall_offset += delta_us;
}

void sim_clock_set_vfs(const char *vfs)
{
	sim.env.storage_vfs = vfs;
}
