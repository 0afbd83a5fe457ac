/*
 * Time and randomness, as the environment gives them (section 4 of the architecture): the kernel in production, a
 * virtual clock and a seed in the simulation. Any thread may call these.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/defs.h"

/* Microseconds of a clock that never goes back; its origin means nothing. */
RS_API int64_t rs_now_us(void);
/* Microseconds since the Unix epoch. */
RS_API int64_t rs_wall_us(void);
/* n random bytes, fit for nonces, tags and branches. */
RS_API void rs_random(void *out, size_t n);
/* A random number below bound (bound > 0). */
RS_API uint32_t rs_random_below(uint32_t bound);

#endif
