/* What the four machines share: events against the table, states, timers, the user, the way out. */
#include "sip/transaction/tsx.h"

#include "base/log.h"

#include <errno.h>

static const char *const state_names[] = {
#define STATE_NAME(s) #s,
	SIP_TSX_STATES(STATE_NAME)
#undef STATE_NAME
};
static const char *const event_names[] = {
#define EVENT_NAME(e) #e,
	TSX_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};

const char *sip_tsx_state_name(enum sip_tsx_state s)
{
	return (unsigned)s < RS_ARRAY_SIZE(state_names) ? state_names[s] : "?";
}

const char *tsx_event_name(enum tsx_event e)
{
	return (unsigned)e < RS_ARRAY_SIZE(event_names) ? event_names[e] : "?";
}

/* ---- the stack's times ---- */

int64_t tsx_t1(void)
{
	return sip_stack_config()->t1_us;
}

int64_t tsx_t2(void)
{
	return sip_stack_config()->t2_us;
}

int64_t tsx_t4(void)
{
	return sip_stack_config()->t4_us;
}

int64_t tsx_timer_b(void)
{
	return sip_stack_config()->timer_b_us;
}

int64_t tsx_trying_delay(void)
{
	int64_t sum = 0;

	for (int64_t e = tsx_t1(); e > 0 && e < tsx_t2(); e *= 2)
		sum += e;
	return sum;
}

/* ---- events and states ---- */

bool tsx_dispatch(struct sip_tsx *tsx, enum tsx_event event, struct tsx_arg *arg)
{
	enum sip_tsx_state state = sip_tsx_state(tsx);
	const struct tsx_cell *cell = &tsx->machine->cell[state][event];
	struct tsx_arg none = {0};
	uint8_t outer = tsx->allowed;

	if (!cell->handle) {
		rs_event(RS_LOG_DEBUG, "transaction.ignored", RS_FZ("machine", tsx->machine->name),
			 RS_FZ("state", sip_tsx_state_name(state)), RS_FZ("event", tsx_event_name(event)));
		return false;
	}
	sip_tsx_ref(tsx);
	tsx->allowed = cell->next;
	cell->handle(tsx, arg ? arg : &none);
	tsx->allowed = outer;
	sip_tsx_unref(tsx);
	return true;
}

void tsx_set_state(struct sip_tsx *tsx, enum sip_tsx_state state)
{
	if (!(tsx->allowed & (1u << state)))
		rs_event(RS_LOG_ERROR, "transaction.state", RS_FZ("machine", tsx->machine->name),
			 RS_FZ("from", sip_tsx_state_name(sip_tsx_state(tsx))), RS_FZ("to", sip_tsx_state_name(state)));
	else
		atomic_store_explicit(&tsx->state, (uint8_t)state, memory_order_relaxed);
}

void tsx_end(struct sip_tsx *tsx)
{
	bool was;

	if (sip_tsx_state(tsx) == SIP_TSX_TERMINATED)
		return;
	atomic_store_explicit(&tsx->state, SIP_TSX_TERMINATED, memory_order_relaxed);
	was = tsx_table_remove(tsx);
	tsx_timer_stop_all(tsx);
	tsx_release_user(tsx);
	if (tsx->role == SIP_TSX_UAS)
		tsx_server_release_request(tsx);
	else
		tsx_client_release_request(tsx);
	if (was)
		sip_tsx_unref(tsx);
}

/* ---- the user ---- */

static void ignore_hold(void *module, int delta, const char *what, const char *name)
{
	(void)module, (void)delta, (void)what, (void)name;
}

void (*sip_module_hold)(void *module, int delta, const char *what, const char *name) = ignore_hold;

static const char *what_for(const struct sip_tsx *tsx)
{
	return tsx->role == SIP_TSX_UAC ? "client transaction" : "transaction user";
}

void tsx_take_user(struct sip_tsx *tsx, void *module, const struct sip_tsx_user *user, void *token)
{
	tsx->module = module;
	tsx->user = user;
	tsx->token = token;
	tsx->user_held = true;
	if (module)
		sip_module_hold(module, 1, what_for(tsx), user ? user->name : NULL);
}

