/* core show taskpool|memory|uptime|version, core stop, core set log level, help. */
#include "base/taskpool.h"
#include "base/log.h"
#include "core/control/commands.h"
#include "core/control/control.h"
#include "core/control/registry.h"
#include "core/core.h"
#include "res_sip/location.h"
#include "sip/dialog.h"
#include "sip/transaction.h"
#include "sip/transport.h"

#include <malloc.h>
#include <stdio.h>

static void figure(struct ast_sip_cli *cli, const char *label, const char *key, int64_t value)
{
	ast_sip_cli_print(cli, "%-30s %lld\n", label, (long long)value);
	ast_sip_cli_json_int(cli, key, value);
}

static int taskpool(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct rs_taskpool_stats s;

	(void)argc;
	(void)argv;
	rs_taskpool_stats(&s);
	ast_sip_cli_json_object(cli, NULL);
	figure(cli, "Threads", "threads", s.threads);
	figure(cli, "Idle threads", "idle", s.idle);
	figure(cli, "Parked threads", "parked", s.parked);
	figure(cli, "Most threads so far", "peak_threads", s.peak_threads);
	figure(cli, "Threads added", "grown", (int64_t)s.grown);
	figure(cli, "Threads ended", "shrunk", (int64_t)s.shrunk);
	figure(cli, "Tasks run", "tasks_run", (int64_t)s.tasks_run);
	figure(cli, "Serializers stolen", "steals", (int64_t)s.steals);
	figure(cli, "Tasks waiting", "queued", (int64_t)s.queued);
	figure(cli, "Most tasks waiting so far", "queued_max", (int64_t)s.queued_max);
	figure(cli, "Tasks named by the watchdog", "stuck", (int64_t)s.stuck);
	figure(cli, "Timers armed", "timers", (int64_t)s.timers);
	figure(cli, "Longest wait now (us)", "oldest_wait_us", s.oldest_wait_us);
	ast_sip_cli_json_end(cli);
	return 0;
}

static void add_connections(void *token, const struct sip_listener_stats *stats)
{
	*(uint64_t *)token += stats->connections_now;
}

/* What is held at this moment, by kind: a server without traffic comes down to its permanent contacts. */
static int memory(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct mallinfo2 heap = mallinfo2();
	struct ast_sip_location_stats location;
	struct sip_dialog_stats dialogs;
	struct sip_tsx_stats tsx;
	uint64_t connections = 0;

	(void)argc;
	(void)argv;
	ast_sip_location_stats(&location);
	sip_tsx_stats(&tsx);
	sip_dialog_stats(&dialogs);
	sip_transport_each(add_connections, &connections);
	ast_sip_cli_json_object(cli, NULL);
	figure(cli, "Heap in use (bytes)", "heap_used", (int64_t)(heap.uordblks + heap.hblkhd));
	figure(cli, "Heap from the system (bytes)", "heap_mapped", (int64_t)(heap.arena + heap.hblkhd));
	figure(cli, "Server transactions", "server_transactions", (int64_t)tsx.server_now);
	figure(cli, "Of these completed", "completed_transactions", (int64_t)tsx.completed_now);
	figure(cli, "Client transactions", "client_transactions", (int64_t)tsx.client_now);
	figure(cli, "Dialogs", "dialogs", (int64_t)dialogs.now);
	figure(cli, "Stream connections", "connections", (int64_t)connections);
	figure(cli, "AORs in use", "aors", (int64_t)location.aors);
	figure(cli, "Bindings", "bindings", (int64_t)location.bindings);
	figure(cli, "Changes of bindings under way", "pending_changes", (int64_t)location.pending);
	ast_sip_cli_json_end(cli);
	return 0;
}

