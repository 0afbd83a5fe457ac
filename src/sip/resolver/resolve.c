/*
 * Resolving a URI's next hop. One resolution is one allocation: it is answered once, by its names' query or by its
 * timer, whichever is first, and the answer is delivered as a task on the asker's serializer.
 */
#include "plan.h"

#include "base/log.h"
#include "sip/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A name whose servers never answer must not hold a request, and this memory, for longer. */
#define RESOLVE_TIMEOUT_US 10000000ll
/* Resolutions under way: senders of requests to names that answer slowly could else take any amount of memory. */
#define RESOLVE_MAX 10000

struct resolution {
	struct rs_task task;
	struct rs_timer timer;
	struct rs_serializer own; /* when the asker has none */
	struct rs_serializer *serializer;
	void *module;
	void (*done)(const struct sip_targets *targets, void *token);
	void *token;
	_Atomic uint32_t refs; /* the delivery, the names' query, the timer */
	_Atomic bool answered;
	enum sip_transport_type type;
	uint16_t port;
	char host[SIP_MAX_HOST + 1];
	struct sip_targets targets;
};

static const struct sip_names_ops *_Atomic names;
static void *names_token;
static _Atomic uint32_t under_way;

static void release_own(struct rs_serializer *s)
{
	free(rs_container_of(s, struct resolution, own));
}

static void unref(struct resolution *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (r->serializer == &r->own) {
		/* The pool may still hold it for the task that is just ending. */
		rs_serializer_unref(&r->own);
		return;
	}
	rs_serializer_unref(r->serializer);
	free(r);
}

static void hold_timer(struct rs_timer *t, bool on)
{
	struct resolution *r = rs_container_of(t, struct resolution, timer);

	if (on)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	else
		unref(r);
}

static void hold_module(const struct resolution *r, int delta)
{
	if (r->module && sip_module_hold)
		sip_module_hold(r->module, delta, "resolving a name", "resolver");
}

/* On the serializer. */
static void deliver(struct resolution *r)
{
	rs_timer_stop(&r->timer);
	if (r->targets.n == 0)
		rs_event(RS_LOG_INFO, "resolver.failed", RS_FZ("host", r->host), RS_FI("errno", r->targets.error));
	r->done(&r->targets, r->token);
	hold_module(r, -1);
	unref(r);
	atomic_fetch_sub(&under_way, 1);
}

static void run_deliver(struct rs_task *task)
{
	deliver(rs_container_of(task, struct resolution, task));
}

static void timed_out(struct rs_timer *t)
{
	struct resolution *r = rs_container_of(t, struct resolution, timer);

	if (atomic_exchange(&r->answered, true))
		return;
	r->targets.error = ETIMEDOUT;
	deliver(r);
}

static void add_target(struct resolution *r, const struct sip_addr *addr)
{
	struct sip_target *t;

	if (r->targets.n == SIP_MAX_TARGETS)
		return;
	t = &r->targets.v[r->targets.n++];
	*t = (struct sip_target){.type = r->type, .addr = *addr};
	t->addr.port = r->port;
}

static bool is_reachable(const struct resolution *r, const struct sip_addr *addr)
{
	struct sip_target t = {.type = r->type, .addr = *addr};
	struct sip_addr local;

	t.addr.port = r->port;
	return sip_transport_local(&t, &local) == 0;
}

/*
 * Addresses that we have a listener and a route for, IPv6 before IPv4 (RFC 6724 section 2.1, rule of the default
 * table), each in the order of the answer. When there is none such, all: the send will say why it cannot.
 */
static void add_addresses(struct resolution *r, const struct sip_addr *addrs, unsigned n)
{
	static const uint8_t families[] = {6, 4};

	for (int all = 0; all < 2 && r->targets.n == 0; all++) {
		for (size_t f = 0; f < RS_ARRAY_SIZE(families); f++) {
			for (unsigned i = 0; i < n; i++) {
				if (addrs[i].family == families[f] && (all || is_reachable(r, &addrs[i])))
					add_target(r, &addrs[i]);
			}
		}
	}
}