void tsx_release_user(struct sip_tsx *tsx)
{
	const struct sip_tsx_user *user = tsx->user;
	void *module = tsx->module;

	if (!tsx->user_held)
		return;
	tsx->user_held = false;
	tsx->user = NULL;
	tsx->module = NULL;
	if (user && user->on_terminated)
		user->on_terminated(tsx, tsx->token);
	if (module)
		sip_module_hold(module, -1, what_for(tsx), user ? user->name : NULL);
}

/* ---- timers: one wheel node for all that run at once ---- */

static enum tsx_slot slot_of(enum tsx_event timer)
{
	switch (timer) {
	case TSX_TIMER_A:
	case TSX_TIMER_E:
	case TSX_TIMER_G:
	case TSX_TIMER_TRYING:
		return TSX_SLOT_RETRANSMIT;
	case TSX_TIMER_DEADLINE:
		return TSX_SLOT_EXTRA;
	default:
		return TSX_SLOT_END;
	}
}

/* Arms the node for the earliest; later than needed it never is, and a fire that comes too early only looks again. */
static void arm(struct sip_tsx *tsx, int64_t now)
{
	int64_t first = 0;

	for (int i = 0; i < TSX_SLOT_N; i++)
		if (tsx->slot_due[i] && (!first || tsx->slot_due[i] < first))
			first = tsx->slot_due[i];
	if (first == tsx->armed_for)
		return;
	tsx->armed_for = first;
	if (!first)
		rs_timer_stop(&tsx->timer);
	else
		rs_timer_start_from(&tsx->timer, now, first - now);
}

/* Behind a stop: mostly nothing is left to wait for, and the time does not matter. */
static void rearm(struct sip_tsx *tsx)
{
	bool any = tsx->slot_due[0] || tsx->slot_due[1] || tsx->slot_due[2];

	arm(tsx, any ? rs_now_us() : 0);
}

static void fire(struct rs_timer *t)
{
	struct sip_tsx *tsx = rs_container_of(t, struct sip_tsx, timer);
	int64_t now = rs_now_us();

	tsx->armed_for = 0;
	sip_tsx_ref(tsx);
	/* The last slots first: what ends a machine makes its retransmission needless. */
	for (int i = TSX_SLOT_N - 1; i >= 0; i--) {
		if (!tsx->slot_due[i] || tsx->slot_due[i] > now)
			continue;
		tsx->slot_due[i] = 0;
		tsx_dispatch(tsx, (enum tsx_event)tsx->slot_event[i], NULL);
	}
	if (sip_tsx_state(tsx) != SIP_TSX_TERMINATED)
		arm(tsx, now);
	sip_tsx_unref(tsx);
}

static void hold(struct rs_timer *t, bool on)
{
	struct sip_tsx *tsx = rs_container_of(t, struct sip_tsx, timer);

	if (on)
		sip_tsx_ref(tsx);
	else
		sip_tsx_unref(tsx);
}

void tsx_timer_init(struct sip_tsx *tsx)
{
	rs_timer_init(&tsx->timer, "transaction", tsx->serializer, fire, hold, NULL);
}

void tsx_timer_start(struct sip_tsx *tsx, enum tsx_event timer, int64_t delay_us)
{
	enum tsx_slot slot = slot_of(timer);
	int64_t now = rs_now_us();

	tsx->slot_event[slot] = (uint8_t)timer;
	tsx->slot_due[slot] = now + delay_us;
	arm(tsx, now);
}

void tsx_timer_stop(struct sip_tsx *tsx, enum tsx_slot slot)
{
	if (!tsx->slot_due[slot])
		return;
	tsx->slot_due[slot] = 0;
	rearm(tsx);
}

void tsx_timer_stop_all(struct sip_tsx *tsx)
{
	memset(tsx->slot_due, 0, sizeof(tsx->slot_due));
	rearm(tsx);
}

/* ---- sending ---- */

int tsx_ask_services(struct sip_tx_data *tx)
{
	const struct sip_stack_config *config = sip_stack_config();

	if (tx->seen || !config->on_tx)
		return 0;
	tx->seen = true;
	if (!config->on_tx(tx))
		return 0;
	errno = ECANCELED;
	return -1;
}

int tsx_transmit(struct sip_tx_data *tx, struct sip_send_result *result)
{
	return tsx_ask_services(tx) ? -1 : sip_transport_send(tx, result);
}