static int uptime(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	int64_t s = (rs_now_us() - ast_sip_core_started_us()) / 1000000;

	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "System uptime: %lld days, %lld hours, %lld minutes, %lld seconds\n",
			  (long long)(s / 86400), (long long)(s / 3600 % 24), (long long)(s / 60 % 60),
			  (long long)(s % 60));
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_int(cli, "uptime_s", s);
	ast_sip_cli_json_end(cli);
	return 0;
}

static int version(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "res_sip %s (module ABI %d)\n", RES_SIP_VERSION, AST_SIP_MODULE_ABI);
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_str(cli, "version", rs_str_c(RES_SIP_VERSION));
	ast_sip_cli_json_int(cli, "module_abi", AST_SIP_MODULE_ABI);
	ast_sip_cli_json_end(cli);
	return 0;
}

static int stop(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	const struct ast_sip_control_config *config = ast_sip_control_config();
	bool at_once = argc == 1 && strcasecmp(argv[0], "now") == 0;

	if (argc > 1 || (argc == 1 && !at_once && strcasecmp(argv[0], "gracefully") != 0)) {
		ast_sip_cli_error(cli, "What may follow: now, gracefully");
		return -1;
	}
	if (!config->stop) {
		ast_sip_cli_error(cli, "This server cannot be stopped from here.");
		return -1;
	}
	config->stop(config->token, at_once);
	ast_sip_cli_print(cli, "The server stops.\n");
	return 0;
}

static const char *const levels[] = {"error", "warning", "notice", "info", "verbose", "debug"};
static const enum rs_log_level level_values[] = {RS_LOG_ERROR, RS_LOG_WARNING, RS_LOG_NOTICE,
						 RS_LOG_INFO,  RS_LOG_VERBOSE, RS_LOG_DEBUG};

static int log_level(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	for (size_t i = 0; argc == 1 && i < RS_ARRAY_SIZE(levels); i++) {
		if (strcasecmp(argv[0], levels[i]) != 0)
			continue;
		rs_log_set_level(level_values[i]);
		ast_sip_cli_print(cli, "Lines up to %s are written.\n", levels[i]);
		return 0;
	}
	ast_sip_cli_error(cli, "The levels are error, warning, notice, info, verbose and debug.");
	return -1;
}

static char *word_complete(const char *const *words, size_t n_words, const char *prefix, int n)
{
	for (size_t i = 0; i < n_words; i++) {
		if (strncasecmp(words[i], prefix, strlen(prefix)) == 0 && n-- == 0)
			return rs_str_dup(rs_str_c(words[i]));
	}
	return NULL;
}

static char *level_complete(int arg, const char *prefix, int n)
{
	return arg == 0 ? word_complete(levels, RS_ARRAY_SIZE(levels), prefix, n) : NULL;
}

static char *stop_complete(int arg, const char *prefix, int n)
{
	static const char *const words[] = {"now", "gracefully"};

	return arg == 0 ? word_complete(words, RS_ARRAY_SIZE(words), prefix, n) : NULL;
}

static int help(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	if (cli_help(cli, argc, argv))
		return 0;
	cli_explain(cli, argc, argv);
	return -1;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "core show taskpool", .help = "Figures of the taskpool", .handler = taskpool),
	COMMAND(.path = "core show memory", .help = "Heap, transactions, connections, bindings", .handler = memory),
	COMMAND(.path = "core show uptime", .help = "How long the server has run", .handler = uptime),
	COMMAND(.path = "core show version", .help = "The server's version", .handler = version),
	COMMAND(.path = "core stop", .usage = "[now|gracefully]", .help = "Ends the server", .handler = stop,
		.complete = stop_complete),
	COMMAND(.path = "core set log level", .usage = "<level>", .help = "The most detailed lines that are logged",
		.handler = log_level, .complete = level_complete),
	COMMAND(.path = "core show help", .usage = "[<words>]", .help = "Commands that begin so", .handler = help),
	COMMAND(.path = "help", .usage = "[<words>]", .help = "Commands that begin so", .handler = help),
};

struct command_group control_core_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
