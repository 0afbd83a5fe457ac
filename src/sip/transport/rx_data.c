/* Received messages: blocks, references, the overlay, the slots. */
#include "sip/transport/rx_private.h"

#include "base/slab.h"
#include "sip/stack.h"
#include "sip/transport/flow.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Blocks that a thread keeps: some batches of datagrams in flight. */
#define RX_KEEP 256

static struct rs_slab rx_slab = {.name = "rx_data", .size = SIP_RX_BLOCK, .keep = RX_KEEP};
static pthread_once_t rx_once = PTHREAD_ONCE_INIT;

static void register_slab(void)
{
	rs_slab_register(&rx_slab);
}

void sip_rx_setup(void)
{
	pthread_once(&rx_once, register_slab);
}

static void init_block(struct sip_rx_data *rx, size_t total, size_t buf)
{
	char *end = (char *)rx + total;

	rx->magic = SIP_RX_MAGIC;
	atomic_init(&rx->refs, 1);
	rx->force_rport = rx->inbound = false;
	rx->type = SIP_TRANSPORT_NONE;
	rx->path = 0;
	rx->buf = end - buf;
	rx->buf_cap = (uint32_t)buf;
	rx->source = rx->local = (struct sip_addr){0};
	rx->listener = RS_STR_NULL;
	rx->flow = 0;
	rx->time_us = 0;
	atomic_init(&rx->tsx, NULL);
	atomic_init(&rx->overrides, NULL);
	memset(rx->slots, 0, sizeof(rx->slots));
	rs_arena_init(&rx->arena, rx->mem, (size_t)(rx->buf - (char *)rx->mem), SIP_MAX_ARENA);
	/* The parse clears msg. */
	rx->msg.arena = &rx->arena;
}

struct sip_rx_data *sip_rx_alloc(size_t len)
{
	size_t total = SIP_RX_BLOCK;
	struct sip_rx_data *rx;

	if (len <= SIP_RX_BUFFER) {
		sip_rx_setup();
		rx = rs_slab_alloc(&rx_slab);
		len = SIP_RX_BUFFER;
	} else {
		total = SIP_RX_BLOCK - SIP_RX_BUFFER + len;
		rx = malloc(total);
	}
	if (!rx)
		return NULL;
	rx->slab = total == SIP_RX_BLOCK;
	init_block(rx, total, len);
	return rx;
}

enum sip_parse_result sip_rx_parse(struct sip_rx_data *rx, struct rs_str bytes)
{
	return sip_msg_parse(&rx->msg, &rx->arena, bytes, false, NULL);
}

struct sip_rx_data *sip_rx_new(struct rs_str bytes)
{
	struct sip_rx_data *rx = sip_rx_alloc(bytes.len);

	if (!rx)
		return NULL;
	memset(&rx->msg, 0, sizeof(rx->msg));
	rx->msg.arena = &rx->arena;
	if (bytes.len)
		memcpy(rx->buf, bytes.p, bytes.len);
	rx->msg.bytes = rs_str_n(rx->buf, bytes.len);
	rx->time_us = rs_now_us();
	return rx;
}

struct sip_rx_data *sip_rx_ref(struct sip_rx_data *rx)
{
	if (rx->magic != SIP_RX_MAGIC)
		abort();
	atomic_fetch_add_explicit(&rx->refs, 1, memory_order_relaxed);
	return rx;
}

/* ---- slots ---- */

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static bool slot_used[SIP_RX_SLOTS];
static _Atomic(void (*)(void *)) slot_release[SIP_RX_SLOTS];

int sip_rx_slot_new(void (*release)(void *value))
{
	int slot = -1;

	pthread_mutex_lock(&slots_lock);
	for (int i = 0; i < SIP_RX_SLOTS && slot < 0; i++)
		if (!slot_used[i])
			slot = i;
	if (slot >= 0) {
		slot_used[slot] = true;
		atomic_store_explicit(&slot_release[slot], release, memory_order_release);
	}
	pthread_mutex_unlock(&slots_lock);
	return slot;
}

