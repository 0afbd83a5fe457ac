/*
 * Load shedding (section 3 of the architecture): when too much waits, or would wait too long, new requests outside of
 * dialogs are refused with 503 up to a rate, then dropped; what belongs to something that exists still passes,
 * within a bound of its own. Asked before the parse, for each message, and once more when a request's turn has come:
 * one that has waited too long is not worth any work.
 *
 * Who authenticated lately (budget.c) is known to be a customer: his new requests pass longer than those of strangers,
 * so that live bindings are refreshed while strangers are refused. Who has spent his budget of failures goes first.
 */
#include "core/core.h"
#include "core/pipeline.h"
#include "base/clock.h"
#include "base/log.h"
#include "sip/stack.h"

#include <stdatomic.h>
#include <stdio.h>

/* A flood must not make work faster than the pool can do it. */
#define HIGH_WATER          10000 /* tasks that wait */
#define LONGEST_WAIT_MS     500   /* a caller has sent again by then */
#define REFUSALS_PER_SECOND 1000  /* a 503 costs more than silence */
/* In-dialog traffic keeps calls alive, but not at any price: this many times the limits above. */
#define SECOND_BOUND 4

/* Sums over all threads are not made for each message. */
#define SAMPLE_US 10000
/* Throughput is what is done while no thread is idle: known after a short while, measured over a longer one, forgotten.
 */
#define FIRST_US  20000
#define BUSY_US   100000
#define FORGET_US 5000000
#define ENOUGH    64 /* tasks: fewer say nothing, such as those of a pool that is blocked and about to grow */
/* How often a request waits for the pool: a REGISTER for its first task, on its AOR's serializer, and after the commit.
 */
#define PASSES 3
/* Seconds that are added to Retry-After, so that not all come back at once. */
#define RETRY_AFTER_SPREAD 10

/* What waits, in quarters of the limits. */
#define QUARTER 1
#define LIMIT   4

/* The load is what waits now; strangers are measured by what will have to wait, which a flood cannot outrun. */
struct load {
	uint64_t now, soon;
};

static _Atomic int64_t next_sample_us;
static _Atomic uint64_t load_now, load_soon;
static _Atomic bool told; /* that it began */
static _Atomic int64_t refusals_second;
static _Atomic uint32_t refusals;
static _Atomic uint64_t late; /* tasks that were no work, since they came too late */

/* By whoever takes the sample. */
static struct {
	_Atomic int64_t since_us; /* all threads have been at work; 0: they have not */
	_Atomic uint64_t done;    /* tasks, then, without late ones */
	_Atomic uint64_t rate;    /* tasks a second; 0: unknown */
	_Atomic int64_t known_us; /* since then */
	_Atomic int64_t seen_us;  /* the last sample */
} busy;

static struct {
	_Atomic bool off, stopping;
	_Atomic uint32_t high_water, wait_ms, refusals, factor;
} settings = {
	.high_water = HIGH_WATER,
	.wait_ms = LONGEST_WAIT_MS,
	.refusals = REFUSALS_PER_SECOND,
	.factor = SECOND_BOUND,
};

void ast_sip_overload_configure(struct ast_sip_snapshot *s)
{
	atomic_store(&settings.stopping, false);
	atomic_store(&next_sample_us, 0);
	atomic_store(&settings.off, ast_sip_snapshot_global(s)->overload_trigger == 2);
	atomic_store(&settings.high_water, ast_sip_own_uint(s, "limits", "queue_high_water", HIGH_WATER));
	atomic_store(&settings.wait_ms, ast_sip_own_uint(s, "limits", "queue_wait_ms", LONGEST_WAIT_MS));
	atomic_store(&settings.factor, ast_sip_own_uint(s, "limits", "queue_in_dialog_factor", SECOND_BOUND));
	atomic_store(&settings.refusals, ast_sip_own_uint(s, "limits", "shed_answers", REFUSALS_PER_SECOND));
}

void ast_sip_overload_stop(void)
{
	atomic_store(&settings.stopping, true);
}

