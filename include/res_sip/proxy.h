/*
 * Stateful forwarding by RFC 3261 section 16, for modules that pass requests on: Via with a loop hash, Max-Forwards,
 * Max-Breadth (RFC 5393), parallel or serial forks, the best response (section 16.7), Route processing, the
 * credentials that were consumed here taken out.
 */
#ifndef RES_SIP_PROXY_H
#define RES_SIP_PROXY_H

#include "res_sip/location.h"
#include "res_sip/res_sip.h"

struct ast_sip_proxy_branch {
	struct rs_str uri;        /* the Request-URI of this branch */
	struct rs_str route;      /* Route values before it (a binding's Path), comma-joined; may be empty */
	struct sip_target target; /* addr.family 0 and flow 0: resolved from route or uri */
	uint16_t q_thousandths;   /* higher first; equal ones in parallel */
};
struct ast_sip_proxy_params {
	uint32_t size;
	const struct ast_sip_proxy_branch *branches; /* copied */
	size_t n;
	bool record_route;
	bool serial_by_q;          /* groups of equal q one after another; false: all at once */
	int timeout_ms;            /* after which unanswered branches are given up; 0: the transaction's */
	unsigned max_breadth;      /* branches at once, RFC 5393; 0: 60. A smaller Max-Breadth of the request counts */
	unsigned no_answer_status; /* what the caller gets when no branch answered: 480 (never 408 to a non-INVITE) */
	struct ast_sip_endpoint *endpoint; /* whose credentials were consumed; may be NULL */
	/* A look at the final response chosen (NULL: none answered) before it goes back; may be NULL. */
	void (*on_final)(void *token, unsigned status, struct sip_rx_data *best);
	void *token;
};
/*
 * Forwards rx (on its serializer). Takes care of the answer in every case: 483 (Max-Forwards 0), 482 (loop), 440
 * (Max-Breadth exceeded), 500, or what came back. 0, or -1 when it answered at once.
 */
RS_API int ast_sip_proxy_forward_for(struct ast_sip_module *owner, struct sip_rx_data *rx,
				     const struct ast_sip_proxy_params *p);
#define ast_sip_proxy_forward(rx, p) ast_sip_proxy_forward_for(AST_SIP_SELF, (rx), (p))
/* A branch to a binding: flow first, never dialled when rewritten or WebSocket. Strings belong to c. */
RS_API void ast_sip_proxy_branch_for_contact(const struct ast_sip_contact *c, struct ast_sip_proxy_branch *out);

#endif
