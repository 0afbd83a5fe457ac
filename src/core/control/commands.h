/* The core's own commands, a file for each group. */
#ifndef CORE_CONTROL_COMMANDS_H
#define CORE_CONTROL_COMMANDS_H

#include "res_sip/cli.h"

#define COMMAND(...)                                                                                                   \
	{                                                                                                              \
		.size = sizeof(struct ast_sip_cli_command), __VA_ARGS__                                                \
	}

struct command_group {
	struct ast_sip_cli_command *v;
	size_t n;
};
struct command_group control_core_commands(void);
struct command_group control_module_commands(void);
struct command_group control_endpoint_commands(void);
struct command_group control_auth_commands(void);
struct command_group control_aor_commands(void);
struct command_group control_contact_commands(void);
struct command_group control_identify_commands(void);
struct command_group control_transport_commands(void);
struct command_group control_pjsip_commands(void);

void control_commands_register(void);
void control_commands_unregister(void);

#endif
