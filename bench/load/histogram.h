/* Latencies in buckets that grow with the value: 64 to each power of two, so a quantile is right to 1.6 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 2048ul

struct histogram {
	uint64_t n;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, int64_t ns);
/* The value that a share q (0 to 1) of all lies at or below, in microseconds. */
double histogram_quantile(const struct histogram *h, double q);

#endif
