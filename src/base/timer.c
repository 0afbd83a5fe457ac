/*
 * Timers: hashed hierarchical wheels, one a shard. A shard has LEVELS wheels of 64 slots; the highest group of six bits
 * in which a timer's tick differs from the shard's present one says which wheel, those bits which slot. When the
 * present enters a slot of an upper wheel, its timers move down; so a timer is moved a few times in its life at most,
 * and start and stop cost the same with a million armed. A bit map a wheel finds the next slot with anything in it.
 *
 * A slot is in arming order, also across wheels: a timer can be put straight into a lower wheel only when the slot
 * above it has been emptied.
 *
 * State of a timer: ARMED (in a wheel; changed under the shard's lock), QUEUED (its task is on the serializer), FIRE
 * (that task shall call fire), HELD (a reference is taken), FIRING (fire runs, the reference is given back after it).
 * The serializer's tasks own every change but one: the wheel turns ARMED into QUEUED and FIRE, in one step.
 */
#include "base/pool.h"

#include <sys/timerfd.h>

#define SHARDS 16
#define LEVELS 7
#define BITS   6
#define SLOTS  64

/* Longer delays than ten years are cut: the wheels turn once in 2^42 ticks. */
#define DELAY_MAX_US ((int64_t)3650 * 86400 * 1000000)

enum { ARMED = 1, QUEUED = 2, FIRE = 4, HELD = 8, FIRING = 16 };

struct slot {
	struct rs_timer *first, **last;
};

struct shard {
	alignas(64) pthread_mutex_t lock;
	int64_t now; /* tick up to which all is done */
	uint64_t armed;
	uint64_t used[LEVELS]; /* slots that are not empty */
	struct slot slots[LEVELS][SLOTS];
};

static struct shard shards[SHARDS];
static pthread_once_t shards_once = PTHREAD_ONCE_INIT;

/* The instant for which the timerfd is set. */
static pthread_mutex_t alarm_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int64_t alarm_tick = INT64_MAX;

static void shards_init(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		for (unsigned l = 0; l < LEVELS; l++) {
			for (unsigned s = 0; s < SLOTS; s++)
				shards[i].slots[l][s].last = &shards[i].slots[l][s].first;
		}
	}
}

static uint32_t state_of(const struct rs_timer *t)
{
	return atomic_load_explicit(&t->state, memory_order_acquire);
}

static void state_clear(struct rs_timer *t, uint32_t bits)
{
	atomic_fetch_and_explicit(&t->state, ~bits, memory_order_acq_rel);
}

static int64_t tick_now(void)
{
	return rs_now_us() / RS_TICK_US;
}

/* ---- one wheel; all under the shard's lock ---- */

static int64_t tick_due(const struct rs_timer *t)
{
	return (t->due_us + RS_TICK_US - 1) / RS_TICK_US;
}

static void wheel_add(struct shard *sh, struct rs_timer *t, int64_t due)
{
	uint64_t differ = (uint64_t)due ^ (uint64_t)sh->now;
	unsigned level = differ ? (63u - (unsigned)__builtin_clzll(differ)) / BITS : 0;
	unsigned slot;
	struct slot *s;

	if (level >= LEVELS)
		level = LEVELS - 1;
	slot = (unsigned)((uint64_t)due >> (level * BITS)) & (SLOTS - 1);
	s = &sh->slots[level][slot];
	t->next = NULL;
	t->prev = s->last;
	*s->last = t;
	s->last = &t->next;
	sh->used[level] |= 1ull << slot;
	/* So that the slot's end can be mended when its last timer goes. t->shard is the owner's, and stays. */
	t->slot = (uint16_t)(level * SLOTS + slot);
}

static void wheel_remove(struct shard *sh, struct rs_timer *t)
{
	unsigned level = t->slot / SLOTS, slot = t->slot % SLOTS;
	struct slot *s = &sh->slots[level][slot];

	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		s->last = t->prev;
	if (!s->first)
		sh->used[level] &= ~(1ull << slot);
}

static struct rs_timer *slot_take_all(struct shard *sh, unsigned level, unsigned slot)
{
	struct slot *s = &sh->slots[level][slot];
	struct rs_timer *all = s->first;

	s->first = NULL;
	s->last = &s->first;
	sh->used[level] &= ~(1ull << slot);
	return all;
}

/* The next tick at which a slot must be looked at, with its place; INT64_MAX: none. */
static int64_t wheel_next(const struct shard *sh, unsigned *level, unsigned *slot)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		unsigned at = (unsigned)((uint64_t)sh->now >> (l * BITS)) & (SLOTS - 1);
		uint64_t ahead = at == SLOTS - 1 ? 0 : sh->used[l] & (~0ull << (at + 1));

		if (!ahead)
			continue;
		*level = l;
		*slot = (unsigned)__builtin_ctzll(ahead);
		return (sh->now >> ((l + 1) * BITS) << ((l + 1) * BITS)) | (int64_t)*slot << (l * BITS);
	}
	return INT64_MAX;
}

struct fired {
	struct rs_task *first;
	struct rs_task *last;
};