/* Any thread. */
static void names_done(void *token, int error, const struct sip_addr *addrs, unsigned n)
{
	struct resolution *r = token;

	if (!atomic_exchange(&r->answered, true)) {
		add_addresses(r, addrs, n);
		if (r->targets.n == 0)
			r->targets.error = error ? error : ENOENT;
		rs_push(r->serializer, &r->task);
	}
	unref(r);
}

static struct resolution *resolution_new(void *module, struct rs_serializer *serializer)
{
	struct resolution *r;

	if (atomic_fetch_add(&under_way, 1) >= RESOLVE_MAX) {
		atomic_fetch_sub(&under_way, 1);
		errno = EAGAIN;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		atomic_fetch_sub(&under_way, 1);
		errno = ENOMEM;
		return NULL;
	}
	if (!serializer)
		serializer = rs_serializer_current();
	if (serializer) {
		r->serializer = rs_serializer_ref(serializer);
	} else {
		rs_serializer_init(&r->own, "resolver", release_own);
		r->serializer = &r->own;
	}
	r->module = module;
	r->task.run = run_deliver;
	r->task.name = "resolver: targets";
	r->task.module = module;
	rs_timer_init(&r->timer, "resolver: timeout", r->serializer, timed_out, hold_timer, module);
	return r;
}

static void answer_at_once(struct resolution *r, int error)
{
	r->targets.error = error;
	atomic_store(&r->refs, 1);
	atomic_store(&r->answered, true);
	rs_push(r->serializer, &r->task);
}

/*
 * A and AAAA of a host. The names of services (NAPTR and SRV, RFC 3263 sections 4.1 and 4.2) end here too, once for
 * each host that they name.
 */
static void ask_addresses(struct resolution *r, const struct sip_names_ops *ops)
{
	atomic_store(&r->refs, 2);
	rs_timer_start(&r->timer, RESOLVE_TIMEOUT_US);
	ops->query(names_token, r->host, true, true, names_done, r);
}

int sip_resolve_for(void *module, const struct sip_uri *uri, struct rs_serializer *serializer,
		    void (*done)(const struct sip_targets *targets, void *token), void *token)
{
	const struct sip_names_ops *ops = atomic_load(&names);
	struct sip_resolve_plan plan;
	int error = sip_resolve_plan(uri, &plan);
	struct resolution *r = resolution_new(module, serializer);

	if (!r)
		return -1;
	r->done = done;
	r->token = token;
	hold_module(r, 1);
	if (error) {
		answer_at_once(r, error);
		return 0;
	}
	r->type = plan.type;
	r->port = plan.port;
	snprintf(r->host, sizeof(r->host), "%.*s", RS_FMT(plan.host));
	if (plan.numeric) {
		add_target(r, &plan.addr);
		answer_at_once(r, 0);
	} else if (!ops) {
		answer_at_once(r, EIO);
	} else {
		ask_addresses(r, ops);
	}
	return 0;
}

bool sip_resolve_numeric(const struct sip_uri *uri, struct sip_target *out)
{
	struct sip_resolve_plan plan;

	if (sip_resolve_plan(uri, &plan) != 0 || !plan.numeric)
		return false;
	*out = (struct sip_target){.type = plan.type, .addr = plan.addr};
	return true;
}

int sip_resolver_start(void)
{
	const struct sip_stack_config *config = sip_stack_config();
	const struct sip_names_ops *ops = config->names ? config->names : &sip_names_unbound;
	int error = ops->start(config->names_token);

	if (error)
		return error;
	names_token = config->names_token;
	atomic_store(&names, ops);
	return 0;
}

void sip_resolver_stop(void)
{
	const struct sip_names_ops *ops = atomic_exchange(&names, NULL);

	if (!ops)
		return;
	/* Answers what is asked still; then the answers reach their askers. */
	ops->stop(names_token);
	while (atomic_load(&under_way))
		rs_taskpool_drain(20);
}