void sip_rx_slot_free(int slot)
{
	if (slot < 0 || slot >= SIP_RX_SLOTS)
		return;
	pthread_mutex_lock(&slots_lock);
	slot_used[slot] = false;
	atomic_store_explicit(&slot_release[slot], NULL, memory_order_release);
	pthread_mutex_unlock(&slots_lock);
}

void sip_rx_set(struct sip_rx_data *rx, int slot, void *value)
{
	rx->slots[slot] = value;
}

void *sip_rx_get(const struct sip_rx_data *rx, int slot)
{
	return rx->slots[slot];
}

void sip_rx_unref(struct sip_rx_data *rx)
{
	if (!rx)
		return;
	if (rx->magic != SIP_RX_MAGIC)
		abort();
	if (atomic_fetch_sub_explicit(&rx->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (int i = 0; i < SIP_RX_SLOTS; i++) {
		void (*release)(void *) =
			rx->slots[i] ? atomic_load_explicit(&slot_release[i], memory_order_acquire) : NULL;

		if (release)
			release(rx->slots[i]);
	}
	rs_arena_reset(&rx->arena);
	rx->magic = 0;
	if (rx->slab)
		rs_slab_free(&rx_slab, rx);
	else
		free(rx);
}

/* ---- what was received ---- */

struct sip_msg *sip_rx_msg(struct sip_rx_data *rx)
{
	return &rx->msg;
}

const struct sip_addr *sip_rx_source(const struct sip_rx_data *rx)
{
	return &rx->source;
}

const struct sip_addr *sip_rx_local(const struct sip_rx_data *rx)
{
	return &rx->local;
}

enum sip_transport_type sip_rx_transport(const struct sip_rx_data *rx)
{
	return (enum sip_transport_type)rx->type;
}

struct rs_str sip_rx_listener(const struct sip_rx_data *rx)
{
	return rx->listener;
}

sip_flow_id sip_rx_flow(const struct sip_rx_data *rx)
{
	return rx->type == SIP_TRANSPORT_UDP ? sip_flow_udp(rx->path, &rx->source) : rx->flow;
}

int64_t sip_rx_time_us(const struct sip_rx_data *rx)
{
	return rx->time_us;
}

struct sip_tsx *sip_rx_tsx(const struct sip_rx_data *rx)
{
	return atomic_load_explicit(&rx->tsx, memory_order_acquire);
}

void sip_rx_set_tsx(struct sip_rx_data *rx, struct sip_tsx *tsx)
{
	atomic_store_explicit(&rx->tsx, tsx, memory_order_release);
}

struct rs_task *sip_rx_task(struct sip_rx_data *rx)
{
	return &rx->task;
}

struct sip_rx_data *sip_rx_from_task(struct rs_task *task)
{
	return rs_container_of(task, struct sip_rx_data, task);
}

/* ---- the overlay ---- */

int sip_rx_override(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n, struct rs_str value)
{
	struct sip_rx_override *o = rs_arena_zalloc(&rx->arena, sizeof(*o));
	struct rs_str copy = rs_arena_str(&rx->arena, value);
	struct sip_hdr_values values;

	if (!o || !copy.p) {
		errno = ENOMEM;
		return -1;
	}
	if (sip_hdr_parse(id, copy, &rx->arena, &values) || values.n != 1 ||
	    (values.shape != SIP_SHAPE_NAME_ADDR && values.shape != SIP_SHAPE_URI_PARAMS)) {
		errno = EINVAL;
		return -1;
	}
	o->id = id;
	o->n = n;
	o->value = values.v.name_addr[0];
	/* The newest first: what is asked for is what was written last. */
	o->next = atomic_load_explicit(&rx->overrides, memory_order_relaxed);
	atomic_store_explicit(&rx->overrides, o, memory_order_release);
	return 0;
}

const struct sip_name_addr *sip_rx_name_addr(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n)
{
	const struct sip_rx_override *o = atomic_load_explicit(&rx->overrides, memory_order_acquire);

	for (; o; o = o->next)
		if (o->id == id && o->n == n)
			return &o->value;
	return sip_msg_name_addr(&rx->msg, id, n);
}

void sip_rx_set_force_rport(struct sip_rx_data *rx)
{
	rx->force_rport = true;
}

bool sip_rx_force_rport(const struct sip_rx_data *rx)
{
	return rx->force_rport;
}
