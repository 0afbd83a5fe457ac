/* Keyed hashing: XXH3 with a secret of its own, drawn once a process. */
#include "base/hash.h"
#include "base/clock.h"

#include <pthread.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static unsigned char secret[XXH3_SECRET_DEFAULT_SIZE];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void draw_secret(void)
{
	rs_random(secret, sizeof(secret));
}

uint64_t rs_hash(struct rs_str s)
{
	pthread_once(&secret_once, draw_secret);
	return XXH3_64bits_withSecret(s.p, s.len, secret, sizeof(secret));
}

#define EACH_BYTE 0x0101010101010101ull

/* Eight bytes at once: those from 'A' to 'Z' get the bit that makes them small. */
static uint64_t lower_eight(uint64_t v)
{
	uint64_t low = v & 0x7f * EACH_BYTE;
	uint64_t from_a = low + (0x80 - 'A') * EACH_BYTE, behind_z = low + (0x7f - 'Z') * EACH_BYTE;

	return v | (((from_a ^ behind_z) & ~v & 0x80 * EACH_BYTE) >> 2);
}

static void lower_copy(char *out, const char *in, size_t n)
{
	uint64_t v;
	size_t i = 0;

	for (; n - i >= sizeof(v); i += sizeof(v)) {
		memcpy(&v, in + i, sizeof(v));
		v = lower_eight(v);
		memcpy(out + i, &v, sizeof(v));
	}
	for (; i < n; i++)
		out[i] = in[i] >= 'A' && in[i] <= 'Z' ? (char)(in[i] + 32) : in[i];
}

uint64_t rs_hash_nocase(struct rs_str s)
{
	char buf[256];
	XXH3_state_t state;

	pthread_once(&secret_once, draw_secret);
	if (s.len <= sizeof(buf)) {
		lower_copy(buf, s.p, s.len);
		return XXH3_64bits_withSecret(buf, s.len, secret, sizeof(secret));
	}
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSecret(&state, secret, sizeof(secret));
	for (size_t done = 0; done < s.len;) {
		size_t n = s.len - done < sizeof(buf) ? s.len - done : sizeof(buf);

		lower_copy(buf, s.p + done, n);
		XXH3_64bits_update(&state, buf, n);
		done += n;
	}
	return XXH3_64bits_digest(&state);
}
