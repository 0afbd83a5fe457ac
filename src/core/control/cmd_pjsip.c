/* What concerns no single object: pjsip reload, show settings, version, identifiers, unidentified_requests, services, …
 */
#include "core/control/commands.h"
#include "core/control/control.h"
#include "core/control/show.h"
#include "core/core.h"
#include "res_sip/location.h"
#include "sip/dialog.h"

#include <stdio.h>

static void print_errors(struct ast_sip_cli *cli, const struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const struct ast_sip_conf_error *e = &errors->v[i];

		ast_sip_cli_error(cli, "%s:%u: %s%s", e->file, e->line, e->warning ? "warning: " : "", e->text);
	}
}

static int reload(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	const struct ast_sip_control_config *config = ast_sip_control_config();
	struct ast_sip_conf_errors errors = {0};
	int result;

	(void)argc;
	(void)argv;
	result = config->reload ? config->reload(config->token, &errors) : ast_sip_core_reload(&errors);
	print_errors(cli, &errors);
	ast_sip_conf_errors_free(&errors);
	if (result == 0)
		ast_sip_cli_print(cli, "The configuration was reloaded.\n");
	else
		ast_sip_cli_error(cli, "The configuration was not reloaded: the one before stays in force.");
	return result;
}

static void option_each(void *token, struct rs_str name, struct rs_str value)
{
	show_option(token, name, value);
}

static void settings_of(struct ast_sip_cli *cli, const char *title, const char *type, const void *object)
{
	ast_sip_cli_print(cli, "\n%s Settings:", title);
	show_option_head(cli);
	ast_sip_cli_json_object(cli, type);
	ast_sip_object_options(object, type, option_each, cli);
	ast_sip_cli_json_end(cli);
}

static int settings(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();

	(void)argc;
	(void)argv;
	if (!s) {
		ast_sip_cli_error(cli, "The configuration has not been loaded.");
		return -1;
	}
	settings_of(cli, "Global", "global", ast_sip_snapshot_global(s));
	settings_of(cli, "System", "system", ast_sip_snapshot_system(s));
	ast_sip_cli_print(cli, "\n");
	ast_sip_snapshot_unref(s);
	return 0;
}

static int version(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "SIP stack of res_sip, version %s\n", RES_SIP_VERSION);
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_str(cli, "version", rs_str_c(RES_SIP_VERSION));
	ast_sip_cli_json_end(cli);
	return 0;
}

static void identifier_line(void *token, const char *name)
{
	struct ast_sip_cli *cli = token;
	const char *text = name ? name : "name not specified";

	ast_sip_cli_print(cli, "%s\n", text);
	ast_sip_cli_json_str(cli, NULL, rs_str_c(text));
}

static int identifiers(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "Identifier Names:\n");
	ast_sip_cli_json_list(cli, "identifiers");
	ast_sip_identifiers_each(identifier_line, cli);
	ast_sip_cli_json_end(cli);
	return 0;
}

static void unidentified_line(void *token, const struct sip_addr *ip, unsigned count, int64_t age_s)
{
	struct ast_sip_cli *cli = token;
	char addr[SIP_ADDR_TEXT];

	sip_addr_text(ip, false, addr);
	ast_sip_cli_print(cli, "%-48s %8u %12lld\n", addr, count, (long long)age_s);
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_str(cli, "ip", rs_str_c(addr));
	ast_sip_cli_json_int(cli, "count", count);
	ast_sip_cli_json_int(cli, "age_s", age_s);
	ast_sip_cli_json_end(cli);
}

static int unidentified(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "%-48s %8s %12s\n", "IP Address", "Count", "Age(sec)");
	ast_sip_cli_json_list(cli, "unidentified_requests");
	ast_sip_unidentified_each(unidentified_line, cli);
	ast_sip_cli_json_end(cli);
	return 0;
}

