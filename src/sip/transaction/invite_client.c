/* The client's INVITE transaction: RFC 3261 section 17.1.1 with the Accepted state of RFC 6026, CANCEL by 9.1. */
#include "sip/transaction/tsx.h"

/* The shortest Timer D over unreliable transports: the server's T1 is not known (RFC 3261 section 17.1.1.2). */
#define TIMER_D_MIN_US 32000000

static void start(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	int64_t timeout = tsx_client(tsx)->timeout_us;

	(void)arg;
	if (tsx_client_transmit(tsx))
		return;
	if (!tsx->reliable) {
		tsx->interval = tsx_t1();
		tsx_timer_start(tsx, TSX_TIMER_A, tsx->interval);
	}
	tsx_timer_start(tsx, TSX_TIMER_B, tsx_timer_b());
	if (timeout > 0)
		tsx_timer_start(tsx, TSX_TIMER_DEADLINE, timeout);
}

static void retransmit(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx->interval *= 2;
	tsx_timer_start(tsx, TSX_TIMER_A, tsx->interval);
	tsx_client_resend(tsx);
}

static void time_out(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client_fail(tsx, SIP_TSX_TIMEOUT);
}

/*
 * The phone that rings must not go on ringing for nobody. Its user hears of the end now; the machine stays for the
 * final response that the CANCEL brings, which wants its ACK.
 */
static void give_up(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	if (!tsx_client(tsx)->cancel_sent) {
		tsx_client_send_cancel(tsx);
		tsx_timer_start(tsx, TSX_TIMER_CANCEL, 64 * tsx_t1());
	}
	tsx_client_report_end(tsx, SIP_TSX_TIMEOUT);
	tsx_release_user(tsx);
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

static void cancel_later(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client(tsx)->cancel_wanted = true;
}

static void cancel_now(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_client_send_cancel(tsx);
	tsx_timer_start(tsx, TSX_TIMER_CANCEL, 64 * tsx_t1());
}

static void provisional(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	if (sip_tsx_state(tsx) == SIP_TSX_CALLING) {
		tsx_timer_stop(tsx, TSX_SLOT_RETRANSMIT);
		tsx_timer_stop(tsx, TSX_SLOT_END);
	}
	tsx_set_state(tsx, SIP_TSX_PROCEEDING);
	if (tsx_client(tsx)->cancel_wanted)
		cancel_now(tsx, arg);
	tsx_client_report(tsx, arg->rx);
}

static void accept_2xx(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	/* It crossed the CANCEL of one that was given up: somebody else must end what it began. */
	if (!tsx->user_held) {
		arg->stray = true;
		tsx_end(tsx);
		return;
	}
	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_ACCEPTED);
	tsx_timer_start(tsx, TSX_TIMER_M, tsx_timer_b());
	tsx_client_release_request(tsx);
	tsx_client_report(tsx, arg->rx);
}

static void another(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_client_report(tsx, arg->rx);
}

static void send_ack(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct tsx_client *c = tsx_client(tsx);
	struct sip_tx_data *reduced;

	c->ack = tx_follow(tsx->tx, SIP_METHOD_ACK, sip_rx_msg(rx));
	if (!c->ack || tsx_transmit(c->ack, NULL) || tsx->reliable)
		return;
	reduced = tx_reduce(c->ack);
	if (!reduced)
		return;
	sip_tx_unref(c->ack);
	c->ack = reduced;
}

/* The user hears of nothing after the final response: Timer D is for repetitions that lost our ACK. */
static void complete(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_COMPLETED);
	if (!tsx->reliable)
		tsx_timer_start(tsx, TSX_TIMER_D, tsx_timer_b() > TIMER_D_MIN_US ? tsx_timer_b() : TIMER_D_MIN_US);
	send_ack(tsx, arg->rx);
	tsx_client_report(tsx, arg->rx);
	if (tsx->reliable) {
		tsx_end(tsx);
		return;
	}
	tsx_release_user(tsx);
	tsx_client_release_request(tsx);
}

static void ack_again(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	TSX_COUNT(tsx->entry.hash, absorbed);
	if (tsx_client(tsx)->ack && sip_tx_sealed(tsx_client(tsx)->ack))
		sip_transport_resend(tsx_client(tsx)->ack, NULL);
}

static void end(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_end(tsx);
}

#define DONE (TSX_BIT(COMPLETED) | TSX_BIT(TERMINATED))
#define MACHINE(X)                                                                                                     \
	X(CALLING, START, start, TSX_BIT(TERMINATED))                                                                  \
	X(CALLING, TIMER_A, retransmit, TSX_BIT(TERMINATED))                                                           \
	X(CALLING, TIMER_B, time_out, TSX_BIT(TERMINATED))                                                             \
	X(CALLING, TIMER_DEADLINE, time_out, TSX_BIT(TERMINATED))                                                      \
	X(CALLING, TRANSPORT_ERROR, broken, TSX_BIT(TERMINATED))                                                       \
	X(CALLING, CANCEL, cancel_later, 0)                                                                            \
	X(CALLING, RECV_1XX, provisional, TSX_BIT(PROCEEDING))                                                         \
	X(CALLING, RECV_2XX, accept_2xx, TSX_BIT(ACCEPTED))                                                            \
	X(CALLING, RECV_FINAL, complete, DONE)                                                                         \
	X(CALLING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                          \
	X(PROCEEDING, TIMER_CANCEL, time_out, TSX_BIT(TERMINATED))                                                     \
	X(PROCEEDING, TIMER_DEADLINE, give_up, 0)                                                                      \
	X(PROCEEDING, TRANSPORT_ERROR, broken, TSX_BIT(TERMINATED))                                                    \
	X(PROCEEDING, CANCEL, cancel_now, 0)                                                                           \
	X(PROCEEDING, RECV_1XX, provisional, TSX_BIT(PROCEEDING))                                                      \
	X(PROCEEDING, RECV_2XX, accept_2xx, TSX_BIT(ACCEPTED))                                                         \
	X(PROCEEDING, RECV_FINAL, complete, DONE)                                                                      \
	X(PROCEEDING, TERMINATE, terminate, TSX_BIT(TERMINATED))                                                       \
	X(COMPLETED, RECV_FINAL, ack_again, 0)                                                                         \
	X(COMPLETED, TIMER_D, end, TSX_BIT(TERMINATED))                                                                \
	X(COMPLETED, TERMINATE, end, TSX_BIT(TERMINATED))                                                              \
	X(ACCEPTED, RECV_2XX, another, 0)                                                                              \
	X(ACCEPTED, TIMER_M, end, TSX_BIT(TERMINATED))                                                                 \
	X(ACCEPTED, TERMINATE, end, TSX_BIT(TERMINATED))

const struct tsx_machine tsx_invite_client = {.name = "INVITE client", .cell = {MACHINE(TSX_CELL)}};
