/* Start and stop of the stack. */
#include "sip/transport/tp.h"

int sip_stack_start(const struct sip_stack_config *config)
{
	int error;

	sip_stack_config_set(config);
	error = sip_resolver_start();
	if (error)
		return error;
	error = sip_transport_start();
	if (error)
		goto resolver;
	error = sip_transaction_start();
	if (error)
		goto transport;
	error = sip_dialog_start();
	if (error)
		goto transaction;
	return 0;

transaction:
	sip_transaction_stop();
transport:
	sip_transport_stop();
resolver:
	sip_resolver_stop();
	return error;
}

void sip_stack_stop(void)
{
	sip_transport_quiesce();
	sip_dialog_stop();
	sip_transaction_stop();
	sip_transport_stop();
	sip_resolver_stop();
}
