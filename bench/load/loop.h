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
	uint64_t repeats;         /* of the server's, by what its timers say: calls only */
	uint64_t early_byes;      /* that overtook the ACK: calls only */
	uint64_t status[LOOP_STATUSES];
	struct histogram latency; /* from the moment a unit was due to its last answer; of a call: to the 200 */
	struct histogram ringing; /* the same to the 180 of a call */
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
/* Independent callers: until the next one comes, the intervals having an exponential distribution. */
int64_t loop_interval_ns(double rate);
/*
 * Sends what was collected and hands out what has come. Never sleeps: a server whose answers wake a caller pays for
 * that, and one that keeps the caller busy would not. A pause, when nothing had come, lets answers gather, as those of
 * many callers do on their way.
 */
void loop_look(void (*on_message)(unsigned source, char *p, size_t len), bool pause);

#endif
