/*
 * A service: what the design calls a pjsip_module. It is handed to the stack with ast_sip_register_service
 * (res_sip/res_sip.h) and hears of messages in the order of priority, lowest first, until one handles it.
 */
#ifndef SIP_MODULE_H
#define SIP_MODULE_H

#include "sip/transaction.h"

/* Places in the chain (section 5 of the reference). Services of the same priority run in order of registration. */
enum sip_module_priority {
	SIP_PRIORITY_LOGGER = 0,
	SIP_PRIORITY_ACL = 1,
	SIP_PRIORITY_FILTER = 8,    /* the core: what 400, 416, 420 and 505 answer */
	SIP_PRIORITY_IDENTIFY = 13, /* the core: after it sip_rx has its endpoint */
	SIP_PRIORITY_NAT = 14,
	SIP_PRIORITY_MAINTENANCE = 61,
	SIP_PRIORITY_AUTHENTICATE = 62, /* the core */
	SIP_PRIORITY_APPLICATION = 64,
};

struct sip_module {
	uint32_t size;    /* sizeof(struct sip_module) */
	const char *name; /* unique, static */
	int priority;
	/*
	 * A request outside of any dialog. true: handled (answered now or later; keep a reference of rx or its
	 * transaction for that). Runs on the transaction's serializer, on any pool thread; may block, which delays
	 * its own serializer only.
	 */
	bool (*on_rx_request)(struct sip_rx_data *rx);
	/* A response that belongs to no transaction of ours. true: handled. */
	bool (*on_rx_response)(struct sip_rx_data *rx);
	/* A response to a request that the core sends for an endpoint, before the request's sender sees it; may rewrite
	 * it (sip_rx_override). On the request's serializer. */
	void (*on_rx_answer)(struct sip_rx_data *rx);
	/* Before a message is sealed and sent; may add headers. 0, or -1 to stop the send. */
	int (*on_tx_request)(struct sip_tx_data *tx);
	int (*on_tx_response)(struct sip_tx_data *tx);
	/* The methods that it handles, comma-separated, for Allow; NULL: none. The option tags, for Supported. */
	const char *methods;
	const char *supported;
	void *owner; /* the core's: the module that registered it */
};

#endif
