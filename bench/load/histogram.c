#include "histogram.h"

#define UNIT_NS 64 /* the resolution at the low end */

void histogram_add(struct histogram *h, int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns / UNIT_NS : 0;
	unsigned shift = v < 64 ? 0 : (unsigned)(64 - 7 - __builtin_clzll(v)); /* v >> shift is 64 to 127 */
	uint64_t i = v < 64 ? v : 64ul * shift + (v >> shift);

	h->bucket[i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1]++;
	h->n++;
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->n), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->n; i++) {
		unsigned shift = i < 128 ? 0 : i / 64 - 1;

		seen += h->bucket[i];
		if (seen > want || seen == h->n)
			return (double)((uint64_t)(i - 64ul * shift) << shift) * UNIT_NS / 1000;
	}
	return 0;
}