/* The timer goes from the wheel to its queue. Its task is the queue's from here on, and so may be linked with. */
static void timer_expire(struct shard *sh, struct rs_timer *t, struct fired *fired)
{
	uint32_t state = atomic_load_explicit(&t->state, memory_order_relaxed);

	sh->armed--;
	while (!atomic_compare_exchange_weak_explicit(&t->state, &state, (state & ~(uint32_t)ARMED) | FIRE | QUEUED,
						      memory_order_acq_rel, memory_order_relaxed))
		;
	/* A task left over from an arming that was stopped is still queued: it will do for this one. */
	if (state & QUEUED)
		return;
	atomic_store_explicit(&t->task.next, NULL, memory_order_relaxed);
	if (fired->last)
		atomic_store_explicit(&fired->last->next, &t->task, memory_order_relaxed);
	else
		fired->first = &t->task;
	fired->last = &t->task;
}

static void wheel_advance(struct shard *sh, int64_t to, struct fired *fired)
{
	unsigned level = 0, slot = 0;
	int64_t next;

	while ((next = wheel_next(sh, &level, &slot)) <= to) {
		struct rs_timer *t = slot_take_all(sh, level, slot);

		sh->now = next;
		while (t) {
			struct rs_timer *following = t->next;

			if (tick_due(t) <= next)
				timer_expire(sh, t, fired);
			else
				wheel_add(sh, t, tick_due(t));
			t = following;
		}
	}
	if (to > sh->now)
		sh->now = to;
}

/* ---- the alarm of the threaded mode ---- */

static void alarm_at(int64_t tick)
{
	struct itimerspec spec = {0};
	int64_t us;

	if (tick >= atomic_load(&alarm_tick))
		return;
	pthread_mutex_lock(&alarm_lock);
	if (tick < atomic_load(&alarm_tick) && rs_pool.timer_fd >= 0) {
		us = tick * RS_TICK_US - rs_now_us();
		if (us < 1)
			us = 1;
		spec.it_value.tv_sec = us / 1000000;
		spec.it_value.tv_nsec = us % 1000000 * 1000;
		timerfd_settime(rs_pool.timer_fd, 0, &spec, NULL);
		atomic_store(&alarm_tick, tick);
	}
	pthread_mutex_unlock(&alarm_lock);
}

void rs_timers_expire(void)
{
	int64_t to = tick_now(), soonest = INT64_MAX;

	/* Before the shards are looked at: who arms one later than that sets the alarm himself. */
	pthread_mutex_lock(&alarm_lock);
	atomic_store(&alarm_tick, INT64_MAX);
	pthread_mutex_unlock(&alarm_lock);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *sh = &shards[i];
		struct fired fired = {0};
		unsigned level, slot;
		int64_t next;

		pthread_mutex_lock(&sh->lock);
		wheel_advance(sh, to, &fired);
		next = wheel_next(sh, &level, &slot);
		pthread_mutex_unlock(&sh->lock);
		if (next < soonest)
			soonest = next;
		while (fired.first) {
			struct rs_timer *t = rs_container_of(fired.first, struct rs_timer, task);

			fired.first = atomic_load_explicit(&t->task.next, memory_order_relaxed);
			rs_push(t->serializer, &t->task);
		}
	}
	if (!rs_pool.config.deterministic)
		alarm_at(soonest);
}

void rs_timers_start(void)
{
	int64_t now = tick_now();

	pthread_once(&shards_once, shards_init);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		/* The clock may be another one than at the last start. */
		if (!shards[i].armed)
			shards[i].now = now;
		pthread_mutex_unlock(&shards[i].lock);
	}
	atomic_store(&alarm_tick, INT64_MAX);
	rs_timers_expire();
}

static struct rs_timer *drop_one(struct shard *sh)
{
	unsigned level, slot;
	struct rs_timer *t = NULL;

	pthread_mutex_lock(&sh->lock);
	if (wheel_next(sh, &level, &slot) != INT64_MAX) {
		t = sh->slots[level][slot].first;
		wheel_remove(sh, t);
		sh->armed--;
	}
	pthread_mutex_unlock(&sh->lock);
	return t;
}

void rs_timers_drop(void)
{
	struct rs_timer *t;

	pthread_once(&shards_once, shards_init);
	for (unsigned i = 0; i < SHARDS; i++) {
		/* One at a time: giving back an owner's reference may stop its other timers. */
		while ((t = drop_one(&shards[i])) != NULL) {
			uint32_t state = atomic_fetch_and_explicit(&t->state, ~(uint32_t)ARMED, memory_order_acq_rel);

			if ((state & (HELD | QUEUED | FIRING)) != HELD)
				continue;
			state_clear(t, HELD);
			t->hold(t, false);
		}
	}
}

