/*
 * Bindings that are bound to a connection end with it. A watch's token is the update that takes the binding out, made
 * when the watch starts, so that the end of a connection needs no memory.
 */
#include "location_private.h"

#include <errno.h>

static void flow_ended(sip_flow_id flow, void *token)
{
	struct update *u = token;

	u->flow = flow;
	update_push(u);
}

void watch_start(struct ast_sip_contact *c, struct aor *a)
{
	struct update *u;

	if (!c->data.bound_to_flow || !c->data.flow || c->watch)
		return;
	u = update_new(UPDATE_FLOW_ENDED, a);
	if (!u) {
		a->again = true;
		return;
	}
	errno = 0;
	/* On the AOR's serializer, where watches are stopped too: a flow that ends at once only queues behind us. */
	u->watch = sip_flow_watch(c->data.flow, flow_ended, u);
	if (u->watch) {
		c->watch = u;
	} else if (errno == ENOMEM) {
		update_free(u);
		a->again = true;
	} else {
		flow_ended(c->data.flow, u); /* it has ended already */
	}
}

void watch_stop(struct ast_sip_contact *c)
{
	struct update *u = c->watch;

	c->watch = NULL;
	/* One that has fired is freed on this serializer, after us. */
	if (u && sip_flow_unwatch(u->watch))
		update_free(u);
}
