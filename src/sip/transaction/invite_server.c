/* The server's INVITE transaction: RFC 3261 section 17.2.1 with the Accepted state of RFC 6026. */
#include "sip/transaction/tsx.h"

/* Section 17.2.1: 100 unless the user answered within this time. */
#define TRYING_DELAY_US 200000

static void start(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_server_start_trying(tsx, TRYING_DELAY_US);
}

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

static void trying(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_server_trying(tsx);
}

static void provisional(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_timer_stop(tsx, TSX_SLOT_RETRANSMIT);
	tsx_server_send(tsx, arg);
}

/* A 2xx is the user's to repeat until its ACK comes; the machine only keeps the INVITE from being taken for a new one.
 */
static void accept_2xx(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_ACCEPTED);
	tsx_timer_start(tsx, TSX_TIMER_L, tsx_timer_b());
	tsx_server_send(tsx, arg);
	tsx_server_release_request(tsx);
}

static void again(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_server_send(tsx, arg);
}

static void complete(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	tsx_timer_stop_all(tsx);
	tsx_set_state(tsx, SIP_TSX_COMPLETED);
	tsx_server_send(tsx, arg);
	tsx_server_keep_answer(tsx);
	tsx_server_release_request(tsx);
	tsx_timer_start(tsx, TSX_TIMER_H, tsx_timer_b());
	if (tsx->reliable)
		return;
	tsx->interval = tsx_t1();
	tsx_timer_start(tsx, TSX_TIMER_G, tsx->interval);
}

static void retransmit(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_server_resend(tsx);
	tsx->interval = tsx->interval * 2 < tsx_t2() ? tsx->interval * 2 : tsx_t2();
	tsx_timer_start(tsx, TSX_TIMER_G, tsx->interval);
}

static void no_ack(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	TSX_COUNT(tsx->entry.hash, timeouts);
	tsx_end(tsx);
}

static void confirm(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_timer_stop_all(tsx);
	if (tsx->reliable) {
		tsx_end(tsx);
		return;
	}
	tsx_set_state(tsx, SIP_TSX_CONFIRMED);
	tsx_timer_start(tsx, TSX_TIMER_I, tsx_t4());
}

static void ack_to_user(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	if (tsx->user && tsx->user->on_ack)
		tsx->user->on_ack(tsx, arg->rx, tsx->token);
}

/* A dialog may keep the block for hours, as the place of its serializer; the answer is needed no longer. */
static void end(struct sip_tsx *tsx, struct tsx_arg *arg)
{
	(void)arg;
	tsx_end(tsx);
	sip_tx_unref(tsx->tx);
	tsx->tx = NULL;
}

#define MACHINE(X)                                                                                                     \
	X(PROCEEDING, START, start, 0)                                                                                 \
	X(PROCEEDING, REQUEST, repeat, 0)                                                                              \
	X(PROCEEDING, TIMER_TRYING, trying, 0)                                                                         \
	X(PROCEEDING, SEND_1XX, provisional, 0)                                                                        \
	X(PROCEEDING, SEND_2XX, accept_2xx, TSX_BIT(ACCEPTED))                                                         \
	X(PROCEEDING, SEND_FINAL, complete, TSX_BIT(COMPLETED))                                                        \
	X(PROCEEDING, TERMINATE, end, TSX_BIT(TERMINATED))                                                             \
	X(ACCEPTED, REQUEST, absorb, 0)                                                                                \
	X(ACCEPTED, SEND_2XX, again, 0)                                                                                \
	X(ACCEPTED, ACK, ack_to_user, 0)                                                                               \
	X(ACCEPTED, TIMER_L, end, TSX_BIT(TERMINATED))                                                                 \
	X(ACCEPTED, TERMINATE, end, TSX_BIT(TERMINATED))                                                               \
	X(COMPLETED, REQUEST, repeat, 0)                                                                               \
	X(COMPLETED, TIMER_G, retransmit, 0)                                                                           \
	X(COMPLETED, TIMER_H, no_ack, TSX_BIT(TERMINATED))                                                             \
	X(COMPLETED, ACK, confirm, TSX_BIT(CONFIRMED) | TSX_BIT(TERMINATED))                                           \
	X(COMPLETED, TERMINATE, end, TSX_BIT(TERMINATED))                                                              \
	X(CONFIRMED, REQUEST, absorb, 0)                                                                               \
	X(CONFIRMED, ACK, absorb, 0)                                                                                   \
	X(CONFIRMED, TIMER_I, end, TSX_BIT(TERMINATED))                                                                \
	X(CONFIRMED, TERMINATE, end, TSX_BIT(TERMINATED))                                                              \
	X(TERMINATED, REQUEST, repeat, 0)

const struct tsx_machine tsx_invite_server = {.name = "INVITE server", .cell = {MACHINE(TSX_CELL)}};
