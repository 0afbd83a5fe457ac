/* What a run prints: one JSON object. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "loop.h"
#include "proc.h"

struct report_phase {
	const char *name;
	double seconds, server_cpu_s;
	double own_busy_s; /* the generator's, without its pauses */
	struct loop_counts counts;
	struct proc_usage server; /* at the end */
};

void report_begin(const char *traffic, const struct loop_plan *plan);
void report_phase(const struct report_phase *p);
void report_end(void);

#endif
