/* What the transactions of a request of our own report: responses, challenges, failures (RFC 3261 section 8.1.3). */
#include "core/pipeline.h"
#include "core/send_private.h"
#include "sip/stack.h"

#include <errno.h>

/* A challenger that goes on asking is answered no longer (section 9 of the reference). */
#define MAX_CHALLENGES_ANSWERED 9

static void release_endpoint(void *value)
{
	ast_sip_endpoint_unref(value);
}

/* tx, which may be NULL, takes the place of the one that was sent. */
static bool replace(struct ast_sip_request *r, struct sip_tx_data *tx)
{
	if (!tx)
		return false;
	if (r->endpoint)
		sip_tx_set_owner(tx, ast_sip_endpoint_ref(r->endpoint), release_endpoint);
	sip_tx_unref(r->tx);
	r->tx = tx;
	return true;
}

/* The number of what is sent again: in a dialog one that was never used, whatever else has been sent meanwhile. */
static struct sip_tx_data *number(struct ast_sip_request *r, struct sip_tx_data *tx)
{
	struct sip_tx_data *other;
	uint32_t cseq;

	if (!tx || !r->dlg)
		return tx;
	cseq = sip_dialog_next_cseq(r->dlg);
	if (sip_tx_cseq(tx) == cseq)
		return tx;
	other = sip_tx_clone(tx, cseq);
	sip_tx_unref(tx);
	return other;
}

static bool answer_challenge(struct ast_sip_request *r, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *reg = ast_sip_registered_enter();
	struct sip_tx_data *tx = NULL;

	if (reg->outbound_authenticator && r->endpoint && r->challenges < MAX_CHALLENGES_ANSWERED)
		tx = reg->outbound_authenticator->create_request_with_auth(r->endpoint, rx, r->tx, ++r->challenges);
	ast_sip_registered_leave(reg);
	if (!replace(r, number(r, tx)))
		return false;
	r->next--; /* to the same target */
	send_next(r, AST_SIP_REQUEST_TRANSPORT_ERROR);
	return true;
}

/* Another target gets a copy with another branch: the last transaction may still need its own. */
static bool try_next(struct ast_sip_request *r, enum ast_sip_request_end failure)
{
	uint32_t cseq;

	if (r->cancelled || r->next >= r->n)
		return false;
	cseq = r->dlg ? sip_dialog_next_cseq(r->dlg) : sip_tx_cseq(r->tx);
	if (!replace(r, sip_tx_clone(r->tx, cseq)))
		return false;
	send_next(r, failure);
	return true;
}

/* Services that rewrite what peers behind NAT say of themselves. */
static void ask_services(struct ast_sip_request *r, struct sip_rx_data *rx)
{
	const struct ast_sip_registered *reg = ast_sip_registered_enter();
	struct ast_sip_rx_state *state = reg->n_rx_answer && r->endpoint ? ast_sip_rx_state_get(rx) : NULL;

	if (state && !state->endpoint)
		state->endpoint = ast_sip_endpoint_ref(r->endpoint);
	for (unsigned i = 0; state && i < reg->n_rx_answer; i++)
		reg->rx_answer[i]->on_rx_answer(rx);
	ast_sip_registered_leave(reg);
}

/*
 * A final response inside may end the dialog (RFC 5057 section 5). One to the request that would have made it is no
 * such: whoever sent that hears of it.
 */
static void apply_effect(struct ast_sip_request *r, unsigned status)
{
	enum sip_dialog_state state = sip_dialog_state(r->dlg);
	bool first = state == SIP_DIALOG_NEW ||
		     (state == SIP_DIALOG_EARLY && sip_dialog_is_uac(r->dlg) && send_is_invite(r));

	if (!first && sip_dialog_effect(status) == SIP_DIALOG_ENDS)
		sip_dialog_terminate(r->dlg);
}

static void on_final(struct ast_sip_request *r, struct sip_rx_data *rx, unsigned status)
{
	if ((status == 401 || status == 407) && !r->cancelled && answer_challenge(r, rx))
		return;
	if (status == 503 && try_next(r, AST_SIP_REQUEST_TRANSPORT_ERROR))
		return;
	if (r->dlg)
		apply_effect(r, status);
	send_finish(r, AST_SIP_REQUEST_RESPONSE, rx);
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct ast_sip_request *r = token;
	unsigned status = sip_rx_msg(rx)->status;

	(void)tsx;
	if (status == 100)
		return;
	ask_services(r, rx);
	if (r->dlg)
		sip_dialog_received(r->dlg, rx);
	if (status < 200) {
		if (!r->done && r->ops->on_provisional)
			r->ops->on_provisional(r, rx, r->token);
	} else if (!r->done) {
		on_final(r, rx, status);
	} else if (send_is_invite(r) && status < 300 && r->ops->on_more) {
		r->ops->on_more(r, rx, r->token);
	}
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct ast_sip_request *r = token;
	enum ast_sip_request_end end =
		why == SIP_TSX_TIMEOUT ? AST_SIP_REQUEST_TIMEOUT : AST_SIP_REQUEST_TRANSPORT_ERROR;

	(void)tsx;
	if (!try_next(r, end))
		send_finish(r, r->cancelled ? AST_SIP_REQUEST_TIMEOUT : end, NULL);
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	(void)tsx;
	send_dead(token);
}

const struct sip_tsx_user send_user = {
	.size = sizeof(struct sip_tsx_user),
	.name = "request",
	.on_response = on_response,
	.on_end = on_end,
	.on_terminated = on_terminated,
};
