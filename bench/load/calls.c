#include "calls.h"
#include "loop.h"
#include "sources.h"

#include <stdlib.h>
#include <string.h>

#define T1_NS      500000000LL
#define T2_NS      4000000000LL
#define GIVE_UP_NS (64 * T1_NS)
#define SWEEP_NS   50000000LL
#define FILL_S     60 /* more than it should take */
#define NEVER      INT64_MAX
#define STRIDE     7919

enum caller_state {
	CALLER_IDLE, /* there is no call */
	CALLER_CALLING,
	CALLER_PROCEEDING, /* nothing is sent again */
	CALLER_UP,
	CALLER_ENDING,
	CALLER_ENDED,
};

enum called_state {
	CALLED_IDLE,
	CALLED_ANSWERED, /* the 200 is repeated until its ACK */
	CALLED_UP,
	CALLED_ENDED,
};

struct call {
	uint8_t caller_state, called_state;
	bool rang, informing; /* an INFO is under way */
	uint32_t sequence, caller, called, cseq;
	int64_t begun_ns, sent_ns, interval_ns; /* due; the request under way: first sent, until it is sent again */
	int64_t answered_ns, answer_interval_ns;
	char *answer; /* the called phone's 200 until its ACK */
	size_t answer_len;
	struct call_dialog dialog;
};

/* What is to happen when, apart so that a sweep over all is short: the caller's at 0, the called phone's at 1. */
struct due {
	int64_t at_ns[2];
};

struct held {
	struct call_name name;
	int64_t end_ns;
};

static struct calls_plan plan;
static struct call *calls;
static struct due *dues;
static struct held *held; /* a ring: all are held for the same time */
static uint64_t held_first, held_end;
static unsigned *free_slots, n_free, n_used, top, n_up; /* no slot from top on was ever used */
static unsigned n_informing;
static uint32_t sequence;
static uint64_t next_call, next_inside;
static bool closed, keeping; /* keeping: calls stay up */
static int64_t now_ns, next_sweep_ns;

int calls_start(const struct calls_plan *p)
{
	plan = *p;
	calls = calloc(CALL_SLOTS, sizeof(*calls));
	dues = calloc(CALL_SLOTS, sizeof(*dues));
	held = calloc(CALL_SLOTS, sizeof(*held));
	free_slots = calloc(CALL_SLOTS, sizeof(*free_slots));
	if (!calls || !dues || !held || !free_slots)
		return -1;
	for (n_free = 0; n_free < CALL_SLOTS; n_free++)
		free_slots[n_free] = CALL_SLOTS - 1 - n_free;
	sequence = (uint32_t)loop_now_ns();
	call_text_start();
	return plan.users % STRIDE ? 0 : -1;
}

void calls_stop(void)
{
	for (unsigned i = 0; calls && i < top; i++)
		free(calls[i].answer);
	free(calls);
	free(dues);
	free(held);
	free(free_slots);
}

static unsigned slot_of(const struct call *c)
{
	return (unsigned)(c - calls);
}

static void send_text(unsigned source, const char *text, size_t len)
{
	source_send(source, text, len);
	loop_counts.messages++;
}

static struct call_request request_of(const struct call *c, enum call_kind kind)
{
	return (struct call_request){
		.kind = kind,
		.name = {slot_of(c), c->sequence},
		.caller = c->caller,
		.callee = c->called,
		.cseq = kind == CALL_ACK ? 1 : c->cseq,
		.source = c->caller % plan.sources,
		.dialog = kind == CALL_INVITE ? NULL : &c->dialog,
	};
}

static void send_request(const struct call *c, enum call_kind kind)
{
	struct call_request r = request_of(c, kind);
	char *room = source_room(r.source);

	send_text(r.source, room, call_write(&r, room));
}

/* A new transaction of the caller. */
static void send_first(struct call *c, enum call_kind kind)
{
	c->cseq++;
	c->sent_ns = now_ns;
	c->interval_ns = T1_NS;
	dues[slot_of(c)].at_ns[0] = now_ns + T1_NS;
	send_request(c, kind);
}

static void begin(int64_t due_ns)
{
	unsigned slot = free_slots[--n_free];
	uint32_t caller = (uint32_t)(next_call++ * STRIDE % plan.users);
	struct call *c = &calls[slot];

	*c = (struct call){
		.caller_state = CALLER_CALLING,
		.sequence = sequence++,
		.caller = caller,
		.called = (caller + plan.users / 2) % plan.users,
		.begun_ns = due_ns,
	};
	dues[slot].at_ns[1] = NEVER;
	top = slot < top ? top : slot + 1;
	n_used++;
	send_first(c, CALL_INVITE);
}

