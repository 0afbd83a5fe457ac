/* What goes back: RFC 3261 section 16.7 with RFC 4320. */
#include "core/proxy_private.h"
#include "sip/stack.h"
#include "sip/writer.h"

#include <errno.h>

/* Challenges gathered from all branches in one answer. */
#define MAX_CHALLENGES 16

static void answered(struct proxy *p, unsigned status, struct sip_rx_data *best)
{
	if (p->answered)
		return;
	p->answered = true;
	rs_timer_stop(&p->timer);
	if (p->on_final)
		p->on_final(p->token, status, best);
	if (p->owner)
		ast_sip_module_hold_for(p->owner, -1, "request");
}

/* The reference that stood for the answer to come. */
static void let_go(struct proxy *p, bool was_answered)
{
	if (!was_answered)
		proxy_unref(p);
}

/* To who asked, not to where the Vias lead that a callee sent back. */
static void respond(struct proxy *p, struct sip_tx_data *tx)
{
	struct sip_target target;

	if (!tx) {
		ast_sip_respond(p->rx, 500, RS_STR_NULL);
		return;
	}
	sip_transport_response_target(p->rx, &target);
	sip_tx_set_target(tx, &target);
	sip_tsx_respond(p->server, tx);
}

void proxy_forward_response(struct proxy *p, struct sip_rx_data *rx)
{
	const struct sip_edit pop = {.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA};
	unsigned status = sip_rx_msg(rx)->status;
	bool was_answered = p->answered;

	if (status >= 200)
		answered(p, status, rx);
	respond(p, sip_tx_forward(rx, &pop, 1));
	if (status >= 200)
		let_go(p, was_answered);
}

/* ---- the choice ---- */

/* Lower is better. A 6xx wins; then the lowest class; in it what helps the caller to do better (16.7 step 6). */
static unsigned rank(unsigned status)
{
	if (status >= 600)
		return 0;
	switch (status) {
	case 401:
	case 407:
	case 415:
	case 420:
	case 484:
		return 4 * 1000;
	case 503:
		return 5 * 1000 + 999;
	default:
		return status / 100 * 1000 + 1 + status % 100;
	}
}

static struct sip_rx_data *choose(const struct proxy *p)
{
	struct sip_rx_data *best = NULL;

	for (unsigned i = 0; i < p->n; i++) {
		struct sip_rx_data *rx = p->branches[i].best;

		/* A 408 to a request that is no INVITE comes too late for anybody (RFC 4320 section 4.2). */
		if (!rx || (!p->invite && sip_rx_msg(rx)->status == 408))
			continue;
		if (!best || rank(sip_rx_msg(rx)->status) < rank(sip_rx_msg(best)->status))
			best = rx;
	}
	return best;
}

static size_t add_challenges(struct sip_edit *edits, size_t n, struct sip_rx_data *rx, enum sip_hdr_id id)
{
	const struct sip_hdr *line;

	for (unsigned i = 0; n < MAX_CHALLENGES && (line = sip_msg_hdr(sip_rx_msg(rx), id, i)); i++)
		edits[n++] = (struct sip_edit){
			.op = SIP_EDIT_ADD, .id = id, .value = sip_msg_unfold(sip_rx_msg(rx), line->value)};
	return n;
}

/* Section 16.7 step 7: the challenges of all branches, so that one new request can answer them all. */
static struct sip_tx_data *forward_challenge(const struct proxy *p, struct sip_rx_data *best)
{
	struct sip_edit edits[MAX_CHALLENGES + 1] = {{.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA}};
	size_t n = 1;

	for (unsigned i = 0; i < p->n; i++) {
		struct sip_rx_data *rx = p->branches[i].best;
		unsigned status = rx ? sip_rx_msg(rx)->status : 0;

		if (rx == best || (status != 401 && status != 407))
			continue;
		n = add_challenges(edits, n, rx, SIP_HDR_WWW_AUTHENTICATE);
		n = add_challenges(edits, n, rx, SIP_HDR_PROXY_AUTHENTICATE);
	}
	return sip_tx_forward(best, edits, n);
}

static void answer_none(struct proxy *p)
{
	unsigned status = p->upstream_cancelled ? 487 : p->no_answer_status;

	if (status == 408 && !p->invite)
		status = 480;
	answered(p, status, NULL);
	ast_sip_respond(p->rx, status, RS_STR_NULL);
}

void proxy_answer_best(struct proxy *p)
{
	struct sip_rx_data *best;
	unsigned status;

	if (p->answered)
		return;
	best = choose(p);
	status = best ? sip_rx_msg(best)->status : 0;
	if (!best) {
		answer_none(p);
	} else if (status == 503) {
		/* It would tell the caller that this server is overloaded, not the one behind it. */
		answered(p, 500, best);
		ast_sip_respond(p->rx, 500, RS_STR_NULL);
	} else {
		const struct sip_edit pop = {.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA};

		answered(p, status, best);
		respond(p, status == 401 || status == 407 ? forward_challenge(p, best) : sip_tx_forward(best, &pop, 1));
	}
	let_go(p, false);
}
