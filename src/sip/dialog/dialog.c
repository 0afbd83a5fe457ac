/* Dialogs: references, states, what is known of them, figures, start and stop of the layer. */
#include "sip/dialog/dialog.h"

#include <errno.h>
#include <stdlib.h>

struct dialog_counters dialog_counters;
static _Atomic bool stopping = true;

void dialog_count(_Atomic uint64_t *counter, int by)
{
	atomic_fetch_add_explicit(counter, (uint64_t)(int64_t)by, memory_order_relaxed);
}

bool dialog_stopping(void)
{
	return atomic_load_explicit(&stopping, memory_order_relaxed);
}

/* ---- references ---- */

struct sip_dialog *sip_dialog_ref(struct sip_dialog *d)
{
	if (d->magic != DIALOG_MAGIC)
		abort();
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

bool dialog_try_ref(struct sip_dialog *d)
{
	uint32_t refs = atomic_load_explicit(&d->refs, memory_order_relaxed);

	while (refs) {
		if (atomic_compare_exchange_weak_explicit(&d->refs, &refs, refs + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

void sip_dialog_unref(struct sip_dialog *d)
{
	if (!d)
		return;
	if (d->magic != DIALOG_MAGIC)
		abort();
	if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
		return;
	/* Whoever looks it up meanwhile gets no reference any more. */
	dialog_end(d);
	dialog_free(d);
}

/* ---- states ---- */

const char *sip_dialog_state_name(enum sip_dialog_state s)
{
	static const char *const names[] = {"NEW", "EARLY", "CONFIRMED", "TERMINATED"};

	return (unsigned)s < RS_ARRAY_SIZE(names) ? names[s] : "?";
}

void dialog_set_state(struct sip_dialog *d, enum sip_dialog_state state)
{
	enum sip_dialog_state was = sip_dialog_state(d);

	if (was == state)
		return;
	atomic_store_explicit(&d->state, (uint8_t)state, memory_order_relaxed);
	if (was == SIP_DIALOG_EARLY)
		dialog_count(&dialog_counters.early, -1);
	if (state == SIP_DIALOG_EARLY)
		dialog_count(&dialog_counters.early, 1);
}

void dialog_end(struct sip_dialog *d)
{
	if (sip_dialog_state(d) == SIP_DIALOG_TERMINATED)
		return;
	dialog_set_state(d, SIP_DIALOG_TERMINATED);
	dialog_table_remove(d);
}

enum sip_dialog_effect sip_dialog_effect(unsigned status)
{
	switch (status) {
	case 404:
	case 410:
	case 416:
	case 482:
	case 483:
	case 484:
	case 485:
	case 502:
	case 604:
		return SIP_DIALOG_ENDS;
	case 405:
	case 480:
	case 481:
	case 489:
	case 501:
		return SIP_DIALOG_USAGE_ENDS;
	default:
		return SIP_DIALOG_KEEPS;
	}
}

/* ---- what is known ---- */

enum sip_dialog_state sip_dialog_state(const struct sip_dialog *d)
{
	return (enum sip_dialog_state)atomic_load_explicit(&d->state, memory_order_relaxed);
}

bool sip_dialog_is_uac(const struct sip_dialog *d)
{
	return d->uac;
}

struct rs_serializer *sip_dialog_serializer(const struct sip_dialog *d)
{
	return d->serializer;
}

struct rs_str sip_dialog_call_id(const struct sip_dialog *d)
{
	return d->call_id;
}

struct rs_str sip_dialog_local_tag(const struct sip_dialog *d)
{
	return d->local_tag;
}

struct rs_str sip_dialog_remote_tag(const struct sip_dialog *d)
{
	uint32_t len = atomic_load_explicit(&d->remote_tag_len, memory_order_acquire);

	return len ? rs_str_n(d->remote_tag, len) : RS_STR_NULL;
}

struct rs_str sip_dialog_local(const struct sip_dialog *d)
{
	return d->local;
}

struct rs_str sip_dialog_remote(const struct sip_dialog *d)
{
	return d->remote;
}

struct rs_str sip_dialog_remote_target(const struct sip_dialog *d)
{
	return d->peer->target;
}

struct rs_str sip_dialog_contact(const struct sip_dialog *d)
{
	return d->contact;
}

uint32_t sip_dialog_local_cseq(const struct sip_dialog *d)
{
	return d->local_cseq;
}

uint32_t sip_dialog_remote_cseq(const struct sip_dialog *d)
{
	return d->remote_cseq;
}

bool sip_dialog_secure(const struct sip_dialog *d)
{
	return d->secure;
}

const struct sip_addr *sip_dialog_source(const struct sip_dialog *d)
{
	return &d->heard.addr;
}

/* ---- words of others ---- */

/* Forks share the owner of the dialog that they came from. */
static const struct sip_dialog *root(const struct sip_dialog *d)
{
	return d->origin ? d->origin : d;
}

void sip_dialog_set_owner(struct sip_dialog *d, void *value, void (*release)(void *value))
{
	if (d->release)
		d->release(d->owner);
	d->owner = value;
	d->release = release;
}

void *sip_dialog_owner(const struct sip_dialog *d)
{
	return root(d)->owner;
}

void *sip_dialog_owner_of(const struct sip_dialog *d, void (*release)(void *value))
{
	return root(d)->release == release ? root(d)->owner : NULL;
}

void sip_dialog_set_max_forwards(struct sip_dialog *d, unsigned hops)
{
	d->max_forwards = (uint8_t)(hops < 255 ? hops : 255);
}

void sip_dialog_set_way(struct sip_dialog *d, enum sip_transport_type type, struct rs_str listener)
{
	d->first.type = type;
	d->first.listener = listener;
}

struct sip_addr *sip_dialog_verified(struct sip_dialog *d)
{
	return &d->verified;
}

void **sip_dialog_waiting(struct sip_dialog *d)
{
	return &d->waiting;
}

/* ---- the layer ---- */

void sip_dialog_stats(struct sip_dialog_stats *out)
{
	const struct dialog_counters *c = &dialog_counters;

	*out = (struct sip_dialog_stats){
		.now = atomic_load_explicit(&c->now, memory_order_relaxed),
		.early_now = atomic_load_explicit(&c->early, memory_order_relaxed),
		.created = atomic_load_explicit(&c->created, memory_order_relaxed),
		.refused = atomic_load_explicit(&c->refused, memory_order_relaxed),
		.stray_acks = atomic_load_explicit(&c->stray_acks, memory_order_relaxed),
	};
}

int sip_dialog_start(void)
{
	int error = dialog_table_start();

	if (error)
		return error;
	error = dialog_receive_start();
	if (error) {
		dialog_table_stop();
		return error;
	}
	atomic_store(&dialog_counters.created, 0);
	atomic_store(&dialog_counters.refused, 0);
	atomic_store(&dialog_counters.stray_acks, 0);
	atomic_store(&stopping, false);
	return 0;
}

static int end_one(void *data)
{
	sip_dialog_terminate(data);
	return 0;
}

void sip_dialog_stop(void)
{
	struct sip_dialog *d;
	unsigned shard = 0;

	if (atomic_exchange(&stopping, true))
		return;
	while ((d = dialog_table_any(&shard))) {
		/* Without a pool nobody else runs: the caller may stand for the serializer. */
		if (rs_call(d->serializer, end_one, d, NULL, "dialog.stop", NULL))
			end_one(d);
		sip_dialog_unref(d);
	}
	dialog_receive_stop();
	dialog_table_stop();
}
