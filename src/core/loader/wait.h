/* Waiting for the pool from outside of it: for a condition, and for every thread to have passed a quiet point. */
#ifndef CORE_LOADER_WAIT_H
#define CORE_LOADER_WAIT_H

#include "base/defs.h"

/* Tells waiters to look again. Any thread; cheap while nobody waits. */
void loader_wait_wake(void);
/* Waits until ready(token), which is asked after each wake, or until deadline_us (rs_now_us scale). No lock is held
 * while ready runs. In the deterministic mode the pool is stepped; it is over when nothing is left to step. */
bool loader_wait_until(bool (*ready)(void *token), void *token, int64_t deadline_us);
/* Waits until every thread of the pool passed a quiet point (rs_quiet). false: not until deadline_us. */
bool loader_wait_quiet(int64_t deadline_us);

#endif
