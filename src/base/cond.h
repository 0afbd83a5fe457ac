/* A condition whose timed waits are by the monotonic clock. Any thread; p is the caller's to destroy. */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <time.h>

static inline void rs_cond_init(pthread_cond_t *p)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(p, &attr);
	pthread_condattr_destroy(&attr);
}

#endif
