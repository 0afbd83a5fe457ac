/* The stack's configuration: a copy, with the defaults filled in. */
#include "sip/transport/tp.h"

#include "base/taskpool.h"

#include <stdlib.h>

/* RFC 3261, table 4. */
#define T1_US 500000
#define T2_US 4000000
#define T4_US 5000000

#define MAX_TRANSACTIONS         2000000 /* a flood of requests fills memory */
#define MAX_DIALOGS              1000000 /* calls that nobody ends fill it, too */
#define MAX_CONNECTIONS          20000   /* a flood of connections takes every descriptor */
#define MAX_CONNECTIONS_PER_PEER 1000    /* one peer takes them all */
#define STREAM_IDLE_S            3600    /* connections that are left open */
#define RETRY_AFTER_S            5
#define STREAM_HALF_OPEN_S       32 /* connections that say nothing, messages that never end */
#define STREAM_SEND_S            32
#define STREAM_SEND_QUEUE        1048576 /* a reader that never reads */

static struct sip_stack_config current;
static char *server_name;

static int64_t or64(int64_t v, int64_t otherwise)
{
	return v ? v : otherwise;
}

static uint32_t or32(uint32_t v, uint32_t otherwise)
{
	return v ? v : otherwise;
}

void sip_stack_config_set(const struct sip_stack_config *config)
{
	struct sip_stack_config c = *config;

	c.net = c.net ? c.net : &sip_net_kernel;
	c.t1_us = or64(c.t1_us, T1_US);
	c.t2_us = or64(c.t2_us, T2_US);
	c.t4_us = or64(c.t4_us, T4_US);
	c.timer_b_us = or64(c.timer_b_us, 64 * c.t1_us);
	c.max_transactions = or32(c.max_transactions, MAX_TRANSACTIONS);
	c.max_dialogs = or32(c.max_dialogs, MAX_DIALOGS);
	c.max_connections = or32(c.max_connections, MAX_CONNECTIONS);
	c.max_connections_per_peer = or32(c.max_connections_per_peer, MAX_CONNECTIONS_PER_PEER);
	c.stream_idle_s = or32(c.stream_idle_s, STREAM_IDLE_S);
	c.stream_half_open_s = or32(c.stream_half_open_s, STREAM_HALF_OPEN_S);
	c.stream_send_s = or32(c.stream_send_s, STREAM_SEND_S);
	c.stream_send_queue = or32(c.stream_send_queue, STREAM_SEND_QUEUE);
	c.retry_after_s = or32(c.retry_after_s, RETRY_AFTER_S);
	c.readers = or32(c.readers, rs_processors());
	free(server_name);
	server_name = c.server_name.len ? rs_str_dup(c.server_name) : NULL;
	c.server_name = rs_str_c(server_name);
	current = c;
}

const struct sip_stack_config *sip_stack_config(void)
{
	return &current;
}