static void measure_rate(const struct rs_taskpool_stats *st, int64_t now)
{
	int64_t since = atomic_load_explicit(&busy.since_us, memory_order_relaxed), span = now - since;
	uint64_t done = atomic_load_explicit(&busy.done, memory_order_relaxed);
	uint64_t work = st->tasks_run - atomic_load_explicit(&late, memory_order_relaxed);
	bool known = atomic_load_explicit(&busy.rate, memory_order_relaxed) != 0;
	/* Between two samples that lie far apart nobody knows whether a thread was idle. */
	bool seen = now - atomic_exchange_explicit(&busy.seen_us, now, memory_order_relaxed) < BUSY_US;
	bool is_busy = st->threads && st->idle == st->parked;

	if (known && now - atomic_load_explicit(&busy.known_us, memory_order_relaxed) > FORGET_US)
		atomic_store_explicit(&busy.rate, 0, memory_order_relaxed);
	if (since && seen && is_busy && (span < (known ? BUSY_US : FIRST_US) || work < done + ENOUGH))
		return;
	if (since && seen && is_busy) {
		atomic_store_explicit(&busy.rate, (work - done) * 1000000 / (uint64_t)span, memory_order_relaxed);
		atomic_store_explicit(&busy.known_us, now, memory_order_relaxed);
	}
	atomic_store_explicit(&busy.since_us, is_busy ? now : 0, memory_order_relaxed);
	atomic_store_explicit(&busy.done, work, memory_order_relaxed);
}

/* Microseconds that what comes now will wait, told from how fast the pool is when it is busy. */
static int64_t predict_wait(const struct rs_taskpool_stats *st, int64_t now)
{
	uint64_t rate;

	measure_rate(st, now);
	rate = atomic_load_explicit(&busy.rate, memory_order_relaxed);
	return rate ? (int64_t)(st->queued * 1000000 / rate) : 0;
}

/* In quarters of limit, rounded up: the limit itself is not past it. */
static uint64_t quarters(uint64_t value, uint64_t limit)
{
	return (value * LIMIT + limit - 1) / limit;
}

static struct load measure(int64_t now)
{
	struct rs_taskpool_stats st;
	uint64_t high = atomic_load_explicit(&settings.high_water, memory_order_relaxed);
	uint64_t limit_us = (uint64_t)atomic_load_explicit(&settings.wait_ms, memory_order_relaxed) * 1000;
	uint64_t by_number, by_wait, by_rate;

	rs_taskpool_stats(&st);
	by_number = quarters(st.queued, high);
	by_wait = quarters((uint64_t)st.oldest_wait_us, limit_us);
	by_rate = quarters((uint64_t)predict_wait(&st, now) * PASSES, limit_us);
	if (by_number < by_wait)
		by_number = by_wait;
	return (struct load){.now = by_number, .soon = by_number > by_rate ? by_number : by_rate};
}

/* Between the begin and the end the load goes up and down around the limit many times a second. */
static void tell(uint64_t is)
{
	bool was = atomic_load_explicit(&told, memory_order_relaxed), now = was ? is > QUARTER : is > LIMIT;

	if (was != now && atomic_compare_exchange_strong(&told, &was, now))
		rs_event(RS_LOG_WARNING, now ? "overload.began" : "overload.ended", RS_FI("load", is));
}

/* One thread takes the sample, the others use the last one. */
static struct load current_load(int64_t now)
{
	int64_t due = atomic_load_explicit(&next_sample_us, memory_order_relaxed);
	struct load l;

	if (now < due || !atomic_compare_exchange_strong_explicit(&next_sample_us, &due, now + SAMPLE_US,
								  memory_order_relaxed, memory_order_relaxed))
		return (struct load){atomic_load_explicit(&load_now, memory_order_relaxed),
				     atomic_load_explicit(&load_soon, memory_order_relaxed)};
	l = measure(now);
	atomic_store_explicit(&load_now, l.now, memory_order_relaxed);
	atomic_store_explicit(&load_soon, l.soon, memory_order_relaxed);
	tell(l.soon);
	return l;
}

static bool may_refuse(int64_t now)
{
	int64_t second = now / 1000000, was = atomic_load_explicit(&refusals_second, memory_order_relaxed);

	if (was != second && atomic_compare_exchange_strong(&refusals_second, &was, second))
		atomic_store(&refusals, 0);
	return atomic_fetch_add(&refusals, 1) < atomic_load_explicit(&settings.refusals, memory_order_relaxed);
}