int64_t rs_timers_next(void)
{
	int64_t soonest = INT64_MAX;

	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *sh = &shards[i];
		unsigned level, slot;

		pthread_mutex_lock(&sh->lock);
		if (wheel_next(sh, &level, &slot) != INT64_MAX) {
			/* The soonest timer is in the next slot, but an upper wheel's slot is not in order of time. */
			for (struct rs_timer *t = sh->slots[level][slot].first; t; t = t->next) {
				if (tick_due(t) < soonest)
					soonest = tick_due(t);
			}
		}
		pthread_mutex_unlock(&sh->lock);
	}
	return soonest == INT64_MAX ? INT64_MAX : soonest * RS_TICK_US;
}

uint64_t rs_timers_armed(void)
{
	uint64_t n = 0;

	pthread_once(&shards_once, shards_init);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		n += shards[i].armed;
		pthread_mutex_unlock(&shards[i].lock);
	}
	return n;
}

/* ---- one timer; on its serializer ---- */

static void timer_run(struct rs_task *task)
{
	struct rs_timer *t = rs_container_of(task, struct rs_timer, task);
	uint32_t state = atomic_fetch_and_explicit(&t->state, ~(uint32_t)(QUEUED | FIRE), memory_order_acq_rel);

	/* Without a hold the owner may end in fire, and the timer with it. */
	if (!(state & HELD)) {
		if (state & FIRE)
			t->fire(t);
		return;
	}
	if (state & FIRE) {
		atomic_fetch_or_explicit(&t->state, FIRING, memory_order_acq_rel);
		t->fire(t);
		state_clear(t, FIRING);
	}
	if (state_of(t) & (ARMED | QUEUED))
		return;
	state_clear(t, HELD);
	t->hold(t, false);
}

void rs_timer_init(struct rs_timer *t, const char *name, struct rs_serializer *serializer,
		   void (*fire)(struct rs_timer *), void (*hold)(struct rs_timer *, bool), void *module)
{
	*t = (struct rs_timer){.serializer = serializer, .fire = fire, .hold = hold};
	t->task.run = timer_run;
	t->task.name = name;
	t->task.module = module;
}

/* Out of the wheel, unless it has just left it for the queue. */
static void disarm(struct rs_timer *t)
{
	struct shard *sh;

	if (!(state_of(t) & ARMED))
		return;
	sh = &shards[t->shard];
	pthread_mutex_lock(&sh->lock);
	if (state_of(t) & ARMED) {
		wheel_remove(sh, t);
		sh->armed--;
		state_clear(t, ARMED);
	}
	pthread_mutex_unlock(&sh->lock);
}

static struct shard *shard_choose(const struct rs_timer *t)
{
	uintptr_t owner = t->serializer ? (uintptr_t)t->serializer : (uintptr_t)t;

	/* Addresses differ from run to run: in the deterministic mode one wheel orders all. */
	if (rs_pool.config.deterministic)
		return &shards[0];
	return &shards[(uint64_t)owner * 0x9e3779b97f4a7c15ull >> 60];
}

void rs_timer_start(struct rs_timer *t, int64_t delay_us)
{
	rs_timer_start_from(t, rs_now_us(), delay_us);
}

void rs_timer_start_from(struct rs_timer *t, int64_t now, int64_t delay_us)
{
	int64_t due, next;
	unsigned level, slot;
	struct shard *sh;

	pthread_once(&shards_once, shards_init);
	if (delay_us < 0)
		delay_us = 0;
	disarm(t);
	/* What an earlier arming has queued finds that it shall not fire. */
	state_clear(t, FIRE);
	if (t->hold && !(state_of(t) & HELD)) {
		t->hold(t, true);
		atomic_fetch_or_explicit(&t->state, HELD, memory_order_acq_rel);
	}
	t->due_us = now + (delay_us < DELAY_MAX_US ? delay_us : DELAY_MAX_US);

	sh = shard_choose(t);
	pthread_mutex_lock(&sh->lock);
	if (!sh->armed && now / RS_TICK_US > sh->now)
		sh->now = now / RS_TICK_US;
	due = tick_due(t);
	if (due <= sh->now) {
		due = sh->now + 1;
		t->due_us = due * RS_TICK_US;
	}
	t->shard = (uint16_t)(sh - shards);
	wheel_add(sh, t, due);
	sh->armed++;
	atomic_fetch_or_explicit(&t->state, ARMED, memory_order_acq_rel);
	next = wheel_next(sh, &level, &slot);
	pthread_mutex_unlock(&sh->lock);
	if (!rs_pool.config.deterministic)
		alarm_at(next);
}

void rs_timer_stop(struct rs_timer *t)
{
	disarm(t);
	state_clear(t, FIRE);
	/* While its task is queued, or fire runs, the reference is given back there. */
	if ((state_of(t) & (HELD | QUEUED | FIRING)) == HELD) {
		state_clear(t, HELD);
		t->hold(t, false);
	}
}

bool rs_timer_active(const struct rs_timer *t)
{
	return state_of(t) & (ARMED | FIRE);
}

/* ---- deterministic mode ---- */

int64_t rs_taskpool_next_timer(void)
{
	pthread_once(&shards_once, shards_init);
	return rs_timers_next();
}

void rs_taskpool_advance(void)
{
	pthread_once(&shards_once, shards_init);
	rs_timers_expire();
}
