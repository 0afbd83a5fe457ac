/* The client's transaction of all requests but INVITE: RFC 3261 section 17.1.2. */
#include "sip/transaction/tsx.h"

static void start(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	int64_t timeout = tsx_client(tsx)->timeout_us;

	(void)arg;
	if (tsx_client_transmit(tsx))
		return;
	if (!tsx->reliable) {
		tsx->interval = tsx_t1();
		tsx_timer_start(tsx, TSX_TIMER_E, tsx->interval);
	}
	tsx_timer_start(tsx, TSX_TIMER_F, tsx_timer_b());
	if (timeout > 0)
		tsx_timer_start(tsx, TSX_TIMER_DEADLINE, timeout);
}

static void repeat(struct sip_tsx *tsx, int64_t next)
{
	tsx->interval = next < tsx_t2() ? next : tsx_t2();
	tsx_timer_start(tsx, TSX_TIMER_E, tsx->interval);
	tsx_client_resend(tsx);
}

static void retransmit(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	repeat(tsx, tsx->interval * 2);
}

static void retransmit_slowly(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	repeat(tsx, tsx_t2());
}

static void time_out(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client_fail(tsx, SIP_TSX_TIMEOUT);
}

static void broken(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client_fail(tsx, SIP_TSX_TRANSPORT_ERROR);
}

static void terminate(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client_fail(tsx, SIP_TSX_CANCELLED_LOCALLY);
}

static void provisional(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_set_state(tsx, SIP_TSX_PROCEEDING);
	tsx_client_report(tsx, arg->rx);
}

/*
 * The user hears of nothing after the final response: only a record is left for Timer K, which keeps its repetitions
 * from being strays. Those that wait on the serializer by then are absorbed here.
 */
static void complete(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	bool was;

	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_COMPLETED);
	tsx_client_report(tsx, arg->rx);
	if (tsx->reliable) {
		tsx_end(tsx);
		return;
	}
	was = tsx_table_complete(tsx, NULL, tsx_t4());
	tsx_release_user(tsx);
	tsx_client_release_request(tsx);
	if (was)
		sip_tsx_unref(tsx);
}

static void absorb(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	TSX_COUNT(tsx->entry.hash, absorbed);
}

static void end(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_end(tsx);
}

#define MACHINE(X)                                                                                                     \
	X(TRYING, START, start, TSX_BIT(TERMINATED))                                                                   \
	X(TRYING, TIMER_E, retransmit, TSX_BIT(TERMINATED))                                                            \
	X(TRYING, TIMER_F, time_out, TSX_BIT(TERMINATED))                                                              \
	X(TRYING, TIMER_DEADLINE, time_out, TSX_BIT(TERMINATED))                                                       \
	X(TRYING, TRANSPORT_ERROR, broken, TSX_BIT(TERMINATED))                                                        \
	X(TRYING, RECV_1XX, provisional, TSX_BIT(PROCEEDING))                                                          \
	X(TRYING, RECV_2XX, complete, TSX_BIT(COMPLETED) | TSX_BIT(TERMINATED))                                        \
	X(TRYING, RECV_FINAL, complete, TSX_BIT(COMPLETED) | TSX_BIT(TERMINATED))                                      \
	X(TRYING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                           \
	X(PROCEEDING, TIMER_E, retransmit_slowly, TSX_BIT(TERMINATED))                                                 \
	X(PROCEEDING, TIMER_F, time_out, TSX_BIT(TERMINATED))                                                          \
	X(PROCEEDING, TIMER_DEADLINE, time_out, TSX_BIT(TERMINATED))                                                   \
	X(PROCEEDING, TRANSPORT_ERROR, broken, TSX_BIT(TERMINATED))                                                    \
	X(PROCEEDING, RECV_1XX, provisional, TSX_BIT(PROCEEDING))                                                      \
	X(PROCEEDING, RECV_2XX, complete, TSX_BIT(COMPLETED) | TSX_BIT(TERMINATED))                                    \
	X(PROCEEDING, RECV_FINAL, complete, TSX_BIT(COMPLETED) | TSX_BIT(TERMINATED))                                  \
	X(PROCEEDING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                       \
	X(COMPLETED, RECV_1XX, absorb, 0)                                                                              \
	X(COMPLETED, RECV_2XX, absorb, 0)                                                                              \
	X(COMPLETED, RECV_FINAL, absorb, 0)                                                                            \
	X(COMPLETED, TERMINATE, end, TSX_BIT(TERMINATED))

const struct tsx_machine tsx_non_invite_client = {.name = "non-INVITE client", .cell = {MACHINE(TSX_CELL)}};