static void end(struct call *c)
{
	n_up -= c->caller_state == CALLER_UP;
	n_informing -= c->informing;
	c->informing = false;
	free(c->answer);
	c->answer = NULL;
	c->caller_state = CALLER_IDLE;
	c->called_state = CALLED_IDLE;
	dues[slot_of(c)] = (struct due){{NEVER, NEVER}};
	n_used--;
	free_slots[n_free++] = slot_of(c);
}

static void fail(struct call *c)
{
	loop_counts.unexpected++;
	end(c);
}

static void give_up(struct call *c)
{
	loop_counts.given_up++;
	end(c);
}

static void end_if_both_have(struct call *c)
{
	if (c->caller_state != CALLER_ENDED || c->called_state != CALLED_ENDED)
		return;
	loop_counts.units++;
	end(c);
}

static void hang_up(struct call *c)
{
	n_up--;
	c->caller_state = CALLER_ENDING;
	send_first(c, CALL_BYE);
}

/* ---- the caller ---- */

static void on_up(struct call *c)
{
	c->caller_state = CALLER_UP;
	n_up++;
	dues[slot_of(c)].at_ns[0] = NEVER;
	histogram_add(&loop_counts.latency, now_ns - c->begun_ns);
	send_request(c, CALL_ACK);
	if (keeping)
		return;
	if (plan.hold_s <= 0) {
		hang_up(c);
		return;
	}
	held[held_end++ % CALL_SLOTS] = (struct held){{slot_of(c), c->sequence}, now_ns + (int64_t)(plan.hold_s * 1e9)};
}

static void on_provisional(struct call *c, unsigned status)
{
	if (c->caller_state == CALLER_CALLING) {
		c->caller_state = CALLER_PROCEEDING;
		dues[slot_of(c)].at_ns[0] = c->sent_ns + GIVE_UP_NS;
	}
	if (status > 100 && !c->rang && c->caller_state == CALLER_PROCEEDING) {
		c->rang = true;
		histogram_add(&loop_counts.ringing, now_ns - c->begun_ns);
	}
}

static void on_invite_response(struct call *c, unsigned status, const char *p, size_t len)
{
	bool open = c->caller_state == CALLER_CALLING || c->caller_state == CALLER_PROCEEDING;

	if (status < 200) {
		on_provisional(c, status);
		return;
	}
	if (!open) {
		loop_counts.repeats++;
		if (status < 300)
			send_request(c, CALL_ACK);
		return;
	}
	loop_counts.status[status]++;
	if (status >= 300) {
		struct call_request r = request_of(c, CALL_ACK);
		char *room = source_room(r.source);

		send_text(r.source, room, call_write_refused_ack(&r, p, len, room));
		fail(c);
	} else if (call_learn(p, len, &c->dialog)) {
		on_up(c);
	} else {
		fail(c);
	}
}

static void on_info_response(struct call *c, unsigned status)
{
	loop_counts.status[status]++;
	c->informing = false;
	n_informing--;
	dues[slot_of(c)].at_ns[0] = NEVER;
	if (status != 200) {
		loop_counts.unexpected++;
		return;
	}
	loop_counts.units++;
	histogram_add(&loop_counts.latency, now_ns - c->begun_ns);
}

/* last: to the last request of the caller. */
static void on_response(struct call *c, enum call_kind kind, bool last, const char *p, size_t len)
{
	unsigned status = (unsigned)((p[8] - '0') * 100 + (p[9] - '0') * 10 + (p[10] - '0'));

	if (status < 100 || status >= LOOP_STATUSES)
		return;
	if (kind == CALL_INVITE) {
		on_invite_response(c, status, p, len);
	} else if (!last) {
		loop_counts.repeats++;
	} else if (status >= 200 && kind == CALL_INFO && c->informing) {
		on_info_response(c, status);
	} else if (status >= 200 && kind == CALL_BYE && c->caller_state == CALLER_ENDING) {
		loop_counts.status[status]++;
		if (status != 200) {
			fail(c);
			return;
		}
		c->caller_state = CALLER_ENDED;
		dues[slot_of(c)].at_ns[0] = c->sent_ns + GIVE_UP_NS;
		end_if_both_have(c);
	}
}

