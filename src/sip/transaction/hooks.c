/* The hooks of dialogs and proxies: what matches no transaction is offered to them, in order of registration. */
#include "sip/transaction/tsx.h"

#include "base/log.h"

#include <stdlib.h>

/* What readers walk; replaced as a whole, and freed when no thread can be in it any more. */
struct hook_list {
	size_t n;
	struct sip_tsx_hooks *v[];
};

static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct hook_list *) hooks;

static void replace(struct hook_list *list)
{
	struct hook_list *old = atomic_exchange_explicit(&hooks, list, memory_order_acq_rel);

	if (old && rs_quiet(free, old))
		rs_event(RS_LOG_WARNING, "transaction.hooks", RS_FZ("error", "no memory to free a list"));
}

void sip_tsx_hooks_register_for(void *module, struct sip_tsx_hooks *h)
{
	struct hook_list *old, *list;
	size_t n;

	pthread_mutex_lock(&writers);
	old = atomic_load_explicit(&hooks, memory_order_relaxed);
	n = old ? old->n : 0;
	list = malloc(sizeof(*list) + (n + 1) * sizeof(struct sip_tsx_hooks *));
	if (!list) {
		pthread_mutex_unlock(&writers);
		rs_event(RS_LOG_ERROR, "transaction.hooks", RS_FZ("error", "no memory"), RS_FZ("name", h->name));
		return;
	}
	if (n)
		memcpy(list->v, old->v, n * sizeof(struct sip_tsx_hooks *));
	list->v[n] = h;
	list->n = n + 1;
	h->module = module;
	replace(list);
	pthread_mutex_unlock(&writers);
	if (module)
		sip_module_hold(module, 1, "transaction hooks", h->name);
}

void sip_tsx_hooks_unregister(struct sip_tsx_hooks *h)
{
	struct hook_list *old, *list = NULL;
	bool found = false;

	pthread_mutex_lock(&writers);
	old = atomic_load_explicit(&hooks, memory_order_relaxed);
	for (size_t i = 0; old && i < old->n; i++)
		found = found || old->v[i] == h;
	if (found && old->n > 1)
		list = malloc(sizeof(*list) + (old->n - 1) * sizeof(struct sip_tsx_hooks *));
	if (found && (list || old->n == 1)) {
		for (size_t i = 0, n = 0; list && i < old->n; i++) {
			if (old->v[i] != h)
				list->v[n++] = old->v[i];
			list->n = n;
		}
		replace(list);
	} else if (found) {
		found = false;
		rs_event(RS_LOG_ERROR, "transaction.hooks", RS_FZ("error", "no memory"), RS_FZ("name", h->name));
	}
	pthread_mutex_unlock(&writers);
	if (found && h->module)
		sip_module_hold(h->module, -1, "transaction hooks", h->name);
}

static bool offer(struct sip_rx_data *rx, bool ack)
{
	struct hook_list *list = atomic_load_explicit(&hooks, memory_order_acquire);

	for (size_t i = 0; list && i < list->n; i++) {
		bool (*take)(struct sip_rx_data *) = ack ? list->v[i]->ack : list->v[i]->stray_response;

		if (take && take(rx))
			return true;
	}
	return false;
}

static void run(struct rs_task *task)
{
	struct sip_rx_data *rx = sip_rx_from_task(task);
	bool ack = sip_rx_msg(rx)->is_request;

	if (!tsx_stopping() && !offer(rx, ack) && !ack && sip_stack_config()->on_stray_response)
		sip_stack_config()->on_stray_response(rx);
	sip_rx_unref(rx);
	tsx_loose_end();
}

void tsx_hooks_push(struct sip_rx_data *rx)
{
	struct rs_task *task = sip_rx_task(rx);
	struct rs_serializer *own = rs_serializer_new("transaction.hooks");

	*task = (struct rs_task){.run = run, .name = "transaction.hooks"};
	tsx_loose_begin();
	tsx_push(own, task);
	if (own)
		rs_serializer_unref(own);
}
