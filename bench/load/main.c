/*
 * load TRAFFIC...: loads a SIP server on loopback and prints what that cost, a JSON object for each traffic in an
 * array. See docs/benchmarks.md.
 */
#include "calls.h"
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
#define MAX_LIST     8

static const enum shape OPTIONS_MIX[] = {SHAPE_OPTIONS}, REGISTER_MIX[] = {SHAPE_REGISTER},
			REFRESH_MIX[] = {SHAPE_REFRESH}, MESSAGE_MIX[] = {SHAPE_MESSAGE}, BIND_MIX[] = {SHAPE_BIND};
/* What an operator sees: of 20 units 14 refreshes, 3 OPTIONS, 2 MESSAGEs, 1 wrong password. */
static const enum shape MIXED_MIX[] = {
	SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_MESSAGE, SHAPE_REFRESH,
	SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_REFRESH, SHAPE_WRONG,   SHAPE_REFRESH,
	SHAPE_REFRESH, SHAPE_OPTIONS, SHAPE_REFRESH, SHAPE_MESSAGE, SHAPE_REFRESH, SHAPE_REFRESH,
};

typedef void run_units(double seconds, uint64_t units, double rate);

static const struct traffic {
	const char *name;
	run_units *run;
	const enum shape *mix; /* loop_run's */
	unsigned n;
	const enum shape *registered; /* how all users register before it begins; NULL: they do not */
	bool tcp;
} traffics[] = {
	{"options", loop_run, OPTIONS_MIX, 1, NULL, false},
	{"register", loop_run, REGISTER_MIX, 1, NULL, false},
	{"refresh", loop_run, REFRESH_MIX, 1, REGISTER_MIX, false},
	{"message", loop_run, MESSAGE_MIX, 1, REGISTER_MIX, false},
	{"message-tcp", loop_run, MESSAGE_MIX, 1, REGISTER_MIX, true},
	{"mixed", loop_run, MIXED_MIX, sizeof(MIXED_MIX) / sizeof(MIXED_MIX[0]), REGISTER_MIX, false},
	{"calls", calls_run, BIND_MIX, 1, BIND_MIX, false},
	{"inside", calls_inside, BIND_MIX, 1, BIND_MIX, false},
};

struct list {
	unsigned n;
	double v[MAX_LIST];
};

static struct options {
	const struct traffic *traffics[MAX_TRAFFICS];
	unsigned n_traffics;
	struct sockaddr_in server;
	const char *realm;
	pid_t pid;
	unsigned users, sources, window;
	double warm, measure, half, rate;
	struct list rates;         /* measured one after another instead; 0: closed */
	struct list calls;         /* up, one number after another, before requests inside are measured */
	double fill, settle, hold; /* calls a second until they are up; seconds */
	bool prepared;             /* the users are registered already */
} o = {.realm = "bench", .users = 10000, .sources = 16, .window = 64, .warm = 2, .measure = 2, .fill = 1000};

