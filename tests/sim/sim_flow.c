/* The call flow, see sim_flow.h. */
#include "sim_flow.h"
#include "sim_clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xxhash.h>

struct flow {
	uint64_t count, digest;
	char line[SIM_FLOW_LINES][SIM_FLOW_WIDTH];
};

static struct flow *flow;

void sim_flow_reset(void)
{
	if (!flow) {
		void *p = mmap(NULL, sizeof(*flow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			abort();
		flow = p;
	}
	flow->count = 0;
	flow->digest = 0;
}

static char *next_line(void)
{
	if (!flow)
		sim_flow_reset();
	return flow->line[flow->count++ % SIM_FLOW_LINES];
}

static void digest_add(const void *p, size_t n)
{
	flow->digest = XXH64(p, n, flow->digest);
}

/* Printable ASCII up to the end of the first line. */
static void first_line(struct rs_str bytes, char *out, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && n < bytes.len && bytes.p[n] != '\r' && bytes.p[n] != '\n') {
		out[n] = bytes.p[n] >= ' ' && bytes.p[n] <= '~' ? bytes.p[n] : '.';
		n++;
	}
	out[n] = '\0';
}

/* The whole run as it happens, when the environment variable SIM_TRACE is set; "bytes": whole messages too. */
static void trace(const char *line, struct rs_str bytes)
{
	const char *how = getenv("SIM_TRACE");

	if (how)
		fprintf(stderr, "%s\n", line);
	if (how && strcmp(how, "bytes") == 0 && bytes.len)
		fprintf(stderr, "%.*s\n", RS_FMT(bytes));
}

void sim_flow_packet(const char *what, const char *how, const struct sip_addr *from, const struct sip_addr *to,
		     struct rs_str bytes)
{
	char *line = next_line(), a[SIP_ADDR_TEXT], b[SIP_ADDR_TEXT], text[72];
	int64_t t = sim_now() - SIM_CLOCK_START;

	first_line(bytes, text, sizeof(text));
	snprintf(line, SIM_FLOW_WIDTH, "%5lld.%06lld %-4s %-8s %21s -> %-21s %4zu %s", (long long)(t / 1000000),
		 (long long)(t % 1000000), how, what, sip_addr_text(from, true, a), sip_addr_text(to, true, b),
		 bytes.len, text);
	digest_add(line, strlen(line));
	digest_add(bytes.p, bytes.len);
	trace(line, bytes);
}

void sim_flow_note(const char *fmt, ...)
{
	char *line = next_line(), text[SIM_FLOW_WIDTH - 20];
	int64_t t = sim_now() - SIM_CLOCK_START;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	snprintf(line, SIM_FLOW_WIDTH, "%5lld.%06lld -- %s", (long long)(t / 1000000), (long long)(t % 1000000), text);
	digest_add(line, strlen(line));
	trace(line, RS_STR_NULL);
}

void sim_flow_mix(uint64_t value)
{
	const uint64_t v[2] = {value, (uint64_t)sim_now()};

	if (!flow)
		sim_flow_reset();
	digest_add(v, sizeof(v));
}

void sim_flow_print(FILE *out)
{
	uint64_t first;

	if (!flow || flow->count == 0)
		return;
	first = flow->count > SIM_FLOW_LINES ? flow->count - SIM_FLOW_LINES : 0;
	fprintf(out, "call flow, events %llu to %llu:\n", (unsigned long long)first,
		(unsigned long long)flow->count - 1);
	for (uint64_t i = first; i < flow->count; i++)
		fprintf(out, "  %s\n", flow->line[i % SIM_FLOW_LINES]);
}

uint64_t sim_flow_digest(void)
{
	return flow ? flow->digest : 0;
}

uint64_t sim_flow_count(void)
{
	return flow ? flow->count : 0;
}
