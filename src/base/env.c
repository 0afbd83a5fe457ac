/* The environment: the kernel's clock and randomness unless the process was given others. */
#include "base/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const struct rs_env kernel_env;
static const struct rs_env *env = &kernel_env;

void rs_env_set(const struct rs_env *e)
{
	env = e ? e : &kernel_env;
}

const struct rs_env *rs_env_get(void)
{
	return env;
}

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t rs_now_us(void)
{
	return env->now_us ? env->now_us(env->token) : clock_us(CLOCK_MONOTONIC);
}

int64_t rs_wall_us(void)
{
	return env->wall_us ? env->wall_us(env->token) : clock_us(CLOCK_REALTIME);
}

/*
 * Random bytes are drawn from the kernel in blocks, one block a thread. Bytes handed out are cleared, and a child of
 * fork never uses what its parent had drawn.
 */
#define RANDOM_BLOCK 4096

static _Thread_local struct {
	unsigned char bytes[RANDOM_BLOCK];
	size_t left;
	unsigned forks;
} pool;
static _Atomic unsigned forks;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void forked(void)
{
	atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forked);
}

static void kernel_random(void *out, size_t n)
{
	unsigned char *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		/* Without randomness every nonce and tag would be a guess: there is no safe way on. */
		if (got < 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

void rs_random(void *out, size_t n)
{
	unsigned generation;

	if (env->random) {
		env->random(env->token, out, n);
		return;
	}
	if (n > RANDOM_BLOCK / 4) {
		kernel_random(out, n);
		return;
	}
	pthread_once(&fork_once, watch_forks);
	generation = atomic_load_explicit(&forks, memory_order_relaxed);
	if (pool.left < n || pool.forks != generation) {
		kernel_random(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
		pool.forks = generation;
	}
	pool.left -= n;
	memcpy(out, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
}

uint32_t rs_random_below(uint32_t bound)
{
	uint32_t reject = (uint32_t)-bound % bound; /* 2^32 mod bound: below it the products are not even */

	for (;;) {
		uint32_t r;
		uint64_t product;

		rs_random(&r, sizeof(r));
		product = (uint64_t)r * bound;
		if ((uint32_t)product >= reject)
			return (uint32_t)(product >> 32);
	}
}
