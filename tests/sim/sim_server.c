/* The whole server in a simulation, see sim_server.h. */
#include "sim_server.h"
#include "sim_watch.h"

#include "base/log.h"
#include "base/slab.h"
#include "core/core.h"
#include "core/loader/loader.h"
#include "res_sip/location.h"
#include "sip/transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer than any transaction lives: timers J and K, then the tasks that free. */
#define TRANSACTIONS_END (80 * SIM_SECOND)

static const char transports[] = "[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\n"
				 "[tcp]\ntype=transport\nprotocol=tcp\nbind=10.0.0.1:5060\n";
static char dir[256];
static char more[4][32]; /* names of further files */

static void write_file(const char *name, const char *first, const char *second)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%s%s", first, second) < 0 || fclose(f))
		sim_failed(__FILE_NAME__, __LINE__, "%s cannot be written", path);
}

void sim_server_configure(const char *pjsip, const char *own)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/sim_server.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		sim_failed(__FILE_NAME__, __LINE__, "no folder %s", dir);
	write_file("pjsip.conf", transports, pjsip);
	write_file("res_sip.conf", own ? own : "", "");
}

void sim_server_file(const char *name, const char *text)
{
	unsigned i = 0;

	while (i < RS_ARRAY_SIZE(more) && more[i][0] && strcmp(more[i], name) != 0)
		i++;
	sim_check(i < RS_ARRAY_SIZE(more));
	snprintf(more[i], sizeof(more[i]), "%s", name);
	write_file(name, text, "");
}

void sim_server_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

void sim_server_forget(void)
{
	static const char *const names[] = {"pjsip.conf", "res_sip.conf"};
	char path[512];

	for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	for (unsigned i = 0; i < RS_ARRAY_SIZE(more) && more[i][0]; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, more[i]);
		unlink(path);
	}
	rmdir(dir);
}

void sim_server_reconfigure(const char *pjsip, const char *own)
{
	write_file("pjsip.conf", transports, pjsip);
	write_file("res_sip.conf", own ? own : "", "");
}

/* Disks that fail make errors, which a run that passes need not print: they stand in the call flow. */
static void log_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	if (getenv("SIM_LOG"))
		fprintf(stderr, "%.*s\n", RS_FMT(line));
	else if (level == RS_LOG_ERROR)
		sim_flow_note("%.*s", RS_FMT(line));
}

void sim_server_boot(uint64_t seed)
{
	struct ast_sip_core_options options = {.conf_dir = dir,
					       .state_dir = dir, /* the database lies on the simulated disk */
					       .module_dir = getenv("MODULE_DIR"),
					       .deterministic = true,
					       .seed = seed,
					       .net = &sim_net_ops,
					       .names = &sim_names_ops};
	struct ast_sip_modules_conf modules = {.autoload = true};
	struct ast_sip_conf_errors errors = {0};

	if (ast_sip_core_start(&options, &errors))
		sim_failed(__FILE_NAME__, __LINE__, "the core: %s", errors.n ? errors.v[0].text : "?");
	ast_sip_conf_errors_free(&errors);
	/* The core follows its own configuration. */
	rs_log_set_level(getenv("SIM_LOG") ? RS_LOG_DEBUG : RS_LOG_ERROR);
	sim_check(options.module_dir);
	sim_check_int(ast_sip_loader_start(options.module_dir, &modules), 0);
	sim_check_int(ast_sip_core_listen(), 0);
}

void sim_server_start(uint64_t seed, struct sim_disk *disk, int64_t wall_later_us)
{
	sim_env_start(&(struct sim_config){.seed = seed, .no_pool = true, .stall = 50, .stall_us = 20 * SIM_MS});
	rs_log_set_sink(log_line, NULL);
	sim_watch_start();
	sim_clock_jump_wall(wall_later_us);
	sim_disk_register(disk);
	sim_server_boot(seed);
}

unsigned sim_server_bindings(const char *aor)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	unsigned n = c ? c->n : 0;

	ast_sip_contacts_unref(c);
	return n;
}

void sim_server_halt(void)
{
	struct ast_sip_location_stats location;

	ast_sip_core_stop(1000);
	sim_check_int(sim_net_open_sockets(), 0);
	ast_sip_location_stats(&location);
	sim_check_int(location.aors, 0);
}

void sim_server_settle(void)
{
	struct ast_sip_location_stats location;
	struct sip_tsx_stats transactions;

	sim_run_for(TRANSACTIONS_END);
	sip_tsx_stats(&transactions);
	sim_check_int(transactions.server_now, 0);
	sim_check_int(transactions.client_now, 0);
	sim_check_int(transactions.completed_now, 0);
	ast_sip_location_stats(&location);
	sim_check_int(location.pending, 0);
}

void sim_server_stop(void)
{
	sim_server_settle();
	sim_server_halt();
	sim_watch_stop();
	rs_log_set_sink(NULL, NULL);
	sim_env_stop();
	/* Every message and transaction was given back. */
	rs_slab_thread_fini();
	sim_check_int(rs_slab_live(), 0);
	sim_disk_unregister();
}