/* One measured interval; the units a second. */
static double measure(const char *name, double seconds, uint64_t units, double rate, run_units *run)
{
	struct report_phase p = {.name = name};
	struct proc_usage before;
	int64_t begun;

	loop_reset_counts();
	proc_read(o.pid, 0, &before);
	begun = loop_now_ns();
	run(seconds, units, rate);
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
static void prepare(const struct loop_plan *plan, const enum shape *mix)
{
	loop_set_mix(mix, 1);
	measure("prepare", PREPARE_S, o.users, 0, loop_run);
	loop_drain(2);
	loop_set_mix(plan->mix, plan->n_mix);
	o.prepared = true;
}

/* Memory before, and with each of the numbers of calls up. */
static int fill(void)
{
	char name[32];
	int rc = 0;

	measure("before", o.settle, 0, 0, calls_wait);
	for (unsigned i = 0; i < o.calls.n && !rc; i++) {
		rc = calls_fill((unsigned)o.calls.v[i], o.fill);
		snprintf(name, sizeof(name), "up_%.0f", o.calls.v[i]);
		measure(name, o.settle, 0, 0, calls_wait);
	}
	if (rc)
		fprintf(stderr, "not all calls came up\n");
	return rc;
}

static double run_rates(const struct traffic *traffic)
{
	double rate = 0;
	char name[32];

	for (unsigned i = 0; i < o.rates.n; i++) {
		snprintf(name, sizeof(name), "at_%.0f", o.rates.v[i]);
		if (o.warm > 0)
			traffic->run(o.warm, 0, o.rates.v[i]);
		rate = measure(o.rates.v[i] > 0 ? name : "saturated", o.measure, 0, o.rates.v[i], traffic->run);
	}
	return rate;
}

static double run_saturated(const struct traffic *traffic)
{
	double rate = o.rate;

	if (o.warm > 0)
		traffic->run(o.warm, 0, rate);
	if (o.measure > 0)
		rate = measure("saturated", o.measure, 0, rate, traffic->run);
	if (o.half > 0 && rate > 1) {
		loop_drain(2);
		traffic->run(0.5, 0, rate / 2);
		measure("half", o.half, 0, rate / 2, traffic->run);
	}
	return rate;
}

static int run_one(const struct traffic *traffic, struct loop_plan *plan)
{
	int rc = 0;
	double rate;

	plan->mix = traffic->mix;
	plan->n_mix = traffic->n;
	loop_set_mix(plan->mix, plan->n_mix);
	report_begin(traffic->name, plan);
	if (traffic->registered && !o.prepared)
		prepare(plan, traffic->registered);
	if (traffic->run == calls_inside)
		rc = fill();
	rate = o.rates.n ? run_rates(traffic) : run_saturated(traffic);
	loop_drain(2);
	calls_drain(o.hold + 2);
	report_end();
	return !rc && (rate > 1 || o.measure <= 0) ? 0 : 1;
}

static int run(struct loop_plan *plan)
{
	struct calls_plan calls = {plan->users, plan->sources, plan->window, o.hold};
	int rc = loop_start(plan) || calls_start(&calls) ? -1 : 0;

	printf("[");
	for (unsigned i = 0; i < o.n_traffics && !rc; i++) {
		if (i)
			printf(",\n");
		rc = run_one(o.traffics[i], plan);
	}
	printf("]\n");
	calls_stop();
	loop_stop();
	return rc;
}

static int usage(void)
{
	fputs("usage: load TRAFFIC... --server ADDRESS:PORT [--pid PID] [--users N] [--sources N] [--window N] "
	      "[--realm "
	      "R]\n"
	      "            [--warm SECONDS] [--measure SECONDS] [--half SECONDS] [--rate UNITS-A-SECOND] [--prepared]\n"
	      "            [--rates UNITS-A-SECOND,...] [--hold SECONDS] [--calls N,...] [--fill CALLS-A-SECOND] "
	      "[--settle SECONDS]\n"
	      "TRAFFIC: options register refresh message message-tcp mixed calls inside\n"
	      "--rates 0 is a closed loop. calls: each lasts --hold (0). inside: INFO in --calls that are up.\n",
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

static void read_list(const char *text, struct list *list)
{
	char *end;

	list->n = 0;
	do {
		list->v[list->n++] = strtod(text, &end);
		text = end + 1;
	} while (*end == ',' && list->n < MAX_LIST);
}

/* An upper bound. */
static unsigned time_limit(void)
{
	double intervals = o.warm + o.measure, limit = PREPARE_S;

	limit += (o.rates.n ? intervals * o.rates.n : intervals + o.half) + o.hold + o.settle + SPARE_S;
	for (unsigned i = 0; i < o.calls.n; i++)
		limit += o.calls.v[i] / o.fill + o.settle + SPARE_S;
	return (unsigned)limit * o.n_traffics;
}

/* Options that are numbers: one of the three. */
static const struct {
	const char *name;
	double *number;
	unsigned *count;
	struct list *list;
} numbers[] = {
	{"users", .count = &o.users}, {"sources", .count = &o.sources},  {"window", .count = &o.window},
	{"warm", .number = &o.warm},  {"measure", .number = &o.measure}, {"half", .number = &o.half},
	{"rate", .number = &o.rate},  {"rates", .list = &o.rates},       {"hold", .number = &o.hold},
	{"calls", .list = &o.calls},  {"fill", .number = &o.fill},       {"settle", .number = &o.settle},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))
enum other_option { SERVER = NUMBERS, PID, REALM, PREPARED, OPTIONS };

static int read_option(int c, const char *text)
{
	switch (c) {
	case SERVER:
		return read_server(text);
	case PID:
		o.pid = (pid_t)strtol(text, NULL, 10);
		return 0;
	case REALM:
		o.realm = text;
		return 0;
	case PREPARED:
		o.prepared = true;
		return 0;
	}
	if (c < 0 || c >= (int)NUMBERS)
		return -1;
	if (numbers[c].number)
		*numbers[c].number = strtod(text, NULL);
	else if (numbers[c].count)
		*numbers[c].count = (unsigned)strtoul(text, NULL, 10);
	else
		read_list(text, numbers[c].list);
	return 0;
}

static int read_options(int argc, char **argv)
{
	struct option names[OPTIONS + 1] = {
		[SERVER] = {"server", 1, 0, SERVER},
		[PID] = {"pid", 1, 0, PID},
		[REALM] = {"realm", 1, 0, REALM},
		[PREPARED] = {"prepared", 0, 0, PREPARED},
	};
	int c;

	for (unsigned i = 0; i < NUMBERS; i++)
		names[i] = (struct option){numbers[i].name, 1, 0, (int)i};
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (read_option(c, optarg))
			return -1;
	}
	for (; optind < argc; optind++) {
		if (read_traffic(argv[optind]))
			return -1;
	}
	for (unsigned i = 0; i < o.calls.n; i++) {
		if (o.calls.v[i] < 1 || o.calls.v[i] > CALL_SLOTS)
			return -1;
	}
	return o.n_traffics && o.server.sin_port && o.users && o.sources && o.window && o.fill > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct loop_plan plan;
	int rc = 1;

	if (read_options(argc, argv))
		return usage();
	alarm(time_limit());
	plan = (struct loop_plan){
		.users = o.users, .sources = o.sources, .window = o.window, .tcp = o.traffics[0]->tcp};
	if (!shapes_start(o.users, o.realm, plan.tcp) && !sources_open(o.sources, plan.tcp, &o.server))
		rc = run(&plan);
	sources_close();
	shapes_stop();
	return rc;
}