static void service_line(void *token, const struct sip_module *s)
{
	struct ast_sip_cli *cli = token;
	const char *owner = ast_sip_module_name(s->owner), *methods = s->methods ? s->methods : "";

	ast_sip_cli_print(cli, "%8d  %-40s %-40s %s\n", s->priority, s->name, owner, methods);
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_int(cli, "priority", s->priority);
	ast_sip_cli_json_str(cli, "service", rs_str_c(s->name));
	ast_sip_cli_json_str(cli, "module", rs_str_c(owner));
	ast_sip_cli_json_str(cli, "methods", rs_str_c(methods));
	ast_sip_cli_json_end(cli);
}

static int services(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ast_sip_cli_print(cli, "%8s  %-40s %-40s %s\n", "Priority", "Service", "Module", "Methods");
	ast_sip_cli_json_list(cli, "services");
	ast_sip_services_each(service_line, cli);
	ast_sip_cli_json_end(cli);
	return 0;
}

static void figure(struct ast_sip_cli *cli, const char *label, const char *key, uint64_t value)
{
	ast_sip_cli_print(cli, "%-36s %llu\n", label, (unsigned long long)value);
	ast_sip_cli_json_int(cli, key, (int64_t)value);
}

static int transactions(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct sip_tsx_stats s;

	(void)argc;
	(void)argv;
	sip_tsx_stats(&s);
	ast_sip_cli_json_object(cli, NULL);
	figure(cli, "Server transactions", "server_now", s.server_now);
	figure(cli, "Of these kept for retransmissions", "completed_now", s.completed_now);
	figure(cli, "Client transactions", "client_now", s.client_now);
	figure(cli, "Made so far", "created", s.created);
	figure(cli, "Retransmissions absorbed", "absorbed", s.absorbed);
	figure(cli, "Ended by timer B or F", "timeouts", s.timeouts);
	figure(cli, "Responses that matched none", "stray_responses", s.stray_responses);
	figure(cli, "Refused by the limit", "refused", s.refused);
	ast_sip_cli_json_end(cli);
	return 0;
}

static int dialogs(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct sip_dialog_stats s;

	(void)argc;
	(void)argv;
	sip_dialog_stats(&s);
	ast_sip_cli_json_object(cli, NULL);
	figure(cli, "Dialogs", "now", s.now);
	figure(cli, "Of these early", "early_now", s.early_now);
	figure(cli, "Made so far", "created", s.created);
	figure(cli, "Refused by the limit", "refused", s.refused);
	figure(cli, "ACKs that were nobody's", "stray_acks", s.stray_acks);
	ast_sip_cli_json_end(cli);
	return 0;
}

static int location(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct ast_sip_location_stats s;

	(void)argc;
	(void)argv;
	ast_sip_location_stats(&s);
	ast_sip_cli_json_object(cli, NULL);
	figure(cli, "AORs with contacts", "aors", s.aors);
	figure(cli, "Bindings", "bindings", s.bindings);
	figure(cli, "Commits", "commits", s.commits);
	figure(cli, "Changes committed", "changes", s.changes);
	figure(cli, "Changes that failed", "failed", s.failed);
	figure(cli, "Changes waiting", "pending", s.pending);
	ast_sip_cli_json_end(cli);
	return 0;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "pjsip reload", .help = "Reads the configuration again, all or nothing", .handler = reload),
	COMMAND(.path = "pjsip show settings", .help = "All global and system options", .handler = settings),
	COMMAND(.path = "pjsip show version", .help = "The SIP stack's version", .handler = version),
	COMMAND(.path = "pjsip show identifiers", .help = "Endpoint identifiers in the order in which they are asked",
		.handler = identifiers),
	COMMAND(.path = "pjsip show unidentified_requests",
		.help = "Sources of requests that no endpoint was found for", .handler = unidentified),
	COMMAND(.path = "pjsip show services", .help = "Services in the order in which they see a request",
		.handler = services),
	COMMAND(.path = "pjsip show transactions", .help = "Figures of the transactions", .handler = transactions),
	COMMAND(.path = "pjsip show dialogs", .help = "Figures of the dialogs", .handler = dialogs),
	COMMAND(.path = "pjsip show location", .help = "Figures of the location store", .handler = location),
};

struct command_group control_pjsip_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
