/* The branches of a forwarded request: when they start, where they go, what they bring back. */
#include "core/proxy_private.h"
#include "core/target.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

static void branch_done(struct proxy_branch *b);
static void send_on(struct proxy_branch *b);

/* ---- what a client transaction reports ---- */

static void take_response(struct proxy_branch *b, struct sip_rx_data *rx)
{
	sip_rx_unref(b->best);
	b->best = sip_rx_ref(rx);
}

/* The next address of the same next hop (RFC 3263 section 4.3). */
static bool try_next_address(struct proxy_branch *b)
{
	if (!b->n_more || b->cancelled || b->proxy->answered)
		return false;
	b->target = b->more[0];
	b->n_more--;
	memmove(b->more, b->more + 1, b->n_more * sizeof(*b->more));
	sip_tsx_unref(b->tsx);
	b->tsx = NULL;
	send_on(b);
	return true;
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct proxy_branch *b = token;
	struct proxy *p = b->proxy;
	unsigned status = sip_rx_msg(rx)->status;

	if (status == 100 || tsx != b->tsx)
		return;
	/* With our Via alone it was for this server and goes no further (RFC 3261 section 16.7 step 3): no answer. */
	if (!sip_msg_via(sip_rx_msg(rx), 1)) {
		if (status >= 200)
			branch_done(b);
		return;
	}
	if (status < 200) {
		/* RFC 4320: a provisional response to a non-INVITE says nothing that its sender needs. */
		if (p->invite && !p->answered)
			proxy_forward_response(p, rx);
		return;
	}
	if (status < 300) {
		/* Each 2xx to an INVITE makes a dialog of its own; of other requests the first counts. */
		if (p->invite || !p->answered)
			proxy_forward_response(p, rx);
		if (b->state == BRANCH_RUNNING) {
			b->state = BRANCH_DONE;
			proxy_cancel_running(p);
			proxy_start_next(p);
		}
		return;
	}
	if (status == 503 && try_next_address(b))
		return;
	take_response(b, rx);
	if (status >= 600)
		proxy_cancel_running(p);
	branch_done(b);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct proxy_branch *b = token;

	if (tsx != b->tsx || (why != SIP_TSX_CANCELLED_LOCALLY && try_next_address(b)))
		return;
	branch_done(b);
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	struct proxy_branch *b = token;

	(void)tsx;
	proxy_unref(b->proxy);
}

static const struct sip_tsx_user user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "proxy",
	.on_response = on_response,
	.on_end = on_end,
	.on_terminated = on_terminated,
};

/* ---- sending ---- */

static void branch_done(struct proxy_branch *b)
{
	if (b->state == BRANCH_DONE)
		return;
	b->state = BRANCH_DONE;
	proxy_start_next(b->proxy);
}

static void send_on(struct proxy_branch *b)
{
	struct proxy *p = b->proxy;

	for (;;) {
		struct sip_tx_data *tx = proxy_request(p, b);

		if (!tx)
			break;
		sip_tx_set_target(tx, &b->target);
		if (sip_tsx_send_for(p->owner, tx, p->serializer, &user, b, 0, &b->tsx) == 0) {
			proxy_ref(p);
			return;
		}
		if (!b->n_more)
			break;
		b->target = b->more[0];
		b->n_more--;
		memmove(b->more, b->more + 1, b->n_more * sizeof(*b->more));
	}
	branch_done(b);
}

static void resolved(const struct sip_targets *targets, void *token)
{
	struct proxy_branch *b = token;
	struct proxy *p = b->proxy;
	struct rs_str listener = b->target.listener;

	if (!targets->n || b->cancelled || p->answered) {
		branch_done(b);
		proxy_unref(p);
		return;
	}
	b->target = targets->v[0];
	if (targets->n > 1)
		b->more = calloc(targets->n - 1, sizeof(*b->more));
	if (b->more) {
		b->n_more = targets->n - 1;
		memcpy(b->more, &targets->v[1], b->n_more * sizeof(*b->more));
	}
	if (listener.len)
		b->target.listener = listener;
	send_on(b);
	proxy_unref(p);
}

/* The first Route value of the branch, else its URI (section 16.6 step 6). */
static int next_hop(struct proxy_branch *b, struct sip_uri *out)
{
	max_align_t room[64];
	struct sip_hdr_values values;
	struct rs_arena arena;
	int rc = -1;

	if (!b->route.len)
		return sip_uri_parse(b->uri, out);
	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (sip_hdr_parse(SIP_HDR_ROUTE, b->route, &arena, &values) == 0 && values.n) {
		*out = values.v.name_addr[0].uri;
		rc = 0;
	}
	rs_arena_reset(&arena);
	return rc;
}

static void branch_start(struct proxy_branch *b)
{
	struct sip_uri uri;

	if (b->target.flow || b->target.flow_only || b->target.addr.family) {
		send_on(b);
		return;
	}
	if (next_hop(b, &uri)) {
		branch_done(b);
		return;
	}
	proxy_ref(b->proxy);
	if (sip_resolve_for(b->proxy->owner, &uri, b->proxy->serializer, resolved, b)) {
		proxy_unref(b->proxy);
		branch_done(b);
	}
}

void proxy_cancel_running(struct proxy *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct proxy_branch *b = &p->branches[i];

		if (b->state == BRANCH_WAITING)
			b->state = BRANCH_DONE;
		if (b->state != BRANCH_RUNNING || b->cancelled)
			continue;
		/* Only an INVITE can be cancelled; other requests end by themselves (section 16.10). */
		if (p->invite && b->tsx) {
			b->cancelled = true;
			sip_tsx_cancel(b->tsx, RS_STR_NULL);
		} else if (!b->tsx) {
			b->cancelled = true;
		}
	}
}

/* ---- groups ---- */

static unsigned count(const struct proxy *p, enum proxy_branch_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->branches[i].state == state;
	return n;
}

/* The waiting branches of the highest q; all of them when they are not tried one after another. Their number in *n. */
static unsigned first_group(const struct proxy *p, unsigned *n)
{
	unsigned first = 0;

	while (first < p->n && p->branches[first].state != BRANCH_WAITING)
		first++;
	*n = 0;
	for (unsigned i = first; i < p->n && p->branches[i].state == BRANCH_WAITING; i++) {
		if (p->serial && p->branches[i].q != p->branches[first].q)
			break;
		(*n)++;
	}
	return first;
}

/* RFC 5393 section 5.3.3.2: what is allowed is shared among the branches that run at once. */
static void share_breadth(struct proxy *p, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p->branches[first + i].breadth = p->max_breadth / n + (i < p->max_breadth % n);
}

static void start_group(struct proxy *p, unsigned first, unsigned n)
{
	if (n > p->max_breadth)
		n = p->max_breadth;
	share_breadth(p, first, n);
	/* All are marked before the first may end: it must not find itself alone. */
	for (unsigned i = 0; i < n; i++)
		p->branches[first + i].state = BRANCH_RUNNING;
	for (unsigned i = 0; i < n; i++)
		branch_start(&p->branches[first + i]);
}

void proxy_start_next(struct proxy *p)
{
	unsigned n, first;

	/* A branch that fails at once comes back here: the loop below sees to it. */
	if (p->starting)
		return;
	p->starting = true;
	proxy_ref(p);
	while (!p->answered && count(p, BRANCH_RUNNING) == 0) {
		first = first_group(p, &n);
		if (n)
			start_group(p, first, n);
		else
			proxy_answer_best(p);
	}
	p->starting = false;
	proxy_unref(p);
}
