#include "core/control/commands.h"

static struct command_group (*const groups[])(void) = {
	control_core_commands,     control_module_commands,    control_endpoint_commands,
	control_auth_commands,     control_aor_commands,       control_contact_commands,
	control_identify_commands, control_transport_commands, control_pjsip_commands,
};

void control_commands_register(void)
{
	for (size_t i = 0; i < RS_ARRAY_SIZE(groups); i++) {
		struct command_group g = groups[i]();

		ast_sip_cli_register(g.v, g.n);
	}
}

void control_commands_unregister(void)
{
	for (size_t i = 0; i < RS_ARRAY_SIZE(groups); i++) {
		struct command_group g = groups[i]();

		ast_sip_cli_unregister(g.v, g.n);
	}
}
