/* The trace: a list that is read without a lock. A node that was taken out stays until a quiet point has passed. */
#include "sip/transport/tp.h"

static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sip_trace *traces; /* this and every next: atomic builtins only */

bool sip_trace_on(void)
{
	return __atomic_load_n(&traces, __ATOMIC_RELAXED) != NULL;
}

void sip_trace_register(struct sip_trace *trace)
{
	pthread_mutex_lock(&trace_lock);
	__atomic_store_n(&trace->next, traces, __ATOMIC_RELAXED);
	__atomic_store_n(&traces, trace, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&trace_lock);
}

void sip_trace_unregister(struct sip_trace *trace)
{
	pthread_mutex_lock(&trace_lock);
	for (struct sip_trace **at = &traces; *at; at = &(*at)->next) {
		if (*at == trace) {
			__atomic_store_n(at, trace->next, __ATOMIC_RELEASE);
			break;
		}
	}
	pthread_mutex_unlock(&trace_lock);
}

void sip_trace_message(bool received, enum sip_transport_type type, const struct sip_addr *local,
		       const struct sip_addr *remote, struct rs_str bytes)
{
	struct sip_trace *t = __atomic_load_n(&traces, __ATOMIC_ACQUIRE);
	struct sip_trace_event event;

	if (!t)
		return;
	event = (struct sip_trace_event){
		.received = received, .type = type, .local = *local, .remote = *remote, .bytes = bytes};
	for (; t; t = __atomic_load_n(&t->next, __ATOMIC_ACQUIRE))
		t->message(&event);
}
