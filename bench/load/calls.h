/*
 * Calls under way, both phones of each played here: INVITE 100 180 200 ACK, held, BYE 200, on the caller's socket and
 * on the called one's. Counts go to loop_counts. A call has ended when both phones have seen its end.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include "call_text.h"

struct calls_plan {
	uint32_t users; /* all are registered; each calls and is called */
	unsigned sources, window;
	double hold_s; /* between ACK and BYE */
};

int calls_start(const struct calls_plan *plan);
void calls_stop(void);
/* As loop_run: calls that begin and end; a unit is a call. */
void calls_run(double seconds, uint64_t units, double rate);
/* Begins calls, so many a second, until n are up; they stay up. 0, or -1: there were others than answers. */
int calls_fill(unsigned n, double rate);
/* A unit is an INFO in one of the calls that are up, from the caller to the called phone, answered 200. */
void calls_inside(double seconds, uint64_t units, double rate);
/* Begins nothing but answers what comes. */
void calls_wait(double seconds, uint64_t units, double rate);
/* Waits for the calls that are about to end, not longer than seconds, and forgets the others. */
void calls_drain(double seconds);

#endif
