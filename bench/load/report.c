#include "report.h"

#include <stdio.h>

void report_begin(const char *traffic, const struct loop_plan *plan)
{
	printf("{\"traffic\": \"%s\", \"users\": %u, \"sources\": %u, \"window\": %u", traffic, plan->users,
	       plan->sources, plan->window);
}

static void print_statuses(const struct loop_counts *c)
{
	const char *separator = "";

	printf("\"status\": {");
	for (unsigned i = 0; i < LOOP_STATUSES; i++) {
		if (!c->status[i])
			continue;
		printf("%s\"%u\": %llu", separator, i, (unsigned long long)c->status[i]);
		separator = ", ";
	}
	printf("}");
}

void report_phase(const struct report_phase *p)
{
	const struct loop_counts *c = &p->counts;
	double units = c->units ? (double)c->units : 1;

	printf(",\n \"%s\": {\"seconds\": %.3f, \"units\": %llu, \"rate\": %.1f, \"cpu_us\": %.4f, \"server_busy\": "
	       "%.3f, "
	       "\"generator_busy\": %.3f,\n  ",
	       p->name, p->seconds, (unsigned long long)c->units, units / p->seconds, p->server_cpu_s * 1e6 / units,
	       p->server_cpu_s / p->seconds, p->own_busy_s / p->seconds);
	printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"retransmissions\": %llu, \"unexpected\": "
	       "%llu, "
	       "\"given_up\": %llu,\n  ",
	       histogram_quantile(&c->latency, 0.5), histogram_quantile(&c->latency, 0.99),
	       histogram_quantile(&c->latency, 0.999), (unsigned long long)c->retransmissions,
	       (unsigned long long)c->unexpected, (unsigned long long)c->given_up);
	if (c->ringing.n)
		printf("\"ringing_p50_us\": %.1f, \"ringing_p99_us\": %.1f, ", histogram_quantile(&c->ringing, 0.5),
		       histogram_quantile(&c->ringing, 0.99));
	printf("\"repeats\": %llu, \"early_byes\": %llu, \"server_cpu_s\": %.3f,\n  ", (unsigned long long)c->repeats,
	       (unsigned long long)c->early_byes, p->server_cpu_s);
	printf("\"messages\": %llu, \"memory_kib\": %llu, \"processes\": %u, ", (unsigned long long)c->messages,
	       (unsigned long long)p->server.memory_kib, p->server.processes);
	print_statuses(c);
	printf("}");
}

void report_end(void)
{
	printf("}");
}
