/* The stack over the simulated network. Apart from sim_run.c, so that a test of lower layers need not link it. */
#include "sim_run.h"

void sim_start(const struct sim_config *config)
{
	/* The stack keeps no copy of what it is told to use. */
	static struct sip_stack_config stack;
	int error;

	sim_env_start(config);
	stack = config->stack;
	stack.net = &sim_net_ops;
	stack.net_token = NULL;
	stack.names = &sim_names_ops;
	stack.names_token = NULL;
	error = sip_stack_start(&stack);
	if (error)
		sim_failed(__FILE_NAME__, __LINE__, "sip_stack_start: %s", strerror(error));
}

void sim_stop(void)
{
	sip_stack_stop();
	sim_check_int(sim_net_open_sockets(), 0);
	sim_env_stop();
}
