/* Units of work under way: a closed loop with a window, or an open one at a rate; retransmissions; latencies. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "histogram.h"
#include "shapes.h"

#define LOOP_STATUSES 700

struct loop_counts {
	uint64_t units;           /* that ended as they must */
	uint64_t unexpected;      /* that got another final answer */
	uint64_t given_up;        /* without any after 32 s */
	uint64_t retransmissions; /* of ours, by Timer E's intervals */
	uint64_t messages;        /* sent and received */
	uint64_t idle_ns;         /* had nothing to do */
	uint64_t status[LOOP_STATUSES];
	struct histogram latency; /* from the moment a unit was due to its last answer */
};

struct loop_plan {
	const enum shape *mix; /* units take their shapes from it in turn */
	unsigned n_mix;
	uint32_t users;
	unsigned sources, window;
	bool tcp;
};

extern struct loop_counts loop_counts;

int loop_start(const struct loop_plan *plan);
void loop_stop(void);
/* For seconds, or until so many units have ended when units is not 0. rate 0: closed. What is under way stays so. */
void loop_run(double seconds, uint64_t units, double rate);
/* Starts nothing more and waits for what is under way, not longer than seconds. */
void loop_drain(double seconds);
/* Changes the shapes that come from now on. */
void loop_set_mix(const enum shape *mix, unsigned n);
void loop_reset_counts(void);
int64_t loop_now_ns(void);

#endif
