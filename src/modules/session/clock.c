/* All that a session waits for, on one timer: it is armed for what is due first. */
#include "session_private.h"

static void (*const serve[CLOCKS])(struct ast_sip_session *s) = {
	[CLOCK_CONFIRM] = session_confirm_fire,     [CLOCK_PROVISIONAL] = session_reliable_fire,
	[CLOCK_NO_ANSWER] = session_invite_timeout, [CLOCK_GLARE] = session_glare_fire,
	[CLOCK_PENDING] = session_pending_fire,     [CLOCK_REFRESH] = session_timer_refresh_fire,
	[CLOCK_EXPIRE] = session_timer_expire_fire, [CLOCK_FINISH] = session_finish_fire,
};

static int64_t first_due(const struct ast_sip_session *s)
{
	int64_t first = 0;

	for (unsigned i = 0; i < CLOCKS; i++) {
		if (s->due_us[i] && (!first || s->due_us[i] < first))
			first = s->due_us[i];
	}
	return first;
}

static void arm(struct ast_sip_session *s)
{
	int64_t first = first_due(s), left;

	if (!s->timer || s->ticking)
		return;
	if (!first) {
		ast_sip_timer_stop(s->timer);
		return;
	}
	left = first - rs_now_us();
	ast_sip_timer_start(s->timer, left > 0 ? (left + 999) / 1000 : 0);
}

/* The timer's owner: the session has a reference of the table's as long as the timer is there. */
static void fire(void *data)
{
	struct ast_sip_session *s = ast_sip_session_ref(data);
	int64_t at = rs_now_us();

	s->ticking = true;
	for (unsigned i = 0; i < CLOCKS; i++) {
		if (!s->due_us[i] || s->due_us[i] > at)
			continue;
		s->due_us[i] = 0;
		serve[i](s);
	}
	s->ticking = false;
	arm(s);
	ast_sip_session_unref(s);
}

int session_clock_init(struct ast_sip_session *s)
{
	if (!s->timer)
		s->timer = ast_sip_timer_new(s->work, fire, s);
	if (s->timer)
		return 0;
	errno = ENOMEM;
	return -1;
}

void session_clock_fini(struct ast_sip_session *s)
{
	struct ast_sip_timer *t = s->timer;

	s->timer = NULL;
	ast_sip_timer_free(t);
}

void session_clock_set(struct ast_sip_session *s, enum session_clock which, int64_t delay_us)
{
	s->due_us[which] = rs_now_us() + (delay_us > 0 ? delay_us : 0) + 1;
	arm(s);
}

void session_clock_stop(struct ast_sip_session *s, enum session_clock which)
{
	if (!s->due_us[which])
		return;
	s->due_us[which] = 0;
	/* The timer may stay armed: it finds nothing due. */
}

void session_clock_stop_all(struct ast_sip_session *s)
{
	for (unsigned i = 0; i < CLOCKS; i++) {
		/* A 2xx is repeated and waits for its ACK whatever the user was told. */
		if (i != CLOCK_CONFIRM)
			s->due_us[i] = 0;
	}
	arm(s);
}
