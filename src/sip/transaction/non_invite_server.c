/* The server's transaction of all requests but INVITE: RFC 3261 section 17.2.2, RFC 4320. */
#include "sip/transaction/tsx.h"

/* TRYING: nothing to repeat yet. */
static void absorb(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	TSX_COUNT(tsx->entry.hash, absorbed);
}

static void repeat(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	absorb(tsx, arg);
	tsx_server_resend(tsx);
}

static void start(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_server_start_trying(tsx, tsx_trying_delay());
}

static void late_trying(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_set_state(tsx, SIP_TSX_PROCEEDING);
	tsx_server_trying(tsx);
}

/*
 * Completed: what is left is a record that repeats the answer (Timer J); over a reliable transport nothing is, J is 0.
 * Nobody hears of this transaction again, so its user is let go here. A 408 is never said (RFC 4320 section 4.2).
 */
static void complete(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	bool silent = arg->tx->status == 408, was;

	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_COMPLETED);
	if (!silent)
		tsx_server_send(tsx, arg);
	if (silent || !tsx->reliable) {
		was = tsx_table_complete(tsx, silent ? NULL : tsx->tx, tsx_timer_b());
	} else {
		was = tsx_table_remove(tsx);
		/* Nothing is sent again, but whoever grew from this transaction may keep its serializer for long. */
		sip_tx_unref(tsx->tx);
		tsx->tx = NULL;
	}
	tsx_release_user(tsx);
	tsx_server_release_request(tsx);
	if (was)
		sip_tsx_unref(tsx);
}

static void terminate(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_end(tsx);
}

#define MACHINE(X)                                                                                                     \
	X(TRYING, START, start, 0)                                                                                     \
	X(TRYING, REQUEST, absorb, 0)                                                                                  \
	X(TRYING, TIMER_TRYING, late_trying, TSX_BIT(PROCEEDING))                                                      \
	X(TRYING, SEND_FINAL, complete, TSX_BIT(COMPLETED))                                                            \
	X(TRYING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                           \
	X(PROCEEDING, REQUEST, repeat, 0)                                                                              \
	X(PROCEEDING, SEND_FINAL, complete, TSX_BIT(COMPLETED))                                                        \
	X(PROCEEDING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                       \
	X(COMPLETED, REQUEST, repeat, 0)                                                                               \
	X(COMPLETED, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                        \
	X(TERMINATED, REQUEST, repeat, 0)

const struct tsx_machine tsx_non_invite_server = {.name = "non-INVITE server", .cell = {MACHINE(TSX_CELL)}};
