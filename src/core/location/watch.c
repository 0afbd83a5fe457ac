/* Bindings that are bound to a connection end with it. The watch's token is the AOR, with a reference. */
#include "location_private.h"

static void flow_ended(sip_flow_id flow, void *token)
{
	struct aor *a = token;
	struct update *u = update_new(UPDATE_FLOW_ENDED, a);

	if (u) {
		u->flow = flow;
		update_push(u);
	}
	aor_unref(a);
}

void watch_start(struct ast_sip_contact *c, struct aor *a)
{
	if (!c->data.bound_to_flow || !c->data.flow || c->watch)
		return;
	rs_serializer_ref(&a->serializer);
	/* On the AOR's serializer, where watches are stopped too: a flow that ends at once only queues behind us. */
	c->watch = sip_flow_watch(c->data.flow, flow_ended, a);
	if (!c->watch)
		flow_ended(c->data.flow, a);
}

void watch_stop(struct ast_sip_contact *c, struct aor *a)
{
	uint64_t watch = c->watch;

	c->watch = 0;
	if (watch && sip_flow_unwatch(watch))
		aor_unref(a);
}
