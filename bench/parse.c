/*
 * How many messages one core parses a second: the index alone, checked, and with the headers that a registrar looks at
 * typed. Several files are parsed in turn.
 *
 *   bench_parse [-s SECONDS] FILE...
 */
#include "sip/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ARENA     8192
#define MAX_FILES 32

/* CPU time: other work on the machine must not count. */
static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum depth { INDEX, CHECKED, TYPED };

static struct rs_str messages[MAX_FILES];
static unsigned n_messages;

/* Every header that the registrar and what stands before it read. false: one that is there is not as it should be. */
static bool typed(struct sip_msg *msg)
{
	static const enum sip_hdr_id headers[] = {SIP_HDR_VIA,     SIP_HDR_FROM,         SIP_HDR_TO,
						  SIP_HDR_CSEQ,    SIP_HDR_MAX_FORWARDS, SIP_HDR_CONTACT,
						  SIP_HDR_EXPIRES, SIP_HDR_PATH,         SIP_HDR_AUTHORIZATION,
						  SIP_HDR_REQUIRE, SIP_HDR_SUPPORTED};
	bool bad = false;

	if (msg->is_request && !sip_msg_ruri(msg))
		return false;
	for (size_t i = 0; i < RS_ARRAY_SIZE(headers) && !bad; i++)
		(void)sip_msg_values(msg, headers[i], &bad);
	return !bad;
}

static bool once(struct rs_str bytes, enum depth depth, struct rs_arena *arena)
{
	struct sip_msg msg;

	if (sip_msg_parse(&msg, arena, bytes, false, NULL) != SIP_PARSE_DONE || msg.flaw)
		return false;
	if (depth >= CHECKED && sip_msg_check(&msg))
		return false;
	return depth < TYPED || typed(&msg);
}

static void run(const char *what, enum depth depth, double seconds)
{
	static char mem[ARENA];
	double start = now(), end = start;
	unsigned long n = 0, bytes = 0;

	while (end - start < seconds) {
		for (int i = 0; i < 1000; i++, n++) {
			struct rs_str message = messages[n % n_messages];
			struct rs_arena arena;

			rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
			if (!once(message, depth, &arena)) {
				fprintf(stderr, "message %lu has a flaw\n", n % n_messages + 1);
				exit(1);
			}
			rs_arena_reset(&arena);
			bytes += message.len;
		}
		end = now();
	}
	printf("%-22s %8.0f messages/s %7.0f ns %7.0f MB/s\n", what, (double)n / (end - start),
	       (end - start) / (double)n * 1e9, (double)bytes / (end - start) / 1e6);
}

static int read_message(const char *path)
{
	char *buf = malloc(SIP_MAX_MSG);
	FILE *f = fopen(path, "rb");

	if (!f || !buf || n_messages == MAX_FILES) {
		fprintf(stderr, "%s cannot be read\n", path);
		free(buf);
		if (f)
			fclose(f);
		return -1;
	}
	messages[n_messages++] = rs_str_n(buf, fread(buf, 1, SIP_MAX_MSG, f));
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = 1;
	size_t bytes = 0;
	int c;

	while ((c = getopt(argc, argv, "s:")) == 's')
		seconds = atof(optarg);
	if (c != -1 || optind == argc) {
		fprintf(stderr, "usage: bench_parse [-s SECONDS] FILE...\n");
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		if (read_message(argv[i]))
			return 1;
		bytes += messages[n_messages - 1].len;
	}
	printf("%u message%s of %zu bytes on average\n", n_messages, n_messages == 1 ? "" : "s", bytes / n_messages);
	run("index", INDEX, seconds);
	run("index and check", CHECKED, seconds);
	run("typed for a registrar", TYPED, seconds);
	for (unsigned i = 0; i < n_messages; i++)
		free((void *)(uintptr_t)messages[i].p);
	return 0;
}
