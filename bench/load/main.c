/*
 * load TRAFFIC...: loads a SIP server on loopback and prints what that cost, a JSON object for each traffic in an
 * array. See docs/benchmarks.md.
 */
#include "report.h"
#include "sources.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREPARE_S    600 /* an upper bound for registering all users */
#define SPARE_S      60
#define MAX_TRAFFICS 8

static const enum shape OPTIONS_MIX[] = {SHAPE_OPTIONS}, REGISTER_MIX[] = {SHAPE_REGISTER},
			REFRESH_MIX[] = {SHAPE_REFRESH}, MESSAGE_MIX[] = {SHAPE_MESSAGE};
/* What an operator sees: of 20 units 14 refreshes, 3 OPTIONS, 2 MESSAGEs, 1 wrong password. */
static const enum shape MIXED_MIX[] = {
	SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_MESSAGE, SHAPE_REFRESH,
	SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_WRONG,   SHAPE_REFRESH,
	SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_MESSAGE, SHAPE_REFRESH, SHAPE_REFRESH,
};

static const struct traffic {
	const char *name;
	const enum shape *mix;
	unsigned n;
	bool tcp, registered; /* registered: all users are, before it begins */
} traffics[] = {
	{"options", OPTIONS_MIX, 1, false, false},
	{"register", REGISTER_MIX, 1, false, false},
	{"refresh", REFRESH_MIX, 1, false, true},
	{"message", MESSAGE_MIX, 1, false, true},
	{"message-tcp", MESSAGE_MIX, 1, true, true},
	{"mixed", MIXED_MIX, sizeof(MIXED_MIX) / sizeof(MIXED_MIX[0]), false, true},
};

static struct options {
	const struct traffic *traffics[MAX_TRAFFICS];
	unsigned n_traffics;
	struct sockaddr_in server;
	const char *realm;
	pid_t pid;
	uint32_t users;
	unsigned sources, window;
	double warm, measure, half, rate;
	bool prepared; /* the users are registered already */
} o = {.realm = "bench", .users = 10000, .sources = 16, .window = 64, .warm = 2, .measure = 2};

/* One measured interval; the units a second. */
static double measure(const char *name, double seconds, uint64_t units, double rate)
{
	struct report_phase p = {.name = name};
	struct proc_usage before;
	int64_t begun;

	loop_reset_counts();
	proc_read(o.pid, 0, &before);
	begun = loop_now_ns();
	loop_run(seconds, units, rate);
	p.seconds = (double)(loop_now_ns() - begun) / 1e9;
	proc_read(o.pid, 0, &p.server);
	p.counts = loop_counts;
	p.server_cpu_s = p.server.cpu_s - before.cpu_s;
	p.own_busy_s = p.seconds - (double)loop_counts.idle_ns / 1e9;
	if (o.pid)
		proc_read(o.pid, 1, &p.server);
	report_phase(&p);
	return (double)p.counts.units / p.seconds;
}

/* Every user registers once. */
static void prepare(const struct loop_plan *plan)
{
	loop_set_mix(REGISTER_MIX, 1);
	measure("prepare", PREPARE_S, o.users, 0);
	loop_drain(2);
	loop_set_mix(plan->mix, plan->n_mix);
	o.prepared = true;
}

static int run_one(const struct traffic *traffic, struct loop_plan *plan)
{
	double rate = o.rate;

	plan->mix = traffic->mix;
	plan->n_mix = traffic->n;
	loop_set_mix(plan->mix, plan->n_mix);
	report_begin(traffic->name, plan);
	if (traffic->registered && !o.prepared)
		prepare(plan);
	if (o.warm > 0)
		loop_run(o.warm, 0, rate);
	if (o.measure > 0)
		rate = measure("saturated", o.measure, 0, rate);
	if (o.half > 0 && rate > 1) {
		loop_drain(2);
		loop_run(0.5, 0, rate / 2);
		measure("half", o.half, 0, rate / 2);
	}
	loop_drain(2);
	report_end();
	return rate > 1 || o.measure <= 0 ? 0 : 1;
}

static int run(struct loop_plan *plan)
{
	int rc = loop_start(plan);

	printf("[");
	for (unsigned i = 0; i < o.n_traffics && !rc; i++) {
		if (i)
			printf(",\n");
		rc = run_one(o.traffics[i], plan);
	}
	printf("]\n");
	loop_stop();
	return rc;
}

static int usage(void)
{
	fputs("usage: load TRAFFIC... --server ADDRESS:PORT [--pid PID] [--users N] [--sources N] [--window N] "
	      "[--realm "
	      "R]\n"
	      "            [--warm SECONDS] [--measure SECONDS] [--half SECONDS] [--rate UNITS-A-SECOND] [--prepared]\n"
	      "TRAFFIC: options register refresh message message-tcp mixed\n",
	      stderr);
	return 2;
}

static int read_server(const char *text)
{
	char host[64];
	unsigned port;

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2)
		return -1;
	o.server.sin_family = AF_INET;
	o.server.sin_port = htons((uint16_t)port);
	/* Nothing but loopback is ever loaded. */
	return inet_pton(AF_INET, host, &o.server.sin_addr) == 1 && ntohl(o.server.sin_addr.s_addr) >> 24 == 127 ? 0
														 : -1;
}

/* All go over one transport: the connections stay. */
static int read_traffic(const char *name)
{
	for (unsigned i = 0; i < sizeof(traffics) / sizeof(traffics[0]) && o.n_traffics < MAX_TRAFFICS; i++) {
		if (strcmp(name, traffics[i].name) == 0) {
			o.traffics[o.n_traffics++] = &traffics[i];
			return traffics[i].tcp == o.traffics[0]->tcp ? 0 : -1;
		}
	}
	return -1;
}

static int read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"server", 1, 0, 's'}, {"pid", 1, 0, 'p'},   {"users", 1, 0, 'u'},    {"sources", 1, 0, 'n'},
		{"window", 1, 0, 'w'}, {"realm", 1, 0, 'r'}, {"warm", 1, 0, 'W'},     {"measure", 1, 0, 'm'},
		{"half", 1, 0, 'h'},   {"rate", 1, 0, 'R'},  {"prepared", 0, 0, 'P'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			if (read_server(optarg))
				return -1;
			break;
		case 'p':
			o.pid = (pid_t)strtol(optarg, NULL, 10);
			break;
		case 'u':
			o.users = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			o.sources = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			o.window = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o.realm = optarg;
			break;
		case 'W':
			o.warm = strtod(optarg, NULL);
			break;
		case 'm':
			o.measure = strtod(optarg, NULL);
			break;
		case 'h':
			o.half = strtod(optarg, NULL);
			break;
		case 'R':
			o.rate = strtod(optarg, NULL);
			break;
		case 'P':
			o.prepared = true;
			break;
		default:
			return -1;
		}
	}
	for (; optind < argc; optind++) {
		if (read_traffic(argv[optind]))
			return -1;
	}
	return o.n_traffics && o.server.sin_port && o.users && o.sources && o.window ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct loop_plan plan;
	int rc = 1;

	if (read_options(argc, argv))
		return usage();
	alarm((unsigned)(o.warm + o.measure + o.half + SPARE_S) * o.n_traffics + PREPARE_S);
	plan = (struct loop_plan){
		.users = o.users, .sources = o.sources, .window = o.window, .tcp = o.traffics[0]->tcp};
	if (!shapes_start(o.users, o.realm, plan.tcp) && !sources_open(o.sources, plan.tcp, &o.server))
		rc = run(&plan);
	sources_close();
	shapes_stop();
	return rc;
}