/* ---- the called phone ---- */

/* A copy: the ACK may come before it has left. */
static void answer_again(const struct call *c)
{
	unsigned source = c->called % plan.sources;
	char *room = source_room(source);

	memcpy(room, c->answer, c->answer_len);
	send_text(source, room, c->answer_len);
}

static void on_invite(struct call *c, const char *p, size_t len)
{
	struct call_name name = {slot_of(c), c->sequence};
	unsigned source = c->called % plan.sources;
	char *room;

	if (c->called_state != CALLED_IDLE) {
		loop_counts.repeats++;
		if (c->answer)
			answer_again(c);
		return;
	}
	room = source_room(source);
	send_text(source, room, call_answer_invite(180, p, len, name, c->called, source, room));
	room = source_room(source);
	c->answer_len = call_answer_invite(200, p, len, name, c->called, source, room);
	send_text(source, room, c->answer_len);
	c->answer = malloc(c->answer_len);
	if (c->answer)
		memcpy(c->answer, room, c->answer_len);
	c->called_state = CALLED_ANSWERED;
	c->answered_ns = now_ns;
	c->answer_interval_ns = T1_NS;
	dues[name.slot].at_ns[1] = c->answer ? now_ns + T1_NS : NEVER;
}

static void stop_answering(struct call *c)
{
	free(c->answer);
	c->answer = NULL;
	dues[slot_of(c)].at_ns[1] = NEVER;
}

static void on_ack(struct call *c)
{
	if (c->called_state != CALLED_ANSWERED)
		return;
	c->called_state = CALLED_UP;
	stop_answering(c);
}

static void on_bye(struct call *c)
{
	if (c->called_state == CALLED_ENDED) {
		loop_counts.repeats++;
		return;
	}
	/* Datagrams may overtake each other: whoever has BYE needs no ACK. */
	loop_counts.early_byes += c->called_state == CALLED_ANSWERED;
	if (c->answer)
		stop_answering(c);
	c->called_state = CALLED_ENDED;
	end_if_both_have(c);
}

static void answer_ok(unsigned source, const char *p, size_t len)
{
	char *room = source_room(source);

	send_text(source, room, shape_answer(p, len, room));
}

static struct call *find(struct call_name name)
{
	struct call *c = &calls[name.slot];

	return c->caller_state != CALLER_IDLE && c->sequence == name.sequence ? c : NULL;
}

static void on_request(unsigned source, const char *p, size_t len)
{
	struct call_name name;
	bool called, named = call_match_request(p, len, &name, &called);
	struct call *c = named ? find(name) : NULL;

	if (memcmp(p, "ACK ", 4) == 0) {
		if (c && called)
			on_ack(c);
		return;
	}
	if (memcmp(p, "INVITE ", 7) == 0) {
		if (c && called && source == c->called % plan.sources)
			on_invite(c, p, len);
		return;
	}
	answer_ok(source, p, len);
	if (!c || memcmp(p, "BYE ", 4) != 0)
		return;
	if (called)
		on_bye(c);
	else
		fail(c); /* the server gave the call up */
}

static void on_message(unsigned source, char *p, size_t len)
{
	struct call_name name;
	enum call_kind kind;
	struct call *c;
	uint32_t cseq;

	loop_counts.messages++;
	now_ns = loop_now_ns();
	if (len < 16)
		return;
	if (memcmp(p, "SIP/2.0 ", 8) != 0) {
		on_request(source, p, len);
		return;
	}
	c = call_match_response(p, len, &name, &kind, &cseq) ? find(name) : NULL;
	if (c)
		on_response(c, kind, cseq == (c->cseq & 0xffff), p, len);
}

/* ---- time ---- */

static void on_caller_due(struct call *c)
{
	static const enum call_kind kinds[] = {
		[CALLER_CALLING] = CALL_INVITE, [CALLER_UP] = CALL_INFO, [CALLER_ENDING] = CALL_BYE};

	if (now_ns - c->sent_ns >= GIVE_UP_NS || c->caller_state == CALLER_PROCEEDING ||
	    c->caller_state == CALLER_ENDED) {
		give_up(c);
		return;
	}
	send_request(c, kinds[c->caller_state]);
	loop_counts.retransmissions++;
	/* Timer A is doubled for ever, E up to T2. */
	c->interval_ns = c->caller_state == CALLER_CALLING || c->interval_ns < T2_NS ? c->interval_ns * 2 : T2_NS;
	dues[slot_of(c)].at_ns[0] = now_ns + c->interval_ns;
}

