/*
 * Load shedding (section 3 of the architecture): when too much waits, or it has waited too long, new requests outside
 * of dialogs are refused with 503 up to a rate, then dropped; what belongs to something that exists still passes,
 * within a bound of its own. Asked before the parse, for each message.
 */
#include "core/core.h"
#include "core/pipeline.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdatomic.h>

/* A flood must not make work faster than the pool can do it. */
#define HIGH_WATER          10000 /* tasks that wait */
#define LONGEST_WAIT_MS     500   /* a caller has sent again by then */
#define REFUSALS_PER_SECOND 1000  /* a 503 costs more than silence */
/* In-dialog traffic keeps calls alive, but not at any price: this many times the limits above. */
#define SECOND_BOUND 4

/* Sums over all threads are not made for each message. */
#define SAMPLE_US 10000

enum load { LOAD_NORMAL, LOAD_HIGH, LOAD_FULL };

static _Atomic int64_t next_sample_us;
static _Atomic int load;
static _Atomic int64_t refusals_second;
static _Atomic uint32_t refusals;

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

static int measure(void)
{
	struct rs_taskpool_stats st;
	uint64_t high = atomic_load_explicit(&settings.high_water, memory_order_relaxed);
	uint32_t factor = atomic_load_explicit(&settings.factor, memory_order_relaxed);
	int64_t wait_us = (int64_t)atomic_load_explicit(&settings.wait_ms, memory_order_relaxed) * 1000;

	rs_taskpool_stats(&st);
	if (st.queued > high * factor || st.oldest_wait_us > wait_us * factor)
		return LOAD_FULL;
	return st.queued > high || st.oldest_wait_us > wait_us ? LOAD_HIGH : LOAD_NORMAL;
}

/* One thread takes the sample, the others use the last one. */
static int current_load(int64_t now)
{
	int64_t due = atomic_load_explicit(&next_sample_us, memory_order_relaxed);

	if (now >= due && atomic_compare_exchange_strong_explicit(&next_sample_us, &due, now + SAMPLE_US,
								  memory_order_relaxed, memory_order_relaxed)) {
		int was = atomic_load_explicit(&load, memory_order_relaxed), is = measure();

		atomic_store_explicit(&load, is, memory_order_relaxed);
		if ((was == LOAD_NORMAL) != (is == LOAD_NORMAL))
			rs_event(RS_LOG_WARNING, is == LOAD_NORMAL ? "overload.ended" : "overload.began",
				 RS_FI("load", is));
		return is;
	}
	return atomic_load_explicit(&load, memory_order_relaxed);
}

static bool may_refuse(int64_t now)
{
	int64_t second = now / 1000000, was = atomic_load_explicit(&refusals_second, memory_order_relaxed);

	if (was != second && atomic_compare_exchange_strong(&refusals_second, &was, second))
		atomic_store(&refusals, 0);
	return atomic_fetch_add(&refusals, 1) < atomic_load_explicit(&settings.refusals, memory_order_relaxed);
}

static bool is_new(struct sip_msg_class cls)
{
	return cls.is_request && !cls.in_dialog && cls.method != SIP_METHOD_ACK && cls.method != SIP_METHOD_BYE &&
	       cls.method != SIP_METHOD_CANCEL && cls.method != SIP_METHOD_PRACK;
}

enum sip_admission ast_sip_overload_admit(struct sip_msg_class cls, enum sip_transport_type type,
					  const struct sip_addr *peer)
{
	int64_t now;
	int at;

	(void)type;
	(void)peer;
	/* Open connections still ask: what answers them is about to be unloaded. */
	if (atomic_load_explicit(&settings.stopping, memory_order_relaxed) && is_new(cls))
		return SIP_REFUSE_503;
	if (atomic_load_explicit(&settings.off, memory_order_relaxed))
		return SIP_ADMIT;
	now = rs_now_us();
	at = current_load(now);
	if (at == LOAD_NORMAL)
		return SIP_ADMIT;
	if (!is_new(cls))
		return at == LOAD_FULL ? SIP_REFUSE_DROP : SIP_ADMIT;
	return may_refuse(now) ? SIP_REFUSE_503 : SIP_REFUSE_DROP;
}
