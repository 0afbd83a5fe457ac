/*
 * The whole server against a program: the input's bytes say who sends what, when time goes by, which task runs next
 * and what fails. Each program has a server of its own from start to stop; what must hold is in check.c and in
 * sim_server_stop.
 */
#include "stateful.h"
#include "world.h"

#include "base/hash.h"
#include "base/log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>

bool stateful_strict;
uint64_t stateful_digest;
unsigned stateful_responses;

static struct sim_disk *the_disk;
static void (*forget)(void);

/* A module stays mapped from the first start on: the coverage counters of one that was unmapped would dangle. */
static void keep_modules(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	sim_check(d);
	while ((entry = readdir(d))) {
		char path[4096];
		void *handle;
		size_t len = strlen(entry->d_name);

		if (len < 4 || strcmp(entry->d_name + len - 3, ".so") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		sim_check(handle);
		if (strcmp(entry->d_name, "res_sip_authenticator_digest.so") == 0)
			*(void **)&forget = dlsym(handle, "stateful_forget");
	}
	closedir(d);
	sim_check(forget);
}

void stateful_forget(void)
{
	forget();
}

/* What the process draws once, at the first use, is drawn before the first program and always the same. */
static void draw_once(void)
{
	sim_clock_start(1);
	(void)rs_hash(RS_STR("first"));
	sim_clock_stop();
}

static void drop_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	(void)level;
	(void)line;
}

/* UBSan's findings end the program like all others. */
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/*
 * libFuzzer's flags that suit programs, before those of the command line. Entropic scheduling counts all features of
 * all inputs each time: with a whole server's features that takes ten times as long as the server.
 */
static void default_flags(int *argc, char ***argv)
{
	static char *const flags[] = {"-entropic=0", "-print_funcs=0", "-max_len=2048"};
	size_t n = (size_t)*argc;
	static char **all;

	all = calloc(n + RS_ARRAY_SIZE(flags) + 1, sizeof(*all));
	sim_check(all && n);
	all[0] = (*argv)[0];
	memcpy(all + 1, flags, sizeof(flags));
	memcpy(all + 1 + RS_ARRAY_SIZE(flags), *argv + 1, (n - 1) * sizeof(*all));
	*argc = (int)(n + RS_ARRAY_SIZE(flags));
	*argv = all;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	default_flags(argc, argv);
	setenv("MODULE_DIR", STATEFUL_MODULE_DIR, 1);
	keep_modules(STATEFUL_MODULE_DIR);
	if (!getenv("SIM_LOG"))
		rs_log_set_sink(drop_line, NULL); /* programs break disks by the thousand */
	draw_once();
	the_disk = sim_disk_new(1);
	sim_flow_reset();
	operate_configure();
	atexit(operate_forget);
	return 0;
}

static void start(uint8_t seed, uint8_t settings)
{
	sim_disk_format(the_disk, seed);
	operate_start();
	sim_server_start(seed, the_disk, 0);
	sim_net_set_watch(NULL); /* no phone would send this; check.c says what holds all the same */
	world_start(the_disk);
	for (unsigned i = 1; i <= HOSTS; i++) {
		char name[32], ip[32];

		snprintf(name, sizeof(name), "phone%u.example", i);
		snprintf(ip, sizeof(ip), "10.0.1.%u", i);
		sim_names_add(name, ip);
	}
	relay_register();
	if (settings & 1)
		sim_lane_delay(RS_LANE_STORE, SIM_MS, 200 * SIM_MS);
	if (settings & 2)
		sim_net_link(NULL, NULL)->segment = 40;
}

static void stop(void)
{
	operate_mend();
	sim_server_settle();
	check_at_end();
	relay_unregister();
	sim_server_stop();
	stateful_forget();
	stateful_digest = sim_flow_digest();
	if (getenv("FLOW"))
		sim_flow_print(stderr);
	stateful_responses = world.responses;
	world_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct instruction in;
	size_t at = PROGRAM_SETTINGS;

	if (size < PROGRAM_SETTINGS)
		return 0;
	start(data[0], data[1]);
	for (unsigned n = 0; n < PROGRAM_OPS_MAX && program_next(data + at, size - at, &in); n++) {
		operate(&in);
		at += in.size;
	}
	stop();
	return 0;
}
