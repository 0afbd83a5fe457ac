/*
 * Who wants to know when a flow ends. A watch's id: bit 63 tells a UDP flow's, then a serial number (31 bits), then
 * the connection's index (32 bits).
 */
#include "sip/transport/conn.h"
#include "sip/transport/flow.h"

#include <stdlib.h>

struct sip_flow_watch {
	struct sip_flow_watch *next;
	uint64_t id;
	sip_flow_id flow;
	uint16_t path; /* UDP */
	void (*fn)(sip_flow_id flow, void *token);
	void *token;
	struct rs_task task;
};

#define WATCH_UDP (UINT64_C(1) << 63)

static _Atomic uint32_t serial;
static pthread_mutex_t udp_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sip_flow_watch *udp_watches;

static void run_watch(struct rs_task *t)
{
	struct sip_flow_watch *w = rs_container_of(t, struct sip_flow_watch, task);

	w->fn(w->flow, w->token);
	free(w);
}

void sip_watches_fire(struct sip_flow_watch *list)
{
	while (list) {
		struct sip_flow_watch *next = list->next;

		rs_push(NULL, &list->task);
		list = next;
	}
}

static bool take(struct sip_flow_watch **list, uint64_t id)
{
	for (; *list; list = &(*list)->next) {
		struct sip_flow_watch *w = *list;

		if (w->id != id)
			continue;
		*list = w->next;
		free(w);
		return true;
	}
	return false;
}

static uint64_t watch_stream(struct sip_flow_watch *w)
{
	struct sip_conn *c = sip_conn_get(w->flow);
	uint64_t id = 0;

	if (!c)
		return 0;
	pthread_mutex_lock(&c->lock);
	if (c->state != SIP_CONN_CLOSED) {
		id = w->id |= (uint32_t)w->flow;
		w->next = c->watches;
		c->watches = w;
	}
	pthread_mutex_unlock(&c->lock);
	sip_conn_unref(c);
	return id;
}

static uint64_t watch_udp(struct sip_flow_watch *w)
{
	struct sip_addr remote;
	struct sip_path *p;
	uint64_t id = 0;

	if (!sip_flow_udp_split(w->flow, &w->path, &remote) || !(p = sip_path_get(w->path)))
		return 0;
	pthread_mutex_lock(&udp_lock);
	/* Closing takes the listener off the path first and then looks here: one of the two sees the other. */
	if (sip_path_listener(p)) {
		id = w->id |= WATCH_UDP;
		w->next = udp_watches;
		udp_watches = w;
	}
	pthread_mutex_unlock(&udp_lock);
	return id;
}

uint64_t sip_flow_watch(sip_flow_id flow, void (*fn)(sip_flow_id flow, void *token), void *token)
{
	struct sip_flow_watch *w = calloc(1, sizeof(*w));
	uint64_t id;

	if (!w)
		return 0;
	w->id = (uint64_t)(atomic_fetch_add_explicit(&serial, 1, memory_order_relaxed) % 0x7fffffff + 1) << 32;
	w->flow = flow;
	w->fn = fn;
	w->token = token;
	w->task.run = run_watch;
	w->task.name = "flow watch";
	id = sip_flow_kind(flow) == SIP_FLOW_STREAM ? watch_stream(w) : watch_udp(w);
	if (!id)
		free(w);
	return id;
}

bool sip_flow_unwatch(uint64_t watch)
{
	bool found = false;

	if (watch & WATCH_UDP) {
		pthread_mutex_lock(&udp_lock);
		found = take(&udp_watches, watch);
		pthread_mutex_unlock(&udp_lock);
	} else if (watch) {
		struct sip_conn *c = sip_conn_get_index((uint32_t)watch);

		if (!c)
			return false;
		pthread_mutex_lock(&c->lock);
		found = take(&c->watches, watch);
		pthread_mutex_unlock(&c->lock);
		sip_conn_unref(c);
	}
	return found;
}

void sip_watches_udp_closed(void)
{
	struct sip_flow_watch *gone = NULL, **at = &udp_watches;

	pthread_mutex_lock(&udp_lock);
	while (*at) {
		struct sip_flow_watch *w = *at;

		if (sip_path_listener(sip_path_get(w->path))) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = gone;
		gone = w;
	}
	pthread_mutex_unlock(&udp_lock);
	sip_watches_fire(gone);
}