static void on_called_due(struct call *c)
{
	if (now_ns - c->answered_ns >= GIVE_UP_NS) {
		give_up(c);
		return;
	}
	answer_again(c);
	loop_counts.retransmissions++;
	c->answer_interval_ns = c->answer_interval_ns < T2_NS ? c->answer_interval_ns * 2 : T2_NS;
	dues[slot_of(c)].at_ns[1] = now_ns + c->answer_interval_ns;
}

static void sweep(void)
{
	if (now_ns < next_sweep_ns)
		return;
	next_sweep_ns = now_ns + SWEEP_NS;
	for (unsigned i = 0; i < top && n_used; i++) {
		if (dues[i].at_ns[0] <= now_ns)
			on_caller_due(&calls[i]);
		if (dues[i].at_ns[1] <= now_ns)
			on_called_due(&calls[i]);
	}
	sources_flush();
}

static void end_held(void)
{
	for (; held_first < held_end && held[held_first % CALL_SLOTS].end_ns <= now_ns; held_first++) {
		struct call *c = find(held[held_first % CALL_SLOTS].name);

		if (c && c->caller_state == CALLER_UP)
			hang_up(c);
	}
}

static void turn(void)
{
	loop_look(on_message, closed);
	now_ns = loop_now_ns();
	end_held();
	sweep();
}

static uint64_t ended(void)
{
	return loop_counts.units + loop_counts.unexpected + loop_counts.given_up;
}

/* start: begins one unit, due then; false: none can begin now. under_way: units. */
static void run(double seconds, uint64_t units, double rate, bool (*start)(int64_t due_ns), const unsigned *under_way)
{
	uint64_t before = ended();
	int64_t end_ns, due_ns;

	now_ns = due_ns = loop_now_ns();
	end_ns = now_ns + (int64_t)(seconds * 1e9);
	closed = rate <= 0;
	while (now_ns < end_ns && (!units || ended() - before < units)) {
		while (closed && *under_way < plan.window && start(now_ns))
			;
		while (!closed && due_ns <= now_ns && start(due_ns))
			due_ns += loop_interval_ns(rate);
		turn();
	}
}

static bool start_call(int64_t due_ns)
{
	if (!n_free)
		return false;
	begin(due_ns);
	return true;
}

void calls_run(double seconds, uint64_t units, double rate)
{
	keeping = false;
	run(seconds, units, rate, start_call, &n_used);
}

int calls_fill(unsigned n, double rate)
{
	uint64_t before = loop_counts.unexpected + loop_counts.given_up;
	int64_t due_ns, end_ns;

	keeping = true;
	closed = false;
	now_ns = due_ns = loop_now_ns();
	end_ns = now_ns + (int64_t)((n / rate + FILL_S) * 1e9);
	while (n_up < n && now_ns < end_ns) {
		while (due_ns <= now_ns && n_used < n && n_free) {
			begin(due_ns);
			due_ns += (int64_t)(1e9 / rate);
		}
		turn();
	}
	return n_up >= n && loop_counts.unexpected + loop_counts.given_up == before ? 0 : -1;
}

static bool start_inside(int64_t due_ns)
{
	for (unsigned tries = 0; tries < top; tries++) {
		struct call *c = &calls[next_inside++ * STRIDE % top];

		if (c->caller_state == CALLER_UP && !c->informing) {
			c->informing = true;
			c->begun_ns = due_ns;
			n_informing++;
			send_first(c, CALL_INFO);
			return true;
		}
	}
	return false;
}

void calls_inside(double seconds, uint64_t units, double rate)
{
	run(seconds, units, rate, start_inside, &n_informing);
}

static bool start_nothing(int64_t due_ns)
{
	(void)due_ns;
	return false;
}

void calls_wait(double seconds, uint64_t units, double rate)
{
	(void)rate;
	run(seconds, units, 0, start_nothing, &n_used);
}

void calls_drain(double seconds)
{
	int64_t end_ns = loop_now_ns() + (int64_t)(seconds * 1e9);

	while ((n_used > n_up || held_first < held_end) && (now_ns = loop_now_ns()) < end_ns)
		turn();
	for (unsigned i = 0; i < top; i++) {
		if (calls[i].caller_state != CALLER_IDLE)
			end(&calls[i]);
	}
	held_first = held_end;
}