static bool is_new(bool is_request, bool in_dialog, enum sip_method method)
{
	return is_request && !in_dialog && method != SIP_METHOD_ACK && method != SIP_METHOD_BYE &&
	       method != SIP_METHOD_CANCEL && method != SIP_METHOD_PRACK;
}

/* How many quarters of the limits what is no stranger's may wait: what belongs to something that exists the longest. */
static uint64_t longest(void)
{
	return (uint64_t)LIMIT * atomic_load_explicit(&settings.factor, memory_order_relaxed);
}

static uint64_t longest_verified(void)
{
	return longest() / 2 > LIMIT ? longest() / 2 : LIMIT;
}

static bool may_enter(const struct sip_addr *peer, const struct load *l)
{
	switch (ast_sip_budget_standing(peer)) {
	case AST_SIP_STANDING_VERIFIED:
		return l->now <= longest_verified();
	case AST_SIP_STANDING_SPENT:
		return l->soon <= QUARTER;
	case AST_SIP_STANDING_CLEAN:
		break;
	}
	return l->soon <= LIMIT;
}

bool ast_sip_overload_admits_all(void)
{
	struct load l;

	if (atomic_load_explicit(&settings.stopping, memory_order_relaxed))
		return false;
	if (atomic_load_explicit(&settings.off, memory_order_relaxed))
		return true;
	l = current_load(rs_now_us());
	return l.soon <= QUARTER && l.now <= longest();
}

enum sip_admission ast_sip_overload_admit(struct sip_msg_class cls, enum sip_transport_type type,
					  const struct sip_addr *peer)
{
	bool new = is_new(cls.is_request, cls.in_dialog, cls.method);
	struct load l;
	int64_t now;

	(void)type;
	/* Open connections still ask: what answers them is about to be unloaded. */
	if (new &&atomic_load_explicit(&settings.stopping, memory_order_relaxed))
		return SIP_REFUSE_503;
	if (atomic_load_explicit(&settings.off, memory_order_relaxed))
		return SIP_ADMIT;
	now = rs_now_us();
	l = current_load(now);
	if (!new)
		return l.now > longest() ? SIP_REFUSE_DROP : SIP_ADMIT;
	if (l.soon <= QUARTER || may_enter(peer, &l))
		return SIP_ADMIT;
	return may_refuse(now) ? SIP_REFUSE_503 : SIP_REFUSE_DROP;
}

static void refuse(struct sip_tsx *tsx, struct sip_rx_data *rx, int64_t now)
{
	struct sip_tx_data *tx = may_refuse(now) ? sip_tx_response(rx, 503, RS_STR_NULL) : NULL;
	char seconds[16];
	int n;

	if (!tx) {
		sip_tsx_terminate(tsx);
		return;
	}
	n = snprintf(seconds, sizeof(seconds), "%u",
		     sip_stack_config()->retry_after_s + rs_random_below(RETRY_AFTER_SPREAD));
	sip_tx_add_hdr(tx, SIP_HDR_RETRY_AFTER, rs_str_n(seconds, (size_t)n));
	sip_tsx_respond_stateless(tsx, tx);
}

bool ast_sip_overload_late(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	const struct sip_msg *msg = sip_rx_msg(rx);
	int64_t limit_us = (int64_t)atomic_load_explicit(&settings.wait_ms, memory_order_relaxed) * 1000;
	int64_t now, waited;

	if (atomic_load_explicit(&settings.off, memory_order_relaxed) ||
	    !is_new(true, msg->to_tag.len != 0, (enum sip_method)msg->method))
		return false;
	now = rs_now_us();
	waited = now - sip_rx_time_us(rx);
	if (waited <= limit_us)
		return false;
	if (ast_sip_budget_standing(sip_rx_source(rx)) == AST_SIP_STANDING_VERIFIED &&
	    waited * LIMIT <= limit_us * (int64_t)longest_verified())
		return false;
	atomic_fetch_add_explicit(&late, 1, memory_order_relaxed);
	refuse(tsx, rx, now);
	return true;
}
