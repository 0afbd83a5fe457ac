/* What the files of the proxy helper share. */
#ifndef CORE_PROXY_PRIVATE_H
#define CORE_PROXY_PRIVATE_H

#include "base/taskpool.h"
#include "res_sip/proxy.h"

/* RFC 5393 section 5.3.3: breadth of a request that says nothing. Stops forks of forks from filling the network. */
#define PROXY_MAX_BREADTH 60
/* RFC 3261 section 16.6 step 3. */
#define PROXY_MAX_FORWARDS 70
/* Branches of one request. */
#define PROXY_MAX_BRANCHES 256

enum proxy_branch_state { BRANCH_WAITING, BRANCH_RUNNING, BRANCH_DONE };

struct proxy;

struct proxy_branch {
	struct proxy *proxy;
	enum proxy_branch_state state;
	struct sip_tsx *tsx;      /* referenced while running */
	struct sip_rx_data *best; /* its final response, referenced; NULL: none came */
	struct rs_str uri, route;
	uint16_t q;
	uint32_t breadth;
	bool cancelled;
	struct sip_target target;
	struct sip_target *more; /* further addresses of the next hop, or NULL */
	unsigned n_more;
};

/* One forwarded request; on its serializer, except for the count. */
struct proxy {
	_Atomic uint32_t refs; /* the core's until it is answered, one for each transaction, the timer's */
	struct ast_sip_module *owner;
	struct sip_rx_data *rx;
	struct sip_tsx *server; /* not referenced: rx's */
	struct rs_serializer *serializer;
	struct ast_sip_endpoint *endpoint;
	struct rs_timer timer;
	bool record_route, serial, answered, upstream_cancelled, invite, starting;
	unsigned no_answer_status;
	void (*on_final)(void *token, unsigned status, struct sip_rx_data *best);
	void *token;
	uint32_t max_forwards, max_breadth;
	unsigned n_routes_ours; /* Route values on top that name this server */
	uint64_t loop_hash;
	unsigned n;
	struct proxy_branch *branches; /* in the order of q */
	char text[];                   /* what uri and route of the branches point into */
};

struct proxy *proxy_ref(struct proxy *p);
void proxy_unref(struct proxy *p);

/* proxy_request.c: the request as it goes out on a branch, its target not yet set; NULL without memory. */
struct sip_tx_data *proxy_request(struct proxy *p, const struct proxy_branch *b);
/* The hash that finds a loop (RFC 5393 section 4.2). */
uint64_t proxy_loop_hash(struct sip_rx_data *rx);
bool proxy_has_looped(struct sip_rx_data *rx, uint64_t hash);
/* How many Route values on top name this server. */
unsigned proxy_routes_ours(struct sip_rx_data *rx);

/* proxy_branch.c: starts the next branches; ends the request when none is left. */
void proxy_start_next(struct proxy *p);
void proxy_cancel_running(struct proxy *p);

/* proxy_response.c */
/* A response of a branch that goes back at once: 1xx and 2xx. */
void proxy_forward_response(struct proxy *p, struct sip_rx_data *rx);
/* All branches are done, or time is over: the best response goes back (RFC 3261 section 16.7). */
void proxy_answer_best(struct proxy *p);

#endif
