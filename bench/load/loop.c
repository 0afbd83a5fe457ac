#include "loop.h"
#include "sources.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS      4096 /* an open loop may have so many under way */
#define T1_NS      500000000LL
#define T2_NS      4000000000LL
#define GIVE_UP_NS (64 * T1_NS)
#define SWEEP_NS   50000000LL
#define PAUSE_NS   20000LL /* between two looks for answers, when there were none */
#define NEVER      INT64_MAX
/* Users in an order that goes round all of them and spreads over the sources. */
#define STRIDE 7919

struct slot {
	bool busy;
	struct shape_request request;
	int64_t begun_ns, retransmit_ns, interval_ns;
	size_t len;
	char text[MAX_DATAGRAM];
};

struct loop_counts loop_counts;

static struct loop_plan plan;
static struct slot *slots;
static unsigned free_slots[SLOTS], n_free, n_busy;
static uint32_t sequence, *cseqs;
static uint64_t next_unit;
static bool closed, starting;
static int64_t now_ns, next_sweep_ns;

int64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int loop_start(const struct loop_plan *p)
{
	plan = *p;
	slots = calloc(SLOTS, sizeof(*slots));
	cseqs = calloc(plan.users, sizeof(*cseqs));
	for (n_free = 0; n_free < SLOTS; n_free++)
		free_slots[n_free] = SLOTS - 1 - n_free;
	sequence = (uint32_t)loop_now_ns();
	return slots && cseqs && plan.users % STRIDE ? 0 : -1;
}

void loop_stop(void)
{
	free(slots);
	free(cseqs);
}

void loop_set_mix(const enum shape *mix, unsigned n)
{
	plan.mix = mix;
	plan.n_mix = n;
}

void loop_reset_counts(void)
{
	memset(&loop_counts, 0, sizeof(loop_counts));
}

static void send_step(struct slot *s, const struct challenge *c)
{
	s->request.cseq = ++cseqs[s->request.user];
	s->len = shape_write(&s->request, c, s->text);
	s->interval_ns = T1_NS;
	/* A stream loses nothing. */
	s->retransmit_ns = plan.tcp ? NEVER : now_ns + T1_NS;
	source_send(s->request.source, s->text, s->len);
	loop_counts.messages++;
}

static void begin(unsigned i, int64_t due_ns)
{
	struct slot *s = &slots[i];
	uint64_t n = next_unit++;
	uint32_t user = (uint32_t)(n * STRIDE % plan.users);

	s->busy = true;
	s->begun_ns = due_ns;
	/* In each round through the users each of them has another shape. */
	s->request = (struct shape_request){
		.shape = plan.mix[(n + n / plan.users) % plan.n_mix],
		.slot = i,
		.sequence = sequence,
		.user = user,
		.source = user % plan.sources,
	};
	sequence++;
	n_busy++;
	send_step(s, NULL);
}

static void begin_one(int64_t due_ns)
{
	begin(free_slots[--n_free], due_ns);
}

static void end(struct slot *s)
{
	s->busy = false;
	n_busy--;
	if (closed && starting)
		begin((unsigned)(s - slots), now_ns);
	else
		free_slots[n_free++] = (unsigned)(s - slots);
}

static void on_response(struct slot *s, unsigned status, const char *p, size_t len)
{
	struct challenge c;

	loop_counts.status[status]++;
	if (status != shape_expects(s->request.shape, s->request.step) ||
	    (status == 401 && challenge_read(p, len, &c))) {
		loop_counts.unexpected++;
		end(s);
		return;
	}
	if (status == 401 && s->request.step == 0) {
		s->request.step = 1;
		send_step(s, &c);
		return;
	}
	loop_counts.units++;
	histogram_add(&loop_counts.latency, now_ns - s->begun_ns);
	end(s);
}

static void on_message(unsigned source, char *p, size_t len)
{
	unsigned slot, step, status;
	uint32_t seq;

	loop_counts.messages++;
	now_ns = loop_now_ns();
	if (len < 16)
		return;
	if (memcmp(p, "SIP/2.0 ", 8) != 0) {
		char *room = source_room(source);

		source_send(source, room, shape_answer(p, len, room));
		loop_counts.messages++;
		return;
	}
	status = (unsigned)((p[8] - '0') * 100 + (p[9] - '0') * 10 + (p[10] - '0'));
	if (status < 200 || status >= LOOP_STATUSES || !shape_match(p, len, &slot, &seq, &step) || slot >= SLOTS)
		return;
	/* An answer that was overtaken by that to a retransmission finds another unit here. */
	if (slots[slot].busy && slots[slot].request.sequence == seq && slots[slot].request.step == step)
		on_response(&slots[slot], status, p, len);
}

static void retransmit(struct slot *s)
{
	if (now_ns - s->begun_ns > GIVE_UP_NS) {
		loop_counts.given_up++;
		end(s);
		return;
	}
	source_send(s->request.source, s->text, s->len);
	loop_counts.retransmissions++;
	s->interval_ns = s->interval_ns < T2_NS ? s->interval_ns * 2 : T2_NS;
	s->retransmit_ns = now_ns + s->interval_ns;
}

static void sweep(void)
{
	if (now_ns < next_sweep_ns)
		return;
	next_sweep_ns = now_ns + SWEEP_NS;
	for (unsigned i = 0; i < SLOTS && n_busy; i++) {
		if (slots[i].busy && slots[i].retransmit_ns <= now_ns)
			retransmit(&slots[i]);
	}
	sources_flush();
}

void loop_look(void (*handle)(unsigned source, char *p, size_t len), bool pause)
{
	int64_t begun_ns;

	sources_flush();
	if (sources_poll(handle) == 0) {
		begun_ns = loop_now_ns();
		while (loop_now_ns() - begun_ns < (pause ? PAUSE_NS : 0))
			;
		loop_counts.idle_ns += (uint64_t)(loop_now_ns() - begun_ns);
	}
	sources_flush();
}

static void turn(void)
{
	loop_look(on_message, closed);
	now_ns = loop_now_ns();
	sweep();
}

int64_t loop_interval_ns(double rate)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(-log(((double)(state >> 11) + 1) / 9007199254740993.0) / rate * 1e9);
}

void loop_run(double seconds, uint64_t units, double rate)
{
	int64_t end_ns, due_ns;
	uint64_t before = loop_counts.units + loop_counts.unexpected + loop_counts.given_up;

	now_ns = loop_now_ns();
	end_ns = now_ns + (int64_t)(seconds * 1e9);
	due_ns = now_ns;
	closed = rate <= 0;
	starting = true;
	while (now_ns < end_ns &&
	       (!units || loop_counts.units + loop_counts.unexpected + loop_counts.given_up - before < units)) {
		while (closed && n_busy < plan.window && n_free)
			begin_one(now_ns);
		while (!closed && due_ns <= now_ns && n_free) {
			begin_one(due_ns);
			due_ns += loop_interval_ns(rate);
		}
		turn();
	}
}

void loop_drain(double seconds)
{
	int64_t end_ns = loop_now_ns() + (int64_t)(seconds * 1e9);

	starting = false;
	while (n_busy && (now_ns = loop_now_ns()) < end_ns)
		turn();
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slots[i].busy)
			end(&slots[i]);
	}
}
