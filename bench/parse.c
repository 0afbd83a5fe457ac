/*
 * How many messages one core parses a second: the index alone, and with the headers that a registrar looks at typed.
 *
 *   bench_parse FILE [SECONDS]
 */
#include "sip/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ARENA 8192

/* CPU time: other work on the machine must not count. */
static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum depth { INDEX, CHECKED, TYPED };

static bool once(struct rs_str bytes, enum depth depth, struct rs_arena *arena)
{
	struct sip_msg msg;

	if (sip_msg_parse(&msg, arena, bytes, false, NULL) != SIP_PARSE_DONE || msg.flaw)
		return false;
	if (depth >= CHECKED && sip_msg_check(&msg))
		return false;
	if (depth >= TYPED)
		return sip_msg_values(&msg, SIP_HDR_CSEQ, NULL) && sip_msg_name_addr(&msg, SIP_HDR_CONTACT, 0) &&
		       sip_msg_via(&msg, 0) && sip_msg_name_addr(&msg, SIP_HDR_TO, 0) &&
		       sip_msg_name_addr(&msg, SIP_HDR_FROM, 0);
	return true;
}

static void run(const char *what, struct rs_str bytes, enum depth depth, double seconds)
{
	static char mem[ARENA];
	double start = now(), end = start;
	unsigned long n = 0;

	while (end - start < seconds) {
		for (int i = 0; i < 1000; i++, n++) {
			struct rs_arena arena;

			rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
			if (!once(bytes, depth, &arena)) {
				fprintf(stderr, "the message has a flaw\n");
				exit(1);
			}
			rs_arena_reset(&arena);
		}
		end = now();
	}
	printf("%-22s %8.0f messages/s %7.0f ns %7.0f MB/s\n", what, (double)n / (end - start),
	       (end - start) / (double)n * 1e9, (double)n * (double)bytes.len / (end - start) / 1e6);
}

int main(int argc, char **argv)
{
	static char buf[SIP_MAX_MSG];
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
	struct rs_str bytes;

	if (!f) {
		fprintf(stderr, "usage: bench_parse FILE [SECONDS]\n");
		return 2;
	}
	bytes = rs_str_n(buf, fread(buf, 1, sizeof(buf), f));
	fclose(f);
	printf("%zu bytes\n", bytes.len);
	run("index", bytes, INDEX, seconds);
	run("index and check", bytes, CHECKED, seconds);
	run("typed, with CSeq", bytes, TYPED, seconds);
	return 0;
}
